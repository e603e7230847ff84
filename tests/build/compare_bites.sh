#!/bin/bash
# The demonstration's comparison notices each way in which a delivery can be
# wrong.
#   compare_bites.sh COMPARE.AWK
set -euo pipefail
compare=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

event() {
    printf '{"sessionId":"%s","step":"purchase","totalPrice":%s}' "$1" "$2"
}
{
    event a 1.10
    echo
    event a 2.20
    echo
    event b 3.30
    echo
} >put

failures=0
# arrives WHAT WANTED ARRIVAL...: an arrival is KEY SESSION PRICE.
arrives() {
    local what=$1 wanted=$2 key who price have
    shift 2
    for arrival; do
        read -r key who price <<<"$arrival"
        printf '1\t%s\t%s\n' "$key" "$(event "$who" "$price")"
    done >arrived
    have=$(awk -f "$compare" put arrived | tr '\n' ' ')
    if [[ $have != *$wanted* ]]; then
        echo "$what: no $wanted in $have"
        failures=$((failures + 1))
    fi
}

arrives "all" "put=3 put_cents=660 arrived=3 arrived_cents=660 foreign=0 \
again=0 other_key=0 overtaken=0" "k a 1.10" "k a 2.20" "k b 3.30"
arrives "other sessions may pass" "overtaken=0" \
    "k b 3.30" "k a 1.10" "k a 2.20"
arrives "one is missing" "arrived=2 arrived_cents=440" "k a 1.10" "k b 3.30"
arrives "one is changed" "foreign=1" "k a 1.1" "k a 2.20" "k b 3.30"
arrives "one overtakes" "overtaken=1" "k a 2.20" "k a 1.10" "k b 3.30"
arrives "one comes twice" "again=1 other_key=0" "k a 1.10" "k a 1.10"
arrives "twice under two keys" "again=1 other_key=1" "k a 1.10" "l a 1.10"
arrives "nothing" "arrived=0"
[ $failures -eq 0 ]
