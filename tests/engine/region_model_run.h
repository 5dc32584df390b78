/* region_model_run.h: a region against a plain model, with ka_region_check after every step: random operations over a
 * shape of memory, and every sequence of up to 7 operations on a tiny region. Used by region_model_test.c, and by
 * region_deep_test.c for rows of more than one place.
 */
#ifndef REGION_MODEL_RUN_H
#define REGION_MODEL_RUN_H

#include "region_model.h"

#include "base/bits.h"
#include "engine/region_range.h"

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

static const char *random_step(kit_random *random, size_t most)
{
    uint64_t what = kit_below(random, 100);
    size_t at = kit_below(random, m.count + 1);
    size_t size = kit_size(random, 80, most);
    size_t align = kit_align(random, 3, 13);
    ka_flags flags = kit_below(random, 4) == 0 ? KA_ZERO : 0;
    bool crowded = kit_below(random, 4) != 0 && region.live > region_total(&region) / 8 * 7;
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

/* ---- every sequence ---- */

#define DEPTH  7
#define STATES (1u << 17) /* room for so many, a power of two */

/* A tiny region, and what is asked of it. */
typedef struct world {
    size_t bytes, sizes[5], aligns[2], size_count, depth;
} world;

static const world *w;
static size_t layouts;

/* All that one operation can change. */
typedef struct snapshot {
    unsigned char bytes[1024];
    ka_region region;
    size_t count, live;
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
        return model_alloc(&m, w->sizes[n / 2], w->aligns[n % 2], 0);
    n -= layouts;
    size_t at = n / (layouts + 1), what = n % (layouts + 1);
    if (what == 0)
        return model_free(&m, at, (unsigned)at);
    what--;
    return model_resize(&m, at, w->sizes[what / 2], w->aligns[what % 2], 0);
}

static size_t operations(void)
{
    return layouts + m.count * (layouts + 1);
}

static uint64_t state_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
    return hash ^ hash >> 29;
}

/* What the engine's next steps depend on: bits, heads, what waits, the block handed out last, and the headers of free
 * blocks; the check has just proved that counts, maps and footers agree with these. What live blocks hold and the
 * highest use do not count. So sequences that lead to the same state need not be told apart, and a block's place stands
 * for its name. */
static uint64_t state_hash(void)
{
    const ka_region_range *r = &region.ranges[0];
    uint64_t hash = state_mix((uint32_t)region.last_down, region.last_down != 0 ? (uintptr_t)region.last - r->base : 0);
    for (uint32_t n = 1; n <= region.rows * (1 + region.row_length) + 1; n++)
        hash = state_mix(hash, r->heads[-(ptrdiff_t)n]);
    for (uint32_t g = 0; g <= r->granules + 1; g += 64)
        hash = state_mix(state_mix(hash, *starts_at(r, g)), *ends_at(r, g));
    for (uint32_t bin = 0; bin < bin_count(r->granules); bin++)
        hash = state_mix(hash, r->heads[bin]);
    hash = state_mix(hash, r->open);
    for (uint32_t g = 1; g <= r->granules; g++)
        if (g != r->open && is_start(r, g) && is_free_end(r, g)) {
            uint32_t links[2];
            memcpy(links, (const void *)(r->base + g * KA_REGION_GRANULE), sizeof links);
            hash = state_mix(hash, (uint64_t)links[0] << 32 | links[1]);
        }
    return hash == 0 ? 1 : hash;
}

/* How to come to each state that is known, and which are known. */
static struct {
    uint8_t operations[DEPTH], length;
} ways[STATES];
static uint64_t known[STATES * 2];
static uint32_t state_count;
static unsigned long steps;

/* Whether the state is new. Two of a million states have the same 64 bits with a probability of 3 to 100 million. */
static bool state_add(uint64_t hash)
{
    uint32_t at = (uint32_t)(hash >> 32) % (STATES * 2);
    for (; known[at] != 0; at = (at + 1) % (STATES * 2))
        if (known[at] == hash)
            return false;
    known[at] = hash;
    return true;
}

static const char *state_make(uint32_t state)
{
    memset(arena, 0xa5, sizeof((snapshot *)0)->bytes);
    ka_region_init(&region);
    model_init(&m, &region);
    if (!ka_region_claim(&region, arena, w->bytes))
        return "the claim was refused";
    for (uint8_t i = 0; i < ways[state].length; i++)
        MODEL_STEP(operation(ways[state].operations[i]));
    return NULL;
}

/* Breadth first: each operation in each state that fewer than `depth` operations can lead to. */
static const char *every_sequence(void)
{
    static snapshot here;
    memset(known, 0, sizeof known);
    steps = 0;
    ways[0].length = 0;
    state_count = 1;
    MODEL_STEP(state_make(0));
    (void)state_add(state_hash());
    for (uint32_t state = 0; state < state_count; state++) {
        MODEL_STEP(state_make(state));
        snapshot_take(&here);
        size_t possible = operations();
        uint8_t length = ways[state].length;
        for (size_t n = 0; n < possible; n++, steps++) {
            snapshot_restore(&here);
            MODEL_STEP(operation(n));
            if (length + 1u == w->depth || !state_add(state_hash()))
                continue;
            MODEL_FACT(state_count < STATES);
            ways[state_count] = ways[state];
            ways[state_count].operations[length] = (uint8_t)n;
            ways[state_count++].length = (uint8_t)(length + 1);
        }
    }
    return NULL;
}

static void all_sequences(const world *worlds, size_t count)
{
    for (w = worlds; w < worlds + count; w++) {
        layouts = w->size_count * 2;
        KIT_CHECK_SOUND(every_sequence());
        kit_note("%zu bytes: %lu operations in %u states stand for all sequences of up to %zu operations", w->bytes,
                 steps, (unsigned)state_count, w->depth);
        KIT_EXPECT(steps > 50000);
    }
}

#endif
