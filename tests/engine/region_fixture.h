/* region_fixture.h: one region in one arena, what was reported about it, and what a walk over it saw. */
#ifndef REGION_FIXTURE_H
#define REGION_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include <ka/handler.h>
#include <ka/region.h>

#include "engine/region_range.h"
#include "kit.h"

#define KIB            ((size_t)1024)
#define MIB            (KIB * KIB)
#define ARENA          (4 * MIB)
#define CHECK_REGION() KIT_CHECK_SOUND(ka_region_check(&region))

static _Alignas(1024 * 1024) unsigned char arena[ARENA];
static unsigned char arena_before[ARENA];
static ka_region region, region_before;
static ka_allocator *const heap = &region.allocator;

/* ---- what was reported ---- */

static struct {
    unsigned count;
    unsigned of_kind[KA_MISUSE_CONTEXT + 1];
    ka_misuse kind; /* and the other arguments of the newest report */
    ka_allocator *allocator;
    const void *block, *site;
    size_t size;
} reported;

static inline void on_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                             const void *site)
{
    (void)context;
    reported.count++;
    reported.of_kind[kind]++;
    reported.kind = kind;
    reported.allocator = allocator;
    reported.block = block;
    reported.size = size;
    reported.site = site;
}

/* A fresh region over the first `size` bytes of the arena; 0: without memory. */
static inline void start(size_t size)
{
    memset(&reported, 0, sizeof reported);
    ka_set_misuse_handler(on_misuse, NULL);
    memset(&region, 0xa5, sizeof region);
    ka_region_init(&region);
    memset(arena, 0xa5, size);
    if (size != 0 && !ka_region_claim(&region, arena, size))
        abort();
}

static inline size_t free_blocks(void)
{
    return ka_get_stats(heap).free_blocks;
}

/* A request that cannot be served makes the region put everything in order: the block freed last is merged, too. */
static inline void settle(void)
{
    if (ka_region_alloc(&region, region_total(&region) + 1, 16) != NULL)
        abort();
}

static inline void remember(size_t size)
{
    memcpy(arena_before, arena, size);
    memcpy(&region_before, &region, sizeof region);
}

static inline bool unchanged(size_t size)
{
    return memcmp(arena_before, arena, size) == 0 && memcmp(&region_before, &region, sizeof region) == 0;
}

/* ---- what a walk saw ---- */

typedef struct walked {
    const unsigned char *next; /* where the next block must begin */
    size_t live, free, live_bytes, free_bytes, largest, stop_after;
    bool in_order;
} walked;

static inline bool on_visit(void *context, const void *block, size_t size, bool live)
{
    walked *w = context;
    const unsigned char *at = block;
    for (uint32_t i = 0; i < region.range_count; i++) /* a range may begin here */
        if (w->next == NULL || (at == (unsigned char *)region.ranges[i].base + 16 && at > w->next))
            w->next = at;
    w->in_order = w->in_order && at == w->next && size != 0 && size % 16 == 0;
    w->next = at + size;
    *(live ? &w->live : &w->free) += 1;
    *(live ? &w->live_bytes : &w->free_bytes) += size;
    if (!live && size > w->largest)
        w->largest = size;
    return w->stop_after == 0 || --w->stop_after != 0;
}

#endif
