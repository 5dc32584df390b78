/* heap/supply.c: where the magazines get blocks from, and where blocks and pages go back: slabs over runs over the page
 * source. The theory is at the head of heap.c. */
#include "heap/core.h"

/* A run from the first segment that has one; KA_NO_PAGE if none has. What was never used of a segment is opened before
 * the next one is asked, but not when the source has just said no: a longer search would find nothing there either. */
static uint32_t pages_claim_here(ka_heap *heap, uint32_t count, uint32_t align, unsigned flags, ka_segment **in,
                                 bool *refused)
{
    uint32_t at = 0, wanted = (uint32_t)ka_min((size_t)count + align, KA_PAGE_LIMIT);
    *refused = false;
    KA_HEAP_EACH_SEGMENT (heap, segment, at) {
        bool here;
        uint32_t page;
        do {
            page = ka_runs_claim_or_say(&segment->runs, count, align, flags, &here);
            *refused |= here;
        } while (page == KA_NO_PAGE && !here && (!heap->has_source || (flags & KA_RUNS_COMMIT) != 0) &&
                 ka_segment_open(heap, segment, wanted));
        if (page != KA_NO_PAGE) {
            *in = segment;
            return page;
        }
        if (here)
            flags &= ~KA_RUNS_COMMIT;
    }
    return KA_NO_PAGE;
}

static void tell_low_water(ka_heap *heap)
{
    if (KA_LIKELY(heap->low_water == NULL))
        return;
    size_t left = ka_heap_free_committed(heap);
    if (left < heap->low_water_bytes)
        heap->low_water(heap->low_water_context, heap, left);
}

/* More than `keep`, and more than a quarter of what is used, is committed and not used: time to give it back. */
static bool trim_is_due(const ka_heap *heap)
{
    uintptr_t used = ka_load_relaxed_ptr(&heap->pages_used), touched = ka_load_relaxed_ptr(&heap->pages_touched);
    return touched > used && touched - used > (heap->keep >> heap->page_shift) + used / 4;
}

/* Whether a segment that is made now is sure to serve the request. */
static bool new_segment_serves(const ka_heap *heap, uint32_t count, uint32_t align)
{
    size_t pages = (size_t)1 << (heap->segment_shift - heap->page_shift);
    return !heap->unaligned || (size_t)count + align - 1 <= pages;
}

uint32_t ka_heap_pages_claim(ka_heap *heap, uint32_t count, uint32_t align, ka_flags flags, ka_segment **in)
{
    unsigned how = ka_heap_run_flags(heap, flags);
    if ((heap->has_source || heap->scattered) && ka_heap_may_sleep(flags) && trim_is_due(heap))
        (void)ka_heap_trim(heap, heap->keep);
    if (count > UINT32_C(1) << (heap->segment_shift - heap->page_shift))
        return KA_NO_PAGE; /* longer than any segment */
    bool refused;
    /* What this CPU has parked is used before more memory is. */
    uint32_t page = pages_claim_here(heap, count, align, how & ~KA_RUNS_COMMIT, in, &refused);
    if (page == KA_NO_PAGE && ka_heap_unpark_for(heap, count))
        page = pages_claim_here(heap, count, align, how & ~KA_RUNS_COMMIT, in, &refused);
    if (page == KA_NO_PAGE)
        page = pages_claim_here(heap, count, align, how, in, &refused);
    while (page == KA_NO_PAGE && !refused && new_segment_serves(heap, count, align) && ka_heap_segment_make(heap, flags))
        page = pages_claim_here(heap, count, align, how, in, &refused);
    if (page == KA_NO_PAGE && ka_heap_break_up(heap))
        page = pages_claim_here(heap, count, align, how, in, &refused);
    if (page == KA_NO_PAGE)
        return KA_NO_PAGE;
    ka_heap_count_pages_out(heap, count);
    tell_low_water(heap);
    return page;
}

void ka_heap_pages_release(ka_heap *heap, ka_segment *segment, uint32_t page, uint32_t count)
{
    (void)ka_runs_release(&segment->runs, page, count);
    ka_heap_count_pages_in(heap, count);
}

/* ---- slabs ---- */

/* Makes the slab's pages free if all its blocks are in it. */
static bool slab_end(ka_heap *heap, ka_segment *segment, uint32_t page, unsigned class)
{
    if (!ka_slab_reclaim(&segment->slabs, page))
        return false;
    ka_fetch_add_32(&heap->table->counts[class].slabs, UINT32_MAX);
    ka_heap_pages_release(heap, segment, page, ka_runs_length(&segment->runs, page));
    return true;
}

bool ka_heap_break_up(ka_heap *heap)
{
    bool any = false;
    uint32_t at = 0;
    KA_HEAP_EACH_SEGMENT (heap, segment, at) {
        for (uint32_t page = ka_slab_next(&segment->slabs, 0); page != KA_NO_PAGE;
             page = ka_slab_next(&segment->slabs, page + 1)) {
            uint32_t descriptor = ka_load_relaxed_32(&segment->slabs.pages[page]);
            any |= ka_page_is_slab_first(descriptor) && slab_end(heap, segment, page, ka_page_slab_class(descriptor));
        }
    }
    return any;
}

/* Blocks from the slabs there are: by the hints, or with `all` by looking at every slab. Any context. */
bool ka_heap_slabs_take(ka_heap *heap, unsigned class, unsigned max, bool all, ka_slab_batch *out)
{
    uint32_t first = ka_load_relaxed_32(&heap->table->counts[class].segment), end = ka_heap_segment_end(heap);
    for (uint32_t i = first;;) {
        ka_segment *segment = ka_heap_segment_at(heap, i);
        if (segment != NULL && (all ? ka_slab_take_any(&segment->slabs, class, max, out)
                                    : ka_slab_refill(&segment->slabs, class, 0, max, out))) {
            if (i != first)
                ka_store_relaxed_32(&heap->table->counts[class].segment, i);
            return true;
        }
        i = i + 1 >= end ? 0 : i + 1;
        if (i == first)
            return false;
    }
}

static bool slab_make(ka_heap *heap, unsigned class, unsigned max, ka_flags flags, ka_slab_batch *out)
{
    ka_segment *segment = NULL;
    uint32_t page = ka_heap_pages_claim(heap, heap->table->classes.of[class].pages, 1, flags & ~KA_ZERO, &segment);
    if (page == KA_NO_PAGE)
        return false;
    *out = ka_slab_create(&segment->slabs, page, class, max);
    ka_fetch_add_32(&heap->table->counts[class].slabs, 1);
    return true;
}

/* Up to `max` blocks, by every means that the flags allow. */
bool ka_heap_blocks_take(ka_heap *heap, unsigned class, unsigned max, ka_flags flags, ka_slab_batch *out)
{
    bool taken = ka_heap_slabs_take(heap, class, max, false, out) || slab_make(heap, class, max, flags, out) ||
                 ka_heap_slabs_take(heap, class, max, true, out);
    if (taken)
        ka_heap_count_out(heap, (size_t)ka_count_bits(out->bits) * out->size);
    return taken;
}

static void report_doubled(ka_heap *heap, const ka_slab_batch *batch, const void *site)
{
    for (uint64_t bits = batch->bits; bits != 0; bits &= bits - 1) {
        ka_heap_count_out(heap, batch->size); /* it was counted in twice */
        ka_heap_report(heap, KA_MISUSE_DOUBLE_FREE,
                       (void *)(batch->first + (uintptr_t)ka_lowest_bit(bits) * batch->size), batch->size, site);
    }
}

/* What is wrong with a block that does not belong where its owner said. */
ka_misuse ka_heap_misuse_of(const ka_heap *heap, const ka_segment *segment, const void *block)
{
    ka_slab_place place;
    ka_slab_verdict found = KA_SLAB_FOREIGN;
    if (segment != NULL)
        found = ka_slab_find(&segment->slabs, (uintptr_t)block, &place);
    if (found == KA_SLAB_FOREIGN)
        return KA_MISUSE_FOREIGN;
    if (found != KA_SLAB_CLASS)
        return found == KA_SLAB_INSIDE ? KA_MISUSE_INTERIOR : KA_MISUSE_WRONG_SIZE;
    uint32_t page = ka_segment_page_of(heap, segment, block);
    if (ka_runs_length(&segment->runs, page) != 0 && (uintptr_t)block % ka_heap_page(heap) == 0)
        return KA_MISUSE_WRONG_SIZE;
    bool parked = ka_page_is_parked(ka_load_relaxed_32(&segment->runs.pages[page]));
    return parked || ka_runs_is_free(&segment->runs, page) ? KA_MISUSE_DOUBLE_FREE
                                                           : KA_MISUSE_INTERIOR; /* inside of a run */
}

void ka_heap_blocks_put(ka_heap *heap, unsigned class, void *const *blocks, uint32_t count, const void *site)
{
    while (count > 0) {
        ka_segment *segment = ka_heap_segment_of(heap, blocks[0]);
        ka_slab_result result = { 0, KA_SLAB_FOREIGN, KA_NO_PAGE, { 0, 0, 0, 0 } };
        if (segment != NULL)
            ka_slab_put(&segment->slabs, class, blocks, count, &result);
        ka_heap_count_in(heap, result.count * ka_heap_class_size(heap, class));
        blocks += result.count;
        count -= result.count;
        if (result.full_page != KA_NO_PAGE && ka_load_relaxed_32(&heap->table->counts[class].slabs) > 1)
            (void)slab_end(heap, segment, result.full_page, class);
        if (KA_LIKELY(result.verdict == KA_SLAB_FINE))
            continue;
        if (result.verdict == KA_SLAB_DOUBLED) {
            report_doubled(heap, &result.doubled, site);
        } else if (result.count == 0 || result.verdict != KA_SLAB_FOREIGN) {
            ka_heap_report(heap, ka_heap_misuse_of(heap, segment, blocks[0]), blocks[0],
                           ka_heap_class_size(heap, class), site);
            blocks++;
            count--;
        }
    }
}

/* ---- commit and trim ---- */

static uint32_t segment_commit(ka_heap *heap, ka_segment *segment, uint32_t want)
{
    uint32_t have = ka_runs_commit(&segment->runs, want);
    while (have < want && ka_segment_open(heap, segment, want - have))
        have = ka_runs_commit(&segment->runs, want);
    return have;
}

size_t ka_heap_commit(ka_heap *heap, size_t bytes)
{
    size_t want = ka_round_up(bytes, ka_heap_page(heap)) >> heap->page_shift, have;
    do {
        uint32_t at = 0;
        have = 0;
        KA_HEAP_EACH_SEGMENT (heap, segment, at) {
            if (have < want)
                have += segment_commit(heap, segment, (uint32_t)ka_min(want - have, KA_PAGE_LIMIT));
        }
    } while (have < want && ka_heap_segment_make(heap, 0));
    return ka_heap_free_committed(heap);
}

void ka_heap_set_low_water(ka_heap *heap, size_t bytes, ka_low_water *low_water, void *context)
{
    heap->low_water = NULL;
    heap->low_water_bytes = bytes;
    heap->low_water_context = context;
    heap->low_water = low_water;
}

size_t ka_heap_trim(ka_heap *heap, size_t keep)
{
    ka_store_relaxed_ptr(&heap->pages_touched, 0);
    ka_heap_break_up(heap);
    size_t given = heap->scattered ? ka_heap_scattered_trim(heap, keep) >> heap->page_shift : 0;
    size_t left = keep >> heap->page_shift;
    uint32_t at = 0;
    KA_HEAP_EACH_SEGMENT (heap, segment, at) {
        ka_runs_stats census;
        ka_runs_census(&segment->runs, &census);
        size_t here = ka_min(left, census.free_committed);
        left -= here;
        given += ka_runs_trim(&segment->runs, (uint32_t)here);
    }
    return given << heap->page_shift;
}
