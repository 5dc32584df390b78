/* engine/region.c: a heap in ranges of memory that the caller gives, every call in constant time.
 *
 * Words. A granule is 16 bytes. Granules of a range are numbered from 1; number 0 means "none". Sizes below are
 * granules.
 *
 * A range, low addresses to the left:
 *
 *     granule 1                                                granules    n+1
 *     | live    | free: header . . . footer | live | live | free | starts, ends | waiting | heads |
 *                                                                   `------- the record -------'
 *
 * - `starts`: a bit for each granule where a block starts, live or free. `ends`: a bit for the first and the last
 *   granule of each free block. Nothing else is known of a live block: its size is what its owner says, and the bits
 *   prove him right or wrong: a start where the block begins, which is no free one, none inside, one right behind its
 *   end. Granule n+1 counts as a live start, granule 0 as neither, so no search or merge leaves the range. A word of
 *   each lies beside the other's for the same 64 granules.
 * - A live block of 65 granules or more has its length in half a word of `ends` among its inner granules, whose bits
 *   say nothing else. So 64 bits of starts, or these and a length, prove any size: no bits are counted or scanned.
 * - A free block holds a header (next, prev, check, size) in its first granule and its size again in its last four
 *   bytes. One granule has room for both. Links are granule numbers within the range, 4 bytes each. `check` is the
 *   exclusive or of the other three, the block's own number and a constant; a change of a link changes it alike.
 * - `heads`: free blocks are kept in lists by size ("bins"): one bin for each size below 32 granules, then 16 for each
 *   doubling. `map` and `summary` tell in a few instructions the first bin at or above a size that is not empty.
 *
 * alloc takes the first block of the first list that may fit: a list whose sizes all fit always serves. The front of
 * the block is handed out, the rest takes its place in the list if it stays in the same bin. free looks at one bit on
 * each side to see whether a neighbour is free, and merges at once:
 *
 *     before   [ free a ][ live b ][ free c ]     ends(b - 1): a ends there, its footer says where it begins;
 *     after    [           free             ]     ends(b + size): c begins there, its header says its size
 *
 * Blocks that wait. A freed block of a small size stays as it was, live by its bits, and its number goes on a stack,
 * from which the next request of that size takes it; who finds the stack full merges his own block. With d places one
 * of d + 1 frees and allocs of random order touches a list. The stacks are rows of numbers before `heads`, one for each
 * size: one place in a small range, seven in a large one, fewer for its larger sizes, and one for most sizes while 5/8
 * of the range are live, as what waits splits the free blocks between. It is merged when a request would be refused,
 * when an empty heap is asked for another size, when it lies behind a block that grows and has no place to go to, when
 * that share of the range is passed, and when a range is claimed: blocks wait only in a region of one range. What looks
 * at the region (walk, stats, usable, the proof of a free) takes them for free and merged all the time. The block that
 * waited and was handed out last is remembered, and waits again without a proof.
 *
 * The usual alloc and free, of one range, are several functions of few registers each, and whatever is unusual goes to
 * the general path by a tail call, before anything is written that does not stand for itself.
 *
 * The open block. When a block is cut and what is left belongs to the same list again, or a long one grows downwards,
 * the region itself keeps its place and size: a free block by its bits, in no list, without header and footer. Requests
 * that no smaller block can serve are cut from it, frees beside it make it longer, and neither touches its memory. What
 * looks through the lists by itself (an aligned request, resize, a claim) puts it back first; so does the next block
 * that is opened. There is one only in a region of one range.
 *
 * Several ranges are kept by address. A small tournament tree over their highest non-empty bins (`best`) finds the
 * first range that can serve, and a binary search finds the range of a block: logarithmic in the number of ranges.
 *
 * Trust. The record is out of reach of an overflow that stays inside the blocks. What lies in free blocks may have been
 * overwritten: a header counts only if its check agrees with it, a footer only if it leads to a header of that size,
 * and a link is written to only if it leads to a block that links back. A header that is none any more is made to
 * disagree with its check, so that stale memory is never taken for one. A free block that fails is reported as damaged
 * and left alone: it is lost, the heap goes on. This finds accidents; whoever wants to forge a header can.
 *
 * Good fit by two-level segregated lists is from TLSF (Masmano, Ripoll, Crespo, Real: "TLSF: a new dynamic memory
 * allocator for real-time systems", 2004); boundary tags are Knuth's; bits out of line instead of headers are ours.
 *
 * Shortcomings. A request that only a block of its own bin would fit sees the first block of that bin alone. Two blocks
 * can never be told apart by more than their place: a stale pointer to a place that is live again frees the new block.
 */
#include <ka/handler.h>

#include "base/mem.h"
#include "engine/region_range.h"

#define ALIGNED_TRIES 4 /* lists that an over-aligned request looks into before it takes one that is sure */

/* ---- alloc ---- */

/* A list whose first block cannot be believed is let go: its blocks are lost until their neighbours take them in. */
static KA_NOINLINE void bin_abandon(ka_region *region, range *r, uint32_t bin)
{
    void *damaged = block_at(r, r->heads[bin]);
    r->heads[bin] = 0;
    bin_mark_empty(r, bin);
    tournament_update(region, r);
    damage_report(region, damaged);
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
        if (KA_LIKELY(block_sound(r, g) && block_links_sound(r, g, *bin)))
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

/* What is to be done for a new live block besides its bits and lists. */
static KA_ALWAYS_INLINE void *block_lend(ka_region *region, const range *r, uint32_t g, uint32_t n)
{
    live_add(region, n);
    return block_at(r, g);
}

static void *block_hand_out(ka_region *region, range *r, uint32_t g, uint32_t n)
{
    tournament_update(region, r);
    return block_lend(region, r, g, n);
}

/* For range_alloc, where the first list has a block that is too small or damaged: the bin of another, or NO_BIN. */
static KA_NOINLINE uint32_t range_skip(ka_region *region, range *r, uint32_t bin)
{
    if (block_sound(r, r->heads[bin]))
        bin++; /* too small; in a higher one every block fits */
    else
        bin_abandon(region, r, bin);
    return bin_find(r, bin);
}

static void *range_alloc(ka_region *region, range *r, uint32_t n)
{
    for (uint32_t bin = bin_find(r, bin_of(n)); KA_LIKELY(bin != NO_BIN); bin = range_skip(region, r, bin)) {
        uint32_t g = r->heads[bin];
        if (KA_LIKELY(block_at(r, g)->size >= n && block_sound(r, g))) {
            uint32_t rest = block_at(r, g)->size - n;
            block_take(region, r, bin, g, n, rest, bin_of(rest));
            return block_hand_out(region, r, g, n);
        }
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
            block_take(region, r, bin, g, n, size - n, bin_of(size - n));
        } else { /* the padding before the block, and what is left behind it, stay free */
            (void)block_remove(region, r, g, size); /* its links were looked at */
            block_insert(region, r, g, lead);
            if (size - lead > n)
                block_insert(region, r, g + lead + n, size - lead - n);
            live_begin(r, g + lead, n);
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

/* The last block of a row, of `more` granules and one at g, becomes a live one. */
static KA_ALWAYS_INLINE void *waiting_lend(ka_region *region, uint32_t *top, uint32_t g, size_t more)
{
    *waiting_at(region, (int32_t)*top) = NO_BLOCK;
    --*top;
    live_add(region, more + 1);
    region->last_down = ~more;
    return region->last = block_at(&region->ranges[0], g);
}

/* The last block of n granules that waits, if its place has the alignment; else NULL. */
static void *waiting_take(ka_region *region, size_t n, size_t align)
{
    if (n > region->rows)
        return NULL;
    uint32_t *top = waiting_top(region, n), g = *waiting_at(region, (int32_t)*top);
    bool fits = g != 0 && (granule_address(&region->ranges[0], g) & (align - 1)) == 0;
    return fits ? waiting_lend(region, top, g, n - 1) : NULL;
}

/* Asks for more memory. Never from within itself; true only if the region has grown. */
static bool region_grow(ka_region *region, size_t size, size_t align, ka_flags flags)
{
    if (region->refill == NULL || region->refilling)
        return false;
    size_t before = region_total(region);
    region->refilling = true;
    bool more = region->refill(region->refill_context, size, align, flags);
    region->refilling = false;
    return more && region_total(region) != before;
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
    open_close(&region->ranges[0]);
    if (region->live > region->crowded_from)
        ka_region_rows_adapt(region);
    void *block = waiting_take(region, n, align);
    if (block == NULL && region->live_blocks == 0)
        (void)ka_region_settle(region); /* an empty heap begins anew */
    while (block == NULL && (block = region_take(region, n, align)) == NULL)
        if (!ka_region_settle(region) && !region_grow(region, size, align, flags))
            return NULL;
    return block;
}

/* The end of the usual request: the first block of a bin has the very size, or what is left of it goes to another
 * list. */
static KA_NOINLINE void *take_whole(ka_region *region, uint32_t n, uint32_t bin, uint32_t g)
{
    block_take(region, &region->ranges[0], bin, g, n, 0, 0);
    return block_lend(region, &region->ranges[0], g, n);
}

static KA_NOINLINE void *take_front(ka_region *region, uint32_t n, uint32_t bin, uint32_t g, uint32_t rest,
                                    uint32_t rest_bin)
{
    block_take(region, &region->ranges[0], bin, g, n, rest, rest_bin);
    return block_lend(region, &region->ranges[0], g, n);
}

/* The front of the open block. */
static KA_NOINLINE void *take_open(ka_region *region, uint32_t n)
{
    range *r = &region->ranges[0];
    uint32_t g = r->open, rest = r->open_size - n;
    bits_take(r, g, n, rest);
    length_flip(r, g, n);
    r->open_size = rest;
    r->open = rest != 0 ? g + n : 0;
    region->free_blocks -= rest == 0;
    return block_lend(region, r, g, n);
}

/* The first block of a list, of which so much is left that it would stay there, becomes the open one. */
static KA_NOINLINE void *take_opening(ka_region *region, uint32_t n, uint32_t bin, uint32_t g)
{
    range *r = &region->ranges[0];
    uint32_t size = block_at(r, g)->size;
    list_pop(r, bin, g);
    open_begin(r, g, size);
    return take_open(region, n);
}

/* One range, no alignment, no block that waits for the size: all that the usual request needs, and no call but the last
 * one. `all`: granules, huge for size 0. */
static KA_NOINLINE void *region_alloc_usual(ka_region *region, size_t size, size_t align, ka_flags flags, size_t all)
{
    range *r = &region->ranges[0];
    if (KA_UNLIKELY(all > region->only_granules || region->live - 1 >= region->crowded_from)) /* or nothing is live */
        return region_alloc_slow(region, size, align, flags);
    uint32_t n = (uint32_t)all, bin = bin_of(n);
    for (;;) {
        bin = bin_find(r, bin);
        if (n <= r->open_size && bin >= bin_of(r->open_size)) /* NO_BIN is above all */
            return take_open(region, n);
        if (KA_UNLIKELY(bin == NO_BIN))
            break;
        uint32_t g = r->heads[bin], size_there = block_at(r, g)->size;
        if (KA_UNLIKELY(!block_sound(r, g)))
            break;
        if (size_there == n)
            return take_whole(region, n, bin, g);
        if (KA_LIKELY(size_there > n)) {
            uint32_t rest = size_there - n, rest_bin = bin_of(rest);
            return rest_bin != bin ? take_front(region, n, bin, g, rest, rest_bin) : take_opening(region, n, bin, g);
        }
        bin++; /* in a higher one every block fits */
    }
    return region_alloc_slow(region, size, align, flags);
}

static KA_ALWAYS_INLINE void *region_alloc(ka_region *region, size_t size, size_t align, ka_flags flags)
{
    size_t more = (size - 1) / KA_REGION_GRANULE; /* granules but the first; huge for size 0 */
    if (KA_UNLIKELY(align != KA_REGION_GRANULE && (align - 1 >= KA_REGION_GRANULE || (align & (align - 1)) != 0)))
        return region_alloc_slow(region, size, align, flags);
    if (more < region->rows) {
        uint32_t *top = waiting_at(region, (ptrdiff_t)~more), g = *waiting_at(region, (int32_t)*top);
        if (g != 0)
            return waiting_lend(region, top, g, more);
    }
    return region_alloc_usual(region, size, align, flags, more + 1);
}

void *ka_region_alloc(ka_region *region, size_t size, size_t align)
{
    return region_alloc(region, size, align, 0);
}

/* ---- free ---- */

/* What is wrong with an address in the range at which no live block starts. */
static ka_misuse misuse_at(const ka_region *region, const range *r, uint32_t g)
{
    uint32_t start = last_start(r, g);
    bool free = is_free_end(r, start) || is_waiting(region, start, live_size(r, start));
    return free ? KA_MISUSE_DOUBLE_FREE : KA_MISUSE_INTERIOR;
}

/* Reports why block_find did not accept a block. */
static KA_NOINLINE void block_refuse(const ka_region *region, const range *r, const void *block, size_t size,
                                     const void *site)
{
    ka_misuse kind = KA_MISUSE_FOREIGN;
    if (r != NULL) {
        uintptr_t offset = (uintptr_t)block - r->base;
        uint32_t g = (uint32_t)(offset / KA_REGION_GRANULE);
        bool starts =
            offset % KA_REGION_GRANULE == 0 && is_live_start(r, g) && !is_waiting(region, g, live_size(r, g));
        kind = starts ? KA_MISUSE_WRONG_SIZE : misuse_at(region, r, g);
    }
    ka_report_misuse(kind, (ka_allocator *)(uintptr_t)&region->allocator, block, size, site);
}

/* A live block of the only range waits, if its row has room. */
typedef enum waits { WAITS, WAITS_NOT, WAITS_ALREADY } waits;

static KA_ALWAYS_INLINE waits block_wait(ka_region *region, uint32_t g, size_t n)
{
    if (n > region->rows)
        return WAITS_NOT;
    uint32_t *last = waiting_last(region, n);
    if (KA_UNLIKELY(row_has(region, last, g)))
        return WAITS_ALREADY;
    if (last[1] == 0)
        return WAITS_NOT;
    last[1] = g;
    ++*waiting_top(region, n);
    region->last_down = 0; /* the room for that one may be gone */
    return WAITS;
}

/* A block that is no longer counted as live waits or is merged. */
static void block_drop(ka_region *region, range *r, uint32_t g, uint32_t n)
{
    length_flip(r, g, n);
    if (region->only_granules == 0)
        ka_region_release(region, r, g, n);
    else if (block_wait(region, g, n) != WAITS)
        ka_region_release_usual(region, g, n);
}

/* A live block, found by its bits, is freed. */
static void block_free(ka_region *region, const range *r, uint32_t g, uint32_t n)
{
    if (block_at(r, g) == region->last)
        region->last_down = 0;
    live_subtract(region, n);
    block_drop(region, (range *)(uintptr_t)r, g, n);
}

static KA_NOINLINE void region_free_slow(ka_region *region, void *block, size_t size, const void *site)
{
    if (block == NULL || size == 0)
        return;
    const range *r = range_of(region, (uintptr_t)block);
    size_t n = (size - 1) / KA_REGION_GRANULE + 1;
    uint32_t g = block_find(region, r, block, n);
    if (KA_LIKELY(g != 0))
        block_free(region, r, g, (uint32_t)n);
    else
        block_refuse(region, r, block, size, site);
}

/* The rest of region_free_usual for a block that does not wait. So little may be live now that more may wait again. */
static KA_NOINLINE void region_free_crowded(ka_region *region, uint32_t g, uint32_t n)
{
    if (region->live < (size_t)region->only_granules * ROOMY)
        ka_region_rows_adapt(region);
    ka_region_release_usual(region, g, n);
}

static KA_NOINLINE void region_free_merging(ka_region *region, uint32_t g, uint32_t n)
{
    live_subtract(region, n);
    if (KA_UNLIKELY(region->crowded))
        region_free_crowded(region, g, n);
    else
        ka_region_release_usual(region, g, n);
}

/* The rest of region_free_usual for a large live block, if it is one: its length proves its size. */
static KA_NOINLINE void region_free_large(ka_region *region, size_t size, uint32_t g, const void *site)
{
    const range *r = &region->ranges[0];
    size_t n = (size - 1) / KA_REGION_GRANULE + 1;
    if (KA_UNLIKELY(length_of(r, g) != n)) {
        region_free_slow(region, block_at(r, g), size, site);
        return;
    }
    length_flip(r, g, (uint32_t)n);
    region_free_merging(region, g, (uint32_t)n);
}

/* The only range: the proof is the same as in block_find. NULL is in no range; n is huge for size 0. */
static KA_NOINLINE void region_free_usual(ka_region *region, void *block, size_t size, const void *site)
{
    const range *r = &region->ranges[0];
    uintptr_t offset = (uintptr_t)block - r->base;
    size_t n = (size - 1) / KA_REGION_GRANULE + 1;
    size_t number = offset >> 4 | offset << (sizeof offset * 8 - 4); /* huge if the block is not aligned */
    if (KA_UNLIKELY(number - 1 >= region->only_granules)) {
        region_free_slow(region, block, size, site);
        return;
    }
    uint32_t g = (uint32_t)number;
    const uint64_t *word = starts_at(r, g); /* is_live_start and starts_behind from one address: 7 instructions */
    uint64_t from = word[0] >> g % 64, behind = from >> 1 | word[2] << (63 - g % 64);
    waits waiting = WAITS_ALREADY;
    if (KA_LIKELY((from & ~(word[1] >> g % 64) & 1) != 0)) { /* a live block starts here */
        if (n >= LARGE && behind == 0) {
            region_free_large(region, size, g, site);
            return;
        }
        /* the first start behind it must be its end */
        if (KA_LIKELY(n < LARGE && (behind & (0 - behind)) == UINT64_C(1) << (n - 1)))
            waiting = block_wait(region, g, n);
    }
    if (KA_LIKELY(waiting == WAITS))
        live_subtract(region, n);
    else if (KA_LIKELY(waiting == WAITS_NOT))
        region_free_merging(region, g, (uint32_t)n);
    else
        region_free_slow(region, block_at(r, g), size, site);
}

/* The block that waited and was handed out last is known to be live, and its row to have room: it needs no proof to
 * wait again. `down`: minus its granules, the index of its row's top. */
static KA_ALWAYS_INLINE bool last_wait(ka_region *region, const void *block, size_t down)
{
    if (block != region->last || down != region->last_down)
        return false;
    region->last_down = 0;
    uint32_t *top = waiting_at(region, (ptrdiff_t)down);
    *waiting_at(region, (ptrdiff_t)(int32_t)*top + 1) =
        (uint32_t)(((uintptr_t)block - region->ranges[0].base) / KA_REGION_GRANULE);
    ++*top;
    live_subtract(region, 0 - down);
    return true;
}

void ka_region_free(ka_region *region, void *block, size_t size, size_t align)
{
    (void)align; /* a region's blocks do not differ by alignment */
    if (!last_wait(region, block, ~((size - 1) / KA_REGION_GRANULE)))
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
        block_free(region, r, g, live_size(r, g));
    else
        block_refuse(region, r, block, 0, KA_RETURN_ADDRESS());
}

/* ---- resize ---- */

static void live_changed(ka_region *region, const range *r, uint32_t old_n, uint32_t new_n)
{
    region->live = region->live - (size_t)old_n * KA_REGION_GRANULE + (size_t)new_n * KA_REGION_GRANULE;
    if (region->live > region->peak)
        region->peak = region->live;
    tournament_update(region, r);
}

/* The end of a live block becomes a block of its own, and is freed. */
static void block_shrink(ka_region *region, range *r, uint32_t g, uint32_t old_n, uint32_t new_n)
{
    length_flip(r, g, old_n);
    length_flip(r, g, new_n);
    live_begin(r, g + new_n, old_n - new_n);
    region->live -= (size_t)(old_n - new_n) * KA_REGION_GRANULE;
    block_drop(region, r, g + new_n, old_n - new_n);
}

/* A live block takes what it needs from the free block behind it. False, and nothing is written, if there is none that
 * suffices and is sound. */
static bool block_extend(ka_region *region, range *r, uint32_t g, uint32_t old_n, uint32_t new_n)
{
    uint32_t end = g + old_n, more = new_n - old_n, behind = is_free_end(r, end) ? size_behind(r, end) : 0;
    if (behind < more)
        return false;
    uint32_t rest = behind - more;
    if (rest != 0 && same_bin(rest, behind)) {
        if (KA_UNLIKELY(!list_replace(r, end, end + more, rest, bin_of(rest))))
            return false;
    } else {
        if (KA_UNLIKELY(!list_remove(r, end, behind)))
            return false;
        if (rest != 0)
            list_push(r, end + more, rest, bin_of(rest));
        else
            region->free_blocks--;
    }
    length_flip(r, g, old_n);
    bits_take(r, end, more, rest);
    start_flip(r, end);
    length_flip(r, g, new_n);
    live_changed(region, r, old_n, new_n);
    return true;
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
    uint32_t before = free_before(r, g), behind = before != 0 ? free_behind(r, g + n) : 0;
    if (before == 0 || before + n + behind < new_n)
        return NULL;
    uint32_t low = g - before, high = g + n + behind, start = high - new_n;
    size_t distance = (granule_address(r, start) & (align - 1)) / KA_REGION_GRANULE;
    if (start - low < distance)
        return NULL;
    uint32_t down = (uint32_t)distance;
    start -= down;
    (void)block_remove(region, r, low, before); /* the links of both were looked at */
    if (behind != 0)
        (void)block_remove(region, r, g + n, behind);
    start_flip(r, g);
    length_flip(r, g, n);
    ka_move((void *)granule_address(r, start), (void *)granule_address(r, g), (size_t)n * KA_REGION_GRANULE);
    live_begin(r, start, new_n);
    if (start != low)
        block_insert(region, r, low, start - low);
    if (down != 0)
        block_insert(region, r, start + new_n, down);
    live_changed(region, r, n, new_n);
    return (void *)granule_address(r, start);
}

/* A block becomes another one, which is live already. */
static void *block_move(ka_region *region, range *r, uint32_t g, uint32_t n, void *to, size_t size)
{
    ka_copy(to, block_at(r, g), size);
    live_subtract(region, n);
    block_drop(region, r, g, n);
    return to;
}

/* What waits right behind is merged. False if nothing does. */
static KA_NOINLINE bool behind_settle(ka_region *region, uint32_t end)
{
    uint32_t n = waiting_behind(region, &region->ranges[0], end);
    if (n != 0)
        ka_region_settle_block(region, end, n);
    return n != 0;
}

/* Without more memory; NULL if that does not suffice. `size`: bytes to keep. */
static KA_NOINLINE void *block_resize(ka_region *region, range *r, uint32_t g, uint32_t old_n, uint32_t new_n,
                                      size_t align, size_t size)
{
    void *block = block_at(r, g), *to;
    bool aligned = ((uintptr_t)block & (align - 1)) == 0;
    if (aligned && new_n < old_n)
        block_shrink(region, r, g, old_n, new_n);
    if (aligned && (new_n <= old_n || block_extend(region, r, g, old_n, new_n)))
        return block;
    if ((to = waiting_take(region, new_n, align)) != NULL)
        return block_move(region, r, g, old_n, to, size);
    if (aligned && region->rows != 0 && behind_settle(region, g + old_n) &&
        block_extend(region, r, g, old_n, new_n))
        return block;
    if (new_n > old_n && (to = block_slide_down(region, r, g, old_n, new_n, align)) != NULL)
        return to;
    if ((to = region_take(region, new_n, align)) != NULL)
        return block_move(region, r, g, old_n, to, size);
    return NULL;
}

static KA_NOINLINE void *region_resize(ka_region *region, void *block, size_t old_size, size_t new_size,
                                       size_t new_align, ka_flags flags, const void *site)
{
    uint32_t old_n = granules_of(old_size), new_n = granules_of(new_size);
    range *r = range_of(region, (uintptr_t)block);
    uint32_t g = block_find(region, r, block, old_n);
    if (KA_UNLIKELY(g == 0)) {
        block_refuse(region, r, block, old_size, site);
        return NULL;
    }
    if (new_n == UINT32_MAX)
        return NULL;
    open_close(&region->ranges[0]);
    region->last_down = 0; /* if it is this block, it will have another size or place */
    void *result;
    while ((result = block_resize(region, r, g, old_n, new_n, new_align, ka_min(old_size, new_size))) == NULL) {
        if (!ka_region_settle(region) && !region_grow(region, new_size, new_align, flags))
            return NULL;
        r = range_of(region, (uintptr_t)block); /* a refill may have changed the ranges */
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
    if (!last_wait(region_of(self), block, ~((size - 1) / KA_REGION_GRANULE)))
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
