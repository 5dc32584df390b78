/* measure.h: the measurements, for any allocator of page frames. A peer is one .c file that defines
 *
 *     static void peer_start(uint64_t frames, unsigned threads);   all frames free
 *     static void peer_thread(unsigned thread);                    called by each thread first; 0 is main
 *     static inline uint64_t peer_get(unsigned thread, unsigned order);   a frame's number; UINT64_MAX: none
 *     static inline void peer_put(unsigned thread, uint64_t frame, unsigned order);
 *     static void peer_drain(unsigned thread);                     puts back what the thread's CPU keeps
 *     static size_t peer_metadata(void);                           bytes
 *
 * and then includes this file, so that its calls are inlined as far as its makers let them. It prints "row value"
 * lines: nanoseconds of the thread's CPU time per operation, bytes per GiB, or per cent. Usage: peer [frames, default 4
 * GiB of them].
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HUGE_ORDER 9u
#define HUGE_PAGES (1u << HUGE_ORDER)
#define PAIRS      20000000u

static uint64_t *held;
static uint64_t total;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* time in which others run is not the allocator's */
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void shuffle(uint64_t *list, uint64_t count, uint64_t *random)
{
    for (uint64_t i = count; i > 1; i--) {
        uint64_t j = random_next(random) % i, t = list[i - 1];
        list[i - 1] = list[j];
        list[j] = t;
    }
}

static void must(bool fact, const char *what)
{
    if (!fact) {
        fprintf(stderr, "frames: %s\n", what);
        exit(1);
    }
}

/* Takes `count` blocks, then gives them back in the same order. Fills in the nanoseconds of each. */
static void bulk(unsigned thread, uint64_t *list, uint64_t count, unsigned order, double *get, double *put)
{
    double start = now();
    for (uint64_t i = 0; i < count; i++)
        list[i] = peer_get(thread, order);
    double middle = now();
    must(list[count - 1] != UINT64_MAX, "memory ran out too early");
    double middle2 = now();
    for (uint64_t i = 0; i < count; i++)
        peer_put(thread, list[i], order);
    double end = now();
    *get = (middle - start) / (double)count;
    *put = (end - middle2) / (double)count;
}

static void measure_bulk(unsigned order, uint64_t count, const char *name)
{
    double get, put, best_get = 1e9, best_put = 1e9;
    for (unsigned i = 0; i < 5; i++) {
        bulk(0, held, count, order, &get, &put);
        best_get = get < best_get ? get : best_get;
        best_put = put < best_put ? put : best_put;
    }
    printf("%s_get %.2f\n%s_put %.2f\n", name, best_get, name, best_put);
}

static void measure_pair(unsigned order, unsigned pairs, const char *name)
{
    double best = 1e9;
    for (unsigned round = 0; round < 5; round++) {
        double start = now();
        for (unsigned i = 0; i < pairs / 5; i++) {
            uint64_t frame = peer_get(0, order);
            __asm__ volatile("" : "+r"(frame));
            peer_put(0, frame, order);
        }
        double each = (now() - start) / (pairs / 5);
        best = each < best ? each : best;
    }
    printf("%s %.2f\n", name, best);
}

/* ---- two threads, at the same time ---- */

static pthread_barrier_t barrier;
static double thread_get[2], thread_put[2];

static void *thread_run(void *argument)
{
    unsigned thread = (unsigned)(uintptr_t)argument;
    uint64_t count = total / 5 * 2, *list = held + thread * (total / 2);
    peer_thread(thread);
    thread_get[thread] = thread_put[thread] = 1e9;
    for (unsigned round = 0; round < 5; round++) {
        double start, end;
        pthread_barrier_wait(&barrier);
        start = now();
        for (uint64_t i = 0; i < count; i++)
            list[i] = peer_get(thread, 0);
        end = now();
        must(list[count - 1] != UINT64_MAX, "memory ran out too early");
        thread_get[thread] =
            (end - start) / (double)count < thread_get[thread] ? (end - start) / (double)count : thread_get[thread];
        pthread_barrier_wait(&barrier);
        start = now();
        for (uint64_t i = 0; i < count; i++)
            peer_put(thread, list[i], 0);
        end = now();
        thread_put[thread] =
            (end - start) / (double)count < thread_put[thread] ? (end - start) / (double)count : thread_put[thread];
    }
    peer_drain(thread);
    return NULL;
}

static void measure_two(void)
{
    pthread_t threads[2];
    pthread_barrier_init(&barrier, NULL, 2);
    for (unsigned i = 0; i < 2; i++)
        must(pthread_create(&threads[i], NULL, thread_run, (void *)(uintptr_t)i) == 0, "no thread");
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("two_get %.2f\ntwo_put %.2f\n", (thread_get[0] + thread_get[1]) / 2, (thread_put[0] + thread_put[1]) / 2);
}

/* ---- what is left of large frames ---- */

/* How much of the free memory can be had as 2 MiB frames, per cent. They are given back. */
static double huge_share(uint64_t live)
{
    uint64_t *huge = held + total, count = 0;
    peer_drain(0);
    for (uint64_t frame; (frame = peer_get(0, HUGE_ORDER)) != UINT64_MAX;)
        huge[count++] = frame;
    for (uint64_t i = 0; i < count; i++)
        peer_put(0, huge[i], HUGE_ORDER);
    return 100.0 * (double)(count * HUGE_PAGES) / (double)(total - live);
}

/* Fills the memory, frees 90 % at random, and then replaces each of the rest `rounds` times: put, then get, in a random
 * order (pairs), or all of a 64th put before as many are got (batches). */
static void measure_gather(const char *name, uint64_t batch)
{
    uint64_t count = 0, random = 1, live;
    for (uint64_t frame; count < total && (frame = peer_get(0, 0)) != UINT64_MAX;)
        held[count++] = frame;
    shuffle(held, count, &random);
    live = count / 10;
    for (uint64_t i = live; i < count; i++)
        peer_put(0, held[i], 0);
    printf("%s_freed %.1f\n", name, huge_share(live));
    unsigned rounds = 0;
    for (unsigned goal = 1; goal <= 64; goal *= 4) {
        double start = now();
        unsigned before = rounds;
        for (; rounds < goal; rounds++) {
            shuffle(held, live, &random);
            for (uint64_t i = 0; i < live; i += batch) {
                uint64_t end = i + batch < live ? i + batch : live;
                for (uint64_t j = i; j < end; j++)
                    peer_put(0, held[j], 0);
                for (uint64_t j = i; j < end; j++)
                    must((held[j] = peer_get(0, 0)) != UINT64_MAX, "memory ran out too early");
            }
        }
        printf("%s_time_%u %.1f\n", name, goal, (now() - start) / (double)((goal - before) * live));
        printf("%s_%u %.1f\n", name, goal, huge_share(live));
    }
    for (uint64_t i = 0; i < live; i++)
        peer_put(0, held[i], 0);
    peer_drain(0);
}

int main(int argc, char **argv)
{
    total = argc > 1 ? strtoull(argv[1], NULL, 0) : UINT64_C(1) << 20;
    held = malloc((total + total / HUGE_PAGES + 1) * sizeof *held);
    must(held != NULL && total >= 8 * HUGE_PAGES, "not enough memory");
    memset(held, 1, (total + total / HUGE_PAGES + 1) * sizeof *held);
    peer_start(total, 2);
    peer_thread(0);
    printf("metadata %.0f\n", (double)peer_metadata() * (double)(1u << 18) / (double)total);
    measure_pair(0, PAIRS, "pair");
    measure_bulk(0, total / 10 * 9, "bulk");
    peer_drain(0);
    measure_bulk(HUGE_ORDER, total / HUGE_PAGES / 10 * 9, "huge");
    measure_pair(HUGE_ORDER, PAIRS / 10, "huge_pair");
    measure_two();
    measure_gather("pairs", 1);
    measure_gather("batches", total / 640);
    return 0;
}
