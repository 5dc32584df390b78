/* runs_stress_test.c: threads claim, extend, shrink, release, commit ahead and trim runs in a segment of two words.
 * Every page carries the mark of its owner, and whether it has memory in truth: no page may have two owners, none may
 * be lost, and no owned page may be without memory. Pages are also written to, so that ThreadSanitizer sees whether
 * they change hands properly. With a step of the protocol left out the same test must fail.
 *
 * Argument: seconds.
 */
#include "interleave_noise.h"

static enum theft { NOTHING, CLAIM_REREAD, TRIM_OWNS } control;

#include "engine/runs.h"

static uint64_t control_and(uint64_t *p, uint64_t v);
static uint64_t control_or(uint64_t *p, uint64_t v);
#undef ka_fetch_and_64
#undef ka_fetch_or_64
#define ka_fetch_and_64(p, v) control_and(p, v)
#define ka_fetch_or_64(p, v)  control_or(p, v)
#define ka_runs_claim_holds_(runs, first, count)                                                                      \
    (control == CLAIM_REREAD || ka_runs_claim_holds_(runs, first, count))
#include "engine/runs.c"

#define SHIFT 12u
#define PAGES 80u
#define HELD  16u

static _Alignas(64 * 4096) unsigned char arena[PAGES << SHIFT];
static uint32_t descriptors[PAGES], owners[PAGES], backed[PAGES];
static uint64_t words[3 * 2];
static ka_runs runs;
static __thread bool trimming;

typedef struct bag {
    struct {
        uint32_t page, count;
    } run[HELD];
    uint32_t count;
    unsigned long claimed, extended, trimmed, refused;
} bag;
static bag bags[NOISE_THREADS + 1];

/* ---- the protocol, robbed ---- */

static bool in_free(const uint64_t *p)
{
    return control == TRIM_OWNS && trimming && p >= runs.free && p < runs.free + 2;
}

static uint64_t control_and(uint64_t *p, uint64_t v)
{
    return in_free(p) ? step_load_64(STEP_LOAD, p) : step_change_64(STEP_AND, p, v);
}

static uint64_t control_or(uint64_t *p, uint64_t v)
{
    return in_free(p) ? 0 : step_change_64(STEP_OR, p, v);
}

/* ---- the source ---- */

static bool source_change(const void *base, size_t size, uint32_t has)
{
    uint32_t first = (uint32_t)((const unsigned char *)base - arena) >> SHIFT;
    for (uint32_t page = first; page < first + (size >> SHIFT); page++) {
        if (__atomic_exchange_n(&backed[page], has, __ATOMIC_RELAXED) == has)
            noise_fault(has ? "memory is committed twice" : "memory is decommitted twice");
        if (__atomic_load_n(&owners[page], __ATOMIC_RELAXED) != 0)
            noise_fault("memory of an owned page is changed");
        if (control == NOTHING)
            *(uint64_t *)(void *)(arena + ((size_t)page << SHIFT)) = 0;
    }
    return true;
}

static bool source_commit(void *context, void *base, size_t size, bool *zeroed)
{
    (void)context;
    *zeroed = true;
    return kit_next(&noise_random) % 16 != 0 && source_change(base, size, 1);
}

static bool source_decommit(void *context, void *base, size_t size)
{
    (void)context;
    return source_change(base, size, 0);
}

static const ka_page_source source = { .commit = source_commit, .decommit = source_decommit };

/* ---- operations ---- */

static void mark(uint32_t first, uint32_t end, unsigned id, bool cleared)
{
    noise_own(owners, first, end - first, id, "a page is doubled");
    for (uint32_t page = first; page < end; page++) {
        if (__atomic_load_n(&backed[page], __ATOMIC_RELAXED) == 0)
            noise_fault("a page without memory was handed out");
        uint64_t *cell = (uint64_t *)(void *)(arena + ((size_t)page << SHIFT));
        if (control == NOTHING && cleared && *cell != 0)
            noise_fault("a cleared page is not zero");
        if (control == NOTHING)
            *cell = id;
    }
}

static void unmark(uint32_t first, uint32_t end, unsigned id)
{
    for (uint32_t page = first; page < end; page++) {
        if (control == NOTHING && *(const uint64_t *)(const void *)(arena + ((size_t)page << SHIFT)) != id)
            noise_fault("a page was written to by somebody else");
        if (__atomic_load_n(&backed[page], __ATOMIC_RELAXED) == 0)
            noise_fault("an owned page has lost its memory");
    }
    noise_disown(owners, first, end - first, id, "a page was taken away from its owner");
}

static unsigned random_flags(kit_random *random)
{
    return (unsigned)kit_below(random, 4) & (control == NOTHING ? 3u : KA_RUNS_COMMIT);
}

static void bag_claim(bag *b, unsigned id, kit_random *random)
{
    if (b->count == HELD)
        return;
    uint32_t count = 1 + (uint32_t)kit_below(random, kit_below(random, 4) ? 4 : 20), align = 1u << kit_below(random, 3);
    unsigned flags = random_flags(random);
    uint32_t page = ka_runs_claim(&runs, count, align, flags);
    if (page == KA_NO_PAGE) {
        b->refused++;
        return;
    }
    if (page % align != 0 || ka_runs_length(&runs, page) != count)
        noise_fault("a run is not what was asked for");
    mark(page, page + count, id, (flags & KA_RUNS_CLEAR) != 0);
    b->run[b->count].page = page;
    b->run[b->count++].count = count;
    b->claimed++;
}

static void bag_release(bag *b, unsigned id, uint32_t at)
{
    uint32_t page = b->run[at].page, count = b->run[at].count;
    unmark(page, page + count, id);
    b->run[at] = b->run[--b->count];
    if (!ka_runs_release(&runs, page, count))
        noise_fault("a run could not be released");
}

static void bag_resize(bag *b, unsigned id, uint32_t at, kit_random *random)
{
    uint32_t page = b->run[at].page, count = b->run[at].count, new_count = 1 + (uint32_t)kit_below(random, 12);
    if (new_count <= count) {
        unmark(page + new_count, page + count, id);
        if (!ka_runs_shrink(&runs, page, count, new_count))
            noise_fault("a run could not be shrunk");
    } else {
        unsigned flags = random_flags(random);
        if (!ka_runs_extend(&runs, page, count, new_count, flags))
            return;
        mark(page + count, page + new_count, id, (flags & KA_RUNS_CLEAR) != 0);
        b->extended++;
    }
    b->run[at].count = new_count;
}

static void body(unsigned id, kit_random *random)
{
    bag *b = &bags[id];
    uint32_t at = b->count > 0 ? (uint32_t)kit_below(random, b->count) : 0;
    switch (kit_below(random, 8)) {
    case 0:
        trimming = true;
        b->trimmed += ka_runs_trim(&runs, (uint32_t)kit_below(random, PAGES / 4));
        trimming = false;
        break;
    case 1:
        (void)ka_runs_commit(&runs, (uint32_t)kit_below(random, PAGES / 2));
        break;
    case 2:
    case 3:
    case 4:
        bag_claim(b, id, random);
        break;
    case 5:
        if (b->count > 0)
            bag_resize(b, id, at, random);
        break;
    default:
        if (b->count > 0)
            bag_release(b, id, at);
    }
}

static void end(unsigned id)
{
    while (bags[id].count > 0)
        bag_release(&bags[id], id, 0);
}

static void setup(void)
{
    for (unsigned i = 0; i < PAGES; i++) {
        descriptors[i] = KA_PAGE_IDLE;
        owners[i] = backed[i] = 0;
    }
    for (unsigned i = 0; i < KIT_COUNT(words); i++)
        words[i] = 0;
    for (unsigned i = 0; i <= NOISE_THREADS; i++)
        bags[i] = (bag){ .count = 0 };
    ka_runs_init(&runs, (uintptr_t)arena, PAGES, SHIFT, descriptors, words, &source);
    ka_runs_add(&runs, 0, PAGES, 0);
    noise.body = body;
    noise.end = end;
}

static void whole(void)
{
    setup();
    control = NOTHING;
    const char *fault = noise_run(noise.seconds);
    unsigned long claimed = 0, extended = 0, trimmed = 0, refused = 0;
    for (unsigned i = 1; i <= NOISE_THREADS; i++) {
        claimed += bags[i].claimed;
        extended += bags[i].extended;
        trimmed += bags[i].trimmed;
        refused += bags[i].refused;
    }
    kit_note("%lu operations, %lu runs claimed, %lu refused, %lu extended, %lu pages trimmed", noise.operations,
             claimed, refused, extended, trimmed);
    KIT_CHECK_SOUND(fault);
    KIT_CHECK_SOUND(ka_runs_check(&runs));
    for (uint32_t page = 0; page < PAGES; page++)
        KIT_CHECK(backed[page] == ka_bit_get(runs.committed, page));
    KIT_CHECK(ka_runs_commit(&runs, PAGES) > 0);
    while (ka_runs_commit(&runs, PAGES) < PAGES) /* the source fails now and then */
        continue;
    KIT_CHECK(ka_runs_claim(&runs, PAGES, 1, 0) == 0); /* no page is lost */
    if (noise.operations > 100000) /* a busy machine may do too few for this */
        KIT_CHECK(claimed > 1000 && extended > 100 && trimmed > 100);
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

static void without_claim_reread(void) { robbed(CLAIM_REREAD); }
static void without_owning(void) { robbed(TRIM_OWNS); }

static const kit_case cases[] = {
    { "no page is doubled, lost or without memory", whole },
    { "without the second look of claim some are", without_claim_reread },
    { "without owning before decommit some are", without_owning },
};

int main(int argc, char **argv)
{
    noise_arguments(argc, argv, 2);
    return kit_main("runs_stress", cases, KIT_COUNT(cases));
}
