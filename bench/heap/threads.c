/* threads.c: rows of two threads. The unit is nanoseconds for an allocation and a free, of each thread.
 *
 * `independent` is CPU time of a thread. In the other rows threads wait for each other, so that only wall time says
 * something: they want two idle CPUs.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "micro.h"

#define RING  4096u /* blocks on their way from the producer to the consumer */
#define SLOTS 1024u /* blocks that two threads swap */
#define LIVE  10000u

static void *live[2][LIVE];
static _Atomic(void *) shared[RING];
static atomic_uint ready;
static double seconds[2];

/* Waits until both threads are here. */
static void meet(void)
{
    atomic_fetch_add(&ready, 1);
    while (atomic_load(&ready) < 2)
        ;
}

/* Runs `first` and `second` at once, each with the number of its thread. */
static void run_two(void *(*first)(void *), void *(*second)(void *))
{
    static const size_t numbers[2] = { 0, 1 };
    pthread_t thread;
    atomic_store(&ready, 0);
    if (pthread_create(&thread, NULL, second, (void *)&numbers[1]) != 0)
        micro_fail("micro: no thread");
    (void)first((void *)&numbers[0]);
    pthread_join(thread, NULL);
}

/* ---- each thread by itself ---- */

static void replace(void **blocks, size_t start, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        micro_request request = micro_requests[(start + i) % MICRO_REQUESTS];
        free(blocks[request.slot]);
        blocks[request.slot] = micro_must(malloc(request.size));
        MICRO_TOUCH(blocks[request.slot]);
    }
}

static void *independent_run(void *number)
{
    size_t me = *(const size_t *)number;
    replace(live[me], me * 100000, micro_count(500000));
    meet();
    double start = micro_thread();
    replace(live[me], me * 200000, micro_count(3000000));
    seconds[me] = micro_thread() - start;
    return NULL;
}

static void independent(void)
{
    micro_fill_requests(5, LIVE);
    run_two(independent_run, independent_run);
    micro_report("independent", (seconds[0] + seconds[1]) / 2 * 1e9 / (double)micro_count(3000000));
}

/* ---- one allocates, the other frees ---- */

static void wait_a_little(unsigned *spins)
{
    if (++*spins % 256 == 0)
        sched_yield();
}

static void *produce(void *number)
{
    (void)number;
    size_t count = micro_count(3000000);
    meet();
    double start = micro_wall();
    for (size_t i = 0; i < count; i++) {
        void *block = micro_must(malloc(micro_requests[i % MICRO_REQUESTS].size));
        MICRO_TOUCH(block);
        unsigned spins = 0;
        while (atomic_load_explicit(&shared[i % RING], memory_order_acquire) != NULL)
            wait_a_little(&spins);
        atomic_store_explicit(&shared[i % RING], block, memory_order_release);
    }
    seconds[0] = micro_wall() - start;
    return NULL;
}

static void *consume(void *number)
{
    (void)number;
    size_t count = micro_count(3000000);
    meet();
    for (size_t i = 0; i < count; i++) {
        void *block;
        unsigned spins = 0;
        while ((block = atomic_load_explicit(&shared[i % RING], memory_order_acquire)) == NULL)
            wait_a_little(&spins);
        atomic_store_explicit(&shared[i % RING], NULL, memory_order_release);
        MICRO_TOUCH(block);
        free(block);
    }
    return NULL;
}

static void producer_consumer(void)
{
    micro_fill_requests(6, 1);
    run_two(produce, consume);
    micro_report("producer_consumer", seconds[0] * 1e9 / (double)micro_count(3000000));
}

/* ---- each frees what either allocated ---- */

static void *swap_run(void *number)
{
    size_t me = *(const size_t *)number, count = micro_count(3000000);
    meet();
    double start = micro_wall();
    for (size_t i = 0; i < count; i++) {
        micro_request request = micro_requests[(i + me * 300000) % MICRO_REQUESTS];
        void *block = micro_must(malloc(request.size));
        MICRO_TOUCH(block);
        free(atomic_exchange_explicit(&shared[request.slot], block, memory_order_acq_rel));
    }
    seconds[me] = micro_wall() - start;
    return NULL;
}

static void swap(void)
{
    micro_fill_requests(7, SLOTS);
    run_two(swap_run, swap_run);
    micro_report("swap", (seconds[0] + seconds[1]) / 2 * 1e9 / (double)micro_count(3000000));
}

const micro_row micro_threads[] = {
    { "independent", independent },
    { "producer_consumer", producer_consumer },
    { "swap", swap },
    { NULL, NULL },
};
