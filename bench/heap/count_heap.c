/* count_heap.c: instructions and time of the heap's own interface: ka_heap_alloc and sized ka_heap_free on one heap.
 *
 * Under callgrind as count.c; by itself it prints nanoseconds a pair. `constant` has the class computed by the
 * compiler and the magazine's code inlined, as heap/fast.h allows it: neither call nor return is left.
 */
#include <stdio.h>
#include <time.h>

#include <ka/user.h>

#include "heap/fast.h"

#include "count.h"

typedef void *alloc_function(ka_heap *heap, size_t size);
typedef void free_function(ka_heap *heap, void *block, size_t size);

static ka_heap heap;

/* As programs call it: the size is not known to the compiler, alignment and the absence of flags are, and NULL was
 * looked for. */
static COUNT_LOOP void hot(ka_heap *of, size_t size, size_t pairs)
{
    for (size_t i = 0; i < pairs; i++) {
        void *block = ka_heap_alloc(of, size, 16, 0);
        if (block == NULL)
            return;
        ka_heap_free(of, block, size, 16);
    }
}

/* The same with functions of known length. */
static COUNT_LOOP void hot_empty(ka_heap *of, alloc_function *alloc, free_function *release, size_t size, size_t pairs)
{
    for (size_t i = 0; i < pairs; i++) {
        void *block = alloc(of, size);
        if (block == NULL)
            return;
        release(of, block, size);
    }
}

static COUNT_LOOP void constant_64(size_t pairs)
{
    unsigned number = ka_magazine_of_class(ka_class_computed(64));
    for (size_t i = 0; i < pairs; i++) {
        void *block = ka_heap_block_alloc(&heap, number, 0);
        __asm__ volatile("" : "+r"(block)::"memory");
        ka_heap_block_free(&heap, number, block, NULL);
    }
}

/* A block's share of ka_heap_alloc_many and ka_heap_free_many for 100 of them. */
static COUNT_LOOP void many(ka_heap *of, size_t size, size_t pairs)
{
    void *blocks[100];
    for (size_t i = 0; i < pairs; i += 100) {
        size_t got = ka_heap_alloc_many(of, size, 16, 0, 100, blocks);
        ka_heap_free_many(of, size, 16, got, blocks);
    }
}

static COUNT_LOOP void constant_none(size_t pairs)
{
    for (size_t i = 0; i < pairs; i++)
        __asm__ volatile("" ::: "memory");
}

static void count(const char *name, size_t size)
{
    hot(&heap, size, COUNT_PAIRS / 10);
    COUNT_BEGIN;
    hot(&heap, size, COUNT_PAIRS);
    COUNT_END(name);
    alloc_function *volatile alloc = (alloc_function *)(void (*)(void))count_empty_alloc;
    free_function *volatile release = (free_function *)(void (*)(void))count_empty_free;
    COUNT_BEGIN;
    hot_empty(&heap, alloc, release, size, COUNT_PAIRS);
    COUNT_END("empty");
}

static void count_many(const char *name, size_t size)
{
    many(&heap, size, COUNT_PAIRS / 10);
    COUNT_BEGIN;
    many(&heap, size, COUNT_PAIRS);
    COUNT_END(name);
    COUNT_BEGIN;
    COUNT_END("none");
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void print_times(void)
{
    const size_t pairs = 10000000;
    double start = now();
    hot(&heap, 64, pairs);
    double middle = now();
    constant_64(pairs);
    double end = now();
    printf("api_64 %.4f\nconstant_64 %.4f\n", (middle - start) / (double)pairs, (end - middle) / (double)pairs);
}

int main(void)
{
    if (!ka_user_heap_init(&heap, "bench", (size_t)1 << 30))
        return 1;
    count("api_64", 64);
    count("api_1024", 1024);
    count("api_4096", 4096);
    constant_64(COUNT_PAIRS / 10);
    COUNT_BEGIN;
    constant_64(COUNT_PAIRS);
    COUNT_END("constant_64");
    COUNT_BEGIN;
    constant_none(COUNT_PAIRS);
    COUNT_END("none");
    count_many("many_16", 16);
    count_many("many_64", 64);
    count_many("many_4096", 4096);
    if (!RUNNING_ON_VALGRIND)
        print_times();
    return 0;
}
