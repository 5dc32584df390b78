/* layer/failing.c: failures on demand.
 *
 * A call takes a number by one atomic add; the call whose number was chosen fails. Chance comes from splitmix64
 * (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014), whose state is a plain counter with a
 * large odd step: so that one atomic add gives each call its own random number, without a lock. With several threads
 * the numbers are the same, but which thread gets which is not.
 */
#include <ka/failing.h>

#include "base/atomic.h"
#include "base/mem.h"

static ka_failing *failing_of(ka_allocator *self)
{
    return (ka_failing *)self;
}

static uint64_t failing_random(ka_failing *failing)
{
    static const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = ka_fetch_add_64(&failing->random, step) + step;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Counts a call. Returns whether it has to fail. */
static bool failing_now(ka_failing *failing)
{
    uint64_t call = ka_fetch_add_64(&failing->calls, 1) + 1;
    uint32_t chance = ka_load_relaxed_32(&failing->chance);
    bool fails = call == ka_load_relaxed_64(&failing->fail_at);
    if (chance != 0 && failing_random(failing) % 65536 < chance)
        fails = true;
    if (fails)
        (void)ka_fetch_add_64(&failing->failures, 1);
    return fails;
}

static void *failing_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    ka_failing *failing = failing_of(self);
    return failing_now(failing) ? NULL : ka_alloc(failing->inner, size, align, flags);
}

static void failing_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    ka_free(failing_of(self)->inner, block, size, align);
}

static void *failing_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                            size_t new_align, ka_flags flags)
{
    ka_failing *failing = failing_of(self);
    if (failing_now(failing))
        return NULL;
    return ka_resize(failing->inner, block, old_size, old_align, new_size, new_align, flags);
}

static size_t failing_usable(ka_allocator *self, const void *block, size_t size, size_t align)
{
    return ka_usable(failing_of(self)->inner, block, size, align);
}

static bool failing_walk(ka_allocator *self, ka_visit *visit, void *context)
{
    return ka_walk(failing_of(self)->inner, visit, context);
}

static void failing_stats(ka_allocator *self, ka_stats *out)
{
    *out = ka_get_stats(failing_of(self)->inner);
}

static const char *failing_check(ka_allocator *self)
{
    return ka_check(failing_of(self)->inner);
}

static const ka_allocator_ops failing_ops = { .name = "failing",
                                              .alloc = failing_alloc,
                                              .free = failing_free,
                                              .resize = failing_resize,
                                              .usable = failing_usable,
                                              .walk = failing_walk,
                                              .stats = failing_stats,
                                              .check = failing_check };

void ka_failing_init(ka_failing *failing, ka_allocator *inner)
{
    ka_clear(failing, sizeof *failing);
    failing->allocator.ops = &failing_ops;
    failing->inner = inner;
}

void ka_failing_set(ka_failing *failing, uint64_t n)
{
    ka_store_relaxed_64(&failing->fail_at, n == 0 ? 0 : ka_load_relaxed_64(&failing->calls) + n);
}

void ka_failing_set_chance(ka_failing *failing, uint32_t per_65536, uint64_t seed)
{
    ka_store_relaxed_64(&failing->random, seed);
    ka_store_relaxed_32(&failing->chance, per_65536);
}

uint64_t ka_failing_calls(const ka_failing *failing)
{
    return ka_load_relaxed_64(&failing->calls);
}

uint64_t ka_failing_failures(const ka_failing *failing)
{
    return ka_load_relaxed_64(&failing->failures);
}
