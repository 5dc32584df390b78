/* cache_signal_test.c: a signal handler takes and gives objects of the cache that it interrupts: at every single
 * instruction of hot pairs, refills, flushes, new slabs and shrinks (step.h).
 *
 * Every object carries the constructor's mark and its owner's; at the end none is lost, by the cache's own count.
 */
#include "heap_fixture.h"

#include <ka/cache.h>

#include "base/atomic.h"
#include "heap/cache_core.h"
#include "step.h"

#define CONSTRUCTED UINT64_C(0x636f6e7374727563)
#define KEPT        8u
#define MANY        600u

static ka_heap heap;
static ka_cache cache;
static size_t constructed, destructed;
static unsigned long handlers, busy, refused, spoiled;
static kit_random dice;
static uint64_t *kept[KEPT]; /* the handler's */
static uint64_t *held[MANY]; /* main's */

static void construct(void *context, void *object)
{
    (void)context;
    constructed++;
    *(uint64_t *)object = CONSTRUCTED;
}

static void destruct(void *context, void *object)
{
    (void)context;
    destructed++;
    spoiled += *(uint64_t *)object != CONSTRUCTED;
    *(uint64_t *)object = 0;
}

static void object_mark(uint64_t *object, uint64_t owner)
{
    spoiled += object[0] != CONSTRUCTED || object[1] != 0;
    for (size_t i = 1; i < 5; i++)
        object[i] = owner;
}

static void object_drop(uint64_t *object, uint64_t owner)
{
    spoiled += object[0] != CONSTRUCTED;
    for (size_t i = 1; i < 5; i++) {
        spoiled += object[i] != owner;
        object[i] = 0;
    }
}

/* A pair at each instruction; and now and then an object is kept over some of them. */
static void on_trap(int number)
{
    (void)number;
    handlers++;
    unsigned slot = ka_port_slot();
    const ka_cache_magazine *m = ka_cache_magazine_at(&cache, slot);
    busy += m != NULL && m->busy != 0;
    uint64_t *object = ka_cache_alloc(&cache, KA_ANY_CONTEXT);
    if (object == NULL) {
        refused++;
        return;
    }
    object_mark(object, 2);
    if (kit_below(&dice, 24) == 0) {
        uint64_t **at = &kept[kit_below(&dice, KEPT)], *old = *at;
        *at = object;
        if (old == NULL)
            return;
        object = old;
    }
    object_drop(object, 2);
    ka_cache_free(&cache, object);
}

static void burst(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        step_begin();
        held[i] = ka_cache_alloc(&cache, 0);
        step_end();
        KIT_CHECK(held[i] != NULL);
        object_mark(held[i], 1);
    }
    for (size_t i = 0; i < count; i++) {
        object_drop(held[i], 1);
        step_begin();
        ka_cache_free(&cache, held[i]);
        step_end();
    }
}

static bool step_open(size_t limit)
{
    static char *range;
    const size_t bytes = (size_t)16 << 20;
    if (!STEP_WORKS) {
        kit_skip("no handler at each instruction here");
        return false;
    }
    reports_clear();
    if (range == NULL)
        range = fixture_map(bytes, 4096, PROT_READ | PROT_WRITE);
    memset(range, 0, bytes);
    memset(kept, 0, sizeof kept);
    constructed = destructed = 0;
    handlers = busy = refused = spoiled = 0;
    ka_cache_options o = { .inner = &heap.allocator, .size = 40, .align = 8, .limit = limit };
    o.constructor = construct;
    o.destructor = destruct;
    if (!ka_heap_init(&heap, &(ka_heap_options){ .base = range, .size = bytes }) || !ka_cache_init(&cache, &o))
        return false;
    void *first = ka_cache_alloc(&cache, 0); /* gives this thread its magazine */
    ka_cache_free(&cache, first);
    step_install(on_trap);
    return true;
}

static void step_done(bool magazines)
{
    kit_note("%lu instructions, %lu with a busy magazine, %lu refused; %zu objects constructed", handlers, busy,
             refused, constructed);
    KIT_EXPECT(handlers > 20000 && (!magazines || busy > handlers / 50));
    for (unsigned i = 0; i < KEPT; i++)
        if (kept[i] != NULL) {
            object_drop(kept[i], 2);
            ka_cache_free(&cache, kept[i]);
        }
    KIT_CHECK_SOUND(ka_cache_check(&cache));
    KIT_EXPECT(ka_get_stats(&cache.allocator).live == 0); /* none lost */
    (void)ka_cache_shrink(&cache);
    KIT_EXPECT(cache.slabs == 0 && constructed == destructed);
    KIT_EXPECT(spoiled == 0 && reports.count == 0); /* none doubled */
    KIT_CHECK_SOUND(ka_cache_check(&cache));
    KIT_EXPECT(ka_cache_fini(&cache) == 0 && ka_heap_fini(&heap) == 0);
}

static void hot(void)
{
    if (!step_open(0))
        return;
    for (unsigned i = 0; i < 150; i++)
        burst(1 + i % 3);
    step_done(true);
}

static void refill_and_flush(void)
{
    if (!step_open(0))
        return;
    for (unsigned i = 0; i < 3; i++)
        burst(150);
    step_done(true);
}

static void grow_and_shrink(void)
{
    if (!step_open(0))
        return;
    for (unsigned i = 0; i < 2; i++) {
        burst(250);
        step_begin();
        (void)ka_cache_shrink(&cache);
        step_end();
        KIT_CHECK_SOUND(ka_cache_check(&cache));
    }
    step_done(true);
}

static void no_magazine(void)
{
    if (!step_open(15))
        return;
    for (unsigned i = 0; i < 16; i++) {
        burst(3);
        step_begin();
        (void)ka_cache_shrink(&cache);
        step_end();
    }
    step_done(false);
}

int main(void)
{
    static const kit_case cases[] = {
        { "a handler at each instruction of hot pairs", hot },
        { "of refills and flushes", refill_and_flush },
        { "of new slabs and of shrink", grow_and_shrink },
        { "without magazines", no_magazine },
    };
    return kit_main("cache_signal", cases, KIT_COUNT(cases));
}
