/* nt_test.c: the suites of ka/windows.h on the host, over the shim ntoskrnl of tests/windows/shim. No Windows runs here. */
#include <ka/kernel.h>
#include <ka/windows.h>

#include "nt_suite.h"
#include "shim/shim.h"

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

static bool dies(void (*call)(void *), void *argument, uintptr_t out[5])
{
    shim_end.armed = true;
    bool died = setjmp(shim_end.back) != 0;
    if (!died)
        call(argument);
    shim_end.armed = false;
    out[0] = shim_end.code;
    for (int i = 0; i < 4; i++)
        out[i + 1] = shim_end.parameter[i];
    return died;
}

static const nt_hooks hooks = { play,       hide_contiguous, shim_live, shim_live_pages, fail_after, pool_calls,
                                contiguous_calls, last_pool, last_contiguous, set_irql, zero_byte, dies };

static void refuses_before_start(void)
{
    KIT_EXPECT(ka_alloc(ka_kernel, 16, 16, 0) == NULL && ka_alloc(ka_kernel, 16, 64, KA_PAGEABLE) == NULL);
    KIT_EXPECT(shim_pool_calls == 0);
    KIT_CHECK(ka_nt_start(0));
}

static const kit_case first = { "before ka_nt_start everything is refused", refuses_before_start };

int main(void)
{
    const kit_suite *suites[] = { &nt_pool_suite, &nt_contiguous_suite, &nt_heap_suite, &nt_end_suite };
    nt = (nt_env){ "a shim ntoskrnl", &hooks, true, true, true };
    kit_begin();
    kit_note("over a shim ntoskrnl: no Windows runs here");
    kit_run("start", &first, 1);
    for (size_t i = 0; i < KIT_COUNT(suites); i++)
        kit_run(suites[i]->name, suites[i]->cases, suites[i]->count);
    return kit_end();
}
