/* math_test.c: arithmetic on sizes, against 128-bit arithmetic. */
#include "base/math.h"
#include "kit.h"

__extension__ typedef unsigned __int128 wide;

static void powers_of_two(void)
{
    KIT_EXPECT(!ka_is_power_of_two(0) && ka_is_power_of_two(1) && ka_is_power_of_two(2) && !ka_is_power_of_two(3));
    for (unsigned shift = 2; shift < 64; shift++) {
        size_t x = (size_t)1 << shift;
        KIT_EXPECT(ka_is_power_of_two(x) && !ka_is_power_of_two(x + 1) && !ka_is_power_of_two(x - 1));
    }
    KIT_EXPECT(!ka_is_power_of_two(SIZE_MAX));
}

/* Of any length in bits. */
static uint64_t random_number(kit_random *random)
{
    uint64_t shift = kit_below(random, 64);
    return kit_next(random) >> shift;
}

static void rounding(void)
{
    kit_random random = { 6 };
    for (int i = 0; i < 10000; i++) {
        size_t align = (size_t)1 << kit_below(&random, 60), x = random_number(&random);
        size_t down = ka_round_down(x, align);
        KIT_CHECK(down % align == 0 && down <= x && x - down < align);
        if (x <= SIZE_MAX - (align - 1)) {
            size_t up = ka_round_up(x, align);
            KIT_CHECK(up % align == 0 && up >= x && up - x < align);
        }
    }
    KIT_EXPECT(ka_round_up(SIZE_MAX, 16) == 0); /* wraps, as it says */
}

static void smaller_and_larger(void)
{
    KIT_EXPECT(ka_min(1, SIZE_MAX) == 1 && ka_max(1, SIZE_MAX) == SIZE_MAX);
    KIT_EXPECT(ka_min(7, 7) == 7 && ka_max(7, 7) == 7 && ka_min(2, 1) == 1 && ka_max(2, 1) == 2);
}

static void products(void)
{
    static const uint64_t edges[] = { 0, 1, 2, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX, UINT64_C(1) << 63 };
    kit_random random = { 7 };
    for (size_t i = 0; i < KIT_COUNT(edges); i++)
        for (size_t k = 0; k < KIT_COUNT(edges); k++)
            KIT_EXPECT(ka_mul_high(edges[i], edges[k]) == (uint64_t)(((wide)edges[i] * edges[k]) >> 64));
    for (int i = 0; i < 100000; i++) {
        uint64_t a = random_number(&random), b = random_number(&random);
        KIT_CHECK(ka_mul_high(a, b) == (uint64_t)(((wide)a * b) >> 64));
    }
}

static const kit_case cases[] = {
    { "powers of two", powers_of_two },
    { "rounding", rounding },
    { "smaller and larger", smaller_and_larger },
    { "products", products },
};

int main(void)
{
    return kit_main("math", cases, KIT_COUNT(cases));
}
