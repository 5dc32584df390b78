/* reserve_signal_test.c: a signal handler takes and gives blocks of the reserve that it interrupts: at every single
 * instruction of alloc, free and refill (step.h), as a VM exit or an NMI would.
 *
 * Every block carries its owner's mark over its whole length. While main has at most as many blocks as leave the
 * handler one, the handler is never refused: that is what a reserve is for. At the end none is lost.
 */
#include "heap_fixture.h"

#include <ka/reserve.h>

#include "kit_malloc.h"
#include "step.h"

#define COUNT 70u /* more than a word of bits */
#define SLOTS 150u
#define KEPT  4u

static kit_malloc inner;
static ka_reserve reserve;
static _Alignas(8) char memory[KA_RESERVE_SIZE(SLOTS)];
static unsigned long handlers, refused, spoiled;
static uint32_t told;
static kit_random dice;
static uint64_t *kept[KEPT]; /* the handler's */
static uint64_t *held[COUNT];

static void on_low(void *context, ka_reserve *r, size_t left)
{
    (void)context, (void)r, (void)left;
    told++;
}

static void block_mark(uint64_t *block, uint64_t owner)
{
    for (size_t i = 0; i < 8; i++)
        block[i] = owner;
}

static void block_drop(uint64_t *block, uint64_t owner)
{
    for (size_t i = 0; i < 8; i++) {
        spoiled += block[i] != owner;
        block[i] = 0;
    }
}

/* A pair at each instruction; and now and then a block is kept over some of them. */
static void on_trap(int number)
{
    (void)number;
    handlers++;
    uint64_t *block = ka_reserve_alloc(&reserve, KA_ANY_CONTEXT);
    if (block == NULL) {
        refused++;
        return;
    }
    block_mark(block, 2);
    if (kit_below(&dice, 16) == 0) {
        uint64_t **at = &kept[kit_below(&dice, KEPT)], *old = *at;
        *at = block;
        if (old == NULL)
            return;
        block = old;
    }
    block_drop(block, 2);
    ka_reserve_free(&reserve, block);
}

static void burst(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        step_begin();
        held[i] = ka_reserve_alloc(&reserve, 0);
        step_end();
        KIT_CHECK(held[i] != NULL);
        block_mark(held[i], 1);
    }
    for (size_t i = 0; i < count; i++) {
        block_drop(held[i], 1);
        step_begin();
        ka_reserve_free(&reserve, held[i]);
        step_end();
    }
}

/* malloc under a refill is not stepped through: what it interrupts there is the C library. */
static void *inner_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    (void)self;
    step_end();
    void *block = ka_alloc(&inner.allocator, size, align, flags);
    step_begin();
    return block;
}

static void inner_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    (void)self;
    step_end();
    ka_free(&inner.allocator, block, size, align);
    step_begin();
}

static const ka_allocator_ops inner_ops = { .name = "unstepped", .alloc = inner_alloc, .free = inner_free };
static ka_allocator unstepped = { &inner_ops };

static bool step_open(size_t low)
{
    if (!STEP_WORKS) {
        kit_skip("no handler at each instruction here");
        return false;
    }
    reports_clear();
    kit_malloc_init(&inner);
    memset(kept, 0, sizeof kept);
    handlers = refused = spoiled = 0;
    told = 0;
    step_install(on_trap);
    ka_reserve_options o = { .inner = &inner.allocator, .size = 64, .align = 16, .count = COUNT, .slots = SLOTS };
    o.memory = memory;
    o.low = low;
    o.low_water = on_low;
    bool made = ka_reserve_init(&reserve, &o);
    reserve.inner = &unstepped;
    return made;
}

static void step_done(void)
{
    kit_note("%lu instructions, %lu refused; low water told %u times", handlers, refused, told);
    for (unsigned i = 0; i < KEPT; i++)
        if (kept[i] != NULL) {
            block_drop(kept[i], 2);
            ka_reserve_free(&reserve, kept[i]);
        }
    KIT_EXPECT(handlers > 10000 && spoiled == 0 && reports.count == 0);
    KIT_CHECK_SOUND(ka_reserve_check(&reserve));
    KIT_EXPECT(ka_get_stats(&reserve.allocator).live == 0);
    KIT_EXPECT(ka_reserve_left(&reserve) == inner.live_blocks);
    reserve.inner = &inner.allocator;
    KIT_EXPECT(ka_reserve_fini(&reserve) == 0 && kit_malloc_clean(&inner));
}

static void pairs(void)
{
    if (!step_open(0))
        return;
    for (unsigned i = 0; i < 60; i++)
        burst(1 + i % 3);
    KIT_EXPECT(refused == 0);
    step_done();
}

/* Main takes all but those that the handler keeps, and one. */
static void nearly_all(void)
{
    if (!step_open(COUNT - 10))
        return;
    burst(COUNT - KEPT - 1);
    KIT_EXPECT(refused == 0 && told == 1);
    step_done();
}

static void refills(void)
{
    if (!step_open(COUNT - 5))
        return;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t *out[8];
        for (unsigned k = 0; k < 8; k++)
            KIT_CHECK((out[k] = ka_reserve_alloc(&reserve, 0)) != NULL);
        KIT_EXPECT(told == i + 1);
        step_begin();
        bool full = ka_reserve_refill(&reserve, 0);
        step_end();
        KIT_EXPECT(full && ka_reserve_left(&reserve) + KEPT >= COUNT);
        for (unsigned k = 0; k < 8; k++)
            ka_reserve_free(&reserve, out[k]);
        step_begin();
        full = ka_reserve_refill(&reserve, 0); /* gives the surplus back */
        step_end();
        KIT_EXPECT(full && ka_reserve_left(&reserve) <= COUNT + KEPT);
        KIT_CHECK_SOUND(ka_reserve_check(&reserve));
    }
    KIT_EXPECT(refused == 0);
    step_done();
}

int main(void)
{
    static const kit_case cases[] = {
        { "a handler at each instruction of pairs", pairs },
        { "of main taking nearly all", nearly_all },
        { "of refills", refills },
    };
    return kit_main("reserve_signal", cases, KIT_COUNT(cases));
}
