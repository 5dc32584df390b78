#!/bin/sh
# Measures the region engine beside other allocators of fixed memory.
# Usage: bench/region/run.sh [ROUNDS] [NAME=PLUGIN.so]... [@TRACE[.xz]]...
# Two builds of ours take part: as configured by default, and `ours-1` for a single range. Results:
# build/bench/region.csv, region.md, region.svg. SEED=N: other traces than those of seed 1. How to build a plug-in: docs/performance/region.md.
set -eu
cd "$(dirname "$0")/../.."
CC=${CC:-gcc}
OUT=${OUT:-build/bench}
rounds=5
case ${1-} in [0-9]*)
    rounds=$1
    shift
    ;;
esac
mkdir -p "$OUT"
FLAGS="-O2 -std=c11 -D_GNU_SOURCE -fPIC -shared -Wl,-Bsymbolic -ffreestanding
    -Iinclude -Isrc -I. -Isrc/base/gnu -Iports/user"
SOURCES="bench/region/plugins/ours.c src/engine/region.c src/engine/region_release.c src/engine/region_claim.c
    src/engine/region_check.c src/base/alloc.c src/base/handler.c src/base/format.c ports/user/port.c"
# shellcheck disable=SC2086
$CC $FLAGS $SOURCES -o "$OUT/region-ours.so"
# shellcheck disable=SC2086
$CC $FLAGS -DKA_CFG_REGION_RANGES=1 $SOURCES -o "$OUT/region-ours-1.so"
$CC -O2 -std=c11 -fPIC -shared bench/region/plugins/none.c -o "$OUT/region-none.so"
$CC -O2 -std=gnu11 bench/region/region_bench.c -ldl -o "$OUT/region_bench"
for argument; do # traces that are packed are unpacked
    shift
    case $argument in @*.xz)
        packed=${argument#@}
        argument=@$OUT/$(basename "$packed" .xz)
        xz -dc "$packed" >"${argument#@}"
        ;;
    esac
    set -- "$@" "$argument"
done
"$OUT/region_bench" "$rounds" "none=$OUT/region-none.so" "ours=$OUT/region-ours.so" \
    "ours-1=$OUT/region-ours-1.so" "$@" >"$OUT/region.csv"
exec python3 bench/region/table.py "$OUT/region.csv"
