/* layout_test.c: layouts at their edges, and random ones against 128-bit arithmetic. */
#include <ka/layout.h>

#include "kit.h"

__extension__ typedef unsigned __int128 wide;

#define MOST ((size_t)PTRDIFF_MAX)

static wide round_up(wide x, wide align)
{
    return (x + align - 1) / align * align;
}

static bool valid(wide size, size_t align)
{
    return align != 0 && (align & (align - 1)) == 0 && round_up(size, align) <= MOST;
}

static bool same(ka_layout a, wide size, size_t align)
{
    return a.size == size && a.align == align;
}

static void edges(void)
{
    KIT_EXPECT(ka_layout_valid(0, 1) && ka_layout_valid(0, (size_t)1 << 62) && !ka_layout_valid(0, 0));
    KIT_EXPECT(!ka_layout_valid(1, 3) && !ka_layout_valid(1, SIZE_MAX) && ka_layout_valid(MOST, 1));
    KIT_EXPECT(!ka_layout_valid(MOST + 1, 1) && !ka_layout_valid(SIZE_MAX, 1) && !ka_layout_valid(MOST, 2));
    KIT_EXPECT(ka_layout_valid(MOST - 1, 2) && ka_layout_valid(MOST - 4095, 4096));
    KIT_EXPECT(!ka_layout_valid(MOST - 4094, 4096) && !ka_layout_valid(SIZE_MAX - 4094, 4096));
    KIT_EXPECT(!ka_layout_valid(1, (size_t)1 << 63));
}

static void of_types(void)
{
    struct record {
        char c;
        long long n;
        short s;
    };
    static const ka_layout record = KA_LAYOUT_OF(struct record);
    ka_layout made = { 0, 1 }, c = KA_LAYOUT_OF(char), n = KA_LAYOUT_OF(long long), s = KA_LAYOUT_OF(short);
    size_t at[3];
    KIT_EXPECT(ka_layout_extend(&made, c, &at[0]) && ka_layout_extend(&made, n, &at[1]));
    KIT_EXPECT(ka_layout_extend(&made, s, &at[2]) && ka_layout_pad(&made));
    KIT_EXPECT(same(made, record.size, record.align));
    KIT_EXPECT(at[0] == 0 && at[1] == offsetof(struct record, n) && at[2] == offsetof(struct record, s));
    KIT_EXPECT(ka_layout_extend(&made, c, NULL) && made.size == record.size + 1);
}

static void arrays(void)
{
    ka_layout out = { 7, 1 }, item = { 5, 4 };
    KIT_EXPECT(ka_layout_array(&out, item, 3) && same(out, 24, 4)); /* each item is padded */
    KIT_EXPECT(ka_layout_array(&out, item, 0) && same(out, 0, 4));
    KIT_EXPECT(ka_layout_array(&out, (ka_layout){ 0, 8 }, SIZE_MAX) && same(out, 0, 8));
    KIT_EXPECT(ka_layout_array(&out, (ka_layout){ 1, 1 }, MOST) && same(out, MOST, 1));
    KIT_EXPECT(!ka_layout_array(&out, (ka_layout){ 1, 1 }, MOST + 1) && same(out, MOST, 1));
    KIT_EXPECT(!ka_layout_array(&out, (ka_layout){ 16, 16 }, ((size_t)1 << 60) + 1)); /* the product wraps to 16 */
    size_t half = SIZE_MAX >> (sizeof(size_t) * 4); /* the longest number whose square does not wrap */
    KIT_EXPECT(!ka_layout_array(&out, (ka_layout){ half, 1 }, half) && same(out, MOST, 1));
    KIT_EXPECT(!ka_layout_array(&out, (ka_layout){ half + 1, 1 }, half + 1) && same(out, MOST, 1)); /* wraps to 0 */
    KIT_EXPECT(ka_layout_array(&out, (ka_layout){ half, 1 }, half / 2) && same(out, half * (half / 2), 1));
    KIT_EXPECT(ka_layout_array(&out, (ka_layout){ 1, 1 }, MOST));
    KIT_EXPECT(!ka_layout_array(&out, (ka_layout){ 8, 3 }, 1) && same(out, MOST, 1));
}

/* A size or count that is small, near a power of two, or near the end, since that is where mistakes live. */
static size_t pick(kit_random *random)
{
    size_t near = kit_below(random, 9) - 4;
    switch (kit_below(random, 4)) {
    case 0:
        return kit_below(random, 100);
    case 1:
        return ((size_t)1 << kit_below(random, 64)) + near;
    case 2:
        return MOST + near;
    default:
        near = kit_below(random, 64);
        return kit_next(random) >> near;
    }
}

static size_t pick_align(kit_random *random)
{
    if (kit_below(random, 20) == 0)
        return pick(random);
    size_t most = kit_below(random, 2) ? 64 : 13;
    return (size_t)1 << kit_below(random, most);
}

/* One after the other: the order within an initializer is the compiler's choice. */
static ka_layout pick_layout(kit_random *random)
{
    ka_layout layout;
    layout.size = pick(random);
    layout.align = pick_align(random);
    return layout;
}

static void random_layouts(void)
{
    kit_random random = { 8 };
    unsigned accepted = 0;
    for (int i = 0; i < 300000; i++) {
        const ka_layout before = pick_layout(&random);
        const ka_layout item = pick_layout(&random);
        bool valid_before = valid(before.size, before.align), valid_item = valid(item.size, item.align);
        size_t n = pick(&random), offset = 77;
        ka_layout out = before;

        KIT_CHECK(ka_layout_valid(item.size, item.align) == valid_item);
        KIT_CHECK(ka_layout_make(&out, item.size, item.align) == valid_item);
        KIT_CHECK(valid_item ? same(out, item.size, item.align) : same(out, before.size, before.align));

        out = before;
        wide all = valid_item ? round_up(item.size, item.align) * n : 0;
        bool ok = valid_item && all <= MOST && valid(all, item.align);
        KIT_CHECK(ka_layout_array(&out, item, n) == ok);
        KIT_CHECK(ok ? same(out, all, item.align) : same(out, before.size, before.align));
        accepted += ok;

        out = before;
        wide at = valid_item ? round_up(before.size, item.align) : 0;
        size_t align = item.align > before.align ? item.align : before.align;
        ok = valid_before && valid_item && valid(at + item.size, align);
        KIT_CHECK(ka_layout_extend(&out, item, &offset) == ok);
        KIT_CHECK(ok ? same(out, at + item.size, align) && offset == at
                     : same(out, before.size, before.align) && offset == 77);
        accepted += ok;

        out = before;
        KIT_CHECK(ka_layout_pad(&out) == valid_before);
        KIT_CHECK(valid_before ? same(out, round_up(before.size, before.align), before.align)
                               : same(out, before.size, before.align));
    }
    kit_note("900000 results, of 600000 sums and products %u were layouts", accepted);
}

static const kit_case cases[] = {
    { "edges", edges }, { "of types", of_types }, { "arrays", arrays }, { "random layouts", random_layouts }
};

int main(void)
{
    return kit_main("layout", cases, KIT_COUNT(cases));
}
