/* The collection suite on the host: over malloc, which watches every free, and over a region. */
#include <ka/region.h>

#include "kit_malloc.h"
#include "suite/suite.h"

enum { MALLOC_LIMIT = 1 << 20, REGION = 256 << 10 };

static kit_malloc memory;
static ka_region region;
static _Alignas(4096) char range[REGION];

static void nothing_is_live(void)
{
    KIT_CHECK(kit_malloc_clean(&memory) && memory.allocs > 1000);
}

static const kit_case last[] = { { "nothing_is_live", nothing_is_live } };

int main(void)
{
    kit_malloc_init(&memory);
    memory.limit = MALLOC_LIMIT;
    ka_region_init(&region);
    if (!ka_region_claim(&region, range, REGION))
        return 1;
    kit_begin();
    suite = (suite_env){ &memory.allocator, MALLOC_LIMIT, MALLOC_LIMIT };
    kit_run("collection over malloc", collection_suite.cases, collection_suite.count);
    kit_run("collection over malloc", last, KIT_COUNT(last));
    suite = (suite_env){ &region.allocator, REGION, REGION };
    kit_run("collection over a region", collection_suite.cases, collection_suite.count);
    return kit_end();
}
