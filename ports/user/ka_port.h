/* ports/user/ka_port.h: the hot half of the user-space port (POSIX threads). See ports/contract.h.
 *
 * There is no interrupt to turn off in user space: a signal handler must not take a lock of this port that the thread
 * it interrupted may hold. A thread cannot be pinned to a CPU cheaply either: what the contract calls a CPU is a thread
 * here, with a slot that it gets at its first allocation and gives back when it ends.
 */
#ifndef KA_PORT_H
#define KA_PORT_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

#define KA_PORT_MAX_CPUS   1024
#define KA_PORT_PAGE_SHIFT 12

typedef struct ka_port_lock {
    uint32_t taken;
} ka_port_lock;
typedef unsigned char ka_port_lock_state;
typedef unsigned char ka_port_pin_state;

static inline void ka_port_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline ka_port_lock_state ka_port_lock_take(ka_port_lock *lock)
{
    unsigned spins = 0;
    while (ka_exchange_32(&lock->taken, 1) != 0)
        while (ka_load_relaxed_32(&lock->taken) != 0) {
            if (++spins % 64 == 0)
                (void)sched_yield(); /* the holder may wait for this CPU */
            else
                ka_port_relax();
        }
    return 0;
}

static inline void ka_port_lock_give(ka_port_lock *lock, ka_port_lock_state state)
{
    (void)state;
    ka_store_release_32(&lock->taken, 0);
}

static inline ka_port_pin_state ka_port_pin(void)
{
    return 0;
}
static inline void ka_port_unpin(ka_port_pin_state state)
{
    (void)state;
}

/* The thread's slot; 0 before it has one and after it has ended. Private to the two functions below. */
extern __thread unsigned ka_port_thread_ __attribute__((tls_model("initial-exec")));

static inline unsigned ka_port_slot(void)
{
    return ka_port_thread_;
}
unsigned ka_port_slot_enter(void);
unsigned ka_port_cpu_count(void);
unsigned ka_port_node(void);

/* Only signal handlers come between the accesses of a thread to its own data: plain ones, kept in order, do. */
static inline bool ka_port_busy_take(uint32_t *busy)
{
    ka_signal_fence();
    if (__builtin_expect(*busy == 1, 0)) /* not `!= 0`: gcc splits a compare with 0 into a load and a test */
        return false;
    *busy = 1;
    ka_signal_fence();
    return true;
}

static inline void ka_port_busy_give(uint32_t *busy)
{
    ka_signal_fence();
    *busy = 0;
    ka_signal_fence();
}

/* Cells: words in thread-local storage, named by their distance from the thread pointer, which is the same in every
 * thread. Cell 0 is that of heaps without one. Taken and given by plain accesses, as the busy mark is. */
#define KA_PORT_CELLS 31u

uintptr_t ka_port_cell_none(void);
uintptr_t ka_port_cell_new(void);
void ka_port_cell_drop(uintptr_t cell);
void ka_port_cells_lock(void);
void ka_port_cells_unlock(void);
uintptr_t *ka_port_cell_of(uintptr_t cell, unsigned slot);

#if defined(__x86_64__)
static inline uintptr_t ka_port_cell_take(uintptr_t cell, uintptr_t busy)
{
    uintptr_t found;
    __asm__ volatile("movq %%fs:(%1), %0\n\tmovq %2, %%fs:(%1)" : "=&c"(found) : "r"(cell), "r"(busy) : "memory");
    return found;
}

static inline void ka_port_cell_give(uintptr_t cell, uintptr_t value)
{
    __asm__ volatile("movq %1, %%fs:(%0)" : : "r"(cell), "r"(value) : "memory");
}
#else
static inline uintptr_t *ka_port_cell_here_(uintptr_t cell)
{
    return (uintptr_t *)((char *)__builtin_thread_pointer() + cell);
}

static inline uintptr_t ka_port_cell_take(uintptr_t cell, uintptr_t busy)
{
    uintptr_t found = ka_load_relaxed_ptr(ka_port_cell_here_(cell));
    ka_signal_fence();
    ka_store_relaxed_ptr(ka_port_cell_here_(cell), busy);
    ka_signal_fence();
    return found;
}

static inline void ka_port_cell_give(uintptr_t cell, uintptr_t value)
{
    ka_signal_fence();
    ka_store_relaxed_ptr(ka_port_cell_here_(cell), value);
}
#endif

static inline uintptr_t ka_port_self(void)
{
    static __thread char here;
    return (uintptr_t)&here;
}

#endif
