#!/bin/sh
# A short run of a fuzz target, as one line of TAP. Usage: fuzz.sh PROGRAM RUNS
# Inputs are of all lengths from the start: a run as short as this would else not pass a few bytes.
program=$1 runs=$2 failed=0
name=$(basename "$program")
log=$(mktemp)
dir=$(mktemp -d)
trap 'rm -rf "$log" "$dir"' EXIT
if "$program" -runs="$runs" -seed=1 -max_len=256 -len_control=0 -artifact_prefix="$dir/" >"$log" 2>&1; then
    echo "ok 1 - $name: $runs runs"
else
    tail -n 40 "$log" | sed 's/^/# /'
    for input in "$dir"/*; do
        [ -f "$input" ] && echo "# input, hex: $(od -An -v -tx1 "$input" | tr -d ' \n')"
    done
    failed=1
    echo "not ok 1 - $name: $runs runs"
fi
echo "1..1"
exit $failed
