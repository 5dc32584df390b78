#!/bin/sh
# What the library asks of its surroundings. Usage: freestanding_test.sh NM LIBRARY DIRECTORY-WITH-.su-FILES
# TAP: the undefined symbols are the four memory functions and the port's, and no function uses over 256 bytes of stack.
set -eu
nm=$1 library=$2 usage=$3 failed=0

defined=$("$nm" --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort -u)
undefined=$("$nm" --undefined-only "$library" | awk '$1 == "U" { print $2 }' | sort -u)
foreign=$(printf '%s\n' "$undefined" | grep -vxF "$defined" | grep -vxE 'mem(cpy|move|set|cmp)|ka_port_[a-z_]+' || true)
if [ -z "$foreign" ]; then
    echo "ok 1 - the library needs memcpy, memmove, memset, memcmp and the port, nothing else"
else
    failed=1
    echo "not ok 1 - the library needs other symbols"
    printf '# %s\n' $foreign
fi

deep=$(find "$usage" -name '*.su' -exec cat {} + | awk '$(NF-1) > 256 { print $1, $(NF-1) }')
measured=$(find "$usage" -name '*.su' -exec cat {} + | wc -l)
largest=$(find "$usage" -name '*.su' -exec cat {} + | awk '$(NF-1) > most { most = $(NF-1) } END { print most + 0 }')
if [ -z "$deep" ] && [ "$measured" -gt 50 ]; then
    echo "ok 2 - no function's frame is over 256 bytes (largest of $measured: $largest)"
else
    failed=1
    echo "not ok 2 - frames over 256 bytes among $measured functions"
    printf '%s\n' "$deep" | sed 's/^/# /'
fi
echo 1..2
exit $failed
