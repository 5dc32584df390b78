/* reserve_threads_test.c: threads take from and give to one reserve, each its own blocks or those of all, while others
 * refill it. Every block carries its owner's mark over its whole length. At the end every block is back.
 * ThreadSanitizer watches the contents change hands.
 *
 * Argument: how many times the usual count of operations.
 */
#include "heap_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <ka/locked.h>
#include <ka/reserve.h>

#include "base/atomic.h"
#include "kit_malloc.h"

#define THREADS 4u
#define HELD    24u
#define POOL    64u
#define SLOTS   200u

static kit_malloc inner;
static ka_locked locked;
static ka_reserve reserve;
static _Alignas(8) char memory[KA_RESERVE_SIZE(SLOTS)];
static unsigned long times = 1;
static unsigned long steps; /* for each thread */
static uint32_t wanted, stop, told;
static uintptr_t pool[POOL];

typedef struct worker {
    pthread_t thread;
    unsigned id;
    kit_random random;
    unsigned long ops, refused, spoiled;
    uint64_t *held[HELD];
} worker;

static worker workers[THREADS];

static void on_low(void *context, ka_reserve *r, size_t left)
{
    (void)context, (void)r, (void)left;
    ka_fetch_add_32(&told, 1);
    ka_store_release_32(&wanted, 1);
}

static uint64_t *block_take(worker *w)
{
    uint64_t *block = ka_reserve_alloc(&reserve, KA_ANY_CONTEXT);
    w->ops++;
    w->refused += block == NULL;
    for (size_t i = 0; block != NULL && i < 8; i++)
        block[i] = (uint64_t)(w->id + 1) << 48 | w->ops;
    return block;
}

static void block_drop(worker *w, uint64_t *block)
{
    w->ops++;
    for (size_t i = 0; i < 8; i++) {
        w->spoiled += block[i] != block[0] || block[i] == 0;
        if (i != 0)
            block[i] = 0;
    }
    block[0] = 0;
    ka_reserve_free(&reserve, block);
}

static void *live_alone(void *argument)
{
    worker *w = argument;
    for (unsigned long step = 0; step < steps; step++) {
        uint64_t **at = &w->held[kit_below(&w->random, HELD)];
        if (*at == NULL) {
            *at = block_take(w);
        } else {
            block_drop(w, *at);
            *at = NULL;
        }
    }
    for (unsigned at = 0; at < HELD; at++)
        if (w->held[at] != NULL)
            block_drop(w, w->held[at]);
    return NULL;
}

static void *live_together(void *argument)
{
    worker *w = argument;
    for (unsigned long step = 0; step < steps; step++) {
        uint64_t *fresh = step / 256 % 2 == 0 ? block_take(w) : NULL;
        uint64_t *old = (uint64_t *)ka_exchange_ptr(&pool[kit_below(&w->random, POOL)], (uintptr_t)fresh);
        if (old != NULL)
            block_drop(w, old);
        if (step % 512 == 0)
            (void)ka_reserve_refill(&reserve, 0);
    }
    return NULL;
}

/* What low water asks for. */
static void *refiller(void *argument)
{
    unsigned long *refills = argument;
    while (ka_load_acquire_32(&stop) == 0) {
        if (ka_exchange_32(&wanted, 0) != 0) {
            if (!ka_reserve_refill(&reserve, 0))
                ka_store_release_32(&wanted, 1);
            ++*refills;
        }
        sched_yield();
    }
    return NULL;
}

static void on_reserve(void *(*life)(void *), unsigned long operations, size_t count, size_t low)
{
    pthread_t other;
    unsigned long refills = 0;
    reports_clear();
    kit_malloc_init(&inner);
    ka_locked_init(&locked, &inner.allocator, NULL, NULL);
    wanted = stop = told = 0;
    steps = operations * times;
    KIT_CHECK(ka_reserve_init(&reserve, &(ka_reserve_options){ .inner = &locked.allocator,
                                                               .size = 64,
                                                               .align = 16,
                                                               .count = count,
                                                               .slots = SLOTS,
                                                               .memory = memory,
                                                               .low = low,
                                                               .low_water = on_low }));
    memset(workers, 0, sizeof workers);
    memset(pool, 0, sizeof pool);
    KIT_CHECK(pthread_create(&other, NULL, refiller, &refills) == 0);
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
    pthread_join(other, NULL);
    for (unsigned at = 0; at < POOL; at++)
        if (pool[at] != 0)
            block_drop(&sum, (uint64_t *)pool[at]);
    kit_note("%lu operations, %lu refused; %lu refills, low water told %u times", sum.ops, sum.refused, refills, told);
    KIT_EXPECT(sum.spoiled == 0 && sum.ops >= steps && sum.refused < sum.ops);
    KIT_CHECK_SOUND(ka_reserve_check(&reserve));
    ka_stats stats = ka_get_stats(&reserve.allocator);
    KIT_EXPECT(stats.live == 0 && stats.free_blocks == inner.live_blocks); /* none lost */
    KIT_EXPECT(ka_reserve_refill(&reserve, 0) && inner.live_blocks == count && reserve.told == 0);
    KIT_CHECK_SOUND(ka_reserve_check(&reserve));
    KIT_EXPECT(ka_reserve_fini(&reserve) == 0 && kit_malloc_clean(&inner) && reports.count == 0);
}

static void alone(void)
{
    on_reserve(live_alone, 150000, 60, 20);
}
static void alone_little(void)
{
    on_reserve(live_alone, 100000, 10, 9);
}
static void together(void)
{
    on_reserve(live_together, 150000, 40, 20);
}
static void together_little(void)
{
    on_reserve(live_together, 100000, 3, 1);
}

int main(int argc, char **argv)
{
    static const kit_case cases[] = {
        { "each for itself", alone },
        { "each for itself, few blocks", alone_little },
        { "blocks of all", together },
        { "blocks of all, few blocks", together_little },
    };
    times = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    return kit_main("reserve_threads", cases, KIT_COUNT(cases));
}
