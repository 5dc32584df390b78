/* heap/core.h: what heap.c and its neighbours share. Private to the heap. */
#ifndef KA_HEAP_CORE_H
#define KA_HEAP_CORE_H

#include <ka/handler.h>

#include "base/assert.h"
#include "heap/fast.h"
#include "heap/magazine.h"
#include "heap/table.h"

#define MAGAZINE_SLOTS 1024u /* a magazine never holds more blocks */
#define MAGAZINE_START 16u   /* and that many at first */

extern const ka_allocator_ops ka_heap_ops;

/* Takes a run of pages by every means that the flags allow: from committed pages, by commit, in a new segment, from
 * slabs that are empty. KA_NO_PAGE: none. With KA_ZERO they are cleared. */
uint32_t ka_heap_pages_claim(ka_heap *heap, uint32_t count, uint32_t align, ka_flags flags, ka_segment **in);
void ka_heap_pages_release(ka_heap *heap, ka_segment *segment, uint32_t page, uint32_t count);

/* Puts blocks of a class back into their slabs and reports those that do not belong there. Any context. */
void ka_heap_blocks_put(ka_heap *heap, unsigned class, void *const *blocks, uint32_t count, const void *site);

/* The same by a CPU whose magazines are busy by the caller: a slab that is empty now may stay for a while. */
void ka_heap_blocks_put_here(ka_heap *heap, ka_magazines *m, unsigned class, void *const *blocks, uint32_t count,
                             const void *site);

/* Ends the empty slabs that were kept for a while. Returns whether there was one. */
bool ka_heap_empty_end(ka_heap *heap, ka_magazines *m);

/* Ends every slab that is empty. Returns whether there was one. Any context; linear in the slabs. */
bool ka_heap_break_up(ka_heap *heap);

/* Blocks from the slabs there are: by the hints, or with `all` by looking at every slab. Any context. */
bool ka_heap_slabs_take(ka_heap *heap, unsigned class, unsigned max, bool all, ka_slab_batch *out);

/* Up to `max` blocks, by every means that the flags allow. */
bool ka_heap_blocks_take(ka_heap *heap, unsigned class, unsigned max, ka_flags flags, ka_slab_batch *out);

/* What is wrong with a block that does not belong where its owner said. */
ka_misuse ka_heap_misuse_of(const ka_heap *heap, const ka_segment *segment, const void *block);

/* Puts the rest of a batch back. */
void ka_heap_batch_put(ka_heap *heap, const ka_slab_batch *batch);

/* Moves the batch's blocks, as many as fit, into the magazine, so that they come out ascending by address. The
 * magazines are busy by the caller, here and below. */
void ka_magazine_fill(ka_magazines *m, unsigned number, ka_slab_batch *batch);

/* How many blocks a refill asks for: half of what the magazine may hold now, and one for the caller. */
unsigned ka_magazine_refill_count(const ka_magazines *m, unsigned number);

/* Puts the older half of a full magazine back into the slabs. */
void ka_heap_magazine_flush_half(ka_heap *heap, ka_magazines *m, unsigned number, const void *site);

/* Parks the run of `pages` pages at `block` in this CPU's magazines. false: it is too long, the magazines are busy, or
 * it is no such run any more. It still counts as outside, as what lies in magazines does. */
bool ka_heap_park(ka_heap *heap, ka_segment *segment, void *block, uint32_t pages);

/* A parked run of just so many pages, aligned; NULL if this CPU has none. */
void *ka_heap_unpark(ka_heap *heap, uint32_t pages, size_t align);

/* Empties the magazines, busy by the caller, if somebody has called for it since they last were asked. */
void ka_heap_magazines_empty(ka_heap *heap, ka_magazines *m);
static inline void ka_heap_magazines_answer(ka_heap *heap, ka_magazines *m)
{
    uint32_t drains = ka_load_relaxed_32(&heap->drains);
    if (KA_LIKELY(m->drains == drains))
        return;
    m->drains = drains;
    ka_heap_magazines_empty(heap, m);
}

/* Looks after one array of the magazines, busy by the caller, one after the other. An array that neither ran empty nor
 * full since it was last looked after has more than is asked for: its older half goes back, and it may hold half as
 * many. The same for parked runs that nobody wanted. */
#define MAGAZINE_TEND_EVERY 8u
void ka_heap_magazines_tend_one(ka_heap *heap, ka_magazines *m);

/* On a slow way, for the array that ran empty or full. */
static inline void ka_heap_magazines_tend(ka_heap *heap, ka_magazines *m, unsigned number)
{
    m->used[number / 64] |= UINT64_C(1) << number % 64;
    if (++m->rounds % MAGAZINE_TEND_EVERY == 0)
        ka_heap_magazines_tend_one(heap, m);
}

/* What comes before NULL: what this CPU keeps goes back, and where the flags allow it what all keep. */
void ka_heap_gather(ka_heap *heap, ka_flags flags);

/* Releases the memory of magazines that were taken away while somebody looked at the heap's statistics, if nobody does
 * now. */
void ka_heap_retired_release(ka_heap *heap);

/* The paths of a hardened heap: hardened.c. */
void *ka_heap_hardened_alloc(ka_heap *heap, unsigned class, ka_flags flags);
void ka_heap_hardened_free(ka_heap *heap, unsigned class, void *block, const void *site);

/* Puts the blocks of a hardened heap that are kept aside back. How much that is. Any heap. */
void ka_heap_delayed_flush(ka_heap *heap);
size_t ka_heap_delayed_bytes(const ka_heap *heap, size_t *blocks);

/* Releases of what this CPU has parked one run that is long enough, or several that are so together. false: it has
 * less, or its magazines are busy. */
bool ka_heap_unpark_for(ka_heap *heap, uint32_t pages);

/* Before more memory is committed: what this CPU's idle magazines hold goes back into the slabs, and slabs that are
 * empty then are ended, the last one of a class, too. Whether pages became free. */
bool ka_heap_idle_release(ka_heap *heap);

/* Ends the empty ones of a few slabs of the class that have free blocks. Whether there was one. Any context. */
bool ka_heap_slabs_end(ka_heap *heap, unsigned class);

/* Gives this CPU magazines if it has none and the context allows it. */
void ka_heap_magazines_want(ka_heap *heap, ka_flags flags);

/* Lets magazines hold something if the heap is large enough for it by now. */
void ka_heap_magazines_size(ka_heap *heap);

/* Bytes in free committed pages. A snapshot; linear in the pages / 64. */
size_t ka_heap_free_committed(const ka_heap *heap);

/* ---- counting: at refill and flush only ----
 *
 * Bytes outside of slabs are counted where the CPU's magazines are, and added to the heap's count when they are many:
 * 1/64 of the CPU's share of the heap. So that count, one line for all CPUs, is seldom touched; the sum of all is
 * exact. The peak is looked for when something is added to the heap's count: by what other CPUs count it may be too
 * low. */

void ka_heap_count_fold(ka_heap *heap, ka_magazines *m);
void ka_heap_count_shared(ka_heap *heap, uintptr_t bytes, uintptr_t most);

/* Bytes outside of slabs. On a heap in use a snapshot of parts of different moments; magazines must not go away. */
size_t ka_heap_outside(const ka_heap *heap);

static inline void ka_heap_count_out(ka_heap *heap, size_t bytes)
{
    ka_magazines *m = ka_heap_magazines(heap);
    if (m == &ka_no_magazines) {
        ka_heap_count_shared(heap, bytes, bytes);
        return;
    }
    uintptr_t now = ka_fetch_add_ptr(&m->outside, bytes) + bytes, most = heap->table->count_most;
    if ((ptrdiff_t)now > (ptrdiff_t)ka_load_relaxed_ptr(&m->outside_top))
        ka_store_relaxed_ptr(&m->outside_top, now);
    if (KA_UNLIKELY(now + most > 2 * most))
        ka_heap_count_fold(heap, m);
}

static inline void ka_heap_count_in(ka_heap *heap, size_t bytes)
{
    ka_heap_count_out(heap, (uintptr_t)0 - bytes);
}

static inline void ka_heap_count_pages_out(ka_heap *heap, size_t pages)
{
    uintptr_t now = ka_fetch_add_ptr(&heap->pages_used, pages) + pages;
    if (now > ka_load_relaxed_ptr(&heap->pages_touched))
        ka_store_relaxed_ptr(&heap->pages_touched, now); /* an estimate: a lost race does not matter */
}

static inline void ka_heap_count_pages_in(ka_heap *heap, size_t pages)
{
    ka_fetch_add_ptr(&heap->pages_used, (uintptr_t)0 - pages);
}

static inline size_t ka_heap_class_size(const ka_heap *heap, unsigned class)
{
    return heap->table->classes.of[class].size;
}

static inline bool ka_heap_may_sleep(ka_flags flags)
{
    return (flags & (KA_NOWAIT | KA_ATOMIC | KA_ANY_CONTEXT)) == 0;
}

static inline unsigned ka_heap_run_flags(const ka_heap *heap, ka_flags flags)
{
    bool commit = heap->has_source && ka_page_source_may_commit(&heap->source, flags);
    return (commit ? KA_RUNS_COMMIT : 0) | ((flags & KA_ZERO) != 0 ? KA_RUNS_CLEAR : 0);
}

static inline void ka_heap_report(ka_heap *heap, ka_misuse kind, const void *block, size_t size, const void *site)
{
    ka_report_misuse(kind, &heap->allocator, block, size, site);
}

/* The segment of a block that the caller owns. */
static inline ka_segment *ka_heap_own_segment(const ka_heap *heap, const void *block)
{
    ka_segment *segment = ka_heap_segment_of(heap, block);
    KA_ASSERT(segment != NULL);
    return segment;
}

/* The lowest block of a batch that has one. */
static inline void *ka_heap_batch_pop(ka_slab_batch *batch)
{
    void *block = (void *)(batch->first + (uintptr_t)ka_lowest_bit(batch->bits) * batch->size);
    batch->bits &= batch->bits - 1;
    return block;
}

#endif
