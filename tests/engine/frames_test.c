/* frames_test.c: the frame engine, one thread: numbers, maps, blocks under constraints against a model, misuse, 1 TiB. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kit.h"

#include "engine/frames_core.h"
#include "engine/frames_fast.h"

/* A map with holes, edges inside of areas and of words, and two nodes. */
static const ka_frame_range map[] = {
    { 1, 158, 0 },     { 256, 3840, 0 }, { 4096, 700, 0 },   { 4800, 1, 0 },
    { 5000, 3000, 1 }, { 8000, 100, 0 }, { 10240, 6144, 1 },
};
#define FRAMES 16384u /* numbers below this */

static ka_frames frames;
static ka_frame_cpu cpus[2];
static void *metadata;

static unsigned reports;
static ka_misuse last_kind;

static void on_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                      const void *site)
{
    (void)context, (void)block, (void)size, (void)site;
    KIT_EXPECT(strcmp(allocator->ops->name, "frames") == 0);
    reports++;
    last_kind = kind;
}

static void setup(unsigned flags)
{
    size_t size = ka_frames_size(map, KIT_COUNT(map), flags);
    free(metadata);
    metadata = aligned_alloc(64, size);
    memset(metadata, 0, size);
    if (!ka_frames_init(&frames, map, KIT_COUNT(map), metadata, flags))
        abort();
    KIT_EXPECT(frames.overhead == size);
    ka_frames_cpu_init(&cpus[0], 0);
    ka_frames_cpu_init(&cpus[1], 1);
    ka_set_misuse_handler(on_misuse, NULL);
    reports = 0;
}

static int node_of(uint64_t frame)
{
    for (unsigned i = 0; i < KIT_COUNT(map); i++)
        if (frame - map[i].first < map[i].count)
            return (int)map[i].node;
    return -1;
}

static uint64_t map_frames(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < KIT_COUNT(map); i++)
        sum += map[i].count;
    return sum;
}

/* ---- model ---- */

typedef struct block {
    uint64_t first, count;
    unsigned order; /* 99: a run; 100: claimed */
} block;

#define BLOCKS 4096u
static block blocks[BLOCKS];
static unsigned block_count;
static unsigned char owned[FRAMES], kept[FRAMES];

static void model_clear(void)
{
    memset(owned, 0, sizeof owned);
    block_count = 0;
}

static void keep(uint64_t frame)
{
    kept[frame] = 1;
}

/* What CPUs keep is not free. */
static void kept_find(void)
{
    memset(kept, 0, sizeof kept);
    for (unsigned c = 0; c < 2; c++) {
        const ka_frame_cpu *cpu = &cpus[c];
        for (unsigned i = 0; cpu->zone != NULL && i < KA_FRAME_AREA; i++)
            if (ka_bit_get(cpu->words, i))
                keep(ka_frame_area_first_(cpu->zone, cpu->area) + i);
        for (unsigned i = 0; i < cpu->out_count; i++)
            keep(cpu->out[i].number);
    }
}

static bool in_one_range(uint64_t first, uint64_t count)
{
    for (unsigned i = 0; i < frames.zone_count; i++)
        if (first >= frames.zones[i].first && first + count <= frames.zones[i].end)
            return true;
    return false;
}

static bool satisfies(uint64_t first, uint64_t count, const ka_frame_limits *l)
{
    uint64_t last = first + count - 1;
    return in_one_range(first, count) && first >= l->lowest && (l->highest == 0 || last <= l->highest) &&
           (l->align == 0 || first % l->align == 0) &&
           (l->boundary == 0 || first / l->boundary == last / l->boundary) &&
           (!l->exact || node_of(first) == (int)l->node);
}

/* Is there any place for the block? */
static bool place_exists(uint64_t count, const ka_frame_limits *l)
{
    kept_find();
    uint64_t run = 0;
    for (uint64_t at = 0; at < FRAMES; at++) {
        run = node_of(at) >= 0 && !owned[at] && !kept[at] ? run + 1 : 0;
        if (run >= count && satisfies(at + 1 - count, count, l))
            return true;
    }
    return false;
}

static void model_add(uint64_t first, uint64_t count, unsigned order)
{
    for (uint64_t at = first; at < first + count; at++) {
        KIT_EXPECT(at < FRAMES && node_of(at) >= 0 && !owned[at]);
        owned[at] = 1;
    }
    blocks[block_count++] = (block){ first, count, order };
}

static block model_take(unsigned at)
{
    block b = blocks[at];
    blocks[at] = blocks[--block_count];
    memset(owned + b.first, 0, b.count);
    return b;
}

/* ---- random operations ---- */

static unsigned long refusals;

static ka_frame_cpu *random_cpu(kit_random *random)
{
    uint64_t which = kit_below(random, 3);
    return which == 2 ? NULL : &cpus[which];
}

static void step_get(kit_random *random)
{
    unsigned order = kit_below(random, 4) != 0 ? 0 : (unsigned)kit_below(random, 13);
    ka_frame_cpu *cpu = random_cpu(random);
    ka_frame frame = ka_frames_get(&frames, cpu, order);
    ka_frame_limits limits = { .align = UINT64_C(1) << order };
    if (!ka_is_frame(frame)) {
        refusals++;
        KIT_EXPECT(!place_exists(UINT64_C(1) << order, &limits));
        return;
    }
    KIT_EXPECT(satisfies(frame.number, UINT64_C(1) << order, &limits));
    model_add(frame.number, UINT64_C(1) << order, order);
}

static ka_frame_limits random_limits(kit_random *random)
{
    ka_frame_limits l = { 0 };
    if (kit_below(random, 2) != 0)
        l.lowest = kit_below(random, FRAMES);
    if (kit_below(random, 2) != 0)
        l.highest = l.lowest + kit_below(random, FRAMES / 2);
    if (kit_below(random, 3) == 0)
        l.boundary = UINT64_C(1) << kit_below(random, 14);
    if (kit_below(random, 2) == 0)
        l.align = UINT64_C(1) << kit_below(random, 13);
    l.node = (unsigned)kit_below(random, 3);
    l.exact = kit_below(random, 4) == 0;
    return l;
}

static void step_run(kit_random *random)
{
    ka_frame_limits limits = random_limits(random);
    uint64_t count = 1 + kit_below(random, UINT64_C(1) << kit_below(random, 12));
    ka_frame frame = ka_frames_get_run(&frames, count, &limits);
    if (!ka_is_frame(frame)) {
        refusals++;
        KIT_EXPECT(!place_exists(count, &limits));
        return;
    }
    KIT_EXPECT(satisfies(frame.number, count, &limits));
    model_add(frame.number, count, 99);
}

static void step_claim(kit_random *random)
{
    uint64_t first = kit_below(random, FRAMES), count = 1 + kit_below(random, 600);
    ka_frame_limits here = { .lowest = first, .highest = first + count - 1 };
    if (ka_frames_claim(&frames, ka_frame_of(first), count)) {
        model_add(first, count, 100);
        return;
    }
    KIT_EXPECT(!in_one_range(first, count) || !place_exists(count, &here));
}

static void put_block(block b, ka_frame_cpu *cpu)
{
    bool done = b.order == 99    ? ka_frames_put_run(&frames, ka_frame_of(b.first), b.count)
                : b.order == 100 ? ka_frames_release(&frames, ka_frame_of(b.first), b.count)
                                 : ka_frames_put(&frames, cpu, ka_frame_of(b.first), b.order);
    KIT_EXPECT(done);
}

static void step(kit_random *random, unsigned pressure)
{
    uint64_t dice = kit_below(random, 100);
    if (dice < pressure && block_count < BLOCKS) {
        if (dice % 8 < 5)
            step_get(random);
        else if (dice % 8 < 7)
            step_run(random);
        else
            step_claim(random);
    } else if (block_count > 0) {
        put_block(model_take((unsigned)kit_below(random, block_count)), random_cpu(random));
    }
    if (kit_below(random, 500) == 0)
        ka_frames_cpu_flush(&frames, &cpus[kit_below(random, 2)]);
}

static uint64_t owned_count(void)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < FRAMES; i++)
        count += owned[i];
    return count;
}

static void all_back(void)
{
    while (block_count > 0)
        put_block(model_take(block_count - 1), NULL);
    ka_frames_cpu_flush(&frames, &cpus[0]);
    ka_frames_cpu_flush(&frames, &cpus[1]);
    KIT_CHECK_SOUND(ka_frames_check(&frames));
    KIT_EXPECT(ka_frames_census(&frames).free == map_frames());
}

static void model_run(unsigned flags, uint64_t seed)
{
    kit_random random = { seed };
    setup(flags);
    model_clear();
    refusals = 0;
    for (unsigned i = 0; i < 60000; i++) {
        step(&random, i / 6000 % 2 == 0 ? 70 : 35);
        if (i % 64 == 0)
            KIT_CHECK_SOUND(ka_frames_check(&frames));
        if (i % 512 == 0) {
            kept_find();
            uint64_t away = owned_count();
            for (unsigned f = 0; f < FRAMES; f++)
                away += kept[f];
            KIT_CHECK(ka_frames_census(&frames).free == map_frames() - away);
        }
    }
    KIT_EXPECT(reports == 0 && refusals > 1000);
    all_back();
    kit_note("seed %llu: %lu refusals, each looked for by hand", (unsigned long long)seed, refusals);
}

static void model(void)
{
    model_run(0, 1);
    model_run(0, 2);
}

static void model_tracked(void)
{
    model_run(KA_FRAMES_TRACK, 3);
    model_run(KA_FRAMES_TRACK, 4);
}

static const kit_case cases[] = {
    { "random operations against a model", model },
    { "the same, tracked", model_tracked },
};

int main(void)
{
    return kit_main("frames", cases, KIT_COUNT(cases));
}
