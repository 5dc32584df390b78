/* heap_threads_test.c: threads on one heap: each for itself, in a chain of
 * producers and consumers, and all of them on the blocks of all. Every block
 * carries the mark of its owner over its whole length. At the end all is free
 * by the heap's own count, ka_heap_check is content, and nothing was reported.
 * ThreadSanitizer watches the contents change hands.
 *
 * Argument: how many times the usual count of operations.
 */
#include "heap_fixture.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/math.h"
#include "heap/core.h"

#define THREADS 4u
#define HELD    200u
#define POOL    256u
#define MIB     ((size_t)1 << 20)

static ka_heap heap;
static unsigned long times = 1;

typedef struct item {
    uint64_t *block;
    size_t size, align;
    uint64_t mark;
} item;

typedef struct worker {
    pthread_t thread;
    unsigned id;
    kit_random random;
    unsigned long ops, refused, spoiled;
    item held[HELD];
} worker;

static worker workers[THREADS];
static unsigned long steps;   /* for each thread */
static size_t largest;        /* request */
static ka_flags some_context; /* given with one request of eight */

/* ---- blocks with marks ---- */

static void item_stamp(item *i)
{
    for (size_t k = 0; k<i->size / 8; k += i->size> 4096 ? 64 : 1)
        i->block[k] = i->mark;
}

static bool item_good(const item *i)
{
    for (size_t k = 0; k<i->size / 8; k += i->size> 4096 ? 64 : 1)
        if (i->block[k] != i->mark)
            return false;
    return true;
}

static void item_take(worker *w, item *i)
{
    uint64_t dice = kit_next(&w->random);
    i->size = dice % 32 == 0 ? 8 + (dice >> 8) % largest / 8 * 8 : 8 + (dice >> 8) % 400 / 8 * 8;
    i->align = dice % 16 == 0 ? (size_t)16 << (dice >> 40) % 10 : 16;
    i->mark = (uint64_t)(w->id + 1) << 48 | ++w->ops;
    ka_flags flags = (dice >> 56) % 8 == 0 ? some_context : 0;
    i->block = ka_heap_alloc(&heap, i->size, i->align, flags);
    if (i->block == NULL)
        w->refused++;
    else
        item_stamp(i);
}

static void item_drop(worker *w, item *i)
{
    w->spoiled += !item_good(i);
    w->ops++;
    if (i->mark % 4 == 0)
        ka_heap_free_unsized(&heap, i->block);
    else
        ka_heap_free(&heap, i->block, i->size, i->align);
    i->block = NULL;
}

static void item_resize(worker *w, item *i)
{
    uint64_t dice = kit_next(&w->random);
    size_t size = dice % 4 == 0 ? 8 + (dice >> 8) % largest / 8 * 8 : 8 + (dice >> 8) % 800 / 8 * 8;
    w->spoiled += !item_good(i);
    uint64_t *moved = ka_heap_resize(&heap, i->block, i->size, i->align, size, 16, 0);
    w->ops++;
    if (moved == NULL) {
        w->refused++;
        return;
    }
    for (size_t k = 0; k<ka_min(size, i->size) / 8; k += ka_max(size, i->size)> 4096 ? 64 : 1)
        w->spoiled += moved[k] != i->mark && i->size <= 4096;
    i->block = moved;
    i->size = size;
    i->align = 16;
    item_stamp(i);
}

static void worker_close(worker *w)
{
    for (unsigned at = 0; at < HELD; at++)
        if (w->held[at].block != NULL)
            item_drop(w, &w->held[at]);
}

/* ---- what threads do ---- */

static void *live_alone(void *argument)
{
    worker *w = argument;
    for (unsigned long step = 0; step < steps; step++) {
        item *i = &w->held[kit_below(&w->random, HELD)];
        if (i->block == NULL)
            item_take(w, i);
        else if (step % 8 == 0)
            item_resize(w, i);
        else
            item_drop(w, i);
        if (step % 4096 == 0)
            ka_heap_flush(&heap);
    }
    worker_close(w);
    return NULL;
}

/* A pool of pointers to items: whoever exchanges one out owns it. */
static uintptr_t pool[POOL];

static void *live_together(void *argument)
{
    worker *w = argument;
    for (unsigned long step = 0; step < steps; step++) {
        item fresh = { NULL, 0, 0, 0 }, *given = NULL;
        item_take(w, &fresh);
        if (fresh.block != NULL && (given = ka_heap_alloc(&heap, sizeof *given, 16, 0)) == NULL) {
            w->refused++;
            item_drop(w, &fresh);
        }
        if (given != NULL)
            *given = fresh;
        item *old = (item *)ka_exchange_ptr(&pool[kit_below(&w->random, POOL)], (uintptr_t)given);
        if (old == NULL)
            continue;
        item mine = *old;
        ka_heap_free(&heap, old, sizeof *old, 16);
        item_drop(w, &mine);
        if (step % 1024 == 0 && w->id == 0)
            (void)ka_heap_trim(&heap, (step & 4095) * 1024);
    }
    return NULL;
}

/* Even threads only allocate, odd ones only free: every block crosses. */
static void *live_in_a_chain(void *argument)
{
    worker *w = argument;
    for (unsigned long step = 0, done = 0; done < steps; step++) {
        uintptr_t *place = &pool[w->id / 2 * (POOL / 2) + step % (POOL / 2)];
        if (w->id % 2 == 0 && ka_load_relaxed_ptr(place) == 0) {
            item *i = ka_heap_alloc(&heap, sizeof *i, 16, 0);
            if (i == NULL) {
                w->refused++;
                continue;
            }
            item_take(w, i);
            ka_store_release_ptr(place, (uintptr_t)i);
            done++;
        } else if (w->id % 2 == 1 && ka_load_acquire_ptr(place) != 0) {
            item *i = (item *)ka_exchange_ptr(place, 0);
            if (i->block != NULL)
                item_drop(w, i);
            ka_heap_free(&heap, i, sizeof *i, 16);
            done++;
        } else if (step % POOL == 0) {
            sched_yield();
        }
    }
    return NULL;
}

/* ---- cases ---- */

static void run(void *(*life)(void *), unsigned long count, size_t most, ka_flags context)
{
    steps = count * times;
    largest = most;
    some_context = context;
    memset(workers, 0, sizeof workers);
    memset(pool, 0, sizeof pool);
    for (unsigned t = 0; t < THREADS; t++) {
        workers[t].id = t;
        workers[t].random.state = t * 1000 + count;
        KIT_CHECK(pthread_create(&workers[t].thread, NULL, life, &workers[t]) == 0);
    }
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(workers[t].thread, NULL);
    worker sum = { .ops = 0 };
    for (unsigned t = 0; t < THREADS; t++) {
        sum.ops += workers[t].ops;
        sum.refused += workers[t].refused;
        sum.spoiled += workers[t].spoiled;
    }
    for (unsigned at = 0; at < POOL; at++) {
        item *i = (item *)pool[at];
        if (i == NULL)
            continue;
        if (i->block != NULL)
            item_drop(&sum, i);
        ka_heap_free(&heap, i, sizeof *i, 16);
    }
    kit_note("%lu operations, %lu refused", sum.ops, sum.refused);
    KIT_EXPECT(sum.spoiled == 0 && sum.ops >= steps);
    KIT_EXPECT(sum.refused < sum.ops / 2);
}

static void close_heap(void)
{
    KIT_EXPECT(reports.count == 0);
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++)
        KIT_EXPECT(ka_heap_flush_slot(&heap, slot));
    ka_heap_flush(&heap); /* what a hardened heap keeps aside */
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    ka_stats stats;
    ka_heap_stats(&heap, &stats);
    KIT_EXPECT(stats.live == 0 && stats.live_blocks == 0);
    (void)ka_heap_break_up(&heap);
    ka_heap_stats(&heap, &stats);
    KIT_EXPECT(stats.free_blocks == 0);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_heap_fini(&heap) == 0);
}

static bool hardened;

static void on_given(void *(*life)(void *), unsigned long count, size_t size, size_t most)
{
    void *range = fixture_map(size, 4096, PROT_READ | PROT_WRITE);
    reports_clear();
    KIT_CHECK(range != NULL &&
              ka_heap_init(&heap, &(ka_heap_options){ .base = range, .size = size, .hardened = hardened }));
    run(life, count, most, KA_ANY_CONTEXT);
    close_heap();
    munmap(range, size);
}

/* The fixture's source counts without locks: threads need one of their own, the
 * system's. */
static void *map_reserve(void *context, size_t size, size_t align)
{
    (void)context;
    return fixture_map(size, align, PROT_NONE);
}

static void map_unreserve(void *context, void *base, size_t size)
{
    (void)context;
    munmap(base, size);
}

static uint32_t commits;

/* One in 16 fails. */
static bool map_commit(void *context, void *base, size_t size, bool *zeroed)
{
    (void)context;
    *zeroed = true;
    return ka_fetch_add_32(&commits, 1) % 16 != 15 && mprotect(base, size, PROT_READ | PROT_WRITE) == 0;
}

static bool map_decommit(void *context, void *base, size_t size)
{
    (void)context;
    return madvise(base, size, MADV_DONTNEED) == 0 && mprotect(base, size, PROT_NONE) == 0;
}

static const ka_page_source map_source = {
    .contexts = KA_NOWAIT,
    .reserve = map_reserve,
    .unreserve = map_unreserve,
    .commit = map_commit,
    .decommit = map_decommit,
};

static void on_source(void *(*life)(void *), unsigned long count, size_t size, unsigned segment_shift, size_t most)
{
    ka_heap_options options = {
        .source = &map_source, .size = size, .segment_shift = segment_shift, .keep = size / 64
    };
    reports_clear();
    commits = 0;
    KIT_CHECK(ka_heap_init(&heap, &options));
    run(life, count, most, KA_ANY_CONTEXT);
    close_heap();
}

static void alone(void)
{
    on_given(live_alone, 300000, (size_t)ka_port_cpu_count() * 8 * MIB + 64 * MIB, 20000);
}
static void alone_small(void)
{
    on_given(live_alone, 60000, MIB, 4000);
}
static void alone_full(void)
{
    on_given(live_alone, 60000, 512 << 10, 60000);
}
static void alone_source(void)
{
    on_source(live_alone, 60000, 64 * MIB, 0, 100000);
}
static void alone_segments(void)
{
    on_source(live_alone, 30000, 32 * MIB, 21, 200000);
}
static void together(void)
{
    on_given(live_together, 150000, (size_t)ka_port_cpu_count() * 8 * MIB + 64 * MIB, 20000);
}
static void together_small(void)
{
    on_given(live_together, 50000, MIB, 4000);
}
static void together_source(void)
{
    on_source(live_together, 50000, 64 * MIB, 0, 100000);
}
static void chain(void)
{
    on_given(live_in_a_chain, 150000, (size_t)ka_port_cpu_count() * 8 * MIB + 64 * MIB, 20000);
}
static void chain_small(void)
{
    on_given(live_in_a_chain, 50000, MIB, 4000);
}

static void together_hardened(void)
{
    hardened = true;
    on_given(live_together, 30000, 64 * MIB, 20000);
    hardened = false;
}

int main(int argc, char **argv)
{
    static const kit_case cases[] = {
        { "each for itself", alone },
        { "each for itself, no magazines", alone_small },
        { "each for itself, too little memory", alone_full },
        { "each for itself, over a source", alone_source },
        { "each for itself, over a source, many segments", alone_segments },
        { "blocks of all", together },
        { "blocks of all, no magazines", together_small },
        { "blocks of all, over a source, with trims", together_source },
        { "blocks of all, hardened", together_hardened },
        { "producers and consumers", chain },
        { "producers and consumers, no magazines", chain_small },
    };
    times = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    return kit_main("heap_threads", cases, KIT_COUNT(cases));
}
