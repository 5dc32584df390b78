/* engine/region_release.c: how granules that were a live block become free, merged with the free blocks beside them.
 * The theory is at the head of region.c.
 */
#include <ka/handler.h>

#include "engine/region_range.h"

/* Makes granules that belong to nobody free, merged with free neighbours. Returns a neighbour that is damaged, or NULL.
 * A block begins at g by its bits; it has no length. */
static const void *granules_join(ka_region *region, range *r, uint32_t g, uint32_t n)
{
    open_close(r);
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
    bits_release(r, g, n, prev, next);
    return damaged;
}

void ka_region_release(ka_region *region, range *r, uint32_t g, uint32_t n)
{
    const void *damaged = granules_join(region, r, g, n);
    tournament_update(region, r);
    if (KA_UNLIKELY(damaged != NULL))
        damage_report(region, damaged);
}

/* The same in the only range, in four ways, each in code of its own, by which neighbours are free. Whatever is not as
 * it should be goes to the way above; nothing is written by then, or the block behind is part of the granules. */
static KA_NOINLINE void release_alone(ka_region *region, uint32_t g, uint32_t n)
{
    range *r = &region->ranges[0];
    list_push(r, g, n, bin_of(n));
    ends_flip(r, g, n);
    region->free_blocks++;
}

/* The block before, of `prev` granules, goes to the list of `bin`. */
static KA_NOINLINE void release_moving(ka_region *region, uint32_t g, uint32_t n, uint32_t prev, uint32_t bin)
{
    range *r = &region->ranges[0];
    if (KA_UNLIKELY(!list_remove(r, g - prev, prev))) {
        ka_region_release(region, r, g, n);
        return;
    }
    list_push(r, g - prev, prev + n, bin);
    bits_release(r, g, n, prev, 0);
}

static KA_NOINLINE void release_behind_free(ka_region *region, uint32_t g, uint32_t n)
{
    range *r = &region->ranges[0];
    if (g == r->open + r->open_size) { /* the open block grows */
        bits_release(r, g, n, r->open_size, 0);
        r->open_size += n;
        return;
    }
    uint32_t prev = size_before(r, g);
    if (KA_UNLIKELY(prev == 0)) {
        ka_region_release(region, r, g, n);
    } else if (same_bin(prev, prev + n)) { /* it stays where it is */
        block_change_size(r, g - prev, prev, prev + n);
        bits_release(r, g, n, prev, 0);
    } else {
        release_moving(region, g, n, prev, bin_of(prev + n));
    }
}

/* The block takes the place of the one behind it, of `next` granules, in the list of `bin`, or that one is taken out of
 * its own. */
static KA_NOINLINE void release_replacing(ka_region *region, uint32_t g, uint32_t n, uint32_t next, uint32_t bin)
{
    range *r = &region->ranges[0];
    if (KA_LIKELY(list_replace(r, g + n, g, n + next, bin)))
        bits_release(r, g, n, 0, next);
    else
        ka_region_release(region, r, g, n);
}

static KA_NOINLINE void release_taking(ka_region *region, uint32_t g, uint32_t n, uint32_t next, uint32_t bin)
{
    range *r = &region->ranges[0];
    if (KA_UNLIKELY(!list_remove(r, g + n, next))) {
        ka_region_release(region, r, g, n);
        return;
    }
    list_push(r, g, n + next, bin);
    bits_release(r, g, n, 0, next);
}

/* The same where the block behind is long: it becomes the open one. */
static KA_NOINLINE void release_opening(ka_region *region, uint32_t g, uint32_t n, uint32_t next)
{
    range *r = &region->ranges[0];
    if (KA_UNLIKELY(!list_remove(r, g + n, next))) {
        ka_region_release(region, r, g, n);
        return;
    }
    open_begin(r, g, n + next);
    bits_release(r, g, n, 0, next);
}

static KA_NOINLINE void release_before_free(ka_region *region, uint32_t g, uint32_t n)
{
    range *r = &region->ranges[0];
    if (g + n == r->open) {
        bits_release(r, g, n, 0, r->open_size);
        r->open = g;
        r->open_size += n;
        return;
    }
    uint32_t next = size_behind(r, g + n);
    if (KA_UNLIKELY(next == 0))
        ka_region_release(region, r, g, n);
    else if (next >= LONG)
        release_opening(region, g, n, next);
    else if (same_bin(next, n + next))
        release_replacing(region, g, n, next, bin_of(n + next));
    else
        release_taking(region, g, n, next, bin_of(n + next));
}

static KA_NOINLINE void release_between_free(ka_region *region, uint32_t g, uint32_t n)
{
    range *r = &region->ranges[0];
    uint32_t end = g + n;
    if (end == r->open)
        open_close(r);
    uint32_t next = size_behind(r, end);
    if (KA_LIKELY(next != 0 && block_remove(region, r, end, next)))
        release_behind_free(region, g, n + next);
    else
        ka_region_release(region, r, g, n);
}

void ka_region_release_usual(ka_region *region, uint32_t g, uint32_t n)
{
    const range *r = &region->ranges[0];
    bool before = is_free_end(r, g - 1), behind = is_free_end(r, g + n);
    if (!behind && !before)
        release_alone(region, g, n);
    else if (!behind)
        release_behind_free(region, g, n);
    else if (!before)
        release_before_free(region, g, n);
    else
        release_between_free(region, g, n);
}

void ka_region_settle_block(ka_region *region, uint32_t g, uint32_t n)
{
    uint32_t *last = waiting_last(region, n), *at = last;
    while (*at != g)
        at--;
    *at = *last;
    *last = NO_BLOCK;
    --*waiting_top(region, n);
    ka_region_release(region, &region->ranges[0], g, n);
}

bool ka_region_settle(ka_region *region)
{
    bool any = false;
    for (uint32_t n = 1; n <= region->rows; n++)
        for (uint32_t g; (g = *waiting_last(region, n)) != 0; any = true)
            ka_region_settle_block(region, g, n);
    return any;
}
