/* heap_model_test.c: random operations on heaps of several shapes, each beside
 * a plain model (heap_model.h). On the small heaps ka_heap_check runs after
 * every step. The ranges are unaligned on purpose and lie between two pages
 * that are watched. Argument: how many times the usual count of steps.
 */
#include "heap_fixture.h"
#include "heap_model.h"

#include <stdlib.h>

#define GUARD 4096

static ka_heap heap;
static model m;
static unsigned long times = 1;

typedef struct shape {
    size_t size; /* bytes of the range */
    size_t most; /* largest request in mind */
    unsigned steps, check_every;
    unsigned page_shift, segment_shift; /* 0: the usual */
    bool source;                        /* pages come and go, and commits fail now and then */
} shape;

static ka_flags random_flags(kit_random *random)
{
    static const ka_flags contexts[] = { KA_NOWAIT, KA_ATOMIC, KA_ANY_CONTEXT };
    ka_flags flags = kit_below(random, 4) == 0 ? KA_ZERO : 0;
    return kit_below(random, 8) == 0 ? flags | contexts[kit_below(random, 3)] : flags;
}

static const char *random_step(kit_random *random, const shape *s)
{
    uint64_t what = kit_below(random, 1000);
    size_t at = kit_below(random, m.count + 1), size = kit_size(random, 300, s->most), align = kit_align(random, 4, 16);
    ka_flags flags = random_flags(random);
    bool crowded = kit_below(random, 4) != 0 && m.live > heap.size / 8 * 7;
    if (what >= 995) {
        (void)ka_heap_trim(&heap, kit_below(random, s->size));
        return model_check(&m);
    }
    if (what >= 990) {
        ka_heap_flush(&heap);
        return model_check(&m);
    }
    if (what >= 988 && s->source) {
        (void)ka_heap_commit(&heap, kit_below(random, s->size / 4));
        return model_check(&m);
    }
    if (what >= 970)
        return model_alloc_many(&m, size, align, flags, kit_below(random, 33));
    if (at == m.count || (what < 420 && !crowded))
        return model_alloc(&m, size, align, flags, (unsigned)what);
    if (what < 780)
        return model_free(&m, at, (unsigned)kit_next(random));
    return model_resize(&m, at, size, align, flags);
}

static void random_life(const shape *s, uint64_t seed)
{
    kit_random random = { seed };
    size_t page = (size_t)1 << (s->page_shift != 0 ? s->page_shift : 12);
    char *base = NULL;
    ka_heap_options options = { .size = s->size, .page_shift = s->page_shift, .segment_shift = s->segment_shift };
    fixture_open();
    if (s->source) {
        options.source = &fixture_source;
    } else {
        base = fixture_map(s->size + 2 * page, page, PROT_READ | PROT_WRITE);
        KIT_CHECK(base != NULL);
        memset(base, 0x5a, s->size + 2 * page);
        options.base = base + page;
    }
    KIT_CHECK(ka_heap_init(&heap, &options));
    model_init(&m, &heap, s->check_every);
    m.scarce = s->source;
    for (unsigned long step = 0; step < s->steps * times; step++) {
        if (s->source && kit_below(&random, 100) == 0)
            fixture_fail(kit_below(&random, 20), false);
        KIT_CHECK_SOUND(random_step(&random, s));
    }
    size_t live = m.count;
    KIT_CHECK_SOUND(model_close(&m));
    kit_note("%zu KiB: %zu steps, %zu refused, %zu blocks live at the end", s->size >> 10, m.steps, m.refused, live);
    KIT_EXPECT(m.refused > 0 || s->most < s->size / 16);
    if (s->source) {
        kit_note("%lu commits, %lu of them refused, %lu decommits", fixture.commits, fixture.refusals,
                 fixture.decommits);
        KIT_EXPECT(fixture.faults == 0 && fixture.refusals > 0 && fixture.decommits > 0);
    }
    KIT_EXPECT(ka_heap_fini(&heap) == 0);
    for (size_t i = 0; base != NULL && i < page; i++)
        KIT_CHECK(base[i] == 0x5a && base[page + s->size + i] == 0x5a);
    if (base != NULL)
        munmap(base, s->size + 2 * page);
}

static void small(void)
{
    random_life(&(shape){ 256 << 10, 64 << 10, 60000, 1, 0, 0, false }, 1);
}
static void small_whole(void)
{
    random_life(&(shape){ 256 << 10, 256 << 10, 40000, 1, 0, 0, false }, 2);
}
static void megabyte(void)
{
    random_life(&(shape){ 1 << 20, 128 << 10, 30000, 1, 0, 0, false }, 3);
}
static void odd(void)
{
    random_life(&(shape){ (300 << 10) + 4096, 64 << 10, 20000, 1, 0, 0, false }, 4);
}
static void pages_16k(void)
{
    random_life(&(shape){ 1 << 20, 128 << 10, 20000, 1, 14, 0, false }, 5);
}
static void pages_64k(void)
{
    random_life(&(shape){ 4 << 20, 1 << 20, 10000, 1, 16, 0, false }, 6);
}
static void segments(void)
{
    random_life(&(shape){ (7 << 20) + 12288, 1 << 20, 60000, 20, 0, 21, false }, 7);
}
static void sourced_small(void)
{
    random_life(&(shape){ 1 << 20, 128 << 10, 30000, 1, 0, 0, true }, 8);
}
static void sourced_segments(void)
{
    random_life(&(shape){ 9 << 20, 1 << 20, 60000, 20, 0, 21, true }, 9);
}
static void magazines(void)
{
    random_life(&(shape){ 32 << 20, 16 << 10, 700000, 1000, 0, 0, false }, 10);
}
static void magazines_tight(void)
{
    size_t size = (size_t)ka_port_cpu_count() * (4 << 20) + (1 << 20);
    random_life(&(shape){ size, 1 << 20, 150000, 1000, 0, 0, false }, 12);
}
static void magazines_full(void)
{
    random_life(&(shape){ 20 << 20, 4 << 20, 200000, 1000, 0, 0, true }, 11);
}

int main(int argc, char **argv)
{
    static const kit_case cases[] = {
        { "256 KiB, checked at each step", small },
        { "256 KiB, requests up to all of it", small_whole },
        { "1 MiB, checked at each step", megabyte },
        { "a range of odd size", odd },
        { "pages of 16 KiB", pages_16k },
        { "pages of 64 KiB", pages_64k },
        { "four segments", segments },
        { "over a page source that refuses now and then", sourced_small },
        { "five segments over such a source", sourced_segments },
        { "with magazines", magazines },
        { "with magazines, often full", magazines_tight },
        { "with magazines, often full, over a source", magazines_full },
    };
    times = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    return kit_main("heap_model", cases, KIT_COUNT(cases));
}
