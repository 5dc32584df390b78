#!/bin/sh
# The program of docs/bare.md, booted. KERNEL: its image. TAP.
said=$(SECONDS_MAX=60 "$(dirname "$0")/../../tools/qemu.sh" "$KERNEL" 64 "" 2>&1) && status=0 || status=$?
echo "1..1"
if [ "$status" -eq 33 ] && echo "$said" | grep -q '^control block at [0-9a-f]*000'; then
    echo "ok 1 - the program of docs/bare.md"
else
    echo "$said" | sed 's/^/# /'
    echo "not ok 1 - the program of docs/bare.md: status $status"
    exit 1
fi
