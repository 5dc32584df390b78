/* cache_threads_test.c: threads on one cache: each for itself, and all of them on the objects of all, while one of them
 * shrinks it and another thread reads statistics. Every object has the constructor's mark, and the mark of its owner
 * over the rest; what the cache hands out is never somebody's. At the end all is free by the cache's own count, each
 * object has been constructed and destructed once in each life of its slab, and nothing was reported. ThreadSanitizer
 * watches the contents change hands.
 *
 * Argument: how many times the usual count of operations.
 */
#include "heap_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <ka/cache.h>

#include "base/atomic.h"

#define THREADS     4u
#define HELD        150u
#define POOL        128u
#define CONSTRUCTED UINT64_C(0x636f6e7374727563)

static ka_heap heap;
static ka_cache cache;
static unsigned long times = 1;
static unsigned long steps; /* for each thread */

static uint64_t constructed, destructed, wrong;

static void construct(void *context, void *object)
{
    ka_fetch_add_64(context, 1);
    *(uint64_t *)object = CONSTRUCTED;
}

static void destruct(void *context, void *object)
{
    (void)context;
    ka_fetch_add_64(&destructed, 1);
    if (*(uint64_t *)object != CONSTRUCTED)
        ka_fetch_add_64(&wrong, 1);
    *(uint64_t *)object = 0;
}

typedef struct worker {
    pthread_t thread;
    unsigned id;
    kit_random random;
    unsigned long ops, refused, spoiled;
    uint64_t *held[HELD];
} worker;

static worker workers[THREADS];
static uintptr_t pool[POOL]; /* whoever exchanges an object out owns it */

/* How many words of an object are marked. */
static size_t words(void)
{
    return cache.size / 8 < 128 ? cache.size / 8 : 128;
}

/* Words 1 to the end hold the owner's mark; word 1 is 0 while nobody has the object. */
static uint64_t *object_take(worker *w)
{
    uint64_t *object = ka_cache_alloc(&cache, kit_next(&w->random) % 8 == 0 ? KA_ANY_CONTEXT : 0);
    w->ops++;
    if (object == NULL) {
        w->refused++;
        return NULL;
    }
    w->spoiled += object[0] != CONSTRUCTED;
    uint64_t mark = (uint64_t)(w->id + 1) << 48 | w->ops;
    for (size_t i = 1; i < words(); i++)
        object[i] = mark;
    return object;
}

static void object_drop(worker *w, uint64_t *object)
{
    w->ops++;
    w->spoiled += object[0] != CONSTRUCTED || object[1] == 0;
    for (size_t i = 2; i < words(); i++)
        w->spoiled += object[i] != object[1];
    object[1] = 0;
    ka_cache_free(&cache, object);
}

static void *live_alone(void *argument)
{
    worker *w = argument;
    for (unsigned long step = 0; step < steps; step++) {
        uint64_t **at = &w->held[kit_below(&w->random, HELD)];
        if (*at == NULL) {
            *at = object_take(w);
        } else {
            object_drop(w, *at);
            *at = NULL;
        }
        if (step % 512 == 0)
            ka_cache_flush(&cache);
        if (step % 4096 == 0 && w->id == 0)
            (void)ka_cache_shrink(&cache);
    }
    for (unsigned at = 0; at < HELD; at++)
        if (w->held[at] != NULL)
            object_drop(w, w->held[at]);
    return NULL;
}

/* The pool is full, then empty, and so on: slabs come and go. */
static void *live_together(void *argument)
{
    worker *w = argument;
    for (unsigned long step = 0; step < steps; step++) {
        uint64_t *fresh = step / 1024 % 2 == 0 || step % 16 == 0 ? object_take(w) : NULL;
        uint64_t *old = (uint64_t *)ka_exchange_ptr(&pool[kit_below(&w->random, POOL)], (uintptr_t)fresh);
        if (old != NULL)
            object_drop(w, old);
        if (step % 64 == 0)
            ka_cache_flush(&cache);
        if (step % 256 == 0 && w->id % 2 == 0)
            (void)ka_cache_shrink(&cache);
    }
    return NULL;
}

/* Each step makes slabs and gives them back. */
static void *live_by_slabs(void *argument)
{
    worker *w = argument;
    for (unsigned long step = 0; step < steps; step++) {
        uint64_t *objects[3];
        for (unsigned i = 0; i < 3; i++)
            objects[i] = object_take(w);
        for (unsigned i = 0; i < 3; i++)
            if (objects[i] != NULL)
                object_drop(w, objects[i]);
        (void)ka_cache_shrink(&cache);
    }
    return NULL;
}

/* All make the first slabs, and the tables for them, at the same time. */
static uint32_t ready;

static void *live_in_a_rush(void *argument)
{
    worker *w = argument;
    ka_fetch_add_32(&ready, 1);
    while (ka_load_acquire_32(&ready) < THREADS)
        sched_yield();
    for (unsigned at = 0; at < HELD; at++)
        w->held[at] = object_take(w);
    for (unsigned at = 0; at < HELD; at++)
        if (w->held[at] != NULL)
            object_drop(w, w->held[at]);
    return NULL;
}

/* Somebody reads statistics all the while. */
static uint32_t stop;

static void *look(void *unused)
{
    (void)unused;
    while (ka_load_acquire_32(&stop) == 0) {
        ka_stats stats = ka_get_stats(&cache.allocator);
        if (stats.live + stats.free != stats.total)
            ka_fetch_add_64(&wrong, 1);
        sched_yield();
    }
    return NULL;
}

static void run(void *(*life)(void *))
{
    pthread_t watcher;
    memset(workers, 0, sizeof workers);
    memset(pool, 0, sizeof pool);
    ready = stop = 0;
    KIT_CHECK(pthread_create(&watcher, NULL, look, NULL) == 0);
    for (unsigned t = 0; t < THREADS; t++) {
        workers[t].id = t;
        workers[t].random.state = t * 1000 + steps;
        KIT_CHECK(pthread_create(&workers[t].thread, NULL, life, &workers[t]) == 0);
    }
    worker sum = { .ops = 0 };
    for (unsigned t = 0; t < THREADS; t++) {
        pthread_join(workers[t].thread, NULL);
        sum.ops += workers[t].ops;
        sum.refused += workers[t].refused;
        sum.spoiled += workers[t].spoiled;
    }
    ka_store_release_32(&stop, 1);
    pthread_join(watcher, NULL);
    for (unsigned at = 0; at < POOL; at++)
        if (pool[at] != 0)
            object_drop(&sum, (uint64_t *)pool[at]);
    if (life != live_in_a_rush)
        kit_note("%lu operations, %lu refused; %lu objects constructed", sum.ops, sum.refused,
                 (unsigned long)constructed);
    KIT_EXPECT(sum.spoiled == 0 && sum.ops >= steps && sum.refused < sum.ops / 2);
}

static void on_cache(void *(*life)(void *), unsigned long count, size_t size, size_t limit)
{
    const size_t bytes = (size_t)64 << 20;
    void *range = fixture_map(bytes, 4096, PROT_READ | PROT_WRITE);
    reports_clear();
    KIT_CHECK(range != NULL && ka_heap_init(&heap, &(ka_heap_options){ .base = range, .size = bytes }));
    constructed = destructed = wrong = 0;
    steps = count * times;
    KIT_CHECK(ka_cache_init(&cache, &(ka_cache_options){ .inner = &heap.allocator,
                                                         .size = size,
                                                         .align = 8,
                                                         .constructor = construct,
                                                         .destructor = destruct,
                                                         .context = &constructed,
                                                         .limit = limit }));
    run(life);
    for (unsigned slot = 1; slot <= cache.slots; slot++)
        KIT_EXPECT(ka_cache_flush_slot(&cache, slot));
    KIT_CHECK_SOUND(ka_cache_check(&cache));
    ka_stats stats = ka_get_stats(&cache.allocator);
    KIT_EXPECT(stats.live == 0 && stats.total == (constructed - destructed) * cache.distance);
    (void)ka_cache_shrink(&cache);
    KIT_EXPECT(cache.slabs == 0 && constructed == destructed && wrong == 0);
    KIT_CHECK_SOUND(ka_cache_check(&cache));
    KIT_EXPECT(ka_cache_fini(&cache) == 0);
    KIT_EXPECT(constructed == destructed && reports.count == 0);
    KIT_EXPECT(ka_heap_fini(&heap) == 0);
    munmap(range, bytes);
}

static void alone(void)
{
    on_cache(live_alone, 200000, 40, 0);
}
static void alone_large(void)
{
    on_cache(live_alone, 50000, 1000, 0);
}
static void alone_limit(void)
{
    on_cache(live_alone, 50000, 104, 250);
}
static void together(void)
{
    on_cache(live_together, 100000, 40, 0);
}
static void together_large(void)
{
    on_cache(live_together, 50000, 4000, 0);
}
static void together_small(void)
{
    on_cache(live_together, 50000, 2000, 64);
}
static void together_single(void)
{
    on_cache(live_together, 30000, 40000, 0);
}
static void by_slabs(void)
{
    on_cache(live_by_slabs, 30000, 40000, 0);
}
static void rush(void)
{
    for (unsigned long round = 0; round < 150 * times && !kit_failed(); round++)
        on_cache(live_in_a_rush, 1, round % 2 == 0 ? 4096 : 40000, 0);
}

int main(int argc, char **argv)
{
    static const kit_case cases[] = {
        { "each for itself, 40 bytes", alone },
        { "each for itself, 1000 bytes", alone_large },
        { "each for itself, too few objects", alone_limit },
        { "objects of all, 40 bytes", together },
        { "objects of all, 4000 bytes", together_large },
        { "objects of all, few, no magazines", together_small },
        { "objects of all, each a slab of its own", together_single },
        { "slabs come and go", by_slabs },
        { "the first slabs, all at once", rush },
    };
    times = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    return kit_main("cache_threads", cases, KIT_COUNT(cases));
}
