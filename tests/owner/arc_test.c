/* arc_test.c: see counted_cases.h; and owners of several threads. */
#include <pthread.h>

#include <ka/arc.h>

#define OWN      KA_ARC
#define OWN_TYPE KA_ARC_TYPE
#define OWN_CODE KA_ARC_CODE
#include "crimes.h"
#include "owner/counted_cases.h"

/* ---- several threads ---- */

enum { THREADS = 4, ROUNDS = 20000 };

/* A value whose writer's last word must be seen by whoever drops it. */
typedef struct tally {
    uint32_t parts[THREADS]; /* each thread its own, not atomic */
} tally;

static uint64_t sums, drops;

static void tally_drop(tally *self)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < THREADS; i++)
        sum += self->parts[i];
    __atomic_fetch_add(&sums, sum, __ATOMIC_RELAXED);
    __atomic_fetch_add(&drops, 1, __ATOMIC_RELAXED);
}

OWN(tally_own, tally, tally_drop)

typedef struct job {
    unsigned number;
    tally_own own;
    tally_own_weak way;
    uint64_t upgraded, wrong;
} job;

static void *share_and_drop(void *argument)
{
    job *j = argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        tally_own other = tally_own_share(&j->own), up = tally_own_weak_upgrade(&j->way);
        tally_own_weak weak = tally_own_downgrade(&other);
        j->wrong += up.block != other.block || tally_own_strong_count(&other) < 3 || tally_own_get_mut(&other) != NULL;
        tally_own_drop(&other);
        tally_own_weak_drop(&weak);
        tally_own_drop(&up);
    }
    ((tally *)(uintptr_t)tally_own_get(&j->own))->parts[j->number] = j->number + 1;
    tally_own_drop(&j->own);
    for (unsigned i = 0; i < ROUNDS; i++) { /* the value may go at any moment */
        tally_own up = tally_own_weak_upgrade(&j->way);
        j->upgraded += up.block != NULL;
        tally_own_drop(&up);
    }
    tally_own_weak_drop(&j->way);
    return NULL;
}

static void shared_by_threads(void)
{
    enum { VALUES = 20 };
    start();
    sums = drops = 0;
    for (unsigned v = 0; v < VALUES; v++) {
        pthread_t threads[THREADS];
        job jobs[THREADS];
        tally_own first = { 0 };
        KIT_CHECK(tally_own_new(&first, heap) != NULL);
        for (unsigned i = 0; i < THREADS; i++)
            jobs[i] = (job){ i, tally_own_share(&first), tally_own_downgrade(&first), 0, 0 };
        tally_own_drop(&first);
        for (unsigned i = 0; i < THREADS; i++)
            KIT_CHECK(pthread_create(&threads[i], NULL, share_and_drop, &jobs[i]) == 0);
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            KIT_EXPECT(jobs[i].wrong == 0);
        }
        KIT_EXPECT(drops == v + 1);
    }
    KIT_EXPECT(sums == (uint64_t)VALUES * THREADS * (THREADS + 1) / 2);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* Of threads that each try to take the value out, one gets it; and of two that each ask whether they are alone, no two
 * are. */
static void *unwrap(void *argument)
{
    job *j = argument;
    tally out;
    while (j->own.block != NULL) {
        if (tally_own_try_unwrap(&j->own, &out)) {
            j->upgraded = 1;
            tally_drop(&out);
        } else if (tally_own_strong_count(&j->own) > 1 && j->number > 0) {
            tally_own_drop(&j->own);
        }
    }
    tally_own_weak_drop(&j->way);
    return NULL;
}

static void one_unwraps(void)
{
    enum { VALUES = 500 };
    start();
    sums = drops = 0;
    for (unsigned v = 0; v < VALUES; v++) {
        pthread_t threads[THREADS];
        job jobs[THREADS];
        uint64_t got = 0;
        tally_own first = { 0 };
        KIT_CHECK(tally_own_new(&first, heap) != NULL);
        for (unsigned i = 0; i < THREADS; i++)
            jobs[i] = (job){ i, tally_own_share(&first), tally_own_downgrade(&first), 0, 0 };
        tally_own_drop(&first);
        for (unsigned i = 0; i < THREADS; i++)
            KIT_CHECK(pthread_create(&threads[i], NULL, unwrap, &jobs[i]) == 0);
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            got += jobs[i].upgraded;
        }
        KIT_CHECK(got <= 1 && drops == v + 1);
    }
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* ---- too many owners: the counts are set by hand ---- */

enum { HALF = 1 << 30 };

static int_own many_owners(uint64_t strong, uint64_t weak)
{
    int_own own = { 0 };
    start();
    if (int_own_make(&own, heap, 1) == NULL)
        _exit(0);
    own.block->counts.both = weak << 32 | strong;
    return own;
}

static void crime_share(void)
{
    int_own own = many_owners(2u * HALF, 1), more = int_own_share(&own);
    _exit(more.block == NULL);
}

static void crime_downgrade(void)
{
    int_own own = many_owners(1, 2u * HALF);
    int_own_weak more = int_own_downgrade(&own);
    _exit(more.block == NULL);
}

static void crime_upgrade(void)
{
    int_own own = many_owners(2u * HALF, 2);
    int_own_weak weak = { own.block };
    int_own more = int_own_weak_upgrade(&weak);
    _exit(more.block == NULL);
}

static void too_many_owners(void)
{
    KIT_EXPECT(stops_with(crime_share, "int_own_share: too many owners of one value"));
    KIT_EXPECT(stops_with(crime_downgrade, "int_own_downgrade: too many owners of one value"));
    KIT_EXPECT(stops_with(crime_upgrade, "int_own_weak_upgrade: too many owners of one value"));
}

static const kit_case cases[] = {
    { "too many owners", too_many_owners },
    { "shared by threads", shared_by_threads },
    { "one of the threads unwraps", one_unwraps },
};

int main(void)
{
    kit_begin();
    kit_run("arc", counted_cases, KIT_COUNT(counted_cases));
    kit_run("arc", cases, KIT_COUNT(cases));
    return kit_end();
}
