/* region_model_test.c: a region against a plain model, with ka_region_check after every step: random operations over
 * several shapes of memory, and every sequence of a few operations on a small region.
 */
#include "region_model.h"

#include "base/bits.h"

#define ARENA (256 * 1024)
#define TOP   4096 /* the arena is aligned to this; the largest alignment asked for */

static _Alignas(TOP) unsigned char arena[ARENA];
static ka_region region;
static model m;

/* How the memory of one run looks. */
typedef struct shape {
    const char *name;
    size_t size;   /* bytes of the first range */
    size_t ranges; /* disjoint ranges of `size`, with gaps */
    size_t growth; /* the range grows by adjacent claims up to so many bytes; 0: never */
    unsigned steps;
} shape;

/* Mostly small, else log-uniform up to twice what the range has: also sizes that must fail. */
static size_t random_size(kit_random *random, size_t most)
{
    uint64_t law = kit_below(random, 16);
    if (law == 0)
        return kit_below(random, 3);
    if (law < 9)
        return 1 + kit_below(random, 80);
    unsigned bits = (unsigned)kit_below(random, ka_highest_bit(most) + 2);
    return 1 + kit_below(random, (size_t)1 << bits);
}

static size_t random_align(kit_random *random)
{
    uint64_t law = kit_below(random, 8);
    if (law < 5)
        return (size_t)1 << kit_below(random, 5);
    return law < 7 ? (size_t)1 << (5 + kit_below(random, 3)) : (size_t)1 << kit_below(random, 13);
}

static const char *random_step(kit_random *random, size_t most)
{
    uint64_t what = kit_below(random, 100);
    size_t at = kit_below(random, m.count + 1);
    size_t size = random_size(random, most);
    size_t align = random_align(random);
    ka_flags flags = kit_below(random, 4) == 0 ? KA_ZERO : 0;
    bool crowded = kit_below(random, 4) != 0 && region.live > region.total / 8 * 7;
    if (at == m.count || (what < 45 && !crowded))
        return model_alloc(&m, size, align, flags);
    if (what < 80)
        return model_free(&m, at, (unsigned)kit_next(random));
    return model_resize(&m, at, size, align, flags);
}

static bool claim(size_t at, size_t size)
{
    memset(arena + at, 0xa5, size);
    return ka_region_claim(&region, arena + at, size);
}

static void run_shape(const shape *s, uint64_t seed)
{
    kit_random random = { seed };
    size_t gap = 4096, claimed = s->size;
    if (s->ranges > KA_CFG_REGION_RANGES) {
        kit_skip("this build has fewer ranges");
        return;
    }
    memset(arena, 0x5a, sizeof arena);
    ka_region_init(&region);
    model_init(&m, &region);
    for (size_t i = 0; i < s->ranges; i++)
        KIT_CHECK(claim((s->ranges - 1 - i) * (s->size + gap), s->size));
    for (unsigned step = 0; step < s->steps; step++) {
        if (claimed < s->growth && kit_below(&random, s->steps / 64) == 0) {
            size_t more = KA_REGION_MIN_RANGE + kit_below(&random, 64) * 16;
            KIT_CHECK(claim(claimed, more));
            claimed += more;
        }
        KIT_CHECK_SOUND(random_step(&random, s->size));
    }
    kit_note("%s: %u steps, %zu refused, %zu blocks live at the end", s->name, s->steps, m.refused, m.count);
    KIT_EXPECT(m.refused > 0);
    KIT_CHECK_SOUND(model_close(&m));
    for (size_t i = 0; i + 1 < s->ranges; i++)
        for (size_t byte = 0; byte < gap; byte++)
            KIT_CHECK(arena[i * (s->size + gap) + s->size + byte] == 0x5a);
}

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

/* ---- every sequence ---- */

#define DEPTH 5

static const size_t sizes[] = { 16, 32, 48, 400, 900 };
static const size_t aligns[] = { 16, 64 };
static const size_t layouts = KIT_COUNT(sizes) * KIT_COUNT(aligns);
static unsigned long sequences;

/* All that one operation can change. */
typedef struct snapshot {
    unsigned char bytes[1024];
    ka_region region;
    size_t count, live, refused;
    model_block blocks[DEPTH];
} snapshot;

static void snapshot_take(snapshot *s)
{
    memcpy(s->bytes, arena, sizeof s->bytes);
    s->region = region;
    s->count = m.count;
    s->live = m.live;
    memcpy(s->blocks, m.blocks, sizeof s->blocks);
}

static void snapshot_restore(const snapshot *s)
{
    memcpy(arena, s->bytes, sizeof s->bytes);
    region = s->region;
    m.count = s->count;
    m.live = s->live;
    memcpy(m.blocks, s->blocks, sizeof s->blocks);
}

/* The n-th operation that is possible now: an allocation of each layout; for each block a free and a resize to each. */
static const char *operation(size_t n)
{
    if (n < layouts)
        return model_alloc(&m, sizes[n / KIT_COUNT(aligns)], aligns[n % KIT_COUNT(aligns)], 0);
    n -= layouts;
    size_t at = n / (layouts + 1), what = n % (layouts + 1);
    if (what == 0)
        return model_free(&m, at, (unsigned)at);
    what--;
    return model_resize(&m, at, sizes[what / KIT_COUNT(aligns)], aligns[what % KIT_COUNT(aligns)], 0);
}

/* Depth first, over the saved states. */
static const char *every_sequence(void)
{
    static snapshot states[DEPTH];
    size_t next[DEPTH] = { 0 }, depth = 0;
    snapshot_take(&states[0]);
    for (;;) {
        size_t operations = layouts + states[depth].count * (layouts + 1);
        if (next[depth] == operations) {
            if (depth == 0)
                return NULL;
            depth--;
            continue;
        }
        snapshot_restore(&states[depth]);
        MODEL_STEP(operation(next[depth]++));
        sequences++;
        if (depth + 1 < DEPTH) {
            depth++;
            next[depth] = 0;
            snapshot_take(&states[depth]);
        }
    }
}

static void all_sequences(void)
{
    ka_region_init(&region);
    model_init(&m, &region);
    KIT_CHECK(claim(0, 1024));
    KIT_CHECK_SOUND(every_sequence());
    kit_note("%lu sequences of up to %d operations", sequences, DEPTH);
    KIT_EXPECT(sequences > 1000000);
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
        { "every sequence of operations on 1 KiB", all_sequences },
    };
    return kit_main("region_model", cases, KIT_COUNT(cases));
}
