#!/bin/sh
# consumers_test.sh: the library as other projects take it in: installed and found by CMake or pkg-config, as a
# subdirectory, fetched; installing and uninstalling under DESTDIR; a build that does not match. Prints TAP.
set -eu
cd "$(dirname "$0")/../.."
project=$(pwd)
suite=consumers
. tests/kit/tap.sh

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
mkdir "$work/document"
sed -n '/^```cmake$/,/^```$/p' docs/consumers.md | sed '/^```/d' >"$work/document/CMakeLists.txt"
sed -n '/^```c$/,/^```$/p' docs/consumers.md | sed '/^```/d' >"$work/document/main.c"
document() { cmake -G Ninja -S "$work/document" -B "$work/document/build" -DCMAKE_PREFIX_PATH="$work/root/usr" &&
    cmake --build "$work/document/build"; }
try "the document's example" document
try "the document's example: it runs" says "$work/document/build/consumer"
try "add_subdirectory" cmake_project subdirectory
try "add_subdirectory: it runs" says "$work/subdirectory/consumer"
try "FetchContent" cmake_project fetched
try "FetchContent: it runs" says "$work/fetched/consumer"

try "a kernel takes it in without a port" cmake_project kernel

# One pair of files.
amalgamate() { tools/amalgamate "$work/pair" && tools/amalgamate "$work/pair2" && diff -r "$work/pair" "$work/pair2"; }
try "one pair of files, the same each time" amalgamate
sed '/<ka\/user.h>/d; s/<ka.h>/"kernel_alloc.h"/' tests/consumers/main.c >"$work/pair/main.c"
for cc in gcc clang; do
    try "the pair by $cc" $cc -std=c11 -O2 -Wall -Wextra -Werror -I"$work/pair" "$work/pair/main.c" \
        "$work/pair/kernel_alloc.c" -pthread -o "$work/program"
    try "the pair by $cc: it runs" says "$work/program"
    tools/amalgamate --port own "$work/own" && cp ports/template/ka_port.h "$work/own/"
    sed -i '/#include "base/d' "$work/own/ka_port.h"
    try "the pair by $cc, freestanding, with a port of one's own" $cc -std=c11 -O2 -Wall -Wextra -Werror -ffreestanding \
        -nostdinc -isystem "$($cc -print-file-name=include)" -I"$work/own" -c "$work/own/kernel_alloc.c" -o "$work/own.o"
done
tools/amalgamate --port own --intrinsics msvc "$work/own"
try "the pair in MSVC mode" clang --target=x86_64-pc-windows-msvc -std=c11 -ffreestanding -fms-extensions \
    -fms-compatibility -Wall -Wextra -Werror -I"$work/own" -fsyntax-only "$work/own/kernel_alloc.c"
# The library's own suite over the pair: static names were joined, and the behaviour is the same.
suite_over_pair() { gcc -std=c11 -D_GNU_SOURCE -O2 -Iinclude -Isrc -I. -Isrc/base/gnu -Iports/user -Itests -Itests/kit \
    tests/suite/heap_test.c tests/suite/heap_suite.c tests/suite/owner_suite.c tests/suite/suite.c tests/kit/*.c \
    "$work/pair/kernel_alloc.c" -pthread -o "$work/program" && "$work/program"; }
try "the heap suite over the pair" suite_over_pair

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
plan
