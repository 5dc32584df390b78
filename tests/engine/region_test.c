/* region_test.c: every sentence of ka/region.h, and the calls of ka/alloc.h over &region.allocator. Misuse and damage
 * are in region_misuse_test.c.
 */
#include "region_fixture.h"

/* ---- init and claim ---- */

static void init_makes_an_empty_region(void)
{
    start(0);
    ka_stats zero = { 0 }, stats;
    ka_region_stats(&region, &stats);
    KIT_CHECK(memcmp(&zero, &stats, sizeof stats) == 0);
    CHECK_REGION();
    KIT_CHECK(ka_region_alloc(&region, 16, 16) == NULL);
    KIT_CHECK(ka_region_alloc(&region, 64, 4096) == NULL);
    KIT_CHECK(ka_region_usable(&region, arena) == 0);
    KIT_CHECK(ka_region_alloc(&region, 0, 16) != NULL);
    ka_region_free(&region, arena, 16, 16);
    KIT_CHECK(reported.count == 1 && reported.kind == KA_MISUSE_FOREIGN);
    CHECK_REGION();
}

static void expect_refused(void *base, size_t size)
{
    remember(ARENA);
    KIT_CHECK(!ka_region_claim(&region, base, size));
    KIT_CHECK(unchanged(ARENA));
}

static void claim_refuses_without_a_write(void)
{
    start(0);
    memset(arena, 0x3c, sizeof arena);
    expect_refused(NULL, 64 * KIB);
    for (size_t off = 1; off < 16; off++)
        expect_refused(arena + off, 64 * KIB);
    static const size_t small[] = { 0, 1, 7, 15, 16, 17, 24, 31, 32, 33, 47 };
    for (size_t i = 0; i < KIT_COUNT(small); i++)
        expect_refused(arena, small[i]);
    expect_refused(arena, SIZE_MAX);
    expect_refused(arena, SIZE_MAX - 15);
    expect_refused(arena, PTRDIFF_MAX);
    expect_refused(arena, (size_t)KA_REGION_MAX_RANGE + 1);
    expect_refused((void *)(UINTPTR_MAX - 15), KIB);
    expect_refused((void *)(UINTPTR_MAX - 2047), 2 * KIB + 16);
    expect_refused((void *)(UINTPTR_MAX - 2047), 4 * KIB);

    KIT_CHECK(ka_region_claim(&region, arena + MIB, 64 * KIB));
    expect_refused(arena + MIB, 64 * KIB);             /* the same */
    expect_refused(arena + MIB, KIB);                  /* its beginning */
    expect_refused(arena + MIB - KIB, 2 * KIB);        /* over its beginning */
    expect_refused(arena + MIB + 60 * KIB, 64 * KIB);  /* over its end */
    expect_refused(arena + MIB + 16 * KIB, KIB);       /* inside */
    expect_refused(arena + MIB - 16 * KIB, 128 * KIB); /* around it */
    expect_refused(arena + MIB - KIB, KIB + 16);       /* one granule over its beginning */
    expect_refused(arena + MIB + 64 * KIB - 16, KIB);  /* one granule over its end */
    CHECK_REGION();
}

static void claim_refuses_the_region_itself(void)
{
    static _Alignas(16) union {
        ka_region region;
        unsigned char bytes[16 * 1024];
    } room, before;
    ka_region_init(&room.region);
    memcpy(&before, &room, sizeof room);
    KIT_CHECK(!ka_region_claim(&room.region, &room, sizeof room));
    KIT_CHECK(!ka_region_claim(&room.region, room.bytes + (sizeof(ka_region) - 1) / 16 * 16, 8 * KIB));
    KIT_CHECK(memcmp(&before, &room, sizeof room) == 0);
    KIT_CHECK(ka_region_claim(&room.region, room.bytes + (sizeof(ka_region) + 15) / 16 * 16, 8 * KIB));
}

/* A region that was extended by the smallest steps, with live blocks everywhere, is as good as one claimed at once. */
static void claim_extends_by_the_smallest_steps(void)
{
    start(0);
    size_t at = 0;
    unsigned char *blocks[400];
    unsigned count = 0;
    for (; at < 16 * KIB; at += KA_REGION_MIN_RANGE) {
        size_t before = region_total(&region);
        KIT_CHECK(ka_region_claim(&region, arena + at, KA_REGION_MIN_RANGE));
        KIT_CHECK(region_total(&region) > before && region.range_count == 1);
        CHECK_REGION();
        if (at % 3 == 0 && (blocks[count] = ka_region_alloc(&region, 1 + at % 50, 16)) != NULL)
            kit_stamp(blocks[count++], 16, at);
        CHECK_REGION();
    }
    size_t total = region_total(&region);
    for (unsigned i = 0; i < count; i++)
        ka_region_free_unsized(&region, blocks[i]);
    CHECK_REGION();
    start(at);
    KIT_CHECK(region_total(&region) == total);
}

/* 256 bytes for the control block, the record and a block of 16 bytes, where one range is enough. */
static void smallest_region_serves_16_bytes(void)
{
    size_t first = ka_round_up(offsetof(ka_region, best) + 3 * sizeof(uint16_t), sizeof(size_t));
    size_t rest = offsetof(ka_region, ranges) - offsetof(ka_region, live);
    size_t control = first + rest + sizeof(ka_region_range); /* built for one range */
    KIT_CHECK((control + 15) / 16 * 16 + KA_REGION_MIN_RANGE <= 256);
    start(KA_REGION_MIN_RANGE);
    void *block = ka_region_alloc(&region, 16, 16);
    KIT_CHECK(block == arena && region_total(&region) == 16);
    KIT_CHECK(ka_region_alloc(&region, 1, 1) == NULL);
    ka_region_free(&region, block, 16, 16);
    KIT_CHECK(ka_region_alloc(&region, 16, 16) == block);
}

static void claim_refuses_when_slots_are_taken(void)
{
    start(0);
    memset(arena, 0x3c, sizeof arena);
    for (size_t i = 0; i < KA_CFG_REGION_RANGES; i++)
        KIT_CHECK(ka_region_claim(&region, arena + i * 8 * KIB, 2 * KIB));
    expect_refused(arena + MIB, 64 * KIB);
    KIT_CHECK(ka_region_claim(&region, arena + 2 * KIB, KIB)); /* an extension takes no slot */
    CHECK_REGION();
}

static void claim_takes_the_smallest_and_odd_sizes(void)
{
    for (size_t size = KA_REGION_MIN_RANGE; size < 3 * KIB; size++) {
        start(0);
        memset(arena, 0x3c, 4 * KIB);
        KIT_CHECK(ka_region_claim(&region, arena + 16, size));
        CHECK_REGION();
        size_t total = region_total(&region);
        KIT_CHECK(total % 16 == 0 && total + 32 >= (size >= KIB ? size * 3 / 4 : size / 2));
        unsigned char *block = ka_region_alloc(&region, total, 16);
        KIT_CHECK(block == arena + 16);
        kit_stamp(block, total, size);
        CHECK_REGION(); /* the whole block may be written */
        ka_region_free(&region, block, total, 16);
        CHECK_REGION();
        KIT_CHECK(arena[15] == 0x3c);
        for (size_t i = size / 16 * 16; i < size + 64; i++) /* the rest below a granule is not used */
            KIT_CHECK(arena[16 + i] == 0x3c);
    }
    KIT_CHECK(reported.count == 0);
}

/* ---- growing ---- */

static void adjacent_claim_extends_and_blocks_span_the_seam(void)
{
    start(16 * KIB);
    size_t first = region_total(&region);
    void *tail = ka_region_alloc(&region, first, 16);
    KIT_CHECK(tail != NULL);
    KIT_CHECK(ka_region_claim(&region, arena + 16 * KIB, 16 * KIB));
    CHECK_REGION();
    KIT_CHECK(region.range_count == 1 && region_total(&region) > 2 * first);
    ka_region_free(&region, tail, first, 16);
    CHECK_REGION();
    KIT_CHECK(free_blocks() == 1);
    unsigned char *all = ka_region_alloc(&region, region_total(&region), 16);
    KIT_CHECK(all == arena);
    memset(all, 0xff, region_total(&region));
    CHECK_REGION();
    ka_region_free(&region, all, region_total(&region), 16);
    CHECK_REGION();
}

/* Blocks of changing sizes from one end to the other, some freed; the record then moves by `step` again and again. */
static void grow_by(size_t step)
{
    enum { MOST = 2000 };
    static struct {
        unsigned char *block;
        size_t size;
    } live[MOST];
    size_t count = 0, end = KIB;
    kit_random random = { step };
    start(KIB);
    while (end + step <= 64 * KIB) {
        for (size_t size; count < MOST; count++) {
            size = 16 + kit_below(&random, 400);
            unsigned char *block = ka_region_alloc(&region, size, 16);
            if (block == NULL)
                break;
            kit_stamp(block, size, count);
            live[count].block = block;
            live[count].size = size;
        }
        for (size_t i = kit_below(&random, 3); i < count; i += 3)
            if (live[i].block != NULL) {
                ka_region_free(&region, live[i].block, live[i].size, 16);
                live[i].block = NULL;
            }
        CHECK_REGION();
        KIT_CHECK(ka_region_claim(&region, arena + end, step));
        end += step;
        CHECK_REGION();
    }
    KIT_CHECK(region.range_count == 1 && range_size(&region.ranges[0]) == end);
    for (size_t i = 0; i < count; i++)
        if (live[i].block != NULL) {
            KIT_CHECK(kit_stamped(live[i].block, live[i].size, i));
            ka_region_free(&region, live[i].block, live[i].size, 16);
        }
    CHECK_REGION();
    KIT_CHECK(free_blocks() == 1 && region.live == 0 && reported.count == 0);
}

static void record_moves_by_small_and_large_steps(void)
{
    for (size_t step = KIB; step < 3 * KIB; step += 16)
        grow_by(step);
    grow_by(8 * KIB);
    grow_by(31 * KIB + 48);
    grow_by(63 * KIB);
}

/* Where a range becomes large enough for deep rows, its record grows by more than the step. */
static void record_may_take_all_that_is_added(void)
{
    size_t end = 512 * KIB, before = 0, stood = 0;
    start(end);
    while (region.row_length == FLAT_ROW) {
        before = region_total(&region);
        KIT_CHECK(ka_region_claim(&region, arena + end, KA_REGION_MIN_RANGE));
        end += KA_REGION_MIN_RANGE;
        stood += region_total(&region) == before;
        CHECK_REGION();
        void *all = ka_region_alloc(&region, region_total(&region), 16);
        KIT_CHECK(all == arena);
        ka_region_free(&region, all, region_total(&region), 16);
    }
    KIT_EXPECT(stood > 4 && region.row_length == DEEP_ROW);
    KIT_CHECK(range_size(&region.ranges[0]) == end);
}

static void disjoint_ranges_serve_together(void)
{
    start(0);
    size_t size = 4 * KIB, total = 0;
    for (size_t i = 0; i < KA_CFG_REGION_RANGES; i++) { /* not in the order of addresses */
        size_t at = (i * 5 + 3) % KA_CFG_REGION_RANGES;
        KIT_CHECK(ka_region_claim(&region, arena + at * 16 * KIB, size));
        CHECK_REGION();
        total += region.ranges[0].granules * KA_REGION_GRANULE;
    }
    KIT_CHECK(region_total(&region) == total && region.range_count == KA_CFG_REGION_RANGES);
    size_t whole = region.ranges[0].granules * KA_REGION_GRANULE;
    KIT_CHECK(ka_region_alloc(&region, whole + 1, 16) == NULL); /* no block spans ranges */
    void *blocks[KA_CFG_REGION_RANGES];
    for (size_t i = 0; i < KA_CFG_REGION_RANGES; i++) {
        blocks[i] = ka_region_alloc(&region, whole, 16);
        KIT_CHECK(blocks[i] == arena + i * 16 * KIB); /* the lowest range first */
        memset(blocks[i], 0xff, whole);
        CHECK_REGION();
    }
    KIT_CHECK(ka_region_alloc(&region, 1, 1) == NULL);
    for (size_t i = 0; i < KA_CFG_REGION_RANGES; i++) {
        size_t at = (i * 3 + 1) % KA_CFG_REGION_RANGES;
        ka_region_free(&region, blocks[at], whole, 16);
        CHECK_REGION();
        void *again = ka_region_alloc(&region, 100, 16);
        KIT_CHECK(again != NULL);
        ka_region_free(&region, again, 100, 16);
    }
    KIT_CHECK(free_blocks() == KA_CFG_REGION_RANGES && reported.count == 0);
}

/* A range that ends where a claimed one begins takes a slot of its own; the one between two extends the lower. */
static void claim_below_and_between(void)
{
    start(0);
    KIT_CHECK(ka_region_claim(&region, arena + 8 * KIB, 4 * KIB));
    KIT_CHECK(ka_region_claim(&region, arena, 4 * KIB));
    KIT_CHECK(region.range_count == 2);
    KIT_CHECK(ka_region_claim(&region, arena + 4 * KIB, 4 * KIB));
    KIT_CHECK(region.range_count == 2 && range_size(&region.ranges[0]) == 8 * KIB);
    CHECK_REGION();
    void *low = ka_region_alloc(&region, 6 * KIB, 16), *high = ka_region_alloc(&region, 3 * KIB, 16);
    KIT_CHECK(low == arena && high == arena + 8 * KIB);
    ka_region_free(&region, low, 6 * KIB, 16);
    ka_region_free(&region, high, 3 * KIB, 16);
    CHECK_REGION();
}

/* ---- alloc ---- */

static void alloc_every_size(void)
{
    start(100 * KIB);
    for (size_t size = 1; size <= 4 * KIB; size++) {
        unsigned char *block = ka_region_alloc(&region, size, 1);
        KIT_CHECK(block != NULL && (uintptr_t)block % KA_MIN_ALIGN == 0);
        KIT_CHECK(ka_region_usable(&region, block) == (size + 15) / 16 * 16);
        KIT_CHECK(ka_usable(heap, block, size, 1) == (size + 15) / 16 * 16);
        KIT_CHECK(region.live == (size + 15) / 16 * 16 && region.live_blocks == 1);
        memset(block, 0xff, (size + 15) / 16 * 16);
        ka_region_free(&region, block, size, 1);
        CHECK_REGION();
    }
    KIT_CHECK(free_blocks() == 1 && reported.count == 0);
}

static void alloc_size_0_takes_no_memory(void)
{
    start(4 * KIB);
    void *all = ka_region_alloc(&region, region_total(&region), 16); /* it never fails, not even in a full region */
    KIT_CHECK(all != NULL);
    for (size_t align = 1; align <= MIB; align *= 2) {
        remember(4 * KIB);
        void *empty = ka_region_alloc(&region, 0, align);
        KIT_CHECK(empty != NULL && (uintptr_t)empty % align == 0 && (uintptr_t)empty % 16 == 0);
        KIT_CHECK(ka_alloc(heap, 0, align, 0) == empty);
        ka_region_free(&region, empty, 0, align);
        ka_region_free_unsized(&region, empty);
        ka_free(heap, empty, 0, align);
        ka_region_free(&region, NULL, 100, align);
        ka_region_free_unsized(&region, NULL);
        KIT_CHECK(unchanged(4 * KIB) && reported.count == 0);
    }
}

static void alloc_every_alignment(void)
{
    start(4 * MIB);
    for (size_t align = 1; align <= MIB; align *= 2)
        for (size_t size = 1; size <= 64 * KIB; size = size * 3 + 1) {
            void *small = ka_region_alloc(&region, 16, 16); /* so that the free space is not aligned by luck */
            unsigned char *block = ka_region_alloc(&region, size, align);
            KIT_CHECK(block != NULL && (uintptr_t)block % align == 0 && (uintptr_t)block % 16 == 0);
            memset(block, 0xff, size);
            ka_region_free(&region, block, size, align);
            ka_region_free(&region, small, 16, 16);
            KIT_CHECK(free_blocks() == 1); /* the padding came back too */
        }
    CHECK_REGION();
}

static void alloc_refuses_bad_requests(void)
{
    start(64 * KIB);
    static const size_t bad[] = { 0, 3, 5, 6, 12, 17, 24, 48, 4095, SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 2 + 1 };
    remember(64 * KIB);
    for (size_t i = 0; i + 1 < KIT_COUNT(bad); i++) {
        KIT_CHECK(ka_region_alloc(&region, 16, bad[i]) == NULL);
        KIT_CHECK(ka_region_alloc(&region, 0, bad[i]) == NULL);
        KIT_CHECK(ka_alloc(heap, 16, bad[i], 0) == NULL);
    }
    KIT_CHECK(ka_region_alloc(&region, 16, SIZE_MAX / 2 + 1) == NULL);
    for (size_t off = 0; off < 64; off++) {
        KIT_CHECK(ka_region_alloc(&region, SIZE_MAX - off, 16) == NULL);
        KIT_CHECK(ka_region_alloc(&region, SIZE_MAX / 2 - off, 16) == NULL);
        KIT_CHECK(ka_region_alloc(&region, SIZE_MAX / 2 + off, 4096) == NULL);
        KIT_CHECK(ka_region_alloc(&region, ((size_t)1 << 36) - off, 16) == NULL);
        KIT_CHECK(ka_region_alloc(&region, ((size_t)1 << 36) + off * 16, 16) == NULL);
    }
    for (size_t align = (size_t)1 << 20; align != 0; align *= 2) {
        KIT_CHECK(ka_region_alloc(&region, 64 * KIB, align) == NULL);
        KIT_CHECK(ka_region_alloc(&region, SIZE_MAX / 2 + 1 - align / 2, align) == NULL);
    }
    KIT_CHECK(ka_alloc(heap, 16, 16, 32) == NULL);          /* an unknown flag */
    KIT_CHECK(ka_alloc(heap, 16, 16, KA_PAGEABLE) == NULL); /* one that a region cannot honour */
    KIT_CHECK(unchanged(64 * KIB));
    void *block = ka_alloc(heap, 16, 16, KA_NOWAIT | KA_ATOMIC | KA_ANY_CONTEXT | KA_ZERO);
    KIT_CHECK(block != NULL);
    KIT_CHECK(ka_resize(heap, block, 16, 16, 32, 16, KA_PAGEABLE) == NULL);
    KIT_CHECK(ka_resize(heap, block, 16, 16, 32, 16, 32) == NULL);
    KIT_CHECK(ka_resize(heap, block, 16, 16, 32, 24, 0) == NULL);
    KIT_CHECK(ka_region_resize(&region, block, 16, 16, SIZE_MAX, 16, 0) == NULL);
    KIT_CHECK(ka_region_resize(&region, block, 16, 16, SIZE_MAX / 2, 16, 0) == NULL);
    KIT_CHECK(reported.count == 0);
}

/* A distance to the next aligned address that has 2^32 granules must not be cut to 32 bits. */
static void alloc_refuses_alignment_beyond_the_range(void)
{
    start(4 * MIB);
    for (size_t align = 4 * MIB; align != 0 && align <= PTRDIFF_MAX; align *= 2) {
        void *block = ka_region_alloc(&region, 64, align);
        KIT_CHECK(block == NULL || (uintptr_t)block % align == 0);
        if (block != NULL)
            ka_region_free(&region, block, 64, align);
    }
    CHECK_REGION();
}

static void padding_is_reusable(void)
{
    for (size_t align = 32; align <= 4096; align *= 2) {
        start(256 * KIB);
        size_t count = 0, total = region_total(&region);
        static void *blocks[16384];
        while ((blocks[count] = ka_region_alloc(&region, 16, align)) != NULL)
            count++;
        KIT_CHECK(count >= total / align - 1); /* every aligned place is used */
        size_t fill = 0;
        static void *fillers[16384];
        while ((fillers[fill] = ka_region_alloc(&region, 16, 16)) != NULL)
            fill++;
        KIT_CHECK((count + fill) * 16 == total); /* and the padding too */
        CHECK_REGION();
        for (size_t i = 0; i < fill; i++)
            ka_region_free(&region, fillers[i], 16, 16);
        for (size_t i = 0; i < count; i++)
            ka_region_free(&region, blocks[i], 16, align);
        CHECK_REGION();
        KIT_CHECK(region_total(&region) == total && free_blocks() == 1);
        KIT_CHECK(ka_region_alloc(&region, total, 16) == (void *)arena);
    }
}

static void zero_flag_clears(void)
{
    start(16 * KIB);
    for (size_t size = 1; size < 1000; size += 7) {
        unsigned char *block = ka_zalloc(heap, size, 16, 0);
        KIT_CHECK(block != NULL);
        for (size_t i = 0; i < size; i++)
            KIT_CHECK(block[i] == 0);
        memset(block, 0xff, size);
        ka_free(heap, block, size, 16);
    }
    KIT_CHECK(reported.count == 0);
}

/* ---- resize ---- */

static void resize_in_place(void)
{
    start(16 * KIB);
    unsigned char *a = ka_region_alloc(&region, 100, 16), *b = ka_region_alloc(&region, 100, 16);
    unsigned char *c = ka_region_alloc(&region, 100, 16);
    kit_stamp(b, 100, 5);
    KIT_CHECK(ka_region_resize(&region, b, 100, 16, 112, 16, 0) == b); /* within the last granule */
    KIT_CHECK(ka_region_resize(&region, b, 112, 16, 40, 8, 0) == b);   /* down, its end becomes free */
    KIT_CHECK(free_blocks() == 2 && kit_stamped(b, 40, 5));
    CHECK_REGION();
    KIT_CHECK(ka_region_resize(&region, b, 40, 8, 90, 16, 0) == b); /* up again, a part of what was free */
    KIT_CHECK(kit_stamped(b, 40, 5));
    CHECK_REGION();
    KIT_CHECK(ka_region_resize(&region, b, 90, 16, 112, 16, 0) == b); /* and all of it */
    KIT_CHECK(free_blocks() == 1);
    ka_region_free(&region, c, 100, 16);
    KIT_CHECK(ka_region_resize(&region, b, 112, 16, region_total(&region) - 112, 16, 0) == b); /* to the end */
    KIT_CHECK(free_blocks() == 0 && kit_stamped(b, 40, 5));
    CHECK_REGION();
    ka_region_free(&region, b, region_total(&region) - 112, 16);
    ka_region_free(&region, a, 100, 16);
    KIT_CHECK(free_blocks() == 1 && reported.count == 0);
}

static void resize_slides_down(void)
{
    start(16 * KIB);
    size_t total = region_total(&region);
    unsigned char *a = ka_region_alloc(&region, 512, 16), *b = ka_region_alloc(&region, 1000, 16);
    unsigned char *c = ka_region_alloc(&region, total - 512 - 1008, 16);
    KIT_CHECK(a != NULL && b != NULL && c != NULL);
    kit_stamp(b, 1000, 9);
    ka_region_free(&region, a, 512, 16);
    unsigned char *moved = ka_region_resize(&region, b, 1000, 16, 1200, 16, 0);
    KIT_CHECK(moved == b + 1008 - 1200 && kit_stamped(moved, 1000, 9)); /* it ends where it ended */
    CHECK_REGION();
    b = ka_region_resize(&region, moved, 1200, 16, 512 + 1008, 16, 0); /* all there is */
    KIT_CHECK(b == arena && kit_stamped(b, 1000, 9) && free_blocks() == 0);
    CHECK_REGION();
    KIT_CHECK(ka_region_resize(&region, b, 512 + 1008, 16, 512 + 1009, 16, 0) == NULL);
    KIT_CHECK(kit_stamped(b, 1000, 9));
    ka_region_free(&region, b, 512 + 1008, 16);
    ka_region_free(&region, c, total - 512 - 1008, 16);
    KIT_CHECK(free_blocks() == 1 && reported.count == 0);
}

/* Every alignment to every other, growing, shrinking and equal, in a crowded and in an empty region. */
static void resize_changes_alignment(void)
{
    static const size_t sizes[] = { 16, 100, 256, 1000, 5000 };
    for (size_t crowd = 0; crowd < 2; crowd++)
        for (size_t from = 1; from <= 8192; from *= 2)
            for (size_t to = 1; to <= 8192; to *= 2)
                for (size_t i = 0; i < KIT_COUNT(sizes) * KIT_COUNT(sizes); i++) {
                    size_t old_size = sizes[i / KIT_COUNT(sizes)], new_size = sizes[i % KIT_COUNT(sizes)];
                    start(64 * KIB);
                    void *hole = ka_region_alloc(&region, 48 + crowd * 3000, 16);
                    unsigned char *block = ka_region_alloc(&region, old_size, from);
                    KIT_CHECK(block != NULL);
                    if (crowd != 0)
                        KIT_CHECK(ka_region_alloc(&region, 32, 16) != NULL);
                    ka_region_free(&region, hole, 48 + crowd * 3000, 16);
                    kit_stamp(block, old_size, i);
                    unsigned char *now = ka_region_resize(&region, block, old_size, from, new_size, to, 0);
                    KIT_CHECK(now != NULL && (uintptr_t)now % to == 0 && (uintptr_t)now % 16 == 0);
                    KIT_CHECK(kit_stamped(now, old_size < new_size ? old_size : new_size, i));
                    CHECK_REGION();
                    ka_region_free(&region, now, new_size, to);
                    CHECK_REGION();
                    KIT_CHECK(region.live_blocks == crowd && reported.count == 0);
                }
}

static void resize_that_fails_changes_nothing(void)
{
    start(4 * KIB);
    unsigned char *a = ka_region_alloc(&region, 1000, 16), *b = ka_region_alloc(&region, 1000, 16);
    unsigned char *c = ka_region_alloc(&region, region_total(&region) - 2016, 16);
    KIT_CHECK(a != NULL && b != NULL && c != NULL);
    remember(4 * KIB);
    KIT_CHECK(ka_region_resize(&region, a, 1000, 16, 1100, 16, 0) == NULL);
    KIT_CHECK(ka_region_resize(&region, b, 1000, 16, 1100, 16, KA_ZERO) == NULL);
    KIT_CHECK(ka_region_resize(&region, c, region_total(&region) - 2016, 16, 4 * KIB, 16, 0) == NULL);
    KIT_CHECK(ka_region_resize(&region, b, 1000, 16, 1000, 4096, 0) == NULL);
    KIT_CHECK(ka_region_resize(&region, b, 1000, 16, 500, 4096, 0) == NULL); /* a shrink may fail too */
    KIT_CHECK(ka_region_resize(&region, b, 1000, 16, SIZE_MAX / 2, 1, 0) == NULL);
    KIT_CHECK(unchanged(4 * KIB) && reported.count == 0);
}

static void resize_zero_clears_exactly_the_new_bytes(void)
{
    start(64 * KIB);
    for (size_t old_size = 1; old_size < 70; old_size++)
        for (size_t new_size = 1; new_size < 140; new_size += 3)
            for (unsigned way = 0; way < 3; way++) { /* in place, slide down, move */
                start(8 * KIB);
                void *first = ka_region_alloc(&region, 256, 16);
                unsigned char *block = ka_region_alloc(&region, old_size, 16);
                void *wall = way == 0 ? NULL : ka_region_alloc(&region, 16, 16);
                if (way == 1)
                    ka_region_free(&region, first, 256, 16);
                memset(block, 0x77, (old_size + 15) / 16 * 16);
                unsigned char *now = ka_region_resize(&region, block, old_size, 16, new_size, 16, KA_ZERO);
                KIT_CHECK(now != NULL && (way == 0 || wall != NULL));
                for (size_t i = 0; i < new_size; i++)
                    KIT_CHECK(now[i] == (i < old_size ? 0x77 : 0));
                for (size_t i = new_size; i < old_size && i < (new_size + 15) / 16 * 16; i++)
                    KIT_CHECK(now[i] == 0x77); /* a shrink clears nothing */
                CHECK_REGION();
            }
    KIT_CHECK(reported.count == 0);
}

static void resize_of_null_and_to_0(void)
{
    start(16 * KIB);
    unsigned char *block = ka_region_resize(&region, NULL, 0, 16, 100, 64, KA_ZERO);
    KIT_CHECK(block != NULL && (uintptr_t)block % 64 == 0 && block[0] == 0 && block[99] == 0);
    void *empty = ka_region_resize(&region, block, 100, 64, 0, 4096, 0);
    KIT_CHECK(empty != NULL && (uintptr_t)empty % 4096 == 0 && region.live_blocks == 0 && free_blocks() == 1);
    block = ka_region_resize(&region, empty, 0, 4096, 50, 16, 0);
    KIT_CHECK(block != NULL && region.live_blocks == 1);
    ka_region_free(&region, block, 50, 16);
    CHECK_REGION();
    KIT_CHECK(reported.count == 0);
}

/* ---- refill ---- */

typedef struct refill_plan {
    unsigned calls;
    size_t step, most; /* claims `step` bytes until so many are claimed */
    size_t at;
    bool lie, nested; /* says true without a claim; asks the region itself */
    void *nested_result;
    size_t size, align; /* as asked, the newest */
    ka_flags flags;
} refill_plan;

static bool on_refill(void *context, size_t size, size_t align, ka_flags flags)
{
    refill_plan *plan = context;
    plan->calls++;
    plan->size = size;
    plan->align = align;
    plan->flags = flags;
    if (plan->nested)
        plan->nested_result = ka_region_alloc(&region, 64 * KIB, 16);
    if (plan->lie)
        return true;
    if (plan->at + plan->step > plan->most)
        return false;
    bool claimed = ka_region_claim(&region, arena + plan->at, plan->step);
    plan->at += plan->step;
    return claimed;
}

static void refill_grows_the_region(void)
{
    start(2 * KIB);
    refill_plan plan = { .step = 2 * KIB, .most = 64 * KIB, .at = 2 * KIB };
    ka_region_set_refill(&region, on_refill, &plan);
    void *small = ka_region_alloc(&region, 100, 16);
    KIT_CHECK(small != NULL && plan.calls == 0);
    unsigned char *block = ka_alloc(heap, 10 * KIB, 64, KA_ATOMIC); /* several steps for one request */
    KIT_CHECK(block != NULL && (uintptr_t)block % 64 == 0 && plan.calls >= 4);
    KIT_CHECK(plan.size == 10 * KIB && plan.align == 64 && plan.flags == KA_ATOMIC);
    CHECK_REGION();
    kit_stamp(block, 10 * KIB, 1);
    block = ka_region_resize(&region, block, 10 * KIB, 64, 30 * KIB, 64, 0); /* resize asks for more, too */
    KIT_CHECK(block != NULL && kit_stamped(block, 10 * KIB, 1));
    CHECK_REGION();
    unsigned calls = plan.calls;
    remember(64 * KIB);
    plan.most = 0;
    KIT_CHECK(ka_region_alloc(&region, 50 * KIB, 16) == NULL); /* refused: asked once */
    KIT_CHECK(plan.calls == calls + 1 && unchanged(64 * KIB));
    ka_region_set_refill(&region, NULL, NULL);
    KIT_CHECK(ka_region_alloc(&region, 50 * KIB, 16) == NULL && plan.calls == calls + 1);
    KIT_CHECK(reported.count == 0);
}

static void refill_from_nothing(void)
{
    start(0);
    refill_plan plan = { .step = 4 * KIB, .most = 64 * KIB };
    ka_region_set_refill(&region, on_refill, &plan);
    KIT_CHECK(ka_region_alloc(&region, 64, 16) == (void *)arena && plan.calls == 1);
    CHECK_REGION();
}

static void refill_that_claims_nothing_ends(void)
{
    start(2 * KIB);
    refill_plan plan = { .lie = true };
    ka_region_set_refill(&region, on_refill, &plan);
    KIT_CHECK(ka_region_alloc(&region, 64 * KIB, 16) == NULL && plan.calls == 1);
    void *block = ka_region_alloc(&region, 64, 16);
    KIT_CHECK(ka_region_resize(&region, block, 64, 16, 64 * KIB, 16, 0) == NULL && plan.calls == 2);
    CHECK_REGION();
}

static void refill_is_not_recursive(void)
{
    start(2 * KIB);
    refill_plan plan = { .step = 96 * KIB, .most = 200 * KIB, .at = 2 * KIB, .nested = true };
    plan.nested_result = &plan;
    ka_region_set_refill(&region, on_refill, &plan);
    KIT_CHECK(ka_region_alloc(&region, 64 * KIB, 16) != NULL);
    KIT_CHECK(plan.calls == 1 && plan.nested_result == NULL);
    plan.most = 0;
    KIT_CHECK(ka_region_alloc(&region, 64 * KIB, 16) == NULL && plan.calls == 2 && plan.nested_result == NULL);
    plan.nested = false; /* and the next request asks again */
    plan.most = 400 * KIB;
    KIT_CHECK(ka_region_alloc(&region, 64 * KIB, 16) != NULL && plan.calls == 3);
    CHECK_REGION();
}

/* ---- usable, unsized, walk, stats ---- */

static void usable_and_unsized_free(void)
{
    start(256 * KIB);
    for (size_t size = 1; size < 128 * KIB; size = size * 5 / 4 + 1) {
        void *before = ka_region_alloc(&region, 16, 16);
        unsigned char *block = ka_region_alloc(&region, size, 256);
        void *behind = ka_region_alloc(&region, 16, 16);
        KIT_CHECK(before != NULL && block != NULL && behind != NULL);
        size_t rounded = (size + 15) / 16 * 16;
        KIT_CHECK(ka_region_usable(&region, block) == rounded);
        for (size_t off = 1; off < rounded; off = off * 2 + 1)
            KIT_CHECK(ka_region_usable(&region, block + off) == 0);
        ka_region_free_unsized(&region, block);
        KIT_CHECK(ka_region_usable(&region, block) == 0);
        ka_region_free_unsized(&region, before);
        ka_region_free_unsized(&region, behind);
        KIT_CHECK(free_blocks() == 1 && region.live == 0);
    }
    KIT_CHECK(ka_region_usable(&region, NULL) == 0);
    KIT_CHECK(ka_region_usable(&region, &region) == 0);
    KIT_CHECK(ka_region_usable(&region, region.ranges[0].heads) == 0);
    KIT_CHECK(ka_region_usable(&region, arena + region_total(&region)) == 0);
    CHECK_REGION();
    KIT_CHECK(reported.count == 0);
}

static void walk_and_stats(void)
{
    start(0);
    KIT_CHECK(ka_region_claim(&region, arena + 64 * KIB, 16 * KIB));
    KIT_CHECK(ka_region_claim(&region, arena, 16 * KIB + 5));
    KIT_CHECK(ka_region_claim(&region, arena + 128 * KIB, 8 * KIB));
    kit_random random = { 3 };
    size_t live_bytes = 0, peak = 0, count = 0;
    static unsigned char *blocks[5000];
    static size_t sizes[5000];
    for (unsigned step = 0; step < 4000; step++) {
        if (count == 0 || kit_below(&random, 100) < 52) {
            size_t size = 1 + kit_below(&random, 600);
            unsigned char *block = ka_region_alloc(&region, size, 16);
            if (block == NULL)
                continue;
            blocks[count] = block;
            sizes[count++] = size;
            live_bytes += (size + 15) / 16 * 16;
            peak = live_bytes > peak ? live_bytes : peak;
        } else {
            size_t at = kit_below(&random, count);
            ka_region_free(&region, blocks[at], sizes[at], 16);
            live_bytes -= (sizes[at] + 15) / 16 * 16;
            blocks[at] = blocks[--count];
            sizes[at] = sizes[count];
        }
        walked w = { .in_order = true };
        KIT_CHECK(ka_region_walk(&region, on_visit, &w) && w.in_order);
        ka_stats stats = ka_get_stats(heap);
        KIT_CHECK(w.live == count && w.live_bytes == live_bytes);
        KIT_CHECK(w.live_bytes + w.free_bytes == stats.total &&
                  w.next == arena + 128 * KIB + region.ranges[2].granules * 16);
        KIT_CHECK(stats.live == live_bytes && stats.live_blocks == count && stats.free_blocks == w.free);
        KIT_CHECK(stats.free == w.free_bytes && stats.largest_free == w.largest && stats.peak == peak);
        KIT_CHECK(stats.total + stats.overhead == 40 * KIB + 5);
        KIT_CHECK(stats.fragmentation == 1000 - stats.largest_free * 1000 / stats.free);
    }
    walked w = { .in_order = true, .stop_after = 3 };
    KIT_CHECK(!ka_walk(heap, on_visit, &w) && w.live + w.free == 3);
    KIT_CHECK(reported.count == 0);
}

/* Two ranges that do not merge although they touch. */
static void walk_over_touching_ranges(void)
{
    start(0);
    KIT_CHECK(ka_region_claim(&region, arena + 4 * KIB, 4 * KIB));
    KIT_CHECK(ka_region_claim(&region, arena, 4 * KIB));
    for (void *block = arena; block != NULL;) {
        block = ka_region_alloc(&region, 160, 16);
        KIT_CHECK(block == NULL || ka_region_usable(&region, block) == 160);
    }
    walked w = { .in_order = true };
    KIT_CHECK(ka_region_walk(&region, on_visit, &w) && w.in_order && w.live_bytes == region.live);
    CHECK_REGION();
}

static void overhead_is_below_4_percent(void)
{
    start(100 * KIB - sizeof region); /* the struct is a part of the 100 KiB */
    size_t count = 0;
    while (ka_region_alloc(&region, 64, 16) != NULL)
        count++;
    kit_note("%zu blocks of 64 bytes in 100 KiB: %zu per mille used", count, count * 64 * 1000 / (100 * KIB));
    KIT_CHECK(count * 64 * 100 >= 100 * KIB * 96);
}

static void small_ranges_are_three_quarters_usable(void)
{
    start(KIB);
    KIT_CHECK(region_total(&region) * 4 >= 3 * KIB);
    size_t count = 0;
    while (ka_region_alloc(&region, 16, 16) != NULL)
        count++;
    KIT_CHECK(count * 16 == region_total(&region));
}

int main(void)
{
    static const kit_case cases[] = {
        { "init makes an empty region", init_makes_an_empty_region },
        { "claim refuses without a byte written", claim_refuses_without_a_write },
        { "claim refuses memory over the region itself", claim_refuses_the_region_itself },
        { "claim refuses when all slots are taken", claim_refuses_when_slots_are_taken },
        { "claim extends by the smallest steps", claim_extends_by_the_smallest_steps },
        { "the smallest region serves 16 bytes", smallest_region_serves_16_bytes },
        { "claim takes the smallest and odd sizes", claim_takes_the_smallest_and_odd_sizes },
        { "an adjacent claim extends; blocks span the seam", adjacent_claim_extends_and_blocks_span_the_seam },
        { "the record moves by small and large steps", record_moves_by_small_and_large_steps },
        { "the record may take all that is added", record_may_take_all_that_is_added },
        { "disjoint ranges serve together", disjoint_ranges_serve_together },
        { "claims below and between", claim_below_and_between },
        { "alloc: every size", alloc_every_size },
        { "alloc: size 0 takes no memory", alloc_size_0_takes_no_memory },
        { "alloc: every alignment", alloc_every_alignment },
        { "alloc: bad requests are refused", alloc_refuses_bad_requests },
        { "alloc: alignment larger than the range", alloc_refuses_alignment_beyond_the_range },
        { "alloc: padding is reusable", padding_is_reusable },
        { "alloc: KA_ZERO clears", zero_flag_clears },
        { "resize: in place", resize_in_place },
        { "resize: slides down", resize_slides_down },
        { "resize: changes alignment", resize_changes_alignment },
        { "resize: failure changes nothing", resize_that_fails_changes_nothing },
        { "resize: KA_ZERO clears exactly the new bytes", resize_zero_clears_exactly_the_new_bytes },
        { "resize: of NULL, and to 0", resize_of_null_and_to_0 },
        { "refill grows the region", refill_grows_the_region },
        { "refill of an empty region", refill_from_nothing },
        { "refill that claims nothing ends", refill_that_claims_nothing_ends },
        { "refill is not recursive", refill_is_not_recursive },
        { "usable and unsized free", usable_and_unsized_free },
        { "walk and stats", walk_and_stats },
        { "walk over touching ranges", walk_over_touching_ranges },
        { "100 KiB: overhead below 4 %", overhead_is_below_4_percent },
        { "1 KiB: three quarters usable", small_ranges_are_three_quarters_usable },
    };
    return kit_main("region", cases, KIT_COUNT(cases));
}
