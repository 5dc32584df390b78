/* ours.c: frames over their per-CPU arrays, on the user port: each thread is a CPU. */
#include <stdint.h>
#include <stdlib.h>

#include "heap/frame_cache.h"

static ka_frames frames;
static ka_frame_cache cache;
static _Alignas(64) ka_frame_slot slots[8];

static void peer_start(uint64_t count, unsigned threads)
{
    (void)threads;
    ka_frame_range map = { 0, count, 0 };
    size_t size = ka_frames_size(&map, 1, 0);
    void *memory = aligned_alloc(64, size);
    if (memory == NULL)
        abort();
    __builtin_memset(memory, 0, size);
    if (!ka_frames_init(&frames, &map, 1, memory, 0))
        abort();
    ka_frame_cache_init(&cache, &frames, slots, 8);
}

static void peer_thread(unsigned thread)
{
    (void)thread;
    if (ka_port_slot_enter() == 0)
        abort();
}

static inline uint64_t peer_get(unsigned thread, unsigned order)
{
    (void)thread;
    return order == 0 ? ka_frame_cache_get(&cache).number : ka_frame_cache_get_order(&cache, order).number;
}

static inline void peer_put(unsigned thread, uint64_t frame, unsigned order)
{
    (void)thread;
    if (order == 0)
        (void)ka_frame_cache_put(&cache, ka_frame_of(frame));
    else
        (void)ka_frame_cache_put_order(&cache, ka_frame_of(frame), order);
}

static void peer_drain(unsigned thread)
{
    (void)thread;
    (void)ka_frame_cache_flush(&cache);
}

static size_t peer_metadata(void)
{
    return frames.overhead;
}

#include "measure.h"
