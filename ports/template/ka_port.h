/* ports/template/ka_port.h: the hot half of a new port. Copy this folder and replace each part marked "Fill in"; the
 * order and the reasons are in CONTRACT.md. What stands here compiles, and is right for a machine with one CPU, no
 * interrupts and no threads.
 */
#ifndef KA_PORT_H
#define KA_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/no_cells.h"

/* Fill in: the largest number of CPUs, and the size of a page. Both are limits of arrays: no more than is needed. */
#define KA_PORT_MAX_CPUS   1
#define KA_PORT_PAGE_SHIFT 12

/* Fill in: the kernel's own spin lock, if a zeroed one is open; else keep this one. */
typedef struct ka_port_lock {
    uint32_t taken;
} ka_port_lock;

/* Fill in: what turning interrupts off gives to turn them on again: flags, an IRQL. */
typedef unsigned char ka_port_lock_state;
typedef unsigned char ka_port_pin_state;

static inline void ka_port_relax(void)
{
    /* Fill in: the CPU's pause instruction. */
}

static inline ka_port_lock_state ka_port_lock_take(ka_port_lock *lock)
{
    ka_port_lock_state state = 0; /* Fill in: interrupts of this CPU off, before the lock is taken. */
    while (ka_exchange_32(&lock->taken, 1) != 0)
        while (ka_load_relaxed_32(&lock->taken) != 0)
            ka_port_relax();
    return state;
}

static inline void ka_port_lock_give(ka_port_lock *lock, ka_port_lock_state state)
{
    ka_store_release_32(&lock->taken, 0);
    (void)state; /* Fill in: interrupts as they were, after the lock is given. */
}

static inline ka_port_pin_state ka_port_pin(void)
{
    return 0; /* Fill in: preemption off. Must nest. */
}

static inline void ka_port_unpin(ka_port_pin_state state)
{
    (void)state; /* Fill in: preemption as it was. */
}

static inline unsigned ka_port_slot(void)
{
    return 1; /* Fill in: the CPU's number + 1; 0 where per-CPU data must not be used. */
}

static inline unsigned ka_port_slot_enter(void)
{
    return ka_port_slot(); /* Fill in only where threads stand for CPUs. */
}

static inline unsigned ka_port_cpu_count(void)
{
    return 1; /* Fill in: how many CPUs there are or may come. */
}
unsigned ka_port_node(void);

/* Right where pinned code stays on its CPU: nothing but handlers comes between. Where it may move, take by
 * ka_exchange_32 and give by ka_store_release_32. */
static inline bool ka_port_busy_take(uint32_t *busy)
{
    if (ka_load_relaxed_32(busy) != 0)
        return false;
    ka_store_relaxed_32(busy, 1);
    ka_signal_fence();
    return true;
}

static inline void ka_port_busy_give(uint32_t *busy)
{
    ka_signal_fence();
    ka_store_relaxed_32(busy, 0);
}

static inline uintptr_t ka_port_self(void)
{
    return (uintptr_t)ka_port_slot(); /* Fill in: the running thread where there are threads. Never 0. */
}

#endif
