/* engine/region_check.c: what only looks at a region: usable, walk, statistics, check. The theory is in region.c.
 */
#include "engine/region_range.h"

size_t ka_region_usable(const ka_region *region, const void *block)
{
    const range *r = range_of(region, (uintptr_t)block);
    uint32_t g = block_find(region, r, block, 0);
    return g != 0 ? (size_t)live_size(r, g) * KA_REGION_GRANULE : 0;
}

/* The size of the block at g, live or free, by the bits alone. */
static uint32_t size_by_bits(const range *r, uint32_t g)
{
    return next_start(r, g + 1, r->granules + 1) - g;
}

static bool is_free(const ka_region *region, const range *r, uint32_t g, uint32_t n)
{
    return !is_live_start(r, g) || is_waiting(region, g, n);
}

/* The size of the block at g. Blocks that wait and free ones beside them are one free block, as they will be. */
static uint32_t walk_size(const ka_region *region, const range *r, uint32_t g, bool *live)
{
    uint32_t n = size_by_bits(r, g);
    *live = !is_free(region, r, g, n);
    while (!*live && g + n <= r->granules) {
        uint32_t next = size_by_bits(r, g + n);
        if (!is_free(region, r, g + n, next))
            break;
        n += next;
    }
    return n;
}

bool ka_region_walk(const ka_region *region, ka_visit *visit, void *context)
{
    for (uint32_t i = 0; i < region->range_count; i++) {
        const range *r = &region->ranges[i];
        for (uint32_t g = 1, n; g <= r->granules; g += n) {
            bool live;
            n = walk_size(region, r, g, &live);
            if (!visit(context, (void *)granule_address(r, g), (size_t)n * KA_REGION_GRANULE, live))
                return false;
        }
    }
    return true;
}

static uint32_t range_largest_free(const range *r)
{
    uint32_t top = range_top(r), largest = r->open_size;
    if (top == 0)
        return largest;
    /* sound links cannot form a circle: every block has one predecessor, and the first has none */
    for (uint32_t g = r->heads[top - 1], prev = 0; g != 0; prev = g, g = block_at(r, g)->next) {
        if (block_at(r, g)->prev != prev || !block_sound(r, g) || !block_links_sound(r, g, top - 1u))
            break;
        largest = (uint32_t)ka_max(largest, block_at(r, g)->size);
    }
    return largest;
}

/* The free block that one which waits is to become. */
typedef struct merged {
    uint32_t first, end;
    size_t free_blocks; /* in it by now */
    bool another;       /* waits before this one */
} merged;

static merged merged_around(const ka_region *region, const range *r, uint32_t g, uint32_t n)
{
    merged all = { g, g + n, 0, false };
    for (;;) {
        uint32_t free = free_before(r, all.first), waiting = free == 0 ? waiting_before(region, r, all.first) : 0;
        if (free + waiting == 0)
            break;
        all.first -= free + waiting;
        all.free_blocks += free != 0;
        all.another = all.another || waiting != 0;
    }
    for (;;) {
        uint32_t free = free_behind(r, all.end), waiting = free == 0 ? waiting_behind(region, r, all.end) : 0;
        if (free + waiting == 0)
            break;
        all.end += free + waiting;
        all.free_blocks += free != 0;
    }
    return all;
}

/* What the blocks that wait make of the statistics, once merged. */
static KA_NOINLINE void stats_add_waiting(const ka_region *region, ka_stats *stats)
{
    const range *r = &region->ranges[0];
    for (uint32_t n = 1; n <= region->rows; n++)
        for (const uint32_t *at = waiting_last(region, n); *at != 0; at--) {
            merged all = merged_around(region, r, *at, n);
            if (all.another)
                continue;
            stats->free_blocks = stats->free_blocks + 1 - all.free_blocks;
            stats->largest_free = ka_max(stats->largest_free, (size_t)(all.end - all.first) * KA_REGION_GRANULE);
        }
}

void ka_region_stats(const ka_region *region, ka_stats *out)
{
    ka_stats stats = { 0 };
    stats.total = region_total(region);
    stats.live = region->live;
    stats.peak = region->peak;
    stats.free = stats.total - stats.live;
    stats.live_blocks = region->live_blocks;
    stats.free_blocks = region->free_blocks;
    for (uint32_t i = 0; i < region->range_count; i++) {
        const range *r = &region->ranges[i];
        stats.overhead += range_size(r) - (size_t)r->granules * KA_REGION_GRANULE;
        stats.largest_free = ka_max(stats.largest_free, (size_t)range_largest_free(r) * KA_REGION_GRANULE);
    }
    stats_add_waiting(region, &stats);
    if (stats.free != 0)
        stats.fragmentation = 1000 - (unsigned)((uint64_t)stats.largest_free * 1000 / stats.free);
    *out = stats;
}

/* ---- check: one fact a line ---- */

typedef struct census {
    size_t live, live_blocks, free_blocks; /* granules, counts */
} census;

/* Inside a live block no bit says that a free one ends there, but where the length is kept. */
static const char *check_live(const range *r, uint32_t g, uint32_t n)
{
    uint32_t kept = n >= LARGE ? g / 32 * 32 + 32 : g + n; /* the first granule of 32 whose bits are the length */
    if (live_size(r, g) != n)
        return "the length of a live block is not as its bits say";
    for (uint32_t at = g; at < g + n; at++)
        if ((at < kept || at >= kept + 32) && is_free_end(r, at))
            return "a bit of a free block is set inside a live one";
    return NULL;
}

static const char *check_free(const range *r, uint32_t g, uint32_t n)
{
    for (uint32_t at = g; at < g + n; at++)
        if (is_free_end(r, at) != (at == g || at == g + n - 1))
            return "a bit is set inside a free block, or none at its end";
    if (g == r->open)
        return n == r->open_size ? NULL : "the open block is not as its bits say";
    if (!block_sound(r, g) || block_at(r, g)->size != n || block_footer(r, g + n)->size != n)
        return "a free block's header, footer and bits do not agree";
    return block_links_sound(r, g, bin_of(n)) ? NULL : "a free block's links do not lead back to it";
}

static const char *range_check_blocks(const range *r, census *c)
{
    bool after_free = false, opened = r->open == 0 && r->open_size == 0;
    if (!is_start(r, 1) || !is_live_start(r, r->granules + 1) || is_free_end(r, 0) || is_start(r, 0))
        return "the bits outside the range are not as they were laid out";
    for (uint32_t g = 1, n; g <= r->granules; g += n) {
        bool live = is_live_start(r, g);
        n = size_by_bits(r, g);
        const char *broken = live ? check_live(r, g, n) : check_free(r, g, n);
        opened = opened || (g == r->open && !live);
        if (broken != NULL)
            return broken;
        if (after_free && !live)
            return "two free blocks are neighbours";
        c->live += live ? n : 0;
        c->live_blocks += live;
        c->free_blocks += !live;
        after_free = !live;
    }
    return opened ? NULL : "the open block is not free";
}

static const char *range_check_lists(const range *r, size_t *listed)
{
    for (uint32_t bin = 0; bin < KA_REGION_MAP_WORDS * 64; bin++) {
        bool marked = (r->map[bin / 64] >> (bin % 64)) & 1;
        if (bin >= bin_count(r->granules)) {
            if (marked)
                return "a bin is marked that the range does not have";
            continue;
        }
        if (marked != (r->heads[bin] != 0))
            return "a bin's mark and its list do not agree";
        for (uint32_t g = r->heads[bin]; g != 0; g = block_at(r, g)->next) {
            if (g > r->granules || is_live_start(r, g) || !is_start(r, g) || !block_sound(r, g))
                return "a list leads to a granule where no free block begins";
            if (bin_of(block_at(r, g)->size) != bin)
                return "a free block is in a list of another size";
            if (++*listed > r->granules)
                return "a list is a circle";
        }
    }
    for (uint32_t word = 0; word < KA_REGION_MAP_WORDS; word++)
        if (((r->summary >> word) & 1) != (r->map[word] != 0))
            return "the summary of bins is wrong";
    return NULL;
}

/* Takes the blocks that wait in a row out of the census, where they were counted as live. */
static const char *check_row(const ka_region *region, uint32_t n, census *c)
{
    const range *r = &region->ranges[0];
    const uint32_t *row = waiting_row(region, n);
    size_t top = (size_t)((int32_t)*waiting_top(region, n) - row_index(region, n));
    bool begun = false;
    if (top >= region->row_length)
        return "a row's top is outside of it";
    if (row[0] != 0)
        return "a row has no end";
    for (uint32_t at = 1; at < region->row_length; at++) {
        uint32_t g = row[at];
        if ((g == 0 && begun) || (g == NO_BLOCK) != (at > top))
            return "a row's blocks do not end at its top";
        begun = g != 0;
        if (g == 0 || g == NO_BLOCK)
            continue;
        if (g > r->granules || !is_live_start(r, g) || live_size(r, g) != n)
            return "a block that waits is not as its bits say";
        for (uint32_t other = 1; other < at; other++)
            if (row[other] == g)
                return "a block waits twice";
        c->live -= n;
        c->live_blocks--;
    }
    return NULL;
}

static const char *check_waiting(const ka_region *region, census *c)
{
    const char *broken = NULL;
    if (region->rows != 0 && (region->range_count != 1 || region->merging))
        return "a block may wait where none should";
    if (region->rows != 0 && *waiting_at(region, -(ptrdiff_t)region->rows - 1) != 0)
        return "the last row has no end";
    for (uint32_t n = 1; n <= region->rows && broken == NULL; n++)
        broken = check_row(region, n, c);
    return broken;
}

/* What is freed without a proof must be live. */
static const char *check_last(const ka_region *region)
{
    const range *r = &region->ranges[0];
    uint32_t g = (uint32_t)(((uintptr_t)region->last - r->base) / KA_REGION_GRANULE);
    uint32_t n = (uint32_t)((size_t)0 - region->last_down);
    if (n == 0)
        return NULL;
    if (n > region->rows || waiting_last(region, n)[1] != NO_BLOCK)
        return "the row of the block handed out last has no room";
    if (g - 1 >= r->granules || !is_live_start(r, g) || live_size(r, g) != n)
        return "the block handed out last is not as its bits say";
    return NULL;
}

const char *ka_region_check(const ka_region *region)
{
    census c = { 0, 0, 0 };
    if (region->range_count > KA_CFG_REGION_RANGES)
        return "there are more ranges than slots";
    for (uint32_t i = 0; i < region->range_count; i++) {
        const range *r = &region->ranges[i];
        size_t before = c.free_blocks, listed = 0;
        const char *broken = range_check_blocks(r, &c);
        if (broken == NULL)
            broken = range_check_lists(r, &listed);
        if (broken != NULL)
            return broken;
        if (listed + (r->open != 0) != c.free_blocks - before)
            return "a free block is in no list";
        if (i > 0 && region->ranges[i - 1].base + range_size(&region->ranges[i - 1]) > r->base)
            return "ranges overlap or are out of order";
        if (region->range_count > 1 && region->best[leaf_count(region) + i] != range_top(r))
            return "the tournament does not know a range's highest bin";
    }
    const char *broken = check_waiting(region, &c);
    if (broken == NULL)
        broken = check_last(region);
    if (broken != NULL)
        return broken;
    if (c.live * KA_REGION_GRANULE != region->live || c.live_blocks != region->live_blocks)
        return "the count of live blocks or bytes is wrong";
    if (c.free_blocks != region->free_blocks)
        return "the count of free blocks is wrong";
    return region->peak >= region->live ? NULL : "the peak is below what is live";
}
