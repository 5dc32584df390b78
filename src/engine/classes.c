/* engine/classes.c: see classes.h.
 *
 * The sizes. Up to 256 bytes steps of 16, which is the alignment; then of 32, 1/9 to 1/32 of the blocks, up to 1 KiB:
 * the objects of programs and of kernels are small, and steps of 1/8 cost the latter 1.5 % of their memory. (Four steps
 * to a doubling, as in jemalloc or mimalloc, waste up to 1/5.)
 *
 * Programs often ask for a power of two and some bytes of their own on top: pages of a database with their headers,
 * say. Equal steps serve these worst, so the doublings from 1 to 8 KiB have the shares of their end, of which so many
 * fill a slab: 1/15 to 1/8 of 16, 32 and 64 KiB. Steps of 1/16 to 1/9 then, the small ones first. Shares are rounded
 * down to 64 bytes, so that cache lines fit in, but the one of 4,369 bytes to 16; the first is 1,040 bytes, 1 KiB and a
 * header. Above, blocks are a matter of pages: eight equal steps to a doubling. Byte tables answer in one load: up to 8
 * KiB by units of 16 bytes, above by units of 1 KiB.
 *
 * Alignment. A class is aligned to the largest power of two that divides its size. A request is rounded up to a
 * multiple of its alignment; where that falls in equal steps its class is a multiple, too; among the shares the next
 * class that is one serves, at the latest the doubling's end.
 *
 * The reciprocal. offset / size = (offset * m) >> 35, with m = ceil(2^35 / size). Let e = m * size - 2^35, 0 <= e <
 * size. Then offset * m / 2^35 = offset / size + offset * e / (size * 2^35), which is too large by less than 1 / size
 * as long as offset * e < 2^35, so that the floor is exact: for size <= 2^15 all offsets below 2^20, the largest slab.
 * The product stays below 2^51. (Granlund and Montgomery, "Division by Invariant Integers using Multiplication", 1994.
 * The test tries every offset all the same.)
 *
 * The slabs. The fewest pages that hold min_blocks, or are as many as are enough without, and lose at most 1/32 of
 * their bytes at the end; 1/8 where the smallest slabs are wanted. Slabs of few blocks are for heaps that shall be
 * small: up to 8 pages at most 1/64 is lost, or up to 5 pages 1/40, or 1/256. Where no slab does, the one of up to 16
 * pages that loses the least. One page for small blocks, though two or three would lose less: single pages are what is
 * left between runs.
 */
#include "engine/classes.h"

#include "base/assert.h"

/* A slab of so many pages may have fewer blocks than wanted. */
static uint32_t enough_pages(unsigned min_blocks)
{
    return min_blocks < 16 ? 4 : 8;
}

/* The classes that are shares of a slab. */
#define SHARES_FIRST 40u
#define SHARES       24u

/* 1 to 8 KiB. */
static const uint16_t shares[SHARES] = {
    1040, 1152, 1216, 1344, 1472, 1600, 1792, 2048, 2176, 2304, 2496, 2688,
    2944, 3264, 3584, 4096, 4368, 4672, 4992, 5440, 5952, 6528, 7232, 8192,
};

/* Of 0 and of 1 to 512 units. */
const uint8_t ka_class_table_[KA_CLASS_TABLE_LARGEST_ / 16 + 1] = {
    0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 16, 17, 17, 18, 18, 19, 19, 20, 20, 21, 21,
    22, 22, 23, 23, 24, 24, 25, 25, 26, 26, 27, 27, 28, 28, 29, 29, 30, 30, 31, 31, 32, 32, 33, 33, 34, 34, 35, 35, 36,
    36, 37, 37, 38, 38, 39, 39, 40, 41, 41, 41, 41, 41, 41, 41, 42, 42, 42, 42, 43, 43, 43, 43, 43, 43, 43, 43, 44, 44,
    44, 44, 44, 44, 44, 44, 45, 45, 45, 45, 45, 45, 45, 45, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 47, 47, 47,
    47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 48, 48, 48, 48, 48, 48, 48, 48, 49, 49, 49, 49, 49, 49, 49, 49,
    50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 52, 52, 52, 52, 52,
    52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53,
    53, 53, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 55, 55, 55, 55, 55, 55, 55,
    55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 56, 56, 56, 56,
    56, 56, 56, 56, 56, 56, 56, 56, 56, 56, 56, 56, 56, 57, 57, 57, 57, 57, 57, 57, 57, 57, 57, 57, 57, 57, 57, 57, 57,
    57, 57, 57, 58, 58, 58, 58, 58, 58, 58, 58, 58, 58, 58, 58, 58, 58, 58, 58, 58, 58, 58, 58, 59, 59, 59, 59, 59, 59,
    59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 60, 60, 60, 60, 60, 60, 60,
    60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 61, 61, 61, 61,
    61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61, 61,
    61, 61, 61, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62,
    62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
};

const uint8_t ka_class_align_shift_[KA_CLASS_COUNT] = {
    4, 5,  4, 6, 4, 5, 4, 7, 4, 5,  4,  6,  4,  5,  4,  8,  5,  6,  5,  7,  5,  6,  5,  9,  5,  6,  5,
    7, 5,  6, 5, 8, 5, 6, 5, 7, 5,  6,  5,  10, 4,  7,  6,  6,  6,  6,  8,  11, 7,  8,  6,  7,  7,  6,
    9, 12, 4, 6, 7, 6, 6, 7, 6, 13, 10, 11, 10, 12, 10, 11, 10, 14, 11, 12, 11, 13, 11, 12, 11, 15,
};

/* Above: the steps are 1 KiB or multiples of that. */
const uint8_t ka_class_table_large_[32] = {
    0,  0,  0,  0,  0,  0,  0,  0,  64, 65, 66, 67, 68, 69, 70, 71,
    72, 72, 73, 73, 74, 74, 75, 75, 76, 76, 77, 77, 78, 78, 79, 79,
};

static uint32_t class_size(unsigned class)
{
    if (class < 16)
        return (class + 1) * 16;
    if (class - SHARES_FIRST < SHARES)
        return shares[class - SHARES_FIRST];
    if (class < SHARES_FIRST)
        return (class - 7) * 32;
    return (uint32_t)(9 + class % 8) << (class / 8 + 2);
}

/* Bytes of a slab that no block covers. */
static uint32_t slab_waste(uint32_t size, uint32_t pages, unsigned page_shift)
{
    return (pages << page_shift) % size;
}

static bool slab_serves(uint32_t size, uint32_t pages, unsigned page_shift, unsigned min_blocks)
{
    uint32_t bytes = pages << page_shift;
    return bytes >= size && (bytes / size >= min_blocks || pages >= enough_pages(min_blocks));
}

/* The fewest pages, up to `most`, that serve and lose at most 1/share; 0: none. */
static uint32_t slab_pages_within(uint32_t size, unsigned page_shift, unsigned min_blocks, uint32_t most,
                                  uint32_t share)
{
    for (uint32_t pages = 1; pages <= most; pages++)
        if (slab_serves(size, pages, page_shift, min_blocks) &&
            slab_waste(size, pages, page_shift) <= (pages << page_shift) / share)
            return pages;
    return 0;
}

/* Those that lose the least. */
static uint32_t slab_pages_least(uint32_t size, unsigned page_shift, unsigned min_blocks)
{
    uint32_t best = 0;
    for (uint32_t pages = 1; pages <= KA_CLASS_MAX_PAGES; pages++)
        if (slab_serves(size, pages, page_shift, min_blocks) &&
            (best == 0 || (uint64_t)slab_waste(size, pages, page_shift) * best <
                              (uint64_t)slab_waste(size, best, page_shift) * pages))
            best = pages;
    return best;
}

static uint32_t slab_pages(uint32_t size, unsigned page_shift, unsigned min_blocks)
{
    bool few = min_blocks > 1 && min_blocks < 16;
    uint32_t pages = slab_pages_within(size, page_shift, min_blocks, few ? 8 : KA_CLASS_MAX_PAGES,
                                       few ? 64 : min_blocks > 1 ? 32 : 8);
    if (pages == 0 && few)
        pages = slab_pages_within(size, page_shift, min_blocks, 5, 40);
    if (pages == 0 && few)
        pages = slab_pages_within(size, page_shift, min_blocks, KA_CLASS_MAX_PAGES, 256);
    return pages != 0 ? pages : slab_pages_least(size, page_shift, min_blocks);
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
    uint32_t bytes = (uint32_t) class->pages << page_shift;
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
        if (class->size % (UINT32_C(1) << ka_class_align_shift_[i]) != 0)
            return "a class is not aligned as it should be";
        const char *broken = class_check(class, classes->page_shift);
        if (broken != NULL)
            return broken;
    }
    return NULL;
}
