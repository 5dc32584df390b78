/* heap/supply.c: where the magazines get blocks from, and where blocks and pages go back: slabs over runs over the page
 * source. The theory is at the head of heap.c. */
#include "heap/core.h"

#define END_SLABS      4u  /* looked at by ka_heap_slabs_end */
#define LONG_PAGES     32u /* idle blocks seldom make so long a run */
#define EXCHANGE_PAGES 9u  /* free pages often do not make so long a one */
#define EXCHANGE_SHARE 4u  /* of what is in use, which may be exchanged */

typedef struct request {
    uint32_t count, align; /* pages */
    ka_flags flags;
} request;

/* A run from the node's first segment that has one; KA_NO_PAGE if none has. What was never used of a segment is opened
 * before the next one is asked, but not when the source has just said no: a longer search would find nothing there
 * either. */
static uint32_t pages_claim_here(ka_heap *heap, const request *r, unsigned flags, uint32_t node, ka_segment **in,
                                 bool *refused)
{
    uint32_t at = 0, wanted = (uint32_t)ka_min((size_t)r->count + r->align, KA_PAGE_LIMIT);
    *refused = false;
    KA_HEAP_EACH_SEGMENT (heap, segment, at) {
        bool here;
        uint32_t page;
        if (!ka_segment_is_on(segment, node))
            continue;
        do {
            page = ka_runs_claim_or_say(&segment->runs, r->count, r->align, flags, &here);
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

/* How many pages may be exchanged for the request: see pages_exchange. A few are not worth the search. */
static uint32_t exchange_most(const ka_heap *heap, const request *r)
{
    if (!heap->compact || r->count < EXCHANGE_PAGES || !ka_heap_may_sleep(r->flags) || heap->low_water != NULL)
        return 0;
    uintptr_t most = ka_load_relaxed_ptr(&heap->pages_used) / EXCHANGE_SHARE;
    uintptr_t exchanged = ka_load_relaxed_ptr(&heap->table->exchanged), left = exchanged < most ? most - exchanged : 0;
    return left >= r->count ? r->count : left >= most / 4 ? (uint32_t)left : 0;
}

/* A long run is about to be committed for want of one that is free in one piece: as many free pages in shorter pieces
 * go back, so that the process does not become larger. It costs page faults or the like later, so all of them together
 * are a share of what is in use. */
static void pages_exchange(ka_heap *heap, uint32_t wanted)
{
    uint32_t at = 0, left = wanted;
    KA_HEAP_EACH_SEGMENT (heap, segment, at) {
        if (left == 0)
            break;
        ka_runs_stats census;
        ka_runs_census(&segment->runs, &census);
        left -= ka_runs_trim(&segment->runs, census.free_committed - (uint32_t)ka_min(census.free_committed, left));
    }
    if (left != wanted)
        ka_fetch_add_ptr(&heap->table->exchanged, wanted - left);
}

/* Whether a segment that is made now is sure to serve the request. */
static bool new_segment_serves(const ka_heap *heap, const request *r)
{
    size_t pages = (size_t)1 << (heap->segment_shift - heap->page_shift);
    return !heap->unaligned || (size_t)r->count + r->align - 1 <= pages;
}

/* A run on this node, or on any, by every means but other nodes. What this CPU has parked, or holds without use, serves
 * before more memory does. */
static uint32_t pages_claim_on(ka_heap *heap, const request *r, uint32_t node, ka_segment **in)
{
    unsigned how = ka_heap_run_flags(heap, r->flags);
    bool refused;
    uint32_t page = pages_claim_here(heap, r, how & ~KA_RUNS_COMMIT, node, in, &refused);
    while (page == KA_NO_PAGE && ka_heap_unpark_for(heap, r->count))
        page = pages_claim_here(heap, r, how & ~KA_RUNS_COMMIT, node, in, &refused);
    uint32_t exchange = page == KA_NO_PAGE ? exchange_most(heap, r) : 0;
    if (page == KA_NO_PAGE && (how & KA_RUNS_COMMIT) != 0 && (r->count < LONG_PAGES || exchange > 0) &&
        ka_heap_idle_release(heap))
        page = pages_claim_here(heap, r, how & ~KA_RUNS_COMMIT, node, in, &refused);
    if (page == KA_NO_PAGE) {
        pages_exchange(heap, exchange);
        page = pages_claim_here(heap, r, how, node, in, &refused);
    }
    while (page == KA_NO_PAGE && !refused && new_segment_serves(heap, r) && ka_heap_segment_make(heap, r->flags, node))
        page = pages_claim_here(heap, r, how, node, in, &refused);
    return page;
}

/* The node's memory, then the other nodes' one after the other, then any memory behind any addresses. */
static uint32_t pages_claim_near(ka_heap *heap, const request *r, uint32_t node, ka_segment **in)
{
    bool refused;
    uint32_t page = pages_claim_on(heap, r, node, in);
    for (uint32_t i = 1; page == KA_NO_PAGE && i < heap->nodes; i++)
        page = pages_claim_on(heap, r, (node + i) % heap->nodes, in);
    if (page == KA_NO_PAGE && heap->nodes > 1) {
        ka_fetch_add_32(&heap->table->anywhere, 1);
        page = pages_claim_on(heap, r, KA_ANY_NODE, in);
        ka_fetch_add_32(&heap->table->anywhere, UINT32_MAX);
    }
    if (page == KA_NO_PAGE && ka_heap_break_up(heap))
        page = pages_claim_here(heap, r, ka_heap_run_flags(heap, r->flags), KA_ANY_NODE, in, &refused);
    return page;
}

/* only: on this node, or not at all; KA_ANY_NODE: the nearest that can be had. */
static uint32_t pages_claim(ka_heap *heap, const request *r, uint32_t only, ka_segment **in)
{
    if ((heap->has_source || heap->scattered) && ka_heap_may_sleep(r->flags) && trim_is_due(heap))
        (void)ka_heap_trim(heap, heap->keep);
    if (r->count > UINT32_C(1) << (heap->segment_shift - heap->page_shift))
        return KA_NO_PAGE; /* longer than any segment */
    uint32_t page = only != KA_ANY_NODE ? pages_claim_on(heap, r, only, in)
                                        : pages_claim_near(heap, r, ka_heap_node_here(heap), in);
    if (page == KA_NO_PAGE)
        return KA_NO_PAGE;
    ka_heap_count_pages_out(heap, r->count);
    tell_low_water(heap);
    return page;
}

uint32_t ka_heap_pages_claim(ka_heap *heap, uint32_t count, uint32_t align, ka_flags flags, ka_segment **in)
{
    return pages_claim(heap, &(request){ count, align, flags }, KA_ANY_NODE, in);
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
    ka_fetch_add_32(&heap->table->slabs[class], UINT32_MAX);
    ka_heap_pages_release(heap, segment, page, ka_runs_length(&segment->runs, page));
    return true;
}

bool ka_heap_slabs_end(ka_heap *heap, unsigned class)
{
    bool any = false;
    uint32_t at = 0, left = END_SLABS;
    KA_HEAP_EACH_SEGMENT (heap, segment, at) {
        for (uint32_t page = ka_slab_hinted(&segment->slabs, class, 0); page != KA_NO_PAGE && left > 0;
             page = ka_slab_hinted(&segment->slabs, class, page + 1), left--) {
            bool there = ka_load_relaxed_32(&segment->slabs.pages[page]) == ka_page_slab(class, 0);
            any |= there && slab_end(heap, segment, page, class);
        }
    }
    return any;
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

/* Where this CPU begins to look for blocks: CPUs at equal distances over the pages that were ever slabs. So they keep
 * out of each other's words; a heap of one CPU is filled from its lowest address on. */
static uint32_t start_here(const ka_heap *heap, const ka_segment *segment)
{
    unsigned slot = ka_port_slot(); /* a guess where the code is not pinned */
    uint32_t open = ka_load_relaxed_32(&segment->slabs.open), cpus = heap->table->cpus;
    return slot <= 1 ? 0 : (uint32_t)((uint64_t)open * ((slot - 1) % cpus) / cpus);
}

/* Blocks from the slabs of this node, or of any. */
static bool slabs_take_on(ka_heap *heap, unsigned class, unsigned max, bool all, uint32_t node, ka_slab_batch *out)
{
    uint32_t *start = &heap->table->starts[(node == KA_ANY_NODE ? 0 : node) * KA_CLASS_COUNT + class];
    uint32_t first = ka_load_relaxed_32(start), end = ka_heap_segment_end(heap);
    for (uint32_t i = first;;) {
        ka_segment *segment = ka_heap_segment_at(heap, i);
        if (segment != NULL && ka_segment_is_on(segment, node) &&
            (all ? ka_slab_take_any(&segment->slabs, class, max, out)
                 : ka_slab_refill(&segment->slabs, class, start_here(heap, segment), max, out))) {
            if (i != first)
                ka_store_relaxed_32(start, i);
            return true;
        }
        i = i + 1 >= end ? 0 : i + 1;
        if (i == first)
            return false;
    }
}

/* By the hints, of this CPU's node; or with `all` by looking at every slab of every node. Any context. */
bool ka_heap_slabs_take(ka_heap *heap, unsigned class, unsigned max, bool all, ka_slab_batch *out)
{
    uint32_t node = ka_heap_node_here(heap);
    if (!slabs_take_on(heap, class, max, all, all ? KA_ANY_NODE : node, out))
        return false;
    if (node != KA_ANY_NODE)
        ka_heap_count_refill(heap, node, ka_heap_own_segment(heap, (void *)out->first));
    return true;
}

/* only: as for pages_claim. */
static bool slab_make(ka_heap *heap, unsigned class, unsigned max, ka_flags flags, uint32_t only, ka_slab_batch *out)
{
    ka_segment *segment = NULL;
    request r = { heap->table->classes.of[class].pages, 1, flags & ~KA_ZERO };
    uint32_t page = pages_claim(heap, &r, only, &segment);
    if (page == KA_NO_PAGE)
        return false;
    *out = ka_slab_create(&segment->slabs, page, class, max);
    ka_fetch_add_32(&heap->table->slabs[class], 1);
    return true;
}

/* On a heap with several nodes: what the node has, a new slab there, what others have, a new slab anywhere. */
static bool near_take(ka_heap *heap, unsigned class, unsigned max, ka_flags flags, uint32_t node, ka_slab_batch *out)
{
    bool taken = slabs_take_on(heap, class, max, false, node, out) || slab_make(heap, class, max, flags, node, out) ||
                 slabs_take_on(heap, class, max, false, KA_ANY_NODE, out) ||
                 slab_make(heap, class, max, flags, KA_ANY_NODE, out) ||
                 slabs_take_on(heap, class, max, true, KA_ANY_NODE, out);
    if (taken)
        ka_heap_count_refill(heap, node, ka_heap_own_segment(heap, (void *)out->first));
    return taken;
}

/* Up to `max` blocks, by every means that the flags allow. */
bool ka_heap_blocks_take(ka_heap *heap, unsigned class, unsigned max, ka_flags flags, ka_slab_batch *out)
{
    uint32_t node = ka_heap_node_here(heap);
    bool taken = node != KA_ANY_NODE ? near_take(heap, class, max, flags, node, out)
                                     : slabs_take_on(heap, class, max, false, KA_ANY_NODE, out) ||
                                           slab_make(heap, class, max, flags, KA_ANY_NODE, out) ||
                                           slabs_take_on(heap, class, max, true, KA_ANY_NODE, out);
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

/* A slab that was kept: it may be anything by now. Only slabs of segment 0, which stays, are kept. */
static bool kept_end(ka_heap *heap, const void *slab)
{
    ka_segment *segment = ka_heap_own_segment(heap, slab);
    uint32_t page = ka_segment_page_of(heap, segment, slab);
    uint32_t descriptor = ka_load_relaxed_32(&segment->slabs.pages[page]);
    if (!ka_page_is_slab_first(descriptor))
        return false;
    unsigned class = ka_page_slab_class(descriptor);
    return ka_load_relaxed_32(&heap->table->slabs[class]) > 1 && slab_end(heap, segment, page, class);
}

bool ka_heap_empty_end(ka_heap *heap, ka_magazines *m)
{
    bool any = false;
    for (unsigned i = 0; i < KA_EMPTY_KEPT; i++) {
        any |= m->empty[i] != NULL && kept_end(heap, m->empty[i]);
        m->empty[i] = NULL;
    }
    return any;
}

static bool may_be_kept(const ka_heap *heap, const void *slab, unsigned class)
{
    return (uintptr_t)slab - heap->base0 < heap->size0 && heap->table->classes.of[class].pages <= KA_EMPTY_PAGES &&
           ka_load_relaxed_32(&heap->table->park_pages) == KA_PARK_LONGEST;
}

/* The slab is empty: it ends when enough others are, or at once. */
static void slab_empty(ka_heap *heap, ka_magazines *m, ka_segment *segment, uint32_t page, unsigned class)
{
    void *slab = ka_segment_page_at(heap, segment, page);
    if (m == NULL || !may_be_kept(heap, slab, class)) {
        if (ka_load_relaxed_32(&heap->table->slabs[class]) > 1)
            (void)slab_end(heap, segment, page, class);
        return;
    }
    void **place = &m->empty[m->empty_hand++ % KA_EMPTY_KEPT], *oldest = *place;
    *place = slab;
    if (oldest != NULL)
        (void)kept_end(heap, oldest);
}

void ka_heap_blocks_put(ka_heap *heap, unsigned class, void *const *blocks, uint32_t count, const void *site)
{
    ka_heap_blocks_put_here(heap, NULL, class, blocks, count, site);
}

void ka_heap_blocks_put_here(ka_heap *heap, ka_magazines *m, unsigned class, void *const *blocks, uint32_t count,
                             const void *site)
{
    while (count > 0) {
        ka_segment *segment = ka_heap_segment_of(heap, blocks[0]);
        ka_slab_result result = { 0, KA_SLAB_FOREIGN, KA_NO_PAGE, { 0, 0, 0, 0 } };
        if (segment != NULL)
            ka_slab_put(&segment->slabs, class, blocks, count, &result);
        ka_heap_count_in(heap, result.count * ka_heap_class_size(heap, class));
        blocks += result.count;
        count -= result.count;
        if (result.full_page != KA_NO_PAGE)
            slab_empty(heap, m, segment, result.full_page, class);
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
    } while (have < want && ka_heap_segment_make(heap, 0, ka_heap_node_here(heap)));
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
