/* ka/locked.h: an allocator that several CPUs and their interrupt handlers may use, made from one that they may not.
 *
 * Good at: making a region safe with one line; growing it without holding the lock.
 * Bad at: many CPUs (see ka/heap.h).
 * Context: as the inner allocator's, but not in an NMI or wherever else the lock's holder can be interrupted with
 * interrupts off: KA_ANY_CONTEXT is refused with NULL, and a free from there is the caller's error (it may never
 * return).
 *
 * While the lock is held, interrupts of this CPU are off. So under it run: the inner allocator's own work with a copy
 * that its resize makes, a misuse handler that the inner allocator calls, a whole walk. None of these may call this
 * allocator or wait. KA_ZERO is honoured here, after the lock is given back; what the inner allocator knows of zeroed
 * memory is not used.
 */
#ifndef KA_LOCKED_H
#define KA_LOCKED_H

#include <ka/alloc.h>
#include <ka_port.h>

KA_BEGIN_DECLS

/* What was to be remembered when the lock was taken. */
typedef ka_port_lock_state ka_lock_state;

typedef struct ka_locked {
    ka_allocator allocator; /* the interface; pass &locked.allocator to ka_alloc and friends */
    ka_allocator *inner;
    ka_refill *refill;
    void *refill_context;
    uintptr_t refiller; /* ka_port_self() of who runs the refill, or 0; under the lock */
    uint32_t refills;   /* how many have ended */
    ka_port_lock lock;
} ka_locked;

/* Makes a locked allocator around another.
 *
 * inner    used through this one only from now on, or between ka_locked_enter and _leave; the caller keeps it alive
 * refill   NULL, or asked for more when `inner` has refused. It runs with the lock released, one at a time, and adds
 *          memory to `inner` between ka_locked_enter and _leave. The request is then tried again, and again after each
 *          further refill, since another CPU may have taken the new memory, until the refill says false. So it must say
 *          false if it added nothing, and for a request that more memory does not help: too large, or with flags that
 *          `inner` does not honour.
 *          Every request of its own to this allocator fails with NULL while it runs, as does one of an interrupt
 *          handler that came on top of it. Freeing is allowed.
 *          Others who run out meanwhile wait for its end in a spin loop, if their flags let them wait; with KA_NOWAIT
 *          or KA_ATOMIC they get NULL, though there may be memory a moment later.
 * context  passed to `refill`
 */
void ka_locked_init(ka_locked *locked, ka_allocator *inner, ka_refill *refill, void *context);

/* The lock, for work on the inner allocator. Does not nest. Not from KA_ANY_CONTEXT.
 *
 * returns  what ka_locked_leave needs
 */
KA_MUST_USE ka_lock_state ka_locked_enter(ka_locked *locked);
void ka_locked_leave(ka_locked *locked, ka_lock_state state);

KA_END_DECLS

#endif
