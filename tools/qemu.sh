#!/bin/sh
# Runs one kernel image in QEMU, on the machine that it was built for; its console is on standard output.
#
#   tools/qemu.sh KERNEL MEMORY_MIB COMMAND_LINE [FILE]
#
# FILE is put into memory as a module (x86_64 only). The status is the kernel's: 33 where it ended with success, 35 and up
# where it did not, 124 where it did not end. QEMU: the program. SECONDS_MAX: how long it may take (60). CPUS: how many
# there are (1). QEMU_OPTIONS: more words for QEMU.
set -u
kernel=$1 memory=$2 words=$3
machine=$(od -An -tu2 -j18 -N2 "$kernel" | tr -d ' ')
case $machine in
62) # x86_64
    if [ $# -ge 4 ]; then
        set -- -initrd "$4"
    else
        set --
    fi
    set -- qemu-system-x86_64 -M q35 -cpu max "$@" -device isa-debug-exit,iobase=0xf4,iosize=0x04
    ;;
183) # aarch64
    set -- qemu-system-aarch64 -M virt -cpu cortex-a72 -semihosting
    words="$words memory=${memory}M"
    ;;
243) # riscv64
    set -- qemu-system-riscv64 -M virt -semihosting
    words="$words memory=${memory}M"
    ;;
*)
    echo "qemu.sh: $kernel is for no machine that is known here" >&2
    exit 2
    ;;
esac
program=${QEMU:-$1}
shift
# shellcheck disable=SC2086
exec timeout -k 5 "${SECONDS_MAX:-60}" "$program" "$@" -smp "${CPUS:-1}" -m "$memory" \
    ${QEMU_OPTIONS:-} -kernel "$kernel" -append "$words" \
    -display none -serial stdio -monitor none -nodefaults -no-reboot </dev/null
