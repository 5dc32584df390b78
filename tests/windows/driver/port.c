/* port.c: the suites of ka/windows.h, here in a driver. */
#include "driver_suites.h"

void run_port(void)
{
    static nt_hooks hooks;
    const kit_suite *const suites[] = { &nt_pool_suite, &nt_contiguous_suite, &nt_heap_suite, &nt_end_suite };
    /* Wine's own kernel aligns nothing to pages, has no contiguous memory and no lists of the newer kind. */
    nt = (nt_env){ .over = "Wine's own ntoskrnl" };
    if (kernel != NULL) {
        hooks = *kernel->hooks;
        hooks.dies = dies;
        nt = (nt_env){ "a stand-in for ntoskrnl", &hooks, true, true, true };
    }
    for (size_t i = 0; i < KIT_COUNT(suites); i++)
        kit_run(suites[i]->name, suites[i]->cases, suites[i]->count);
}
