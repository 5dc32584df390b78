/* drain_test.c: what other CPUs keep in magazines comes back when memory is short. The cross call of this test reaches
 * threads that wait for it: a stand-in for a port's interrupts.
 */
#include "heap_fixture.h"

#include <pthread.h>

#include "heap_inside.h"

#define MIB    ((size_t)1 << 20)
#define OTHERS 3u
#define SIZE   ((size_t)160)
#define KEPT   64u

static ka_heap heap;

/* ---- threads that stand for CPUs ---- */

typedef void job(void *argument);

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned round, done; /* which job this is; how many have done it */
    job *call;            /* NULL: end */
    void *argument;
    pthread_t threads[OTHERS];
} cpus = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static unsigned long cross_calls;

static void *cpu(void *unused)
{
    (void)unused;
    bool more = true;
    for (unsigned seen = 0; more;) {
        pthread_mutex_lock(&cpus.lock);
        while (cpus.round == seen)
            pthread_cond_wait(&cpus.changed, &cpus.lock);
        seen = cpus.round;
        job *call = cpus.call;
        void *argument = cpus.argument;
        pthread_mutex_unlock(&cpus.lock);
        if (call != NULL)
            call(argument);
        more = call != NULL;
        pthread_mutex_lock(&cpus.lock);
        cpus.done++;
        pthread_cond_broadcast(&cpus.changed);
        pthread_mutex_unlock(&cpus.lock);
    }
    return NULL;
}

/* Has all of them do it, and waits. */
static void on_others(job *call, void *argument)
{
    pthread_mutex_lock(&cpus.lock);
    cpus.call = call;
    cpus.argument = argument;
    cpus.done = 0;
    cpus.round++;
    pthread_cond_broadcast(&cpus.changed);
    while (cpus.done < OTHERS)
        pthread_cond_wait(&cpus.changed, &cpus.lock);
    pthread_mutex_unlock(&cpus.lock);
}

static bool cross_call(job *call, void *argument)
{
    cross_calls++;
    call(argument);
    on_others(call, argument);
    return true;
}

/* ---- cases ---- */

static bool open_heap(ka_cross_call *call)
{
    cpus.round = 0;
    cross_calls = 0;
    reports_clear();
    fixture_open();
    ka_heap_options options = { .source = &fixture_source,
                                .size = (size_t)ka_port_cpu_count() * 4 * MIB + 8 * MIB,
                                .cross_call = call };
    if (options.size / FIXTURE_PAGE > FIXTURE_MAX_PAGES || !ka_heap_init(&heap, &options))
        return false;
    for (unsigned i = 0; i < OTHERS; i++)
        if (pthread_create(&cpus.threads[i], NULL, cpu, NULL) != 0)
            return false;
    return true;
}

static void close_heap(void)
{
    on_others(NULL, NULL);
    for (unsigned i = 0; i < OTHERS; i++)
        pthread_join(cpus.threads[i], NULL);
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++)
        ka_heap_retire_slot(&heap, slot);
    KIT_EXPECT(reports.count == 0);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_heap_fini(&heap) == 0);
}

static size_t cached(void)
{
    ka_stats stats;
    ka_heap_stats(&heap, &stats);
    return ka_heap_outside(&heap) - stats.live;
}

/* Leaves some blocks in the thread's magazine, and a parked run. */
static void keep_some(void *unused)
{
    (void)unused;
    void *blocks[KEPT], *run = ka_heap_alloc(&heap, 40000, 16, 0);
    size_t got = ka_heap_alloc_many(&heap, SIZE, 16, 0, KEPT, blocks);
    KIT_EXPECT(got == KEPT && run != NULL);
    ka_heap_free_many(&heap, SIZE, 16, got, blocks);
    ka_heap_free(&heap, run, 40000, 16);
    KIT_EXPECT(inside_length(inside_of(&heap, SIZE)) != 0);
}

static void expect_none(void *unused)
{
    (void)unused;
    KIT_EXPECT(inside_length(inside_of(&heap, SIZE)) == 0);
    KIT_EXPECT(inside_magazines(&heap)->parked_pages == 0);
}

static void all_are_reached(void)
{
    KIT_CHECK(open_heap(cross_call));
    keep_some(NULL);
    on_others(keep_some, NULL);
    KIT_EXPECT(cached() >= (OTHERS + 1) * 8 * SIZE);
    KIT_EXPECT(ka_heap_drain(&heap) && cross_calls == 1);
    KIT_EXPECT(cached() == 0 && ka_heap_outside(&heap) == 0);
    expect_none(NULL);
    on_others(expect_none, NULL);
    on_others(keep_some, NULL); /* and they keep again */
    KIT_EXPECT(cached() != 0);
    close_heap();
}

/* Takes all that is left in pages of one class, so that only what others keep can serve. Returns how many blocks. */
static size_t take_all(void **blocks, size_t most, ka_flags flags)
{
    size_t count = 0;
    while (count < most && (blocks[count] = ka_heap_alloc(&heap, SIZE, 16, flags)) != NULL)
        count++;
    return count;
}

/* With the cross call the last block of the heap can be had; the blocks of contexts that must not wait are fewer. */
static void exhaustion(void)
{
    static void *blocks[200000], *runs[4096];
    KIT_CHECK(open_heap(cross_call));
    on_others(keep_some, NULL);
    size_t many = 0, count;
    while (many < KIT_COUNT(runs) && (runs[many] = ka_heap_alloc(&heap, 65536, 16, KA_NOWAIT)) != NULL)
        many++;
    KIT_EXPECT(cross_calls == 0 && cached() != 0);
    count = take_all(blocks, KIT_COUNT(blocks), KA_NOWAIT);
    KIT_EXPECT(cross_calls == 0 && count < KIT_COUNT(blocks) && cached() >= OTHERS * 8 * SIZE);
    size_t more = take_all(blocks + count, KIT_COUNT(blocks) - count, 0);
    KIT_EXPECT(cross_calls >= 1 && more >= OTHERS * 8);
    KIT_EXPECT(cached() == 0);
    kit_note("%zu blocks that other CPUs kept", more);
    ka_heap_free_many(&heap, SIZE, 16, count + more, blocks);
    ka_heap_free_many(&heap, 65536, 16, many, runs);
    close_heap();
}

/* Without one they are asked, and come on their slow path. */
static void fill_magazine(void *unused)
{
    (void)unused;
    void *block = ka_heap_alloc(&heap, 20, 16, 0); /* another class, which is empty: the slow path */
    KIT_EXPECT(block != NULL);
    ka_heap_free(&heap, block, 20, 16);
}

static void asked(void)
{
    KIT_CHECK(open_heap(NULL));
    keep_some(NULL);
    on_others(keep_some, NULL);
    size_t before = cached();
    KIT_EXPECT(!ka_heap_drain(&heap));
    expect_none(NULL);
    KIT_EXPECT(cached() != 0 && cached() < before);
    on_others(fill_magazine, NULL);
    on_others(expect_none, NULL);
    close_heap();
}

int main(void)
{
    static const kit_case cases[] = {
        { "every CPU puts back what it keeps", all_are_reached },
        { "a request that may sleep drains before it is refused", exhaustion },
        { "without a cross call, CPUs are asked", asked },
    };
    return kit_main("drain", cases, KIT_COUNT(cases));
}
