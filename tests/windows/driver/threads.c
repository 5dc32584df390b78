/* threads.c: system threads on every processor allocate, stamp, look at the stamps and free, in the pool, in a region
 * behind a lock and in the general heap; half of the blocks are freed by another thread than the one that took them. */
#include "driver_suites.h"

#include <ka/heap.h>
#include <ka/kernel.h>
#include <ka/locked.h>
#include <ka/region.h>

#include "base/atomic.h"

enum {
    THREADS = 4,
    STEPS = 40000,
    SMALL_STEPS = 200000,
    HELD = 32,
    SHARED = 64,
    HEAP_BYTES = 48 << 20,
    REGION_BYTES = 1 << 20
};
enum { ALIGN = 2 * PAGE_SIZE };

NTSYSAPI NTSTATUS NTAPI ZwWaitForSingleObject(HANDLE handle, BOOLEAN alertable, LARGE_INTEGER *timeout); /* <ntifs.h> */

void thread_wait(driver_thread *t)
{
    (void)ZwWaitForSingleObject(t->handle, FALSE, NULL);
    (void)ZwClose(t->handle);
}

static void NTAPI thread_start(void *context)
{
    driver_thread *t = context;
    t->function(t->argument);
    (void)PsTerminateSystemThread(STATUS_SUCCESS);
}

bool thread_begin(driver_thread *t, void (*function)(void *argument), void *argument)
{
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    t->function = function;
    t->argument = argument;
    return NT_SUCCESS(PsCreateSystemThread(&t->handle, THREAD_ALL_ACCESS, &attributes, NULL, NULL, thread_start, t));
}

/* What lies here was taken by one thread and is freed by whichever comes next. */
typedef struct parcel {
    void *block;
    size_t size;
} parcel;

typedef struct worker {
    driver_thread thread;
    unsigned number, damaged, refused;
    uint32_t cpus; /* bits */
    void *blocks[HELD];
    size_t sizes[HELD];
    kit_random random;
} worker;

static struct {
    ka_allocator *allocator;
    bool small;               /* little in a block, so that most of the time is the allocator's */
    uintptr_t shared[SHARED]; /* blocks whose first words are their sizes */
} arena;

static worker workers[THREADS];

static void put_back(worker *w, void *block, size_t size)
{
    w->damaged += !kit_stamped((char *)block + sizeof(size_t), size - sizeof(size_t), size);
    ka_free(arena.allocator, block, size, 16);
}

/* Exchanges the block for the one that lies in a shared place. */
static void *trade(worker *w, void *block)
{
    uintptr_t *place = &arena.shared[kit_below(&w->random, SHARED)];
    return (void *)ka_exchange_ptr(place, (uintptr_t)block);
}

static void step(worker *w)
{
    unsigned at = (unsigned)kit_below(&w->random, HELD);
    if (w->blocks[at] == NULL) {
        size_t most = arena.small ? 16 : kit_below(&w->random, 64) == 0 ? 20000 : 300;
        size_t size = 16 + (size_t)kit_below(&w->random, most);
        size_t *block = ka_alloc(arena.allocator, size, 16, 0);
        w->refused += block == NULL;
        if (block != NULL) {
            *block = size;
            kit_stamp(block + 1, size - sizeof(size_t), size);
        }
        w->blocks[at] = block;
        return;
    }
    if (kit_below(&w->random, 2) == 0)
        w->blocks[at] = trade(w, w->blocks[at]);
    size_t *block = w->blocks[at];
    w->blocks[at] = NULL;
    if (block != NULL)
        put_back(w, block, *block);
}

static void work(void *argument)
{
    worker *w = argument;
    ULONG count = KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS);
    KAFFINITY before = KeSetSystemAffinityThreadEx((KAFFINITY)1 << w->number % count);
    for (unsigned i = 0; i < (arena.small ? SMALL_STEPS : STEPS); i++) {
        w->cpus |= 1u << KeGetCurrentProcessorNumberEx(NULL) % 32;
        step(w);
    }
    KeRevertToUserAffinityThreadEx(before);
}

static void storm(ka_allocator *allocator, bool small)
{
    uint32_t cpus = 0;
    unsigned started = 0, refused = 0;
    arena.allocator = allocator;
    arena.small = small;
    for (; started < THREADS; started++) {
        workers[started] = (worker){ .number = started, .random = { started } };
        if (!thread_begin(&workers[started].thread, work, &workers[started]))
            break;
    }
    for (unsigned i = 0; i < started; i++)
        thread_wait(&workers[i].thread);
    for (unsigned i = 0; i < started; i++) {
        worker *w = &workers[i];
        for (unsigned n = 0; n < HELD; n++)
            if (w->blocks[n] != NULL)
                put_back(w, w->blocks[n], *(size_t *)w->blocks[n]);
        cpus |= w->cpus;
        refused += w->refused;
    }
    for (unsigned i = 0; i < SHARED; i++)
        if (arena.shared[i] != 0) {
            put_back(&workers[0], (void *)arena.shared[i], *(size_t *)arena.shared[i]);
            arena.shared[i] = 0;
        }
    kit_note("%u threads of %u steps, on processors %x; %u requests refused", started, small ? SMALL_STEPS : STEPS,
             cpus, refused);
    KIT_EXPECT(started == THREADS);
    for (unsigned i = 0; i < started; i++)
        KIT_EXPECT(workers[i].damaged == 0);
    KIT_EXPECT(KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS) < 2 || (cpus & (cpus - 1)) != 0);
}

static void the_pool(void)
{
    ka_nt_pool pool;
    long before = kernel != NULL ? kernel->hooks->live() : 0;
    KIT_CHECK(ka_nt_pool_init(&pool, &(ka_nt_pool_options){ .tag = KA_TAG('t', 'h', 'r', 'd') }));
    storm(&pool.allocator, false);
    KIT_EXPECT(kernel == NULL || kernel->hooks->live() == before);
}

static void a_region(void)
{
    static ka_region region;
    static ka_locked locked;
    void *memory = ka_alloc(ka_kernel, REGION_BYTES, ALIGN, 0);
    KIT_CHECK(memory != NULL);
    ka_region_init(&region);
    KIT_CHECK(ka_region_claim(&region, memory, REGION_BYTES));
    ka_locked_init(&locked, &region.allocator, NULL, NULL);
    storm(&locked.allocator, false);
    KIT_EXPECT(ka_get_stats(&region.allocator).live_blocks == 0);
    KIT_CHECK_SOUND(ka_region_check(&region));
    ka_free(ka_kernel, memory, REGION_BYTES, ALIGN);
}

static void in_a_heap(bool migrate)
{
    static ka_heap heap;
    void *memory = ka_alloc(ka_kernel, HEAP_BYTES, ALIGN, 0);
    KIT_CHECK(memory != NULL && ka_heap_init(&heap, &(ka_heap_options){ .base = memory, .size = HEAP_BYTES }));
    if (migrate)
        kernel->migrate(true);
    storm(&heap.allocator, false);
    storm(&heap.allocator, true);
    if (migrate)
        kernel->migrate(false);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_heap_fini(&heap) == 0);
    ka_free(ka_kernel, memory, HEAP_BYTES, ALIGN);
}

static void a_heap(void)
{
    in_a_heap(false);
}

/* The processor's number is another one at each look: between the look and the taking of its magazines, and in between
 * two halves of everything. */
static void a_heap_with_threads_that_move(void)
{
    if (kernel == NULL)
        kit_skip("only the stand-in moves threads so often");
    else
        in_a_heap(true);
}

static void a_heap_that_grows(void)
{
    static ka_nt_heap heap;
    if (kernel == NULL) {
        kit_skip("its segments need a pool that aligns pages");
        return;
    }
    KIT_CHECK(ka_nt_heap_init(&heap, "storm", HEAP_BYTES, &(ka_nt_pool_options){ .tag = KA_TAG('t', 'h', 'r', 'd') }));
    kernel->migrate(true);
    storm(&heap.heap.allocator, false);
    kernel->migrate(false);
    KIT_CHECK_SOUND(ka_heap_check(&heap.heap));
    KIT_EXPECT(ka_nt_heap_fini(&heap) == 0);
}

static const kit_case cases[] = {
    { "in the pool", the_pool },
    { "in a region behind a lock", a_region },
    { "in a heap", a_heap },
    { "in a heap, by threads that move", a_heap_with_threads_that_move },
    { "in a heap over the pool, by threads that move", a_heap_that_grows },
};

void run_threads(void)
{
    kit_run("threads", cases, KIT_COUNT(cases));
}
