/* engine/region_check.c: what only looks at a region: walk, statistics, check. The theory is at the head of region.c.
 */
#include "engine/region_range.h"

/* The size of the free block at g: by its header if that is sound, else by the bits alone. */
static uint32_t free_size(const range *r, uint32_t g)
{
    if (block_size_sound(r, g))
        return block_at(r, g)->size;
    uint32_t next = next_boundary(r, g + 1, r->granules + 1);
    return is_free_end(r, next) ? next - g + 1 : next - g;
}

bool ka_region_walk(const ka_region *region, ka_visit *visit, void *context)
{
    for (uint32_t i = 0; i < region->range_count; i++) {
        const range *r = &region->ranges[i];
        for (uint32_t g = 1, n; g <= r->granules; g += n) {
            bool live = is_live_start(r, g);
            n = live ? live_end(r, g) - g : free_size(r, g);
            if (!visit(context, (void *)granule_address(r, g), (size_t)n * KA_REGION_GRANULE, live))
                return false;
        }
    }
    return true;
}

static uint32_t range_largest_free(const range *r)
{
    uint32_t top = range_top(r), largest = 0;
    if (top == 0)
        return 0;
    for (uint32_t g = r->heads[top - 1]; g != 0 && block_size_sound(r, g); g = block_at(r, g)->next) {
        largest = (uint32_t)ka_max(largest, block_at(r, g)->size);
        if (!link_leads_to_free(r, block_at(r, g)->next))
            break;
    }
    return largest;
}

void ka_region_stats(const ka_region *region, ka_stats *out)
{
    ka_stats stats = { 0 };
    stats.total = region->total;
    stats.live = region->live;
    stats.peak = region->peak;
    stats.free = region->total - region->live;
    stats.live_blocks = region->live_blocks;
    stats.free_blocks = region->free_blocks;
    for (uint32_t i = 0; i < region->range_count; i++) {
        const range *r = &region->ranges[i];
        stats.overhead += r->size - (size_t)r->granules * KA_REGION_GRANULE;
        stats.largest_free = ka_max(stats.largest_free, (size_t)range_largest_free(r) * KA_REGION_GRANULE);
    }
    if (stats.free != 0)
        stats.fragmentation =
            (unsigned)(1000 - stats.largest_free / KA_REGION_GRANULE * 1000 / (stats.free / KA_REGION_GRANULE));
    *out = stats;
}

/* ---- check: one fact a line ---- */

typedef struct census {
    size_t live, live_blocks, free_blocks; /* granules, counts */
} census;

static const char *range_check_blocks(const range *r, census *c)
{
    bool after_free = false;
    for (uint32_t g = 1, n; g <= r->granules; g += n) {
        if (is_live_start(r, g)) {
            if (is_free_end(r, g))
                return "a granule is both the start of a live block and the end of a free one";
            n = live_end(r, g) - g;
            c->live += n;
            c->live_blocks++;
            after_free = false;
            continue;
        }
        if (!is_free_end(r, g))
            return "a block begins where no bit is set";
        if (!block_size_sound(r, g))
            return "a free block's header, footer and bits do not agree";
        n = block_at(r, g)->size;
        if (n > 2 && next_boundary(r, g + 1, g + n - 1) != g + n - 1)
            return "a bit is set inside a free block";
        if (after_free)
            return "two free blocks are neighbours";
        if (!block_links_sound(r, g, bin_of(n)))
            return "a free block's links do not lead back to it";
        after_free = true;
        c->free_blocks++;
    }
    return is_live_start(r, r->granules + 1) && !is_free_end(r, 0) && !is_live_start(r, 0)
               ? NULL
               : "the bits outside the range are not as they were laid out";
}

static const char *range_check_lists(const range *r, size_t *listed)
{
    for (uint32_t bin = 0; bin < KA_REGION_MAP_WORDS * 64; bin++) {
        bool marked = (r->map[bin / 64] >> (bin % 64)) & 1;
        if (bin >= r->bins) {
            if (marked)
                return "a bin is marked that the range does not have";
            continue;
        }
        if (marked != (r->heads[bin] != 0))
            return "a bin's mark and its list do not agree";
        for (uint32_t g = r->heads[bin]; g != 0; g = block_at(r, g)->next) {
            if (!link_leads_to_free(r, g))
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

const char *ka_region_check(const ka_region *region)
{
    census c = { 0, 0, 0 };
    size_t total = 0;
    for (uint32_t i = 0; i < region->range_count; i++) {
        const range *r = &region->ranges[i];
        size_t before = c.free_blocks, listed = 0;
        const char *broken = range_check_blocks(r, &c);
        if (broken == NULL)
            broken = range_check_lists(r, &listed);
        if (broken != NULL)
            return broken;
        if (listed != c.free_blocks - before)
            return "a free block is in no list";
        if (i > 0 && region->ranges[i - 1].base + region->ranges[i - 1].size > r->base)
            return "ranges overlap or are out of order";
        if (region->range_count > 1 && region->best[leaf_count(region) + i] != range_top(r))
            return "the tournament does not know a range's highest bin";
        total += (size_t)r->granules * KA_REGION_GRANULE;
    }
    if (total != region->total)
        return "the total is not the sum of the ranges";
    if (c.live * KA_REGION_GRANULE != region->live || c.live_blocks != region->live_blocks)
        return "the count of live blocks or bytes is wrong";
    if (c.free_blocks != region->free_blocks)
        return "the count of free blocks is wrong";
    return region->peak >= region->live ? NULL : "the peak is below what is live";
}
