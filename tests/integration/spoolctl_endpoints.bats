load spoolctl

# Headers and bodies of endpoints that are not Segmentify's.

# The events that the last sandbox took.
taken() {
    jq -r 'select(.taken) | .events[]' log
}

@test "an order export reads the same log beside Segmentify" {
    sandbox --api-key K
    shop_port=$port
    mv log shop.log
    echo K >key
    ctl -q init
    ctl -q destination add shop --url "http://127.0.0.1:$shop_port" \
        --origin https://www.example.com --api-key-file key
    sandbox --api-key EXPORT
    echo 'X-Sfy-Api-Key: EXPORT' >headers
    ctl -q destination add orders --profile json \
        --url "http://127.0.0.1:$port/add/events/v1.json" \
        --header 'X-Shop: 7' --header-file headers --success 2xx \
        --filter 'name = CHECKOUT and step = purchase'
    {
        event PAGE_VIEW u1 s1
        purchase u1 A-1
        event SEARCH u2 s2
        purchase u2 A-2
    } | ctl -q put --check-off
    ctl -q flush --timeout 20s
    [ "$(taken | jq -r .orderNo | tr '\n' ' ')" = "A-1 A-2 " ]
    [ "$(jq -r 'select(.taken) | .events[]' shop.log | wc -l)" -eq 4 ]
    run ctl --json order A-1 A-2
    [ "$status" -eq 0 ]
    ctl -q verify
    absent EXPORT spool
}

@test "one event a request, and an event a line" {
    sandbox
    ctl -q init
    ctl -q destination add one --profile json --body object --success 2xx \
        --url "http://127.0.0.1:$port/add/events/v1.json"
    many 3 | ctl -q put
    ctl -q flush --timeout 20s
    [ "$(jq -r '.events | length' log | tr '\n' ' ')" = "1 1 1 " ]
    run ctl --json destination set one --body ndjson
    [ "$status" -eq 0 ]
    [ "$(json .body)" = ndjson ]
}

@test "any JSON object is an event when the producer says so" {
    sandbox
    ctl -q init
    ctl -q destination add any --profile json --success 2xx,400 \
        --url "http://127.0.0.1:$port/add/events/v1.json"
    run ctl --json put --any-json <<<'{"a":[1,2]} {"b":null} [1] {}'
    [ "$(ctl --json ls | wc -l)" -ge 3 ]
    run ctl -q put <<<'{"a":1}'
    [ "$status" -eq 5 ]
    run ctl -q check --any-json <<<'{"a":1}'
    [ "$status" -eq 0 ]
    ctl -q flush --timeout 20s
    [ "$(jq -r 'select(.events) | .events[]' log | head -1)" = '{"a":[1,2]}' ]
    ctl -q verify
}

@test "a destination that cannot work is refused, and no secret is kept" {
    ctl -q init
    while IFS='|' read -r words hint; do
        run eval "ctl destination add d --url https://x.example.com $words"
        [ "$status" -ne 0 ] || { echo "$words: taken"; false; }
        [[ "$output" == *"$hint"* ]] || { echo "$words: $output"; false; }
        [[ "$output" != *hunter2* ]]
    done <<'CASES'
--profile json --body lines|--body takes
--body object|--profile json
--success 2xx|--profile json
--profile json --success ok|list of statuses
--header 'Authorization: hunter2'|--header-file
--header 'hunter2'|Name: value
--header 'Host: hunter2'|set by spool itself
--proxy http://me:hunter2@p:1|without a login
--client-key k.pem|--client-cert
--rate fast|--rate takes a number
--spread soon|--spread takes a duration
CASES
    [ "$(ctl destination ls | wc -l)" -eq 0 ]
}

@test "headers are replaced and taken away" {
    ctl -q init
    ctl -q destination add d --profile json --url https://x.example.com \
        --header 'A: 1' --header 'B: 2'
    run ctl --json destination set d --rate 5 --spread 0
    [ "$(json .headers)" = $'A: 1\nB: 2' ]
    [ "$(json '.rate, .spread_ms' | tr '\n' ' ')" = "5 0 " ]
    run ctl --json destination set d --header 'C: 3'
    [ "$(json .headers)" = "C: 3" ]
    run ctl --json destination set d --header ''
    [[ "$(json .headers)" =~ ^(null|)$ ]]
}
