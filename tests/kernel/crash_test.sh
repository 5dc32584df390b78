#!/bin/sh
# Proves that each crime ends the test kernel with its report and a failing status. TAP.
#
#   tests/kernel/crash_test.sh KERNEL
set -u
here=$(dirname "$0")
[ $# -eq 1 ] || { echo "usage: $0 KERNEL" >&2; exit 2; }
kernel=$1 number=0 failures=0

# crime NAME LINE...: each line is in what the kernel prints.
crime()
{
    name=$1 good=1
    shift
    number=$((number + 1))
    said=$(SECONDS_MAX=20 "$here/../../tools/qemu.sh" "$kernel" 64 "crash=$name")
    status=$?
    [ "$status" -eq 37 ] || { good=0; echo "# status $status instead of 37"; }
    for line in "$@"; do
        case $said in
        *"$line"*) ;;
        *) good=0; echo "# not said: $line" ;;
        esac
    done
    if [ "$good" -eq 1 ]; then
        echo "ok $number - crash: $name"
    else
        failures=$((failures + 1))
        echo "$said" | sed 's/^/#   /'
        echo "not ok $number - crash: $name"
    fi
}

crime divide "exception 0: divide error" "rip    00000000001" "rsp    00000000001" "panic: unexpected exception"
crime null "exception 14: page fault" "cannot write 0x0: not mapped"
crime constant "exception 14: page fault" "cannot write 0x1" "not allowed"
crime data "exception 14: page fault" "cannot execute 0x1" "not allowed"
crime frame "exception 14: page fault" "cannot execute 0x" "not allowed"
crime high_frame "exception 14: page fault" "cannot execute 0x1" "not allowed"
crime stack "exception 8: double fault" "the kernel stack is full"
crime alloc_error "panic: allocation error: layout { size: 4, align: 4 }"
crime dummy_free "panic: free should never be called on the dummy allocator"
crime assert "panic: assertion failed: zero == 1 (tests/kernel/crash.c:"
crime double_give "frames: double free" "panic: assertion failed: done"
echo "1..$number"
[ "$failures" -eq 0 ]
