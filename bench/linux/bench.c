/* bench.c: the module kernel_alloc_bench.ko. Loading it counts what an allocation and a free cost with the kernel's
 * allocators and with ours, in the same boot, and prints a line for each: BENCH workload size subject count.
 *
 * Under QEMU's -icount shift=0 a tick of the time stamp counter is one instruction: counts, not times; no cache, no
 * contention. Each number is the least of several runs, per alloc and free, with the loop's own few instructions.
 */
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <asm/tsc.h>

#include <ka/cache.h>
#include <ka/heap.h>
#include <ka/linux.h>

#include "bench.h"

enum { RUNS = 5, HEAP_BYTES = 160 << 20, LIVE_MAX = 100000 };

static bool cross;
module_param(cross, bool, 0);
MODULE_PARM_DESC(cross, "count blocks that one CPU takes and another gives back, and nothing else: see cross.c (N)");

ka_heap bench_heap;
ka_cache bench_cache;
struct kmem_cache *bench_kernel_cache;
static void **blocks;

typedef struct workload {
    const char *name;
    u64 (*run)(size_t size, size_t live); /* ticks */
    size_t live, pairs;
} workload;

static inline u32 next_random(u32 *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* The workloads, over a subject whose TAKE(size) and GIVE(block, size) are compiled into them. */
#define SUBJECT(name, TAKE, GIVE)                                          \
    static noinline u64 name##_hot(size_t size, size_t live)               \
    {                                                                      \
        u64 start = rdtsc_ordered();                                       \
        (void)live;                                                        \
        for (unsigned i = 0; i < 10000; i++) {                             \
            void *block = TAKE(size);                                      \
            barrier_data(block);                                           \
            GIVE(block, size);                                             \
        }                                                                  \
        return rdtsc_ordered() - start;                                    \
    }                                                                      \
    static noinline u64 name##_batch(size_t size, size_t live)             \
    {                                                                      \
        u64 start = rdtsc_ordered();                                       \
        for (unsigned round = 0; round < 100; round++) {                   \
            for (size_t i = 0; i < live; i++)                              \
                blocks[i] = TAKE(size);                                    \
            for (size_t i = 0; i < live; i++)                              \
                GIVE(blocks[i], size);                                     \
        }                                                                  \
        return rdtsc_ordered() - start;                                    \
    }                                                                      \
    static noinline u64 name##_fifo(size_t size, size_t live)              \
    {                                                                      \
        for (size_t i = 0; i < live; i++)                                  \
            blocks[i] = TAKE(size);                                        \
        u64 start = rdtsc_ordered();                                       \
        for (unsigned round = 0; round < 10; round++)                      \
            for (size_t i = 0; i < live; i++) {                            \
                GIVE(blocks[i], size);                                     \
                blocks[i] = TAKE(size);                                    \
            }                                                              \
        u64 ticks = rdtsc_ordered() - start;                               \
        for (size_t i = 0; i < live; i++)                                  \
            GIVE(blocks[i], size);                                         \
        return ticks;                                                      \
    }                                                                      \
    static noinline u64 name##_random(size_t size, size_t live)            \
    {                                                                      \
        u32 state = 1;                                                     \
        for (size_t i = 0; i < live; i++)                                  \
            blocks[i] = TAKE(size);                                        \
        u64 start = rdtsc_ordered();                                       \
        for (unsigned i = 0; i < 20000; i++) {                             \
            size_t at = (size_t)(((u64)next_random(&state) * live) >> 32); \
            GIVE(blocks[at], size);                                        \
            blocks[at] = TAKE(size);                                       \
        }                                                                  \
        u64 ticks = rdtsc_ordered() - start;                               \
        for (size_t i = 0; i < live; i++)                                  \
            GIVE(blocks[i], size);                                         \
        cond_resched();                                                    \
        return ticks;                                                      \
    }                                                                      \
    static const workload name##_workloads[] = {                           \
        { "hot pair", name##_hot, 1, 10000 },                              \
        { "batch of 64", name##_batch, 64, 6400 },                         \
        { "FIFO of 1000", name##_fifo, 1000, 10000 },                      \
        { "random, 10000 live", name##_random, 10000, 20000 },             \
        { "random, 100000 live", name##_random, LIVE_MAX, 20000 },         \
    }

#define KMALLOC_TAKE(size)        kmalloc(size, GFP_KERNEL)
#define KMALLOC_GIVE(block, size) kfree(block)
SUBJECT(kmalloc, KMALLOC_TAKE, KMALLOC_GIVE);

#define CACHE_TAKE(size)        kmem_cache_alloc(bench_kernel_cache, GFP_KERNEL)
#define CACHE_GIVE(block, size) kmem_cache_free(bench_kernel_cache, block)
SUBJECT(kmem_cache, CACHE_TAKE, CACHE_GIVE);

#define INTERFACE_TAKE(size)        ka_alloc(ka_kmalloc, size, 16, 0)
#define INTERFACE_GIVE(block, size) ka_free(ka_kmalloc, block, size, 16)
SUBJECT(ka_kmalloc, INTERFACE_TAKE, INTERFACE_GIVE);

#define HEAP_TAKE(size)        ka_heap_alloc(&bench_heap, size, 16, 0)
#define HEAP_GIVE(block, size) ka_heap_free(&bench_heap, block, size, 16)
SUBJECT(ka_heap, HEAP_TAKE, HEAP_GIVE);

#define OBJECT_TAKE(size)        ka_cache_alloc(&bench_cache, 0)
#define OBJECT_GIVE(block, size) ka_cache_free(&bench_cache, block)
SUBJECT(ka_cache, OBJECT_TAKE, OBJECT_GIVE);

static void print(const char *name, size_t size, const char *subject, u64 ticks, size_t pairs)
{
    pr_info("BENCH %s;%zu;%s;%llu.%02llu\n", name, size, subject, ticks / pairs, ticks * 100 / pairs % 100);
}

static void measure(const char *subject, const workload *w, size_t size)
{
    u64 least = U64_MAX;
    if (w->live * size > HEAP_BYTES / 2)
        return;
    for (unsigned i = 0; i < RUNS; i++)
        least = min(least, w->run(size, w->live));
    print(w->name, size, subject, least, w->pairs);
}

/* 64 at once, by the call that each has for it. */
static void measure_bulk(size_t size)
{
    u64 kernel = U64_MAX, ours = U64_MAX;
    for (unsigned run = 0; run < RUNS; run++) {
        u64 start = rdtsc_ordered();
        for (unsigned i = 0; i < 100; i++)
            if (kmem_cache_alloc_bulk(bench_kernel_cache, GFP_KERNEL, 64, blocks) == 64)
                kmem_cache_free_bulk(bench_kernel_cache, 64, blocks);
        kernel = min(kernel, rdtsc_ordered() - start);
        start = rdtsc_ordered();
        for (unsigned i = 0; i < 100; i++)
            ka_heap_free_many(&bench_heap, size, 16, ka_heap_alloc_many(&bench_heap, size, 16, 0, 64, blocks), blocks);
        ours = min(ours, rdtsc_ordered() - start);
    }
    print("bulk of 64", size, "kmem_cache", kernel, 6400);
    print("bulk of 64", size, "ka_heap", ours, 6400);
}

static void measure_size(size_t size)
{
    bench_kernel_cache = kmem_cache_create("ka_bench", (unsigned)size, 16, 0, NULL);
    ka_cache_options options = { .inner = &bench_heap.allocator, .size = size };
    if (bench_kernel_cache == NULL || !ka_cache_init(&bench_cache, &options))
        return;
    for (size_t i = 0; !cross && i < ARRAY_SIZE(kmalloc_workloads); i++) {
        measure("kmalloc", &kmalloc_workloads[i], size);
        measure("kmem_cache", &kmem_cache_workloads[i], size);
        measure("ka_kmalloc", &ka_kmalloc_workloads[i], size);
        measure("ka_heap", &ka_heap_workloads[i], size);
        measure("ka_cache", &ka_cache_workloads[i], size);
    }
    if (cross)
        bench_cross(size);
    else
        measure_bulk(size);
    kmem_cache_destroy(bench_kernel_cache);
    ka_cache_fini(&bench_cache);
}

static int __init start(void)
{
    static const size_t sizes[] = { 16, 64, 256, 1024, 4096, 8192 };
    char *memory = vmalloc(HEAP_BYTES);
    blocks = vmalloc(LIVE_MAX * sizeof *blocks);
    if (memory == NULL || blocks == NULL ||
        !ka_heap_init(&bench_heap, &(ka_heap_options){ .base = memory, .size = HEAP_BYTES })) {
        vfree(memory);
        vfree(blocks);
        return -ENOMEM;
    }
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        measure_size(sizes[i]);
    ka_heap_fini(&bench_heap);
    vfree(memory);
    vfree(blocks);
    return 0;
}

static void __exit end(void) {}

module_init(start);
module_exit(end);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Counts of allocations, the kernel's and ours");
