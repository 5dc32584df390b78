#!/bin/sh
# misuse_test.sh: what the compiler must refuse. Prints TAP.
#
# Each file beside this script compiles without a warning with -DMISUSE=0. A line
#     #if MISUSE == 3 /* words | pattern */
# (or #elif) begins misuse 3, which must be refused, with a message that fits the extended regular expression: so it is
# the misuse that is refused and not a slip of the test. control.c has misuses that must NOT pass for refused.
#
# CC   compilers to ask, separated by spaces; clang-msvc is clang for Windows. Default: gcc clang clang-msvc, those
#      that are there.

root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
include="-I$root/include -I$root/src -I$root"
warn="-Wall -Wextra -Werror"
strict="-Wpedantic -Wconversion -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes"
count=0
failed=0
messages=

report() # ok-or-not-ok words
{
    count=$((count + 1))
    [ "$1" = ok ] || failed=$((failed + 1))
    printf '%s %d - misuse: %s\n' "$1" "$count" "$2"
}

there() # compiler
{
    [ "$1" = clang-msvc ] && set -- clang
    command -v "$1" > /dev/null 2>&1
}

compile() # compiler file number; the messages are kept
{
    case $1 in
    clang-msvc)
        messages=$(clang --target=x86_64-pc-windows-msvc -std=c11 -ffreestanding -fms-extensions -fms-compatibility \
            $warn $include -I"$root/src/base/msvc" -DMISUSE="$3" -fsyntax-only "$2" 2>&1) ;;
    *)
        messages=$("$1" -std=c11 -ffreestanding $warn $strict $include -I"$root/src/base/gnu" -DMISUSE="$3" \
            -c "$2" -o /dev/null 2>&1) ;;
    esac
}

refused() # compiler file number pattern
{
    ! compile "$1" "$2" "$3" && printf '%s\n' "$messages" | grep -E 'error:' | grep -Eq -e "$4"
}

diagnose()
{
    printf '%s\n' "$messages" | head -n 20 | sed 's/^/# /'
}

each_misuse() # file: lines "number words | pattern"
{
    sed -n -E 's%^#(el)?if MISUSE == ([0-9]+) +/[*] (.*) [*]/$%\2 \3%p' "$1"
}

check_control() # compiler
{
    file=$root/tests/misuse/control.c
    seen=0
    while IFS= read -r line; do
        rest=${line#* }
        seen=$((seen + 1))
        if refused "$1" "$file" "${line%% *}" "${rest#* | }"; then
            report 'not ok' "$1: control: ${rest%% | *}"
        else
            report ok "$1: control: ${rest%% | *}"
        fi
    done << END
$(each_misuse "$file")
END
    [ "$seen" = 2 ] || report 'not ok' "$1: control.c has $seen misuses, not 2"
}

check_file() # compiler file
{
    name=${2##*/}
    if compile "$1" "$2" 0; then
        report ok "$1: $name: right use compiles"
    else
        report 'not ok' "$1: $name: right use compiles"
        diagnose
    fi
    expected=1
    while IFS= read -r line; do
        number=${line%% *}
        rest=${line#* }
        if [ "$number" = "$expected" ] && refused "$1" "$2" "$number" "${rest#* | }"; then
            report ok "$1: $name $number: ${rest%% | *}"
        else
            report 'not ok' "$1: $name $number: ${rest%% | *}"
            diagnose
        fi
        expected=$((expected + 1))
    done << END
$(each_misuse "$2")
END
    [ "$((expected - 1))" = "$(grep -c 'MISUSE ==' "$2")" ] || report 'not ok' "$1: $name: a misuse was not understood"
}

asked=0
for compiler in ${CC:-gcc clang clang-msvc}; do
    if ! there "$compiler"; then
        printf '# %s is not here\n' "$compiler"
        continue
    fi
    asked=$((asked + 1))
    if ! compile "$compiler" "$root/tests/misuse/control.c" 0; then
        report 'not ok' "$compiler: control.c compiles"
        diagnose
    fi
    check_control "$compiler"
    for file in "$root"/tests/misuse/*.c; do
        [ "${file##*/}" = control.c ] || check_file "$compiler" "$file"
    done
done
[ "$asked" != 0 ] || report 'not ok' 'no compiler to ask'
printf '1..%d\n' "$count"
[ "$failed" = 0 ]
