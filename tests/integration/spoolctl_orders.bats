load spoolctl

# purchase_of NUMBER TOTAL CURRENCY [USER]
purchase_of() {
    purchase "${4:-u$1}" "$1" |
        sed "s/\"totalPrice\":10.5/\"totalPrice\":$2/; s/EUR/$3/"
}

# Delivered: A-1 19.90, A-2 0.15 EUR and A-3 100 TRY; dead: B-1 5.05; waiting:
# C-1 7.
orders() {
    sandbox --fault bad-input-if=culprit
    shop "$@"
    {
        purchase_of A-1 19.90 EUR
        purchase_of A-2 0.15 EUR
        purchase_of A-3 100 TRY
        purchase_of B-1 5.05 EUR culprit
    } | ctl -q put --check-off >/dev/null
    run ctl -q flush --timeout 20s
    [ "$status" -eq 5 ]
    purchase_of C-1 7 EUR | ctl -q put --check-off >/dev/null
}

@test "an order is said to be where it is" {
    orders
    run ctl order A-1
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^order\ A-1\ \(19.90\ EUR\)\ was\ delivered\ to\ shop\ on\ 20[0-9T:Z+-]+,\ event\ 1$ ]]
    run ctl order B-1
    [ "$status" -eq 5 ]
    [[ "$output" == "order B-1 (5.05 EUR) is dead at shop, event 4, after "*BAD_INPUT* ]]
    run ctl order C-1
    [ "$status" -eq 5 ]
    [ "$output" = "order C-1 (7 EUR) is pending at shop, event 5" ]
    run ctl order D-1
    [ "$status" -eq 3 ]
    [ "$output" = "order D-1 was never put" ]
    run ctl order " A-1 " A-2 A-3
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 3 ]
    run ctl order A-1 C-1 D-1
    [ "$status" -eq 3 ]
    [ "${#lines[@]}" -eq 3 ]
    run ctl order a-1
    [ "$status" -eq 3 ]
    run ctl order " "
    [ "$status" -eq 2 ]
    run ctl order
    [ "$status" -eq 2 ]
}

@test "an order in JSON has every member" {
    orders
    run ctl --json order A-1 D-1
    [ "$status" -eq 3 ]
    [ "$(json 'keys_unsorted | join(" ")' | sort -u)" = \
        "number id destination state accepted_ms delivered_ms total currency digest code reason" ]
    [ "$(json '[.number, .id, .destination, .state, .total, .currency,
        .delivered_ms >= .accepted_ms] | map(tostring) | join("|")' |
        head -1)" = "A-1|1|shop|delivered|19.90|EUR|true" ]
    [ "$(json 'select(.id == 1).digest')" = \
        "$(ctl -q show 1 --payload | sha256sum | cut -d' ' -f1)" ]
    [ "$(json '[.number, .id, .destination, .state, .accepted_ms,
        .digest] | map(tostring) | join("|")' | tail -1)" = \
        "D-1|null||missing|null|" ]
}

@test "each destination says what became of an order" {
    orders
    ctl -q destination add views --url https://x.example --profile json \
        --filter 'name = PAGE_VIEW'
    run ctl order A-1
    [ "$status" -eq 0 ]
    [ "${lines[1]}" = "order A-1 (19.90 EUR) does not go to views, whose filter passes it over, event 1" ]
    ctl -q destination add archive --url https://x.example --profile json
    run ctl --json order A-1
    [ "$status" -eq 5 ]
    [ "$(json '"\(.destination) \(.state)"')" = "shop delivered
views passed
archive pending" ]
    run ctl order A-1 --destination shop
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    run ctl order A-1 --destination views
    [ "$status" -eq 5 ]
    run ctl order A-1 --destination nix
    [ "$status" -eq 3 ]
    [[ "$output" == *"there are: shop"* ]]
}

@test "without a destination an order is pending" {
    ctl -q init
    purchase u 4711 | ctl -q put
    run ctl order 4711
    [ "$status" -eq 5 ]
    [ "$output" = "order 4711 (10.5 EUR) is pending: no destination is set up, event 1" ]
}

@test "an order is known after its event has left the log" {
    orders
    run ctl -q flush --keep 0 --timeout 1s
    run ctl -q show 1
    [ "$status" -eq 3 ]
    run ctl order A-1
    [ "$status" -eq 0 ]
    [[ "$output" == "order A-1 (19.90 EUR) was delivered to shop on 20"* ]]
}

@test "a file is reconciled: what is missing, waits or is dead" {
    orders
    printf '%s\n' A-1 B-1 A-2 C-1 D-1 >file
    run --separate-stderr ctl reconcile file
    [ "$status" -eq 5 ]
    [ "${#lines[@]}" -eq 5 ]
    [[ "${lines[0]}" == *LINE*NUMBER*STATE*DESTINATION*EVENT*ACCEPTED*TOTAL*ANSWER* ]]
    grep -qE '^ +2 B-1 +dead +shop +4 .* 5.05 EUR BAD_INPUT' <<<"$output"
    grep -qE '^ +4 C-1 +pending +shop +5 .* 7 EUR' <<<"$output"
    grep -qE '^ +5 D-1 +never put +- +- ' <<<"$output"
    [ "${lines[4]}" = "5 numbers: 2 delivered (20.05 EUR), 1 waiting (7 EUR), 1 dead (5.05 EUR), 1 never put; 1 purchase of the spool is not in file" ]
    printf '%s\n' A-1 A-3 >file
    run --separate-stderr ctl reconcile file
    [ "$status" -eq 0 ]
    [ "$output" = "2 numbers: 2 delivered (19.90 EUR, 100 TRY); 3 purchases of the spool are not in file" ]
}

@test "a reconciled file in JSON: a line a number and a summary" {
    orders
    run --separate-stderr ctl --json reconcile - <<<$'A-1\n\nD-1\nA-1'
    [ "$status" -eq 5 ]
    [ "${#lines[@]}" -eq 3 ]
    [ "$(json 'select(.number) | "\(.line) \(.number) \(.state) \(.id)"')" = \
        "1 A-1 delivered 1
3 D-1 missing null" ]
    [ "$(jq -c .summary <<<"${lines[2]}")" = '{"numbers":2,"delivered":1,"waiting":0,"dead":0,"purged":0,"gone":0,"passed":0,"unknown":0,"missing":1,"totals":[{"state":"delivered","currency":"EUR","total":"19.90","orders":1}],"unreadable":0,"repeated":1,"blank":0,"unnamed":4}' ]
}

@test "the reverse: what the spool has and the file does not" {
    orders
    printf '%s\n' A-1 A-2 >file
    run --separate-stderr ctl reconcile file --reverse
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "in the spool, and not in file:" ]
    [ "$(awk 'NR > 3 && $1 == "-" { print $2, $3 }' <<<"$output")" = \
        "A-3 delivered
B-1 dead
C-1 pending" ]
    [[ "${lines[-1]}" == "2 numbers: 2 delivered (20.05 EUR); 3 purchases"* ]]
    run --separate-stderr ctl --json reconcile file --reverse
    [ "$(json 'select(.number and .line == null) | .number' | xargs)" = \
        "A-3 B-1 C-1" ]
    [ "$(json 'select(.summary).summary | "\(.numbers) \(.unnamed)"')" = "2 3" ]
}

@test "CSV as spreadsheets write it" {
    orders
    while IFS='|' read -r options text want; do
        printf "$text" >file
        run --separate-stderr ctl --json reconcile file $options
        got=$(json 'select(.number) | "\(.number):\(.state)"' | paste -sd ' ')
        [ "$got" = "$want" ] || { echo "$options $text: $got"; false; }
    done <<'CASES'
|\xef\xbb\xbforderNo,total\r\nA-1,19\r\n|A-1:delivered
|"A-1","x, y"\nB-1,\n|A-1:delivered B-1:dead
|A-1\rB-1\rC-1\r|A-1:delivered B-1:dead C-1:pending
--column 2|x;A-1\nx;C-1\n|A-1:delivered C-1:pending
--column ref|date,Ref\nmay,A-2\n|A-2:delivered
--column 3|1,2,"A""1"\n|A"1:missing
CASES
    printf 'A-1\n' >file
    run ctl reconcile file --column ref
    [ "$status" -eq 2 ]
    [[ "$output" == *"file has no column 'ref'"* ]]
    run ctl reconcile file --column 0
    [ "$status" -eq 2 ]
}

@test "a file that cannot be used is refused, and never half believed" {
    orders
    for text in '' '\n\n' 'orderNo\n' ',,\n'; do
        printf "$text" >file
        run ctl reconcile file
        [ "$status" -eq 3 ]
        [ "$output" = "spoolctl: file has no order numbers" ]
    done
    printf 'A-1\n"A-2\n' >file
    run --separate-stderr ctl --json reconcile file
    [ "$status" -eq 1 ]
    [[ "$stderr" == *"file, line 2: a quote is opened here"* ]]
    [ "$(json .summary | grep -vc null)" -eq 0 ]
    run ctl reconcile nix
    [ "$status" -eq 1 ]
    [[ "$output" == *"cannot open nix"* ]]
    run ctl reconcile .
    [ "$status" -eq 1 ]
    [[ "$output" == *"cannot read ."* ]]
    run ctl reconcile file --destination nix
    [ "$status" -eq 3 ]
    run ctl reconcile
    [ "$status" -eq 2 ]
}

@test "a dead order is mended, purged and put again" {
    orders
    ctl -q show 4 --payload | sed 's/culprit/mended/g' >event.json
    run ctl put --check-off event.json
    [ "$status" -eq 5 ]
    [[ "$output" == *"event 4 has the same order number and other bytes;"*": spoolctl purge 4"* ]]
    ctl -q purge 4 --yes
    run ctl order B-1
    [[ "$output" == *"was purged at shop"* ]]
    [ "$(ctl -q put --check-off event.json)" -eq 6 ]
    run ctl -q flush --timeout 20s
    [ "$status" -eq 0 ]
    run ctl order B-1
    [ "$status" -eq 0 ]
    [[ "$output" == *"was delivered to shop"*", event 6" ]]
    ctl -q verify
}

@test "an order whose number is no name is known" {
    local long
    long=$(printf '7%.0s' {1..300})
    ctl -q init
    for number in '77\tx' '77\u0000' "$long" ' 77 ' 88; do
        purchase u "$number" | tee again | ctl -q put
        ctl -q put <again
    done >ids
    [ "$(paste -sd ' ' ids)" = "1 1 2 2 3 3 4 4 5 5" ]
    run ctl --json order $'77\tx' "$long" ' 77 ' ' 88'
    [ "$(json '"\(.id) \(.number)"' | cut -c1-10)" = "1 77"$'\t'"x
3 77777777
4  77 
5 88" ]
    printf '"77\tx"\n%s\n 77 \n 88\n88 \n' "$long" >file
    run --separate-stderr ctl --json reconcile file --reverse
    [ "$(json 'select(.number and .line) | .id' | paste -sd ' ')" = "1 3 4 5" ]
    [ "$(json 'select(.summary).summary |
        "\(.missing) \(.repeated) \(.unnamed)"')" = "0 1 1" ]
    key=$(json 'select(.number and .line == null) | .number')
    run ctl --json order "$key"
    [ "$(json .id)" = 2 ]
}

@test "totals that are no amounts are counted apart" {
    ctl -q init
    {
        purchase_of 1 '"12,50"' EUR
        purchase_of 2 1e2 EUR
        purchase_of 3 0.1 EUR
        purchase_of 4 0.20 EUR
        purchase_of 5 59.970000000000006 TRY
        purchase x 6 | sed 's/"totalPrice":10.5,//'
    } | ctl -q put --check-off >/dev/null
    run --separate-stderr ctl reconcile - <<<$'1\n2\n3\n4\n5\n6'
    [ "$status" -eq 5 ]
    [[ "${lines[-1]}" == "6 numbers: 6 waiting (0.30 EUR, 59.970000000000006 TRY); 3 totals not summed, being no amount; 0 purchases"* ]]
}

@test "ten thousand numbers are reconciled as a stream" {
    ctl -q init
    ctl -q destination add shop --url https://x.example --profile json
    template=$(purchase u NUMBER)
    seq 10000 | while read -r n; do
        printf '%s\n' "${template/NUMBER/N$n}"
    done | ctl -q put >/dev/null
    seq -f 'N%.0f' 9000 >file
    run --separate-stderr ctl --json reconcile file
    [ "$(json 'select(.summary).summary | [.numbers, .waiting, .unnamed,
        .totals[0].total] | join(" ")')" = "9000 9000 1000 94500.0" ]
    [ "${#lines[@]}" -eq 9001 ]
    run bash -c 'set -o pipefail; "$SPOOLCTL" reconcile file | head -1'
    [ "$status" -eq 5 ]
    [ "${#lines[@]}" -eq 1 ]
}

@test "an order number cannot drive a terminal" {
    ctl -q init
    run ctl order $'4711\u009b2J\033[2J'
    [[ "$output" != *$'\u009b'* ]]
    [[ "$output" != *$'\033'* ]]
    printf '4711\u009b2J\033[2J\n' >file
    run ctl reconcile file
    [[ "$output" != *$'\u009b'* ]]
    [[ "$output" != *$'\033'* ]]
    run ctl --json reconcile file
    [[ "$output" != *$'\033'* ]]
}
