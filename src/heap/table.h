/* heap/table.h: what a heap keeps in the first pages of its range, and the segments behind it. Private to the heap.
 *
 *     segment 0                                               segment 1
 *     | table | record | arrays | pages ............ | record | arrays | pages ........ | ...
 *       `- classes, pointers to segments                `- ka_segment: one slab and one run engine over its pages
 *          and magazines
 *
 * A heap has up to three kinds of segments:
 *   - pieces of its range, as above, made one after the other, when the ones before are full. `places` finds them by
 *     their offset in the range;
 *   - pieces of ranges that the caller claims later, cut where addresses are multiples of 2^segment_shift, with the
 *     record in front, too;
 *   - those of a scattered heap, which has no range: the source reserves each of them, 2^segment_shift bytes and
 *     aligned to as many (or to a page), and apart from them a range for each record. They go back when they are empty
 *     (scatter.c).
 *
 * `segments` has the records of all kinds, in the order of making. An entry is 0 (not made), SEGMENT_MAKING, or the
 * address of the record, and never goes back from that: a record lives as long as its heap, so whoever looks at one for
 * a moment too long reads memory that is there. A record whose segment has gone back (base 0) waits for the next one.
 *
 * The last two kinds are found by their addresses' upper bits, in a hash table of numbers of segments. Who owns a block
 * finds its segment for certain: an entry is written before the pages can be found, and stays where it is until all of
 * them are free; entries that are taken out leave a mark to pass over.
 */
#ifndef KA_HEAP_TABLE_H
#define KA_HEAP_TABLE_H

#include <ka/heap.h>

#include "engine/classes.h"
#include "engine/runs.h"
#include "engine/slab.h"

#define SEGMENT_MAKING ((uintptr_t)1)

/* States of a record that stands in `segments`. */
#define SEGMENT_THERE  0u
#define SEGMENT_GONE   1u /* it has no memory */
#define SEGMENT_COMING 2u /* somebody gets some for it */

typedef struct ka_segment {
    ka_slabs slabs;
    ka_runs runs;
    uintptr_t base; /* of page 0; 0: it has no memory at this moment. Steady for who owns a page */
    uint32_t page_count;
    uint32_t opened; /* pages before it have been added to the runs, or are being added */
    uint32_t state;
    uint32_t number; /* in `segments` */
    uint32_t node;   /* whose memory it is. Steady for who owns a page */
    ka_heap *heap;
    ka_page_source source; /* of the runs: see nodes.c */
    struct ka_segment *next; /* of those that one claim makes */
} ka_segment;

/* What CPUs of one node got from it, and from others. */
typedef struct ka_heap_refills {
    uint64_t home, away;
} ka_heap_refills;

typedef struct ka_heap_table {
    ka_classes classes;
    uint32_t *starts;        /* by node and class: the segment where the last refill found blocks */
    ka_heap_refills *refills; /* by node */
    uint32_t anywhere;       /* how many ask for memory of any node at this moment */
    uintptr_t *segments;     /* segment_limit of them */
    uintptr_t *places;       /* place_count: as `segments`, by the place in the range */
    uint64_t *far;           /* the others by hash: see scatter.c */
    uint32_t place_count;
    uint32_t far_shift;      /* 64 - the logarithm of the length of `far`; 0: there is none */
    uintptr_t *delayed;      /* of a hardened heap: KA_HEAP_DELAYED blocks that were freed, or 0 */
    uint64_t random;
    uint32_t delayed_next;
    uint32_t slots;          /* entries of ka_heap.magazines; for who reads a heap from outside, as gdb does */
    uint32_t segment_end;    /* no entry from here on was ever used */
    uint32_t cpus;
    uintptr_t share;         /* a CPU's of the heap, for its magazines to keep a part of; 0: they keep nothing */
    uint32_t park_pages;     /* longer runs are not parked */
    uint32_t round_pages;    /* longer runs are not rounded up; never changes: a block's length follows from its size */
    uintptr_t count_most;    /* so many bytes each CPU counts by itself; see ka_heap_count_out */
    uintptr_t exchanged;     /* pages; see pages_exchange */
    char apart[64];
    uint32_t slabs[KA_CLASS_COUNT]; /* how many of each class */
} ka_heap_table;

static inline size_t ka_heap_page(const ka_heap *heap)
{
    return (size_t)1 << heap->page_shift;
}

static inline uint32_t ka_heap_segment_end(const ka_heap *heap)
{
    return ka_load_relaxed_32(&heap->table->segment_end);
}

/* The segment by number; NULL if it is not made yet. It may have no memory. */
static inline ka_segment *ka_heap_segment_at(const ka_heap *heap, uint32_t number)
{
    uintptr_t entry = ka_load_acquire_ptr(&heap->table->segments[number]);
    return entry == SEGMENT_MAKING ? NULL : (ka_segment *)entry;
}

/* The first segment at or after *number that has memory, its number in *number; NULL: none. One that is being made at
 * this moment is passed over. */
static inline ka_segment *ka_heap_segment_from(const ka_heap *heap, uint32_t *number)
{
    for (uint32_t end = ka_heap_segment_end(heap); *number < end; ++*number) {
        ka_segment *segment = ka_heap_segment_at(heap, *number);
        if (segment != NULL && ka_load_relaxed_ptr(&segment->base) != 0)
            return segment;
    }
    return NULL;
}

#define KA_HEAP_EACH_SEGMENT(heap, segment, number) \
    for (ka_segment * segment; ((segment) = ka_heap_segment_from((heap), &(number))) != NULL; (number)++)

/* In place of a node: each of them, or all in a heap that knows only one. */
#define KA_ANY_NODE UINT32_MAX

static inline bool ka_segment_is_on(const ka_segment *segment, uint32_t node)
{
    return node == KA_ANY_NODE || ka_load_relaxed_32(&segment->node) == node;
}

/* The same for the segments outside of the heap's range. */
ka_segment *ka_heap_far_segment_of(const ka_heap *heap, uintptr_t address);

/* The segment that has a page with this address; NULL if there is none. If the address is nobody's block, the segment
 * may go at any time. */
static inline ka_segment *ka_heap_segment_of(const ka_heap *heap, const void *address)
{
    uintptr_t offset = (uintptr_t)address - heap->base;
    if (offset >= heap->size)
        return ka_heap_far_segment_of(heap, (uintptr_t)address);
    uintptr_t entry = ka_load_acquire_ptr(&heap->table->places[offset >> heap->segment_shift]);
    ka_segment *segment = entry == SEGMENT_MAKING ? NULL : (ka_segment *)entry;
    return segment != NULL && (uintptr_t)address >= segment->base ? segment : NULL;
}

/* A page of the segment, whatever the address: the segment of an address that nobody owns may move. */
static inline uint32_t ka_segment_page_of(const ka_heap *heap, const ka_segment *segment, const void *address)
{
    uintptr_t page = ((uintptr_t)address - ka_load_relaxed_ptr(&segment->base)) >> heap->page_shift;
    return page < segment->page_count ? (uint32_t)page : 0;
}

static inline void *ka_segment_page_at(const ka_heap *heap, const ka_segment *segment, uint32_t page)
{
    return (void *)(ka_load_relaxed_ptr(&segment->base) + ((uintptr_t)page << heap->page_shift));
}

/* Makes the table and segment 0. */
bool ka_heap_table_make(ka_heap *heap, unsigned min_blocks);

/* Makes one more segment, of this node's memory (KA_ANY_NODE: the heap's first), where the flags allow it, or waits for
 * somebody who makes one. false: there is no room, or no memory. */
bool ka_heap_segment_make(ka_heap *heap, ka_flags flags, uint32_t node);

/* Adds pages to the segment's runs that it did not use so far: `wanted` at least, or all there are. Searches end where
 * the added pages end, so a segment of many GiB costs only what is used of it. false: all were added before. Any
 * context. */
bool ka_segment_open(const ka_heap *heap, ka_segment *segment, uint32_t wanted);

/* ---- between table.c and scatter.c ---- */

/* Where the arrays of a record for `count` pages lie, one behind the other from `record` on. */
typedef struct ka_segment_layout {
    uintptr_t record, pages, map, words, hints, runs, end;
} ka_segment_layout;

ka_segment_layout ka_segment_lay_out(const ka_heap *heap, uintptr_t record, uint32_t count);

/* Writes the record of a segment over zeroed memory; no page is added yet. */
ka_segment *ka_segment_write(ka_heap *heap, const ka_segment_layout *layout, uintptr_t base, uint32_t page_count,
                             uint32_t node);

/* A record in front of the pages between it and `end`. NULL: too small, or no memory for the record. */
ka_segment *ka_segment_make_in(ka_heap *heap, uintptr_t at, uintptr_t end, uint32_t node);

/* Takes a free entry, which is SEGMENT_MAKING then. false: there is none. Puts a record into it, or 0. */
bool ka_heap_entry_take(ka_heap *heap, uint32_t *number);
void ka_heap_entry_set(ka_heap *heap, uint32_t number, ka_segment *segment);

/* Zeroed memory for a record. */
bool ka_heap_record_commit(const ka_heap *heap, uintptr_t base, size_t size, uint32_t node);

/* A range of the source's for a record. 0: none. */
uintptr_t ka_heap_record_reserve(ka_heap *heap, size_t size);

/* One more segment of a scattered heap. */
bool ka_heap_scattered_make(ka_heap *heap, uint32_t node);

/* ---- nodes.c ---- */

/* The node of this CPU as far as the heap tells nodes apart; KA_ANY_NODE in a heap with one. */
uint32_t ka_heap_node_here(const ka_heap *heap);

/* Commits memory of a node. */
bool ka_heap_commit_on(const ka_heap *heap, uintptr_t base, size_t size, uint32_t node, bool *zeroed);

/* The source that the segment's runs commit from: NULL if the heap has none. */
const ka_page_source *ka_segment_source(ka_heap *heap, ka_segment *segment);

/* Counts blocks, or pages for them, that a CPU of `node` got from a segment. */
void ka_heap_count_refill(ka_heap *heap, uint32_t node, const ka_segment *segment);

/* Moves blocks of other nodes to the front. Returns how many. */
uint32_t ka_heap_strangers_first(const ka_heap *heap, void **blocks, uint32_t count);

/* ---- */

/* Gives empty segments back while `keep` free bytes stay committed. returns  the bytes that were committed. */
size_t ka_heap_scattered_trim(ka_heap *heap, size_t keep);

/* Gives everything back. */
void ka_heap_scattered_end(ka_heap *heap);

/* Waits a while for another CPU that makes what `entry` will name. false: it is still not there. */
bool ka_heap_entry_wait(const uintptr_t *entry);

#endif
