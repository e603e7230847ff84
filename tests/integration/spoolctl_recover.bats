load spoolctl

# Six events, put at once so that the WAL holds each in one place only; then a
# file whose first page is gone and whose WAL cannot be applied: no reader finds
# anything in it.
damaged() {
    sandbox
    shop
    for i in 1 2 3 4 5 6; do event PAGE_VIEW "u$i" "s$i"; done >six
    ctl -q put six >/dev/null
    dd if=/dev/zero of="$SPOOL_PATH" bs=8192 count=1 conv=notrunc status=none
    dd if=/dev/zero of="$SPOOL_PATH-wal" bs=32 count=1 conv=notrunc status=none
    rm -f "$SPOOL_PATH-shm"
}

@test "a damaged outbox takes new events, and recover puts the old ones back" {
    damaged
    run --separate-stderr ctl --json put < <(event PAGE_VIEW new s9)
    [ "$status" -eq 0 ]
    [ "$(json .id)" -eq 7 ]
    run --separate-stderr ctl --json recover --dry-run
    [ "$status" -eq 0 ]
    [ "$(jq -r 'select(.readable != null) | [.readable, .lost] | join(" ")' \
        <<<"$output")" = "6 0" ]
    [ "$(ctl --json status | jq '.destinations[0].waiting')" -eq 1 ]
    run --separate-stderr ctl recover --yes
    [ "$status" -eq 0 ]
    ctl -q flush --timeout 20s
    [ "$(jq -r '.events[]' log | grep -c PAGE_VIEW)" -eq 7 ]
    run ctl verify
    [ "$status" -eq 0 ]
    run --separate-stderr ctl recover --yes
    [ "$status" -eq 0 ]
    [[ "$stderr$output" == *"put back before"* ]]
}

@test "an event that cannot be read is named; exit 5" {
    damaged
    at=$(grep -abo 'u3' "$SPOOL_PATH-wal" | tail -n 1 | cut -d: -f1)
    printf 'XX' | dd of="$SPOOL_PATH-wal" bs=1 seek="$at" conv=notrunc \
        status=none
    event PAGE_VIEW new s9 | ctl -q put >/dev/null
    run --separate-stderr ctl --json recover --yes
    [ "$status" -eq 5 ]
    [ "$(jq -r 'select(.what == "lost") | [.first, .last] | join(" ")' \
        <<<"$output" | head -n 1)" = "3 3" ]
    run ctl verify
    [ "$status" -eq 1 ]
    [[ "$output" == *3* ]]
    run ctl why 3
    [ "$status" -eq 3 ]
    [[ "$output" == *"event 3 is lost"* ]]
}

@test "recover says when nothing was set aside; exit 3" {
    ctl -q init
    run --separate-stderr ctl recover --yes
    [ "$status" -eq 3 ]
    run --separate-stderr ctl recover --yes nowhere.damaged-1
    [ "$status" -eq 3 ]
    [[ "$stderr" == *nowhere* ]]
}

@test "processes that meet the damage together lose nothing" {
    damaged
    for i in 1 2 3 4; do
        event PAGE_VIEW "n$i" "t$i" | ctl -q put >/dev/null 2>"err$i" &
        pids[i]=$!
    done
    for i in 1 2 3 4; do wait "${pids[i]}"; done
    ctl -q recover --yes
    ctl -q flush --timeout 20s
    [ "$(jq -r '.events[]' log | grep -c PAGE_VIEW)" -eq 10 ]
}

@test "a destination that would read them is added once the events are put back" {
    damaged
    run --separate-stderr ctl destination add other --url http://127.0.0.1:1
    [ "$status" -eq 1 ]
    [[ "$stderr" == *"run spoolctl recover, then add other"* ]]
    ctl -q recover --yes
    ctl -q destination add other --url http://127.0.0.1:1
    [ "$(ctl --json status | jq -c '[.destinations[].waiting]')" = "[6,6]" ]
    run ctl verify
    [ "$status" -eq 0 ]
}

@test "where the damaged file lies no more it reads what was put since" {
    damaged
    event PAGE_VIEW new s9 | ctl -q put >/dev/null
    rm "$SPOOL_PATH".damaged-*
    ctl -q destination add other --url http://127.0.0.1:1
    [ "$(ctl --json status | jq -c '[.destinations[].waiting]')" = "[1,1]" ]
}

@test "until the events are put back nothing is called well" {
    damaged
    run --separate-stderr ctl status
    [ "$status" -eq 0 ]
    [[ "${lines[0]}" == DAMAGED* ]]
    [[ "${lines[*]}" == *"spoolctl recover"* ]]
    [[ "$stderr" == *"until spoolctl recover has put it back"* ]]
    run --separate-stderr ctl --json status
    [ "$(json .verdict)" = DAMAGED ]
    [[ "$(json .set_aside)" == "$SPOOL_PATH".damaged-* ]]
    run --separate-stderr ctl gate
    [ "$status" -eq 5 ]
    [[ "$output" == *"has not been put back"* ]]
    run --separate-stderr ctl --json gate
    [ "$(json .ok)" = false ]
    run --separate-stderr ctl flush --timeout 20s
    [ "$status" -eq 5 ]
    [[ "$stderr" == *"run spoolctl recover"* ]]
    run --separate-stderr ctl why 2
    [ "$status" -eq 3 ]
    [[ "$stderr" == *"event 2 is not to be found until spoolctl recover"* ]]
    run --separate-stderr ctl order A-17
    [ "$status" -eq 5 ]
    [[ "$output" == *"order A-17 is not known"*"spoolctl recover"* ]]
    run --separate-stderr ctl --json order A-17
    [ "$(json '.state + ": " + .reason')" = \
        "unknown: the outbox was damaged, and spoolctl recover has not put back what it held" ]
    run --separate-stderr ctl verify
    [ "$status" -eq 1 ]
    [[ "$output" == *"up to event 6 has not been put back"* ]]
    ctl -q recover --yes
    ctl -q flush --timeout 20s
    run --separate-stderr ctl gate
    [ "$status" -eq 0 ]
    [ "$(ctl --json status | jq -r '.verdict + .set_aside')" = OK ]
}

@test "reconcile calls no order never put until the events are put back" {
    damaged
    purchase u A-18 | ctl -q put
    printf 'A-17\nA-18\n' >numbers
    run --separate-stderr ctl reconcile numbers
    [ "$status" -eq 5 ]
    [[ "${lines[1]}" == *A-17*"not known"*"the outbox was damaged"* ]]
    [[ "$output" == *"2 numbers: 1 waiting (10.5 EUR), 1 not known;"* ]]
    [[ "$output" != *"never put"* ]]
    [[ "$stderr" == *"next  spoolctl recover"* ]]
    run --separate-stderr ctl --json reconcile numbers
    [ "$(json 'select(.line == 1) | .state')" = unknown ]
    [ "$(json 'select(.summary).summary | [.unknown, .missing, .waiting] |
        join(" ")')" = "1 0 1" ]
    ctl -q recover --yes
    run --separate-stderr ctl --json reconcile numbers
    [ "$(json 'select(.line == 1) | .state')" = missing ]
    [ "$(json 'select(.summary).summary | [.unknown, .missing] | join(" ")')" = \
        "0 1" ]
}

# refused FILE TEXT: recover does not take it, says so and touches nothing.
refused() {
    local before
    before=$(ctl --json audit)
    run --separate-stderr ctl recover --yes "$1"
    [ "$status" -eq 2 ]
    [[ "$stderr" == *"$2"* ]]
    [ "$(ctl --json audit)" = "$before" ]
}

@test "recover takes no file that is not the spool's" {
    damaged
    ctl -q -s other/outbox.db init
    many 3 | ctl -q -s other/outbox.db put >/dev/null
    event PAGE_VIEW new s9 | ctl -q put >/dev/null
    echo "no spool" >text
    refused other/outbox.db "another spool's"
    refused text "no event that can be read"
    refused "$SPOOL_PATH" "the spool itself"
    run --separate-stderr ctl --json recover --yes
    [ "$status" -eq 0 ]
    [ "$(jq -r 'select(.readable != null and (.dry_run | not)) | .readable' \
        <<<"$output")" -eq 6 ]
}
