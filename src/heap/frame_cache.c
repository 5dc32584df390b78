/* heap/frame_cache.c: see frame_cache.h. */
#include "heap/frame_cache.h"

void ka_frame_cache_init(ka_frame_cache *cache, ka_frames *frames, ka_frame_slot *slots, unsigned count)
{
    *cache = (ka_frame_cache){ frames, slots, count };
    for (unsigned i = 0; i < count; i++) {
        slots[i].busy = 0;
        ka_frames_cpu_init(&slots[i].cpu, 0);
    }
}

void ka_frame_cache_set_node(ka_frame_cache *cache, unsigned slot, unsigned node)
{
    cache->slots[slot - 1].cpu.node = node;
}

bool ka_frame_cache_flush_slot(ka_frame_cache *cache, unsigned slot)
{
    if (slot - 1 >= cache->count)
        return true;
    ka_frame_slot *at = &cache->slots[slot - 1];
    if (!ka_port_busy_take(&at->busy))
        return false;
    ka_frames_cpu_flush(cache->frames, &at->cpu);
    ka_port_busy_give(&at->busy);
    return true;
}

bool ka_frame_cache_flush(ka_frame_cache *cache)
{
    ka_port_pin_state pin = ka_port_pin();
    bool done = ka_frame_cache_flush_slot(cache, ka_port_slot());
    ka_port_unpin(pin);
    return done;
}

ka_frame ka_frame_cache_get_order(ka_frame_cache *cache, unsigned order)
{
    ka_port_pin_state pin = ka_port_pin();
    ka_frame_slot *slot = ka_frame_slot_enter(cache);
    ka_frame frame = ka_frames_get(cache->frames, slot == NULL ? NULL : &slot->cpu, order);
    if (slot != NULL)
        ka_frame_slot_leave(slot);
    ka_port_unpin(pin);
    return frame;
}

bool ka_frame_cache_put_order(ka_frame_cache *cache, ka_frame frame, unsigned order)
{
    if (order == 0)
        return ka_frame_cache_put(cache, frame);
    return ka_frames_put(cache->frames, NULL, frame, order);
}
