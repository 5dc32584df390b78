#!/bin/sh
# Boots the test kernel again and again on 1, 2, 4 and 16 CPUs, and has it run its suites of several CPUs each time. TAP:
# one test for each number of CPUs.
#
#   tools/boots.sh KERNEL [BOOTS]      BOOTS: of each number of CPUs (20)
set -u
tools=$(dirname "$0")
[ $# -ge 1 ] || { echo "usage: $0 KERNEL [BOOTS]" >&2; exit 2; }
kernel=$1 boots=${2:-20} number=0 failures=0

for cpus in ${CPUS:-1 2 4 16}; do
    good=0 number=$((number + 1))
    for boot in $(seq "$boots"); do
        if said=$(CPUS=$cpus SECONDS_MAX=300 "$tools/run-kernel.sh" "$kernel" suite=cpus 2>&1) &&
            echo "$said" | grep -q "^# $cpus CPUs$" && ! echo "$said" | grep -q "^not ok"; then
            good=$((good + 1))
        else
            echo "# boot $boot on $cpus CPUs:"
            echo "$said" | sed 's/^/#   /'
        fi
    done
    if [ "$good" -eq "$boots" ]; then
        echo "ok $number - $boots boots on $cpus CPUs"
    else
        failures=$((failures + 1))
        echo "not ok $number - $good of $boots boots on $cpus CPUs"
    fi
done
echo "1..$number"
[ "$failures" -eq 0 ]
