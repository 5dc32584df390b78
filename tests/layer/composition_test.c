/* composition_test.c: layers over layers over a region: they work in any order, and lose nothing when each call in turn
 * fails. */
#include <pthread.h>
#include <string.h>

#include <ka/failing.h>
#include <ka/handler.h>
#include <ka/locked.h>
#include <ka/picture.h>
#include <ka/region.h>
#include <ka/tagged.h>

#include "kit.h"

/* A region whose memory is claimed in steps by the lock layer's refill. */
#define STEP  ((size_t)16384)
#define STEPS 8

static _Alignas(16) unsigned char memory[STEPS][STEP];
static size_t claimed;
static unsigned misuses;
static ka_region region;
static ka_locked locked;
static ka_tagged first, second;
static ka_failing failing;
static ka_tag_group group;

static bool claim_step(void *context, size_t size, size_t align, ka_flags flags)
{
    (void)context, (void)align, (void)flags;
    if (size > STEPS * STEP / 2)
        return false;
    ka_lock_state state = ka_locked_enter(&locked);
    bool more = claimed < STEPS && ka_region_claim(&region, memory[claimed], STEP);
    claimed += more;
    ka_locked_leave(&locked, state);
    return more;
}

static void count_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                         const void *site)
{
    (void)context, (void)kind, (void)allocator, (void)block, (void)size, (void)site;
    misuses++;
}

/* failing over locked over tagged over region: the tag counts under the lock. */
static void setup(void)
{
    claimed = misuses = 0;
    ka_set_misuse_handler(count_misuse, NULL);
    ka_region_init(&region);
    ka_tagged_init(&first, &region.allocator, "first", &group);
    ka_locked_init(&locked, &first.allocator, claim_step, NULL);
    ka_failing_init(&failing, &locked.allocator);
}

/* Random work with stamped blocks. Returns how many requests were refused; a wrong byte fails the case. */
static unsigned work(ka_allocator *a, uint64_t seed, unsigned operations)
{
    kit_random random = { seed };
    struct {
        unsigned char *at;
        size_t size, align;
    } block[24];
    unsigned refused = 0;
    memset(block, 0, sizeof block);
    for (unsigned i = 0; i < operations; i++) {
        size_t k = kit_below(&random, KIT_COUNT(block));
        size_t size = 1 + kit_below(&random, 900), align = (size_t)1 << kit_below(&random, 9);
        if (block[k].at == NULL) {
            block[k].at = ka_alloc(a, size, align, 0);
        } else if (kit_below(&random, 2) == 0) {
            size_t both = size < block[k].size ? size : block[k].size;
            unsigned char *moved = ka_resize(a, block[k].at, block[k].size, block[k].align, size, align, KA_ZERO);
            if (moved == NULL) {
                refused++;
                continue;
            }
            KIT_EXPECT(kit_stamped(moved, both, k));
            for (size_t at = both; at < size; at++)
                KIT_EXPECT(moved[at] == 0);
            block[k].at = moved;
        } else {
            KIT_EXPECT(kit_stamped(block[k].at, block[k].size, k));
            ka_free(a, block[k].at, block[k].size, block[k].align);
            block[k].at = NULL;
            continue;
        }
        refused += block[k].at == NULL;
        block[k].size = size;
        block[k].align = align;
        if (block[k].at != NULL)
            kit_stamp(block[k].at, size, k);
    }
    for (size_t k = 0; k < KIT_COUNT(block); k++)
        ka_free(a, block[k].at, block[k].size, block[k].align);
    return refused;
}

static void works_and_grows(void)
{
    setup();
    KIT_EXPECT(work(&failing.allocator, 1, 20000) == 0);
    KIT_EXPECT(claimed > 0 && first.live == 0 && first.peak > 0 && ka_region_check(&region) == NULL);
    KIT_EXPECT(ka_check(&failing.allocator) == NULL);
    ka_stats stats = ka_get_stats(&failing.allocator); /* the tag's, through the others */
    KIT_EXPECT(stats.live == 0 && stats.peak == first.peak);
    ka_tagged_fini(&first);
    KIT_EXPECT(misuses == 0);
    kit_note("20000 operations, %zu steps of %zu bytes, peak %zu bytes", claimed, STEP, (size_t)first.peak);
}

static void each_call_fails_once(void)
{
    unsigned rounds = 0;
    for (uint64_t n = 1;; n++, rounds++) {
        setup();
        ka_failing_set(&failing, n);
        unsigned refused = work(&failing.allocator, 2, 300);
        KIT_CHECK(refused == ka_failing_failures(&failing));
        KIT_CHECK_SOUND(ka_region_check(&region));
        KIT_CHECK(first.live == 0 && first.live_blocks == 0 && misuses == 0);
        ka_tagged_fini(&first);
        if (ka_failing_failures(&failing) == 0)
            break;
    }
    KIT_EXPECT(rounds > 100);
    kit_note("each of %u calls failed once", rounds);
}

static void calls_fail_by_chance(void)
{
    setup();
    ka_failing_set_chance(&failing, 20000, 3);
    unsigned refused = work(&failing.allocator, 3, 20000);
    KIT_EXPECT(refused > 1000 && refused == ka_failing_failures(&failing));
    KIT_EXPECT(first.live == 0 && misuses == 0 && ka_region_check(&region) == NULL);
    ka_tagged_fini(&first);
}

/* ---- tags over a shared lock over the region, from threads: the usual order ---- */

static void *thread_main(void *tag)
{
    (void)work(&((ka_tagged *)tag)->allocator, (uint64_t)(tag == &first), 30000);
    return NULL;
}

static void two_threads_two_tags(void)
{
    pthread_t thread[2];
    claimed = misuses = 0;
    ka_region_init(&region);
    ka_locked_init(&locked, &region.allocator, claim_step, NULL);
    ka_tagged_init(&first, &locked.allocator, "first", &group);
    ka_tagged_init(&second, &locked.allocator, "second", &group);
    pthread_create(&thread[0], NULL, thread_main, &first);
    pthread_create(&thread[1], NULL, thread_main, &second);
    pthread_join(thread[0], NULL);
    pthread_join(thread[1], NULL);
    KIT_EXPECT(first.live == 0 && second.live == 0 && first.refused == 0 && second.refused == 0);
    KIT_EXPECT(ka_get_stats(&locked.allocator).live == 0);
    KIT_CHECK_SOUND(ka_check(&locked.allocator));
    ka_tagged_fini(&first);
    ka_tagged_fini(&second);
    KIT_EXPECT(misuses == 0 && group.first == NULL);
}

/* ---- a picture through the lock ---- */

static struct {
    size_t lines, live;
} drawn;

static void count_line(void *context, const char *text, size_t length)
{
    (void)context;
    drawn.lines++;
    for (size_t i = 0; i < length; i++)
        drawn.live += text[i] == '*';
}

static char star(void *context, const void *block, size_t size)
{
    (void)context, (void)block, (void)size;
    return '*';
}

static void a_picture_through_the_lock(void)
{
    claimed = 0;
    ka_region_init(&region);
    ka_locked_init(&locked, &region.allocator, claim_step, NULL);
    ka_failing_init(&failing, &locked.allocator);
    void *block = ka_alloc(&failing.allocator, 4096, 16, 0);
    KIT_CHECK(block != NULL);
    memset(&drawn, 0, sizeof drawn);
    ka_picture(&failing.allocator, 64, 100, star, NULL, count_line, NULL);
    KIT_EXPECT(drawn.live == 4096 / 16 && drawn.lines > 1 + 4096 / 16 / 64);
    ka_free(&failing.allocator, block, 4096, 16);
    memset(&drawn, 0, sizeof drawn);
    ka_picture(&failing.allocator, 64, 100, star, NULL, count_line, NULL);
    KIT_EXPECT(drawn.live == 0 && drawn.lines > 2);
}

static const kit_case cases[] = {
    { "works and grows", works_and_grows },
    { "each call fails once", each_call_fails_once },
    { "calls fail by chance", calls_fail_by_chance },
    { "two threads, two tags", two_threads_two_tags },
    { "a picture through the lock", a_picture_through_the_lock },
};

int main(void)
{
    return kit_main("composition", cases, KIT_COUNT(cases));
}
