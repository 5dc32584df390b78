/* The string suite on the host, with the C library's printf. */
#include <stdio.h>

#include "kit_malloc.h"
#include "suite/suite.h"

static kit_malloc memory;

static void nothing_is_live(void)
{
    KIT_CHECK(kit_malloc_clean(&memory) && memory.allocs > 10);
}

static const kit_case last[] = { { "nothing_is_live", nothing_is_live } };

int main(void)
{
    kit_malloc_init(&memory);
    kit_begin();
    suite = (suite_env){ &memory.allocator, 1 << 20, 1 << 20 };
    suite_formatter = vsnprintf;
    kit_run("string", string_suite.cases, string_suite.count);
    kit_run("string", last, KIT_COUNT(last));
    return kit_end();
}
