/* heap/magazine.c: the life of magazines: made, filled, flushed, taken away. See magazine.h. */
#include "base/mem.h"
#include "heap/core.h"
#include "heap/fast.h"

#define MAGAZINE_BYTES    ((size_t)64 << 10)  /* one magazine keeps at most so much, or */
#define MAGAZINE_BLOCKS   64u                 /* so many, */
#define MAGAZINE_MOST     ((size_t)256 << 10) /* if that is no more; */
#define MAGAZINE_MIN_SLOT ((size_t)1 << 20)   /* and nothing where a slot's share is smaller */
#define IDLE_CLASSES      16u                 /* are looked at before memory is committed */
#define PARKED_BYTES      ((size_t)16 << 20)

static void *nothing[1];
#define NINE(x)   x, x, x, x, x, x, x, x, x
#define ALL(x)    NINE(x), NINE(x), NINE(x), NINE(x), NINE(x), NINE(x), NINE(x), NINE(x), NINE(x)
#define NEVER     { .top = { ALL(nothing + 1) }, .end = { ALL(nothing + 1) }, .busy = 1 }
_Static_assert(KA_MAGAZINE_WORDS == 2, "see unused_release");
_Static_assert(KA_MAGAZINE_COUNT == 9 * 9, "as many as ALL has");

ka_magazines ka_no_magazines = NEVER;
ka_magazines ka_busy_magazines = NEVER;
uintptr_t ka_no_slots[1] = { (uintptr_t)&ka_no_magazines };

/* So many lengths, each `n` times: the pages between one and the next. */
#define X1(i)         i
#define X2(i)         i, i
#define X4(i)         X2(i), X2(i)
#define X8(i)         X4(i), X4(i)
#define X16(i)        X8(i), X8(i)
#define EIGHT(n, i)   X##n(i), X##n(i + 1), X##n(i + 2), X##n(i + 3), X##n(i + 4), X##n(i + 5), X##n(i + 6), X##n(i + 7)

const uint8_t ka_park_index_of[KA_PARK_LONGEST + 1] = {
    0, EIGHT(1, 0), EIGHT(1, 8), EIGHT(2, 16), EIGHT(4, 24), EIGHT(8, 32), EIGHT(16, 40),
};

#define LENGTHS(n) 9 * n, 10 * n, 11 * n, 12 * n, 13 * n, 14 * n, 15 * n, 16 * n

const uint16_t ka_park_pages_of[KA_PARK_LENGTHS] = {
    1, 2, 3, 4, 5, 6, 7, 8, LENGTHS(1), LENGTHS(2), LENGTHS(4), LENGTHS(8), LENGTHS(16),
};

void ka_heap_batch_put(ka_heap *heap, const ka_slab_batch *batch)
{
    if (batch->bits == 0)
        return;
    ka_heap_count_in(heap, (size_t)ka_count_bits(batch->bits) * batch->size);
    ka_slab_put_batch(&ka_heap_own_segment(heap, (void *)batch->first)->slabs, batch);
}

/* ---- counting ---- */

/* most: what the bytes were at most on the way */
void ka_heap_count_shared(ka_heap *heap, uintptr_t bytes, uintptr_t most)
{
    uintptr_t now = ka_fetch_add_ptr(&heap->outside, bytes) + most, peak = ka_load_relaxed_ptr(&heap->peak);
    while ((ptrdiff_t)now > (ptrdiff_t)peak && !ka_cas_ptr(&heap->peak, &peak, now))
        ;
}

void ka_heap_count_fold(ka_heap *heap, ka_magazines *m)
{
    uintptr_t top = ka_load_relaxed_ptr(&m->outside_top);
    ka_store_relaxed_ptr(&m->outside_top, 0);
    ka_heap_count_shared(heap, ka_exchange_ptr(&m->outside, 0), top);
}

size_t ka_heap_outside(const ka_heap *heap)
{
    uintptr_t sum = ka_load_relaxed_ptr(&heap->outside);
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++) {
        const ka_magazines *m = ka_heap_magazines_of(heap, slot);
        sum += m == &ka_no_magazines ? 0 : ka_load_relaxed_ptr(&m->outside);
    }
    return sum;
}

/* ---- filling ---- */

/* Moves the batch's blocks, as many as fit, into the magazine, so that they come out ascending by address. */
void ka_magazine_fill(ka_magazines *m, unsigned number, ka_slab_batch *batch)
{
    void **top = m->top[number], **end = m->end[number];
    while (batch->bits != 0 && top != end) {
        unsigned bit = ka_highest_bit(batch->bits);
        *top++ = (void *)(batch->first + (uintptr_t)bit * batch->size);
        batch->bits &= ~(UINT64_C(1) << bit);
    }
    ka_magazine_set_top(m, number, top);
}

/* How many blocks a refill asks for: half of what the magazine may hold now, and one for the caller. */
unsigned ka_magazine_refill_count(const ka_magazines *m, unsigned number)
{
    return (unsigned)ka_min((size_t)(m->end[number] - m->bottom[number]) / 2 + 1, 64);
}

/* How many blocks of the class a magazine may hold: large ones are dear to fetch, so that some more of them are worth
 * their memory. */
static size_t magazine_limit(const ka_heap *heap, size_t bytes, unsigned class)
{
    size_t size = ka_heap_class_size(heap, class);
    size_t most = ka_max(MAGAZINE_BYTES, size * MAGAZINE_BLOCKS);
    return ka_min(ka_min(bytes, most) / size, MAGAZINE_SLOTS);
}

/* How many slots each array begins with apart from its room, with the NULL. */
static size_t slots_apart(const ka_heap *heap)
{
    return heap->compact ? KA_MAGAZINE_APART + 1 : 0;
}

/* Slots for all magazines, and for each the NULL below its bottom. */
static size_t slots_needed(const ka_heap *heap, size_t bytes)
{
    size_t slots = 1 + KA_CLASS_COUNT * slots_apart(heap);
    for (unsigned class = 0; class < KA_CLASS_COUNT; class++)
        slots += magazine_limit(heap, bytes, class) + 1;
    return slots;
}

/* How much of the heap one slot may keep a part of. Slots beyond the number of CPUs are threads, which may be idle with
 * what they keep: twice as many get a quarter each, so that all of them together get no more than a half on top. */
static size_t slot_share(const ka_heap *heap, unsigned slot)
{
    unsigned fewer = 0;
    while ((slot - 1) >> fewer >= heap->table->cpus)
        fewer++;
    return ka_load_relaxed_ptr(&heap->table->share) >> 2 * fewer;
}

/* How much memory each of the slot's magazines may keep, 0: it gets none. All of them together a quarter of the
 * share. */
static size_t slot_bytes(const ka_heap *heap, unsigned slot)
{
    size_t share = slot_share(heap, slot);
    return share < MAGAZINE_MIN_SLOT ? 0 : ka_min(share / 4 / KA_CLASS_COUNT, MAGAZINE_MOST);
}

/* An array that begins at `slots`, with room for `limit` blocks from `room` on. Returns where the room ends. */
static void **magazine_set(ka_magazines *m, unsigned number, void **slots, void **room, size_t limit)
{
    slots[0] = NULL;
    m->top[number] = m->bottom[number] = slots + 1;
    m->end[number] = slots + 1 + ka_min(limit, MAGAZINE_START);
    m->limit[number] = room + 1 + limit;
    return m->limit[number];
}

/* A run for `ahead` bytes and the slots; NULL if there is no memory. */
static void *magazines_run(ka_heap *heap, unsigned slot, size_t ahead, ka_flags flags, uint32_t *pages)
{
    size_t bytes = slot_bytes(heap, slot);
    if (bytes == 0)
        return NULL;
    bytes = ahead + slots_needed(heap, bytes) * sizeof(void *);
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
    ka_clear(m->parked_count, sizeof m->parked_count);
    m->drains = ka_load_relaxed_32(&heap->drains);
    m->parked_pages = m->park_hand = m->rounds = m->idle_hand = 0;
    ka_clear(m->used, sizeof m->used);
    ka_clear(m->emptied, sizeof m->emptied);
    ka_clear(m->filled, sizeof m->filled);
    ka_clear(m->idle, sizeof m->idle);
    ka_clear(m->parked_seen, sizeof m->parked_seen);
    ka_clear(m->empty, sizeof m->empty);
    m->empty_hand = 0;
    m->outside = m->outside_top = 0;
    m->parked_most = (uint32_t)(ka_min(slot_share(heap, slot) / 16, PARKED_BYTES) >> heap->page_shift);
    m->number_of[0] = 0;
    for (unsigned size = 1; size <= KA_MAGAZINE_TABLE; size++)
        m->number_of[size] = (uint8_t)ka_magazine_of_class(ka_class_of(size));
    size_t bytes = slot_bytes(heap, slot);
    size_t apart = slots_apart(heap);
    void **room = slots + KA_CLASS_COUNT * apart;
    room = magazine_set(m, 0, room, room, 0);
    for (unsigned class = 0; class < KA_CLASS_COUNT; class++, slots += apart)
        room = magazine_set(m, ka_magazine_of_class(class), apart != 0 ? slots : room, room,
                            magazine_limit(heap, bytes, class));
    uintptr_t none = (uintptr_t)&ka_no_magazines;
    return ka_cas_ptr(&heap->magazines[slot], &none, (uintptr_t)m);
}

void ka_heap_attach(ka_heap *heap, unsigned slot, ka_magazines *m)
{
    uint32_t pages;
    void *run = magazines_run(heap, slot, 0, 0, &pages);
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
    ka_magazines *m = magazines_run(heap, slot, sizeof(ka_magazines), flags, &pages);
    if (m == NULL)
        return;
    m->busy = 0;
    if (!magazines_publish(heap, slot, m, m, pages, (void **)(m + 1)))
        run_give(heap, m, pages);
}

/* Puts the slot's magazines into the cell, for as long as its thread lives. This context has interrupted nobody. */
static void magazines_bind(const ka_heap *heap, unsigned slot)
{
    uintptr_t *cell = ka_port_cell_of(heap->cell, slot);
    ka_magazines *m = ka_heap_magazines_of(heap, slot);
    if (cell != NULL && ka_load_relaxed_ptr(cell) == (uintptr_t)&ka_no_magazines && ka_port_busy_take(&m->busy))
        ka_store_relaxed_ptr(cell, (uintptr_t)m);
}

/* Gives this CPU magazines if it has none and the context allows it. */
void ka_heap_magazines_want(ka_heap *heap, ka_flags flags)
{
    if (!ka_heap_may_sleep(flags) || heap->table->share == 0)
        return;
    unsigned slot = ka_port_slot_enter();
    if (slot == 0)
        return;
    if (heap->magazines[slot] == (uintptr_t)&ka_no_magazines)
        magazines_make(heap, slot, flags);
    if (KA_PORT_CELLS != 0)
        magazines_bind(heap, slot);
}

/* ---- in use ---- */

ka_magazines *ka_heap_slot_take(const ka_heap *heap, unsigned slot)
{
    ka_magazines *m = ka_heap_magazines_of(heap, slot);
    uintptr_t *cell = ka_port_cell_of(heap->cell, slot);
    if (cell != NULL && ka_load_relaxed_ptr(cell) != (uintptr_t)&ka_no_magazines) {
        if (ka_load_relaxed_ptr(cell) != (uintptr_t)m)
            return NULL;
        ka_store_relaxed_ptr(cell, (uintptr_t)&ka_busy_magazines);
        ka_signal_fence();
        return m;
    }
    return ka_port_busy_take(&m->busy) ? m : NULL;
}

void ka_heap_slot_give(const ka_heap *heap, unsigned slot, ka_magazines *m)
{
    uintptr_t *cell = ka_port_cell_of(heap->cell, slot);
    ka_signal_fence();
    if (cell != NULL && ka_load_relaxed_ptr(cell) == (uintptr_t)&ka_busy_magazines)
        ka_store_relaxed_ptr(cell, (uintptr_t)m);
    else
        ka_port_busy_give(&m->busy);
}

/* How many more than `out` of the oldest blocks go back, so that what was taken as one word goes back as one: of words
 * in two parts each has to be looked for, and taken, by itself. */
static uint32_t same_word_too(const ka_heap *heap, void **blocks, uint32_t out, uint32_t length)
{
    uint32_t most = (uint32_t)ka_min(64u, (length - out) / 2), more = 0;
    while (more < most && ((uintptr_t)blocks[out + more - 1] ^ (uintptr_t)blocks[out + more]) >> heap->page_shift == 0)
        more++;
    return more;
}

/* Puts the older half of a full magazine back into the slabs. The magazines are busy by the caller. */
void ka_heap_magazine_flush_half(ka_heap *heap, ka_magazines *m, unsigned number, const void *site)
{
    void **bottom = m->bottom[number];
    uint32_t length = ka_magazine_length(m, number);
    uint32_t out = (uint32_t)ka_max(length - length / 2, ka_heap_strangers_first(heap, bottom, length));
    out += same_word_too(heap, bottom, out, length);
    ka_heap_blocks_put_here(heap, m, number - 1, bottom, out, site);
    ka_move(bottom, bottom + out, (length - out) * sizeof(void *));
    ka_magazine_set_top(m, number, bottom + (length - out));
}

/* Lets the magazine keep less, but as much as it has, and as it had at first. */
static void magazine_narrow(ka_magazines *m, unsigned number)
{
    void **bottom = m->bottom[number];
    size_t width = (size_t)(m->end[number] - bottom);
    size_t least = ka_max(ka_min(ka_magazine_room(m, number), MAGAZINE_START), ka_magazine_length(m, number));
    m->end[number] = bottom + ka_max(width / 2, least);
}

/* ---- parked runs ---- */

/* Releases the oldest parked run of this length. false: there is none. */
static bool parked_release(ka_heap *heap, ka_magazines *m, unsigned index)
{
    if (m->parked_count[index] == 0)
        return false;
    void **place = m->parked[index], *block = place[0];
    uint32_t pages = ka_park_pages(index);
    m->parked_count[index]--;
    ka_move(place, place + 1, m->parked_count[index] * sizeof(void *));
    ka_store_relaxed_32(&m->parked_pages, m->parked_pages - pages);
    ka_segment *segment = ka_heap_own_segment(heap, block);
    ka_runs_unpark(&segment->runs, ka_segment_page_of(heap, segment, block), pages);
    ka_heap_count_in(heap, (size_t)pages << heap->page_shift);
    run_give(heap, block, pages);
    return true;
}

/* Makes room for one more run of this length: among its equals, and in all. */
static void parked_make_room(ka_heap *heap, ka_magazines *m, unsigned index)
{
    if (m->parked_count[index] == KA_PARK_EACH)
        (void)parked_release(heap, m, index);
    uint32_t most = m->parked_most - ka_park_pages(index);
    while (m->parked_pages > most) {
        if (!parked_release(heap, m, m->park_hand))
            m->park_hand = (m->park_hand + 1) % KA_PARK_LENGTHS;
    }
}

bool ka_heap_park(ka_heap *heap, ka_segment *segment, void *block, uint32_t pages)
{
    if (pages > heap->table->park_pages || ka_park_pages(ka_park_index(pages)) != pages ||
        !ka_segment_is_on(segment, ka_heap_node_here(heap)))
        return false;
    bool done = false;
    ka_port_pin_state pin = ka_port_pin();
    unsigned slot = ka_port_slot();
    ka_magazines *m = ka_heap_slot_take(heap, slot);
    if (m != NULL) {
        done = pages <= m->parked_most && ka_runs_park(&segment->runs, ka_segment_page_of(heap, segment, block), pages);
        if (done) {
            unsigned index = ka_park_index(pages);
            if (m->parked_count[index] == KA_PARK_EACH || m->parked_pages + pages > m->parked_most)
                parked_make_room(heap, m, index);
            m->parked[index][m->parked_count[index]++] = block;
            ka_store_relaxed_32(&m->parked_pages, m->parked_pages + pages);
        }
        ka_heap_slot_give(heap, slot, m);
    }
    ka_port_unpin(pin);
    return done;
}

void *ka_heap_unpark(ka_heap *heap, uint32_t pages, size_t align)
{
    if (pages > heap->table->park_pages)
        return NULL;
    unsigned index = ka_park_index(pages);
    void *block = NULL;
    ka_port_pin_state pin = ka_port_pin();
    unsigned slot = ka_port_slot();
    ka_magazines *m = ka_heap_slot_take(heap, slot);
    if (m != NULL) {
        unsigned count = m->parked_count[index];
        block = count == 0 ? NULL : m->parked[index][count - 1];
        if (block != NULL && ka_park_pages(index) == pages && ((uintptr_t)block & (align - 1)) == 0) {
            m->parked_count[index]--;
            ka_store_relaxed_32(&m->parked_pages, m->parked_pages - pages);
            ka_segment *segment = ka_heap_own_segment(heap, block);
            ka_runs_unpark(&segment->runs, ka_segment_page_of(heap, segment, block), pages);
        } else {
            block = NULL;
        }
        ka_heap_slot_give(heap, slot, m);
    }
    ka_port_unpin(pin);
    return block;
}

static void parked_release_all(ka_heap *heap, ka_magazines *m)
{
    for (unsigned index = 0; index < KA_PARK_LENGTHS; index++)
        while (parked_release(heap, m, index))
            ;
}

/* Releases the shortest parked run of at least so many pages. */
static bool parked_release_one(ka_heap *heap, ka_magazines *m, uint32_t pages)
{
    if (pages > heap->table->park_pages)
        return false;
    for (unsigned index = ka_park_index(pages); index < KA_PARK_LENGTHS; index++)
        if (parked_release(heap, m, index))
            return true;
    return false;
}

/* Releases so many pages, the longest runs first: neighbours may be long enough together. Short ones stay, as most
 * requests are for such. There are so many. */
static void parked_release_some(ka_heap *heap, ka_magazines *m, uint32_t pages)
{
    uint32_t rest = m->parked_pages - pages;
    for (unsigned index = KA_PARK_LENGTHS; m->parked_pages > rest;)
        if (!parked_release(heap, m, index - 1))
            index--;
}

bool ka_heap_unpark_for(ka_heap *heap, uint32_t pages)
{
    bool any = false;
    ka_port_pin_state pin = ka_port_pin();
    unsigned slot = ka_port_slot();
    ka_magazines *m = ka_heap_slot_take(heap, slot);
    if (m != NULL) {
        any = m->parked_pages >= pages;
        if (any && !parked_release_one(heap, m, pages))
            parked_release_some(heap, m, pages);
        ka_heap_slot_give(heap, slot, m);
    }
    ka_port_unpin(pin);
    return any;
}

/* ---- idle magazines ---- */

static void parked_tend(ka_heap *heap, ka_magazines *m, unsigned index)
{
    void *oldest = m->parked_count[index] != 0 ? m->parked[index][0] : NULL;
    if (oldest != NULL && oldest == m->parked_seen[index]) {
        (void)parked_release(heap, m, index);
        oldest = NULL;
    }
    m->parked_seen[index] = oldest;
}

void ka_heap_magazines_tend_one(ka_heap *heap, ka_magazines *m)
{
    unsigned class = m->rounds / MAGAZINE_TEND_EVERY % KA_CLASS_COUNT, number = ka_magazine_of_class(class);
    uint64_t *used = &m->used[number / 64], bit = UINT64_C(1) << number % 64;
    if ((*used & bit) == 0) {
        if (m->top[number] != m->bottom[number])
            ka_heap_magazine_flush_half(heap, m, number, NULL);
        magazine_narrow(m, number);
    }
    *used &= ~bit;
    if (class < KA_PARK_LENGTHS)
        parked_tend(heap, m, class);
}

static bool magazine_release(ka_heap *heap, ka_magazines *m, unsigned number)
{
    unsigned class = number - 1;
    if (ka_load_relaxed_32(&heap->table->slabs[class]) == 0)
        return false;
    ka_heap_blocks_put(heap, class, m->bottom[number], ka_magazine_length(m, number), NULL);
    ka_magazine_set_top(m, number, m->bottom[number]);
    magazine_narrow(m, number);
    return ka_heap_slabs_end(heap, class);
}

/* Classes that ran full since the last time: at least half a magazine was freed, which pays for it. */
static bool filled_release(ka_heap *heap, ka_magazines *m)
{
    bool any = false;
    for (unsigned i = 0; i < KA_MAGAZINE_WORDS; i++) {
        for (uint64_t bits = m->filled[i]; bits != 0; bits &= bits - 1)
            any |= magazine_release(heap, m, i * 64 + ka_lowest_bit(bits));
        m->filled[i] = 0;
    }
    return any;
}

/* All classes but those that ran empty since the last time, and those that were emptied here and not used since. */
static bool unused_release(ka_heap *heap, ka_magazines *m)
{
    bool any = false;
    for (unsigned i = 0; i < KA_MAGAZINE_WORDS; i++) {
        uint64_t all = i == 0 ? ~UINT64_C(1) : ka_low_mask(KA_MAGAZINE_COUNT % 64), unused = all & ~m->emptied[i];
        for (uint64_t bits = unused & ~m->idle[i]; bits != 0; bits &= bits - 1)
            any |= magazine_release(heap, m, i * 64 + ka_lowest_bit(bits));
        m->idle[i] = unused;
        m->emptied[i] = 0;
    }
    return any;
}

/* One that was emptied gets blocks by frees alone, which no mark tells: some in turn are looked at. */
static void idle_look(ka_magazines *m)
{
    for (unsigned i = 0; i < IDLE_CLASSES; i++) {
        unsigned number = ka_magazine_of_class(m->idle_hand);
        if (m->top[number] != m->bottom[number])
            m->idle[number / 64] &= ~(UINT64_C(1) << number % 64);
        m->idle_hand = (m->idle_hand + 1) % KA_CLASS_COUNT;
    }
}

bool ka_heap_idle_release(ka_heap *heap)
{
    bool any = false;
    ka_port_pin_state pin = ka_port_pin();
    unsigned slot = ka_port_slot();
    ka_magazines *m = ka_heap_slot_take(heap, slot);
    if (m != NULL) {
        any = filled_release(heap, m);
        any |= unused_release(heap, m);
        idle_look(m);
        any |= ka_heap_empty_end(heap, m);
        ka_heap_slot_give(heap, slot, m);
    }
    ka_port_unpin(pin);
    return any;
}

/* ---- flush and retire ---- */

void ka_heap_magazines_empty(ka_heap *heap, ka_magazines *m)
{
    for (unsigned class = 0; class < KA_CLASS_COUNT; class++) {
        unsigned number = ka_magazine_of_class(class);
        ka_heap_blocks_put(heap, class, m->bottom[number], ka_magazine_length(m, number), NULL);
        ka_magazine_set_top(m, number, m->bottom[number]);
        m->end[number] = m->bottom[number] + ka_min(ka_magazine_room(m, number), MAGAZINE_START);
    }
    (void)ka_heap_empty_end(heap, m);
    parked_release_all(heap, m);
}

/* The context's own slot, or under ka_port_cells_lock. */
static bool slot_flush(ka_heap *heap, unsigned slot)
{
    ka_magazines *m = ka_heap_slot_take(heap, slot);
    if (m == NULL)
        return ka_heap_magazines_of(heap, slot) == &ka_no_magazines;
    ka_heap_magazines_empty(heap, m);
    ka_heap_slot_give(heap, slot, m);
    return true;
}

bool ka_heap_flush_slot(ka_heap *heap, unsigned slot)
{
    if (slot == ka_port_slot())
        return slot_flush(heap, slot);
    ka_port_cells_lock();
    bool done = slot_flush(heap, slot);
    ka_port_cells_unlock();
    return done;
}

static void retired_keep(ka_heap *heap, ka_magazines *m)
{
    uintptr_t first = ka_load_relaxed_ptr(&heap->retired);
    do
        m->next_retired = (ka_magazines *)first;
    while (!ka_cas_ptr(&heap->retired, &first, (uintptr_t)m));
}

/* Who counts itself among the watchers first, and then reads a slot, sees that the slot is empty, or is seen here. */
void ka_heap_retired_release(ka_heap *heap)
{
    if (ka_load_relaxed_ptr(&heap->retired) == 0)
        return;
    ka_magazines *m = (ka_magazines *)ka_exchange_ptr(&heap->retired, 0), *next;
    bool seen = ka_fetch_add_32(&heap->watchers, 0) != 0;
    for (; m != NULL; m = next) {
        next = m->next_retired;
        if (seen)
            retired_keep(heap, m);
        else
            run_give(heap, m->run, m->run_pages);
    }
}

/* Out of the cell and off the list; as nobody finds them any more they stay busy. NULL: they are in use. */
static ka_magazines *slot_clear(ka_heap *heap, unsigned slot)
{
    ka_port_cells_lock();
    ka_magazines *all = ka_heap_magazines_of(heap, slot), *m = ka_heap_slot_take(heap, slot);
    uintptr_t *cell = ka_port_cell_of(heap->cell, slot);
    if (m != NULL && cell != NULL)
        ka_store_relaxed_ptr(cell, (uintptr_t)&ka_no_magazines);
    (void)ka_exchange_ptr(&heap->magazines[slot], (uintptr_t)&ka_no_magazines);
    ka_port_cells_unlock();
    if (all != &ka_no_magazines)
        ka_heap_count_fold(heap, all);
    return m;
}

void ka_heap_retire_slot(ka_heap *heap, unsigned slot)
{
    ka_magazines *m = slot_clear(heap, slot);
    if (m == NULL)
        return;
    ka_heap_magazines_empty(heap, m);
    if (m->run != m) { /* see ka_heap_attach */
        run_give(heap, m->run, m->run_pages);
        return;
    }
    retired_keep(heap, m);
    ka_heap_retired_release(heap);
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
