#!/bin/sh
# Measures: the region engine (beside plug-ins: bench/region/run.sh), page frames, collections, then the general heap
# beside other mallocs. Tables go to stdout; CSV and plots to build/bench. Usage: tools/bench.sh [--quick] [--peer NAME=LIBRARY]... [micro] [count] [programs]; inside Linux:
# bench/linux/bench.py
# With parts named, only these. More options: bench/heap/bench.py --help; the method: docs/performance/heap.md.
set -eu
cd "$(dirname "$0")/.."

tools/build.sh host
mkdir -p build/bench

parts=no
for argument in "$@"; do
    case $argument in micro | count | programs) parts=yes ;; esac
done
if [ $parts = no ] && [ -x bench/region_count/run.sh ] && [ "$(uname -m)" = x86_64 ]; then
    OUT=build/bench bench/region_count/run.sh >build/bench/region_count.md || echo "bench: region_count missed its bar"
    cat build/bench/region_count.md
    echo
    bench/region/run.sh
    echo
fi
if [ $parts = no ]; then
    bench/frames/run.sh >build/bench/frames.md
    cat build/bench/frames.md
    echo
fi
if [ $parts = no ]; then
    python3 bench/collections/bench.py --runs 2 >build/bench/collections.md
    cat build/bench/collections.md
    echo
fi
exec python3 bench/heap/bench.py "$@"
