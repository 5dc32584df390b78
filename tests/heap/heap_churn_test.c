/* heap_churn_test.c: a long life whose demand shifts: phases of small, middle and large blocks, of growing and
 * shrinking counts, over and over. Memory that one phase leaves must serve the next: after the first rounds neither
 * what the heap has committed nor what the process has resident grows any more; it stays near to the most that was
 * live.
 *
 * Argument: rounds (100).
 */
#include "heap_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <ka/user.h>

#include "base/math.h"
#include "heap/core.h"

/* A sanitizer's own memory would be taken for ours. */
#if defined(__SANITIZE_ADDRESS__)
#define INSTRUMENTED 1
#elif defined(__has_feature)
#define INSTRUMENTED __has_feature(address_sanitizer)
#else
#define INSTRUMENTED 0
#endif

#define FIRST_ROUNDS 8u
#define SLOTS 20000u
#define MIB   ((size_t)1 << 20)
#define KEEP  ((size_t)64 << 20) /* ka_user_heap_init: so much may stay committed, and a quarter of what is used */

static ka_heap heap;
static struct {
    uint64_t *block;
    size_t size;
} held[SLOTS];
static size_t live;
static unsigned total_rounds = 100;

/* What a phase asks for: sizes from `least` up, log-uniform over `doublings`; `percent` of the slots are full. */
typedef struct phase {
    size_t least;
    unsigned doublings, percent, slots;
} phase;

static const phase phases[] = {
    { 16, 4, 90, SLOTS },  { 500, 2, 50, SLOTS },   { 16, 12, 30, SLOTS },
    { 40000, 4, 60, 300 }, { 24, 1, 95, SLOTS },    { 4000, 3, 40, 8000 },
    { 100, 3, 5, SLOTS },  { 1 << 20, 2, 70, 100 }, { 64, 6, 80, SLOTS / 2 },
};

static size_t resident(void)
{
    unsigned long total = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &total, &pages) != 2)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t committed(void)
{
    size_t pages = 0;
    for (uint32_t i = 0; i < heap.segment_limit; i++) {
        const ka_segment *segment = ka_heap_segment_at(&heap, i);
        if (segment == NULL)
            break;
        ka_runs_stats census;
        ka_runs_census(&segment->runs, &census);
        pages += census.committed;
    }
    return pages << heap.page_shift;
}

/* Returns whether the block was whole. */
static bool drop(unsigned at)
{
    bool whole = held[at].block[0] == at && held[at].block[held[at].size / 8 - 1] == at;
    ka_heap_free(&heap, held[at].block, held[at].size, 16);
    live -= held[at].size;
    held[at].block = NULL;
    return whole;
}

static bool take(unsigned at, size_t size)
{
    size = ka_round_up(size, 8);
    held[at].block = ka_heap_alloc(&heap, size, 16, 0);
    if (held[at].block == NULL)
        return false;
    held[at].size = size;
    live += size;
    for (size_t i = 0; i < size / 8; i += 256)
        held[at].block[i] = 0;
    held[at].block[0] = held[at].block[size / 8 - 1] = at;
    return true;
}

/* Blocks of the phase before are left to die by and by, as in life. */
static bool phase_run(const phase *p, kit_random *random)
{
    for (unsigned i = 0; i < SLOTS * 2; i++) {
        unsigned at = (unsigned)kit_below(random, SLOTS);
        if (held[at].block != NULL && !drop(at))
            return false;
        if (at >= p->slots || kit_below(random, 100) >= p->percent)
            continue;
        size_t size = p->least << kit_below(random, p->doublings);
        if (!take(at, size + kit_below(random, size)))
            return false;
    }
    return true;
}

static void churn(void)
{
    kit_random random = { 9 };
    size_t first_committed = 0, first_resident = 0, most_committed = 0, most_resident = 0, most_live = 0, high = 0;
    unsigned rounds = 0;
    reports_clear();
    KIT_CHECK(ka_user_heap_init(&heap, "churn", (size_t)4 << 30));
    for (; rounds < total_rounds; rounds++) {
        for (size_t p = 0; p < KIT_COUNT(phases); p++) {
            KIT_CHECK(phase_run(&phases[p], &random));
            size_t c = committed(), r = resident();
            most_live = ka_max(most_live, live);
            if (rounds < FIRST_ROUNDS) {
                first_committed = ka_max(first_committed, c);
                first_resident = ka_max(first_resident, r);
            }
            most_committed = ka_max(most_committed, c);
            most_resident = ka_max(most_resident, r);
            KIT_EXPECT(c <= most_live + most_live / 4 + KEEP);
            high = ka_max(high, c > live ? c - live : 0);
        }
        if (rounds % 8 == 0)
            KIT_CHECK_SOUND(ka_heap_check(&heap));
    }
    kit_note("%u rounds, at most %zu MiB live; committed %zu MiB in the first rounds, %zu later; resident %zu, %zu",
             rounds, most_live / MIB, first_committed / MIB, most_committed / MIB, first_resident / MIB,
             most_resident / MIB);
    kit_note("at most %zu MiB were committed and not live", high / MIB);
    KIT_EXPECT(most_committed <= first_committed + first_committed / 4);
    if (!INSTRUMENTED)
        KIT_EXPECT(most_resident <= first_resident + first_resident / 4);

    for (unsigned at = 0; at < SLOTS; at++)
        if (held[at].block != NULL)
            KIT_EXPECT(drop(at));
    ka_heap_flush(&heap);
    size_t before = resident(), given = ka_heap_trim(&heap, 0), after = resident();
    KIT_EXPECT(committed() < MIB); /* magazines only */
    KIT_EXPECT(given > 4 * MIB && before - after > given / 2);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(reports.count == 0 && ka_user_heap_fini(&heap) == 0);
}

int main(int argc, char **argv)
{
    static const kit_case cases[] = { { "memory does not grow", churn } };
    total_rounds = argc > 1 ? (unsigned)atoi(argv[1]) : total_rounds;
    return kit_main("heap_churn", cases, KIT_COUNT(cases));
}
