#!/bin/sh
# Boots the demo kernel and has it replay a trace of allocations.
#
#   tools/demo.sh KERNEL TRACE
#
# TRACE is a file as tools/trace/trace.h describes, compressed by xz or not. The machine gets memory to suit: the
# program's peak and a quarter, the trace itself and the table of its slots. Whether the trace is right is for the kernel
# to say, operation by operation; here only its size and its peak matter.
set -u
tools=$(dirname "$0")

die()
{
    echo "demo: $*" >&2
    exit 1
}

[ $# -eq 2 ] || { echo "usage: $0 KERNEL TRACE" >&2; exit 2; }
kernel=$1 trace=$2
[ -r "$kernel" ] || die "there is no kernel image $kernel"
[ -r "$trace" ] && [ ! -d "$trace" ] || die "cannot read $trace"

plain=$(mktemp) || exit 2
trap 'rm -f "$plain"' EXIT
if [ "$(head -c 6 "$trace" | od -An -tx1 | tr -d ' \n')" = fd377a585a00 ]; then
    xz -dc "$trace" >"$plain" || die "$trace is damaged or truncated: xz cannot decompress it"
else
    cat "$trace" >"$plain" || die "cannot read $trace"
fi
bytes=$(wc -c <"$plain")
[ "$bytes" -gt 0 ] || die "$trace is empty"

# The program's peak, bytes, up to the first operation that cannot be; each block as large as the heap makes it.
peak=$(od -An -v -tu4 -w8 -j16 --endian=little "$plain" 2>/dev/null | awk '
    NF < 2 { exit }
    {
        kind = $1 % 4; slot = ($1 - kind) / 4; size = $2 % 134217728; shift = ($2 - size) / 134217728
        if (kind == 3 || (kind == 0) == (slot in live)) exit
        size += (16 - size % 16) % 16 + (shift > 4 ? 2 ^ shift : 0)
        sum += size - live[slot]
        if (kind == 1) delete live[slot]; else live[slot] = size
        if (sum > peak) peak = sum
    }
    END { printf "%.0f\n", peak }')

mib=1048576
heap_mib=$(((peak + peak / 4) / mib + 1))
memory_mib=$((32 + heap_mib + heap_mib / 256 + 4 * bytes / mib))
[ "$memory_mib" -ge 64 ] || memory_mib=64
[ "$memory_mib" -le 2560 ] ||
    die "$trace does not fit: its peak of $peak bytes needs a machine of $memory_mib MiB (at most 2560)"

SECONDS_MAX=${SECONDS_MAX:-300} "$tools/qemu.sh" "$kernel" "$memory_mib" "heap_max=${heap_mib}M" "$plain"
status=$?
case $status in
33) exit 0 ;;
35) die "the kernel reports a failure with $trace" ;;
37) die "the kernel panicked" ;;
124) die "the kernel did not end in time" ;;
*) die "QEMU ended with status $status" ;;
esac
