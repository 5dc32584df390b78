/* threads_test.c: threads come and go: what they cached returns, their slots are used again, and threads beyond the
 * count of slots, or in their last moments, get by without.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <ka/handler.h>
#include <ka/user.h>

#include "base/atomic.h"
#include "heap/core.h"
#include "heap/fast.h"
#include "kit.h"

static ka_heap heap;
static uint32_t bad;

static void count_report(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                         const void *site)
{
    (void)context, (void)kind, (void)allocator, (void)block, (void)size, (void)site;
    ka_fetch_add_32(&bad, 1);
}

static void begin(void)
{
    bad = 0;
    ka_set_misuse_handler(count_report, NULL);
    KIT_CHECK(ka_user_heap_init(&heap, "threads", (size_t)1 << 30));
}

static void end(void)
{
    ka_stats stats;
    ka_heap_flush(&heap);
    ka_heap_stats(&heap, &stats);
    KIT_EXPECT(stats.live == 0 && stats.live_blocks == 0);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(bad == 0 && ka_user_heap_fini(&heap) == 0);
}

/* A little of everything; keeps the magazines of the thread full. */
static void some_work(unsigned seed)
{
    kit_random random = { seed };
    void *blocks[100];
    size_t sizes[100];
    for (unsigned i = 0; i < 100; i++) {
        sizes[i] = 1 + kit_below(&random, i == 0 ? 100000 : 2000);
        blocks[i] = ka_heap_alloc(&heap, sizes[i], 16, 0);
        if (blocks[i] == NULL)
            ka_fetch_add_32(&bad, 1);
        else
            kit_stamp(blocks[i], sizes[i], i);
    }
    for (unsigned i = 0; i < 100; i++) {
        if (!kit_stamped(blocks[i], sizes[i], i))
            ka_fetch_add_32(&bad, 1);
        ka_heap_free(&heap, blocks[i], sizes[i], 16);
    }
}

static uint32_t highest_slot;

static void *short_life(void *argument)
{
    some_work((unsigned)(uintptr_t)argument);
    uint32_t slot = ka_port_slot(), seen = ka_load_relaxed_32(&highest_slot);
    if (slot == 0)
        ka_fetch_add_32(&bad, 1);
    while (slot > seen && !ka_cas_32(&highest_slot, &seen, slot))
        ;
    return NULL;
}

static size_t pages_in_use(void)
{
    const ka_segment *segment = ka_heap_segment_at(&heap, 0);
    ka_runs_stats census;
    ka_runs_census(&segment->runs, &census);
    return census.committed - census.free_committed;
}

/* Many more than there are slots, four at a time: nothing grows, and the same few slots do for all. */
static void short_threads(void)
{
    enum { THREADS = 5000, AT_ONCE = 4 };
    begin();
    size_t early = 0;
    highest_slot = 0;
    for (unsigned i = 0; i < THREADS; i += AT_ONCE) {
        pthread_t threads[AT_ONCE];
        for (unsigned t = 0; t < AT_ONCE; t++)
            KIT_CHECK(pthread_create(&threads[t], NULL, short_life, (void *)(uintptr_t)(i + t)) == 0);
        for (unsigned t = 0; t < AT_ONCE; t++)
            pthread_join(threads[t], NULL);
        size_t now = pages_in_use(); /* up and down, as idle magazines are emptied */
        if (i < 1000 && now > early)
            early = now;
    }
    ka_stats stats;
    ka_heap_stats(&heap, &stats); /* nobody has flushed: the threads' own ends have */
    KIT_EXPECT(stats.live == 0);
    kit_note("highest slot %u, at most %zu pages in use by 1,000 threads, %zu after %d", (unsigned)highest_slot, early,
             pages_in_use(), THREADS);
    KIT_EXPECT(highest_slot >= 1 && highest_slot <= AT_ONCE + 4);
    KIT_EXPECT(pages_in_use() <= early + early / 4);
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++) {
        const ka_magazines *m = ka_heap_magazines_of(&heap, slot);
        KIT_EXPECT(m == &ka_no_magazines || slot == ka_port_slot() || m->busy == 0);
    }
    end();
}

/* ---- more threads at once than slots ---- */

enum { CROWD = KA_PORT_MAX_CPUS + 40 };
static uint32_t arrived, without, may_go;

static void *crowd_life(void *argument)
{
    some_work((unsigned)(uintptr_t)argument);
    ka_fetch_add_32(&without, ka_port_slot() == 0);
    ka_fetch_add_32(&arrived, 1);
    while (ka_load_acquire_32(&may_go) == 0)
        sched_yield();
    return NULL;
}

static void crowd(void)
{
    static pthread_t threads[CROWD];
    pthread_attr_t small;
    unsigned made = 0;
    begin();
    arrived = without = may_go = 0;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    /* Few run at a time: each waits only when the one before has done its work. */
    while (made < CROWD && pthread_create(&threads[made], &small, crowd_life, (void *)(uintptr_t)made) == 0) {
        made++;
        if (made % 64 == 0)
            while (ka_load_acquire_32(&arrived) + 8 < made)
                sched_yield();
    }
    while (ka_load_acquire_32(&arrived) < made)
        sched_yield();
    KIT_EXPECT(ka_heap_check(&heap) == NULL); /* nobody is at work */
    ka_store_release_32(&may_go, 1);
    for (unsigned i = 0; i < made; i++)
        pthread_join(threads[i], NULL);
    pthread_attr_destroy(&small);
    kit_note("%u threads at once, %u of them without a slot", made, (unsigned)without);
    if (made < CROWD)
        kit_skip("the system does not give so many threads");
    else
        KIT_EXPECT(without >= CROWD - KA_PORT_MAX_CPUS);
    end();
}

/* ---- the last moments of a thread ---- */

static pthread_key_t last_key;
static uint32_t last_calls;

/* Runs after, or before, the port's own destructor; asks for more rounds. */
static void last_moment(void *value)
{
    unsigned left = (unsigned)(uintptr_t)value - 1;
    void *block = ka_heap_alloc(&heap, 100, 16, 0), *large = ka_heap_alloc(&heap, 100000, 16, 0);
    if (block == NULL || large == NULL)
        ka_fetch_add_32(&bad, 1);
    ka_heap_free(&heap, block, 100, 16);
    ka_heap_free_unsized(&heap, large);
    ka_fetch_add_32(&last_calls, 1);
    if (left != 0)
        pthread_setspecific(last_key, (void *)(uintptr_t)left);
}

static void *last_life(void *argument)
{
    pthread_setspecific(last_key, (void *)3);
    some_work((unsigned)(uintptr_t)argument);
    return NULL;
}

static void destructors(void)
{
    begin();
    KIT_CHECK(pthread_key_create(&last_key, last_moment) == 0);
    for (unsigned i = 0; i < 50; i++) {
        pthread_t thread;
        KIT_CHECK(pthread_create(&thread, NULL, last_life, (void *)(uintptr_t)i) == 0);
        pthread_join(thread, NULL);
    }
    pthread_key_delete(last_key);
    KIT_EXPECT(last_calls == 150);
    ka_stats stats;
    ka_heap_stats(&heap, &stats);
    KIT_EXPECT(stats.live == 0);
    end();
}

/* ---- several heaps ---- */

static ka_heap more[20];

static void *many_lives(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < 16; i++) {
        void *block = ka_heap_alloc(&more[i], 100 + i, 16, 0);
        if (block == NULL)
            ka_fetch_add_32(&bad, 1);
        ka_heap_free(&more[i], block, 100 + i, 16);
    }
    return NULL;
}

/* Sixteen can be registered, each is drained, and a place that was given up is used again. */
static void several_heaps(void)
{
    unsigned made = 0;
    ka_set_misuse_handler(count_report, NULL);
    bad = 0;
    while (made < 20 && ka_user_heap_init(&more[made], "one of many", 64 << 20))
        made++;
    KIT_EXPECT(made == 16);
    pthread_t thread;
    KIT_CHECK(pthread_create(&thread, NULL, many_lives, NULL) == 0);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < made; i++) {
        ka_stats stats;
        ka_heap_stats(&more[i], &stats);
        KIT_EXPECT(stats.live == 0 && ka_heap_check(&more[i]) == NULL);
        for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++) {
            const ka_magazines *m = ka_heap_magazines_of(&more[i], slot);
            for (unsigned number = 0; m != &ka_no_magazines && number < KA_MAGAZINE_COUNT; number++)
                KIT_CHECK(ka_magazine_length(m, number) == 0);
        }
    }
    KIT_EXPECT(ka_user_heap_fini(&more[3]) == 0);
    KIT_EXPECT(ka_user_heap_init(&more[3], "again", 64 << 20));
    for (unsigned i = 0; i < made; i++)
        KIT_EXPECT(ka_user_heap_fini(&more[i]) == 0);
    KIT_EXPECT(bad == 0);
    KIT_EXPECT(!ka_user_heap_init(&more[0], "too much", (size_t)1 << 60));
}

int main(void)
{
    static const kit_case cases[] = {
        { "5,000 short threads", short_threads },
        { "more threads than slots", crowd },
        { "destructors allocate", destructors },
        { "several heaps", several_heaps },
    };
    return kit_main("user_threads", cases, KIT_COUNT(cases));
}
