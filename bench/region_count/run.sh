#!/bin/sh
# Builds region_count as the library is built and prints its table. CC, OUT (a folder for the program) may be set.
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
CC=${CC:-gcc}
OUT=${OUT:-$(mktemp -d)}
FLAGS="-std=c11 -O2 -I$root/include -I$root/src -I$root -I$root/src/base/gnu -I$root/ports/user -I$root/tests/kit"
objects=
for source in engine/region engine/region_release engine/region_claim engine/region_check base/alloc base/handler base/format; do
    object=$OUT/$(basename $source).o
    $CC $FLAGS -ffreestanding -c "$root/src/$source.c" -o "$object"
    objects="$objects $object"
done
# shellcheck disable=SC2086
$CC $FLAGS -D_GNU_SOURCE "$root/bench/region_count/region_count.c" "$root/tests/kit/kit.c" "$root/ports/user/port.c" \
    $objects -pthread -o "$OUT/region_count"
"$OUT/region_count"
