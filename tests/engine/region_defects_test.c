/* region_defects_test.c: classes of defects that were found in other allocators, each with a test that would have
 * caught it here. The comment above a test names where the class was seen.
 */
#include <sys/mman.h>
#include <time.h>

#include "region_fixture.h"

#define GIB ((size_t)1 << 30)

static unsigned alloc_errors;

static void on_alloc_error(void *context, size_t size, size_t align)
{
    (void)context, (void)size, (void)align;
    alloc_errors++;
}

/* Address space that takes memory only where it is touched; NULL if the system refuses. */
static void *address_space(void *at, size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at != NULL ? MAP_FIXED_NOREPLACE : 0);
    void *memory = mmap(at, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* ---- requests ---- */

/* TLSF (mattconte) issue 22: SIZE_MAX gave a small block. Zephyr PR 30988: the rounded size overflowed. */
static void huge_sizes_give_null(void)
{
    start(64 * KIB);
    remember(64 * KIB);
    for (unsigned bit = 17; bit < 64; bit++)
        for (size_t off = 0; off < 64; off++)
            for (size_t align = 1; align <= 8192; align *= 8) {
                size_t edge = (size_t)1 << bit;
                KIT_CHECK(ka_region_alloc(&region, edge + off, align) == NULL);
                KIT_CHECK(ka_region_alloc(&region, edge - 1 - off, align) == NULL);
                KIT_CHECK(ka_alloc(heap, 0 - edge + off, align, 0) == NULL);
                KIT_CHECK(ka_alloc(heap, SIZE_MAX - off, align, 0) == NULL);
            }
    KIT_CHECK(unchanged(64 * KIB));
}

/* TLSF (mattconte) issue 16: half of small blocks were not aligned to 16. Linux issue 974 of Rust-for-Linux: sizes that
 * are no power of two lost their alignment. kernel-alloc for Rust: alignment was never looked at.
 * slab_allocator_rs: size up to 4096 with more alignment. o1heap: one alignment only. */
static void every_block_is_aligned(void)
{
    start(4 * MIB);
    for (size_t i = 0; i < 100; i++)
        KIT_CHECK((uintptr_t)ka_region_alloc(&region, 1 + i % 40, 1 + i % 2) % 16 == 0);
    static const size_t sizes[] = { 1, 24, 48, 64, 96, 192, 320, 4096, 4097, 12288 };
    for (size_t i = 0; i < KIT_COUNT(sizes); i++)
        for (size_t align = 1; align <= 256 * KIB; align *= 2) {
            unsigned char *block = ka_region_alloc(&region, sizes[i], align);
            KIT_CHECK(block != NULL && (uintptr_t)block % align == 0);
            memset(block, 0xff, sizes[i]);
            if (align > 4096)
                ka_region_free(&region, block, sizes[i], align);
        }
    CHECK_REGION();
}

/* mimalloc issue 1406: alignment over 64 KiB failed. */
static void large_alignments_are_served(void)
{
    void *memory = address_space(NULL, 3 * GIB);
    if (memory == NULL) {
        kit_skip("no address space");
        return;
    }
    start(0);
    KIT_CHECK(ka_region_claim(&region, memory, 3 * GIB));
    for (size_t align = MIB; align <= GIB; align *= 2) {
        void *block = ka_region_alloc(&region, 100, align);
        KIT_CHECK(block != NULL && (uintptr_t)block % align == 0);
        CHECK_REGION();
        ka_region_free(&region, block, 100, align);
        KIT_CHECK(free_blocks() == 1);
    }
    KIT_CHECK(munmap(memory, 3 * GIB) == 0);
}

/* Asks for blocks aligned to 1 TiB in a range at the address, where there is no such place. */
static void ask_far_alignment(uintptr_t base)
{
    size_t align = (size_t)1 << 40;
    void *memory = address_space((void *)base, 64 * KIB);
    if (memory != (void *)base) {
        kit_skip("the address is taken");
        return;
    }
    start(0);
    KIT_CHECK(ka_region_claim(&region, memory, 64 * KIB));
    KIT_CHECK(ka_region_alloc(&region, 64, align) == NULL);
    void *hole = ka_region_alloc(&region, 20 * KIB, 16), *block = ka_region_alloc(&region, 64, 16);
    ka_region_free(&region, hole, 20 * KIB, 16);
    KIT_CHECK(ka_region_resize(&region, block, 64, 16, 1024, align, 0) == NULL);
    KIT_CHECK(ka_region_resize(&region, block, 64, 16, 32, align, 0) == NULL);
    CHECK_REGION();
    KIT_CHECK(munmap(memory, 64 * KIB) == 0);
}

/* A distance of 2^32 granules and a few, up or down, that is cut to 32 bits passes for a few: found here. */
static void far_alignment_is_not_cut(void)
{
    ask_far_alignment(((uintptr_t)1 << 42) - ((uintptr_t)1 << 36) - 4096);
    ask_far_alignment(((uintptr_t)1 << 42) + ((uintptr_t)1 << 36));
}

/* kernel-alloc for Rust, wdk-alloc, slab_allocator_rs: running out ended the program. */
static void exhaustion_only_gives_null(void)
{
    start(16 * KIB);
    alloc_errors = 0;
    ka_set_alloc_error_handler(on_alloc_error, NULL);
    while (ka_region_alloc(&region, 100, 32) != NULL)
        ;
    while (ka_region_alloc(&region, 1, 1) != NULL)
        ;
    KIT_CHECK(ka_region_alloc(&region, 1, 1) == NULL && ka_alloc(heap, 1, 1, KA_ZERO) == NULL);
    KIT_CHECK(ka_region_resize(&region, arena, 100, 32, 200, 32, 0) == NULL);
    ka_set_alloc_error_handler(NULL, NULL);
    KIT_CHECK(alloc_errors == 0 && reported.count == 0);
    CHECK_REGION();
}

/* o1heap: a request of 2048 took 4096. buddy allocators: sizes rounded to powers of two. */
static void sizes_take_what_they_ask(void)
{
    start(64 * KIB);
    for (size_t size = 16; size <= 32 * KIB; size *= 2) {
        size_t before = ka_get_stats(heap).free;
        void *block = ka_region_alloc(&region, size, 16);
        KIT_CHECK(before - ka_get_stats(heap).free == size);
        ka_region_free(&region, block, size, 16);
    }
}

/* mimalloc issues 703 and 750: memory was believed to be zero. */
static void zero_clears_dirty_memory(void)
{
    start(64 * KIB); /* which fills the arena with 0xa5 */
    for (size_t size = 16; size < 32 * KIB; size = size * 3 / 2) {
        unsigned char *block = ka_zalloc(heap, size, 64, 0);
        KIT_CHECK(block != NULL);
        for (size_t i = 0; i < size; i++)
            KIT_CHECK(block[i] == 0);
        memset(block, 0xff, size);
        ka_free(heap, block, size, 64);
    }
}

/* ---- padding and holes ---- */

/* linked_list_allocator issue 66, blog_os issue 796: padding before or behind aligned blocks leaked. */
static void padding_never_leaks(void)
{
    start(64 * KIB);
    kit_random random = { 7 };
    size_t total = region_total(&region);
    void *blocks[16] = { NULL };
    size_t sizes[16], aligns[16];
    for (unsigned step = 0; step < 100000; step++) {
        size_t at = kit_below(&random, 16);
        if (blocks[at] != NULL) {
            ka_region_free(&region, blocks[at], sizes[at], aligns[at]);
            blocks[at] = NULL;
        } else {
            sizes[at] = 1 + kit_below(&random, 3000);
            aligns[at] = (size_t)1 << kit_below(&random, 12);
            blocks[at] = ka_region_alloc(&region, sizes[at], aligns[at]);
        }
    }
    for (size_t at = 0; at < 16; at++)
        if (blocks[at] != NULL)
            ka_region_free(&region, blocks[at], sizes[at], aligns[at]);
    KIT_CHECK(free_blocks() == 1 && ka_region_alloc(&region, total, 16) == (void *)arena);
    KIT_CHECK(reported.count == 0);
}

/* linked_list_allocator PR 1: holes were skipped. */
static void the_only_hole_is_found(void)
{
    for (size_t size = 16; size <= 3000; size += 16) {
        start(16 * KIB);
        void *first = ka_region_alloc(&region, 1024, 16), *hole = ka_region_alloc(&region, size, 16);
        size_t rest = region_total(&region) - 1024 - size;
        KIT_CHECK(first != NULL && ka_region_alloc(&region, rest, 16) != NULL);
        ka_region_free(&region, hole, size, 16);
        KIT_CHECK(ka_region_alloc(&region, size, 16) == hole);
        KIT_CHECK(ka_region_alloc(&region, 1, 1) == NULL);
    }
}

/* Zephyr PR 29460: aligned blocks overlapped their neighbours. */
static void aligned_blocks_do_not_overlap(void)
{
    start(128 * KIB);
    kit_random random = { 11 };
    static unsigned char *blocks[2000];
    static size_t sizes[2000];
    size_t count = 0;
    for (; count < 2000; count++) {
        sizes[count] = 1 + kit_below(&random, 300);
        blocks[count] = ka_region_alloc(&region, sizes[count], (size_t)1 << kit_below(&random, 10));
        if (blocks[count] == NULL)
            break;
        kit_stamp(blocks[count], sizes[count], count);
    }
    KIT_CHECK(count > 100);
    for (size_t i = 0; i < count; i++)
        KIT_CHECK(kit_stamped(blocks[i], sizes[i], i));
    CHECK_REGION();
}

/* ---- free ---- */

/* TLSF, tlsf-bsd, o1heap: without asserts a double free hung, or the same block was handed out twice, and the check was
 * content. Zephyr PR 108758: wrong reports after a merge. */
static void double_free_does_not_double_blocks(void)
{
    start(16 * KIB);
    unsigned char *a = ka_region_alloc(&region, 64, 16), *b = ka_region_alloc(&region, 64, 16);
    void *c = ka_region_alloc(&region, 64, 16);
    ka_region_free(&region, b, 64, 16);
    ka_region_free(&region, b, 64, 16);
    KIT_CHECK(reported.count == 1 && reported.kind == KA_MISUSE_DOUBLE_FREE && reported.block == b);
    ka_region_free(&region, a, 64, 16); /* b becomes the inside of a free block */
    ka_region_free(&region, b, 64, 16);
    KIT_CHECK(reported.count == 2 && reported.kind == KA_MISUSE_DOUBLE_FREE && reported.block == b);
    CHECK_REGION();
    void *d = ka_region_alloc(&region, 64, 16), *e = ka_region_alloc(&region, 64, 16);
    KIT_CHECK(d != NULL && e != NULL && d != e && d != c && e != c);
}

/* linked_list_allocator PR 64: 0.10.0 merged wrongly; issue 70: free hung. Every order of freeing five blocks. */
static void every_order_of_freeing(void)
{
    for (unsigned order = 0; order < 5 * 5 * 5 * 5 * 5; order++) {
        unsigned picked[5], digits = order, seen = 0;
        for (size_t i = 0; i < 5; i++, digits /= 5) {
            picked[i] = digits % 5;
            seen |= 1u << picked[i];
        }
        if (seen != 31)
            continue;
        start(4 * KIB);
        void *blocks[5];
        for (size_t i = 0; i < 5; i++)
            blocks[i] = ka_region_alloc(&region, 16 + 100 * i, 16);
        for (size_t i = 0; i < 5; i++) {
            ka_region_free(&region, blocks[picked[i]], 16 + 100 * picked[i], 16);
            CHECK_REGION();
        }
        KIT_CHECK(free_blocks() == 1 && region.live == 0 && reported.count == 0);
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* buddy_system_allocator PR 55: a free scanned a list. hermit issue 1968: 150 times slower as blocks grew many. A scan
 * of half the list would take minutes here; the bound is generous for slow machines and sanitizers. Exact counts: see
 * bench/region_count. */
static void many_free_blocks_cost_nothing(void)
{
    enum { COUNT = 400000 };
    size_t size = (size_t)COUNT * 32 * 11 / 10;
    static unsigned char *blocks[COUNT];
    void *memory = address_space(NULL, size);
    KIT_CHECK(memory != NULL);
    start(0);
    KIT_CHECK(ka_region_claim(&region, memory, size));
    for (size_t i = 0; i < COUNT; i++)
        KIT_CHECK((blocks[i] = ka_region_alloc(&region, 32, 16)) != NULL);
    double begin = seconds();
    for (size_t i = 0; i < COUNT; i += 2) /* 200,000 free blocks in one list */
        ka_region_free(&region, blocks[i], 32, 16);
    for (size_t i = 1; i < COUNT; i += 2) /* taken out of the middle of it, one after another */
        ka_region_free(&region, blocks[(i * 7919) % COUNT | 1], 32, 16);
    double took = seconds() - begin;
    kit_note("%d frees: %u ms", COUNT, (unsigned)(took * 1000));
    KIT_CHECK(took < 5);
    KIT_CHECK(free_blocks() == 1 && reported.count == 0);
    KIT_CHECK(munmap(memory, size) == 0);
}

/* ---- resize ---- */

/* TLSF (mattconte) issue 36: a resize lost the alignment. */
static void resize_keeps_alignment(void)
{
    start(512 * KIB);
    for (size_t align = 16; align <= 4096; align *= 2) {
        unsigned char *block = ka_region_alloc(&region, 100, align);
        KIT_CHECK(ka_region_alloc(&region, 16, 16) != NULL); /* so that it must move */
        for (size_t size = 100; size < 20 * KIB; size = size * 2 + 1) {
            block = ka_region_resize(&region, block, size, align, size * 2 + 1, align, 0);
            KIT_CHECK(block != NULL && (uintptr_t)block % align == 0);
        }
        ka_region_free_unsized(&region, block);
    }
    CHECK_REGION();
}

/* Zephyr PR 30852: a resize to the same size damaged a free list. */
static void resize_to_the_same_size_is_nothing(void)
{
    start(16 * KIB);
    void *before = ka_region_alloc(&region, 64, 16), *block = ka_region_alloc(&region, 100, 16);
    void *behind = ka_region_alloc(&region, 64, 16);
    for (unsigned free = 0; free < 4; free++) {
        if (free == 1)
            ka_region_free(&region, before, 64, 16);
        if (free == 2)
            ka_region_free(&region, behind, 64, 16);
        settle();
        remember(16 * KIB);
        for (size_t size = 97; size <= 112; size++)
            KIT_CHECK(ka_region_resize(&region, block, 100, 16, size, 16, 0) == block);
        KIT_CHECK(unchanged(16 * KIB));
    }
}

/* Linux 6.1: krealloc with __GFP_ZERO left spare bytes of the old block uncleared. */
static void resize_zero_clears_spare_bytes(void)
{
    start(16 * KIB);
    for (size_t size = 1; size < 64; size++) {
        unsigned char *block = ka_region_alloc(&region, size, 16);
        memset(block, 0xee, ka_region_usable(&region, block));
        block = ka_region_resize(&region, block, size, 16, 80, 16, KA_ZERO);
        for (size_t i = 0; i < 80; i++)
            KIT_CHECK(block[i] == (i < size ? 0xee : 0));
        memset(block, 0xee, 80);
        ka_region_free(&region, block, 80, 16);
    }
}

/* ---- claims ---- */

/* linked_list_allocator CVE-2022-36086: init and extend with small sizes wrote out of bounds. PR 31, patina issue 616:
 * tiny heaps. TLSF issue 9: sizes near the limit. rmind/tlsf issue 2: unaligned base. */
static void bad_claims_write_nothing(void)
{
    for (unsigned extend = 0; extend < 2; extend++) {
        start(0);
        size_t at = 0;
        if (extend != 0) {
            KIT_CHECK(ka_region_claim(&region, arena, 2 * KIB));
            at = 2 * KIB;
        }
        memset(arena + at, 0x11, 64 * KIB);
        remember(128 * KIB);
        for (size_t size = 0; size < KA_REGION_MIN_RANGE; size++)
            KIT_CHECK(!ka_region_claim(&region, arena + at, size));
        for (size_t off = 1; off < 16; off++)
            KIT_CHECK(!ka_region_claim(&region, arena + at + off, 8 * KIB));
        for (unsigned bit = 36; bit < 64; bit++) {
            KIT_CHECK(!ka_region_claim(&region, arena + at, (size_t)1 << bit));
            KIT_CHECK(!ka_region_claim(&region, arena + at, 0 - ((size_t)1 << bit)));
        }
        KIT_CHECK(unchanged(128 * KIB));
        CHECK_REGION();
    }
}

/* linked_list_allocator PR 31, Zephyr PR 98755: the smallest heap did not work. */
static void the_smallest_region_works(void)
{
    for (size_t size = KA_REGION_MIN_RANGE; size < KA_REGION_MIN_RANGE + 64; size++) {
        start(0);
        memset(arena, 0x11, 4 * KIB);
        KIT_CHECK(ka_region_claim(&region, arena + 64, size));
        unsigned char *blocks[64];
        size_t count = 0;
        while ((blocks[count] = ka_region_alloc(&region, 9, 16)) != NULL)
            memset(blocks[count++], 0xff, 16);
        KIT_CHECK(count >= 1);
        for (size_t i = 0; i < count; i++)
            ka_region_free(&region, blocks[i], 9, 16);
        CHECK_REGION();
        for (size_t i = 0; i < 64; i++)
            KIT_CHECK(arena[i] == 0x11 && arena[64 + size + i] == 0x11);
    }
}

/* TLSF issue 9, rmind/tlsf issue 1: sizes at the edges of bins and the last byte of a pool. */
static void sizes_at_the_edges_of_bins(void)
{
    for (size_t edge = 2 * KIB; edge <= 2 * MIB; edge += edge / 16)
        for (size_t size = edge - 32; size <= edge + 32; size += 8) {
            start(0);
            KIT_CHECK(ka_region_claim(&region, arena, size));
            size_t total = region_total(&region);
            unsigned char *block = ka_region_alloc(&region, total, 16);
            KIT_CHECK(block == arena);
            block[0] = block[total - 1] = 0xff;
            KIT_CHECK(ka_region_alloc(&region, 1, 1) == NULL);
            ka_region_free(&region, block, total, 16);
            CHECK_REGION();
        }
}

/* linked_list_allocator: extend was for contiguous memory alone. */
static void memory_need_not_be_contiguous(void)
{
    start(0);
    KIT_CHECK(ka_region_claim(&region, arena + 2 * MIB, 8 * KIB));
    KIT_CHECK(ka_region_claim(&region, arena + 8 * KIB, 8 * KIB));
    KIT_CHECK(ka_region_claim(&region, arena + 3 * MIB, 64 * KIB));
    CHECK_REGION();
    KIT_CHECK(ka_region_alloc(&region, 32 * KIB, 16) == (void *)(arena + 3 * MIB));
    KIT_CHECK(ka_region_alloc(&region, 6 * KIB, 16) == (void *)(arena + 8 * KIB));
    KIT_CHECK(ka_region_alloc(&region, 6 * KIB, 16) == (void *)(arena + 2 * MIB));
}

/* unikraft issue 688: the metadata's size was counted twice. */
static void all_bytes_are_accounted_for(void)
{
    for (size_t size = KIB; size < 64 * KIB; size += 333) {
        start(size);
        ka_stats stats = ka_get_stats(heap);
        KIT_CHECK(stats.total + stats.overhead == size);
        KIT_CHECK(stats.overhead <= size / 4 + 32);
        size_t rounded = (size + 15) / 16 * 16;
        if (size == rounded) {
            KIT_CHECK(ka_region_claim(&region, arena + size, 4 * KIB));
            stats = ka_get_stats(heap);
            KIT_CHECK(stats.total + stats.overhead == size + 4 * KIB);
        }
    }
}

static size_t claimed_at;
static unsigned refills;

static bool refill_little(void *context, size_t size, size_t align, ka_flags flags)
{
    (void)context, (void)size, (void)align, (void)flags;
    refills++;
    bool claimed = claimed_at + KIB <= 64 * KIB && ka_region_claim(&region, arena + claimed_at, KIB);
    claimed_at += KIB;
    return claimed;
}

/* talc issue 47: growth was computed too small, for ever. */
static void growth_that_never_suffices_ends(void)
{
    start(2 * KIB);
    claimed_at = 2 * KIB;
    refills = 0;
    ka_region_set_refill(&region, refill_little, NULL);
    KIT_CHECK(ka_region_alloc(&region, 200 * KIB, 16) == NULL && refills == 63);
    CHECK_REGION();
    KIT_CHECK(ka_region_alloc(&region, 60 * KIB, 16) != NULL);
}

/* ---- large ranges ---- */

/* talc PR 49: sizes of 16 MiB and more lost a byte, and blocks overlapped. Every size crosses a power of two here, and
 * granule numbers pass 2^28. */
static void large_blocks_keep_their_sizes(void)
{
    size_t size = 5 * GIB;
    unsigned char *memory = address_space(NULL, size), *blocks[64];
    if (memory == NULL) {
        kit_skip("no address space");
        return;
    }
    start(0);
    KIT_CHECK(ka_region_claim(&region, memory, size));
    size_t sizes[64], count = 0, total = region_total(&region);
    for (size_t large = 16 * MIB - 16; large < 3 * GIB; large = (large + 16) * 2 - 16, count += 2) {
        for (size_t i = 0; i < 2; i++) {
            sizes[count + i] = i == 0 ? large : 48;
            blocks[count + i] = ka_region_alloc(&region, sizes[count + i], 16);
            if (blocks[count + i] == NULL)
                sizes[count + i] = 0;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (sizes[i] != 0)
            kit_stamp(blocks[i] + sizes[i] - 16, 16, i), kit_stamp(blocks[i], 16, i);
    for (size_t i = 0; i < count; i += 4) /* large gaps, and back */
        if (sizes[i] != 0)
            ka_region_free(&region, blocks[i], sizes[i], 16);
    CHECK_REGION();
    for (size_t i = 0; i < count; i++) {
        if (sizes[i] == 0 || i % 4 == 0)
            continue;
        KIT_CHECK(kit_stamped(blocks[i], 16, i) && kit_stamped(blocks[i] + sizes[i] - 16, 16, i));
        ka_region_free(&region, blocks[i], sizes[i], 16);
    }
    CHECK_REGION();
    KIT_CHECK(free_blocks() == 1 && reported.count == 0);
    unsigned char *all = ka_region_alloc(&region, total, 16);
    KIT_CHECK(all == memory);
    all[total - 1] = all[0] = 1;
    ka_region_free(&region, all + 16, total - 16, 16);
    KIT_CHECK(reported.count == 1 && reported.kind == KA_MISUSE_INTERIOR);
    ka_region_free(&region, all, total, 16);
    CHECK_REGION();
    KIT_CHECK(munmap(memory, size) == 0);
}

int main(void)
{
    static const kit_case cases[] = {
        { "huge sizes give NULL", huge_sizes_give_null },
        { "every block is aligned", every_block_is_aligned },
        { "large alignments are served", large_alignments_are_served },
        { "a far alignment is not cut to 32 bits", far_alignment_is_not_cut },
        { "exhaustion only gives NULL", exhaustion_only_gives_null },
        { "sizes take what they ask", sizes_take_what_they_ask },
        { "KA_ZERO clears dirty memory", zero_clears_dirty_memory },
        { "padding never leaks", padding_never_leaks },
        { "the only hole is found", the_only_hole_is_found },
        { "aligned blocks do not overlap", aligned_blocks_do_not_overlap },
        { "a double free does not double blocks", double_free_does_not_double_blocks },
        { "every order of freeing", every_order_of_freeing },
        { "many free blocks cost nothing", many_free_blocks_cost_nothing },
        { "resize keeps alignment", resize_keeps_alignment },
        { "resize to the same size is nothing", resize_to_the_same_size_is_nothing },
        { "resize with KA_ZERO clears spare bytes", resize_zero_clears_spare_bytes },
        { "bad claims write nothing", bad_claims_write_nothing },
        { "the smallest region works", the_smallest_region_works },
        { "sizes at the edges of bins", sizes_at_the_edges_of_bins },
        { "memory need not be contiguous", memory_need_not_be_contiguous },
        { "all bytes are accounted for", all_bytes_are_accounted_for },
        { "growth that never suffices ends", growth_that_never_suffices_ends },
        { "large blocks keep their sizes", large_blocks_keep_their_sizes },
    };
    return kit_main("region_defects", cases, KIT_COUNT(cases));
}
