#!/bin/sh
# linux_test.sh: the module in a Linux kernel in QEMU, two CPUs, two memory nodes: built, loaded, tested, unloaded. Any
# BUG or WARNING of the kernel fails. Prints TAP.
# Usage: linux_test.sh
#   Debian's kernel for which headers are installed, once as it comes and once preemptible, with slub_debug, which finds
#   what is written outside of a block or after its end; built, too, for all other kernels whose headers are installed
#        linux_test.sh KERNEL BUILD [WORDS]
#   the kernel in the folder KERNEL (its image, and the file `release`), whose modules are built in BUILD; WORDS for its
#   command line
set -eu
cd "$(dirname "$0")/../.."
work=$(pwd)/build/linux
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

# build RELEASE KERNEL_BUILD_FOLDER EXTRA_FOLDERS
build()
{
    KA_LINUX_EXTRA="$3" tools/linux-module.sh "$work/module" "$2" >"$work/log" 2>&1 && s=0 || s=$?
    result "linux: the module builds for $1" "$s"
    # objtool keeps a list of its own of functions that do not return, and BTF needs the vmlinux of the package.
    grep -vE 'objtool: .*(falls through|unexpected end of section)|Skipping BTF' "$work/log" >"$work/words" || true
    [ ! -s "$work/words" ] && s=0 || s=1
    [ "$s" = 0 ] || sed 's/^/# /' "$work/words"
    result "linux: without warnings for $1" "$s"
}

# boot NAME WORDS CPUS
boot()
{
    start=$(date +%s)
    CPUS=$3 PREPARE=tests/linux/guest_prepare.sh CHECK=tests/linux/guest_check.sh tools/run-linux.sh "$kernel" "$2" \
        "$work/module/$release/kernel_alloc.ko" "$work/module/$release-tests/kernel_alloc_test.ko" \
        "$work/module/$release-examples/ka_ring.ko" >"$work/console" 2>&1 || true
    echo "# $1: $(($(date +%s) - start)) seconds"
    tr -d '\r' <"$work/console" | sed -nE 's/^(\[ *[0-9.]+\] )?TAP //p' >"$work/tap"
    while read -r line; do
        case $line in
        "ok "*) result "$1: ${line#*- }" 0 ;;
        "not ok "*) result "$1: ${line#*- }" 1 ;;
        "#"*) echo "$line" ;;
        esac
    done <"$work/tap"
    grep -q '^1\.\.' "$work/tap" && s=0 || s=1
    result "$1: the suites ran to their end" "$s"
    grep -q 'the checks in the guest are over' "$work/console" && s=0 || s=1
    result "$1: the checks in the guest ran to their end" "$s"
    grep -q 'the modules are gone' "$work/console" && grep -q 'reboot: Power down' "$work/console" && s=0 || s=1
    result "$1: the modules were unloaded" "$s"
    grep -E 'BUG|WARNING|KASAN|lockdep|Call Trace|Oops|panic|suspected memory leaks|unreferenced|kernel_alloc: ' "$work/console" |
        grep -vE 'ommand line|taint|panic=|oops=|panic_on|TAP' |
        grep -vE 'Lock dependency validator|MAX_LOCKDEP|RCU lockdep checking|KernelAddressSanitizer initialized' >"$work/words" || true
    [ ! -s "$work/words" ] && s=0 || s=1
    [ "$s" = 0 ] || { sed 's/^/# /' "$work/words"; tail -n 30 "$work/console" | sed 's/^/# /'; }
    result "$1: no complaint of the kernel" "$s"
}

# A misuse with the parameter panic_on_misuse: the kernel says what it was, and stops.
boot_panic()
{
    poke=/sys/module/kernel_alloc_test/parameters/poke
    echo "echo open >$poke; echo it is open; echo foreign >$poke; echo it goes on" >"$work/panic_check"
    CHECK=$work/panic_check tools/run-linux.sh "$kernel" "" "$work/module/$release/kernel_alloc.ko panic_on_misuse=1" \
        "$work/module/$release-tests/kernel_alloc_test.ko run=0" >"$work/console" 2>&1 || true
    grep -q 'Kernel panic - not syncing: kernel_alloc: misuse' "$work/console" &&
        grep -q 'kernel_alloc: heap: foreign pointer: block' "$work/console" &&
        grep -q 'it is open' "$work/console" &&
        ! grep -q 'it goes on' "$work/console" && s=0 || s=1
    [ "$s" = 0 ] || tail -n 30 "$work/console" | sed 's/^/# /'
    result "linux: panic_on_misuse" "$s"
}

# What a module has not given back when it goes is said, and forgotten.
boot_unload()
{
    poke=/sys/module/kernel_alloc_test/parameters/poke
    echo "echo open >$poke && echo abandon >$poke && echo it is abandoned" >"$work/unload_check"
    CHECK=$work/unload_check tools/run-linux.sh "$kernel" "" "$work/module/$release/kernel_alloc.ko" \
        "$work/module/$release-tests/kernel_alloc_test.ko run=0" >"$work/console" 2>&1 || true
    grep -q 'it is abandoned' "$work/console" &&
        grep -q 'kernel_alloc: the heap "abandoned" was not closed' "$work/console" &&
        grep -q 'kernel_alloc: the heap "poked" was not closed' "$work/console" &&
        grep -q 'kernel_alloc: physical: leak: block' "$work/console" &&
        grep -q 'the modules are gone' "$work/console" && s=0 || s=1
    [ "$s" = 0 ] || tail -n 30 "$work/console" | sed 's/^/# /'
    result "linux: the report at unload" "$s"
}

end()
{
    echo "1..$count"
    [ "$failures" -eq 0 ]
    exit
}

extra="tests/linux examples/linux"
if [ $# -gt 0 ]; then
    kernel=$1 release=$(cat "$1/release") work=$work/of-$(cat "$1/release")
    mkdir -p "$work"
    build "$release" "$2" "$extra"
    boot "linux $release" "${3:-}" 2
    end
fi

mkdir -p "$work"
kernel=$work/kernel
if ! tools/linux-kernel.sh "$kernel" >"$work/log" 2>&1; then
    sed 's/^/# /' "$work/log"
    echo "Bail out! no kernel to boot"
    exit 1
fi
release=$(cat "$kernel/release")
build "$release" "/lib/modules/$release/build" "$extra"
boot "linux" "init_on_alloc=1" 2
boot "linux, slub_debug, preempt=full" "slub_debug=FZPU preempt=full" 2
boot_panic
boot_unload
others=0
for other in /lib/modules/*/build; do
    name=$(basename "$(dirname "$other")")
    [ "$name" != "$release" ] && [ -f "$other/Makefile" ] || continue
    build "$name" "$other" ""
    others=$((others + 1))
done
if [ "$others" -eq 0 ]; then
    count=$((count + 1))
    echo "ok $count - linux: the module builds for other kernels # SKIP no other linux-headers are installed"
fi
end
