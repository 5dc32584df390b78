/* count_step.c: the same counts without callgrind, one call at a time, on x86-64. Without an emulator it also counts
 * allocators that do not start under one; and it tells the usual pair (the median) from the mean, in which refills have
 * their share.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../steps.h"
#include "count.h"

#define PAIRS 101

#if defined(__x86_64__)

static int order(const void *a, const void *b)
{
    unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;
    return x < y ? -1 : x > y;
}

void count_steps(const char *name, size_t size, size_t live)
{
    static void *blocks[64];
    static unsigned long pairs[PAIRS];
    void *(*volatile alloc)(size_t) = malloc;
    void (*volatile release)(void *) = free;
    if (!steps_install())
        return;
    for (size_t i = 0; i < 10 * PAIRS; i++) {
        release(blocks[i % live]);
        blocks[i % live] = alloc(size);
    }
    for (size_t i = 0; i < PAIRS; i++) {
        steps_begin((uintptr_t)release);
        release(blocks[i % live]);
        pairs[i] = steps_end();
        steps_begin((uintptr_t)alloc);
        blocks[i % live] = alloc(size);
        pairs[i] += steps_end();
    }
    for (size_t i = 0; i < live; i++) {
        release(blocks[i]);
        blocks[i] = NULL;
    }
    qsort(pairs, PAIRS, sizeof pairs[0], order);
    printf("%s_usual %lu\n", name, pairs[PAIRS / 2]);
}

#else

void count_steps(const char *name, size_t size, size_t live)
{
    (void)name, (void)size, (void)live;
}

#endif
