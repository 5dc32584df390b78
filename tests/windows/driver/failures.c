/* failures.c: a driver's own work, with each allocation failing in turn: by the layer `failing`, and by the system
 * itself where it can be told to. What was taken is given back each time. */
#include "driver_suites.h"

#include <ka/box.h>
#include <ka/failing.h>
#include <ka/kernel.h>
#include <ka/physical.h>
#include <ka/string.h>
#include <ka/vec.h>

typedef struct page {
    _Alignas(64) unsigned char bytes[1000];
} page;
KA_BOX(page_box, page, KA_NO_DROP)
KA_VEC(page_vec, page_box, page_box_drop)

/* As a driver would have it for each processor. */
struct state {
    page_box first;
    page_vec rest;
    ka_string name;
};

static void state_drop(struct state *self)
{
    ka_string_drop(&self->name);
    page_vec_drop(&self->rest);
    page_box_drop(&self->first);
}
KA_BOX(state_box, struct state, state_drop)

enum { PAGES = 20 };

static bool build(ka_allocator *a)
{
    state_box owner = { 0 };
    struct state *state = state_box_new(&owner, a);
    bool ok = state != NULL && page_box_new(&state->first, a) != NULL;
    if (ok) {
        state->rest = page_vec_in(a);
        state->name = ka_string_in(a);
        ok = ka_string_append_text(&state->name, "a name that does not fit in place");
    }
    for (unsigned i = 0; ok && i < PAGES; i++) {
        page_box *last = page_vec_push_new(&state->rest);
        ok = last != NULL && page_box_new(last, a) != NULL;
    }
    state_box_drop(&owner);
    return ok;
}

static ka_nt_pool pool;

static long live(void)
{
    return kernel != NULL ? kernel->hooks->live() : 0;
}

static void by_the_layer(void)
{
    ka_failing failing;
    long before = live();
    unsigned runs = 0;
    KIT_CHECK(ka_nt_pool_init(&pool, &(ka_nt_pool_options){ .tag = KA_TAG('f', 'a', 'i', 'l') }));
    ka_failing_init(&failing, &pool.allocator);
    for (bool done = false; !done; runs++) {
        uint64_t failures = ka_failing_failures(&failing);
        ka_failing_set(&failing, runs + 1);
        bool built = build(&failing.allocator);
        done = ka_failing_failures(&failing) == failures;
        KIT_CHECK(built || !done); /* a failed attempt to grow in place costs nothing */
        KIT_CHECK(live() == before && runs < 1000);
    }
    kit_note("%u runs", runs);
    KIT_EXPECT(runs > PAGES);
}

/* The n-th and all later ones: a system that has run out of memory. */
static void by_the_system(void)
{
    long before = live();
    unsigned runs = 0;
    if (kernel == NULL) {
        kit_skip("Wine's own kernel cannot be told to fail");
        return;
    }
    KIT_CHECK(ka_nt_pool_init(&pool, &(ka_nt_pool_options){ .tag = KA_TAG('f', 'a', 'i', 'l') }));
    for (bool done = false; !done; runs++) {
        kernel->hooks->fail_after((long)runs);
        done = build(&pool.allocator);
        kernel->hooks->fail_after(-1);
        KIT_CHECK(live() == before && runs < 1000);
    }
    KIT_EXPECT(runs > PAGES);
}

static const kit_case cases[] = {
    { "by the layer", by_the_layer },
    { "by the system", by_the_system },
};

static void something_is_left(void)
{
    kit_fail(__FILE__, __LINE__, "the system's count of blocks");
}

static void take_turns(const char *name, ka_allocator *a)
{
    long before = live();
    suite = (suite_env){ .allocator = a };
    kit_run(name, turns_suite.cases, turns_suite.count);
    suite = (suite_env){ 0 };
    if (live() != before)
        kit_run(name, &(kit_case){ "nothing is left", something_is_left }, 1);
}

void run_failures(void)
{
    if (ka_nt_pool_init(&pool, &(ka_nt_pool_options){ .tag = KA_TAG('t', 'u', 'r', 'n') }))
        take_turns("turns over the pool", &pool.allocator);
    if (kernel != NULL)
        take_turns("turns over contiguous memory", ka_physical);
    kit_run("each allocation fails in turn", cases, KIT_COUNT(cases));
}
