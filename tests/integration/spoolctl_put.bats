load spoolctl

@test "a closed stdin is no empty one, and a closed stdout is told" {
    ctl -q init
    run bash -c '"$SPOOLCTL" put <&-'
    [ "$status" -eq 1 ]
    [[ "$output" == *"cannot read the events"* ]]
    event PAGE_VIEW u s >one
    run bash -c '"$SPOOLCTL" put one >&-'
    [ "$status" -eq 1 ]
    [[ "$output" == *"cannot be written to stdout"* ]]
    run bash -c '"$SPOOLCTL" put one <&- >&- 2>&-'
    [ "$status" -eq 1 ]
    run ctl verify
    [ "$status" -eq 0 ]
}

@test "ids come one a line, for arrays, objects and lines alike" {
    ctl -q init
    { event PAGE_VIEW u1 s; event PAGE_VIEW u2 s; } >lines
    jq -s . lines >array
    jq -s -c '.[]' lines | tr -d '\n' >joined
    run ctl -q put lines array joined - <lines
    [ "$status" -eq 0 ]
    [ "$output" = "$(seq 8)" ]
    run ctl -q put <lines
    [ "$output" = "$(seq 9 10)" ]
}

@test "a refused event is named and does not stop the others" {
    ctl -q init
    {
        event PAGE_VIEW u1 s
        printf '{"name":"PAGE_VIEW","userId":"u2"}\n'
        printf '17\n'
        printf '{"name" "PAGE_VIEW"}\n'
        event PAGE_VIEW u3 s
    } >mixed
    run --separate-stderr ctl put mixed
    [ "$status" -eq 5 ]
    [ "$output" = "$(seq 2)" ]
    [[ "$stderr" == *"mixed: event 1 at byte "*", /sessionId: "* ]]
    [[ "$stderr" == *"mixed: event 2 at byte "* ]]
    [[ "$stderr" == *"2 events accepted, 3 refused"* ]]
    run --separate-stderr ctl -q --json put mixed
    [ "$status" -eq 5 ]
    [ "$(json '[.index, .status, .id // .class] | join(" ")')" = "0 accepted 3
1 refused missing
2 refused type
3 refused syntax
4 accepted 4" ]
    [ "$(json 'select(.index == 1) | .path')" = /sessionId ]
    start=$(json 'select(.index == 1) | .offset')
    [ "$start" -ge "$(head -1 mixed | wc -c)" ]
    [ -z "$stderr" ]
}

@test "positions count over all files" {
    ctl -q init
    event PAGE_VIEW u s >one
    echo '{}' >two
    run ctl -q --json put one two one
    [ "$(json '[.index, .file, .status] | join(" ")')" = "0 one accepted
1 two refused
2 one accepted" ]
}

@test "a file that cannot be read does not stop the others" {
    ctl -q init
    event PAGE_VIEW u s >one
    run --separate-stderr ctl -q put missing . one
    [ "$status" -eq 1 ]
    [ "$output" = 1 ]
    [[ "$stderr" == *"missing"*"No such file"* ]]
    [[ "$stderr" == *"directory"* ]]
}

@test "nothing in, nothing out" {
    ctl -q init
    run ctl -q put </dev/null
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "the check can be chosen" {
    ctl -q init
    bare='{"name":"X","userId":"u","sessionId":"s"}'
    run ctl -q put <<<"$bare"
    [ "$status" -eq 5 ]
    run ctl -q put --relaxed <<<"$bare"
    [ "$status" -eq 5 ]
    run ctl -q put --check-off <<<"$bare"
    [ "$status" -eq 0 ]
}

@test "an idle pipe does not keep its events waiting" {
    ctl -q init
    mkfifo in out
    ctl -q put - <in >out 3>&- &
    children+=($!)
    exec 8>in 7<out
    for want in 1 2 3; do
        event PAGE_VIEW u s >&8
        read -r -t 20 id <&7
        [ "$id" -eq "$want" ]
        [ "$(ctl --json status | jq .accepted)" -eq "$want" ]
    done
    exec 8>&-
    wait "${children[0]}"
    exec 7<&-
}

@test "thousands go in, in order" {
    ctl -q init
    many 2500 >many
    run ctl -q put many
    [ "$status" -eq 0 ]
    [ "$output" = "$(seq 2500)" ]
    [ "$(ctl --json ls | jq -s 'map(.id) == [range(1; 2501)]')" = true ]
}

@test "a store that fails ends it, and what was printed is there" {
    ctl -q init
    many 8000 >many
    run --separate-stderr bash -c \
        'trap "" XFSZ; ulimit -f 900; "$SPOOLCTL" --json put many'
    [ "$status" -eq 1 ]
    [ -n "$stderr" ]
    accepted=$(jq -r 'select(.status == "accepted").id' <<<"$output")
    [ "$(wc -l <<<"$accepted")" -ge 1000 ]
    [ "$(jq -r .status <<<"$output" | sort -u)" = "accepted
refused" ] || [ "$(jq -r .status <<<"$output" | sort -u)" = "accepted
unknown" ]
    [ "$(jq -r 'select(.status == "refused").class' <<<"$output" |
        sort -u)" = store ] || grep -q unknown <<<"$output"
    run ctl --json ls
    [ "$(comm -23 <(sort <<<"$accepted") <(json .id | sort) | wc -l)" -eq 0 ]
    ctl -q verify
}

@test "ids that cannot be written end it" {
    ctl -q init
    event PAGE_VIEW u s >one
    run bash -c '"$SPOOLCTL" put one >/dev/full'
    [ "$status" -eq 1 ]
    [[ "$output" == *"cannot be written"* ]]
}

@test "check says what is wrong, and needs no spool" {
    { event PAGE_VIEW u s; echo '[1,{"name":"PAGE_VIEW"}]'; } >mixed
    run --separate-stderr ctl check mixed
    [ "$status" -eq 5 ]
    [ "${#lines[@]}" -eq 2 ]
    [[ "${lines[1]}" == "mixed: event 2 at byte "*", /userId: "* ]]
    [ "$stderr" = "1 valid, 2 invalid" ]
    run ctl -q --json check mixed
    [ "$status" -eq 5 ]
    [ "$(json '[.index, .valid, .class, .path] | join("|")')" = \
        "0|true|ok|
1|false|type|
2|false|missing|/userId" ]
    run ctl -q check --check-off <(printf '{"name":"X","userId":"u","sessionId":"s"}')
    [ "$status" -eq 0 ]
    run ctl -q check missing
    [ "$status" -eq 1 ]
}

@test "check warns of what the strict reading would refuse" {
    event PAGE_VIEW u s | jq -c '. + {testmode: true}' >odd
    run ctl --json -q check odd
    [ "$status" -eq 0 ]
    [ "$(json '.warnings | length')" -ge 1 ]
    [[ "$(json '.warnings[0].path')" == /testmode ]]
    run ctl check odd
    [[ "$output" == *"(warning)"* ]]
}

@test "a refused event can be kept, dead, and replayed" {
    ctl -q init
    ctl -q destination add shop --url http://127.0.0.1:9 --origin o
    printf '{"name":"PAGE_VIEW","userId":"u2"}\n' >bad
    run --separate-stderr ctl -q --json put --quarantine bad
    [ "$status" -eq 5 ]
    [ "$(json '"\(.status) \(.class) \(.quarantined)"')" = "refused missing 1" ]
    run ctl -q --json ls --state dead
    [ "$(json '"\(.id) \(.state)"')" = "1 dead" ]
    run ctl -q show 1 --payload
    [[ "$output" == *'{"name":"PAGE_VIEW","userId":"u2"}'* ]]
    for cut in no yes; do
        run ctl why 1
        [[ "$output" == "event 1 is dead at shop: it was refused when it was put, and was never sent: "*"is mandatory"* ]]
        [[ "$output" == *"next  spoolctl replay 1 --destination shop"* ]]
        [ "$cut" = yes ] || run ctl -q flush --timeout 10s
    done
    ctl -q replay 1 --yes
    run ctl -q --json ls
    [ "$(json .state)" = pending ]
    run ctl -q verify
    [ "$status" -eq 0 ]
}

@test "a limit on the size of files is a full disk, and ends nothing" {
    ctl -q init
    many 3000 >lines
    limited() {
        ulimit -f 300
        ctl -q put lines
    }
    run --separate-stderr limited
    [ "$status" -eq 1 ]
    [[ "$stderr" == *"full"* ]]
}
