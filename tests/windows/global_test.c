/* global_test.c: contiguous memory as a program's global allocator, as the Rust crate's README has it and its code does
 * not compile; over the shim ntoskrnl. */
#include <ka/box.h>
#include <ka/global.h>
#include <ka/windows.h>

#include "nt_suite.h"
#include "shim/shim.h"

KA_GLOBAL_ALLOCATOR(ka_physical);

typedef struct region {
    uint32_t revision;
    unsigned char rest[4092];
} region;

KA_BOX(region_box, region, KA_NO_DROP)

static void a_region(void)
{
    region_box box = { 0 };
    region *r = region_box_new(&box, ka_global());
    KIT_CHECK(r != NULL && r->revision == 0 && r->rest[4091] == 0);
    KIT_EXPECT(ka_physical_address(r) % 4096 == 0);
    region_box_drop(&box);
    KIT_EXPECT(ka_nt_stop() == 0 && shim_live_pages() == 0);
}

int main(void)
{
    static const kit_case cases[] = { { "a region for the processor in a box", a_region } };
    if (!ka_nt_start(0))
        return 1;
    return kit_main("contiguous memory as the global allocator, over a shim ntoskrnl", cases, KIT_COUNT(cases));
}
