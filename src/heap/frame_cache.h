/* heap/frame_cache.h: page frames from the CPU's own store, where there is one: the frame engine with a port.
 *
 * Any context: a handler that interrupts a get or put of the same CPU works on the bitmaps, as does a CPU without a
 * slot. A pair of get and put touches only lines of its own CPU. See engine/frames_cpu.c for what a CPU keeps.
 */
#ifndef KA_HEAP_FRAME_CACHE_H
#define KA_HEAP_FRAME_CACHE_H

#include <ka/frames.h>
#include <ka_port.h>

#include "engine/frames_fast.h"

/* What a CPU keeps, and whether somebody is at it. Ends on a line of the cache. */
typedef struct ka_frame_slot {
    ka_frame_cpu cpu;
    uint32_t busy;
    unsigned char rest[64 - (sizeof(ka_frame_cpu) + sizeof(uint32_t)) % 64];
} ka_frame_slot;

typedef struct ka_frame_cache {
    ka_frames *frames;
    ka_frame_slot *slots; /* of the port's slots 1 to count */
    unsigned count;
} ka_frame_cache;

/* slots    `count` of them, in memory of the caller's, best aligned to 64; all on node 0 (ka_frame_cache_set_node)
 * frames   used by others too as they like */
void ka_frame_cache_init(ka_frame_cache *cache, ka_frames *frames, ka_frame_slot *slots, unsigned count);

/* While the slot's CPU is not at it. */
void ka_frame_cache_set_node(ka_frame_cache *cache, unsigned slot, unsigned node);

/* Puts back what a CPU keeps: this one's, or that of a CPU that is not running. false: somebody is at it. */
bool ka_frame_cache_flush(ka_frame_cache *cache);
bool ka_frame_cache_flush_slot(ka_frame_cache *cache, unsigned slot);

KA_NOINLINE ka_frame ka_frame_cache_get_order(ka_frame_cache *cache, unsigned order);
KA_NOINLINE bool ka_frame_cache_put_order(ka_frame_cache *cache, ka_frame frame, unsigned order);

/* The record of the CPU that the caller is pinned to, its to use until ka_frame_slot_leave; NULL: none, or in use. */
static inline ka_frame_slot *ka_frame_slot_enter(ka_frame_cache *cache)
{
    unsigned at = ka_port_slot() - 1;
    if (KA_UNLIKELY(at >= cache->count) || KA_UNLIKELY(!ka_port_busy_take(&cache->slots[at].busy)))
        return NULL;
    return &cache->slots[at];
}

static inline void ka_frame_slot_leave(ka_frame_slot *slot)
{
    ka_port_busy_give(&slot->busy);
}

/* As ka_frames_get and ka_frames_put of order 0, with this CPU's record. */
static inline ka_frame ka_frame_cache_get(ka_frame_cache *cache)
{
    ka_port_pin_state pin = ka_port_pin();
    ka_frame_slot *slot = ka_frame_slot_enter(cache);
    if (KA_UNLIKELY(slot == NULL)) {
        ka_port_unpin(pin);
        return ka_frames_get(cache->frames, NULL, 0);
    }
    ka_frame frame = ka_frames_cpu_get(cache->frames, &slot->cpu);
    ka_frame_slot_leave(slot);
    ka_port_unpin(pin);
    return frame;
}

static inline bool ka_frame_cache_put(ka_frame_cache *cache, ka_frame frame)
{
    ka_port_pin_state pin = ka_port_pin();
    ka_frame_slot *slot = ka_frame_slot_enter(cache);
    if (KA_UNLIKELY(slot == NULL)) {
        ka_port_unpin(pin);
        return ka_frames_put(cache->frames, NULL, frame, 0);
    }
    bool done = ka_frames_cpu_put(cache->frames, &slot->cpu, frame);
    ka_frame_slot_leave(slot);
    ka_port_unpin(pin);
    return done;
}

#endif
