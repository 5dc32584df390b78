#!/bin/sh
# headers_test.sh: every public header compiles alone, in C11 and in C++17, twice in a row, and <ka.h> has them all.
# CC, CXX: lists of compilers, separated by spaces; gcc and clang if not set. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
suite=headers
. tests/kit/tap.sh

paths="-Iinclude -Isrc -Isrc/base/gnu -Iports/user"
c_flags="-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes"
cxx_flags="-std=c++17 -Werror"

for header in include/ka/*.h include/ka.h; do
    name=${header#include/}
    printf '#include <%s>\n#include <%s>\nextern int nothing_else;\n' "$name" "$name" > "$work/alone.c"
    cp "$work/alone.c" "$work/alone.cc"
    for cc in ${CC:-gcc clang}; do
        $cc $c_flags -Werror $paths -fsyntax-only "$work/alone.c" 2> "$work/words"
        result "$name alone, $cc" $?
    done
    for cxx in ${CXX:-g++ clang++}; do
        $cxx $cxx_flags $paths -fsyntax-only "$work/alone.cc" 2> "$work/words"
        result "$name alone, $cxx" $?
    done
    case $name in
    ka.h | ka/user.h | ka/bare.h | ka/linux.h | ka/windows.h) continue ;; # what one port adds is not for every program
    esac
    grep -qF "#include <$name>" include/ka.h
    result "<ka.h> includes <$name>" $?
done

# Without a port the rest of <ka.h> still compiles.
echo '#include <ka.h>' > "$work/alone.c"
set -- ${CC:-gcc clang}
"$1" -std=c11 -Werror -Iinclude -fsyntax-only "$work/alone.c" 2> "$work/words"
result "<ka.h> without a port" $?

plan
