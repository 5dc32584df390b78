/* region_waiting_test.c: freed blocks that wait for the next request of their size. */
#include "region_fixture.h"

static size_t walked_free(void)
{
    walked w = { .in_order = true };
    ka_region_walk(&region, on_visit, &w);
    return w.free;
}

/* One freed block of each small size waits; every other call takes it for merged. */
static void freed_blocks_wait(void)
{
    start(64 * KIB);
    unsigned char *a = ka_region_alloc(&region, 16, 16), *b = ka_region_alloc(&region, 32, 16);
    unsigned char *c = ka_region_alloc(&region, 48, 16), *d = ka_region_alloc(&region, 32, 16);
    void *fence = ka_region_alloc(&region, 16, 16);
    ka_region_free(&region, b, 32, 16);
    ka_region_free(&region, a, 16, 16);
    ka_region_free(&region, c, 48, 16);
    KIT_CHECK(free_blocks() == 2 && walked_free() == 2 && region.live_blocks == 2); /* these as one, and the rest */
    KIT_CHECK(ka_region_usable(&region, b) == 0);
    ka_region_free(&region, d, 32, 16); /* another of its size waits: merged at once */
    KIT_CHECK(free_blocks() == 2 && walked_free() == 2);
    CHECK_REGION();
    KIT_CHECK(ka_region_alloc(&region, 30, 8) == b && ka_region_alloc(&region, 1, 1) == a);
    KIT_CHECK(ka_region_alloc(&region, 48, 16) == c && ka_region_alloc(&region, 32, 16) == d);
    KIT_CHECK(free_blocks() == 1 && fence != NULL && reported.count == 0);
    ka_region_free(&region, c, 48, 16);
    KIT_CHECK(ka_region_resize(&region, b, 32, 16, 80, 16, 0) == b); /* into the one that waits */
    ka_region_free(&region, b, 80, 16);
    KIT_CHECK(ka_region_resize(&region, d, 32, 16, 100, 16, 0) != b); /* not down into it: another place is as good */
    CHECK_REGION();
}

static void merging_at_once_leaves_none_waiting(void)
{
    start(64 * KIB);
    unsigned char *a = ka_region_alloc(&region, 48, 16), *b = ka_region_alloc(&region, 48, 16);
    ka_region_free(&region, a, 48, 16);
    ka_region_set_merging(&region, true);
    CHECK_REGION();
    KIT_CHECK(ka_region_alloc(&region, 16, 16) == a);
    ka_region_free(&region, a, 16, 16);
    ka_region_free(&region, b, 48, 16);
    KIT_CHECK(region.free_blocks == 1 && ka_region_claim(&region, arena + 64 * KIB, 64 * KIB));
    ka_region_free(&region, ka_region_alloc(&region, 48, 16), 48, 16);
    KIT_CHECK(region.free_blocks == 1);
    CHECK_REGION();
    ka_region_set_merging(&region, false);
    a = ka_region_alloc(&region, 48, 16);
    b = ka_region_alloc(&region, 48, 16);
    ka_region_free(&region, a, 48, 16);
    KIT_CHECK(region.free_blocks == 1 && free_blocks() == 2 && b != NULL);
    KIT_CHECK(ka_region_claim(&region, arena + 256 * KIB, 64 * KIB)); /* with two ranges nothing waits */
    KIT_CHECK(region.free_blocks == 3 && free_blocks() == 3);
    CHECK_REGION();
}

static void an_empty_heap_begins_anew(void)
{
    start(64 * KIB);
    void *a = ka_region_alloc(&region, 16, 16), *b = ka_region_alloc(&region, 2000, 16);
    ka_region_free(&region, a, 16, 16);
    ka_region_free(&region, b, 2000, 16);
    KIT_CHECK(ka_region_alloc(&region, 2000, 16) == a);
    CHECK_REGION();
}

/* The block that is freed without a proof, by its owner or not. */
static void lend(unsigned char **block)
{
    start(64 * KIB);
    *block = ka_region_alloc(&region, 48, 16);
    ka_region_free(&region, *block, 48, 16);
    KIT_CHECK(ka_region_alloc(&region, 48, 16) == *block && region.last == *block && region.last_down == (size_t)0 - 3);
}

static void what_was_handed_out_last_is_known_while_it_is_live(void)
{
    unsigned char *block;
    lend(&block);
    ka_region_free(&region, block, 48, 16);
    ka_region_free(&region, block, 48, 16);
    KIT_CHECK(reported.of_kind[KA_MISUSE_DOUBLE_FREE] == 1);
    lend(&block);
    ka_region_free(&region, block, 64, 16);
    KIT_CHECK(reported.of_kind[KA_MISUSE_WRONG_SIZE] == 1);
    lend(&block);
    ka_region_free_unsized(&region, block);
    ka_region_free(&region, block, 48, 16);
    KIT_CHECK(reported.of_kind[KA_MISUSE_DOUBLE_FREE] == 1);
    lend(&block);
    KIT_CHECK(ka_region_alloc(&region, 16, 16) != NULL); /* right behind, so that it has to move */
    unsigned char *moved = ka_region_resize(&region, block, 48, 16, 480, 16, 0);
    KIT_CHECK(moved != NULL && moved != block);
    CHECK_REGION();
    ka_region_free(&region, block, 48, 16);
    KIT_CHECK(reported.count == 1);
    lend(&block);
    KIT_CHECK(ka_region_claim(&region, arena + 256 * KIB, 64 * KIB));
    ka_region_free(&region, block, 48, 16);
    ka_region_free(&region, block, 48, 16);
    KIT_CHECK(reported.of_kind[KA_MISUSE_DOUBLE_FREE] == 1 && region.live_blocks == 0);
    CHECK_REGION();
}

/* How many of eight blocks of 64 bytes wait once they are freed. */
static unsigned waiting_of_eight(void)
{
    unsigned char *blocks[8];
    unsigned waiting = 0;
    for (unsigned i = 0; i < 8; i++)
        blocks[i] = ka_region_alloc(&region, 64, 16);
    for (unsigned i = 0; i < 8; i++)
        ka_region_free(&region, blocks[i], 64, 16);
    for (unsigned i = 0; i < 8; i++)
        waiting += is_waiting(&region, (uint32_t)(((uintptr_t)blocks[i] - region.ranges[0].base) / 16), 4);
    return waiting;
}

/* Seven of a size wait in 1 MiB, one where it is crowded; which it is from 5/8 on, and down to 9/16. */
static void less_waits_in_a_crowded_region(void)
{
    enum { COUNT = 900 };
    static void *blocks[COUNT];
    unsigned count = 0;
    start(MIB);
    KIT_CHECK(waiting_of_eight() == 7);
    while (region.live <= region.crowded_from)
        KIT_CHECK(count < COUNT && (blocks[count++] = ka_region_alloc(&region, 1040, 16)) != NULL);
    KIT_CHECK(region.live > MIB / 16 * 9 && !region.crowded);
    CHECK_REGION();
    KIT_CHECK(waiting_of_eight() == 1 && region.crowded);
    CHECK_REGION();
    while (region.crowded)
        KIT_CHECK(count > 0 && (ka_region_free(&region, blocks[--count], 1040, 16), true));
    KIT_CHECK(region.live < MIB / 16 * 9 && region.live > MIB / 2);
    CHECK_REGION();
    KIT_CHECK(waiting_of_eight() == 7 && reported.count == 0);
    CHECK_REGION();
}

/* The rest of a block that is cut again is known to the region alone: what lies in its memory does not matter. */
static void open_block_is_known_to_the_region_alone(void)
{
    start(64 * KIB);
    unsigned char *a = ka_region_alloc(&region, 160, 16), *b = ka_region_alloc(&region, 160, 16);
    size_t rest = region_total(&region) - 320;
    KIT_CHECK(region.ranges[0].open != 0 && ka_get_stats(heap).largest_free == rest && free_blocks() == 1);
    memset(b + 160, 0x5a, rest);
    CHECK_REGION();
    unsigned char *c = ka_region_alloc(&region, 1040, 16);
    KIT_CHECK(c == b + 160 && walked_free() == 1);
    ka_region_free(&region, c, 1040, 16); /* and becomes a part of it again */
    memset(c, 0x5a, rest);
    KIT_CHECK(free_blocks() == 1 && ka_get_stats(heap).largest_free == rest && ka_region_usable(&region, c) == 0);
    ka_region_free(&region, c, 1040, 16);
    ka_region_free(&region, c, rest, 16);
    KIT_CHECK(reported.count == 2 && reported.of_kind[KA_MISUSE_DOUBLE_FREE] == 2);
    CHECK_REGION();
    void *last = ka_region_alloc(&region, rest, 16); /* all of it */
    KIT_CHECK(last == c && region.ranges[0].open == 0 && free_blocks() == 0);
    CHECK_REGION();
    ka_region_free(&region, last, rest, 16);
    KIT_CHECK(ka_region_alloc(&region, 160, 16) == c && ka_region_alloc(&region, 160, 16) == c + 160);
    KIT_CHECK(region.ranges[0].open != 0);
    KIT_CHECK(ka_region_claim(&region, arena + 128 * KIB, 64 * KIB)); /* with two ranges there is none */
    CHECK_REGION();
    KIT_CHECK(region.ranges[0].open == 0 && region.free_blocks == 2);
    ka_region_free(&region, b, 160, 16);
    ka_region_free(&region, a, 160, 16);
    CHECK_REGION();
}

int main(void)
{
    static const kit_case cases[] = {
        { "freed blocks wait and are free for all that looks", freed_blocks_wait },
        { "an empty heap begins anew", an_empty_heap_begins_anew },
        { "merging at once: none waits", merging_at_once_leaves_none_waiting },
        { "what was handed out last is known while it is live", what_was_handed_out_last_is_known_while_it_is_live },
        { "less waits in a crowded region", less_waits_in_a_crowded_region },
        { "the open block is known to the region alone", open_block_is_known_to_the_region_alone },
    };
    return kit_main("region_waiting", cases, KIT_COUNT(cases));
}
