/* cache_test.c: objects of exact size; constructors counted; contexts; limits; misuse; each inner allocation failing in
 * turn; and a model of 200,000 steps, with ka_cache_check after each. Under it lies kit_malloc, which knows the size
 * and alignment of each block to the byte. */
#include "heap_fixture.h"

#include <ka/cache.h>
#include <ka/failing.h>

#include "base/math.h"
#include "heap/cache_core.h"
#include "kit_malloc.h"

#define MANY 4096u

static kit_malloc inner;
static ka_cache cache;
static void *held[MANY];

/* ---- constructor and destructor: they count, and mark the first word ---- */

static struct {
    size_t constructed, destructed, wrong;
} life;

#define CONSTRUCTED UINT64_C(0x636f6e7374727563)

static void construct(void *context, void *object)
{
    life.wrong += context != &life || *(uint64_t *)object == CONSTRUCTED;
    life.constructed++;
    *(uint64_t *)object = CONSTRUCTED;
}

static void destruct(void *context, void *object)
{
    life.wrong += context != &life || *(uint64_t *)object != CONSTRUCTED;
    life.destructed++;
    *(uint64_t *)object = 0;
}

static bool constructed(const void *object)
{
    return *(const uint64_t *)object == CONSTRUCTED;
}

/* ---- begin and end ---- */

static ka_cache_options options_of(size_t size, size_t align)
{
    return (ka_cache_options){ .inner = &inner.allocator, .size = size, .align = align };
}

static ka_cache_options options_typed(size_t size)
{
    ka_cache_options o = options_of(size, 8);
    o.constructor = construct;
    o.destructor = destruct;
    o.context = &life;
    return o;
}

static bool open_cache(const ka_cache_options *o)
{
    reports_clear();
    memset(&life, 0, sizeof life);
    kit_malloc_init(&inner);
    return ka_cache_init(&cache, o);
}

/* All is free again, and goes back. */
static void close_cache(void)
{
    KIT_CHECK_SOUND(ka_cache_check(&cache));
    KIT_EXPECT(ka_cache_fini(&cache) == 0);
    KIT_EXPECT(kit_malloc_clean(&inner));
    KIT_EXPECT(reports.count == 0);
    KIT_EXPECT(life.constructed == life.destructed && life.wrong == 0);
}

static size_t take(size_t count, ka_flags flags)
{
    size_t done = 0;
    while (done < count && (held[done] = ka_cache_alloc(&cache, flags)) != NULL)
        done++;
    return done;
}

static void give(size_t count)
{
    for (size_t i = 0; i < count; i++)
        ka_cache_free(&cache, held[i]);
}

static ka_stats stats_now(void)
{
    return ka_get_stats(&cache.allocator);
}

/* ---- sizes ---- */

static void exact_one(size_t size, size_t align, size_t distance)
{
    ka_cache_options o = options_of(size, align);
    KIT_CHECK(open_cache(&o));
    enum { COUNT = 100 };
    KIT_CHECK(take(COUNT, 0) == COUNT);
    ka_stats s = stats_now();
    KIT_EXPECT(s.live == COUNT * distance && s.live_blocks == COUNT);
    KIT_EXPECT(s.total + s.overhead == inner.live_bytes);
    bool neighbours = cache.slab_objects == 1;
    for (size_t i = 0; i < COUNT; i++) {
        KIT_EXPECT((uintptr_t)held[i] % ka_max(cache.align, 1) == 0);
        memset(held[i], (int)i, size);
        for (size_t k = 0; k < i; k++) {
            size_t apart = held[k] < held[i] ? (size_t)((char *)held[i] - (char *)held[k])
                                             : (size_t)((char *)held[k] - (char *)held[i]);
            KIT_CHECK(apart >= distance);
            neighbours |= apart == distance;
        }
    }
    KIT_EXPECT(neighbours);
    for (size_t i = 0; i < COUNT; i++)
        KIT_EXPECT(*(unsigned char *)held[i] == i && ((unsigned char *)held[i])[size - 1] == i);
    KIT_CHECK_SOUND(ka_cache_check(&cache));
    give(COUNT);
    close_cache();
}

static void exact(void)
{
    exact_one(40, 8, 40);
    exact_one(40, 0, 40);
    exact_one(1000, 8, 1000);
    exact_one(8, 8, 8);
    exact_one(1, 1, 1);
    exact_one(24, 16, 32);
    exact_one(40, 64, 64);
    exact_one(3, 4, 4);
    exact_one(5000, 8, 5000);
    exact_one(100, 4096, 4096);
    exact_one(40960, 16, 40960);
    exact_one(100, 65536, 65536);
}

static void slabs_fit(void)
{
    for (size_t size = 1; size <= KA_CACHE_LARGEST; size += 1 + size / 50) {
        ka_cache_options o = options_of(size, 1);
        KIT_CHECK(open_cache(&o));
        size_t used = cache.slab_objects * size, pages = ka_round_up(used, 4096);
        KIT_CHECK(cache.slab_size == used && cache.slab_objects >= 1 && cache.slab_objects <= 4096);
        KIT_CHECK(((size_t)1 << cache.slab_shift) >= used);
        KIT_CHECK(size > 32768 ? pages - used < 4096 : pages - used <= pages / (size > 4096 ? 4 : 8));
        KIT_CHECK(size > 32768 || pages <= 32768);
        close_cache();
    }
}

static void bad_options(void)
{
    ka_cache_options good = options_of(40, 8), bad[6];
    for (unsigned i = 0; i < KIT_COUNT(bad); i++)
        bad[i] = good;
    bad[0].inner = NULL;
    bad[1].size = 0;
    bad[2].size = KA_CACHE_LARGEST + 1;
    bad[3].align = 24;
    bad[4].align = KA_CACHE_LARGEST * 2;
    bad[5].contexts = KA_ZERO;
    for (unsigned i = 0; i < KIT_COUNT(bad); i++) {
        KIT_EXPECT(!open_cache(&bad[i]));
        KIT_EXPECT(kit_malloc_clean(&inner) && inner.allocs == 0);
    }
    KIT_CHECK(open_cache(&good));
    close_cache();
}

/* ---- constructors ---- */

static void once_per_life(void)
{
    ka_cache_options o = options_typed(1000);
    KIT_CHECK(open_cache(&o));
    size_t slab = cache.slab_objects;
    KIT_EXPECT(life.constructed == 0);
    for (unsigned round = 0; round < 50; round++) {
        KIT_CHECK(take(100, 0) == 100);
        for (unsigned i = 0; i < 100; i++)
            KIT_EXPECT(constructed(held[i]));
        KIT_EXPECT(round == 0 || ((uint64_t *)held[7])[1] == 7);
        for (unsigned i = 0; i < 100; i++)
            ((uint64_t *)held[i])[1] = 7; /* objects keep what their last owner left */
        give(100);
        KIT_CHECK_SOUND(ka_cache_check(&cache));
    }
    size_t made = life.constructed;
    KIT_EXPECT(made % slab == 0 && made >= 100 && made < 100 + slab + 64);
    KIT_EXPECT(life.destructed == 0);
    KIT_EXPECT(ka_cache_shrink(&cache) == made * 1000);
    KIT_EXPECT(life.destructed == made && stats_now().total == 0);
    KIT_EXPECT(ka_cache_shrink(&cache) == 0);
    KIT_CHECK(take(1, 0) == 1); /* a second life */
    KIT_EXPECT(life.constructed == made + slab && constructed(held[0]));
    give(1);
    close_cache();
    KIT_EXPECT(life.destructed == made + slab);
}

static void shrink_keeps_live(void)
{
    ka_cache_options o = options_typed(40);
    KIT_CHECK(open_cache(&o));
    size_t slab = cache.slab_objects, count = slab * 10;
    KIT_CHECK(count < MANY && take(count, 0) == count);
    for (size_t i = 0; i < count; i++)
        if (i != count / 2)
            ka_cache_free(&cache, held[i]);
    KIT_EXPECT(ka_cache_shrink(&cache) >= 9 * cache.slab_size);
    KIT_EXPECT(cache.slabs == 1 && life.constructed - life.destructed == slab);
    KIT_EXPECT(constructed(held[count / 2]));
    KIT_CHECK_SOUND(ka_cache_check(&cache));
    ka_cache_free(&cache, held[count / 2]);
    KIT_EXPECT(ka_cache_shrink(&cache) == cache.slab_size && cache.slabs == 0);
    close_cache();
}

/* Tables grow, are searched and filled again. */
static void many_slabs(void)
{
    enum { COUNT = 100000 };
    static void *objects[COUNT];
    ka_cache_options o = options_typed(128);
    KIT_CHECK(open_cache(&o));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            KIT_CHECK((objects[i] = ka_cache_alloc(&cache, 0)) != NULL);
            ((uint64_t *)objects[i])[1] = i;
        }
        KIT_CHECK_SOUND(ka_cache_check(&cache));
        for (unsigned i = 0; i < COUNT; i++) {
            KIT_CHECK(((uint64_t *)objects[i])[1] == i && constructed(objects[i]));
            if (i % 3 != round)
                ka_cache_free(&cache, objects[i]);
        }
        KIT_CHECK_SOUND(ka_cache_check(&cache));
        for (unsigned i = round; i < COUNT; i += 3)
            ka_cache_free(&cache, objects[i]);
        (void)ka_cache_shrink(&cache);
        KIT_CHECK_SOUND(ka_cache_check(&cache));
        KIT_EXPECT(cache.slabs == 0);
    }
    kit_note("%zu bytes of records for %u slabs", stats_now().overhead, COUNT / cache.slab_objects);
    close_cache();
}

/* ---- contexts ---- */

static void contexts(void)
{
    ka_cache_options o = options_typed(40);
    KIT_CHECK(open_cache(&o));
    size_t calls = inner.allocs;
    KIT_EXPECT(ka_cache_alloc(&cache, KA_ANY_CONTEXT) == NULL);
    KIT_EXPECT(ka_cache_alloc(&cache, KA_ATOMIC) == NULL && ka_cache_alloc(&cache, KA_NOWAIT) == NULL);
    KIT_EXPECT(inner.allocs == calls && life.constructed == 0);
    KIT_EXPECT(ka_cache_commit(&cache, 300) >= 300);
    calls = inner.allocs;
    KIT_EXPECT(take(300, KA_ANY_CONTEXT) == 300 && inner.allocs == calls);
    KIT_EXPECT(take(MANY, KA_ANY_CONTEXT) < MANY && inner.allocs == calls); /* to the last one */
    KIT_EXPECT(stats_now().free_blocks == 0);
    KIT_CHECK_SOUND(ka_cache_check(&cache));
    (void)ka_cache_fini(&cache);

    o.contexts = KA_NOWAIT;
    KIT_CHECK(open_cache(&o));
    KIT_EXPECT(ka_cache_alloc(&cache, KA_ATOMIC) == NULL && ka_cache_alloc(&cache, KA_NOWAIT | KA_ATOMIC) == NULL);
    KIT_EXPECT((held[0] = ka_cache_alloc(&cache, KA_NOWAIT)) != NULL && inner.flags == (KA_NOWAIT | KA_ZERO));
    give(1);
    close_cache();
}

static void contents(void)
{
    ka_cache_options o = options_of(40, 8);
    KIT_CHECK(open_cache(&o));
    KIT_CHECK(take(1, 0) == 1);
    memset(held[0], 0xff, 40);
    give(1);
    KIT_CHECK(take(1, KA_ZERO) == 1);
    for (unsigned i = 0; i < 40; i++)
        KIT_EXPECT(((char *)held[0])[i] == 0);
    KIT_EXPECT(ka_cache_alloc(&cache, KA_PAGEABLE) == NULL && ka_cache_alloc(&cache, 32) == NULL);
    KIT_EXPECT(ka_cache_alloc(&cache, KA_ZERO | 64) == NULL);
    give(1);
    close_cache();
    o = options_typed(40);
    KIT_CHECK(open_cache(&o));
    KIT_EXPECT(ka_cache_alloc(&cache, KA_ZERO) == NULL); /* it would undo the constructor */
    close_cache();
}

static void limits(void)
{
    for (size_t limit = 1; limit < 2000; limit += 1 + limit / 7) {
        ka_cache_options o = options_of(40, 8);
        o.limit = limit;
        KIT_CHECK(open_cache(&o));
        size_t slab = cache.slab_objects, most = (limit + slab - 1) / slab * slab;
        for (unsigned round = 0; round < 3; round++) {
            KIT_CHECK(take(MANY, round == 1 ? KA_ANY_CONTEXT : 0) == most);
            KIT_CHECK_SOUND(ka_cache_check(&cache));
            give(most);
        }
        KIT_EXPECT(ka_cache_commit(&cache, MANY) <= most);
        close_cache();
    }
}

/* ---- the interface ---- */

static void interface(void)
{
    ka_cache_options o = options_of(100, 32);
    KIT_CHECK(open_cache(&o));
    ka_allocator *a = &cache.allocator;
    char *p = ka_alloc(a, 70, 16, 0);
    KIT_CHECK(p != NULL && (uintptr_t)p % 32 == 0);
    KIT_EXPECT(ka_usable(a, p, 70, 16) == 100);
    KIT_EXPECT(ka_alloc(a, 101, 16, 0) == NULL && ka_alloc(a, 100, 64, 0) == NULL);
    memset(p, 0x11, 100);
    KIT_EXPECT(ka_resize(a, p, 70, 16, 90, 32, KA_ZERO) == p && p[69] == 0x11 && p[70] == 0 && p[89] == 0 &&
               p[90] == 0x11);
    KIT_EXPECT(ka_resize(a, p, 90, 32, 101, 32, 0) == NULL && ka_resize(a, p, 90, 32, 20, 64, 0) == NULL);
    KIT_EXPECT(ka_resize(a, p, 90, 32, 10, 8, 0) == p);
    ka_free(a, p, 101, 32);
    KIT_EXPECT(reported(KA_MISUSE_WRONG_SIZE, p));
    ka_free(a, p, 10, 8);
    ka_cache_free(&cache, NULL);
    KIT_EXPECT(stats_now().live == 0);
    KIT_CHECK_SOUND(ka_check(a));
    close_cache();
}

typedef struct visited {
    size_t live, free, bytes;
    const void *stop;
} visited;

static bool visit_one(void *context, const void *block, size_t size, bool live)
{
    visited *v = context;
    v->live += live;
    v->free += !live;
    v->bytes += size;
    return block != v->stop;
}

static void walks(void)
{
    ka_cache_options o = options_of(40, 8);
    KIT_CHECK(open_cache(&o));
    KIT_CHECK(take(250, 0) == 250);
    for (unsigned i = 0; i < 50; i++)
        ka_cache_free(&cache, held[i]);
    visited all = { 0, 0, 0, NULL }, some = { 0, 0, 0, held[120] };
    KIT_EXPECT(ka_walk(&cache.allocator, visit_one, &all));
    ka_stats s = stats_now();
    KIT_EXPECT(all.live == 200 && all.live == s.live_blocks && all.free == s.free_blocks && all.bytes == s.total);
    KIT_EXPECT(!ka_walk(&cache.allocator, visit_one, &some) && some.live + some.free < all.live + all.free);
    for (unsigned i = 50; i < 250; i++)
        ka_cache_free(&cache, held[i]);
    close_cache();
}

/* ---- misuse ---- */

/* What kinds of caches: with magazines, and without. */
static void misuse_of(size_t limit)
{
    ka_cache_options o = options_of(40, 8);
    o.limit = limit;
    KIT_CHECK(open_cache(&o));
    bool late = cache.magazine_limit != 0;
    KIT_CHECK(take(8, 0) == 8);
    char local[64] = { 0 }, *p = held[0];

    ka_cache_free(&cache, held[7]);
    ka_cache_free(&cache, held[7]); /* the newest one */
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, held[7]));

    ka_cache_free(&cache, p + 8);
    KIT_EXPECT(reports.count == !late);
    ka_cache_flush(&cache);
    KIT_EXPECT(reported(KA_MISUSE_INTERIOR, p + 8));
    ka_cache_free(&cache, local);
    ka_cache_flush(&cache);
    KIT_EXPECT(reported(KA_MISUSE_FOREIGN, local));
    ka_cache_free(&cache, (void *)(uintptr_t)0x10);
    ka_cache_flush(&cache);
    KIT_EXPECT(reported(KA_MISUSE_FOREIGN, (void *)(uintptr_t)0x10));
    ka_cache_free(&cache, (char *)(uintptr_t)~0xfffu);
    ka_cache_flush(&cache);
    KIT_EXPECT(reported(KA_MISUSE_FOREIGN, (char *)(uintptr_t)~0xfffu));

    ka_cache_free(&cache, held[5]);
    ka_cache_free(&cache, held[6]);
    ka_cache_free(&cache, held[5]); /* not the newest: found when the magazine is flushed */
    ka_cache_flush(&cache);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, held[5]));
    KIT_EXPECT(reports.count == 0 && stats_now().live_blocks == 5);
    KIT_CHECK_SOUND(ka_cache_check(&cache));

    for (unsigned i = 0; i < 5; i++)
        ka_cache_free(&cache, held[i]);
    (void)ka_cache_shrink(&cache);
    ka_cache_free(&cache, held[3]); /* its slab is gone */
    ka_cache_flush(&cache);
    KIT_EXPECT(reported(KA_MISUSE_FOREIGN, held[3]));
    close_cache();
}

static void misuse(void)
{
    misuse_of(0);
}
static void misuse_without_magazines(void)
{
    misuse_of(8);
}

/* A bad pointer among good ones spoils none of them. */
static void misuse_in_a_batch(void)
{
    ka_cache_options o = options_of(40, 8);
    KIT_CHECK(open_cache(&o));
    KIT_CHECK(cache.magazine_limit == 64 && take(40, 0) == 40);
    char local[64];
    for (unsigned i = 0; i < 40; i++) {
        ka_cache_free(&cache, held[i]);
        if (i % 10 == 5)
            ka_cache_free(&cache, i % 20 == 5 ? (char *)local : (char *)held[0] + 1);
        if (i % 10 == 7)
            ka_cache_free(&cache, held[i - 2]);
    }
    ka_cache_flush(&cache);
    KIT_EXPECT(reports.of[KA_MISUSE_FOREIGN] == 2 && reports.of[KA_MISUSE_INTERIOR] == 2);
    KIT_EXPECT(reports.of[KA_MISUSE_DOUBLE_FREE] == 4 && reports.count == 8);
    KIT_EXPECT(stats_now().live == 0 && cache.outside == 0);
    reports_clear();
    close_cache();
}

static void leaks(void)
{
    ka_cache_options o = options_typed(40);
    KIT_CHECK(open_cache(&o));
    KIT_CHECK(take(120, 0) == 120);
    for (unsigned i = 0; i < 120; i++)
        if (i != 3 && i != 110)
            ka_cache_free(&cache, held[i]);
    KIT_EXPECT(ka_cache_fini(&cache) == 2);
    KIT_EXPECT(reports.count == 2 && reports.of[KA_MISUSE_LEAK] == 2 && reports.size == 40);
    KIT_EXPECT(life.constructed == life.destructed + 2);
    KIT_EXPECT(kit_malloc_clean(&inner));
}

/* A checker that finds nothing is no checker. */
static void checker(void)
{
    ka_cache_options o = options_of(40, 8);
    KIT_CHECK(open_cache(&o));
    KIT_CHECK(take(10, 0) == 10);
    cache.outside++;
    KIT_EXPECT(ka_cache_check(&cache) != NULL);
    cache.outside--;
    cache.slabs++;
    KIT_EXPECT(ka_cache_check(&cache) != NULL);
    cache.slabs--;
    ka_cache_place place = { NULL, 0, 0 };
    KIT_CHECK(ka_cache_find(&cache, (uintptr_t)held[0], &place));
    place.table->bases[place.record] += (uintptr_t)1 << cache.slab_shift; /* its objects are in no slab */
    KIT_EXPECT(ka_cache_check(&cache) != NULL);
    place.table->bases[place.record] = place.base + 16;
    KIT_EXPECT(ka_cache_check(&cache) != NULL);
    place.table->bases[place.record] = place.base;
    ka_cache_free(&cache, held[0]);
    ka_cache_free(&cache, held[1]);
    ka_cache_free(&cache, held[0]);
    KIT_EXPECT(ka_cache_check(&cache) != NULL); /* twice in the magazine */
    ka_cache_flush(&cache);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, held[0]));
    KIT_CHECK_SOUND(ka_cache_check(&cache));
    for (unsigned i = 2; i < 10; i++)
        ka_cache_free(&cache, held[i]);
    close_cache();
}

/* ---- failing ---- */

/* Some of all that asks the inner allocator. false: the cache could not be made, or gave less. */
static bool work(ka_allocator *under)
{
    ka_cache_options o = options_typed(300);
    o.inner = under;
    if (!ka_cache_init(&cache, &o))
        return false;
    size_t got = take(500, 0);
    KIT_EXPECT(ka_cache_check(&cache) == NULL);
    bool enough = ka_cache_commit(&cache, 100) >= 100;
    give(got);
    (void)ka_cache_shrink(&cache);
    KIT_EXPECT(ka_cache_check(&cache) == NULL);
    KIT_EXPECT(cache.slabs == 0);
    size_t again = take(20, 0);
    give(again);
    KIT_EXPECT(ka_cache_fini(&cache) == 0);
    return got == 500 && enough && again == 20;
}

static void failing(void)
{
    unsigned long n, refused = 0;
    reports_clear();
    memset(&life, 0, sizeof life);
    kit_malloc_init(&inner);
    for (n = 1;; n++) {
        ka_failing under;
        ka_failing_init(&under, &inner.allocator);
        ka_failing_set(&under, n);
        refused += !work(&under.allocator);
        KIT_CHECK(!kit_failed() && kit_malloc_clean(&inner) && reports.count == 0);
        KIT_CHECK(life.constructed == life.destructed && life.wrong == 0);
        if (ka_failing_failures(&under) == 0)
            break;
    }
    kit_note("%lu inner allocations failed in turn, %lu of them were felt", n - 1, refused);
    KIT_EXPECT(n > 50 && refused > 40 && refused < n);
}

/* ---- a model ---- */

typedef struct model {
    void *live[MANY];
    uint64_t seed[MANY];
    size_t count, refused;
    kit_random random;
} model;

static void model_take(model *m, ka_flags flags)
{
    void *object = ka_cache_alloc(&cache, flags);
    if (object == NULL) {
        m->refused++;
        return;
    }
    KIT_CHECK(constructed(object));
    for (size_t i = 0; i < m->count; i++) {
        size_t apart = (size_t)((char *)m->live[i] - (char *)object);
        KIT_CHECK(apart >= cache.size && (size_t)0 - apart >= cache.size);
    }
    m->seed[m->count] = kit_next(&m->random);
    m->live[m->count] = object;
    kit_stamp((char *)object + 8, cache.size - 8, m->seed[m->count++]);
}

static void model_give(model *m, size_t at)
{
    void *object = m->live[at];
    KIT_CHECK(constructed(object) && kit_stamped((char *)object + 8, cache.size - 8, m->seed[at]));
    m->count--;
    m->live[at] = m->live[m->count];
    m->seed[at] = m->seed[m->count];
    ka_cache_free(&cache, object);
}

static void model_step(model *m)
{
    uint64_t dice = kit_next(&m->random);
    bool grow = dice >> 32 & 1 ? m->count < 100 : m->count < 300;
    switch (dice % 64) {
    case 0:
        ka_cache_flush(&cache);
        break;
    case 1:
        (void)ka_cache_shrink(&cache);
        break;
    case 2:
        (void)ka_cache_commit(&cache, (dice >> 8) % 64);
        break;
    case 3:
        while (m->count > 0 && dice >> 40 & 15 && !kit_failed())
            model_give(m, m->count - 1);
        break;
    default:
        if (grow || m->count == 0)
            model_take(m, dice % 8 == 4 ? KA_ANY_CONTEXT : 0);
        else
            model_give(m, (dice >> 8) % m->count);
    }
}

static void model_run(size_t size, size_t align, size_t limit, unsigned long steps)
{
    static model m;
    static ka_failing under;
    ka_cache_options o = options_typed(size);
    o.align = align;
    o.limit = limit;
    o.inner = &under.allocator;
    kit_malloc_init(&inner);
    ka_failing_init(&under, &inner.allocator);
    memset(&m, 0, sizeof m);
    m.random.state = size;
    KIT_CHECK(open_cache(&o));
    ka_failing_set_chance(&under, 2000, size);
    for (unsigned long step = 0; step < steps; step++) {
        model_step(&m);
        KIT_CHECK(!kit_failed());
        KIT_CHECK_SOUND(ka_cache_check(&cache));
        ka_stats s = stats_now();
        KIT_CHECK(s.live_blocks == m.count && s.live == m.count * cache.distance && s.peak >= s.live);
        KIT_CHECK(s.total + s.overhead == inner.live_bytes);
        KIT_CHECK(life.constructed - life.destructed == (size_t)cache.slabs * cache.slab_objects);
    }
    kit_note("%zu bytes: %lu steps, %zu refused, %zu objects constructed", size, steps, m.refused, life.constructed);
    while (m.count > 0)
        model_give(&m, 0);
    close_cache();
}

static void model_small(void)
{
    model_run(40, 8, 0, 70000);
}
static void model_thousand(void)
{
    model_run(1000, 8, 0, 50000);
}
static void model_limit(void)
{
    model_run(104, 8, 200, 50000);
}
static void model_large(void)
{
    model_run(6000, 64, 0, 15000);
}
static void model_tiny_limit(void)
{
    model_run(24, 8, 10, 30000);
}

int main(void)
{
    static const kit_case cases[] = {
        { "objects have their exact size", exact },
        { "slabs lose little", slabs_fit },
        { "options out of bounds", bad_options },
        { "the constructor runs once in a slab's life", once_per_life },
        { "shrink keeps slabs with live objects", shrink_keeps_live },
        { "thousands of slabs", many_slabs },
        { "contexts that must not call out", contexts },
        { "zeroed objects and refused flags", contents },
        { "a limit is reached to the last object", limits },
        { "the interface", interface },
        { "walk", walks },
        { "misuse", misuse },
        { "misuse, no magazines", misuse_without_magazines },
        { "misuse among good frees", misuse_in_a_batch },
        { "leaks", leaks },
        { "the checker sees damage", checker },
        { "each inner allocation fails in turn", failing },
        { "model, 40 bytes", model_small },
        { "model, 1000 bytes", model_thousand },
        { "model, limit of 200", model_limit },
        { "model, 6000 bytes", model_large },
        { "model, limit of 10", model_tiny_limit },
    };
    return kit_main("cache", cases, KIT_COUNT(cases));
}
