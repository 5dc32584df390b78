#!/bin/sh
# gdb_test.sh DEMO HYPERVISOR: gdb's printers and commands on a bare kernel behind QEMU's stub. Prints TAP.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 DEMO HYPERVISOR" >&2; exit 2; }
tests=$(cd "$(dirname "$0")/.." && pwd)
suite=gdb
. "$tests/kit/tap.sh"
. "$tests/bindings/gdb/says.sh"

# kernel IMAGE: boots it, stopped at its first instruction, and does what standard input says in gdb.
kernel()
{
    cp "$1" "$work/kernel.elf"
    cp "$tests/../bindings/gdb/kernel_alloc.py" "$work/kernel.elf-gdb.py"
    { echo "target remote $work/stub"; cat; echo "kill"; } >"$work/commands"
    QEMU_OPTIONS="-S -gdb unix:$work/stub,server=on,wait=off" SECONDS_MAX=120 \
        "$tests/../tools/qemu.sh" "$work/kernel.elf" 64 "" \
        >"$work/console" 2>&1 &
    waited=0
    while [ ! -S "$work/stub" ] && [ "$waited" -lt 300 ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
    gdb_says "$work/commands" "$work/kernel.elf"
    wait $! || true
    rm -f "$work/stub"
}

kernel "$1" <<'end'
break show_legend
continue
print steps_of_the_book::own.value
print steps_of_the_book::own.numbers.len
print steps_of_the_book::own.clone
ka heap bare_region
ka map bare_region
ka block steps_of_the_book::own.value.value
ka leaks bare_region
end
shows "a box" "box at 0x444444440000 = {value = 41}"
shows "a counted value" "shared, 1 strong, 0 weak"
shows "a region" " bytes in 1 range"
shows "its live blocks" "live           61,408 bytes in 112 blocks"
shows "its picture" "|#####################"
shows "whose block" "0x444444440000: 16 bytes, live"
shows "leaks" "108 of          512 bytes: 0x44444444"

kernel "$2" <<'end'
break vcpu_run
continue
ka heap ka_kernel
ka map ka_kernel
ka leaks
end
shows "the kernel's heap, by its allocator" "ka_kernel: ka_heap at "
shows "its picture" "|######################"
shows "the hypervisor's host stack" "1 of       24,576 bytes: 0x5555"
shows "the same heap, found by its type" "bare_heap: ka_heap at "
plan
