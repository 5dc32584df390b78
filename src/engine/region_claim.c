/* engine/region_claim.c: how a region gets memory: the record's place in a range, and how it moves when the range is
 * extended. The theory is at the head of region.c.
 */
#include <ka/handler.h>

#include "base/mem.h"
#include "engine/region_range.h"

static size_t record_bit_bytes(uint32_t granules)
{
    return ka_words_for((size_t)granules + 2) * 2 * sizeof(uint64_t);
}

/* Sizes of which blocks may wait: one of each is together 1/256 of the range, and four at least where there is room. */
static uint32_t record_rows(uint32_t granules)
{
    uint32_t n = (uint32_t)ka_min(granules / 4, 4);
    while (n < WAITING && (n + 1) * (n + 1) <= granules / 128)
        n++;
    return n;
}

static uint8_t record_row_length(uint32_t granules)
{
    return granules < DEEP_RANGE ? FLAT_ROW : DEEP_ROW;
}

/* How many blocks of n granules may wait. */
static uint32_t row_depth(uint32_t granules, uint32_t n, bool crowded)
{
    uint32_t depth = granules / (crowded ? FLAT_SHARE : DEEP_SHARE) / n;
    return (uint32_t)ka_min(depth == 0 ? 1 : depth, record_row_length(granules) - 1u);
}

/* The numbers of what waits: a top and a row for each size, and a 0 between. */
static uint32_t record_waiting(uint32_t granules)
{
    uint32_t rows = record_rows(granules);
    return rows == 0 ? 0 : rows * (1 + record_row_length(granules)) + 1;
}

/* Who looks at the starts behind a granule may read eight bytes behind the bits: there are always two heads. */
static size_t record_bytes(uint32_t granules)
{
    size_t numbers = bin_count(granules) + record_waiting(granules);
    return ka_round_up(numbers * sizeof(uint32_t), sizeof(uint64_t)) + record_bit_bytes(granules);
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

/* All rows, empty: in each as many places as blocks may wait. */
static void rows_lay_out(ka_region *region, bool crowded)
{
    uint32_t granules = region->only_granules, length = region->row_length;
    for (uint32_t n = 1; n <= region->rows; n++) {
        uint32_t depth = row_depth(granules, n, crowded);
        ptrdiff_t row = row_index(region, n);
        for (uint32_t at = 0; at < length; at++)
            *waiting_at(region, row + at) = at + depth < length ? 0 : NO_BLOCK;
        *waiting_top(region, n) = (uint32_t)(row + (ptrdiff_t)(length - 1 - depth));
    }
    if (region->rows != 0)
        *waiting_at(region, -(ptrdiff_t)region->rows - 1) = 0;
    region->crowded = crowded;
    region->crowded_from = crowded || length == FLAT_ROW ? SIZE_MAX : (size_t)granules * CROWDED;
    region->last_down = 0;
}

void ka_region_rows_adapt(ka_region *region)
{
    ka_region_settle(region);
    rows_lay_out(region, region->live > region->crowded_from);
}

/* Sets size, granules and the record's place. The old contents of the record, if any, move along: upwards, so the last
 * part goes first. Nothing waits. */
static void range_lay_out(range *r, size_t size)
{
    range old = *r;
    uintptr_t end = ka_round_down(r->base + KA_REGION_GRANULE + size, KA_REGION_GRANULE);
    r->granules = granules_in(size);
    r->rest = (uint16_t)(r->base + KA_REGION_GRANULE + size - end);
    size_t bits = record_bit_bytes(r->granules), kept = old.granules == 0 ? 0 : record_bit_bytes(old.granules);
    uint32_t bins = old.granules == 0 ? 0 : bin_count(old.granules);
    r->bits = (uint64_t *)(end - record_bytes(r->granules));
    r->heads = (uint32_t *)((uintptr_t)r->bits + bits) + record_waiting(r->granules);
    if (old.granules != 0) {
        ka_move(r->heads, old.heads, bins * sizeof(uint32_t));
        ka_move(r->bits, old.bits, kept);
    }
    ka_clear((char *)r->bits + kept, bits - kept);
    ka_clear(r->heads + bins, (bin_count(r->granules) - bins) * sizeof(uint32_t));
    if (r->granules != old.granules)
        start_flip(r, r->granules + 1); /* the one behind the old granules begins what is added */
}

/* What is known of the only range. Blocks may wait in it alone. Nothing waits. */
static void range_is_only(ka_region *region)
{
    bool only = region->range_count == 1;
    region->only_granules = only ? region->ranges[0].granules : 0;
    uint32_t waiting = region->merging ? 0 : region->only_granules; /* the range in which blocks may wait */
    region->rows = record_rows(waiting);
    region->row_length = record_row_length(waiting);
    rows_lay_out(region, false);
}

void ka_region_set_merging(ka_region *region, bool at_once)
{
    ka_region_settle(region);
    region->merging = at_once;
    range_is_only(region);
}

void ka_region_set_refill(ka_region *region, ka_refill *refill, void *context)
{
    region->refill = refill;
    region->refill_context = context;
}

static void range_extend(ka_region *region, range *r, size_t size)
{
    uint32_t old = r->granules;
    ka_region_settle(region);
    range_lay_out(r, range_size(r) + size);
    range_is_only(region);
    if (r->granules != old) /* else a longer record took all */
        ka_region_release(region, r, old + 1, r->granules - old);
}

static void range_insert(ka_region *region, uint32_t at, uintptr_t base, size_t size)
{
    ka_region_settle(region);
    open_close(&region->ranges[0]);
    for (uint32_t i = region->range_count; i > at; i--)
        region->ranges[i] = region->ranges[i - 1];
    region->range_count++;
    range *r = &region->ranges[at];
    ka_clear(r, sizeof *r);
    r->base = base - KA_REGION_GRANULE;
    range_lay_out(r, size);
    range_is_only(region);
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
        if (overlaps(base, size, region->ranges[i].base + KA_REGION_GRANULE, range_size(&region->ranges[i])))
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
        bool adjacent = r->base + KA_REGION_GRANULE + range_size(r) == address && r->rest == 0;
        if (adjacent && size <= KA_REGION_MAX_RANGE - range_size(r)) {
            range_extend(region, r, size);
            return true;
        }
    }
    if (region->range_count >= KA_CFG_REGION_RANGES)
        return false;
    range_insert(region, at, address, size);
    return true;
}
