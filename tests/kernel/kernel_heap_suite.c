/* kernel_heap_suite.c: ka_kernel, the general heap: its frames come and go, and blocks with a guard page. */
#include "kernel_suites.h"

#include <ka_port.h>

#include "heap/fast.h"
#include "ports/bare/cpus.h"
#include "ports/bare/frames.h"
#include "ports/bare/heap.h"
#include "taken.h"

#define PAGE ((size_t)1 << KA_PORT_PAGE_SHIFT)

enum { LARGE = 3 << 20 };

static bool in_heap(const void *block, size_t size)
{
    return (uintptr_t)block >= BARE_HEAP_BASE && (uintptr_t)block + size <= BARE_HEAP_BASE + bare_heap.size;
}

static void flush_here(void *context)
{
    (void)context;
    ka_heap_flush(&bare_heap);
    bare_frames_flush();
}

/* All that is free goes back to the frames, from magazines too, and the frames in the CPUs' stores to the engine. */
static void trim_all(void)
{
    bare_cpus_run(flush_here, NULL);
    (void)ka_heap_trim(&bare_heap, 0);
    bare_frames_flush();
}

static void frames_come_and_go(void)
{
    trim_all();
    size_t before = bare_frames_free();
    char *block = ka_alloc(ka_kernel, LARGE, PAGE, 0);
    KIT_CHECK(block != NULL && in_heap(block, LARGE));
    KIT_EXPECT(bare_frames_free() <= before - LARGE / PAGE);
    kit_stamp(block, LARGE, 5);
    KIT_EXPECT(kit_stamped(block, LARGE, 5));
    ka_free(ka_kernel, block, LARGE, PAGE);
    trim_all();
    KIT_EXPECT(bare_frames_free() >= before && !ka_arch_can_read(block));
    KIT_CHECK_SOUND(ka_check(ka_kernel));
}

/* Frames run out in the middle of a commit: NULL, and every frame is back. */
static void refusal_leaves_nothing(void)
{
    trim_all();
    for (size_t left = 1; left < 2 * LARGE / PAGE; left = left * 2 + 1) {
        taken *head = take_all_but(left);
        void *block = ka_alloc(ka_kernel, 3 * (size_t)LARGE, PAGE, 0);
        KIT_EXPECT(block == NULL && bare_frames_free() == left);
        give_back(head);
    }
    void *block = ka_alloc(ka_kernel, 3 * (size_t)LARGE, PAGE, 0);
    KIT_EXPECT(block != NULL);
    ka_free(ka_kernel, block, 3 * (size_t)LARGE, PAGE);
    KIT_CHECK_SOUND(ka_check(ka_kernel));
}

/* What is committed serves any context; what is not serves a locked context, but no NMI. */
static void contexts(void)
{
    trim_all();
    KIT_EXPECT(ka_alloc(ka_kernel, LARGE, PAGE, KA_ANY_CONTEXT) == NULL);
    void *block = ka_alloc(ka_kernel, LARGE, PAGE, KA_ATOMIC);
    KIT_CHECK(block != NULL);
    ka_free(ka_kernel, block, LARGE, PAGE);
    KIT_EXPECT(ka_heap_commit(&bare_heap, 2 * (size_t)LARGE) >= 2 * (size_t)LARGE);
    block = ka_alloc(ka_kernel, LARGE, PAGE, KA_ANY_CONTEXT);
    KIT_CHECK(block != NULL);
    ka_free(ka_kernel, block, LARGE, PAGE);
}

static void look_at_guard(void *context)
{
    char **block = context;
    if (!ka_arch_can_write(block[0] + PAGE - 1) || ka_arch_can_read(block[0] + PAGE))
        ka_store_relaxed_ptr((uintptr_t *)&block[1], 1);
}

static void guarded_blocks(void)
{
    size_t live = ka_get_stats(ka_kernel).live;
    char *block[2] = { ka_alloc(bare_guarded, 1000, 16, KA_ZERO), NULL };
    char *large = ka_alloc(bare_guarded, 5 * PAGE, 2 * PAGE, 0), *last = ka_alloc(bare_guarded, PAGE, 16, 0);
    KIT_CHECK(block[0] != NULL && large != NULL && last != NULL);
    bare_cpus_run(look_at_guard, block);
    KIT_EXPECT(block[1] == NULL && block[0][0] == 0 && block[0][999] == 0);
    KIT_EXPECT((uintptr_t)large % (2 * PAGE) == 0 && !ka_arch_can_read(large + 5 * PAGE));
    kit_stamp(large, 5 * PAGE, 1);
    large = ka_resize(bare_guarded, large, 5 * PAGE, 2 * PAGE, 9 * PAGE, 16, 0);
    KIT_CHECK(large != NULL);
    KIT_EXPECT(kit_stamped(large, 5 * PAGE, 1) && !ka_arch_can_write(large + 9 * PAGE));
    KIT_EXPECT(ka_alloc(bare_guarded, 1000, 16, KA_ANY_CONTEXT) == NULL);
    KIT_EXPECT(ka_alloc(bare_guarded, (size_t)PTRDIFF_MAX - PAGE, 16, 0) == NULL);
    ka_free(bare_guarded, block[0], 1000, 16);
    ka_free(bare_guarded, last, PAGE, 16);
    ka_free(bare_guarded, large, 9 * PAGE, 16);
    KIT_EXPECT(ka_get_stats(ka_kernel).live == live);
    KIT_CHECK_SOUND(ka_check(ka_kernel));
}

/* On each CPU: its magazines are its own, and blocks wander to the next CPU, which frees them. */
static void *wandering[KA_ARCH_MAX_CPUS][64];

static void fill(void *context)
{
    (void)context;
    for (unsigned i = 0; i < 64; i++) {
        wandering[ka_arch_cpu()][i] = ka_alloc(ka_kernel, 16 + i, 16, 0);
        if (wandering[ka_arch_cpu()][i] != NULL)
            kit_stamp(wandering[ka_arch_cpu()][i], 16 + i, ka_arch_cpu() * 64 + i);
    }
}

static void empty_next(void *context)
{
    unsigned next = (ka_arch_cpu() + 1) % bare_cpu_count();
    for (unsigned i = 0; i < 64; i++) {
        void *block = wandering[next][i];
        if (block == NULL || !kit_stamped(block, 16 + i, next * 64 + i))
            ka_store_relaxed_32(context, 1);
        ka_free(ka_kernel, block, 16 + i, 16);
    }
}

static void blocks_wander(void)
{
    uint32_t bad = 0;
    size_t live = ka_get_stats(ka_kernel).live;
    bare_cpus_run(fill, NULL);
    bare_cpus_run(empty_next, &bad);
    KIT_EXPECT(bad == 0);
    KIT_EXPECT(ka_get_stats(ka_kernel).live == live);
    KIT_CHECK_SOUND(ka_check(ka_kernel));
}

/* How many blocks all magazines hold. */
static size_t kept(void)
{
    size_t count = 0;
    for (unsigned slot = 1; slot <= bare_cpu_count(); slot++) {
        const ka_magazines *m = ka_heap_magazines_of(&bare_heap, slot);
        for (unsigned number = 1; m != &ka_no_magazines && number < KA_MAGAZINE_COUNT; number++)
            count += ka_magazine_length(m, number);
    }
    return count;
}

static void drain_reaches_all(void)
{
    uint32_t bad = 0;
    bare_cpus_run(fill, NULL);
    bare_cpus_run(empty_next, &bad);
    KIT_EXPECT(bad == 0 && kept() >= bare_cpu_count());
    KIT_EXPECT(ka_heap_drain(&bare_heap) && kept() == 0);
}

static void store_frames(void *context)
{
    bare_frame list = { 0 };
    (void)context;
    for (unsigned i = 0; i < 512; i++) {
        bare_frame frame = bare_frame_take();
        if (frame.number == 0)
            break;
        *(uint64_t *)bare_frame_memory(frame) = list.number;
        list = frame;
    }
    while (list.number != 0) {
        bare_frame frame = list;
        list.number = *(uint64_t *)bare_frame_memory(frame);
        bare_frames_give(frame, 1);
    }
}

/* Each CPU has frames in store. Before the heap refuses one of them, it gets the others'. */
static void frames_in_store(void)
{
    enum { BLOCK = 16 * 4096, FEW = 64 };
    bare_cpus_run(store_frames, NULL);
    void **list = NULL, **block;
    while ((block = ka_alloc(ka_kernel, BLOCK, PAGE, 0)) != NULL) {
        *block = list;
        list = block;
    }
    kit_note("%zu frames are free", bare_frames_free());
    KIT_EXPECT(bare_frames_free() < FEW);
    while ((block = list) != NULL) {
        list = *block;
        ka_free(ka_kernel, block, BLOCK, PAGE);
    }
    trim_all();
}

static const kit_case cases[] = {
    { "frames come and go", frames_come_and_go },
    { "a refusal leaves nothing behind", refusal_leaves_nothing },
    { "contexts", contexts },
    { "guarded blocks", guarded_blocks },
    { "blocks wander between CPUs", blocks_wander },
    { "a drain reaches all CPUs", drain_reaches_all },
    { "frames that other CPUs have in store", frames_in_store },
};

const kit_suite kernel_heap_suite = { "kernel heap", cases, KIT_COUNT(cases) };
