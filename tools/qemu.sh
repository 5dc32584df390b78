#!/bin/sh
# Runs one x86_64 kernel image in QEMU, its console on standard output.
#
#   tools/qemu.sh KERNEL MEMORY_MIB COMMAND_LINE [FILE]
#
# FILE is put into memory as a module. The status is QEMU's: 33 where the kernel ended with success, 35 and up where it
# did not, 124 where it did not end. QEMU: the program. SECONDS_MAX: how long it may take (60). CPUS: how many there are
# (1). QEMU_OPTIONS: more words for QEMU.
set -u
kernel=$1 memory=$2 words=$3
if [ $# -ge 4 ]; then
    set -- -initrd "$4"
else
    set --
fi
# shellcheck disable=SC2086
exec timeout -k 5 "${SECONDS_MAX:-60}" "${QEMU:-qemu-system-x86_64}" -M q35 -cpu max -smp "${CPUS:-1}" -m "$memory" \
    ${QEMU_OPTIONS:-} -kernel "$kernel" -append "$words" "$@" \
    -display none -serial stdio -monitor none -nodefaults -no-reboot \
    -device isa-debug-exit,iobase=0xf4,iosize=0x04 </dev/null
