/* runs_test.c: the contracts of the run engine one by one, then random steps against a model, with the check after
 * each. The source is an arena here: committed memory is zero or rubbish, decommitted memory becomes rubbish.
 */
#include "engine/runs.h"

#include <string.h>

#include "base/math.h"
#include "kit.h"

#define SHIFT 12u
#define SIZE  ((size_t)1 << SHIFT)
#define PAGES 200u

static _Alignas(64 * 4096) unsigned char arena[PAGES << SHIFT];
static ka_runs runs;
static uint32_t descriptors[PAGES];
static uint64_t words[3 * (PAGES / 64 + 1)];

/* ---- the source ---- */

static struct {
    bool backed[PAGES];
    bool gives_zero, keeps; /* commits zeroed memory; refuses to decommit */
    uint32_t budget;        /* calls of commit that succeed */
    uint32_t calls;
    const char *broken;
} state;

static uint32_t page_of(const void *base) { return (uint32_t)(((uintptr_t)base - (uintptr_t)arena) >> SHIFT); }

static unsigned char *memory_of(uint32_t page) { return arena + ((size_t)page << SHIFT); }

static void fill(uint32_t page, unsigned char byte)
{
    uint64_t *cells = (uint64_t *)(void *)memory_of(page);
    for (size_t i = 0; i < SIZE / 8; i += 64) /* one in each 512 bytes will do */
        cells[i] = byte;
}

static bool reads_as(uint32_t page, unsigned char byte)
{
    const uint64_t *cells = (const uint64_t *)(const void *)memory_of(page);
    for (size_t i = 0; i < SIZE / 8; i += 64)
        if (cells[i] != byte)
            return false;
    return true;
}

static void change(const void *base, size_t size, bool commit, unsigned char byte)
{
    if (size == 0 || size % SIZE != 0 || (uintptr_t)base % SIZE != 0)
        state.broken = "the source is asked for parts of pages";
    for (uint32_t page = page_of(base); page < page_of(base) + size / SIZE; page++) {
        if (state.backed[page] == commit)
            state.broken = commit ? "memory is committed twice" : "memory is decommitted twice";
        state.backed[page] = commit;
        fill(page, byte);
    }
}

static bool source_commit(void *context, void *base, size_t size, bool *zeroed)
{
    if (context != &state || *zeroed)
        state.broken = "the source's arguments";
    state.calls++;
    if (state.budget == 0)
        return false;
    state.budget--;
    *zeroed = state.gives_zero;
    change(base, size, true, state.gives_zero ? 0 : 0xcc);
    return true;
}

static bool source_decommit(void *context, void *base, size_t size)
{
    (void)context;
    state.calls++;
    if (state.keeps)
        return false;
    change(base, size, false, 0xdd);
    return true;
}

static const ka_page_source source = { .context = &state, .commit = source_commit, .decommit = source_decommit };

static void setup(unsigned with)
{
    for (unsigned i = 0; i < PAGES; i++) {
        descriptors[i] = KA_PAGE_IDLE;
        state.backed[i] = with != 0;
        fill(i, (with & KA_RUNS_ZERO) != 0 ? 0 : 0xaa);
    }
    for (unsigned i = 0; i < KIT_COUNT(words); i++)
        words[i] = 0;
    state.gives_zero = true;
    state.keeps = false;
    state.budget = 1000000000;
    state.calls = 0;
    state.broken = NULL;
    ka_runs_init(&runs, (uintptr_t)arena, PAGES, SHIFT, descriptors, words, &source);
    ka_runs_add(&runs, 0, PAGES, with);
}

static const char *check(void) { return state.broken != NULL ? state.broken : ka_runs_check(&runs); }

/* ---- contracts ---- */

static void an_empty_segment(void)
{
    setup(0);
    ka_runs_init(&runs, (uintptr_t)arena, PAGES, SHIFT, descriptors, (uint64_t[KIT_COUNT(words)]){ 0 }, NULL);
    KIT_CHECK(ka_runs_words(PAGES) == 12);
    KIT_CHECK(ka_runs_claim(&runs, 1, 1, KA_RUNS_COMMIT) == KA_NO_PAGE);
    KIT_CHECK(!ka_runs_release(&runs, 0, 1) && !ka_runs_release(&runs, PAGES, 0) && ka_runs_length(&runs, 0) == 0);
    KIT_CHECK(ka_runs_trim(&runs, 0) == 0 && ka_runs_commit(&runs, 1) == 0);
    KIT_CHECK_SOUND(check());
    ka_runs_add(&runs, 10, 20, KA_RUNS_COMMITTED);
    KIT_CHECK(ka_runs_claim(&runs, 21, 1, 0) == KA_NO_PAGE && ka_runs_claim(&runs, 20, 1, 0) == 10);
    KIT_CHECK_SOUND(check());
}

static void lengths_and_alignment(void)
{
    for (uint32_t align = 1; align <= 64; align *= 2)
        for (uint32_t count = 1; count <= 140; count += 3) {
            setup(KA_RUNS_COMMITTED);
            KIT_CHECK(ka_runs_claim(&runs, 1, 1, 0) == 0);
            uint32_t page = ka_runs_claim(&runs, count, align, 0);
            KIT_CHECK(align + count > PAGES ? page == KA_NO_PAGE : page == align);
            if (page == KA_NO_PAGE)
                continue;
            KIT_CHECK((uintptr_t)memory_of(page) % (align * SIZE) == 0 && ka_runs_length(&runs, page) == count);
            KIT_CHECK(count == 1 || ka_runs_length(&runs, page + 1) == 0);
            KIT_CHECK_SOUND(check());
            KIT_CHECK(!ka_runs_release(&runs, page, count + 1) && !ka_runs_release(&runs, page + 1, 0));
            KIT_CHECK(ka_runs_release(&runs, page, count) && !ka_runs_release(&runs, page, count));
            KIT_CHECK(!ka_runs_release(&runs, page, 0) && ka_runs_release(&runs, 0, 0));
            KIT_CHECK_SOUND(check());
        }
    setup(KA_RUNS_COMMITTED);
    KIT_CHECK(ka_runs_claim(&runs, 0, 1, 0) == KA_NO_PAGE && ka_runs_claim(&runs, PAGES + 1, 1, 0) == KA_NO_PAGE);
    KIT_CHECK(ka_runs_claim(&runs, PAGES, 1, 0) == 0 && ka_runs_claim(&runs, 1, 1, 0) == KA_NO_PAGE);
}

/* A refusal is remembered, and forgotten as soon as something is released. */
static void the_longest(void)
{
    setup(KA_RUNS_COMMITTED);
    KIT_CHECK(ka_runs_claim(&runs, 150, 1, 0) == 0);
    KIT_CHECK(ka_runs_claim(&runs, 51, 1, KA_RUNS_COMMIT) == KA_NO_PAGE);
    uint64_t known = runs.longest[0];
    KIT_CHECK((known & 0xffffff) == 50 && (runs.longest[1] & 0xffffff) == 50);
    KIT_CHECK(ka_runs_claim(&runs, 60, 1, 0) == KA_NO_PAGE && runs.longest[0] == known);
    KIT_CHECK(ka_runs_shrink(&runs, 0, 150, 100));
    KIT_CHECK(ka_runs_claim(&runs, 101, 1, 0) == KA_NO_PAGE && ka_runs_claim(&runs, 100, 1, 0) == 100);
    KIT_CHECK_SOUND(check());
}

static void extend_and_shrink(void)
{
    setup(KA_RUNS_COMMITTED);
    uint32_t page = ka_runs_claim(&runs, 3, 1, 0), next = ka_runs_claim(&runs, 2, 1, 0);
    KIT_CHECK(page == 0 && next == 3);
    KIT_CHECK(!ka_runs_extend(&runs, page, 3, 4, 0) && !ka_runs_extend(&runs, page, 2, 3, 0));
    KIT_CHECK(ka_runs_extend(&runs, next, 2, 150, 0) && ka_runs_length(&runs, next) == 150);
    KIT_CHECK(!ka_runs_extend(&runs, next, 150, PAGES - 2, 0) && ka_runs_extend(&runs, next, 150, PAGES - 3, 0));
    KIT_CHECK_SOUND(check());
    KIT_CHECK(!ka_runs_shrink(&runs, next, 150, 1) && !ka_runs_shrink(&runs, next, PAGES - 3, 0));
    KIT_CHECK(!ka_runs_shrink(&runs, next, PAGES - 3, PAGES - 2) && ka_runs_shrink(&runs, next, PAGES - 3, 1));
    KIT_CHECK(ka_runs_length(&runs, next) == 1 && ka_runs_claim(&runs, PAGES - 4, 1, 0) == 4);
    KIT_CHECK(!ka_runs_extend(&runs, PAGES, 1, 2, 0) && !ka_runs_shrink(&runs, PAGES, 2, 1));
    KIT_CHECK_SOUND(check());
}

static void committing(void)
{
    setup(0);
    KIT_CHECK(ka_runs_claim(&runs, 1, 1, 0) == KA_NO_PAGE && state.calls == 0);
    KIT_CHECK(ka_runs_claim(&runs, 10, 1, KA_RUNS_COMMIT) == 0 && state.calls == 1);
    KIT_CHECK(ka_runs_release(&runs, 0, 10) && state.calls == 1);
    KIT_CHECK(ka_runs_claim(&runs, 4, 1, 0) == 0 && ka_runs_claim(&runs, 4, 1, KA_RUNS_COMMIT) == 4);
    KIT_CHECK(state.calls == 1 && ka_runs_claim(&runs, 4, 1, 0) == KA_NO_PAGE);
    /* Two of its pages have memory, two get it. */
    KIT_CHECK(ka_runs_claim(&runs, 4, 1, KA_RUNS_COMMIT) == 8 && state.calls == 2 && !state.backed[12]);
    KIT_CHECK(!ka_runs_extend(&runs, 8, 4, 6, 0) && ka_runs_extend(&runs, 8, 4, 6, KA_RUNS_COMMIT));
    KIT_CHECK_SOUND(check());
    ka_runs_stats stats;
    ka_runs_census(&runs, &stats);
    KIT_CHECK(stats.committed == 14 && stats.free == PAGES - 14 && stats.free_committed == 0);
    KIT_CHECK(stats.longest == PAGES - 14);
    KIT_CHECK(ka_runs_commit(&runs, 70) == 70);
    ka_runs_census(&runs, &stats);
    KIT_CHECK(stats.committed == 84 && stats.free_committed == 70 && state.backed[83] && !state.backed[84]);
    KIT_CHECK(ka_runs_commit(&runs, 70) == 70 && ka_runs_commit(&runs, PAGES) == PAGES - 14);
    KIT_CHECK_SOUND(check());
}

/* A source that fails at the n-th call: nothing has changed. */
static void refused_memory(void)
{
    for (uint32_t budget = 0; budget < 4; budget++)
        for (unsigned keeps = 0; keeps <= 1; keeps++) {
            setup(0);
            /* Pages 1, 3 and 5 with memory, the others without: a run of 8 needs four calls. */
            ka_runs_add(&runs, 0, 0, 0);
            for (uint32_t page = 1; page <= 5; page += 2) {
                bool zeroed = false;
                KIT_CHECK(source_commit(&state, memory_of(page), SIZE, &zeroed));
                ka_bit_set(runs.committed, page);
            }
            uint64_t before[KIT_COUNT(words)];
            for (unsigned i = 0; i < KIT_COUNT(words); i++)
                before[i] = words[i];
            state.budget = budget;
            state.keeps = keeps;
            KIT_CHECK(ka_runs_claim(&runs, 8, 1, KA_RUNS_COMMIT) == KA_NO_PAGE);
            KIT_CHECK_SOUND(check());
            for (unsigned i = 0; i < KIT_COUNT(words) && !keeps; i++)
                KIT_CHECK(words[i] == before[i]);
            for (uint32_t page = 0; page < 8; page++)
                KIT_CHECK(state.backed[page] == ka_bit_get(runs.committed, page));
            state.budget = 8;
            KIT_CHECK(ka_runs_claim(&runs, 8, 1, KA_RUNS_COMMIT) == 0);
            KIT_CHECK_SOUND(check());
        }
}

static void clearing(void)
{
    setup(KA_RUNS_COMMITTED); /* rubbish */
    KIT_CHECK(ka_runs_claim(&runs, 3, 1, KA_RUNS_CLEAR) == 0);
    KIT_CHECK(reads_as(0, 0) && reads_as(2, 0) && reads_as(3, 0xaa));
    KIT_CHECK(ka_runs_extend(&runs, 0, 3, 5, KA_RUNS_CLEAR) && reads_as(3, 0) && reads_as(4, 0));
    setup(KA_RUNS_COMMITTED | KA_RUNS_ZERO);
    fill(1, 0x77); /* a trace, to see that known zeros are not cleared again */
    KIT_CHECK(ka_runs_claim(&runs, 3, 1, KA_RUNS_CLEAR) == 0 && reads_as(1, 0x77));
    KIT_CHECK(ka_runs_release(&runs, 0, 3) && ka_runs_claim(&runs, 3, 1, KA_RUNS_CLEAR) == 0 && reads_as(1, 0));
    setup(0);
    state.gives_zero = false;
    KIT_CHECK(ka_runs_claim(&runs, 3, 1, KA_RUNS_COMMIT | KA_RUNS_CLEAR) == 0 && reads_as(2, 0));
    state.gives_zero = true;
    KIT_CHECK(ka_runs_claim(&runs, 3, 1, KA_RUNS_COMMIT | KA_RUNS_CLEAR) == 3 && reads_as(5, 0));
    KIT_CHECK_SOUND(check());
}

static void trimming(void)
{
    setup(KA_RUNS_COMMITTED);
    KIT_CHECK(ka_runs_claim(&runs, 3, 1, 0) == 0 && ka_runs_claim(&runs, 1, 64, 0) == 64);
    KIT_CHECK(ka_runs_trim(&runs, PAGES) == 0 && ka_runs_trim(&runs, PAGES - 4) == 0);
    KIT_CHECK(ka_runs_trim(&runs, 10) == PAGES - 14);
    for (uint32_t page = 0; page < PAGES; page++)
        KIT_CHECK(state.backed[page] == (page < 13 || page == 64));
    KIT_CHECK(ka_runs_claim(&runs, 11, 1, 0) == KA_NO_PAGE && ka_runs_claim(&runs, 10, 1, 0) == 3);
    KIT_CHECK_SOUND(check());
    setup(KA_RUNS_COMMITTED);
    state.keeps = true;
    KIT_CHECK(ka_runs_trim(&runs, 0) == 0 && ka_runs_claim(&runs, PAGES, 1, 0) == 0);
    KIT_CHECK_SOUND(check());
}

static void the_check(void)
{
    setup(KA_RUNS_COMMITTED);
    KIT_CHECK(ka_runs_claim(&runs, 4, 1, 0) == 0);
    KIT_CHECK_SOUND(check());
    runs.free[0] |= 4;
    KIT_CHECK(check() != NULL);
    runs.free[0] &= ~UINT64_C(4);
    runs.committed[0] &= ~UINT64_C(2);
    KIT_CHECK(check() != NULL);
    runs.committed[0] |= 2;
    runs.zero[0] |= 1;
    KIT_CHECK(check() != NULL);
    runs.zero[0] = 0;
    descriptors[2] = ka_page_run(1);
    KIT_CHECK(check() != NULL);
    descriptors[2] = KA_PAGE_IDLE;
    runs.free[3] |= UINT64_C(1) << 63;
    KIT_CHECK(check() != NULL);
    runs.free[3] &= ~(UINT64_C(1) << 63);
    runs.longest[0] = runs.releases << 24 | 3;
    KIT_CHECK(check() != NULL);
    runs.longest[0] = 0;
    KIT_CHECK_SOUND(check());
}

/* ---- the model ---- */

static struct {
    uint32_t length[PAGES]; /* of the run that begins here */
    bool owned[PAGES];
    unsigned long claimed, refused, extended, trimmed, failed;
} model;

static bool model_open(uint32_t page, bool committed)
{
    return page < PAGES && !model.owned[page] && (!committed || state.backed[page]);
}

static uint32_t model_find(uint32_t count, uint32_t align, bool committed)
{
    uint32_t open = 0; /* pages that are open in a row up to here */
    for (uint32_t page = 0; page < PAGES; page++) {
        open = model_open(page, committed) ? open + 1 : 0;
        uint32_t first = page + 1 - count;
        if (open >= count && first % align == 0)
            return first;
    }
    return KA_NO_PAGE;
}

static void model_own(uint32_t first, uint32_t end, unsigned flags)
{
    for (uint32_t page = first; page < end; page++) {
        KIT_CHECK(!model.owned[page] && state.backed[page]);
        KIT_CHECK((flags & KA_RUNS_CLEAR) == 0 || reads_as(page, 0));
        model.owned[page] = true;
        fill(page, 0x55);
    }
}

static void model_disown(uint32_t first, uint32_t end)
{
    for (uint32_t page = first; page < end; page++) {
        KIT_CHECK(reads_as(page, 0x55));
        model.owned[page] = false;
    }
}

static uint32_t random_count(kit_random *random)
{
    uint32_t bound = kit_below(random, 4) ? 8 : 90;
    return 1 + (uint32_t)kit_below(random, bound);
}

static void step_claim(kit_random *random)
{
    uint32_t count = random_count(random), align = 1u << (kit_below(random, 3) ? 0 : kit_below(random, 7));
    unsigned flags = (unsigned)kit_below(random, 4);
    uint32_t expected = model_find(count, align, true);
    if (expected == KA_NO_PAGE && (flags & KA_RUNS_COMMIT) != 0)
        expected = model_find(count, align, false);
    bool poor = kit_below(random, 16) == 0;
    state.budget = poor ? (uint32_t)kit_below(random, 3) : 1000;
    uint32_t page = ka_runs_claim(&runs, count, align, flags);
    KIT_CHECK(page == expected || (poor && page == KA_NO_PAGE));
    model.claimed += page != KA_NO_PAGE;
    model.refused += page == KA_NO_PAGE;
    model.failed += page != expected;
    if (page == KA_NO_PAGE)
        return;
    model_own(page, page + count, flags);
    model.length[page] = count;
}

static uint32_t random_run(kit_random *random)
{
    uint32_t page = (uint32_t)kit_below(random, PAGES);
    for (uint32_t i = 0; i < PAGES; i++, page = (page + 1) % PAGES)
        if (model.length[page] != 0)
            return page;
    return KA_NO_PAGE;
}

static void step_release(kit_random *random)
{
    uint32_t page = random_run(random);
    if (page == KA_NO_PAGE)
        return;
    uint32_t count = model.length[page];
    KIT_CHECK(!ka_runs_release(&runs, page, count + 1) && ka_runs_length(&runs, page) == count);
    KIT_CHECK(ka_runs_release(&runs, page, kit_below(random, 2) ? count : 0) && !ka_runs_release(&runs, page, 0));
    model_disown(page, page + count);
    model.length[page] = 0;
}

static void step_extend(kit_random *random)
{
    uint32_t page = random_run(random);
    if (page == KA_NO_PAGE)
        return;
    uint32_t count = model.length[page], new_count = count + random_count(random);
    unsigned flags = (unsigned)kit_below(random, 4);
    bool expected = true;
    for (uint32_t i = count; i < new_count; i++)
        expected = expected && model_open(page + i, (flags & KA_RUNS_COMMIT) == 0);
    state.budget = 1000;
    KIT_CHECK(ka_runs_extend(&runs, page, count, new_count, flags) == expected);
    if (!expected)
        return;
    model_own(page + count, page + new_count, flags);
    model.length[page] = new_count;
    model.extended++;
}

static void step_shrink(kit_random *random)
{
    uint32_t page = random_run(random);
    if (page == KA_NO_PAGE)
        return;
    uint32_t count = model.length[page], new_count = 1 + (uint32_t)kit_below(random, count);
    KIT_CHECK(ka_runs_shrink(&runs, page, count, new_count));
    model_disown(page + new_count, page + count);
    model.length[page] = new_count;
}

static uint32_t model_free_committed(void)
{
    uint32_t count = 0;
    for (uint32_t page = 0; page < PAGES; page++)
        count += model_open(page, true);
    return count;
}

static void step_trim(kit_random *random)
{
    uint32_t have = model_free_committed(), keep = (uint32_t)kit_below(random, PAGES);
    state.keeps = kit_below(random, 8) == 0;
    uint32_t trimmed = ka_runs_trim(&runs, keep);
    KIT_CHECK(trimmed == (have > keep && !state.keeps ? have - keep : 0));
    KIT_CHECK(model_free_committed() == have - trimmed);
    model.trimmed += trimmed;
    state.keeps = false;
}

static void step_commit(kit_random *random)
{
    uint32_t count = (uint32_t)kit_below(random, PAGES);
    state.budget = (uint32_t)kit_below(random, 8);
    uint32_t have = ka_runs_commit(&runs, count);
    KIT_CHECK(have == model_free_committed());
}

static void random_steps(void)
{
    kit_random random = { 11 };
    setup(0);
    for (unsigned long step = 0; step < 1000000 && !kit_failed(); step++) {
        state.gives_zero = kit_below(&random, 2);
        unsigned full = step >> 12 & 1 ? 3 : 5;
        unsigned kind = (unsigned)kit_below(&random, 16);
        if (kind < full)
            step_claim(&random);
        else if (kind < 8)
            step_release(&random);
        else if (kind < 10)
            step_extend(&random);
        else if (kind < 13)
            step_shrink(&random);
        else if (kind == 13)
            step_trim(&random);
        else if (kind == 14)
            step_commit(&random);
        KIT_CHECK_SOUND(check());
    }
    kit_note("%lu runs claimed, %lu refused, %lu refused by the source, %lu extended, %lu pages trimmed", model.claimed,
             model.refused, model.failed, model.extended, model.trimmed);
}

/* ---- searching ---- */

/* Where `count` free pages begin first, page by page. */
static uint32_t first_fit(uint32_t count)
{
    for (uint32_t page = 0, length = 0; page < PAGES; page++) {
        length = ka_bit_get(runs.free, page) ? length + 1 : 0;
        if (length == count)
            return page + 1 - count;
    }
    return KA_NO_PAGE;
}

/* Random patterns, from dense to sparse, and claims of every length until nothing is found. */
static void any_pattern(void)
{
    kit_random random = { 11 };
    unsigned found = 0, refused = 0;
    for (unsigned round = 0; round < 3000; round++) {
        memset(words, 0, sizeof words);
        memset(descriptors, 0, sizeof descriptors);
        ka_runs_init(&runs, (uintptr_t)arena, PAGES, SHIFT, descriptors, words, NULL);
        uint64_t longest = (uint64_t)1 << kit_below(&random, 8);
        for (uint32_t page = (uint32_t)kit_below(&random, 3); page < PAGES;) {
            uint32_t count = (uint32_t)ka_min(PAGES - page, 1 + kit_below(&random, longest));
            ka_runs_add(&runs, page, count, KA_RUNS_COMMITTED);
            page += count + 1 + (uint32_t)kit_below(&random, 3);
        }
        for (unsigned i = 0; i < 12; i++) {
            uint32_t count = 1 + (uint32_t)kit_below(&random, longest + 2), fit = first_fit(count);
            uint32_t page = ka_runs_claim(&runs, count, 1, 0);
            if (page != fit)
                kit_note("round %u: %u pages at %u, not at %u", round, count, page, fit);
            KIT_CHECK(page == fit);
            KIT_CHECK_SOUND(ka_runs_check(&runs));
            *(page == KA_NO_PAGE ? &refused : &found) += 1;
        }
    }
    KIT_CHECK(found > 3000 && refused > 3000);
}

static const kit_case cases[] = {
    { "an empty segment has nothing", an_empty_segment },
    { "lengths, alignment and double release", lengths_and_alignment },
    { "the longest run is remembered", the_longest },
    { "the first fit of any pattern", any_pattern },
    { "extend and shrink", extend_and_shrink },
    { "committing", committing },
    { "a source that refuses leaves nothing behind", refused_memory },
    { "clearing, but not what is known to be zero", clearing },
    { "trimming", trimming },
    { "the check finds damage", the_check },
    { "a million random steps against a model", random_steps },
};

int main(void)
{
    return kit_main("runs", cases, KIT_COUNT(cases));
}
