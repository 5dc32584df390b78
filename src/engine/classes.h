/* engine/classes.h: size classes: which block size serves a request, and how pages are cut into such blocks.
 *
 * Sizes are 16, 32, ... 256, 288, 320, ... 1024, then eight to a doubling, up to 32 KiB: to 8 KiB shares of a slab,
 * about a doubling's end by 15/8, 14/8, ... 9/8, then equal steps. So a request above 112 bytes wastes less than 12.5 %
 * of its block; a smaller one at most 15 bytes. Larger requests are page runs.
 * Pure functions and tables made once; any context.
 */
#ifndef KA_ENGINE_CLASSES_H
#define KA_ENGINE_CLASSES_H

#include <ka/types.h>

#include "base/bits.h"
#include "base/math.h"

#define KA_CLASS_COUNT   80u
#define KA_CLASS_LARGEST ((size_t)32768) /* bytes */

/* No slab has more pages than this, and no slab more bytes. */
#define KA_CLASS_MAX_PAGES 16u
#define KA_CLASS_MAX_SLAB  ((size_t)1 << 20)

/* Page shifts that ka_classes_init knows: 4 to 64 KiB. */
#define KA_CLASS_MIN_PAGE_SHIFT 12u
#define KA_CLASS_MAX_PAGE_SHIFT 16u

typedef struct ka_class {
    uint32_t size;       /* bytes, of a block; also the distance of blocks */
    uint32_t reciprocal; /* 2^35 / size, rounded up */
    uint16_t blocks;     /* in a slab */
    uint8_t pages;       /* of a slab */
    uint8_t words;       /* of a slab's bitmap: blocks / 64, rounded up */
} ka_class;

typedef struct ka_classes {
    uint32_t page_shift;
    ka_class of[KA_CLASS_COUNT];
} ka_classes;

/* Private: the class of each size up to 8 KiB, by (size + 15) / 16; and of each class the logarithm of the largest
 * power of two that divides its size. */
#define KA_CLASS_TABLE_LARGEST_ ((size_t)8192)
extern const uint8_t ka_class_table_large_[32]; /* of those above, by (size - 1) / 1024 */
extern const uint8_t ka_class_table_[KA_CLASS_TABLE_LARGEST_ / 16 + 1];
extern const uint8_t ka_class_align_shift_[KA_CLASS_COUNT];

/* Makes the table for pages of 2^page_shift bytes (KA_CLASS_MIN_ to KA_CLASS_MAX_PAGE_SHIFT).
 *
 * min_blocks  how many blocks a slab shall have, unless it has 8 pages or more: 16 keeps refills cheap; at most 1/32
 *             of a slab is then lost at its end. 4, or 4 pages: few blocks that stay keep a slab, and at most 1/40 is
 *             lost. 1 gives the smallest slabs, for small heaps; they may lose 1/8.
 */
void ka_classes_init(ka_classes *classes, unsigned page_shift, unsigned min_blocks);

/* The smallest class with blocks of at least `size` bytes; size <= KA_CLASS_LARGEST. Size 0 counts as 1. */
static inline unsigned ka_class_of(size_t size)
{
    if (KA_LIKELY(size <= KA_CLASS_TABLE_LARGEST_))
        return ka_class_table_[(size + 15) >> 4];
    return ka_class_table_large_[(size - 1) >> 10];
}

/* The same by arithmetic alone, up to 1 KiB: for sizes that the compiler knows, where nothing of it is left. */
static inline unsigned ka_class_computed(size_t size)
{
    if (size <= 256)
        return (unsigned)((ka_max(size, 1) + 15) >> 4) - 1;
    return (unsigned)((size - 1) >> 5) + 8;
}

/* May a slab serve this request? Both at least 1; the alignment is a power of two.
 * Alignment up to a page is served by a class whose blocks are all aligned so; larger ones need a run. */
static inline bool ka_class_serves(size_t size, size_t align, unsigned page_shift)
{
    return size <= KA_CLASS_LARGEST && align <= ((size_t)1 << page_shift) &&
           ka_round_up(size, align) <= KA_CLASS_LARGEST;
}

/* The smallest class whose blocks have `size` bytes and are aligned to `align`; only where ka_class_serves. */
static inline unsigned ka_class_of_layout(size_t size, size_t align)
{
    unsigned class = ka_class_of(ka_round_up(size, align));
    if (KA_LIKELY(align <= 16))
        return class;
    while (align >> ka_class_align_shift_[class] > 1) /* at the end of the doubling at the latest */
        class++;
    return class;
}

/* The number of the block that `offset` bytes into the slab lies in. Exact for every offset inside a slab. */
static inline uint32_t ka_class_index(const ka_class *class, uint32_t offset)
{
    return (uint32_t)(((uint64_t)offset * class->reciprocal) >> 35);
}

/* All bits of the slab's word number `word` that stand for blocks. */
static inline uint64_t ka_class_full(const ka_class *class, unsigned word)
{
    return ka_low_mask(class->blocks - word * 64u);
}

/* NULL, or the first broken fact in words. */
const char *ka_classes_check(const ka_classes *classes);

#endif
