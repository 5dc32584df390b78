/* heap_signal_test.c: a signal handler allocates and frees on the heap that it
 * interrupts.
 *
 * By time: a second thread sends signals as fast as it can, and a timer too;
 * main and the handler allocate and free all the while, and pass each other
 * blocks to free. By step: the processor's trap flag makes a signal of every
 * single instruction of the hot path, of refills, flushes, new slabs, slabs
 * that end, of page runs and of resize: so the handler comes between any two
 * instructions, those of the busy mark included.
 *
 * Every block carries the mark of its owner over its whole length: no block is
 * handed out twice. At the end all is free again, by the heap's own count: none
 * is lost. And the handler counts how often it found the magazines busy.
 *
 * Argument: how many times the usual count of steps.
 */
#include "heap_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "heap_inside.h"

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

#define HEAP_SIZE ((size_t)64 << 20)
#define HELD      48u
#define MAILBOXES 16u

static ka_heap heap;
static char *range;
static unsigned times = 1;

/* What one context has. */
typedef struct owner {
    uint64_t tag; /* in all that it marks */
    struct {
        void *block;
        size_t size, align;
        uint64_t mark;
    } held[HELD];
    kit_random random;
    unsigned long ops, refused, spoiled, passed;
} owner;

static owner in_main, in_handler;
static uintptr_t mailboxes[MAILBOXES]; /* blocks of 64 bytes that the other one frees */
static volatile sig_atomic_t handler_on;
static volatile unsigned long handlers, found_busy, found_idle;

static void mark(void *block, size_t size, uint64_t value)
{
    uint64_t *words = block;
    for (size_t i = 0; i < size / 8; i++)
        words[i] = value;
}

static bool marked(const void *block, size_t size, uint64_t value)
{
    const uint64_t *words = block;
    for (size_t i = 0; i < size / 8; i++)
        if (words[i] != value)
            return false;
    return true;
}

/* ---- what both do ---- */

static void owner_reset(owner *o, uint64_t tag)
{
    memset(o, 0, sizeof *o);
    o->tag = tag;
    o->random.state = tag;
}

static void owner_drop(owner *o, unsigned at)
{
    void *block = o->held[at].block;
    size_t size = o->held[at].size, align = o->held[at].align;
    o->spoiled += !marked(block, size, o->held[at].mark);
    o->held[at].block = NULL;
    o->ops++;
    if (o->ops % 3 == 0)
        ka_heap_free_unsized(&heap, block);
    else
        ka_heap_free(&heap, block, size, align);
}

static void owner_take(owner *o, unsigned at, size_t size, size_t align, ka_flags flags)
{
    void *block = ka_heap_alloc(&heap, size, align, flags);
    o->ops++;
    if (block == NULL) {
        o->refused++;
        return;
    }
    uint64_t value = o->tag << 48 | o->ops;
    mark(block, size, value);
    o->held[at].block = block;
    o->held[at].size = size;
    o->held[at].align = align;
    o->held[at].mark = value;
}

/* Leaves a block for the other one, and frees what that one has left. */
static void owner_mail(owner *o, ka_flags flags)
{
    void *block = ka_heap_alloc(&heap, 64, 16, flags);
    o->ops++;
    if (block != NULL)
        mark(block, 64, 0x6d61696c);
    void *old = (void *)ka_exchange_ptr(&mailboxes[o->ops % MAILBOXES], (uintptr_t)block);
    if (old == NULL)
        return;
    o->spoiled += !marked(old, 64, 0x6d61696c);
    o->passed++;
    ka_heap_free(&heap, old, 64, 16);
}

/* Two sizes mostly, so that both contexts meet in the same magazine and the
 * same words. */
static void owner_step(owner *o, ka_flags flags)
{
    uint64_t dice = kit_next(&o->random);
    unsigned at = (unsigned)(dice >> 8) % HELD;
    size_t size = dice % 16 == 0 ? 16 + (dice >> 16) % 40000 / 8 * 8 : dice % 2 == 0 ? 64 : 1024;
    if (dice % 7 == 0)
        owner_mail(o, flags);
    else if (o->held[at].block != NULL)
        owner_drop(o, at);
    else
        owner_take(o, at, size, dice % 32 == 0 ? 128 : 16, flags);
}

static void owner_close(owner *o)
{
    for (unsigned at = 0; at < HELD; at++)
        if (o->held[at].block != NULL)
            owner_drop(o, at);
}

static void look_at_busy(void)
{
    handlers++;
    if (inside_busy(&heap))
        found_busy++;
    else
        found_idle++;
}

/* ---- begin and end of a case ---- */

static void open_heap(void)
{
    ka_heap_options options = { .size = HEAP_SIZE, .base = range };
    reports_clear();
    KIT_CHECK(ka_heap_init(&heap, &options));
    void *first = ka_heap_alloc(&heap, 64, 16, 0); /* gives this thread its magazines */
    KIT_CHECK(first != NULL && inside_has_magazines(&heap));
    ka_heap_free(&heap, first, 64, 16);
    owner_reset(&in_main, 1);
    owner_reset(&in_handler, 2);
    handlers = found_busy = found_idle = 0;
}

static void close_heap(void)
{
    owner_close(&in_main);
    owner_close(&in_handler);
    for (unsigned i = 0; i < MAILBOXES; i++) {
        ka_heap_free(&heap, (void *)mailboxes[i], 64, 16);
        mailboxes[i] = 0;
    }
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    ka_stats stats;
    ka_heap_stats(&heap, &stats);
    KIT_EXPECT(stats.live == 0 && stats.live_blocks == 0); /* none lost */
    ka_heap_flush(&heap);
    (void)ka_heap_break_up(&heap);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    ka_heap_stats(&heap, &stats);
    KIT_EXPECT(stats.free_blocks == 0);
    KIT_EXPECT(in_main.spoiled == 0 && in_handler.spoiled == 0); /* none doubled */
    KIT_EXPECT(in_main.refused == 0 && in_handler.refused == 0);
    KIT_EXPECT(reports.count == 0);
    KIT_EXPECT(ka_heap_fini(&heap) == 0);
}

/* ---- by time ---- */

static pthread_t main_thread;
static uint32_t sender_stop;

static void on_signal(int number)
{
    (void)number;
    if (!handler_on)
        return;
    look_at_busy();
    for (unsigned i = 0; i < 128; i++)
        owner_step(&in_handler, KA_ANY_CONTEXT);
}

static void *sender(void *argument)
{
    (void)argument;
    while (ka_load_acquire_32(&sender_stop) == 0)
        pthread_kill(main_thread, SIGUSR1);
    return NULL;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void handler_install(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };
    sigfillset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static void by_time(void)
{
    enum { WANTED = 1000000 };
    const double least = 2, most = 30; /* seconds */
    if (UNDER_TSAN) {
        kit_skip("ThreadSanitizer puts signals off until the next system call");
        return;
    }
    pthread_t thread;
    struct itimerval often = { { 0, 100 }, { 0, 100 } }, never = { { 0, 0 }, { 0, 0 } };
    sigset_t ours;
    open_heap();
    main_thread = pthread_self();
    handler_install(SIGUSR1, on_signal);
    handler_install(SIGALRM, on_signal);
    handler_on = 1;
    sender_stop = 0;
    sigemptyset(&ours);
    sigaddset(&ours, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &ours, NULL); /* the sender must not get the timer's */
    KIT_CHECK(pthread_create(&thread, NULL, sender, NULL) == 0);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    double start = now();
    while (now() < start + least || ((in_handler.ops < WANTED || found_busy == 0) && now() < start + most))
        for (unsigned i = 0; i < 256; i++)
            owner_step(&in_main, 0);
    handler_on = 0;
    setitimer(ITIMER_REAL, &never, NULL);
    ka_store_release_32(&sender_stop, 1);
    pthread_join(thread, NULL);
    kit_note("%lu handlers with %lu operations in %u ms, %lu of main; %lu found "
             "the magazines busy; %lu + %lu passed on",
             handlers, in_handler.ops, (unsigned)((now() - start) * 1000), in_main.ops, found_busy, in_main.passed,
             in_handler.passed);
    KIT_EXPECT(in_handler.ops >= WANTED);
    KIT_EXPECT(found_busy > 0);
    close_heap();
}

/* ---- by step ---- */

#if defined(__x86_64__)

static void (*step_handler)(void);

/* The trap flag is off inside of the handler, and on again behind it. */
static void on_trap(int number)
{
    (void)number;
    step_handler();
}

static inline void step_begin(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, "
                     "(%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}

static inline void step_end(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, "
                     "(%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}

static size_t step_size; /* of what the handler takes: the class that main works on */
static void *step_kept[8];

/* A pair at each instruction; and now and then a block is kept over some of
 * them, so that contents of magazine and words change under main's hands. At
 * random, and not too often: a loop around a compare-exchange that finds the
 * word changed each time would never end. */
static void step_pair(void)
{
    look_at_busy();
    unsigned long turn = in_handler.ops++;
    void *block = ka_heap_alloc(&heap, step_size, 16, KA_ANY_CONTEXT);
    if (block == NULL) {
        in_handler.refused++;
        return;
    }
    mark(block, ka_min(step_size, 64), turn);
    if (kit_below(&in_handler.random, 24) == 0) {
        void **kept = &step_kept[turn % 8], *old = *kept;
        *kept = block;
        if (old == NULL)
            return;
        block = old;
        turn = *(uint64_t *)old;
    }
    in_handler.spoiled += !marked(block, ka_min(step_size, 64), turn);
    mark(block, ka_min(step_size, 64), 0);
    if (turn % 2 == 0)
        ka_heap_free(&heap, block, step_size, 16);
    else
        ka_heap_free_unsized(&heap, block);
}

static void step_close(void)
{
    for (unsigned i = 0; i < 8; i++) {
        ka_heap_free(&heap, step_kept[i], step_size, 16);
        step_kept[i] = NULL;
    }
}

enum { BURST = 4096 };
static void *burst[BURST];

/* Will the next allocation (free) of a block of this size find its magazine
 * empty (full)? */
static bool magazine_empty(size_t size)
{
    return inside_length(inside_of(&heap, size)) == 0;
}

static bool magazine_full(size_t size)
{
    inside in = inside_of(&heap, size);
    return *in.top == in.end;
}

/* `count` blocks of one size taken and freed again. Stepped through is every
 * instruction, or only those of calls that cannot be served by the magazine.
 * Blocks are looked at when stepping is off. */
static void step_burst(unsigned count, size_t size, bool slow_only)
{
    for (unsigned i = 0; i < count; i++) {
        if (!slow_only || magazine_empty(size))
            step_begin();
        burst[i] = ka_heap_alloc(&heap, size, 16, 0);
        step_end();
    }
    for (unsigned i = 0; i < count; i++) {
        in_main.refused += burst[i] == NULL;
        mark(burst[i], ka_min(size, 256), ~(uint64_t)i);
    }
    for (unsigned i = 0; i < count; i++)
        in_main.spoiled += !marked(burst[i], ka_min(size, 256), ~(uint64_t)i);
    in_main.ops += 2 * count;
    for (unsigned i = 0; i < count; i++) {
        if (!slow_only || magazine_full(size))
            step_begin();
        ka_heap_free(&heap, burst[i], size, 16);
        step_end();
    }
}

static bool step_open(size_t size)
{
    if (UNDER_TSAN) {
        kit_skip("ThreadSanitizer puts signals off until the next system call");
        return false;
    }
    struct sigaction action = { .sa_handler = on_trap };
    open_heap();
    sigaction(SIGTRAP, &action, NULL);
    step_handler = step_pair;
    step_size = size;
    return true;
}

static void step_done(unsigned long least)
{
    kit_note("%lu instructions, %lu of them with busy magazines; %lu operations "
             "of main",
             handlers, found_busy, in_main.ops);
    KIT_EXPECT(handlers >= least && found_busy > least / 50 && found_idle > least / 50);
    step_close();
    close_heap();
}

static void step_hot(void)
{
    if (!step_open(64))
        return;
    for (unsigned i = 0; i < 300 * times; i++) {
        step_burst(1 + i % 3, 64, false);
        if (i % 16 == 0)
            KIT_CHECK_SOUND(ka_heap_check(&heap));
    }
    step_done(15000);
}

/* Bursts that are longer than any magazine: refill, new slabs, widening, flush,
 * and the ends of slabs. */
static void step_slow(void)
{
    static const size_t sizes[] = { 64, 4096, 32768 };
    for (size_t i = 0; i < KIT_COUNT(sizes); i++) {
        if (!step_open(sizes[i]))
            return;
        unsigned count = 16 + (unsigned)inside_capacity(inside_of(&heap, sizes[i])) * 5 / 4;
        KIT_CHECK(count <= BURST);
        for (unsigned round = 0; round < times; round++) {
            step_burst(count, sizes[i], true);
            KIT_CHECK_SOUND(ka_heap_check(&heap));
            step_begin();
            ka_heap_flush(&heap);
            step_end();
            KIT_CHECK_SOUND(ka_heap_check(&heap));
        }
        step_done(5000);
    }
}

/* Page runs, in place and moved, while the handler takes and frees runs. */
static void step_runs(void)
{
    static const size_t sizes[] = { 40000, 100000, 70000, 300000, 45056 };
    if (!step_open(40000))
        return;
    for (unsigned i = 0; i < 6 * times; i++) {
        size_t size = sizes[i % KIT_COUNT(sizes)];
        step_begin();
        char *block = ka_heap_alloc(&heap, size, 8192, 0), *other = ka_heap_alloc(&heap, 33000, 16, 0);
        step_end();
        in_main.refused += block == NULL || other == NULL || (uintptr_t)block % 8192 != 0;
        mark(block, size, i);
        mark(other, 33000, ~(uint64_t)i);
        step_begin();
        char *shorter = ka_heap_resize(&heap, block, size, 8192, size - 4096, 4096, 0);
        char *longer = ka_heap_resize(&heap, shorter, size - 4096, 4096, size, 4096, KA_ATOMIC);
        step_end();
        in_main.refused += longer == NULL;
        in_main.spoiled += !marked(longer, size - 4096, i) || !marked(other, 33000, ~(uint64_t)i);
        step_begin();
        ka_heap_free(&heap, longer, size, 4096);
        ka_heap_free(&heap, other, 33000, 16);
        step_end();
        in_main.ops += 6;
        KIT_CHECK_SOUND(ka_heap_check(&heap));
    }
    kit_note("%lu instructions", handlers);
    KIT_EXPECT(handlers > 5000);
    step_close();
    close_heap();
}

/* The heap all but full: the handler's steps come between the search for a
 * block and the last resort. */
static void step_first(void)
{
    if (!step_open(48))
        return;
    for (unsigned i = 0; i < 10 * times; i++) {
        step_close();
        KIT_EXPECT(ka_heap_fini(&heap) == 0);
        open_heap();
        step_burst(2, 48, false); /* the first slab of its class */
        KIT_CHECK_SOUND(ka_heap_check(&heap));
    }
    step_close();
    close_heap();
}

#else

static void not_here(void)
{
    kit_skip("single steps need the trap flag of x86_64");
}
#define step_hot   not_here
#define step_slow  not_here
#define step_runs  not_here
#define step_first not_here

#endif

int main(int argc, char **argv)
{
    static const kit_case cases[] = {
        { "by time: signals from a timer and another thread", by_time },
        { "by step: the hot path", step_hot },
        { "by step: refill, flush, new slabs, slabs that end", step_slow },
        { "by step: page runs", step_runs },
        { "by step: the first slab", step_first },
    };
    times = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
    range = fixture_map(HEAP_SIZE, 4096, PROT_READ | PROT_WRITE);
    return range == NULL ? 1 : kit_main("heap_signal", cases, KIT_COUNT(cases));
}
