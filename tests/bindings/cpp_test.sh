#!/bin/sh
# cpp_test.sh: the C++ headers by g++ and clang++: containers, owners (those of C, too), operator new; the freestanding
# flavour; what happens without exceptions; the example of the documents. Prints TAP.
set -eu
cd "$(dirname "$0")/../.."
suite=cpp
. tests/kit/tap.sh
include="-Iinclude -Ibindings/cpp -Itests/bindings/cpp"
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Werror"

# runs NAME SOURCE OPTIONS...: compiles, links and runs it; takes over the points of its TAP, if it prints some.
runs()
{
    name=$1 source=$2
    shift 2
    status=0
    # shellcheck disable=SC2086
    { $cxx -std=c++17 -O2 -g $warnings $include "$@" "$source" "$work/libka.a" -pthread -o "$work/program" &&
        "$work/program"; } >"$work/words" 2>&1 || status=$?
    if grep -q '^1\.\.' "$work/words"; then
        while read -r line; do
            case $line in
            "ok "*) result "$name: ${line#*cpp: }" 0 ;;
            "not ok "*) result "$name: ${line#*cpp: }" 1 ;;
            esac
        done <"$work/words"
    else
        result "$name" "$status"
    fi
}

flags="-std=c11 -D_GNU_SOURCE -O2 -Iinclude -Isrc -I. -Isrc/base/gnu -Iports/user -pthread"
mkdir "$work/objects"
for source in src/base/*.c src/engine/*.c src/heap/*.c src/layer/*.c ports/user/port.c ports/user/pages.c \
    ports/user/threads.c ports/user/cells.c; do
    # shellcheck disable=SC2086
    gcc $flags -c "$source" -o "$work/objects/$(echo "$source" | tr / _).o"
done
ar rcs "$work/libka.a" "$work"/objects/*.o
sed -n '/^```cpp$/,/^```$/p' docs/cpp.md | sed '/^```/d' >"$work/document.cc"

for cxx in g++ clang++; do
    runs "$cxx" tests/bindings/cpp/containers.cc
    runs "$cxx, over a heap" tests/bindings/cpp/operators.cc -DOVER_HEAP
    runs "$cxx, over any allocator" tests/bindings/cpp/operators.cc
    runs "$cxx, without exceptions" tests/bindings/cpp/operators.cc -fno-exceptions -fno-rtti
    runs "$cxx, the document's example" "$work/document.cc"
    status=0
    # shellcheck disable=SC2086
    { $cxx -std=c++17 -O2 $warnings $include -fno-exceptions tests/bindings/cpp/no_exceptions.cc "$work/libka.a" \
        -o "$work/program" && "$work/program" | grep -x '4 4'; } >"$work/words" 2>&1 || status=$?
    result "$cxx: no memory without exceptions ends in the allocation error handler" "$status"
    status=0
    # shellcheck disable=SC2086
    $cxx -std=c++17 -O2 $warnings $include -ffreestanding -c tests/bindings/cpp/owners.cc -o "$work/owners.o" \
        >"$work/words" 2>&1 || status=$?
    result "$cxx: owners and collections of C" "$status"
    status=0
    # shellcheck disable=SC2086
    $cxx -std=c++17 -O2 $warnings $include -ffreestanding -fno-exceptions -fno-rtti -mno-red-zone -mgeneral-regs-only \
        -c tests/bindings/cpp/kernel.cc -o "$work/kernel.o" >"$work/words" 2>&1 || status=$?
    result "$cxx: freestanding, without exceptions and RTTI" "$status"
done
plan
