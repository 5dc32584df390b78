/* main.c of the test kernel: runs every suite, as TAP on the console. */
#include "kernel_suites.h"

#include "ports/bare/console.h"
#include "ports/bare/heap.h"
#include "ports/bare/start.h"

static void write_line(const char *line)
{
    bare_print("%s\n", line);
}

int kernel_main(void)
{
    static const kit_suite *const suites[] = {
        &boot_suite,          &port_suite, &frames_suite,      &physical_suite, &paging_suite,
        &kernel_growth_suite, &heap_suite, &kernel_heap_suite, &owner_suite,    &map_suite,
    };
    suite = (suite_env){ ka_kernel, BARE_HEAP_FIRST, bare_heap_get_info().limit };
    kit_set_output(write_line);
    kernel_crash();
    kit_begin();
    for (size_t i = 0; i < KIT_COUNT(suites); i++)
        kit_run(suites[i]->name, suites[i]->cases, suites[i]->count);
    return kit_end();
}
