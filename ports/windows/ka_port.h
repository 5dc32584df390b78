/* ports/windows/ka_port.h: the hot half of the Windows port. See ports/contract.h.
 *
 * Nothing is pinned: raising the IRQL costs more than an interlocked exchange, is forbidden above DISPATCH_LEVEL, and
 * is not needed. A thread that moves to another processor between ka_port_slot and ka_port_busy_take, or with the mark
 * in its hand, works on the other's data by the mark, which is taken by an interlocked exchange of its bit;
 * whoever comes in between finds it set and goes to the bitmaps.
 */
#ifndef KA_PORT_H
#define KA_PORT_H

#include <ntddk.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/no_cells.h"

#define KA_PORT_MAX_CPUS   2048 /* Windows Server 2022 has no more */
#define KA_PORT_PAGE_SHIFT 12

/* Zero is open. Take raises to DISPATCH_LEVEL: not for code above it. */
typedef struct ka_port_lock {
    KSPIN_LOCK raw;
} ka_port_lock;
typedef KIRQL ka_port_lock_state;
typedef unsigned char ka_port_pin_state;

/* Of all groups, those that may be added included; 0 until ka_nt_start. */
extern unsigned ka_nt_cpus;

static inline void ka_port_relax(void)
{
    YieldProcessor();
}

static inline ka_port_lock_state ka_port_lock_take(ka_port_lock *lock)
{
    return KeAcquireSpinLockRaiseToDpc(&lock->raw);
}

static inline void ka_port_lock_give(ka_port_lock *lock, ka_port_lock_state state)
{
    KeReleaseSpinLock(&lock->raw, state);
}

static inline ka_port_pin_state ka_port_pin(void)
{
    return 0;
}

static inline void ka_port_unpin(ka_port_pin_state state)
{
    (void)state;
}

static inline unsigned ka_port_slot(void)
{
    return KeGetCurrentProcessorNumberEx(NULL) + 1; /* across groups; any IRQL; see ka_nt_start for the bound */
}

static inline unsigned ka_port_slot_enter(void)
{
    return ka_port_slot();
}

static inline unsigned ka_port_cpu_count(void)
{
    return ka_nt_cpus;
}
unsigned ka_port_node(void);

static inline bool ka_port_busy_take(uint32_t *busy)
{
    return !InterlockedBitTestAndSet((volatile LONG *)busy, 0);
}

static inline void ka_port_busy_give(uint32_t *busy)
{
    ka_store_release_32(busy, 0);
}

/* Numbers of threads are multiples of four; those of idle threads, one for each processor, are all 0. */
static inline uintptr_t ka_port_self(void)
{
    uintptr_t thread = (uintptr_t)PsGetCurrentThreadId();
    return thread != 0 ? thread : 2 * (uintptr_t)KeGetCurrentProcessorNumberEx(NULL) + 1;
}

#endif
