/* hooks.c: what the suites of ka/windows.h may ask of the shim, but for an end: that needs a thread, or a jump. */
#include "shim.h"

#include "tests/windows/nt_suite.h"

static void play(nt_version version)
{
    shim_windows = (shim_version)version;
}

static void hide_contiguous(bool node_memory, bool specify_cache_node)
{
    shim_keeps_routines[0] = !node_memory;
    shim_keeps_routines[1] = !specify_cache_node;
}

static void fail_after(long count)
{
    shim_fail_after = count;
}

static long pool_calls(void)
{
    return shim_pool_calls;
}

static long contiguous_calls(void)
{
    return shim_contiguous_calls;
}

static void last_pool(nt_pool_call *last)
{
    *last = (nt_pool_call){ .routine = shim_pool.routine,
                            .flags = shim_pool.flags,
                            .type = (uint32_t)shim_pool.type,
                            .tag = shim_pool.tag,
                            .size = shim_pool.size,
                            .node = shim_pool.node,
                            .priority = shim_pool.priority };
}

static void last_contiguous(nt_contiguous_call *last)
{
    *last = (nt_contiguous_call){ .routine = shim_contiguous.routine,
                                  .size = shim_contiguous.size,
                                  .lowest = (uint64_t)shim_contiguous.lowest,
                                  .highest = (uint64_t)shim_contiguous.highest,
                                  .boundary = (uint64_t)shim_contiguous.boundary,
                                  .protect = shim_contiguous.protect,
                                  .type = (uint32_t)shim_contiguous.type,
                                  .node = shim_contiguous.node };
}

static uint8_t set_irql(uint8_t level)
{
    uint8_t old = shim_irql;
    shim_irql = level;
    return old;
}

static void zero_byte(uint8_t byte)
{
    shim_zero_byte = byte;
}

const nt_hooks shim_hooks = {
    .play = play,
    .hide_contiguous = hide_contiguous,
    .live = shim_live,
    .live_pages = shim_live_pages,
    .fail_after = fail_after,
    .pool_calls = pool_calls,
    .contiguous_calls = contiguous_calls,
    .pool = last_pool,
    .contiguous = last_contiguous,
    .set_irql = set_irql,
    .zero_byte = zero_byte,
};
