load spoolctl

# All but how much is free just now.
limits() {
    ctl --json limits | jq -c 'del(.disk_free_bytes)'
}

@test "a spool has no limits of its own" {
    ctl -q init
    run ctl --json limits
    [ "$status" -eq 0 ]
    [ "$(json '[.max_events, .max_bytes, .free_disk_bytes] | unique[]')" = null ]
    [ "$(json .full_percent)" -eq 0 ]
    [ "$(json '[.classes[].share] | unique[]')" -eq 100 ]
    [ "$(json '[.classes[].policy] | unique[]')" = refuse ]
    [ "$(json '[.classes[].class] | join(" ")')" = \
        "purchase checkout basket interaction view" ]
    run ctl limits
    [[ "$output" == *"none"*"purchase"*"view"* ]]
    run ctl status
    [[ "$output" != *limits* ]]
}

@test "what is set is shown, and what is not given stays" {
    ctl -q init
    ctl -q limits set --max-events 1000 --class view=80% >/dev/null
    ctl -q limits set --max-bytes 2G --class basket=shed >/dev/null
    run ctl --json limits set --free-disk 100MiB --class view=shed
    [ "$(json '.max_events, .max_bytes, .free_disk_bytes' | xargs)" = \
        "1000 2147483648 104857600" ]
    [ "$(json '.classes[] | select(.policy == "shed") | .class' | xargs)" = \
        "basket view" ]
    [ "$(json '.classes[] | select(.class == "view").share')" -eq 80 ]
    [ "$(json 'del(.disk_free_bytes)' | jq -c .)" = "$(limits)" ]
    run ctl --json limits set --max-events none --max-bytes none \
        --class view=100%,refuse
    [ "$(json '.max_events, .max_bytes' | xargs)" = "null null" ]
    [ "$(json '.classes[] | select(.class == "view") |
        "\(.share) \(.policy)"')" = "100 refuse" ]
}

@test "what makes no sense is refused, and nothing is changed" {
    ctl -q init
    before=$(limits)
    while read -r words; do
        run ctl limits set $words
        [ "$status" -eq 2 ]
        [ "$before" = "$(limits)" ]
    done <<'END'

--max-events 0
--max-events 1k
--max-bytes 10
--max-bytes 5X
--max-bytes -1
--max-bytes 9999999999T
--free-disk much
--class view
--class views=80%
--class view=
--class view=0%
--class view=101%
--class view=80%,
--class view=drop
--class purchase=shed
END
}

@test "cheap events are refused first, and purchases come last" {
    ctl -q init
    ctl -q limits set --max-events 10 --class view=50% >/dev/null
    {
        many 7
        purchase u1 A-1
    } >mixed
    run --separate-stderr ctl --json put mixed
    [ "$status" -eq 5 ]
    [ "$(json 'select(.status == "accepted").id' | xargs)" = "1 2 3 4 5 6" ]
    [ "$(json 'select(.class == "full").index' | xargs)" = "5 6" ]
    for i in 2 3 4 5; do purchase u1 "A-$i"; done >orders
    ctl -q put orders >/dev/null
    purchase u1 A-6 >last
    run --separate-stderr ctl put last
    [ "$status" -eq 5 ]
    [[ "$stderr" == *"10 events"*"purchase"*"spoolctl limits"* ]]
    run ctl --json limits
    [ "$(json '.events, .full_percent' | xargs)" = "10 100" ]
    [ "$(json '.classes[] | "\(.class) \(.refused.events)"' | xargs)" = \
        "purchase 1 checkout 0 basket 0 interaction 0 view 2" ]
    run ctl --json status
    [ "$(json '.verdict, .refused, .shed' | xargs)" = "FULL 3 0" ]
    run ctl status
    [[ "$output" == FULL*"limits   100% full, 3 events refused"* ]]
    ctl -q purge --all --yes 2>/dev/null || true
    ctl -q verify
}

@test "a limit in bytes and one of the disk" {
    ctl -q init
    ctl -q limits set --max-bytes 1M >/dev/null
    many 8000 >many
    run --separate-stderr ctl -q put many
    [ "$status" -eq 5 ]
    run ctl --json limits
    [ "$(json .bytes)" -le $((1 << 20)) ]
    [ "$(json '.classes[] | select(.class == "view").refused.bytes > 1000')" \
        = true ]
    ctl -q limits set --max-bytes none --free-disk 900T >/dev/null
    run --separate-stderr ctl put many
    [ "$status" -eq 1 ]
    [[ "$stderr" == *"free by its limits"* ]]
    run ctl --json status
    [ "$(json .verdict)" = FULL ]
}

@test "old views give way when the operator said so, and are told" {
    sandbox
    shop
    ctl -q limits set --max-events 20 --class view=shed >/dev/null
    for i in 1 2 3; do purchase u1 "A-$i"; done >orders
    {
        cat orders
        many 30
        purchase u1 A-4
    } >mixed
    run --separate-stderr ctl -q put mixed
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 34 ]
    run ctl --json limits
    [ "$(json .events)" -eq 20 ]
    [ "$(json '.classes[] | select(.class == "view").shed.events')" -eq 14 ]
    run ctl --json status
    [ "$(json '.shed, .destinations[0].purged, .destinations[0].pending' |
        xargs)" = "14 14 20" ]
    run ctl why 4
    [ "$status" -eq 3 ]
    [[ "$output" == *"gave way"* ]]
    ctl -q verify
    ctl -q flush --timeout 20s
    [ "$(ctl --json status | jq -c '.destinations[0] |
        [.delivered, .purged, .waiting]')" = "[20,14,0]" ]
    [ "$(ctl order A-1 A-2 A-3 A-4 | grep -c delivered)" -eq 4 ]
    ctl -q verify
}
