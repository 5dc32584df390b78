/* none.c: every request gets the same address: what the loops themselves take. */
#include "../plugin.h"

static void *init(void *block, size_t size)
{
    return size < 64 ? NULL : block;
}

static void *alloc(void *heap, size_t size, size_t align)
{
    (void)size, (void)align;
    return heap;
}

static void free_block(void *heap, void *block, size_t size, size_t align)
{
    (void)heap, (void)block, (void)size, (void)align;
}

static void *resize(void *heap, void *block, size_t old_size, size_t new_size, size_t align)
{
    (void)block, (void)old_size, (void)new_size, (void)align;
    return heap;
}

const region_plugin region_bench_plugin = { init, alloc, free_block, resize };
