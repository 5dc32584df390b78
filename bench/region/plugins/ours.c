/* ours.c: the region engine; its control block lies at the block's begin. */
#include <ka/region.h>

#include "../plugin.h"

#define CONTROL ((sizeof(ka_region) + 15) / 16 * 16)

static void *init(void *block, size_t size)
{
    if (size < CONTROL)
        return NULL;
    ka_region_init(block);
    return ka_region_claim(block, (char *)block + CONTROL, size - CONTROL) ? block : NULL;
}

static void *alloc(void *heap, size_t size, size_t align)
{
    return ka_region_alloc(heap, size, align);
}

static void free_block(void *heap, void *block, size_t size, size_t align)
{
    ka_region_free(heap, block, size, align);
}

static void *resize(void *heap, void *block, size_t old_size, size_t new_size, size_t align)
{
    return ka_region_resize(heap, block, old_size, align, new_size, align, 0);
}

const region_plugin region_bench_plugin = { init, alloc, free_block, resize };
