/* pool.h: a tiny allocator for the tests of layers: equal blocks, as many as a test gives it.
 *
 * It has no lock and notices when two threads are inside at once. It cannot resize, so ka_resize copies. */
#ifndef TESTS_POOL_H
#define TESTS_POOL_H

#include <string.h>

#include <ka/alloc.h>

#include "base/atomic.h"

#define POOL_BLOCK ((size_t)64)
#define POOL_MAX   ((size_t)128)

typedef struct pool {
    ka_allocator allocator;
    size_t given; /* blocks that may be handed out; at most POOL_MAX */
    size_t calls, frees;
    ka_flags flags; /* of the last call */
    uint32_t inside;
    bool overlapped; /* two threads were inside at once */
    bool live[POOL_MAX];
    const char *broken; /* what check answers */
    _Alignas(64) unsigned char memory[POOL_MAX][POOL_BLOCK];
} pool;

static inline void pool_enter(pool *p)
{
    if (ka_exchange_32(&p->inside, 1) != 0)
        p->overlapped = true;
}

static inline void pool_leave(pool *p)
{
    ka_store_release_32(&p->inside, 0);
}

static inline void *pool_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    pool *p = (pool *)self;
    void *block = NULL;
    pool_enter(p);
    p->calls++;
    p->flags = flags;
    for (size_t i = 0; i < p->given && size <= POOL_BLOCK && align <= 64; i++)
        if (!p->live[i]) {
            p->live[i] = true;
            block = memset(p->memory[i], 0xa5, POOL_BLOCK);
            break;
        }
    pool_leave(p);
    return block;
}

static inline void pool_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    pool *p = (pool *)self;
    (void)size, (void)align;
    pool_enter(p);
    p->frees++;
    p->live[(size_t)((unsigned char *)block - p->memory[0]) / POOL_BLOCK] = false;
    pool_leave(p);
}

static inline size_t pool_usable(ka_allocator *self, const void *block, size_t size, size_t align)
{
    (void)self, (void)block, (void)size, (void)align;
    return POOL_BLOCK;
}

static inline bool pool_walk(ka_allocator *self, ka_visit *visit, void *context)
{
    pool *p = (pool *)self;
    for (size_t i = 0; i < p->given; i++)
        if (!visit(context, p->memory[i], POOL_BLOCK, p->live[i]))
            return false;
    return true;
}

static inline size_t pool_live(const pool *p)
{
    size_t live = 0;
    for (size_t i = 0; i < POOL_MAX; i++)
        live += p->live[i];
    return live;
}

static inline void pool_stats(ka_allocator *self, ka_stats *out)
{
    pool *p = (pool *)self;
    memset(out, 0, sizeof *out);
    out->total = p->given * POOL_BLOCK;
    out->live_blocks = pool_live(p);
}

static inline const char *pool_check(ka_allocator *self)
{
    return ((pool *)self)->broken;
}

static const ka_allocator_ops pool_ops = { .name = "pool",
                                           .alloc = pool_alloc,
                                           .free = pool_free,
                                           .usable = pool_usable,
                                           .walk = pool_walk,
                                           .stats = pool_stats,
                                           .check = pool_check };

static inline void pool_init(pool *p, size_t given)
{
    memset(p, 0, sizeof *p);
    p->allocator.ops = &pool_ops;
    p->given = given;
}

#endif
