/* ports/user/threads.c: what the port's contract calls CPUs are threads here. A thread gets the lowest free slot at its
 * first allocation; when it ends its magazines are drained in every registered heap and the slot is free again.
 *
 * Other threads are reached by a signal if the program gives one: each is asked by a mark and woken by the signal,
 * whose handler does what is asked and takes the mark off. Who asks waits for the marks, but not for ever: a thread may
 * have the signal blocked.
 *
 * After a fork the child has one thread. The slots of the others are drained there and freed; what was in magazines
 * that were busy at the moment of the fork is lost to the child.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "ports/contract.h"
#include "ports/user/user.h"

#define SLOT_WORDS (KA_PORT_MAX_CPUS / 64)
#define MAX_HEAPS  16

__thread unsigned ka_port_thread_ __attribute__((tls_model("initial-exec")));
static __thread bool ended;    /* the thread has had a slot and gets none any more */
static __thread bool entering; /* a signal handler must not begin again what it has interrupted */

static uint64_t taken[SLOT_WORDS]; /* bit i: slot i + 1 */
static uint32_t tids[KA_PORT_MAX_CPUS]; /* who has the slot; 0: it is on its way */
static uintptr_t heaps[MAX_HEAPS];
static pthread_key_t end_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A question to all threads; one at a time. */
enum { ASKED = 1 };
static struct {
    int signal; /* 0: none */
    uint32_t lock, answers;
    void (*call)(void *argument);
    void *argument;
    uint32_t marks[KA_PORT_MAX_CPUS]; /* by slot */
} asking;

static unsigned slot_take(void)
{
    for (unsigned word = 0; word < SLOT_WORDS; word++) {
        uint64_t now = ka_load_relaxed_64(&taken[word]);
        while (now != UINT64_MAX) {
            unsigned bit = ka_lowest_bit(~now);
            if (ka_cas_64(&taken[word], &now, now | UINT64_C(1) << bit))
                return word * 64 + bit + 1;
        }
    }
    return 0;
}

static void slot_release(unsigned slot)
{
    ka_store_relaxed_32(&tids[slot - 1], 0);
    ka_fetch_and_64(&taken[(slot - 1) / 64], ~(UINT64_C(1) << ((slot - 1) % 64)));
}

/* Takes the slot's magazines away in every heap; then the slot is free. */
static void slot_leave(unsigned slot)
{
    for (unsigned i = 0; i < MAX_HEAPS; i++) {
        ka_heap *heap = (ka_heap *)ka_load_acquire_ptr(&heaps[i]);
        if (heap != NULL)
            ka_heap_retire_slot(heap, slot);
    }
    ka_user_cells_end(slot);
    slot_release(slot);
}

static void thread_end(void *value)
{
    (void)value;
    unsigned slot = ka_port_thread_;
    ka_port_thread_ = 0;
    ended = true;
    if (slot != 0)
        slot_leave(slot);
}

static void fork_child(void)
{
    if (ka_port_thread_ != 0)
        ka_store_relaxed_32(&tids[ka_port_thread_ - 1], (uint32_t)syscall(SYS_gettid));
    ka_store_relaxed_32(&asking.lock, 0);
    ka_user_cells_forked();
    for (unsigned i = 0; i < MAX_HEAPS; i++) {
        ka_heap *heap = (ka_heap *)ka_load_acquire_ptr(&heaps[i]);
        if (heap != NULL)
            ka_store_relaxed_32(&heap->watchers, 0); /* they are not here */
    }
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++)
        if (slot != ka_port_thread_ && ka_bit_get(taken, slot - 1))
            slot_leave(slot);
}

static void set_up(void)
{
    (void)pthread_key_create(&end_key, thread_end);
    (void)pthread_atfork(NULL, NULL, fork_child);
}

unsigned ka_port_slot_enter(void)
{
    if (ka_port_thread_ == 0 && !ended && !entering) {
        entering = true;
        ka_signal_fence();
        (void)pthread_once(&once, set_up);
        unsigned slot = slot_take();
        if (slot != 0 && pthread_setspecific(end_key, &taken) != 0) {
            slot_release(slot);
            slot = 0;
        }
        if (slot != 0)
            ka_user_cells_begin(slot);
        ka_port_thread_ = slot;
        if (slot != 0)
            ka_store_release_32(&tids[slot - 1], (uint32_t)syscall(SYS_gettid));
        ka_signal_fence();
        entering = false;
    }
    return ka_port_thread_;
}

/* ---- other threads, by a signal ---- */

#define ASK_PATIENCE 200 /* milliseconds */

static void answer(int signal)
{
    int kept = errno;
    unsigned slot = ka_port_thread_;
    (void)signal;
    if (slot != 0 && ka_exchange_32(&asking.marks[slot - 1], 0) == ASKED) {
        asking.call(asking.argument);
        ka_fetch_add_32(&asking.answers, 1);
    }
    errno = kept;
}

static bool ask(unsigned slot)
{
    uint32_t tid = ka_load_acquire_32(&tids[slot - 1]);
    if (tid == 0 || slot == ka_port_thread_)
        return false;
    ka_store_release_32(&asking.marks[slot - 1], ASKED);
    if (syscall(SYS_tgkill, getpid(), tid, asking.signal) == 0)
        return true;
    return ka_exchange_32(&asking.marks[slot - 1], 0) == 0; /* it has ended */
}

static void pause_shortly(void)
{
    (void)nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

static bool answers_wait(uint32_t asked)
{
    for (unsigned i = 0; i < ASK_PATIENCE * 10; i++) {
        if (ka_load_acquire_32(&asking.answers) >= asked)
            return true;
        pause_shortly();
    }
    return false;
}

static bool call_threads(void (*call)(void *argument), void *argument)
{
    call(argument);
    for (unsigned i = 0; ka_exchange_32(&asking.lock, 1) != 0; i++) {
        if (i == ASK_PATIENCE * 10)
            return false;
        pause_shortly();
    }
    uint32_t asked = 0;
    asking.call = call;
    asking.argument = argument;
    ka_store_release_32(&asking.answers, 0);
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++)
        if (ka_bit_get(taken, slot - 1))
            asked += ask(slot);
    bool all = answers_wait(asked);
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++) /* who comes later finds nothing to do */
        asked -= ka_exchange_32(&asking.marks[slot - 1], 0) == ASKED;
    while (ka_load_acquire_32(&asking.answers) < asked)
        pause_shortly(); /* they are at it */
    ka_store_release_32(&asking.lock, 0);
    return all;
}

bool ka_user_reach_threads_by(int signal)
{
    struct sigaction action = { .sa_handler = answer, .sa_flags = SA_RESTART | SA_ONSTACK };
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(signal, &action, NULL) != 0)
        return false;
    asking.signal = signal;
    return true;
}

static bool heap_register(ka_heap *heap, const ka_heap_options *options)
{
    if (!ka_heap_init(heap, options))
        return false;
    for (unsigned i = 0; i < MAX_HEAPS; i++) {
        uintptr_t none = 0;
        if (ka_cas_ptr(&heaps[i], &none, (uintptr_t)heap))
            return true;
    }
    (void)ka_heap_fini(heap);
    return false;
}

/* One segment where that is possible: a block can be as large as a segment. */
static unsigned segment_shift_for(size_t size)
{
    unsigned shift = 25;
    while (shift < 34 && ((size_t)1 << shift) < size)
        shift++;
    return shift;
}

/* Four for each node at least. */
static unsigned node_segment_shift_for(size_t size, unsigned nodes)
{
    unsigned shift = segment_shift_for(size);
    while (nodes > 1 && shift > 21 && size >> shift < 4 * nodes)
        shift--;
    return shift;
}

bool ka_user_heap_init(ka_heap *heap, const char *name, size_t size)
{
    unsigned nodes = ka_user_node_count();
    ka_heap_options options = { .name = name,
                                .source = &ka_user_pages,
                                .size = size,
                                .segment_shift = node_segment_shift_for(size, nodes),
                                .nodes = nodes,
                                .cross_call = asking.signal != 0 ? call_threads : NULL,
                                .keep = (size_t)64 << 20 };
    return heap_register(heap, &options);
}

bool ka_user_malloc_init(ka_heap *heap, size_t size, uint8_t *map)
{
    ka_heap_options options = { .name = "malloc",
                                .source = &ka_user_pages,
                                .size = size,
                                .page_shift = 12,
                                .segment_shift = segment_shift_for(size),
                                .compact = true,
                                .keep = (size_t)64 << 20,
                                .map_all = map };
    return heap_register(heap, &options);
}

size_t ka_user_heap_fini(ka_heap *heap)
{
    for (unsigned i = 0; i < MAX_HEAPS; i++) {
        uintptr_t expected = (uintptr_t)heap;
        (void)ka_cas_ptr(&heaps[i], &expected, 0);
    }
    return ka_heap_fini(heap);
}
