load spoolctl

@test "status of an empty spool is well" {
    ctl -q init
    run ctl status
    [ "$status" -eq 0 ]
    [[ "$output" == "OK "*"destination add"* ]]
    run ctl --json status
    [ "$(json '[.verdict, .accepted, .flusher_pid, (.destinations | length),
        .disk_free_bytes > 0, .file_bytes > 0] | map(tostring) | join("|")')" = \
        "OK|0|null|0|true|true" ]
}

@test "events without a destination are stuck, and shut the gate" {
    ctl -q init
    event PAGE_VIEW u s | ctl -q put
    run ctl status
    [[ "$output" == "STUCK  no destination"* ]]
    run ctl --json ls
    [ "$(json '[.id, .destination, .state] | join("|")')" = "1||pending" ]
    run ctl gate
    [ "$status" -eq 5 ]
    run ctl why 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"destination add"* ]]
}

@test "status counts what became of each event" {
    four_delivered_one_dead
    event PAGE_VIEW late s | ctl -q put
    run ctl --json status
    [ "$status" -eq 0 ]
    [ "$(json '.destinations[0] | [.name, .state, .accepted, .waiting, .pending,
        .held, .sending, .retrying, .uncertain, .delivered, .dead, .purged,
        .passed] | join(" ")')" = "shop running 6 1 1 0 0 0 0 4 1 0 0" ]
    [ "$(json '.destinations[0] | .oldest_age_ms >= 0 and .oldest_at_ms > 0
        and .oldest_id == 6 and .rate_per_s >= 0 and .reason == ""')" = true ]
    run ctl status
    grep -qE '^shop ' <<<"$output"
    [[ "$output" == *"shop: 4 delivered"* ]]
    [ "$(awk 'length > 79 && !/^spool /' <<<"$output" | wc -l)" -eq 0 ]
    [[ "$output" == WAITING*"next     spoolctl flush shop"* ]]
}

@test "ls has every member, in the order of ids" {
    four_delivered_one_dead
    run ctl --json ls
    [ "$status" -eq 0 ]
    [ "$(json '[.id, .destination, .state, .name, .userId, .sessionId, .key] |
        join(" ")')" = "1 shop delivered PAGE_VIEW u1 s1 
2 shop delivered CHECKOUT u2 s-u2 A-17
3 shop dead PAGE_VIEW culprit s3 
4 shop delivered PAGE_VIEW u4 s4 
5 shop delivered SEARCH u5 s5 " ]
    [ "$(json 'select(.at_ms > 0 and .attempts > 0 and .bytes > 0) | .id' |
        wc -l)" -eq 5 ]
    [[ "$(json 'select(.id == 3).reason')" == BAD_INPUT* ]]
    run --separate-stderr ctl ls
    [[ "${lines[0]}" == *ID*DESTINATION*STATE*NAME*USER*SESSION*AT*ATTEMPTS*BYTES*KEY*REASON* ]]
    [ "${#lines[@]}" -eq 6 ]
    [[ "$output" != *$'\033'* ]]
}

@test "each filter of ls takes what it says" {
    four_delivered_one_dead
    while IFS='|' read -r words want; do
        run --separate-stderr eval "ctl --json ls $words"
        got=$(json .id | tr '\n' ' ')
        [ "$got" = "$want" ] || { echo "$words: $got"; false; }
    done <<'CASES'
--state dead|3 
--state dead --state delivered|1 2 3 4 5 
--state dead,delivered --limit 2|1 2 
--state pending,retrying|
--destination shop --name CHECKOUT|2 
--name checkout|
--user u4|4 
--session s5|5 
--key A-17|2 
--order A-17|2 
--order A-1|
--reason BAD_IN|3 
--since 1h|1 2 3 4 5 
--since 1h --until now --user u1|1 
--until 1h|
--until 2001-02-03T04:05:06Z|
--since 'yesterday 00:00' --limit 1|1 
--state waiting|
--state held|
CASES
    run ctl ls --state held
    [ "$status" -eq 3 ]
    run ctl ls --destination nix
    [ "$status" -eq 3 ]
}

@test "an event appears once a destination" {
    four_delivered_one_dead
    ctl -q destination add log --url https://x.example --profile json \
        --filter 'name = CHECKOUT'
    run ctl --json ls --limit 7
    [ "$(json '[.destination, .id, .state] | join(" ")' | tail -2)" = \
        "shop 5 delivered
log 2 pending" ]
    run ctl --json show 1
    [ "$(json '.destinations | map(.state) | join(" ")')" = \
        "delivered passed" ]
    run ctl why 1
    [[ "$output" == *"event 1 does not go to log: its filter takes only name = CHECKOUT."* ]]
}

@test "a listing ends quietly when its reader has seen enough" {
    ctl -q init
    many 3000 | ctl -q put >/dev/null
    run bash -c 'set -o pipefail; "$SPOOLCTL" --json ls | head -1'
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    run bash -c 'set -o pipefail; "$SPOOLCTL" ls | head -1'
    [ "$status" -eq 0 ]
    run bash -c '"$SPOOLCTL" --json ls >/dev/full'
    [ "$status" -eq 1 ]
}

@test "columns stay where they are over a long list" {
    ctl -q init
    many 1200 | ctl -q put >/dev/null
    run ctl ls
    [ "${#lines[@]}" -eq 1201 ]
    [ "$(awk '{ print index($0, "PAGE_VIEW") }' <<<"${output#*$'\n'}" |
        sort -u | wc -l)" -eq 1 ]
}

@test "show tells every attempt, and hides the payload until asked" {
    four_delivered_one_dead
    run ctl --json show 3
    [ "$status" -eq 0 ]
    [ "$(json '[.id, .name, .userId, .state, .destination, .class, .whole,
        has("payload")] | map(tostring) | join(" ")')" = \
        "3 PAGE_VIEW culprit dead shop view true false" ]
    [ "$(json '.attempts | length')" -ge 2 ]
    [ "$(json '[.attempts[] | select(.at_ms > 0 and .http == 200 and .curl == 0
        and .code == "BAD_INPUT" and .duration_ms >= 0 and
        (.answer | contains("BAD_INPUT")))] | length')" = \
        "$(json '.attempts | length')" ]
    run ctl show 3
    [[ "$output" == *"event 3  PAGE_VIEW"*"dead at shop"*BAD_INPUT*"--payload"* ]]
    [[ "$output" != *pageUrl* ]]
    run ctl show 99
    [ "$status" -eq 3 ]
    [[ "$output" == *"the last one is 5"* ]]
}

@test "the payload comes byte for byte" {
    ctl -q init
    printf ' {"name" : "X",\r\n"userId":"\\u00fc\303\274","sessionId":"s"} ' |
        ctl -q put --check-off
    ctl show 1 --payload 2>/dev/null >bytes
    printf '{"name" : "X",\r\n"userId":"\\u00fc\303\274","sessionId":"s"}' |
        cmp - bytes
    run ctl --json show 1 --payload
    [ "$(jq -j .payload <<<"$output" | cmp - bytes)" = "" ]
}

@test "why says it in one sentence" {
    four_delivered_one_dead
    event PAGE_VIEW late s | ctl -q put
    run ctl -q why 1
    [[ "$output" == "event 1 was delivered to shop"*"." ]]
    [ "${#lines[@]}" -eq 1 ]
    run ctl why 3
    [[ "$output" == "event 3 is dead at shop"*BAD_INPUT*"next  spoolctl replay 3"* ]]
    run ctl why 6
    [[ "$output" == "event 6 is pending at shop"*"no flusher runs"*"spoolctl flush shop"* ]]
    run ctl --json why 3
    [ "$(json '[.id, .destination, .state, .code, .command] | join("|")')" = \
        "3|shop|dead|BAD_INPUT|spoolctl replay 3 --destination shop" ]
    run ctl --json why shop
    [ "$(json '[.destination, .state, has("id")] | map(tostring) | join("|")')" = \
        "shop|running|false" ]
    run ctl why nix
    [ "$status" -eq 3 ]
    run ctl why 77
    [ "$status" -eq 3 ]
}

@test "the endpoint's words cannot drive a terminal" {
    sandbox --fault 'code=X:first=1' --fault 'bad-input-if=u'
    shop
    event PAGE_VIEW $'u\u009b2J' s | ctl -q put
    run ctl flush --timeout 10s
    for words in ls "show 1" "why 1" status "--json ls" "--json show 1"; do
        output+=$(ctl $words 2>&1)
    done
    [[ "$output" != *$'\u009b'* ]]
    run ctl --json ls
    [ "$(json .userId)" = $'u\u009b2J' ]
}

@test "the gate is open when all is there, and says what is not" {
    sandbox
    shop
    run ctl gate
    [ "$status" -eq 0 ]
    event PAGE_VIEW u s | ctl -q put
    run ctl gate
    [ "$status" -eq 5 ]
    [[ "$output" == "shop: 1 event undelivered (1 waiting, oldest "*"; 0 dead) of 1 accepted"* ]]
    run ctl --json gate
    [ "$status" -eq 5 ]
    [ "$(json '[.ok, .undelivered, .accepted, .destinations[0].waiting] |
        join(" ")')" = "false 1 1 1" ]
    run ctl gate --max-age 1h
    [ "$status" -eq 0 ]
    run ctl gate --max-age 0
    [ "$status" -eq 5 ]
    ctl -q flush
    run ctl --json gate
    [ "$status" -eq 0 ]
    [ "$(json '[.ok, .undelivered, .oldest_age_ms] | join(" ")')" = "true 0 0" ]
}

@test "a dead event shuts the gate however old it may be" {
    four_delivered_one_dead
    run ctl gate --max-age 1h
    [ "$status" -eq 5 ]
    ctl -q purge 3 --yes
    ctl -q gate
}

@test "verify says what it looked at" {
    four_delivered_one_dead
    run ctl verify
    [ "$status" -eq 0 ]
    [[ "$output" == "ok: "*" up to 5,"* ]]
    run ctl --json verify
    [ "$(json '[.ok, .findings_count, (.findings | length), .accepted,
        .destinations] | join(" ")')" = "true 0 0 5 1" ]
}

@test "a folder above the spool in which others may rename is warned of" {
    mkdir above
    chmod 0777 above
    run ctl -s above/spool/outbox.db init
    [ "$status" -eq 0 ]
    [[ "$output" == *"everybody may rename what lies in the folder $PWD/above,"* ]]
    chmod 1777 above
    run ctl -s above/spool/outbox.db verify
    [ "$status" -eq 0 ]
    [[ "$output" != *"may rename"* ]]
}

@test "verify finds a flipped byte, and ls, show and why go on" {
    ctl -q init
    event PAGE_VIEW culprit s | ctl -q put
    # Until the event has left the WAL for the file itself.
    until grep -qF culprit "$SPOOL_PATH"; do
        many 10000 | ctl -q put >/dev/null
    done
    many 10000 | ctl -q put >/dev/null
    perl -0777 -pi -e 's/culprit/culprix/' "$SPOOL_PATH"
    run ctl verify
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == *" is a copy: "* ]] # perl has put a new file there
    [[ "${lines[1]}" == "event 1 is damaged"* ]]
    [[ "$output" == *"does not add up: 1 finding"* ]]
    ctl -q init --adopt
    run ctl -q --json verify
    [ "$status" -eq 1 ]
    [ "$(json '[.ok, .findings_count] | join(" ")')" = "false 1" ]
    [[ "$(json '.findings[0]')" == "event 1 is damaged"* ]]
    run ctl --json ls --limit 1
    [[ "$(json .reason)" == damaged* ]]
    run ctl --json show 1
    [ "$(json .whole)" = false ]
    ctl -q why 1
}

@test "colour is for terminals, and not with NO_COLOR" {
    four_delivered_one_dead
    export TERM=xterm
    run script -qec "'$SPOOLCTL' ls --state dead" /dev/null
    [[ "$output" == *$'\033['* ]]
    NO_COLOR=1 run script -qec "'$SPOOLCTL' ls --state dead" /dev/null
    [[ "$output" != *$'\033['* ]]
    [[ "$output" == *dead* ]]
    TERM=dumb run script -qec "'$SPOOLCTL' status" /dev/null
    [[ "$output" != *$'\033['* ]]
}
