/* bits_test.c: bits of words and bitmaps, against loops that count one bit at a time. */
#include "base/bits.h"
#include "kit.h"

static void each_bit(void)
{
    kit_random random = { 3 };
    for (unsigned at = 0; at < 64; at++) {
        uint64_t bit = UINT64_C(1) << at;
        uint64_t above = at == 63 ? 0 : kit_next(&random) << (at + 1), below = kit_next(&random) & (bit - 1);
        KIT_EXPECT(ka_lowest_bit(bit) == at && ka_highest_bit(bit) == at);
        KIT_EXPECT(ka_lowest_bit(bit | above) == at && ka_highest_bit(bit | below) == at);
        KIT_EXPECT(ka_low_mask(at) == bit - 1);
    }
    KIT_EXPECT(ka_low_mask(64) == UINT64_MAX && ka_low_mask(0) == 0);
}

static void counts(void)
{
    kit_random random = { 4 };
    KIT_EXPECT(ka_count_bits(0) == 0 && ka_count_bits(UINT64_MAX) == 64);
    for (int i = 0; i < 10000; i++) {
        uint64_t x = kit_next(&random) & kit_next(&random);
        unsigned count = 0;
        for (unsigned at = 0; at < 64; at++)
            count += (unsigned)(x >> at) & 1;
        KIT_CHECK(ka_count_bits(x) == count);
    }
}

static void words(void)
{
    KIT_EXPECT(ka_words_for(0) == 0 && ka_words_for(1) == 1 && ka_words_for(64) == 1 && ka_words_for(65) == 2);
    KIT_EXPECT(ka_words_for(SIZE_MAX) == SIZE_MAX / 64 + 1);
}

static void bitmaps(void)
{
    uint64_t map[5] = { 0 };
    bool model[320] = { false };
    kit_random random = { 5 };
    for (int i = 0; i < 20000; i++) {
        size_t at = kit_below(&random, 320);
        model[at] = kit_next(&random) & 1;
        if (model[at])
            ka_bit_set(map, at);
        else
            ka_bit_clear(map, at);
        size_t other = kit_below(&random, 320);
        KIT_CHECK(ka_bit_get(map, at) == model[at] && ka_bit_get(map, other) == model[other]);
    }
    for (size_t at = 0; at < 320; at++)
        KIT_CHECK(ka_bit_get(map, at) == model[at]);
}

static const kit_case cases[] = {
    { "each bit", each_bit }, { "counts", counts }, { "words", words }, { "bitmaps", bitmaps },
};

int main(void)
{
    return kit_main("bits", cases, KIT_COUNT(cases));
}
