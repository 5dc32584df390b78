/* compact_test.c: before more memory is committed idle magazines are emptied, and in a compact heap free pages that lie
 * scattered go back for those of a long run.
 */
#include "heap_fixture.h"

#include "heap/core.h"
#include "heap_inside.h"

#define RANGE ((size_t)512 << 20)

static ka_heap heap;
static void *range;
static size_t committed, decommitted; /* pages in all */

static bool commit(void *context, void *base, size_t size, bool *zeroed)
{
    (void)context, (void)base;
    committed += size / 4096;
    *zeroed = false;
    return true;
}

static bool decommit(void *context, void *base, size_t size)
{
    (void)context, (void)base;
    decommitted += size / 4096;
    return true;
}

static const ka_page_source source = { .contexts = KA_NOWAIT | KA_ATOMIC, .commit = commit, .decommit = decommit };

static void open_heap(bool compact)
{
    reports_clear();
    range = fixture_map(RANGE, 4096, PROT_READ | PROT_WRITE);
    committed = decommitted = 0;
    ka_heap_options options = {
        .base = range, .size = RANGE, .page_shift = 12, .source = &source, .keep = RANGE, .compact = compact
    };
    KIT_CHECK(range != NULL && ka_heap_init(&heap, &options));
}

static void close_heap(void)
{
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_heap_fini(&heap) == 0 && reports.count == 0);
    KIT_CHECK(munmap(range, RANGE) == 0);
}

/* ---- idle magazines ---- */

#define SMALL 20000u
static void *small[SMALL];

/* Classes that are used once keep nothing when others want memory. */
static void idle_classes_go_back(void)
{
    open_heap(true);
    uint32_t *slabs = heap.table->slabs;
    for (size_t size = 1000; size <= KA_CLASS_LARGEST; size += 500)
        ka_heap_free(&heap, ka_heap_alloc(&heap, size, 16, 0), size, 16);
    unsigned before = 0, after = 0;
    for (unsigned class = ka_class_of(1000); class < KA_CLASS_COUNT; class++)
        before += slabs[class];
    KIT_EXPECT(before > 0);
    for (unsigned i = 0; i < SMALL; i++)
        small[i] = ka_heap_alloc(&heap, 64, 16, 0);
    for (unsigned class = ka_class_of(1000); class < KA_CLASS_COUNT; class++)
        after += slabs[class];
    KIT_EXPECT(after == 0);
    for (unsigned i = 0; i < SMALL; i++)
        ka_heap_free(&heap, small[i], 64, 16);
    close_heap();
}

/* Blocks that come back while nobody asks for their class go as well. */
static void late_frees_go_back(void)
{
    open_heap(true);
    uint32_t *slabs = heap.table->slabs;
    void *late[10];
    for (unsigned i = 0; i < KIT_COUNT(late); i++)
        late[i] = ka_heap_alloc(&heap, 5000, 16, 0);
    for (unsigned i = 0; i < SMALL; i++) {
        if (i == SMALL / 2)
            for (unsigned j = 0; j < KIT_COUNT(late); j++)
                ka_heap_free(&heap, late[j], 5000, 16);
        small[i] = ka_heap_alloc(&heap, 64, 16, 0);
    }
    KIT_EXPECT(slabs[ka_class_of(5000)] == 0);
    for (unsigned i = 0; i < SMALL; i++)
        ka_heap_free(&heap, small[i], 64, 16);
    close_heap();
}

/* A class that is asked for all the time keeps its magazine. */
static void busy_classes_stay(void)
{
    open_heap(true);
    unsigned emptied = 0;
    for (unsigned i = 0; i < SMALL; i += 20) {
        for (unsigned j = 0; j < 20; j++)
            small[i + j] = ka_heap_alloc(&heap, 64, 16, 0);
        emptied += inside_length(inside_of(&heap, 64)) == 0;
    }
    KIT_EXPECT(emptied < SMALL / 20 / 4);
    for (unsigned i = 0; i < SMALL; i++)
        ka_heap_free(&heap, small[i], 64, 16);
    close_heap();
}

/* ---- exchange ---- */

#define SHORT_BYTES ((size_t)20 * 4096)
#define LONG_BYTES  ((size_t)128 * 4096)
#define SHORTS      400u
#define LONGS       30u

static void low(void *context, ka_heap *of, size_t left)
{
    (void)context, (void)of, (void)left;
}

/* How many pages went back while long runs were taken beside half of the short ones. */
static void take_longs(bool compact, bool low_water, size_t *gone)
{
    void *shorts[SHORTS], *longs[LONGS];
    open_heap(compact);
    if (low_water)
        ka_heap_set_low_water(&heap, 4096, low, NULL);
    for (unsigned i = 0; i < SHORTS; i++)
        KIT_CHECK((shorts[i] = ka_heap_alloc(&heap, SHORT_BYTES, 16, 0)) != NULL);
    for (unsigned i = 0; i < SHORTS; i += 2)
        ka_heap_free(&heap, shorts[i], SHORT_BYTES, 16);
    size_t before = committed;
    KIT_EXPECT(decommitted == 0);
    longs[0] = ka_heap_alloc(&heap, LONG_BYTES, 16, 0);
    if (compact && !low_water)
        KIT_EXPECT(committed > before && decommitted == 128);
    for (unsigned i = 1; i < LONGS; i++)
        KIT_CHECK((longs[i] = ka_heap_alloc(&heap, LONG_BYTES, 16, 0)) != NULL);
    KIT_EXPECT(decommitted <= heap.pages_used / 4);
    *gone = decommitted;
    for (unsigned i = 0; i < LONGS; i++)
        ka_heap_free(&heap, longs[i], LONG_BYTES, 16);
    for (unsigned i = 1; i < SHORTS; i += 2)
        ka_heap_free(&heap, shorts[i], SHORT_BYTES, 16);
    close_heap();
}

static void free_pages_are_exchanged(void)
{
    size_t pages = 0, with_low_water = 1, not_compact = 1;
    take_longs(true, false, &pages);
    take_longs(true, true, &with_low_water);
    take_longs(false, false, &not_compact);
    KIT_EXPECT(pages >= 512 && with_low_water == 0 && not_compact == 0);
    kit_note("%zu pages", pages);
}

/* A run that is longer than what may be exchanged has so much exchanged. */
static void pages_are_exchanged_in_part(void)
{
    void *shorts[SHORTS];
    open_heap(true);
    for (unsigned i = 0; i < SHORTS; i++)
        KIT_CHECK((shorts[i] = ka_heap_alloc(&heap, SHORT_BYTES, 16, 0)) != NULL);
    for (unsigned i = 0; i < SHORTS; i += 2)
        ka_heap_free(&heap, shorts[i], SHORT_BYTES, 16);
    size_t length = heap.pages_used * 4096, most = heap.pages_used / 4;
    void *block = ka_heap_alloc(&heap, length, 16, 0);
    KIT_CHECK(block != NULL);
    KIT_EXPECT(decommitted > most / 2 && decommitted <= most);
    ka_heap_free(&heap, block, length, 16);
    for (unsigned i = 1; i < SHORTS; i += 2)
        ka_heap_free(&heap, shorts[i], SHORT_BYTES, 16);
    close_heap();
}

static const kit_case cases[] = {
    { "idle classes go back before memory is committed", idle_classes_go_back },
    { "blocks that come back late go, too", late_frees_go_back },
    { "classes in use stay", busy_classes_stay },
    { "free pages go for those of long runs", free_pages_are_exchanged },
    { "and for a part of a very long one", pages_are_exchanged_in_part },
};

int main(void)
{
    return kit_main("compact", cases, KIT_COUNT(cases));
}
