/* heap/scatter.c: segments outside of the heap's range: those that the caller claims, and those that a source gives and
 * takes back one by one. What they are, and why a record never goes, is at the head of table.h.
 *
 * The hash table. A word for each segment: the upper bits of its address, and its number. It is searched from the place
 * that the bits hash to upwards, up to a word that is 0. A word is written once its segment is whole, and is steady as
 * long as somebody owns a page there; a word that is taken out becomes FAR_OLD, which is passed over and may be used
 * again. So who looks for the segment of a block of its own finds it, whatever others add and take out meanwhile.
 * Several claimed ranges may share their upper bits: each has its word. A segment that is aligned to a page only lies
 * across a border of the upper bits, and has a word for each side.
 *
 * Giving back. A trimmer owns all pages of a segment first, as if it had claimed one run of them (ka_runs_vacate). From
 * there on nobody finds anything in it, and whoever has read its record before owns nothing in it. Then the word goes,
 * then the memory; the record stays, for the next segment. That one has another address: so code that owns nothing yet
 * may see either base, and reads it again when it owns something.
 */
#include "base/assert.h"
#include "heap/core.h"

#define FAR_OLD         UINT64_C(1) /* was taken out */
#define FAR_NUMBER_BITS 20u

/* ---- the hash table ---- */

static uint64_t far_key(const ka_heap *heap, uintptr_t address)
{
    return (uint64_t)(address >> heap->segment_shift);
}

static uint64_t far_word(uint64_t key, uint32_t number)
{
    return key << FAR_NUMBER_BITS | (number + 2);
}

static uint32_t far_mask(const ka_heap *heap)
{
    return (UINT32_C(1) << (64 - heap->table->far_shift)) - 1;
}

static uint32_t far_start(const ka_heap *heap, uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> heap->table->far_shift);
}

static bool segment_has(const ka_heap *heap, const ka_segment *segment, uintptr_t address)
{
    uintptr_t base = ka_load_relaxed_ptr(&segment->base);
    return base != 0 && address - base < (uintptr_t)segment->page_count << heap->page_shift;
}

ka_segment *ka_heap_far_segment_of(const ka_heap *heap, uintptr_t address)
{
    if (heap->table->far_shift == 0)
        return NULL;
    uint64_t key = far_key(heap, address);
    uint32_t mask = far_mask(heap), at = far_start(heap, key);
    for (uint32_t i = 0; i <= mask; i++, at = (at + 1) & mask) {
        uint64_t word = ka_load_acquire_64(&heap->table->far[at]);
        if (word == 0)
            return NULL;
        if (word == FAR_OLD || word >> FAR_NUMBER_BITS != key)
            continue;
        uint32_t number = (uint32_t)(word & ((UINT32_C(1) << FAR_NUMBER_BITS) - 1)) - 2;
        ka_segment *segment = ka_heap_segment_at(heap, number);
        if (segment != NULL && segment_has(heap, segment, address))
            return segment;
    }
    return NULL;
}

static void word_add(ka_heap *heap, uint64_t key, uint32_t number)
{
    uint64_t word = far_word(key, number);
    uint32_t mask = far_mask(heap), at = far_start(heap, key);
    for (;; at = (at + 1) & mask) { /* at most half of the words are in use */
        uint64_t found = ka_load_relaxed_64(&heap->table->far[at]);
        if (found <= FAR_OLD && ka_cas_64(&heap->table->far[at], &found, word))
            return;
    }
}

static void word_remove(ka_heap *heap, uint64_t key, uint32_t number)
{
    uint64_t word = far_word(key, number);
    uint32_t mask = far_mask(heap), at = far_start(heap, key);
    while (ka_load_relaxed_64(&heap->table->far[at]) != word)
        at = (at + 1) & mask;
    ka_store_release_64(&heap->table->far[at], FAR_OLD);
}

/* Calls for the upper bits of the segment's first byte, and for those of the last one if they are others. */
static void far_each(ka_heap *heap, const ka_segment *segment, void (*call)(ka_heap *, uint64_t, uint32_t))
{
    uint64_t first = far_key(heap, segment->base);
    uint64_t last = far_key(heap, segment->base + ((uintptr_t)segment->page_count << heap->page_shift) - 1);
    call(heap, first, segment->number);
    if (last != first)
        call(heap, last, segment->number);
}

/* ---- claims ---- */

/* Where the piece that begins at `at` ends. */
static uintptr_t piece_end(const ka_heap *heap, uintptr_t at, uintptr_t end)
{
    uintptr_t size = (uintptr_t)1 << heap->segment_shift, left = size - (at & (size - 1));
    return left < end - at ? at + left : end;
}

/* Takes the records of a claim back. */
static void claim_undo(ka_heap *heap, ka_segment *made)
{
    while (made != NULL) {
        ka_segment *next = made->next;
        uintptr_t record = ka_round_down((uintptr_t)made, ka_heap_page(heap)), base = made->base;
        ka_heap_entry_set(heap, made->number, NULL);
        if (heap->has_source && heap->source.decommit != NULL)
            (void)heap->source.decommit(heap->source.context, (void *)record, base - record);
        made = next;
    }
}

/* The records of [at, end), which nobody can find yet. false: none was made. */
static bool claim_make(ka_heap *heap, uintptr_t at, uintptr_t end, uint32_t node, ka_segment **made)
{
    *made = NULL;
    for (uintptr_t next; at < end; at = next) {
        next = piece_end(heap, at, end);
        if (next - at < ka_max(KA_HEAP_MIN_CLAIM, 4 * ka_heap_page(heap)))
            continue; /* an end that is not worth a record */
        uint32_t number;
        bool entry = ka_heap_entry_take(heap, &number);
        ka_segment *segment = entry ? ka_segment_make_in(heap, at, next, node) : NULL;
        if (segment == NULL) {
            if (entry)
                ka_heap_entry_set(heap, number, NULL);
            claim_undo(heap, *made);
            return false;
        }
        segment->number = number;
        segment->next = *made;
        *made = segment;
    }
    return *made != NULL;
}

bool ka_heap_claim(ka_heap *heap, void *base, size_t size)
{
    return ka_heap_claim_on(heap, base, size, heap->node);
}

bool ka_heap_claim_on(ka_heap *heap, void *base, size_t size, unsigned node)
{
    size_t page = ka_heap_page(heap);
    uintptr_t at = (uintptr_t)base, end = ka_round_down(at + size, page);
    ka_segment *made;
    if (at == 0 || at % page != 0 || at + size < at || size < KA_HEAP_MIN_CLAIM || heap->table->far_shift == 0 ||
        heap->scattered || node >= heap->nodes || !claim_make(heap, at, end, node, &made))
        return false;
    ka_fetch_add_ptr(&heap->held, size);
    while (made != NULL) {
        ka_segment *next = made->next;
        far_each(heap, made, word_add);
        ka_heap_entry_set(heap, made->number, made);
        made = next;
    }
    ka_heap_magazines_size(heap);
    return true;
}

/* ---- segments of the source's ---- */

uintptr_t ka_heap_record_reserve(ka_heap *heap, size_t size)
{
    const ka_page_source *source = &heap->source;
    uintptr_t record = (uintptr_t)source->reserve(source->context, size, ka_heap_page(heap));
    if (record == 0)
        return 0;
    if (!ka_heap_record_commit(heap, record, size, KA_ANY_NODE)) {
        if (source->unreserve != NULL)
            source->unreserve(source->context, (void *)record, size);
        return 0;
    }
    ka_fetch_add_ptr(&heap->held, size);
    return record;
}

static uint32_t scattered_pages(const ka_heap *heap)
{
    return UINT32_C(1) << (heap->segment_shift - heap->page_shift);
}

static size_t scattered_record_bytes(const ka_heap *heap)
{
    return ka_round_up(ka_segment_lay_out(heap, 0, scattered_pages(heap)).end, ka_heap_page(heap));
}

static uintptr_t memory_take(ka_heap *heap, uint32_t node)
{
    const ka_page_source *source = &heap->source;
    size_t size = (size_t)1 << heap->segment_shift, align = heap->unaligned ? ka_heap_page(heap) : size;
    bool known = heap->nodes > 1 && source->reserve_on != NULL;
    uintptr_t base = known ? (uintptr_t)source->reserve_on(source->context, size, align, node) : 0;
    if (base == 0 && (!known || ka_load_relaxed_32(&heap->table->anywhere) != 0))
        base = (uintptr_t)source->reserve(source->context, size, align);
    KA_ASSERT(base % align == 0);
    if (base != 0)
        ka_fetch_add_ptr(&heap->held, size);
    return base;
}

static void memory_give(ka_heap *heap, uintptr_t base)
{
    size_t size = (size_t)1 << heap->segment_shift;
    ka_fetch_add_ptr(&heap->held, (uintptr_t)0 - size);
    if (heap->source.unreserve != NULL)
        heap->source.unreserve(heap->source.context, (void *)base, size);
}

/* Memory for a record that is nobody else's; others may look at it. */
static bool record_fill(ka_heap *heap, ka_segment *segment, uint32_t node)
{
    uintptr_t base = memory_take(heap, node);
    if (base == 0)
        return false;
    ka_store_relaxed_32(&segment->node, node);
    ka_store_relaxed_ptr(&segment->slabs.base, base);
    ka_store_relaxed_ptr(&segment->base, base);
    far_each(heap, segment, word_add);
    ka_runs_move(&segment->runs, base, heap->has_source ? 0 : KA_RUNS_COMMITTED);
    return true;
}

static ka_segment *record_make(ka_heap *heap, uint32_t number)
{
    uintptr_t record = ka_heap_record_reserve(heap, scattered_record_bytes(heap));
    if (record == 0)
        return NULL;
    ka_segment_layout layout = ka_segment_lay_out(heap, record, scattered_pages(heap));
    ka_segment *segment = ka_segment_write(heap, &layout, 0, scattered_pages(heap), 0);
    segment->opened = segment->page_count;
    segment->state = SEGMENT_COMING;
    segment->number = number;
    return segment;
}

/* A record whose segment has gone becomes the caller's. If somebody makes a segment at this moment, waits for it a
 * while: *made. */
static ka_segment *record_find(ka_heap *heap, bool *made)
{
    *made = false;
    for (uint32_t number = 0; number < ka_heap_segment_end(heap); number++) {
        const uintptr_t *entry = &heap->table->segments[number];
        if (ka_load_relaxed_ptr(entry) == SEGMENT_MAKING && ka_heap_entry_wait(entry)) {
            *made = true;
            return NULL;
        }
        ka_segment *segment = ka_heap_segment_at(heap, number);
        uint32_t gone = SEGMENT_GONE;
        if (segment != NULL && ka_cas_32(&segment->state, &gone, SEGMENT_COMING))
            return segment;
    }
    return NULL;
}

/* A new segment serves any request up to its length that is aligned to no more than that; if it lies anywhere, see
 * new_segment_serves. */
bool ka_heap_scattered_make(ka_heap *heap, uint32_t node)
{
    bool made;
    uint32_t number;
    ka_segment *segment = record_find(heap, &made);
    if (segment == NULL && (made || !ka_heap_entry_take(heap, &number)))
        return made;
    if (segment == NULL) {
        segment = record_make(heap, number);
        ka_heap_entry_set(heap, number, segment);
        if (segment == NULL)
            return false;
    }
    bool filled = record_fill(heap, segment, node);
    ka_store_release_32(&segment->state, filled ? SEGMENT_THERE : SEGMENT_GONE);
    return filled;
}

/* Gives the segment's memory back if nobody owns a page of it. */
static bool segment_retire(ka_heap *heap, ka_segment *segment)
{
    if (!ka_runs_vacate(&segment->runs))
        return false;
    uintptr_t base = segment->base;
    far_each(heap, segment, word_remove);
    ka_store_relaxed_ptr(&segment->base, 0);
    memory_give(heap, base);
    ka_store_release_32(&segment->state, SEGMENT_GONE);
    return true;
}

size_t ka_heap_scattered_trim(ka_heap *heap, size_t keep)
{
    size_t left = ka_heap_free_committed(heap), given = 0;
    for (uint32_t number = ka_heap_segment_end(heap); number-- > 1;) { /* the first one stays */
        ka_segment *segment = ka_heap_segment_at(heap, number);
        if (segment == NULL || heap->source.unreserve == NULL || ka_load_acquire_32(&segment->state) != SEGMENT_THERE)
            continue;
        ka_runs_stats census;
        ka_runs_census(&segment->runs, &census);
        size_t here = (size_t)census.free_committed << heap->page_shift;
        if (census.free != segment->page_count || (here != 0 && (here > left || left - here < keep)))
            continue;
        if (segment_retire(heap, segment)) {
            left -= ka_min(here, left);
            given += here;
        }
    }
    return given;
}

void ka_heap_scattered_end(ka_heap *heap)
{
    const ka_page_source *source = &heap->source;
    if (source->unreserve == NULL)
        return;
    for (uint32_t number = 0; number < ka_heap_segment_end(heap); number++) {
        ka_segment *segment = ka_heap_segment_at(heap, number);
        if (segment == NULL)
            continue;
        if (segment->base != 0)
            memory_give(heap, segment->base);
        source->unreserve(source->context, segment, scattered_record_bytes(heap));
    }
    source->unreserve(source->context, heap->table, heap->table_bytes);
}
