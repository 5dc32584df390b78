/* heap/table.c: makes the table of a heap and the segments of its range. See table.h. */
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

/* ---- records ---- */

ka_segment_layout ka_segment_lay_out(const ka_heap *heap, uintptr_t record, uint32_t count)
{
    ka_segment_layout l;
    uintptr_t at = record;
    l.record = carve(&at, sizeof(ka_segment));
    l.pages = carve(&at, count * sizeof(uint32_t));
    l.map = heap->map_all != NULL ? 0 : carve(&at, count);
    l.words = carve(&at, ka_slabs_words(count, heap->page_shift) * sizeof(uint64_t));
    l.hints = carve(&at, ka_slabs_hint_words(count, KA_CLASS_COUNT) * sizeof(uint64_t));
    l.runs = carve(&at, ka_runs_words(count) * sizeof(uint64_t));
    l.end = at;
    return l;
}

ka_segment *ka_segment_write(ka_heap *heap, const ka_segment_layout *l, uintptr_t base, uint32_t page_count,
                             uint32_t node)
{
    ka_segment *segment = (ka_segment *)l->record;
    uintptr_t map = heap->map_all == NULL ? l->map : (uintptr_t)heap->map_all + (base >> heap->page_shift);
    segment->base = base;
    segment->page_count = page_count;
    segment->node = node;
    segment->heap = heap;
    ka_slabs_init(&segment->slabs, base, page_count, &heap->table->classes, (uint32_t *)l->pages, (uint8_t *)map,
                  (uint64_t *)l->words, (uint64_t *)l->hints, KA_CLASS_COUNT);
    ka_runs_init(&segment->runs, base, page_count, heap->page_shift, (uint32_t *)l->pages, (uint64_t *)l->runs,
                 ka_segment_source(heap, segment));
    return segment;
}

bool ka_heap_record_commit(const ka_heap *heap, uintptr_t base, size_t size, uint32_t node)
{
    bool zeroed = heap->zeroed;
    if (heap->has_source) {
        zeroed = false;
        if (!ka_heap_commit_on(heap, base, size, node, &zeroed))
            return false;
    }
    if (!zeroed)
        ka_clear((void *)base, size);
    return true;
}

/* A record at `at`, for the pages between it and `end`. */
static ka_segment_layout lay_out_between(const ka_heap *heap, uintptr_t at, uintptr_t end, uintptr_t *base)
{
    /* A few more pages than there will be. */
    ka_segment_layout layout = ka_segment_lay_out(heap, at, (uint32_t)((end - at) >> heap->page_shift));
    *base = ka_round_up(layout.end, ka_heap_page(heap));
    return layout;
}

static ka_segment *write_between(ka_heap *heap, const ka_segment_layout *layout, uintptr_t base, uintptr_t end,
                                 uint32_t node)
{
    ka_segment *segment = ka_segment_write(heap, layout, base, (uint32_t)((end - base) >> heap->page_shift), node);
    (void)ka_segment_open(heap, segment, OPEN_PAGES);
    return segment;
}

ka_segment *ka_segment_make_in(ka_heap *heap, uintptr_t at, uintptr_t end, uint32_t node)
{
    uintptr_t base;
    ka_segment_layout layout = lay_out_between(heap, at, end, &base);
    if (base >= end || !ka_heap_record_commit(heap, at, base - at, node))
        return NULL;
    return write_between(heap, &layout, base, end, node);
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

/* ---- entries ---- */

bool ka_heap_entry_take(ka_heap *heap, uint32_t *number)
{
    for (*number = 0; *number < heap->segment_limit; ++*number) {
        uintptr_t *entry = &heap->table->segments[*number], none = 0;
        if (ka_load_relaxed_ptr(entry) != 0 || !ka_cas_ptr(entry, &none, SEGMENT_MAKING))
            continue;
        uint32_t end = ka_load_relaxed_32(&heap->table->segment_end);
        while (end <= *number && !ka_cas_32(&heap->table->segment_end, &end, *number + 1))
            ;
        return true;
    }
    return false;
}

void ka_heap_entry_set(ka_heap *heap, uint32_t number, ka_segment *segment)
{
    if (segment != NULL)
        segment->number = number;
    ka_store_release_ptr(&heap->table->segments[number], (uintptr_t)segment);
}

bool ka_heap_entry_wait(const uintptr_t *entry)
{
    for (unsigned patience = MAKER_PATIENCE; patience > 0; patience--) {
        if (ka_load_acquire_ptr(entry) != SEGMENT_MAKING)
            return true;
        ka_port_relax();
    }
    return false;
}

/* ---- the table and its range ---- */

/* Where the piece of the range with this number ends. */
static uintptr_t place_end(const ka_heap *heap, uint32_t place)
{
    size_t end = ((size_t)place + 1) << heap->segment_shift;
    return heap->base + ka_min(end, heap->size);
}

/* The length of the hash table: at most half of it is ever used. */
static uint32_t far_length(const ka_heap *heap, uint32_t places)
{
    uint64_t words = (uint64_t)(heap->segment_limit - places) * (heap->unaligned ? 2 : 1);
    return words == 0 ? 0 : UINT32_C(2) << (ka_highest_bit(2 * words - 1));
}

/* The table over zeroed memory at `at`. Returns where it ends; with `write` false that is all. */
static uintptr_t table_lay_out(ka_heap *heap, uintptr_t at, unsigned min_blocks, bool write)
{
    uint32_t places = heap->size == 0 ? 0 : (uint32_t)((heap->size - 1) >> heap->segment_shift) + 1;
    uint32_t far = far_length(heap, places);
    ka_heap_table *table = (ka_heap_table *)carve(&at, sizeof(ka_heap_table));
    uintptr_t *segments = (uintptr_t *)carve(&at, heap->segment_limit * sizeof(uintptr_t));
    uintptr_t *in_range = (uintptr_t *)carve(&at, places * sizeof(uintptr_t));
    uint64_t *hash = (uint64_t *)carve(&at, far * sizeof(uint64_t));
    uint32_t *starts = (uint32_t *)carve(&at, heap->nodes * KA_CLASS_COUNT * sizeof(uint32_t));
    ka_heap_refills *refills = (ka_heap_refills *)carve(&at, heap->nodes * sizeof(ka_heap_refills));
    uintptr_t *delayed = (uintptr_t *)carve(&at, heap->hardened ? KA_HEAP_DELAYED * sizeof(uintptr_t) : 0);
    uintptr_t *magazines = (uintptr_t *)carve(&at, (KA_PORT_MAX_CPUS + 1) * sizeof(uintptr_t));
    if (!write)
        return at;
    heap->table = table;
    table->segments = segments;
    table->places = in_range;
    table->place_count = places;
    table->slots = KA_PORT_MAX_CPUS + 1;
    table->far = hash;
    table->delayed = delayed;
    table->starts = starts;
    table->refills = refills;
    table->far_shift = far == 0 ? 0 : 64 - ka_highest_bit(far);
    heap->magazines = magazines;
    for (unsigned slot = 0; slot <= KA_PORT_MAX_CPUS; slot++)
        heap->magazines[slot] = (uintptr_t)&ka_no_magazines;
    ka_classes_init(&heap->table->classes, heap->page_shift, min_blocks);
    return at;
}

/* The first segment answers unsized frees by a shorter way. */
static void segment_0_set(ka_heap *heap, const ka_segment *segment)
{
    heap->map0 = segment->slabs.map;
    heap->pages0 = segment->slabs.pages;
    heap->base0 = segment->base;
    heap->size0 = (size_t)segment->page_count << heap->page_shift;
}

static bool table_make_in_range(ka_heap *heap, unsigned min_blocks)
{
    uintptr_t end = place_end(heap, 0), base;
    uintptr_t at = table_lay_out(heap, heap->base, min_blocks, false);
    if (at >= end)
        return false;
    ka_segment_layout layout = lay_out_between(heap, at, end, &base);
    if (base >= end || base - heap->base > (end - heap->base) / 2 ||
        (!ka_heap_record_commit(heap, heap->base, base - heap->base, heap->node) &&
         !ka_heap_record_commit(heap, heap->base, base - heap->base, KA_ANY_NODE)))
        return false;
    (void)table_lay_out(heap, heap->base, min_blocks, true);
    ka_segment *segment = write_between(heap, &layout, base, end, heap->node);
    segment_0_set(heap, segment);
    uint32_t number;
    (void)ka_heap_entry_take(heap, &number);
    heap->held = heap->size;
    ka_store_release_ptr(&heap->table->places[0], (uintptr_t)segment);
    ka_heap_entry_set(heap, number, segment);
    return true;
}

static bool table_make_scattered(ka_heap *heap, unsigned min_blocks)
{
    size_t bytes = ka_round_up(table_lay_out(heap, 0, min_blocks, false), ka_heap_page(heap));
    uintptr_t table = ka_heap_record_reserve(heap, bytes);
    if (table == 0)
        return false;
    (void)table_lay_out(heap, table, min_blocks, true);
    heap->table_bytes = bytes;
    bool made = false;
    for (unsigned i = 0; !made && i < heap->nodes; i++)
        made = ka_heap_scattered_make(heap, (heap->node + i) % heap->nodes);
    if (!made) {
        ka_heap_scattered_end(heap);
        return false;
    }
    segment_0_set(heap, ka_heap_segment_at(heap, 0));
    return true;
}

bool ka_heap_table_make(ka_heap *heap, unsigned min_blocks)
{
    return heap->scattered ? table_make_scattered(heap, min_blocks) : table_make_in_range(heap, min_blocks);
}

/* Reserves the next piece of the range. If somebody is making one at this moment, waits a while for it, and returns
 * false with *made true when it is there. A maker that never ends (the other threads of a process that forked) is
 * passed over. */
static bool place_take(ka_heap *heap, uint32_t *place, bool *made)
{
    *made = false;
    for (*place = 0; *place < heap->table->place_count; ++*place) {
        uintptr_t *entry = &heap->table->places[*place], none = 0;
        if (ka_load_relaxed_ptr(entry) == SEGMENT_MAKING && ka_heap_entry_wait(entry)) {
            *made = true;
            return false;
        }
        if (ka_load_relaxed_ptr(entry) == 0 && ka_cas_ptr(entry, &none, SEGMENT_MAKING))
            return true;
    }
    return false;
}

static bool make_in_range(ka_heap *heap, uint32_t node)
{
    uint32_t place, number;
    bool made;
    if (!place_take(heap, &place, &made))
        return made;
    ka_segment *segment = NULL;
    if (ka_heap_entry_take(heap, &number)) {
        uintptr_t at = heap->base + ((uintptr_t)place << heap->segment_shift);
        segment = ka_segment_make_in(heap, at, place_end(heap, place), node);
        ka_store_release_ptr(&heap->table->places[place], (uintptr_t)segment);
        ka_heap_entry_set(heap, number, segment);
    } else {
        ka_store_release_ptr(&heap->table->places[place], 0);
    }
    return segment != NULL;
}

bool ka_heap_segment_make(ka_heap *heap, ka_flags flags, uint32_t node)
{
    if (node == KA_ANY_NODE)
        node = heap->node;
    if (heap->has_source && !ka_page_source_may_commit(&heap->source, flags))
        return false;
    if (!heap->scattered)
        return make_in_range(heap, node);
    return ka_page_source_may_reserve(&heap->source, flags) && ka_heap_scattered_make(heap, node);
}
