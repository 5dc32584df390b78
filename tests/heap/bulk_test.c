/* bulk_test.c: many blocks in one call: as many as asked for, each its own, through magazines and past them, and the
 * errors of callers that free them.
 */
#include <ka/cache.h>

#include "heap_fixture.h"

#include "heap_inside.h"

#define MIB  ((size_t)1 << 20)
#define MOST 3000u

static ka_heap heap;
static char *range;
static size_t range_size;
static void *blocks[MOST];

static void open_heap(bool magazines, bool hardened)
{
    range_size = magazines ? (size_t)ka_port_cpu_count() * 4 * MIB + 16 * MIB : MIB;
    range = fixture_map(range_size, 4096, PROT_READ | PROT_WRITE);
    reports_clear();
    ka_heap_options options = { .base = range, .size = range_size, .hardened = hardened };
    KIT_CHECK(range != NULL && ka_heap_init(&heap, &options));
}

static void close_heap(void)
{
    KIT_EXPECT(reports.count == 0);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_get_stats(&heap.allocator).live_blocks == 0);
    KIT_EXPECT(ka_heap_fini(&heap) == 0 && reports.count == 0);
    munmap(range, range_size);
}

/* Each block begins with its own number, so that two that are one are seen. */
static bool all_distinct(size_t count)
{
    for (size_t i = 0; i < count; i++)
        memcpy(blocks[i], &i, sizeof i);
    for (size_t i = 0; i < count; i++)
        if (memcmp(blocks[i], &i, sizeof i) != 0)
            return false;
    return true;
}

static void take_and_give(size_t size, size_t align, size_t count)
{
    memset(blocks, 0, sizeof blocks);
    size_t got = ka_heap_alloc_many(&heap, size, align, KA_ZERO, count, blocks);
    bool right = got == count;
    for (size_t i = 0; i < got; i++)
        right = right && (uintptr_t)blocks[i] % align == 0 && *(char *)blocks[i] == 0 &&
                ((char *)blocks[i])[size - 1] == 0;
    right = right && all_distinct(got) && ka_get_stats(&heap.allocator).live_blocks == got;
    for (size_t i = 0; i < got; i++)
        memset(blocks[i], 0xa5, size);
    KIT_EXPECT(right);
    if (!right)
        kit_note("%zu blocks of %zu, aligned to %zu: %zu came", count, size, align, got);
    ka_heap_free_many(&heap, size, align, got, blocks);
}

static void counts_of(bool magazines, bool hardened, size_t most)
{
    static const size_t counts[] = { 0, 1, 15, 63, 64, 65, 200, 1000, MOST };
    open_heap(magazines, hardened);
    for (size_t i = 0; i < KIT_COUNT(counts) && counts[i] <= most; i++)
        for (unsigned twice = 0; twice < 2; twice++) {
            take_and_give(16, 16, counts[i]);
            take_and_give(100, 8, counts[i]);
            if (counts[i] <= 200)
                take_and_give(1000, 256, counts[i]);
            if (counts[i] <= 15)
                take_and_give(40000, 16, counts[i]);
        }
    close_heap();
}

static void with_magazines(void)
{
    counts_of(true, false, MOST);
}
static void without(void)
{
    counts_of(false, false, 1000);
}
static void hardened(void)
{
    counts_of(true, true, 1000);
}

/* A heap gives as many as it has, and again as many after it got them back. */
static void until_it_is_empty(void)
{
    open_heap(false, false);
    size_t first = ka_heap_alloc_many(&heap, 1000, 16, 0, MOST, blocks);
    KIT_EXPECT(first > 500 && first < MOST && all_distinct(first));
    ka_heap_free_many(&heap, 1000, 16, first, blocks);
    KIT_EXPECT(ka_heap_alloc_many(&heap, 1000, 16, KA_ANY_CONTEXT, MOST, blocks) == first);
    KIT_EXPECT(ka_heap_alloc_many(&heap, 1000, 16, 0, 100, blocks + first) == 0);
    ka_heap_free_many(&heap, 1000, 16, first, blocks);
    close_heap();
}

static void what_is_not_served(void)
{
    open_heap(true, false);
    KIT_EXPECT(ka_heap_alloc_many(&heap, 16, 3, 0, 5, blocks) == 0);
    KIT_EXPECT(ka_heap_alloc_many(&heap, 16, 16, KA_PAGEABLE, 5, blocks) == 0);
    KIT_EXPECT(ka_heap_alloc_many(&heap, 16, 16, 1u << 31, 5, blocks) == 0);
    KIT_EXPECT(ka_heap_alloc_many(&heap, SIZE_MAX, 16, 0, 5, blocks) == 0);
    KIT_EXPECT(ka_heap_alloc_many(&heap, 0, 64, 0, 5, blocks) == 5 && (uintptr_t)blocks[4] % 64 == 0);
    ka_heap_free_many(&heap, 0, 64, 5, blocks);
    close_heap();
}

static void nulls_are_passed_over(void)
{
    open_heap(true, false);
    memset(blocks, 0, sizeof blocks);
    KIT_CHECK(ka_heap_alloc_many(&heap, 64, 16, 0, 500, blocks) == 500);
    for (size_t i = 500; i > 0; i--) { /* NULL, block, NULL, NULL, block, NULL, ... then a stretch of blocks */
        blocks[i + 2999 - 500] = blocks[i - 1];
        blocks[i - 1] = NULL;
    }
    for (size_t i = 0; i < 100; i++) {
        blocks[3 * i + 1] = blocks[2999 - i];
        blocks[2999 - i] = NULL;
    }
    ka_heap_free_many(&heap, 64, 16, MOST, blocks);
    close_heap();
}

/* The same block twice in the array: side by side, and in a stretch that goes to the slabs. */
static void doubled_in_the_array(void)
{
    open_heap(true, false);
    KIT_CHECK(ka_heap_alloc_many(&heap, 64, 16, 0, 3, blocks) == 3);
    void *side[] = { blocks[0], blocks[1], blocks[1], blocks[2] };
    ka_heap_free_many(&heap, 64, 16, 4, side);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, side[1]));
    close_heap();

    open_heap(false, false); /* no magazine: all go to the slabs */
    KIT_CHECK(ka_heap_alloc_many(&heap, 64, 16, 0, 300, blocks) == 300);
    void *keeps = blocks[299];
    blocks[299] = blocks[100];
    ka_heap_free_many(&heap, 64, 16, 300, blocks);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, blocks[100]));
    ka_heap_free(&heap, keeps, 64, 16);
    close_heap();
}

static void foreign_in_the_array(void)
{
    static char elsewhere[64];
    open_heap(false, false);
    KIT_CHECK(ka_heap_alloc_many(&heap, 64, 16, 0, 300, blocks) == 300);
    blocks[300] = blocks[150];
    blocks[150] = elsewhere;
    ka_heap_free_many(&heap, 64, 16, 301, blocks);
    KIT_EXPECT(reported(KA_MISUSE_FOREIGN, elsewhere));
    close_heap();
}

/* ---- the same of a cache ---- */

static ka_cache cache;
static unsigned made; /* constructors that ran */

static void construct(void *context, void *object)
{
    (void)context;
    memset(object, 0x5a, 40);
    made++;
}

static void open_cache(bool magazines)
{
    open_heap(magazines, false);
    made = 0;
    ka_cache_options options = { .inner = &heap.allocator, .size = 40, .constructor = construct };
    KIT_CHECK(ka_cache_init(&cache, &options));
}

static void close_cache(void)
{
    KIT_EXPECT(reports.count == 0);
    KIT_CHECK_SOUND(ka_cache_check(&cache));
    KIT_EXPECT(ka_cache_fini(&cache) == 0);
    close_heap();
}

static void objects_of(bool magazines)
{
    static const size_t counts[] = { 1, 33, 63, 64, 65, 200, MOST };
    open_cache(magazines);
    for (size_t i = 0; i < KIT_COUNT(counts); i++) {
        KIT_CHECK(ka_cache_alloc_many(&cache, KA_NOWAIT, 0, blocks) == 0);
        size_t got = ka_cache_alloc_many(&cache, 0, counts[i], blocks);
        KIT_EXPECT(got == counts[i] && made >= got && all_distinct(got));
        KIT_EXPECT(ka_get_stats(&cache.allocator).live_blocks == got);
        ka_cache_free_many(&cache, got, blocks);
        KIT_EXPECT(ka_get_stats(&cache.allocator).live_blocks == 0);
    }
    KIT_EXPECT(ka_cache_alloc_many(&cache, KA_ZERO, 70, blocks) == 0); /* there is a constructor */
    close_cache();
}

static void objects_many(void)
{
    objects_of(true);
    objects_of(false);
}

static void objects_wrong(void)
{
    open_cache(true);
    KIT_CHECK(ka_cache_alloc_many(&cache, 0, 300, blocks) == 300);
    blocks[300] = NULL;
    blocks[301] = blocks[299];
    blocks[299] = NULL;
    blocks[302] = blocks[301];
    ka_cache_free_many(&cache, 303, blocks);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, blocks[301]));
    close_cache();
}

/* A magazine grows by bulk calls alone, to 64 blocks of a page: the rounds end without a slab. */
static void pages_stay(void)
{
    enum { COUNT = 64, PAGE = 4096 };
    range_size = (size_t)ka_port_cpu_count() * 80 * MIB;
    range = fixture_map(range_size, 4096, PROT_READ | PROT_WRITE);
    reports_clear();
    KIT_CHECK(range != NULL && ka_heap_init(&heap, &(ka_heap_options){ .base = range, .size = range_size }));
    for (unsigned round = 0; round < 8; round++) {
        KIT_CHECK(ka_heap_alloc_many(&heap, PAGE, 16, 0, COUNT, blocks) == COUNT);
        ka_heap_free_many(&heap, PAGE, 16, COUNT, blocks);
    }
    unsigned number = ka_magazine_of_class(ka_class_of(PAGE));
    KIT_EXPECT(ka_magazine_length(ka_heap_magazines(&heap), number) == COUNT);
    close_heap();
}

static const kit_case cases[] = {
    { "any count, with magazines", with_magazines },
    { "any count, without", without },
    { "any count, hardened", hardened },
    { "until the heap is empty", until_it_is_empty },
    { "what is not served", what_is_not_served },
    { "blocks of a page stay in the magazine", pages_stay },
    { "NULLs are passed over", nulls_are_passed_over },
    { "a block twice in the array", doubled_in_the_array },
    { "a foreign pointer in the array", foreign_in_the_array },
    { "objects of a cache", objects_many },
    { "objects of a cache: NULLs, and one twice", objects_wrong },
};

int main(void)
{
    return kit_main("bulk", cases, KIT_COUNT(cases));
}
