/* region_misuse_test.c: what a region says to a wrong pointer or size, and how it goes on over damaged free blocks. */
#include "region_fixture.h"

/* ---- misuse ---- */

/* The five ways to hand a block to the region with a size. */
static void hand_in(unsigned way, void *block, size_t size, size_t align)
{
    if (way == 0)
        ka_region_free(&region, block, size, align);
    else if (way == 1)
        ka_free(heap, block, size, align);
    else if (way == 2)
        KIT_EXPECT(ka_region_resize(&region, block, size, align, 24, 16, 0) == NULL);
    else if (way == 3)
        KIT_EXPECT(ka_resize(heap, block, size, align, 50 * KIB, 64, KA_ZERO) == NULL);
    else
        KIT_EXPECT(ka_resize(heap, block, size, align, 0, 16, 0) != NULL);
}

static void expect_report(ka_misuse kind, const void *block, size_t size)
{
    KIT_CHECK(reported.count == 1);
    KIT_CHECK(reported.kind == kind);
    KIT_CHECK(reported.allocator == heap && reported.block == block && reported.size == size);
    KIT_CHECK(reported.site != NULL);
    KIT_CHECK(unchanged(128 * KIB));
    CHECK_REGION();
}

static void expect_misuse(ka_misuse kind, void *block, size_t size)
{
    for (unsigned way = 0; way < 5 && !kit_failed(); way++) {
        memset(&reported, 0, sizeof reported);
        remember(128 * KIB);
        hand_in(way, block, size, 16);
        expect_report(kind, block, size);
    }
}

static void expect_unsized_misuse(ka_misuse kind, void *block)
{
    memset(&reported, 0, sizeof reported);
    remember(128 * KIB);
    ka_region_free_unsized(&region, block);
    expect_report(kind, block, 0);
}

static void double_free_is_reported(void)
{
    start(100 * KIB);
    unsigned char *blocks[8];
    static const size_t sizes[] = { 16, 32, 64, 1000, 5000, 16, 100, 2000 };
    for (size_t i = 0; i < KIT_COUNT(sizes); i++)
        blocks[i] = ka_region_alloc(&region, sizes[i], 16);
    for (size_t i = 0; i < KIT_COUNT(sizes); i++) { /* neighbours merge more and more */
        ka_region_free(&region, blocks[i], sizes[i], 16);
        for (size_t again = 0; again <= i; again++) {
            expect_misuse(KA_MISUSE_DOUBLE_FREE, blocks[again], sizes[again]);
            expect_unsized_misuse(KA_MISUSE_DOUBLE_FREE, blocks[again]);
        }
    }
    unsigned char *last = ka_region_alloc(&region, region_total(&region), 16);
    KIT_CHECK(last == arena);
    ka_region_free(&region, last, region_total(&region), 16);
    expect_misuse(KA_MISUSE_DOUBLE_FREE, arena + region_total(&region) - 16, 16); /* the last granule of a free block */
    expect_misuse(KA_MISUSE_DOUBLE_FREE, arena + 64 * KIB, 16);
}

/* The block handed out last is freed without a proof: only as long as it is what was handed out. */
static void block_handed_out_last_is_proved_after_changes(void)
{
    start(16 * KIB);
    unsigned char *block = ka_region_alloc(&region, 64, 16);
    KIT_CHECK(ka_region_resize(&region, block, 64, 16, 160, 16, 0) == block);
    expect_misuse(KA_MISUSE_WRONG_SIZE, block, 64);
    KIT_CHECK(ka_region_resize(&region, block, 160, 16, 48, 16, 0) == block);
    expect_misuse(KA_MISUSE_WRONG_SIZE, block, 160);
    expect_misuse(KA_MISUSE_WRONG_SIZE, block, 64);
    ka_region_free(&region, block, 48, 16);
    expect_misuse(KA_MISUSE_DOUBLE_FREE, block, 48);
    expect_unsized_misuse(KA_MISUSE_DOUBLE_FREE, block);

    block = ka_region_alloc(&region, 64, 16);
    ka_region_free_unsized(&region, block);
    expect_misuse(KA_MISUSE_DOUBLE_FREE, block, 64);
    block = ka_region_alloc(&region, 64, 16);
    ka_region_free(&region, block, 64, 16);
    expect_misuse(KA_MISUSE_DOUBLE_FREE, block, 64); /* it waits */
    expect_unsized_misuse(KA_MISUSE_DOUBLE_FREE, block);
    expect_misuse(KA_MISUSE_DOUBLE_FREE, block, 32);
    expect_misuse(KA_MISUSE_DOUBLE_FREE, block + 16, 32);
    settle();
    expect_misuse(KA_MISUSE_DOUBLE_FREE, block, 64); /* it does not wait any more */
    void *other = ka_region_alloc(&region, 32, 16);
    KIT_CHECK(other == arena);
    expect_misuse(KA_MISUSE_WRONG_SIZE, other, 64);
    ka_region_free(&region, other, 32, 16);
    KIT_CHECK(ka_region_alloc(&region, 32, 4096) == arena);
    CHECK_REGION();
}

static void foreign_pointers_are_reported(void)
{
    start(0);
    KIT_CHECK(ka_region_claim(&region, arena + 16 * KIB, 16 * KIB));
    KIT_CHECK(ka_region_claim(&region, arena + 48 * KIB, 16 * KIB));
    void *block = ka_region_alloc(&region, 1000, 16);
    KIT_CHECK(block != NULL);
    static _Alignas(16) unsigned char elsewhere[64];
    unsigned char on_stack[64];
    unsigned char *record = arena + 16 * KIB + region.ranges[0].granules * 16;
    void *const foreign[] = { elsewhere,
                              on_stack,
                              arena,
                              arena + 15 * KIB,
                              arena + 16 * KIB - 16,
                              arena + 16 * KIB - 1,
                              arena + 40 * KIB,
                              arena + 64 * KIB,
                              &region,
                              (void *)16,
                              (void *)1,
                              (void *)~(uintptr_t)0,
                              (void *)(~(uintptr_t)0 - 15),
                              record,
                              record + 1,
                              record + 16,
                              region.ranges[0].heads,
                              region.ranges[0].bits,
                              (unsigned char *)region.ranges[1].bits + 8 };
    for (size_t i = 0; i < KIT_COUNT(foreign); i++) {
        expect_misuse(KA_MISUSE_FOREIGN, foreign[i], 1);
        expect_misuse(KA_MISUSE_FOREIGN, foreign[i], 16);
        expect_misuse(KA_MISUSE_FOREIGN, foreign[i], SIZE_MAX / 2);
        if (((uintptr_t)foreign[i] & ((uintptr_t)foreign[i] - 1)) != 0) /* else it is a block of size 0 */
            expect_unsized_misuse(KA_MISUSE_FOREIGN, foreign[i]);
    }
}

static void interior_pointers_are_reported(void)
{
    start(100 * KIB);
    void *before = ka_region_alloc(&region, 100, 16);
    unsigned char *block = ka_region_alloc(&region, 5000, 16);
    void *behind = ka_region_alloc(&region, 100, 16);
    ka_region_free(&region, before, 100, 16); /* a free neighbour must not be taken for the owner */
    KIT_CHECK(block != NULL && behind != NULL);
    for (size_t off = 1; off < 5008; off += off < 40 || off > 4970 ? 1 : 37) {
        expect_misuse(KA_MISUSE_INTERIOR, block + off, 5000 - (off < 5000 ? off : 4999));
        expect_unsized_misuse(KA_MISUSE_INTERIOR, block + off);
    }
    ka_region_free(&region, block, 5000, 16);
    expect_misuse(KA_MISUSE_DOUBLE_FREE, block + 5, 100);
}

static void wrong_sizes_are_reported(void)
{
    start(100 * KIB);
    static const size_t sizes[] = { 16, 48, 1000, 1024, 1040, 3000, 20000 };
    for (size_t i = 0; i < KIT_COUNT(sizes); i++)
        for (unsigned behind = 0; behind < 3; behind++) { /* a live block, a free block, the end of the range */
            start(100 * KIB);
            size_t size = sizes[i], rounded = (size + 15) / 16 * 16;
            unsigned char *pad = ka_region_alloc(&region, 16, 16);
            if (behind == 2)
                KIT_CHECK(ka_region_alloc(&region, region_total(&region) - 16 - rounded, 16) != NULL);
            unsigned char *block = ka_region_alloc(&region, size, 16);
            size_t spans[] = { 1,
                               15,
                               16,
                               rounded / 2,
                               rounded - 16,
                               rounded + 1,
                               rounded + 16,
                               rounded + 32,
                               rounded + 48,
                               rounded * 2,
                               rounded + 1024,
                               rounded + 2048,
                               64 * KIB,
                               region_total(&region),
                               SIZE_MAX / 2 - 16,
                               MIB,
                               ((size_t)1 << 36) + rounded };
            KIT_CHECK(pad != NULL && block != NULL);
            if (behind == 0) /* two blocks at once, three at once: both ends are boundaries */
                KIT_CHECK(ka_region_alloc(&region, 32, 16) != NULL && ka_region_alloc(&region, 2000, 16) != NULL);
            for (size_t j = 0; j < KIT_COUNT(spans); j++)
                if (spans[j] != 0 && (spans[j] + 15) / 16 * 16 != rounded)
                    expect_misuse(KA_MISUSE_WRONG_SIZE, block, spans[j]);
            if (behind == 0)
                expect_misuse(KA_MISUSE_WRONG_SIZE, block, rounded + 2032);
            for (size_t fits = rounded - 15; fits <= rounded && fits != 0; fits += 5) { /* up to the usable size */
                memset(&reported, 0, sizeof reported);
                ka_region_free(&region, block, fits, 16);
                KIT_CHECK(reported.count == 0);
                KIT_CHECK(ka_region_alloc(&region, size, 16) == (void *)block);
            }
        }
}

/* Each byte of each live block may hold anything. */
static void overwriting_live_blocks_harms_nothing(void)
{
    start(16 * KIB);
    static unsigned char *blocks[1024];
    size_t count = 0;
    while ((blocks[count] = ka_region_alloc(&region, 16 + count % 7 * 24, 16)) != NULL)
        count++;
    for (size_t i = 0; i < count; i += 3)
        ka_region_free(&region, blocks[i], 16 + i % 7 * 24, 16);
    for (unsigned fill = 0; fill < 256; fill += 51) {
        for (size_t i = 0; i < count; i++)
            if (i % 3 != 0)
                memset(blocks[i], (int)fill, ka_region_usable(&region, blocks[i]));
        CHECK_REGION();
    }
    for (size_t i = 0; i < count; i++)
        if (i % 3 != 0)
            ka_region_free(&region, blocks[i], 16 + i % 7 * 24, 16);
    CHECK_REGION();
    KIT_CHECK(free_blocks() == 1 && region.live == 0 && reported.count == 0);
}

/* ---- damage in free blocks ---- */

#define CELLS 41

/* A heap with many free blocks of few sizes, so that lists are long; every second block stays live. */
static unsigned char *cells[CELLS];
static size_t cell_size(size_t i)
{
    static const size_t sizes[] = { 16, 32, 32, 48, 16, 560, 576, 32 };
    return sizes[i / 2 % KIT_COUNT(sizes)];
}

static void fragment(void)
{
    start(16 * KIB);
    for (size_t i = 0; i < CELLS; i++)
        cells[i] = ka_region_alloc(&region, cell_size(i), 16);
    for (size_t i = 1; i < CELLS; i += 2)
        ka_region_free(&region, cells[i], cell_size(i), 16);
    settle();
}

static bool overlaps_other(unsigned char *const *blocks, size_t count, size_t size)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (blocks[count - 1] < blocks[i] + size && blocks[i] < blocks[count - 1] + size)
            return true;
    return false;
}

/* Uses a damaged heap to the full: nothing may be handed out twice. */
static void live_on(bool free_first)
{
    static unsigned char *blocks[2048];
    size_t count = 0;
    for (size_t i = 0; i < CELLS; i += 2)
        kit_stamp(cells[i], cell_size(i), i);
    for (size_t i = 0; i < CELLS && free_first; i += 2) {
        KIT_CHECK(kit_stamped(cells[i], cell_size(i), i));
        ka_region_free(&region, cells[i], cell_size(i), 16);
    }
    for (size_t size = 1024; size >= 16; size /= 2) {
        size_t from = count;
        while (count < KIT_COUNT(blocks) && (blocks[count] = ka_region_alloc(&region, size, 16)) != NULL) {
            KIT_CHECK(!overlaps_other(blocks + from, count + 1 - from, size));
            kit_stamp(blocks[count], size, size);
            count++;
        }
        for (size_t i = from; i < count; i++) { /* every second one stays, to be compared with the next size's */
            KIT_CHECK(kit_stamped(blocks[i], size, size));
            if (i % 2 == 0) {
                ka_region_free(&region, blocks[i], size, 16);
                blocks[i] = NULL;
            }
        }
        size_t kept = from;
        for (size_t i = from; i < count; i++)
            if (blocks[i] != NULL)
                blocks[kept++] = blocks[i];
        count = kept;
    }
    for (size_t i = 0; i < CELLS && !free_first; i += 2) {
        KIT_CHECK(kit_stamped(cells[i], cell_size(i), i));
        ka_region_free(&region, cells[i], cell_size(i), 16);
    }
    for (size_t i = 0; i < count; i++)
        ka_region_free_unsized(&region, blocks[i]);
    KIT_CHECK(region.live == 0 && region.live_blocks == 0);
    ka_stats stats;
    ka_region_stats(&region, &stats);
    walked w = { .in_order = true };
    KIT_CHECK(ka_region_walk(&region, on_visit, &w) && w.in_order && w.free_bytes == region_total(&region));
}

static void check_damage(unsigned char *field, uint32_t value)
{
    if (memcmp(field, &value, sizeof value) == 0)
        return;
    fragment();
    CHECK_REGION();
    memcpy(field, &value, sizeof value);
    KIT_CHECK(ka_region_check(&region) != NULL);
    for (int free_first = 0; free_first < 2; free_first++) {
        if (free_first != 0) {
            fragment();
            memcpy(field, &value, sizeof value);
        }
        live_on(free_first != 0);
        /* a block that is put ahead of the damaged one writes its link anew, and all is well again */
        KIT_CHECK(reported.of_kind[KA_MISUSE_DAMAGE] != 0 || ka_region_check(&region) == NULL);
        KIT_CHECK(reported.count == reported.of_kind[KA_MISUSE_DAMAGE]);
    }
}

static void damaged_free_blocks_are_reported(void)
{
    unsigned tries = 0;
    for (size_t i = 1; i < CELLS; i += 2) {
        fragment();
        uint32_t granules = region.ranges[0].granules;
        unsigned char *start_of = cells[i], *end_of = cells[i] + cell_size(i);
        unsigned char *const fields[] = { start_of, start_of + 4, start_of + 8, end_of - 4 };
        uint32_t values[CELLS + 40] = { 0,          1,
                                        2,          3,
                                        35,         36,
                                        37,         64,
                                        100,        granules - 1,
                                        granules,   granules + 1,
                                        0x7fffffff, 0x80000000,
                                        0xffffffff, 0xfffffffe,
                                        0xdeadbeef, 0x41414141,
                                        0xa5a5a5a5 };
        size_t count = 19;
        for (size_t j = 0; j < CELLS; j++) /* numbers of live and of free blocks, of first and of last granules */
            values[count++] = (uint32_t)((size_t)(cells[j] - arena) / 16 + 1);
        for (size_t j = 1; j < CELLS; j += 2)
            if (cell_size(j) > 500)
                values[count++] = (uint32_t)(((size_t)(cells[j] - arena) + cell_size(j)) / 16);
        for (size_t field = 0; field < KIT_COUNT(fields) && !kit_failed(); field++)
            for (size_t value = 0; value < count && !kit_failed(); value++) {
                fragment();
                check_damage(fields[field], values[value]);
                tries++;
            }
    }
    kit_note("%u damaged fields", tries);
}

/* A use after free that overwrites a whole free block, or all of them. */
static void overwritten_free_blocks_are_reported(void)
{
    for (unsigned fill = 0; fill < 256; fill += 15)
        for (size_t i = 1; i < CELLS + 2 && !kit_failed(); i += 2) {
            fragment();
            for (size_t j = 1; j < CELLS; j += 2)
                if (j == i || i >= CELLS)
                    memset(cells[j], (int)fill, cell_size(j));
            KIT_CHECK(ka_region_check(&region) != NULL);
            live_on(fill % 2 == 0);
            KIT_CHECK(reported.of_kind[KA_MISUSE_DAMAGE] != 0);
            KIT_CHECK(reported.count == reported.of_kind[KA_MISUSE_DAMAGE]);
        }
}

/* What is left of an old header in a live block, and a footer that leads to it, are no free block. */
static void stale_headers_are_not_believed(void)
{
    start(16 * KIB);
    unsigned char *block = ka_region_alloc(&region, 160, 16), *behind = ka_region_alloc(&region, 64, 16);
    uint32_t old_size = 10;
    KIT_CHECK(block != NULL && behind != NULL && ka_region_alloc(&region, 64, 16) != NULL);
    ka_region_free(&region, block, 160, 16);
    KIT_CHECK(ka_region_alloc(&region, 32, 16) == (void *)block); /* its first 16 bytes were the header */
    CHECK_REGION();
    memcpy(behind - sizeof old_size, &old_size, sizeof old_size);
    ka_region_free(&region, behind, 64, 16);
    settle();
    KIT_CHECK(reported.of_kind[KA_MISUSE_DAMAGE] != 0 && reported.count == reported.of_kind[KA_MISUSE_DAMAGE]);
    KIT_CHECK(ka_region_usable(&region, block) == 32);
}

/* Links bent into a circle of sound blocks: nothing that follows lists may run for ever. */
static void circular_lists_end(void)
{
    fragment();
    uint32_t granule[2], none = 0;
    size_t at[2] = { 11, 27 }; /* two free blocks of 560 bytes, alone in their list */
    void *rest = ka_region_alloc(&region, region_total(&region) - region.live - 8 * KIB, 16);
    (void)rest;
    for (size_t i = 0; i < 2; i++)
        granule[i] = (uint32_t)((size_t)(cells[at[i]] - arena) / 16 + 1);
    for (size_t i = 0; i < 2; i++) {
        memcpy(cells[at[i]], &granule[1 - i], 4);
        memcpy(cells[at[i]] + 4, &granule[1 - i], 4);
    }
    KIT_CHECK(ka_region_check(&region) != NULL);
    ka_stats stats;
    ka_region_stats(&region, &stats);
    while (ka_region_alloc(&region, 560, 16) != NULL)
        ;
    ka_region_stats(&region, &stats);
    KIT_CHECK(ka_region_check(&region) != NULL);
    memcpy(cells[at[0]] + 4, &none, 4);
    ka_region_stats(&region, &stats);
    KIT_CHECK(ka_region_check(&region) != NULL);
}

/* The list that a range's place in the tournament comes from is damaged: another range must serve. */
static void damage_in_one_range_leaves_the_others(void)
{
    start(0);
    for (size_t i = 0; i < 3; i++)
        KIT_CHECK(ka_region_claim(&region, arena + i * 16 * KIB, (i + 2) * KIB));
    memset(arena, 0xee, 16);
    memset(arena + 16 * KIB, 0xee, 16);
    unsigned char *block = ka_region_alloc(&region, 64, 16);
    KIT_CHECK(block == arena + 32 * KIB);
    KIT_CHECK(reported.count == 2 && reported.of_kind[KA_MISUSE_DAMAGE] == 2);
    block = ka_region_alloc(&region, 64, 1024);
    KIT_CHECK(block == arena + 33 * KIB);
    KIT_CHECK(reported.count == 2);
    const char *broken = ka_region_check(&region);
    KIT_CHECK(broken != NULL && strstr(broken, "tournament") == NULL);
}

static void check_names_what_is_broken(void)
{
    start(16 * KIB);
    void *a = ka_region_alloc(&region, 100, 16), *b = ka_region_alloc(&region, 100, 16);
    ka_region_free(&region, a, 100, 16);
    KIT_CHECK(b != NULL);
    CHECK_REGION();
    remember(16 * KIB);
    for (uint32_t plane = 0; plane < 2; plane++) /* where blocks start, ends of free blocks */
        for (uint32_t g = 0; g <= region.ranges[0].granules + (plane == 0); g++) {
            region.ranges[0].bits[g / 64 * 2 + plane] ^= UINT64_C(1) << g % 64;
            KIT_CHECK(ka_region_check(&region) != NULL);
            region.ranges[0].bits[g / 64 * 2 + plane] ^= UINT64_C(1) << g % 64;
        }
    for (unsigned bin = 0; bin < bin_count(region.ranges[0].granules); bin++) {
        region.ranges[0].heads[bin] ^= 5;
        KIT_CHECK(ka_region_check(&region) != NULL);
        region.ranges[0].heads[bin] ^= 5;
    }
    for (unsigned bin = 0; bin < 64 * KA_REGION_MAP_WORDS; bin++) {
        region.ranges[0].map[bin / 64] ^= UINT64_C(1) << bin % 64;
        KIT_CHECK(ka_region_check(&region) != NULL);
        region.ranges[0].map[bin / 64] ^= UINT64_C(1) << bin % 64;
    }
    for (unsigned word = 0; word < KA_REGION_MAP_WORDS; word++) {
        region.ranges[0].summary ^= (uint16_t)(1u << word);
        KIT_CHECK(ka_region_check(&region) != NULL);
        region.ranges[0].summary ^= (uint16_t)(1u << word);
    }
    size_t *const counts[] = { &region.live, &region.live_blocks, &region.free_blocks };
    for (size_t i = 0; i < KIT_COUNT(counts); i++) {
        ++*counts[i];
        KIT_CHECK(ka_region_check(&region) != NULL);
        --*counts[i];
    }
    size_t peak = region.peak;
    region.peak = region.live - 1;
    KIT_CHECK(ka_region_check(&region) != NULL);
    region.peak = peak;
    CHECK_REGION();
    KIT_CHECK(unchanged(16 * KIB));
}

int main(void)
{
    static const kit_case cases[] = {
        { "misuse: double free", double_free_is_reported },
        { "misuse: the block handed out last", block_handed_out_last_is_proved_after_changes },
        { "misuse: foreign pointer", foreign_pointers_are_reported },
        { "misuse: interior pointer", interior_pointers_are_reported },
        { "misuse: wrong size", wrong_sizes_are_reported },
        { "live blocks may be overwritten", overwriting_live_blocks_harms_nothing },
        { "damage: each field of free blocks", damaged_free_blocks_are_reported },
        { "damage: whole free blocks", overwritten_free_blocks_are_reported },
        { "damage: stale headers", stale_headers_are_not_believed },
        { "damage: circles end", circular_lists_end },
        { "damage in one range leaves the others", damage_in_one_range_leaves_the_others },
        { "check names what is broken", check_names_what_is_broken },
    };
    return kit_main("region_misuse", cases, KIT_COUNT(cases));
}
