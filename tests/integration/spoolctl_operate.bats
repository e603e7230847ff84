load spoolctl

# ANSWER into the terminal that spoolctl WORDS asks on.
on_terminal() {
    local answer=$1
    shift
    run script -qec "'$SPOOLCTL' $*" /dev/null < <(printf '%s\n' "$answer")
}

states() {
    ctl --json ls | jq -r .state | cut -c1-2 | tr '\n' ' '
}

@test "replay of a filter takes dead events, and they arrive" {
    four_delivered_one_dead
    faults
    run --separate-stderr ctl --json replay --destination shop --since 1h --yes
    [ "$status" -eq 0 ]
    [ "$(json '[.action, .dry_run, .selected, .by_state.dead, .changed,
        .skipped_sending, .skipped_state, .skipped_gone,
        .destinations[0].changed] | join(" ")')" = \
        "replay false 1 1 1 0 0 0 1" ]
    [[ "$stderr" == *"1 event of 1 destination (1 dead)"* ]]
    ctl -q flush
    [ "$(states)" = "de de de de de " ]
    [ "$(jq -r 'select(.taken) | .events[]' log | grep -c culprit)" -eq 1 ]
    ctl -q verify
}

@test "delivered events are replayed when they are asked for" {
    four_delivered_one_dead
    run ctl -q replay --state delivered --user u4 --yes
    [ "$status" -eq 0 ]
    run ctl replay 1 5 --yes
    [ "$status" -eq 0 ]
    [[ "$output" == *"the endpoint gets them twice"* ]]
    [ "$(states)" = "pe de de pe pe " ]
    ctl -q flush || true
    [ "$(jq -r 'select(.taken) | .events[]' log | grep -c '"u5"')" -eq 2 ]
    ctl -q verify
}

@test "what waits already is skipped; nothing changed is 3" {
    four_delivered_one_dead
    event PAGE_VIEW late s | ctl -q put
    run ctl replay 6 --yes
    [ "$status" -eq 3 ]
    [[ "$output" == *"1 event skipped: waiting already"* ]]
    run ctl replay 3 6 --yes
    [ "$status" -eq 0 ]
    run ctl replay --user nobody --yes
    [ "$status" -eq 3 ]
    run ctl replay 99 --yes
    [ "$status" -eq 3 ]
}

@test "purge takes out what waits or is dead" {
    four_delivered_one_dead
    event PAGE_VIEW late s | ctl -q put
    run ctl -q --json purge --all --yes
    [ "$status" -eq 0 ]
    [ "$(json '[.selected, .changed, .by_state.dead, .by_state.pending] |
        join(" ")')" = "2 2 1 1" ]
    [ "$(ctl --json ls | jq -r .state | sort | uniq -c | tr -s ' \n' ' ')" = \
        " 4 delivered 2 purged " ]
    run ctl purge 1 --yes
    [ "$status" -eq 3 ]
    [[ "$output" == *"delivered or purged already"* ]]
    run ctl why 6
    [[ "$output" == "event 6 was purged at shop (by 'spoolctl purge --all')"* ]]
    ctl -q flush
    ctl -q verify
    ctl -q gate
}

@test "without a terminal it needs --yes, and changes nothing before" {
    four_delivered_one_dead
    for command in replay purge; do
        run ctl $command 3 </dev/null
        [ "$status" -eq 2 ]
        [[ "$output" == *"1 event of 1 destination (1 dead)"*"--yes"* ]]
    done
    [ "$(states)" = "de de de de de " ]
    [ "$(ctl --json ls --state dead | jq .id)" -eq 3 ]
}

@test "a dry run only counts" {
    four_delivered_one_dead
    run ctl -q --json purge --state dead --dry-run
    [ "$status" -eq 0 ]
    [ "$(json '[.dry_run, .selected, .changed] | join(" ")')" = "true 1 0" ]
    [ "$(ctl --json ls --state dead | jq .id)" -eq 3 ]
    run ctl replay --state pending --dry-run
    [ "$status" -eq 3 ]
}

@test "on a terminal it asks: y goes on, all else does not" {
    four_delivered_one_dead
    on_terminal n purge 3
    [ "$status" -eq 1 ]
    [[ "$output" == *"Purge them? [y/N]"*"nothing was changed"* ]]
    on_terminal "" purge 3
    [ "$status" -eq 1 ]
    [ "$(ctl --json ls --state dead | jq .id)" -eq 3 ]
    on_terminal y purge 3
    [ "$status" -eq 0 ]
    [ "$(ctl --json ls --state purged | jq .id)" -eq 3 ]
}

@test "many are confirmed by their number" {
    ctl -q init
    ctl -q destination add shop --url https://x.example --profile json
    many 1001 | ctl -q put >/dev/null
    on_terminal y purge --state pending
    [ "$status" -eq 1 ]
    [[ "$output" == *"Type 1001 to go on"* ]]
    on_terminal 1001 purge --state pending
    [ "$status" -eq 0 ]
    [ "$(ctl --json status | jq '.destinations[0].purged')" -eq 1001 ]
    ctl -q verify
}

@test "--all is confirmed by the number however few they are" {
    four_delivered_one_dead
    on_terminal y replay --all
    [ "$status" -eq 1 ]
    on_terminal 1 replay --all
    [ "$status" -eq 0 ]
}

@test "ids come from stdin, as lines or as JSON" {
    four_delivered_one_dead
    run bash -c 'printf "3\n\n3\n" | "$SPOOLCTL" -q --json replay - --yes'
    [ "$(json .changed)" -eq 1 ]
    run bash -c \
        '"$SPOOLCTL" --json ls --state delivered | "$SPOOLCTL" -q replay - --yes'
    [ "$status" -eq 0 ]
    [ "$(states)" = "pe pe pe pe pe " ]
    run bash -c 'echo x | "$SPOOLCTL" purge - --yes'
    [ "$status" -eq 2 ]
    [[ "$output" == *"line 1 holds no event id"* ]]
    run bash -c '"$SPOOLCTL" purge - --yes </dev/null'
    [ "$status" -eq 3 ]
}

@test "a selection stays within its destination" {
    four_delivered_one_dead
    ctl -q destination add log --url https://x.example --profile json
    run ctl -q --json purge 1 2 --destination log --yes
    [ "$(json '[.selected, .changed, (.destinations | length)] | join(" ")')" = \
        "2 2 1" ]
    [ "$(ctl --json status | jq -c '.destinations | map(.purged)')" = "[0,2]" ]
    run ctl -q --json purge 3 --yes
    [ "$(json '[.selected, .changed] | join(" ")')" = "2 2" ]
    ctl -q verify
}

@test "ids far apart are found, over several transactions" {
    ctl -q init
    ctl -q destination add shop --url https://x.example --profile json
    many 12000 | ctl -q put >/dev/null
    run ctl -q --json purge 1 700 701 11999 --yes
    [ "$(json '[.selected, .changed] | join(" ")')" = "4 4" ]
    [ "$(ctl --json ls --state purged | jq .id | tr '\n' ' ')" = \
        "1 700 701 11999 " ]
    run ctl -q --json purge --state pending --limit 10500 --yes
    [ "$(json .changed)" -eq 10500 ]
    [ "$(ctl --json status | jq '.destinations[0].pending')" -eq 1496 ]
    ctl -q verify
}

@test "an event in a request is skipped: exit 5" {
    sandbox --fault hang
    shop
    event PAGE_VIEW u s | ctl -q put
    ctl -q flush --timeout 60s 3>&- &
    children+=($!)
    until [ "$(ctl --json status | jq '.destinations[0].sending')" -eq 1 ]; do
        kill -0 "${children[1]}"
    done
    run ctl why 1
    [[ "$output" == *"it is in a request right now"* ]]
    run ctl --json purge 1 --yes
    [ "$status" -eq 5 ]
    [[ "$output" == *"in a request right now, try again later"* ]]
    run ctl replay 1 --yes
    [ "$status" -eq 5 ]
}

@test "taking a destination out says what is lost" {
    four_delivered_one_dead
    run ctl destination rm shop </dev/null
    [ "$status" -eq 2 ]
    [[ "$output" == *"shop has 0 events waiting and 1 dead"* ]]
    on_terminal n destination rm shop
    [ "$status" -eq 1 ]
    on_terminal y destination rm shop
    [ "$status" -eq 0 ]
    run ctl --json ls
    [ "$(json .state | sort -u)" = pending ]
}

@test "a replay with a rate goes on by the flusher, and can be stopped" {
    sandbox
    shop
    many 5 | ctl -q put >/dev/null
    ctl -q flush --timeout 20s
    run --separate-stderr ctl --json replay --all --state delivered \
        --rate 1 --yes
    [ "$status" -eq 0 ]
    [ "$(json .begun)" = true ]
    run --separate-stderr ctl --json replay --list
    [ "$(json '[.id, .destination, .rate, .events, .done] | join(" ")')" = \
        "1 shop 1 5 0" ]
    run ctl replay --stop 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"stopped after 0 of 5 events"* ]]
    run ctl replay --stop 1
    [ "$status" -eq 3 ]
    run ctl replay 1 --share 100 --yes
    [ "$status" -eq 2 ]
    run ctl replay 1 --share 20 --rate 50 --yes
    [ "$status" -eq 0 ]
    [[ "$output" == *"replay 2 of shop begins, 50 events a second, 20 % of"* ]]
    run --separate-stderr ctl --json replay --list
    [ "$(json '[.rate, .share] | join(" ")')" = "50 20" ]
    ctl -q replay --stop 2
    ctl -q replay 1 2 3 --rate 1000 --yes
    ctl -q flush --timeout 20s
    [ "$(jq -r 'select(.taken) | .events[]' log | wc -l)" -eq 8 ]
    run ctl replay --list
    [[ "$output" == *"no replay is under way"* ]]
    run ctl replay --list 1
    [ "$status" -eq 2 ]
    ctl -q verify
}

@test "the audit log says who did what, and shows that it was not touched" {
    four_delivered_one_dead
    ctl -q purge --state dead --yes
    run ctl --json audit
    [ "$status" -eq 0 ]
    [ "$(json '[.action, .destination, .events] | join(" ")' | xargs)" = \
        "destination add shop 0 purge shop 1" ]
    [ "$(jq -rn --arg lines "$output" '$lines | split("\n") | map(fromjson) |
        map(.uid) | unique[]')" -eq "$(id -u)" ]
    [ "$(json .hash | awk 'length == 64' | sort -u | wc -l)" -eq 2 ]
    run ctl --json audit --limit 1
    [ "$(json .action)" = purge ]
    run ctl audit
    [[ "$output" == *ACTION*"destination add"*purge* ]]
    run ctl audit --until 1d
    [ "$status" -eq 3 ]
    run ctl audit --since tomorrow
    [ "$status" -eq 2 ]
    ctl -q verify
}
