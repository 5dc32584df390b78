/* locked_test.c: the lock layer: what it forwards, how it grows, and that a raced refill refuses nobody. */
#include <pthread.h>
#include <unistd.h>

#include <ka/locked.h>

#include "kit.h"
#include "pool.h"

static pool inner;
static ka_locked locked;
static ka_allocator *const a = &locked.allocator;

/* ---- one thread ---- */

static bool locked_while_visited(void *context, const void *block, size_t size, bool live)
{
    (void)block, (void)size, (void)live;
    ++*(size_t *)context;
    return locked.lock.taken != 0;
}

static void forwards(void)
{
    size_t visited = 0;
    pool_init(&inner, 2);
    ka_locked_init(&locked, &inner.allocator, NULL, NULL);
    void *block = ka_alloc(a, 10, 8, 0);
    KIT_CHECK(block == inner.memory[0]);
    KIT_EXPECT(ka_usable(a, block, 10, 8) == POOL_BLOCK);
    KIT_EXPECT(ka_get_stats(a).live_blocks == 1);
    KIT_EXPECT(ka_walk(a, locked_while_visited, &visited) && visited == 2);
    KIT_EXPECT(ka_check(a) == NULL);
    inner.broken = "broken";
    KIT_EXPECT(ka_check(a) == inner.broken);
    ka_free(a, block, 10, 8);
    KIT_EXPECT(pool_live(&inner) == 0);
    KIT_EXPECT(ka_alloc(a, 65, 8, 0) == NULL);
    KIT_EXPECT(locked.lock.taken == 0);
}

static void forwards_only_what_there_is(void)
{
    static const ka_allocator_ops bare_ops = { .name = "bare", .alloc = pool_alloc, .free = pool_free };
    size_t visited = 0;
    pool_init(&inner, 1);
    inner.allocator.ops = &bare_ops;
    ka_locked_init(&locked, &inner.allocator, NULL, NULL);
    void *block = ka_alloc(a, 10, 8, 0);
    KIT_EXPECT(ka_usable(a, block, 10, 8) == 10);
    KIT_EXPECT(!ka_walk(a, locked_while_visited, &visited) && visited == 0);
    KIT_EXPECT(ka_get_stats(a).total == 0);
    KIT_EXPECT(ka_check(a) == NULL);
    ka_free(a, block, 10, 8);
}

static bool all_bytes(const void *block, size_t from, size_t to, unsigned char byte)
{
    for (size_t i = from; i < to; i++)
        if (((const unsigned char *)block)[i] != byte)
            return false;
    return true;
}

static void clears_outside_of_the_lock(void)
{
    pool_init(&inner, 2);
    ka_locked_init(&locked, &inner.allocator, NULL, NULL);
    unsigned char *block = ka_zalloc(a, 40, 8, KA_NOWAIT);
    KIT_CHECK(block != NULL);
    KIT_EXPECT(inner.flags == KA_NOWAIT); /* the inner allocator was not asked to clear */
    KIT_EXPECT(all_bytes(block, 0, 40, 0) && all_bytes(block, 40, 64, 0xa5));
    memset(block, 7, 40);
    block = ka_resize(a, block, 40, 8, 60, 8, KA_ZERO);
    KIT_CHECK(block != NULL);
    KIT_EXPECT(inner.flags == 0);
    KIT_EXPECT(all_bytes(block, 0, 40, 7) && all_bytes(block, 40, 60, 0) && all_bytes(block, 60, 64, 0xa5));
    block = ka_resize(a, block, 60, 8, 20, 8, KA_ZERO);
    KIT_CHECK(block != NULL);
    KIT_EXPECT(all_bytes(block, 0, 20, 7) && all_bytes(block, 20, 64, 0xa5));
}

static void refuses_any_context(void)
{
    pool_init(&inner, 2);
    ka_locked_init(&locked, &inner.allocator, NULL, NULL);
    void *block = ka_alloc(a, 8, 8, KA_ATOMIC);
    KIT_CHECK(block != NULL);
    size_t calls = inner.calls;
    KIT_EXPECT(ka_alloc(a, 8, 8, KA_ANY_CONTEXT) == NULL);
    KIT_EXPECT(ka_alloc(a, 8, 8, KA_ANY_CONTEXT | KA_ATOMIC) == NULL);
    KIT_EXPECT(ka_resize(a, block, 8, 8, 16, 8, KA_ANY_CONTEXT) == NULL);
    KIT_EXPECT(inner.calls == calls && locked.lock.taken == 0);
}

/* ---- growth ---- */

static struct {
    size_t step, limit; /* blocks added at a time, and at most */
    unsigned calls;
    void *spare;  /* freed in the refill */
    bool threads; /* others may hold the lock */
    bool nested;  /* whether the refill asked for a block itself */
    void *nested_block;
    size_t size;
    ka_flags flags;
} grow;

static bool grow_refill(void *context, size_t size, size_t align, ka_flags flags)
{
    KIT_EXPECT(context == &grow && align == 8);
    grow.calls++;
    grow.size = size;
    grow.flags = flags;
    KIT_EXPECT(grow.threads || locked.lock.taken == 0);
    ka_lock_state state = ka_locked_enter(&locked);
    bool more = grow.spare != NULL || inner.given < grow.limit;
    if (grow.spare == NULL && more)
        inner.given += grow.step;
    ka_locked_leave(&locked, state);
    ka_free(a, grow.spare, 8, 8);
    grow.spare = NULL;
    if (grow.nested)
        grow.nested_block = ka_alloc(a, 8, 8, 0); /* there is memory now */
    return more;
}

static void grow_init(size_t given, size_t step, size_t limit)
{
    memset(&grow, 0, sizeof grow);
    grow.step = step;
    grow.limit = limit;
    pool_init(&inner, given);
    ka_locked_init(&locked, &inner.allocator, grow_refill, &grow);
}

static void grows(void)
{
    void *block[3];
    grow_init(0, 1, 2);
    block[0] = ka_alloc(a, 24, 8, KA_NOWAIT | KA_ZERO);
    KIT_CHECK(block[0] != NULL);
    KIT_EXPECT(grow.calls == 1 && grow.size == 24 && grow.flags == KA_NOWAIT);
    block[1] = ka_alloc(a, 24, 8, 0);
    KIT_EXPECT(block[1] != NULL && grow.calls == 2);
    block[2] = ka_alloc(a, 24, 8, 0);
    KIT_EXPECT(block[2] == NULL && grow.calls == 3);
    KIT_EXPECT(locked.refiller == 0 && locked.refills == 3);
    ka_free(a, block[0], 24, 8);
    KIT_EXPECT(ka_alloc(a, 24, 8, 0) == block[0] && grow.calls == 3);
}

static void grows_for_a_resize(void)
{
    grow_init(1, 1, 2);
    unsigned char *block = ka_alloc(a, 24, 8, 0);
    KIT_CHECK(block != NULL);
    kit_stamp(block, 24, 5);
    unsigned char *moved = ka_resize(a, block, 24, 8, 48, 8, 0);
    KIT_CHECK(moved != NULL && moved != block);
    KIT_EXPECT(grow.calls == 1 && grow.size == 48 && kit_stamped(moved, 24, 5));
    KIT_EXPECT(ka_alloc(a, 8, 8, 0) != NULL);
    KIT_EXPECT(ka_resize(a, moved, 48, 8, 64, 8, 0) == NULL); /* full: the old block is untouched */
    KIT_EXPECT(kit_stamped(moved, 24, 5));
}

static void retries_more_than_once(void)
{
    grow_init(1, 1, 8);
    void *block = ka_alloc(a, 8, 8, 0);
    KIT_CHECK(block != NULL);
    inner.given = 0; /* the first steps do not help: the only block there is, is live */
    void *second = ka_alloc(a, 8, 8, 0);
    KIT_EXPECT(second != NULL && grow.calls == 2);
}

static void refuses_inside_of_its_refill(void)
{
    grow_init(1, 1, 2);
    grow.spare = ka_alloc(a, 8, 8, 0);
    grow.nested = true;
    KIT_CHECK(grow.spare != NULL);
    void *block = ka_alloc(a, 8, 8, 0); /* the refill frees a block, and then asks for one */
    KIT_EXPECT(block != NULL && grow.calls == 1 && grow.nested_block == NULL);
    void *other = ka_alloc(a, 8, 8, 0); /* the refill adds a block, and then asks for one */
    KIT_EXPECT(other != NULL && grow.calls == 2 && grow.nested_block == NULL);
    KIT_EXPECT(ka_alloc(a, 8, 8, 0) == NULL && grow.calls == 3);
}

/* ---- a raced refill: a thief takes each new block before the refill returns ---- */

static struct {
    unsigned thefts; /* still to come */
    unsigned stolen, refills;
    ka_allocator *victim;
} thief;

static void *thief_main(void *unused)
{
    (void)unused;
    if (ka_alloc(thief.victim, 8, 8, 0) != NULL)
        thief.stolen++;
    return NULL;
}

static bool thief_refill(void *context, size_t size, size_t align, ka_flags flags)
{
    (void)context, (void)size, (void)align, (void)flags;
    ka_lock_state state = ka_locked_enter(&locked);
    inner.given++;
    ka_locked_leave(&locked, state);
    thief.refills++;
    if (thief.thefts > 0) {
        pthread_t thread;
        thief.thefts--;
        pthread_create(&thread, NULL, thief_main, NULL);
        pthread_join(thread, NULL);
    }
    return true;
}

static void thief_init(unsigned thefts)
{
    thief.thefts = thefts;
    thief.stolen = thief.refills = 0;
    thief.victim = a;
    pool_init(&inner, 0);
}

static void survives_a_thief(void)
{
    thief_init(5);
    ka_locked_init(&locked, &inner.allocator, thief_refill, NULL);
    void *block = ka_alloc(a, 8, 8, 0);
    KIT_EXPECT(block != NULL && thief.stolen == 5 && thief.refills == 6);
}

/* The negative control: one retry, as in the heaps that got it wrong, is refused in the same race. */
static void a_single_retry_does_not_survive(void)
{
    thief_init(5);
    ka_locked_init(&locked, &inner.allocator, NULL, NULL);
    void *block = ka_alloc(a, 8, 8, 0);
    if (block == NULL && thief_refill(NULL, 8, 8, 0))
        block = ka_alloc(a, 8, 8, 0);
    KIT_EXPECT(block == NULL && thief.stolen == 1);
}

/* ---- others who run out during a refill ---- */

static struct {
    uint32_t begun, open;
    void *waiter;
    uint32_t waited;
} gate;

static bool gate_refill(void *context, size_t size, size_t align, ka_flags flags)
{
    (void)context, (void)size, (void)align, (void)flags;
    ka_store_release_32(&gate.begun, 1);
    while (ka_load_acquire_32(&gate.open) == 0)
        ka_port_relax();
    ka_lock_state state = ka_locked_enter(&locked);
    bool more = inner.given == 0;
    inner.given = 2;
    ka_locked_leave(&locked, state);
    return more;
}

static void *gate_owner(void *unused)
{
    (void)unused;
    return ka_alloc(a, 8, 8, 0);
}

static void *gate_waiter(void *unused)
{
    (void)unused;
    gate.waiter = ka_alloc(a, 8, 8, 0);
    ka_store_release_32(&gate.waited, 1);
    return NULL;
}

static void others_wait_or_are_refused(void)
{
    pthread_t owner, waiter;
    void *owned = NULL;
    memset(&gate, 0, sizeof gate);
    pool_init(&inner, 0);
    ka_locked_init(&locked, &inner.allocator, gate_refill, NULL);
    pthread_create(&owner, NULL, gate_owner, NULL);
    while (ka_load_acquire_32(&gate.begun) == 0)
        ka_port_relax();
    KIT_EXPECT(ka_alloc(a, 8, 8, KA_NOWAIT) == NULL);
    KIT_EXPECT(ka_alloc(a, 8, 8, KA_ATOMIC) == NULL);
    pthread_create(&waiter, NULL, gate_waiter, NULL);
    usleep(2000);
    KIT_EXPECT(ka_load_acquire_32(&gate.waited) == 0);
    ka_lock_state state = ka_locked_enter(&locked);
    KIT_EXPECT(inner.calls <= 4); /* the waiter does not try over and over */
    ka_locked_leave(&locked, state);
    ka_store_release_32(&gate.open, 1);
    pthread_join(owner, &owned);
    pthread_join(waiter, NULL);
    KIT_EXPECT(owned != NULL && gate.waiter != NULL && owned != gate.waiter);
    KIT_EXPECT(ka_alloc(a, 8, 8, 0) == NULL); /* now the refill says false */
}

/* ---- two threads at once ---- */

/* Each round: no memory; one refill gives two blocks, and there are no more. Both threads must get one. */
#define ROUNDS 20000

static pthread_barrier_t barrier;
static bool round_refilled;
static uint32_t refusals;

static bool round_refill(void *context, size_t size, size_t align, ka_flags flags)
{
    (void)context, (void)size, (void)align, (void)flags;
    ka_lock_state state = ka_locked_enter(&locked);
    bool more = !round_refilled;
    round_refilled = true;
    inner.given = 2;
    ka_locked_leave(&locked, state);
    return more;
}

static void *round_main(void *first)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (first) {
            round_refilled = false;
            inner.given = 0;
        }
        pthread_barrier_wait(&barrier);
        void *block = ka_alloc(a, 8, 8, 0);
        if (block == NULL)
            (void)ka_fetch_add_32(&refusals, 1);
        pthread_barrier_wait(&barrier);
        ka_free(a, block, 8, 8);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void refuses_nobody_while_there_is_memory(void)
{
    pthread_t other;
    refusals = 0;
    pool_init(&inner, 0);
    ka_locked_init(&locked, &inner.allocator, round_refill, NULL);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&other, NULL, round_main, NULL);
    (void)round_main(&barrier);
    pthread_join(other, NULL);
    pthread_barrier_destroy(&barrier);
    KIT_EXPECT(refusals == 0);
    KIT_EXPECT(!inner.overlapped && pool_live(&inner) == 0);
    kit_note("%d rounds, %u refills", ROUNDS, locked.refills);
}

static void *churn_main(void *seed)
{
    kit_random random = { *(uint64_t *)seed };
    unsigned char *block[32] = { 0 };
    for (int i = 0; i < 100000; i++) {
        size_t at = kit_below(&random, KIT_COUNT(block));
        if (block[at] != NULL) {
            if (!kit_stamped(block[at], POOL_BLOCK, at))
                return block[at];
            ka_free(a, block[at], POOL_BLOCK, 8);
            block[at] = NULL;
        } else {
            block[at] = ka_alloc(a, POOL_BLOCK, 8, 0);
            if (block[at] == NULL)
                return seed;
            kit_stamp(block[at], POOL_BLOCK, at);
        }
    }
    for (size_t i = 0; i < KIT_COUNT(block); i++)
        ka_free(a, block[i], POOL_BLOCK, 8);
    return NULL;
}

static void two_threads_churn(void)
{
    pthread_t thread[2];
    uint64_t seeds[2] = { 1, 2 };
    void *result[2];
    grow_init(0, 1, 64);
    grow.threads = true;
    for (int i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, churn_main, &seeds[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], &result[i]);
    KIT_EXPECT(result[0] == NULL && result[1] == NULL);
    KIT_EXPECT(!inner.overlapped && pool_live(&inner) == 0);
    kit_note("200000 operations, grown to %zu blocks", inner.given);
}

static const kit_case cases[] = {
    { "forwards", forwards },
    { "forwards only what there is", forwards_only_what_there_is },
    { "clears outside of the lock", clears_outside_of_the_lock },
    { "refuses KA_ANY_CONTEXT", refuses_any_context },
    { "grows", grows },
    { "grows for a resize", grows_for_a_resize },
    { "retries more than once", retries_more_than_once },
    { "refuses inside of its refill", refuses_inside_of_its_refill },
    { "survives a thief", survives_a_thief },
    { "control: a single retry does not survive", a_single_retry_does_not_survive },
    { "others wait or are refused", others_wait_or_are_refused },
    { "refuses nobody while there is memory", refuses_nobody_while_there_is_memory },
    { "two threads churn", two_threads_churn },
};

int main(void)
{
    return kit_main("locked", cases, KIT_COUNT(cases));
}
