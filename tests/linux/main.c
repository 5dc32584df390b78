/* main.c: the module kernel_alloc_test.ko. Loading it runs every suite, as TAP on the console, unless run=0. */
#include <linux/module.h>
#include <linux/vmalloc.h>

#include <ka/heap.h>
#include <ka/region.h>

#include "linux_suites.h"

enum { SUITE_BYTES = 1 << 20, HEAP_BYTES = 8 << 20 };

static bool run_suites = true;
module_param_named(run, run_suites, bool, 0);
MODULE_PARM_DESC(run, "run the suites when loaded (Y)");

unsigned misuses[KA_MISUSE_CONTEXT + 1];

void count_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                         const void *site)
{
    (void)context, (void)allocator, (void)block, (void)size, (void)site;
    misuses[kind]++;
}

static void write_line(const char *line)
{
    pr_info("TAP %s\n", line);
}

static void run(const kit_suite *of)
{
    kit_run(of->name, of->cases, of->count);
}

/* The suites that run on any heap, over a region and over a general heap in memory of vmalloc's. */
static void run_over_heaps(void)
{
    static ka_region region;
    static ka_heap heap;
    char *memory = vmalloc(HEAP_BYTES);
    ka_region_init(&region);
    if (memory == NULL || !ka_region_claim(&region, memory, SUITE_BYTES)) {
        kit_fail(__FILE__, __LINE__, "no memory for the heaps");
        vfree(memory);
        return;
    }
    suite = (suite_env){ &region.allocator, SUITE_BYTES, SUITE_BYTES };
    kit_run("heap over a region", heap_suite.cases, heap_suite.count);
    kit_run("owner over a region", owner_suite.cases, owner_suite.count);
    kit_run("map over a region", map_suite.cases, map_suite.count);
    kit_run("collection over a region", collection_suite.cases, collection_suite.count);
    if (!ka_heap_init(&heap, &(ka_heap_options){ .base = memory, .size = HEAP_BYTES })) {
        kit_fail(__FILE__, __LINE__, "no heap");
        vfree(memory);
        return;
    }
    suite = (suite_env){ &heap.allocator, SUITE_BYTES, HEAP_BYTES };
    kit_run("owner over a heap", owner_suite.cases, owner_suite.count);
    kit_run("map over a heap", map_suite.cases, map_suite.count);
    kit_run("collection over a heap", collection_suite.cases, collection_suite.count);
    if (ka_heap_fini(&heap) != 0)
        kit_fail(__FILE__, __LINE__, "blocks are left in the heap");
    vfree(memory);
}

/* Over the kernel's own allocators, and a heap over its pages. */
static void run_turns(void)
{
    static ka_linux_heap pages;
    suite = (suite_env){ ka_kmalloc, SUITE_BYTES, SUITE_BYTES };
    kit_run("turns over kmalloc", turns_suite.cases, turns_suite.count);
    suite = (suite_env){ ka_kvmalloc, SUITE_BYTES, SUITE_BYTES };
    kit_run("turns over kvmalloc", turns_suite.cases, turns_suite.count);
    if (!ka_linux_heap_init(&pages, "turns", HEAP_BYTES, NUMA_NO_NODE)) {
        kit_fail(__FILE__, __LINE__, "no heap");
        return;
    }
    suite = (suite_env){ &pages.heap.allocator, SUITE_BYTES, HEAP_BYTES };
    kit_run("turns over a heap", turns_suite.cases, turns_suite.count);
    if (ka_linux_heap_fini(&pages) != 0)
        kit_fail(__FILE__, __LINE__, "blocks are left in the heap");
}

static int __init start(void)
{
    if (!run_suites)
        return 0;
    ka_set_misuse_handler(count_misuse, NULL);
    kit_set_output(write_line);
    kit_begin();
    run_over_heaps();
    run(&cleanup_suite);
    run(&contract_suite);
    run(&context_suite);
    run(&dma_suite);
    run_turns();
    run(&failing_suite);
    run(&pages_suite);
    run(&storm_suite);
    kit_end();
    return 0;
}

static void __exit end(void)
{
    ka_set_misuse_handler(ka_linux_misuse, NULL);
}

module_init(start);
module_exit(end);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Tests of kernel_alloc inside the kernel");
