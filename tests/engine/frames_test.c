/* frames_test.c: the frame engine, one thread: numbers, maps, blocks under constraints against a model, misuse, 1
 * TiB. */
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

/* ---- orders, one after the other ---- */

static void orders(void)
{
    static const ka_frame_range large = { 0, 3 << 18, 0 }; /* 3 GiB */
    size_t size = ka_frames_size(&large, 1, KA_FRAMES_TRACK);
    void *memory = aligned_alloc(64, size);
    memset(memory, 0, size);
    KIT_CHECK(ka_frames_init(&frames, &large, 1, memory, KA_FRAMES_TRACK));
    ka_frames_cpu_init(&cpus[0], 0);
    for (unsigned order = 0; order <= KA_FRAME_MAX_ORDER; order++) {
        ka_frame a = ka_frames_get(&frames, &cpus[0], order), b = ka_frames_get(&frames, NULL, order);
        KIT_CHECK(ka_is_frame(a) && ka_is_frame(b) && a.number != b.number);
        KIT_EXPECT(a.number % (UINT64_C(1) << order) == 0 && b.number % (UINT64_C(1) << order) == 0);
        KIT_EXPECT(ka_frames_put(&frames, NULL, a, order) && ka_frames_put(&frames, &cpus[0], b, order));
    }
    KIT_EXPECT(!ka_is_frame(ka_frames_get(&frames, NULL, KA_FRAME_MAX_ORDER + 1)));
    ka_frames_cpu_flush(&frames, &cpus[0]);
    KIT_CHECK_SOUND(ka_frames_check(&frames));
    KIT_EXPECT(ka_frames_census(&frames).whole == large.count);
    /* every frame of it can be had three times over by 1 GiB */
    for (unsigned i = 0; i < 3; i++)
        KIT_EXPECT(ka_is_frame(ka_frames_get(&frames, NULL, 18)));
    KIT_EXPECT(!ka_is_frame(ka_frames_get(&frames, NULL, 0)));
    free(memory);
}

/* ---- numbers ---- */

/* For zones anywhere below 2^40 frames: frame to area and place and back, masks, and no overflow on the way. */
static void numbers(void)
{
    kit_random random = { 40 };
    for (unsigned i = 0; i < 1000000; i++) {
        uint64_t first = kit_below(&random, KA_FRAME_LIMIT), frame = first + kit_below(&random, KA_FRAME_LIMIT - first);
        if (i < 2)
            first = 0, frame = i == 0 ? 0 : KA_FRAME_LIMIT - 1;
        ka_frame_zone zone = { .first = first, .end = KA_FRAME_LIMIT, .base = first / KA_FRAME_AREA * KA_FRAME_AREA };
        uint64_t area = ka_frame_area_(&zone, frame), in_area = ka_frame_in_area_(&zone, frame);
        KIT_CHECK(ka_frame_area_first_(&zone, area) + in_area == frame && in_area < KA_FRAME_AREA);
        KIT_CHECK(area < KA_FRAME_LIMIT / KA_FRAME_AREA && ka_frame_area_first_(&zone, area) % KA_FRAME_AREA == 0);
    }
    for (unsigned from = 0; from < KA_FRAME_AREA; from += 7)
        for (unsigned end = from + 1; end <= KA_FRAME_AREA; end++) {
            unsigned bits = 0;
            for (unsigned at = from / 64; at * 64 < end; at++)
                bits += ka_count_bits(ka_frame_mask_(at, from, end));
            KIT_CHECK(bits == end - from);
        }
    KIT_EXPECT(ka_frame_class_(0) == KA_FRAME_CLASSES);
    for (uint32_t count = 1; count <= KA_FRAME_AREA; count++)
        KIT_EXPECT(ka_frame_class_(count) < KA_FRAME_CLASSES);
    KIT_EXPECT(ka_frame_count_(0 - UINT32_C(4)) == 0 && ka_frame_count_(4 * 512 + 1) == 512);
}

/* 1 TiB in two nodes far apart: what holds its state is touched only where it is used. */
static void terabyte(void)
{
    static const ka_frame_range far[] = { { UINT64_C(1) << 20, UINT64_C(1) << 27, 0 },
                                          { (UINT64_C(1) << 40) - (UINT64_C(1) << 27), UINT64_C(1) << 27, 1 } };
    size_t size = ka_frames_size(far, 2, 0);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    KIT_CHECK(memory != MAP_FAILED && size < (size_t)37000 * 1024);
    KIT_CHECK(ka_frames_init(&frames, far, 2, memory, 0));
    KIT_EXPECT(ka_frames_census(&frames).free == UINT64_C(1) << 28);
    ka_frames_cpu_init(&cpus[1], 1);
    for (unsigned i = 0; i < 2000; i++) {
        ka_frame frame = ka_frames_get(&frames, &cpus[1], 0);
        KIT_CHECK(frame.number >= far[1].first && frame.number < UINT64_C(1) << 40);
    }
    ka_frame_limits last = { .lowest = (UINT64_C(1) << 40) - 300, .align = 4 };
    ka_frame top = ka_frames_get_run(&frames, 300, &last);
    KIT_EXPECT(top.number == (UINT64_C(1) << 40) - 300);
    KIT_EXPECT(!ka_is_frame(ka_frames_get_run(&frames, 300, &last)));
    KIT_EXPECT(ka_frames_put_run(&frames, top, 300));
    ka_frame large = ka_frames_get_run(&frames, (UINT64_C(1) << 26) + 1, NULL); /* 256 GiB and a page */
    KIT_EXPECT(ka_is_frame(large) && ka_frames_put_run(&frames, large, (UINT64_C(1) << 26) + 1));
    KIT_EXPECT(!ka_is_frame(ka_frames_get_run(&frames, (UINT64_C(1) << 27) + 1, NULL)));
    KIT_EXPECT(!ka_is_frame(ka_frames_get_run(&frames, UINT64_MAX, NULL)));

    size_t pages = size / 4096, touched = 0;
    unsigned char *there = malloc(pages + 1);
    KIT_CHECK(there != NULL && mincore(memory, size, there) == 0);
    for (size_t i = 0; i < pages; i++)
        touched += there[i] & 1;
    kit_note("1 TiB: %zu KiB of metadata, %zu KiB of them touched", size / 1024, touched * 4);
    free(there);
    munmap(memory, size);
}

/* ---- maps that cannot be ---- */

static void bad_maps(void)
{
    static const ka_frame_range overlap[] = { { 0, 100, 0 }, { 99, 5, 0 } }, order[] = { { 100, 5, 0 }, { 0, 5, 0 } },
                                beyond[] = { { (UINT64_C(1) << 40) - 1, 2, 0 } }, nothing[] = { { 5, 0, 0 } };
    ka_frame_range many[KA_FRAME_ZONES + 1];
    for (unsigned i = 0; i <= KA_FRAME_ZONES; i++)
        many[i] = (ka_frame_range){ i * 10, 5, 0 };
    KIT_EXPECT(ka_frames_size(overlap, 2, 0) == SIZE_MAX && ka_frames_size(order, 2, 0) == SIZE_MAX);
    KIT_EXPECT(ka_frames_size(beyond, 1, 0) == SIZE_MAX && ka_frames_size(nothing, 1, 0) == SIZE_MAX);
    KIT_EXPECT(ka_frames_size(many, KA_FRAME_ZONES + 1, 0) == SIZE_MAX);
    KIT_EXPECT(ka_frames_size(many, KA_FRAME_ZONES, 0) != SIZE_MAX);
    KIT_EXPECT(!ka_frames_init(&frames, overlap, 2, NULL, 0));
}

/* ---- misuse ---- */

static void expect(bool refused, ka_misuse kind)
{
    KIT_EXPECT(refused && reports == 1 && last_kind == kind);
    KIT_CHECK_SOUND(ka_frames_check(&frames));
    reports = 0;
}

static void misuse_of(unsigned flags)
{
    setup(flags);
    uint64_t before = ka_frames_census(&frames).free;
    ka_frame one = ka_frames_get(&frames, NULL, 0), eight = ka_frames_get(&frames, NULL, 3),
             area = ka_frames_get(&frames, NULL, 9);
    KIT_CHECK(ka_is_frame(one) && ka_is_frame(eight) && ka_is_frame(area));
    expect(!ka_frames_put(&frames, NULL, ka_frame_of(200), 0), KA_MISUSE_FOREIGN); /* a hole */
    expect(!ka_frames_put(&frames, NULL, ka_frame_of(UINT64_C(1) << 50), 0), KA_MISUSE_FOREIGN);
    expect(!ka_frames_put(&frames, NULL, ka_frame_of(15000), 0), KA_MISUSE_DOUBLE_FREE); /* never got */
    expect(!ka_frames_put(&frames, NULL, ka_frame_of(eight.number + 1), 3), KA_MISUSE_WRONG_SIZE);
    expect(!ka_frames_put(&frames, NULL, area, 12), KA_MISUSE_WRONG_SIZE);
    expect(!ka_frames_put(&frames, NULL, ka_frame_of(15360), 9), KA_MISUSE_DOUBLE_FREE);
    if (flags != 0) {
        expect(!ka_frames_put(&frames, NULL, eight, 2), KA_MISUSE_WRONG_SIZE);
        expect(!ka_frames_put(&frames, NULL, eight, 0), KA_MISUSE_WRONG_SIZE);
        expect(!ka_frames_put(&frames, NULL, ka_frame_of(eight.number + 4), 2), KA_MISUSE_WRONG_SIZE);
        expect(!ka_frames_put_run(&frames, ka_frame_of(eight.number + 7), 1), KA_MISUSE_WRONG_SIZE);
        expect(!ka_frames_put(&frames, NULL, area, 0), KA_MISUSE_WRONG_SIZE);
        expect(!ka_frames_release(&frames, eight, 8), KA_MISUSE_WRONG_SIZE);
    }
    KIT_EXPECT(ka_frames_put(&frames, NULL, eight, 3) && ka_frames_put(&frames, NULL, area, 9));
    expect(!ka_frames_put(&frames, NULL, eight, 3), KA_MISUSE_DOUBLE_FREE);
    expect(!ka_frames_put(&frames, NULL, area, 9), KA_MISUSE_DOUBLE_FREE);
    expect(!ka_frames_put(&frames, NULL, ka_frame_of(area.number + 5), 0), KA_MISUSE_DOUBLE_FREE);
    KIT_EXPECT(ka_frames_put(&frames, NULL, one, 0));
    expect(!ka_frames_put(&frames, NULL, one, 0), KA_MISUSE_DOUBLE_FREE);
    KIT_EXPECT(ka_frames_census(&frames).free == before);
}

static void misuse(void)
{
    misuse_of(0);
    misuse_of(KA_FRAMES_TRACK);
}

/* With a CPU's own frames: at once where the frame is its own, else when it puts back what it has collected. */
static void misuse_with_cpu(void)
{
    setup(KA_FRAMES_TRACK);
    ka_frame_cpu *cpu = &cpus[1];
    ka_frame others = ka_frame_of(5000), claimed = ka_frame_of(10240), frame;
    KIT_CHECK(ka_frames_claim(&frames, others, 3000));
    KIT_CHECK(ka_frames_claim(&frames, claimed, 100)); /* an area with something to fill comes first */
    frame = ka_frames_get(&frames, cpu, 0);
    KIT_CHECK(ka_is_frame(frame) && frame.number - 10240 < 512);
    KIT_EXPECT(ka_frames_put(&frames, cpu, frame, 0));
    expect(!ka_frames_put(&frames, cpu, frame, 0), KA_MISUSE_DOUBLE_FREE);
    KIT_EXPECT(ka_frames_put(&frames, cpu, ka_frame_of(200), 0)); /* a hole */
    KIT_EXPECT(ka_frames_put(&frames, cpu, ka_frame_of(15000), 0)); /* never got */
    KIT_EXPECT(reports == 0);
    ka_frames_cpu_flush(&frames, cpu);
    KIT_EXPECT(reports == 2);
    reports = 0;
    KIT_CHECK_SOUND(ka_frames_check(&frames));
    KIT_EXPECT(ka_frames_release(&frames, others, 3000) && ka_frames_release(&frames, claimed, 40));
    KIT_EXPECT(ka_frames_release(&frames, ka_frame_of(claimed.number + 40), 60));
    KIT_EXPECT(ka_frames_census(&frames).free == map_frames());
    KIT_EXPECT(!ka_frames_has(&frames, ka_frame_of(200)) && ka_frames_has(&frames, claimed));
}

/* A frame of a block, put singly into its home by the quick way: wherever in the block it lies. */
static void wrong_order_at_home(void)
{
    setup(KA_FRAMES_TRACK);
    ka_frame_cpu *cpu = &cpus[1];
    ka_frame_limits here = { .lowest = 10240 + 60, .highest = 10240 + 511 };
    KIT_CHECK(ka_frames_claim(&frames, ka_frame_of(5000), 3000));
    ka_frame joint = ka_frames_get_run(&frames, 10, &here); /* 60 to 69: over the end of a word */
    KIT_CHECK(joint.number == 10300);
    ka_frame single = ka_frames_get(&frames, cpu, 0);
    KIT_CHECK(single.number - 10240 < 512);
    for (unsigned i = 0; i < 10; i++)
        expect(!ka_frames_put(&frames, cpu, ka_frame_of(joint.number + i), 0), KA_MISUSE_WRONG_SIZE);
    KIT_EXPECT(ka_frames_put(&frames, cpu, single, 0));
    KIT_EXPECT(ka_frames_put_run(&frames, joint, 10));
    ka_frames_cpu_flush(&frames, cpu);
    KIT_EXPECT(ka_frames_release(&frames, ka_frame_of(5000), 3000));
    KIT_EXPECT(reports == 0 && ka_frames_census(&frames).free == map_frames());
}

/* ---- what survives ---- */

static void rebuild(void)
{
    kit_random random = { 9 };
    setup(0);
    model_clear();
    for (unsigned i = 0; i < 3000; i++)
        step(&random, 60);
    ka_frames_cpu_flush(&frames, &cpus[0]);
    ka_frames_cpu_flush(&frames, &cpus[1]);
    ka_frames_stats before = ka_frames_census(&frames);
    for (unsigned i = 0; i < frames.zone_count; i++) {
        ka_frame_zone *zone = &frames.zones[i];
        memset(zone->counts, 0x5a, zone->areas * sizeof *zone->counts);
        zone->whole.upper[0] = 0;
        for (unsigned class_of = 0; class_of < KA_FRAME_CLASSES; class_of++)
            zone->partial[class_of].bits[0] = zone->partial[class_of].upper[0] = 0;
    }
    KIT_EXPECT(ka_frames_check(&frames) != NULL);
    ka_frames_rebuild(&frames);
    KIT_CHECK_SOUND(ka_frames_check(&frames));
    ka_frames_stats after = ka_frames_census(&frames);
    KIT_EXPECT(after.free == before.free && after.whole == before.whole);
    for (unsigned i = 0; i < 3000; i++)
        step(&random, 50);
    all_back();
}

/* Each fact of the check can be seen to fail. */
static void check_sees(void)
{
    setup(KA_FRAMES_TRACK);
    ka_frame_zone *zone = &frames.zones[frames.zone_count - 1];
    ka_frame frame = ka_frames_get_run(&frames, 3, &(ka_frame_limits){ .node = 1, .exact = true });
    KIT_CHECK(ka_is_frame(frame) && ka_frames_check(&frames) == NULL);
    zone->counts[0] += 4;
    KIT_EXPECT(ka_frames_check(&frames) != NULL);
    zone->counts[0] -= 4;
    zone->free[8] |= 1;
    KIT_EXPECT(ka_frames_check(&frames) != NULL);
    zone->free[8] &= ~UINT64_C(1);
    zone->whole.upper[0] = 0;
    KIT_EXPECT(ka_frames_check(&frames) != NULL);
    zone->whole.upper[0] = 1;
    zone->joined[8] = 1;
    KIT_EXPECT(ka_frames_check(&frames) != NULL);
    zone->joined[8] = 0;
    KIT_CHECK_SOUND(ka_frames_check(&frames));
}

/* ---- gathering ---- */

/* Nine of ten frames are freed at random; once each of the rest has been replaced, nearly all that is free is whole. */
static void gathering(void)
{
    enum { COUNT = 64 * 512 };
    static uint64_t held[COUNT];
    static const ka_frame_range one = { 0, COUNT, 0 };
    kit_random random = { 7 };
    size_t size = ka_frames_size(&one, 1, 0);
    void *memory = aligned_alloc(64, size);
    memset(memory, 0, size);
    KIT_CHECK(ka_frames_init(&frames, &one, 1, memory, 0));
    ka_frames_cpu_init(&cpus[0], 0);
    for (unsigned i = 0; i < COUNT; i++)
        held[i] = ka_frames_get(&frames, &cpus[0], 0).number;
    KIT_EXPECT(!ka_is_frame(ka_frames_get(&frames, &cpus[0], 0)));
    for (unsigned i = COUNT; i > 1; i--) {
        uint64_t j = kit_below(&random, i), t = held[i - 1];
        held[i - 1] = held[j];
        held[j] = t;
    }
    for (unsigned i = COUNT / 10; i < COUNT; i++)
        KIT_EXPECT(ka_frames_put(&frames, &cpus[0], ka_frame_of(held[i]), 0));
    KIT_EXPECT(ka_frames_census(&frames).whole == 0);
    for (unsigned round = 0; round < 4; round++)
        for (unsigned i = 0; i < COUNT / 10; i++) {
            KIT_EXPECT(ka_frames_put(&frames, &cpus[0], ka_frame_of(held[i]), 0));
            held[i] = ka_frames_get(&frames, &cpus[0], 0).number;
        }
    ka_frames_cpu_flush(&frames, &cpus[0]);
    ka_frames_stats stats = ka_frames_census(&frames);
    kit_note("%llu of %llu free frames are whole", (unsigned long long)stats.whole, (unsigned long long)stats.free);
    KIT_EXPECT(stats.whole * 100 >= stats.free * 93);
    free(memory);
}

static const kit_case cases[] = {
    { "orders 0 to 18", orders },
    { "numbers to 2^40", numbers },
    { "1 TiB, sparse", terabyte },
    { "maps that cannot be", bad_maps },
    { "misuse", misuse },
    { "misuse with a CPU's frames", misuse_with_cpu },
    { "wrong order at home", wrong_order_at_home },
    { "all but the bitmaps made anew", rebuild },
    { "the check sees", check_sees },
    { "gathering", gathering },
    { "random operations against a model", model },
    { "the same, tracked", model_tracked },
};

int main(void)
{
    return kit_main("frames", cases, KIT_COUNT(cases));
}
