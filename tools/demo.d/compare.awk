# Compares what was put with what arrived, byte for byte.
#   awk -f compare.awk PUT ARRIVED
# PUT has an event a line, in the order of acceptance; ARRIVED has "REQUEST KEY
# EVENT" a line, in the order of arrival, separated by tabs. Prints NAME=NUMBER
# lines; sums are in cents.

function cents(event) {
    if (event !~ /"step":"purchase"/ || !match(event, /"totalPrice":[0-9.]+/)) {
        return 0
    }
    return int(substr(event, RSTART + 13, RLENGTH - 13) * 100 + 0.5)
}

function session(event) {
    match(event, /"sessionId":"[^"]*"/)
    return substr(event, RSTART, RLENGTH)
}

BEGIN {
    FS = "\t"
}

NR == FNR {
    line[$0] = FNR
    put++
    put_cents += cents($0)
    next
}

!($3 in line) {
    foreign++
    next
}

$3 in key {
    again++
    if (key[$3] != $2) {
        other_key++
    }
    next
}

{
    key[$3] = $2
    arrived++
    arrived_cents += cents($3)
    who = session($3)
    if (line[$3] < last[who]) {
        overtaken++
    } else {
        last[who] = line[$3]
    }
}

END {
    printf "put=%d\nput_cents=%.0f\n", put, put_cents
    printf "arrived=%d\narrived_cents=%.0f\n", arrived, arrived_cents
    printf "foreign=%d\nagain=%d\n", foreign, again
    printf "other_key=%d\novertaken=%d\n", other_key, overtaken
}
