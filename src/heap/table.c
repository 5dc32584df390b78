/* heap/table.c: makes the table of a heap and its segments. See table.h. */
#include "heap/table.h"

#include "base/mem.h"
#include "heap/magazine.h"

/* So many pages of a segment are opened at first, and at least so many each time. */
#define OPEN_PAGES 1024u

/* How many pauses somebody waits for a segment that another one makes. */
#define MAKER_PATIENCE 100000u

/* Addresses for arrays, one behind the other. */
static uintptr_t carve(uintptr_t *at, size_t bytes)
{
    uintptr_t start = ka_round_up(*at, 64);
    *at = start + bytes;
    return start;
}

/* A segment's record and arrays in [at, ...), for the pages between them and `end`. Returns the address of page 0. With
 * out NULL nothing is written. */
static uintptr_t segment_lay_out(const ka_heap *heap, uintptr_t at, uintptr_t end, ka_segment **out)
{
    uint32_t all = (uint32_t)((end - at) >> heap->page_shift); /* a few more than there will be */
    uintptr_t record = carve(&at, sizeof(ka_segment));
    uintptr_t pages = carve(&at, all * sizeof(uint32_t));
    uintptr_t map = heap->map_all != NULL ? 0 : carve(&at, all);
    uintptr_t words = carve(&at, ka_slabs_words(all, heap->page_shift) * sizeof(uint64_t));
    uintptr_t hints = carve(&at, ka_slabs_hint_words(all) * sizeof(uint64_t));
    uintptr_t runs = carve(&at, ka_runs_words(all) * sizeof(uint64_t));
    uintptr_t base = ka_round_up(at, ka_heap_page(heap));
    if (out == NULL)
        return base;
    uint32_t page_count = (uint32_t)((end - base) >> heap->page_shift);
    if (heap->map_all != NULL)
        map = (uintptr_t)heap->map_all + (base >> heap->page_shift);
    ka_segment *segment = (ka_segment *)record;
    segment->base = base;
    segment->page_count = page_count;
    ka_slabs_init(&segment->slabs, base, page_count, &heap->table->classes, (uint32_t *)pages, (uint8_t *)map,
                  (uint64_t *)words, (uint64_t *)hints);
    ka_runs_init(&segment->runs, base, page_count, heap->page_shift, (uint32_t *)pages, (uint64_t *)runs,
                 heap->has_source ? &heap->source : NULL);
    (void)ka_segment_open(heap, segment, OPEN_PAGES);
    *out = segment;
    return base;
}

/* Zeroed memory for a record. */
static bool record_commit(const ka_heap *heap, uintptr_t base, size_t size)
{
    bool zeroed = heap->zeroed;
    if (heap->has_source) {
        zeroed = false;
        if (!heap->source.commit(heap->source.context, (void *)base, size, &zeroed))
            return false;
    }
    if (!zeroed)
        ka_clear((void *)base, size);
    return true;
}

/* Where a segment ends. */
static uintptr_t segment_end(const ka_heap *heap, uint32_t number)
{
    size_t end = ((size_t)number + 1) << heap->segment_shift;
    return heap->base + ka_min(end, heap->size);
}

bool ka_segment_open(const ka_heap *heap, ka_segment *segment, uint32_t wanted)
{
    uint32_t from = ka_load_relaxed_32(&segment->opened), end;
    do {
        if (from == segment->page_count)
            return false;
        size_t more = ka_max(ka_max(wanted, OPEN_PAGES), from / 4);
        end = (uint32_t)ka_min(segment->page_count, from + more);
    } while (!ka_cas_32(&segment->opened, &from, end));
    unsigned state = heap->has_source ? 0 : KA_RUNS_COMMITTED | (heap->zeroed ? KA_RUNS_ZERO : 0);
    ka_runs_add(&segment->runs, from, end - from, state);
    return true;
}

bool ka_heap_table_make(ka_heap *heap, unsigned min_blocks)
{
    uintptr_t at = heap->base, end = segment_end(heap, 0);
    uintptr_t table = carve(&at, sizeof(ka_heap_table));
    uintptr_t segments = carve(&at, heap->segment_limit * sizeof(uintptr_t));
    uintptr_t magazines = carve(&at, (KA_PORT_MAX_CPUS + 1) * sizeof(uintptr_t));
    uintptr_t base = segment_lay_out(heap, at, end, NULL);
    if (base >= end || base - heap->base > (end - heap->base) / 2 ||
        !record_commit(heap, heap->base, base - heap->base))
        return false;
    heap->table = (ka_heap_table *)table;
    heap->table->segments = (uintptr_t *)segments;
    heap->magazines = (uintptr_t *)magazines;
    for (unsigned slot = 0; slot <= KA_PORT_MAX_CPUS; slot++)
        heap->magazines[slot] = (uintptr_t)&ka_no_magazines;
    ka_classes_init(&heap->table->classes, heap->page_shift, min_blocks);
    ka_segment *segment = NULL;
    (void)segment_lay_out(heap, at, end, &segment);
    heap->map0 = segment->slabs.map;
    heap->base0 = segment->base;
    heap->size0 = (size_t)segment->page_count << heap->page_shift;
    ka_store_release_ptr(&heap->table->segments[0], (uintptr_t)segment);
    return true;
}

/* Reserves the next entry for a segment. If somebody is making one at this moment, waits a while for it, and returns
 * false with *made true when it is there. A maker that never ends (the other threads of a process that forked) is
 * passed over. */
static bool entry_take(ka_heap *heap, uint32_t *number, bool *made)
{
    *made = false;
    for (*number = 0; *number < heap->segment_limit; ++*number) {
        uintptr_t *entry = &heap->table->segments[*number], none = 0;
        for (unsigned patience = MAKER_PATIENCE; ka_load_relaxed_ptr(entry) == SEGMENT_MAKING && patience > 0;
             patience--) {
            ka_port_relax();
            *made = true;
        }
        if (*made && ka_load_acquire_ptr(entry) != SEGMENT_MAKING)
            return false;
        if (ka_load_relaxed_ptr(entry) == 0 && ka_cas_ptr(entry, &none, SEGMENT_MAKING)) {
            *made = false;
            return true;
        }
    }
    *made = false;
    return false;
}

bool ka_heap_segment_make(ka_heap *heap)
{
    uint32_t number;
    bool made;
    if (!entry_take(heap, &number, &made))
        return made;
    uintptr_t at = heap->base + ((uintptr_t)number << heap->segment_shift), end = segment_end(heap, number);
    uintptr_t base = segment_lay_out(heap, at, end, NULL);
    if (base >= end || !record_commit(heap, at, base - at)) {
        ka_store_release_ptr(&heap->table->segments[number], 0);
        return false;
    }
    ka_segment *segment = NULL;
    (void)segment_lay_out(heap, at, end, &segment);
    ka_store_release_ptr(&heap->table->segments[number], (uintptr_t)segment);
    return true;
}
