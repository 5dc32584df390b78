/* idle_test.c: magazines fit their use: what a class does not need any more goes back while others are used, and
 * threads that exist but do nothing hold no more than a part of a small heap.
 */
#include "heap_fixture.h"

#include <pthread.h>
#include <signal.h>

#include <ka/user.h>

#include "base/math.h"
#include "heap_inside.h"

#define MIB ((size_t)1 << 20)

static ka_heap heap;

static size_t width(inside in)
{
    return (size_t)(in.end - in.bottom);
}

static void *blocks[8192];

/* Takes and frees so many, one by one. */
static void surge(size_t size, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        KIT_CHECK((blocks[i] = ka_heap_alloc(&heap, size, 16, 0)) != NULL);
    for (unsigned i = 0; i < count; i++)
        ka_heap_free(&heap, blocks[i], size, 16);
}

static void open_heap(void)
{
    reports_clear();
    KIT_CHECK(ka_user_heap_init(&heap, "idle", 256 * MIB + ka_port_cpu_count() * 32 * MIB));
}

static void close_heap(void)
{
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(reports.count == 0 && ka_user_heap_fini(&heap) == 0 && reports.count == 0);
}

/* One class is busy, the others go back, step by step, and a run that nobody wanted. */
static void idle_classes_shrink(void)
{
    open_heap();
    KIT_CHECK(ka_heap_commit(&heap, 8 * MIB) >= 8 * MIB); /* before memory is committed idle classes go back at once */
    surge(64, 2000);
    surge(320, 500);
    void *run = ka_heap_alloc(&heap, 40000, 16, 0);
    ka_heap_free(&heap, run, 40000, 16);
    const ka_magazines *m = inside_magazines(&heap);
    KIT_EXPECT(inside_length(inside_of(&heap, 64)) > 300 && width(inside_of(&heap, 64)) == 1024);
    KIT_EXPECT(inside_length(inside_of(&heap, 320)) > 50 && m->parked_pages == 10);
    size_t last = SIZE_MAX, shrank = 0;
    for (unsigned i = 0; i < 4000; i++) {
        surge(1000, 200); /* its magazine runs empty and full */
        size_t length = inside_length(inside_of(&heap, 64));
        KIT_CHECK(length <= last);
        shrank += length < last;
        last = length;
    }
    KIT_EXPECT(shrank > 5); /* not all at once */
    KIT_EXPECT(last <= 1 && width(inside_of(&heap, 64)) == MAGAZINE_START);
    KIT_EXPECT(inside_length(inside_of(&heap, 320)) <= 1 && m->parked_pages == 0);
    KIT_EXPECT(width(inside_of(&heap, 1000)) > MAGAZINE_START);
    surge(64, 2000); /* and it comes back */
    KIT_EXPECT(width(inside_of(&heap, 64)) == 1024);
    close_heap();
}

/* A class that is used as much as others stays as wide as it is. */
static void busy_classes_stay(void)
{
    open_heap();
    for (unsigned i = 0; i < 300; i++) {
        surge(64, 2000);
        surge(1000, 128);
        KIT_CHECK(i == 0 || width(inside_of(&heap, 64)) >= 512);
    }
    close_heap();
}

static void drained_magazines_begin_anew(void)
{
    open_heap();
    surge(64, 2000);
    KIT_EXPECT(width(inside_of(&heap, 64)) == 1024);
    ka_heap_flush(&heap);
    KIT_EXPECT(width(inside_of(&heap, 64)) == MAGAZINE_START && inside_length(inside_of(&heap, 64)) == 0);
    close_heap();
}

/* ---- slabs that are empty ---- */

static uint32_t slabs_of(size_t size)
{
    return heap.table->slabs[ka_class_of(size)];
}

/* A few stay, for whoever takes such blocks next; not before a commit, nor where a thread gives back what it has. */
static void empty_slabs_stay_a_while(void)
{
    reports_clear();
    KIT_CHECK(ka_user_heap_init(&heap, "empty", (ka_port_cpu_count() + 1) * 64 * MIB));
    KIT_CHECK(heap.table->classes.of[ka_class_of(256)].pages <= KA_EMPTY_PAGES);
    surge(256, 8000);
    uint32_t kept = slabs_of(256);
    KIT_EXPECT(kept >= KA_EMPTY_KEPT && kept < KA_EMPTY_KEPT + 64);
    for (unsigned i = 0; i < 500; i++)
        KIT_CHECK((blocks[i] = ka_heap_alloc(&heap, 256, 16, 0)) != NULL);
    KIT_EXPECT(slabs_of(256) == kept);
    for (unsigned i = 0; i < 500; i++)
        ka_heap_free(&heap, blocks[i], 256, 16);
    KIT_EXPECT(ka_heap_idle_release(&heap) && slabs_of(256) <= kept - KA_EMPTY_KEPT + 1);
    surge(256, 8000);
    KIT_EXPECT(slabs_of(256) >= KA_EMPTY_KEPT);
    ka_heap_flush(&heap);
    KIT_EXPECT(slabs_of(256) == 1);
    close_heap();
}

/* ---- threads that do nothing ---- */

enum { IDLERS = 40 };
static pthread_barrier_t barrier;

/* Keeps as much as it can. */
static void *idler(void *unused)
{
    (void)unused;
    static __thread void *held[300];
    for (size_t size = 16; size <= 20000; size += size / 8 / 16 * 16 + 16) {
        unsigned count = (unsigned)ka_min(KIT_COUNT(held), 60000 / size + 2);
        for (unsigned i = 0; i < count; i++)
            held[i] = ka_heap_alloc(&heap, size, 16, 0);
        for (unsigned i = 0; i < count; i++)
            ka_heap_free(&heap, held[i], size, 16);
    }
    for (size_t size = 36000; size <= 250000; size += size / 8)
        ka_heap_free(&heap, ka_heap_alloc(&heap, size, 16, 0), size, 16);
    pthread_barrier_wait(&barrier); /* all have what they keep */
    pthread_barrier_wait(&barrier); /* the heap was used up meanwhile */
    return NULL;
}

static size_t use_up(void)
{
    size_t count = 0;
    void *first = NULL, **block;
    while ((block = ka_heap_alloc(&heap, 1024, 16, 0)) != NULL) {
        *block = first;
        first = block;
        count++;
    }
    while ((block = first) != NULL) {
        first = *block;
        ka_heap_free(&heap, block, 1024, 16);
    }
    return count;
}

static void idle_threads(void)
{
    pthread_t threads[IDLERS];
    reports_clear();
    KIT_CHECK(ka_user_heap_init(&heap, "small", ka_port_cpu_count() * 8 * MIB));
    size_t alone = use_up();
    (void)ka_heap_drain(&heap);
    KIT_CHECK(pthread_barrier_init(&barrier, NULL, IDLERS + 1) == 0);
    for (unsigned i = 0; i < IDLERS; i++)
        KIT_CHECK(pthread_create(&threads[i], NULL, idler, NULL) == 0);
    pthread_barrier_wait(&barrier);
    ka_stats stats = ka_get_stats(&heap.allocator);
    size_t kept = ka_heap_outside(&heap) - stats.live, beside = use_up();
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < IDLERS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    kit_note("%zu blocks alone, %zu beside %d idle threads, which keep %zu KiB", alone, beside, IDLERS, kept >> 10);
    KIT_EXPECT(beside > alone / 2 && kept < stats.total * 15 / 32);
    KIT_EXPECT(ka_get_stats(&heap.allocator).live == 0);
    size_t again = use_up();
    KIT_EXPECT(again >= alone - alone / 16);
    close_heap();
}

/* ---- the same threads, reached by a signal ---- */

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1 /* keeps signals back until a thread calls something */
#elif defined(__has_feature)
#define UNDER_TSAN __has_feature(thread_sanitizer)
#else
#define UNDER_TSAN 0
#endif

static void *deaf_idler(void *unused)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR2);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    return idler(unused);
}

static void reached_threads(void)
{
    pthread_t threads[IDLERS];
    if (UNDER_TSAN) {
        kit_skip("signals come late here");
        return;
    }
    reports_clear();
    KIT_EXPECT(!ka_user_reach_threads_by(-1));
    KIT_CHECK(ka_user_reach_threads_by(SIGUSR2));
    for (unsigned deaf = 0; deaf < 2; deaf++) {
        KIT_CHECK(ka_user_heap_init(&heap, "small", ka_port_cpu_count() * 8 * MIB));
        size_t alone = use_up();
        (void)ka_heap_drain(&heap);
        KIT_CHECK(pthread_barrier_init(&barrier, NULL, IDLERS + 1) == 0);
        for (unsigned i = 0; i < IDLERS; i++)
            KIT_CHECK(pthread_create(&threads[i], NULL, i < deaf ? deaf_idler : idler, NULL) == 0);
        pthread_barrier_wait(&barrier);
        size_t beside = use_up();
        KIT_EXPECT(ka_heap_drain(&heap) == (deaf == 0));
        ka_stats stats = ka_get_stats(&heap.allocator);
        kit_note("%zu blocks alone, %zu beside; %zu bytes kept, %u threads do not hear", alone, beside,
                 ka_heap_outside(&heap) - stats.live, deaf);
        KIT_EXPECT(deaf != 0 || (ka_heap_outside(&heap) == 0 && beside >= alone - alone / 16));
        pthread_barrier_wait(&barrier);
        for (unsigned i = 0; i < IDLERS; i++)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&barrier);
        close_heap();
    }
}

int main(void)
{
    static const kit_case cases[] = {
        { "classes that are idle shrink", idle_classes_shrink },
        { "classes that are busy stay", busy_classes_stay },
        { "drained magazines begin anew", drained_magazines_begin_anew },
        { "slabs that are empty stay a while", empty_slabs_stay_a_while },
        { "threads that are idle", idle_threads },
        { "threads that are idle, reached by a signal", reached_threads },
    };
    return kit_main("idle", cases, KIT_COUNT(cases));
}
