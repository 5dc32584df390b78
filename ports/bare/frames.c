/* frames.c: see frames.h. `lowest` is a word below which nothing is free, so that a take seldom scans. */
#include "ports/bare/frames.h"

#include <ka_port.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/math.h"

enum { FRAMES = KA_ARCH_DIRECT_END >> KA_ARCH_PAGE_SHIFT, WORDS = FRAMES / 64, PAGE = 1 << KA_ARCH_PAGE_SHIFT };

static struct {
    ka_port_lock lock;
    size_t lowest;     /* word */
    size_t free_count; /* frames */
    size_t total;      /* frames */
    uint64_t free[WORDS];
} frames;

/* Sets or clears the bits of frames [from, to); returns how many changed. */
static size_t bits_fill(size_t from, size_t to, bool value)
{
    size_t changed = 0;
    while (from < to) {
        unsigned shift = from % 64, n = (unsigned)ka_min(64 - shift, to - from);
        uint64_t mask = ka_low_mask(n) << shift, *word = &frames.free[from / 64];
        changed += ka_count_bits((value ? ~*word : *word) & mask);
        *word = value ? *word | mask : *word & ~mask;
        from += n;
    }
    return changed;
}

void bare_frames_add(uint64_t base, uint64_t size)
{
    uint64_t end = base + size < KA_ARCH_DIRECT_END ? base + size : KA_ARCH_DIRECT_END;
    if (base >= end)
        return;
    size_t from = (size_t)((base + PAGE - 1) / PAGE), to = (size_t)(end / PAGE);
    size_t added = bits_fill(from, to, true);
    frames.free_count += added;
    frames.total += added;
}

void bare_frames_reserve(uint64_t base, uint64_t size)
{
    uint64_t end = base + size < KA_ARCH_DIRECT_END ? base + size : KA_ARCH_DIRECT_END;
    if (base >= end)
        return;
    size_t taken = bits_fill((size_t)(base / PAGE), (size_t)((end + PAGE - 1) / PAGE), false);
    frames.free_count -= taken;
    frames.total -= taken;
}

static bare_frame take_locked(void)
{
    for (; frames.lowest < WORDS; frames.lowest++) {
        uint64_t *word = &frames.free[frames.lowest];
        if (*word == 0)
            continue;
        bare_frame frame = { frames.lowest * 64 + ka_lowest_bit(*word) };
        *word &= *word - 1;
        frames.free_count--;
        return frame;
    }
    return (bare_frame){ 0 };
}

bare_frame bare_frame_take(void)
{
    ka_port_lock_state state = ka_port_lock_take(&frames.lock);
    bare_frame frame = take_locked();
    ka_port_lock_give(&frames.lock, state);
    return frame;
}

static bare_frame take_run_locked(size_t count)
{
    size_t run = 0;
    for (size_t i = frames.lowest * 64; i < FRAMES; i++) {
        run = ka_bit_get(frames.free, i) ? run + 1 : 0;
        if (run == count) {
            frames.free_count -= bits_fill(i + 1 - count, i + 1, false);
            return (bare_frame){ i + 1 - count };
        }
    }
    return (bare_frame){ 0 };
}

bare_frame bare_frames_take(size_t count)
{
    if (count == 0)
        return (bare_frame){ 0 };
    ka_port_lock_state state = ka_port_lock_take(&frames.lock);
    bare_frame first = take_run_locked(count);
    ka_port_lock_give(&frames.lock, state);
    return first;
}

void bare_frames_give(bare_frame first, size_t count)
{
    KA_ASSERT(first.number != 0 && first.number < FRAMES && count <= FRAMES - first.number);
    ka_port_lock_state state = ka_port_lock_take(&frames.lock);
    size_t given = bits_fill((size_t)first.number, (size_t)first.number + count, true);
    frames.free_count += given;
    frames.lowest = ka_min(frames.lowest, (size_t)first.number / 64);
    KA_ASSERT(given == count && frames.free_count <= frames.total);
    ka_port_lock_give(&frames.lock, state);
}

size_t bare_frames_free(void)
{
    return frames.free_count;
}

size_t bare_frames_total(void)
{
    return frames.total;
}

void *bare_frame_memory(bare_frame frame)
{
    return (void *)(uintptr_t)(frame.number << KA_ARCH_PAGE_SHIFT);
}
