/* heap/physical.c: physically contiguous blocks over page frames. See ka/physical.h.
 *
 * Whole pages, and everything where blocks are exclusive, come from the frame engine as one run and go back as one:
 * no lock, nothing remembered here (the engine remembers the length where it tracks blocks). Smaller blocks are packed
 * into pages in units of 16 bytes, first fit; what is taken stands in a record outside of the page, so that a page can
 * be used up to its last byte and a device that writes where it should not cannot damage the record:
 *
 *     page     |AAAA|BB|..|CCCCCCCC|....        unit: 16 bytes
 *     used      1111 11 00 11111111 0000
 *     last      0001 01 00 00000001 0000        of each block
 *
 * Records are found by the page's address in 32 buckets; pages with room are in a list, the newest first. A page goes
 * back to the engine with its last block, but for a few that are kept where the source is slow. The first few records
 * lie in the instance; then pages are taken for more, and given back at the end.
 *
 * One lock for the packed pages of all instances: taken for a search of some words, not while a page is got or given
 * back. Shortcoming: a search looks at each page with room. A block that fits none costs that.
 */
#include "heap/physical.h"

#include <ka_port.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/math.h"
#include "base/mem.h"

#define PAGE       ((size_t)1 << KA_FRAME_SHIFT)
#define UNIT       ((size_t)16)
#define UNITS      ((unsigned)(PAGE / UNIT))
#define PAGE_WORDS (UNITS / 64)

static ka_port_lock packed_lock;

const char *ka_physical_error_name(ka_physical_error error)
{
    switch (error) {
    case KA_PHYSICAL_OK:
        return "no error";
    case KA_PHYSICAL_BAD_LIMITS:
        return "the constraints contradict themselves";
    case KA_PHYSICAL_NO_CACHING:
        return "memory cannot be had with this caching";
    case KA_PHYSICAL_NOT_HERE:
        return "this program has no physical memory";
    case KA_PHYSICAL_CONTEXT:
        return "not in this context";
    case KA_PHYSICAL_BOUNDARY:
        return "the block is larger than the boundary";
    case KA_PHYSICAL_NO_MEMORY:
        return "no free place satisfies the constraints";
    }
    return "unknown error";
}

static ka_physical_allocator *instance_of(ka_allocator *self)
{
    return (ka_physical_allocator *)(void *)self;
}

static void *refuse(ka_physical_allocator *p, ka_physical_error why)
{
    ka_store_relaxed_32(&p->error, (uint32_t)why);
    return NULL;
}

ka_physical_error ka_physical_last_error(const ka_allocator *allocator)
{
    const ka_physical_allocator *p = (const ka_physical_allocator *)(const void *)allocator;
    return (ka_physical_error)ka_load_relaxed_32(&p->error);
}

/* ---- whole pages ---- */

static uint64_t pages_for(size_t size)
{
    return size / PAGE + (size % PAGE != 0);
}

/* The instance's limits in frames, for blocks of whole pages aligned so. */
static ka_frame_limits frame_limits(const ka_physical_allocator *p, size_t align)
{
    const ka_physical_limits *l = &p->limits;
    ka_frame_limits limits = { 0, 0, 0, 0, 0, false };
    limits.lowest = l->lowest / PAGE + (l->lowest % PAGE != 0);
    limits.highest = l->highest == 0 ? 0 : (l->highest - (PAGE - 1)) / PAGE;
    limits.boundary = l->boundary == 0 || l->boundary >= (UINT64_C(1) << 52) ? 0 : ka_max(l->boundary / PAGE, 1);
    limits.align = ka_max(align / PAGE, 1);
    limits.node = l->node;
    limits.exact = l->exact;
    return limits;
}

/* Frames in a row: the first one, or UINT64_MAX. */
static uint64_t run_get(const ka_physical_source *source, uint64_t count, const ka_frame_limits *limits, ka_flags flags)
{
    if (source->frames == NULL)
        return source->get(count, limits, flags);
    ka_frame first = ka_frames_get_run(source->frames, count, limits);
    return ka_is_frame(first) ? first.number : UINT64_MAX;
}

/* Misuse is reported there. */
static bool run_put(const ka_physical_source *source, uint64_t first, uint64_t count)
{
    return source->frames == NULL ? source->put(first, count)
                                  : ka_frames_put_run(source->frames, ka_frame_of(first), count);
}

static void *pages_alloc(ka_physical_allocator *p, uint64_t count, size_t align, ka_flags flags)
{
    if (p->source->take != NULL) {
        void *taken = p->source->take(&p->limits, (size_t)count * PAGE, align, flags);
        return taken != NULL ? taken : refuse(p, KA_PHYSICAL_NO_MEMORY);
    }
    ka_frame_limits limits = frame_limits(p, align);
    uint64_t first = run_get(p->source, count, &limits, flags);
    if (first == UINT64_MAX)
        return refuse(p, KA_PHYSICAL_NO_MEMORY);
    void *memory = p->source->map(first, count, p->limits.caching);
    if (memory == NULL) {
        (void)run_put(p->source, first, count);
        return refuse(p, KA_PHYSICAL_NO_MEMORY);
    }
    return memory;
}

static bool pages_free(ka_physical_allocator *p, void *memory, uint64_t count, size_t align)
{
    if (p->source->give != NULL)
        return p->source->give(&p->limits, memory, (size_t)count * PAGE, align);
    uint64_t first = p->source->frame_of(memory);
    if (first == UINT64_MAX) {
        ka_report_misuse(KA_MISUSE_FOREIGN, &p->allocator, memory, (size_t)count * PAGE, NULL);
        return false;
    }
    if (p->limits.caching != KA_CACHED)
        p->source->unmap(memory, count, p->limits.caching);
    return run_put(p->source, first, count);
}

/* ---- packed pages: all under the lock ---- */

static ka_physical_page **bucket_of(ka_physical_allocator *p, const void *memory)
{
    return &p->buckets[((uintptr_t)memory / PAGE) % KA_PHYSICAL_BUCKETS];
}

static ka_physical_page *page_find(ka_physical_allocator *p, const void *block)
{
    const unsigned char *memory = (const unsigned char *)ka_round_down((uintptr_t)block, PAGE);
    ka_physical_page *page = *bucket_of(p, memory);
    while (page != NULL && page->memory != memory)
        page = page->bucket;
    return page;
}

static void room_add(ka_physical_allocator *p, ka_physical_page *page)
{
    page->previous = NULL;
    page->next = p->room;
    if (p->room != NULL)
        p->room->previous = page;
    p->room = page;
}

static void room_remove(ka_physical_allocator *p, ka_physical_page *page)
{
    if (page->previous != NULL)
        page->previous->next = page->next;
    else
        p->room = page->next;
    if (page->next != NULL)
        page->next->previous = page->previous;
}

static bool page_is(const ka_physical_page *page, uint64_t word)
{
    for (unsigned at = 0; at < PAGE_WORDS; at++)
        if (page->used[at] != word)
            return false;
    return true;
}

static bool page_is_full(const ka_physical_page *page)
{
    return page_is(page, ~UINT64_C(0));
}
static bool page_is_empty(const ka_physical_page *page)
{
    return page_is(page, 0);
}

static void units_fill(uint64_t *words, unsigned from, unsigned end, bool set)
{
    for (unsigned at = from; at < end; at++) {
        if (set)
            ka_bit_set(words, at);
        else
            ka_bit_clear(words, at);
    }
}

/* The first unit of [from, end) that is taken; `end`: none. */
static unsigned units_taken(const ka_physical_page *page, unsigned from, unsigned end)
{
    while (from < end && !ka_bit_get(page->used, from))
        from++;
    return from;
}

/* Where in the page the block can lie; UNITS: nowhere. align and boundary in units, boundary 0: none in a page. */
static unsigned page_place(const ka_physical_page *page, unsigned units, unsigned align, unsigned boundary)
{
    for (unsigned at = 0; at + units <= UNITS;) {
        unsigned word = at / 64;
        if (at % 64 == 0 && page->used[word] == ~UINT64_C(0)) {
            at = (unsigned)ka_round_up(at + 64, align);
            continue;
        }
        if (boundary != 0 && at / boundary != (at + units - 1) / boundary) {
            at = (unsigned)ka_round_up(at / boundary * boundary + boundary, align);
            continue;
        }
        unsigned taken = units_taken(page, at, at + units);
        if (taken == at + units)
            return at;
        at = (unsigned)ka_round_up(taken + 1, align);
    }
    return UNITS;
}

/* A page without limits for records; NULL: none. */
static void *records_get(const ka_physical_source *source, ka_flags flags)
{
    static const ka_physical_limits any_memory = { 0, 0, 0, 0, 0, false, false, KA_CACHED };
    static const ka_frame_limits any_frame = { 0, 0, 0, 0, 0, false };
    if (source->take != NULL)
        return source->take(&any_memory, PAGE, PAGE, flags);
    uint64_t frame = run_get(source, 1, &any_frame, flags);
    if (frame == UINT64_MAX)
        return NULL;
    void *records = source->map(frame, 1, KA_CACHED);
    if (records == NULL)
        (void)run_put(source, frame, 1);
    return records;
}

static void records_put(const ka_physical_source *source, void *records)
{
    static const ka_physical_limits any_memory = { 0, 0, 0, 0, 0, false, false, KA_CACHED };
    if (source->give != NULL)
        (void)source->give(&any_memory, records, PAGE, PAGE);
    else
        (void)run_put(source, source->frame_of(records), 1);
}

/* A page of records, the first of which is the link to the next such page. Without the lock. */
static bool records_add(ka_physical_allocator *p, ka_flags flags)
{
    ka_physical_page *records = records_get(p->source, flags);
    if (records == NULL)
        return false;
    ka_clear(records, PAGE);
    ka_port_lock_state state = ka_port_lock_take(&packed_lock);
    records[0].memory = (unsigned char *)p->record_pages;
    p->record_pages = records;
    for (size_t i = 1; i < PAGE / sizeof *records; i++) {
        records[i].next = p->spare;
        p->spare = &records[i];
    }
    ka_port_lock_give(&packed_lock, state);
    return true;
}

/* An empty page for `memory`. There is a spare record. */
static ka_physical_page *page_new(ka_physical_allocator *p, unsigned char *memory)
{
    ka_physical_page *page = p->spare, **bucket = bucket_of(p, memory);
    p->spare = page->next;
    ka_clear(page, sizeof *page);
    page->memory = memory;
    page->bucket = *bucket;
    *bucket = page;
    room_add(p, page);
    p->pages++;
    p->empty++;
    return page;
}

/* An empty page goes. Returns its memory, for page_give without the lock. */
static unsigned char *page_drop(ka_physical_allocator *p, ka_physical_page *page)
{
    ka_physical_page **link = bucket_of(p, page->memory);
    while (*link != page)
        link = &(*link)->bucket;
    *link = page->bucket;
    room_remove(p, page);
    unsigned char *memory = page->memory;
    page->memory = NULL;
    page->next = p->spare;
    p->spare = page;
    p->pages--;
    p->empty--;
    return memory;
}

/* A kernel's own allocator may not be called with interrupts off: not with the lock held. Where it may not be called at
 * all it reports that, and the page is lost. */
static void page_give(ka_physical_allocator *p, unsigned char *memory)
{
    (void)pages_free(p, memory, 1, PAGE);
}

static void count_in(ka_physical_allocator *p, size_t bytes)
{
    p->live += bytes;
    p->blocks++;
}

static unsigned units_for(size_t size)
{
    return (unsigned)((size + UNIT - 1) / UNIT);
}

static void *page_take(ka_physical_allocator *p, ka_physical_page *page, unsigned at, unsigned units)
{
    p->empty -= page_is_empty(page);
    units_fill(page->used, at, at + units, true);
    ka_bit_set(page->last, at + units - 1);
    if (page_is_full(page))
        room_remove(p, page);
    count_in(p, units * UNIT);
    return page->memory + at * UNIT;
}

/* From the pages with room; NULL: none has it. */
static void *packed_find(ka_physical_allocator *p, unsigned units, size_t align)
{
    unsigned boundary = p->limits.boundary < PAGE ? (unsigned)(p->limits.boundary / UNIT) : 0;
    for (ka_physical_page *page = p->room; page != NULL; page = page->next) {
        unsigned at = page_place(page, units, (unsigned)(align / UNIT), boundary);
        if (at != UNITS)
            return page_take(p, page, at, units);
    }
    return NULL;
}

/* From a page that is got now, without the lock. NULL: refused, or *again: there was no record for it. */
static void *packed_from_new(ka_physical_allocator *p, unsigned units, ka_flags flags, bool *again)
{
    void *block = NULL, *memory = pages_alloc(p, 1, PAGE, flags);
    *again = false;
    if (memory == NULL)
        return NULL;
    ka_port_lock_state state = ka_port_lock_take(&packed_lock);
    *again = p->spare == NULL;
    if (!*again)
        block = page_take(p, page_new(p, memory), 0, units);
    ka_port_lock_give(&packed_lock, state);
    if (*again)
        (void)pages_free(p, memory, 1, PAGE);
    return block;
}

static void *packed_alloc(ka_physical_allocator *p, size_t size, size_t align, ka_flags flags)
{
    unsigned units = units_for(size);
    for (bool again = true; again;) { /* others may take what was just got */
        ka_port_lock_state state = ka_port_lock_take(&packed_lock);
        void *block = packed_find(p, units, align);
        bool records = p->spare != NULL;
        ka_port_lock_give(&packed_lock, state);
        if (block != NULL)
            return block;
        if (!records && !records_add(p, flags))
            return refuse(p, KA_PHYSICAL_NO_MEMORY);
        block = packed_from_new(p, units, flags, &again);
        if (block != NULL)
            return block;
    }
    return NULL;
}

/* What is wrong with a free of these units, if something is. */
static bool units_misused(const ka_physical_page *page, unsigned at, unsigned units, ka_misuse *kind)
{
    *kind = KA_MISUSE_DOUBLE_FREE;
    if (!ka_bit_get(page->used, at))
        return true;
    *kind = KA_MISUSE_INTERIOR;
    if (at > 0 && ka_bit_get(page->used, at - 1) && !ka_bit_get(page->last, at - 1))
        return true;
    *kind = KA_MISUSE_WRONG_SIZE;
    if (at + units > UNITS)
        return true;
    for (unsigned i = at; i < at + units; i++)
        if (!ka_bit_get(page->used, i) || ka_bit_get(page->last, i) != (i == at + units - 1))
            return true;
    return false;
}

/* *empty: the memory of a page that is to be given back then. */
static bool packed_free_locked(ka_physical_allocator *p, void *block, size_t size, ka_misuse *kind,
                               unsigned char **empty)
{
    ka_physical_page *page = page_find(p, block);
    *kind = KA_MISUSE_FOREIGN;
    if (page == NULL)
        return false;
    size_t offset = (size_t)((unsigned char *)block - page->memory);
    unsigned at = (unsigned)(offset / UNIT), units = units_for(size);
    *kind = KA_MISUSE_INTERIOR;
    if (offset % UNIT != 0 || units_misused(page, at, units, kind))
        return false;
    if (page_is_full(page))
        room_add(p, page);
    units_fill(page->used, at, at + units, false);
    ka_bit_clear(page->last, at + units - 1);
    p->live -= units * UNIT;
    p->blocks--;
    if (page_is_empty(page) && ++p->empty > p->source->keep)
        *empty = page_drop(p, page);
    return true;
}

static void packed_free(ka_physical_allocator *p, void *block, size_t size)
{
    ka_misuse kind;
    unsigned char *empty = NULL;
    ka_port_lock_state state = ka_port_lock_take(&packed_lock);
    bool done = packed_free_locked(p, block, size, &kind, &empty);
    ka_port_lock_give(&packed_lock, state);
    if (empty != NULL)
        page_give(p, empty);
    if (!done)
        ka_report_misuse(kind, &p->allocator, block, size, NULL);
}

/* ---- the allocator ---- */

static size_t real_align(const ka_physical_allocator *p, size_t align)
{
    return ka_max(ka_max(align, KA_MIN_ALIGN), ka_max(p->limits.align, p->source->align));
}

static bool is_packed(const ka_physical_allocator *p, size_t size, size_t align)
{
    return !p->limits.exclusive && size < PAGE && real_align(p, align) <= PAGE;
}

/* Whole pages are counted without the lock, in any context. */
static void count_pages(ka_physical_allocator *p, uint64_t pages, bool in)
{
    size_t bytes = (size_t)pages * PAGE;
    (void)ka_fetch_add_ptr(&p->whole_live, in ? bytes : (uintptr_t)0 - bytes);
    (void)ka_fetch_add_ptr(&p->whole_blocks, in ? 1 : ~(uintptr_t)0);
}

static bool exceeds_boundary(const ka_physical_allocator *p, size_t size)
{
    return p->limits.boundary != 0 && size > p->limits.boundary;
}

static bool context_allows(const ka_physical_allocator *p, bool packed, ka_flags flags)
{
    bool whole = !packed && p->limits.caching == KA_CACHED && p->source->take == NULL;
    return (flags & KA_PAGEABLE) == 0 && ((flags & KA_ANY_CONTEXT) == 0 || whole);
}

static void *op_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    ka_physical_allocator *p = instance_of(self);
    bool packed = is_packed(p, size, align);
    if (!context_allows(p, packed, flags))
        return refuse(p, KA_PHYSICAL_CONTEXT);
    if (real_align(p, align) > p->source->max_align)
        return refuse(p, KA_PHYSICAL_NO_MEMORY);
    if (exceeds_boundary(p, size))
        return refuse(p, KA_PHYSICAL_BOUNDARY);
    size_t real = real_align(p, align);
    ka_flags context = flags & ~KA_ZERO;
    void *block = packed ? packed_alloc(p, size, real, context) : pages_alloc(p, pages_for(size), real, context);
    if (block == NULL)
        return NULL;
    if ((uintptr_t)block % align != 0) { /* the physical address may be aligned to more than this one */
        (void)pages_free(p, block, pages_for(size), real);
        return refuse(p, KA_PHYSICAL_NO_MEMORY);
    }
    if (!packed)
        count_pages(p, pages_for(size), true);
    if ((flags & KA_ZERO) != 0)
        ka_clear(block, size);
    return block;
}

static void op_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    ka_physical_allocator *p = instance_of(self);
    if (is_packed(p, size, align)) {
        packed_free(p, block, size);
        return;
    }
    if ((uintptr_t)block % PAGE != 0) {
        ka_report_misuse(KA_MISUSE_INTERIOR, self, block, size, NULL);
        return;
    }
    if (pages_free(p, block, pages_for(size), real_align(p, align)))
        count_pages(p, pages_for(size), false);
}

static size_t op_usable(ka_allocator *self, const void *block, size_t size, size_t align)
{
    (void)block;
    return is_packed(instance_of(self), size, align) ? units_for(size) * UNIT : (size_t)pages_for(size) * PAGE;
}

static void *op_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                       size_t new_align, ka_flags flags)
{
    ka_physical_allocator *p = instance_of(self);
    bool packed = is_packed(p, old_size, old_align), fits = packed == is_packed(p, new_size, new_align);
    bool same = packed ? units_for(old_size) == units_for(new_size) : pages_for(old_size) == pages_for(new_size);
    void *now = block;
    if (!context_allows(p, packed, flags))
        return refuse(p, KA_PHYSICAL_CONTEXT);
    if (!fits || !same || exceeds_boundary(p, new_size) || (uintptr_t)block % real_align(p, new_align) != 0) {
        now = op_alloc(self, new_size, new_align, flags & ~KA_ZERO);
        if (now == NULL)
            return NULL;
        ka_copy(now, block, ka_min(old_size, new_size));
        op_free(self, block, old_size, old_align);
    }
    if ((flags & KA_ZERO) != 0 && new_size > old_size)
        ka_clear((char *)now + old_size, new_size - old_size);
    return now;
}

static void op_stats(ka_allocator *self, ka_stats *out)
{
    ka_physical_allocator *p = instance_of(self);
    ka_port_lock_state state = ka_port_lock_take(&packed_lock);
    out->live = p->live;
    out->live_blocks = p->blocks;
    out->total = p->pages * PAGE;
    ka_port_lock_give(&packed_lock, state);
    out->free = out->total - out->live;
    out->live += ka_load_acquire_ptr(&p->whole_live);
    out->live_blocks += ka_load_acquire_ptr(&p->whole_blocks);
    out->total += ka_load_acquire_ptr(&p->whole_live);
    for (const ka_physical_page *at = p->record_pages; at != NULL;
         at = (const ka_physical_page *)(const void *)at->memory)
        out->overhead += PAGE;
}

static const char *page_check(const ka_physical_page *page)
{
    for (unsigned at = 0; at < UNITS; at++) {
        bool used = ka_bit_get(page->used, at), last = ka_bit_get(page->last, at);
        if (last && !used)
            return "free units end a block";
        if (used && !last && (at + 1 == UNITS || !ka_bit_get(page->used, at + 1)))
            return "a block has no end";
    }
    return NULL;
}

static const char *check_locked(const ka_physical_allocator *p)
{
    size_t units = 0, pages = 0, room = 0, empty = 0;
    for (unsigned i = 0; i < KA_PHYSICAL_BUCKETS; i++)
        for (const ka_physical_page *page = p->buckets[i]; page != NULL; page = page->bucket) {
            const char *broken = page_check(page);
            if (broken != NULL)
                return broken;
            pages++;
            room += !page_is_full(page);
            empty += page_is_empty(page);
            for (unsigned at = 0; at < PAGE_WORDS; at++)
                units += ka_count_bits(page->used[at]);
        }
    for (const ka_physical_page *page = p->room; page != NULL; page = page->next, room--)
        if (page_is_full(page) || room == 0)
            return "the list of pages with room is wrong";
    if (room != 0)
        return "a page with room is not in the list";
    if (empty != p->empty || empty > p->source->keep)
        return "empty pages of packed blocks are not as many as are kept";
    return units * UNIT == p->live && pages == p->pages ? NULL : "live bytes are not what the pages say";
}

static const char *op_check(ka_allocator *self)
{
    ka_port_lock_state state = ka_port_lock_take(&packed_lock);
    const char *broken = check_locked(instance_of(self));
    ka_port_lock_give(&packed_lock, state);
    return broken;
}

static const ka_allocator_ops physical_ops = {
    .name = "physical",
    .alloc = op_alloc,
    .free = op_free,
    .resize = op_resize,
    .usable = op_usable,
    .stats = op_stats,
    .check = op_check,
};

/* ---- life ---- */

static bool is_power(uint64_t x)
{
    return (x & (x - 1)) == 0;
}

static bool limits_valid(const ka_physical_limits *l)
{
    return is_power(l->boundary) && is_power(l->align) && (l->boundary == 0 || l->boundary >= UNIT) &&
           (l->highest == 0 || (l->highest >= 2 * PAGE - 1 && l->lowest <= l->highest)) &&
           l->caching <= KA_WRITE_COMBINED;
}

ka_physical_error ka_physical_init_over(ka_physical_allocator *p, const ka_physical_limits *limits,
                                        const ka_physical_source *source)
{
    ka_clear(p, sizeof *p);
    if (limits != NULL)
        p->limits = *limits;
    if (!limits_valid(&p->limits))
        return KA_PHYSICAL_BAD_LIMITS;
    if (!source->has_caching(p->limits.caching))
        return KA_PHYSICAL_NO_CACHING;
    p->allocator.ops = &physical_ops;
    p->source = source;
    for (unsigned i = 0; i < KA_PHYSICAL_RECORDS; i++) {
        p->records[i].next = p->spare;
        p->spare = &p->records[i];
    }
    return KA_PHYSICAL_OK;
}

size_t ka_physical_fini(ka_physical_allocator *p)
{
    size_t live = p->blocks + p->whole_blocks;
    if (live != 0) {
        ka_report_misuse(KA_MISUSE_LEAK, &p->allocator, NULL, p->live + p->whole_live, NULL);
        return live;
    }
    while (p->room != NULL)
        page_give(p, page_drop(p, p->room));
    while (p->record_pages != NULL) {
        ka_physical_page *records = p->record_pages;
        p->record_pages = records[0].memory;
        records_put(p->source, records);
    }
    p->allocator.ops = NULL;
    return 0;
}
