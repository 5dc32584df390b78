/* count.c: instructions of malloc and free, by name and unsized, for a driver that runs this
 * under callgrind (count.h), and without it (count_step.c). */
#include <stdbool.h>
#include <stdlib.h>

#include "count.h"

typedef void *alloc_function(size_t size);
typedef void free_function(void *block);

/* The same block again and again. */
static COUNT_LOOP void hot(alloc_function *alloc, free_function *release, size_t size, size_t pairs)
{
    for (size_t i = 0; i < pairs; i++)
        release(alloc(size));
}

/* 64 live blocks: the oldest goes, a new one comes. */
static COUNT_LOOP void ring(alloc_function *alloc, free_function *release, size_t size, size_t pairs)
{
    static void *live[64];
    for (size_t i = 0; i < pairs; i++) {
        release(live[i % 64]);
        live[i % 64] = alloc(size);
    }
    for (size_t i = 0; i < 64; i++) {
        release(live[i]);
        live[i] = NULL;
    }
}

typedef void loop_function(alloc_function *alloc, free_function *release, size_t size, size_t pairs);

/* NULL is freed 64 times at first, and 64 blocks at last, in the empty loop as well. */
static void count(const char *name, loop_function *volatile loop, size_t size)
{
    alloc_function *empty_alloc = (alloc_function *)(void (*)(void))count_empty_alloc;
    free_function *empty_free = (free_function *)(void (*)(void))count_empty_free;
    loop(malloc, free, size, COUNT_PAIRS / 10);
    COUNT_BEGIN;
    loop(malloc, free, size, COUNT_PAIRS);
    COUNT_END(name);
    COUNT_BEGIN;
    loop(empty_alloc, empty_free, size, COUNT_PAIRS);
    COUNT_END("empty");
}

int main(void)
{
    static const struct {
        const char *name;
        size_t size;
        bool many, steps;
    } rows[] = {
        { "hot_16", 16, false, false },    { "hot_64", 64, false, true },     { "hot_256", 256, false, false },
        { "hot_1024", 1024, false, true }, { "hot_4096", 4096, false, true }, { "hot_32768", 32768, false, false },
        { "ring_64", 64, true, false },    { "ring_1024", 1024, true, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (RUNNING_ON_VALGRIND)
            count(rows[i].name, rows[i].many ? ring : hot, rows[i].size);
        else if (rows[i].steps) /* a trap takes long */
            count_steps(rows[i].name, rows[i].size, rows[i].many ? 64 : 1);
    return 0;
}
