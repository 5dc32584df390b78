/* heap/fast.h: the hot path of the general heap: a block from or into the magazine of this CPU. Private to the heap and
 * to the ports that give it other names (malloc). See heap.c for the theory. */
#ifndef KA_HEAP_FAST_H
#define KA_HEAP_FAST_H

#include "base/atomic.h"
#include "heap/magazine.h"
#include "heap/table.h"

/* The other ways, when the magazine is empty, full, busy, or not there. number: 1 + the class. */
KA_NOINLINE void *ka_heap_block_alloc_slow(ka_heap *heap, unsigned number, ka_flags flags);
KA_NOINLINE void ka_heap_block_free_slow(ka_heap *heap, unsigned number, void *block, const void *site);

/* Makes `m`, memory of the caller's, the magazines of a slot that has none; they stay busy if there is no memory. Where
 * the page source may be called. ka_heap_retire_slot ends that; no statistics of such a heap while it does. */
void ka_heap_attach(ka_heap *heap, unsigned slot, ka_magazines *m);

static inline ka_magazines *ka_heap_magazines_of(const ka_heap *heap, unsigned slot)
{
    return (ka_magazines *)ka_load_acquire_ptr(&heap->magazines[slot]);
}

/* The magazines of the CPU that the caller is pinned to; those that are always busy if it has none. */
static inline ka_magazines *ka_heap_magazines(const ka_heap *heap)
{
    return ka_heap_magazines_of(heap, ka_port_slot());
}

/* 1 + the class of the slab in segment 0 that the address lies in, or 0. */
static inline unsigned ka_heap_number_of(const ka_heap *heap, const void *address)
{
    uintptr_t offset = (uintptr_t)address - heap->base0;
    return offset < heap->size0 ? ka_load_relaxed_8(&heap->map0[offset >> heap->page_shift]) : 0;
}

static inline void *ka_heap_block_alloc(ka_heap *heap, unsigned number, ka_flags flags)
{
    void *block = NULL;
    ka_port_pin_state pin = ka_port_pin();
    ka_magazines *m = ka_heap_magazines(heap);
    if (KA_LIKELY(ka_port_busy_take(&m->busy))) {
        block = ka_magazine_pop(m, number);
        ka_port_busy_give(&m->busy);
    }
    ka_port_unpin(pin);
    return KA_LIKELY(block != NULL) ? block : ka_heap_block_alloc_slow(heap, number, flags);
}

static inline void ka_heap_block_free(ka_heap *heap, unsigned number, void *block, const void *site)
{
    bool placed = false;
    ka_port_pin_state pin = ka_port_pin();
    ka_magazines *m = ka_heap_magazines(heap);
    if (KA_LIKELY(ka_port_busy_take(&m->busy))) {
        placed = ka_magazine_push(m, number, block);
        ka_port_busy_give(&m->busy);
    }
    ka_port_unpin(pin);
    if (KA_UNLIKELY(!placed))
        ka_heap_block_free_slow(heap, number, block, site);
}

#endif
