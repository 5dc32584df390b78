#!/bin/sh
# Builds every preset that is tested and runs all tests. The last line is "N passed, N failed, N skipped".
# Usage: tools/check.sh [PRESET...]
set -eu
cd "$(dirname "$0")/.."

if [ $# -eq 0 ]; then
    set -- host host-clang host-debug host-msvc-intrinsics asan-clang tsan coverage windows-shim-asan \
        bare-x86_64 bare-x86_64-clang bare-aarch64 bare-riscv64 freestanding-x86_64 freestanding-aarch64 freestanding-riscv64
    # Drivers, which tests/windows/driver_test.sh loads: built here, so that it need only look.
    ! command -v x86_64-w64-mingw32-gcc >/dev/null || set -- "$@" windows windows-clang windows-debug
fi

lists=""
broken=0
for preset in "$@"; do
    echo "building $preset"
    rm -f "build/$preset/tests.list"
    if ! tools/build.sh "$preset"; then
        broken=$((broken + 1))
    elif [ -f "build/$preset/tests.list" ]; then
        lists="$lists build/$preset/tests.list"
    fi
done
if [ "$broken" != 0 ]; then
    echo "0 passed, $broken failed"
    exit 1
fi

# shellcheck disable=SC2086
exec perl tools/check.pl --jobs "$(nproc)" $lists
