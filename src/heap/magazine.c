/* heap/magazine.c: the life of magazines: made, filled, flushed, taken away. See magazine.h. */
#include "base/mem.h"
#include "heap/core.h"
#include "heap/fast.h"

ka_magazines ka_no_magazines = { .busy = 1 };
uintptr_t ka_no_slots[1] = { (uintptr_t)&ka_no_magazines };

void ka_heap_batch_put(ka_heap *heap, const ka_slab_batch *batch)
{
    if (batch->bits == 0)
        return;
    ka_heap_count_in(heap, (size_t)ka_count_bits(batch->bits) * batch->size);
    ka_slab_put_batch(&ka_heap_own_segment(heap, (void *)batch->first)->slabs, batch);
}

/* Moves the batch's blocks, as many as fit, into the magazine, so that they come out ascending by address. */
void ka_magazine_fill(ka_magazines *m, unsigned number, ka_slab_batch *batch)
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
unsigned ka_magazine_refill_count(const ka_magazines *m, unsigned number)
{
    return (unsigned)ka_min((size_t)(m->end[number] - m->bottom[number]) / 2 + 1, 64);
}

/* How many blocks of the class a magazine may hold. */
static size_t magazine_limit(const ka_heap *heap, unsigned class)
{
    return ka_min(heap->table->magazine_bytes / ka_heap_class_size(heap, class), MAGAZINE_SLOTS);
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
    ka_segment *segment = ka_heap_own_segment(heap, run);
    ka_heap_pages_release(heap, segment, ka_segment_page_of(heap, segment, run), pages);
}

/* Makes `m` the slot's magazines. false: it has some already. */
static bool magazines_publish(ka_heap *heap, unsigned slot, ka_magazines *m, void *run, uint32_t pages, void **slots)
{
    m->run = run;
    m->run_pages = pages;
    ka_clear(m->parked, sizeof m->parked);
    m->drains = ka_load_relaxed_32(&heap->drains);
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
void ka_heap_magazines_want(ka_heap *heap, ka_flags flags)
{
    if (!ka_heap_may_sleep(flags) || heap->table->magazine_bytes == 0)
        return;
    unsigned slot = ka_port_slot_enter();
    if (slot != 0 && heap->magazines[slot] == (uintptr_t)&ka_no_magazines)
        magazines_make(heap, slot, flags);
}

/* Puts the older half of a full magazine back into the slabs. The magazines are busy by the caller. */
void ka_heap_magazine_flush_half(ka_heap *heap, ka_magazines *m, unsigned number, const void *site)
{
    void **bottom = m->bottom[number];
    uint32_t length = ka_magazine_length(m, number), out = length - length / 2;
    ka_heap_blocks_put(heap, number - 1, bottom, out, site);
    ka_move(bottom, bottom + out, (length - out) * sizeof(void *));
    m->top[number] = bottom + (length - out);
}

/* ---- parked runs ---- */

static void parked_release(ka_heap *heap, ka_parked_run *parked)
{
    if (parked->block == NULL)
        return;
    ka_segment *segment = ka_heap_own_segment(heap, parked->block);
    (void)ka_runs_unpark(&segment->runs, ka_segment_page_of(heap, segment, parked->block), parked->pages);
    run_give(heap, parked->block, parked->pages);
    parked->block = NULL;
}

bool ka_heap_park(ka_heap *heap, ka_segment *segment, void *block, uint32_t pages)
{
    if (pages > heap->table->park_pages)
        return false;
    bool done = false;
    ka_port_pin_state pin = ka_port_pin();
    ka_magazines *m = ka_heap_magazines(heap);
    if (ka_port_busy_take(&m->busy)) {
        done = ka_runs_park(&segment->runs, ka_segment_page_of(heap, segment, block), pages);
        if (done) {
            ka_parked_run *parked = &m->parked[m->park_next++ % KA_PARKED_RUNS];
            parked_release(heap, parked);
            parked->block = block;
            parked->pages = pages;
        }
        ka_port_busy_give(&m->busy);
    }
    ka_port_unpin(pin);
    return done;
}

static void *parked_find(ka_heap *heap, ka_magazines *m, uint32_t pages, size_t align)
{
    for (unsigned i = 0; i < KA_PARKED_RUNS; i++) {
        ka_parked_run *parked = &m->parked[i];
        void *block = parked->block;
        if (block == NULL || parked->pages != pages || (uintptr_t)block % align != 0)
            continue;
        ka_segment *segment = ka_heap_own_segment(heap, block);
        parked->block = NULL;
        m->park_next = i; /* an empty place is taken first */
        if (ka_runs_unpark(&segment->runs, ka_segment_page_of(heap, segment, block), pages))
            return block;
    }
    return NULL;
}

void *ka_heap_unpark(ka_heap *heap, uint32_t pages, size_t align)
{
    if (pages > heap->table->park_pages)
        return NULL;
    void *block = NULL;
    ka_port_pin_state pin = ka_port_pin();
    ka_magazines *m = ka_heap_magazines(heap);
    if (ka_port_busy_take(&m->busy)) {
        block = parked_find(heap, m, pages, align);
        ka_port_busy_give(&m->busy);
    }
    ka_port_unpin(pin);
    return block;
}

/* ---- flush and retire ---- */

void ka_heap_magazines_empty(ka_heap *heap, ka_magazines *m)
{
    for (unsigned class = 0; class < KA_CLASS_COUNT; class++) {
        unsigned number = ka_magazine_of_class(class);
        ka_heap_blocks_put(heap, class, m->bottom[number], ka_magazine_length(m, number), NULL);
        m->top[number] = m->bottom[number];
    }
    for (unsigned i = 0; i < KA_PARKED_RUNS; i++)
        parked_release(heap, &m->parked[i]);
}

bool ka_heap_flush_slot(ka_heap *heap, unsigned slot)
{
    ka_magazines *m = ka_heap_magazines_of(heap, slot);
    if (m == &ka_no_magazines)
        return true;
    if (!ka_port_busy_take(&m->busy))
        return false;
    ka_heap_magazines_empty(heap, m);
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
        ka_heap_magazines_empty(heap, m);
        run_give(heap, m->run, m->run_pages);
    }
}

void ka_heap_flush(ka_heap *heap)
{
    ka_port_pin_state pin = ka_port_pin();
    (void)ka_heap_flush_slot(heap, ka_port_slot());
    ka_port_unpin(pin);
    ka_heap_delayed_flush(heap);
}

static void drain_here(void *heap)
{
    ka_heap_flush(heap);
}

bool ka_heap_drain(ka_heap *heap)
{
    ka_fetch_add_32(&heap->drains, 1); /* those who cannot be reached now see it on their slow path */
    ka_heap_flush(heap);
    return heap->cross_call != NULL && heap->cross_call(drain_here, heap);
}

void ka_heap_gather(ka_heap *heap, ka_flags flags)
{
    if (ka_heap_may_sleep(flags))
        (void)ka_heap_drain(heap);
    else if ((flags & KA_ANY_CONTEXT) == 0)
        ka_heap_flush(heap);
}
