#!/bin/sh
# nodes_test.sh KERNEL: the kernel's suites on a machine of two nodes, each with two CPUs and 64 MiB. TAP.
set -u
[ $# -eq 1 ] || { echo "usage: $0 KERNEL" >&2; exit 2; }
memory()
{
    echo "-object memory-backend-ram,id=memory$1,size=64M -numa node,nodeid=$1,memdev=memory$1,cpus=$2"
}
CPUS=4 MEMORY_MIB=128 SECONDS_MAX=${SECONDS_MAX:-120} QEMU_OPTIONS="$(memory 0 0-1) $(memory 1 2-3)" \
    exec "$(dirname "$0")/../../tools/run-kernel.sh" "$1" suite=nodes
