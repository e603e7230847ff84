load spoolctl

commands() {
    ctl --help | sed -n 's/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p'
}

@test "help is short, and the same with and without a word" {
    run ctl
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -lt 45 ]
    [ "$output" = "$(ctl --help)" ]
    [ "$output" = "$(ctl help)" ]
}

@test "every command has help, by help and by --help" {
    [ "$(commands | wc -l)" -ge 19 ]
    while read -r name; do
        run ctl help $name
        [ "$status" -eq 0 ]
        [[ "$output" == "usage: spoolctl $name"* ]]
        [ "$output" = "$(ctl $name --help)" ]
    done < <(commands)
}

@test "help of destination shows all four" {
    run ctl help destination
    [ "$(grep -c '^usage: ' <<<"$output")" -eq 4 ]
}

@test "no line of help is wider than a terminal" {
    while read -r name; do
        run ctl help $name
        [ "$(awk 'length > 79' <<<"$output" | wc -l)" -eq 0 ]
    done < <(commands)
    run ctl --help
    [ "$(awk 'length > 79' <<<"$output" | wc -l)" -eq 0 ]
}

@test "the page tells of every command and every option" {
    page=$(sed 's/\\-/-/g; s/\\f[BIR]//g' "$PAGE")
    while read -r name; do
        grep -qE "^\.(B|BR|BI) \"?$name(\"| |$)" <<<"$page" ||
            { echo "command $name is missing"; false; }
        while read -r option; do
            grep -qE "^\.(B|BR|BI) .*$option( |\"|$)" <<<"$page" ||
                { echo "option $option is missing"; false; }
        done < <(ctl help $name | grep -oE -- '^ .* --[a-z-]+' |
            grep -oE -- '--[a-z-]+$')
    done < <(commands)
}

@test "the page tells of every member of the JSON" {
    four_delivered_one_dead
    echo A-17 >numbers
    ctl -q limits set --class view=80%
    ctl -q replay --state delivered --rate 1 --yes
    page=$(sed 's/\\-/-/g; s/\\f[BIR]//g' "$PAGE")
    while read -r words; do
        run --separate-stderr ctl --json $words
        [ -n "$output" ] || { echo "$words: nothing"; false; }
        for member in $(jq -r '.. | objects | keys[]' <<<"$output" | sort -u)
        do
            grep -qE "^\.(B|BR|RB) .*\b$member\b" <<<"$page" ||
                { echo "$words: member $member is missing"; false; }
        done
    done <<'COMMANDS'
init
status
why 1
why shop
ls
show 3 --payload
order A-17
reconcile numbers --reverse
gate
audit
verify
version
check numbers
put numbers
keys
limits
destination ls
replay --list
replay 3 --dry-run
purge 3 --dry-run
flush --timeout 0
COMMANDS
}

@test "wrong usage ends with 2 and a hint" {
    ctl -q init
    while IFS='|' read -r words hint; do
        run ctl $words
        [ "$status" -eq 2 ] || { echo "$words: $status"; false; }
        [[ "$output" == *"$hint"* ]] || { echo "$words: $output"; false; }
    done <<'CASES'
stats|did you mean 'spoolctl status'
destination ad x|did you mean 'spoolctl destination add'
destination|needs a second word
destination -q|needs a second word
destination --json ad|did you mean 'spoolctl destination add'
destination --url https://x.example add shop|there is no option --url
kubernetes|there is no command
ls --sate dead|did you mean --state
ls --kubernetes|there is no option
-x ls|there is no option -x
-xq status|spoolctl: there is no option -x
status -zq|status: there is no option -z
status -qz|status: there is no option -z
status -jq|status: there is no option -j
-V|there is no option -V
ls --state|needs a value
ls --state alive|there is no state 'alive'
ls --since soon|--since takes a time
ls --limit 0|--limit takes a number
ls extra|one argument too many
ls --payload|there is no option
show|something is missing
show x|no event id
show 0|no event id
pause|something is missing
put --strict --relaxed|exclude
flush --timeout soon|--timeout takes a duration
gate --max-age -1s|--max-age takes a duration
replay|nothing is selected
purge --limit 5|nothing is selected
purge --destination shop|nothing is selected
purge 1 --state dead|exclude
purge 1 x|no event id
destination add shop|--url is missing
destination set shop|nothing to change
destination add shop --url ftp://x|https://
destination add shop --url http://example.com|in clear
destination add shop --url https://k@example.com|user name
destination add shop --url https://x.example --lanes 0|--lanes takes a number
destination add shop --url https://x.example --backoff-ms x|--backoff-ms takes
destination add shop --url https://x.example --from middle|--from takes
destination add shop --url https://x.example --profile soap|no profile
destination add shop --url https://x.example:99999|no port from 1 to 65535
destination add 42 --url https://x.example --origin o --profile json|digits alone
limits set --max-events 0|--max-events none
status --json=yes|--json=yes takes no value
status --quiet=yes|--quiet=yes takes no value
CASES
}

@test "options stand before the command and behind it" {
    ctl -s other/outbox.db init -q
    [ -f other/outbox.db ]
    run ctl status --json -s other/outbox.db
    [ "$(json .spool)" = "$PWD/other/outbox.db" ]
    run ctl --json -s "$SPOOL_PATH" status --spool other/outbox.db
    [ "$(json .spool)" = "$PWD/other/outbox.db" ]
    run ctl destination -q add shop --url http://127.0.0.1:9 --profile json \
        -s other/outbox.db
    [ "$status" -eq 0 ]
    [ "$output" = "" ]
    run ctl destination -s other/outbox.db --json ls
    [ "$(json .name)" = shop ]
    [ "$(ctl destination --help ls)" = "$(ctl help destination ls)" ]
    [ "$(ctl destination --help)" = "$(ctl help destination)" ]
}

# told NEXT WORDS...: the advice that a command on $other ends with.
told() {
    local want=$1
    shift
    run ctl -s "$other" "$@"
    [[ "$output" == *"spoolctl -s 'my shop/o.db' $want"* ]] ||
        { echo "$*: $output"; false; }
}

@test "what is to be done next is done to the spool that -s named" {
    other="my shop/o.db"
    told "destination add NAME --url URL" init
    told "destination add NAME --url URL" destination ls
    ctl -q -s "$other" destination add shop --url http://127.0.0.1:9 \
        --profile json
    event PAGE_VIEW u s | ctl -q -s "$other" put
    told "flush shop" status
    told "flush shop" why 1
    told "flush shop" why shop
    told "flush shop" --json status
    told "flush shop" --json why shop
    told "why shop" gate
    told "why shop" flush --timeout 0
    told "resume shop" pause shop
    told "resume shop" why 1
    told "replay --list" replay 1 --rate 1 --yes
    ctl -q init
    spoolctl() { ctl "$@"; }
    eval "$(ctl --json -s "$other" why shop | jq -r .command)" 2>/dev/null
    [ "$(ctl -s "$other" --json status | jq -r '.destinations[0].state')" = \
        running ]
    run ctl status
    [[ "$output" == *"next     spoolctl destination add NAME --url URL"* ]]
}

@test "what a file or an argument is called drives no terminal" {
    bad=$'bad\e[2J\nspoolctl: fake'
    ctl -q init
    printf '{}' >"$bad.nd"
    printf 'A-1\n' >"$bad.csv"
    while read -r words; do
        run ctl $words "$bad" "$bad.nd"
        [[ "$output" == *"bad?[2J?spoolctl: fake"* ]] ||
            { echo "$words: $output"; false; }
        run ctl $words "$bad.nd"
        [[ "$output" != *$'\e'* && "$output" != *$'\nspoolctl: fake'* ]]
    done <<'COMMANDS'
put
check
recover
pause
why
ls --since

COMMANDS
    run ctl reconcile "$bad.csv"
    [[ "$output" == *"not in bad?[2J?spoolctl: fake.csv" ]]
    run ctl -s "$bad.db" init
    [[ "$output" == *"bad?[2J?spoolctl: fake.db is created"* ]]
    [[ "$output" == *"next  spoolctl -s \$'bad\\033\\1332J\\012"* ]]
    run ctl -s "$bad.db" status
    [[ "$output" == *"spool    "*"bad?[2J?spoolctl: fake.db "* ]]
}

@test "init makes a private spool and leaves an existing one as it is" {
    run ctl init
    [ "$status" -eq 0 ]
    [[ "$output" == *"is created"* ]]
    [ "$(stat -c %a spool)" = 700 ]
    [ "$(stat -c %a spool/outbox.db)" = 600 ]
    id=$(ctl --json status | jq -r .store_id)
    run ctl init
    [ "$status" -eq 0 ]
    [[ "$output" == *"exists already and is left as it is"* ]]
    run ctl --json init
    [ "$(json '[.created, .store_id] | join(" ")')" = "false $id" ]
    [ "$(json .spool)" = "$SPOOL_PATH" ]
}

@test "without a spool every command but check, init and version fails" {
    event PAGE_VIEW u s >one
    for words in status ls "show 1" "why 1" "replay --all" "purge --all" \
        "put one" flush gate verify "pause shop" "resume shop" \
        "destination ls" "destination rm shop --yes" \
        "destination set shop --lanes 2" \
        "destination add shop --url https://x.example"; do
        run ctl $words
        [ "$status" -eq 1 ] || { echo "$words: $status"; false; }
        [[ "$output" == *"there is no spool at $SPOOL_PATH"* ]]
    done
    [ ! -e spool ]
    run ctl check one
    [ "$status" -eq 0 ]
    [ ! -e spool ]
}

@test "another program's file is refused" {
    mkdir spool
    echo "no database" >"$SPOOL_PATH"
    run ctl status
    [ "$status" -eq 1 ]
    [ "$(cat "$SPOOL_PATH")" = "no database" ]
}

@test "version names the libraries" {
    run ctl version
    [ "$status" -eq 0 ]
    for name in spoolctl SQLite libcurl json-c libuv; do
        grep -qE "^$name +[0-9]" <<<"$output"
    done
    [ "$output" = "$(ctl --version)" ]
    run ctl version --json
    [[ "$(json .sqlite)" == 3.* ]]
    [[ "$(json .sqlite_built_in)" =~ ^(true|false)$ ]]
    [ "$(json 'keys | length')" -eq 8 ]
}

@test "a destination is added, listed, changed and taken out" {
    ctl -q init
    run ctl destination ls
    [ "$status" -eq 0 ]
    run ctl destination add shop --url https://x.example/api --lanes 3 \
        --origin https://www.example.com --batch-events 7 --batch-bytes 1000 \
        --batch-age-ms 0 --backoff-ms 2s:1m --hold-after 0 --profile json \
        --filter 'name = CHECKOUT'
    [ "$status" -eq 0 ]
    run ctl --json destination ls
    [ "$(json '[.name, .state, .url, .profile, .origin, .filter, .lanes,
        .batch_events, .batch_bytes, .batch_age_ms, .backoff_base_ms,
        .backoff_cap_ms, .hold_after, .base] | join("|")')" = \
        "shop|running|https://x.example/api|json|https://www.example.com|name = CHECKOUT|3|7|1000|0|2000|60000|0|0" ]
    run ctl destination add shop --url https://y.example
    [ "$status" -eq 1 ]
    [[ "$output" == *"exists already"* ]]
    run ctl --json -q destination set shop --batch-events 9 --backoff-ms 500
    [ "$(json '[.batch_events, .backoff_base_ms, .backoff_cap_ms, .url] |
        join("|")')" = "9|500|60000|https://x.example/api" ]
    run ctl destination set shop --filter x=y
    [ "$status" -eq 2 ]
    [[ "$output" == *"cannot be changed"* ]]
    run ctl --json destination set shop --lanes 4
    [ "$(json .lanes)" -eq 4 ]
    run ctl destination set nix --lanes 4
    [ "$status" -eq 3 ]
    [[ "$output" == *"there are: shop"* ]]
    run ctl destination ls
    grep -q '^shop ' <<<"$output"
    run ctl destination rm shop </dev/null
    [ "$status" -eq 2 ]
    [[ "$output" == *"0 events waiting"*"--yes"* ]]
    run ctl --json -q destination rm shop --yes
    [ "$(json '[.name, .undelivered] | join("|")')" = "shop|0" ]
    run ctl destination rm shop --yes
    [ "$status" -eq 3 ]
}

@test "a filter that is none is refused, and its place named" {
    ctl -q init
    run ctl destination add shop --url https://x.example --filter 'name ='
    [ "$status" -eq 2 ]
}

@test "adding warns of what will not work, and stores a path, never a key" {
    ctl -q init
    run ctl destination add shop --url https://x.example
    [ "$status" -eq 0 ]
    [[ "$output" == *NO_API_KEY*NO_DOMAIN_APIKEY_MATCH* ]]
    run ctl destination add two --url https://x.example --api-key-file nokey \
        --origin https://www.example.com
    [ "$status" -eq 0 ]
    [[ "$output" == *"cannot read the API key from $PWD/nokey"* ]]
    echo SECRET-KEY >key
    run ctl destination add three --url https://x.example --api-key-file key \
        --origin https://www.example.com
    [ "$output" = "three is added and reads the log behind event 0" ]
    run ctl --json destination ls
    [ "$(json 'select(.name == "three").api_key_file')" = "$PWD/key" ]
    absent SECRET-KEY spool
}

@test "a destination may begin with the next event" {
    ctl -q init
    event PAGE_VIEW u s | ctl -q put
    ctl -q destination add late --url https://x.example --from now \
        --profile json
    run ctl --json status
    [ "$(json '.destinations[0] | [.accepted, .waiting] | join(" ")')" = "0 0" ]
    run ctl --json show 1
    [ "$(json '.destinations[0].state')" = before ]
    run ctl why 1
    [[ "$output" == *"reads the log behind event 1."* ]]
}
