/* failing_test.c: the failing layer: exactly the chosen calls fail, and nothing else changes. */
#include <pthread.h>

#include <ka/dummy.h>
#include <ka/failing.h>

#include "kit.h"
#include "pool.h"

static pool inner;
static ka_failing failing;
static ka_allocator *const a = &failing.allocator;

static void setup(size_t blocks)
{
    pool_init(&inner, blocks);
    ka_failing_init(&failing, &inner.allocator);
}

static void forwards(void)
{
    setup(3);
    void *block = ka_alloc(a, 10, 8, KA_ATOMIC | KA_ZERO);
    KIT_CHECK(block == inner.memory[0]);
    KIT_EXPECT(inner.flags == (KA_ATOMIC | KA_ZERO));
    KIT_EXPECT(ka_usable(a, block, 10, 8) == POOL_BLOCK);
    KIT_EXPECT(ka_get_stats(a).live_blocks == 1);
    KIT_EXPECT(ka_check(a) == NULL);
    inner.broken = "broken";
    KIT_EXPECT(ka_check(a) == inner.broken);
    void *moved = ka_resize(a, block, 10, 8, 20, 8, 0);
    KIT_EXPECT(moved == inner.memory[1]);
    ka_free(a, moved, 20, 8);
    KIT_EXPECT(pool_live(&inner) == 0);
}

static bool count_visit(void *context, const void *block, size_t size, bool live)
{
    (void)block, (void)size, (void)live;
    return ++*(size_t *)context < 2;
}

static void forwards_a_walk(void)
{
    size_t visited = 0;
    setup(3);
    KIT_EXPECT(!ka_walk(a, count_visit, &visited) && visited == 2);
}

static void fails_the_nth_call(void)
{
    for (uint64_t n = 0; n <= 6; n++) {
        void *block[5];
        setup(5);
        ka_failing_set(&failing, n);
        for (size_t i = 0; i < 5; i++) {
            block[i] = ka_alloc(a, 8, 8, 0);
            KIT_EXPECT((block[i] == NULL) == (i + 1 == n));
        }
        KIT_EXPECT(ka_failing_calls(&failing) == 5);
        KIT_EXPECT(ka_failing_failures(&failing) == (n >= 1 && n <= 5));
        KIT_EXPECT(inner.calls == 5 - ka_failing_failures(&failing));
    }
}

static void counts_from_now(void)
{
    setup(8);
    KIT_EXPECT(ka_alloc(a, 8, 8, 0) != NULL);
    KIT_EXPECT(ka_alloc(a, 8, 8, 0) != NULL);
    ka_failing_set(&failing, 2);
    KIT_EXPECT(ka_alloc(a, 8, 8, 0) != NULL);
    KIT_EXPECT(ka_alloc(a, 8, 8, 0) == NULL);
    KIT_EXPECT(ka_alloc(a, 8, 8, 0) != NULL);
    ka_failing_set(&failing, 1);
    ka_failing_set(&failing, 0);
    KIT_EXPECT(ka_alloc(a, 8, 8, 0) != NULL);
    KIT_EXPECT(ka_failing_failures(&failing) == 1);
}

static void resizes_are_calls(void)
{
    setup(4);
    unsigned char *block = ka_alloc(a, 16, 8, 0);
    KIT_CHECK(block != NULL);
    kit_stamp(block, 16, 3);
    ka_failing_set(&failing, 1);
    KIT_EXPECT(ka_resize(a, block, 16, 8, 32, 8, KA_ZERO) == NULL); /* growing */
    ka_failing_set(&failing, 1);
    KIT_EXPECT(ka_resize(a, block, 16, 8, 8, 8, 0) == NULL); /* shrinking */
    KIT_EXPECT(kit_stamped(block, 16, 3) && pool_live(&inner) == 1);
    KIT_EXPECT(ka_failing_calls(&failing) == 3);
    block = ka_resize(a, block, 16, 8, 8, 8, 0);
    KIT_CHECK(block != NULL);
    KIT_EXPECT(kit_stamped(block, 8, 3));
    ka_failing_set(&failing, 1);
    block = ka_resize(a, NULL, 0, 1, 8, 8, 0); /* is an alloc */
    KIT_EXPECT(block == NULL && ka_failing_calls(&failing) == 5);
}

/* What never reaches an allocator is not a call, and frees never fail. */
static void other_things_are_not_calls(void)
{
    setup(1);
    void *block = ka_alloc(a, 8, 8, 0);
    KIT_CHECK(block != NULL);
    ka_failing_set(&failing, 1);
    KIT_EXPECT(ka_alloc(a, 0, 8, 0) != NULL);
    KIT_EXPECT(ka_alloc(a, 8, 3, 0) == NULL);
    KIT_EXPECT(ka_resize(a, block, 8, 8, 0, 8, 0) != NULL);
    KIT_EXPECT(pool_live(&inner) == 0);
    KIT_EXPECT(ka_failing_calls(&failing) == 1 && ka_failing_failures(&failing) == 0);
}

#define TRIES 65536

static unsigned failures_of(uint32_t chance, uint64_t seed, uint64_t *fingerprint)
{
    unsigned failures = 0;
    setup(1);
    ka_failing_set_chance(&failing, chance, seed);
    *fingerprint = 0;
    for (unsigned i = 0; i < TRIES; i++) {
        void *block = ka_alloc(a, 8, 8, 0);
        *fingerprint = *fingerprint * 31 + (block == NULL);
        failures += block == NULL;
        ka_free(a, block, 8, 8);
    }
    return failures;
}

static void fails_by_chance(void)
{
    uint64_t first, again, other;
    KIT_EXPECT(failures_of(0, 1, &first) == 0);
    KIT_EXPECT(failures_of(65536, 1, &first) == TRIES);
    unsigned failures = failures_of(6554, 1, &first); /* a tenth: expected 6554, standard deviation 77 */
    KIT_EXPECT(failures > 6554 - 8 * 77 && failures < 6554 + 8 * 77);
    KIT_EXPECT(ka_failing_failures(&failing) == failures);
    KIT_EXPECT(failures_of(6554, 1, &again) == failures && again == first);
    (void)failures_of(6554, 2, &other);
    KIT_EXPECT(other != first);
    kit_note("%u of %d calls failed at a chance of one in ten", failures, TRIES);
}

static void *thread_main(void *unused)
{
    (void)unused;
    for (int i = 0; i < 50000; i++)
        if (ka_alloc(a, 0x10000, 8, 0) != NULL)
            return a;
    return NULL;
}

/* Counters are exact between threads. The allocator below must be safe for threads itself: this one refuses all. */
static void counts_from_threads(void)
{
    pthread_t thread[2];
    ka_failing_init(&failing, ka_dummy);
    ka_failing_set(&failing, 70000);
    for (int i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, thread_main, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    KIT_EXPECT(ka_failing_calls(&failing) == 100000 && ka_failing_failures(&failing) == 1);
}

static const kit_case cases[] = {
    { "forwards", forwards },
    { "forwards a walk", forwards_a_walk },
    { "fails the n-th call", fails_the_nth_call },
    { "counts from now", counts_from_now },
    { "resizes are calls", resizes_are_calls },
    { "other things are not calls", other_things_are_not_calls },
    { "fails by chance", fails_by_chance },
    { "counts from threads", counts_from_threads },
};

int main(void)
{
    return kit_main("failing", cases, KIT_COUNT(cases));
}
