#!/bin/sh
# driver_test.sh: the library in real drivers of Windows, built by gcc and by clang, loaded under Wine through the service
# control manager. Wine is a program: ring 0, IRQL, DPCs, physical memory and NUMA are not real there. Prints TAP.
set -eu
cd "$(dirname "$0")/../.."
work=$(pwd)/build/windows-tests
mkdir -p "$work"
count=0
failures=0

result() # NAME STATUS [FILE to show if it failed]
{
    count=$((count + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        failures=$((failures + 1))
        [ -z "${3:-}" ] || tail -n 40 "$3" | sed 's/^/# /'
    fi
}

for tool in x86_64-w64-mingw32-gcc wine wineserver wineboot; do
    command -v $tool >/dev/null && continue
    echo "1..0 # SKIP there is no $tool, and tools/setup.sh could not install it"
    exit 0
done

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
        NF == 0 { table = 0 }' tests/windows/imports.txt - >"$work/imports"
    [ ! -s "$work/imports" ]
}

check_file() # NAME FILE
{
    for version in 6.1 6.2 6.3 10.0.10240 10.0.19041 10.0.22000; do
        imports "$2" $version && s=0 || s=1
        result "$1: imports only what Windows $version has" "$s" "$work/imports"
    done
    x86_64-w64-mingw32-objdump -p -h "$2" >"$work/head"
    s=0
    for words in 'Subsystem.*00000001' 'DYNAMIC_BASE' 'NX_COMPAT' '\.reloc' '\.pdata'; do
        grep -q "$words" "$work/head" || { s=1; echo "# $2: no $words"; }
    done
    result "$1: a native image that can be moved, with unwind tables" "$s"
}

for preset in windows windows-clang; do
    tools/build.sh $preset >"$work/log" 2>&1 && s=0 || s=$?
    result "$preset: the drivers build" "$s" "$work/log"
    [ "$s" = 0 ] || { echo "1..$count"; exit 1; }
    for file in build/$preset/*.sys; do
        check_file "$preset: $(basename "$file")" "$file"
    done
done
imports build/windows/control.exe 10.0.22000 && s=1 || s=0
result "a program's imports are refused" "$s"

# ---- runs ----

# run DRIVER SUITE...: what the suites say in $work/out, what the drivers say in $work/err, the exit status in $s
run()
{
    image=$(printf 'Z:%s' "$(pwd)/$1" | tr / '\\')
    shift
    tools/wine.sh "$work/prefix" build/windows/control.exe "$image" "$@" >"$work/out" 2>"$work/err" && s=0 || s=$?
}

# load NAME DRIVER SUITE...: runs them and prints what the suites say
load()
{
    name=$1
    shift
    run "$@"
    shift
    tr -d '\r' <"$work/out" >"$work/tap"
    while read -r line; do
        case $line in
        "ok "*) result "$name: ${line#*- }" 0 ;;
        "not ok "*) result "$name: ${line#*- }" 1 ;;
        "#"* | "Bail out"*) echo "# ${line#\# }" ;;
        esac
    done <"$work/tap"
    [ "$(grep -c '^1\.\.' "$work/tap")" = $# ] || s=1
    result "$name: loaded, all suites ran to their end, unloaded" "$s" "$work/err"
}

# said NAME WORDS: the last load's messages of drivers have them
said()
{
    grep -q "$2" "$work/err" && s=0 || s=1
    result "$1" "$s" "$work/err"
}

tests/windows/ntoskrnl/build.sh "$work/ntoskrnl" >"$work/log" 2>&1 && s=0 || s=$?
result "the stand-in for ntoskrnl.exe builds" "$s" "$work/log"

suites="heaps threads failures deaths"
for preset in windows windows-clang; do
    driver=build/$preset/kernel_alloc_test.sys
    # shellcheck disable=SC2086
    load "$preset, Wine's kernel" $driver $suites
    # shellcheck disable=SC2086
    NTOSKRNL=$work/ntoskrnl load "$preset, a stand-in for the kernel" $driver $suites
    said "$preset, a stand-in for the kernel: nothing is left at unload" ': 0 pool blocks and 0 contiguous pages are left'
done

driver=build/windows/kernel_alloc_test.sys
NTOSKRNL=$work/ntoskrnl run $driver leak
said "a stand-in for the kernel: a block that is left at unload is found" ': 1 pool blocks and 0 contiguous pages are left'
run $driver end
said "Wine's kernel: KeBugCheckEx" 'KeBugCheckEx e0004b41 1 18 8 0'
NTOSKRNL=$work/ntoskrnl run $driver end
said "a stand-in for the kernel: KeBugCheckEx" 'the end: bug check e0004b41 (1, 18, 8, 0)'
echo "1..$count"
[ "$failures" -eq 0 ]
