#!/bin/sh
# Builds and runs the simulation of many CPUs (contention.c). Usage: contention.sh [BLOCK_SIZE [CALLS_OF_EACH_CPU [WORKLOAD [MOST_CPUS]]]]
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/bench
${CC:-gcc} -std=c11 -O2 -D_GNU_SOURCE -Ibench/heap/many -Iinclude -Isrc -I. src/base/*.c src/engine/*.c src/heap/*.c \
    bench/heap/contention.c -o build/bench/contention
exec build/bench/contention "$@"
