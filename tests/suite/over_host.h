/* over_host.h: main of a suite on the host: over malloc, which watches every free, and over a region. */
#ifndef OVER_HOST_H
#define OVER_HOST_H

#include <stdio.h>

#include <ka/region.h>

#include "kit_malloc.h"
#include "suite/suite.h"

enum { OVER_MALLOC = 1 << 20, OVER_REGION = 256 << 10 };

static kit_malloc over_malloc;
static size_t over_least;

static void nothing_is_live(void)
{
    KIT_CHECK(kit_malloc_clean(&over_malloc) && over_malloc.allocs > over_least);
}

/* least  allocations that the suite must have made of malloc, so that it is known to have run */
static inline int suite_main(const kit_suite *s, size_t least)
{
    static const kit_case last = { "nothing_is_live", nothing_is_live };
    static _Alignas(4096) char range[OVER_REGION];
    static ka_region region;
    char name[64];
    over_least = least;
    kit_malloc_init(&over_malloc);
    over_malloc.limit = OVER_MALLOC;
    ka_region_init(&region);
    if (!ka_region_claim(&region, range, OVER_REGION))
        return 1;
    kit_begin();
    suite = (suite_env){ &over_malloc.allocator, OVER_MALLOC, OVER_MALLOC };
    (void)snprintf(name, sizeof name, "%s over malloc", s->name);
    kit_run(name, s->cases, s->count);
    kit_run(name, &last, 1);
    suite = (suite_env){ &region.allocator, OVER_REGION, OVER_REGION };
    (void)snprintf(name, sizeof name, "%s over a region", s->name);
    kit_run(name, s->cases, s->count);
    return kit_end();
}

#endif
