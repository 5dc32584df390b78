/* heap_suite.c: what every heap must do, through the interface alone; and regions of its own for what needs a range or
 * a refill. After the tests of "Writing an OS in Rust: Heap Allocation", and beyond them.
 */
#include "suite.h"

#include <ka/region.h>

#include "base/mem.h"

/* Bytes live before a case and after it must be the same. */
static size_t live_now(void)
{
    return ka_get_stats(suite.allocator).live;
}

static void heap_sound(size_t live_before)
{
    KIT_CHECK_SOUND(ka_check(suite.allocator));
    KIT_EXPECT(live_now() == live_before);
}

static void simple_allocation(void)
{
    size_t live = live_now();
    uint64_t *first = ka_alloc_type(suite.allocator, uint64_t), *second = ka_alloc_type(suite.allocator, uint64_t);
    KIT_CHECK(first != NULL && second != NULL && first != second);
    *first = 41;
    *second = 13;
    KIT_EXPECT(*first == 41 && *second == 13);
    KIT_EXPECT(live_now() >= live + 2 * sizeof *first);
    ka_free_type(suite.allocator, uint64_t, first);
    ka_free_type(suite.allocator, uint64_t, second);
    heap_sound(live);
}

static void large_vec(void)
{
    enum { N = 1000 };
    size_t live = live_now(), cap = 1;
    uint64_t sum = 0, *items = ka_alloc_array(suite.allocator, uint64_t, cap);
    for (uint64_t i = 0; i < N; i++) {
        if (i == cap) {
            uint64_t *larger = ka_resize_array(suite.allocator, uint64_t, items, cap, cap * 2);
            KIT_CHECK(larger != NULL);
            items = larger;
            cap *= 2;
        }
        items[i] = i;
    }
    for (uint64_t i = 0; i < N; i++)
        sum += items[i];
    KIT_EXPECT(sum == (uint64_t)(N - 1) * N / 2);
    ka_free_array(suite.allocator, uint64_t, items, cap);
    heap_sound(live);
}

/* As many as the heap has bytes, one after another: memory must be reused. */
static void many_blocks(void)
{
    size_t live = live_now(), total = ka_get_stats(suite.allocator).total;
    for (size_t i = 0; i < suite.heap_bytes; i++) {
        size_t *value = ka_alloc_type(suite.allocator, size_t);
        KIT_CHECK(value != NULL);
        *value = i;
        KIT_CHECK(*value == i);
        ka_free_type(suite.allocator, size_t, value);
    }
    KIT_EXPECT(ka_get_stats(suite.allocator).total == total);
    heap_sound(live);
}

/* The same with one block that lives all the while. */
static void many_blocks_long_lived(void)
{
    size_t live = live_now();
    size_t *long_lived = ka_alloc_type(suite.allocator, size_t);
    KIT_CHECK(long_lived != NULL);
    *long_lived = 1;
    many_blocks();
    KIT_EXPECT(*long_lived == 1);
    ka_free_type(suite.allocator, size_t, long_lived);
    heap_sound(live);
}

/* ---- out of memory ---- */

/* Blocks of one size, chained through their first word. */
typedef struct chain {
    struct chain *next;
    size_t number;
} chain;

static chain *fill_heap(size_t size, size_t *count)
{
    chain *head = NULL;
    for (*count = 0;; ++*count) {
        chain *block = ka_alloc(suite.allocator, size, 16, 0);
        if (block == NULL)
            return head;
        kit_stamp(block, size, *count);
        *block = (chain){ head, *count };
        head = block;
    }
}

/* Returns how many blocks held what they should. */
static size_t free_chain(chain *head, size_t size)
{
    size_t good = 0;
    while (head != NULL) {
        chain *next = head->next;
        static unsigned char expected[4096];
        kit_stamp(expected, size, head->number);
        good += memcmp((char *)head + sizeof *head, expected + sizeof *head, size - sizeof *head) == 0;
        ka_free(suite.allocator, head, size, 16);
        head = next;
    }
    return good;
}

static void out_of_memory(void)
{
    enum { SIZE = 1008 };
    size_t live = live_now(), count, again;
    chain *head = fill_heap(SIZE, &count);
    KIT_CHECK(head != NULL);
    KIT_EXPECT(count * SIZE > suite.limit - suite.limit / 10); /* nearly all can be used */
    size_t full = live_now();
    KIT_EXPECT(ka_alloc(suite.allocator, SIZE, 16, 0) == NULL);
    KIT_EXPECT(ka_resize(suite.allocator, head, SIZE, 16, suite.limit, 16, 0) == NULL);
    KIT_EXPECT(ka_alloc(suite.allocator, (size_t)PTRDIFF_MAX - 15, 16, 0) == NULL);
    KIT_EXPECT(live_now() == full);
    KIT_CHECK_SOUND(ka_check(suite.allocator));
    KIT_EXPECT(free_chain(head, SIZE) == count);
    heap_sound(live);

    KIT_EXPECT(free_chain(fill_heap(SIZE, &again), SIZE) == again); /* and all of it again */
    KIT_EXPECT(again == count);
    heap_sound(live);
}

/* A block that is larger than anything that was refused before, once the heap is empty. */
static void works_after_frees(void)
{
    size_t live = live_now(), count, half = suite.limit / 2;
    chain *head = fill_heap(64, &count);
    KIT_EXPECT(ka_alloc(suite.allocator, half, 16, 0) == NULL);
    KIT_EXPECT(free_chain(head, 64) == count);
    void *block = ka_alloc(suite.allocator, half, 16, 0);
    KIT_CHECK(block != NULL);
    kit_stamp(block, half, 7);
    KIT_EXPECT(kit_stamped(block, half, 7));
    ka_free(suite.allocator, block, half, 16);
    heap_sound(live);
}

/* ---- arguments ---- */

static void bad_requests(void)
{
    size_t live = live_now();
    KIT_EXPECT(ka_alloc(suite.allocator, 8, 0, 0) == NULL);
    KIT_EXPECT(ka_alloc(suite.allocator, 8, 24, 0) == NULL);
    KIT_EXPECT(ka_alloc(suite.allocator, SIZE_MAX, 1, 0) == NULL);
    KIT_EXPECT(ka_alloc(suite.allocator, (size_t)PTRDIFF_MAX, 4096, 0) == NULL);
    KIT_EXPECT(ka_alloc(suite.allocator, 8, 8, KA_FLAGS_KNOWN + 1) == NULL);
    KIT_EXPECT(ka_alloc_array(suite.allocator, uint64_t, SIZE_MAX / 8 + 1) == NULL);
    heap_sound(live);
}

static void size_zero(void)
{
    size_t live = live_now();
    void *block = ka_alloc(suite.allocator, 0, 64, 0);
    KIT_CHECK(block != NULL && (uintptr_t)block % 64 == 0);
    ka_free(suite.allocator, block, 0, 64);
    ka_free(suite.allocator, NULL, 8, 8);
    block = ka_resize(suite.allocator, NULL, 0, 1, 32, 32, 0);
    KIT_CHECK(block != NULL && (uintptr_t)block % 32 == 0);
    KIT_EXPECT(ka_resize(suite.allocator, block, 32, 32, 0, 1, 0) != NULL);
    heap_sound(live);
}

static void zeroed(void)
{
    size_t live = live_now();
    for (size_t size = 1; size < 5000; size = size * 3 + 1) {
        unsigned char *dirty = ka_alloc(suite.allocator, size, 16, 0);
        KIT_CHECK(dirty != NULL);
        memset(dirty, 0xff, size);
        ka_free(suite.allocator, dirty, size, 16);
        unsigned char *clear = ka_zalloc(suite.allocator, size, 16, 0), bits = 0;
        KIT_CHECK(clear != NULL);
        for (size_t i = 0; i < size; i++)
            bits |= clear[i];
        KIT_EXPECT(bits == 0);
        ka_free(suite.allocator, clear, size, 16);
    }
    heap_sound(live);
}

/* Up to 1 MiB, or as far as the heap has room for. Every block is disjoint from the others, so stamps stay. */
static void alignment(void)
{
    enum { MAX = 1 << 20 };
    void *blocks[21];
    size_t live = live_now(), n = 0;
    for (size_t align = 1; align <= MAX && align <= suite.limit / 4; align *= 2, n++) {
        blocks[n] = ka_alloc(suite.allocator, 40 + n, align, 0);
        KIT_CHECK(blocks[n] != NULL);
        KIT_EXPECT((uintptr_t)blocks[n] % align == 0 && (uintptr_t)blocks[n] % KA_MIN_ALIGN == 0);
        kit_stamp(blocks[n], 40 + n, n);
    }
    for (size_t i = 0; i < n; i++) {
        KIT_EXPECT(kit_stamped(blocks[i], 40 + i, i));
        ka_free(suite.allocator, blocks[i], 40 + i, (size_t)1 << i);
    }
    kit_note("aligned to up to %zu bytes", (size_t)1 << (n - 1));
    heap_sound(live);
}

/* ---- resize ---- */

/* `fenced`: a block is taken behind each new place, so that the next growth must move. */
static void resize_through_sizes(bool fenced)
{
    static const size_t sizes[] = { 10, 100, 5000, 20000, 300, 17, 16, 15, 1, 4096 };
    void *fences[KIT_COUNT(sizes)] = { NULL };
    size_t live = live_now(), size = 1;
    unsigned char *block = ka_alloc(suite.allocator, size, 1, 0);
    KIT_CHECK(block != NULL);
    block[0] = 1;
    for (size_t i = 0; i < KIT_COUNT(sizes); i++) {
        size_t kept = size < sizes[i] ? size : sizes[i];
        kit_stamp(block, size, i);
        fences[i] = fenced ? ka_alloc(suite.allocator, 16, 16, 0) : NULL;
        unsigned char *moved = ka_resize(suite.allocator, block, size, 1, sizes[i], 1, 0);
        KIT_CHECK(moved != NULL);
        KIT_EXPECT(kit_stamped(moved, kept, i));
        block = moved;
        size = sizes[i];
    }
    ka_free(suite.allocator, block, size, 1);
    for (size_t i = 0; i < KIT_COUNT(sizes); i++)
        ka_free(suite.allocator, fences[i], 16, 16);
    heap_sound(live);
}

static void resize_keeps_contents(void)
{
    resize_through_sizes(false);
    resize_through_sizes(true);
}

static void resize_changes_alignment(void)
{
    static const size_t aligns[] = { 16, 4096, 1, 256, 8192, 64 };
    size_t live = live_now(), size = 100, align = 1;
    void *block = ka_alloc(suite.allocator, size, align, 0);
    KIT_CHECK(block != NULL);
    for (size_t i = 0; i < KIT_COUNT(aligns); i++) {
        kit_stamp(block, size, i);
        void *moved = ka_resize(suite.allocator, block, size, align, size + 50, aligns[i], 0);
        KIT_CHECK(moved != NULL);
        KIT_EXPECT((uintptr_t)moved % aligns[i] == 0 && kit_stamped(moved, size, i));
        block = moved;
        align = aligns[i];
        size += 50;
    }
    ka_free(suite.allocator, block, size, align);
    heap_sound(live);
}

static void resize_clears_the_new_part(void)
{
    size_t live = live_now();
    unsigned char *block = ka_alloc(suite.allocator, 1000, 16, 0), bits = 0;
    KIT_CHECK(block != NULL);
    memset(block, 0xff, 1000);
    block = ka_resize(suite.allocator, block, 1000, 16, 33, 16, 0);
    KIT_CHECK(block != NULL);
    block = ka_resize(suite.allocator, block, 33, 16, 1000, 16, KA_ZERO);
    KIT_CHECK(block != NULL);
    for (size_t i = 33; i < 1000; i++)
        bits |= block[i];
    KIT_EXPECT(bits == 0 && block[0] == 0xff && block[32] == 0xff);
    ka_free(suite.allocator, block, 1000, 16);
    heap_sound(live);
}

/* ---- a long random life ---- */

typedef struct held {
    void *block;
    size_t size, align;
    uint64_t seed;
} held;

enum { HELD = 64 };

static void held_drop(held *h)
{
    KIT_EXPECT(kit_stamped(h->block, h->size, h->seed));
    ka_free(suite.allocator, h->block, h->size, h->align);
    *h = (held){ NULL, 0, 0, 0 };
}

static void held_take(held *h, kit_random *random)
{
    h->size = 1 + (size_t)kit_below(random, kit_below(random, 8) == 0 ? 3000 : 100);
    h->align = (size_t)1 << kit_below(random, 8);
    h->seed = kit_next(random);
    h->block = ka_alloc(suite.allocator, h->size, h->align, 0);
    if (h->block == NULL)
        return;
    KIT_EXPECT((uintptr_t)h->block % h->align == 0);
    kit_stamp(h->block, h->size, h->seed);
}

static void held_resize(held *h, kit_random *random)
{
    size_t size = 1 + (size_t)kit_below(random, 2000), align = (size_t)1 << kit_below(random, 8);
    void *moved = ka_resize(suite.allocator, h->block, h->size, h->align, size, align, 0);
    if (moved == NULL)
        return;
    KIT_EXPECT(kit_stamped(moved, h->size < size ? h->size : size, h->seed));
    *h = (held){ moved, size, align, h->seed + 1 };
    kit_stamp(moved, size, h->seed);
}

static void random_life(void)
{
    static held blocks[HELD];
    kit_random random = { 1 };
    size_t live = live_now();
    for (unsigned i = 0; i < 5000 && !kit_failed(); i++) {
        held *h = &blocks[kit_below(&random, HELD)];
        if (h->block == NULL)
            held_take(h, &random);
        else if (kit_below(&random, 3) == 0)
            held_resize(h, &random);
        else
            held_drop(h);
        if (i % 64 == 0)
            KIT_CHECK_SOUND(ka_check(suite.allocator));
    }
    for (unsigned i = 0; i < HELD; i++)
        if (blocks[i].block != NULL)
            held_drop(&blocks[i]);
    heap_sound(live);
}

/* ---- walk ---- */

typedef struct walked {
    const void *wanted[2];
    size_t live_bytes, found;
    uintptr_t last;
    bool ordered;
} walked;

static bool walk_visit(void *context, const void *block, size_t size, bool live)
{
    walked *w = context;
    w->live_bytes += live ? size : 0;
    w->found += live && (block == w->wanted[0] || block == w->wanted[1]);
    w->ordered = w->ordered && (uintptr_t)block >= w->last;
    w->last = (uintptr_t)block + size;
    return true;
}

static void walk_and_stats_agree(void)
{
    size_t live = live_now();
    walked w = { .ordered = true };
    void *a = ka_alloc(suite.allocator, 100, 16, 0), *b = ka_alloc(suite.allocator, 1000, 256, 0);
    KIT_CHECK(a != NULL && b != NULL);
    w.wanted[0] = a;
    w.wanted[1] = b;
    KIT_CHECK(ka_walk(suite.allocator, walk_visit, &w));
    ka_stats stats = ka_get_stats(suite.allocator);
    KIT_EXPECT(w.found == 2 && w.live_bytes == stats.live && w.ordered);
    KIT_EXPECT(stats.total == stats.live + stats.free && stats.peak >= stats.live);
    ka_free(suite.allocator, a, 100, 16);
    ka_free(suite.allocator, b, 1000, 256);
    heap_sound(live);
}

/* ---- regions of the suite's own ---- */

enum { RANGE = 4096 };

static struct {
    ka_region region;
    _Alignas(16) char memory[4 * RANGE];
    unsigned refills, refills_max;
} own;

static bool own_refill(void *context, size_t size, size_t align, ka_flags flags)
{
    (void)context, (void)size, (void)align, (void)flags;
    if (own.refills == own.refills_max)
        return false;
    own.refills++;
    return ka_region_claim(&own.region, own.memory + own.refills * RANGE, RANGE);
}

/* Blocks of 512 bytes until there are no more. */
static size_t own_fill(void *blocks[64])
{
    size_t n = 0;
    while (n < 64 && (blocks[n] = ka_region_alloc(&own.region, 512, 16)) != NULL)
        kit_stamp(blocks[n], 512, n), n++;
    return n;
}

static void own_empty(void *blocks[64], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        KIT_EXPECT(kit_stamped(blocks[i], 512, i));
        ka_region_free(&own.region, blocks[i], 512, 16);
    }
    KIT_CHECK_SOUND(ka_region_check(&own.region));
    KIT_EXPECT(ka_get_stats(&own.region.allocator).live == 0);
}

/* Two ranges with a gap: both are used, and no block spans the gap. */
static void disjoint_ranges(void)
{
    void *blocks[64];
    char *low = own.memory, *high = own.memory + 2 * RANGE;
    ka_region_init(&own.region);
    KIT_CHECK(ka_region_claim(&own.region, high, RANGE));
    KIT_CHECK(ka_region_claim(&own.region, low, RANGE));
    KIT_EXPECT(!ka_region_claim(&own.region, low + RANGE / 2, RANGE)); /* overlaps */
    KIT_EXPECT(ka_region_alloc(&own.region, RANGE, 16) == NULL);
    size_t n = own_fill(blocks), in_low = 0;
    for (size_t i = 0; i < n; i++) {
        char *block = blocks[i];
        bool is_low = block >= low && block + 512 <= low + RANGE;
        KIT_EXPECT(is_low || (block >= high && block + 512 <= high + RANGE));
        in_low += is_low;
    }
    KIT_EXPECT(n >= 12 && in_low > 0 && in_low < n);
    own_empty(blocks, n);
}

/* The refill claims three pages, one behind the other: one range, whose memory merges over the seams. */
static void refill_extends(void)
{
    void *blocks[64];
    own.refills = 0;
    own.refills_max = 3;
    ka_region_init(&own.region);
    KIT_CHECK(ka_region_claim(&own.region, own.memory, RANGE));
    ka_region_set_refill(&own.region, own_refill, NULL);
    size_t n = own_fill(blocks);
    KIT_EXPECT(own.refills == 3 && n >= 28);
    own_empty(blocks, n);
    void *block = ka_region_alloc(&own.region, 3 * RANGE, 16);
    KIT_CHECK(block != NULL);
    ka_region_free(&own.region, block, 3 * RANGE, 16);
}

/* A heap that can grow has not grown for what fitted, and grows for what does not. */
static void growth_on_demand(void)
{
    size_t live = live_now(), total = ka_get_stats(suite.allocator).total, size = suite.limit / 2;
    if (suite.limit <= suite.heap_bytes) {
        kit_skip("this heap does not grow");
        return;
    }
    void *block = ka_alloc(suite.allocator, size, 16, 0);
    KIT_CHECK(block != NULL);
    KIT_EXPECT(ka_get_stats(suite.allocator).total >= total);
    KIT_EXPECT(ka_get_stats(suite.allocator).total > suite.heap_bytes);
    kit_stamp(block, size, 3);
    KIT_EXPECT(kit_stamped(block, size, 3));
    ka_free(suite.allocator, block, size, 16);
    KIT_EXPECT(ka_alloc(suite.allocator, suite.limit, 16, 0) == NULL);
    heap_sound(live);
}

static const kit_case cases[] = {
    { "simple_allocation", simple_allocation },
    { "large_vec", large_vec },
    { "many_blocks", many_blocks },
    { "many_blocks_long_lived", many_blocks_long_lived },
    { "bad requests", bad_requests },
    { "size 0 and NULL", size_zero },
    { "zeroed", zeroed },
    { "alignment", alignment },
    { "resize keeps contents", resize_keeps_contents },
    { "resize changes alignment", resize_changes_alignment },
    { "resize clears the new part", resize_clears_the_new_part },
    { "a long random life", random_life },
    { "walk and stats agree", walk_and_stats_agree },
    { "disjoint ranges", disjoint_ranges },
    { "refill extends", refill_extends },
    { "growth on demand", growth_on_demand },
    { "out of memory", out_of_memory },
    { "works after frees", works_after_frees },
};

const kit_suite heap_suite = { "heap", cases, KIT_COUNT(cases) };
