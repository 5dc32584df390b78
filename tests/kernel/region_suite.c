/* region_suite.c: the region heap's place, its growth, and what lies behind it. */
#include "kernel_suites.h"

#include <ka_port.h>

#include "ports/bare/frames.h"
#include "ports/bare/region.h"

static char *heap_end(void)
{
    return (char *)BARE_REGION_BASE + bare_region_get_info().mapped;
}

static bool in_heap(const void *block, size_t size)
{
    return (uintptr_t)block >= BARE_REGION_BASE && (const char *)block + size <= heap_end();
}

static void blocks_lie_in_the_heap(void)
{
    uint64_t *value = ka_alloc_type(bare_region, uint64_t);
    KIT_CHECK(value != NULL);
    KIT_EXPECT(in_heap(value, sizeof *value));
    ka_free_type(bare_region, uint64_t, value);
}

/* Not a byte is mapped behind the heap: a run over its end faults. */
static void end_is_guarded(void)
{
    KIT_EXPECT(ka_arch_can_write(heap_end() - 1));
    KIT_EXPECT(!ka_arch_can_read(heap_end()));
    KIT_EXPECT(!ka_arch_can_read((char *)BARE_REGION_BASE - 1));
}

/* ---- before it has grown ---- */

static void first_bytes(void)
{
    bare_region_info info = bare_region_get_info();
    KIT_EXPECT(info.mapped == BARE_REGION_FIRST && info.growths == 0 && info.limit > info.mapped);
}

/* What no memory could help is refused without taking any. */
static void vain_requests_take_nothing(void)
{
    bare_region_info info = bare_region_get_info();
    size_t frames = bare_frames_free();
    KIT_EXPECT(ka_alloc(bare_region, info.mapped, 16, KA_PAGEABLE) == NULL);
    KIT_EXPECT(ka_alloc(bare_region, info.mapped, 16, KA_ANY_CONTEXT) == NULL);
    KIT_EXPECT(ka_alloc(bare_region, info.limit + 1, 16, 0) == NULL);
    KIT_EXPECT(ka_alloc(bare_region, info.limit, 16, 0) == NULL); /* as much, but the record needs some of it */
    KIT_EXPECT(ka_alloc(bare_region, 16, info.limit * 2, 0) == NULL);
    KIT_EXPECT(bare_region_get_info().mapped == info.mapped && bare_frames_free() == frames);
}

/* A large request grows the heap once, by what it needs and not much more. */
static void grows_once_for_a_large_block(void)
{
    enum { SIZE = 1 << 20, ALIGN = 64 << 10 };
    bare_region_info before = bare_region_get_info();
    void *block = ka_alloc(bare_region, SIZE, ALIGN, KA_ZERO);
    bare_region_info after = bare_region_get_info();
    KIT_CHECK(block != NULL);
    KIT_EXPECT(after.growths == before.growths + 1);
    KIT_EXPECT(after.mapped <= before.mapped + SIZE + SIZE / 4);
    KIT_EXPECT((uintptr_t)block % ALIGN == 0 && in_heap(block, SIZE));
    ka_free(bare_region, block, SIZE, ALIGN);
}

/* When frames run out, a growth fails and the heap is as it was; when they are back, it grows. */
static void grows_again_when_frames_are_back(void)
{
    enum { SIZE = 1 << 20 };
    bare_region_info before = bare_region_get_info();
    size_t run = bare_frames_free() - 4;
    bare_frame first = { 0 };
    while (run > 0 && (first = bare_frames_take(run)).number == 0)
        run--;
    while (bare_frames_free() > 4) { /* what the run has left; given back at the end of the machine only */
        bare_frame frame = bare_frame_take();
        KIT_CHECK(frame.number != 0);
    }
    void *block = ka_alloc(bare_region, 2 * SIZE, 16, 0);
    KIT_EXPECT(block == NULL && bare_frames_free() == 4);
    KIT_EXPECT(bare_region_get_info().mapped == before.mapped && bare_region_get_info().growths == before.growths);
    KIT_EXPECT(!ka_arch_can_read(heap_end()));
    bare_frames_give(first, run);
    block = ka_alloc(bare_region, 2 * SIZE, 16, 0);
    KIT_EXPECT(block != NULL && bare_region_get_info().growths == before.growths + 1);
    ka_free(bare_region, block, 2 * SIZE, 16);
}

/* clang-format off */
static const kit_case growth_cases[] = {
    { "the first bytes", first_bytes },
    { "vain requests take nothing", vain_requests_take_nothing },
    { "grows once for a large block", grows_once_for_a_large_block },
    { "grows again when frames are back", grows_again_when_frames_are_back },
};
/* clang-format on */

const kit_suite region_growth_suite = { "region growth", growth_cases, KIT_COUNT(growth_cases) };

/* ---- after it has ---- */

/* The heap suite has filled the heap: it has grown up to the limit, in few steps, and not beyond. */
static void growth_ends_at_the_limit(void)
{
    bare_region_info info = bare_region_get_info();
    ka_stats stats = ka_get_stats(bare_region);
    KIT_EXPECT(info.mapped == info.limit);
    KIT_EXPECT(info.growths > 1 && info.growths < 64);
    KIT_EXPECT(stats.total + stats.overhead == info.mapped);
    KIT_EXPECT(stats.free_blocks == 1 && stats.live == 0); /* one range, all seams merged */
    kit_note("%zu bytes in %u steps; %zu of them can be handed out", info.mapped, info.growths, stats.total);
}

static void flags(void)
{
    void *block = ka_alloc(bare_region, 64, 16, KA_ATOMIC);
    KIT_EXPECT(block != NULL);
    ka_free(bare_region, block, 64, 16);
    KIT_EXPECT(ka_alloc(bare_region, 64, 16, KA_ANY_CONTEXT) == NULL);
    KIT_EXPECT(ka_alloc(bare_region, 64, 16, KA_PAGEABLE) == NULL);
    KIT_EXPECT(ka_get_stats(bare_region).live == 0);
}

/* Interrupts are off inside, and as they were afterwards. */
static void interrupts_come_back(void)
{
    ka_arch_interrupts_enable();
    void *block = ka_alloc(bare_region, 64, 16, 0);
    KIT_EXPECT(ka_arch_interrupts_on());
    ka_free(bare_region, block, 64, 16);
    KIT_EXPECT(ka_arch_interrupts_on());
    ka_arch_interrupts_disable();
}

/* clang-format off */
static const kit_case cases[] = {
    { "blocks lie in the heap", blocks_lie_in_the_heap },
    { "the end is guarded", end_is_guarded },
    { "growth ends at the limit", growth_ends_at_the_limit },
    { "flags", flags },
    { "interrupts come back", interrupts_come_back },
};
/* clang-format on */

const kit_suite region_suite = { "region", cases, KIT_COUNT(cases) };
