/* engine/region_range.h: one range of a region: its granules, bits, lists and free blocks. Private to the region
 * engine; the theory is at the head of region.c.
 */
#ifndef KA_ENGINE_REGION_RANGE_H
#define KA_ENGINE_REGION_RANGE_H

#include <ka/region.h>

#include "base/bits.h"
#include "base/math.h"

#define SUB_SHIFT 4 /* 16 bins for each doubling */
#define NO_BIN    0xffffu

typedef ka_region_range range;

/* The first granule of a free block. */
typedef struct KA_PRIM_ALIASING free_block {
    uint32_t next, prev; /* granule numbers; 0: none */
    uint32_t size;
} free_block;

typedef struct KA_PRIM_ALIASING footer {
    uint32_t size;
} footer;

/* ---- sizes and bins ---- */

/* The bin of blocks of n granules. Bin b holds sizes from bin_floor(b) up to the next bin's. */
static inline uint32_t bin_of(uint32_t n)
{
    uint32_t shift = ka_highest_bit(n | 1u << SUB_SHIFT) - SUB_SHIFT;
    return (shift << SUB_SHIFT) + (n >> shift);
}

/* The lowest bin whose blocks all have n granules at least. */
static inline uint32_t bin_sure(uint32_t n)
{
    uint32_t shift = ka_highest_bit(n | 1u << SUB_SHIFT) - SUB_SHIFT;
    return bin_of(n) + ((n & ((1u << shift) - 1)) != 0);
}

/* Granules for a size that ka_layout_valid accepts, or UINT32_MAX if no range can hold them. */
static inline uint32_t granules_of(size_t size)
{
    size_t n = size / KA_REGION_GRANULE + (size % KA_REGION_GRANULE != 0);
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* ---- one range: addresses, bits, lists ---- */

static inline uintptr_t granule_address(const range *r, uint32_t g)
{
    return r->base + (uintptr_t)g * KA_REGION_GRANULE;
}

static inline free_block *block_at(const range *r, uint32_t g)
{
    return (free_block *)granule_address(r, g);
}

static inline footer *block_footer(const range *r, uint32_t end)
{
    return (footer *)(granule_address(r, end) - sizeof(footer));
}

static inline uint64_t granule_bit(uint32_t g)
{
    return UINT64_C(1) << (g % 64);
}

/* Starts of live blocks. */
static inline uint64_t *live_word(const range *r, uint32_t g)
{
    return &r->bits[g / 64 * 2];
}

/* First and last granules of free blocks. */
static inline uint64_t *free_word(const range *r, uint32_t g)
{
    return &r->bits[g / 64 * 2 + 1];
}

static inline bool is_live_start(const range *r, uint32_t g)
{
    return (*live_word(r, g) & granule_bit(g)) != 0;
}

static inline bool is_free_end(const range *r, uint32_t g)
{
    return (*free_word(r, g) & granule_bit(g)) != 0;
}

static inline bool is_boundary(const range *r, uint32_t g)
{
    return ((*live_word(r, g) | *free_word(r, g)) & granule_bit(g)) != 0;
}

/* The first boundary at or behind g, at most `limit`. */
static inline uint32_t next_boundary(const range *r, uint32_t g, uint32_t limit)
{
    uint32_t at = g;
    while (at < limit) {
        uint64_t word = (*live_word(r, at) | *free_word(r, at)) >> (at % 64);
        if (word != 0)
            return (uint32_t)ka_min(at + ka_lowest_bit(word), limit);
        at = (at | 63) + 1;
    }
    return limit;
}

/* The last boundary at or before g. Granule 1 is always one. */
static inline uint32_t last_boundary(const range *r, uint32_t g)
{
    for (uint32_t at = g;; at = (at & ~UINT32_C(63)) - 1) {
        uint64_t word = (*live_word(r, at) | *free_word(r, at)) << (63 - at % 64);
        if (word != 0)
            return at - (63 - ka_highest_bit(word));
    }
}

/* The granule where the live block at g ends. */
static inline uint32_t live_end(const range *r, uint32_t g)
{
    return next_boundary(r, g + 1, r->granules + 1);
}

/* Whether the live block at g has n granules (n > 0): no boundary inside it, one right behind. */
static inline bool live_size_is(const range *r, uint32_t g, size_t n)
{
    uint32_t bit = g % 64;
    if (KA_LIKELY(n < 64 - bit)) { /* all in one word; the bit behind the range's last granule is set */
        uint64_t behind = (*live_word(r, g) | *free_word(r, g)) >> bit >> 1;
        return behind << (64 - n) == UINT64_C(1) << 63;
    }
    if (n > r->granules - g + 1)
        return false;
    uint32_t end = g + (uint32_t)n;
    return is_boundary(r, end) && next_boundary(r, g + 1, end) == end;
}

/* Whether the granule starts a free block whose size its bits and its footer confirm. */
static inline bool block_size_sound(const range *r, uint32_t g)
{
    uint32_t size = block_at(r, g)->size;
    return size - 1 <= r->granules - g && is_free_end(r, g + size - 1) && block_footer(r, g + size)->size == size;
}

static inline bool link_leads_to_free(const range *r, uint32_t g)
{
    return g <= r->granules && is_free_end(r, g);
}

static inline bool block_links_sound(const range *r, uint32_t g, uint32_t bin)
{
    const free_block *block = block_at(r, g);
    uint32_t next = block->next, prev = block->prev;
    if (next != 0 && !(link_leads_to_free(r, next) && block_at(r, next)->prev == g))
        return false;
    if (prev == 0)
        return r->heads[bin] == g;
    return link_leads_to_free(r, prev) && block_at(r, prev)->next == g;
}

static inline bool block_sound(const range *r, uint32_t g)
{
    return block_size_sound(r, g) && block_links_sound(r, g, bin_of(block_at(r, g)->size));
}

/* The sizes of the sound free blocks right before and behind a live block; 0 where there is none. */
static inline uint32_t free_behind(const range *r, uint32_t end)
{
    return is_free_end(r, end) && block_sound(r, end) ? block_at(r, end)->size : 0;
}

static inline uint32_t free_before(const range *r, uint32_t g)
{
    if (!is_free_end(r, g - 1))
        return 0;
    uint32_t size = block_footer(r, g)->size;
    bool inside = size - 1 < g - 1 && is_free_end(r, g - size);
    return inside && block_at(r, g - size)->size == size && block_sound(r, g - size) ? size : 0;
}

/* The first bin at or above `bin` that is not empty, or NO_BIN. */
static inline uint32_t bin_find(const range *r, uint32_t bin)
{
    uint32_t word = bin / 64;
    if (word >= KA_REGION_MAP_WORDS)
        return NO_BIN;
    uint64_t here = r->map[word] >> (bin % 64);
    if (here != 0)
        return bin + ka_lowest_bit(here);
    uint32_t above = r->summary & (~UINT32_C(1) << word);
    if (above == 0)
        return NO_BIN;
    word = ka_lowest_bit(above);
    return word * 64 + ka_lowest_bit(r->map[word]);
}

static inline void bin_mark_empty(range *r, uint32_t bin)
{
    r->map[bin / 64] &= ~(UINT64_C(1) << (bin % 64));
    if (r->map[bin / 64] == 0)
        r->summary &= ~(UINT32_C(1) << (bin / 64));
}

static inline void bin_mark_filled(range *r, uint32_t bin)
{
    r->map[bin / 64] |= UINT64_C(1) << (bin % 64);
    r->summary |= UINT32_C(1) << (bin / 64);
}

/* Takes a block with sound links out of its list. */
static inline void list_remove(range *r, uint32_t g, uint32_t bin)
{
    uint32_t next = block_at(r, g)->next, prev = block_at(r, g)->prev;
    if (next != 0)
        block_at(r, next)->prev = prev;
    if (prev != 0)
        block_at(r, prev)->next = next;
    else if ((r->heads[bin] = next) == 0)
        bin_mark_empty(r, bin);
}

static inline void list_push(range *r, uint32_t g, uint32_t bin)
{
    uint32_t next = r->heads[bin];
    block_at(r, g)->next = next;
    block_at(r, g)->prev = 0;
    r->heads[bin] = g;
    if (next != 0)
        block_at(r, next)->prev = g;
    else
        bin_mark_filled(r, bin);
}

/* The block at `from`, in a list, now starts at `to`. */
static inline void list_replace(range *r, uint32_t from, uint32_t to, uint32_t bin)
{
    uint32_t next = block_at(r, from)->next, prev = block_at(r, from)->prev;
    block_at(r, to)->next = next;
    block_at(r, to)->prev = prev;
    if (next != 0)
        block_at(r, next)->prev = to;
    if (prev != 0)
        block_at(r, prev)->next = to;
    else
        r->heads[bin] = to;
}

static inline void block_set_size(range *r, uint32_t g, uint32_t size)
{
    block_at(r, g)->size = size;
    block_footer(r, g + size)->size = size;
}

static inline void block_mark(range *r, uint32_t g, uint32_t size)
{
    *free_word(r, g) |= granule_bit(g);
    *free_word(r, g + size - 1) |= granule_bit(g + size - 1);
}

static inline void block_unmark(range *r, uint32_t g, uint32_t size)
{
    *free_word(r, g) &= ~granule_bit(g);
    *free_word(r, g + size - 1) &= ~granule_bit(g + size - 1);
}

/* A free block comes to be, or ceases to be. */
static inline void block_insert(ka_region *region, range *r, uint32_t g, uint32_t size)
{
    block_set_size(r, g, size);
    block_mark(r, g, size);
    list_push(r, g, bin_of(size));
    region->free_blocks++;
}

static inline void block_remove(ka_region *region, range *r, uint32_t g, uint32_t size)
{
    list_remove(r, g, bin_of(size));
    block_unmark(r, g, size);
    region->free_blocks--;
}

/* Takes n granules from the front of a sound free block of `size`, which is in the bin. */
static inline void block_take_front(ka_region *region, range *r, uint32_t g, uint32_t size, uint32_t n,
                                    uint32_t old_bin)
{
    uint32_t rest = size - n;
    if (rest == 0) {
        list_remove(r, g, old_bin);
        block_unmark(r, g, size);
        region->free_blocks--;
        return;
    }
    uint32_t new_bin = bin_of(rest);
    *free_word(r, g) &= ~granule_bit(g);
    *free_word(r, g + n) |= granule_bit(g + n);
    if (old_bin == new_bin) {
        list_replace(r, g, g + n, old_bin);
    } else {
        list_remove(r, g, old_bin);
        list_push(r, g + n, new_bin);
    }
    block_set_size(r, g + n, rest);
}

/* 1 + the highest bin that is not empty, or 0. */
static inline uint16_t range_top(const range *r)
{
    if (r->summary == 0)
        return 0;
    uint32_t word = ka_highest_bit(r->summary);
    return (uint16_t)(word * 64 + ka_highest_bit(r->map[word]) + 1);
}

/* Leaves of the tournament over the ranges: a power of two. */
static inline uint32_t leaf_count(const ka_region *region)
{
    uint32_t leaves = 1;
    while (leaves < region->range_count)
        leaves *= 2;
    return leaves;
}

#endif
