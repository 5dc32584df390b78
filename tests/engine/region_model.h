/* region_model.h: a region beside a plain model of it: an array of live blocks with address, size, alignment and stamp.
 * Used by region_model_test.c and region_fuzz.c.
 *
 * Every step does one operation on both, and returns NULL, or the first fact in words that does not hold:
 * - a block is aligned, lies inside a claimed range, and keeps its stamp until it is freed (so no two blocks overlap);
 * - a NULL is justified by the documented bound (model_refusal_justified);
 * - counts of blocks and bytes agree, ka_region_check is content, and nothing was reported.
 */
#ifndef REGION_MODEL_H
#define REGION_MODEL_H

#include <string.h>

#include <ka/handler.h>
#include <ka/region.h>

#include "kit.h"

#define MODEL_BLOCKS 4096

typedef struct model_block {
    unsigned char *address;
    size_t size, align; /* as asked */
    uint64_t seed;
} model_block;

typedef struct model {
    ka_region *region;
    size_t count, live; /* blocks; bytes in whole granules */
    size_t refused;     /* requests that were answered with NULL */
    uint64_t seeds;     /* stamps given out */
    unsigned reports;   /* of misuse */
    model_block blocks[MODEL_BLOCKS];
} model;

#define MODEL_FACT(fact)  \
    do {                  \
        if (!(fact))      \
            return #fact; \
    } while (0)
#define MODEL_STEP(words)            \
    do {                             \
        const char *step_ = (words); \
        if (step_ != NULL)           \
            return step_;            \
    } while (0)

static inline void model_count_report(void *context, ka_misuse kind, ka_allocator *allocator, const void *block,
                                      size_t size, const void *site)
{
    (void)kind, (void)allocator, (void)block, (void)size, (void)site;
    ((model *)context)->reports++;
}

/* An empty model over a region that has been initialised. Takes the misuse handler. */
static inline void model_init(model *m, ka_region *region)
{
    m->region = region;
    m->count = m->live = m->refused = 0;
    m->seeds = 1;
    m->reports = 0;
    ka_set_misuse_handler(model_count_report, m);
}

static inline size_t model_rounded(size_t size)
{
    return (size + KA_REGION_GRANULE - 1) & ~(KA_REGION_GRANULE - 1);
}

/* What a walk says of free memory. */
typedef struct model_free_memory {
    size_t blocks, bytes, largest;
} model_free_memory;

static inline bool model_count_free(void *context, const void *block, size_t size, bool live)
{
    model_free_memory *free_memory = context;
    (void)block;
    free_memory->blocks += !live;
    free_memory->bytes += live ? 0 : size;
    if (!live && size > free_memory->largest)
        free_memory->largest = size;
    return true;
}

/* What holds after every operation. */
static inline const char *model_check(const model *m)
{
    model_free_memory walked = { 0, 0, 0 };
    ka_stats stats;
    ka_region_walk(m->region, model_count_free, &walked);
    ka_region_stats(m->region, &stats);
    MODEL_FACT(stats.free_blocks == walked.blocks && stats.free == walked.bytes);
    MODEL_FACT(stats.largest_free == walked.largest);
    MODEL_STEP(ka_region_check(m->region));
    MODEL_FACT(m->region->live_blocks == m->count);
    MODEL_FACT(m->region->live == m->live);
    MODEL_FACT(m->reports == 0);
    return NULL;
}

static inline bool model_inside(const ka_region *region, const unsigned char *block, size_t size)
{
    for (uint32_t i = 0; i < region->range_count; i++) {
        const ka_region_range *r = &region->ranges[i];
        uintptr_t first = r->base + KA_REGION_GRANULE, end = first + (uintptr_t)r->granules * KA_REGION_GRANULE;
        if ((uintptr_t)block >= first && (uintptr_t)block + size <= end)
            return true;
    }
    return false;
}

static inline bool model_find_largest(void *context, const void *block, size_t size, bool live)
{
    size_t *largest = context;
    (void)block;
    if (!live && size > *largest)
        *largest = size;
    return true;
}

/* The bound of ka_region_alloc, in granules: a request of n is refused only if every free block is smaller than n, or
 * smaller than n + n/16 for n of 32 and more; where alignment is above 16, with n + align/16 - 1 for n. */
static inline bool model_refusal_justified(const ka_region *region, size_t size, size_t align)
{
    size_t largest = 0, n = model_rounded(size) / KA_REGION_GRANULE;
    ka_region_walk(region, model_find_largest, &largest);
    if (align > KA_REGION_GRANULE)
        n += align / KA_REGION_GRANULE - 1;
    return largest / KA_REGION_GRANULE < n + (n >= 32 ? n / 16 : 0);
}

static inline const char *model_fresh(model *m, model_block *block, unsigned char *address, size_t size, size_t align)
{
    MODEL_FACT((uintptr_t)address % align == 0);
    MODEL_FACT((uintptr_t)address % KA_MIN_ALIGN == 0);
    MODEL_FACT(size == 0 || model_inside(m->region, address, size));
    block->address = address;
    block->size = size;
    block->align = align;
    block->seed = m->seeds++ * UINT64_C(0x9e3779b97f4a7c15);
    if (size != 0)
        kit_stamp(address, size, block->seed);
    return NULL;
}

static inline bool model_all_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* Allocates through the interface; size 0 is not kept. */
static inline const char *model_alloc(model *m, size_t size, size_t align, ka_flags flags)
{
    if (m->count == MODEL_BLOCKS)
        return NULL;
    unsigned char *address = ka_alloc(&m->region->allocator, size, align, flags);
    if (address == NULL) {
        m->refused++;
        MODEL_FACT(model_refusal_justified(m->region, size, align));
        return model_check(m);
    }
    if ((flags & KA_ZERO) != 0 && size != 0)
        MODEL_FACT(model_all_zero(address, size));
    MODEL_STEP(model_fresh(m, &m->blocks[m->count], address, size, align));
    if (size != 0) {
        MODEL_FACT(ka_region_usable(m->region, address) == model_rounded(size));
        m->live += model_rounded(size);
        m->count++;
    }
    return model_check(m);
}

/* Frees the block in slot `at`, by its size, by its usable size, or without a size. */
static inline const char *model_free(model *m, size_t at, unsigned how)
{
    model_block block = m->blocks[at];
    MODEL_FACT(kit_stamped(block.address, block.size, block.seed));
    m->blocks[at] = m->blocks[--m->count];
    m->live -= model_rounded(block.size);
    if (how % 4 == 0)
        ka_region_free_unsized(m->region, block.address);
    else if (how % 4 == 1)
        ka_region_free(m->region, block.address, model_rounded(block.size), block.align);
    else
        ka_free(&m->region->allocator, block.address, block.size, block.align);
    return model_check(m);
}

static inline const char *model_resize(model *m, size_t at, size_t size, size_t align, ka_flags flags)
{
    model_block old = m->blocks[at];
    MODEL_FACT(kit_stamped(old.address, old.size, old.seed));
    unsigned char *address = ka_resize(&m->region->allocator, old.address, old.size, old.align, size, align, flags);
    if (address == NULL) {
        m->refused++;
        MODEL_FACT(kit_stamped(old.address, old.size, old.seed));
        MODEL_FACT(model_refusal_justified(m->region, size, align));
        return model_check(m);
    }
    m->live -= model_rounded(old.size);
    if (size == 0) {
        m->blocks[at] = m->blocks[--m->count];
        return model_check(m);
    }
    MODEL_FACT(kit_stamped(address, size < old.size ? size : old.size, old.seed));
    if ((flags & KA_ZERO) != 0 && size > old.size)
        MODEL_FACT(model_all_zero(address + old.size, size - old.size));
    MODEL_STEP(model_fresh(m, &m->blocks[at], address, size, align));
    m->live += model_rounded(size);
    return model_check(m);
}

/* Frees all; every range must be one free block again. */
static inline const char *model_close(model *m)
{
    while (m->count != 0)
        MODEL_STEP(model_free(m, m->count - 1, (unsigned)m->count));
    MODEL_FACT(ka_get_stats(&m->region->allocator).free_blocks == m->region->range_count);
    return NULL;
}

#endif
