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
 * State lives in bitmaps and per-CPU arrays, never in blocks. A free list in the blocks would be touched at each step,
 * could be overwritten, and needs a lock or a doubled compare-exchange; bits need neither, and 64 of them change hands
 * at once.
 *
 * Any context. An interrupt, NMI or signal handler that lands while the interrupted code is inside the magazines sees
 * them busy and goes to the bitmaps for its one block. Everything below the magazines is lock-free: a step is repeated
 * only because another CPU's succeeded. With KA_ANY_CONTEXT or any flag that the page source does not list, nothing is
 * committed: such requests live on committed pages, of which ka_heap_commit keeps some ready. Large blocks are page
 * runs and follow the same rule: no lock, so an interrupted holder cannot exist.
 *
 * free never calls the page source. Memory goes back in ka_heap_trim, or in an allocation that may sleep and finds that
 * more than `keep` bytes, and more than a quarter of what is used, were used since the last trim and are not now.
 *
 * Large blocks that come and go: a CPU parks runs that it freed, up to 1 MiB each, four of each length, and hands them
 * out again for requests of the same length without a search. Their descriptors say so: a second free is found at once.
 * So that lengths meet again, runs of more than 16 pages are rounded up to eight lengths to a doubling.
 *
 * Refusals. NULL comes when neither the magazines of this CPU, nor any slab, nor the runs (also after all empty slabs
 * have been broken up) can serve. A request that may sleep first has all CPUs put back what they keep (ka_heap_drain).
 * For others, and where the port cannot reach other CPUs, what those keep is not seen: for each CPU at most a quarter
 * of its share of the heap, 64 KiB or 64 blocks of each class (256 KiB), and a sixteenth of it in parked runs, 16 MiB;
 * nothing where that share is below 4 MiB, as magazines hold nothing then. Where threads stand for CPUs, all that are
 * more than there are CPUs keep half as much together: each twice as many a quarter, down to nothing.
 *
 * Use. An array of the magazines may hold twice as many each time that it runs empty or full, and half as many when it
 * did neither while the others did: its older half goes back then (ka_heap_magazines_tend). Before memory is committed
 * those that nobody asks for are emptied (ka_heap_idle_release). Slabs that are empty after a flush stay for a while,
 * for whoever takes what this CPU frees: 32 small ones for each CPU of a large heap, and none when memory is committed,
 * or as soon as pages are lacking. What a CPU keeps that does nothing at all comes back by
 * ka_heap_drain, ka_heap_flush_slot, or at a thread's end.
 *
 * Segments. One range, further ranges that the caller claims, or segments that the source gives and takes back one by
 * one: table.h and scatter.c.
 *
 * Nodes. Where memory is nearer to some CPUs than to others, a segment is one node's: nodes.c.
 *
 * A hardened heap has no magazines, so that its calls leave the usual path by themselves: hardened.c.
 *
 * Shortcomings. A slab with one live block keeps its pages. A class has no fallback to a larger one when the heap is
 * nearly full. Magazines are sized for the worst case in address space: about 100 KiB for each CPU, of which only what
 * is used is touched. A thread that waits keeps what it has, within these bounds.
 *
 * Magazines over slabs are Bonwick's ("Magazines and Vmem", 2001); bitmaps instead of lists, and the busy mark instead
 * of disabled interrupts, are ours.
 */
#include <ka/heap.h>

#include "base/mem.h"
#include "heap/core.h"
#include "heap/fast.h"

/* ---- alloc ---- */

/* A block from the magazine, refilled from the slabs there are; never sleeps, never makes a slab. */
static void *block_from_magazine(ka_heap *heap, unsigned number)
{
    void *block = NULL;
    ka_port_pin_state pin = ka_port_pin();
    unsigned slot = ka_port_slot();
    ka_magazines *m = ka_heap_slot_take(heap, slot);
    if (m != NULL) {
        ka_heap_magazines_answer(heap, m);
        block = ka_magazine_pop(m, number);
        if (block == NULL)
            ka_magazine_mark_empty(m, number);
        ka_slab_batch batch;
        if (block == NULL && ka_heap_slabs_take(heap, number - 1, ka_magazine_refill_count(m, number), false, &batch)) {
            ka_heap_count_out(heap, (size_t)ka_count_bits(batch.bits) * batch.size);
            ka_heap_magazines_tend(heap, m, number);
            ka_magazine_widen(m, number);
            block = ka_heap_batch_pop(&batch);
            ka_magazine_fill(m, number, &batch);
            ka_heap_batch_put(heap, &batch);
        }
        ka_heap_slot_give(heap, slot, m);
    }
    ka_port_unpin(pin);
    return block;
}

void *ka_heap_block_alloc_slow(ka_heap *heap, unsigned number, ka_flags flags)
{
    if (heap->hardened)
        return ka_heap_hardened_alloc(heap, number - 1, flags);
    ka_heap_magazines_want(heap, flags);
    void *block = block_from_magazine(heap, number);
    if (block != NULL)
        return block;
    ka_slab_batch batch;
    bool for_magazine = ka_port_slot() != 0; /* a guess where the code is not pinned; nothing depends on it */
    unsigned max = for_magazine ? MAGAZINE_START : 1;
    bool taken = ka_heap_blocks_take(heap, number - 1, max, flags, &batch);
    if (!taken && (flags & KA_ANY_CONTEXT) == 0) { /* what this CPU keeps of other classes may free a slab */
        ka_heap_gather(heap, flags);
        taken = ka_heap_blocks_take(heap, number - 1, max, flags, &batch);
    }
    if (!taken)
        return NULL;
    block = ka_heap_batch_pop(&batch);
    if (batch.bits != 0) {
        ka_port_pin_state pin = ka_port_pin();
        unsigned slot = ka_port_slot();
        ka_magazines *m = ka_heap_slot_take(heap, slot);
        if (m != NULL) {
            ka_magazine_fill(m, number, &batch);
            ka_heap_slot_give(heap, slot, m);
        }
        ka_port_unpin(pin);
        ka_heap_batch_put(heap, &batch);
    }
    return block;
}

/* How many pages a run of `size` bytes has. */
static size_t run_pages(const ka_heap *heap, size_t size)
{
    return ka_park_round(ka_round_up(size, ka_heap_page(heap)) >> heap->page_shift, heap->table->round_pages);
}

static void *run_alloc(ka_heap *heap, size_t size, size_t align, ka_flags flags)
{
    size_t pages = run_pages(heap, size);
    size_t align_pages = ka_max(align >> heap->page_shift, 1);
    if (pages >= KA_PAGE_LIMIT || align_pages >= KA_PAGE_LIMIT)
        return NULL;
    void *parked = ka_heap_unpark(heap, (uint32_t)pages, align);
    if (parked != NULL) {
        if ((flags & KA_ZERO) != 0)
            ka_clear(parked, size);
        return parked;
    }
    ka_segment *segment = NULL;
    uint32_t page = ka_heap_pages_claim(heap, (uint32_t)pages, (uint32_t)align_pages, flags, &segment);
    if (page == KA_NO_PAGE && (flags & KA_ANY_CONTEXT) == 0) {
        ka_heap_gather(heap, flags);
        page = ka_heap_pages_claim(heap, (uint32_t)pages, (uint32_t)align_pages, flags, &segment);
    }
    if (page == KA_NO_PAGE)
        return NULL;
    ka_heap_count_out(heap, pages << heap->page_shift);
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

void *ka_heap_alloc_other_(ka_heap *heap, size_t size, size_t align, ka_flags flags)
{
    if (!ka_request_valid(size, align, flags) || (flags & KA_PAGEABLE) != 0)
        return NULL;
    return size == 0 ? ka_empty_block(align) : heap_alloc(heap, size, align, flags);
}

/* Blocks that are not small, the slow ways, size 0. */
KA_NOINLINE void *ka_heap_alloc_plain_(ka_heap *heap, size_t size)
{
    if (KA_LIKELY(size - 1 < KA_CLASS_LARGEST))
        return ka_heap_block_alloc(heap, ka_magazine_of_class(ka_class_of(size)), 0);
    return ka_heap_alloc_other_(heap, size, KA_MIN_ALIGN, 0);
}

/* Size 0 is served by magazine 0, which is always empty. */
void *ka_heap_alloc_small_(ka_heap *heap, size_t size)
{
    void *block = NULL;
    ka_port_pin_state pin = ka_port_pin();
    ka_heap_hold hold;
    if (ka_heap_enter(heap, &hold)) {
        block = ka_magazine_pop(hold.m, hold.m->number_of[size]);
        ka_heap_leave(&hold);
    }
    ka_port_unpin(pin);
    return KA_LIKELY(block != NULL) ? block : ka_heap_alloc_plain_(heap, size);
}

/* ---- free ---- */

void ka_heap_block_free_slow(ka_heap *heap, unsigned number, void *block, const void *site)
{
    if (heap->hardened) {
        ka_heap_hardened_free(heap, number - 1, block, site);
        return;
    }
    bool placed = false, doubled = false;
    ka_port_pin_state pin = ka_port_pin();
    unsigned slot = ka_port_slot();
    ka_magazines *m = ka_heap_slot_take(heap, slot);
    if (m != NULL) {
        doubled = m->top[number][-1] == block;
        ka_heap_magazines_answer(heap, m);
        if (!doubled) {
            ka_heap_magazines_tend(heap, m, number);
            if (m->top[number] == m->end[number])
                ka_magazine_widen(m, number);
            if (m->top[number] == m->end[number] && m->top[number] != m->bottom[number]) {
                ka_heap_magazine_flush_half(heap, m, number, site);
                ka_magazine_mark_full(m, number);
            }
            placed = ka_magazine_push(m, number, block);
        }
        ka_heap_slot_give(heap, slot, m);
    }
    ka_port_unpin(pin);
    if (doubled)
        ka_heap_report(heap, KA_MISUSE_DOUBLE_FREE, block, ka_heap_class_size(heap, number - 1), site);
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
    bool fits = length != 0 && (pages == 0 || pages == length);
    if (fits && heap->hardened)
        ka_clear(block, (size_t)length << heap->page_shift);
    if (fits && ka_heap_park(heap, segment, block, length))
        return;
    if (!fits || !ka_runs_release(&segment->runs, page, length)) {
        ka_heap_report(heap, ka_heap_misuse_of(heap, segment, block), block, size, site);
        return;
    }
    ka_heap_count_pages_in(heap, length);
    ka_heap_count_in(heap, (size_t)length << heap->page_shift);
}

static void heap_free(ka_heap *heap, void *block, size_t size, size_t align, const void *site)
{
    if (KA_LIKELY(ka_class_serves(size, align, heap->page_shift)))
        ka_heap_block_free(heap, ka_magazine_of_class(ka_class_of_layout(size, align)), block, site);
    else
        run_free(heap, block, run_pages(heap, size), size, site);
}

static KA_NOINLINE void free_plain_other(ka_heap *heap, void *block, size_t size, const void *site)
{
    if (KA_LIKELY(size - 1 < KA_CLASS_LARGEST))
        ka_heap_block_free(heap, ka_magazine_of_class(ka_class_of(size)), block, site);
    else if (size != 0)
        run_free(heap, block, run_pages(heap, size), size, site);
}

void ka_heap_free_plain_(ka_heap *heap, void *block, size_t size)
{
    free_plain_other(heap, block, size, KA_RETURN_ADDRESS());
}

/* Size 0 is served by magazine 0, which is always full. */
void ka_heap_free_small_(ka_heap *heap, void *block, size_t size)
{
    bool placed = false;
    ka_port_pin_state pin = ka_port_pin();
    ka_heap_hold hold;
    if (ka_heap_enter(heap, &hold)) {
        placed = ka_magazine_push(hold.m, hold.m->number_of[size], block);
        ka_heap_leave(&hold);
    }
    ka_port_unpin(pin);
    if (KA_UNLIKELY(!placed))
        free_plain_other(heap, block, size, KA_RETURN_ADDRESS());
}

void ka_heap_free_other_(ka_heap *heap, void *block, size_t size, size_t align)
{
    if (size != 0)
        heap_free(heap, block, size, align, KA_RETURN_ADDRESS());
}

static KA_NOINLINE void free_unsized_slow(ka_heap *heap, void *block, const void *site)
{
    ka_segment *segment = ka_heap_segment_of(heap, block);
    if (segment == NULL) {
        if (block != NULL && !ka_is_power_of_two((uintptr_t)block)) /* NULL, and the block of size 0 */
            ka_heap_report(heap, KA_MISUSE_FOREIGN, block, 0, site);
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
        return ka_heap_class_size(heap, place.class);
    if (found != KA_SLAB_CLASS || (uintptr_t)block % ka_heap_page(heap) != 0)
        return 0;
    return (size_t)ka_runs_length(&segment->runs, ka_segment_page_of(heap, segment, block)) << heap->page_shift;
}

/* ---- resize ---- */

bool ka_heap_run_resize(ka_heap *heap, void *block, size_t old_pages, size_t new_pages, ka_flags flags)
{
    ka_segment *segment = ka_heap_segment_of(heap, block);
    if (segment == NULL || new_pages >= KA_PAGE_LIMIT)
        return false;
    uint32_t page = ka_segment_page_of(heap, segment, block);
    if (ka_runs_length(&segment->runs, page) != old_pages)
        return false;
    if (new_pages > old_pages) {
        unsigned how = ka_heap_run_flags(heap, flags & ~KA_ZERO);
        if (!ka_runs_extend(&segment->runs, page, (uint32_t)old_pages, (uint32_t)new_pages, how))
            return false;
        ka_heap_count_pages_out(heap, new_pages - old_pages);
        ka_heap_count_out(heap, (new_pages - old_pages) << heap->page_shift);
    } else if (new_pages < old_pages) {
        if (!ka_runs_shrink(&segment->runs, page, (uint32_t)old_pages, (uint32_t)new_pages))
            return false;
        ka_heap_count_pages_in(heap, old_pages - new_pages);
        ka_heap_count_in(heap, (old_pages - new_pages) << heap->page_shift);
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
    return ka_heap_run_resize(heap, block, run_pages(heap, old_size), run_pages(heap, new_size), flags);
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

/* ---- the interface ---- */

static ka_heap *heap_of(ka_allocator *self)
{
    return (ka_heap *)self;
}

static void *op_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    return ka_heap_alloc(heap_of(self), size, align, flags);
}

static void op_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    if (KA_LIKELY(align <= KA_MIN_ALIGN && size <= KA_HEAP_SMALL_LARGEST_))
        ka_heap_free_small_(heap_of(self), block, size);
    else
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
        return ka_heap_class_size(heap, ka_class_of_layout(size, align));
    return run_pages(heap, size) << heap->page_shift;
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
