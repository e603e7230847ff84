load spoolctl

@test "a purchase is put once, by its order number" {
    ctl -q init
    run ctl -q put - <<<"$(purchase u 4711)"
    [ "$output" = 1 ]
    run --separate-stderr ctl --json put - <<<"$(purchase u 4711)"
    [ "$status" -eq 0 ]
    [ "$(json '"\(.status) \(.id)"')" = "duplicate 1" ]
    [[ "$stderr" == *"0 events accepted, 1 known already, 0 refused"* ]]
    run --separate-stderr ctl -q --json put - <<<"$(purchase v 4711)"
    [ "$status" -eq 5 ]
    [ "$(json '"\(.status) \(.class)"')" = "refused conflict" ]
    run ctl -q --json ls --key 4711
    [ "$(json .id)" = 1 ]
}

@test "nextPage holds an event until the next page of its session" {
    ctl -q init
    ctl -q destination add shop --url http://127.0.0.1:9 --origin o
    event PAGE_VIEW u s | sed 's/"params":{}/"nextPage":true/' | ctl -q put
    run ctl -q --json ls --state held
    [ "$(json .id)" = 1 ]
    [ "$(ctl -q --json status | jq '.destinations[0].held')" = 1 ]
    run ctl -q why 1
    [[ "$output" == *"next PAGE_VIEW of its session"* ]]
    event PAGE_VIEW other s | ctl -q put
    [ "$(ctl -q --json status | jq '.destinations[0].held')" = 1 ]
    event PAGE_VIEW u s | ctl -q put
    [ "$(ctl -q --json status | jq '.destinations[0].held')" = 0 ]
    run ctl -q verify
    [ "$status" -eq 0 ]
}

# A flusher seems to run.
hold_flusher_lock() {
    exec 9>>"$SPOOL_PATH-flusher"
    flock -n 9
    echo 4711 >"$SPOOL_PATH-flusher"
}

@test "an event that is held has an age, and shuts the gate" {
    ctl -q init
    ctl -q destination add shop --url http://127.0.0.1:9 --profile json
    event PAGE_VIEW u s | sed 's/"params":{}/"nextPage":true/' | ctl -q put
    run ctl --json status
    [ "$(json '.destinations[0] | .oldest_at_ms > 0 and .oldest_id == 1')" = true ]
    run ctl -q flush --timeout 10s # cut
    run ctl --json status
    [ "$(json '.destinations[0] | .oldest_at_ms > 0 and .oldest_id == 1')" = true ]
    run ctl -q why shop
    [[ "$output" == "shop is running; 1 event waits, the oldest for "* ]]
    [[ "$output" != *" d "* ]]
    run ctl -q gate --max-age 0
    [ "$status" -eq 5 ]
    run ctl -q gate --max-age 1h
    [ "$status" -eq 0 ]
    hold_flusher_lock
    [[ "$(ctl status)" == "OK  oldest event "*", at shop"* ]]
}

@test "a held event hides no destination that takes nothing" {
    sandbox --fault status=503
    ctl -q init
    ctl -q destination add a --url http://127.0.0.1:9 --profile json \
        --filter 'name = PAGE_VIEW'
    ctl -q destination add b --url "http://127.0.0.1:$port" --profile json \
        --filter 'name = SEARCH' --backoff-ms 60000
    event PAGE_VIEW u s | sed 's/"params":{}/"nextPage":true/' | ctl -q put
    event SEARCH u2 s2 | ctl -q put --check-off
    run ctl -q flush --timeout 300ms
    hold_flusher_lock
    run ctl --json status
    [ "$(json '[.verdict, .next] | join("|")')" = "LATE|spoolctl why b" ]
    [[ "$(json .sentence)" == "oldest event "*", at b, which does not take it" ]]
}

@test "replay lets a held event go, and status tells of it" {
    sandbox
    shop
    event PAGE_VIEW u s | sed 's/"params":{}/"nextPage":true/' | ctl -q put
    run ctl status
    [[ "$output" == *"shop: 0 delivered, 1 held for the next page"* ]]
    run ctl -q flush --timeout 10s # cuts the log, leaves it where it is
    [ "$status" -eq 5 ]
    run ctl -q --json replay 1 --yes
    [ "$status" -eq 0 ]
    [ "$(json '[.by_state.held, .changed] | join(" ")')" = "1 1" ]
    ctl -q flush
    run ctl -q --json ls
    [ "$(json .state)" = delivered ]
}

@test "keys are made here, as many as are asked for" {
    run ctl keys
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^-?[1-9][0-9]*$ ]]
    run ctl keys 1000 --local
    [ "$(sort -u <<<"$output" | grep -cE '^-?[1-9][0-9]*$')" -eq 1000 ]
    run ctl --json keys 2
    [ "$(json .source)" = $'local\nlocal' ]
    [[ "$(json .key | head -n 1)" =~ ^-?[1-9][0-9]*$ ]]
}

@test "keys come from an endpoint, by its URL or a destination's" {
    sandbox
    shop
    run --separate-stderr ctl --json keys 3 --url "http://127.0.0.1:$port"
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [ "$(json .source | sort | uniq -c | xargs)" = "3 endpoint" ]
    run ctl --json keys --destination shop
    [ "$(json .source)" = endpoint ]
    ctl destination set shop --url "http://127.0.0.1:$port/add/events/v1.json"
    run ctl --json keys --destination shop
    [ "$(json .source)" = endpoint ]
    [ "$(jq -r 'select(.path | startswith("/get")) .origin' log | tail -n 2)" = \
        $'https://www.example.com\nhttps://www.example.com' ]
}

@test "keys are made here when the endpoint has none" {
    sandbox
    for fault in html garbage cut endless-body deep-json status=503 drop-after; do
        faults "$fault"
        run --separate-stderr ctl --json keys 2 --url "http://127.0.0.1:$port"
        [ "$status" -eq 0 ] || { echo "$fault: $status"; false; }
        [ "$(json .source)" = $'local\nlocal' ] || { echo "$fault"; false; }
        [[ "$stderr" == *"; these were made here" ]]
    done
    run --separate-stderr ctl keys --url http://127.0.0.1:1
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^-?[1-9][0-9]*$ ]]
}

@test "keys from a wrong place are wrong usage" {
    ctl -q init
    for words in 0 1001 -1 x "--url http://example.com" \
        "--local --url http://127.0.0.1:1" "1 2"; do
        run ctl keys $words
        [ "$status" -eq 2 ] || { echo "$words: $status"; false; }
    done
    run ctl keys --destination nobody
    [ "$status" -eq 3 ]
}
