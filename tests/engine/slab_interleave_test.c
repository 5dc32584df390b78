/* slab_interleave_test.c: the slab engine under every order of the atomic steps of two or three operations.
 *
 * After each schedule every 16 bytes of the segment must have exactly one owner: a slab's bit, an operation that holds
 * a batch or a run, or nobody at the tail of a slab. The same plans run with a step of the protocol left out must fail.
 */
#include "interleave.h"

#include "kit.h"

/* What the protocol is robbed of. */
typedef enum theft { NOTHING, TAKE_REREAD, RECLAIM_REREAD } theft;
static theft control;

#include "engine/slab.h"

#define ka_slab_take_holds_(slabs, page, descriptor)                                                                  \
    (control == TAKE_REREAD || ka_slab_take_holds_(slabs, page, descriptor))
#define ka_slab_reclaim_holds_(slabs, page, descriptor)                                                               \
    (control == RECLAIM_REREAD || ka_slab_reclaim_holds_(slabs, page, descriptor))
#include "engine/slab.c"

#define PAGES 4u   /* that are looked at */
#define MANY  600u /* so many need a summary of hints */
#define SHIFT 12u
#define BASE  ((uintptr_t)0x4000000)
#define UNITS (PAGES << (SHIFT - 4))

static ka_classes classes;
static ka_slabs slabs;
static uint32_t descriptors[MANY];
static uint64_t words[MANY << (SHIFT - 10)];
static uint64_t hints[KA_CLASS_COUNT * (MANY / 64 + 8)];
static uint32_t page_count = PAGES;

/* What an operation has in hand, at the start and at the end. */
typedef struct hand {
    ka_slab_batch batch; /* no bits: none */
    uint32_t run;        /* page 0 as a run: its pages; 0: none */
    bool doubled;        /* its put found a double free */
} hand;
static hand hands[INTERLEAVE_MAX];
static unsigned class_a, class_b, take_max;

static hand *mine(void) { return &hands[interleave.current]; }

/* ---- operations ---- */

static void take_class(unsigned class)
{
    ka_slab_batch batch;
    mine()->batch = ka_slab_take(&slabs, 0, class, take_max, &batch) ? batch : (ka_slab_batch){ 0 };
}

static void op_take_a(void) { take_class(class_a); }
static void op_take_b(void) { take_class(class_b); }

static void op_refill_a(void)
{
    ka_slab_batch batch;
    mine()->batch = ka_slab_refill(&slabs, class_a, 0, take_max, &batch) ? batch : (ka_slab_batch){ 0 };
}

static void op_reclaim(void) { mine()->run = ka_slab_reclaim(&slabs, 0) ? classes.of[class_a].pages : 0; }

/* The page changes its class. */
static void op_turn(void)
{
    mine()->batch = ka_slab_reclaim(&slabs, 0) ? ka_slab_create(&slabs, 0, class_b, 1) : (ka_slab_batch){ 0 };
}

static void op_put(void)
{
    static const ka_slab_batch none;
    void *blocks[64];
    ka_slab_batch batch = mine()->batch;
    ka_slab_result result;
    uint32_t count = ka_slab_spread(&batch, blocks);
    ka_slab_put(&slabs, class_a, blocks, count, &result);
    KIT_EXPECT(result.count == count); /* blocks of one word go back in one step */
    mine()->doubled = result.verdict == KA_SLAB_DOUBLED;
    mine()->batch = none;
}

/* An operation may be started again before it has ended, so what it had in hand must be what it began with. */
static hand begun[INTERLEAVE_MAX];
static void op_put_again(void)
{
    *mine() = begun[interleave.current];
    op_put();
}

static void op_turn_back(void)
{
    if (ka_slab_reclaim(&slabs, 0)) {
        ka_slab_batch batch = ka_slab_create(&slabs, 0, class_b, 0);
        (void)batch;
        if (ka_slab_reclaim(&slabs, 0))
            batch = ka_slab_create(&slabs, 0, class_a, 0);
    }
}

/* ---- the world ---- */

static void reset_empty(void)
{
    for (unsigned i = 0; i < page_count; i++)
        descriptors[i] = KA_PAGE_IDLE;
    for (unsigned i = 0; i < ka_slabs_words(page_count, SHIFT); i++)
        words[i] = 0;
    for (unsigned i = 0; i < ka_slabs_hint_words(page_count, KA_CLASS_COUNT); i++)
        hints[i] = 0;
    for (unsigned i = 0; i < INTERLEAVE_MAX; i++)
        hands[i] = (hand){ 0 };
    ka_slabs_init(&slabs, BASE, page_count, &classes, descriptors, NULL, words, hints, KA_CLASS_COUNT);
}

/* Page 0 is a slab of class A, all free. */
static void reset_slab(void)
{
    reset_empty();
    descriptors[0] = ka_page_run(classes.of[class_a].pages);
    (void)ka_slab_create(&slabs, 0, class_a, 0);
}

/* Operation 0 holds one block, operation 1 another, the rest is free. */
static void reset_held(void)
{
    reset_slab();
    for (unsigned i = 0; i < 2; i++) {
        bool taken = ka_slab_take(&slabs, 0, class_a, 1, &hands[i].batch);
        KIT_EXPECT(taken);
        begun[i] = hands[i];
    }
}

/* Operation 0 holds all blocks but none is left in the slab; no hint is set. */
static void reset_taken(void)
{
    reset_slab();
    bool taken = ka_slab_take(&slabs, 0, class_a, 64, &hands[0].batch);
    ka_slab_batch none;
    taken = taken && !ka_slab_refill(&slabs, class_a, 0, 64, &none);
    KIT_EXPECT(taken);
    begun[0] = hands[0];
}

/* The same, with the hint that a last take leaves behind. */
static void reset_hinted(void)
{
    reset_slab();
    bool taken = ka_slab_take(&slabs, 0, class_a, 64, &hands[0].batch);
    KIT_EXPECT(taken);
    begun[0] = hands[0];
}

/* Operations 0 and 1 hold the same block: one of them frees twice. */
static void reset_doubled(void)
{
    reset_slab();
    bool taken = ka_slab_take(&slabs, 0, class_a, 1, &hands[0].batch);
    KIT_EXPECT(taken);
    begun[0] = begun[1] = hands[0];
}

static unsigned char owners[UNITS];

static bool own(uintptr_t address, uint32_t bytes)
{
    bool alone = true;
    for (uintptr_t unit = (address - BASE) / 16; unit < (address - BASE + bytes) / 16; unit++)
        alone = owners[unit]++ == 0 && alone;
    return alone;
}

static bool own_batch(const ka_slab_batch *batch)
{
    bool alone = true;
    for (uint64_t bits = batch->bits; bits != 0; bits &= bits - 1)
        alone = own(batch->first + (uintptr_t)ka_lowest_bit(bits) * batch->size, batch->size) && alone;
    return alone;
}

static const char *judge(void)
{
    for (unsigned i = 0; i < UNITS; i++)
        owners[i] = 0;
    bool alone = true;
    unsigned held = 0, runs = 0;
    for (unsigned i = 0; i < INTERLEAVE_MAX; i++) {
        alone = own_batch(&hands[i].batch) && alone;
        alone = own(BASE, hands[i].run << SHIFT) && alone;
        held += ka_count_bits(hands[i].batch.bits);
        runs += hands[i].run != 0;
    }
    unsigned descriptor = descriptors[0], class = ka_page_slab_class(descriptor);
    if (ka_page_is_slab_first(descriptor)) {
        const ka_class *c = &classes.of[class];
        for (unsigned i = 0; i < c->words; i++) {
            ka_slab_batch batch = { BASE + i * 64u * c->size, *ka_slab_word(&slabs, 0, i), c->size, 0 };
            alone = own_batch(&batch) && alone;
            held += ka_count_bits(batch.bits);
        }
        if (held < c->blocks)
            return "a block is lost";
        if (held > c->blocks || runs != 0)
            return "a block is doubled";
        for (unsigned i = 0; i < INTERLEAVE_MAX; i++)
            if (hands[i].batch.bits != 0 && hands[i].batch.size != c->size)
                return "a block of another class was taken";
    } else if (runs != 1 || held != 0) {
        return "the pages have no owner, or two";
    }
    return alone ? ka_slabs_check(&slabs) : "a block is doubled";
}

static const char *judge_doubled(void)
{
    if (hands[0].doubled == hands[1].doubled)
        return "not exactly one of two frees was refused";
    return judge();
}

/* ---- cases ---- */

static void setup(size_t size_a, size_t size_b, unsigned max)
{
    ka_classes_init(&classes, SHIFT, 1);
    class_a = ka_class_of(size_a);
    class_b = ka_class_of(size_b);
    take_max = max;
}

static void prove_within(const interleave_plan *plan, interleave_limits limits)
{
    control = NOTHING;
    interleave_result result = interleave_all(plan, limits);
    kit_note("%s: %lu schedules of up to %u steps", plan->name, result.schedules, result.longest);
    if (result.broken != NULL) {
        kit_note("schedule %s", result.schedule);
        kit_fail(__FILE__, __LINE__, result.broken);
    }
}

static void prove(const interleave_plan *plan) { prove_within(plan, (interleave_limits){ .stop = true }); }

/* With the step left out some schedule must fail. */
static void disprove(const interleave_plan *plan, theft without, const char *what)
{
    control = without;
    interleave_result result = interleave_all(plan, (interleave_limits){ .stop = false });
    control = NOTHING;
    kit_note("%s without %s: %lu of %lu schedules fail, first: %s", plan->name, what, result.failures,
             result.schedules, result.failures != 0 ? result.broken : "none");
    KIT_EXPECT(result.failures > 0);
}

static const interleave_plan take_take = { "take, take", reset_slab, judge, { op_take_a, op_take_a } };
static const interleave_plan take_reclaim = { "take, reclaim", reset_slab, judge, { op_take_a, op_reclaim } };
static const interleave_plan take_turn = { "take, turn", reset_slab, judge, { op_take_a, op_turn } };
static const interleave_plan reclaim_turn = { "reclaim, turn", reset_slab, judge, { op_reclaim, op_turn } };
static const interleave_plan reclaims = { "reclaim, reclaim", reset_slab, judge, { op_reclaim, op_reclaim } };
static const interleave_plan back = { "take, turn and back", reset_slab, judge, { op_take_a, op_turn_back } };

static void take_and_take(void)
{
    for (unsigned max = 1; max <= 64; max += 63) {
        setup(2048, 1792, max);
        prove(&take_take);
        setup(1024, 1792, max);
        prove(&take_take);
        setup(32, 1792, max); /* two words */
        prove(&take_take);
    }
}

static void take_and_reclaim(void)
{
    for (unsigned max = 1; max <= 64; max += 63) {
        setup(2048, 1792, max);
        prove(&take_reclaim);
        setup(32, 1792, max);
        prove(&take_reclaim);
        setup(16, 1792, max); /* four words */
        prove(&take_reclaim);
        static const interleave_plan three = { "take, take, reclaim", reset_slab, judge,
                                               { op_take_a, op_take_a, op_reclaim } };
        setup(2048, 1792, max);
        prove(&three);
    }
}

static void take_and_turn(void)
{
    for (unsigned max = 1; max <= 64; max += 63) {
        setup(2048, 1792, max);
        prove(&take_turn);
        prove(&back);
        setup(32, 1792, max);
        prove(&take_turn);
        setup(2048, 32, max);
        prove(&take_turn);
        setup(4096, 2048, max); /* one block */
        prove(&take_turn);
        static const interleave_plan other = { "turn, take the new class", reset_slab, judge, { op_turn, op_take_b } };
        prove(&other);
    }
    setup(2048, 1792, 64);
    disprove(&take_turn, TAKE_REREAD, "the second look of take");
}

static void reclaim_and_turn(void)
{
    setup(2048, 1792, 64);
    prove(&reclaims);
    prove(&reclaim_turn);
    static const interleave_plan back_too = { "reclaim, turn and back", reset_slab, judge,
                                              { op_reclaim, op_turn_back } };
    static const interleave_plan turns = { "turn, turn and back", reset_slab, judge, { op_turn, op_turn_back } };
    prove(&back_too);
    prove(&turns);
    setup(32, 48, 64); /* two words each; the first is full in both, the second differs */
    prove(&reclaim_turn);
    prove(&back_too);
    setup(64, 32, 64); /* one word and two: a full first word of the new class looks like the whole of the old one */
    prove(&reclaim_turn);
    prove(&back_too);
    disprove(&back_too, RECLAIM_REREAD, "the second look of reclaim");
}

static void put_and_others(void)
{
    static const interleave_plan puts = { "put, put", reset_held, judge, { op_put_again, op_put_again } };
    static const interleave_plan doubled = { "put twice", reset_doubled, judge_doubled,
                                             { op_put_again, op_put_again } };
    static const interleave_plan three = { "put, put, reclaim", reset_held, judge,
                                           { op_put_again, op_put_again, op_reclaim } };
    static const interleave_plan turn = { "put, put, turn", reset_held, judge,
                                          { op_put_again, op_put_again, op_turn } };
    static const interleave_plan takes = { "put, put, take", reset_held, judge,
                                           { op_put_again, op_put_again, op_take_a } };
    for (unsigned max = 1; max <= 64; max += 63)
        for (size_t size = 32; size <= 2048; size *= 64) {
            setup(size, 1792, max);
            prove(&puts);
            prove(&doubled);
            prove(&three);
            prove(&turn);
            prove(&takes);
        }
}

static void hints_and_puts(void)
{
    static const interleave_plan plan = { "put, refill", reset_taken, judge, { op_put_again, op_refill_a } };
    static const interleave_plan three = { "put, refill, refill", reset_taken, judge,
                                           { op_put_again, op_refill_a, op_refill_a } };
    static const interleave_plan stale = { "refill, turn and back", reset_slab, judge, { op_refill_a, op_turn_back } };
    static const interleave_plan hinted = { "put, refill by an old hint", reset_hinted, judge,
                                            { op_put_again, op_refill_a } };
    for (unsigned max = 1; max <= 64; max += 63) {
        setup(2048, 1792, max);
        prove(&plan);
        prove(&hinted);
        prove_within(&stale, (interleave_limits){ .stop = true, .preemptions = 5 });
    }
    setup(32, 1792, 64);
    prove(&hinted);
    setup(2048, 1792, 64);
    page_count = MANY;
    prove(&plan);
    prove(&hinted);
    page_count = PAGES;
    setup(4096, 2048, 64);
    prove(&three);
}

static const kit_case cases[] = {
    { "take and take", take_and_take },
    { "take and reclaim", take_and_reclaim },
    { "take and change of class", take_and_turn },
    { "reclaim and change of class", reclaim_and_turn },
    { "put and the others", put_and_others },
    { "hints", hints_and_puts },
};

int main(void)
{
    return kit_main("slab_interleave", cases, KIT_COUNT(cases));
}
