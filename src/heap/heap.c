/* heap/heap.c: the general heap: magazines over slabs over page runs.
 *
 *     ka_heap_alloc                      ka_heap_free
 *        |  ^ one block                     |
 *     [ magazine of this CPU and class ]  <-'     per-CPU arrays (magazine.h): no atomics, no bitmaps, no block touched
 *        ^  up to 64 at once   | half of it
 *     [ slab: a bit for each block, out of line ]  engine/slab.c: one atomic exchange, one fetch-or per word
 *        ^  some pages         | when all bits are set
 *     [ runs of pages in segments ]                engine/runs.c: bitmaps, compare-exchange per word
 *        ^  commit             | trim
 *     [ page source ]
 *
 * State lives in bitmaps and per-CPU arrays, never in blocks. A free list in the blocks would be touched at each step, could
 * be overwritten, and needs a lock or a doubled compare-exchange; bits need neither, and 64 of them change hands at once.
 *
 * Any context. An interrupt, NMI or signal handler that lands while the interrupted code is inside the magazines sees them
 * busy and goes to the bitmaps for its one block. Everything below the magazines is lock-free: a step is repeated only
 * because another CPU's succeeded. With KA_ANY_CONTEXT or any flag that the page source does not list, nothing is
 * committed: such requests live on committed pages, of which ka_heap_commit keeps some ready. Large blocks are page runs and
 * follow the same rule: no lock, so an interrupted holder cannot exist.
 *
 * free never calls the page source. Memory goes back in ka_heap_trim, or in an allocation that may sleep and finds that
 * more than `keep` bytes were released since the last time.
 *
 * Refusals. NULL comes when neither the magazines of this CPU, nor any slab, nor the runs (also after all empty slabs have
 * been broken up) can serve. Blocks that other CPUs keep in their magazines are not seen: at most
 * size/64 of the heap for each class, and none in heaps below 4 MiB for each CPU, where magazines hold nothing.
 *
 * Shortcomings. A slab with one live block keeps its pages. A class has no fallback to a larger one when the heap is
 * nearly full. Magazines are sized for the worst case in address space: about 36 KiB for each CPU.
 *
 * Magazines over slabs are Bonwick's ("Magazines and Vmem", 2001); bitmaps instead of lists, and the busy mark instead of
 * disabled interrupts, are ours.
 */
#include <ka/handler.h>
#include <ka/heap.h>

#include "base/mem.h"
#include "heap/core.h"
#include "heap/fast.h"

ka_magazines ka_no_magazines = { .busy = 1 };
uintptr_t ka_no_slots[1] = { (uintptr_t)&ka_no_magazines };

/* ---- counting: at refill and flush only ---- */

static void count_out(ka_heap *heap, size_t bytes)
{
    uintptr_t now = ka_fetch_add_ptr(&heap->outside, bytes) + bytes;
    uintptr_t peak = ka_load_relaxed_ptr(&heap->peak);
    while (now > peak && !ka_cas_ptr(&heap->peak, &peak, now))
        ;
}

static void count_in(ka_heap *heap, size_t bytes)
{
    ka_fetch_add_ptr(&heap->outside, (uintptr_t)0 - bytes);
}

static void count_pages_out(ka_heap *heap, size_t pages)
{
    uintptr_t now = ka_fetch_add_ptr(&heap->pages_used, pages) + pages;
    if (now > ka_load_relaxed_ptr(&heap->pages_touched))
        ka_store_relaxed_ptr(&heap->pages_touched, now); /* an estimate: a lost race does not matter */
}

static void count_pages_in(ka_heap *heap, size_t pages)
{
    ka_fetch_add_ptr(&heap->pages_used, (uintptr_t)0 - pages);
}

static size_t class_size(const ka_heap *heap, unsigned class)
{
    return heap->table->classes.of[class].size;
}

/* ---- pages ---- */

static bool may_sleep(ka_flags flags)
{
    return (flags & (KA_NOWAIT | KA_ATOMIC | KA_ANY_CONTEXT)) == 0;
}

static unsigned run_flags(const ka_heap *heap, ka_flags flags)
{
    bool commit = heap->has_source && ka_page_source_may_commit(&heap->source, flags);
    return (commit ? KA_RUNS_COMMIT : 0) | ((flags & KA_ZERO) != 0 ? KA_RUNS_CLEAR : 0);
}

/* A run from the first segment that has one; KA_NO_PAGE if none has. */
static uint32_t pages_claim_here(ka_heap *heap, uint32_t count, uint32_t align, unsigned flags, ka_segment **in)
{
    uint32_t at = 0;
    KA_HEAP_EACH_SEGMENT(heap, segment, at)
    {
        uint32_t page;
        do {
            page = ka_runs_claim(&segment->runs, count, align, flags);
        } while (page == KA_NO_PAGE && (!heap->has_source || (flags & KA_RUNS_COMMIT) != 0) &&
                 ka_segment_open(heap, segment, (uint32_t)ka_min((size_t)count + align, KA_PAGE_LIMIT)));
        if (page != KA_NO_PAGE) {
            *in = segment;
            return page;
        }
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

uint32_t ka_heap_pages_claim(ka_heap *heap, uint32_t count, uint32_t align, ka_flags flags, ka_segment **in)
{
    unsigned how = run_flags(heap, flags);
    if (heap->has_source && may_sleep(flags) && trim_is_due(heap))
        (void)ka_heap_trim(heap, heap->keep);
    uint32_t page = pages_claim_here(heap, count, align, how, in);
    while (page == KA_NO_PAGE && (!heap->has_source || (how & KA_RUNS_COMMIT) != 0) && ka_heap_segment_make(heap))
        page = pages_claim_here(heap, count, align, how, in);
    if (page == KA_NO_PAGE && ka_heap_break_up(heap))
        page = pages_claim_here(heap, count, align, how, in);
    if (page == KA_NO_PAGE)
        return KA_NO_PAGE;
    count_pages_out(heap, count);
    tell_low_water(heap);
    return page;
}

void ka_heap_pages_release(ka_heap *heap, ka_segment *segment, uint32_t page, uint32_t count)
{
    (void)ka_runs_release(&segment->runs, page, count);
    count_pages_in(heap, count);
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
    KA_HEAP_EACH_SEGMENT(heap, segment, at)
    {
        for (uint32_t page = ka_slab_next(&segment->slabs, 0); page != KA_NO_PAGE;
             page = ka_slab_next(&segment->slabs, page + 1)) {
            uint32_t descriptor = ka_load_relaxed_32(&segment->slabs.pages[page]);
            any |= ka_page_is_slab_first(descriptor) && slab_end(heap, segment, page, ka_page_slab_class(descriptor));
        }
    }
    return any;
}

/* Blocks from the slabs there are: by the hints, or with `all` by looking at every slab. Any context. */
static bool slabs_take(ka_heap *heap, unsigned class, unsigned max, bool all, ka_slab_batch *out)
{
    uint32_t first = ka_load_relaxed_32(&heap->table->counts[class].segment);
    for (uint32_t i = first;;) {
        ka_segment *segment = ka_heap_segment_at(heap, i);
        if (segment != NULL && (all ? ka_slab_take_any(&segment->slabs, class, max, out)
                                    : ka_slab_refill(&segment->slabs, class, 0, max, out))) {
            if (i != first)
                ka_store_relaxed_32(&heap->table->counts[class].segment, i);
            return true;
        }
        i = segment == NULL || i + 1 == heap->segment_limit ? 0 : i + 1;
        if (i == first || (segment == NULL && first == 0))
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
static bool blocks_take(ka_heap *heap, unsigned class, unsigned max, ka_flags flags, ka_slab_batch *out)
{
    bool taken = slabs_take(heap, class, max, false, out) || slab_make(heap, class, max, flags, out) ||
                 slabs_take(heap, class, max, true, out);
    if (!taken && (flags & KA_ANY_CONTEXT) == 0) { /* what this CPU keeps of other classes may free a slab */
        ka_heap_flush(heap);
        taken = slabs_take(heap, class, max, false, out) || slab_make(heap, class, max, flags, out);
    }
    if (taken)
        count_out(heap, (size_t)ka_count_bits(out->bits) * out->size);
    return taken;
}

static void report(ka_heap *heap, ka_misuse kind, const void *block, size_t size, const void *site)
{
    ka_report_misuse(kind, &heap->allocator, block, size, site);
}

static void report_doubled(ka_heap *heap, const ka_slab_batch *batch, const void *site)
{
    for (uint64_t bits = batch->bits; bits != 0; bits &= bits - 1) {
        count_out(heap, batch->size); /* it was counted in twice */
        report(heap, KA_MISUSE_DOUBLE_FREE, (void *)(batch->first + (uintptr_t)ka_lowest_bit(bits) * batch->size),
               batch->size, site);
    }
}

/* What is wrong with a block that does not belong where its owner said. */
static ka_misuse misuse_of(const ka_heap *heap, const ka_segment *segment, const void *block)
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
    return ka_runs_is_free(&segment->runs, page) ? KA_MISUSE_DOUBLE_FREE : KA_MISUSE_INTERIOR; /* inside of a run */
}

void ka_heap_blocks_put(ka_heap *heap, unsigned class, void *const *blocks, uint32_t count, const void *site)
{
    while (count > 0) {
        ka_segment *segment = ka_heap_segment_of(heap, blocks[0]);
        ka_slab_result result = { 0, KA_SLAB_FOREIGN, KA_NO_PAGE, { 0, 0, 0, 0 } };
        if (segment != NULL)
            ka_slab_put(&segment->slabs, class, blocks, count, &result);
        count_in(heap, result.count * class_size(heap, class));
        blocks += result.count;
        count -= result.count;
        if (result.full_page != KA_NO_PAGE && ka_load_relaxed_32(&heap->table->counts[class].slabs) > 1)
            (void)slab_end(heap, segment, result.full_page, class);
        if (KA_LIKELY(result.verdict == KA_SLAB_FINE))
            continue;
        if (result.verdict == KA_SLAB_DOUBLED) {
            report_doubled(heap, &result.doubled, site);
        } else if (result.count == 0 || result.verdict != KA_SLAB_FOREIGN) {
            report(heap, misuse_of(heap, segment, blocks[0]), blocks[0], class_size(heap, class), site);
            blocks++;
            count--;
        }
    }
}

/* ---- magazines ---- */

static void batch_put_back(ka_heap *heap, const ka_slab_batch *batch)
{
    if (batch->bits == 0)
        return;
    count_in(heap, (size_t)ka_count_bits(batch->bits) * batch->size);
    ka_slab_put_batch(&ka_heap_segment_of(heap, (void *)batch->first)->slabs, batch);
}

static void *batch_pop(ka_slab_batch *batch)
{
    void *block = (void *)(batch->first + (uintptr_t)ka_lowest_bit(batch->bits) * batch->size);
    batch->bits &= batch->bits - 1;
    return block;
}

/* Moves the batch's blocks, as many as fit, into the magazine, so that they come out ascending by address. */
static void magazine_fill(ka_magazines *m, unsigned number, ka_slab_batch *batch)
{
    void **top = m->top[number], **end = m->end[number];
    while (batch->bits != 0 && top != end) {
        unsigned bit = ka_highest_bit(batch->bits);
        *top++ = (void *)(batch->first + (uintptr_t)bit * batch->size);
        batch->bits &= ~(UINT64_C(1) << bit);
    }
    m->top[number] = top;
}

/* How many blocks a refill asks for: half of what the magazine may hold now, and one for the caller. */
static unsigned refill_count(const ka_magazines *m, unsigned number)
{
    return (unsigned)ka_min((size_t)(m->end[number] - m->bottom[number]) / 2 + 1, 64);
}

/* How many blocks of the class a magazine may hold. */
static size_t magazine_limit(const ka_heap *heap, unsigned class)
{
    return ka_min(heap->table->magazine_bytes / class_size(heap, class), MAGAZINE_SLOTS);
}

/* Slots for all magazines, and for each the NULL below its bottom. */
static size_t slots_needed(const ka_heap *heap)
{
    size_t slots = 1;
    for (unsigned class = 0; class < KA_CLASS_COUNT; class++)
        slots += magazine_limit(heap, class) + 1;
    return slots;
}

static void magazine_set(ka_magazines *m, unsigned number, void **slots, size_t limit)
{
    slots[0] = NULL;
    m->top[number] = m->bottom[number] = slots + 1;
    m->end[number] = slots + 1 + ka_min(limit, MAGAZINE_START);
    m->limit[number] = slots + 1 + limit;
}

/* A run for `ahead` bytes and the slots; NULL if there is no memory. */
static void *magazines_run(ka_heap *heap, size_t ahead, ka_flags flags, uint32_t *pages)
{
    size_t bytes = ahead + slots_needed(heap) * sizeof(void *);
    *pages = (uint32_t)(ka_round_up(bytes, ka_heap_page(heap)) >> heap->page_shift);
    ka_segment *segment = NULL;
    uint32_t page = ka_heap_pages_claim(heap, *pages, 1, flags, &segment);
    return page == KA_NO_PAGE ? NULL : ka_segment_page_at(heap, segment, page);
}

static void run_give(ka_heap *heap, void *run, uint32_t pages)
{
    ka_segment *segment = ka_heap_segment_of(heap, run);
    ka_heap_pages_release(heap, segment, ka_segment_page_of(heap, segment, run), pages);
}

/* Makes `m` the slot's magazines. false: it has some already. */
static bool magazines_publish(ka_heap *heap, unsigned slot, ka_magazines *m, void *run, uint32_t pages, void **slots)
{
    m->run = run;
    m->run_pages = pages;
    magazine_set(m, 0, slots++, 0);
    for (unsigned class = 0; class < KA_CLASS_COUNT; class++) {
        size_t limit = magazine_limit(heap, class);
        magazine_set(m, ka_magazine_of_class(class), slots, limit);
        slots += limit + 1;
    }
    uintptr_t none = (uintptr_t)&ka_no_magazines;
    return ka_cas_ptr(&heap->magazines[slot], &none, (uintptr_t)m);
}

void ka_heap_attach(ka_heap *heap, unsigned slot, ka_magazines *m)
{
    uint32_t pages;
    void *run = heap->table->magazine_bytes == 0 ? NULL : magazines_run(heap, 0, 0, &pages);
    if (run == NULL)
        return;
    m->busy = 1;
    if (magazines_publish(heap, slot, m, run, pages, run))
        ka_port_busy_give(&m->busy);
    else
        run_give(heap, run, pages);
}

static void magazines_make(ka_heap *heap, unsigned slot, ka_flags flags)
{
    uint32_t pages;
    ka_magazines *m = magazines_run(heap, sizeof(ka_magazines), flags, &pages);
    if (m == NULL)
        return;
    m->busy = 0;
    if (!magazines_publish(heap, slot, m, m, pages, (void **)(m + 1)))
        run_give(heap, m, pages);
}

/* Gives this CPU magazines if it has none and the context allows it. */
static void magazines_want(ka_heap *heap, ka_flags flags)
{
    if (!may_sleep(flags) || heap->table->magazine_bytes == 0)
        return;
    unsigned slot = ka_port_slot_enter();
    if (slot != 0 && heap->magazines[slot] == (uintptr_t)&ka_no_magazines)
        magazines_make(heap, slot, flags);
}

/* ---- alloc ---- */

/* A block from the magazine, refilled from the slabs there are; never sleeps, never makes a slab. */
static void *block_from_magazine(ka_heap *heap, unsigned number)
{
    void *block = NULL;
    ka_port_pin_state pin = ka_port_pin();
    ka_magazines *m = ka_heap_magazines(heap);
    if (ka_port_busy_take(&m->busy)) {
        block = ka_magazine_pop(m, number);
        ka_slab_batch batch;
        if (block == NULL && slabs_take(heap, number - 1, refill_count(m, number), false, &batch)) {
            count_out(heap, (size_t)ka_count_bits(batch.bits) * batch.size);
            ka_magazine_widen(m, number);
            block = batch_pop(&batch);
            magazine_fill(m, number, &batch);
            batch_put_back(heap, &batch);
        }
        ka_port_busy_give(&m->busy);
    }
    ka_port_unpin(pin);
    return block;
}

void *ka_heap_block_alloc_slow(ka_heap *heap, unsigned number, ka_flags flags)
{
    magazines_want(heap, flags);
    void *block = block_from_magazine(heap, number);
    if (block != NULL)
        return block;
    ka_slab_batch batch;
    bool for_magazine = ka_port_slot() != 0; /* a guess where the code is not pinned; nothing depends on it */
    if (!blocks_take(heap, number - 1, for_magazine ? MAGAZINE_START : 1, flags, &batch))
        return NULL;
    block = batch_pop(&batch);
    if (batch.bits != 0) {
        ka_port_pin_state pin = ka_port_pin();
        ka_magazines *m = ka_heap_magazines(heap);
        if (ka_port_busy_take(&m->busy)) {
            magazine_fill(m, number, &batch);
            ka_port_busy_give(&m->busy);
        }
        ka_port_unpin(pin);
        batch_put_back(heap, &batch);
    }
    return block;
}

static void *run_alloc(ka_heap *heap, size_t size, size_t align, ka_flags flags)
{
    size_t pages = ka_round_up(size, ka_heap_page(heap)) >> heap->page_shift;
    size_t align_pages = ka_max(align >> heap->page_shift, 1);
    if (pages >= KA_PAGE_LIMIT || align_pages >= KA_PAGE_LIMIT)
        return NULL;
    ka_segment *segment = NULL;
    uint32_t page = ka_heap_pages_claim(heap, (uint32_t)pages, (uint32_t)align_pages, flags, &segment);
    if (page == KA_NO_PAGE && (flags & KA_ANY_CONTEXT) == 0) {
        ka_heap_flush(heap);
        page = ka_heap_pages_claim(heap, (uint32_t)pages, (uint32_t)align_pages, flags, &segment);
    }
    if (page == KA_NO_PAGE)
        return NULL;
    count_out(heap, pages << heap->page_shift);
    return ka_segment_page_at(heap, segment, page);
}

static void *heap_alloc(ka_heap *heap, size_t size, size_t align, ka_flags flags)
{
    if (KA_UNLIKELY(!ka_class_serves(size, align, heap->page_shift)))
        return run_alloc(heap, size, align, flags);
    void *block = ka_heap_block_alloc(heap, ka_magazine_of_class(ka_class_of_layout(size, align)), flags);
    if ((flags & KA_ZERO) != 0 && block != NULL)
        ka_clear(block, size);
    return block;
}

void *ka_heap_alloc(ka_heap *heap, size_t size, size_t align, ka_flags flags)
{
    if (KA_LIKELY(size - 1 < KA_CLASS_LARGEST && (align == 8 || align == 16) && flags == 0))
        return ka_heap_block_alloc(heap, ka_magazine_of_class(ka_class_of(size)), 0);
    if (!ka_request_valid(size, align, flags) || (flags & KA_PAGEABLE) != 0)
        return NULL;
    return size == 0 ? ka_empty_block(align) : heap_alloc(heap, size, align, flags);
}

size_t ka_heap_alloc_many(ka_heap *heap, size_t size, size_t align, ka_flags flags, size_t count, void **blocks)
{
    size_t done = 0;
    while (done < count && (blocks[done] = ka_heap_alloc(heap, size, align, flags)) != NULL)
        done++;
    return done;
}

/* ---- free ---- */

/* Puts the older half of a full magazine back into the slabs. The magazines are busy by the caller. */
static void magazine_flush_half(ka_heap *heap, ka_magazines *m, unsigned number, const void *site)
{
    void **bottom = m->bottom[number];
    uint32_t length = ka_magazine_length(m, number), out = length - length / 2;
    ka_heap_blocks_put(heap, number - 1, bottom, out, site);
    ka_move(bottom, bottom + out, (length - out) * sizeof(void *));
    m->top[number] = bottom + (length - out);
}

void ka_heap_block_free_slow(ka_heap *heap, unsigned number, void *block, const void *site)
{
    bool placed = false, doubled = false;
    ka_port_pin_state pin = ka_port_pin();
    ka_magazines *m = ka_heap_magazines(heap);
    if (ka_port_busy_take(&m->busy)) {
        doubled = m->top[number][-1] == block;
        if (!doubled) {
            if (m->top[number] == m->end[number])
                ka_magazine_widen(m, number);
            if (m->top[number] == m->end[number] && m->top[number] != m->bottom[number])
                magazine_flush_half(heap, m, number, site);
            placed = ka_magazine_push(m, number, block);
        }
        ka_port_busy_give(&m->busy);
    }
    ka_port_unpin(pin);
    if (doubled)
        report(heap, KA_MISUSE_DOUBLE_FREE, block, class_size(heap, number - 1), site);
    else if (!placed)
        ka_heap_blocks_put(heap, number - 1, &block, 1, site);
}

/* pages = 0: whatever the run has. */
static void run_free(ka_heap *heap, void *block, size_t pages, size_t size, const void *site)
{
    ka_segment *segment = ka_heap_segment_of(heap, block);
    uint32_t page = 0, length = 0;
    if (segment != NULL && (uintptr_t)block % ka_heap_page(heap) == 0) {
        page = ka_segment_page_of(heap, segment, block);
        length = ka_runs_length(&segment->runs, page);
    }
    if (length == 0 || (pages != 0 && pages != length) || !ka_runs_release(&segment->runs, page, length)) {
        report(heap, misuse_of(heap, segment, block), block, size, site);
        return;
    }
    count_pages_in(heap, length);
    count_in(heap, (size_t)length << heap->page_shift);
}

static void heap_free(ka_heap *heap, void *block, size_t size, size_t align, const void *site)
{
    if (KA_LIKELY(ka_class_serves(size, align, heap->page_shift)))
        ka_heap_block_free(heap, ka_magazine_of_class(ka_class_of_layout(size, align)), block, site);
    else
        run_free(heap, block, ka_round_up(size, ka_heap_page(heap)) >> heap->page_shift, size, site);
}

void ka_heap_free(ka_heap *heap, void *block, size_t size, size_t align)
{
    if (KA_LIKELY(size - 1 < KA_CLASS_LARGEST && align <= 16 && block != NULL))
        ka_heap_block_free(heap, ka_magazine_of_class(ka_class_of(size)), block, KA_RETURN_ADDRESS());
    else if (block != NULL && size != 0)
        heap_free(heap, block, size, align, KA_RETURN_ADDRESS());
}

void ka_heap_free_many(ka_heap *heap, size_t size, size_t align, size_t count, void **blocks)
{
    for (size_t i = 0; i < count; i++)
        ka_heap_free(heap, blocks[i], size, align);
}

static void free_unsized_slow(ka_heap *heap, void *block, const void *site)
{
    ka_segment *segment = ka_heap_segment_of(heap, block);
    if (segment == NULL) {
        if (block != NULL && !ka_is_power_of_two((uintptr_t)block)) /* NULL, and the block of size 0 */
            report(heap, KA_MISUSE_FOREIGN, block, 0, site);
        return;
    }
    uint32_t descriptor = ka_load_relaxed_32(&segment->slabs.pages[ka_segment_page_of(heap, segment, block)]);
    if (ka_page_is_slab(descriptor))
        ka_heap_block_free(heap, ka_magazine_of_class(ka_page_slab_class(descriptor)), block, site);
    else
        run_free(heap, block, 0, 0, site);
}

void ka_heap_free_unsized(ka_heap *heap, void *block)
{
    unsigned number = ka_heap_number_of(heap, block);
    if (KA_LIKELY(number != 0))
        ka_heap_block_free(heap, number, block, KA_RETURN_ADDRESS());
    else
        free_unsized_slow(heap, block, KA_RETURN_ADDRESS());
}

size_t ka_heap_usable(const ka_heap *heap, const void *block)
{
    const ka_segment *segment = ka_heap_segment_of(heap, block);
    if (segment == NULL)
        return 0;
    ka_slab_place place;
    ka_slab_verdict found = ka_slab_find(&segment->slabs, (uintptr_t)block, &place);
    if (KA_LIKELY(found == KA_SLAB_FINE))
        return class_size(heap, place.class);
    if (found != KA_SLAB_CLASS || (uintptr_t)block % ka_heap_page(heap) != 0)
        return 0;
    return (size_t)ka_runs_length(&segment->runs, ka_segment_page_of(heap, segment, block)) << heap->page_shift;
}

/* ---- resize ---- */

/* A run made longer or shorter where it is. false: it cannot be. */
static bool run_resize(ka_heap *heap, void *block, size_t old_pages, size_t new_pages, ka_flags flags)
{
    ka_segment *segment = ka_heap_segment_of(heap, block);
    if (segment == NULL || new_pages >= KA_PAGE_LIMIT)
        return false;
    uint32_t page = ka_segment_page_of(heap, segment, block);
    if (ka_runs_length(&segment->runs, page) != old_pages)
        return false;
    if (new_pages > old_pages) {
        unsigned how = run_flags(heap, flags & ~KA_ZERO);
        if (!ka_runs_extend(&segment->runs, page, (uint32_t)old_pages, (uint32_t)new_pages, how))
            return false;
        count_pages_out(heap, new_pages - old_pages);
        count_out(heap, (new_pages - old_pages) << heap->page_shift);
    } else if (new_pages < old_pages) {
        if (!ka_runs_shrink(&segment->runs, page, (uint32_t)old_pages, (uint32_t)new_pages))
            return false;
        count_pages_in(heap, old_pages - new_pages);
        count_in(heap, (old_pages - new_pages) << heap->page_shift);
    }
    return true;
}

static bool resize_in_place(ka_heap *heap, void *block, size_t old_size, size_t old_align, size_t new_size,
                            size_t new_align, ka_flags flags)
{
    bool old_small = ka_class_serves(old_size, old_align, heap->page_shift);
    bool new_small = ka_class_serves(new_size, new_align, heap->page_shift);
    if (old_small != new_small || (uintptr_t)block % new_align != 0)
        return false;
    if (old_small)
        return ka_class_of_layout(old_size, old_align) == ka_class_of_layout(new_size, new_align);
    size_t page = ka_heap_page(heap);
    return run_resize(heap, block, ka_round_up(old_size, page) >> heap->page_shift,
                      ka_round_up(new_size, page) >> heap->page_shift, flags);
}

static void *heap_resize(ka_heap *heap, void *block, size_t old_size, size_t old_align, size_t new_size,
                         size_t new_align, ka_flags flags, const void *site)
{
    void *result = block;
    if (!resize_in_place(heap, block, old_size, old_align, new_size, new_align, flags)) {
        result = heap_alloc(heap, new_size, new_align, flags & ~KA_ZERO);
        if (result == NULL)
            return NULL;
        ka_copy(result, block, ka_min(old_size, new_size));
        heap_free(heap, block, old_size, old_align, site);
    }
    if ((flags & KA_ZERO) != 0 && new_size > old_size)
        ka_clear((char *)result + old_size, new_size - old_size);
    return result;
}

void *ka_heap_resize(ka_heap *heap, void *block, size_t old_size, size_t old_align, size_t new_size, size_t new_align,
                     ka_flags flags)
{
    return ka_resize(&heap->allocator, block, old_size, old_align, new_size, new_align, flags);
}

/* ---- memory ---- */

static void magazines_empty(ka_heap *heap, ka_magazines *m)
{
    for (unsigned class = 0; class < KA_CLASS_COUNT; class++) {
        unsigned number = ka_magazine_of_class(class);
        ka_heap_blocks_put(heap, class, m->bottom[number], ka_magazine_length(m, number), NULL);
        m->top[number] = m->bottom[number];
    }
}

bool ka_heap_flush_slot(ka_heap *heap, unsigned slot)
{
    ka_magazines *m = ka_heap_magazines_of(heap, slot);
    if (m == &ka_no_magazines)
        return true;
    if (!ka_port_busy_take(&m->busy))
        return false;
    magazines_empty(heap, m);
    ka_port_busy_give(&m->busy);
    return true;
}

void ka_heap_retire_slot(ka_heap *heap, unsigned slot)
{
    ka_magazines *m = ka_heap_magazines_of(heap, slot);
    if (m == &ka_no_magazines)
        return;
    bool idle = ka_port_busy_take(&m->busy); /* stays busy: its owner is gone, or finds nothing there any more */
    ka_store_release_ptr(&heap->magazines[slot], (uintptr_t)&ka_no_magazines);
    if (idle) {
        magazines_empty(heap, m);
        run_give(heap, m->run, m->run_pages);
    }
}

void ka_heap_flush(ka_heap *heap)
{
    ka_port_pin_state pin = ka_port_pin();
    (void)ka_heap_flush_slot(heap, ka_port_slot());
    ka_port_unpin(pin);
}

static uint32_t segment_commit(ka_heap *heap, ka_segment *segment, uint32_t want)
{
    uint32_t have = ka_runs_commit(&segment->runs, want);
    while (have < want && ka_segment_open(heap, segment, want - have))
        have = ka_runs_commit(&segment->runs, want);
    return have;
}

size_t ka_heap_commit(ka_heap *heap, size_t bytes)
{
    size_t want = ka_round_up(bytes, ka_heap_page(heap)) >> heap->page_shift, have = 0;
    for (uint32_t i = 0; i < heap->segment_limit && have < want; i++) {
        ka_segment *segment = ka_heap_segment_at(heap, i);
        if (segment == NULL && (!ka_heap_segment_make(heap) || (segment = ka_heap_segment_at(heap, i)) == NULL))
            break;
        have += segment_commit(heap, segment, (uint32_t)ka_min(want - have, KA_PAGE_LIMIT));
    }
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
    size_t left = keep >> heap->page_shift, given = 0;
    uint32_t at = 0;
    KA_HEAP_EACH_SEGMENT(heap, segment, at)
    {
        ka_runs_stats census;
        ka_runs_census(&segment->runs, &census);
        size_t here = ka_min(left, census.free_committed);
        left -= here;
        given += ka_runs_trim(&segment->runs, (uint32_t)here);
    }
    return given << heap->page_shift;
}

/* ---- the interface ---- */

static ka_heap *heap_of(ka_allocator *self)
{
    return (ka_heap *)self;
}

static void *op_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    return (flags & KA_PAGEABLE) != 0 ? NULL : heap_alloc(heap_of(self), size, align, flags);
}

static void op_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    heap_free(heap_of(self), block, size, align, KA_RETURN_ADDRESS());
}

static void *op_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                       size_t new_align, ka_flags flags)
{
    if ((flags & KA_PAGEABLE) != 0)
        return NULL;
    return heap_resize(heap_of(self), block, old_size, old_align, new_size, new_align, flags, KA_RETURN_ADDRESS());
}

static size_t op_usable(ka_allocator *self, const void *block, size_t size, size_t align)
{
    const ka_heap *heap = heap_of(self);
    (void)block;
    if (ka_class_serves(size, align, heap->page_shift))
        return class_size(heap, ka_class_of_layout(size, align));
    return ka_round_up(size, ka_heap_page(heap));
}

static bool op_walk(ka_allocator *self, ka_visit *visit, void *context)
{
    return ka_heap_walk(heap_of(self), visit, context);
}

static void op_stats(ka_allocator *self, ka_stats *out)
{
    ka_heap_stats(heap_of(self), out);
}

static const char *op_check(ka_allocator *self)
{
    return ka_heap_check(heap_of(self));
}

const ka_allocator_ops ka_heap_ops = {
    .name = "heap",
    .alloc = op_alloc,
    .free = op_free,
    .resize = op_resize,
    .usable = op_usable,
    .walk = op_walk,
    .stats = op_stats,
    .check = op_check,
};
