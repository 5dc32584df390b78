/* region_model_test.c: a region against a plain model: random operations over several shapes of memory, and every
 * sequence of up to 7 operations on tiny regions.
 */
#include "region_model_run.h"

static void random_1k(void)
{
    run_shape(&(shape){ "1 KiB", 1024, 1, 0, 500000 }, 1);
}
static void random_odd(void)
{
    run_shape(&(shape){ "1,535 bytes", 1535, 1, 0, 100000 }, 2);
}
static void random_2k(void)
{
    run_shape(&(shape){ "2 KiB", 2048, 1, 0, 300000 }, 3);
}
static void random_16k(void)
{
    run_shape(&(shape){ "16 KiB", 16384, 1, 0, 150000 }, 4);
}
static void random_100k(void)
{
    run_shape(&(shape){ "100 KiB", 102400, 1, 0, 30000 }, 5);
}
static void random_3_ranges(void)
{
    run_shape(&(shape){ "3 ranges of 2 KiB", 2048, 3, 0, 150000 }, 6);
}
static void random_8_ranges(void)
{
    run_shape(&(shape){ "8 ranges of 1 KiB", 1024, 8, 0, 60000 }, 7);
}
static void random_growing(void)
{
    for (uint64_t seed = 10; seed < 20; seed++)
        run_shape(&(shape){ "1 KiB growing to 64 KiB", 1024, 1, 65536, 5000 }, seed);
}

static void tiny_regions(void)
{
    static const world worlds[] = {
        { 1024, { 16, 48, 400 }, { 16, 64 }, 3, 7 },
        { 1024, { 16, 32, 48, 400, 900 }, { 16, 64 }, 5, 6 },
        { 240, { 16, 32, 80 }, { 16, 32 }, 3, 7 },
    };
    all_sequences(worlds, KIT_COUNT(worlds));
}

int main(void)
{
    static const kit_case cases[] = {
        { "random operations, 1 KiB", random_1k },
        { "random operations, a range of odd size", random_odd },
        { "random operations, 2 KiB", random_2k },
        { "random operations, 16 KiB", random_16k },
        { "random operations, 100 KiB", random_100k },
        { "random operations, three disjoint ranges", random_3_ranges },
        { "random operations, eight disjoint ranges", random_8_ranges },
        { "random operations, growing by adjacent claims", random_growing },
        { "every sequence of operations on tiny regions", tiny_regions },
    };
    return kit_main("region_model", cases, KIT_COUNT(cases));
}
