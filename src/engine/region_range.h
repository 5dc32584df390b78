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
static KA_ALWAYS_INLINE uint32_t bin_of(uint32_t n)
{
    uint32_t shift = ka_highest_bit(n | 1u << SUB_SHIFT) - SUB_SHIFT;
    return (shift << SUB_SHIFT) + (n >> shift);
}

/* The lowest bin whose blocks all have n granules at least. */
static KA_ALWAYS_INLINE uint32_t bin_sure(uint32_t n)
{
    uint32_t shift = ka_highest_bit(n | 1u << SUB_SHIFT) - SUB_SHIFT;
    return bin_of(n) + ((n & ((1u << shift) - 1)) != 0);
}

/* Granules for a size that ka_layout_valid accepts, or UINT32_MAX if no range can hold them. */
static KA_ALWAYS_INLINE uint32_t granules_of(size_t size)
{
    size_t n = size / KA_REGION_GRANULE + (size % KA_REGION_GRANULE != 0);
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* ---- one range: addresses, bits, lists ---- */

static KA_ALWAYS_INLINE uintptr_t granule_address(const range *r, uint32_t g)
{
    return r->base + (uintptr_t)g * KA_REGION_GRANULE;
}

static KA_ALWAYS_INLINE free_block *block_at(const range *r, uint32_t g)
{
    return (free_block *)granule_address(r, g);
}

static KA_ALWAYS_INLINE footer *block_footer(const range *r, uint32_t end)
{
    return (footer *)(granule_address(r, end) - sizeof(footer));
}

static KA_ALWAYS_INLINE uint64_t granule_bit(uint32_t g)
{
    return UINT64_C(1) << (g % 64);
}

/* Starts of live blocks. */
static KA_ALWAYS_INLINE uint64_t *live_word(const range *r, uint32_t g)
{
    return &r->bits[g / 64 * 2];
}

/* First and last granules of free blocks. */
static KA_ALWAYS_INLINE uint64_t *free_word(const range *r, uint32_t g)
{
    return &r->bits[g / 64 * 2 + 1];
}

static KA_ALWAYS_INLINE bool is_live_start(const range *r, uint32_t g)
{
    return (*live_word(r, g) >> g % 64 & 1) != 0;
}

static KA_ALWAYS_INLINE bool is_free_end(const range *r, uint32_t g)
{
    return (*free_word(r, g) >> g % 64 & 1) != 0;
}

static KA_ALWAYS_INLINE bool is_boundary(const range *r, uint32_t g)
{
    return ((*live_word(r, g) | *free_word(r, g)) >> g % 64 & 1) != 0;
}

/* The first boundary at or behind g, at most `limit`. */
static KA_ALWAYS_INLINE uint32_t next_boundary(const range *r, uint32_t g, uint32_t limit)
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
static KA_ALWAYS_INLINE uint32_t last_boundary(const range *r, uint32_t g)
{
    for (uint32_t at = g;; at = (at & ~UINT32_C(63)) - 1) {
        uint64_t word = (*live_word(r, at) | *free_word(r, at)) << (63 - at % 64);
        if (word != 0)
            return at - (63 - ka_highest_bit(word));
    }
}

/* The granule where the live block at g ends. */
static KA_ALWAYS_INLINE uint32_t live_end(const range *r, uint32_t g)
{
    return next_boundary(r, g + 1, r->granules + 1);
}

/* Whether the live block at g has n granules (n > 0): no boundary inside it, one right behind. */
static KA_ALWAYS_INLINE bool live_size_is(const range *r, uint32_t g, size_t n)
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
static KA_ALWAYS_INLINE bool block_size_sound(const range *r, uint32_t g)
{
    uint32_t size = block_at(r, g)->size;
    return size - 1 <= r->granules - g && is_free_end(r, g + size - 1) && block_footer(r, g + size)->size == size;
}

static KA_ALWAYS_INLINE bool link_leads_to_free(const range *r, uint32_t g)
{
    return g <= r->granules && is_free_end(r, g);
}

static KA_ALWAYS_INLINE bool block_links_sound(const range *r, uint32_t g, uint32_t bin)
{
    const free_block *block = block_at(r, g);
    uint32_t next = block->next, prev = block->prev;
    if (next != 0 && !(link_leads_to_free(r, next) && block_at(r, next)->prev == g))
        return false;
    if (prev == 0)
        return r->heads[bin] == g;
    return link_leads_to_free(r, prev) && block_at(r, prev)->next == g;
}

static KA_ALWAYS_INLINE bool block_sound(const range *r, uint32_t g)
{
    return block_size_sound(r, g) && block_links_sound(r, g, bin_of(block_at(r, g)->size));
}

/* The sizes of the sound free blocks right before and behind a live block; 0 where there is none. */
static KA_ALWAYS_INLINE uint32_t free_behind(const range *r, uint32_t end)
{
    return is_free_end(r, end) && block_sound(r, end) ? block_at(r, end)->size : 0;
}

static KA_ALWAYS_INLINE uint32_t free_before(const range *r, uint32_t g)
{
    if (!is_free_end(r, g - 1))
        return 0;
    uint32_t size = block_footer(r, g)->size;
    bool inside = size - 1 < g - 1 && is_free_end(r, g - size);
    return inside && block_at(r, g - size)->size == size && block_sound(r, g - size) ? size : 0;
}

/* The first bin at or above `bin` that is not empty, or NO_BIN. `bin` is one of the 64 * KA_REGION_MAP_WORDS. */
static KA_ALWAYS_INLINE uint32_t bin_find(const range *r, uint32_t bin)
{
    uint32_t word = bin / 64;
    uint64_t here = r->map[word] >> (bin % 64);
    if (here != 0)
        return bin + ka_lowest_bit(here);
    uint32_t above = r->summary & (~UINT32_C(1) << word);
    if (above == 0)
        return NO_BIN;
    word = ka_lowest_bit(above);
    return word * 64 + ka_lowest_bit(r->map[word]);
}

static KA_ALWAYS_INLINE void bin_mark_empty(range *r, uint32_t bin)
{
    r->map[bin / 64] &= ~(UINT64_C(1) << (bin % 64));
    if (r->map[bin / 64] == 0)
        r->summary = (uint16_t)(r->summary & ~(UINT32_C(1) << (bin / 64)));
}

static KA_ALWAYS_INLINE void bin_mark_filled(range *r, uint32_t bin)
{
    r->map[bin / 64] |= UINT64_C(1) << (bin % 64);
    r->summary = (uint16_t)(r->summary | UINT32_C(1) << (bin / 64));
}

/* Takes a free block of that size out of its list. False, and nothing is written, if one of its links does not lead to a
 * free block that links back. */
static KA_ALWAYS_INLINE bool list_remove(range *r, const range *v, uint32_t g, uint32_t size)
{
    uint32_t next = block_at(v, g)->next, prev = block_at(v, g)->prev;
    if (next != 0 && KA_UNLIKELY(!link_leads_to_free(v, next) || block_at(v, next)->prev != g))
        return false;
    if (prev != 0) {
        if (KA_UNLIKELY(!link_leads_to_free(v, prev) || block_at(v, prev)->next != g))
            return false;
        block_at(v, prev)->next = next;
    } else {
        uint32_t bin = bin_of(size);
        if (KA_UNLIKELY(v->heads[bin] != g))
            return false;
        v->heads[bin] = next;
        if (next == 0)
            bin_mark_empty(r, bin);
    }
    if (next != 0)
        block_at(v, next)->prev = prev;
    return true;
}

static KA_ALWAYS_INLINE void list_push(range *r, const range *v, uint32_t g, uint32_t bin)
{
    uint32_t next = v->heads[bin];
    block_at(v, g)->next = next;
    block_at(v, g)->prev = 0;
    v->heads[bin] = g;
    if (next != 0)
        block_at(v, next)->prev = g;
    else
        bin_mark_filled(r, bin);
}

/* The free block at `from`, in the list of `bin`, now starts at `to`, below it. False, and nothing is written, as in
 * list_remove. */
static KA_ALWAYS_INLINE bool list_replace(const range *v, uint32_t from, uint32_t to, uint32_t bin)
{
    uint32_t next = block_at(v, from)->next, prev = block_at(v, from)->prev;
    if (next != 0 && KA_UNLIKELY(!link_leads_to_free(v, next) || block_at(v, next)->prev != from))
        return false;
    if (prev != 0) {
        if (KA_UNLIKELY(!link_leads_to_free(v, prev) || block_at(v, prev)->next != from))
            return false;
        block_at(v, prev)->next = to;
    } else {
        if (KA_UNLIKELY(v->heads[bin] != from))
            return false;
        v->heads[bin] = to;
    }
    if (next != 0)
        block_at(v, next)->prev = to;
    block_at(v, to)->next = next;
    block_at(v, to)->prev = prev;
    return true;
}

static KA_ALWAYS_INLINE void block_set_size(const range *r, uint32_t g, uint32_t size)
{
    block_at(r, g)->size = size;
    block_footer(r, g + size)->size = size;
}

static KA_ALWAYS_INLINE void block_mark(range *r, uint32_t g, uint32_t size)
{
    *free_word(r, g) |= granule_bit(g);
    *free_word(r, g + size - 1) |= granule_bit(g + size - 1);
}

static KA_ALWAYS_INLINE void block_unmark(range *r, uint32_t g, uint32_t size)
{
    *free_word(r, g) &= ~granule_bit(g);
    *free_word(r, g + size - 1) &= ~granule_bit(g + size - 1);
}

/* A free block comes to be. */
static KA_ALWAYS_INLINE void block_insert(ka_region *region, range *r, uint32_t g, uint32_t size)
{
    block_set_size(r, g, size);
    block_mark(r, g, size);
    list_push(r, r, g, bin_of(size));
    region->free_blocks++;
}

/* A sound free block ceases to be. */
static KA_ALWAYS_INLINE void block_remove(ka_region *region, range *r, uint32_t g, uint32_t size)
{
    (void)list_remove(r, r, g, size);
    block_unmark(r, g, size);
    region->free_blocks--;
}

/* Bits of a block of n granules that is taken from the front of a free one; `rest` granules stay free. Both words are
 * read and written once where the block lies in one pair. */
static KA_ALWAYS_INLINE void bits_take(const range *r, uint32_t g, uint32_t n, uint32_t rest)
{
    uint64_t *pair = live_word(r, g), first = granule_bit(g);
    if (KA_LIKELY(g % 64 + n < 64)) {
        uint64_t free = pair[1] & ~first;
        pair[0] |= first;
        pair[1] = rest != 0 ? free | first << n : free & ~(first << (n - 1));
        return;
    }
    pair[0] |= first;
    pair[1] &= ~first;
    if (rest != 0)
        *free_word(r, g + n) |= granule_bit(g + n);
    else
        *free_word(r, g + n - 1) &= ~granule_bit(g + n - 1);
}

/* Bits of n granules that become free, together with free blocks of `prev` and `next` granules around them (0: none).
 * A live block may begin at g. */
static KA_ALWAYS_INLINE void bits_release(const range *r, uint32_t g, uint32_t n, uint32_t prev, uint32_t next)
{
    uint64_t *pair = live_word(r, g), first = granule_bit(g);
    if (KA_LIKELY(g % 64 != 0 && g % 64 + n < 64)) {
        uint64_t free = pair[1];
        free = prev == 0 ? free | first : prev > 1 ? free & ~(first >> 1) : free;
        uint64_t last = first << (n - 1);
        free = next == 0 ? free | last : next > 1 ? free & ~(last << 1) : free;
        pair[0] &= ~first;
        pair[1] = free;
        return;
    }
    pair[0] &= ~first;
    if (prev == 0)
        pair[1] |= first;
    else if (prev > 1)
        *free_word(r, g - 1) &= ~granule_bit(g - 1);
    if (next == 0)
        *free_word(r, g + n - 1) |= granule_bit(g + n - 1);
    else if (next > 1)
        *free_word(r, g + n) &= ~granule_bit(g + n);
}

/* 1 + the highest bin that is not empty, or 0. */
static KA_ALWAYS_INLINE uint16_t range_top(const range *r)
{
    if (r->summary == 0)
        return 0;
    uint32_t word = ka_highest_bit(r->summary);
    return (uint16_t)(word * 64 + ka_highest_bit(r->map[word]) + 1);
}

/* Leaves of the tournament over the ranges: a power of two. */
static KA_ALWAYS_INLINE uint32_t leaf_count(const ka_region *region)
{
    uint32_t leaves = 1;
    while (leaves < region->range_count)
        leaves *= 2;
    return leaves;
}

/* ---- several ranges ---- */

/* Plays the range's matches again after its lists have changed. */
static inline void tournament_update(ka_region *region, const range *r)
{
    if (region->range_count == 1)
        return;
    uint32_t at = leaf_count(region) + (uint32_t)(r - region->ranges);
    uint16_t top = range_top(r);
    while (region->best[at] != top) {
        region->best[at] = top;
        if (at == 1)
            return;
        top = (uint16_t)ka_max(region->best[at], region->best[at ^ 1]);
        at /= 2;
    }
}

static inline void tournament_build(ka_region *region)
{
    uint32_t leaves = leaf_count(region);
    for (uint32_t i = 0; i < leaves; i++)
        region->best[leaves + i] = i < region->range_count ? range_top(&region->ranges[i]) : 0;
    for (uint32_t at = leaves - 1; at > 0; at--)
        region->best[at] = (uint16_t)ka_max(region->best[2 * at], region->best[2 * at + 1]);
}

/* The lowest range with a block in `bin` or above; NULL if there is none. */
static inline range *tournament_find(ka_region *region, uint32_t bin)
{
    if (region->range_count <= 1)
        return region->ranges[0].granules != 0 ? &region->ranges[0] : NULL;
    if (region->best[1] <= bin)
        return NULL;
    uint32_t leaves = leaf_count(region);
    uint32_t at = 1;
    while (at < leaves) {
        at *= 2;
        at += region->best[at] <= bin;
    }
    return &region->ranges[at - leaves];
}

/* The range with this address between its first granule and its record; NULL if there is none. */
static inline range *range_of(const ka_region *region, uintptr_t address)
{
    uint32_t at = 0;
    for (uint32_t count = region->range_count; count > 1;) {
        uint32_t half = count / 2;
        if (address > region->ranges[at + half].base)
            at += half;
        count -= half;
    }
    const range *r = &region->ranges[at];
    bool inside = address - r->base - KA_REGION_GRANULE < (uintptr_t)r->granules * KA_REGION_GRANULE;
    return inside ? (range *)(uintptr_t)r : NULL;
}

/* ---- merging ---- */

/* The size of the free block that ends right before g, or 0 if header, footer and bits do not agree. */
static KA_ALWAYS_INLINE uint32_t size_before(const range *r, uint32_t g)
{
    uint32_t size = block_footer(r, g)->size, start = g - size;
    bool sound = size - 1 < g - 1 && is_free_end(r, start) && block_at(r, start)->size == size;
    return KA_LIKELY(sound) ? size : 0;
}

static KA_ALWAYS_INLINE uint32_t size_behind(const range *r, uint32_t end)
{
    return KA_LIKELY(block_size_sound(r, end)) ? block_at(r, end)->size : 0;
}

/* Takes the free block of `next` granules at `end` out of its list for the granules from g before it, or gives them its
 * place there if they are all that joins it. False if its links are damaged. */
static KA_ALWAYS_INLINE bool join_behind(range *r, const range *v, uint32_t g, uint32_t end, uint32_t next, bool alone,
                                         bool *placed)
{
    uint32_t bin;
    if (alone && (bin = bin_of(end - g + next)) == bin_of(next))
        return *placed = list_replace(v, end, g, bin);
    return list_remove(r, v, end, next);
}

/* Makes granules that belong to nobody free, merged with the neighbours that are said to be. Returns a neighbour that
 * is damaged, or NULL. */
static KA_ALWAYS_INLINE const void *granules_join(ka_region *region, range *r, const range *v, uint32_t g, uint32_t n,
                                                  bool before, bool behind)
{
    const void *damaged = NULL;
    uint32_t prev = 0, next = 0, end = g + n;
    bool placed = false; /* in a list */
    if (before && (prev = size_before(v, g)) == 0)
        damaged = block_at(v, g - 1);
    if (behind) {
        next = size_behind(v, end);
        if (KA_UNLIKELY(next == 0 || !join_behind(r, v, g, end, next, prev == 0, &placed))) {
            damaged = block_at(v, end);
            next = 0;
        }
    }
    uint32_t all = prev + n + next, bin = bin_of(all);
    if (prev != 0) {
        if (bin_of(prev) == bin) {
            placed = true; /* it stays where it is and grows */
        } else if (KA_UNLIKELY(!list_remove(r, v, g - prev, prev))) {
            damaged = block_at(v, g - 1);
            all -= prev;
            bin = bin_of(all);
            prev = 0;
        }
    }
    bits_release(v, g, n, prev, next);
    uint32_t start = g - prev;
    block_set_size(v, start, all);
    if (!placed)
        list_push(r, v, start, bin);
    region->free_blocks += (size_t)1 - (prev != 0) - (next != 0);
    return damaged;
}

#endif
