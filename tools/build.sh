#!/bin/sh
# Configures and builds presets, quietly. Usage: tools/build.sh PRESET...
set -eu
cd "$(dirname "$0")/.."
mkdir -p build
for preset in "$@"; do
    log=build/$preset.log
    if ! { cmake --preset "$preset" && cmake --build "build/$preset"; } >"$log" 2>&1; then
        grep -E -A5 'error|Error|FAILED|warning:' "$log" | head -n 60 >&2
        echo "build: preset $preset failed; the whole output is in $log" >&2
        exit 1
    fi
done
