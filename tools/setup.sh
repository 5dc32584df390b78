#!/bin/sh
# Says which Debian packages a command of the Makefile lacks and installs them (as root, or by sudo).
# On another system it prints their names and stops. Usage: tools/setup.sh demo|check|coverage|bench
set -eu

build="cmake ninja-build gcc libc6-dev"
demo="$build qemu-system-x86 xz-utils"
check="$demo g++ clang lld libclang-rt-14-dev binutils perl python3 valgrind
       gcc-aarch64-linux-gnu gcc-riscv64-linux-gnu qemu-system-arm qemu-system-misc cargo rustc rust-src
       pkgconf libstb-dev linux-headers-amd64 linux-headers-rt-amd64 busybox-static cpio gdb"
# For drivers of Windows. Where they cannot be had, these tests are skipped and say so.
windows="gcc-mingw-w64-x86-64-win32 mingw-w64-x86-64-dev binutils-mingw-w64-x86-64 wine64 wine"
# Real programs to run on the heap. The same.
programs="libpython3.11-testsuite redis-server redis-tools sqlite3"
bench="$build valgrind xz-utils python3 gnuplot-nox libmimalloc2.0 libjemalloc2 libtcmalloc-minimal4 libtbbmalloc2
       perl rustc uthash-dev lua5.4 sqlite3 g++ z3 redis-server redis-tools"
linux="gcc libc6-dev make qemu-system-x86 xz-utils python3 busybox-static cpio flex bison bc libelf-dev"

case "${1:-}" in
demo) wanted=$demo ;;
check) wanted=$check ;;
coverage) wanted="$build python3" ;;
bench) wanted=$bench ;;
linux) wanted=$linux ;;
*)
    echo "usage: tools/setup.sh demo|check|coverage|bench" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086
    echo "setup: this is not a Debian system. Install what stands for these packages, then run the commands of the" \
        "Makefile's target yourself:" $wanted >&2
    exit 1
fi

# missing PACKAGE...: those that are not installed
missing()
{
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || printf ' %s' "$package"
    done
}

# install PACKAGE...: status 1 with words if that cannot be
install()
{
    echo "setup: missing packages: $*"
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "setup: neither root nor sudo: install them yourself: apt-get install --no-install-recommends $*" >&2
            return 1
        fi
        as_root=sudo
    fi
    echo "setup: installing them with apt-get"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    if ! { $as_root apt-get update && $as_root apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "setup: apt-get failed; its output is in $log" >&2
        return 1
    fi
    rm -f "$log"
}

# shellcheck disable=SC2086
lacking=$(missing $wanted)
# shellcheck disable=SC2086
[ -z "$lacking" ] || install $lacking
if [ "$1" = check ]; then
    # shellcheck disable=SC2086
    lacking=$(missing $windows)
    # shellcheck disable=SC2086
    [ -z "$lacking" ] || install $lacking || echo "setup: without these, tests of Windows drivers are skipped:$lacking"
    # shellcheck disable=SC2086
    lacking=$(missing $programs)
    # shellcheck disable=SC2086
    [ -z "$lacking" ] || install $lacking || echo "setup: without these, tests of real programs are skipped:$lacking"
fi
