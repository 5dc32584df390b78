/* physical.c: physically contiguous memory on bare metal: frames at their own addresses. */
#include "ports/bare/physical.h"

#include <ka_port.h>

#include "base/assert.h"
#include "heap/physical.h"
#include "ports/bare/frames.h"
#include "ports/bare/paging.h"

static ka_physical_allocator any;

ka_allocator *const ka_physical = &any.allocator;

static void *map(uint64_t first, uint64_t count, ka_caching caching)
{
    void *memory = bare_frame_memory(ka_frame_of(first));
    if (caching != KA_CACHED && bare_set_caching(memory, (size_t)count, caching) != BARE_MAP_OK)
        return NULL;
    return memory;
}

static void unmap(void *memory, uint64_t count, ka_caching caching)
{
    (void)caching;
    bare_map_result result = bare_set_caching(memory, (size_t)count, KA_CACHED);
    KA_ASSERT(result == BARE_MAP_OK); /* all is split by now */
}

static uint64_t frame_of(const void *memory)
{
    uint64_t frame = (uintptr_t)memory >> KA_ARCH_PAGE_SHIFT;
    return ka_frames_has(&bare_frame_engine, ka_frame_of(frame)) ? frame : UINT64_MAX;
}

static const ka_physical_source source = {
    .frames = &bare_frame_engine,
    .align = KA_MIN_ALIGN, /* devices see what the CPUs have in their caches */
    .max_align = (size_t)PTRDIFF_MAX / 2 + 1,
    .map = map,
    .unmap = unmap,
    .frame_of = frame_of,
    .has_caching = ka_arch_has_caching,
};

ka_physical_error ka_physical_init(ka_physical_allocator *instance, const ka_physical_limits *limits)
{
    return ka_physical_init_over(instance, limits, &source);
}

void bare_physical_start(void)
{
    ka_physical_error error = ka_physical_init(&any, NULL);
    KA_ASSERT(error == KA_PHYSICAL_OK);
}

/* A frame's own address needs no look at the tables, nor a lock: any context. */
uint64_t ka_physical_address(const void *block)
{
    uint64_t physical;
    if (frame_of(block) != UINT64_MAX)
        return (uintptr_t)block;
    return bare_is_mapped(block, &physical) ? physical : KA_NO_ADDRESS;
}
