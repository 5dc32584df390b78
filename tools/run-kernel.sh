#!/bin/sh
# Runs a kernel image that tests itself; its TAP goes to standard output.
#
#   tools/run-kernel.sh KERNEL [WORD...]
#
# The words make the kernel's command line; without any, heap_max=4M. Fails if the kernel did not end with success or
# no plan line came. The image itself is put into memory as a module, for the tests of modules. MEMORY_MIB: the machine's memory (64). See tools/qemu.sh for QEMU and SECONDS_MAX.
set -u
tools=$(dirname "$0")
[ $# -ge 1 ] || { echo "usage: $0 KERNEL [WORD...]" >&2; exit 2; }
[ -r "$1" ] || { echo "Bail out! no kernel image $1"; exit 2; }
kernel=$1
shift
[ $# -ge 1 ] || set -- heap_max=4M

seen=$(mktemp) || exit 2
trap 'rm -f "$seen" "$seen.status"' EXIT
{
    "$tools/qemu.sh" "$kernel" "${MEMORY_MIB:-64}" "$*" "$kernel"
    echo $? >"$seen.status"
} | tee "$seen"
status=$(cat "$seen.status")

if [ "$status" -ne 33 ]; then
    echo "# the kernel ended with status $status instead of 33"
    exit 1
fi
if ! grep -q '^1\.\.[0-9]' "$seen"; then
    echo "Bail out! the kernel printed no plan"
    exit 1
fi
