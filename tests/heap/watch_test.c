/* watch_test.c: looking at a heap: statistics while threads work, come and go; a check that sees across CPUs.
 * ThreadSanitizer watches the statistics; the memory of ended threads is made inaccessible by trims.
 */
#include "heap_fixture.h"

#include <pthread.h>

#include <ka/user.h>

#include "heap_inside.h"

#define MIB     ((size_t)1 << 20)
#define HELD    32u
#define WORKERS 3u

static ka_heap heap;
static uint32_t stop, lives, wrong;

static void some_work(uint64_t seed)
{
    kit_random random = { seed };
    void *blocks[HELD];
    size_t sizes[HELD];
    for (unsigned i = 0; i < HELD; i++) {
        sizes[i] = 1 + kit_below(&random, i % 8 == 0 ? 100000 : 2000);
        blocks[i] = ka_heap_alloc(&heap, sizes[i], 16, 0);
        if (blocks[i] == NULL)
            ka_fetch_add_32(&wrong, 1);
    }
    for (unsigned i = 0; i < HELD; i++)
        ka_heap_free(&heap, blocks[i], sizes[i], 16);
}

static void *short_life(void *seed)
{
    some_work((uint64_t)(uintptr_t)seed);
    return NULL;
}

/* Threads that end one after the other. */
static void *worker(void *argument)
{
    for (uintptr_t i = 0; ka_load_acquire_32(&stop) == 0; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, short_life, (void *)((uintptr_t)argument * 100000 + i)) != 0)
            continue;
        some_work(i);
        pthread_join(thread, NULL);
        ka_fetch_add_32(&lives, 1);
    }
    return NULL;
}

static void statistics_of_a_live_heap(void)
{
    pthread_t workers[WORKERS];
    ka_stats stats;
    size_t looks = 0;
    stop = lives = wrong = 0;
    reports_clear();
    KIT_CHECK(ka_user_heap_init(&heap, "watched", 64 * MIB));
    for (uintptr_t i = 0; i < WORKERS; i++)
        KIT_CHECK(pthread_create(&workers[i], NULL, worker, (void *)(i + 1)) == 0);
    while (ka_load_acquire_32(&lives) < 200) {
        ka_heap_stats(&heap, &stats);
        KIT_EXPECT(stats.live <= stats.total && stats.live + stats.free == stats.total && stats.total <= 64 * MIB);
        if (looks++ % 16 == 0)
            (void)ka_heap_trim(&heap, 0);
    }
    ka_store_release_32(&stop, 1);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    kit_note("%zu looks at %u threads that ended", looks, (unsigned)lives);
    ka_heap_stats(&heap, &stats);
    KIT_EXPECT(stats.live == 0 && stats.live_blocks == 0 && heap.retired == 0 && heap.watchers == 0);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(wrong == 0 && reports.count == 0 && ka_user_heap_fini(&heap) == 0);
}

/* While somebody looks, magazines of a thread that ends stay, and what they held does not. */
static void magazines_wait_for_watchers(void)
{
    pthread_t thread;
    ka_stats stats;
    reports_clear();
    KIT_CHECK(ka_user_heap_init(&heap, "watched", 64 * MIB));
    heap.watchers = 1; /* as if */
    for (unsigned i = 0; i < 2; i++) {
        KIT_CHECK(pthread_create(&thread, NULL, short_life, (void *)3) == 0);
        pthread_join(thread, NULL);
        KIT_EXPECT(heap.retired != 0 && ka_heap_outside(&heap) == 0);
        KIT_CHECK_SOUND(ka_heap_check(&heap));
    }
    size_t pages = heap.pages_used;
    ka_heap_stats(&heap, &stats);
    KIT_EXPECT(heap.retired != 0 && heap.pages_used == pages && stats.live == 0);
    heap.watchers = 0;
    ka_heap_stats(&heap, &stats);
    KIT_EXPECT(heap.retired == 0 && heap.pages_used < pages && stats.live == 0);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_user_heap_fini(&heap) == 0 && reports.count == 0);
}

/* ---- a block freed on two CPUs ---- */

static pthread_barrier_t turn;
static void *given;

static void *frees_and_waits(void *unused)
{
    (void)unused;
    void *warm = ka_heap_alloc(&heap, 100, 16, 0);
    ka_heap_free(&heap, warm, 100, 16);
    ka_heap_free(&heap, given, 100, 16);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    ka_heap_flush(&heap);
    return NULL;
}

static void freed_on_two_cpus(void)
{
    pthread_t thread;
    ka_stats before, after;
    reports_clear();
    KIT_CHECK(ka_user_heap_init(&heap, "twice", 64 * MIB));
    given = ka_heap_alloc(&heap, 100, 16, 0);
    void *other = ka_heap_alloc(&heap, 100, 16, 0);
    KIT_CHECK(given != NULL && other != NULL && pthread_barrier_init(&turn, NULL, 2) == 0);
    KIT_CHECK(pthread_create(&thread, NULL, frees_and_waits, NULL) == 0);
    pthread_barrier_wait(&turn);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    ka_heap_free(&heap, given, 100, 16);
    ka_heap_free(&heap, other, 100, 16);
    KIT_EXPECT(reports.count == 0); /* neither magazine can know */
    ka_heap_stats(&heap, &before);
    KIT_EXPECT(ka_heap_check(&heap) != NULL && ka_heap_check(&heap) != NULL);
    ka_heap_stats(&heap, &after);
    KIT_EXPECT(before.free_blocks == after.free_blocks); /* the check leaves nothing behind */
    ka_heap_flush(&heap);
    pthread_barrier_wait(&turn);
    pthread_join(thread, NULL);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, given));
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_user_heap_fini(&heap) == 0 && reports.count == 0);
    pthread_barrier_destroy(&turn);
}

int main(void)
{
    static const kit_case cases[] = {
        { "statistics while threads come and go", statistics_of_a_live_heap },
        { "magazines of ended threads wait for watchers", magazines_wait_for_watchers },
        { "check finds a block freed on two CPUs", freed_on_two_cpus },
    };
    return kit_main("watch", cases, KIT_COUNT(cases));
}
