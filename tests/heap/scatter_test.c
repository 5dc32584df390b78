/* scatter_test.c: heaps of disjoint segments: ranges that are claimed, in random order of their addresses, and segments
 * that a source gives one by one. Everything else in the arena that they are cut from is watched or cannot be touched.
 * The random lives stand beside the model of heap_model.h.
 *
 * Argument: how many times the usual count of steps.
 */
#include "heap_fixture.h"
#include "heap_model.h"

#include <pthread.h>
#include <stdlib.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static ka_heap heap;
static model m;
static unsigned long times = 1;

/* ---- a source of scattered pieces ---- */

#define PIECE_SHIFT 21u
#define PIECE       ((size_t)1 << PIECE_SHIFT)
#define PIECES      96u

/* An arena of PIECES pieces. A reservation takes one of them, by chance; shorter ones end where the piece ends. */
#define ASKEW ((size_t)37 * FIXTURE_PAGE)
static struct {
    char *map, *base;
    bool unaligned; /* pieces are aligned to a page only */
    pthread_mutex_t lock;
    kit_random random;
    size_t taken[PIECES]; /* bytes reserved in each, 0: none */
    bool commits;         /* pages are committed one by one; else reserved memory is memory */
    unsigned long calls, fail_at; /* the call (reserve or commit) with this number fails */
    bool fail_on;                 /* and all after it */
    unsigned long reserves, unreserves, refusals, faults;
    unsigned held, most; /* pieces */
} arena = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool arena_refuses(void)
{
    arena.calls++;
    bool refuses = arena.fail_at != 0 &&
                   (arena.calls == arena.fail_at || (arena.fail_on && arena.calls > arena.fail_at));
    arena.refusals += refuses;
    return refuses;
}

static void *arena_reserve(void *context, size_t size, size_t align)
{
    (void)context;
    char *result = NULL;
    pthread_mutex_lock(&arena.lock);
    arena.faults += size > PIECE || align > (arena.unaligned ? FIXTURE_PAGE : PIECE) || size % FIXTURE_PAGE != 0;
    arena.reserves++;
    unsigned at = (unsigned)kit_below(&arena.random, PIECES), tries = 0;
    while (tries < PIECES && arena.taken[at] != 0)
        at = (at + 1) % PIECES, tries++;
    if (!arena_refuses() && tries < PIECES) {
        arena.taken[at] = size;
        result = arena.base + at * PIECE + (PIECE - size);
        if (!arena.commits && (mprotect(result, size, PROT_READ | PROT_WRITE) != 0))
            arena.faults++;
        if (!arena.commits)
            memset(result, 0xa5, size); /* memory of any contents */
        arena.held++;
        arena.most = arena.held > arena.most ? arena.held : arena.most;
    }
    pthread_mutex_unlock(&arena.lock);
    return result;
}

static void arena_unreserve(void *context, void *base, size_t size)
{
    (void)context;
    pthread_mutex_lock(&arena.lock);
    size_t at = (size_t)((char *)base - arena.base) / PIECE;
    arena.unreserves++;
    arena.held--;
    if (at >= PIECES || arena.taken[at] != size || (char *)base + size != arena.base + (at + 1) * PIECE)
        arena.faults++;
    else
        arena.taken[at] = 0;
    if (madvise(base, size, MADV_DONTNEED) != 0 || mprotect(base, size, PROT_NONE) != 0)
        arena.faults++; /* from now on a touch is a crash */
    pthread_mutex_unlock(&arena.lock);
}

static bool inside_reserved(const char *base, size_t size)
{
    size_t at = (size_t)(base - arena.base) / PIECE;
    return base >= arena.base && at < PIECES && arena.taken[at] != 0 && size != 0 &&
           base >= arena.base + (at + 1) * PIECE - arena.taken[at] && base + size <= arena.base + (at + 1) * PIECE;
}

static bool arena_commit(void *context, void *base, size_t size, bool *zeroed)
{
    (void)context;
    pthread_mutex_lock(&arena.lock);
    arena.faults += !inside_reserved(base, size);
    bool done = !arena_refuses() && mprotect(base, size, PROT_READ | PROT_WRITE) == 0;
    pthread_mutex_unlock(&arena.lock);
    *zeroed = true;
    return done;
}

static bool arena_decommit(void *context, void *base, size_t size)
{
    (void)context;
    pthread_mutex_lock(&arena.lock);
    arena.faults += !inside_reserved(base, size);
    bool done = madvise(base, size, MADV_DONTNEED) == 0 && mprotect(base, size, PROT_NONE) == 0;
    pthread_mutex_unlock(&arena.lock);
    return done;
}

static const ka_page_source committing = {
    .contexts = KA_NOWAIT,
    .reserve = arena_reserve,
    .unreserve = arena_unreserve,
    .commit = arena_commit,
    .decommit = arena_decommit,
};
static const ka_page_source whole = { .reserve = arena_reserve, .unreserve = arena_unreserve };

static void arena_open(bool commits, uint64_t seed)
{
    if (arena.map == NULL)
        arena.map = fixture_map((PIECES + 1) * PIECE, PIECE, PROT_NONE);
    arena.unaligned = false;
    arena.base = arena.map;
    arena.random.state = seed;
    arena.commits = commits;
    arena.calls = arena.fail_at = arena.reserves = arena.unreserves = arena.refusals = arena.faults = 0;
    arena.fail_on = false;
    arena.held = arena.most = 0;
    memset(arena.taken, 0, sizeof arena.taken);
}

static ka_heap_options scattered_options(size_t size)
{
    return (ka_heap_options){ .source = arena.commits ? &committing : &whole,
                              .size = size,
                              .segment_shift = PIECE_SHIFT,
                              .scattered = true,
                              .unaligned = arena.unaligned };
}

static void arena_open_unaligned(bool commits, uint64_t seed)
{
    arena_open(commits, seed);
    arena.unaligned = true;
    arena.base = arena.map + ASKEW;
}

/* ---- random lives ---- */

static size_t random_size(kit_random *random, size_t most)
{
    uint64_t law = kit_below(random, 16);
    if (law < 8)
        return 1 + kit_below(random, 300);
    return 1 + kit_below(random, (size_t)1 << kit_below(random, ka_highest_bit(most) + 2));
}

static ka_flags random_flags(kit_random *random)
{
    static const ka_flags contexts[] = { KA_NOWAIT, KA_ATOMIC, KA_ANY_CONTEXT };
    ka_flags flags = kit_below(random, 4) == 0 ? KA_ZERO : 0;
    return kit_below(random, 8) == 0 ? flags | contexts[kit_below(random, 3)] : flags;
}

static const char *random_step(kit_random *random, size_t most, bool shrinking)
{
    uint64_t what = kit_below(random, 1000);
    size_t at = kit_below(random, m.count + 1), size = random_size(random, most);
    size_t align = (size_t)1 << kit_below(random, kit_below(random, 8) == 0 ? 16 : 5);
    if (what >= 992) {
        size_t keep = kit_below(random, 8 * MIB);
        if (what < 996)
            ka_heap_flush(&heap);
        else
            (void)ka_heap_trim(&heap, keep);
        return model_check(&m);
    }
    if (what >= 990) {
        (void)ka_heap_commit(&heap, kit_below(random, 4 * MIB));
        return model_check(&m);
    }
    if (what >= 970)
        return model_alloc_many(&m, size, align, random_flags(random), kit_below(random, 33));
    if (at == m.count || what < (shrinking ? 250u : 520u))
        return model_alloc(&m, size, align, random_flags(random), (unsigned)what);
    if (what < 800)
        return model_free(&m, at, (unsigned)kit_next(random));
    return model_resize(&m, at, size, align, random_flags(random));
}

/* The heap swells and shrinks by turns. */
static void random_life(unsigned long steps, size_t most, unsigned check_every, uint64_t seed, bool fail)
{
    kit_random random = { seed };
    model_init(&m, &heap, check_every);
    m.scarce = fail || heap.scattered;
    for (unsigned long step = 0; step < steps * times; step++) {
        if (fail && kit_below(&random, 200) == 0)
            arena.fail_at = arena.calls + 1 + kit_below(&random, 5);
        KIT_CHECK_SOUND(random_step(&random, most, step / 3000 % 2 != 0));
        if (step % 5000 != 4999)
            continue;
        while (m.count > 10)
            KIT_CHECK_SOUND(model_free(&m, (size_t)kit_below(&random, m.count), (unsigned)step));
        ka_heap_flush(&heap);
        (void)ka_heap_trim(&heap, 0);
    }
    KIT_CHECK_SOUND(model_close(&m));
    kit_note("%zu steps, %zu refused", m.steps, m.refused);
}

static void scattered_life_here(unsigned long steps, size_t size, uint64_t seed, bool fail)
{
    ka_heap_options options = scattered_options(size);
    KIT_CHECK(ka_heap_init(&heap, &options));
    random_life(steps, 256 * KIB, 250, seed, fail);
    KIT_CHECK(!kit_failed());
    (void)ka_heap_trim(&heap, 0);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    unsigned records = ka_heap_segment_end(&heap);
    kit_note("%lu reserved, %lu given back, %lu refused; %u at most", arena.reserves, arena.unreserves,
             arena.refusals, arena.most);
    KIT_EXPECT(arena.held == 2 + records); /* the table and the first segment, and the records */
    KIT_EXPECT(arena.unreserves > 10 && (arena.refusals != 0) == fail);
    KIT_EXPECT(arena.most <= 1 + 2 * size / PIECE);
    KIT_EXPECT(ka_heap_fini(&heap) == 0);
    KIT_EXPECT(arena.held == 0 && arena.faults == 0);
}

static void scattered_life(bool commits, size_t size, uint64_t seed, bool fail)
{
    arena_open(commits, seed);
    scattered_life_here(25000, size, seed, fail);
}

static void life_committing(void)
{
    scattered_life(true, 24 * MIB, 1, false);
}
static void life_whole(void)
{
    scattered_life(false, 24 * MIB, 2, false);
}
static void life_refused(void)
{
    scattered_life(true, 24 * MIB, 3, true);
}
static void life_whole_refused(void)
{
    scattered_life(false, 24 * MIB, 4, true);
}
static void life_magazines(void)
{
    scattered_life(true, (size_t)ka_port_cpu_count() * 4 * MIB + 32 * MIB, 5, false);
}
static void life_unaligned(void)
{
    arena_open_unaligned(false, 14);
    scattered_life_here(10000, 24 * MIB, 14, false);
}
static void life_unaligned_refused(void)
{
    arena_open_unaligned(true, 15);
    scattered_life_here(10000, 24 * MIB, 15, true);
}

/* ---- claims ---- */

/* Ranges at random places of one arena that do not touch, claimed in random order; what lies between keeps
 * its bytes. */
static void claimed_life(bool source, unsigned segment_shift, uint64_t seed)
{
    enum { RANGES = 9, PITCH = 3 << 20 };
    kit_random random = { seed };
    size_t starts[RANGES], sizes[RANGES];
    fixture_open();
    char *base = source ? fixture_reserve(NULL, RANGES * (size_t)PITCH, 4096)
                        : fixture_map(RANGES * (size_t)PITCH, 4096, PROT_READ | PROT_WRITE);
    KIT_CHECK(base != NULL);
    if (!source)
        memset(base, 0x5a, RANGES * (size_t)PITCH);
    unsigned order[RANGES];
    for (unsigned i = 0; i < RANGES; i++) {
        sizes[i] = 256 * KIB + kit_below(&random, 2 * MIB) / 4096 * 4096;
        starts[i] = i * (size_t)PITCH + 4096 + kit_below(&random, PITCH - 8192 - sizes[i]) / 4096 * 4096;
        unsigned to = (unsigned)kit_below(&random, i + 1);
        order[i] = order[to];
        order[to] = i;
    }
    ka_heap_options options = { .source = source ? &fixture_source : NULL,
                                .base = base + starts[order[0]],
                                .size = sizes[order[0]],
                                .segment_shift = segment_shift };
    KIT_CHECK(ka_heap_init(&heap, &options));
    for (unsigned i = 1; i < RANGES; i++) {
        model_init(&m, &heap, 100);
        random_life(1000, 128 * KIB, 200, seed + i, false);
        size_t held = heap.held;
        KIT_CHECK(ka_heap_claim(&heap, base + starts[order[i]], sizes[order[i]]));
        KIT_EXPECT(heap.held == held + sizes[order[i]]);
        KIT_CHECK_SOUND(ka_heap_check(&heap));
    }
    random_life(20000, 256 * KIB, 200, seed, false);
    KIT_CHECK(!kit_failed());
    /* Each range serves: what all of them can hold is more than all but the smallest have. */
    size_t all = 0, got = 0, blocks = 0;
    static void *kept[8192];
    for (unsigned i = 0; i < RANGES; i++)
        all += sizes[i];
    while (blocks < KIT_COUNT(kept) && (kept[blocks] = ka_heap_alloc(&heap, 4096, 4096, 0)) != NULL) {
        memset(kept[blocks++], 0x11, 4096);
        got += 4096;
    }
    KIT_EXPECT(got > all - all / 16 && got < all);
    ka_heap_free_many(&heap, 4096, 4096, blocks, kept);
    KIT_EXPECT(ka_heap_fini(&heap) == 0 && fixture.faults == 0);
    size_t at = 0;
    for (unsigned i = 0; i < RANGES && !source; at = starts[i] + sizes[i], i++)
        for (; at < starts[i]; at++)
            KIT_CHECK(base[at] == 0x5a);
    munmap(base, RANGES * (size_t)PITCH);
    fixture.base = NULL;
}

static void claimed(void)
{
    claimed_life(false, 0, 11); /* several ranges in one piece of addresses */
}
static void claimed_in_pieces(void)
{
    claimed_life(false, 21, 12); /* ranges that are cut */
}
static void claimed_over_a_source(void)
{
    claimed_life(true, 21, 13);
}

static void claims_refused(void)
{
    char *base = fixture_map(16 * MIB, 16 * MIB, PROT_READ | PROT_WRITE);
    ka_heap_options options = { .base = base, .size = MIB, .segment_shift = 21, .claims = 3 };
    KIT_CHECK(base != NULL && ka_heap_init(&heap, &options));
    KIT_EXPECT(!ka_heap_claim(&heap, NULL, MIB));
    KIT_EXPECT(!ka_heap_claim(&heap, base + 2 * MIB + 16, MIB));
    KIT_EXPECT(!ka_heap_claim(&heap, base + 2 * MIB, KA_HEAP_MIN_CLAIM - 4096));
    KIT_EXPECT(!ka_heap_claim(&heap, base + 2 * MIB, SIZE_MAX - MIB));
    KIT_EXPECT(!ka_heap_claim(&heap, base + 2 * MIB, 8 * MIB)); /* four pieces */
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_heap_claim(&heap, base + 2 * MIB, 6 * MIB));
    KIT_EXPECT(!ka_heap_claim(&heap, base + 10 * MIB, MIB)); /* no room for a fourth */
    void *block = ka_heap_alloc(&heap, MIB + 4096, 16, 0);
    KIT_EXPECT((char *)block > base + 2 * MIB && ka_heap_usable(&heap, block) == MIB + 4096);
    KIT_EXPECT(ka_heap_usable(&heap, base + 11 * MIB) == 0);
    ka_heap_free_unsized(&heap, block);
    KIT_EXPECT(ka_heap_alloc(&heap, 4 * MIB, 16, 0) == NULL);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_heap_fini(&heap) == 0);
    munmap(base, 16 * MIB);
}

/* The n-th commit of a claim fails: nothing has changed, and the next try is served. */
static void claim_rolls_back(void)
{
    unsigned refusals = 0;
    for (unsigned n = 0; n < 5; n++) {
        fixture_open();
        char *base = fixture_reserve(NULL, 16 * MIB, 16 * MIB);
        ka_heap_options options = { .source = &fixture_source, .base = base, .size = MIB, .segment_shift = 21 };
        KIT_CHECK(base != NULL && ka_heap_init(&heap, &options));
        size_t committed = fixture.committed, held = heap.held;
        fixture_fail(n, false);
        if (!ka_heap_claim(&heap, base + 4 * MIB, 8 * MIB)) {
            refusals++;
            KIT_EXPECT(fixture.committed == committed && heap.held == held);
            KIT_EXPECT(ka_heap_alloc(&heap, MIB, 16, 0) == NULL);
            KIT_CHECK_SOUND(ka_heap_check(&heap));
            fixture_heal();
            KIT_CHECK(ka_heap_claim(&heap, base + 4 * MIB, 8 * MIB));
        }
        fixture_heal();
        void *block = ka_heap_alloc(&heap, MIB, 16, 0);
        KIT_EXPECT(block != NULL);
        ka_heap_free(&heap, block, MIB, 16);
        KIT_CHECK_SOUND(ka_heap_check(&heap));
        KIT_EXPECT(ka_heap_fini(&heap) == 0 && fixture.faults == 0);
    }
    KIT_EXPECT(refusals == 4);
}

/* ---- a source that refuses ---- */

/* Allocates all it can in blocks of a third of a segment, checks them, and frees. Returns whether all were served. */
static bool fill(unsigned want)
{
    void *blocks[64];
    unsigned got = 0;
    while (got < want && (blocks[got] = ka_heap_alloc(&heap, 600 * KIB, 16, 0)) != NULL) {
        kit_stamp(blocks[got], 600 * KIB, got);
        got++;
    }
    for (unsigned i = 0; i < got; i++) {
        KIT_EXPECT(kit_stamped(blocks[i], 600 * KIB, i));
        ka_heap_free(&heap, blocks[i], 600 * KIB, 16);
    }
    return got == want;
}

/* Every call to the source fails in turn, once and for ever. */
static void every_call_failing(void)
{
    for (unsigned round = 0; round < 4; round++) {
        unsigned long n = 1, refused = 0;
        for (bool all = false; !all && n < 1000; n++) {
            arena_open(round % 2 == 0, n);
            arena.fail_at = n;
            arena.fail_on = round >= 2;
            ka_heap_options options = scattered_options(16 * MIB);
            bool made = ka_heap_init(&heap, &options), served = made && fill(9);
            all = arena.refusals == 0;
            refused += !served;
            arena.fail_at = 0;
            if (!made) {
                KIT_EXPECT(arena.held == 0);
                continue;
            }
            KIT_CHECK_SOUND(ka_heap_check(&heap));
            KIT_EXPECT(fill(9));
            (void)ka_heap_trim(&heap, 0);
            KIT_EXPECT(fill(9));
            KIT_CHECK_SOUND(ka_heap_check(&heap));
            KIT_EXPECT(ka_heap_fini(&heap) == 0 && arena.held == 0 && arena.faults == 0);
            KIT_CHECK(!kit_failed());
        }
        kit_note("%s%s: %lu points of failure, %lu of them refused a request", round % 2 == 0 ? "commits" : "whole",
                 round >= 2 ? ", from there on" : "", n - 2, refused);
        KIT_EXPECT(n > 7 && refused >= 3);
    }
}

/* ---- growth and giving back ---- */

static void grows_and_gives_back(void)
{
    arena_open(false, 7);
    ka_heap_options options = scattered_options(16 * MIB);
    options.keep = 64 * MIB; /* not by itself */
    KIT_CHECK(ka_heap_init(&heap, &options));
    KIT_EXPECT(arena.held == 3); /* the table, a record, a segment */
    KIT_EXPECT(ka_heap_alloc(&heap, PIECE + 4096, 16, 0) == NULL && arena.held == 3);
    void *blocks[9];
    for (unsigned i = 0; i < 8; i++) {
        blocks[i] = ka_heap_alloc(&heap, PIECE, PIECE, 0); /* a segment is all pages */
        KIT_CHECK(blocks[i] != NULL);
        memset(blocks[i], 1, PIECE);
        KIT_EXPECT(ka_heap_usable(&heap, (char *)blocks[i]) == PIECE);
    }
    KIT_EXPECT(arena.held == 17);
    unsigned long reserves = arena.reserves;
    KIT_EXPECT(ka_heap_alloc(&heap, 10, 16, 0) == NULL && arena.reserves == reserves); /* the bound */
    for (unsigned i = 1; i < 8; i++)
        ka_heap_free(&heap, blocks[i], PIECE, 16);
    ka_heap_flush(&heap);
    KIT_EXPECT(ka_heap_trim(&heap, 4 * MIB) == 10 * MIB && arena.held == 12);
    KIT_EXPECT(ka_heap_trim(&heap, 4 * MIB) == 0);
    KIT_EXPECT(ka_heap_trim(&heap, 0) == 4 * MIB && arena.held == 10);
    KIT_EXPECT(ka_get_stats(&heap.allocator).total == PIECE);
    KIT_EXPECT(ka_heap_usable(&heap, blocks[3]) == 0);
    void *small = ka_heap_alloc(&heap, 10, 16, 0); /* a second segment, over an old record */
    KIT_EXPECT(small != NULL && arena.held == 11);
    KIT_EXPECT(ka_heap_trim(&heap, 0) == 0);
    ka_heap_free(&heap, small, 10, 16);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    ka_heap_free(&heap, blocks[0], PIECE, 16);
    KIT_EXPECT(ka_heap_fini(&heap) == 0 && arena.held == 0 && arena.faults == 0);
}

/* A block is found by both halves of its segment's addresses; a request that might not fit makes no segment. */
static void unaligned(void)
{
    arena_open_unaligned(false, 16);
    ka_heap_options options = scattered_options(16 * MIB);
    options.keep = 64 * MIB;
    KIT_CHECK(ka_heap_init(&heap, &options));
    char *blocks[8];
    for (unsigned i = 0; i < 8; i++) {
        blocks[i] = ka_heap_alloc(&heap, PIECE, 4096, 0);
        KIT_CHECK(blocks[i] != NULL && (uintptr_t)blocks[i] % PIECE == ASKEW);
        KIT_EXPECT(ka_heap_usable(&heap, blocks[i]) == PIECE);
    }
    for (unsigned i = 1; i < 8; i++)
        ka_heap_free_unsized(&heap, blocks[i]);
    ka_heap_flush(&heap);
    (void)ka_heap_trim(&heap, 0);
    unsigned held = arena.held;
    KIT_EXPECT(ka_heap_alloc(&heap, PIECE, PIECE, 0) == NULL && arena.held == held);
    KIT_EXPECT(ka_heap_alloc(&heap, PIECE / 2 + 2 * FIXTURE_PAGE, PIECE / 2, 0) == NULL && arena.held == held);
    char *lower = ka_heap_alloc(&heap, PIECE / 2, PIECE / 2, 0);
    KIT_CHECK(lower != NULL && (uintptr_t)lower % (PIECE / 2) == 0 && arena.held == held + 1);
    char *pages[PIECE / 2 / FIXTURE_PAGE];
    for (size_t i = 0; i < KIT_COUNT(pages); i++) { /* both sides of the border: upper bits of two kinds */
        pages[i] = ka_heap_alloc(&heap, FIXTURE_PAGE * 2, 16, 0);
        if (pages[i] != NULL)
            KIT_EXPECT(ka_heap_usable(&heap, pages[i]) == 2 * FIXTURE_PAGE);
    }
    for (size_t i = 0; i < KIT_COUNT(pages); i++)
        ka_heap_free_unsized(&heap, pages[i]);
    ka_heap_free_unsized(&heap, lower);
    ka_heap_free_unsized(&heap, blocks[0]);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_heap_fini(&heap) == 0 && arena.held == 0 && arena.faults == 0);
}

static void only_where_the_source_allows(void)
{
    for (unsigned round = 0; round < 2; round++) {
        arena_open(false, 8);
        ka_page_source source = whole;
        source.reserve_contexts = round == 0 ? 0 : KA_ATOMIC;
        ka_heap_options options = scattered_options(16 * MIB);
        options.source = &source;
        KIT_CHECK(ka_heap_init(&heap, &options));
        void *first = ka_heap_alloc(&heap, PIECE, 16, KA_ANY_CONTEXT); /* it is there */
        KIT_EXPECT(first != NULL && arena.held == 3);
        KIT_EXPECT(ka_heap_alloc(&heap, 100, 16, KA_ANY_CONTEXT) == NULL && arena.held == 3);
        KIT_EXPECT(ka_heap_alloc(&heap, 100, 16, KA_NOWAIT) == NULL && arena.held == 3);
        void *second = ka_heap_alloc(&heap, PIECE, 16, KA_ATOMIC);
        KIT_EXPECT((second != NULL) == (round == 1));
        ka_heap_free(&heap, first, PIECE, 16);
        ka_heap_free(&heap, second, PIECE, 16);
        KIT_EXPECT(ka_heap_fini(&heap) == 0 && arena.held == 0);
    }
}

static void a_leak_is_found(void)
{
    arena_open(true, 9);
    ka_heap_options options = scattered_options(16 * MIB);
    KIT_CHECK(ka_heap_init(&heap, &options));
    void *a = ka_heap_alloc(&heap, PIECE - 4096, 16, 0), *b = ka_heap_alloc(&heap, PIECE, 16, 0);
    KIT_CHECK(a != NULL && b != NULL);
    reports_clear();
    ka_heap_free(&heap, (char *)b + 4096, 4096, 4096);
    KIT_EXPECT(reports.count == 1);
    reports_clear();
    ka_heap_free(&heap, a, PIECE - 4096, 16);
    KIT_EXPECT(ka_heap_fini(&heap) == 1 && reported(KA_MISUSE_LEAK, b) && arena.held == 0);
}

static void options_refused(void)
{
    arena_open(true, 10);
    static uint8_t map;
    ka_heap_options good = scattered_options(16 * MIB), bad[6] = { good, good, good, good, good, good };
    ka_page_source none = { .commit = arena_commit };
    bad[0].size = MIB; /* less than a segment */
    bad[1].base = arena.base;
    bad[2].map_all = &map;
    bad[3].source = &none;
    bad[4].source = NULL;
    bad[5].scattered = false;
    bad[5].unaligned = true;
    for (size_t i = 0; i < KIT_COUNT(bad); i++)
        KIT_EXPECT(!ka_heap_init(&heap, &bad[i]));
    KIT_EXPECT(arena.reserves == 0);
}

/* ---- threads ---- */

#define THREADS 4u

typedef struct worker {
    pthread_t thread;
    kit_random random;
    unsigned long served, refused, spoiled;
} worker;

static unsigned long steps;
static uint32_t done;

#define HELD 64u

typedef struct item {
    uint64_t *block;
    size_t size;
} item;

static void item_drop(worker *w, item *i, bool sized)
{
    if (i->block == NULL)
        return;
    w->spoiled += i->block[0] != (uintptr_t)i || i->block[i->size / 8 - 1] != (uintptr_t)i;
    if (sized)
        ka_heap_free(&heap, i->block, i->size, 16);
    else
        ka_heap_free_unsized(&heap, i->block);
    i->block = NULL;
}

static void item_take(worker *w, item *i)
{
    i->size = 64 + kit_below(&w->random, kit_below(&w->random, 4) == 0 ? 300 * KIB : 2000) / 8 * 8;
    i->block = ka_heap_alloc(&heap, i->size, 16, 0);
    w->served += i->block != NULL;
    w->refused += i->block == NULL;
    if (i->block != NULL)
        i->block[0] = i->block[i->size / 8 - 1] = (uintptr_t)i;
}

/* Holds much, and from time to time nothing, so that segments come and go under all threads. */
static void *live(void *argument)
{
    worker *w = argument;
    item held[HELD] = { { NULL, 0 } };
    for (unsigned long step = 0; step < steps; step++) {
        item *i = &held[kit_below(&w->random, HELD)];
        item_drop(w, i, step % 3 != 0);
        item_take(w, i);
        for (unsigned at = 0; step % 1000 == 999 && at < HELD; at++)
            item_drop(w, &held[at], at % 2 != 0);
        if (step % 250 == 249) {
            ka_heap_flush(&heap);
            (void)ka_heap_trim(&heap, kit_below(&w->random, 4 * MIB));
        }
    }
    for (unsigned at = 0; at < HELD; at++)
        item_drop(w, &held[at], true);
    return NULL;
}

/* Asks for addresses that are nobody's, or somebody else's, in segments that come and go. */
static void *look(void *argument)
{
    worker *w = argument;
    while (ka_load_relaxed_32(&done) == 0) {
        const char *address = arena.base + kit_below(&w->random, PIECES * PIECE);
        w->served += ka_heap_usable(&heap, address) != 0;
        w->refused++;
        if (w->refused % 512 == 0)
            (void)ka_heap_free_committed(&heap);
    }
    return NULL;
}

static void threads_here(uint64_t seed)
{
    worker workers[THREADS], looker;
    ka_heap_options options = scattered_options(32 * MIB);
    KIT_CHECK(ka_heap_init(&heap, &options));
    reports_clear();
    steps = 4000 * times;
    done = 0;
    memset(workers, 0, sizeof workers);
    memset(&looker, 0, sizeof looker);
    KIT_CHECK(pthread_create(&looker.thread, NULL, look, &looker) == 0);
    for (unsigned t = 0; t < THREADS; t++) {
        workers[t].random.state = seed * 10 + t;
        KIT_CHECK(pthread_create(&workers[t].thread, NULL, live, &workers[t]) == 0);
    }
    unsigned long served = 0, refused = 0, spoiled = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        pthread_join(workers[t].thread, NULL);
        served += workers[t].served;
        refused += workers[t].refused;
        spoiled += workers[t].spoiled;
    }
    ka_store_relaxed_32(&done, 1);
    pthread_join(looker.thread, NULL);
    kit_note("%lu served, %lu refused; %lu reserved, %lu given back; %lu looks, %lu hit", served, refused,
             arena.reserves, arena.unreserves, looker.refused, looker.served);
    KIT_EXPECT(spoiled == 0 && reports.count == 0 && refused < served / 4);
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++)
        ka_heap_retire_slot(&heap, slot);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    (void)ka_heap_trim(&heap, 0);
    KIT_EXPECT(arena.held == 2 + ka_heap_segment_end(&heap));
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(arena.unreserves > 0); /* how many, is up to who runs when */
    KIT_EXPECT(ka_heap_fini(&heap) == 0 && arena.held == 0 && arena.faults == 0);
}

static void threads_whole(void)
{
    arena_open(false, 21);
    threads_here(21);
}
static void threads_committing(void)
{
    arena_open(true, 22);
    threads_here(22);
}
static void threads_unaligned(void)
{
    arena_open_unaligned(false, 23);
    threads_here(23);
}

int main(int argc, char **argv)
{
    static const kit_case cases[] = {
        { "segments that the source commits", life_committing },
        { "segments that are memory", life_whole },
        { "segments that the source commits, or refuses", life_refused },
        { "segments that are memory, or are refused", life_whole_refused },
        { "with magazines", life_magazines },
        { "segments aligned to a page", life_unaligned },
        { "segments aligned to a page, or refused", life_unaligned_refused },
        { "what a segment aligned to a page can serve", unaligned },
        { "claims, several in one piece of addresses", claimed },
        { "claims that are cut", claimed_in_pieces },
        { "claims of address space", claimed_over_a_source },
        { "claims that are refused", claims_refused },
        { "a claim rolls back", claim_rolls_back },
        { "every call to the source fails in turn", every_call_failing },
        { "grows, and gives back", grows_and_gives_back },
        { "reserves only where the source allows it", only_where_the_source_allows },
        { "leaks and wrong frees", a_leak_is_found },
        { "options that are refused", options_refused },
        { "threads, segments that are memory", threads_whole },
        { "threads, segments that the source commits", threads_committing },
        { "threads, segments aligned to a page", threads_unaligned },
    };
    times = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    return kit_main("scatter", cases, KIT_COUNT(cases));
}
