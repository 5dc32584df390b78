/* The heap suite on the host: a locked region that grows by a refill, as the kernel's heap does. */
#include <ka/locked.h>
#include <ka/region.h>

#include "suite/suite.h"

enum { FIRST = 100 << 10, LIMIT = 4 << 20, STEP = 64 << 10 };

static struct {
    ka_region region;
    ka_locked locked;
    size_t claimed;
    _Alignas(4096) char memory[LIMIT];
} heap;

static bool heap_refill(void *context, size_t size, size_t align, ka_flags flags)
{
    (void)context, (void)flags;
    size_t room = LIMIT - heap.claimed, step = size + size / 8 + align + STEP;
    step = (step < room ? step : room) & ~(size_t)15;
    if (room == 0 || size > LIMIT || align > LIMIT)
        return false;
    ka_lock_state state = ka_locked_enter(&heap.locked);
    bool claimed = ka_region_claim(&heap.region, heap.memory + heap.claimed, step);
    ka_locked_leave(&heap.locked, state);
    heap.claimed += step;
    return claimed;
}

int main(void)
{
    ka_region_init(&heap.region);
    ka_locked_init(&heap.locked, &heap.region.allocator, heap_refill, NULL);
    heap.claimed = FIRST;
    if (!ka_region_claim(&heap.region, heap.memory, FIRST))
        return 1;
    suite = (suite_env){ &heap.locked.allocator, FIRST, LIMIT };
    return kit_main(heap_suite.name, heap_suite.cases, heap_suite.count);
}
