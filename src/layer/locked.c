/* layer/locked.c: a spin lock around an allocator, and its growth outside of the lock.
 *
 * A request goes round this loop:
 *
 *     take the lock -- inner allocator --> a block: give the lock, clear, done
 *                          | NULL
 *           who refills? (still under the same lock)
 *             nobody:        be the refiller; give the lock; refill; true: round again; false: NULL
 *             somebody:      give the lock; wait until that refill has ended; round again (or NULL: must not wait)
 *             ourselves:     give the lock; NULL
 *
 * Why a loop: between the refill and the next try the lock is free, and whoever comes first takes the new memory. A
 * single retry then refuses a request though the refill had said that there is more; kernels have shipped that mistake.
 * The loop ends, since each round follows a refill that has added memory, and memory is finite.
 *
 * Why the role is decided under the lock of the failed try: otherwise a refill of another CPU could begin and end
 * unseen in between; this CPU would then refill needlessly, be told "no more", and refuse with free memory at hand.
 *
 * Waiting looks at the count of ended refills, not at the refiller: the same CPU may begin the next one at once.
 *
 * Lock order: this lock is taken by nobody who holds it; the refill and the clearing run without it. Large clears under
 * a spin lock are what hurts the latency of interrupts, so KA_ZERO is taken out of the flags and done afterwards. The
 * same is not possible for the copy of a resize: what moves, and whether, only the inner allocator knows.
 */
#include <ka/locked.h>

#include "base/mem.h"

typedef struct locked_request {
    void *block; /* NULL: a new block */
    size_t old_size, old_align, size, align;
    ka_flags flags;
} locked_request;

typedef enum locked_step { LOCKED_DONE, LOCKED_GIVE_UP, LOCKED_WAIT, LOCKED_REFILL } locked_step;

static ka_locked *locked_of(ka_allocator *self)
{
    return (ka_locked *)self;
}

ka_lock_state ka_locked_enter(ka_locked *locked)
{
    return ka_port_lock_take(&locked->lock);
}

void ka_locked_leave(ka_locked *locked, ka_lock_state state)
{
    ka_port_lock_give(&locked->lock, state);
}

/* Under the lock: one try. */
static void *locked_try(ka_locked *locked, const locked_request *r)
{
    if (locked->refiller != 0 && locked->refiller == ka_port_self())
        return NULL;
    if (r->block == NULL)
        return locked->inner->ops->alloc(locked->inner, r->size, r->align, r->flags);
    return ka_resize(locked->inner, r->block, r->old_size, r->old_align, r->size, r->align, r->flags);
}

/* Under the lock: what to do after a refusal. Takes the role of the refiller if it is free. */
static locked_step locked_after_refusal(ka_locked *locked, ka_flags flags)
{
    if (locked->refill == NULL)
        return LOCKED_GIVE_UP;
    uintptr_t self = ka_port_self();
    if (locked->refiller == 0) {
        locked->refiller = self;
        return LOCKED_REFILL;
    }
    if (locked->refiller == self || (flags & (KA_NOWAIT | KA_ATOMIC)) != 0)
        return LOCKED_GIVE_UP;
    return LOCKED_WAIT;
}

/* Without the lock, as the refiller: asks for more, and gives the role back. */
static bool locked_refill(ka_locked *locked, const locked_request *r)
{
    bool more = locked->refill(locked->refill_context, r->size, r->align, r->flags);
    ka_lock_state state = ka_locked_enter(locked);
    locked->refiller = 0;
    ka_store_release_32(&locked->refills, locked->refills + 1);
    ka_locked_leave(locked, state);
    return more;
}

static void *locked_serve(ka_locked *locked, const locked_request *r)
{
    if ((r->flags & KA_ANY_CONTEXT) != 0)
        return NULL;
    for (;;) {
        ka_lock_state state = ka_locked_enter(locked);
        void *block = locked_try(locked, r);
        locked_step step = block != NULL ? LOCKED_DONE : locked_after_refusal(locked, r->flags);
        uint32_t ended = locked->refills;
        ka_locked_leave(locked, state);

        if (step == LOCKED_DONE || step == LOCKED_GIVE_UP)
            return block;
        if (step == LOCKED_REFILL && !locked_refill(locked, r))
            return NULL;
        while (step == LOCKED_WAIT && ka_load_acquire_32(&locked->refills) == ended)
            ka_port_relax();
    }
}

static void *locked_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    locked_request r = { NULL, 0, 1, size, align, flags & ~KA_ZERO };
    void *block = locked_serve(locked_of(self), &r);
    if (block != NULL && (flags & KA_ZERO) != 0)
        ka_clear(block, size);
    return block;
}

static void *locked_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                           size_t new_align, ka_flags flags)
{
    locked_request r = { block, old_size, old_align, new_size, new_align, flags & ~KA_ZERO };
    void *moved = locked_serve(locked_of(self), &r);
    if (moved != NULL && (flags & KA_ZERO) != 0 && new_size > old_size)
        ka_clear((char *)moved + old_size, new_size - old_size);
    return moved;
}

static void locked_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    ka_locked *locked = locked_of(self);
    ka_lock_state state = ka_locked_enter(locked);
    ka_free(locked->inner, block, size, align);
    ka_locked_leave(locked, state);
}

static size_t locked_usable(ka_allocator *self, const void *block, size_t size, size_t align)
{
    ka_locked *locked = locked_of(self);
    ka_lock_state state = ka_locked_enter(locked);
    size_t usable = ka_usable(locked->inner, block, size, align);
    ka_locked_leave(locked, state);
    return usable;
}

static bool locked_walk(ka_allocator *self, ka_visit *visit, void *context)
{
    ka_locked *locked = locked_of(self);
    ka_lock_state state = ka_locked_enter(locked);
    bool whole = ka_walk(locked->inner, visit, context);
    ka_locked_leave(locked, state);
    return whole;
}

static void locked_stats(ka_allocator *self, ka_stats *out)
{
    ka_locked *locked = locked_of(self);
    ka_lock_state state = ka_locked_enter(locked);
    *out = ka_get_stats(locked->inner);
    ka_locked_leave(locked, state);
}

static const char *locked_check(ka_allocator *self)
{
    ka_locked *locked = locked_of(self);
    ka_lock_state state = ka_locked_enter(locked);
    const char *broken = ka_check(locked->inner);
    ka_locked_leave(locked, state);
    return broken;
}

static const ka_allocator_ops locked_ops = { .name = "locked",
                                             .alloc = locked_alloc,
                                             .free = locked_free,
                                             .resize = locked_resize,
                                             .usable = locked_usable,
                                             .walk = locked_walk,
                                             .stats = locked_stats,
                                             .check = locked_check };

void ka_locked_init(ka_locked *locked, ka_allocator *inner, ka_refill *refill, void *context)
{
    ka_clear(locked, sizeof *locked);
    locked->allocator.ops = &locked_ops;
    locked->inner = inner;
    locked->refill = refill;
    locked->refill_context = context;
}
