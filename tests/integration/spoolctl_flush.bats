load spoolctl

@test "flush delivers the bytes as they were given" {
    sandbox
    shop
    event PAGE_VIEW u1 s1 | sed 's/,/ , /g' >odd
    ctl -q put odd
    run --separate-stderr ctl flush
    [ "$status" -eq 0 ]
    [[ "$stderr" == *"1 event delivered in 1 batch"* ]]
    [ "$(jq -r '.events[0]' log)" = "$(cat odd)" ]
    run ctl --json -q flush
    [ "$status" -eq 0 ]
    [ "$(json '[.ok, .delivered, .destinations[0].waiting] | join(" ")')" = \
        "true 0 0" ]
}

@test "what is refused is told and left dead; exit 5" {
    sandbox --fault bad-input-if=culprit
    shop
    { event PAGE_VIEW u s; event PAGE_VIEW culprit s; } | ctl -q put
    run --separate-stderr ctl --json flush --timeout 20s
    [ "$status" -eq 5 ]
    [ "$(json '[.ok, .delivered, .dead, .destinations[0].dead] | join(" ")')" = \
        "false 1 1 1" ]
    [[ "$stderr" == *"shop: dead 2 to 2, BAD_INPUT"* ]]
    [[ "$stderr" == *"next  spoolctl ls --destination shop --state dead"* ]]
}

@test "an endpoint that is down is told once, and nothing is lost" {
    sandbox --fault status=503
    shop
    event PAGE_VIEW u s | ctl -q put
    run --separate-stderr ctl flush --timeout 300ms
    [ "$status" -eq 5 ]
    [ "$(grep -c 'shop: retry' <<<"$stderr")" -eq 1 ]
    [[ "$stderr" == *"1 event waiting, 0 dead"* ]]
    faults
    ctl -q flush --timeout 20s
    [ "$(ctl --json status | jq '.destinations[0].delivered')" -eq 1 ]
}

@test "a wrong key holds the destination; a right one lets it go on" {
    sandbox --api-key RIGHT
    shop
    event PAGE_VIEW u s | ctl -q put
    run ctl -q flush --timeout 300ms
    [ "$status" -eq 5 ]
    run ctl --json status
    [ "$(json '[.verdict, .destinations[0].state, .destinations[0].waiting,
        .next] | join("|")')" = "STUCK|held|1|spoolctl why shop" ]
    [ "$(json '.destinations[0].next_attempt_ms > 0')" = true ]
    run ctl why shop
    [[ "$output" == "shop is held since "*NO_ACCOUNT*"no event was lost"* ]]
    run ctl status
    [[ "$output" == "STUCK "*NO_ACCOUNT* ]]
    run ctl why 1
    [[ "$output" == "event 1 is "*" at shop"*"shop is held since"* ]]
    echo RIGHT >key
    ctl -q flush --timeout 20s
    [ "$(ctl --json destination ls | jq -r .state)" = running ]
}

@test "flush of one destination leaves the other alone" {
    sandbox
    shop
    ctl -q destination add other --url "http://127.0.0.1:$port" \
        --profile json
    event PAGE_VIEW u s | ctl -q put
    run ctl -q --json flush shop
    [ "$status" -eq 0 ]
    [ "$(json '.destinations | map(.name) | join(" ")')" = shop ]
    [ "$(ctl --json status | jq -c '.destinations | map(.waiting)')" = "[0,1]" ]
    run ctl flush nix
    [ "$status" -eq 3 ]
}

@test "one flusher a spool: the other is named" {
    sandbox
    shop
    exec 9>>"$SPOOL_PATH-flusher"
    flock -n 9
    echo 4711 >"$SPOOL_PATH-flusher"
    run ctl flush
    [ "$status" -eq 4 ]
    [[ "$output" == *4711* ]]
    [ "$(ctl --json status | jq .flusher_pid)" -eq 4711 ]
    exec 9>&-
    ctl -q flush
    [ "$(ctl --json status | jq .flusher_pid)" = null ]
}

@test "without a destination flush has nothing to do, or nowhere to go" {
    ctl -q init
    run ctl flush
    [ "$status" -eq 0 ]
    event PAGE_VIEW u s | ctl -q put
    run ctl flush
    [ "$status" -eq 5 ]
    [[ "$output" == *"destination add"* ]]
}

@test "a paused destination is not delivered to until it is resumed" {
    sandbox
    shop
    event PAGE_VIEW u s | ctl -q put
    run ctl --json -q pause shop
    [ "$(json .state)" = paused ]
    run ctl flush
    [ "$status" -eq 5 ]
    run ctl status
    [[ "$output" == "PAUSED "* ]]
    run ctl why shop
    [[ "$output" == *"spoolctl resume shop"* ]]
    ctl resume shop
    ctl -q flush
    run ctl pause nix
    [ "$status" -eq 3 ]
}

@test "a key is nowhere to be seen" {
    sandbox --fault status=503
    shop
    echo TOP-SECRET >key
    event PAGE_VIEW u s | ctl -q put
    run ctl flush --timeout 100ms
    for words in "show 1" "why 1" "why shop" status "destination ls"; do
        output+=$(ctl $words 2>&1; ctl --json $words)
    done
    [[ "$output" != *TOP-SECRET* ]]
    absent TOP-SECRET spool
}

@test "what is delivered leaves the file, and the sums stay" {
    sandbox
    shop
    many 2000 | ctl -q put >/dev/null
    ctl -q flush --keep 0s
    [ "$(ctl -q --json ls | wc -l)" = 0 ]
    [ "$(ctl -q --json status | jq '.destinations[0].delivered')" = 2000 ]
    run ctl -q verify
    [ "$status" -eq 0 ]
    run ctl -q put - <<<"$(event PAGE_VIEW u s)"
    [ "$output" = 2001 ]
}

@test "a signal ends flush behind the request under way" {
    sandbox --fault slow=400
    shop --batch-events 10
    many 100 | ctl -q put >/dev/null
    "$SPOOLCTL" --json flush >sums 2>words &
    flusher=$!
    children+=("$flusher")
    until [ "$(ctl --json status | jq '.destinations[0].sending')" -gt 0 ]; do
        kill -0 "$flusher"
    done
    kill -TERM "$flusher"
    status=0
    wait "$flusher" || status=$?
    [ "$status" -eq 5 ]
    [ "$(jq .uncertain sums)" -eq 0 ]
    run ctl --json status
    [ "$(json '.destinations[0] | .uncertain + .sending')" -eq 0 ]
    [ "$(json '.destinations[0].delivered')" -eq "$(jq .delivered sums)" ]
    [ "$(json '.destinations[0].delivered')" -lt 100 ]
    grep -q "next  spoolctl why shop" words
}

@test "a spool that is replaced under the flusher ends it; exit 1 and says so" {
    sandbox --fault status=503
    shop
    event PAGE_VIEW u s | ctl -q put
    ctl -q flush --timeout 60s 2>words &
    flusher=$!
    children+=("$flusher")
    until [ -s log ]; do kill -0 "$flusher"; done
    cp "$SPOOL_PATH" other
    mv other "$SPOOL_PATH"
    status=0
    wait "$flusher" || status=$?
    [ "$status" -eq 1 ]
    [ "$(grep -c "was moved, removed or replaced" words)" -eq 1 ]
    grep -q "open the spool again" words
}
