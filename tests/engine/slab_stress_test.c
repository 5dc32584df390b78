/* slab_stress_test.c: threads take, put, make and reclaim slabs of different classes on the same few pages, whose runs
 * come from the run engine. Every 16 bytes carry the mark of their owner: no block may be handed out twice, none may be
 * lost, and no page may change its class under a block. Blocks are also written to, so that ThreadSanitizer sees
 * whether they change hands properly. Without either re-read of the protocol the same test must fail.
 *
 * Argument: seconds.
 */
#include "interleave_noise.h"

static enum theft { NOTHING, TAKE_REREAD, RECLAIM_REREAD } control;

#include "engine/runs.h"
#include "engine/slab.h"

#define ka_slab_take_holds_(slabs, page, descriptor)                                                                  \
    (control == TAKE_REREAD || ka_slab_take_holds_(slabs, page, descriptor))
#define ka_slab_reclaim_holds_(slabs, page, descriptor)                                                               \
    (control == RECLAIM_REREAD || ka_slab_reclaim_holds_(slabs, page, descriptor))
#include "engine/runs.c"
#include "engine/slab.c"

#define SHIFT 12u
#define PAGES 6u
#define KINDS 5u
#define HELD  256u

static _Alignas(4096) unsigned char arena[PAGES << SHIFT];
static uint32_t descriptors[PAGES], owners[PAGES << (SHIFT - 4)];
static uint8_t map[PAGES];
static uint64_t words[PAGES << (SHIFT - 10)], hints[KA_CLASS_COUNT], maps[3];
static ka_classes classes;
static ka_slabs slabs;
static ka_runs runs;
static unsigned kinds[KINDS];
static unsigned kinds_used; /* the first two: one word and two, the first of them full in both */

/* What a thread has. */
typedef struct bag {
    struct {
        void *block[HELD];
        uint32_t count;
    } of[KINDS];
    unsigned long taken, reclaimed;
} bag;
static bag bags[NOISE_THREADS + 1];

static uint32_t unit_of(const void *block) { return (uint32_t)((const unsigned char *)block - arena) / 16; }

/* Blocks are written to in the true run only: without the protocol that would be a data race. */
static void mark(void *block, unsigned id)
{
    if (control == NOTHING)
        *(uint64_t *)block = id;
}

static void unmark(const void *block, unsigned id)
{
    if (control == NOTHING && *(const uint64_t *)block != id)
        noise_fault("a block was written to by somebody else");
}

static void bag_add(unsigned id, unsigned kind, const ka_slab_batch *batch)
{
    bag *b = &bags[id];
    void *slots[64];
    unsigned count = ka_slab_spread(batch, slots);
    uint32_t size = classes.of[kinds[kind]].size;
    if (batch->size != size)
        noise_fault("blocks of another class were taken");
    for (unsigned i = 0; i < count; i++) {
        uintptr_t offset = (uintptr_t)slots[i] - (uintptr_t)arena;
        if (offset > sizeof arena - size) {
            noise_fault("a block reaches over the segment's end");
            return;
        }
        noise_own(owners, unit_of(slots[i]), size / 16, id, "a block is doubled");
        mark(slots[i], id);
        b->of[kind].block[b->of[kind].count++] = slots[i];
    }
    b->taken += count;
}

static void bag_take(unsigned id, unsigned kind, kit_random *random)
{
    if (bags[id].of[kind].count > HELD - 64)
        return;
    unsigned max = kit_below(random, 2) ? 64 : 1 + (unsigned)kit_below(random, 5);
    ka_slab_batch batch;
    uint32_t start = (uint32_t)kit_below(random, PAGES);
    bool found = kit_below(random, 4) == 0 ? ka_slab_take_any(&slabs, kinds[kind], max, &batch)
                                           : ka_slab_refill(&slabs, kinds[kind], start, max, &batch);
    if (found)
        bag_add(id, kind, &batch);
}

static void bag_put(unsigned id, unsigned kind, uint32_t count)
{
    bag *b = &bags[id];
    uint32_t size = classes.of[kinds[kind]].size;
    b->of[kind].count -= count;
    void **blocks = b->of[kind].block + b->of[kind].count;
    for (uint32_t i = 0; i < count; i++) {
        unmark(blocks[i], id);
        if (ka_load_relaxed_8(&map[unit_of(blocks[i]) >> (SHIFT - 4)]) != kinds[kind] + 1)
            noise_fault("the map of classes is wrong");
        noise_disown(owners, unit_of(blocks[i]), size / 16, id, "a block was taken away from its owner");
    }
    ka_slab_result result;
    for (uint32_t done = 0; done < count; done += result.count) { /* it stops where a slab may be full */
        ka_slab_put(&slabs, kinds[kind], blocks + done, count - done, &result);
        if (result.verdict != KA_SLAB_FINE) {
            noise_fault("a put was refused");
            return;
        }
    }
}

/* Nobody has anything of these pages. */
static void pages_mine(uint32_t page, uint32_t count, unsigned id)
{
    uint32_t unit = page << (SHIFT - 4), units = count << (SHIFT - 4);
    noise_own(owners, unit, units, id, "a page changed hands with a block on it");
    mark(arena + ((size_t)page << SHIFT), id);
    noise_disown(owners, unit, units, id, "a page has two owners");
}

static void slab_new(unsigned id, unsigned kind, kit_random *random)
{
    uint32_t count = classes.of[kinds[kind]].pages, page = ka_runs_claim(&runs, count, 1, 0);
    if (page == KA_NO_PAGE || bags[id].of[kind].count > HELD - 64) {
        if (page != KA_NO_PAGE && !ka_runs_release(&runs, page, count))
            noise_fault("a run could not be released");
        return;
    }
    pages_mine(page, count, id);
    unsigned max = kinds_used == 2 ? 0 : (unsigned)kit_below(random, 3);
    ka_slab_batch batch = ka_slab_create(&slabs, page, kinds[kind], max);
    bag_add(id, kind, &batch);
}

static void slab_reclaim(unsigned id, kit_random *random)
{
    uint32_t page = (uint32_t)kit_below(random, PAGES);
    if (!ka_slab_reclaim(&slabs, page))
        return;
    uint32_t count = ka_runs_length(&runs, page);
    pages_mine(page, count, id);
    bags[id].reclaimed++;
    if (!ka_runs_release(&runs, page, count))
        noise_fault("a reclaimed slab is not a run");
}

static void body(unsigned id, kit_random *random)
{
    unsigned kind = (unsigned)kit_below(random, kinds_used);
    uint32_t held = bags[id].of[kind].count;
    switch (kit_below(random, 8)) {
    case 0:
        slab_new(id, kind, random);
        break;
    case 1:
    case 2:
        slab_reclaim(id, random);
        break;
    case 3:
    case 4:
        bag_take(id, kind, random);
        break;
    case 5:
        bag_put(id, kind, (uint32_t)kit_below(random, held + 1));
        break;
    default:
        bag_put(id, kind, held);
    }
}

static void end(unsigned id)
{
    for (unsigned kind = 0; kind < KINDS; kind++)
        bag_put(id, kind, bags[id].of[kind].count);
}

static void setup(void)
{
    static const size_t sizes[KINDS] = { 64, 32, 2048, 1792, 6144 };
    for (unsigned i = 0; i < PAGES; i++) {
        descriptors[i] = KA_PAGE_IDLE;
        map[i] = 0;
    }
    for (unsigned i = 0; i < KIT_COUNT(owners); i++)
        owners[i] = 0;
    for (unsigned i = 0; i < KIT_COUNT(words); i++)
        words[i] = 0;
    for (unsigned i = 0; i < KIT_COUNT(hints); i++)
        hints[i] = 0;
    for (unsigned i = 0; i < KIT_COUNT(maps); i++)
        maps[i] = 0;
    for (unsigned i = 0; i <= NOISE_THREADS; i++)
        bags[i] = (bag){ .taken = 0 };
    ka_classes_init(&classes, SHIFT, 1);
    for (unsigned i = 0; i < KINDS; i++)
        kinds[i] = ka_class_of(sizes[i]);
    ka_slabs_init(&slabs, (uintptr_t)arena, PAGES, &classes, descriptors, map, words, hints, KA_CLASS_COUNT);
    ka_runs_init(&runs, (uintptr_t)arena, PAGES, SHIFT, descriptors, maps, NULL);
    ka_runs_add(&runs, 0, PAGES, KA_RUNS_COMMITTED);
    kinds_used = control == RECLAIM_REREAD ? 2 : KINDS;
    noise.body = body;
    noise.end = end;
}

static void whole(void)
{
    control = NOTHING;
    setup();
    const char *fault = noise_run(noise.seconds);
    unsigned long taken = 0, reclaimed = 0;
    for (unsigned i = 1; i <= NOISE_THREADS; i++) {
        taken += bags[i].taken;
        reclaimed += bags[i].reclaimed;
    }
    kit_note("%lu operations, %lu blocks taken, %lu slabs reclaimed", noise.operations, taken, reclaimed);
    KIT_CHECK_SOUND(fault);
    KIT_CHECK_SOUND(ka_slabs_check(&slabs));
    KIT_CHECK_SOUND(ka_runs_check(&runs));
    for (uint32_t page = ka_slab_next(&slabs, 0); page != KA_NO_PAGE; page = ka_slab_next(&slabs, page))
        KIT_CHECK(ka_slab_reclaim(&slabs, page) && ka_runs_release(&runs, page, 0)); /* no block is lost */
    KIT_CHECK(ka_runs_claim(&runs, PAGES, 1, 0) == 0);                               /* and no page */
    if (noise.operations > 100000) /* a busy machine may do too few for this */
        KIT_CHECK(taken > 1000 && reclaimed > 100);
}

static void robbed(enum theft theft)
{
    control = theft;
    setup();
    const char *fault = noise_run(CONTROL_SECONDS);
    control = NOTHING;
    kit_note("after %lu operations: %s", noise.operations, fault != NULL ? fault : "nothing found");
    KIT_CHECK(fault != NULL);
}

static void without_take_reread(void) { robbed(TAKE_REREAD); }
static void without_reclaim_reread(void) { robbed(RECLAIM_REREAD); }

static const kit_case cases[] = {
    { "no block is doubled or lost", whole },
    { "without the second look of take some are", without_take_reread },
    { "without the second look of reclaim some are", without_reclaim_reread },
};

int main(int argc, char **argv)
{
    noise_arguments(argc, argv, 2);
    return kit_main("slab_stress", cases, KIT_COUNT(cases));
}
