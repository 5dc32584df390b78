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
#define DEEP_SHARE 16384 /* one of so many granules is the most that waits of a size, if that is not one block */
#define LARGE      48    /* granules; a live block from here on has its length beside its bits */
#define CHECK_KEY  UINT32_C(0x9e3779b9)

_Static_assert(LARGE + 1 <= 49, "a smaller block and a granule on each side fit into one window");
_Static_assert(KA_PRIM_LITTLE_ENDIAN, "the planes of bits are read by bytes, too");

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

static KA_ALWAYS_INLINE void bit_set(uint64_t *plane, uint32_t g)
{
    plane[g / 64] |= granule_bit(g);
}

static KA_ALWAYS_INLINE void bit_clear(uint64_t *plane, uint32_t g)
{
    plane[g / 64] &= ~granule_bit(g);
}

static KA_ALWAYS_INLINE bool bit_get(const uint64_t *plane, uint32_t g)
{
    return (plane[g / 64] >> g % 64 & 1) != 0;
}

/* A block starts here, live or free; or the range ends here. */
static KA_ALWAYS_INLINE bool is_start(const range *r, uint32_t g)
{
    return bit_get(r->starts, g);
}

/* The first or last granule of a free block, if it is the first or last granule of any. */
static KA_ALWAYS_INLINE bool is_free_end(const range *r, uint32_t g)
{
    return bit_get(r->ends, g);
}

static KA_ALWAYS_INLINE bool is_live_start(const range *r, uint32_t g)
{
    return is_start(r, g) && !is_free_end(r, g);
}

/* The first start at or behind g, at most `limit`. */
static inline uint32_t next_start(const range *r, uint32_t g, uint32_t limit)
{
    for (uint32_t at = g; at < limit; at = (at | 63) + 1) {
        uint64_t word = r->starts[at / 64] >> (at % 64);
        if (word != 0)
            return (uint32_t)ka_min(at + ka_lowest_bit(word), limit);
    }
    return limit;
}

/* The last start at or before g. Granule 1 is always one. */
static inline uint32_t last_start(const range *r, uint32_t g)
{
    for (uint32_t at = g;; at = (at & ~UINT32_C(63)) - 1) {
        uint64_t word = r->starts[at / 64] << (63 - at % 64);
        if (word != 0)
            return at - (63 - ka_highest_bit(word));
    }
}

/* Where the length of a live block of LARGE granules or more is kept: among the bits of its own inner granules, which
 * say nothing else. */
static KA_ALWAYS_INLINE unsigned char *length_at(const range *r, uint32_t g)
{
    return (unsigned char *)r->ends + g / 8 + 1;
}

static KA_ALWAYS_INLINE void length_set(const range *r, uint32_t g, uint32_t n)
{
    if (KA_UNLIKELY(n >= LARGE))
        ka_store_bytes32(length_at(r, g), n);
}

static KA_ALWAYS_INLINE void length_clear(const range *r, uint32_t g, uint32_t n)
{
    if (KA_UNLIKELY(n >= LARGE))
        ka_store_bytes32(length_at(r, g), 0);
}

/* Granules of the live block at g. */
static KA_ALWAYS_INLINE uint32_t live_size(const range *r, uint32_t g)
{
    uint64_t starts = ka_bit_window(r->starts, g) >> 1;
    uint32_t n = ka_lowest_bit(starts | UINT64_C(1) << (LARGE - 1)) + 1;
    return n < LARGE ? n : ka_load_bytes32(length_at(r, g));
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
    uint32_t size = is_free_end(r, end) ? size_behind(r, end) : 0;
    return size != 0 && block_links_sound(r, end, bin_of(size)) ? size : 0;
}

static inline uint32_t free_before(const range *r, uint32_t g)
{
    uint32_t size = is_free_end(r, g - 1) ? size_before(r, g) : 0;
    return size != 0 && block_links_sound(r, g - size, bin_of(size)) ? size : 0;
}

/* ---- blocks that wait: live by their bits, and free ---- */

/* The numbers of what waits lie below `heads`, at negative indices. heads[-n], for n up to region->rows, is the index of
 * the block of n granules that came last: its top. Below these is a row for each n. A row's first number is always 0,
 * and one that is less deep than others begins higher: there is a 0 below the block that came first. */
static KA_ALWAYS_INLINE uint32_t *waiting_at(const ka_region *region, ptrdiff_t index)
{
    return region->ranges[0].heads + index;
}

static KA_ALWAYS_INLINE uint32_t *waiting_top(const ka_region *region, size_t n)
{
    return waiting_at(region, -(ptrdiff_t)n);
}

static KA_ALWAYS_INLINE ptrdiff_t row_index(const ka_region *region, size_t n)
{
    return -(ptrdiff_t)(region->rows + n * region->row_length);
}

static KA_ALWAYS_INLINE const uint32_t *waiting_row(const ka_region *region, size_t n)
{
    return waiting_at(region, row_index(region, n));
}

/* Whether the granule is in the row; places above the top hold 0. */
static KA_ALWAYS_INLINE bool row_has(const ka_region *region, const uint32_t *row, uint32_t g)
{
    _Static_assert(FLAT_ROW == 2 && DEEP_ROW == 8, "all their places are compared");
    if (region->row_length == FLAT_ROW)
        return row[1] == g;
    return row[1] == g || row[2] == g || row[3] == g || row[4] == g || row[5] == g || row[6] == g || row[7] == g;
}

static KA_ALWAYS_INLINE bool is_waiting(const ka_region *region, uint32_t g, uint32_t n)
{
    return n <= region->rows && row_has(region, waiting_row(region, n), g);
}

/* Where the block starts that ends before g, if it may wait; 0 if its start is too far away. */
static inline uint32_t start_before(const range *r, uint32_t g)
{
    uint32_t at = g - 1, word = at / 64;
    uint64_t bits = r->starts[word] << (63 - at % 64);
    if (bits != 0)
        return at - 63 + ka_highest_bit(bits);
    return word != 0 && r->starts[word - 1] != 0 ? word * 64 - 64 + ka_highest_bit(r->starts[word - 1]) : 0;
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

/* Takes a sound free block of that size out of its list. False, and nothing is written, if a neighbour there does not
 * link back. */
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

/* A free block comes to be. */
static KA_ALWAYS_INLINE void block_insert(ka_region *region, range *r, uint32_t g, uint32_t size)
{
    bit_set(r->starts, g);
    bit_set(r->ends, g);
    bit_set(r->ends, g + size - 1);
    list_push(r, g, size, bin_of(size));
    region->free_blocks++;
}

/* A free block that can be removed ceases to be: its granules belong to nobody. */
static KA_ALWAYS_INLINE void block_remove(ka_region *region, range *r, uint32_t g, uint32_t size)
{
    (void)list_remove(r, g, size);
    block_wipe(r, g);
    bit_clear(r->starts, g);
    bit_clear(r->ends, g);
    bit_clear(r->ends, g + size - 1);
    region->free_blocks--;
}

/* Granules that belong to nobody become a live block. */
static KA_ALWAYS_INLINE void live_begin(const range *r, uint32_t g, uint32_t n)
{
    bit_set(r->starts, g);
    length_set(r, g, n);
}

/* Bits of a live block of n granules that is taken from the front of a free one; `rest` granules stay free. */
static KA_ALWAYS_INLINE void bits_take(const range *r, uint32_t g, uint32_t n, uint32_t rest)
{
    if (KA_LIKELY(n < LARGE)) { /* in one window */
        uint64_t end = UINT64_C(1) << n;
        if (rest != 0)
            ka_bit_window_flip(r->starts, g, end);
        ka_bit_window_flip(r->ends, g, 1 | (rest != 0 ? (uint64_t)(rest > 1) << n : end >> 1));
        return;
    }
    bit_clear(r->ends, g);
    if (rest != 0) {
        bit_set(r->ends, g + n);
        bit_set(r->starts, g + n);
    } else {
        bit_clear(r->ends, g + n - 1);
    }
    length_set(r, g, n);
}

/* Bits of n granules that become free, together with free blocks of `prev` and `next` granules around them (0: none).
 * A block begins at g by its bits, with or without a length. */
static KA_ALWAYS_INLINE void bits_release(const range *r, uint32_t g, uint32_t n, uint32_t prev, uint32_t next)
{
    if (KA_LIKELY(n < LARGE)) { /* in one window, from the granule before */
        uint64_t first = prev != 0 ? prev > 1 : 2, last = next != 0 ? (uint64_t)(next > 1) << 1 : 1;
        if (prev != 0 || next != 0)
            ka_bit_window_flip(r->starts, g - 1, (uint64_t)(prev != 0) << 1 | (uint64_t)(next != 0) << 1 << n);
        ka_bit_window_flip(r->ends, g - 1, first | last << n);
        return;
    }
    if (prev == 0)
        bit_set(r->ends, g);
    else
        bit_clear(r->starts, g);
    if (prev > 1)
        bit_clear(r->ends, g - 1);
    if (next == 0)
        bit_set(r->ends, g + n - 1);
    else
        bit_clear(r->starts, g + n);
    if (next > 1)
        bit_clear(r->ends, g + n);
    length_clear(r, g, n); /* last: a word is read slowly right after a part of it was written */
}

/* Takes n granules from the front of the sound free block at g, which is the first one in the list of `bin`; what is
 * left of it, if anything, goes to another list. */
static KA_ALWAYS_INLINE void block_take(ka_region *region, range *r, uint32_t bin, uint32_t g, uint32_t n,
                                        uint32_t rest)
{
    uint32_t next = block_at(r, g)->next;
    block_wipe(r, g);
    r->heads[bin] = next;
    if (next != 0)
        prev_change(block_at(r, next), g, 0);
    else
        bin_mark_empty(r, bin);
    bits_take(r, g, n, rest);
    if (rest != 0)
        list_push(r, g + n, rest, bin_of(rest));
    else
        region->free_blocks--;
}

/* The same where something is left that stays in the same list. */
static KA_ALWAYS_INLINE void block_cut(range *r, uint32_t bin, uint32_t g, uint32_t n, uint32_t rest)
{
    uint32_t next = block_at(r, g)->next, begin = g + n;
    free_block *block = block_at(r, begin);
    block_wipe(r, g);
    r->heads[bin] = begin;
    block->next = next;
    block->prev = 0;
    block->check = next ^ rest ^ begin ^ CHECK_KEY;
    block->size = rest;
    block_footer(r, begin + rest)->size = rest;
    if (next != 0)
        prev_change(block_at(r, next), g, begin);
    bits_take(r, g, n, rest);
}

static KA_ALWAYS_INLINE void block_take_front(ka_region *region, range *r, uint32_t bin, uint32_t g, uint32_t n,
                                              uint32_t rest)
{
    if (rest != 0 && bin_of(rest) == bin)
        block_cut(r, bin, g, n, rest);
    else
        block_take(region, r, bin, g, n, rest);
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

/* ---- merging ---- */

/* Makes granules that belong to nobody free, merged with free neighbours. Returns a neighbour that is damaged, or NULL.
 * A block may begin at g by its bits. */
static inline const void *granules_join(ka_region *region, range *r, uint32_t g, uint32_t n)
{
    bool before = is_free_end(r, g - 1), behind = is_free_end(r, g + n);
    const void *damaged = NULL;
    uint32_t prev = 0, next = 0, end = g + n;
    if (before && KA_UNLIKELY((prev = size_before(r, g)) == 0))
        damaged = block_at(r, g - 1);
    if (behind) {
        next = size_behind(r, end);
        if (KA_UNLIKELY(next == 0 || !list_remove(r, end, next))) {
            damaged = block_at(r, end);
            next = 0;
        } else {
            block_wipe(r, end);
        }
    }
    uint32_t all = prev + n + next, bin = bin_of(all);
    region->free_blocks += (size_t)1 - (prev != 0) - (next != 0);
    if (prev != 0 && bin_of(prev) == bin) {
        block_change_size(r, g - prev, prev, all); /* it stays where it is and grows */
    } else {
        if (prev != 0 && KA_UNLIKELY(!list_remove(r, g - prev, prev))) {
            damaged = block_at(r, g - 1);
            all -= prev;
            bin = bin_of(all);
            prev = 0;
            region->free_blocks++;
        }
        list_push(r, g - prev, all, bin);
    }
    bit_set(r->starts, g);
    bits_release(r, g, n, prev, next);
    return damaged;
}

/* Takes the block of n granules at g out of its row, and merges it. */
static KA_NOINLINE void waiting_settle(ka_region *region, uint32_t g, uint32_t n, const void *site)
{
    range *r = &region->ranges[0];
    uint32_t *last = waiting_at(region, (int32_t)*waiting_top(region, n)), *at = last;
    while (*at != g)
        at--;
    *at = *last;
    *last = 0;
    --*waiting_top(region, n);
    const void *damaged = granules_join(region, r, g, n);
    if (KA_UNLIKELY(damaged != NULL))
        ka_report_misuse(KA_MISUSE_DAMAGE, &region->allocator, damaged, 0, site);
}

/* Merges all that waits. False if nothing did. */
static inline bool region_settle(ka_region *region, const void *site)
{
    bool any = false;
    for (uint32_t n = 1; n <= region->rows; n++)
        for (uint32_t g; (g = *waiting_at(region, (int32_t)*waiting_top(region, n))) != 0; any = true)
            waiting_settle(region, g, n, site);
    return any;
}

#endif
