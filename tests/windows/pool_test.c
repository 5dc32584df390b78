/* ka_nt_pool over the shim ntoskrnl (tests/windows/shim): no Windows runs here. */
#include <ka/kernel.h>
#include <ka/windows.h>

#include "kit.h"
#include "shim/shim.h"

static ka_nt_pool pool;

static void start(shim_version version)
{
    shim_windows = version;
    KIT_CHECK(ka_nt_start(0));
    KIT_CHECK(ka_nt_pool_init(&pool, &(ka_nt_pool_options){ .tag = KA_TAG('t', 'e', 's', 't') }));
}

static void refuses_before_start(void)
{
    KIT_EXPECT(ka_alloc(ka_kernel, 16, 16, 0) == NULL);
    KIT_EXPECT(shim_pool_calls == 0);
}

static void every_layout(void)
{
    for (int version = SHIM_WINDOWS_7; version <= SHIM_2004; version++) {
        start((shim_version)version);
        for (size_t size = 1; size < 20000; size = size * 3 / 2 + 1)
            for (size_t align = 1; align <= (size_t)1 << 16; align *= 2) {
                void *block = ka_alloc(&pool.allocator, size, align, 0);
                KIT_CHECK(block != NULL && (uintptr_t)block % align == 0 && (uintptr_t)block % 16 == 0);
                kit_stamp(block, size, size ^ align);
                KIT_CHECK(kit_stamped(block, size, size ^ align));
                ka_free(&pool.allocator, block, size, align);
            }
        KIT_CHECK(shim_live() == 0);
    }
}

static const kit_case cases[] = {
    { "before ka_nt_start everything is refused", refuses_before_start },
    { "every size and alignment, on every Windows", every_layout },
};

int main(void)
{
    return kit_main("ka_nt_pool, over a shim ntoskrnl", cases, KIT_COUNT(cases));
}
