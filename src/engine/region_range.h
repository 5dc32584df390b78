/* engine/region_range.h: one range of a region: its granules, bits, lists and free blocks. Private to the region
 * engine; the theory is at the head of region.c.
 */
#ifndef KA_ENGINE_REGION_RANGE_H
#define KA_ENGINE_REGION_RANGE_H

#include <ka/handler.h>
#include <ka/region.h>

#include "base/bits.h"
#include "base/math.h"

#define SUB_SHIFT  4 /* 16 bins for each doubling */
#define NO_BIN     0xffffu
#define WAITING    64    /* granules of the largest block that may wait */
#define DEEP_ROW   8     /* numbers in a row of a large range: 7 blocks wait */
#define FLAT_ROW   2     /* and of a small one */
#define DEEP_RANGE 32768 /* granules from which on a range is large */
#define DEEP_SHARE 512   /* one of so many granules is the most that waits of a size, if that is not one block */
#define FLAT_SHARE 16384 /* the same in a crowded range */
#define CROWDED    10    /* live bytes for each granule from which on a range is crowded */
#define ROOMY      9     /* and below which it is not any more */
#define NO_BLOCK   UINT32_MAX /* in a place where none waits */
#define LONG       512   /* granules; a free block from here on is opened when it grows downwards */
#define LARGE      65    /* granules; a live block from here on has its length beside its bits */
#define CHECK_KEY  UINT32_C(0x9e3779b9)

_Static_assert(WAITING < LARGE, "what waits is proved by its bits alone");

typedef ka_region_range range;

/* The first granule of a free block. The last four bytes of its last granule are its size, too: in a block of one
 * granule that is the same place. */
typedef struct KA_PRIM_ALIASING free_block {
    uint32_t next, prev; /* granule numbers; 0: none */
    uint32_t check;      /* see check_of */
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

/* The length of `heads` in a range of so many granules. */
static KA_ALWAYS_INLINE uint32_t bin_count(uint32_t granules)
{
    return bin_of(granules) + 1;
}

/* Bytes claimed: from the first granule to the end of the record, which `heads` are the last of, and the rest. */
static inline size_t range_size(const range *r)
{
    uintptr_t end = ka_round_up((uintptr_t)(r->heads + bin_count(r->granules)), sizeof(uint64_t));
    return end - (r->base + KA_REGION_GRANULE) + r->rest;
}

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

/* The two words of bits for the 64 granules around g: starts, ends. Each word is only read and written as a whole: what
 * overlaps a part of a newer write would wait until that is in the cache. */
static KA_ALWAYS_INLINE uint64_t *starts_at(const range *r, uint32_t g)
{
    return r->bits + g / 64 * 2;
}

static KA_ALWAYS_INLINE uint64_t *ends_at(const range *r, uint32_t g)
{
    return r->bits + g / 64 * 2 + 1;
}

static KA_ALWAYS_INLINE void start_flip(const range *r, uint32_t g)
{
    *starts_at(r, g) ^= UINT64_C(1) << g % 64;
}

/* if: 1, or 0 for nothing */
static KA_ALWAYS_INLINE void end_flip_if(const range *r, uint32_t g, bool flips)
{
    *ends_at(r, g) ^= (uint64_t)flips << g % 64;
}

static KA_ALWAYS_INLINE void end_flip(const range *r, uint32_t g)
{
    end_flip_if(r, g, true);
}

/* A block starts here, live or free; or the range ends here. */
static KA_ALWAYS_INLINE bool is_start(const range *r, uint32_t g)
{
    return (*starts_at(r, g) >> g % 64 & 1) != 0;
}

/* The first or last granule of a free block, if it is the first or last granule of any. */
static KA_ALWAYS_INLINE bool is_free_end(const range *r, uint32_t g)
{
    return (*ends_at(r, g) >> g % 64 & 1) != 0;
}

static KA_ALWAYS_INLINE bool is_live_start(const range *r, uint32_t g)
{
    return is_start(r, g) && !is_free_end(r, g);
}

/* The first start at or behind g, at most `limit`. */
static inline uint32_t next_start(const range *r, uint32_t g, uint32_t limit)
{
    for (uint32_t at = g; at < limit; at = (at | 63) + 1) {
        uint64_t word = *starts_at(r, at) >> at % 64;
        if (word != 0)
            return (uint32_t)ka_min(at + ka_lowest_bit(word), limit);
    }
    return limit;
}

/* The last start at or before g. Granule 1 is always one. */
static inline uint32_t last_start(const range *r, uint32_t g)
{
    for (uint32_t at = g;; at = (at & ~UINT32_C(63)) - 1) {
        uint64_t word = *starts_at(r, at) << (63 - at % 64);
        if (word != 0)
            return at - (63 - ka_highest_bit(word));
    }
}

/* The 64 bits of starts behind g. */
static KA_ALWAYS_INLINE uint64_t starts_behind(const range *r, uint32_t g)
{
    const uint64_t *word = starts_at(r, g);
    return word[0] >> g % 64 >> 1 | word[2] << (63 - g % 64);
}

/* A live block of LARGE granules or more has its length in half a word of `ends`: the first half of which all granules
 * lie inside the block, where bits say nothing else. */
static KA_ALWAYS_INLINE void length_flip(const range *r, uint32_t g, uint32_t n)
{
    uint32_t half = g / 32 + 1;
    if (KA_UNLIKELY(n >= LARGE))
        *ends_at(r, half * 32) ^= (uint64_t)n << half % 2 * 32;
}

static KA_ALWAYS_INLINE uint32_t length_of(const range *r, uint32_t g)
{
    uint32_t half = g / 32 + 1;
    return (uint32_t)(*ends_at(r, half * 32) >> half % 2 * 32);
}

/* Granules of the live block at g. */
static KA_ALWAYS_INLINE uint32_t live_size(const range *r, uint32_t g)
{
    uint64_t behind = starts_behind(r, g);
    return behind != 0 ? ka_lowest_bit(behind) + 1 : length_of(r, g);
}

/* What stands in `check`: its own place, too, so that neither a copy nor a constant passes for a header. */
static KA_ALWAYS_INLINE uint32_t check_of(const free_block *block, uint32_t g)
{
    return block->next ^ block->prev ^ block->size ^ g ^ CHECK_KEY;
}

/* Whether what lies at g is the header of a free block as it was written. */
static KA_ALWAYS_INLINE bool block_sound(const range *r, uint32_t g)
{
    const free_block *block = block_at(r, g);
    return block->check == check_of(block, g);
}

/* What was a header can no longer be taken for one. */
static KA_ALWAYS_INLINE void block_wipe(const range *r, uint32_t g)
{
    block_at(r, g)->check ^= UINT32_MAX;
}

static KA_ALWAYS_INLINE bool block_links_sound(const range *r, uint32_t g, uint32_t bin)
{
    const free_block *block = block_at(r, g);
    uint32_t next = block->next, prev = block->prev;
    if (next > r->granules || prev > r->granules || (next != 0 && block_at(r, next)->prev != g))
        return false;
    return prev == 0 ? r->heads[bin] == g : block_at(r, prev)->next == g;
}

/* The size of the free block that ends right before g, or 0 if header and footer are not as they were written. */
static KA_ALWAYS_INLINE uint32_t size_before(const range *r, uint32_t g)
{
    uint32_t size = block_footer(r, g)->size;
    bool sound = size - 1 < g - 1 && block_sound(r, g - size) && block_at(r, g - size)->size == size;
    return KA_LIKELY(sound) ? size : 0;
}

static KA_ALWAYS_INLINE uint32_t size_behind(const range *r, uint32_t end)
{
    return KA_LIKELY(block_sound(r, end)) ? block_at(r, end)->size : 0;
}

/* The sizes of the free blocks right before and behind a live block, if they can be removed; 0 where there is none. */
static inline uint32_t free_behind(const range *r, uint32_t end)
{
    if (end == r->open)
        return r->open_size;
    uint32_t size = is_free_end(r, end) ? size_behind(r, end) : 0;
    return size != 0 && block_links_sound(r, end, bin_of(size)) ? size : 0;
}

static inline uint32_t free_before(const range *r, uint32_t g)
{
    if (g == r->open + r->open_size)
        return r->open_size;
    uint32_t size = is_free_end(r, g - 1) ? size_before(r, g) : 0;
    return size != 0 && block_links_sound(r, g - size, bin_of(size)) ? size : 0;
}

/* ---- blocks that wait: live by their bits, and free ---- */

/* The numbers of what waits lie below `heads`, at negative indices. heads[-n], for n up to region->rows, is the index
 * of the block of n granules that came last: its top. Below these are a 0, and a row for each n, whose first number is
 * always 0. A row that is less deep than others begins higher: there is a 0 below the block that came first, and one
 * behind the last place, which is the next row's. */
static KA_ALWAYS_INLINE uint32_t *waiting_at(const ka_region *region, ptrdiff_t index)
{
    return region->ranges[0].heads + index;
}

static KA_ALWAYS_INLINE uint32_t *waiting_top(const ka_region *region, size_t n)
{
    return waiting_at(region, -(ptrdiff_t)n);
}

/* The block of n granules that came last: its place. */
static KA_ALWAYS_INLINE uint32_t *waiting_last(const ka_region *region, size_t n)
{
    return waiting_at(region, (int32_t)*waiting_top(region, n));
}

static KA_ALWAYS_INLINE ptrdiff_t row_index(const ka_region *region, size_t n)
{
    return -(ptrdiff_t)(region->rows + 1 + n * region->row_length);
}

static KA_ALWAYS_INLINE const uint32_t *waiting_row(const ka_region *region, size_t n)
{
    return waiting_at(region, row_index(region, n));
}

/* Whether the granule is in the row that ends at `last`, or among the numbers below: there is more of the record. Who
 * needs to know for sure asks is_waiting. */
static KA_ALWAYS_INLINE bool row_has(const ka_region *region, const uint32_t *last, uint32_t g)
{
    _Static_assert(FLAT_ROW == 2 && DEEP_ROW == 8, "all their places are compared");
    if (region->row_length == FLAT_ROW)
        return last[0] == g;
    return last[0] == g || last[-1] == g || last[-2] == g || last[-3] == g || last[-4] == g || last[-5] == g ||
           last[-6] == g;
}

/* No other block starts at a granule than the one whose size its bits tell, so it can be in no other size's row. */
static KA_ALWAYS_INLINE bool is_waiting(const ka_region *region, uint32_t g, uint32_t n)
{
    return n <= region->rows && row_has(region, waiting_row(region, n) + region->row_length - 1, g);
}

/* Where the block starts that ends before g, if it may wait; 0 if its start is too far away. */
static inline uint32_t start_before(const range *r, uint32_t g)
{
    uint32_t at = g - 1, word = at / 64;
    uint64_t bits = *starts_at(r, at) << (63 - at % 64);
    if (bits != 0)
        return at - 63 + ka_highest_bit(bits);
    bits = word != 0 ? *starts_at(r, at - 64) : 0;
    return bits != 0 ? word * 64 - 64 + ka_highest_bit(bits) : 0;
}

/* The granules of a block that waits right behind, or right before; 0 if none does. */
static inline uint32_t waiting_behind(const ka_region *region, const range *r, uint32_t end)
{
    uint32_t n = is_live_start(r, end) && end <= r->granules ? live_size(r, end) : UINT32_MAX;
    return is_waiting(region, end, n) ? n : 0;
}

static inline uint32_t waiting_before(const ka_region *region, const range *r, uint32_t g)
{
    uint32_t start = start_before(r, g);
    return start != 0 && is_live_start(r, start) && is_waiting(region, start, g - start) ? g - start : 0;
}

/* ---- lists ---- */

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

/* A link of a sound block changes: its check changes alike. */
static KA_ALWAYS_INLINE void next_change(free_block *block, uint32_t from, uint32_t to)
{
    block->next = to;
    block->check ^= from ^ to;
}

static KA_ALWAYS_INLINE void prev_change(free_block *block, uint32_t from, uint32_t to)
{
    block->prev = to;
    block->check ^= from ^ to;
}

/* Whether blocks of so many granules share a bin. */
static KA_ALWAYS_INLINE bool same_bin(uint32_t size, uint32_t larger)
{
    uint32_t shift = ka_highest_bit(larger | 1u << SUB_SHIFT) - SUB_SHIFT;
    return size >> shift == larger >> shift;
}

/* Takes a sound free block of that size out of its list: its header is none any more. False, and nothing is written, if
 * a neighbour there does not link back. */
static KA_ALWAYS_INLINE bool list_remove(range *r, uint32_t g, uint32_t size)
{
    free_block *block = block_at(r, g);
    uint32_t next = block->next, prev = block->prev;
    if (next != 0 && KA_UNLIKELY(block_at(r, next)->prev != g))
        return false;
    if (prev != 0) {
        if (KA_UNLIKELY(block_at(r, prev)->next != g))
            return false;
        next_change(block_at(r, prev), g, next);
    } else {
        uint32_t bin = bin_of(size);
        if (KA_UNLIKELY(r->heads[bin] != g))
            return false;
        r->heads[bin] = next;
        if (next == 0)
            bin_mark_empty(r, bin);
    }
    if (next != 0)
        prev_change(block_at(r, next), g, prev);
    block_wipe(r, g);
    return true;
}

/* Writes the header of a free block, and makes it the first of a list. */
static KA_ALWAYS_INLINE void list_push(range *r, uint32_t g, uint32_t size, uint32_t bin)
{
    free_block *block = block_at(r, g);
    uint32_t next = r->heads[bin];
    block->next = next;
    block->prev = 0;
    block->check = next ^ size ^ g ^ CHECK_KEY;
    block->size = size;
    block_footer(r, g + size)->size = size;
    r->heads[bin] = g;
    if (next != 0)
        prev_change(block_at(r, next), 0, g);
    else
        bin_mark_filled(r, bin);
}

/* The sound free block at `from`, in the list of `bin`, becomes one of `size` granules at `to`, in the same list.
 * False, and nothing is written, as in list_remove. */
static KA_ALWAYS_INLINE bool list_replace(range *r, uint32_t from, uint32_t to, uint32_t size, uint32_t bin)
{
    free_block *old = block_at(r, from), *block = block_at(r, to);
    uint32_t next = old->next, prev = old->prev;
    if (next != 0 && KA_UNLIKELY(block_at(r, next)->prev != from))
        return false;
    if (prev != 0) {
        if (KA_UNLIKELY(block_at(r, prev)->next != from))
            return false;
        next_change(block_at(r, prev), from, to);
    } else {
        if (KA_UNLIKELY(r->heads[bin] != from))
            return false;
        r->heads[bin] = to;
    }
    if (next != 0)
        prev_change(block_at(r, next), from, to);
    block_wipe(r, from);
    block->next = next;
    block->prev = prev;
    block->check = next ^ prev ^ size ^ to ^ CHECK_KEY;
    block->size = size;
    block_footer(r, to + size)->size = size;
    return true;
}

/* A sound free block grows or shrinks at its end, and keeps its place in its list. */
static KA_ALWAYS_INLINE void block_change_size(const range *r, uint32_t g, uint32_t from, uint32_t to)
{
    block_at(r, g)->check ^= from ^ to;
    block_at(r, g)->size = to;
    block_footer(r, g + to)->size = to;
}

/* The bits of a free block's first and last granule. */
static KA_ALWAYS_INLINE void ends_flip(const range *r, uint32_t g, uint32_t size)
{
    end_flip(r, g);
    end_flip_if(r, g + size - 1, size > 1);
}

/* A free block comes to be. */
static KA_ALWAYS_INLINE void block_insert(ka_region *region, range *r, uint32_t g, uint32_t size)
{
    start_flip(r, g);
    ends_flip(r, g, size);
    list_push(r, g, size, bin_of(size));
    region->free_blocks++;
}

/* A sound free block ceases to be: its granules belong to nobody. False as in list_remove. */
static KA_ALWAYS_INLINE bool block_remove(ka_region *region, range *r, uint32_t g, uint32_t size)
{
    if (KA_UNLIKELY(!list_remove(r, g, size)))
        return false;
    start_flip(r, g);
    ends_flip(r, g, size);
    region->free_blocks--;
    return true;
}

/* Granules that belong to nobody become a live block. */
static KA_ALWAYS_INLINE void live_begin(const range *r, uint32_t g, uint32_t n)
{
    start_flip(r, g);
    length_flip(r, g, n);
}

/* The bits of n granules that are taken from the front of a free block, but where one starts there; `rest` granules
 * stay free. */
static KA_ALWAYS_INLINE void bits_take(const range *r, uint32_t g, uint32_t n, uint32_t rest)
{
    end_flip(r, g);
    if (rest == 0) {
        end_flip_if(r, g + n - 1, n > 1);
    } else {
        start_flip(r, g + n);
        end_flip_if(r, g + n, rest > 1);
    }
}

/* Bits of n granules that become free, together with free blocks of `prev` and `next` granules around them (0: none).
 * A block begins at g by its bits; it has no length. */
static KA_ALWAYS_INLINE void bits_release(const range *r, uint32_t g, uint32_t n, uint32_t prev, uint32_t next)
{
    if (prev == 0) {
        end_flip(r, g);
    } else {
        start_flip(r, g);
        end_flip_if(r, g - 1, prev > 1);
    }
    if (next == 0) {
        end_flip_if(r, g + n - 1, n > 1 || prev != 0);
    } else {
        start_flip(r, g + n);
        end_flip_if(r, g + n, next > 1);
    }
}

/* The sound free block at g, the first one in the list of `bin`, is in no list any more, and its header none. */
static KA_ALWAYS_INLINE void list_pop(range *r, uint32_t bin, uint32_t g)
{
    uint32_t next = block_at(r, g)->next;
    block_wipe(r, g);
    r->heads[bin] = next;
    if (next != 0)
        prev_change(block_at(r, next), g, 0);
    else
        bin_mark_empty(r, bin);
}

/* Takes n granules from the front of that block; what is left of it, if anything, goes to the list of `rest_bin`. */
static KA_ALWAYS_INLINE void block_take(ka_region *region, range *r, uint32_t bin, uint32_t g, uint32_t n,
                                        uint32_t rest, uint32_t rest_bin)
{
    list_pop(r, bin, g);
    bits_take(r, g, n, rest);
    length_flip(r, g, n);
    if (rest != 0)
        list_push(r, g + n, rest, rest_bin);
    else
        region->free_blocks--;
}

/* The open block, if there is one, goes to its list. */
static inline void open_close(range *r)
{
    if (r->open == 0)
        return;
    list_push(r, r->open, r->open_size, bin_of(r->open_size));
    r->open = r->open_size = 0;
}

/* A free block by its bits, which is in no list, becomes the open one. */
static KA_ALWAYS_INLINE void open_begin(range *r, uint32_t g, uint32_t size)
{
    open_close(r);
    r->open = g;
    r->open_size = size;
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
/* Bytes of all granules. */
static inline size_t region_total(const ka_region *region)
{
    size_t total = 0;
    for (uint32_t i = 0; i < region->range_count; i++)
        total += (size_t)region->ranges[i].granules * KA_REGION_GRANULE;
    return total;
}

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

/* The granule of a live block that starts at the address and has n granules (n = 0: any number); 0 if there is none.
 * r may be NULL: no range has the address. */
static inline uint32_t block_find(const ka_region *region, const range *r, const void *block, size_t n)
{
    if (KA_UNLIKELY(r == NULL))
        return 0;
    uintptr_t offset = (uintptr_t)block - r->base;
    uint32_t g = (uint32_t)(offset / KA_REGION_GRANULE);
    if (KA_UNLIKELY(offset % KA_REGION_GRANULE != 0 || !is_live_start(r, g)))
        return 0;
    uint32_t here = live_size(r, g);
    return (n == 0 || KA_LIKELY(here == n)) && !is_waiting(region, g, here) ? g : 0;
}

/* ---- merging: region_release.c ---- */

static inline void damage_report(ka_region *region, const void *damaged)
{
    ka_report_misuse(KA_MISUSE_DAMAGE, &region->allocator, damaged, 0, NULL);
}

/* Makes a block that is no longer counted as live, and has no length any more, a free one. */
void ka_region_release(ka_region *region, range *r, uint32_t g, uint32_t n);

/* The same in the only range, faster. */
void ka_region_release_usual(ka_region *region, uint32_t g, uint32_t n);

/* Takes the block of n granules at g out of its row, and merges it. */
void ka_region_settle_block(ka_region *region, uint32_t g, uint32_t n);

/* Merges all that waits. False if nothing did. */
bool ka_region_settle(ka_region *region);

/* Lays out the rows anew, if the share that is live has changed so much that more blocks may wait, or fewer. In
 * region_claim.c. */
void ka_region_rows_adapt(ka_region *region);

#endif
