/* region.c: see region.h. */
#include "ports/bare/region.h"

#include <ka/locked.h>
#include <ka/region.h>

#include "base/assert.h"
#include "base/math.h"

#define PAGE     ((size_t)1 << KA_PORT_PAGE_SHIFT)
#define MIN_STEP ((size_t)64 << 10)

static struct {
    ka_region region;
    ka_locked locked;
    bare_region_info info; /* changed by the refill only, which runs one at a time */
} heap;

ka_allocator *const bare_region = &heap.locked.allocator;

/* Maps `size` bytes, whole pages, behind what is mapped, and gives them to the region. */
static bare_map_result heap_extend(size_t size)
{
    char *end = (char *)BARE_REGION_BASE + heap.info.mapped;
    bare_map_result result = bare_map(end, size / PAGE, BARE_WRITE);
    if (result != BARE_MAP_OK)
        return result;
    ka_lock_state state = ka_locked_enter(&heap.locked);
    bool claimed = ka_region_claim(&heap.region, end, size);
    ka_locked_leave(&heap.locked, state);
    KA_ASSERT(claimed);
    heap.info.mapped += size;
    return BARE_MAP_OK;
}

static size_t largest_free(void)
{
    ka_stats stats = { 0 };
    ka_lock_state state = ka_locked_enter(&heap.locked);
    ka_region_stats(&heap.region, &stats);
    ka_locked_leave(&heap.locked, state);
    return stats.largest_free;
}

/* Bytes of new memory that are enough for a request whatever is free now: room to align, the sixteenth by which the
 * region may pass over a block, its record, and a rest at both ends. */
static size_t enough_for(size_t size, size_t align)
{
    size_t block = size + (align > KA_MIN_ALIGN ? align : 0);
    return ka_round_up(block + block / 16 + block / 32 + 512, PAGE);
}

/* A ka_refill. Adds in steps that grow with the heap, so that a heap of n bytes has grown O(log n) times. */
static bool heap_refill(void *context, size_t size, size_t align, ka_flags flags)
{
    (void)context;
    size_t room = heap.info.limit - heap.info.mapped;
    if ((flags & (KA_ANY_CONTEXT | KA_PAGEABLE)) != 0 || room == 0 || size > heap.info.limit ||
        align > heap.info.limit || size > room + largest_free())
        return false;
    size_t need = ka_min(enough_for(size, align), room);
    size_t step = ka_max(need, ka_round_up(ka_max(MIN_STEP, heap.info.mapped / 8), PAGE));
    if (heap_extend(ka_min(step, room)) != BARE_MAP_OK && heap_extend(need) != BARE_MAP_OK)
        return false;
    heap.info.growths++;
    return true;
}

bare_map_result bare_region_start(size_t limit)
{
    heap.info.limit = ka_max(ka_round_down(limit, PAGE), PAGE);
    ka_region_init(&heap.region);
    ka_locked_init(&heap.locked, &heap.region.allocator, heap_refill, NULL);
    return heap_extend(ka_min(BARE_REGION_FIRST, heap.info.limit));
}

bare_region_info bare_region_get_info(void)
{
    return heap.info;
}
