/* heap/fast.h: the hot path of the general heap: a block from or into the magazine of this CPU. Private to the heap and
 * to the ports that give it other names (malloc). See heap.c for the theory. */
#ifndef KA_HEAP_FAST_H
#define KA_HEAP_FAST_H

#include "base/atomic.h"
#include "engine/page.h"
#include "heap/magazine.h"
#include "heap/table.h"

/* The other ways, when the magazine is empty, full, busy, or not there. number: 1 + the class. */
KA_NOINLINE void *ka_heap_block_alloc_slow(ka_heap *heap, unsigned number, ka_flags flags);
KA_NOINLINE void ka_heap_block_free_slow(ka_heap *heap, unsigned number, void *block, const void *site);

/* A run made longer or shorter where it is. false: it cannot be. */
bool ka_heap_run_resize(ka_heap *heap, void *block, size_t old_pages, size_t new_pages, ka_flags flags);

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

/* The magazines of this CPU, in use by the caller until it leaves them; pinned. */
typedef struct ka_heap_hold {
    ka_magazines *m;
    uintptr_t cell;
} ka_heap_hold;

/* false: they are busy. With cells always true: what is busy, or not there, is found empty or full. A heap that got no
 * cell has its magazines on the slow ways only. */
static inline bool ka_heap_enter(const ka_heap *heap, ka_heap_hold *hold)
{
    hold->cell = heap->cell;
    if (KA_PORT_CELLS != 0) {
        hold->m = (ka_magazines *)ka_port_cell_take(hold->cell, (uintptr_t)&ka_busy_magazines);
        return true;
    }
    hold->m = ka_heap_magazines(heap);
    return KA_LIKELY(ka_port_busy_take(&hold->m->busy));
}

static inline void ka_heap_leave(const ka_heap_hold *hold)
{
    if (KA_PORT_CELLS != 0)
        ka_port_cell_give(hold->cell, (uintptr_t)hold->m);
    else
        ka_port_busy_give(&hold->m->busy);
}

/* The same on slow ways, for any slot: its magazines, or NULL if they are busy or it has none. */
ka_magazines *ka_heap_slot_take(const ka_heap *heap, unsigned slot);
void ka_heap_slot_give(const ka_heap *heap, unsigned slot, ka_magazines *m);

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
    ka_heap_hold hold;
    if (ka_heap_enter(heap, &hold)) {
        block = ka_magazine_pop(hold.m, number);
        ka_heap_leave(&hold);
    }
    ka_port_unpin(pin);
    return KA_LIKELY(block != NULL) ? block : ka_heap_block_alloc_slow(heap, number, flags);
}

static inline void ka_heap_block_free(ka_heap *heap, unsigned number, void *block, const void *site)
{
    bool placed = false;
    ka_port_pin_state pin = ka_port_pin();
    ka_heap_hold hold;
    if (ka_heap_enter(heap, &hold)) {
        placed = ka_magazine_push(hold.m, number, block);
        ka_heap_leave(&hold);
    }
    ka_port_unpin(pin);
    if (KA_UNLIKELY(!placed))
        ka_heap_block_free_slow(heap, number, block, site);
}

/* ---- parked runs of segment 0 (see magazine.c for the others); the magazines are busy by the caller ---- */

/* Descriptors are plain stores here: only who frees a run changes that of a run, and only who parked it that of a
 * parked one. So a second free is seen as soon as the first is through; two at the same moment on two CPUs can both
 * be. */
static inline uint32_t *ka_heap_descriptor0(const ka_heap *heap, const void *block)
{
    uintptr_t offset = (uintptr_t)block - heap->base0;
    return &heap->pages0[offset >> heap->page_shift];
}

/* Bytes of a block that is a run of this heap's; of others as ka_heap_usable. */
static inline size_t ka_heap_run_usable(const ka_heap *heap, const void *block)
{
    uintptr_t offset = (uintptr_t)block - heap->base0;
    if (offset < heap->size0 && (offset & (((uintptr_t)1 << heap->page_shift) - 1)) == 0) {
        uint32_t descriptor = ka_load_acquire_32(ka_heap_descriptor0(heap, block));
        if (ka_page_is_run(descriptor))
            return (size_t)ka_page_run_pages(descriptor) << heap->page_shift;
    }
    return ka_heap_usable(heap, block);
}

/* A run of at least `pages` pages, of the next rounded length or of one of `longer` more; NULL: none is parked. The
 * shift is the heap's page_shift, which the caller knows. */
static inline void *ka_run_pop(ka_heap *heap, ka_magazines *m, size_t pages, unsigned longer, unsigned shift)
{
    if (pages > KA_PARK_LONGEST) /* nothing is parked of lengths that this heap does not park */
        return NULL;
    unsigned index = ka_park_index((uint32_t)pages);
    for (; KA_UNLIKELY(m->parked_count[index] == 0); longer--)
        if (longer == 0 || ++index == KA_PARK_LENGTHS)
            return NULL;
    uint32_t newest = m->parked_count[index] - 1;
    void *block = m->parked[index][newest];
    uintptr_t offset = (uintptr_t)block - heap->base0;
    if (KA_UNLIKELY(offset >= heap->size0))
        return NULL;
    uint32_t length = ka_park_pages(index);
    m->parked_count[index] = newest;
    ka_store_relaxed_32(&m->parked_pages, m->parked_pages - length);
    ka_store_release_32(&heap->pages0[offset >> shift], ka_page_run(length));
    return ka_as_result(block);
}

/* false: it is no run, or none to be parked, or there is no room. */
static inline bool ka_run_push(ka_heap *heap, ka_magazines *m, void *block, unsigned shift)
{
    uintptr_t offset = (uintptr_t)block - heap->base0;
    if (offset >= heap->size0 || (offset & (((uintptr_t)1 << shift) - 1)) != 0)
        return false;
    uint32_t *descriptor = &heap->pages0[offset >> shift], found = ka_load_acquire_32(descriptor);
    uint32_t pages = ka_page_run_pages(found);
    if (!ka_page_is_run(found) || pages > heap->table->park_pages)
        return false;
    unsigned index = ka_park_index(pages);
    uint32_t count = m->parked_count[index];
    if (ka_park_pages(index) != pages || count == KA_PARK_EACH || m->parked_pages + pages > m->parked_most)
        return false;
    ka_store_release_32(descriptor, ka_page_parked(pages));
    m->parked[index][count] = block;
    m->parked_count[index] = count + 1;
    ka_store_relaxed_32(&m->parked_pages, m->parked_pages + pages);
    return true;
}

#endif
