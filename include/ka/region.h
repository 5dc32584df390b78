/* ka/region.h: a heap in memory that the caller gives; every call takes constant time.
 *
 * Good at: bounded time, small heaps, boot time, strict bounds, growing over disjoint ranges.
 * Bad at: many CPUs (see ka/heap.h).
 * Not thread-safe: wrap it in ka_locked. Never waits, never calls out but to `refill` and the misuse handler: any
 * context, any IRQL.
 *
 * Nothing is kept inside an allocated block: no overflow can damage the heap's own record, which lies at the end of
 * each range and takes about 2 % of it (1 KiB: 25 %; 64 bytes: half). Free blocks hold links; they are checked against
 * the record before use.
 */
#ifndef KA_REGION_H
#define KA_REGION_H

#include <ka/alloc.h>

KA_BEGIN_DECLS

/* The unit of a region: sizes are rounded up to it, and every block is aligned to it. Bytes. */
#define KA_REGION_GRANULE ((size_t)16)

/* The smallest range that can be claimed, bytes: one granule and its record. */
#define KA_REGION_MIN_RANGE ((size_t)48)

/* The largest range, bytes: 64 GiB less a granule (none on 32 bits). Larger memory: claim it in pieces. */
#define KA_REGION_MAX_RANGE ((((uint64_t)1) << 36) - 16)

/* Words of 64 bins that the largest range needs. Private. */
#define KA_REGION_MAP_WORDS 8

/* One claimed range. Private. */
typedef struct ka_region_range {
    uintptr_t base;     /* address of granule 0, which lies below the range's first byte and is never used */
    uint32_t granules;  /* granules 1 to `granules` can be handed out */
    uint16_t rest;      /* bytes behind the record: less than a granule */
    uint16_t summary;   /* words of `map` that are not zero */
    uint64_t *bits;     /* two words for 64 granules each: where blocks start, free blocks' first and last granules */
    uint32_t *heads;    /* for each bin the first free block's granule, or 0; below, what waits: see region_range.h */
    uint64_t map[KA_REGION_MAP_WORDS]; /* bins that are not empty */
    uint32_t open, open_size; /* a free block in no list: its first granule and its length; 0: none */
} ka_region_range;

typedef struct ka_region {
    ka_allocator allocator; /* the interface; pass &region.allocator to ka_alloc and friends */
    size_t rows;            /* sizes of which freed blocks may wait, in the only range; else 0 */
    void *last;             /* the block that waited and was handed out last */
    size_t last_down;       /* minus its granules if it is known to be live and its row to have room; else 0 */
    uint32_t only_granules; /* those of the only range; 0 if there is none or more than one */
    uint8_t row_length;     /* of each row: 0, then places */
    bool refilling, merging, crowded;
    uint16_t best[2 * KA_CFG_REGION_RANGES]; /* a tournament of the ranges' highest bins */
    uint16_t range_count;
    size_t live, peak;      /* bytes */
    size_t live_blocks;
    size_t crowded_from;    /* live bytes from which on less may wait; SIZE_MAX: so it is, or always */
    size_t free_blocks;     /* those that wait not counted */
    ka_refill *refill;
    void *refill_context;
    ka_region_range ranges[KA_CFG_REGION_RANGES]; /* by address */
} ka_region;

/* Makes an empty region: it has no memory until ka_region_claim.
 * cost  constant  */
#define ka_region_init KA_CONFIGURED(ka_region_init)
void ka_region_init(ka_region *region);

/* Gives the region a range of memory, disjoint from the others. A range that begins where a claimed one ends extends
 * it, so that blocks can span the seam; any other range takes a slot of KA_CFG_REGION_RANGES.
 *
 * base     aligned to 16 bytes
 * size     bytes, KA_REGION_MIN_RANGE to KA_REGION_MAX_RANGE; a rest below 16 bytes is not used
 * returns  true; false and not a byte written if base is NULL or unaligned, the size is out of bounds, the end
 *          overflows, the range overlaps a claimed one or the region itself, or all slots are taken
 * cost     linear in the size / 512 (the record is cleared, or moved when a range is extended); what waits is merged
 * owner    the region, for as long as it is used
 */
KA_MUST_USE bool ka_region_claim(ka_region *region, void *base, size_t size);

/* Sets the function that is asked for more memory when a request cannot be served; NULL: none. It may call
 * ka_region_claim on this region. It is not called from within itself, and not again unless it claimed something. */
void ka_region_set_refill(ka_region *region, ka_refill *refill, void *context);

/* Whether each block is merged with its free neighbours as soon as it is freed. Otherwise (the default) freed blocks of
 * small sizes may wait for the next request of their size, in a region of one range: one of each size up to 1 KiB,
 * together about 1/256 of the range, and from 512 KiB on up to seven of a size, as long as those of one size are
 * 1/512 of the range at most, or 1/16384 while 5/8 of it are live; together at most 1/32. What waits is merged before a
 * request is refused, when an empty region is asked for another size, when that share is passed, and before a claim:
 * such a call may take as long as 448 frees of blocks that are merged. Where the time of each call must be short, merge
 * at once.
 * cost  constant: what waits is merged  */
void ka_region_set_merging(ka_region *region, bool at_once);

/* Takes a block out of the region.
 *
 * size     bytes; 0 gives a pointer that takes no memory
 * align    bytes, a power of two
 * returns  the block, contents undefined; NULL if no free range is large enough. A request whose only fitting free
 *          blocks are less than 1/16 larger than it (or, for align > 16, than size + align) may be refused.
 * cost     constant in the number of blocks, logarithmic in the number of ranges, and the refill's own
 * owner    the caller, until ka_region_free with the same size and align
 */
KA_MUST_USE void *ka_region_alloc(ka_region *region, size_t size, size_t align);

/* Gives a block back. It is merged with its free neighbours, as far as any other call can tell; in truth blocks of
 * small sizes may wait for the next request of their size (ka_region_set_merging).
 *
 * block    from this region; NULL does nothing
 * size     bytes, from the requested to the usable size
 * align    bytes, as requested
 * errors   double free, foreign or interior pointer, wrong size: reported, nothing changes. A damaged neighbour is
 *          reported when the block is merged, and left alone.
 * cost     as ka_region_alloc
 */
void ka_region_free(ka_region *region, void *block, size_t size, size_t align);

/* Gives back a block whose size the caller does not know. NULL does nothing. So does the block of size 0, unless its
 * address (which is its alignment) lies inside a range.
 * cost  as ka_region_free  */
void ka_region_free_unsized(ka_region *region, void *block);

/* Changes size and alignment of a block: in place if the neighbours allow it (also downwards, into a free block before
 * it), else by a new block. Arguments, result and errors as for ka_resize.
 * cost  as ka_region_alloc, and the copy if the block moves  */
KA_MUST_USE void *ka_region_resize(ka_region *region, void *block, size_t old_size, size_t old_align, size_t new_size,
                                   size_t new_align, ka_flags flags);

/* Bytes of the block, found from the record; 0 if it is not a live block of this region.
 * cost  constant  */
size_t ka_region_usable(const ka_region *region, const void *block);

/* Visits every block, live and free, by address. cost  linear. */
bool ka_region_walk(const ka_region *region, ka_visit *visit, void *context);

/* What the region knows of itself. Sizes of live blocks are counted in whole granules.
 * cost  the length of one list of free blocks  */
void ka_region_stats(const ka_region *region, ka_stats *out);

/* Proves the whole structure. Returns NULL, or the first broken fact in words. cost  linear. */
const char *ka_region_check(const ka_region *region);

KA_END_DECLS

#endif
