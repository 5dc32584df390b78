#!/bin/sh
# demo_test.sh KERNEL: the hypervisor's kernel says what it should. TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: $0 KERNEL" >&2; exit 2; }
said=$("$here/../../tools/qemu.sh" "$1" 64 "" 2>&1)
status=$?
fine=1
[ "$status" -eq 33 ] || { fine=0; echo "# status $status instead of 33"; }
for line in 'guest in real mode says "real mode"' 'guest in long mode says "long mode"' '100000 calls' \
    'aligned, contiguous and filled in' ' 0 bytes are live. Everything was dropped, exactly once.'; do
    case $said in
    *"$line"*) ;;
    *) fine=0; echo "# not said: $line" ;;
    esac
done
[ "$fine" -eq 1 ] || { echo "$said" | sed 's/^/#   /'; printf 'not '; }
echo "ok 1 - the hypervisor's demo"
echo "1..1"
[ "$fine" -eq 1 ]
