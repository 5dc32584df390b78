/* frames_stress_test.c: threads take and give frames in every way there is, in a memory of three areas, with the
 * engine's steps held up now and then. Every frame carries the mark of its owner: none may be doubled, none may be
 * lost, and at the end every area must be whole again. Frames are also written to, so that ThreadSanitizer sees whether
 * they change hands properly. With a step of the protocol left out the same test must fail.
 *
 * Argument: seconds.
 */
#include "interleave_noise.h"

#include "engine/frames_core.h"

static enum theft { NOTHING, MERGE_FULL, BIT_OWNS, WORD_EXCHANGE } control;

static bool control_cas(uint64_t *p, uint64_t *expected, uint64_t desired);
static uint64_t control_and(uint64_t *p, uint64_t v);
static uint64_t control_exchange(uint64_t *p, uint64_t v);
#undef ka_cas_64
#undef ka_fetch_and_64
#undef ka_exchange_64
#define ka_cas_64(p, e, d)    control_cas(p, e, d)
#define ka_fetch_and_64(p, v) control_and(p, v)
#define ka_exchange_64(p, v)  control_exchange(p, v)
#include "engine/frames.c"
#include "engine/frames_block.c"
#include "engine/frames_check.c"
#include "engine/frames_cpu.c"

#define FRAMES 1536u
#define HELD   48u
static const ka_frame_range map = { 512, FRAMES, 0 };

static ka_frames frames;
static _Alignas(64) uint64_t metadata[1024];
static uint32_t owners[512 + FRAMES];
static uint64_t contents[512 + FRAMES]; /* what stands in the frame */

typedef struct bag {
    ka_frame_cpu cpu;
    struct {
        ka_frame first;
        uint32_t count;
        unsigned order; /* 99: a run */
    } block[HELD];
    uint32_t count;
    unsigned long singles, runs, areas, claims, refused;
} bag;
static bag bags[NOISE_THREADS + 1];

/* ---- the protocol, robbed ---- */

static bool control_cas(uint64_t *p, uint64_t *expected, uint64_t desired)
{
    if (control == MERGE_FULL && *expected == ~UINT64_C(0) && desired == 0) {
        (void)step_change_64(STEP_EXCHANGE, p, 0);
        return true;
    }
    return step_cas_64(p, expected, desired);
}

static uint64_t control_and(uint64_t *p, uint64_t v)
{
    uint64_t before = step_change_64(STEP_AND, p, v);
    return control == BIT_OWNS && p == frames.zones[0].whole.bits ? before | ~v : before;
}

static uint64_t control_exchange(uint64_t *p, uint64_t v)
{
    if (control != WORD_EXCHANGE)
        return step_change_64(STEP_EXCHANGE, p, v);
    uint64_t before = step_load_64(STEP_LOAD, p);
    step_store_64(STEP_STORE, p, v);
    return before;
}

static void on_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                      const void *site)
{
    (void)context, (void)kind, (void)allocator, (void)block, (void)size, (void)site;
    noise_fault("a frame is said to be misused");
}

/* ---- operations ---- */

static void mark(uint64_t first, uint32_t count, unsigned id)
{
    noise_own(owners, (uint32_t)first, count, id, "a frame is doubled");
    for (uint64_t at = first; control == NOTHING && at < first + count; at++)
        contents[at] = id;
}

static void unmark(uint64_t first, uint32_t count, unsigned id)
{
    for (uint64_t at = first; control == NOTHING && at < first + count; at++)
        if (contents[at] != id)
            noise_fault("a frame was written to by somebody else");
    noise_disown(owners, (uint32_t)first, count, id, "a frame was taken away from its owner");
}

static void bag_keep(bag *b, unsigned id, ka_frame first, uint32_t count, unsigned order)
{
    if (!ka_is_frame(first)) {
        b->refused++;
        return;
    }
    if (first.number < 512 || first.number + count > 512 + FRAMES || (order < 99 && first.number % count != 0)) {
        noise_fault("a block is not what was asked for");
        return;
    }
    mark(first.number, count, id);
    b->block[b->count].first = first;
    b->block[b->count].order = order;
    b->block[b->count++].count = count;
}

static void bag_get(bag *b, unsigned id, kit_random *random)
{
    uint64_t dice = kit_below(random, 16);
    if (b->count == HELD)
        return;
    if (dice < 10) {
        bag_keep(b, id, ka_frames_get(&frames, dice < 8 ? &b->cpu : NULL, 0), 1, 0);
        b->singles++;
    } else if (dice < 12) {
        bag_keep(b, id, ka_frames_get(&frames, &b->cpu, 9), 512, 9);
        b->areas++;
    } else if (dice < 14) {
        uint32_t count = 1 + (uint32_t)kit_below(random, dice == 12 ? 40 : 700);
        ka_frame_limits limits = { .align = UINT64_C(1) << kit_below(random, 4),
                                   .lowest = 512 + kit_below(random, 64) };
        bag_keep(b, id, ka_frames_get_run(&frames, count, &limits), count, 99);
        b->runs++;
    } else {
        uint64_t first = 512 + kit_below(random, FRAMES);
        uint32_t count = 1 + (uint32_t)kit_below(random, 100);
        bool done = ka_frames_claim(&frames, ka_frame_of(first), count);
        bag_keep(b, id, done ? ka_frame_of(first) : ka_no_frame(), count, 99);
        b->claims++;
    }
}

static void bag_put(bag *b, unsigned id, uint32_t at, bool with_cpu)
{
    ka_frame first = b->block[at].first;
    uint32_t count = b->block[at].count;
    unsigned order = b->block[at].order;
    b->block[at] = b->block[--b->count];
    unmark(first.number, count, id);
    bool done = order == 99 ? ka_frames_put_run(&frames, first, count)
                            : ka_frames_put(&frames, with_cpu ? &b->cpu : NULL, first, order);
    if (!done)
        noise_fault("a block could not be put back");
}

static void body(unsigned id, kit_random *random)
{
    bag *b = &bags[id];
    uint64_t dice = kit_below(random, 64);
    if (dice == 0)
        ka_frames_cpu_flush(&frames, &b->cpu);
    else if (dice < 34 && b->count < HELD)
        bag_get(b, id, random);
    else if (b->count > 0)
        bag_put(b, id, (uint32_t)kit_below(random, b->count), dice % 4 != 0);
}

static void end(unsigned id)
{
    bag *b = &bags[id];
    while (b->count > 0)
        bag_put(b, id, b->count - 1, false);
    ka_frames_cpu_flush(&frames, &b->cpu);
}

static void setup(void)
{
    for (unsigned i = 0; i < KIT_COUNT(metadata); i++)
        metadata[i] = 0;
    for (unsigned i = 0; i < KIT_COUNT(owners); i++)
        owners[i] = 0;
    if (ka_frames_size(&map, 1, 0) > sizeof metadata || !ka_frames_init(&frames, &map, 1, metadata, 0))
        abort();
    for (unsigned id = 0; id <= NOISE_THREADS; id++) {
        bags[id] = (bag){ .count = 0 };
        ka_frames_cpu_init(&bags[id].cpu, 0);
    }
    noise.body = body;
    noise.end = end;
}

static void whole(void)
{
    setup();
    const char *fault = noise_run(noise.seconds);
    unsigned long singles = 0, runs = 0, areas = 0, refused = 0;
    for (unsigned id = 1; id <= NOISE_THREADS; id++) {
        singles += bags[id].singles;
        runs += bags[id].runs;
        areas += bags[id].areas;
        refused += bags[id].refused;
    }
    kit_note("%lu operations: %lu single frames, %lu runs, %lu areas asked for, %lu refused", noise.operations, singles,
             runs, areas, refused);
    KIT_CHECK_SOUND(fault);
    KIT_CHECK_SOUND(ka_frames_check(&frames));
    ka_frames_stats stats = ka_frames_census(&frames);
    if (stats.free != FRAMES || stats.whole != FRAMES)
        kit_note("%llu of %u frames are free, %llu in whole areas", (unsigned long long)stats.free, FRAMES,
                 (unsigned long long)stats.whole);
    KIT_CHECK(stats.free == FRAMES && stats.whole == FRAMES);
    if (noise.operations > 100000) /* a busy machine may do too few for this */
        KIT_CHECK(singles > 1000 && runs > 100 && areas > 100);
}

static void robbed(enum theft theft)
{
    setup();
    control = theft;
    const char *fault = noise_run(CONTROL_SECONDS);
    control = NOTHING;
    kit_note("after %lu operations: %s", noise.operations, fault != NULL ? fault : "nothing found");
    KIT_CHECK(fault != NULL);
}

static void without_full(void) { robbed(MERGE_FULL); }
static void without_owning(void) { robbed(BIT_OWNS); }
static void without_exchange(void) { robbed(WORD_EXCHANGE); }

static const kit_case cases[] = {
    { "no frame is doubled or lost, and areas become whole", whole },
    { "without looking whether words are full some are", without_full },
    { "without looking who cleared an area's bit some are", without_owning },
    { "without taking a word in one step some are", without_exchange },
};

int main(int argc, char **argv)
{
    noise_arguments(argc, argv, 2);
    ka_set_misuse_handler(on_misuse, NULL);
    return kit_main("frames_stress", cases, KIT_COUNT(cases));
}
