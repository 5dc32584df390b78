/* atomic_test.c: the atomic operations, of whichever variant the include path picks: results, and threads. */
#include <pthread.h>
#include <sched.h>

#include "base/atomic.h"
#include "kit.h"

/* Every operation once, with values that use the whole width. */
#define ONE_WIDTH(name, type)                                                               \
    static void one_thread_##name(void)                                                     \
    {                                                                                       \
        const type high = (type)((type)1 << (sizeof(type) * 8 - 1)), all = (type) ~(type)0; \
        type guarded[3] = { all, 5, all }, *x = &guarded[1], seen;                          \
        KIT_EXPECT(ka_load_relaxed_##name(x) == 5 && ka_load_acquire_##name(x) == 5);       \
        ka_store_relaxed_##name(x, high | 1);                                               \
        KIT_EXPECT(*x == (high | 1));                                                       \
        ka_store_release_##name(x, all);                                                    \
        KIT_EXPECT(ka_exchange_##name(x, high) == all && *x == high);                       \
        KIT_EXPECT(ka_fetch_add_##name(x, all) == high && *x == high - 1);                  \
        KIT_EXPECT(ka_fetch_add_##name(x, 2) == high - 1 && *x == high + 1);                \
        KIT_EXPECT(ka_fetch_or_##name(x, 7) == high + 1 && *x == high + 7);                 \
        KIT_EXPECT(ka_fetch_and_##name(x, high | 5) == high + 7 && *x == high + 5);         \
        seen = 5;                                                                           \
        KIT_EXPECT(!ka_cas_##name(x, &seen, 1) && seen == high + 5 && *x == high + 5);      \
        KIT_EXPECT(ka_cas_##name(x, &seen, all) && seen == high + 5 && *x == all);          \
        KIT_EXPECT(guarded[0] == all && guarded[2] == all);                                 \
    }

ONE_WIDTH(32, uint32_t)
ONE_WIDTH(64, uint64_t)
ONE_WIDTH(ptr, uintptr_t)

/* ---- two threads ---- */

#define STEPS 100000

static struct {
    uint32_t sum, lock;
    uint64_t bits, cas;
    uint64_t guarded; /* under the lock */
    uint64_t message[2];
    uint32_t flag;
    bool torn;
} shared;

static void *add_main(void *number)
{
    uint64_t mine = (uint64_t)1 << *(unsigned *)number;
    for (unsigned i = 0; i < STEPS; i++) {
        uint64_t seen = ka_load_relaxed_64(&shared.cas);
        (void)ka_fetch_add_32(&shared.sum, 3);
        while (!ka_cas_64(&shared.cas, &seen, seen + 1)) {
        }
        if ((ka_fetch_or_64(&shared.bits, mine) & mine) != 0 || (ka_fetch_and_64(&shared.bits, ~mine) & mine) == 0)
            return &shared; /* another thread has changed our bit */
        while (ka_exchange_32(&shared.lock, 1) != 0) {
        }
        shared.guarded++;
        ka_store_release_32(&shared.lock, 0);
    }
    return NULL;
}

static void two_threads(void)
{
    pthread_t thread[2];
    unsigned numbers[2] = { 3, 63 };
    void *result[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, add_main, &numbers[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], &result[i]);
    KIT_EXPECT(result[0] == NULL && result[1] == NULL);
    KIT_EXPECT(shared.sum == 6 * STEPS && shared.cas == 2 * STEPS && shared.guarded == 2 * STEPS && shared.bits == 0);
}

static void *send_main(void *unused)
{
    (void)unused;
    for (uint32_t i = 1; i <= STEPS; i++) {
        while (ka_load_acquire_32(&shared.flag) != 0) {
        }
        shared.message[0] = i;
        shared.message[1] = ~(uint64_t)i;
        ka_store_release_32(&shared.flag, i);
    }
    return NULL;
}

/* What was written before a release is seen after the acquire. */
static void release_and_acquire(void)
{
    pthread_t sender;
    pthread_create(&sender, NULL, send_main, NULL);
    for (uint32_t i = 1; i <= STEPS; i++) {
        while (ka_load_acquire_32(&shared.flag) != i) {
        }
        shared.torn |= shared.message[0] != i || shared.message[1] != ~(uint64_t)i;
        ka_store_release_32(&shared.flag, 0);
    }
    pthread_join(sender, NULL);
    KIT_EXPECT(!shared.torn);
}

/* Store, fence, load on both sides: at least one must see the other. The two meet by spinning, so that they store at
 * nearly the same time; `met` counts arrivals. */
#define MEETINGS 100000

static struct {
    _Alignas(64) uint32_t met;
    _Alignas(64) uint32_t stored[2 * 16]; /* 16 apart: a cache line for each */
    _Alignas(64) uint32_t seen[2];
    unsigned blind;
} dekker;

static void dekker_meet(uint32_t *meeting)
{
    unsigned spins = 0;
    *meeting += 2;
    (void)ka_fetch_add_32(&dekker.met, 1);
    while ((int32_t)(ka_load_acquire_32(&dekker.met) - *meeting) < 0)
        if (++spins % 4096 == 0)
            sched_yield();
}

static void *dekker_main(void *number)
{
    unsigned me = *(unsigned *)number;
    uint32_t meeting = 0;
    for (int i = 0; i < MEETINGS; i++) {
        ka_store_relaxed_32(&dekker.stored[16 * me], 0);
        dekker_meet(&meeting);
        ka_store_relaxed_32(&dekker.stored[16 * me], 1);
        ka_fence();
        dekker.seen[me] = ka_load_relaxed_32(&dekker.stored[16 * (1 - me)]);
        dekker_meet(&meeting);
        if (me == 0)
            dekker.blind += dekker.seen[0] == 0 && dekker.seen[1] == 0;
        dekker_meet(&meeting);
    }
    return NULL;
}

static void fence(void)
{
    pthread_t other;
    unsigned numbers[2] = { 0, 1 };
    pthread_create(&other, NULL, dekker_main, &numbers[1]);
    (void)dekker_main(&numbers[0]);
    pthread_join(other, NULL);
    ka_signal_fence();
    KIT_EXPECT(dekker.blind == 0);
    kit_note("%d meetings, %u blind", MEETINGS, dekker.blind);
}

static const kit_case cases[] = {
    { "one thread, 32 bits", one_thread_32 },       { "one thread, 64 bits", one_thread_64 },
    { "one thread, pointers", one_thread_ptr },     { "two threads", two_threads },
    { "release and acquire", release_and_acquire }, { "fence", fence },
};

int main(void)
{
    return kit_main("atomic", cases, KIT_COUNT(cases));
}
