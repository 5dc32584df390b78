/* cross.c: blocks that one CPU takes and another gives back. See count_plugin.c, which counts between the marks; the
 * module prints a line for each run, in the order of the marks: CROSS count;size;subject.
 *
 * The CPUs work one after the other, so that what is counted is the length of the paths, not who waits for whom. Both
 * have used the allocator before.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <ka/cache.h>
#include <ka/heap.h>

#include "bench.h"
#include "mark.h"

enum { RUNS = 30, MANY = 1000 };

#define BYTES(...) ".byte " #__VA_ARGS__
#define MARK(...)  __asm__ volatile(BYTES(__VA_ARGS__)::: "memory")

static void *blocks[MANY];

typedef struct work {
    size_t size, count;
} work;

#define SUBJECT(name, TAKE, GIVE)                \
    static noinline long name##_take(void *data) \
    {                                            \
        const work *w = data;                    \
        MARK(MARK_BEGIN);                        \
        for (size_t i = 0; i < w->count; i++)    \
            blocks[i] = TAKE;                    \
        MARK(MARK_END);                          \
        return 0;                                \
    }                                            \
    static noinline long name##_give(void *data) \
    {                                            \
        const work *w = data;                    \
        MARK(MARK_BEGIN);                        \
        for (size_t i = 0; i < w->count; i++)    \
            GIVE;                                \
        MARK(MARK_END);                          \
        return 0;                                \
    }

SUBJECT(kmalloc, kmalloc(w->size, GFP_KERNEL), kfree(blocks[i]))
SUBJECT(kmem_cache, kmem_cache_alloc(bench_kernel_cache, GFP_KERNEL), kmem_cache_free(bench_kernel_cache, blocks[i]))
SUBJECT(ka_heap, ka_heap_alloc(&bench_heap, w->size, 16, 0), ka_heap_free(&bench_heap, blocks[i], w->size, 16))
SUBJECT(ka_cache, ka_cache_alloc(&bench_cache, 0), ka_cache_free(&bench_cache, blocks[i]))

static void cross(const char *subject, long (*take)(void *), long (*give)(void *), size_t size, size_t count)
{
    work w = { size, count };
    for (unsigned run = 0; run < RUNS; run++) {
        for (int cpu = 1; cpu >= 0; cpu--) { /* both have used it, and CPU 0 takes what CPU 1 gave back before */
            work one = { size, run == 0 };
            work_on_cpu(cpu, take, &one);
            work_on_cpu(cpu, give, &one);
        }
        work_on_cpu(0, take, &w);
        work_on_cpu(1, give, &w);
        pr_info("CROSS %zu;%zu;%s\n", count, size, subject);
    }
}

void bench_cross(size_t size)
{
    static const size_t counts[] = { 64, MANY };
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        cross("kmalloc", kmalloc_take, kmalloc_give, size, counts[i]);
        cross("kmem_cache", kmem_cache_take, kmem_cache_give, size, counts[i]);
        cross("ka_heap", ka_heap_take, ka_heap_give, size, counts[i]);
        cross("ka_cache", ka_cache_take, ka_cache_give, size, counts[i]);
    }
}
