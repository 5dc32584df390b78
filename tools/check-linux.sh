#!/bin/sh
# The tests of the Linux module in kernels that `make check` does not boot. Prints TAP for each.
# Usage: tools/check-linux.sh newer   Debian's newest kernels for this release, and those with PREEMPT_RT
#        tools/check-linux.sh debug   a kernel that is built for it, with KASAN, kmemleak, lockdep; 10 minutes and more
set -eu
cd "$(dirname "$0")/.."
folder=$(pwd)/build/linux
failures=0
case "${1:-}" in
newer)
    for package in ${PACKAGES:-linux-headers-rt-amd64 linux-headers-6.12-amd64 linux-headers-6.12-rt-amd64}; do
        release=$(tools/linux-headers.sh "$folder/newer" "$package") &&
            tools/linux-kernel.sh "$folder/newer/$release/kernel" "$release" &&
            tests/linux/linux_test.sh "$folder/newer/$release/kernel" "$folder/newer/$release/build" ||
            failures=$((failures + 1))
    done
    ;;
debug)
    tools/linux-debug-kernel.sh "$folder/debug"
    SECONDS_MAX=1200 MEMORY_MIB=1024 tests/linux/linux_test.sh "$folder/debug" "$folder/debug/tree" || failures=1
    ;;
*)
    echo "usage: $0 newer|debug" >&2
    exit 2
    ;;
esac
[ "$failures" -eq 0 ]
