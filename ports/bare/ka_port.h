/* ports/bare/ka_port.h: the hot half of the bare-metal port, for any CPU. See ports/contract.h.
 *
 * Nothing preempts and nothing moves to another CPU, so that code is always pinned; interrupts, NMIs and exceptions
 * come back to where they came from.
 */
#ifndef KA_PORT_H
#define KA_PORT_H

#include <ka_arch.h>

#include "base/atomic.h"
#include "base/no_cells.h"

#define KA_PORT_MAX_CPUS   KA_ARCH_MAX_CPUS
#define KA_PORT_PAGE_SHIFT KA_ARCH_PAGE_SHIFT

typedef struct ka_port_lock {
    uint32_t taken;
} ka_port_lock;
typedef uintptr_t ka_port_lock_state; /* the interrupt flag */
typedef unsigned char ka_port_pin_state;

static inline void ka_port_relax(void)
{
    ka_arch_relax();
}

/* Interrupts stay off from here to give: no handler on this CPU waits for what it has interrupted. Not for NMIs. */
static inline ka_port_lock_state ka_port_lock_take(ka_port_lock *lock)
{
    ka_port_lock_state state = ka_arch_interrupts_save();
    while (ka_exchange_32(&lock->taken, 1) != 0)
        while (ka_load_relaxed_32(&lock->taken) != 0)
            ka_port_relax();
    return state;
}

static inline void ka_port_lock_give(ka_port_lock *lock, ka_port_lock_state state)
{
    ka_store_release_32(&lock->taken, 0);
    ka_arch_interrupts_restore(state);
}

static inline ka_port_pin_state ka_port_pin(void)
{
    ka_signal_fence();
    return 0;
}

static inline void ka_port_unpin(ka_port_pin_state state)
{
    (void)state;
    ka_signal_fence();
}

/* A CPU has its number before it runs any C that could allocate; nothing allocates after a panic. */
static inline unsigned ka_port_slot(void)
{
    return ka_arch_cpu() + 1;
}

static inline unsigned ka_port_slot_enter(void)
{
    return ka_port_slot();
}

static inline unsigned ka_port_cpu_count(void)
{
    return ka_arch_cpu_count();
}
unsigned ka_port_node(void);

/* Code stays on its CPU: only interrupts, exceptions and NMIs come between the accesses, and they have given the mark
 * back when they end. */
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
    return (uintptr_t)ka_arch_cpu() + 1;
}

#endif
