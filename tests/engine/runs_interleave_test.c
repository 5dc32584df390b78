/* runs_interleave_test.c: the run engine under every order of the steps of two or three operations.
 *
 * The segment is four pages that lie in two words. After each schedule every page must have one owner, and memory
 * exactly if it is marked as committed; the pages of a run must have memory. All orders with up to four preemptions are
 * tried with relaxed loads and stores as part of the step before, since a search only guesses; and with all of them as
 * steps for up to two. The same plans run with a step of the protocol left out, or two of them in the wrong order, must
 * fail.
 */
#include "interleave.h"

#include "kit.h"

#include "engine/runs.h"

/* What the protocol is robbed of. */
typedef enum theft { NOTHING, CLAIM_REREAD, TRIM_OWNS, TRIM_MARKS_FIRST, RELEASE_COUNTS } theft;
static theft control;

static uint64_t control_and(uint64_t *p, uint64_t v);
static uint64_t control_or(uint64_t *p, uint64_t v);
static uint64_t control_add(uint64_t *p, uint64_t v);
#undef ka_fetch_and_64
#undef ka_fetch_or_64
#undef ka_fetch_add_64
#define ka_fetch_and_64(p, v) control_and(p, v)
#define ka_fetch_or_64(p, v)  control_or(p, v)
#define ka_fetch_add_64(p, v) control_add(p, v)
#define ka_runs_claim_holds_(runs, first, count)                                                                      \
    (control == CLAIM_REREAD || ka_runs_claim_holds_(runs, first, count))
#include "engine/runs.c"

#define FIRST 62u /* the pages in use */
#define END   66u
#define SHIFT 12u
#define BASE  ((uintptr_t)0x4000000)
#define MAPS  2u /* words of a bitmap */

static ka_runs runs;
static uint32_t descriptors[END];
static uint64_t words[3 * MAPS];
static uint64_t backed[MAPS]; /* pages that have memory in truth */
static uint32_t refused;      /* pages from here on get no memory */
static const char *source_broken;

typedef struct hand {
    uint32_t page, count; /* count 0: nothing */
    bool done;            /* what the operation answered */
} hand;
static hand hands[INTERLEAVE_MAX], begun[INTERLEAVE_MAX];

/* ---- the source ---- */

static bool source_change(const void *base, size_t size, bool commit)
{
    uint32_t first = (uint32_t)(((uintptr_t)base - BASE) >> SHIFT), end = first + (uint32_t)(size >> SHIFT);
    if (commit && end > refused)
        return false;
    for (uint32_t page = first; page < end; page++) {
        uint64_t mask = UINT64_C(1) << page % 64, *word = &backed[page / 64];
        uint64_t before = commit ? step_change_64(STEP_OR, word, mask) : step_change_64(STEP_AND, word, ~mask);
        if (((before & mask) != 0) == commit)
            source_broken = commit ? "memory is committed twice" : "memory is decommitted that is not there";
    }
    return true;
}

static bool source_commit(void *context, void *base, size_t size, bool *zeroed)
{
    (void)context;
    *zeroed = true;
    return source_change(base, size, true);
}

static bool source_decommit(void *context, void *base, size_t size)
{
    (void)context;
    return source_change(base, size, false);
}

static const ka_page_source source = { .commit = source_commit, .decommit = source_decommit };

/* ---- the protocol, robbed ---- */

static uint64_t *late_word; /* an AND that is put off */
static uint64_t late_mask;

static bool in_map(const uint64_t *p, const uint64_t *map) { return p >= map && p < map + MAPS; }

/* Operation 0 is the trim in the plans that rob it. */
static bool robbed(theft what) { return interleave.active && interleave.current == 0 && control == what; }

static uint64_t control_and(uint64_t *p, uint64_t v)
{
    if (robbed(TRIM_OWNS) && in_map(p, runs.free))
        return step_load_64(STEP_LOAD, p);
    if (robbed(TRIM_MARKS_FIRST) && in_map(p, runs.committed)) {
        late_word = p;
        late_mask = v;
        return ~v;
    }
    return step_change_64(STEP_AND, p, v);
}

static uint64_t control_or(uint64_t *p, uint64_t v)
{
    if (robbed(TRIM_OWNS) && in_map(p, runs.free))
        return 0;
    uint64_t before = step_change_64(STEP_OR, p, v);
    if (robbed(TRIM_MARKS_FIRST) && late_word != NULL && in_map(p, runs.free)) {
        uint64_t *word = late_word;
        late_word = NULL;
        (void)step_change_64(STEP_AND, word, late_mask);
    }
    return before;
}

static uint64_t control_add(uint64_t *p, uint64_t v)
{
    return robbed(RELEASE_COUNTS) ? 0 : step_change_64(STEP_ADD, p, v);
}

/* ---- operations ---- */

static hand *mine(void) { return &hands[interleave.current]; }

static void claim(uint32_t count, uint32_t align, unsigned flags)
{
    uint32_t page = ka_runs_claim(&runs, count, align, flags);
    *mine() = page == KA_NO_PAGE ? (hand){ 0, 0, false } : (hand){ page, count, true };
}

static void op_claim_1(void) { claim(1, 1, 0); }
static void op_claim_2(void) { claim(2, 1, 0); }
static void op_claim_2_aligned(void) { claim(2, 2, 0); }
static void op_claim_3(void) { claim(3, 1, 0); }
static void op_claim_4(void) { claim(4, 1, 0); }
static void op_commit_2(void) { claim(2, 1, KA_RUNS_COMMIT); }
static void op_commit_3(void) { claim(3, 1, KA_RUNS_COMMIT); }

static void op_release(void)
{
    hand held = begun[interleave.current];
    bool done = ka_runs_release(&runs, held.page, held.count);
    *mine() = (hand){ 0, 0, done };
}

static void op_extend(void)
{
    hand held = begun[interleave.current];
    bool done = ka_runs_extend(&runs, held.page, held.count, held.count + 2, 0);
    *mine() = (hand){ held.page, held.count + (done ? 2 : 0), done };
}

static void op_extend_commit(void)
{
    hand held = begun[interleave.current];
    bool done = ka_runs_extend(&runs, held.page, held.count, held.count + 2, KA_RUNS_COMMIT);
    *mine() = (hand){ held.page, held.count + (done ? 2 : 0), done };
}

static void op_shrink(void)
{
    hand held = begun[interleave.current];
    bool done = ka_runs_shrink(&runs, held.page, held.count, 1);
    *mine() = (hand){ held.page, done ? 1 : held.count, done };
}

static void op_trim(void)
{
    late_word = NULL;
    (void)ka_runs_trim(&runs, 0);
}

static void op_trim_half(void)
{
    late_word = NULL;
    (void)ka_runs_trim(&runs, 2);
}

static void op_commit_ahead(void) { (void)ka_runs_commit(&runs, 4); }

/* ---- the world ---- */

static void reset_state(unsigned state)
{
    for (unsigned i = 0; i < END; i++)
        descriptors[i] = KA_PAGE_IDLE;
    for (unsigned i = 0; i < KIT_COUNT(words); i++)
        words[i] = 0;
    for (unsigned i = 0; i < INTERLEAVE_MAX; i++)
        hands[i] = begun[i] = (hand){ 0, 0, false };
    backed[0] = backed[1] = 0;
    refused = END;
    source_broken = NULL;
    late_word = NULL;
    ka_runs_init(&runs, BASE, END, SHIFT, descriptors, words, &source);
    ka_runs_add(&runs, FIRST, END - FIRST, state);
    if (state != 0) {
        backed[0] = UINT64_C(3) << 62;
        backed[1] = 3;
    }
}

static void reset_committed(void) { reset_state(KA_RUNS_COMMITTED); }
static void reset_reserved(void) { reset_state(0); }

/* The second half has no memory. */
static void reset_half(void)
{
    reset_committed();
    (void)ka_runs_trim(&runs, 2);
}

static void reset_refusing(void)
{
    reset_reserved();
    refused = END - 1;
}

/* Operation 0 has the first pages. */
static void reset_held(uint32_t count)
{
    reset_committed();
    hands[0] = begun[0] = (hand){ ka_runs_claim(&runs, count, 1, 0), count, true };
}

static void reset_held_1(void) { reset_held(1); }
static void reset_held_2(void) { reset_held(2); }
static void reset_held_3(void) { reset_held(3); }

static void reset_held_trimmed(void)
{
    reset_held(1);
    (void)ka_runs_trim(&runs, 1);
}

/* Operations 0 and 1 have the same run: one of them frees twice. */
static void reset_doubled(void)
{
    reset_held(2);
    begun[1] = begun[0];
}

static const char *judge(void)
{
    unsigned owned[END] = { 0 };
    for (unsigned i = 0; i < INTERLEAVE_MAX; i++)
        for (uint32_t page = hands[i].page; page < hands[i].page + hands[i].count; page++) {
            owned[page]++;
            if (!ka_bit_get(backed, page))
                return "a page of a run has no memory";
            if (descriptors[hands[i].page] != ka_page_run(hands[i].count))
                return "a run's descriptor does not say its length";
        }
    for (uint32_t page = FIRST; page < END; page++) {
        unsigned owners = owned[page] + ka_bit_get(runs.free, page);
        if (owners != 1)
            return owners == 0 ? "a page is lost" : "a page is doubled";
        if (ka_bit_get(backed, page) != ka_bit_get(runs.committed, page))
            return "the mark does not say whether there is memory";
    }
    return source_broken != NULL ? source_broken : ka_runs_check(&runs);
}

static const char *judge_doubled(void)
{
    return hands[0].done == hands[1].done ? "not exactly one of two releases was refused" : judge();
}

/* ---- cases ---- */

static void prove_within(const interleave_plan *plan, interleave_limits limits)
{
    interleave_result result = interleave_all(plan, limits);
    kit_note("%s: %lu schedules of up to %u steps (%s)", plan->name, result.schedules, result.longest,
             limits.coarse ? "coarse" : "with preemptions bounded");
    if (result.broken != NULL) {
        kit_note("schedule %s", result.schedule);
        kit_fail(__FILE__, __LINE__, result.broken);
    }
}

static void prove(const interleave_plan *plan)
{
    control = NOTHING;
    prove_within(plan, (interleave_limits){ .stop = true, .coarse = true, .preemptions = 4 });
    prove_within(plan, (interleave_limits){ .stop = true, .preemptions = 2 });
}

static void disprove(const interleave_plan *plan, theft without, const char *what)
{
    control = without;
    interleave_result result = interleave_all(plan, (interleave_limits){ .coarse = true });
    control = NOTHING;
    kit_note("%s without %s: %lu of %lu schedules fail, first: %s", plan->name, what, result.failures,
             result.schedules, result.failures != 0 ? result.broken : "none");
    KIT_EXPECT(result.failures > 0);
}

static const interleave_plan plans[] = {
    { "claim 3, claim 2 aligned", reset_committed, judge, { op_claim_3, op_claim_2_aligned } },
    { "claim 2, claim 2", reset_committed, judge, { op_claim_2, op_claim_2 } },
    { "claim 4, claim 1", reset_committed, judge, { op_claim_4, op_claim_1 } },
    { "claim 4, claim 4", reset_committed, judge, { op_claim_4, op_claim_4 } },
    { "release 2, claim 3", reset_held_2, judge, { op_release, op_claim_3 } },
    { "release 2, claim 4", reset_held_2, judge, { op_release, op_claim_4 } },
    { "release twice", reset_doubled, judge_doubled, { op_release, op_release } },
    { "extend, claim 1", reset_held_1, judge, { op_extend, op_claim_1 } },
    { "extend, claim 2 aligned", reset_held_1, judge, { op_extend, op_claim_2_aligned } },
    { "shrink, claim 3", reset_held_3, judge, { op_shrink, op_claim_3 } },
    { "trim, claim 2", reset_committed, judge, { op_trim, op_claim_2 } },
    { "trim, claim 3", reset_committed, judge, { op_trim, op_claim_3 } },
    { "trim half, claim 3", reset_committed, judge, { op_trim_half, op_claim_3 } },
    { "trim, commit 2", reset_committed, judge, { op_trim, op_commit_2 } },
    { "trim, commit 3", reset_half, judge, { op_trim, op_commit_3 } },
    { "trim, trim", reset_committed, judge, { op_trim, op_trim_half } },
    { "trim, release", reset_held_2, judge, { op_release, op_trim } },
    { "trim, extend", reset_held_1, judge, { op_extend, op_trim } },
    { "trim, extend with commit", reset_held_1, judge, { op_extend_commit, op_trim } },
    { "extend with commit, claim 1", reset_held_trimmed, judge, { op_extend_commit, op_claim_1 } },
    { "commit 2, commit 2", reset_reserved, judge, { op_commit_2, op_commit_2 } },
    { "commit 3, commit 2", reset_half, judge, { op_commit_3, op_commit_2 } },
    { "commit 3, refused, commit 2", reset_refusing, judge, { op_commit_3, op_commit_2 } },
    { "commit ahead, claim 2", reset_half, judge, { op_commit_ahead, op_claim_2 } },
    { "commit ahead, commit 3", reset_reserved, judge, { op_commit_ahead, op_commit_3 } },
    { "commit ahead, commit ahead", reset_half, judge, { op_commit_ahead, op_commit_ahead } },
    { "commit ahead, trim", reset_half, judge, { op_commit_ahead, op_trim } },
};

static void pairs(void)
{
    for (unsigned i = 0; i < KIT_COUNT(plans); i++)
        prove(&plans[i]);
}

static void threes(void)
{
    static const interleave_plan three[] = {
        { "release, claim, claim", reset_held_2, judge, { op_release, op_claim_2, op_claim_3 } },
        { "claim, claim, trim", reset_committed, judge, { op_claim_3, op_claim_2_aligned, op_trim } },
        { "release, claim, trim", reset_held_2, judge, { op_release, op_claim_2, op_trim } },
    };
    for (unsigned i = 0; i < KIT_COUNT(three); i++)
        prove_within(&three[i], (interleave_limits){ .stop = true, .preemptions = 2 });
}

static void controls(void)
{
    static const interleave_plan trim_claim = { "trim, claim 2", reset_committed, judge, { op_trim, op_claim_2 } };
    static const interleave_plan release_claim = { "release 2, claim 4", reset_held_2, judge,
                                                   { op_release, op_claim_4 } };
    disprove(&trim_claim, CLAIM_REREAD, "the second look of claim");
    disprove(&trim_claim, TRIM_OWNS, "owning before decommit");
    disprove(&trim_claim, TRIM_MARKS_FIRST, "the mark before the release");
    disprove(&release_claim, RELEASE_COUNTS, "counting releases");
}

static const kit_case cases[] = {
    { "two operations", pairs },
    { "three operations", threes },
    { "without a step of the protocol", controls },
};

int main(void)
{
    return kit_main("runs_interleave", cases, KIT_COUNT(cases));
}
