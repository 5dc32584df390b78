#!/bin/sh
# Measures the frame engine beside its peers, in turns, and prints the best of each row, and peers / ours.
# Usage: bench/frames/run.sh [--rounds N] [--frames N] [--llfree FOLDER] [--peer NAME=FILE.c]...
#
# --llfree  a checkout of https://github.com/luhsra/llfree-c (needs clang)
# --peer    another allocator: one file as bench/frames/measure.h describes it
set -eu
cd "$(dirname "$0")/../.."
rounds=3 frames=1048576 llfree="" peers=""
while [ $# -gt 0 ]; do
    case $1 in
    --rounds) rounds=$2 ;;
    --frames) frames=$2 ;;
    --llfree) llfree=$2 ;;
    --peer) peers="$peers $2" ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift 2
done

tools/build.sh host
out=build/bench/frames
mkdir -p "$out"
rm -f "$out"/*.rows
gcc -O2 -g -D_GNU_SOURCE -Iinclude -Isrc -Isrc/base/gnu -I. -Iports/user bench/frames/ours.c build/host/libka.a \
    -lpthread -o "$out/ours"
gcc -O2 -g -D_GNU_SOURCE -Ibench/frames bench/frames/buddy.c -lpthread -o "$out/buddy"
names="ours buddy"
if [ -n "$llfree" ]; then
    clang -O3 -march=native -DNDEBUG -DNO_LOG -DSTD -std=gnu11 -D_GNU_SOURCE -I"$llfree/include" -I"$llfree/std" \
        -I"$llfree/src" -Ibench/frames "$llfree"/src/*.c bench/frames/llfree.c -lpthread -o "$out/llfree"
    names="$names llfree"
fi
for peer in $peers; do
    gcc -O2 -g -D_GNU_SOURCE -Ibench/frames "${peer#*=}" -lpthread -o "$out/${peer%%=*}"
    names="$names ${peer%%=*}"
done

round=0
while [ "$round" -lt "$rounds" ]; do
    for name in $names; do
        "$out/$name" "$frames" >>"$out/$name.rows"
    done
    round=$((round + 1))
done

# shellcheck disable=SC2086
exec python3 bench/frames/table.py "$out" $names
