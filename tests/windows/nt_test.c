/* nt_test.c: the suites of ka/windows.h on the host, over the shim ntoskrnl of tests/windows/shim. No Windows runs
 * here. */
#include <ka/kernel.h>
#include <ka/windows.h>

#include "nt_suite.h"
#include "shim/shim.h"

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

static void refuses_before_start(void)
{
    KIT_EXPECT(ka_alloc(ka_kernel, 16, 16, 0) == NULL && ka_alloc(ka_kernel, 16, 64, KA_PAGEABLE) == NULL);
    KIT_EXPECT(shim_pool_calls == 0);
    KIT_CHECK(ka_nt_start(0));
}

static const kit_case first = { "before ka_nt_start everything is refused", refuses_before_start };

int main(void)
{
    nt_hooks hooks = shim_hooks;
    const kit_suite *suites[] = { &nt_pool_suite, &nt_contiguous_suite, &nt_heap_suite, &nt_end_suite };
    hooks.dies = dies;
    nt = (nt_env){ "a shim ntoskrnl", &hooks, true, true, true };
    kit_begin();
    kit_note("over a shim ntoskrnl: no Windows runs here");
    kit_run("start", &first, 1);
    for (size_t i = 0; i < KIT_COUNT(suites); i++)
        kit_run(suites[i]->name, suites[i]->cases, suites[i]->count);
    return kit_end();
}
