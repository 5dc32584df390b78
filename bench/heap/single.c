/* single.c: rows of one thread. The unit is nanoseconds of CPU time for an allocation and a free (or for a realloc). */
#include <stdlib.h>

#include "micro.h"

#define LIVE_LARGE 64 /* live blocks in the rows of large blocks */

static void *live[MICRO_MOST];

static void report(const char *name, double seconds, size_t pairs)
{
    micro_report(name, seconds * 1e9 / (double)pairs);
}

/* ---- the same block again and again ---- */

static void hot(const char *name, size_t size, size_t full)
{
    size_t pairs = micro_count(full);
    double start = 0;
    for (int pass = 0; pass < 2; pass++) { /* the first one warms up */
        size_t count = pass == 0 ? pairs / 10 : pairs;
        start = micro_cpu();
        for (size_t i = 0; i < count; i++) {
            void *block = malloc(size);
            MICRO_TOUCH(block);
            free(block);
        }
    }
    report(name, micro_cpu() - start, pairs);
}

static void hot_16(void)
{
    hot("hot_16", 16, 10000000);
}
static void hot_64(void)
{
    hot("hot_64", 64, 10000000);
}
static void hot_256(void)
{
    hot("hot_256", 256, 10000000);
}
static void hot_1024(void)
{
    hot("hot_1024", 1024, 10000000);
}
static void hot_4096(void)
{
    hot("hot_4096", 4096, 5000000);
}
static void large_8k(void)
{
    hot("large_8k", 8192, 2000000);
}
static void large_32k(void)
{
    hot("large_32k", 32768, 1000000);
}
static void large_128k(void)
{
    hot("large_128k", 131072, 100000);
}
static void large_1m(void)
{
    hot("large_1m", 1048576, 20000);
}

/* A pair of another size each time. */
static void hot_mixed(void)
{
    size_t pairs = micro_count(10000000);
    micro_fill_requests(1, 1);
    double start = 0;
    for (int pass = 0; pass < 2; pass++) {
        size_t count = pass == 0 ? pairs / 10 : pairs;
        start = micro_cpu();
        for (size_t i = 0; i < count; i++) {
            void *block = malloc(micro_requests[i % MICRO_REQUESTS].size);
            MICRO_TOUCH(block);
            free(block);
        }
    }
    report("hot_mixed", micro_cpu() - start, pairs);
}

/* ---- 1,000 blocks ---- */

/* All taken, then all given back, in the same order or the opposite one. */
static void batch(const char *name, bool reversed)
{
    size_t rounds = micro_count(5000);
    double start = 0;
    for (int pass = 0; pass < 2; pass++) {
        size_t count = pass == 0 ? rounds / 10 + 1 : rounds;
        start = micro_cpu();
        for (size_t i = 0; i < count; i++) {
            for (size_t k = 0; k < 1000; k++) {
                live[k] = malloc(64);
                MICRO_TOUCH(live[k]);
            }
            for (size_t k = 0; k < 1000; k++)
                free(live[reversed ? 999 - k : k]);
        }
    }
    report(name, micro_cpu() - start, rounds * 1000);
}

static void batch_1000(void)
{
    batch("batch_1000", false);
}
static void batch_1000_lifo(void)
{
    batch("batch_1000_lifo", true);
}

/* The oldest of `count` blocks goes, a new one comes. */
static void fifo(const char *name, size_t count, size_t fixed)
{
    size_t pairs = micro_count(5000000), at = 0;
    micro_fill_requests(2, count);
    for (size_t i = 0; i < count; i++)
        live[i] = micro_must(malloc(fixed != 0 ? fixed : micro_requests[i].size));
    double start = 0;
    for (int pass = 0; pass < 2; pass++) {
        size_t steps = pass == 0 ? pairs / 10 : pairs;
        start = micro_cpu();
        for (size_t i = 0; i < steps; i++) {
            size_t size = micro_requests[i % MICRO_REQUESTS].size;
            free(live[at]);
            live[at] = malloc(fixed != 0 ? fixed : size);
            MICRO_TOUCH(live[at]);
            at = at + 1 == count ? 0 : at + 1;
        }
    }
    report(name, micro_cpu() - start, pairs);
}

static void fifo_1000(void)
{
    fifo("fifo_1000", 1000, 0);
}
static void fifo_64_1024(void)
{
    fifo("fifo_64_1024", 64, 1024);
}

/* ---- random replacement ---- */

static void replace(size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        micro_request request = micro_requests[i % MICRO_REQUESTS];
        free(live[request.slot]);
        live[request.slot] = malloc(request.size);
        MICRO_TOUCH(live[request.slot]);
    }
}

static void random_live(const char *name, size_t count, size_t full)
{
    size_t pairs = micro_count(full);
    micro_fill_requests(3, count);
    for (size_t i = 0; i < count; i++) {
        live[i] = micro_must(malloc(micro_requests[i % MICRO_REQUESTS].size));
        MICRO_TOUCH(live[i]);
    }
    replace(micro_count(full / 2)); /* until free blocks lie as they stay */
    double start = micro_cpu();
    replace(pairs);
    report(name, micro_cpu() - start, pairs);
}

static void random_1e4(void)
{
    random_live("random_1e4", 10000, 3000000);
}
static void random_1e5(void)
{
    random_live("random_1e5", 100000, 2000000);
}
static void random_1e6(void)
{
    random_live("random_1e6", 1000000, 1000000);
}

/* Blocks of 8 KiB to 1 MiB, 64 live. */
static void large_random(void)
{
    size_t pairs = micro_count(50000);
    micro_random random = { 4 };
    for (size_t i = 0; i < MICRO_REQUESTS; i++)
        micro_requests[i] =
            (micro_request){ (uint32_t)micro_below(&random, LIVE_LARGE), micro_log_size(&random, 13, 20) };
    for (size_t i = 0; i < LIVE_LARGE; i++)
        live[i] = micro_must(malloc(micro_requests[i].size));
    replace(pairs / 10);
    double start = micro_cpu();
    replace(pairs);
    report("large_random", micro_cpu() - start, pairs);
}

/* ---- calloc ---- */

static void zeroed(const char *name, size_t size, size_t full)
{
    size_t pairs = micro_count(full);
    double start = 0;
    for (int pass = 0; pass < 2; pass++) {
        size_t count = pass == 0 ? pairs / 10 : pairs;
        start = micro_cpu();
        for (size_t i = 0; i < count; i++) {
            void *block = calloc(1, size);
            MICRO_TOUCH(block);
            free(block);
        }
    }
    report(name, micro_cpu() - start, pairs);
}

static void calloc_64(void)
{
    zeroed("calloc_64", 64, 10000000);
}
static void calloc_1024(void)
{
    zeroed("calloc_1024", 1024, 5000000);
}
static void calloc_64k(void)
{
    zeroed("calloc_64k", 65536, 50000);
}

/* ---- realloc ---- */

/* One buffer grows from 16 bytes to `most`: by `step` bytes, or with step 0 by a quarter; its last bytes are written.
 */
static void grow(const char *name, size_t most, size_t step, size_t full)
{
    size_t rounds = micro_count(full), calls = 0;
    double start = 0;
    for (int pass = 0; pass < 2; pass++) {
        size_t count = pass == 0 ? rounds / 10 + 1 : rounds;
        calls = 0;
        start = micro_cpu();
        for (size_t i = 0; i < count; i++) {
            char *block = NULL;
            for (size_t size = 16; size <= most; size += step != 0 ? step : size / 4 + 8) {
                block = micro_must(realloc(block, size));
                MICRO_TOUCH(block + (size & ~(size_t)7) - 8);
                calls++;
            }
            free(block);
        }
    }
    report(name, micro_cpu() - start, calls);
}

static void realloc_append(void)
{
    grow("realloc_append", 16384, 24, 5000);
}
static void realloc_quarter(void)
{
    grow("realloc_quarter", 1 << 20, 0, 1000);
}
static void realloc_pages(void)
{
    grow("realloc_pages", 4 << 20, 4096, 50);
}

const micro_row micro_single[] = {
    { "hot_16", hot_16 },
    { "hot_64", hot_64 },
    { "hot_256", hot_256 },
    { "hot_1024", hot_1024 },
    { "hot_4096", hot_4096 },
    { "hot_mixed", hot_mixed },
    { "batch_1000", batch_1000 },
    { "batch_1000_lifo", batch_1000_lifo },
    { "fifo_1000", fifo_1000 },
    { "fifo_64_1024", fifo_64_1024 },
    { "random_1e4", random_1e4 },
    { "random_1e5", random_1e5 },
    { "random_1e6", random_1e6 },
    { "large_8k", large_8k },
    { "large_32k", large_32k },
    { "large_128k", large_128k },
    { "large_1m", large_1m },
    { "large_random", large_random },
    { "calloc_64", calloc_64 },
    { "calloc_1024", calloc_1024 },
    { "calloc_64k", calloc_64k },
    { "realloc_append", realloc_append },
    { "realloc_quarter", realloc_quarter },
    { "realloc_pages", realloc_pages },
    { NULL, NULL },
};
