/* heaps.c: the suites that run on any heap: over a region and over a general heap in the pool's memory. */
#include <ka/heap.h>
#include <ka/kernel.h>
#include <ka/region.h>

#include <ntddk.h>

#include "driver_suites.h"

enum { SUITE_BYTES = 1 << 20, HEAP_BYTES = 8 << 20 };

/* Of pages: the pool of Wine's own kernel gives less alignment than Windows promises, and what is aligned to more than
 * a page does not rest on the pool. */
enum { ALIGN = 2 * PAGE_SIZE };

static void *memory;
static ka_region region;
static ka_heap heap;

static void take(void)
{
    ka_region_init(&region);
    memory = ka_alloc(ka_kernel, HEAP_BYTES, ALIGN, 0);
    KIT_CHECK(memory != NULL && ka_region_claim(&region, memory, SUITE_BYTES));
}

static void turn(void)
{
    KIT_CHECK(ka_heap_init(&heap, &(ka_heap_options){ .base = memory, .size = HEAP_BYTES }));
}

static void give_back(void)
{
    KIT_EXPECT(ka_heap_fini(&heap) == 0);
    ka_free(ka_kernel, memory, HEAP_BYTES, ALIGN);
}

/* Runs a case of its own; false if it failed. */
static bool step(const char *name, void (*function)(void))
{
    kit_run("memory", &(kit_case){ name, function }, 1);
    return !kit_failed();
}

void run_over_heaps(void)
{
    if (!step("from the pool, for a region", take))
        return;
    suite = (suite_env){ &region.allocator, SUITE_BYTES, SUITE_BYTES };
    kit_run("heap over a region", heap_suite.cases, heap_suite.count);
    kit_run("owner over a region", owner_suite.cases, owner_suite.count);
    kit_run("map over a region", map_suite.cases, map_suite.count);
    kit_run("collection over a region", collection_suite.cases, collection_suite.count);
    if (!step("for a heap", turn))
        return;
    suite = (suite_env){ &heap.allocator, SUITE_BYTES, HEAP_BYTES };
    kit_run("owner over a heap", owner_suite.cases, owner_suite.count);
    kit_run("map over a heap", map_suite.cases, map_suite.count);
    kit_run("collection over a heap", collection_suite.cases, collection_suite.count);
    (void)step("back to the pool", give_back);
}
