#!/bin/sh
# Proves what the demo kernel says with the good trace, and that a damaged one gets a clear error and a failing status.
# TAP.
#
#   tests/kernel/demo_test.sh KERNEL
set -u
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: $0 KERNEL" >&2; exit 2; }
kernel=$1 number=0 failures=0
good=$here/../data/lua.trace.xz
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT

# demo NAME FILE STATUS LINE...: the demo ends with this status (0 or 1) and says each line.
demo()
{
    name=$1 file=$2 expected=$3 fine=1
    shift 3
    number=$((number + 1))
    said=$(SECONDS_MAX=60 "$here/../../tools/demo.sh" "$kernel" "$file" 2>&1)
    status=$?
    [ "$status" -eq "$expected" ] || { fine=0; echo "# status $status instead of $expected"; }
    for line in "$@"; do
        case $said in
        *"$line"*) ;;
        *) fine=0; echo "# not said: $line" ;;
        esac
    done
    if [ "$fine" -eq 1 ]; then
        echo "ok $number - demo: $name"
    else
        failures=$((failures + 1))
        echo "$said" | tail -30 | sed 's/^/#   /'
        echo "not ok $number - demo: $name"
    fi
}

# damaged OFFSET BYTE: the good trace with one byte changed; BYTE as three octal digits.
damaged()
{
    cp "$folder/good" "$folder/damaged"
    printf "\\$2" | dd of="$folder/damaged" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

demo "the book and a real trace" "$good" 0 "heap_value at 0x444444440000 is 41" "vec at 0x4444444" "500 numbers" \
    "current reference count is 2" "reference count is 1 now" "allocation error: layout { size: 4, align: 4 }" \
    "It did not crash! Nothing is live." "214,164 operations; every block was aligned" \
    "841,133 bytes asked for" "Nothing is live, and the heap is sound."

xz -dc "$good" >"$folder/good"
demo "a trace that is not compressed" "$folder/good" 0 "Nothing is live, and the heap is sound."

head -c 10000 "$folder/good" >"$folder/damaged"
demo "a truncated trace" "$folder/damaged" 1 "trace: truncated: fewer operations than the header says"
head -c 10 "$folder/good" >"$folder/damaged"
demo "half a header" "$folder/damaged" 1 "trace: shorter than a trace's header"
{ cat "$folder/good"; echo; } >"$folder/damaged"
demo "bytes behind the end" "$folder/damaged" 1 "trace: bytes follow the last operation"
damaged 0 153
demo "a wrong magic" "$folder/damaged" 1 "trace: not a trace"
damaged 8016 003
demo "an unknown kind" "$folder/damaged" 1 "trace: operation 1000: unknown kind of operation"
damaged 8019 377
demo "a slot out of range" "$folder/damaged" 1 "trace: operation 1000: slot out of range"
damaged 8 001
demo "a wrong count" "$folder/damaged" 1 "trace: bytes follow the last operation"
head -c 10000 "$good" >"$folder/damaged"
demo "a truncated xz" "$folder/damaged" 1 "is damaged or truncated: xz cannot decompress it"
: >"$folder/damaged"
demo "an empty file" "$folder/damaged" 1 "is empty"
demo "no file" "$folder/none" 1 "cannot read"
echo "1..$number"
[ "$failures" -eq 0 ]
