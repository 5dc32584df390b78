#!/bin/sh
# gdb_test.sh: gdb with the library's printers and commands, on a process and on a core file. Prints TAP.
set -eu
cd "$(dirname "$0")/../.."
suite=gdb
. tests/kit/tap.sh
. tests/bindings/gdb/says.sh

# gdb finds the script by the program's name: PROGRAM-gdb.py beside it.
build() # NAME [SOURCE [OPTION]]
{
    gcc -std=c11 -D_GNU_SOURCE -g "${3--O1}" -Iinclude -Isrc -I. -Isrc/base/gnu -Iports/user "${2-tests/bindings/gdb/$1.c}" \
        src/*/*.c ports/user/port.c ports/user/pages.c ports/user/threads.c ports/user/cells.c -pthread -o "$work/$1"
    cp bindings/gdb/kernel_alloc.py "$work/$1-gdb.py"
}

# The program NAME is looked at by the commands of standard input where it calls look_here, and then its core file is.
look() # NAME
{
    cat >"$work/asked"
    { echo "break look_here"; echo "run"; cat "$work/asked"; echo "generate-core-file $work/core"; } >"$work/live"
    { echo "set print elements 0"; cat "$work/asked"; } >"$work/dead"
    gdb_says "$work/live" "$work/$1" && cp "$work/words" "$work/words.live"
    gdb_says "$work/dead" "$work/$1" "$work/core" && cp "$work/words" "$work/words.dead"
}

on() # process|core file
{
    case $1 in
    process) where="a process" && cp "$work/words.live" "$work/words" ;;
    *) where="a core file" && cp "$work/words.dead" "$work/words" ;;
    esac
}

build owners
{
    echo "set print elements 0"
    for owner in box empty_box shared other weak atomic numbers fixed ring jobs name squares cubes; do
        echo "print all.$owner"
    done
} | look owners
for kind in process "core file"; do
    on "$kind"
    shows "$where: a box" "{value = {x = 3, y = 4}}"
    shows "$where: an empty box" "empty box"
    shows "$where: a counted value" "shared, 2 strong, 1 weak = {value = {x = 5, y = 6}}"
    shows "$where: a value counted atomically" "shared, 1 strong, 0 weak = {value = {x = 7, y = 8}}"
    shows "$where: a vec" "5 of 12 items = {0, 10, 20, 30, 40}"
    shows "$where: a slice" "3 items = {7, 8, 9}"
    shows "$where: a deque" "6 of 12 items = {2, 1, 0, 0, 1, 2}"
    shows "$where: a list" "3 items = {{id = 10, link = {"
    shows "$where: the last of it" ", {id = 12, link = {"
    shows "$where: a string" '"grüße"'
    shows "$where: an ordered map, its entries in order" "100 entries = {[0] = 0, [1] = 1, [2] = 4, [3] = 9, [4] = 16"
    shows "$where: the whole of it" "[99] = 9801}"
    shows "$where: a hash map" "3 entries = {"
done

build heaps
look heaps <<'end'
ka heap
ka map
ka block live[3]
ka block (char *)live[3] + 5
ka block freed
ka block large
ka block session
ka block returned
ka block put_by
ka block small
ka block gap
ka block in_hardened
ka block &heap
ka leaks &heap.allocator
ka leaks tags
ka heap &layers.allocator
end
for kind in process "core file"; do
    on "$kind"
    shows "$where: a class of a heap" "      64        1       10 "
    shows "$where: a run of a heap" " blocks and 1 run; peak "
    shows "$where: what a hardened heap keeps aside" "      32        1        0        1      127"
    shows "$where: a region" "live              560 bytes in 2 blocks; peak 1,584"
    shows "$where: a region behind three layers" "&layers.allocator: ka_region at "
    shows "$where: a picture of a region" "|###.............................................................|"
    shows "$where: magazines in the picture of a heap" "|================================================================|"
    shows "$where: a run in it" "|################################################################|"
    shows "$where: a live block" ": 64 bytes, live"
    shows "$where: its place" "block 3 of 64 in the slab at "
    shows "$where: tags of the heap" "perhaps of tag network, which has 1: the block does not tell"
    shows "$where: an address inside of a block" ": 5 bytes into 64 bytes, live"
    shows "$where: a block in a magazine" ": 64 bytes, free, in the magazine of CPU slot 1"
    shows "$where: a run" ": 106,496 bytes, live"
    shows "$where: an object" "object 0 of 20 in the slab at "
    shows "$where: that it is live" ", live, of sessions: ka_cache at "
    shows "$where: an object in a magazine" ", free, in the magazine of CPU slot 1, of sessions: ka_cache at "
    shows "$where: a block of a reserve" "block 1 of 4, put by, of pages: ka_reserve at "
    shows "$where: a block of a region" ": 48 bytes, live"
    shows "$where: a free one" ": 1,024 bytes, free"
    shows "$where: one that is put aside" ": 32 bytes, freed, kept aside by the hardened heap"
    shows "$where: an address of no heap" ": in no heap or region that is a variable"
    shows "$where: leaks by size" "10 of           64 bytes: 0x"
    shows "$where: leaks by tag" "network                  1500         1500          1          1          0"
done

# asks COMMAND: what gdb says to it, without a process.
asks()
{
    echo "$1" >"$work/ask"
    gdb_says "$work/ask" "$work/heaps" "$work/core"
}
asks "ka heap *(ka_heap *)16" && shows "what cannot be read" "is there a process, a core file, or a kernel behind a stub?"
asks "ka heap never_made" && shows "a heap that is not made" "is not made yet"
asks "ka heap 5" && shows "what is no heap" "'int' is no heap, region, or layer around one"
asks "ka map &sessions.allocator" && shows "another allocator" "an allocator of kind 'cache': its memory cannot be shown"
asks "ka block" && shows "no address" "usage: ka block ADDRESS"

# The document's example: what is asked there is answered so. Addresses do not count.
sed -n '/^```c$/,/^```$/p' docs/gdb.md | sed '/^```/d' >"$work/document.c"
sed -n '/^\$ gcc/,/^```$/p' docs/gdb.md | sed '1d; /^```$/d; /^\.\.\.$/d' >"$work/session"
build document "$work/document.c" -O0
sed -n 's/^(gdb) //p' "$work/session" >"$work/ask"
gdb_says "$work/ask" "$work/document"
without_addresses() { sed 's/0x[0-9a-f]*/0x/g' "$@"; }
without_addresses "$work/words" >"$work/said"
without_addresses "$work/session" | grep -v '^(gdb)' >"$work/promised"
missing=$(grep -vxF -f "$work/said" "$work/promised" || true)
[ -z "$missing" ] && [ -s "$work/promised" ] && s=0 || s=1
printf 'not said:\n%s\nsaid:\n' "$missing" | cat - "$work/said" >"$work/words"
result "the document's example" "$s"
"$work/document" && s=0 || s=$?
result "the document's example by itself" "$s"
plan
