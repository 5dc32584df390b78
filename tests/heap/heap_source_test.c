/* heap_source_test.c: a heap whose memory comes and goes. The page source is
 * real (heap_fixture.h): a page that is not committed cannot be touched,
 * neither by the heap nor by the test.
 */
#include "heap_fixture.h"

#include "heap_inside.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static ka_heap heap;

static bool open_heap_of(size_t size, size_t keep, bool dirty)
{
    reports_clear();
    fixture_open();
    fixture.dirty = dirty;
    return ka_heap_init(&heap, &(ka_heap_options){ .source = &fixture_source, .size = size, .keep = keep });
}

static bool open_heap(size_t size)
{
    return open_heap_of(size, size, false);
}

static void close_heap(void)
{
    KIT_EXPECT(reports.count == 0);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_heap_fini(&heap) == 0);
    KIT_EXPECT(fixture.reserves == 1 && fixture.unreserves == 1 && fixture.faults == 0);
}

static size_t live_now(void)
{
    return ka_get_stats(&heap.allocator).live;
}

static bool all_zero(const void *block, size_t size)
{
    const unsigned char *bytes = block;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* The record's memory is all that a new heap takes; then pages come as they are
 * needed. */
static void grows_on_demand(void)
{
    KIT_CHECK(open_heap(64 * MIB));
    size_t record = fixture.committed;
    KIT_EXPECT(record * 4096 < 64 * MIB / 40);
    void *block = ka_heap_alloc(&heap, 40000, 16, 0);
    KIT_EXPECT(block != NULL && fixture.committed == record + 10);
    KIT_EXPECT(ka_heap_alloc(&heap, 0, 4096, 0) != NULL && fixture.committed == record + 10);
    void *small = ka_heap_alloc(&heap, 10, 16, 0);
    KIT_EXPECT(small != NULL && fixture.committed > record + 10);
    ka_heap_free(&heap, small, 10, 16);
    ka_heap_free(&heap, block, 40000, 16);
    close_heap();
}

static void range_of_the_callers(void)
{
    fixture_open();
    reports_clear();
    void *base = fixture_reserve(NULL, 4 * MIB, 4096);
    ka_heap_options options = { .source = &fixture_source, .base = base, .size = 4 * MIB };
    KIT_CHECK(base != NULL && ka_heap_init(&heap, &options));
    KIT_EXPECT(fixture.reserves == 1);
    void *block = ka_heap_alloc(&heap, 100000, 16, 0);
    KIT_CHECK(block != NULL && (char *)block > (char *)base && (char *)block < (char *)base + 4 * MIB);
    memset(block, 1, 100000);
    ka_heap_free(&heap, block, 100000, 16);
    KIT_EXPECT(ka_heap_fini(&heap) == 0 && fixture.unreserves == 0 && fixture.faults == 0);
}

/* ---- contexts ---- */

static void only_where_the_source_allows(void)
{
    static const ka_flags refused[] = {
        KA_ATOMIC,           KA_ANY_CONTEXT,          KA_NOWAIT | KA_ATOMIC, KA_NOWAIT | KA_ANY_CONTEXT,
        KA_ATOMIC | KA_ZERO, KA_ANY_CONTEXT | KA_ZERO
    };
    static const size_t sizes[] = { 1, 100, 5000, 32768, 40000, 1000000 };
    KIT_CHECK(open_heap(16 * MIB));
    for (size_t f = 0; f < KIT_COUNT(refused); f++)
        for (size_t i = 0; i < KIT_COUNT(sizes); i++) {
            fixture.closed = true; /* a call would be a fault */
            KIT_EXPECT(ka_heap_alloc(&heap, sizes[i], 16, refused[f]) == NULL);
            fixture.closed = false;
        }
    KIT_EXPECT(fixture.faults == 0 && fixture.commits == 1);
    void *block = ka_heap_alloc(&heap, 40000, 16, KA_NOWAIT); /* the source lists it */
    KIT_EXPECT(block != NULL && fixture.commits == 2);
    fixture.closed = true;
    KIT_EXPECT(ka_heap_resize(&heap, block, 40000, 16, 80000, 16, KA_ATOMIC) == NULL);
    KIT_EXPECT(ka_heap_resize(&heap, block, 40000, 16, 80000, 16, KA_ANY_CONTEXT) == NULL);
    KIT_EXPECT(ka_heap_resize(&heap, block, 40000, 16, 33000, 16, KA_ANY_CONTEXT) == block);
    fixture.closed = false;
    KIT_EXPECT((block = ka_heap_resize(&heap, block, 33000, 16, 80000, 16, KA_NOWAIT)) != NULL);
    ka_heap_free(&heap, block, 80000, 16);
    close_heap();
}

/* Frees of all kinds, flushes and looks never call the source. */
static void free_never_calls_out(void)
{
    enum { N = 3000 };
    static void *blocks[N];
    static size_t sizes[N];
    kit_random random = { 5 };
    KIT_CHECK(open_heap_of(64 * MIB, 0, false));
    for (size_t i = 0; i < N; i++) {
        sizes[i] = 1 + kit_below(&random, kit_below(&random, 16) == 0 ? 200000 : 2000);
        KIT_CHECK((blocks[i] = ka_heap_alloc(&heap, sizes[i], 16, 0)) != NULL);
    }
    unsigned long commits = fixture.commits, decommits = fixture.decommits;
    fixture.closed = true;
    for (size_t i = 0; i < N; i++)
        i % 3 == 0 ? ka_heap_free_unsized(&heap, blocks[i]) : ka_heap_free(&heap, blocks[i], sizes[i], 16);
    ka_heap_flush(&heap);
    (void)ka_heap_break_up(&heap);
    KIT_EXPECT(live_now() == 0 && ka_heap_check(&heap) == NULL);
    KIT_EXPECT(fixture.commits == commits && fixture.decommits == decommits);
    fixture.closed = false;
    close_heap();
}

/* What ka_heap_commit has put by can be had where nothing can be committed. */
static void commit_ahead(void)
{
    KIT_CHECK(open_heap(16 * MIB));
    size_t have = ka_heap_commit(&heap, MIB);
    KIT_EXPECT(have >= MIB && have < MIB + 64 * KIB && ka_heap_free_committed(&heap) == have);
    KIT_EXPECT(ka_heap_commit(&heap, 0) == have); /* says what there is */
    unsigned long commits = fixture.commits;
    KIT_EXPECT(ka_heap_commit(&heap, MIB / 2) == have && fixture.commits == commits);
    fixture.closed = true;
    void *large = ka_heap_alloc(&heap, MIB / 2, 16, KA_ANY_CONTEXT);
    KIT_CHECK(large != NULL);
    memset(large, 1, MIB / 2);
    void *blocks[500];
    size_t n = ka_heap_alloc_many(&heap, 1000, 16, KA_ANY_CONTEXT | KA_ZERO, 500, blocks);
    KIT_EXPECT(n >= 450);
    for (size_t i = 0; i < n; i++)
        KIT_EXPECT(all_zero(blocks[i], 1000));
    ka_heap_free_many(&heap, 1000, 16, n, blocks);
    ka_heap_free(&heap, large, MIB / 2, 16);
    fixture.closed = false;
    have = ka_heap_commit(&heap, 100 * MIB); /* more than there is */
    KIT_EXPECT(have < 16 * MIB && have > 15 * MIB && ka_heap_free_committed(&heap) == have);
    KIT_EXPECT(ka_heap_trim(&heap, 0) >= have);
    fixture_fail(3, true);
    have = ka_heap_commit(&heap, 8 * MIB); /* and where the source gives up */
    KIT_EXPECT(have < 8 * MIB && ka_heap_free_committed(&heap) == have);
    fixture_heal();
    close_heap();
}

/* ---- refusals of the source ---- */

/* A run over pages of which some are committed: if one stretch fails, those
 * before it go back. */
static void partial_commit_rolls_back(void)
{
    KIT_CHECK(open_heap(8 * MIB));
    void *blocks[40];
    for (size_t i = 0; i < 40; i++)
        KIT_CHECK((blocks[i] = ka_heap_alloc(&heap, 33000, 16, 0)) != NULL);
    for (size_t i = 0; i < 40; i += 2) /* committed and not committed, by turns */
        ka_heap_free(&heap, blocks[i], 33000, 16);
    KIT_EXPECT(ka_heap_trim(&heap, 0) == 20 * 36864);
    for (size_t i = 1; i < 40; i += 2)
        ka_heap_free(&heap, blocks[i], 33000, 16);
    size_t committed = fixture.committed, stretches;
    for (stretches = 0; stretches < 19; stretches++) {
        fixture_fail(stretches, true);
        KIT_EXPECT(ka_heap_alloc(&heap, 39 * 36864, 16, 0) == NULL);
        KIT_EXPECT(fixture.committed == committed && live_now() == 0);
        KIT_CHECK_SOUND(ka_heap_check(&heap));
    }
    fixture_heal();
    void *block = ka_heap_alloc(&heap, 39 * 36864, 16, KA_ZERO);
    KIT_CHECK(block != NULL && all_zero(block, 39 * 36864));
    ka_heap_free(&heap, block, 39 * 36864, 16);
    close_heap();
}

/* A few operations of every kind. Returns whether all were served. */
static bool scenario(void)
{
    void *blocks[60] = { NULL };
    size_t sizes[60];
    bool served = true;
    for (size_t i = 0; i < 60; i++) {
        sizes[i] = (i * i * 37) % 3 == 0 ? 30000 + i * 5000 : 20 + i * 40;
        blocks[i] = ka_heap_alloc(&heap, sizes[i], 16, i % 2 == 0 ? KA_ZERO : 0);
        served &= blocks[i] != NULL;
        if (blocks[i] != NULL)
            kit_stamp(blocks[i], sizes[i], i);
    }
    for (size_t i = 0; i < 60; i += 3) {
        void *larger = ka_heap_resize(&heap, blocks[i], blocks[i] == NULL ? 0 : sizes[i], 16, sizes[i] * 2, 16, 0);
        served &= larger != NULL;
        if (larger == NULL)
            continue;
        if (blocks[i] != NULL)
            KIT_EXPECT(kit_stamped(larger, sizes[i], i));
        blocks[i] = larger;
        sizes[i] *= 2;
        kit_stamp(larger, sizes[i], i);
    }
    for (size_t i = 0; i < 60; i++) {
        KIT_EXPECT(blocks[i] == NULL || kit_stamped(blocks[i], sizes[i], i));
        ka_heap_free(&heap, blocks[i], sizes[i], 16);
    }
    return served;
}

/* The n-th commit fails, for every n; and all from the n-th on. What is served
 * is right, and nothing is lost. */
static void every_commit_failing(void)
{
    for (unsigned on = 0; on < 2; on++) {
        unsigned long n = 0, refused = 0;
        for (bool all = false; !all; n++) {
            KIT_CHECK(open_heap_of(16 * MIB, 0, n % 2 == 1));
            fixture_fail(n, on != 0);
            bool served = scenario();
            all = fixture.refusals == 0;
            refused += !served;
            KIT_EXPECT(live_now() == 0 && (served || !all));
            KIT_CHECK_SOUND(ka_heap_check(&heap));
            fixture_heal();
            KIT_EXPECT(scenario() && live_now() == 0);
            (void)ka_heap_trim(&heap, 0);
            close_heap();
            KIT_CHECK(!kit_failed());
        }
        kit_note("%lu points of failure%s; %lu times a request was refused", n - 1, on ? ", from there on" : "",
                 refused);
        KIT_EXPECT(n > 30 && (on == 0 || refused > 10)); /* after one failure the heap may find other pages */
    }
}

static bool decommit_refuses(void *context, void *base, size_t size)
{
    (void)context, (void)base, (void)size;
    fixture.decommits++;
    return false;
}

/* A source that takes nothing back, or will not: memory stays, and is found
 * again. */
static void source_that_takes_nothing_back(void)
{
    for (unsigned round = 0; round < 2; round++) {
        ka_page_source source = fixture_source;
        source.decommit = round == 0 ? NULL : decommit_refuses;
        reports_clear();
        fixture_open();
        KIT_CHECK(ka_heap_init(&heap, &(ka_heap_options){ .source = &source, .size = 16 * MIB }));
        KIT_EXPECT(scenario());
        size_t committed = fixture.committed;
        KIT_EXPECT(ka_heap_trim(&heap, 0) == 0 && fixture.committed == committed);
        KIT_CHECK_SOUND(ka_heap_check(&heap));
        fixture_fail(4, true);
        void *large = ka_heap_alloc(&heap, 14 * MIB, 16, 0); /* over pieces with memory and without */
        KIT_CHECK_SOUND(ka_heap_check(&heap));
        ka_heap_free(&heap, large, 14 * MIB, 16);
        fixture_heal();
        KIT_EXPECT(scenario());
        close_heap();
    }
}

/* ---- trim ---- */

static void trim(void)
{
    KIT_CHECK(open_heap(32 * MIB));
    size_t record = fixture.committed;
    void *kept = ka_heap_alloc(&heap, 100000, 16, 0), *small = ka_heap_alloc(&heap, 100, 16, 0);
    void *large = ka_heap_alloc(&heap, 10 * MIB, 16, 0);
    KIT_CHECK(kept != NULL && small != NULL && large != NULL);
    kit_stamp(kept, 100000, 1);
    kit_stamp(small, 100, 2);
    memset(large, 1, 10 * MIB);
    ka_heap_free(&heap, large, 10 * MIB, 16);
    size_t committed = fixture.committed, given = ka_heap_trim(&heap, 3 * MIB);
    KIT_EXPECT(given >= 7 * MIB - 64 * KIB && committed - fixture.committed == given / 4096);
    KIT_EXPECT(ka_heap_free_committed(&heap) == 3 * MIB);
    KIT_EXPECT(ka_heap_trim(&heap, 3 * MIB) == 0);
    KIT_EXPECT(ka_heap_trim(&heap, 0) == 3 * MIB && ka_heap_free_committed(&heap) == 0);
    KIT_EXPECT(kit_stamped(kept, 100000, 1) && kit_stamped(small, 100, 2));
    KIT_CHECK((large = ka_heap_alloc(&heap, 10 * MIB, 16, KA_ZERO)) != NULL);
    KIT_EXPECT(all_zero(large, 10 * MIB));
    ka_heap_free(&heap, large, 10 * MIB, 16);
    ka_heap_free(&heap, kept, 100000, 16);
    ka_heap_free(&heap, small, 100, 16);
    ka_heap_flush(&heap); /* what lies in magazines is not given back */
    (void)ka_heap_trim(&heap, 0);
    KIT_EXPECT(fixture.committed == record + inside_bytes(&heap) / 4096);
    close_heap();
}

/* Without being asked: when much more than `keep` is free, an allocation that
 * may sleep gives it back. */
static void trims_itself(void)
{
    KIT_CHECK(open_heap_of(64 * MIB, 2 * MIB, false));
    size_t most = 0;
    for (unsigned i = 0; i < 50; i++) {
        void *large = ka_heap_alloc(&heap, 20 * MIB, 16, 0);
        KIT_CHECK(large != NULL);
        ka_heap_free(&heap, large, 20 * MIB, 16);
        void *other = ka_heap_alloc(&heap, 40000 + i * 4096, 16, 0);
        KIT_CHECK(other != NULL);
        most = ka_max(most, ka_heap_free_committed(&heap));
        ka_heap_free(&heap, other, 40000 + i * 4096, 16);
    }
    kit_note("at most %zu KiB were free and committed, %lu decommits", most / KIB, fixture.decommits);
    KIT_EXPECT(most <= 2 * MIB + 2 * MIB / 4 && fixture.decommits >= 25);
    fixture.closed = true; /* not in an allocation that may not sleep */
    void *block = ka_heap_alloc(&heap, 100, 16, KA_ATOMIC);
    fixture.closed = false;
    ka_heap_free(&heap, block, 100, 16);
    close_heap();
}

/* Zero is what was asked for, be the memory fresh and dirty, fresh and clean,
 * trimmed, used, or all of these in one run. */
static void zero_from_everywhere(void)
{
    for (unsigned dirty = 0; dirty < 2; dirty++) {
        KIT_CHECK(open_heap_of(16 * MIB, 16 * MIB, dirty != 0));
        for (unsigned round = 0; round < 40; round++) {
            size_t size = 33000 + round * 50000;
            unsigned char *a = ka_heap_alloc(&heap, size, 16, KA_ZERO), *b = ka_heap_alloc(&heap, 70000, 16, KA_ZERO);
            unsigned char *c = ka_heap_alloc(&heap, size / 20, 16, KA_ZERO);
            KIT_CHECK(a != NULL && b != NULL && c != NULL);
            KIT_CHECK(all_zero(a, size) && all_zero(b, 70000) && all_zero(c, size / 20));
            memset(a, 0xff, size);
            memset(b, 0xff, 70000);
            memset(c, 0xff, size / 20);
            ka_heap_free(&heap, a, size, 16);
            if (round % 3 == 0)
                (void)ka_heap_trim(&heap, round * 10000);
            b = ka_heap_resize(&heap, b, 70000, 16, 170000, 16, KA_ZERO);
            KIT_CHECK(b != NULL && all_zero(b + 70000, 100000) && b[69999] == 0xff);
            ka_heap_free(&heap, b, 170000, 16);
            ka_heap_free(&heap, c, size / 20, 16);
        }
        close_heap();
    }
}

/* ---- low water ---- */

static struct {
    unsigned calls;
    size_t least, largest;
    const ka_heap *heap;
} water;

static void water_low(void *context, ka_heap *of, size_t free_committed)
{
    (void)context;
    water.calls++;
    water.heap = of;
    water.least = ka_min(water.least, free_committed);
    water.largest = ka_max(water.largest, free_committed);
}

static void low_water(void)
{
    KIT_CHECK(open_heap(16 * MIB));
    (void)ka_heap_commit(&heap, MIB);
    memset(&water, 0, sizeof water);
    water.least = SIZE_MAX;
    ka_heap_set_low_water(&heap, 512 * KIB, water_low, &water);
    void *blocks[40];
    size_t n = 0;
    while (n < 40 && water.calls == 0) {
        bool low = ka_heap_free_committed(&heap) - 40960 < 512 * KIB;
        KIT_CHECK((blocks[n++] = ka_heap_alloc(&heap, 40000, 16, KA_ANY_CONTEXT)) != NULL);
        KIT_EXPECT((water.calls == 1) == low);
    }
    KIT_EXPECT(n > 10 && n < 20 && water.calls == 1 && water.heap == &heap);
    KIT_EXPECT(water.largest < 512 * KIB && ka_heap_free_committed(&heap) == water.largest);
    KIT_CHECK((blocks[n++] = ka_heap_alloc(&heap, 40000, 16, KA_ANY_CONTEXT)) != NULL);
    KIT_EXPECT(water.calls == 2 && water.least == water.largest - 40960);
    (void)ka_heap_commit(&heap, 2 * MIB); /* above the mark again */
    KIT_CHECK((blocks[n++] = ka_heap_alloc(&heap, 40000, 16, KA_ANY_CONTEXT)) != NULL);
    KIT_EXPECT(water.calls == 2);
    ka_heap_set_low_water(&heap, 512 * KIB, NULL, NULL);
    (void)ka_heap_trim(&heap, 0);
    KIT_CHECK((blocks[n++] = ka_heap_alloc(&heap, 40000, 16, 0)) != NULL);
    KIT_EXPECT(water.calls == 2);
    ka_heap_free_many(&heap, 40000, 16, n, blocks);
    close_heap();
}

static const kit_case cases[] = {
    { "grows on demand", grows_on_demand },
    { "a range of the caller's", range_of_the_callers },
    { "calls the source only where it allows", only_where_the_source_allows },
    { "free never calls the source", free_never_calls_out },
    { "commit ahead", commit_ahead },
    { "a partial commit is rolled back", partial_commit_rolls_back },
    { "every commit failing in turn", every_commit_failing },
    { "a source that takes nothing back", source_that_takes_nothing_back },
    { "trim", trim },
    { "trims itself", trims_itself },
    { "zero from everywhere", zero_from_everywhere },
    { "low water", low_water },
};

int main(void)
{
    return kit_main("heap_source", cases, KIT_COUNT(cases));
}
