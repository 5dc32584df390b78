/* engine/region.c: a heap in ranges of memory that the caller gives, every call in constant time.
 *
 * Words. A granule is 16 bytes. Granules of a range are numbered from 1; number 0 means "none". Sizes below are
 * granules.
 *
 * A range, low addresses to the left:
 *
 *     granule 1                                                granules    n+1
 *     | live    | free: header . . . footer | live | live | free |  heads | bits  |
 *                                                                   `- the record -'
 *
 * - `bits`: two words for each 64 granules. The first has a bit for each granule where a live block starts. The second
 *   has a bit for the first and for the last granule of each free block. Nothing else is known of a live block: its
 * size is what its owner says, and the bits prove him right or wrong: a live start where the block begins, no bit
 * inside, some bit right behind its end. Granule n+1 counts as a live start, granule 0 as neither, so no search or
 * merge leaves the range.
 * - A free block holds a header (next, prev, size) in its first granule and its size again in its last four bytes. One
 *   granule has room for both. Links are granule numbers within the range: 4 bytes each, and easy to validate.
 * - `heads`: free blocks are kept in lists by size ("bins"): one bin for each size below 32 granules, then 16 for each
 *   doubling. `map` and `summary` tell in a few instructions the first bin at or above a size that is not empty.
 *
 * alloc takes the first block of the first list that may fit: a list whose sizes all fit always serves. The front of
 * the block is handed out, the rest takes its place in the list if it stays in the same bin. free looks at one bit on
 * each side to see whether a neighbour is free, and merges at once:
 *
 *     before   [ free a ][ live b ][ free c ]     F(b - 1): a ends there, and its footer says where it begins;
 *     after    [           free             ]     F(b + size): c begins there, and its header says its size
 *
 * The block that was allocated last, the hot block, is remembered. If it is the next one to be freed, nothing has to be
 * proved, and it waits: it stays as it was, live by its bits, but free, and a request that it fits takes it back at
 * once. It is released, that is marked free and merged, by the next request that it does not fit; what looks at the
 * region (walk, stats, usable, the proof of a free) takes it for free and merged all the time.
 *
 * The usual alloc and free, of one range, by whole words of bits, are written out straight: every validation before the
 * first write, and whatever is unusual goes to the general path by a tail call. A link is validated where it is used:
 * when the block leaves its list.
 *
 * Several ranges are kept by address. A small tournament tree over their highest non-empty bins (`best`) finds the
 * first range that can serve, and a binary search finds the range of a block: logarithmic in the number of ranges.
 *
 * Trust. The record is out of reach of an overflow that stays inside the blocks. What lies in free blocks may have been
 * overwritten: a header counts only if the bits and the footer agree with it, and a link only if it leads to the start
 * of a free block that links back. A free block that fails is reported as damaged and left alone: it is lost, the heap
 * goes on.
 *
 * Good fit by two-level segregated lists is from TLSF (Masmano, Ripoll, Crespo, Real: "TLSF: a new dynamic memory
 * allocator for real-time systems", 2004); boundary tags are Knuth's; bits out of line instead of headers are ours.
 *
 * Shortcomings. A request that only a block of its own bin would fit sees the first block of that bin alone. A free of
 * a large block reads one word of bits for each KiB of it, to prove the size. Two blocks can never be told apart by
 * more than their place: a stale pointer to a place that is live again frees the new block.
 */
#include <ka/handler.h>

#include "base/mem.h"
#include "engine/region_range.h"

#define ALIGNED_TRIES 4 /* lists that an over-aligned request looks into before it takes one that is sure */

/* ---- release ---- */

static const void *granules_release(ka_region *region, range *r, uint32_t g, uint32_t n)
{
    return granules_join(region, r, r, g, n, is_free_end(r, g - 1), is_free_end(r, g + n));
}

/* Makes a block that is no longer counted as live a free one. */
static void block_release(ka_region *region, range *r, uint32_t g, uint32_t n, const void *site)
{
    const void *damaged = granules_release(region, r, g, n);
    tournament_update(region, r);
    if (KA_UNLIKELY(damaged != NULL))
        ka_report_misuse(KA_MISUSE_DAMAGE, &region->allocator, damaged, 0, site);
}

/* Releases the hot block. Returns whether there was one. */
static bool hot_release(ka_region *region, const void *site)
{
    if (region->hot_granules == 0)
        return false;
    range *r = range_of(region, (uintptr_t)region->hot);
    uint32_t g = (uint32_t)(((uintptr_t)region->hot - r->base) / KA_REGION_GRANULE);
    uint32_t n = region->hot_granules;
    region->hot = NULL;
    region->hot_granules = 0;
    block_release(region, r, g, n, site);
    return true;
}

/* ---- alloc ---- */

/* A list whose first block cannot be believed is let go: its blocks are lost until their neighbours take them in. */
static KA_NOINLINE void bin_abandon(ka_region *region, range *r, uint32_t bin)
{
    void *damaged = block_at(r, r->heads[bin]);
    r->heads[bin] = 0;
    bin_mark_empty(r, bin);
    tournament_update(region, r);
    ka_report_misuse(KA_MISUSE_DAMAGE, &region->allocator, damaged, 0, NULL);
}

/* The first granule of the first list at or above `bin` whose first block is sound, its bin in *bin; 0 if there is
 * none. */
static uint32_t bin_first_sound(ka_region *region, range *r, uint32_t *bin)
{
    for (;;) {
        *bin = bin_find(r, *bin);
        if (*bin == NO_BIN)
            return 0;
        uint32_t g = r->heads[*bin];
        if (KA_LIKELY(block_size_sound(r, g) && bin_of(block_at(r, g)->size) == *bin && block_links_sound(r, g, *bin)))
            return g;
        bin_abandon(region, r, *bin);
    }
}

static KA_ALWAYS_INLINE void live_add(ka_region *region, size_t n)
{
    region->live_blocks++;
    region->live += n * KA_REGION_GRANULE;
    if (region->live > region->peak)
        region->peak = region->live;
}

static KA_ALWAYS_INLINE void live_subtract(ka_region *region, size_t n)
{
    region->live_blocks--;
    region->live -= n * KA_REGION_GRANULE;
}

/* What is to be done for a new live block besides its bits. No block is hot. */
static KA_ALWAYS_INLINE void *block_hand_out(ka_region *region, range *r, uint32_t g, uint32_t n)
{
    void *block = block_at(r, g);
    live_add(region, n);
    region->hot = block;
    region->lent_granules = n;
    if (KA_UNLIKELY(region->range_count > 1))
        tournament_update(region, r);
    return block;
}

/* Takes n granules from the front of the free block at g, which is the first one in the list of `bin`. False, and
 * nothing is written, if it is not as such a block must be. */
static KA_ALWAYS_INLINE bool block_take_front(ka_region *region, range *r, const range *v, uint32_t bin, uint32_t g,
                                              uint32_t size, uint32_t n)
{
    uint32_t next = block_at(v, g)->next, rest = size - n, rest_bin = bin_of(rest), begin = g + n;
    if (KA_UNLIKELY(!block_size_sound(v, g) || block_at(v, g)->prev != 0))
        return false;
    if (next != 0 && KA_UNLIKELY(!link_leads_to_free(v, next) || block_at(v, next)->prev != g))
        return false;
    bits_take(v, g, n, rest);
    if (rest != 0) {
        block_set_size(v, begin, rest);
        if (rest_bin == bin) { /* it takes the place of the whole */
            v->heads[bin] = begin;
            block_at(v, begin)->next = next;
            block_at(v, begin)->prev = 0;
            if (next != 0)
                block_at(v, next)->prev = begin;
            return true;
        }
        list_push(r, v, begin, rest_bin);
        region->free_blocks++;
    }
    region->free_blocks--;
    v->heads[bin] = next;
    if (next != 0)
        block_at(v, next)->prev = 0;
    else
        bin_mark_empty(r, bin);
    return true;
}

/* For range_alloc, where the first list has a block that is too small or damaged: the bin of another, or NO_BIN. */
static KA_NOINLINE uint32_t range_skip(ka_region *region, range *r, uint32_t n, uint32_t bin)
{
    uint32_t size = block_at(r, r->heads[bin])->size;
    if (size < n && bin == bin_of(n) && bin_of(size) == bin)
        bin++; /* in a higher one every block fits */
    else
        bin_abandon(region, r, bin);
    return bin_find(r, bin);
}

static KA_ALWAYS_INLINE void *range_alloc(ka_region *region, range *r, uint32_t n)
{
    const range view = *r, *v = &view; /* what the compiler may keep in registers */
    for (uint32_t bin = bin_find(r, bin_of(n)); KA_LIKELY(bin != NO_BIN); bin = range_skip(region, r, n, bin)) {
        uint32_t g = v->heads[bin], size = block_at(v, g)->size;
        if (KA_LIKELY(size >= n && block_take_front(region, r, v, bin, g, size, n)))
            return block_hand_out(region, r, g, n);
    }
    return NULL;
}

/* Granules to skip from g to the next address with the alignment. */
static size_t granules_to_aligned(const range *r, uint32_t g, size_t align)
{
    return (((size_t)0 - granule_address(r, g)) & (align - 1)) / KA_REGION_GRANULE;
}

/* sure: the lowest bin whose blocks all fit, or NO_BIN */
static void *range_alloc_aligned(ka_region *region, range *r, uint32_t n, size_t align, uint32_t sure)
{
    uint32_t bin = bin_of(n);
    for (int tries = 0;; tries++, bin++) {
        if (tries >= ALIGNED_TRIES && bin < sure)
            bin = sure;
        uint32_t g = bin_first_sound(region, r, &bin);
        if (g == 0)
            return NULL;
        uint32_t size = block_at(r, g)->size;
        size_t distance = granules_to_aligned(r, g, align);
        if (distance > size || size - distance < n)
            continue;
        uint32_t lead = (uint32_t)distance;
        if (lead == 0) {
            (void)block_take_front(region, r, r, bin, g, size, n);
        } else { /* the padding before the block, and what is left behind it, stay free */
            block_remove(region, r, g, size);
            block_insert(region, r, g, lead);
            if (size - lead > n)
                block_insert(region, r, g + lead + n, size - lead - n);
            *live_word(r, g + lead) |= granule_bit(g + lead);
        }
        return block_hand_out(region, r, g + lead, n);
    }
}

static KA_NOINLINE void *region_take(ka_region *region, uint32_t n, size_t align)
{
    bool aligned = align <= KA_REGION_GRANULE; /* as every block is */
    if (KA_LIKELY(aligned && region->range_count == 1))
        return range_alloc(region, &region->ranges[0], n);
    size_t padded = aligned ? n : (size_t)n + align / KA_REGION_GRANULE - 1;
    uint32_t sure = padded < UINT32_MAX ? bin_sure((uint32_t)padded) : NO_BIN;
    for (;;) {
        range *r = tournament_find(region, sure);
        bool must_serve = r != NULL && region->range_count > 1;
        if (r == NULL && (r = tournament_find(region, bin_of(n))) == NULL)
            return NULL;
        void *block = aligned ? range_alloc(region, r, n) : range_alloc_aligned(region, r, n, align, sure);
        if (KA_LIKELY(block != NULL) || !must_serve)
            return block;
        /* its lists were damaged and have been let go: another range may serve */
    }
}

/* Asks for more memory. Never from within itself; true only if the region has grown. */
static bool region_grow(ka_region *region, size_t size, size_t align, ka_flags flags)
{
    if (region->refill == NULL || region->refilling)
        return false;
    size_t before = region->total;
    region->refilling = true;
    bool more = region->refill(region->refill_context, size, align, flags);
    region->refilling = false;
    return more && region->total != before;
}

static KA_NOINLINE void *region_alloc_slow(ka_region *region, size_t size, size_t align, ka_flags flags)
{
    if (!ka_layout_valid(size, align))
        return NULL;
    if (size == 0)
        return ka_empty_block(align);
    uint32_t n = granules_of(size);
    if (n == UINT32_MAX)
        return NULL;
    (void)hot_release(region, NULL);
    void *block;
    while ((block = region_take(region, n, align)) == NULL)
        if (!region_grow(region, size, align, flags))
            return NULL;
    return block;
}

/* One range, no alignment, no block that waits: all that the usual request needs. */
static KA_NOINLINE void *region_alloc_usual(ka_region *region, size_t size, size_t align, ka_flags flags)
{
    size_t n = (size - 1) / KA_REGION_GRANULE + 1; /* huge for size 0 */
    bool usual = region->range_count == 1 && region->hot_granules == 0 && n <= region->ranges[0].granules;
    if (KA_LIKELY(usual && align - 1 < KA_REGION_GRANULE && (align & (align - 1)) == 0)) {
        void *block = range_alloc(region, &region->ranges[0], (uint32_t)n);
        if (KA_LIKELY(block != NULL))
            return block;
    }
    return region_alloc_slow(region, size, align, flags);
}

/* Whether the block that waits is what is asked for. Bad sizes and alignments do not fit either. */
static KA_ALWAYS_INLINE bool hot_fits(const ka_region *region, size_t size, size_t align)
{
    return (size - 1) / KA_REGION_GRANULE + 1 == region->hot_granules && (align & (align - 1)) == 0 &&
           ((uintptr_t)region->hot & (align - 1)) == 0;
}

static KA_ALWAYS_INLINE void *hot_take(ka_region *region)
{
    uint32_t n = region->hot_granules;
    live_add(region, n);
    region->lent_granules = n;
    region->hot_granules = 0;
    return region->hot;
}

static KA_ALWAYS_INLINE void *region_alloc(ka_region *region, size_t size, size_t align, ka_flags flags)
{
    return hot_fits(region, size, align) ? hot_take(region) : region_alloc_usual(region, size, align, flags);
}

void *ka_region_alloc(ka_region *region, size_t size, size_t align)
{
    return region_alloc(region, size, align, 0);
}

/* ---- free ---- */

/* Whether this is the block that waits: live by its bits, and free. */
static inline bool is_hot(const ka_region *region, const void *block)
{
    return block == region->hot && region->hot_granules != 0;
}

/* What is wrong with an address in the range at which no live block starts. */
static ka_misuse misuse_at(const ka_region *region, const range *r, uint32_t g)
{
    uint32_t start = last_boundary(r, g);
    return is_free_end(r, start) || is_hot(region, block_at(r, start)) ? KA_MISUSE_DOUBLE_FREE : KA_MISUSE_INTERIOR;
}

/* Reports why block_find did not accept a block. */
static KA_NOINLINE void block_refuse(const ka_region *region, const range *r, const void *block, size_t size,
                                     const void *site)
{
    ka_misuse kind = KA_MISUSE_FOREIGN;
    if (r != NULL) {
        uintptr_t offset = (uintptr_t)block - r->base;
        uint32_t g = (uint32_t)(offset / KA_REGION_GRANULE);
        bool starts = offset % KA_REGION_GRANULE == 0 && is_live_start(r, g) && !is_hot(region, block);
        kind = starts ? KA_MISUSE_WRONG_SIZE : misuse_at(region, r, g);
    }
    ka_report_misuse(kind, (ka_allocator *)(uintptr_t)&region->allocator, block, size, site);
}

/* The granule of a live block that starts at the address and has n granules (n = 0: any number); 0 if there is none.
 * r may be NULL: no range has the address. */
static inline uint32_t block_find(const ka_region *region, const range *r, const void *block, size_t n)
{
    if (KA_UNLIKELY(r == NULL))
        return 0;
    uintptr_t offset = (uintptr_t)block - r->base;
    uint32_t g = (uint32_t)(offset / KA_REGION_GRANULE);
    if (KA_UNLIKELY(offset % KA_REGION_GRANULE != 0 || !is_live_start(r, g) || is_hot(region, block)))
        return 0;
    return n == 0 || KA_LIKELY(live_size_is(r, g, n)) ? g : 0;
}

/* A live block, found by its bits, is freed. */
static void block_free(ka_region *region, const range *r, uint32_t g, uint32_t n, const void *site)
{
    if (block_at(r, g) == region->hot)
        region->lent_granules = 0;
    live_subtract(region, n);
    block_release(region, (range *)(uintptr_t)r, g, n, site);
}

static KA_NOINLINE void region_free_slow(ka_region *region, void *block, size_t size, const void *site)
{
    if (block == NULL || size == 0)
        return;
    const range *r = range_of(region, (uintptr_t)block);
    size_t n = (size - 1) / KA_REGION_GRANULE + 1;
    uint32_t g = block_find(region, r, block, n);
    if (KA_LIKELY(g != 0))
        block_free(region, r, g, (uint32_t)n, site);
    else
        block_refuse(region, r, block, size, site);
}

static KA_NOINLINE void damage_report(ka_region *region, const void *block, const void *site)
{
    ka_report_misuse(KA_MISUSE_DAMAGE, &region->allocator, block, 0, site);
}

/* The four ways in which granules of the only range become free, each in code of its own. */
static KA_ALWAYS_INLINE void range_release(ka_region *region, uint32_t g, uint32_t n, bool before, bool behind,
                                           const void *site)
{
    const range v = region->ranges[0]; /* what the compiler may keep in registers */
    const void *damaged = granules_join(region, &region->ranges[0], &v, g, n, before, behind);
    if (KA_UNLIKELY(damaged != NULL))
        damage_report(region, damaged, site);
}

static KA_NOINLINE void release_alone(ka_region *region, uint32_t g, uint32_t n, const void *site)
{
    range_release(region, g, n, false, false, site);
}

static KA_NOINLINE void release_behind_free(ka_region *region, uint32_t g, uint32_t n, const void *site)
{
    range_release(region, g, n, true, false, site);
}

static KA_NOINLINE void release_before_free(ka_region *region, uint32_t g, uint32_t n, const void *site)
{
    range_release(region, g, n, false, true, site);
}

static KA_NOINLINE void release_between_free(ka_region *region, uint32_t g, uint32_t n, const void *site)
{
    range_release(region, g, n, true, true, site);
}

/* The only range, and a block whose bits lie in one pair of words together with those of its neighbours: the proof is
 * the same as in block_find. NULL is in no range, and size 0 makes a huge number of granules. */
static KA_NOINLINE void region_free_usual(ka_region *region, void *block, size_t size, const void *site)
{
    const range *r = &region->ranges[0];
    uintptr_t offset = (uintptr_t)block - r->base;
    uintptr_t number = offset >> 4 | offset << (sizeof offset * 8 - 4); /* huge if the block is not aligned */
    size_t n = (size - 1) / KA_REGION_GRANULE + 1, bit = number % 64;
    if (KA_UNLIKELY(number - 1 >= r->granules || n >= 64 || bit == 0 || bit + n >= 64 || region->range_count != 1)) {
        region_free_slow(region, block, size, site);
        return;
    }
    uint32_t g = (uint32_t)number, n32 = (uint32_t)n;
    const uint64_t *pair = live_word(r, g);
    uint64_t live = pair[0] >> bit, free = pair[1] >> (bit - 1), behind = live >> 1 | free >> 2;
    if (KA_UNLIKELY((live & 1) == 0 || behind << (64 - n) != UINT64_C(1) << 63 || is_hot(region, block))) {
        region_free_slow(region, block, size, site);
        return;
    }
    live_subtract(region, n);
    if ((free >> n & 2) == 0)
        if ((free & 1) == 0)
            release_alone(region, g, n32, site);
        else
            release_behind_free(region, g, n32, site);
    else if ((free & 1) == 0)
        release_before_free(region, g, n32, site);
    else
        release_between_free(region, g, n32, site);
}

/* The block that was allocated last is known: no proof is needed, and it waits for the next request of its size. */
static KA_ALWAYS_INLINE bool hot_give(ka_region *region, void *block, size_t size)
{
    size_t n = (size - 1) / KA_REGION_GRANULE + 1;
    if (block != region->hot || n != region->lent_granules)
        return false;
    live_subtract(region, n);
    region->hot_granules = (uint32_t)n;
    region->lent_granules = 0;
    return true;
}

void ka_region_free(ka_region *region, void *block, size_t size, size_t align)
{
    (void)align; /* a region's blocks do not differ by alignment */
    if (!hot_give(region, block, size))
        region_free_usual(region, block, size, KA_RETURN_ADDRESS());
}

void ka_region_free_unsized(ka_region *region, void *block)
{
    if (block == NULL)
        return;
    const range *r = range_of(region, (uintptr_t)block);
    if (r == NULL && ka_is_power_of_two((uintptr_t)block))
        return; /* the block of size 0 */
    uint32_t g = block_find(region, r, block, 0);
    if (g != 0)
        block_free(region, r, g, live_end(r, g) - g, KA_RETURN_ADDRESS());
    else
        block_refuse(region, r, block, 0, KA_RETURN_ADDRESS());
}

size_t ka_region_usable(const ka_region *region, const void *block)
{
    const range *r = range_of(region, (uintptr_t)block);
    uint32_t g = block_find(region, r, block, 0);
    return g != 0 ? (size_t)(live_end(r, g) - g) * KA_REGION_GRANULE : 0;
}

/* ---- resize ---- */

static void live_changed(ka_region *region, const range *r, uint32_t old_n, uint32_t new_n)
{
    if (old_n != new_n)
        region->lent_granules = 0; /* if it was this block, its size is another now */
    region->live = region->live - (size_t)old_n * KA_REGION_GRANULE + (size_t)new_n * KA_REGION_GRANULE;
    if (region->live > region->peak)
        region->peak = region->live;
    tournament_update(region, r);
}

static void block_shrink(ka_region *region, range *r, uint32_t g, uint32_t old_n, uint32_t new_n, const void *site)
{
    const void *damaged = old_n == new_n ? NULL : granules_release(region, r, g + new_n, old_n - new_n);
    live_changed(region, r, old_n, new_n);
    if (KA_UNLIKELY(damaged != NULL))
        ka_report_misuse(KA_MISUSE_DAMAGE, &region->allocator, damaged, 0, site);
}

/* Moves a block of n granules down into the free block before it, so that it ends where the space behind it ends or
 * (for the alignment) a little before.
 *
 *     [ free: before ][ live: n ][ free: behind ]
 *     [ free ][ live: new_n                ][ . ]
 */
static KA_NOINLINE void *block_slide_down(ka_region *region, range *r, uint32_t g, uint32_t n, uint32_t new_n,
                                          size_t align)
{
    uint32_t before = free_before(r, g), behind = free_behind(r, g + n);
    if (before == 0 || before + n + behind < new_n)
        return NULL;
    uint32_t low = g - before, high = g + n + behind, start = high - new_n;
    size_t distance = (granule_address(r, start) & (align - 1)) / KA_REGION_GRANULE;
    if (start - low < distance)
        return NULL;
    uint32_t down = (uint32_t)distance;
    start -= down;
    block_remove(region, r, low, before);
    if (behind != 0)
        block_remove(region, r, g + n, behind);
    *live_word(r, g) &= ~granule_bit(g);
    ka_move((void *)granule_address(r, start), (void *)granule_address(r, g), (size_t)n * KA_REGION_GRANULE);
    *live_word(r, start) |= granule_bit(start);
    if (start != low)
        block_insert(region, r, low, start - low);
    if (down != 0)
        block_insert(region, r, start + new_n, down);
    live_changed(region, r, n, new_n);
    return (void *)granule_address(r, start);
}

/* Without a new block: by the free blocks around it. NULL if they do not suffice. */
static void *block_resize_in_place(ka_region *region, range *r, uint32_t g, uint32_t old_n, uint32_t new_n,
                                   size_t align, const void *site)
{
    bool aligned = (granule_address(r, g) & (align - 1)) == 0;
    if (aligned && new_n <= old_n) {
        block_shrink(region, r, g, old_n, new_n, site);
        return (void *)granule_address(r, g);
    }
    if (aligned) {
        uint32_t behind = free_behind(r, g + old_n);
        if (behind >= new_n - old_n) {
            uint32_t rest = behind - (new_n - old_n);
            block_remove(region, r, g + old_n, behind);
            if (rest != 0)
                block_insert(region, r, g + new_n, rest);
            live_changed(region, r, old_n, new_n);
            return (void *)granule_address(r, g);
        }
    }
    return new_n > old_n ? block_slide_down(region, r, g, old_n, new_n, align) : NULL;
}

static void *region_resize(ka_region *region, void *block, size_t old_size, size_t new_size, size_t new_align,
                           ka_flags flags, const void *site)
{
    uint32_t old_n = granules_of(old_size), new_n = granules_of(new_size);
    const range *found = range_of(region, (uintptr_t)block);
    if (block_find(region, found, block, old_n) == 0) {
        block_refuse(region, found, block, old_size, site);
        return NULL;
    }
    if (new_n == UINT32_MAX)
        return NULL;
    (void)hot_release(region, site); /* it may be a neighbour */
    void *result;
    for (;;) {
        range *r = range_of(region, (uintptr_t)block); /* a refill may have changed the ranges */
        uint32_t g = (uint32_t)(((uintptr_t)block - r->base) / KA_REGION_GRANULE);
        result = block_resize_in_place(region, r, g, old_n, new_n, new_align, site);
        if (result != NULL)
            break;
        result = region_take(region, new_n, new_align);
        if (result != NULL) {
            ka_copy(result, block, ka_min(old_size, new_size));
            live_subtract(region, old_n);
            block_release(region, r, g, old_n, site);
            break;
        }
        if (!region_grow(region, new_size, new_align, flags))
            return NULL;
    }
    if ((flags & KA_ZERO) != 0 && new_size > old_size)
        ka_clear((char *)result + old_size, new_size - old_size);
    return result;
}

void *ka_region_resize(ka_region *region, void *block, size_t old_size, size_t old_align, size_t new_size,
                       size_t new_align, ka_flags flags)
{
    return ka_resize(&region->allocator, block, old_size, old_align, new_size, new_align, flags);
}

/* ---- claim ---- */

static uint32_t record_bins(uint32_t granules)
{
    return bin_of(granules) + 1;
}

static size_t record_bit_bytes(uint32_t granules)
{
    return ka_words_for((size_t)granules + 2) * 2 * sizeof(uint64_t);
}

static size_t record_bytes(uint32_t granules)
{
    return record_bins(granules) * sizeof(uint32_t) + record_bit_bytes(granules);
}

/* How many granules a range of `size` bytes has besides its record, which ends at the last whole granule. */
static uint32_t granules_in(size_t size)
{
    uint32_t all = (uint32_t)(size / KA_REGION_GRANULE);
    uint32_t n = all - (uint32_t)(record_bytes(all) / KA_REGION_GRANULE + 1);
    while ((size_t)(n + 1) * KA_REGION_GRANULE + record_bytes(n + 1) <= (size_t)all * KA_REGION_GRANULE)
        n++;
    return n;
}

/* Sets size, granules and the record's place. The old contents of the record, if any, move along. */
static void range_lay_out(range *r, size_t size)
{
    range old = *r;
    uintptr_t end = ka_round_down(r->base + KA_REGION_GRANULE + size, KA_REGION_GRANULE);
    r->size = size;
    r->granules = granules_in(size);
    r->bins = (uint16_t)record_bins(r->granules);
    r->bits = (uint64_t *)(end - record_bit_bytes(r->granules));
    r->heads = (uint32_t *)((uintptr_t)r->bits - r->bins * sizeof(uint32_t));

    size_t kept = old.granules == 0 ? 0 : record_bit_bytes(old.granules);
    if (old.granules != 0) { /* first the bits: the new heads may lie where the old bits were */
        ka_move(r->bits, old.bits, kept);
        ka_move(r->heads, old.heads, old.bins * sizeof(uint32_t));
        *live_word(r, old.granules + 1) &= ~granule_bit(old.granules + 1);
    }
    ka_clear((char *)r->bits + kept, record_bit_bytes(r->granules) - kept);
    ka_clear(r->heads + old.bins, (r->bins - old.bins) * sizeof(uint32_t));
    *live_word(r, r->granules + 1) |= granule_bit(r->granules + 1);
}

static void range_extend(ka_region *region, range *r, size_t size)
{
    uint32_t old = r->granules;
    range_lay_out(r, r->size + size);
    uint32_t added = r->granules - old;
    region->total += (size_t)added * KA_REGION_GRANULE;
    const void *damaged = granules_release(region, r, old + 1, added);
    tournament_build(region);
    if (damaged != NULL)
        ka_report_misuse(KA_MISUSE_DAMAGE, &region->allocator, damaged, 0, NULL);
}

static void range_insert(ka_region *region, uint32_t at, uintptr_t base, size_t size)
{
    for (uint32_t i = region->range_count; i > at; i--)
        region->ranges[i] = region->ranges[i - 1];
    region->range_count++;
    range *r = &region->ranges[at];
    ka_clear(r, sizeof *r);
    r->base = base - KA_REGION_GRANULE;
    range_lay_out(r, size);
    region->total += (size_t)r->granules * KA_REGION_GRANULE;
    block_insert(region, r, 1, r->granules);
    tournament_build(region);
}

static bool overlaps(uintptr_t a, size_t a_size, uintptr_t b, size_t b_size)
{
    return a - b < b_size || b - a < a_size;
}

static bool claim_valid(const ka_region *region, uintptr_t base, size_t size)
{
    uint64_t bytes = size; /* the largest range is more than a size_t of 32 bits can say */
    if (base == 0 || base % KA_REGION_GRANULE != 0 || bytes < KA_REGION_MIN_RANGE || bytes > KA_REGION_MAX_RANGE)
        return false;
    if (size > UINTPTR_MAX - base || overlaps(base, size, (uintptr_t)region, sizeof *region))
        return false;
    for (uint32_t i = 0; i < region->range_count; i++)
        if (overlaps(base, size, region->ranges[i].base + KA_REGION_GRANULE, region->ranges[i].size))
            return false;
    return true;
}

bool ka_region_claim(ka_region *region, void *base, size_t size)
{
    uintptr_t address = (uintptr_t)base;
    if (!claim_valid(region, address, size))
        return false;
    uint32_t at = 0;
    for (; at < region->range_count && region->ranges[at].base < address; at++) {
        range *r = &region->ranges[at];
        bool adjacent = r->base + KA_REGION_GRANULE + r->size == address && r->size % KA_REGION_GRANULE == 0;
        if (adjacent && size <= KA_REGION_MAX_RANGE - r->size) {
            range_extend(region, r, size);
            return true;
        }
    }
    if (region->range_count >= KA_CFG_REGION_RANGES)
        return false;
    range_insert(region, at, address, size);
    return true;
}

void ka_region_set_refill(ka_region *region, ka_refill *refill, void *context)
{
    region->refill = refill;
    region->refill_context = context;
}

/* ---- the interface ---- */

static ka_region *region_of(ka_allocator *self)
{
    return (ka_region *)self;
}

static void *op_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    if ((flags & KA_PAGEABLE) != 0)
        return NULL;
    void *block = region_alloc(region_of(self), size, align, flags);
    if (block != NULL && (flags & KA_ZERO) != 0)
        ka_clear(block, size);
    return block;
}

static void op_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    (void)align;
    if (!hot_give(region_of(self), block, size))
        region_free_usual(region_of(self), block, size, KA_RETURN_ADDRESS());
}

static void *op_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                       size_t new_align, ka_flags flags)
{
    (void)old_align;
    if ((flags & KA_PAGEABLE) != 0)
        return NULL;
    return region_resize(region_of(self), block, old_size, new_size, new_align, flags, KA_RETURN_ADDRESS());
}

static size_t op_usable(ka_allocator *self, const void *block, size_t size, size_t align)
{
    (void)self, (void)block, (void)align;
    return ka_round_up(size, KA_REGION_GRANULE);
}

static bool op_walk(ka_allocator *self, ka_visit *visit, void *context)
{
    return ka_region_walk(region_of(self), visit, context);
}

static void op_stats(ka_allocator *self, ka_stats *out)
{
    ka_region_stats(region_of(self), out);
}

static const char *op_check(ka_allocator *self)
{
    return ka_region_check(region_of(self));
}

static const ka_allocator_ops region_ops = {
    .name = "region",
    .alloc = op_alloc,
    .free = op_free,
    .resize = op_resize,
    .usable = op_usable,
    .walk = op_walk,
    .stats = op_stats,
    .check = op_check,
};

void ka_region_init(ka_region *region)
{
    ka_clear(region, sizeof *region);
    region->allocator.ops = &region_ops;
}
