#!/bin/sh
# No file of a layer calls one that calls it back, itself or by way of others.
#   circles.sh NM LIBRARY...
set -eu
nm=$1
shift
for library in "$@"; do
    calls=$("$nm" -gA --format=posix "$library" | awk '
        { sub(/^.*\[/, "", $1); sub(/\.o\]:$/, "", $1) }
        $3 == "U" { caller[++n] = $1; called[n] = $2; next }
        { home[$2] = $1 }
        END {
            for (i = 1; i <= n; i++)
                if (called[i] in home)
                    print caller[i], home[called[i]]
        }')
    if ! echo "$calls" | tsort >/dev/null; then
        echo "the files named above call each other in $library" >&2
        exit 1
    fi
    # One that calls back is noticed.
    if echo "$calls" | awk '{ print } END { print $2, $1 }' |
        tsort >/dev/null 2>&1; then
        echo "no call back was noticed in $library" >&2
        exit 1
    fi
done
