/* heap_misuse_test.c: callers' errors: each is reported once, with its kind,
 * and the heap goes on as if it had not been. On a heap without magazines at
 * once; with them, what the magazine cannot see is found when it is flushed.
 */
#include "heap_fixture.h"

#include "heap_inside.h"

#define MIB ((size_t)1 << 20)

static ka_heap heap;
static char *range;
static size_t range_size;

static bool open_heap(bool magazines)
{
    range_size = magazines ? (size_t)ka_port_cpu_count() * 4 * MIB + 16 * MIB : MIB;
    range = fixture_map(range_size, 4096, PROT_READ | PROT_WRITE);
    reports_clear();
    return range != NULL && ka_heap_init(&heap, &(ka_heap_options){ .base = range, .size = range_size });
}

/* Nothing was changed by the error: the heap is sound, and `live` blocks are
 * live. */
static void sound(size_t live)
{
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_get_stats(&heap.allocator).live_blocks == live);
}

static void close_heap(void)
{
    KIT_EXPECT(reports.count == 0);
    sound(0);
    KIT_EXPECT(ka_heap_fini(&heap) == 0 && reports.count == 0);
    munmap(range, range_size);
}

static void *take(size_t size)
{
    return ka_heap_alloc(&heap, size, 16, 0);
}

/* ---- at once ---- */

static void double_free_in_the_slab(void)
{
    KIT_CHECK(open_heap(false));
    void *a = take(100), *b = take(100), *c = take(100); /* b and c keep the slab */
    ka_heap_free(&heap, a, 100, 16);
    ka_heap_free(&heap, a, 100, 16);
    KIT_EXPECT(reports.site != NULL && reports.allocator == &heap.allocator && reports.size == 112);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, a));
    ka_free(&heap.allocator, a, 100, 16);
    KIT_EXPECT(reports.site != NULL && reported(KA_MISUSE_DOUBLE_FREE, a));
    ka_heap_free_unsized(&heap, a);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, a));
    sound(2);
    void *again = take(100), *other = take(100);
    KIT_EXPECT(again != other && again != b && other != b && again != c && other != c);
    void *four[] = { again, b, other, c };
    ka_heap_free_many(&heap, 100, 16, 4, four);
    close_heap();
}

/* When the first free has ended the slab, and its pages are free. */
static void double_free_behind_the_slab(void)
{
    KIT_CHECK(open_heap(false));
    void *a = take(5000);
    ka_heap_free(&heap, a, 5000, 16);
    KIT_EXPECT(ka_heap_break_up(&heap));
    ka_heap_free(&heap, a, 5000, 16);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, a));
    ka_heap_free_unsized(&heap, a);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, a));
    sound(0);
    close_heap();
}

static void foreign(void)
{
    static _Alignas(4096) char elsewhere[8192];
    KIT_CHECK(open_heap(false));
    void *const strange[] = { elsewhere, elsewhere + 16, range - 4096, range + range_size, range, range + 4096 };
    for (size_t i = 0; i < KIT_COUNT(strange); i++) { /* the last two: the record */
        ka_heap_free(&heap, strange[i], 100, 16);
        KIT_EXPECT(reported(KA_MISUSE_FOREIGN, strange[i]));
        ka_heap_free(&heap, strange[i], 100000, 16);
        KIT_EXPECT(reported(KA_MISUSE_FOREIGN, strange[i]));
        ka_heap_free_unsized(&heap, strange[i]);
        KIT_EXPECT(reported(KA_MISUSE_FOREIGN, strange[i]));
    }
    close_heap();
}

static void interior(void)
{
    KIT_CHECK(open_heap(false));
    char *a = take(100), *b = take(5000);
    static const size_t offsets[] = { 1, 8, 16, 96, 111 };
    for (size_t i = 0; i < KIT_COUNT(offsets); i++) {
        ka_heap_free(&heap, a + offsets[i], 100, 16);
        KIT_EXPECT(reported(KA_MISUSE_INTERIOR, a + offsets[i]));
        ka_heap_free_unsized(&heap, a + offsets[i]);
        KIT_EXPECT(reported(KA_MISUSE_INTERIOR, a + offsets[i]));
        ka_heap_free(&heap, b + offsets[i], 100000, 16);
        KIT_EXPECT(reported(KA_MISUSE_INTERIOR, b + offsets[i]));
    }
    ka_heap_free(&heap, b + 4096, 5000, 16);
    KIT_EXPECT(reported(KA_MISUSE_INTERIOR, b + 4096));
    sound(2);
    ka_heap_free(&heap, a, 100, 16);
    ka_heap_free(&heap, b, 5000, 16);
    close_heap();
}

static void wrong_size(void)
{
    static const size_t wrong[] = { 1, 96, 113, 1000, 32768, 32769, 100000 };
    KIT_CHECK(open_heap(false));
    void *before = take(100), *a = take(100); /* a is not the first of its page */
    for (size_t i = 0; i < KIT_COUNT(wrong); i++) {
        ka_heap_free(&heap, a, wrong[i], 16);
        KIT_EXPECT(reported(KA_MISUSE_WRONG_SIZE, a));
    }
    ka_heap_free(&heap, a, 100, 256);
    KIT_EXPECT(reported(KA_MISUSE_WRONG_SIZE, a));
    ka_heap_free(&heap, a, 100, 8192);
    KIT_EXPECT(reported(KA_MISUSE_WRONG_SIZE, a));
    sound(2);
    ka_heap_free(&heap, a, 100, 16);
    ka_heap_free(&heap, before, 100, 16);
    close_heap();
}

static void runs(void)
{
    KIT_CHECK(open_heap(false));
    char *a = take(100000), *b = take(100000);
    KIT_CHECK(a != NULL && b != NULL);
    static const size_t wrong[] = { 100, 32768, 33000, 98304, 102401, 500000 };
    for (size_t i = 0; i < KIT_COUNT(wrong); i++) {
        ka_heap_free(&heap, a, wrong[i], 16);
        KIT_EXPECT(reported(KA_MISUSE_WRONG_SIZE, a));
    }
    static const size_t offsets[] = { 1, 16, 4096, 8192, 8208, 98304 };
    for (size_t i = 0; i < KIT_COUNT(offsets); i++) {
        ka_heap_free(&heap, a + offsets[i], 100000, 16);
        KIT_EXPECT(reported(KA_MISUSE_INTERIOR, a + offsets[i]));
        ka_heap_free(&heap, a + offsets[i], 100, 16);
        KIT_EXPECT(reported(KA_MISUSE_INTERIOR, a + offsets[i]));
        ka_heap_free_unsized(&heap, a + offsets[i]);
        KIT_EXPECT(reported(KA_MISUSE_INTERIOR, a + offsets[i]));
    }
    sound(2);
    ka_heap_free(&heap, a, 100000, 16);
    ka_heap_free(&heap, a, 100000, 16);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, a));
    ka_heap_free_unsized(&heap, a);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, a));
    sound(1);
    ka_heap_free(&heap, b, 102400, 16);
    close_heap();
}

/* A resize that says the wrong size does not free the block. */
static void resize_of_the_wrong_size(void)
{
    KIT_CHECK(open_heap(false));
    char *a = take(100000);
    void *moved = ka_heap_resize(&heap, a, 200000, 16, 50000, 16, 0);
    KIT_EXPECT(moved != NULL && moved != a && reported(KA_MISUSE_WRONG_SIZE, a));
    sound(2);
    ka_heap_free(&heap, moved, 50000, 16);
    ka_heap_free(&heap, a, 100000, 16);
    close_heap();
}

/* ---- with magazines ---- */

static void double_free_of_the_newest(void)
{
    KIT_CHECK(open_heap(true));
    for (size_t size = 16; size < 9000; size = size * 3 / 2) {
        void *a = take(size), *b = take(size);
        ka_heap_free(&heap, a, size, 16);
        ka_heap_free(&heap, a, size, 16);
        KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, a));
        ka_heap_free_unsized(&heap, a);
        KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, a));
        ka_heap_free(&heap, b, size, 16);
        sound(0);
    }
    ka_heap_flush(&heap);
    KIT_EXPECT(reports.count == 0);
    close_heap();
}

static void found_at_flush(void)
{
    static char elsewhere[64];
    KIT_CHECK(open_heap(true));
    void *a = take(100), *b = take(100);
    ka_heap_free(&heap, a, 100, 16);
    ka_heap_free(&heap, b, 100, 16);
    ka_heap_free(&heap, a, 100, 16); /* is not the newest */
    KIT_EXPECT(reports.count == 0);
    KIT_EXPECT(ka_heap_check(&heap) != NULL);
    ka_heap_flush(&heap);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, a));
    sound(0);

    char *c = take(100), *d = take(300), *e = take(50000), *f = take(100);
    ka_heap_free(&heap, c + 16, 100, 16);
    KIT_EXPECT(ka_heap_check(&heap) != NULL);
    ka_heap_flush(&heap);
    KIT_EXPECT(reported(KA_MISUSE_INTERIOR, c + 16));
    ka_heap_free(&heap, d, 100, 16);
    KIT_EXPECT(ka_heap_check(&heap) != NULL);
    ka_heap_flush(&heap);
    KIT_EXPECT(reported(KA_MISUSE_WRONG_SIZE, d));
    ka_heap_free(&heap, e, 100, 16);
    ka_heap_flush(&heap);
    KIT_EXPECT(reported(KA_MISUSE_WRONG_SIZE, e));
    ka_heap_free(&heap, elsewhere, 100, 16);
    ka_heap_free(&heap, f, 100, 16); /* good ones around a bad one get home */
    ka_heap_flush(&heap);
    KIT_EXPECT(reported(KA_MISUSE_FOREIGN, elsewhere));
    sound(3);
    ka_heap_free(&heap, c, 100, 16);
    ka_heap_free(&heap, d, 300, 16);
    ka_heap_free(&heap, e, 50000, 16);
    ka_heap_flush(&heap);
    close_heap();
}

/* A full magazine empties its older half: with what is wrong in it. */
static void found_when_the_magazine_is_full(void)
{
    static void *blocks[5000];
    KIT_CHECK(open_heap(true));
    KIT_CHECK((blocks[0] = take(64)) != NULL);
    size_t count = 3 * inside_capacity(inside_of(&heap, 64));
    KIT_CHECK(count <= KIT_COUNT(blocks));
    for (size_t i = 1; i < count; i++)
        KIT_CHECK((blocks[i] = take(64)) != NULL);
    for (size_t i = 0; i < count; i++) {
        ka_heap_free(&heap, blocks[i], 64, 16);
        if (i == 2)
            ka_heap_free(&heap, blocks[0], 64, 16);
    }
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, blocks[0]));
    sound(0);
    ka_heap_flush(&heap);
    close_heap();
}

/* By the unsized free too, and the page runs report at once as without
 * magazines. */
static void runs_with_magazines(void)
{
    KIT_CHECK(open_heap(true));
    char *a = take(100000);
    ka_heap_free_unsized(&heap, a + 4096);
    KIT_EXPECT(reported(KA_MISUSE_INTERIOR, a + 4096));
    ka_heap_free(&heap, a, 200000, 16);
    KIT_EXPECT(reported(KA_MISUSE_WRONG_SIZE, a));
    ka_heap_free_unsized(&heap, a);
    ka_heap_free_unsized(&heap, a);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, a));
    sound(0);

    /* What was freed last is parked: the next of the same length gets it, cleared if it wants, and nobody twice. */
    a = take(100000);
    kit_stamp(a, 100000, 1);
    ka_heap_free(&heap, a, 100000, 16);
    char *again = ka_heap_alloc(&heap, 99000, 16, KA_ZERO);
    char *other = take(100000);
    KIT_EXPECT(again == a && other != NULL && other != a);
    for (size_t i = 0; i < 99000; i++)
        KIT_CHECK(again[i] == 0);
    sound(2);
    ka_heap_free(&heap, again, 99000, 16);
    ka_heap_free(&heap, other, 100000, 16);
    ka_heap_free(&heap, again, 99000, 16);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, again));
    ka_heap_flush(&heap);
    ka_heap_free(&heap, other, 100000, 16);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, other));
    sound(0);
    close_heap();
}

/* Each length that can be parked has a place, each place its length, and rounding wastes less than an eighth. */
static void lengths_of_parked_runs(void)
{
    for (unsigned index = 0; index < KA_PARK_LENGTHS; index++) {
        uint32_t pages = ka_park_pages(index);
        KIT_CHECK(ka_park_index(pages) == index);
        KIT_CHECK(ka_park_round(pages, 256) == pages);
        KIT_CHECK(index == 0 || ka_park_pages(index - 1) < pages);
    }
    KIT_EXPECT(ka_park_pages(KA_PARK_LENGTHS - 1) == 256);
    for (uint32_t pages = 1; pages <= 256; pages++) {
        size_t rounded = ka_park_round(pages, 256);
        KIT_CHECK(rounded >= pages && (rounded - pages) * 8 < pages);
        KIT_CHECK(ka_park_pages(ka_park_index((uint32_t)rounded)) == rounded);
        KIT_CHECK(ka_park_index(pages) == ka_park_index((uint32_t)rounded));
    }
    KIT_EXPECT(ka_park_round(257, 256) == 257 && ka_park_round(99, 50) == 99);
}

/* Some of each length are parked, and no more pages than a CPU may park; what gives way is free again. Wherever a run
 * is, a second free is found, and the statistics are those of a heap that has nothing. */
static void parked_runs_give_way(void)
{
    enum { EACH = KA_PARK_EACH + 1, RUNS = EACH * 28 };
    static void *runs[RUNS];
    KIT_CHECK(open_heap(true));
    ka_heap_free(&heap, take(16), 16, 16); /* now there are magazines */
    const ka_magazines *m = ka_heap_magazines(&heap);
    KIT_CHECK(m != &ka_no_magazines);
    for (unsigned i = 0; i < RUNS; i++)
        runs[i] = take((size_t)(9 + i / EACH) << 12);
    KIT_CHECK(m->parked_most >= 64 && heap.table->park_pages >= 16);
    sound(RUNS);
    size_t most = 0;
    for (unsigned i = 0; i < RUNS; i++) {
        KIT_CHECK(runs[i] != NULL);
        ka_heap_free_unsized(&heap, runs[i]);
        most = ka_max(most, m->parked_pages);
        KIT_CHECK(m->parked_pages <= m->parked_most);
        KIT_CHECK_SOUND(ka_heap_check(&heap));
        ka_heap_free_unsized(&heap, runs[i]);
        KIT_CHECK(reported(KA_MISUSE_DOUBLE_FREE, runs[i]));
        ka_heap_free_unsized(&heap, runs[i / 2]);
        KIT_CHECK(reported(KA_MISUSE_DOUBLE_FREE, runs[i / 2]));
    }
    KIT_EXPECT(most > heap.table->park_pages);
    KIT_EXPECT(ka_get_stats(&heap.allocator).live == 0);
    sound(0);
    ka_heap_flush(&heap);
    KIT_EXPECT(m->parked_pages == 0 && ka_heap_outside(&heap) == 0);
    close_heap();
}

/* Where all memory is in use but for what is parked, a run longer than any of these is made of the longest ones, and
 * the others stay. */
static void longest_parked_runs_first(void)
{
    enum { PAGE = 4096, SHORT = 10, LONG = 16 };
    static void *rest[8192];
    size_t count = 0;
    KIT_CHECK(open_heap(true));
    ka_heap_free(&heap, take(16), 16, 16); /* now there are magazines */
    const ka_magazines *m = ka_heap_magazines(&heap);
    void *short_one = take(SHORT * PAGE), *between = take(SHORT * PAGE), *low = take(LONG * PAGE),
         *high = take(LONG * PAGE);
    KIT_CHECK(m->parked_most >= SHORT + 2 * LONG && (char *)high == (char *)low + LONG * PAGE);
    for (size_t pages = 256; pages >= 9; pages /= 2)
        while (count < KIT_COUNT(rest) && (rest[count] = take(pages * PAGE)) != NULL)
            count++;
    while (count < KIT_COUNT(rest) && (rest[count] = take(9 * PAGE)) != NULL)
        count++;
    ka_heap_free(&heap, short_one, SHORT * PAGE, 16);
    ka_heap_free(&heap, low, LONG * PAGE, 16);
    ka_heap_free(&heap, high, LONG * PAGE, 16);
    KIT_EXPECT(m->parked_pages == SHORT + 2 * LONG);
    void *run = take(2 * LONG * PAGE);
    KIT_EXPECT(run == low && m->parked_pages == SHORT);
    ka_heap_free_unsized(&heap, run);
    ka_heap_free_unsized(&heap, between);
    while (count > 0)
        ka_heap_free_unsized(&heap, rest[--count]);
    close_heap();
}

static const kit_case cases[] = {
    { "double free: the slab has the block", double_free_in_the_slab },
    { "double free: the slab is gone", double_free_behind_the_slab },
    { "foreign pointers", foreign },
    { "interior pointers", interior },
    { "wrong size", wrong_size },
    { "page runs", runs },
    { "resize of the wrong size", resize_of_the_wrong_size },
    { "magazine: double free of the newest", double_free_of_the_newest },
    { "magazine: found at flush", found_at_flush },
    { "magazine: found when it is full", found_when_the_magazine_is_full },
    { "magazine: page runs", runs_with_magazines },
    { "magazine: lengths of parked runs", lengths_of_parked_runs },
    { "magazine: parked runs give way", parked_runs_give_way },
    { "magazine: the longest parked runs give way first", longest_parked_runs_first },
};

int main(void)
{
    return kit_main("heap_misuse", cases, KIT_COUNT(cases));
}
