/* frames_interleave_test.c: the frame engine under every order of the steps of two or three operations.
 *
 * The memory is two areas. After each schedule every frame must be in one place: in the bitmaps, or in the hands of one
 * operation; every count must be that of its bits, and an area that is all free must be whole: a merge that two put off
 * on each other would be seen. Orders with up to three preemptions are tried. The same plans with a step of the
 * protocol left out must fail.
 */
#include <stdlib.h>

#define INTERLEAVE_STEPS 400
#include "interleave.h"

#include "kit.h"

#include "engine/frames_core.h"

/* What the protocol is robbed of. */
typedef enum theft { NOTHING, MERGE_FULL, MERGE_LOOKS_AGAIN, BIT_OWNS } theft;
static theft control;

static bool control_cas(uint64_t *p, uint64_t *expected, uint64_t desired);
static uint64_t control_and(uint64_t *p, uint64_t v);
#undef ka_cas_64
#undef ka_fetch_and_64
#define ka_cas_64(p, e, d)    control_cas(p, e, d)
#define ka_fetch_and_64(p, v) control_and(p, v)
#define ka_frame_merge_owed_(zone, area) (control != MERGE_LOOKS_AGAIN && ka_frame_merge_owed_(zone, area))
#include "engine/frames.c"
#include "engine/frames_block.c"
#include "engine/frames_check.c"
#include "engine/frames_cpu.c"

#define FRAMES 1024u
static const ka_frame_range map = { 0, FRAMES, 0 };

static ka_frames frames;
static _Alignas(64) uint64_t memory[512];

typedef struct hand {
    uint64_t first, count;
} hand;
static hand hands[INTERLEAVE_MAX], begun[INTERLEAVE_MAX];
static ka_frame_cpu cpus[INTERLEAVE_MAX];
static unsigned reports;

static void on_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                      const void *site)
{
    (void)context, (void)kind, (void)allocator, (void)block, (void)size, (void)site;
    reports++;
}

/* ---- the protocol, robbed ---- */

static bool robbed(theft what) { return interleave.active && control == what; }

static bool control_cas(uint64_t *p, uint64_t *expected, uint64_t desired)
{
    if (robbed(MERGE_FULL) && *expected == ~UINT64_C(0) && desired == 0) {
        (void)step_change_64(STEP_EXCHANGE, p, 0);
        return true;
    }
    return step_cas_64(p, expected, desired);
}

static uint64_t control_and(uint64_t *p, uint64_t v)
{
    uint64_t before = step_change_64(STEP_AND, p, v);
    return robbed(BIT_OWNS) && p == frames.zones[0].whole.bits ? before | ~v : before;
}

/* ---- operations ---- */

static void hold(ka_frame first, uint64_t count)
{
    hands[interleave.current] = ka_is_frame(first) ? (hand){ first.number, count } : (hand){ 0, 0 };
}

static void op_get(void) { hold(ka_frames_get(&frames, NULL, 0), 1); }
static void op_get_8(void) { hold(ka_frames_get(&frames, NULL, 3), 8); }
static void op_get_area(void) { hold(ka_frames_get(&frames, NULL, 9), 512); }

static void op_get_600(void) { hold(ka_frames_get_run(&frames, 600, NULL), 600); }

static void op_cpu_get(void)
{
    ka_frame_cpu *cpu = &cpus[interleave.current];
    ka_frames_cpu_init(cpu, 0); /* the operation begins anew for each of its steps */
    hold(ka_frames_get(&frames, cpu, 0), 1);
}

/* And gives back what is left. */
static void op_cpu_get_flush(void)
{
    op_cpu_get();
    ka_frames_cpu_flush(&frames, &cpus[interleave.current]);
}

static void claim(uint64_t first, uint64_t count)
{
    bool done = ka_frames_claim(&frames, ka_frame_of(first), count);
    hold(done ? ka_frame_of(first) : ka_no_frame(), count);
}

static void op_claim_middle(void) { claim(500, 100); }
static void op_claim_low(void) { claim(0, 70); }

static void op_put(void)
{
    hand held = begun[interleave.current];
    bool done = ka_frames_put_run(&frames, ka_frame_of(held.first), held.count);
    hands[interleave.current] = done ? (hand){ 0, 0 } : held;
}

/* Takes a frame and gives it back. */
static void op_get_put(void)
{
    ka_frame frame = ka_frames_get(&frames, NULL, 0);
    if (ka_is_frame(frame))
        (void)ka_frames_put(&frames, NULL, frame, 0);
}

/* ---- the world ---- */

static void reset(void)
{
    for (unsigned i = 0; i < KIT_COUNT(memory); i++)
        memory[i] = 0;
    for (unsigned i = 0; i < INTERLEAVE_MAX; i++) {
        hands[i] = begun[i] = (hand){ 0, 0 };
        ka_frames_cpu_init(&cpus[i], 0);
    }
    reports = 0;
    if (!ka_frames_init(&frames, &map, 1, memory, 0))
        abort();
}

static void held(unsigned who, uint64_t first, uint64_t count)
{
    KIT_EXPECT(ka_frames_claim(&frames, ka_frame_of(first), count));
    hands[who] = begun[who] = (hand){ first, count };
}

/* Operations 0 and 1 have one frame each, of one area or of two. */
static void reset_pair(void)
{
    reset();
    held(0, 3, 1);
    held(1, 200, 1);
}

static void reset_one(void)
{
    reset();
    held(0, 3, 1);
}

static void reset_area(void)
{
    reset();
    held(0, 0, 512);
}

/* Only the lower area is there for single frames. */
static void reset_full(void)
{
    reset();
    held(3, 512, 512);
}

static void reset_full_one(void)
{
    reset_full();
    held(0, 3, 1);
}

static void reset_full_pair(void)
{
    reset_full();
    held(0, 3, 1);
    held(1, 200, 1);
}

static const char *judge(void)
{
    static unsigned char places[FRAMES];
    const ka_frame_zone *zone = &frames.zones[0];
    for (unsigned i = 0; i < FRAMES; i++)
        places[i] = (unsigned char)(ka_bit_get(zone->free, i) + ka_bit_get(zone->whole.bits, i / 512));
    for (unsigned i = 0; i < INTERLEAVE_MAX; i++) {
        for (uint64_t at = hands[i].first; at < hands[i].first + hands[i].count; at++)
            places[at]++;
        for (unsigned at = 0; cpus[i].zone != NULL && at < 512; at++)
            places[cpus[i].area * 512 + at] += ka_bit_get(cpus[i].words, at);
    }
    for (unsigned i = 0; i < FRAMES; i++)
        if (places[i] != 1)
            return places[i] == 0 ? "a frame is lost" : "a frame is doubled";
    return reports != 0 ? "misuse was reported" : ka_frames_check(&frames);
}

/* ---- cases ---- */

static void prove_within(const interleave_plan *plan, interleave_limits limits)
{
    interleave_result result = interleave_all(plan, limits);
    kit_note("%s: %lu schedules of up to %u steps", plan->name, result.schedules, result.longest);
    if (result.broken != NULL) {
        kit_note("schedule %s", result.schedule);
        kit_fail(__FILE__, __LINE__, result.broken);
    }
}

static const interleave_plan plans[] = {
    { "put, put: the area becomes whole", reset_pair, judge, { op_put, op_put } },
    { "put, get of an area", reset_one, judge, { op_put, op_get_area } },
    { "put, get of the last area", reset_full_one, judge, { op_put, op_get_area } },
    { "put, get", reset_full_one, judge, { op_put, op_get } },
    { "put, get of 8", reset_full_one, judge, { op_put, op_get_8 } },
    { "put, get by a CPU", reset_full_one, judge, { op_put, op_cpu_get } },
    { "put, get and flush by a CPU", reset_full_one, judge, { op_put, op_cpu_get_flush } },
    { "put of an area, get", reset_area, judge, { op_put, op_get } },
    { "put of an area, get of an area", reset_area, judge, { op_put, op_get_area } },
    { "put of an area, claim", reset_area, judge, { op_put, op_claim_middle } },
    { "get, get", reset_full, judge, { op_get, op_get } },
    { "get, get of an area", reset_full, judge, { op_get, op_get_area } },
    { "get of an area, get of an area", reset_full, judge, { op_get_area, op_get_area } },
    { "get by two CPUs", reset, judge, { op_cpu_get, op_cpu_get } },
    { "get by two CPUs, one area", reset_full, judge, { op_cpu_get, op_cpu_get } },
    { "get and flush by two CPUs", reset_full, judge, { op_cpu_get_flush, op_cpu_get_flush } },
    { "get of 600, claim", reset, judge, { op_get_600, op_claim_middle } },
    { "get of 600, get of an area", reset, judge, { op_get_600, op_get_area } },
    { "claim, claim", reset, judge, { op_claim_middle, op_claim_low } },
    { "claim of what is taken, put", reset_full_one, judge, { op_put, op_claim_low } },
};

static void pairs(void)
{
    control = NOTHING;
    for (unsigned i = 0; i < KIT_COUNT(plans); i++)
        prove_within(&plans[i], (interleave_limits){ .stop = true, .preemptions = 3 });
}

static void threes(void)
{
    static const interleave_plan three[] = {
        { "put, put, get", reset_full_pair, judge, { op_put, op_put, op_get } },
        { "put, put, get and put", reset_full_pair, judge, { op_put, op_put, op_get_put } },
        { "put, put, claim", reset_full_pair, judge, { op_put, op_put, op_claim_low } },
        { "put, put, get of an area", reset_full_pair, judge, { op_put, op_put, op_get_area } },
    };
    for (unsigned i = 0; i < KIT_COUNT(three); i++)
        prove_within(&three[i], (interleave_limits){ .stop = true, .preemptions = 3 });
}

static void disprove(const interleave_plan *plan, theft without, const char *what)
{
    control = without;
    interleave_result result = interleave_all(plan, (interleave_limits){ .stop = true, .preemptions = 3 });
    control = NOTHING;
    kit_note("%s without %s: schedule %lu fails: %s", plan->name, what, result.schedules,
             result.failures != 0 ? result.broken : "none");
    KIT_EXPECT(result.failures > 0);
}

static void controls(void)
{
    static const interleave_plan put_get = { "put, get", reset_full_one, judge, { op_put, op_get } };
    static const interleave_plan put_put_get = {
        "put, put, get", reset_full_pair, judge, { op_put, op_put, op_get_put }
    };
    static const interleave_plan get_get = { "get of an area, get of an area", reset_full, judge,
                                             { op_get_area, op_get_area } };
    disprove(&put_get, MERGE_FULL, "looking whether words are full");
    disprove(&put_put_get, MERGE_LOOKS_AGAIN, "looking again after a merge that failed");
    disprove(&get_get, BIT_OWNS, "looking who cleared the bit");
}

static const kit_case cases[] = {
    { "two operations", pairs },
    { "three operations", threes },
    { "without a step of the protocol", controls },
};

int main(void)
{
    ka_set_misuse_handler(on_misuse, NULL);
    return kit_main("frames_interleave", cases, KIT_COUNT(cases));
}
