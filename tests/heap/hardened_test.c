/* hardened_test.c: the promises of a hardened heap, one by one. Random choices come from a fixed seed: the figures are
 * the same each time. */
#include "heap_fixture.h"
#include "heap_model.h"

#define MIB    ((size_t)1 << 20)
#define BLOCKS 300u

static ka_heap heap;
static model m;

static bool open_heap(size_t size, uint64_t seed)
{
    reports_clear();
    fixture_open();
    ka_heap_options options = { .source = &fixture_source, .size = size, .hardened = true, .seed = seed };
    return ka_heap_init(&heap, &options);
}

static void close_heap(void)
{
    KIT_EXPECT(reports.count == 0);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(ka_heap_fini(&heap) == 0 && reports.count == 0 && fixture.faults == 0);
}

/* Whatever was freed before or after: the second free of any of them is found, by size or without. */
static void every_double_free(void)
{
    static void *blocks[BLOCKS];
    for (size_t size = 16; size <= 4096; size *= 4) {
        KIT_CHECK(open_heap(64 * MIB, 1));
        for (unsigned i = 0; i < BLOCKS; i++)
            KIT_CHECK((blocks[i] = ka_heap_alloc(&heap, size, 16, 0)) != NULL);
        for (unsigned i = 0; i < BLOCKS; i++)
            ka_heap_free(&heap, blocks[i], size, 16);
        KIT_EXPECT(reports.count == 0);
        for (unsigned i = 0; i < BLOCKS; i++) {
            i % 2 == 0 ? ka_heap_free(&heap, blocks[i], size, 16) : ka_heap_free_unsized(&heap, blocks[i]);
            KIT_CHECK(reported(KA_MISUSE_DOUBLE_FREE, blocks[i]));
        }
        close_heap();
    }
}

static void wrong_frees(void)
{
    KIT_CHECK(open_heap(64 * MIB, 1));
    char *block = ka_heap_alloc(&heap, 100, 16, 0), *run = ka_heap_alloc(&heap, 100000, 16, 0);
    KIT_CHECK(block != NULL && run != NULL);
    kit_stamp(block, 100, 1);
    ka_heap_free(&heap, block, 300, 16);
    KIT_EXPECT(reported(KA_MISUSE_WRONG_SIZE, block));
    ka_heap_free(&heap, block + 16, 100, 16);
    KIT_EXPECT(reported(KA_MISUSE_INTERIOR, block + 16));
    ka_heap_free(&heap, &heap, 100, 16);
    KIT_EXPECT(reported(KA_MISUSE_FOREIGN, &heap));
    KIT_EXPECT(kit_stamped(block, 100, 1)); /* nothing was cleared */
    ka_heap_free(&heap, block, 100, 16);
    ka_heap_free(&heap, run, 100000, 16);
    KIT_EXPECT(reports.count == 0);
    ka_heap_free(&heap, run, 100000, 16);
    KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, run));
    close_heap();
}

static void clears(void)
{
    static const size_t sizes[] = { 16, 100, 1000, 5000, 30000, 100000 };
    KIT_CHECK(open_heap(64 * MIB, 1));
    for (unsigned i = 0; i < KIT_COUNT(sizes); i++) {
        unsigned char *block = ka_heap_alloc(&heap, sizes[i], 16, 0);
        KIT_CHECK(block != NULL);
        size_t usable = ka_heap_usable(&heap, block);
        memset(block, 0xa5, usable);
        ka_heap_free(&heap, block, sizes[i], 16);
        KIT_EXPECT(model_all_zero(block, usable)); /* its pages are still there: nothing was trimmed */
    }
    close_heap();
}

/* Not before as many other frees, however much is allocated meanwhile. */
static void delays(void)
{
    KIT_CHECK(open_heap(64 * MIB, 1));
    for (unsigned round = 0; round < 50; round++) {
        void *block = ka_heap_alloc(&heap, 64, 16, 0);
        ka_heap_free(&heap, block, 64, 16);
        for (unsigned i = 0; i < KA_HEAP_DELAYED; i++) {
            void *other = ka_heap_alloc(&heap, 64, 16, 0);
            KIT_CHECK(other != NULL && other != block);
            ka_heap_free(&heap, other, 64, 16);
        }
    }
    ka_stats stats = ka_get_stats(&heap.allocator);
    KIT_EXPECT(stats.live == 0 && stats.live_blocks == 0 && ka_heap_outside(&heap) == KA_HEAP_DELAYED * 64);
    ka_heap_flush(&heap);
    KIT_EXPECT(ka_heap_outside(&heap) == 0);
    close_heap();
}

/* Of 64 blocks of a fresh slab each place comes first about as often; neighbours in time are seldom neighbours in
 * memory; another seed gives another order. */
static void random_order(void)
{
    enum { ROUNDS = 6400, SIZE = 64 };
    static unsigned first[64];
    memset(first, 0, sizeof first);
    unsigned ascending = 0, same = 0;
    uintptr_t orders[2][64];
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (round % 100 == 0)
            KIT_CHECK(open_heap(16 * MIB, round + 1));
        uintptr_t blocks[64], low = UINTPTR_MAX;
        for (unsigned i = 0; i < 64; i++) {
            blocks[i] = (uintptr_t)ka_heap_alloc(&heap, SIZE, 16, 0);
            low = blocks[i] < low ? blocks[i] : low;
        }
        for (unsigned i = 0; i < 64; i++) {
            ascending += i > 0 && blocks[i] == blocks[i - 1] + SIZE;
            if (round % 100 == 0 && round < 200)
                orders[round / 100][i] = blocks[i] - low;
        }
        KIT_CHECK((blocks[0] - low) / SIZE < 64);
        first[(blocks[0] - low) / SIZE]++;
        for (unsigned i = 0; i < 64; i++)
            ka_heap_free(&heap, (void *)blocks[i], SIZE, 16);
        ka_heap_flush(&heap);
        if (round % 100 == 99)
            close_heap();
    }
    unsigned least = ROUNDS, most = 0;
    for (unsigned i = 0; i < 64; i++) {
        least = first[i] < least ? first[i] : least;
        most = first[i] > most ? first[i] : most;
        same += orders[0][i] == orders[1][i];
    }
    kit_note("first of 64: each place %u to %u times of %u; %u of %u next to the one before", least, most, ROUNDS,
             ascending, ROUNDS * 63);
    KIT_EXPECT(least > 60 && most < 145);      /* 100 expected, deviation 10 */
    KIT_EXPECT(ascending < ROUNDS * 63 / 30);  /* one in 64 expected */
    KIT_EXPECT(same < 10);
}

/* Without a seed each heap has an order of its own. */
static void seeds_of_the_port(void)
{
    uintptr_t orders[2][64];
    unsigned same = 0;
    for (unsigned round = 0; round < 2; round++) {
        KIT_CHECK(open_heap(16 * MIB, 0));
        for (unsigned i = 0; i < 64; i++)
            orders[round][i] = (uintptr_t)ka_heap_alloc(&heap, 64, 16, 0) - heap.base;
        for (unsigned i = 0; i < 64; i++)
            ka_heap_free(&heap, (void *)(heap.base + orders[round][i]), 64, 16);
        close_heap();
    }
    for (unsigned i = 0; i < 64; i++)
        same += orders[0][i] == orders[1][i];
    KIT_EXPECT(same < 32); /* one or two expected */
}

/* A small heap can still be used up to its last block, and the model holds. */
static void model_life(void)
{
    kit_random random = { 3 };
    KIT_CHECK(open_heap(4 * MIB, 3));
    model_init(&m, &heap, 100);
    for (unsigned step = 0; step < 30000; step++) {
        size_t at = kit_below(&random, m.count + 1), size = 1 + kit_below(&random, 3000);
        if (step % 16 == 0)
            size *= 20;
        if (at == m.count || kit_below(&random, 100) < 52)
            KIT_CHECK_SOUND(model_alloc(&m, size, 16, step % 4 == 0 ? KA_ZERO : 0, step));
        else if (step % 5 == 0)
            KIT_CHECK_SOUND(model_resize(&m, at, size, 16, 0));
        else
            KIT_CHECK_SOUND(model_free(&m, at, step));
    }
    KIT_CHECK_SOUND(model_close(&m));
    kit_note("%zu steps, %zu refused", m.steps, m.refused);
    KIT_EXPECT(m.refused > 100 && ka_heap_fini(&heap) == 0);
}

int main(void)
{
    static const kit_case cases[] = {
        { "every double free", every_double_free },
        { "wrong frees", wrong_frees },
        { "clears what is freed", clears },
        { "delays", delays },
        { "random order", random_order },
        { "a seed from the port", seeds_of_the_port },
        { "random life", model_life },
    };
    return kit_main("hardened", cases, KIT_COUNT(cases));
}
