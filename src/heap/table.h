/* heap/table.h: what a heap keeps in the first pages of its range, and the segments behind it. Private to the heap.
 *
 *     segment 0                                               segment 1
 *     | table | record | arrays | pages ............ | record | arrays | pages ........ | ...
 *       `- classes, pointers to segments                `- ka_segment: one slab and one run engine over its pages
 *          and magazines
 *
 * Segments are made one after the other, when the ones before are full. An entry of `segments` is 0 (not made),
 * SEGMENT_MAKING, or the address of the record, and never goes back from that.
 */
#ifndef KA_HEAP_TABLE_H
#define KA_HEAP_TABLE_H

#include <ka/heap.h>

#include "engine/classes.h"
#include "engine/runs.h"
#include "engine/slab.h"

#define SEGMENT_MAKING ((uintptr_t)1)

typedef struct ka_segment {
    ka_slabs slabs;
    ka_runs runs;
    uintptr_t base; /* of page 0, behind the record */
    uint32_t page_count;
    uint32_t opened; /* pages before it have been added to the runs, or are being added */
} ka_segment;

typedef struct ka_heap_count {
    uint32_t slabs;   /* of this class */
    uint32_t segment; /* where the last refill found blocks */
} ka_heap_count;

typedef struct ka_heap_table {
    ka_classes classes;
    ka_heap_count counts[KA_CLASS_COUNT];
    uintptr_t *segments;     /* segment_limit of them */
    uint32_t magazine_bytes; /* at most so much memory in one magazine */
    uint32_t park_pages;     /* longer runs are not parked */
} ka_heap_table;

static inline size_t ka_heap_page(const ka_heap *heap)
{
    return (size_t)1 << heap->page_shift;
}

/* The segment by number; NULL if it is not made yet. */
static inline ka_segment *ka_heap_segment_at(const ka_heap *heap, uint32_t number)
{
    uintptr_t entry = ka_load_acquire_ptr(&heap->table->segments[number]);
    return entry == SEGMENT_MAKING ? NULL : (ka_segment *)entry;
}

/* The first segment at or after *number that is made, its number in *number; NULL: none. One that is being made at this
 * moment is passed over. */
static inline ka_segment *ka_heap_segment_from(const ka_heap *heap, uint32_t *number)
{
    for (; *number < heap->segment_limit; ++*number) {
        uintptr_t entry = ka_load_acquire_ptr(&heap->table->segments[*number]);
        if (entry == 0)
            return NULL;
        if (entry != SEGMENT_MAKING)
            return (ka_segment *)entry;
    }
    return NULL;
}

#define KA_HEAP_EACH_SEGMENT(heap, segment, number) \
    for (ka_segment * segment; ((segment) = ka_heap_segment_from((heap), &(number))) != NULL; (number)++)

/* The segment that has a page with this address; NULL if there is none. */
static inline ka_segment *ka_heap_segment_of(const ka_heap *heap, const void *address)
{
    uintptr_t offset = (uintptr_t)address - heap->base;
    if (offset >= heap->size)
        return NULL;
    ka_segment *segment = ka_heap_segment_at(heap, (uint32_t)(offset >> heap->segment_shift));
    return segment != NULL && (uintptr_t)address >= segment->base ? segment : NULL;
}

static inline uint32_t ka_segment_page_of(const ka_heap *heap, const ka_segment *segment, const void *address)
{
    return (uint32_t)(((uintptr_t)address - segment->base) >> heap->page_shift);
}

static inline void *ka_segment_page_at(const ka_heap *heap, const ka_segment *segment, uint32_t page)
{
    return (void *)(segment->base + ((uintptr_t)page << heap->page_shift));
}

/* Makes the table and segment 0. Makes one more segment: false if there is no room, or no memory for its record. */
bool ka_heap_table_make(ka_heap *heap, unsigned min_blocks);
bool ka_heap_segment_make(ka_heap *heap);

/* Adds pages to the segment's runs that it did not use so far: `wanted` at least, or all there are. Searches end where
 * the added pages end, so a segment of many GiB costs only what is used of it. false: all were added before. Any
 * context. */
bool ka_segment_open(const ka_heap *heap, ka_segment *segment, uint32_t wanted);

#endif
