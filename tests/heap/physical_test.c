/* physical_test.c: physically contiguous blocks over a machine that is made up: 16 MiB in three ranges on two nodes.
 *
 * The model knows of each 16 bytes whether a block has them, and of each page which instance packs it. A block must
 * satisfy the constraints; a refusal is believed only after every place has been tried.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kit.h"

#include "heap/physical.h"

#define PAGE      4096u
#define UNIT      16u
#define BASE_PAGE 4096u /* physical: 16 MiB */
#define PAGES     4096u
#define ARENA     ((size_t)PAGES * PAGE)

static const ka_frame_range ranges[] = {
    { BASE_PAGE + 3, 1021, 0 },
    { BASE_PAGE + 1030, 1500, 0 },
    { BASE_PAGE + 2600, 1400, 1 },
};
static unsigned char *arena;
static ka_frames frames;
static void *metadata;
static unsigned long mapped_uncached;

static void *map(uint64_t first, uint64_t count, ka_caching caching)
{
    if (caching != KA_CACHED)
        mapped_uncached += count;
    return arena + (first - BASE_PAGE) * PAGE;
}

static void unmap(void *memory, uint64_t count, ka_caching caching)
{
    (void)memory;
    KIT_EXPECT(caching == KA_UNCACHED && mapped_uncached >= count);
    mapped_uncached -= count;
}

static uint64_t frame_of(const void *memory)
{
    size_t offset = (size_t)((const unsigned char *)memory - arena);
    return offset < ARENA ? BASE_PAGE + offset / PAGE : UINT64_MAX;
}

static bool has_caching(ka_caching caching)
{
    return caching != KA_WRITE_COMBINED;
}

static const ka_physical_source source = { .frames = &frames,
                                           .align = 16,
                                           .max_align = (size_t)16 << 20,
                                           .map = map,
                                           .unmap = unmap,
                                           .frame_of = frame_of,
                                           .has_caching = has_caching };

static unsigned reports;
static ka_misuse last_kind;

static void on_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                      const void *site)
{
    (void)context, (void)allocator, (void)block, (void)size, (void)site;
    reports++;
    last_kind = kind;
}

static void setup(void)
{
    size_t size = ka_frames_size(ranges, KIT_COUNT(ranges), KA_FRAMES_TRACK);
    if (arena == NULL) {
        unsigned char *got = mmap(NULL, 2 * ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (got == MAP_FAILED)
            abort();
        arena = got + (ARENA - (uintptr_t)got % ARENA) % ARENA;
    }
    free(metadata);
    metadata = aligned_alloc(64, size);
    memset(metadata, 0, size);
    if (!ka_frames_init(&frames, ranges, KIT_COUNT(ranges), metadata, KA_FRAMES_TRACK))
        abort();
    ka_set_misuse_handler(on_misuse, NULL);
    reports = 0;
}

static uint64_t frames_free(void)
{
    return ka_frames_census(&frames).free;
}

static uint64_t address_of(const void *block)
{
    return frame_of(block) * PAGE + (uintptr_t)block % PAGE;
}

static int node_of(uint64_t page)
{
    for (unsigned i = 0; i < KIT_COUNT(ranges); i++)
        if (page - ranges[i].first < ranges[i].count)
            return (int)ranges[i].node;
    return -1;
}

/* ---- the model ---- */

#define INSTANCES 16u
#define BLOCKS    3000u
enum { FREE = 0, WHOLE = 100, RECORDS = 101 }; /* else: packed by instance number - 1 */

typedef struct block {
    unsigned char *at;
    size_t size, align;
    unsigned instance;
} block;

static ka_physical_allocator instances[INSTANCES];
static block blocks[BLOCKS];
static unsigned block_count;
static unsigned char page_state[PAGES];
static unsigned page_blocks[PAGES];
static unsigned char unit_used[PAGES][PAGE / UNIT];
static unsigned long refusals[KA_PHYSICAL_NO_MEMORY + 1];

static bool packs(const ka_physical_limits *l, size_t size, size_t align)
{
    return !l->exclusive && size < PAGE && align <= PAGE && l->align <= PAGE;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* May a block lie at this physical address? */
static bool satisfies(const ka_physical_limits *l, uint64_t at, size_t size, size_t align)
{
    uint64_t last = at + size - 1, first_page = at / PAGE, last_page = last / PAGE;
    return at % larger(larger(align, l->align), 16) == 0 && first_page * PAGE >= l->lowest &&
           (l->highest == 0 || last_page * PAGE + PAGE - 1 <= l->highest) &&
           (l->boundary == 0 || at / l->boundary == last / l->boundary) &&
           (!l->exact || node_of(first_page) == (int)l->node);
}

static bool range_has(uint64_t page, uint64_t count)
{
    for (unsigned i = 0; i < KIT_COUNT(ranges); i++)
        if (page >= ranges[i].first && page + count <= ranges[i].first + ranges[i].count)
            return true;
    return false;
}

static void records_mark(unsigned char state)
{
    for (unsigned i = 0; i < INSTANCES; i++)
        for (const ka_physical_page *at = instances[i].record_pages; at != NULL; at = (const void *)at->memory)
            page_state[((const unsigned char *)at - arena) / PAGE] = state;
}

static bool whole_place_exists(const ka_physical_limits *l, size_t size, size_t align)
{
    uint64_t count = (size + PAGE - 1) / PAGE, run = 0;
    for (uint64_t page = 0; page < PAGES; page++) {
        run = page_state[page] == FREE && node_of(BASE_PAGE + page) >= 0 ? run + 1 : 0;
        uint64_t first = BASE_PAGE + page + 1 - count;
        if (run >= count && range_has(first, count) && satisfies(l, first * PAGE, (size_t)count * PAGE, align))
            return true;
        /* the bytes behind the block's end in its last page need not stand back from the boundary */
        if (run >= count && range_has(first, count) && l->boundary != 0 && l->boundary < PAGE && count == 1 &&
            satisfies(l, first * PAGE, size, align))
            return true;
    }
    return false;
}

static bool packed_place_exists(unsigned instance, size_t size, size_t align)
{
    const ka_physical_limits *l = &instances[instance].limits;
    size_t units = (size + UNIT - 1) / UNIT;
    for (unsigned page = 0; page < PAGES; page++) {
        bool fresh = page_state[page] == FREE && node_of(BASE_PAGE + page) >= 0;
        if (fresh && satisfies(l, (uint64_t)(BASE_PAGE + page) * PAGE, units * UNIT, align))
            return true;
        if (page_state[page] != instance + 1)
            continue;
        size_t run = 0;
        for (size_t u = 0; u < PAGE / UNIT; u++) {
            run = unit_used[page][u] ? 0 : run + 1;
            uint64_t at = (uint64_t)(BASE_PAGE + page) * PAGE + (u + 1 - units) * UNIT;
            if (run >= units && satisfies(l, at, units * UNIT, align))
                return true;
        }
    }
    return false;
}

static bool place_exists(unsigned instance, size_t size, size_t align)
{
    const ka_physical_limits *l = &instances[instance].limits;
    records_mark(RECORDS);
    bool found =
        packs(l, size, align) ? packed_place_exists(instance, size, align) : whole_place_exists(l, size, align);
    records_mark(FREE);
    return found;
}

static void units_mark(const block *b, bool taken)
{
    bool packed = packs(&instances[b->instance].limits, b->size, b->align);
    size_t from = (size_t)(b->at - arena), end = from + b->size, grain = packed ? UNIT : PAGE;
    for (size_t at = from; at < end; at += UNIT) {
        KIT_EXPECT(unit_used[at / PAGE][at % PAGE / UNIT] != taken);
        unit_used[at / PAGE][at % PAGE / UNIT] = taken;
    }
    for (size_t page = from / PAGE; page <= (end - 1) / PAGE; page++) {
        unsigned state = packed ? b->instance + 1 : (unsigned)WHOLE;
        page_blocks[page] += taken ? 1 : -1u;
        if (taken)
            KIT_EXPECT(page_state[page] == FREE || (packed && page_state[page] == state));
        page_state[page] = page_blocks[page] == 0 ? FREE : (unsigned char)state;
    }
    KIT_EXPECT(from % grain == 0);
}

static void stamp(const block *b)
{
    kit_stamp(b->at, b->size < 64 ? b->size : 64, b->size);
}

static bool stamped(const block *b)
{
    return kit_stamped(b->at, b->size < 64 ? b->size : 64, b->size);
}

/* ---- random requests ---- */

static ka_physical_limits random_limits(kit_random *random)
{
    ka_physical_limits l = { 0 };
    if (kit_below(random, 2) != 0)
        l.lowest = (BASE_PAGE + kit_below(random, PAGES)) * PAGE + kit_below(random, 2) * kit_below(random, PAGE);
    if (kit_below(random, 2) != 0)
        l.highest = larger(l.lowest, BASE_PAGE * PAGE) + kit_below(random, ARENA / 2);
    if (kit_below(random, 3) == 0)
        l.boundary = UINT64_C(1) << (4 + kit_below(random, 20));
    if (kit_below(random, 3) == 0)
        l.align = (size_t)1 << kit_below(random, 18);
    l.node = (unsigned)kit_below(random, 3);
    l.exact = kit_below(random, 4) == 0;
    l.exclusive = kit_below(random, 4) == 0;
    l.caching = kit_below(random, 8) == 0 ? KA_UNCACHED : KA_CACHED;
    return l;
}

static void random_layout(kit_random *random, size_t *size, size_t *align)
{
    *size = 1 + (size_t)kit_below(random, UINT64_C(1) << kit_below(random, 15));
    if (kit_below(random, 50) == 0)
        *size = 1 + (size_t)kit_below(random, (uint64_t)1 << 20);
    if (kit_below(random, 4) == 0)
        *size = (size_t)1 << kit_below(random, 14);
    *align = (size_t)1 << kit_below(random, kit_below(random, 8) == 0 ? 20 : 8);
}

static bool zeroed(const unsigned char *at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (at[i] != 0)
            return false;
    return true;
}

static void refused(unsigned instance, size_t size, size_t align)
{
    ka_physical_error why = ka_physical_last_error(&instances[instance].allocator);
    refusals[why]++;
    KIT_EXPECT(why == KA_PHYSICAL_NO_MEMORY || why == KA_PHYSICAL_BOUNDARY);
    KIT_EXPECT(!place_exists(instance, size, align));
}

static void request(kit_random *random)
{
    block b = { .instance = (unsigned)kit_below(random, INSTANCES) };
    const ka_physical_limits *l = &instances[b.instance].limits;
    random_layout(random, &b.size, &b.align);
    bool zero = kit_below(random, 4) == 0;
    b.at = ka_alloc(&instances[b.instance].allocator, b.size, b.align, zero ? KA_ZERO : 0);
    if (b.at == NULL) {
        refused(b.instance, b.size, b.align);
        return;
    }
    uint64_t at = address_of(b.at);
    KIT_EXPECT(satisfies(l, at, b.size, b.align) && (uintptr_t)b.at % b.align == 0);
    KIT_EXPECT(range_has(at / PAGE, (at + b.size - 1) / PAGE - at / PAGE + 1));
    KIT_EXPECT(!zero || zeroed(b.at, b.size));
    units_mark(&b, true);
    stamp(&b);
    blocks[block_count++] = b;
}

static void release(unsigned index)
{
    block b = blocks[index];
    blocks[index] = blocks[--block_count];
    KIT_EXPECT(stamped(&b));
    units_mark(&b, false);
    ka_free(&instances[b.instance].allocator, b.at, b.size, b.align);
}

static void resize(kit_random *random)
{
    block old = blocks[kit_below(random, block_count)], now = old;
    block *slot = &blocks[0];
    while (slot->at != old.at)
        slot++;
    random_layout(random, &now.size, &now.align);
    now.at = ka_resize(&instances[old.instance].allocator, old.at, old.size, old.align, now.size, now.align, KA_ZERO);
    if (now.at == NULL) {
        refused(old.instance, now.size, now.align);
        KIT_EXPECT(stamped(&old));
        return;
    }
    KIT_EXPECT(satisfies(&instances[old.instance].limits, address_of(now.at), now.size, now.align));
    size_t kept = old.size < now.size ? old.size : now.size;
    if (old.size <= 64 || now.size >= 64)
        KIT_EXPECT(kit_stamped(now.at, kept < 64 ? kept : 64, old.size));
    KIT_EXPECT(now.size <= old.size || zeroed(now.at + old.size, now.size - old.size));
    units_mark(&old, false);
    units_mark(&now, true);
    stamp(&now);
    *slot = now;
}

/* All blocks of the instance go, then it gets other constraints. */
static void renew(unsigned instance, kit_random *random)
{
    for (unsigned i = block_count; i-- > 0;)
        if (blocks[i].instance == instance)
            release(i);
    KIT_EXPECT(ka_physical_fini(&instances[instance]) == 0);
    while (true) {
        ka_physical_limits limits = random_limits(random);
        if (ka_physical_init_over(&instances[instance], &limits, &source) == KA_PHYSICAL_OK)
            return;
    }
}

static void all_check(void)
{
    KIT_CHECK_SOUND(ka_frames_check(&frames));
    for (unsigned i = 0; i < INSTANCES; i++)
        KIT_CHECK_SOUND(ka_check(&instances[i].allocator));
}

#define REQUESTS (KA_CFG_SLOW ? 100000u : 1000000u)

static void model(void)
{
    kit_random random = { 6 };
    setup();
    uint64_t all = frames_free();
    for (unsigned i = 0; i < INSTANCES; i++)
        if (ka_physical_init_over(&instances[i], NULL, &source) != KA_PHYSICAL_OK)
            abort();
    for (unsigned made = 0; made < REQUESTS && !kit_failed(); made++) {
        unsigned pressure = made / 10000 % 2 == 0 ? 62 : 45;
        uint64_t dice = kit_below(&random, 100);
        if (made % 3000 == 0)
            renew((unsigned)kit_below(&random, INSTANCES), &random);
        if (block_count < BLOCKS && (dice < pressure || block_count == 0))
            request(&random);
        else if (dice > 94)
            resize(&random);
        else
            release((unsigned)kit_below(&random, block_count));
        if (made % 1000 == 0)
            all_check();
    }
    for (unsigned i = 0; i < INSTANCES; i++)
        renew(i, &random);
    KIT_EXPECT(frames_free() == all && reports == 0 && mapped_uncached == 0);
    kit_note("seed 6: %u requests; refused for want of a place %lu, for the boundary %lu", REQUESTS,
             refusals[KA_PHYSICAL_NO_MEMORY], refusals[KA_PHYSICAL_BOUNDARY]);
    KIT_EXPECT(refusals[KA_PHYSICAL_NO_MEMORY] > 1000 && refusals[KA_PHYSICAL_BOUNDARY] > 1000);
}

/* ---- single facts ---- */

static void descriptors_are_packed(void)
{
    static ka_physical_allocator p;
    void *at[65];
    setup();
    uint64_t before = frames_free();
    KIT_CHECK(ka_physical_init_over(&p, NULL, &source) == KA_PHYSICAL_OK);
    for (unsigned i = 0; i < 65; i++)
        KIT_CHECK((at[i] = ka_alloc(&p.allocator, 64, 64, 0)) != NULL);
    KIT_EXPECT(frames_free() == before - 2); /* the 65th begins a page */
    for (unsigned i = 1; i < 64; i++)
        KIT_EXPECT(address_of(at[i]) / PAGE == address_of(at[0]) / PAGE);
    ka_stats stats = ka_get_stats(&p.allocator);
    KIT_EXPECT(stats.live == 65 * 64 && stats.live_blocks == 65 && stats.total == 2 * PAGE);
    for (unsigned i = 0; i < 65; i++)
        ka_free(&p.allocator, at[i], 64, 64);
    KIT_EXPECT(frames_free() == before && ka_physical_fini(&p) == 0);
}

static void expect_misuse(ka_physical_allocator *p, void *at, size_t size, ka_misuse kind)
{
    unsigned before = reports;
    uint64_t free_before = frames_free();
    ka_free(&p->allocator, at, size, 16);
    KIT_EXPECT(reports == before + 1 && last_kind == kind && frames_free() == free_before);
    KIT_CHECK_SOUND(ka_check(&p->allocator));
    KIT_CHECK_SOUND(ka_frames_check(&frames));
}

static void misuse(void)
{
    static ka_physical_allocator p;
    setup();
    KIT_CHECK(ka_physical_init_over(&p, NULL, &source) == KA_PHYSICAL_OK);
    char *small = ka_alloc(&p.allocator, 100, 16, 0), *other = ka_alloc(&p.allocator, 100, 16, 0);
    char *large = ka_alloc(&p.allocator, 3 * PAGE, 16, 0);
    KIT_CHECK(small != NULL && other != NULL && large != NULL);
    expect_misuse(&p, small, 200, KA_MISUSE_WRONG_SIZE);
    expect_misuse(&p, small, 64, KA_MISUSE_WRONG_SIZE);
    expect_misuse(&p, small + 16, 84, KA_MISUSE_INTERIOR);
    expect_misuse(&p, small + 1, 100, KA_MISUSE_INTERIOR);
    expect_misuse(&p, large, 100, KA_MISUSE_FOREIGN);
    expect_misuse(&p, large, 2 * PAGE, KA_MISUSE_WRONG_SIZE);
    expect_misuse(&p, large + PAGE, 2 * PAGE, KA_MISUSE_WRONG_SIZE);
    expect_misuse(&p, large + 16, 3 * PAGE, KA_MISUSE_INTERIOR);
    expect_misuse(&p, metadata, 100, KA_MISUSE_FOREIGN);
    ka_free(&p.allocator, small, 100, 16);
    expect_misuse(&p, small, 100, KA_MISUSE_DOUBLE_FREE);
    ka_free(&p.allocator, large, 3 * PAGE, 16);
    expect_misuse(&p, large, 3 * PAGE, KA_MISUSE_DOUBLE_FREE);
    KIT_EXPECT(ka_physical_fini(&p) == 1 && last_kind == KA_MISUSE_LEAK);
    ka_free(&p.allocator, other, 100, 16);
    KIT_EXPECT(ka_physical_fini(&p) == 0);
}

static void bad_limits(void)
{
    static ka_physical_allocator p;
    static const ka_physical_limits bad[] = {
        { .boundary = 3 * PAGE },
        { .boundary = 8 },
        { .align = 48 },
        { .highest = 100 },
        { .lowest = 1 << 20, .highest = (1 << 20) - 1 },
        { .caching = (ka_caching)7 },
    };
    setup();
    for (unsigned i = 0; i < KIT_COUNT(bad); i++)
        KIT_EXPECT(ka_physical_init_over(&p, &bad[i], &source) == KA_PHYSICAL_BAD_LIMITS);
    KIT_EXPECT(ka_physical_init_over(&p, &(ka_physical_limits){ .caching = KA_WRITE_COMBINED }, &source) ==
               KA_PHYSICAL_NO_CACHING);
    for (unsigned i = 0; i <= KA_PHYSICAL_NO_MEMORY; i++)
        for (unsigned j = 0; j < i; j++)
            KIT_EXPECT(strcmp(ka_physical_error_name((ka_physical_error)i),
                              ka_physical_error_name((ka_physical_error)j)) != 0);
}

static void contexts(void)
{
    static ka_physical_allocator p;
    setup();
    KIT_CHECK(ka_physical_init_over(&p, NULL, &source) == KA_PHYSICAL_OK);
    KIT_EXPECT(ka_alloc(&p.allocator, 64, 16, KA_ANY_CONTEXT) == NULL);
    KIT_EXPECT(ka_physical_last_error(&p.allocator) == KA_PHYSICAL_CONTEXT);
    void *page = ka_alloc(&p.allocator, PAGE, 16, KA_ANY_CONTEXT), *small = ka_alloc(&p.allocator, 64, 16, KA_ATOMIC);
    KIT_EXPECT(page != NULL && small != NULL);
    KIT_EXPECT(ka_resize(&p.allocator, page, PAGE, 16, PAGE, 16, KA_PAGEABLE) == NULL);
    ka_free(&p.allocator, page, PAGE, 16);
    ka_free(&p.allocator, small, 64, 16);
    KIT_EXPECT(ka_physical_fini(&p) == 0);
}

/* Alignments that a public crate's PhysicalAllocator ignores. */
static void alignment_is_physical(void)
{
    static ka_physical_allocator p;
    setup();
    KIT_CHECK(ka_physical_init_over(&p, NULL, &source) == KA_PHYSICAL_OK);
    for (size_t align = 1; align <= (size_t)4 << 20; align *= 2)
        for (size_t size = 1; size <= 3 * PAGE; size = size * 5 + 3) {
            void *at = ka_alloc(&p.allocator, size, align, 0);
            KIT_CHECK(at != NULL);
            KIT_EXPECT(address_of(at) % align == 0 && (uintptr_t)at % align == 0);
            ka_free(&p.allocator, at, size, align);
        }
    KIT_EXPECT(ka_physical_fini(&p) == 0);
}

static const kit_case cases[] = {
    { "random constraints against a model", model },
    { "64 descriptors of 64 bytes take one page", descriptors_are_packed },
    { "misuse is reported and changes nothing", misuse },
    { "constraints that cannot be", bad_limits },
    { "contexts", contexts },
    { "alignment is that of the physical address", alignment_is_physical },
};

int main(void)
{
    return kit_main("physical", cases, KIT_COUNT(cases));
}
