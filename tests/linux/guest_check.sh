# guest_check.sh: run inside the guest by busybox, with all modules loaded: the example, and what users see in debugfs,
# tracefs, the module's parameters and the log. It prints TAP lines without numbers. poke.c does things on demand.
trace=/sys/kernel/tracing
events=$trace/events/kernel_alloc
debug=/sys/kernel/debug/kernel_alloc
parameters=/sys/module/kernel_alloc/parameters

poke()
{
    $b echo "$1" >/sys/module/kernel_alloc_test/parameters/poke
}

has() # FILE PATTERN...     every pattern is in some line
{
    file=$1
    shift
    for pattern in "$@"; do
        $b grep -qE "$pattern" "$file" || { $b echo "TAP # no $pattern in $file:"; $b head -n 12 "$file"; return 1; }
    done
}

figure() # NAME      of the poked heap
{
    $b sed -n "s/^$1 //p" $debug/poked/stats
}

log()
{
    $b dmesg -c >/log
}

check() # NAME FUNCTION
{
    if "$2"; then
        $b echo "TAP ok - $1"
    else
        $b echo "TAP not ok - $1"
    fi
}

# What is written to the example's device is read back.
ring()
{
    exec 3<>/dev/ka_ring || return 1
    $b echo first >&3
    $b echo second packet >&3
    [ "$($b dd bs=4096 count=1 <&3 2>/dev/null)" = first ] || return 1
    [ "$($b dd bs=4096 count=1 <&3 2>/dev/null)" = "second packet" ] || return 1
    $b echo third, which close drops >&3
    exec 3>&-
}

no_events()
{
    $b echo >$trace/trace
    poke open && poke close && ring && ! $b grep -q 'ka_' $trace/trace
}

events()
{
    $b echo >$trace/trace
    $b echo 1 >$events/enable
    poke open && poke foreign && poke churn && ring || return 1
    $b echo 2 >/proc/sys/vm/drop_caches
    poke close
    $b echo 0 >$events/enable
    $b cat $trace/trace >/events
    $b echo >$trace/trace
    has /events 'ka_alloc: kmalloc: block=.* flags=.*by=ring_open' 'ka_free: kmalloc: block=' \
        'ka_resize: poked heap: block=.* bytes=50 now=.* new_bytes=100' \
        'ka_memory_take: physical: ' 'ka_memory_give: physical: ' \
        'ka_memory_take: poked: memory=.* bytes=2097152' 'ka_memory_give: poked: memory=.* bytes=2097152' \
        'ka_alloc: poked heap: block=.* bytes=200 align=16 flags=ZERO' 'ka_free: poked heap: block=.* bytes=200' \
        'ka_misuse: heap: foreign pointer: block=.* bytes=300000' 'ka_shrink: asked=[0-9]* given=[1-9]'
}

figures()
{
    poke open || return 1
    has $debug/poked/stats '^total [1-9]' '^live_blocks 2$' '^node 1$' '^hardened 0$' &&
        has "$debug/poked tags" '^tag ' '^poker +300200 +300200 +2 +2 +0$'
}

map()
{
    $b cat $debug/poked/map >/map
    has /map '^a character is a page' '^0x[0-9a-f]+:' '\[=' '={20}' '[0-9]' '\.{20}' &&
        [ "$($b wc -l </map)" -eq 10 ]
}

shrink()
{
    poke churn
    before=$(figure total)
    $b echo 1 >$debug/poked/shrink
    [ "$(figure total)" -lt "$before" ]
    status=$?
    poke close
    return $status
}

gone()
{
    [ ! -e $debug/poked ] && [ ! -e "$debug/poked tags" ]
}

leaks()
{
    for level in 0 1 2; do
        $b echo $level >$parameters/leak_reports
        log
        poke open && poke leak || return 1
        log
        sums=$($b grep -c 'the heap "poked" ended with 2 live blocks' /log)
        blocks=$($b grep -c 'kernel_alloc: heap: leak: block' /log)
        case $level:$sums:$blocks in
        0:0:0 | 1:1:0 | 2:1:2) ;;
        *) return 1 ;;
        esac
    done
    $b echo 1 >$parameters/leak_reports
}

hardened()
{
    $b echo 1 >$parameters/hardened
    poke open || return 1
    log
    poke twice
    log
    has $debug/poked/stats '^hardened 1$' && has /log 'kernel_alloc: heap: double free: block'
    status=$?
    poke close
    $b echo 0 >$parameters/hardened
    return $status
}

limit()
{
    $b echo 8 >$parameters/heap_limit_mib
    log
    poke open && poke churn || return 1
    log
    $b echo 0 >$parameters/heap_limit_mib
    [ "$(figure total)" -le 8388608 ] && has /log 'poke: [12][0-9] blocks'
    status=$?
    poke close
    return $status
}

keep()
{
    poke open && poke churn || return 1
    $b echo 16384 >$parameters/keep_kib
    $b echo 2 >/proc/sys/vm/drop_caches
    kept=$(figure total)
    $b echo 0 >$parameters/keep_kib
    $b echo 2 >/proc/sys/vm/drop_caches
    given=$(figure total)
    poke close
    [ "$kept" -ge 16777216 ] && [ "$given" -lt 8388608 ]
}

# In a kernel that looks for leaks of its own: what is older than five seconds and nobody points to; and a block that is
# lost on purpose, to see that it looks.
scan()
{
    $b sleep 6
    $b echo scan >/sys/kernel/debug/kmemleak || return 1 # it has given up
    $b sleep 1
    $b echo scan >/sys/kernel/debug/kmemleak
    $b cat /sys/kernel/debug/kmemleak >/leaks
}

kernel_leaks()
{
    scan || return 1
    [ -s /leaks ] && { $b cat /leaks; return 1; }
    poke lose && scan && [ "$($b grep -c 'unreferenced object' /leaks)" -eq 1 ] && has /leaks 'kernel_alloc_test'
}

# Lockdep stops at the first thing that it finds.
locks()
{
    has /proc/lockdep_stats 'debug_locks: *1$'
}

# The kernel's other checks: what they must see, they see.
overrun()
{
    log
    poke overrun && log && has /log 'BUG: KASAN: slab-out-of-bounds in poke'
}

sleeper()
{
    log
    poke sleep && log && has /log 'BUG: sleeping function called from invalid context'
}

$b dmesg -n 1 # what the module says below is looked for in the log
check "guest: the example device gives back what it got" ring
check "guest: no event unless asked for" no_events
check "guest: events" events
check "guest: figures in debugfs" figures
check "guest: the heap's map" map
check "guest: shrink" shrink
check "guest: what debugfs showed is gone with the heap" gone
check "guest: leak_reports" leaks
check "guest: hardened" hardened
check "guest: heap_limit_mib" limit
check "guest: keep_kib" keep
log
$b grep -E 'BUG|WARNING|KASAN|Call Trace|Oops' /log
if [ -e /sys/kernel/debug/kmemleak ]; then
    check "guest: lockdep has found nothing" locks
    check "guest: kmemleak finds nothing but what is lost on purpose" kernel_leaks
    check "guest: KASAN finds a write behind a block" overrun
    check "guest: the kernel finds who sleeps under a spin lock" sleeper
fi
log
$b dmesg -n 7
$b echo "the checks in the guest are over"
