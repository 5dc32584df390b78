/* threads_test.c: the port without a pin: threads change processors at each look at their number (the shim's doing),
 * and take the busy mark of whatever processor that was. Heap, pool, lookaside list and packed contiguous memory at
 * once.
 */
#include <pthread.h>

#include <ka/windows.h>
#include <ka_port.h>

#include "heap/core.h"
#include "nt_suite.h"
#include "shim/shim.h"

#define THREADS 4u
#define ROUNDS  20000u
#define HELD    40u
#define MIB     ((size_t)1 << 20)
#define TAG     KA_TAG('t', 'h', 'r', 'd')

static ka_nt_heap heap;
static ka_nt_pool pool;
static ka_nt_lookaside list;
static ka_nt_contiguous contiguous;
static ka_allocator *const all[] = { &heap.heap.allocator, &heap.heap.allocator, &heap.heap.allocator,
                                     &pool.allocator,      &list.allocator,      &contiguous.allocator };

typedef struct worker {
    pthread_t thread;
    uint64_t seed;
    unsigned long served, spoiled;
} worker;

static void *live(void *argument)
{
    worker *w = argument;
    kit_random random = { w->seed };
    struct {
        unsigned char *block;
        ka_allocator *from;
        size_t size;
    } held[HELD] = { { 0 } };
    for (unsigned round = 0; round < ROUNDS + HELD; round++) {
        unsigned i = round < ROUNDS ? (unsigned)kit_below(&random, HELD) : round - ROUNDS;
        if (held[i].block != NULL) {
            w->spoiled += !kit_stamped(held[i].block, held[i].size, w->seed + i);
            ka_free(held[i].from, held[i].block, held[i].size, 16);
            held[i].block = NULL;
        }
        if (round >= ROUNDS)
            continue;
        held[i].from = all[kit_below(&random, KIT_COUNT(all))];
        held[i].size = 1 + (size_t)kit_below(&random, 200);
        if (held[i].from == &heap.heap.allocator && kit_below(&random, 50) == 0)
            held[i].size *= 300;
        shim_irql = kit_below(&random, 4) == 0 ? DISPATCH_LEVEL : PASSIVE_LEVEL;
        held[i].block = ka_alloc(held[i].from, held[i].size, 16, shim_irql != PASSIVE_LEVEL ? KA_ATOMIC : 0);
        shim_irql = PASSIVE_LEVEL;
        if (held[i].block == NULL)
            continue;
        kit_stamp(held[i].block, held[i].size, w->seed + i);
        w->served++;
        if (kit_below(&random, 2000) == 0)
            (void)ka_heap_drain(&heap.heap);
    }
    return NULL;
}

static void threads(void)
{
    worker workers[THREADS] = { { 0 } };
    shim_migrates = true;
    KIT_CHECK(ka_nt_pool_init(&pool, &(ka_nt_pool_options){ .tag = TAG }));
    KIT_CHECK(ka_nt_heap_init(&heap, "threads", 64 * MIB, &(ka_nt_pool_options){ .tag = TAG }));
    KIT_CHECK(ka_nt_lookaside_init(&list, &pool, 200));
    KIT_CHECK(ka_nt_contiguous_init(&contiguous, NULL) == KA_PHYSICAL_OK);
    nt_misuse_begin();
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].seed = 1000 * (i + 1);
        KIT_CHECK(pthread_create(&workers[i].thread, NULL, live, &workers[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        KIT_EXPECT(workers[i].spoiled == 0 && workers[i].served > ROUNDS / 2);
    }
    KIT_EXPECT(ka_heap_drain(&heap.heap));
    KIT_CHECK_SOUND(ka_heap_check(&heap.heap));
    KIT_CHECK_SOUND(ka_check(&contiguous.allocator));
    KIT_EXPECT(ka_get_stats(&heap.heap.allocator).live == 0 && ka_get_stats(&contiguous.allocator).live == 0);
    KIT_EXPECT(ka_nt_contiguous_fini(&contiguous) == 0 && ka_nt_lookaside_fini(&list) == 0);
    KIT_EXPECT(ka_nt_heap_fini(&heap) == 0 && nt_reported.count == 0);
    KIT_EXPECT(ka_nt_stop() == 0 && shim_live() == 0 && shim_live_pages() == 0);
    nt_misuse_end();
}

/* Pairs and nothing else, on the same few magazines. With a busy mark of plain accesses a block is had twice, now and
 * then. */
#define PAIRS 300000u

static pthread_barrier_t ready;

static void *pairs(void *argument)
{
    worker *w = argument;
    uint64_t *blocks[4];
    (void)pthread_barrier_wait(&ready);
    for (unsigned round = 0; round < PAIRS / 4; round++) {
        for (unsigned i = 0; i < 4; i++) {
            blocks[i] = ka_heap_alloc(&heap.heap, 64, 16, 0);
            if (blocks[i] == NULL)
                return NULL;
            *(volatile uint64_t *)blocks[i] = w->seed;
        }
        for (unsigned i = 0; i < 4; i++) {
            w->spoiled += *(volatile uint64_t *)blocks[i] != w->seed;
            *(volatile uint64_t *)blocks[i] = 0;
            ka_heap_free(&heap.heap, blocks[i], 64, 16);
        }
        w->served++;
    }
    return NULL;
}

static void one_magazine(void)
{
    worker workers[THREADS] = { { 0 } };
    KIT_CHECK(ka_nt_start(0) && ka_nt_heap_init(&heap, "pairs", 64 * MIB, &(ka_nt_pool_options){ .tag = TAG }));
    KIT_CHECK(pthread_barrier_init(&ready, NULL, THREADS) == 0);
    shim_migrates = true;
    nt_misuse_begin();
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].seed = i + 1;
        KIT_CHECK(pthread_create(&workers[i].thread, NULL, pairs, &workers[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        KIT_EXPECT(workers[i].spoiled == 0 && workers[i].served == PAIRS / 4);
    }
    KIT_EXPECT(nt_reported.count == 0);
    KIT_CHECK_SOUND(ka_heap_check(&heap.heap));
    KIT_EXPECT(ka_nt_heap_fini(&heap) == 0 && ka_nt_stop() == 0 && shim_live() == 0);
    nt_misuse_end();
}

/* What one processor keeps is had by another: the drain visits all of them, and the heap serves its last block. */
static void drained_from_elsewhere(void)
{
    shim_migrates = false;
    KIT_CHECK(ka_nt_start(0));
    KIT_CHECK(ka_nt_heap_init(&heap, "drained", 64 * MIB, &(ka_nt_pool_options){ .tag = TAG }));
    void *blocks[200];
    for (unsigned i = 0; i < KIT_COUNT(blocks); i++)
        blocks[i] = ka_heap_alloc(&heap.heap, 1000, 16, 0);
    for (unsigned i = 0; i < KIT_COUNT(blocks); i++) {
        shim_migrates = true; /* each goes to another processor's magazine */
        (void)KeGetCurrentProcessorNumberEx(NULL);
        shim_migrates = false;
        ka_heap_free(&heap.heap, blocks[i], 1000, 16);
    }
    KIT_EXPECT(ka_heap_outside(&heap.heap) >= 1000 * 20); /* in magazines */
    KIT_EXPECT(ka_heap_drain(&heap.heap));
    KIT_EXPECT(ka_heap_outside(&heap.heap) == 0);
    shim_irql = DISPATCH_LEVEL;
    KIT_EXPECT(!ka_heap_drain(&heap.heap)); /* a thread cannot travel there */
    shim_irql = PASSIVE_LEVEL;
    KIT_EXPECT(ka_nt_heap_fini(&heap) == 0 && shim_live() == 0);
}

static void processors(void)
{
    shim_migrates = true;
    for (unsigned i = 0; i < 8; i++) {
        (void)ka_port_slot();
        shim_irql = DISPATCH_LEVEL; /* stays there */
        unsigned slot = ka_port_slot();
        KIT_EXPECT(slot >= 1 && slot <= ka_port_cpu_count() && ka_port_node() == (slot - 1) / 2);
        shim_irql = PASSIVE_LEVEL;
    }
    shim_processors = KA_PORT_MAX_CPUS + 1;
    KIT_EXPECT(!ka_nt_start(0)); /* before it would use a slot that it has not */
    shim_processors = 4;
    KIT_EXPECT(ka_nt_stop() == 0 && ka_nt_start(0));
}

int main(void)
{
    static const kit_case cases[] = {
        { "numbers of processors and nodes", processors },
        { "threads that change processors", threads },
        { "pairs on the magazines of processors that are left at any time", one_magazine },
        { "what other processors keep comes back", drained_from_elsewhere },
    };
    if (!ka_nt_start(0))
        return 1;
    return kit_main("threads, over a shim ntoskrnl", cases, KIT_COUNT(cases));
}
