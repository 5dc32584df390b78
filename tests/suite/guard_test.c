/* The heap suite over a guard over a region: a layer keeps every promise of what is below it. */
#include <ka/guard.h>
#include <ka/region.h>

#include "suite/suite.h"

static ka_region region;
static ka_guard guard;
static _Alignas(4096) char memory[4 << 20];

int main(void)
{
    ka_region_init(&region);
    ka_guard_init(&guard, &region.allocator, 0);
    if (!ka_region_claim(&region, memory, sizeof memory))
        return 1;
    suite = (suite_env){ &guard.allocator, sizeof memory, sizeof memory };
    return kit_main("guard", heap_suite.cases, heap_suite.count);
}
