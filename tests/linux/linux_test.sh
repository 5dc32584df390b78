#!/bin/sh
# linux_test.sh: the module in Debian's own kernel, in QEMU: built, loaded, tested, unloaded; once as the kernel comes and
# once with slub_debug, which finds what is written outside of a block or after its end. Any BUG or WARNING of the kernel
# fails. Prints TAP.
set -eu
cd "$(dirname "$0")/../.."
work=$(pwd)/build/linux
mkdir -p "$work"
count=0
failures=0

result() # NAME STATUS
{
    count=$((count + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        failures=$((failures + 1))
    fi
}

if ! tools/linux-kernel.sh "$work/kernel" >"$work/log" 2>&1; then
    sed 's/^/# /' "$work/log"
    echo "Bail out! no kernel to boot"
    exit 1
fi
release=$(cat "$work/kernel/release")
KA_LINUX_EXTRA="tests/linux examples/linux" tools/linux-module.sh "$work/module" "/lib/modules/$release/build" >"$work/log" 2>&1 && s=0 || s=$?
result "linux: the module builds for $release" "$s"
# objtool keeps a list of its own of functions that do not return, and BTF needs the vmlinux of the package.
grep -vE 'objtool: .*(falls through|unexpected end of section)|Skipping BTF' "$work/log" >"$work/words" || true
[ ! -s "$work/words" ] && s=0 || s=1
[ "$s" = 0 ] || sed 's/^/# /' "$work/words"
result "linux: without warnings" "$s"

# boot NAME WORDS CPUS
boot()
{
    CPUS=$3 CHECK=tests/linux/ring_check.sh tools/run-linux.sh "$work/kernel" "$2" \
        "$work/module/$release/kernel_alloc.ko" "$work/module/$release-tests/kernel_alloc_test.ko" \
        "$work/module/$release-examples/ka_ring.ko" >"$work/console" 2>&1 || true
    tr -d '\r' <"$work/console" | sed -nE 's/^\[ *[0-9.]+\] TAP //p' >"$work/tap"
    while read -r line; do
        case $line in
        "ok "*) result "$1: ${line#*- }" 0 ;;
        "not ok "*) result "$1: ${line#*- }" 1 ;;
        "#"*) echo "$line" ;;
        esac
    done <"$work/tap"
    grep -q '^1\.\.' "$work/tap" && s=0 || s=1
    result "$1: the suites ran to their end" "$s"
    grep -q 'the ring gave back what it got' "$work/console" && s=0 || s=1
    result "$1: the example device" "$s"
    grep -q 'the modules are gone' "$work/console" && grep -q 'reboot: Power down' "$work/console" && s=0 || s=1
    result "$1: the modules were unloaded" "$s"
    grep -E 'BUG|WARNING|KASAN|lockdep|Call Trace|Oops|panic|kernel_alloc: ' "$work/console" |
        grep -vE 'Kernel command line|Command line|taint|panic=|oops=' >"$work/words" || true
    [ ! -s "$work/words" ] && s=0 || s=1
    [ "$s" = 0 ] || { sed 's/^/# /' "$work/words"; tail -n 30 "$work/console" | sed 's/^/# /'; }
    result "$1: no complaint of the kernel" "$s"
}

boot "linux" "init_on_alloc=1" 2
boot "linux, slub_debug" "slub_debug=FZPU" 2
echo "1..$count"
[ "$failures" -eq 0 ]
