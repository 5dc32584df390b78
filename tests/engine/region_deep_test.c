/* region_deep_test.c: what region_model_test.c does, with rows of several places in small regions, which the library
 * has in large ones only.
 */
#include "engine/region_range.h"

#undef DEEP_RANGE
#undef DEEP_SHARE
#undef FLAT_SHARE
#define DEEP_RANGE 8
#define DEEP_SHARE 4
#define FLAT_SHARE 16
#include "engine/region_claim.c"

#include "region_model_run.h"

static void random_1k(void)
{
    run_shape(&(shape){ "1 KiB", 1024, 1, 0, 200000 }, 1);
}

static void random_16k(void)
{
    run_shape(&(shape){ "16 KiB", 16384, 1, 0, 100000 }, 2);
}

static void random_growing(void)
{
    for (uint64_t seed = 10; seed < 14; seed++)
        run_shape(&(shape){ "1 KiB growing to 64 KiB", 1024, 1, 65536, 5000 }, seed);
}

static void tiny_region(void)
{
    static const world worlds[] = { { 1024, { 16, 48, 160 }, { 16, 64 }, 3, 6 } };
    all_sequences(worlds, KIT_COUNT(worlds));
    KIT_EXPECT(row_depth(region.only_granules, 1, false) == 7 && row_depth(region.only_granules, 3, false) == 3);
}

/* ---- misuse ---- */

static unsigned doubled;

static void on_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                      const void *site)
{
    (void)context, (void)allocator, (void)block, (void)size, (void)site;
    doubled += kind == KA_MISUSE_DOUBLE_FREE;
}

/* Each block that waits is known, at any place of a row that is full or not. */
static void each_waiting_block_is_known(void)
{
    void *blocks[8];
    ka_region_init(&region);
    KIT_CHECK(claim(0, 16384));
    ka_set_misuse_handler(on_misuse, NULL);
    for (unsigned n = 1; n <= 4; n++) {
        doubled = 0;
        for (unsigned i = 0; i < 8; i++)
            KIT_CHECK((blocks[i] = ka_region_alloc(&region, n * 16, 16)) != NULL);
        for (unsigned i = 0; i < 8; i++) {
            ka_region_free(&region, blocks[i], n * 16, 16);
            for (unsigned again = 0; again <= i; again++) {
                ka_region_free(&region, blocks[again], n * 16, 16);
                ka_region_free_unsized(&region, blocks[again]);
                KIT_CHECK(ka_region_usable(&region, blocks[again]) == 0);
            }
        }
        KIT_CHECK(doubled == 2 * 36 && region.live_blocks == 0);
        KIT_CHECK_SOUND(ka_region_check(&region));
    }
}

/* All of it is merged when a request would be refused, and when a second range is claimed. */
static void rows_are_emptied(void)
{
    void *blocks[20];
    for (unsigned second = 0; second < 2; second++) {
        ka_region_init(&region);
        KIT_CHECK(claim(0, 16384));
        size_t total = region_total(&region);
        for (unsigned i = 0; i < 20; i++)
            KIT_CHECK((blocks[i] = ka_region_alloc(&region, (i / 5 + 1) * 16, 16)) != NULL);
        for (unsigned i = 0; i < 20; i++)
            ka_region_free(&region, blocks[i], (i / 5 + 1) * 16, 16);
        KIT_CHECK(region.free_blocks == 1 && ka_get_stats(&region.allocator).largest_free == total);
        if (second == 0)
            KIT_CHECK((blocks[0] = ka_region_alloc(&region, 16, 16)) != NULL);
        KIT_CHECK(second == 0 ? ka_region_alloc(&region, total, 16) == NULL : claim(20000, 16384));
        KIT_CHECK(region.free_blocks == 2 || blocks[0] == arena);
        KIT_CHECK_SOUND(ka_region_check(&region));
    }
}

int main(void)
{
    static const kit_case cases[] = {
        { "random operations, 1 KiB", random_1k },
        { "random operations, 16 KiB", random_16k },
        { "random operations, growing by adjacent claims", random_growing },
        { "every sequence of operations on a tiny region", tiny_region },
        { "each waiting block is known", each_waiting_block_is_known },
        { "rows are emptied before a refusal and a second range", rows_are_emptied },
    };
    return kit_main("region_deep", cases, KIT_COUNT(cases));
}
