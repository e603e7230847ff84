# What the tests of spoolctl share. SPOOLCTL and SANDBOX are the programs.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    export SPOOL_PATH="$BATS_TEST_TMPDIR/spool/outbox.db" TZ=UTC LC_ALL=C.UTF-8
    unset NO_COLOR
    children=()
}

teardown() {
    local pid
    for pid in "${children[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}

ctl() {
    "$SPOOLCTL" "$@"
}

# An event that the guide would let pass: event NAME USER SESSION.
event() {
    printf '{"name":"%s","userId":"%s","sessionId":"%s","device":"PC",' \
        "$1" "$2" "$3"
    printf '"pageUrl":"https://www.example.com/","category":"Home Page",'
    printf '"currency":"EUR","lang":"EN","params":{}}\n'
}

purchase() {
    printf '{"name":"CHECKOUT","step":"purchase","userId":"%s",' "$1"
    printf '"sessionId":"s-%s","device":"PC","orderNo":"%s",' "$1" "$2"
    printf '"pageUrl":"https://www.example.com/","totalPrice":10.5,'
    printf '"currency":"EUR","lang":"EN",'
    printf '"productList":[{"productId":"1","price":10.5,"quantity":1}]}\n'
}

# N events that are alike.
many() {
    yes "$(event PAGE_VIEW u s)" | head -n "$1"
}

# The sandbox, with these options; its port in $port.
sandbox() {
    rm -f port
    "$SANDBOX" --port-file port --seconds 120 --log log "$@" 2>/dev/null 3>&- &
    sandbox_pid=$!
    children+=("$sandbox_pid")
    until [ -s port ]; do kill -0 "$sandbox_pid" || return 1; done
    port=$(cat port)
}

# New faults for the running sandbox, one an argument.
faults() {
    printf '%s\n' "$@" |
        curl -sf --data-binary @- "http://127.0.0.1:$port/sandbox/faults" \
            >/dev/null
}

# A spool with a destination shop at the sandbox, which takes any key.
shop() {
    echo KEY >key
    ctl -q init
    ctl -q destination add shop --url "http://127.0.0.1:$port" \
        --origin https://www.example.com --api-key-file key \
        --backoff-ms 5:20 "$@"
}

# Five events, of which the third is refused: 1 2 4 5 delivered, 3 dead.
four_delivered_one_dead() {
    sandbox --fault bad-input-if=culprit
    shop
    {
        event PAGE_VIEW u1 s1
        purchase u2 A-17
        event PAGE_VIEW culprit s3
        event PAGE_VIEW u4 s4
        event SEARCH u5 s5
    } | ctl -q put --check-off >/dev/null
    run ctl -q flush --timeout 20s
    [ "$status" -eq 5 ]
}

# json FILTER: what jq makes of $output, one value a line.
json() {
    jq -r "$1" <<<"$output"
}

# No file below FOLDER holds TEXT: absent TEXT FOLDER.
absent() {
    if grep -rqF -e "$1" "$2"; then
        return 1
    fi
}
