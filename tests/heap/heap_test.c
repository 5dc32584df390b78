/* heap_test.c: each sentence of ka/heap.h that one thread can prove on memory
 * that is given. See heap_source_test.c for memory that comes and goes,
 * heap_misuse_test.c for callers' errors, heap_model_test.c for long random
 * runs, heap_threads_test.c and heap_signal_test.c for company.
 */
#include "heap_fixture.h"

#include "heap_inside.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static ka_heap heap;

/* ---- heaps to test ---- */

/* Over memory of its own, without and with magazines (4 MiB for each CPU are
 * enough for these). */
static void *range;
static size_t range_size;

static size_t size_with_magazines(void)
{
    return (size_t)ka_port_cpu_count() * 4 * MIB + 16 * MIB;
}

static bool open_given(size_t size)
{
    reports_clear();
    range_size = size;
    range = fixture_map(size, 4096, PROT_READ | PROT_WRITE);
    memset(range, 0x5a, size < MIB ? size : MIB);
    return range != NULL && ka_heap_init(&heap, &(ka_heap_options){ .base = range, .size = size });
}

static void close_given(void)
{
    KIT_EXPECT(reports.count == 0);
    KIT_EXPECT(ka_heap_check(&heap) == NULL);
    KIT_EXPECT(ka_heap_fini(&heap) == 0);
    munmap(range, range_size);
}

static ka_stats stats_now(void)
{
    ka_stats stats;
    ka_heap_stats(&heap, &stats);
    return stats;
}

static bool all_zero(const void *block, size_t size)
{
    const unsigned char *bytes = block;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* ---- life ---- */

static void options(void)
{
    static _Alignas(4096) char memory[512 * 1024];
    const size_t small_page = (uintptr_t)memory % 65536 == 0 ? 4096 : 0; /* an offset that 64 KiB pages refuse */
    ka_page_source no_reserve = fixture_source, no_commit = fixture_source;
    no_reserve.reserve = NULL;
    no_commit.commit = NULL;
    const ka_heap_options bad[] = {
        { .base = NULL, .size = sizeof memory },          /* no memory at all */
        { .base = memory, .size = KA_HEAP_MIN_SIZE - 1 }, /* too small */
        { .base = memory, .size = 0 },
        { .base = memory, .size = (size_t)PTRDIFF_MAX + 1 },
        { .base = memory, .size = (size_t)PTRDIFF_MAX, .page_shift = 12, .segment_shift = 36 },
        { .base = memory + 16, .size = KA_HEAP_MIN_SIZE }, /* not aligned to a page */
        { .base = memory + small_page, .size = KA_HEAP_MIN_SIZE, .page_shift = 16 },
        { .base = memory, .size = sizeof memory, .page_shift = 11 },
        { .base = memory, .size = sizeof memory, .page_shift = 17 },
        { .base = memory, .size = sizeof memory, .page_shift = 12 + 256 },
        { .base = memory, .size = sizeof memory, .segment_shift = 20 },
        { .base = memory, .size = sizeof memory, .segment_shift = 35 },
        { .base = (char *)(UINTPTR_MAX - MIB + 1), .size = 2 * MIB }, /* reaches over the end */
        { .base = NULL, .source = &no_reserve, .size = MIB },
        { .base = NULL, .source = &no_commit, .size = MIB },
        { .base = memory, .source = &no_commit, .size = sizeof memory },
    };
    for (size_t i = 0; i < KIT_COUNT(bad); i++) {
        fixture_open();
        memset(memory, 0x77, sizeof memory);
        if (ka_heap_init(&heap, &bad[i]))
            kit_note("options %zu were taken", i), KIT_EXPECT(false);
        KIT_EXPECT(fixture.reserves == 0 && fixture.commits == 0 && memory[0] == 0x77);
    }
    KIT_CHECK(ka_heap_init(&heap, &(ka_heap_options){ .base = memory, .size = KA_HEAP_MIN_SIZE }));
    KIT_EXPECT(strcmp(heap.name, "heap") == 0 && ka_heap_fini(&heap) == 0);
    KIT_CHECK(
        ka_heap_init(&heap, &(ka_heap_options){ .base = memory, .size = KA_HEAP_MIN_SIZE + 4095, .name = "odd" }));
    KIT_EXPECT(strcmp(heap.name, "odd") == 0 && ka_heap_fini(&heap) == 0);
}

/* No memory for the record, or no address space: false, and the reservation is
 * given back. */
static void no_memory_for_the_record(void)
{
    const ka_heap_options o = { .source = &fixture_source, .size = MIB };
    fixture_open();
    fixture_fail(0, true);
    KIT_EXPECT(!ka_heap_init(&heap, &o));
    KIT_EXPECT(fixture.reserves == 1 && fixture.unreserves == 1 && fixture.faults == 0);
    fixture_open();
    KIT_EXPECT(!ka_heap_init(&heap, &(ka_heap_options){ .source = &fixture_source, .size = (size_t)1 << 40 }));
    KIT_EXPECT(fixture.reserves == 1 && fixture.unreserves == 0 && fixture.committed == 0);
}

static void leaks_are_reported(void)
{
    KIT_CHECK(open_given(MIB));
    void *small = ka_heap_alloc(&heap, 100, 16, 0), *large = ka_heap_alloc(&heap, 50000, 16, 0);
    KIT_CHECK(small != NULL && large != NULL);
    KIT_EXPECT(ka_heap_fini(&heap) == 2);
    KIT_EXPECT(reports.count == 2 && reports.of[KA_MISUSE_LEAK] == 2 && reports.allocator == &heap.allocator);
    munmap(range, range_size);
    KIT_CHECK(open_given(size_with_magazines())); /* blocks in magazines are no leaks */
    small = ka_heap_alloc(&heap, 100, 16, 0);
    ka_heap_free(&heap, ka_heap_alloc(&heap, 100, 16, 0), 100, 16);
    KIT_EXPECT(ka_heap_fini(&heap) == 1 && reports.count == 1 && reports.block == small && reports.size == 112);
    munmap(range, range_size);
}

/* ---- blocks ---- */

static void every_size_on(size_t size_of_heap)
{
    KIT_CHECK(open_given(size_of_heap));
    for (size_t size = 0; size <= 70000; size++) {
        unsigned char *a = ka_heap_alloc(&heap, size, 1, 0), *b = ka_alloc(&heap.allocator, size, 8, 0);
        KIT_CHECK(a != NULL && b != NULL && (size == 0 || a != b));
        KIT_CHECK((uintptr_t)a % KA_MIN_ALIGN == 0 && (uintptr_t)b % KA_MIN_ALIGN == 0);
        size_t usable = ka_heap_usable(&heap, a);
        KIT_CHECK(size == 0 || (usable >= size && usable <= size + size / 8 + 4096));
        KIT_CHECK(size == 0 ||
                  (ka_usable(&heap.allocator, b, size, 8) == usable && ka_heap_usable(&heap, b) == usable));
        if (size != 0) {
            a[0] = a[size - 1] = a[usable - 1] = 1;
            b[0] = b[size - 1] = b[usable - 1] = 2;
            KIT_CHECK(a[0] == 1 && a[usable - 1] == 1);
        }
        ka_heap_free(&heap, a, size, 1);
        size % 2 == 0 ? ka_free(&heap.allocator, b, size, 8) : ka_heap_free_unsized(&heap, b);
        if (size % 997 == 0)
            KIT_CHECK_SOUND(ka_heap_check(&heap));
    }
    KIT_EXPECT(stats_now().live == 0);
    close_given();
}

static void every_size(void)
{
    every_size_on(2 * MIB);
}
static void every_size_magazines(void)
{
    every_size_on(size_with_magazines());
}

static void every_alignment(void)
{
    static const size_t sizes[] = { 1, 16, 40, 100, 1000, 4096, 5000, 32768, 40000, 70000 };
    KIT_CHECK(open_given(16 * MIB));
    for (size_t align = 1; align <= MIB; align *= 2)
        for (size_t i = 0; i < KIT_COUNT(sizes); i++) {
            size_t size = sizes[i];
            unsigned char *a = ka_heap_alloc(&heap, size, align, 0),
                          *b = ka_alloc(&heap.allocator, size, align, KA_ZERO);
            KIT_CHECK(a != NULL && b != NULL && (uintptr_t)a % align == 0 && (uintptr_t)b % align == 0);
            KIT_CHECK(all_zero(b, size));
            memset(a, 0xff, ka_heap_usable(&heap, a));
            KIT_CHECK(all_zero(b, size));
            memset(b, 0xff, size);
            ka_heap_free(&heap, a, size, align);
            ka_free(&heap.allocator, b, size, align);
        }
    KIT_EXPECT(ka_heap_alloc(&heap, 16, (size_t)1 << 40, 0) == NULL);
    KIT_EXPECT(stats_now().live == 0);
    close_given();
}

static void bad_requests(void)
{
    KIT_CHECK(open_given(MIB));
    static const struct {
        size_t size, align;
        ka_flags flags;
    } bad[] = {
        { 16, 0, 0 },
        { 16, 3, 0 },
        { 16, 24, 0 },
        { 16, SIZE_MAX, 0 },
        { SIZE_MAX, 16, 0 },
        { (size_t)PTRDIFF_MAX + 1, 1, 0 },
        { (size_t)PTRDIFF_MAX, 4096, 0 },
        { SIZE_MAX - 15, 8, 0 },
        { 16, 16, KA_PAGEABLE },
        { 16, 16, KA_FLAGS_KNOWN + 1 },
        { 16, 16, (ka_flags)1 << 31 },
        { 50000, 16, KA_PAGEABLE },
        { 16, 16, KA_ZERO | KA_PAGEABLE },
        { 2 * MIB, 16, 0 },
        { (size_t)1 << 45, 16, 0 },
    };
    char *block = ka_heap_alloc(&heap, 100, 16, 0);
    KIT_CHECK(block != NULL);
    kit_stamp(block, 100, 5);
    ka_stats before = stats_now(), after;
    for (size_t i = 0; i < KIT_COUNT(bad); i++) {
        void *got = (void *)1;
        KIT_EXPECT(ka_heap_alloc(&heap, bad[i].size, bad[i].align, bad[i].flags) == NULL);
        KIT_EXPECT(ka_alloc(&heap.allocator, bad[i].size, bad[i].align, bad[i].flags) == NULL);
        KIT_EXPECT(ka_heap_alloc_many(&heap, bad[i].size, bad[i].align, bad[i].flags, 1, &got) == 0);
        KIT_EXPECT(ka_heap_resize(&heap, block, 100, 16, bad[i].size, bad[i].align, bad[i].flags) == NULL);
    }
    after = stats_now();
    KIT_EXPECT(after.live == before.live && after.live_blocks == 1 && kit_stamped(block, 100, 5));
    ka_heap_free(&heap, block, 100, 16);
    close_given();
}

static void size_zero(void)
{
    KIT_CHECK(open_given(MIB));
    for (size_t align = 1; align <= MIB; align *= 2) {
        void *block = ka_heap_alloc(&heap, 0, align, 0);
        KIT_EXPECT(block != NULL && (uintptr_t)block % align == 0);
        ka_heap_free(&heap, block, 0, align);
        ka_heap_free_unsized(&heap, block);
    }
    ka_heap_free(&heap, NULL, 0, 1);
    ka_heap_free(&heap, NULL, 100, 16);
    ka_heap_free(&heap, NULL, 100000, 16);
    ka_heap_free_unsized(&heap, NULL);
    KIT_EXPECT(ka_heap_usable(&heap, NULL) == 0);
    void *block = ka_heap_resize(&heap, NULL, 0, 1, 100, 16, 0);
    KIT_CHECK(block != NULL);
    KIT_EXPECT(stats_now().live_blocks == 1);
    KIT_EXPECT(ka_heap_resize(&heap, block, 100, 16, 0, 64, 0) != NULL);
    KIT_EXPECT(stats_now().live_blocks == 0 && stats_now().live == 0);
    close_given();
}

/* Zero also where somebody has written before; and nothing is cleared without
 * the flag (that would be slow). */
static void zeroed(void)
{
    KIT_CHECK(open_given(4 * MIB));
    for (size_t size = 1; size < 300000; size = size * 5 / 3 + 1) {
        void *dirty = ka_heap_alloc(&heap, size, 16, 0);
        KIT_CHECK(dirty != NULL);
        memset(dirty, 0xff, size);
        ka_heap_free(&heap, dirty, size, 16);
        void *again = ka_heap_alloc(&heap, size, 16, 0);
        KIT_EXPECT(again == dirty && ((unsigned char *)again)[size - 1] == 0xff);
        ka_heap_free(&heap, again, size, 16);
        void *clean = ka_heap_alloc(&heap, size, 16, KA_ZERO);
        KIT_CHECK(clean != NULL);
        KIT_EXPECT(clean == dirty && all_zero(clean, size));
        ka_heap_free(&heap, clean, size, 16);
    }
    close_given();
}

/* `usable` says 0 to what is no block of this heap. */
static void usable(void)
{
    char elsewhere[64];
    KIT_CHECK(open_given(MIB));
    char *small = ka_heap_alloc(&heap, 200, 16, 0), *large = ka_heap_alloc(&heap, 100000, 16, 0);
    KIT_CHECK(small != NULL && large != NULL);
    KIT_EXPECT(ka_heap_usable(&heap, small) == 208 && ka_heap_usable(&heap, large) == 102400);
    KIT_EXPECT(ka_heap_usable(&heap, elsewhere) == 0);
    KIT_EXPECT(ka_heap_usable(&heap, range) == 0);                          /* the record */
    KIT_EXPECT(ka_heap_usable(&heap, (char *)range + range_size) == 0);     /* behind the end */
    KIT_EXPECT(ka_heap_usable(&heap, (char *)range + range_size - 1) == 0); /* a free page */
    KIT_EXPECT(ka_heap_usable(&heap, large + 4096) == 0 && ka_heap_usable(&heap, large + 16) == 0);
    KIT_EXPECT(ka_heap_usable(&heap, small + 16) == 0 && ka_heap_usable(&heap, small + 1) == 0);
    ka_heap_free(&heap, small, 200, 16);
    ka_heap_free(&heap, large, 100000, 16);
    close_given();
}

/* A free may say any size from the one that was asked for to the usable one. */
static void sizes_that_fit(void)
{
    static const size_t sizes[] = { 1, 17, 100, 1000, 5000, 30000, 33000, 65537 };
    KIT_CHECK(open_given(2 * MIB));
    for (size_t i = 0; i < KIT_COUNT(sizes); i++) {
        size_t most = sizes[i];
        for (size_t size = sizes[i]; size <= most; size++) {
            void *block = ka_heap_alloc(&heap, sizes[i], 16, 0);
            KIT_CHECK(block != NULL);
            most = ka_heap_usable(&heap, block);
            ka_heap_free(&heap, block, size, 16);
            KIT_CHECK(reports.count == 0 && stats_now().live == 0);
            size += most / 16;
        }
    }
    close_given();
}

static void many(void)
{
    static void *blocks[400];
    KIT_CHECK(open_given(MIB));
    KIT_EXPECT(ka_heap_alloc_many(&heap, 100, 16, 0, 0, blocks) == 0);
    KIT_CHECK(ka_heap_alloc_many(&heap, 100, 16, KA_ZERO, 400, blocks) == 400);
    for (size_t i = 0; i < 400; i++) {
        KIT_CHECK(all_zero(blocks[i], 100));
        kit_stamp(blocks[i], 100, i);
    }
    for (size_t i = 0; i < 400; i++)
        KIT_CHECK(kit_stamped(blocks[i], 100, i));
    KIT_EXPECT(stats_now().live_blocks == 400);
    ka_heap_free_many(&heap, 100, 16, 400, blocks);
    KIT_EXPECT(stats_now().live_blocks == 0);
    size_t got = ka_heap_alloc_many(&heap, 30000, 16, 0, 400, blocks); /* more than there are */
    KIT_EXPECT(got >= 20 && got < 34 && stats_now().live_blocks == got);
    ka_heap_free_many(&heap, 30000, 16, got, blocks);
    KIT_EXPECT(stats_now().live == 0);
    close_given();
}

/* ---- slabs ---- */

/* The pages that some of 1,024 blocks of 1,024 bytes keep, one of 16 neighbours each, and how many blocks that is. */
static uintptr_t pages_of_a_sixteenth(bool compact, uintptr_t *kept)
{
    *kept = 1024;
    static void *blocks[1024];
    range_size = size_with_magazines();
    range = fixture_map(range_size, 4096, PROT_READ | PROT_WRITE);
    ka_heap_options options = { .base = range, .size = range_size, .compact = compact };
    if (range == NULL || !ka_heap_init(&heap, &options) ||
        ka_heap_alloc_many(&heap, 1024, 16, 0, 1024, blocks) != 1024)
        return 0;
    for (unsigned i = 0; i < 1024; i++)
        if (((uintptr_t)blocks[i] >> 10) % 16 != 0)
            ka_heap_free(&heap, blocks[i], 1024, 16), blocks[i] = NULL, --*kept;
    ka_heap_flush(&heap);
    (void)ka_heap_trim(&heap, 0);
    uintptr_t pages = heap.pages_used - inside_bytes(&heap) / 4096;
    for (unsigned i = 0; i < 1024; i++)
        ka_heap_free(&heap, blocks[i], 1024, 16);
    close_given();
    return pages;
}

/* One page each, four where slabs are longer; and less than a slab for each beside. */
static void compact(void)
{
    uintptr_t kept, few = pages_of_a_sixteenth(true, &kept);
    KIT_EXPECT(kept >= 60 && few >= kept && few < kept * 2);
    uintptr_t many_pages = pages_of_a_sixteenth(false, &kept);
    KIT_EXPECT(kept >= 60 && many_pages >= kept * 4 && many_pages < kept * 5);
}

/* ---- resize ---- */

static void resize_within_a_class(void)
{
    KIT_CHECK(open_given(MIB));
    char *block = ka_heap_alloc(&heap, 1089, 16, 0); /* class of 1152 bytes */
    KIT_CHECK(block != NULL);
    memset(block, 0xff, 1152);
    KIT_EXPECT(ka_heap_resize(&heap, block, 1089, 16, 1152, 16, 0) == block);
    KIT_EXPECT(ka_heap_resize(&heap, block, 1152, 16, 1094, 128, 0) == block || (uintptr_t)block % 128 != 0);
    KIT_EXPECT(ka_heap_resize(&heap, block, 1094, 16, 1100, 16, KA_ZERO) == block);
    KIT_EXPECT(all_zero(block + 1094, 6) && (unsigned char)block[1093] == 0xff && (unsigned char)block[1100] == 0xff);
    char *other = ka_heap_resize(&heap, block, 1100, 16, 1153, 16, 0);
    KIT_CHECK(other != NULL && other != block);
    KIT_EXPECT(stats_now().live_blocks == 1);
    ka_heap_free(&heap, other, 1153, 16);
    close_given();
}

static void resize_across_everything(void)
{
    static const size_t sizes[] = { 1, 15, 16, 17, 100, 1000, 4096, 20000, 32768, 32769, 40000, 100000, 200000 };
    static const size_t aligns[] = { 1, 16, 64, 4096, 8192, 65536 };
    size_t moved = 0, kept = 0;
    KIT_CHECK(open_given(4 * MIB));
    for (size_t a = 0; a < KIT_COUNT(sizes) * KIT_COUNT(aligns); a++)
        for (size_t b = 0; b < KIT_COUNT(sizes) * KIT_COUNT(aligns); b++) {
            size_t from = sizes[a % KIT_COUNT(sizes)], from_align = aligns[a / KIT_COUNT(sizes)];
            size_t to = sizes[b % KIT_COUNT(sizes)], to_align = aligns[b / KIT_COUNT(sizes)];
            unsigned char *old = ka_heap_alloc(&heap, from, from_align, 0);
            KIT_CHECK(old != NULL);
            kit_stamp(old, from, a);
            unsigned char *new = ka_heap_resize(&heap, old, from, from_align, to, to_align, KA_ZERO);
            KIT_CHECK(new != NULL && (uintptr_t) new % to_align == 0);
            KIT_CHECK(kit_stamped(new, from < to ? from : to, a));
            KIT_CHECK(to <= from || all_zero(new + from, to - from));
            KIT_CHECK(ka_heap_usable(&heap, new) >= to);
            old == new ? kept++ : moved++;
            ka_heap_free(&heap, new, to, to_align);
            KIT_CHECK(reports.count == 0);
        }
    KIT_EXPECT(moved > 1000 && kept > 300 && stats_now().live == 0);
    close_given();
}

/* Page runs grow and shrink where they are if the pages behind are free. */
static void resize_runs_in_place(void)
{
    KIT_CHECK(open_given(4 * MIB));
    char *block = ka_heap_alloc(&heap, 40000, 16, 0);
    KIT_CHECK(block != NULL);
    kit_stamp(block, 40000, 1);
    KIT_EXPECT(ka_heap_resize(&heap, block, 40000, 16, 400000, 16, 0) == block);
    KIT_EXPECT(kit_stamped(block, 40000, 1) && stats_now().live == 401408);
    KIT_EXPECT(ka_heap_resize(&heap, block, 400000, 16, 100000, 4096, 0) == block);
    KIT_EXPECT(stats_now().live == 102400 && ka_heap_usable(&heap, block) == 102400);
    char *next = ka_heap_alloc(&heap, 40000, 16, 0);
    KIT_CHECK(next == block + 102400);
    memset(next, 0xff, 40000);
    char *away = ka_heap_resize(&heap, block, 100000, 16, 110000, 16, KA_ZERO); /* something is in the way */
    KIT_CHECK(away != NULL && away != block);
    KIT_EXPECT(kit_stamped(away, 40000, 1) && all_zero(away + 100000, 10000));
    ka_heap_free(&heap, next, 40000, 16);
    ka_heap_free(&heap, away, 110000, 16);
    KIT_EXPECT(stats_now().live == 0);
    close_given();
}

static void resize_that_fails(void)
{
    KIT_CHECK(open_given(MIB));
    static const size_t sizes[] = { 100, 30000, 50000 };
    for (size_t i = 0; i < KIT_COUNT(sizes); i++) {
        char *block = ka_heap_alloc(&heap, sizes[i], 16, 0);
        KIT_CHECK(block != NULL);
        kit_stamp(block, sizes[i], i);
        size_t live = stats_now().live;
        KIT_EXPECT(ka_heap_resize(&heap, block, sizes[i], 16, 2 * MIB, 16, 0) == NULL);
        KIT_EXPECT(ka_heap_resize(&heap, block, sizes[i], 16, sizes[i], (size_t)1 << 46, 0) == NULL);
        KIT_EXPECT(ka_heap_resize(&heap, block, sizes[i], 16, 700000, 16, KA_PAGEABLE) == NULL);
        KIT_EXPECT(kit_stamped(block, sizes[i], i) && stats_now().live == live);
        KIT_CHECK_SOUND(ka_heap_check(&heap));
        ka_heap_free(&heap, block, sizes[i], 16);
    }
    close_given();
}

/* ---- a bounded heap ---- */

/* Blocks of one size, chained through their first word, until there are no
 * more. */
static size_t fill(ka_heap *h, size_t size, void **head)
{
    void **block;
    size_t count = 0;
    for (*head = NULL; (block = ka_heap_alloc(h, size, 16, 0)) != NULL; count++) {
        *block = *head;
        *head = block;
    }
    return count;
}

static void unfill(ka_heap *h, size_t size, void *head, const char *base, size_t bytes)
{
    while (head != NULL) {
        void *next = *(void **)head;
        KIT_EXPECT((char *)head >= base && (char *)head + size <= base + bytes);
        ka_heap_free(h, head, size, 16);
        head = next;
    }
}

/* What the pages behind the record can hold at least: one slab less than is
 * possible, or two where the heap's own pages stand between them. */
static size_t least_count(const ka_heap *h, size_t size, size_t own_pages)
{
    const ka_segment *segment = ka_heap_segment_at(h, 0);
    size_t pages = segment->page_count - own_pages, page = ka_heap_page(h);
    if (size > KA_CLASS_LARGEST)
        return pages / (ka_round_up(size, page) / page) - 1;
    const ka_class *c = &h->table->classes.of[ka_class_of(size)];
    return (pages / c->pages - 1 - (own_pages != 0)) * c->blocks;
}

static void used_up_to_the_last_block(void)
{
    static const size_t sizes[] = { 16, 40000, 48, 100, 256, 1000, 2304, 5000, 17, 10000, 32768, 33000, 16 };
    const size_t heaps[] = { 256 * KIB, 300 * KIB, MIB, 3 * MIB, size_with_magazines() };
    for (size_t i = 0; i < KIT_COUNT(heaps); i++) {
        KIT_CHECK(open_given(heaps[i]));
        bool magazines = heap.table->share != 0;
        KIT_EXPECT(magazines == (heaps[i] > 4 * MIB));
        size_t worst = 1000;
        for (size_t k = 0; k < KIT_COUNT(sizes); k++) {
            void *head;
            size_t count = fill(&heap, sizes[k], &head),
                   least = least_count(&heap, sizes[k], inside_bytes(&heap) / 4096);
            if (count < least)
                kit_note("%zu bytes in %zu KiB: %zu blocks of %zu", sizes[k], heaps[i] / KIB, count, least);
            KIT_EXPECT(count >= least);
            worst = ka_min(worst, stats_now().live * 1000 / heaps[i]);
            KIT_CHECK_SOUND(ka_heap_check(&heap));
            KIT_EXPECT(stats_now().live_blocks == count);
            unfill(&heap, sizes[k], head, range, range_size);
            KIT_EXPECT(stats_now().live == 0);
        }
        kit_note("%zu KiB: at least %zu of 1000 bytes were handed out", heaps[i] / KIB, worst);
        close_given();
    }
}

static void side_by_side(void)
{
    enum { HEAPS = 5 };
    static ka_heap heaps[HEAPS];
    static const size_t sizes[HEAPS] = { 256 << 10, 300 << 10, 1 << 20, 512 << 10, 4 << 20 };
    static char *bases[HEAPS];
    static void *heads[HEAPS];
    size_t total = 0;
    reports_clear();
    for (size_t i = 0; i < HEAPS; i++)
        total += sizes[i] + 4096;
    char *all = fixture_map(total + 4096, 4096, PROT_READ | PROT_WRITE), *at = all;
    memset(all, 0x5a, total + 4096);
    for (size_t i = 0; i < HEAPS; i++) {
        bases[i] = at + 4096;
        at += sizes[i] + 4096;
        KIT_CHECK(ka_heap_init(&heaps[i], &(ka_heap_options){ .base = bases[i], .size = sizes[i] }));
    }
    for (size_t size = 16; size < 60000; size = size * 7 / 3) {
        for (size_t i = 0; i < HEAPS; i++) {
            KIT_EXPECT(fill(&heaps[i], size, &heads[i]) > 0);
            for (char **block = heads[i]; block != NULL; block = (char **)*block)
                memset(block + 1, (int)i, size - sizeof *block);
        }
        for (size_t i = 0; i < HEAPS; i++) {
            KIT_EXPECT(ka_heap_usable(&heaps[i], heads[(i + 1) % HEAPS]) == 0);
            unfill(&heaps[i], size, heads[i], bases[i], sizes[i]);
            KIT_CHECK_SOUND(ka_heap_check(&heaps[i]));
        }
    }
    KIT_EXPECT(reports.count == 0);
    for (size_t i = 0; i < HEAPS; i++) {
        KIT_EXPECT(ka_heap_fini(&heaps[i]) == 0);
        for (size_t k = 0; k < 4096; k++)
            KIT_CHECK(bases[i][sizes[i] + k] == 0x5a && bases[i][-1 - (ptrdiff_t)k] == 0x5a);
    }
    munmap(all, total + 4096);
}

/* A request that no piece of memory is large enough for, until what is in the
 * way is gone. */
static void pieces_come_together(void)
{
    KIT_CHECK(open_given(MIB));
    void *head;
    size_t large = 900 * KIB;
    KIT_EXPECT(fill(&heap, 64, &head) > 0);
    KIT_EXPECT(ka_heap_alloc(&heap, large, 16, 0) == NULL);
    unfill(&heap, 64, head, range, range_size);
    void *block = ka_heap_alloc(&heap, large, 16, 0);
    KIT_CHECK(block != NULL);
    ka_heap_free(&heap, block, large, 16);
    close_given();
}

/* A range that is zeroed already is not cleared again, and is cleared once it
 * is used. */
static void zeroed_range(void)
{
    char *base = fixture_map(MIB, 4096, PROT_READ | PROT_WRITE);
    KIT_CHECK(base != NULL && ka_heap_init(&heap, &(ka_heap_options){ .base = base, .size = MIB, .zeroed = true }));
    char *block = ka_heap_alloc(&heap, 100000, 16, KA_ZERO);
    KIT_CHECK(block != NULL && all_zero(block, 100000));
    memset(block, 1, 100000);
    ka_heap_free(&heap, block, 100000, 16);
    KIT_EXPECT((block = ka_heap_alloc(&heap, 200000, 16, KA_ZERO)) != NULL && all_zero(block, 200000));
    ka_heap_free(&heap, block, 200000, 16);
    KIT_EXPECT(ka_heap_fini(&heap) == 0);
    munmap(base, MIB);
}

/* ---- walk, statistics, check ---- */

typedef struct walked {
    size_t live, live_bytes, bytes, calls, wanted;
    const void *want[3];
    uintptr_t end;
    size_t stop; /* after so many calls */
    bool ordered;
} walked;

static bool walk_visit(void *context, const void *block, size_t size, bool live)
{
    walked *w = context;
    w->ordered = w->ordered && (uintptr_t)block >= w->end && size != 0;
    w->end = (uintptr_t)block + size;
    w->bytes += size;
    w->live += live;
    w->live_bytes += live ? size : 0;
    for (size_t i = 0; i < 3; i++)
        w->wanted += live && block == w->want[i];
    return ++w->calls != w->stop;
}

static void walk_on(size_t size)
{
    KIT_CHECK(open_given(size));
    void *head;
    walked w = { .ordered = true };
    w.want[0] = ka_heap_alloc(&heap, 100, 16, 0);
    w.want[1] = ka_heap_alloc(&heap, 3000, 1024, 0);
    w.want[2] = ka_heap_alloc(&heap, 100000, 16, 0);
    ka_heap_free(&heap, ka_heap_alloc(&heap, 77, 16, 0), 77, 16);
    KIT_CHECK(ka_heap_walk(&heap, walk_visit, &w));
    KIT_EXPECT(w.ordered && w.live == 3 && w.wanted == 3);
    ka_stats s = stats_now();
    KIT_EXPECT(w.live_bytes == s.live && s.live_blocks == 3 && s.peak >= s.live);
    size_t own = inside_bytes(&heap); /* the magazines' own pages are not shown */
    KIT_EXPECT(w.bytes == s.total - own && s.total + s.overhead == size && s.total == s.live + s.free);
    KIT_EXPECT(s.largest_free <= s.free && s.fragmentation <= 1000);
    walked stopped = { .stop = 2 };
    KIT_EXPECT(!ka_heap_walk(&heap, walk_visit, &stopped) && stopped.calls == 2);
    KIT_EXPECT(ka_walk(&heap.allocator, walk_visit, &(walked){ .stop = 0 }));
    ka_stats through = ka_get_stats(&heap.allocator);
    KIT_EXPECT(through.live == s.live && through.total == s.total && ka_check(&heap.allocator) == NULL);
    ka_heap_free(&heap, (void *)w.want[0], 100, 16);
    ka_heap_free(&heap, (void *)w.want[1], 3000, 1024);
    ka_heap_free(&heap, (void *)w.want[2], 100000, 16);
    size_t count = fill(&heap, 640, &head);
    w = (walked){ .ordered = true };
    KIT_EXPECT(ka_heap_walk(&heap, walk_visit, &w) && w.live == count && w.live_bytes == stats_now().live);
    unfill(&heap, 640, head, range, range_size);
    KIT_EXPECT(stats_now().peak >= 640 * count);
    close_given();
}

static void walk_and_stats(void)
{
    walk_on(2 * MIB);
    walk_on(size_with_magazines());
}

/* Each damage to the record is found; and it is well again when the damage is
 * mended. */
static void check_finds_damage(void)
{
    KIT_CHECK(open_given(size_with_magazines()));
    char *small = ka_heap_alloc(&heap, 100, 16, 0), *large = ka_heap_alloc(&heap, 100000, 16, 0);
    ka_heap_free(&heap, ka_heap_alloc(&heap, 100, 16, 0), 100, 16);
    ka_heap_free(&heap, ka_heap_alloc(&heap, 5000, 16, 0), 5000, 16); /* a slab behind the run */
    KIT_CHECK(small != NULL && large != NULL && ka_heap_check(&heap) == NULL);
    ka_segment *segment = ka_heap_segment_at(&heap, 0);
    uint32_t slab_page = ka_segment_page_of(&heap, segment, small),
             run_page = ka_segment_page_of(&heap, segment, large);
    inside m = inside_of(&heap, 100);
    KIT_CHECK(inside_length(m) > 1);
#define DAMAGED(place, value)                                   \
    do {                                                        \
        const char *words_;                                     \
        unsigned char kept_[sizeof(place)];                     \
        memcpy(kept_, &(place), sizeof(place));                 \
        (place) = (value);                                      \
        words_ = ka_heap_check(&heap);                          \
        if (words_ == NULL)                                     \
            kit_fail(__FILE__, __LINE__, "not found: " #place); \
        memcpy(&(place), kept_, sizeof(place));                 \
        KIT_CHECK_SOUND(ka_heap_check(&heap));                  \
    } while (0)
    DAMAGED(heap.table->classes.of[3].size, 100);
    DAMAGED(heap.table->classes.of[3].reciprocal, 7);
    DAMAGED(heap.outside, heap.outside + 16);
    DAMAGED(segment->slabs.pages[slab_page], ka_page_slab(9, 0));
    DAMAGED(segment->slabs.pages[slab_page], ka_page_slab(200, 0));
    DAMAGED(segment->slabs.pages[slab_page], KA_PAGE_IDLE);
    DAMAGED(segment->slabs.pages[run_page], KA_PAGE_IDLE);
    DAMAGED(segment->slabs.pages[run_page], ka_page_run(24));
    DAMAGED(segment->slabs.pages[run_page + 1], ka_page_run(2));
    uint64_t *slab_word = ka_slab_word(&segment->slabs, slab_page, 0);
    DAMAGED(*slab_word, *slab_word | 1);
    DAMAGED(*ka_slab_word(&segment->slabs, run_page, 0), 1);
    DAMAGED(segment->runs.free[run_page / 64], segment->runs.free[run_page / 64] | UINT64_C(1) << run_page % 64);
    DAMAGED(segment->runs.committed[run_page / 64],
            segment->runs.committed[run_page / 64] & ~(UINT64_C(1) << run_page % 64));
    DAMAGED(*m.top, m.limit + 1);
    DAMAGED(*m.top, m.bottom - 1);
    DAMAGED(m.bottom[-1], small);
    DAMAGED(m.bottom[0], small + 16);
    DAMAGED(m.bottom[0], large);
    DAMAGED(m.bottom[0], (void *)m.bottom);
    DAMAGED(m.bottom[0], m.bottom[1]); /* twice the same */
#undef DAMAGED
    ka_heap_free(&heap, small, 100, 16);
    ka_heap_free(&heap, large, 100000, 16);
    close_given();
}

static const kit_case cases[] = {
    { "options out of bounds", options },
    { "no memory for the record", no_memory_for_the_record },
    { "leaks are reported", leaks_are_reported },
    { "every size to 70,000", every_size },
    { "every size to 70,000, with magazines", every_size_magazines },
    { "every alignment to 1 MiB", every_alignment },
    { "bad requests", bad_requests },
    { "size 0 and NULL", size_zero },
    { "zeroed", zeroed },
    { "usable", usable },
    { "sizes that fit", sizes_that_fit },
    { "many at once", many },
    { "compact slabs", compact },
    { "resize within a class", resize_within_a_class },
    { "resize across classes, runs and alignments", resize_across_everything },
    { "resize of runs in place", resize_runs_in_place },
    { "resize that fails", resize_that_fails },
    { "used up to the last block", used_up_to_the_last_block },
    { "side by side, each within its bounds", side_by_side },
    { "pieces come together", pieces_come_together },
    { "a range that is zeroed", zeroed_range },
    { "walk and statistics", walk_and_stats },
    { "check finds damage", check_finds_damage },
};

int main(void)
{
    return kit_main("heap", cases, KIT_COUNT(cases));
}
