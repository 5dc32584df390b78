#!/bin/sh
# consumers_test.sh: the library as other projects take it in: installed and found by CMake or pkg-config, as a
# subdirectory, fetched; installing and uninstalling under DESTDIR; a build that does not match. Prints TAP.
set -eu
cd "$(dirname "$0")/../.."
project=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0
failures=0

result() # NAME STATUS
{
    count=$((count + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $count - consumers: $1"
    else
        echo "not ok $count - consumers: $1"
        failures=$((failures + 1))
        sed 's/^/# /' "$work/words"
    fi
}

# try NAME COMMAND...: its exit status is the result.
try()
{
    name=$1
    shift
    status=0
    "$@" >"$work/words" 2>&1 || status=$?
    result "$name" "$status"
}

# cmake_project FOLDER OPTIONS...
cmake_project()
{
    folder=$1
    shift
    cmake -G Ninja -S "$project/tests/consumers/$folder" -B "$work/$folder" "$@" && cmake --build "$work/$folder"
}

build() { cmake -G Ninja -S "$project" -B "$work/build" -DKA_BUILD_TESTS=OFF -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR=lib && cmake --build "$work/build"; }
install_it() { DESTDIR="$work/root" cmake --install "$work/build"; }
uninstall_it() { DESTDIR="$work/root" cmake --build "$work/build" --target uninstall; }
says() { "$@" | grep -x 'it works'; }

try "the library builds without its tests" build
try "install under DESTDIR" install_it
try "the shared library has a version" test -L "$work/root/usr/lib/libka.so" -a -e "$work/root/usr/lib/libka.so.0.1.0"
(cd "$work/root/usr/lib" && readelf -d libka.so | grep -q 'soname: \[libka.so.0.1\]') >"$work/words" 2>&1 && s=0 || s=$?
result "and a soname" "$s"

try "find_package" cmake_project installed -DCMAKE_PREFIX_PATH="$work/root/usr"
try "find_package: the static library" says "$work/installed/consumer"
try "find_package: the shared library" says "$work/installed/consumer_shared"
try "add_subdirectory" cmake_project subdirectory
try "add_subdirectory: it runs" says "$work/subdirectory/consumer"
try "FetchContent" cmake_project fetched
try "FetchContent: it runs" says "$work/fetched/consumer"

try "a kernel takes it in without a port" cmake_project kernel

export PKG_CONFIG_LIBDIR="$work/root/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$work/root"
# shellcheck disable=SC2046
by_pkg_config() { gcc -std=c11 -Wall -Wextra -Werror "$@" tests/consumers/main.c \
    $(pkg-config --cflags --libs --static kernel-alloc) -o "$work/program"; }
try "pkg-config" by_pkg_config
try "pkg-config: it runs" says env LD_LIBRARY_PATH="$work/root/usr/lib" "$work/program"

if by_pkg_config -DKA_CFG_REGION_RANGES=4 >"$work/words" 2>&1; then
    echo "it links" >"$work/words"
    result "a program built with other choices does not link" 1
else
    grep -q 'undefined reference.*ka_region_init__ranges4' "$work/words" && s=0 || s=$?
    result "a program built with other choices does not link" "$s"
fi

try "uninstall" uninstall_it
find "$work/root" -not -type d -o -path '*kernel*' >"$work/words"
[ ! -s "$work/words" ] && s=0 || s=1
result "nothing is left" "$s"
echo "1..$count"
[ "$failures" -eq 0 ]
