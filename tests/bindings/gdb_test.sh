#!/bin/sh
# gdb_test.sh: gdb with the library's printers, on a process and on a core file. Prints TAP.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0
failures=0

# shows NAME TEXT: the words of the last session have the text.
shows()
{
    count=$((count + 1))
    if grep -qF -e "$2" "$work/words"; then
        echo "ok $count - gdb: $1"
    else
        failures=$((failures + 1))
        echo "# not shown: $2"
        sed 's/^/#   /' "$work/words" | head -n 40; : >"$work/words"
        echo "not ok $count - gdb: $1"
    fi
}

# gdb finds the printers by the program's name: PROGRAM-gdb.py beside it.
gcc -std=c11 -D_GNU_SOURCE -g -O1 -Iinclude -Isrc -I. -Isrc/base/gnu -Iports/user tests/bindings/gdb/owners.c \
    src/*/*.c ports/user/port.c ports/user/pages.c ports/user/threads.c -pthread -o "$work/owners"
cp bindings/gdb/kernel_alloc.py "$work/owners-gdb.py"
safe="set auto-load safe-path $work"

look()
{
    for owner in box empty_box shared other weak atomic numbers name squares cubes; do
        echo "print all.$owner"
    done
}

gdb_says() # COMMAND_FILE ARGUMENTS...
{
    file=$1
    shift
    gdb -nx -q -batch -iex "$safe" -x "$file" "$@" >"$work/words" 2>&1 || true
}

check_owners() # WHERE
{
    shows "$1: a box" "{value = {x = 3, y = 4}}"
    shows "$1: an empty box" "empty box"
    shows "$1: a counted value" "shared, 2 strong, 1 weak = {value = {x = 5, y = 6}}"
    shows "$1: a value counted atomically" "shared, 1 strong, 0 weak = {value = {x = 7, y = 8}}"
    shows "$1: a vec" "5 of 8 items = {0, 10, 20, 30, 40}"
    shows "$1: a string" '"grüße"'
    shows "$1: an ordered map, its entries in order" "100 entries = {[0] = 0, [1] = 1, [2] = 4, [3] = 9, [4] = 16"
    shows "$1: the whole of it" "[99] = 9801}"
    shows "$1: a hash map" "3 entries = {"
}

{
    echo "set print elements 0"
    echo "break look_here"
    echo "run"
    look
    echo "generate-core-file $work/core"
} >"$work/live"
LC_ALL=C.UTF-8 gdb_says "$work/live" "$work/owners"
check_owners "a process"

{
    echo "set print elements 0"
    look
} >"$work/dead"
LC_ALL=C.UTF-8 gdb_says "$work/dead" "$work/owners" "$work/core"
check_owners "a core file"
echo "1..$count"
[ "$failures" -eq 0 ]
