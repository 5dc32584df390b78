/* engine/classes.c: see classes.h.
 *
 * The sizes. Counted in units of 16 bytes a request of u = (size - 1) / 16 belongs to class u up to 256 bytes. Above,
 * with h = the highest bit of size - 1, the three bits below bit h say which of the eight steps of the doubling it is:
 *
 *     size - 1 = 1 j j j x x x x ...      class = 8 * (h - 6) + jjj      block = (9 + jjj) << (h - 3)
 *                bit h
 *
 * The eight steps are 1/9 to 1/16 of their blocks, so less than 1/8 is wasted. (Four steps, as in jemalloc or mimalloc,
 * would waste up to 1/5.) Byte tables answer in one load:
 * up to 1 KiB by units of 16 bytes, above by units of 128.
 *
 * The reciprocal. offset / size = (offset * m) >> 35, with m = ceil(2^35 / size). Let e = m * size - 2^35, 0 <= e <
 * size. Then offset * m / 2^35 = offset / size + offset * e / (size * 2^35), which is too large by less than 1 / size
 * as long as offset * e < 2^35, so that the floor is exact: for size <= 2^15 all offsets below 2^20, the largest slab.
 * The product stays below 2^51. (Granlund and Montgomery, "Division by Invariant Integers using Multiplication", 1994.
 * The test tries every offset all the same.)
 *
 * The slabs. The fewest pages that hold min_blocks (or are 8 pages) and lose at most 1/32 of their bytes at the end,
 * 1/8 where the smallest slabs are wanted; where no slab of up to 16 pages does, the one that loses the least.
 */
#include "engine/classes.h"

#include "base/assert.h"

/* A slab of so many pages may have fewer blocks than wanted. */
#define ENOUGH_PAGES 8u

/* 0 and 1 to 16 units: a class each. Then two, then four units to a class. */
const uint8_t ka_class_table_[65] = {
    0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 16, 17, 17, 18, 18, 19, 19, 20, 20,
    21, 21, 22, 22, 23, 23, 24, 24, 24, 24, 25, 25, 25, 25, 26, 26, 26, 26, 27, 27, 27, 27, 28, 28, 28, 28, 29,
    29, 29, 29, 30, 30, 30, 30, 31, 31, 31, 31,
};

/* Above: the steps are 128 bytes or multiples of that. */
const uint8_t ka_class_table_large_[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 32, 33, 34, 35, 36, 37, 38, 39, 40, 40, 41, 41, 42, 42, 43, 43, 44, 44, 45, 45, 46, 46, 47,
    47, 48, 48, 48, 48, 49, 49, 49, 49, 50, 50, 50, 50, 51, 51, 51, 51, 52, 52, 52, 52, 53, 53, 53, 53, 54, 54, 54, 54,
    55, 55, 55, 55, 56, 56, 56, 56, 56, 56, 56, 56, 57, 57, 57, 57, 57, 57, 57, 57, 58, 58, 58, 58, 58, 58, 58, 58, 59,
    59, 59, 59, 59, 59, 59, 59, 60, 60, 60, 60, 60, 60, 60, 60, 61, 61, 61, 61, 61, 61, 61, 61, 62, 62, 62, 62, 62, 62,
    62, 62, 63, 63, 63, 63, 63, 63, 63, 63, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 65, 65, 65,
    65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    67, 67, 67, 67, 67, 67, 67, 67, 67, 67, 67, 67, 67, 67, 67, 67, 68, 68, 68, 68, 68, 68, 68, 68, 68, 68, 68, 68, 68,
    68, 68, 68, 69, 69, 69, 69, 69, 69, 69, 69, 69, 69, 69, 69, 69, 69, 69, 69, 70, 70, 70, 70, 70, 70, 70, 70, 70, 70,
    70, 70, 70, 70, 70, 70, 71, 71, 71, 71, 71, 71, 71, 71, 71, 71, 71, 71, 71, 71, 71, 71,
};

static uint32_t class_size(unsigned class)
{
    if (class < 16)
        return (class + 1) * 16;
    return (uint32_t)(9 + class % 8) << (class / 8 + 3);
}

/* Bytes of a slab that no block covers. */
static uint32_t slab_waste(uint32_t size, uint32_t pages, unsigned page_shift) { return (pages << page_shift) % size; }

static uint32_t slab_pages(uint32_t size, unsigned page_shift, unsigned min_blocks)
{
    uint32_t best = 0, share = min_blocks > 1 ? 32 : 8;
    for (uint32_t pages = 1; pages <= KA_CLASS_MAX_PAGES; pages++) {
        uint32_t bytes = pages << page_shift, waste = slab_waste(size, pages, page_shift);
        if (bytes < size || (bytes / size < min_blocks && pages < ENOUGH_PAGES))
            continue;
        if (waste <= bytes / share)
            return pages;
        if (best == 0 || (uint64_t)waste * best < (uint64_t)slab_waste(size, best, page_shift) * pages)
            best = pages;
    }
    return best;
}

void ka_classes_init(ka_classes *classes, unsigned page_shift, unsigned min_blocks)
{
    KA_ASSERT(page_shift >= KA_CLASS_MIN_PAGE_SHIFT && page_shift <= KA_CLASS_MAX_PAGE_SHIFT);
    classes->page_shift = page_shift;
    for (unsigned i = 0; i < KA_CLASS_COUNT; i++) {
        uint32_t size = class_size(i);
        uint32_t pages = slab_pages(size, page_shift, min_blocks);
        uint32_t blocks = (pages << page_shift) / size;
        classes->of[i] = (ka_class){
            .size = size,
            .reciprocal = (uint32_t)(((UINT64_C(1) << 35) + size - 1) / size),
            .blocks = (uint16_t)blocks,
            .pages = (uint8_t)pages,
            .words = (uint8_t)ka_words_for(blocks),
        };
    }
}

static const char *class_check(const ka_class *class, unsigned page_shift)
{
    uint32_t bytes = (uint32_t)class->pages << page_shift;
    if (class->pages == 0 || class->pages > KA_CLASS_MAX_PAGES || bytes > KA_CLASS_MAX_SLAB)
        return "a slab has no pages or too many";
    if (class->blocks == 0 || class->blocks != bytes / class->size)
        return "a slab does not have the blocks that fit";
    if (bytes % class->size > bytes / 8)
        return "more than 1/8 of a slab is lost at its end";
    if (class->words != ka_words_for(class->blocks))
        return "a slab's words do not hold its blocks";
    if (ka_class_index(class, bytes - 1) != (bytes - 1) / class->size)
        return "a reciprocal is not exact";
    return NULL;
}

const char *ka_classes_check(const ka_classes *classes)
{
    for (unsigned i = 0; i < KA_CLASS_COUNT; i++) {
        const ka_class *class = &classes->of[i];
        if (class->size != class_size(i) || ka_class_of(class->size) != i)
            return "a class is not the class of its own size";
        const char *broken = class_check(class, classes->page_shift);
        if (broken != NULL)
            return broken;
    }
    return NULL;
}
