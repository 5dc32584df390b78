/* ports/linux/ka_port.h: the hot half of the Linux port. See ports/contract.h.
 *
 * Pinned code is not preempted, so that only interrupts and NMIs of the same CPU come between its accesses to per-CPU
 * data: the busy mark is plain accesses, kept in order. In an NMI, too: nothing here takes a lock but the lock.
 */
#ifndef KA_PORT_H
#define KA_PORT_H

#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/spinlock.h>

#include "base/atomic.h"
#include "base/no_cells.h"

#define KA_PORT_MAX_CPUS   NR_CPUS
#define KA_PORT_PAGE_SHIFT PAGE_SHIFT

/* A raw lock that is zero when open, with or without lockdep, and stays a spin lock on PREEMPT_RT. */
typedef struct ka_port_lock {
    arch_spinlock_t raw;
} ka_port_lock;
typedef unsigned long ka_port_lock_state;
typedef unsigned char ka_port_pin_state;

static inline void ka_port_relax(void)
{
    cpu_relax();
}

static inline ka_port_lock_state ka_port_lock_take(ka_port_lock *lock)
{
    unsigned long flags;
    local_irq_save(flags);
    preempt_disable();
    arch_spin_lock(&lock->raw);
    return flags;
}

static inline void ka_port_lock_give(ka_port_lock *lock, ka_port_lock_state state)
{
    arch_spin_unlock(&lock->raw);
    local_irq_restore(state);
    preempt_enable();
}

static inline ka_port_pin_state ka_port_pin(void)
{
    preempt_disable();
    return 0;
}

static inline void ka_port_unpin(ka_port_pin_state state)
{
    (void)state;
    preempt_enable();
}

static inline unsigned ka_port_slot(void)
{
    return raw_smp_processor_id() + 1;
}

static inline unsigned ka_port_slot_enter(void)
{
    return ka_port_slot();
}

static inline unsigned ka_port_cpu_count(void)
{
    return nr_cpu_ids;
}
unsigned ka_port_node(void);

static inline bool ka_port_busy_take(uint32_t *busy)
{
    if (READ_ONCE(*busy) != 0)
        return false;
    WRITE_ONCE(*busy, 1);
    ka_signal_fence();
    return true;
}

static inline void ka_port_busy_give(uint32_t *busy)
{
    ka_signal_fence();
    WRITE_ONCE(*busy, 0);
}

/* A task; in an interrupt the task that it interrupted, whose locks it cannot take over. */
static inline uintptr_t ka_port_self(void)
{
    return (uintptr_t)current;
}

#endif
