/* nt_heap_suite.c: the general heap over the pool, the system's lookaside lists, cache and reserve over the pool. */
#include <ka/cache.h>
#include <ka/kernel.h>
#include <ka/reserve.h>
#include <ka/windows.h>

#include "nt_suite.h"

#define PAGE ((size_t)4096)
#define MIB  ((size_t)1 << 20)
#define TAG  KA_TAG('h', 'e', 'a', 'p')
#define HIGH ((uint8_t)15)

static ka_nt_heap heap;
static const ka_nt_pool_options of_heap = { .tag = TAG };

#define NEEDS_PAGES()                                                             \
    do {                                                                          \
        if (!nt.aligns_pages) {                                                   \
            kit_skip("this system's pool does not align pages, as Windows does"); \
            return;                                                               \
        }                                                                         \
    } while (0)

#define BLOCKS 600u

typedef struct item {
    unsigned char *block;
    size_t size, align;
} item;

static item items[BLOCKS];

static void random_life(kit_random *random, unsigned steps)
{
    for (unsigned step = 0; step < steps; step++) {
        item *i = &items[kit_below(random, BLOCKS)];
        if (i->block != NULL) {
            KIT_CHECK(kit_stamped(i->block, i->size, (uintptr_t)i));
            if (step % 3 == 0)
                ka_heap_free_unsized(&heap.heap, i->block);
            else
                ka_heap_free(&heap.heap, i->block, i->size, i->align);
            i->block = NULL;
            continue;
        }
        size_t size = 1 + (size_t)kit_below(random, kit_below(random, 16) == 0 ? 300000 : 2000);
        size_t align = (size_t)1 << kit_below(random, kit_below(random, 8) == 0 ? 15 : 6);
        i->block = ka_heap_alloc(&heap.heap, size, align, step % 5 == 0 ? KA_ATOMIC : 0);
        if (i->block == NULL)
            continue; /* the bound */
        i->size = size;
        i->align = align;
        KIT_CHECK((uintptr_t)i->block % align == 0);
        kit_stamp(i->block, size, (uintptr_t)i);
    }
}

static void free_all(void)
{
    for (unsigned i = 0; i < BLOCKS; i++)
        if (items[i].block != NULL) {
            KIT_EXPECT(kit_stamped(items[i].block, items[i].size, (uintptr_t)&items[i]));
            ka_heap_free(&heap.heap, items[i].block, items[i].size, items[i].align);
            items[i].block = NULL;
        }
}

static void lives(void)
{
    NEEDS_PAGES();
    long before = nt.hooks != NULL ? nt.hooks->live() : 0;
    kit_random random = { 7 };
    KIT_CHECK(ka_nt_heap_init(&heap, "test", 32 * MIB, &of_heap));
    for (unsigned round = 0; round < 4; round++) {
        random_life(&random, 10000);
        KIT_CHECK_SOUND(ka_heap_check(&heap.heap));
        KIT_CHECK(!kit_failed());
    }
    free_all();
    KIT_EXPECT(ka_heap_drain(&heap.heap) || nt.hooks == NULL);
    (void)ka_heap_trim(&heap.heap, 0);
    KIT_CHECK_SOUND(ka_heap_check(&heap.heap));
    KIT_EXPECT(ka_get_stats(&heap.heap.allocator).live == 0);
    if (nt.hooks != NULL) /* the table, the first segment, its record, those of segments that are gone */
        KIT_EXPECT(nt.hooks->live() <= before + 18);
    KIT_EXPECT(ka_nt_heap_fini(&heap) == 0);
    if (nt.hooks != NULL)
        KIT_EXPECT(nt.hooks->live() == before);
}

static void refused(void)
{
    KIT_EXPECT(!ka_nt_heap_init(&heap, "test", 32 * MIB, &(ka_nt_pool_options){ .tag = TAG, .pageable = true }));
    KIT_EXPECT(!ka_nt_heap_init(&heap, "test", 32 * MIB, &(ka_nt_pool_options){ .tag = 7 }));
    KIT_EXPECT(!ka_nt_heap_init(&heap, "test", MIB, &of_heap));
}

/* At the highest level the pool is not asked: the shim would stop the machine. */
static void any_irql(void)
{
    NEEDS_PAGES();
    NT_NEEDS_HOOKS();
    void *blocks[100];
    KIT_CHECK(ka_nt_heap_init(&heap, "test", 32 * MIB, &of_heap));
    KIT_EXPECT(ka_heap_commit(&heap.heap, MIB) >= MIB);
    uint8_t old = nt.hooks->set_irql(HIGH);
    long calls = nt.hooks->pool_calls();
    for (unsigned i = 0; i < KIT_COUNT(blocks); i++) {
        blocks[i] = ka_heap_alloc(&heap.heap, 1 + i * 50, 16, KA_ANY_CONTEXT);
        KIT_EXPECT(blocks[i] != NULL);
    }
    for (unsigned i = 0; i < KIT_COUNT(blocks); i++)
        ka_heap_free(&heap.heap, blocks[i], 1 + i * 50, 16);
    while (ka_heap_alloc(&heap.heap, 100000, 16, KA_ANY_CONTEXT) != NULL)
        ;
    KIT_EXPECT(nt.hooks->pool_calls() == calls);
    (void)nt.hooks->set_irql(2);
    void *more = ka_heap_alloc(&heap.heap, 100000, 16, KA_ATOMIC); /* DISPATCH_LEVEL: one more segment */
    KIT_EXPECT(more != NULL && nt.hooks->pool_calls() > calls);
    (void)nt.hooks->set_irql(old);
    nt_misuse_begin();
    size_t leaked = ka_nt_heap_fini(&heap);
    KIT_EXPECT(leaked > 10 && nt_reported.count == leaked && nt_reported.kind == KA_MISUSE_LEAK);
    nt_misuse_end();
    KIT_EXPECT(nt.hooks->live() == 0);
}

static unsigned waken;
static void wake(void *context, ka_reserve *reserve, size_t left)
{
    (void)context, (void)reserve, (void)left;
    waken++;
}

static void reserve_and_cache(void)
{
    NEEDS_PAGES();
    static uint64_t memory[KA_RESERVE_SIZE(16) / sizeof(uint64_t)];
    ka_nt_pool pool;
    ka_reserve reserve;
    ka_cache cache;
    long before = nt.hooks != NULL ? nt.hooks->live() : 0;
    KIT_CHECK(ka_nt_pool_init(&pool, &(ka_nt_pool_options){ .tag = TAG }));
    KIT_CHECK(ka_reserve_init(&reserve, &(ka_reserve_options){ .inner = &pool.allocator,
                                                               .size = PAGE,
                                                               .align = PAGE,
                                                               .count = 8,
                                                               .slots = 16,
                                                               .memory = memory,
                                                               .low = 2,
                                                               .low_water = wake }));
    KIT_CHECK(
        ka_cache_init(&cache, &(ka_cache_options){ .inner = &pool.allocator, .size = 200, .contexts = KA_ATOMIC }));
    KIT_EXPECT(ka_cache_commit(&cache, 20) >= 20);
    waken = 0;
    void *pages[8], *objects[20];
    uint8_t old = nt.hooks != NULL ? nt.hooks->set_irql(HIGH) : 0; /* a VM exit */
    for (unsigned i = 0; i < 8; i++)
        KIT_EXPECT((pages[i] = ka_reserve_alloc(&reserve, KA_ANY_CONTEXT)) != NULL && (uintptr_t)pages[i] % PAGE == 0);
    for (unsigned i = 0; i < 20; i++)
        KIT_EXPECT((objects[i] = ka_cache_alloc(&cache, KA_ANY_CONTEXT)) != NULL);
    for (unsigned i = 0; i < 20; i++)
        ka_cache_free(&cache, objects[i]);
    for (unsigned i = 0; i < 8; i++)
        ka_reserve_free(&reserve, pages[i]);
    if (nt.hooks != NULL)
        (void)nt.hooks->set_irql(old);
    KIT_EXPECT(waken == 1 && ka_reserve_refill(&reserve, 0));
    KIT_EXPECT(ka_reserve_fini(&reserve) == 0 && ka_cache_fini(&cache) == 0);
    if (nt.hooks != NULL)
        KIT_EXPECT(nt.hooks->live() == before);
}

static void lookaside(void)
{
    ka_nt_pool pools[2];
    ka_nt_lookaside list;
    void *objects[20];
    if (!nt.has_lookaside) {
        kit_skip("this system has no extended lookaside lists");
        return;
    }
    for (unsigned pageable = 0; pageable < 2; pageable++) {
        ka_nt_pool *pool = &pools[pageable];
        KIT_CHECK(ka_nt_pool_init(pool, &(ka_nt_pool_options){ .tag = TAG, .pageable = pageable != 0 }));
        long before = nt.hooks != NULL ? nt.hooks->live() : 0;
        KIT_EXPECT(!ka_nt_lookaside_init(&list, pool, 0));
        KIT_CHECK(ka_nt_lookaside_init(&list, pool, 72));
        void *leaked = ka_alloc(&list.allocator, 72, 8, KA_PAGEABLE);
        KIT_EXPECT((leaked != NULL) == (pageable != 0));
        for (unsigned round = 0; round < 3; round++) {
            for (unsigned i = 0; i < KIT_COUNT(objects); i++) {
                objects[i] = ka_alloc(&list.allocator, 72 - i, 16, KA_ZERO);
                KIT_CHECK(objects[i] != NULL && (uintptr_t)objects[i] % 16 == 0);
                for (unsigned at = 0; at < 72 - i; at++)
                    KIT_EXPECT(((unsigned char *)objects[i])[at] == 0);
                kit_stamp(objects[i], 72 - i, i);
            }
            for (unsigned i = 0; i < KIT_COUNT(objects); i++) {
                KIT_EXPECT(kit_stamped(objects[i], 72 - i, i));
                ka_free(&list.allocator, objects[i], 72, 16);
            }
        }
        KIT_EXPECT(ka_alloc(&list.allocator, 73, 8, 0) == NULL && ka_alloc(&list.allocator, 8, 32, 0) == NULL);
        KIT_EXPECT(ka_alloc(&list.allocator, 8, 8, KA_ANY_CONTEXT) == NULL);
        void *object = ka_alloc(&list.allocator, 10, 8, 0);
        KIT_EXPECT(ka_resize(&list.allocator, object, 10, 8, 72, 8, KA_ZERO) == object);
        KIT_EXPECT(ka_resize(&list.allocator, object, 72, 8, 73, 8, 0) == NULL);
        ka_free(&list.allocator, object, 72, 8);
        nt_misuse_begin();
        object = ka_alloc(&list.allocator, 72, 8, 0);
        ka_free(&list.allocator, object, 73, 8); /* not of this list */
        KIT_EXPECT(nt_reported.count == 1 && nt_reported.kind == KA_MISUSE_WRONG_SIZE && nt_reported.block == object);
        ka_free(&list.allocator, object, 72, 8);
        nt_misuse_begin();
        if (pageable != 0 && nt.hooks != NULL) {
            uint8_t old = nt.hooks->set_irql(2);
            KIT_EXPECT(ka_alloc(&list.allocator, 8, 8, 0) == NULL && nt_reported.kind == KA_MISUSE_CONTEXT);
            (void)nt.hooks->set_irql(old);
            nt_misuse_begin();
        }
        size_t live = ka_get_stats(&list.allocator).live_blocks;
        KIT_EXPECT(live == pageable);
        KIT_EXPECT(ka_nt_lookaside_fini(&list) == live && nt_reported.count == live);
        nt_misuse_end();
        if (nt.hooks != NULL) {
            nt_pool_call call;
            nt.hooks->pool(&call);
            KIT_EXPECT(call.tag == TAG && nt.hooks->live() == before + (long)live);
        }
        ka_free(&pool->allocator, leaked, 72, 16);
    }
}

/* With options of one's own. */
static void hardened(void)
{
    NEEDS_PAGES();
    static ka_heap hard;
    ka_nt_pool pool;
    long before = nt.hooks != NULL ? nt.hooks->live() : 0;
    KIT_CHECK(ka_nt_pool_init(&pool, &of_heap));
    ka_page_source source = ka_nt_page_source(&pool);
    KIT_CHECK(ka_heap_init(&hard, &(ka_heap_options){ .source = &source,
                                                      .size = 8 * MIB,
                                                      .segment_shift = 21,
                                                      .scattered = true,
                                                      .unaligned = true,
                                                      .hardened = true,
                                                      .seed = 7,
                                                      .cross_call = ka_nt_cross_call }));
    void *block = ka_heap_alloc(&hard, 100, 16, 0);
    KIT_CHECK(block != NULL);
    ka_heap_free(&hard, block, 100, 16);
    nt_misuse_begin();
    ka_heap_free(&hard, block, 100, 16);
    KIT_EXPECT(nt_reported.count == 1 && nt_reported.kind == KA_MISUSE_DOUBLE_FREE && nt_reported.block == block);
    nt_misuse_end();
    KIT_EXPECT(ka_heap_fini(&hard) == 0);
    if (nt.hooks != NULL)
        KIT_EXPECT(nt.hooks->live() == before);
}

static const kit_case cases[] = {
    { "a heap's life, over segments that the pool aligns to a page", lives },
    { "heaps that cannot be", refused },
    { "any IRQL, and a leak report", any_irql },
    { "a hardened heap over the pool", hardened },
    { "reserve and cache over the pool, in a VM exit", reserve_and_cache },
    { "lookaside lists", lookaside },
};
const kit_suite nt_heap_suite = { "heap, cache, reserve and lookaside lists", cases, KIT_COUNT(cases) };
