/* fork_test.c: a fork while other threads are in the middle of everything. The child has one thread and a heap that
 * works: it allocates, frees, and finds the heap sound but for what the other threads held at that moment. The parent
 * goes on.
 */
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ka/handler.h>
#include <ka/user.h>

#include <ka_port.h>

#include "base/atomic.h"
#include "kit.h"

enum { HAMMERS = 3, FORKS = 60, HELD = 100 };

static ka_heap heap;
static uint32_t stop, bad, ops;

static void count_report(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                         const void *site)
{
    (void)context, (void)kind, (void)allocator, (void)block, (void)size, (void)site;
    ka_fetch_add_32(&bad, 1);
}

/* Takes and frees; returns the count of blocks that were spoiled or refused. */
static unsigned work(unsigned rounds, uint64_t seed)
{
    kit_random random = { seed };
    void *blocks[HELD] = { NULL };
    size_t sizes[HELD] = { 0 };
    unsigned wrong = 0;
    for (unsigned i = 0; i < rounds + HELD; i++) {
        unsigned at = i % HELD;
        if (blocks[at] != NULL) {
            wrong += !kit_stamped(blocks[at], sizes[at], at);
            i % 2 == 0 ? ka_heap_free(&heap, blocks[at], sizes[at], 16) : ka_heap_free_unsized(&heap, blocks[at]);
        }
        blocks[at] = NULL;
        if (i >= rounds)
            continue;
        sizes[at] = 1 + kit_below(&random, kit_below(&random, 32) == 0 ? 60000 : 600);
        blocks[at] = ka_heap_alloc(&heap, sizes[at], 16, 0);
        wrong += blocks[at] == NULL;
        kit_stamp(blocks[at], sizes[at], at);
    }
    return wrong;
}

static void *hammer(void *argument)
{
    for (uint64_t i = 0; ka_load_acquire_32(&stop) == 0; i++) {
        ka_fetch_add_32(&bad, work(500, (uint64_t)(uintptr_t)argument * 1000 + i));
        ka_fetch_add_32(&ops, 500);
    }
    return NULL;
}

/* Exit codes of the child. */
enum { FINE = 0, SPOILED = 1, SLOT_LOST = 2, GRANDCHILD = 3 };

static int child(unsigned number, void *inherited)
{
    if (!kit_stamped(inherited, 5000, 77) || work(3000, number) != 0)
        return SPOILED;
    ka_heap_free(&heap, inherited, 5000, 16);
    if (ka_port_slot() == 0)
        return SLOT_LOST;
    if (number % 8 == 0) { /* a child of the child */
        int status = -1;
        pid_t pid = fork();
        if (pid == 0)
            _exit(work(300, number) == 0 ? FINE : SPOILED);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
            return GRANDCHILD;
    }
    return ka_load_relaxed_32(&bad) == 0 ? FINE : SPOILED;
}

static void fork_once(unsigned number)
{
    void *inherited = ka_heap_alloc(&heap, 5000, 16, 0);
    int status = -1;
    KIT_CHECK(inherited != NULL);
    kit_stamp(inherited, 5000, 77);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20); /* a child that hangs is a failure, not a wait */
        _exit(child(number, inherited));
    }
    KIT_CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (status != 0)
        kit_note("child %u ended with status %#x", number, (unsigned)status);
    KIT_EXPECT(status == 0);
    KIT_EXPECT(kit_stamped(inherited, 5000, 77));
    ka_heap_free(&heap, inherited, 5000, 16);
}

static void begin(void)
{
    stop = bad = ops = 0;
    ka_set_misuse_handler(count_report, NULL);
    KIT_CHECK(ka_user_heap_init(&heap, "fork", (size_t)1 << 30));
}

static void end(void)
{
    ka_heap_flush(&heap);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_get_stats(&heap.allocator).live == 0);
    KIT_EXPECT(bad == 0 && ka_user_heap_fini(&heap) == 0);
}

static void under_threads(void)
{
    pthread_t threads[HAMMERS];
    begin();
    KIT_CHECK(work(100, 1) == 0);
    for (unsigned t = 0; t < HAMMERS; t++)
        KIT_CHECK(pthread_create(&threads[t], NULL, hammer, (void *)(uintptr_t)(t + 1)) == 0);
    for (unsigned i = 0; i < FORKS && !kit_failed(); i++)
        fork_once(i);
    ka_store_release_32(&stop, 1);
    for (unsigned t = 0; t < HAMMERS; t++)
        pthread_join(threads[t], NULL);
    kit_note("%d forks beside %u operations", FORKS, (unsigned)ops);
    KIT_EXPECT(ops > 0);
    end();
}

/* With nobody else at work the child's heap is sound as a whole. */
static void alone(void)
{
    begin();
    void *mine = ka_heap_alloc(&heap, 100, 16, 0);
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        bool sound = work(1000, 5) == 0 && ka_heap_check(&heap) == NULL;
        ka_heap_free(&heap, mine, 100, 16);
        ka_heap_flush(&heap);
        _exit(sound && ka_heap_check(&heap) == NULL && ka_get_stats(&heap.allocator).live == 0 ? 0 : 1);
    }
    KIT_CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    KIT_EXPECT(status == 0);
    ka_heap_free(&heap, mine, 100, 16);
    end();
}

/* Threads that were idle: their magazines are drained in the child, so that nothing of theirs is lost there. */
static uint32_t idle_ready;

static void *idle(void *argument)
{
    ka_fetch_add_32(&bad, work(500, (uint64_t)(uintptr_t)argument));
    ka_fetch_add_32(&idle_ready, 1);
    while (ka_load_acquire_32(&stop) == 0)
        usleep(1000);
    return NULL;
}

static void beside_idle_threads(void)
{
    pthread_t threads[HAMMERS];
    begin();
    idle_ready = 0;
    KIT_CHECK(work(100, 1) == 0);
    for (unsigned t = 0; t < HAMMERS; t++)
        KIT_CHECK(pthread_create(&threads[t], NULL, idle, (void *)(uintptr_t)(t + 1)) == 0);
    while (ka_load_acquire_32(&idle_ready) < HAMMERS)
        usleep(1000);
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        ka_stats stats;
        ka_heap_flush(&heap);
        ka_heap_stats(&heap, &stats);
        (void)ka_heap_trim(&heap, 0);
        const char *broken = ka_heap_check(&heap);
        size_t before = stats.live;
        ka_heap_stats(&heap, &stats);
        _exit(before == 0 && broken == NULL && stats.free_blocks == 0 ? 0 : 1); /* no slab is left */
    }
    KIT_CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    KIT_EXPECT(status == 0);
    ka_store_release_32(&stop, 1);
    for (unsigned t = 0; t < HAMMERS; t++)
        pthread_join(threads[t], NULL);
    end();
}

int main(void)
{
    static const kit_case cases[] = {
        { "alone", alone },
        { "beside idle threads", beside_idle_threads },
        { "while other threads are at work", under_threads },
    };
    return kit_main("user_fork", cases, KIT_COUNT(cases));
}
