/* reserve_test.c: blocks are there when they are needed; nothing calls out but refill; low water once; surplus; misuse;
 * each inner allocation failing in turn; and a model of 200,000 steps, with ka_reserve_check after each. */
#include "heap_fixture.h"

#include <ka/failing.h>
#include <ka/reserve.h>

#include "kit_malloc.h"

#define SLOTS 200u

static kit_malloc inner;
static ka_reserve reserve;
static _Alignas(8) char memory[KA_RESERVE_SIZE(SLOTS)];
static void *held[SLOTS];

static struct {
    size_t calls, left;
    const ka_reserve *of;
    bool nested; /* takes a block itself */
} low;

static void on_low(void *context, ka_reserve *r, size_t left)
{
    KIT_EXPECT(context == &low);
    low.calls++;
    low.left = left;
    low.of = r;
    if (low.nested)
        ka_reserve_free(r, ka_reserve_alloc(r, KA_ANY_CONTEXT));
}

static ka_reserve_options options_of(size_t count, size_t slots)
{
    return (ka_reserve_options){ .inner = &inner.allocator,
                                 .size = 64,
                                 .align = 32,
                                 .count = count,
                                 .slots = slots,
                                 .memory = memory,
                                 .low_water = on_low,
                                 .context = &low };
}

static bool open_reserve(const ka_reserve_options *o)
{
    reports_clear();
    memset(&low, 0, sizeof low);
    memset(memory, 0xa5, sizeof memory);
    kit_malloc_init(&inner);
    return ka_reserve_init(&reserve, o);
}

static void close_reserve(void)
{
    KIT_CHECK_SOUND(ka_reserve_check(&reserve));
    KIT_EXPECT(ka_reserve_fini(&reserve) == 0);
    KIT_EXPECT(kit_malloc_clean(&inner));
    KIT_EXPECT(reports.count == 0);
}

static size_t take(size_t count)
{
    size_t done = 0;
    while (done < count && (held[done] = ka_reserve_alloc(&reserve, KA_ANY_CONTEXT)) != NULL)
        done++;
    return done;
}

static void give(size_t count)
{
    for (size_t i = 0; i < count; i++)
        ka_reserve_free(&reserve, held[i]);
}

/* ---- cases ---- */

static void fills(void)
{
    for (size_t count = 1; count <= 100; count++) {
        ka_reserve_options o = options_of(count, 0);
        KIT_CHECK(open_reserve(&o));
        KIT_EXPECT(inner.live_blocks == count && inner.live_bytes == count * 64 && ka_reserve_left(&reserve) == count);
        size_t calls = inner.allocs;
        KIT_EXPECT(take(SLOTS) == count && ka_reserve_left(&reserve) == 0);
        KIT_CHECK_SOUND(ka_reserve_check(&reserve));
        for (size_t i = 0; i < count; i++) {
            KIT_EXPECT((uintptr_t)held[i] % 32 == 0);
            kit_stamp(held[i], 64, i);
        }
        for (size_t i = 0; i < count; i++)
            KIT_EXPECT(kit_stamped(held[i], 64, i));
        KIT_EXPECT(ka_reserve_alloc(&reserve, 0) == NULL);
        give(count);
        KIT_EXPECT(ka_reserve_left(&reserve) == count && inner.allocs == calls && inner.live_blocks == count);
        close_reserve();
    }
}

static void bad_options(void)
{
    ka_reserve_options good = options_of(10, 20), bad[11];
    for (unsigned i = 0; i < KIT_COUNT(bad); i++)
        bad[i] = good;
    bad[0].inner = NULL;
    bad[1].memory = NULL;
    bad[2].memory = memory + 4;
    bad[3].size = 0;
    bad[4].align = 24;
    bad[5].count = 0;
    bad[6].slots = 9;
    bad[7].slots = KA_RESERVE_MAX_SLOTS + 1;
    bad[8].low = 11;
    bad[9].size = PTRDIFF_MAX;
    bad[10].count = SIZE_MAX / 2 + 2; /* twice that would wrap */
    for (unsigned i = 0; i < KIT_COUNT(bad); i++) {
        KIT_EXPECT(!open_reserve(&bad[i]));
        KIT_EXPECT(kit_malloc_clean(&inner) && inner.allocs == 0);
    }
    KIT_CHECK(open_reserve(&good));
    close_reserve();
}

static void low_water(void)
{
    ka_reserve_options o = options_of(10, 40);
    o.low = 4;
    KIT_CHECK(open_reserve(&o));
    KIT_CHECK(take(6) == 6);
    KIT_EXPECT(low.calls == 0);
    void *seventh = ka_reserve_alloc(&reserve, 0);
    KIT_EXPECT(low.calls == 1 && low.left == 3 && low.of == &reserve);
    ka_reserve_free(&reserve, seventh);
    seventh = ka_reserve_alloc(&reserve, 0); /* once */
    KIT_EXPECT(low.calls == 1);
    KIT_EXPECT(ka_reserve_refill(&reserve, 0) && ka_reserve_left(&reserve) == 10);
    low.nested = true; /* it may use the reserve itself */
    void *more[7];
    for (unsigned i = 0; i < 7; i++)
        KIT_CHECK((more[i] = ka_reserve_alloc(&reserve, 0)) != NULL);
    KIT_EXPECT(low.calls == 2);
    inner.limit = 1; /* nothing to be had: not told anew */
    KIT_EXPECT(!ka_reserve_refill(&reserve, 0));
    void *last = ka_reserve_alloc(&reserve, 0);
    KIT_EXPECT(last != NULL && low.calls == 2);
    inner.limit = 0;
    for (unsigned i = 0; i < 7; i++)
        ka_reserve_free(&reserve, more[i]);
    ka_reserve_free(&reserve, seventh);
    ka_reserve_free(&reserve, last);
    give(6);
    close_reserve();

    o.low_water = NULL;
    KIT_CHECK(open_reserve(&o));
    KIT_CHECK(take(10) == 10);
    give(10);
    close_reserve();
}

static void surplus(void)
{
    ka_reserve_options o = options_of(10, 30);
    KIT_CHECK(open_reserve(&o));
    KIT_CHECK(take(10) == 10 && ka_reserve_refill(&reserve, 0));
    KIT_EXPECT(inner.live_blocks == 20 && ka_reserve_left(&reserve) == 10);
    give(10);
    KIT_EXPECT(ka_reserve_left(&reserve) == 20 && inner.live_blocks == 20); /* free never calls out */
    KIT_CHECK_SOUND(ka_reserve_check(&reserve));
    KIT_EXPECT(ka_reserve_refill(&reserve, 0));
    KIT_EXPECT(ka_reserve_left(&reserve) == 10 && inner.live_blocks == 10);
    KIT_CHECK_SOUND(ka_reserve_check(&reserve));

    KIT_CHECK(take(10) == 10 && ka_reserve_refill(&reserve, 0)); /* 10 out, 10 in */
    void *second[10];
    for (unsigned i = 0; i < 10; i++)
        KIT_CHECK((second[i] = ka_reserve_alloc(&reserve, 0)) != NULL);
    KIT_EXPECT(ka_reserve_refill(&reserve, 0) && inner.live_blocks == 30);
    void *third = ka_reserve_alloc(&reserve, 0);
    KIT_EXPECT(!ka_reserve_refill(&reserve, 0)); /* no slot is left */
    KIT_EXPECT(inner.live_blocks == 30 && ka_reserve_left(&reserve) == 9);
    ka_reserve_free(&reserve, third);
    for (unsigned i = 0; i < 10; i++)
        ka_reserve_free(&reserve, second[i]);
    give(10);
    KIT_EXPECT(ka_reserve_left(&reserve) == 30);
    close_reserve();
}

static void flags(void)
{
    ka_reserve_options o = options_of(4, 8);
    KIT_CHECK(open_reserve(&o));
    KIT_EXPECT(inner.flags == 0);
    KIT_CHECK(take(4) == 4);
    memset(held[0], 0xff, 64);
    ka_reserve_free(&reserve, held[0]);
    held[0] = ka_reserve_alloc(&reserve, KA_ZERO | KA_ATOMIC);
    for (unsigned i = 0; i < 64; i++)
        KIT_EXPECT(((char *)held[0])[i] == 0);
    KIT_EXPECT(ka_reserve_refill(&reserve, KA_ATOMIC) && inner.flags == KA_ATOMIC);
    KIT_EXPECT(ka_reserve_alloc(&reserve, KA_PAGEABLE) == NULL && ka_reserve_alloc(&reserve, 32) == NULL);
    KIT_EXPECT(ka_reserve_left(&reserve) == 4);
    give(4);
    close_reserve();
}

static void interface(void)
{
    ka_reserve_options o = options_of(4, 8);
    KIT_CHECK(open_reserve(&o));
    ka_allocator *a = &reserve.allocator;
    char *p = ka_alloc(a, 50, 16, 0);
    KIT_CHECK(p != NULL);
    KIT_EXPECT(ka_usable(a, p, 50, 16) == 64);
    KIT_EXPECT(ka_alloc(a, 65, 16, 0) == NULL && ka_alloc(a, 64, 64, 0) == NULL);
    memset(p, 0x11, 64);
    KIT_EXPECT(ka_resize(a, p, 50, 16, 60, 16, KA_ZERO) == p && p[49] == 0x11 && p[50] == 0 && p[59] == 0 &&
               p[60] == 0x11);
    KIT_EXPECT(ka_resize(a, p, 60, 16, 65, 16, 0) == NULL);
    ka_stats s = ka_get_stats(a);
    KIT_EXPECT(s.total == 256 && s.live == 64 && s.live_blocks == 1 && s.free_blocks == 3);
    ka_free(a, p, 65, 16);
    KIT_EXPECT(reported(KA_MISUSE_WRONG_SIZE, p));
    ka_free(a, p, 60, 16);
    ka_reserve_free(&reserve, NULL);
    KIT_CHECK_SOUND(ka_check(a));
    close_reserve();
}

typedef struct visited {
    size_t live, free;
} visited;

static bool visit_one(void *context, const void *block, size_t size, bool live)
{
    visited *v = context;
    v->live += live;
    v->free += !live;
    return block != NULL && size == 64 && v->live + v->free < 15;
}

static void walks(void)
{
    ka_reserve_options o = options_of(10, 0);
    KIT_CHECK(open_reserve(&o));
    visited v = { 0, 0 };
    KIT_CHECK(take(3) == 3);
    KIT_EXPECT(ka_walk(&reserve.allocator, visit_one, &v) && v.live == 3 && v.free == 7);
    KIT_EXPECT(ka_reserve_refill(&reserve, 0));
    KIT_EXPECT(ka_walk(&reserve.allocator, visit_one, &(visited){ 1, 0 }));
    KIT_EXPECT(!ka_walk(&reserve.allocator, visit_one, &(visited){ 10, 0 }));
    give(3);
    close_reserve();
}

static void misuse(void)
{
    ka_reserve_options o = options_of(70, 100);
    KIT_CHECK(open_reserve(&o));
    KIT_CHECK(take(70) == 70);
    char local[64], *p = held[66];
    ka_reserve_free(&reserve, local);
    KIT_EXPECT(reported(KA_MISUSE_FOREIGN, local));
    ka_reserve_free(&reserve, p + 63);
    KIT_EXPECT(reported(KA_MISUSE_INTERIOR, p + 63));
    ka_reserve_free(&reserve, p);
    ka_reserve_free(&reserve, held[2]);
    ka_reserve_free(&reserve, p);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, p));
    KIT_EXPECT(ka_reserve_left(&reserve) == 2);
    KIT_CHECK_SOUND(ka_reserve_check(&reserve));
    KIT_EXPECT(ka_reserve_alloc(&reserve, 0) != NULL && ka_reserve_alloc(&reserve, 0) != NULL);
    KIT_EXPECT(ka_reserve_alloc(&reserve, 0) == NULL); /* the double free gave nothing */
    KIT_CHECK(ka_reserve_refill(&reserve, 0) == false);
    give(70);
    KIT_CHECK(ka_reserve_refill(&reserve, 0) && inner.live_blocks == 70);
    size_t gone = 0;
    for (unsigned i = 0; i < 70; i++) { /* blocks that went back are not the reserve's any more */
        reports_clear();
        ka_reserve_free(&reserve, held[i]);
        gone += reports.of[KA_MISUSE_FOREIGN] == 1;
        KIT_EXPECT(reports.count == 1 && reports.of[KA_MISUSE_INTERIOR] == 0);
    }
    reports_clear();
    KIT_EXPECT(gone <= 30);
    close_reserve();
}

static void leaks(void)
{
    ka_reserve_options o = options_of(10, 20);
    KIT_CHECK(open_reserve(&o));
    KIT_CHECK(take(3) == 3);
    ka_reserve_free(&reserve, held[1]);
    KIT_EXPECT(ka_reserve_fini(&reserve) == 2);
    KIT_EXPECT(reports.count == 2 && reports.of[KA_MISUSE_LEAK] == 2 && reports.size == 64);
    KIT_EXPECT(inner.live_blocks == 2 && inner.errors == 0); /* still the inner allocator's */
    ka_free(&inner.allocator, held[0], 64, 32);
    ka_free(&inner.allocator, held[2], 64, 32);
    KIT_EXPECT(kit_malloc_clean(&inner));
}

static void checker(void)
{
    ka_reserve_options o = options_of(10, 20);
    KIT_CHECK(open_reserve(&o));
    reserve.left++;
    KIT_EXPECT(ka_reserve_check(&reserve) != NULL);
    reserve.left--;
    reserve.blocks[10] = reserve.blocks[3];
    KIT_EXPECT(ka_reserve_check(&reserve) != NULL);
    reserve.blocks[10] = 0;
    reserve.in[0] |= 1u << 15;
    KIT_EXPECT(ka_reserve_check(&reserve) != NULL);
    reserve.in[0] ^= 1u << 15 | 1u << 25;
    KIT_EXPECT(ka_reserve_check(&reserve) != NULL);
    reserve.in[0] ^= 1u << 25;
    close_reserve();
}

/* ---- failing ---- */

static bool work(ka_allocator *under)
{
    ka_reserve_options o = options_of(20, 60);
    o.inner = under;
    if (!ka_reserve_init(&reserve, &o))
        return false;
    size_t got = take(15);
    bool full = ka_reserve_refill(&reserve, 0);
    KIT_EXPECT(ka_reserve_check(&reserve) == NULL && full == (ka_reserve_left(&reserve) == 20));
    give(got);
    KIT_EXPECT(got == 15 && ka_reserve_refill(&reserve, 0)); /* one call failed, and no more */
    KIT_EXPECT(ka_reserve_left(&reserve) == 20 && ka_reserve_fini(&reserve) == 0);
    return full;
}

static void failing(void)
{
    unsigned long n, refused = 0;
    reports_clear();
    kit_malloc_init(&inner);
    for (n = 1;; n++) {
        ka_failing under;
        ka_failing_init(&under, &inner.allocator);
        ka_failing_set(&under, n);
        refused += !work(&under.allocator);
        KIT_CHECK(!kit_failed() && kit_malloc_clean(&inner) && reports.count == 0);
        if (ka_failing_failures(&under) == 0)
            break;
    }
    KIT_EXPECT(n == 36 && refused == 35); /* 20 of init, 15 of the refill */
}

/* ---- a model ---- */

typedef struct model {
    void *live[SLOTS];
    uint64_t seed[SLOTS];
    size_t count, left, low_calls;
    bool told;
    kit_random random;
} model;

static void model_take(model *m)
{
    void *block = ka_reserve_alloc(&reserve, 0);
    KIT_CHECK((block != NULL) == (m->left > 0));
    if (block == NULL)
        return;
    m->left--;
    if (m->left < reserve.low && !m->told) {
        m->told = true;
        m->low_calls++;
    }
    for (size_t i = 0; i < m->count; i++)
        KIT_CHECK(m->live[i] != block);
    m->seed[m->count] = kit_next(&m->random);
    m->live[m->count] = block;
    kit_stamp(block, 64, m->seed[m->count++]);
}

static void model_give(model *m, size_t at)
{
    KIT_CHECK(kit_stamped(m->live[at], 64, m->seed[at]));
    ka_reserve_free(&reserve, m->live[at]);
    m->count--;
    m->live[at] = m->live[m->count];
    m->seed[at] = m->seed[m->count];
    m->left++;
}

static void model_refill(model *m)
{
    bool full = ka_reserve_refill(&reserve, 0);
    size_t left = ka_reserve_left(&reserve), count = reserve.count;
    KIT_CHECK(full ? left == count : left >= (m->left < count ? m->left : count) && left < count);
    m->left = left;
    m->told = m->told && !full;
}

static void model_run(size_t count, size_t slots, size_t mark, unsigned long steps)
{
    static model m;
    static ka_failing under;
    ka_reserve_options o = options_of(count, slots);
    o.low = mark;
    o.inner = &under.allocator;
    kit_malloc_init(&inner);
    ka_failing_init(&under, &inner.allocator);
    KIT_CHECK(open_reserve(&o));
    ka_failing_set_chance(&under, 2000, count);
    memset(&m, 0, sizeof m);
    m.left = count;
    m.random.state = slots;
    for (unsigned long step = 0; step < steps; step++) {
        uint64_t dice = kit_next(&m.random);
        bool grow = step / 500 % 2 == 0 ? dice % 8 < 5 : dice % 8 < 3;
        if (dice % 64 == 63)
            model_refill(&m);
        else if (grow || m.count == 0)
            model_take(&m);
        else
            model_give(&m, (dice >> 8) % m.count);
        KIT_CHECK(!kit_failed());
        KIT_CHECK_SOUND(ka_reserve_check(&reserve));
        KIT_CHECK(ka_reserve_left(&reserve) == m.left && inner.live_blocks == m.left + m.count);
        KIT_CHECK(low.calls == m.low_calls && ka_get_stats(&reserve.allocator).live_blocks == m.count);
    }
    kit_note("%zu of %zu: %lu steps, low water told %zu times", count, slots, steps, low.calls);
    KIT_EXPECT(mark == 0 || low.calls > 100);
    while (m.count > 0)
        model_give(&m, 0);
    close_reserve();
}

static void model_usual(void)
{
    model_run(16, 64, 5, 100000);
}
static void model_one(void)
{
    model_run(1, 1, 1, 50000);
}
static void model_wide(void)
{
    model_run(70, 190, 69, 50000);
}

int main(void)
{
    static const kit_case cases[] = {
        { "every block is there, and none twice", fills },
        { "options out of bounds", bad_options },
        { "low water is told once", low_water },
        { "surplus goes back in a refill", surplus },
        { "flags", flags },
        { "the interface", interface },
        { "walk", walks },
        { "misuse", misuse },
        { "leaks", leaks },
        { "the checker sees damage", checker },
        { "each inner allocation fails in turn", failing },
        { "model, 16 of 64", model_usual },
        { "model, 1 of 1", model_one },
        { "model, 70 of 190", model_wide },
    };
    return kit_main("reserve", cases, KIT_COUNT(cases));
}
