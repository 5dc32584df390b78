/* main.c of the test kernel: runs every suite, as TAP on the console; with suite=stress, only that one. */
#include "kernel_suites.h"

#include <ka_arch.h>

#include "ports/bare/boot.h"
#include "ports/bare/console.h"
#include "ports/bare/cpus.h"
#include "ports/bare/frames.h"
#include "ports/bare/heap.h"
#include "ports/bare/region.h"
#include "ports/bare/start.h"

static void write_line(const char *line)
{
    bare_print("%s\n", line);
}

static void flush_frames(void *context)
{
    (void)context;
    bare_frames_flush();
}

static void run(const kit_suite *const *suites, size_t count)
{
    for (size_t i = 0; i < count; i++)
        kit_run(suites[i]->name, suites[i]->cases, suites[i]->count);
}

static void run_all(void)
{
    static const kit_suite *const first[] = {
        &boot_suite, &port_suite, &frames_suite, &physical_suite, &paging_suite, &cpus_suite,
    };
    static const kit_suite *const on_region[] = { &region_growth_suite, &heap_suite,       &region_suite, &owner_suite,
                                                  &map_suite,           &collection_suite, &string_suite };
    static const kit_suite *const on_kernel[] = { &kernel_heap_suite, &heap_suite,   &owner_suite,
                                                  &map_suite,         &collection_suite, &string_suite };
    suite_formatter = kernel_formatter;
    run(first, KIT_COUNT(first));
    bare_cpus_run(flush_frames, NULL); /* what other CPUs have in store, this one could not take */
    suite = (suite_env){ bare_region, BARE_REGION_FIRST, bare_region_get_info().limit };
    run(on_region, KIT_COUNT(on_region));
    suite = (suite_env){ ka_kernel, BARE_REGION_FIRST, bare_frames_free() << KA_ARCH_PAGE_SHIFT };
    run(on_kernel, KIT_COUNT(on_kernel));
}

int kernel_main(void)
{
    kit_set_output(write_line);
    kernel_crash();
    kit_begin();
    if (bare_option_is("suite", "cpus"))
        run((const kit_suite *const[]){ &cpus_suite, &kernel_heap_suite }, 2);
    else if (bare_option_is("suite", "nodes"))
        run((const kit_suite *const[]){ &nodes_suite, &frames_suite, &physical_suite, &kernel_heap_suite }, 4);
    else if (bare_option_is("suite", "stress"))
        run((const kit_suite *const[]){ &stress_suite }, 1);
    else
        run_all();
    return kit_end();
}
