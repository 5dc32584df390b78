/* heap_model.h: a heap beside a plain model of it: an array of live blocks with
 * address, size, alignment and stamp. Used by heap_model_test.c and
 * heap_fuzz.c.
 *
 * Every step does one operation on both, and returns NULL, or the first fact in
 * words that does not hold:
 * - a block is aligned, lies inside the heap's range behind the record, and
 * keeps its stamp until it is freed (so no two blocks overlap);
 * - where nothing but the range is a limit, a NULL is justified: no slab of the
 * class has a free block, and no free run of pages is long enough for a new one
 * (model_refusal_justified);
 * - nothing is reported; and at each `check_every`-th step bytes and blocks
 * agree with ka_heap_stats, and ka_heap_check is content.
 */
#ifndef HEAP_MODEL_H
#define HEAP_MODEL_H

#include <string.h>

#include <ka/handler.h>
#include <ka/heap.h>

#include "heap/core.h"
#include "kit.h"

#define MODEL_BLOCKS 16384

typedef struct model_block {
    unsigned char *address;
    size_t size, align; /* as asked */
    uint64_t seed;
} model_block;

typedef struct model {
    ka_heap *heap;
    bool scarce;          /* commits fail at will: a NULL needs no justification */
    unsigned check_every; /* steps; 1: each */
    size_t count, live;   /* blocks; bytes in whole blocks */
    size_t steps, refused;
    uint64_t seeds;   /* stamps given out */
    unsigned reports; /* of misuse */
    model_block blocks[MODEL_BLOCKS];
} model;

#define MODEL_FACT(fact)  \
    do {                  \
        if (!(fact))      \
            return #fact; \
    } while (0)
#define MODEL_STEP(words)            \
    do {                             \
        const char *step_ = (words); \
        if (step_ != NULL)           \
            return step_;            \
    } while (0)

static inline void model_count_report(void *context, ka_misuse kind, ka_allocator *allocator, const void *block,
                                      size_t size, const void *site)
{
    (void)allocator, (void)site;
    ((model *)context)->reports++;
    kit_note("reported: %s, %p, %zu bytes", ka_misuse_name(kind), block, size);
}

/* An empty model over a heap that has been initialised. Takes the misuse
 * handler. */
static inline void model_init(model *m, ka_heap *heap, unsigned check_every)
{
    m->heap = heap;
    m->check_every = check_every;
    m->scarce = false;
    m->count = m->live = m->refused = m->steps = 0;
    m->seeds = 1;
    m->reports = 0;
    ka_set_misuse_handler(model_count_report, m);
}

/* Bytes that the heap counts for a layout. */
static inline size_t model_rounded(const model *m, size_t size, size_t align)
{
    if (ka_class_serves(size, align, m->heap->page_shift))
        return m->heap->table->classes.of[ka_class_of_layout(size, align)].size;
    size_t pages = ka_round_up(size, ka_heap_page(m->heap)) >> m->heap->page_shift;
    return ka_park_round(pages, m->heap->table->round_pages) << m->heap->page_shift;
}

static inline const char *model_prove(const model *m)
{
    MODEL_STEP(ka_heap_check(m->heap));
    ka_stats stats;
    ka_heap_stats(m->heap, &stats);
    MODEL_FACT(stats.live == m->live);
    MODEL_FACT(stats.live_blocks == m->count);
    MODEL_FACT(stats.peak >= stats.live && stats.total == stats.live + stats.free);
    MODEL_FACT(stats.largest_free <= stats.free && stats.fragmentation <= 1000);
    return NULL;
}

static inline const char *model_check(model *m)
{
    MODEL_FACT(m->reports == 0);
    return ++m->steps % m->check_every == 0 ? model_prove(m) : NULL;
}

/* Could the heap have served the request? It has just said no. */
static inline bool model_refusal_justified(const model *m, size_t size, size_t align)
{
    ka_heap *heap = m->heap;
    ka_heap_flush(heap); /* the heap has done both before it says no */
    (void)ka_heap_break_up(heap);
    bool small = ka_class_serves(size, align, heap->page_shift);
    unsigned class = small ? ka_class_of_layout(size, align) : 0;
    size_t pages = small ? heap->table->classes.of[class].pages
                         : ka_park_round((size >> heap->page_shift) + 1, heap->table->round_pages) +
                               (ka_max(align >> heap->page_shift, 1) - 1);
    uint32_t number = 0;
    KA_HEAP_EACH_SEGMENT (heap, segment, number) {
        ka_runs_stats census;
        ka_runs_census(&segment->runs, &census);
        if (census.longest >= pages)
            return false;
        for (uint32_t page = ka_slab_next(&segment->slabs, 0); small && page != KA_NO_PAGE;
             page = ka_slab_next(&segment->slabs, page + 1))
            if (ka_page_slab_class(segment->slabs.pages[page]) == class &&
                ka_slab_count_free(&segment->slabs, page) != 0)
                return false;
    }
    return true;
}

static inline bool model_inside(const ka_heap *heap, const unsigned char *address, size_t size)
{
    const ka_segment *segment = ka_heap_segment_of(heap, address);
    if (segment == NULL)
        return false;
    uintptr_t first = segment->base;
    uintptr_t end = segment->base + ((uintptr_t)segment->page_count << heap->page_shift);
    return (uintptr_t)address >= first && (uintptr_t)address < end && size <= end - (uintptr_t)address;
}

static inline const char *model_fresh(model *m, model_block *block, unsigned char *address, size_t size, size_t align)
{
    MODEL_FACT((uintptr_t)address % align == 0);
    MODEL_FACT((uintptr_t)address % KA_MIN_ALIGN == 0);
    MODEL_FACT(size == 0 || model_inside(m->heap, address, model_rounded(m, size, align)));
    block->address = address;
    block->size = size;
    block->align = align;
    block->seed = m->seeds++ * UINT64_C(0x9e3779b97f4a7c15);
    if (size != 0)
        kit_stamp(address, size, block->seed);
    return NULL;
}

static inline bool model_all_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static inline const char *model_refused(model *m, size_t size, size_t align, ka_flags flags)
{
    m->refused++;
    MODEL_FACT(m->scarce || (flags & ~KA_ZERO) != 0 || model_refusal_justified(m, size, align));
    return model_check(m);
}

static inline const char *model_keep(model *m, unsigned char *address, size_t size, size_t align, ka_flags flags)
{
    if ((flags & KA_ZERO) != 0 && size != 0)
        MODEL_FACT(model_all_zero(address, size));
    MODEL_STEP(model_fresh(m, &m->blocks[m->count], address, size, align));
    if (size == 0)
        return NULL;
    MODEL_FACT(ka_heap_usable(m->heap, address) == model_rounded(m, size, align));
    MODEL_FACT(ka_usable(&m->heap->allocator, address, size, align) == model_rounded(m, size, align));
    m->live += model_rounded(m, size, align);
    m->count++;
    return NULL;
}

/* Allocates directly or through the interface; size 0 is not kept. */
static inline const char *model_alloc(model *m, size_t size, size_t align, ka_flags flags, unsigned how)
{
    if (m->count == MODEL_BLOCKS)
        return NULL;
    unsigned char *address =
        how % 2 == 0 ? ka_heap_alloc(m->heap, size, align, flags) : ka_alloc(&m->heap->allocator, size, align, flags);
    if (address == NULL)
        return model_refused(m, size, align, flags);
    MODEL_STEP(model_keep(m, address, size, align, flags));
    return model_check(m);
}

static inline const char *model_alloc_many(model *m, size_t size, size_t align, ka_flags flags, size_t count)
{
    void *blocks[32];
    count = ka_min(count, KIT_COUNT(blocks));
    if (m->count + count > MODEL_BLOCKS)
        return NULL;
    size_t got = ka_heap_alloc_many(m->heap, size, align, flags, count, blocks);
    MODEL_FACT(got <= count);
    for (size_t i = 0; i < got; i++)
        MODEL_STEP(model_keep(m, blocks[i], size, align, flags));
    return got < count ? model_refused(m, size, align, flags) : model_check(m);
}

/* Frees the block in slot `at`: by its size, by its usable size, or without a
 * size. */
static inline const char *model_free(model *m, size_t at, unsigned how)
{
    model_block block = m->blocks[at];
    MODEL_FACT(kit_stamped(block.address, block.size, block.seed));
    m->blocks[at] = m->blocks[--m->count];
    m->live -= model_rounded(m, block.size, block.align);
    if (how % 4 == 0)
        ka_heap_free_unsized(m->heap, block.address);
    else if (how % 4 == 1)
        ka_heap_free(m->heap, block.address, model_rounded(m, block.size, block.align), block.align);
    else if (how % 4 == 2)
        ka_heap_free(m->heap, block.address, block.size, block.align);
    else
        ka_free(&m->heap->allocator, block.address, block.size, block.align);
    return model_check(m);
}

static inline const char *model_resize(model *m, size_t at, size_t size, size_t align, ka_flags flags)
{
    model_block old = m->blocks[at];
    MODEL_FACT(kit_stamped(old.address, old.size, old.seed));
    unsigned char *address = ka_heap_resize(m->heap, old.address, old.size, old.align, size, align, flags);
    if (address == NULL) {
        MODEL_FACT(kit_stamped(old.address, old.size, old.seed));
        return model_refused(m, size, align, flags);
    }
    m->live -= model_rounded(m, old.size, old.align);
    if (size == 0) {
        m->blocks[at] = m->blocks[--m->count];
        return model_check(m);
    }
    MODEL_FACT(kit_stamped(address, size < old.size ? size : old.size, old.seed));
    if ((flags & KA_ZERO) != 0 && size > old.size)
        MODEL_FACT(model_all_zero(address + old.size, size - old.size));
    MODEL_STEP(model_fresh(m, &m->blocks[at], address, size, align));
    m->live += model_rounded(m, size, align);
    return model_check(m);
}

/* Frees all; then nothing is live, and every page can be had again. */
static inline const char *model_close(model *m)
{
    while (m->count != 0)
        MODEL_STEP(model_free(m, m->count - 1, (unsigned)m->count));
    MODEL_STEP(model_prove(m));
    ka_heap_flush(m->heap);
    (void)ka_heap_break_up(m->heap);
    MODEL_STEP(model_prove(m));
    uint32_t number = 0;
    KA_HEAP_EACH_SEGMENT (m->heap, segment, number) {
        MODEL_FACT(ka_slab_next(&segment->slabs, 0) == KA_NO_PAGE);
    }
    for (unsigned class = 0; class < KA_CLASS_COUNT; class ++)
        MODEL_FACT(m->heap->table->slabs[class] == 0);
    return NULL;
}

#endif
