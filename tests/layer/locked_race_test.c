/* locked_race_test.c: the lock layer against another CPU that comes at the worst moment.
 *
 * The layer is compiled here over a lock whose `give` runs a whole request of another CPU, at a chosen one of all the
 * moments at which the lock is given. So the races are tried one by one, and always the same way. */
#include <ka/locked.h>

#include "kit.h"
#include "pool.h"

static uintptr_t race_self = 1;
static void race_given(void);

static void race_give(ka_port_lock *lock, ka_port_lock_state state)
{
    ka_port_lock_give(lock, state);
    race_given();
}

static uintptr_t race_port_self(void)
{
    return race_self;
}

#define ka_port_lock_give race_give
#define ka_port_self      race_port_self
#define ka_locked_init    race_locked_init
#define ka_locked_enter   race_locked_enter
#define ka_locked_leave   race_locked_leave
void ka_locked_init(ka_locked *locked, ka_allocator *inner, ka_refill *refill, void *context);
ka_lock_state ka_locked_enter(ka_locked *locked);
void ka_locked_leave(ka_locked *locked, ka_lock_state state);
#include "layer/locked.c"

static pool inner;
static ka_locked locked;
static ka_allocator *const a = &locked.allocator;

static struct {
    unsigned gives, at; /* the number of the give at which the other CPU comes; 0: never */
    void *block;        /* what it got */
    unsigned refills;
} race;

static void race_given(void)
{
    if (race_self != 1 || ++race.gives != race.at)
        return;
    race_self = 2;
    race.block = ka_alloc(a, 8, 8, KA_NOWAIT); /* it cannot wait: the CPU it would wait for stands still */
    race_self = 1;
}

/* Gives two blocks at its first call, and no more. */
static bool race_refill(void *context, size_t size, size_t align, ka_flags flags)
{
    (void)context, (void)size, (void)align, (void)flags;
    ka_lock_state state = ka_locked_enter(&locked);
    inner.given = 2;
    ka_locked_leave(&locked, state);
    return ++race.refills == 1;
}

static void race_at(unsigned at)
{
    memset(&race, 0, sizeof race);
    race.at = at;
    pool_init(&inner, 0);
    ka_locked_init(&locked, &inner.allocator, race_refill, NULL);
}

static void two_requests_two_blocks(void)
{
    unsigned moments = 0, served = 0;
    for (unsigned at = 0; at <= 8; at++) {
        race_at(at);
        void *block = ka_alloc(a, 8, 8, 0);
        KIT_EXPECT(block != NULL && block != race.block && race.refills == 1);
        KIT_EXPECT(locked.refiller == 0 && locked.lock.taken == 0);
        served += race.block != NULL;
        moments += at != 0 && race.gives >= at;
    }
    KIT_EXPECT(moments >= 4 && served >= 2);
    kit_note("%u moments, the other CPU was served at %u", moments, served);
}

static const kit_case cases[] = {
    { "two requests, two blocks", two_requests_two_blocks },
};

int main(void)
{
    return kit_main("locked race", cases, KIT_COUNT(cases));
}
