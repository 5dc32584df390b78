#!/bin/sh
# driver_test.sh: the library in real drivers of Windows, built by gcc and by clang, loaded under Wine through the service
# control manager; over Wine's own kernel, and over a stand-in that enforces what Windows promises. Wine is a program:
# ring 0, IRQL, DPCs, physical memory and NUMA are not real there. Prints TAP.
set -eu
cd "$(dirname "$0")/../.."
for tool in x86_64-w64-mingw32-gcc wine wineserver wineboot; do
    command -v $tool >/dev/null && continue
    echo "1..0 # SKIP there is no $tool, and tools/setup.sh could not install it"
    exit 0
done
suite="windows"
. tests/kit/tap.sh
prefix=build/windows-tests/prefix

# ---- the files ----

# What stands in the import table and is not in the kernel of a Windows: imports FILE VERSION
imports()
{
    x86_64-w64-mingw32-objdump -p "$1" | awk -v version="$2" '
        function key(text, p, n) { n = split(text, p, "."); return p[1] * 1e8 + p[2] * 1e6 + (n > 2 ? p[3] : 0) }
        FNR == NR { if ($1 !~ /^#/) since[$1] = $2; next }
        /DLL Name:/ { dll = tolower($3); if (dll != "ntoskrnl.exe" && dll != "hal.dll") print dll; table = 1; next }
        table && NF == 3 && $3 ~ /^[A-Za-z_]/ && $1 ~ /^[0-9a-f]+$/ {
            if (!($3 in since)) print $3 ": not in tests/windows/imports.txt"
            else if (key(since[$3]) > key(version)) print $3 ": came with " since[$3]
        }
        NF == 0 { table = 0 }' tests/windows/imports.txt - >"$work/words"
    [ ! -s "$work/words" ]
}

check_file()
{
    for version in 6.1 6.2 6.3 10.0.10240 10.0.19041 10.0.22000; do
        imports "$1" $version && s=0 || s=1
        result "$(basename "$1") imports only what Windows $version has" "$s"
    done
    x86_64-w64-mingw32-objdump -p -h "$1" >"$work/head"
    s=0
    : >"$work/words"
    for words in 'Subsystem.*00000001' 'DYNAMIC_BASE' 'NX_COMPAT' '\.reloc' '\.pdata'; do
        grep -q "$words" "$work/head" || { s=1; echo "no $words" >>"$work/words"; }
    done
    result "$(basename "$1") is a native image that can be moved, with unwind tables" "$s"
}

for preset in windows windows-clang windows-debug; do # the last one asserts each call's IRQL, and much else
    suite=$preset
    tools/build.sh $preset >"$work/words" 2>&1 && s=0 || s=$?
    result "the drivers build" "$s"
    [ "$s" = 0 ] || { plan; exit 1; }
    for file in build/$preset/*.sys; do
        check_file "$file"
    done
done
suite="windows"
imports build/windows/control.exe 10.0.22000 && s=1 || s=0
result "a program's imports are refused" "$s"

# The pair of files in the dialect of Microsoft's compiler; ntddk.h is the shim's.
suite="the pair for Visual Studio"
tools/amalgamate --port windows --intrinsics msvc "$work/pair"
for machine in x86_64 aarch64; do
    clang --target=$machine-pc-windows-msvc -std=c11 -ffreestanding -fms-extensions -fms-compatibility -Wall -Wextra -Werror \
        -isystem tests/windows/shim -I"$work/pair" -fsyntax-only "$work/pair/kernel_alloc.c" >"$work/words" 2>&1 && s=0 || s=$?
    result "compiles for $machine" "$s"
done

suite="docs/windows.md"
awk '/^```c$/ { inside = !seen++; next } /^```$/ { inside = 0 } inside' docs/windows.md >"$work/document.c"
x86_64-w64-mingw32-gcc -std=gnu11 -O2 -Wall -Wextra -Wno-multichar -Werror -ffreestanding -Iinclude \
    -isystem /usr/share/mingw-w64/include/ddk -c "$work/document.c" -o "$work/document.o" >"$work/words" 2>&1 && s=0 || s=$?
result "its driver compiles" "$s"

# pass_on: what a program has said in $work/tap
pass_on()
{
    while read -r line; do
        case $line in
        "ok "*"# SKIP "*) line=${line#*- } && skip "${line%% # SKIP*}" "${line#*# SKIP }" ;;
        "ok "*) result "${line#*- }" 0 ;;
        "not ok "*) result "${line#*- }" 1 ;;
        "#"* | "Bail out"*) echo "# ${line#\# }" ;;
        esac
    done <"$work/tap"
}

# ---- instructions, counted in a driver's image ----

gcc -std=c11 -O2 -Wall -Wextra -Wpedantic -Werror -Itests tests/windows/count/count.c -o "$work/count" \
    >"$work/words" 2>&1 && s=0 || s=$?
result "the counter builds" "$s"
for preset in windows windows-clang; do
    suite="$preset, in a driver's image"
    "$work/count" build/$preset/hot.sys >"$work/tap" && s=0 || s=$?
    cp "$work/tap" "$work/words"
    result "instructions are counted" "$s"
    pass_on
done
suite="windows"

# ---- runs ----

# run PROGRAM DRIVER WORD...: what the program says in $work/out, what the drivers say in $work/words, the status in $s
run()
{
    program=$1 image=$(printf 'Z:%s' "$(pwd)/$2" | tr / '\\')
    shift 2
    tools/wine.sh $prefix "$program" "$image" "$@" >"$work/out" 2>"$work/words" && s=0 || s=$?
}

# load DRIVER PART...: runs these parts of the test driver and passes on what they say
load()
{
    run build/windows/control.exe "$@"
    tr -d '\r' <"$work/out" >"$work/tap"
    shift
    [ "$(grep -c '^1\.\.' "$work/tap")" = $# ] || s=1
    result "loaded, all parts ran to their end, unloaded" "$s"
    mv "$work/words" "$work/said"
    pass_on
    mv "$work/said" "$work/words"
}

# said NAME WORDS: the drivers' messages of the last run have them
said()
{
    grep -q "$2" "$work/words" && s=0 || s=1
    result "$1" "$s"
}

stand_in=$work/ntoskrnl
tests/windows/ntoskrnl/build.sh "$stand_in" >"$work/words" 2>&1 && s=0 || s=$?
result "the stand-in for ntoskrnl.exe builds" "$s"

parts="port heaps threads failures deaths"
for preset in windows windows-clang windows-debug; do
    driver=build/$preset/kernel_alloc_test.sys
    suite="$preset, Wine's kernel"
    # shellcheck disable=SC2086
    [ $preset = windows-debug ] || load $driver $parts
    suite="$preset, a stand-in for the kernel"
    # shellcheck disable=SC2086
    NTOSKRNL=$stand_in load $driver $parts
    said "nothing is left at unload" 'left are 0 pool blocks, 0 contiguous pages, 0 lookaside lists'
done

# The example: what the program shows, and what the driver says when it goes.
shows()
{
    tr -d '\r' <"$work/out" | grep -qE "$2" && s=0 || s=1
    result "$1" "$s"
}

suite="the example over a stand-in for the kernel"
NTOSKRNL=$stand_in run build/windows/kernel_alloc_demo.exe build/windows/kernel_alloc_demo.sys
result "runs" "$s"
shows "statistics: full" '^VMXON regions +16384 +16384 +4 +4 +0$'
shows "statistics: empty" '^VMXON regions +0 +16384 +0 +4 +0$'
said "nothing is left at unload" 'left are 0 pool blocks, 0 contiguous pages'
NTOSKRNL=$stand_in run build/windows/kernel_alloc_demo.exe build/windows-clang/kernel_alloc_demo.sys lose
said "a leak is reported by its tag" 'tag host stacks: 24576 bytes are still live in 1 blocks'
said "and is one" 'left are 2 pool blocks, 1 contiguous pages'
suite="the example over Wine's kernel"
run build/windows/kernel_alloc_demo.exe build/windows-clang/kernel_alloc_demo.sys
shows "refused: there is no contiguous memory" '^built 4 virtual CPUs: error 1450$'
shows "what was taken is given back" '^records +0 +104 +0 +2 +0$'
said "unloaded" 'kernel_alloc_demo: unloaded'

suite="Wine's kernel"
run build/windows/control.exe build/windows/kernel_alloc_test.sys end
said "KeBugCheckEx" 'KeBugCheckEx e0004b41 1 18 8 0'
plan
