/* nt_contiguous_suite.c: physically contiguous memory. The Rust crate burns a page and a search for each object, tells
 * no physical address, knows no limit, and its memory is executable. */
#include <ka/windows.h>

#include "nt_suite.h"

#define PAGE      ((size_t)4096)
#define MIB       ((size_t)1 << 20)
#define READWRITE 4u
#define NOCACHE   0x200u
#define COMBINE   0x400u
#define ANY_NODE  0x80000000u
#define NO_LIMIT  ((uint64_t)INT64_MAX)

static ka_nt_contiguous c;

#define NEEDS_CONTIGUOUS()                                      \
    do {                                                        \
        if (!nt.has_contiguous) {                               \
            kit_skip("this system gives no contiguous memory"); \
            return;                                             \
        }                                                       \
    } while (0)

static bool contiguous(const unsigned char *block, size_t size)
{
    uint64_t first = ka_physical_address(block);
    for (size_t i = 0; i < size; i += PAGE / 2)
        if (ka_physical_address(block + i) != first + i)
            return false;
    return first != KA_NO_ADDRESS && ka_physical_address(block + size - 1) == first + size - 1;
}

static void open_with(const ka_physical_limits *limits)
{
    ka_physical_error error = ka_nt_contiguous_init(&c, limits);
    KIT_EXPECT(error == KA_PHYSICAL_OK);
}

static void sizes_and_alignments(void)
{
    NEEDS_CONTIGUOUS();
    open_with(NULL);
    for (size_t size = 1; size <= 2 * MIB; size = size * 5 + 1)
        for (size_t align = 1; align <= PAGE; align *= 4) {
            unsigned char *block = ka_alloc(&c.allocator, size, align, KA_ZERO);
            KIT_CHECK(block != NULL && (uintptr_t)block % align == 0 && ka_physical_address(block) % align == 0);
            KIT_EXPECT(block[0] == 0 && block[size - 1] == 0 && contiguous(block, size));
            kit_stamp(block, size, size);
            KIT_EXPECT(kit_stamped(block, size, size));
            ka_free(&c.allocator, block, size, align);
        }
    KIT_EXPECT(ka_nt_contiguous_fini(&c) == 0);
    if (nt.hooks != NULL)
        KIT_EXPECT(nt.hooks->live_pages() == 0);
}

/* A vmxon region, a VMCS, bitmaps: what the crate's README wants. */
static void for_the_processor(void)
{
    NEEDS_CONTIGUOUS();
    void *vmxon = ka_alloc(ka_physical, PAGE, PAGE, KA_ZERO), *bitmap = ka_zalloc(ka_physical, PAGE, PAGE, 0);
    KIT_CHECK(vmxon != NULL && bitmap != NULL && vmxon != bitmap);
    KIT_EXPECT(ka_physical_address(vmxon) % PAGE == 0 && ka_physical_address(vmxon) != ka_physical_address(bitmap));
    ka_free(ka_physical, bitmap, PAGE, PAGE);
    ka_free(ka_physical, vmxon, PAGE, PAGE);
    KIT_EXPECT(ka_get_stats(ka_physical).live == 0);
}

/* The physical address has the alignment of the limits; a request's own holds for both addresses, or there is none. */
static void aligned_above_a_page(void)
{
    NEEDS_CONTIGUOUS();
    for (size_t align = 2 * PAGE; align <= 4 * MIB; align *= 4) {
        open_with(&(ka_physical_limits){ .align = align });
        for (size_t size = 100; size <= 3 * MIB; size = size * 29 + 1) {
            unsigned char *block = ka_alloc(&c.allocator, size, 16, 0);
            KIT_CHECK(block != NULL);
            KIT_EXPECT(ka_physical_address(block) % align == 0 && contiguous(block, size));
            ka_free(&c.allocator, block, size, 16);
        }
        void *both = ka_alloc(&c.allocator, PAGE, align, 0);
        KIT_EXPECT(both == NULL || ((uintptr_t)both % align == 0 && ka_physical_address(both) % align == 0));
        ka_free(&c.allocator, both, PAGE, align);
        KIT_EXPECT(ka_nt_contiguous_fini(&c) == 0);
    }
    if (nt.hooks != NULL)
        KIT_EXPECT(nt.hooks->live_pages() == 0);
}

static void packed_and_used_again(void)
{
    unsigned char *blocks[64];
    NEEDS_CONTIGUOUS();
    open_with(NULL);
    long calls = nt.hooks != NULL ? nt.hooks->contiguous_calls() : 0;
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 64; i++) {
            blocks[i] = ka_alloc(&c.allocator, 64, 64, 0);
            KIT_CHECK(blocks[i] != NULL);
            kit_stamp(blocks[i], 64, i);
            KIT_EXPECT(ka_physical_address(blocks[i]) / PAGE == ka_physical_address(blocks[0]) / PAGE);
        }
        for (unsigned i = 0; i < 64; i++) {
            KIT_EXPECT(kit_stamped(blocks[i], 64, i));
            ka_free(&c.allocator, blocks[i], 64, 64);
        }
        KIT_CHECK_SOUND(ka_check(&c.allocator));
    }
    if (nt.hooks != NULL)
        KIT_EXPECT(nt.hooks->contiguous_calls() == calls + 1); /* one search for 3,200 blocks */
    KIT_EXPECT(ka_get_stats(&c.allocator).total == PAGE && ka_get_stats(&c.allocator).live == 0);
    KIT_EXPECT(ka_nt_contiguous_fini(&c) == 0);
    if (nt.hooks != NULL)
        KIT_EXPECT(nt.hooks->live_pages() == 0);
}

/* Some empty pages stay, and not more. */
static void a_few_pages_stay(void)
{
    unsigned char *blocks[10];
    NEEDS_CONTIGUOUS();
    open_with(NULL);
    for (unsigned i = 0; i < KIT_COUNT(blocks); i++) {
        blocks[i] = ka_alloc(&c.allocator, 3000, 16, 0);
        KIT_CHECK(blocks[i] != NULL);
    }
    for (unsigned i = 0; i < KIT_COUNT(blocks); i++)
        ka_free(&c.allocator, blocks[i], 3000, 16);
    KIT_CHECK_SOUND(ka_check(&c.allocator));
    KIT_EXPECT(ka_get_stats(&c.allocator).total == 4 * PAGE);
    KIT_EXPECT(ka_nt_contiguous_fini(&c) == 0);
    if (nt.hooks != NULL)
        KIT_EXPECT(nt.hooks->live_pages() == 0);
}

static void limits_are_kept(void)
{
    const uint64_t four_gib = UINT64_C(1) << 32;
    NEEDS_CONTIGUOUS();
    NT_NEEDS_HOOKS();
    nt_become(NT_2004);
    nt_contiguous_call call;
    const ka_physical_limits rows[] = {
        { .highest = four_gib - 1 },
        { .lowest = four_gib },
        { .boundary = 64 << 10 },
        { .lowest = four_gib - 5000, .highest = four_gib + (8 << 20) },
        { .highest = four_gib - 1, .align = 64 << 10, .boundary = 64 << 10 },
    };
    for (size_t i = 0; i < KIT_COUNT(rows); i++) {
        const ka_physical_limits *l = &rows[i];
        open_with(l);
        for (size_t size = 40; size <= 40000; size = size * 3 + 7) {
            unsigned char *block = ka_alloc(&c.allocator, size, 16, 0);
            KIT_CHECK(block != NULL);
            uint64_t first = ka_physical_address(block), last = first + size - 1;
            KIT_EXPECT(first >= l->lowest && (l->highest == 0 || last <= l->highest));
            KIT_EXPECT(l->boundary == 0 || first / l->boundary == last / l->boundary);
            KIT_EXPECT(l->align == 0 || first % l->align == 0);
            nt.hooks->contiguous(&call);
            KIT_EXPECT(call.lowest % PAGE == 0 && call.lowest >= l->lowest);
            KIT_EXPECT(call.highest == NO_LIMIT || (call.highest <= l->highest && call.highest % PAGE == PAGE - 1));
            ka_free(&c.allocator, block, size, 16);
        }
        if (l->boundary != 0)
            KIT_EXPECT(ka_alloc(&c.allocator, (size_t)l->boundary + 1, 16, 0) == NULL &&
                       ka_physical_last_error(&c.allocator) == KA_PHYSICAL_BOUNDARY);
        KIT_EXPECT(ka_nt_contiguous_fini(&c) == 0);
    }
    KIT_EXPECT(nt.hooks->live_pages() == 0);
}

/* Not executable where the system can; every caching; free is the same for all. */
static void which_routine(void)
{
    static const ka_caching cachings[] = { KA_CACHED, KA_UNCACHED, KA_WRITE_COMBINED };
    static const uint32_t protects[] = { READWRITE, READWRITE | NOCACHE, READWRITE | COMBINE }, types[] = { 1, 0, 2 };
    NEEDS_CONTIGUOUS();
    NT_NEEDS_HOOKS();
    for (unsigned way = 0; way < 3; way++) {
        nt_become(NT_2004);
        (void)ka_nt_stop();
        nt.hooks->hide_contiguous(way > 0, way > 1);
        KIT_CHECK(ka_nt_start(0));
        for (unsigned i = 0; i < 3; i++) {
            nt_contiguous_call call;
            open_with(&(ka_physical_limits){ .caching = cachings[i], .exclusive = true, .node = 1 });
            void *block = ka_alloc(&c.allocator, 5000, 64, 0);
            KIT_CHECK(block != NULL && contiguous(block, 5000));
            nt.hooks->contiguous(&call);
            KIT_EXPECT(nt_same(call.routine, way == 0   ? "MmAllocateContiguousNodeMemory"
                                             : way == 1 ? "MmAllocateContiguousMemorySpecifyCacheNode"
                                                        : "MmAllocateContiguousMemorySpecifyCache"));
            KIT_EXPECT(way == 0 ? call.protect == protects[i] : call.type == types[i]);
            KIT_EXPECT(call.size == 2 * PAGE && (way == 2 || call.node == 1));
            ka_free(&c.allocator, block, 5000, 64);
            KIT_EXPECT(ka_nt_contiguous_fini(&c) == 0);
        }
        open_with(&(ka_physical_limits){ .node = 9 }); /* a preference */
        void *block = ka_alloc(&c.allocator, 5000, 64, 0);
        KIT_EXPECT(block != NULL);
        ka_free(&c.allocator, block, 5000, 64);
        KIT_EXPECT(ka_nt_contiguous_fini(&c) == 0);
        open_with(&(ka_physical_limits){ .node = 9, .exact = true });
        KIT_EXPECT(ka_alloc(&c.allocator, 5000, 64, 0) == NULL);
        KIT_EXPECT(ka_nt_contiguous_fini(&c) == 0);
    }
    nt_become(NT_2004);
    KIT_EXPECT(nt.hooks->live_pages() == 0);
}

static void contexts(void)
{
    NEEDS_CONTIGUOUS();
    open_with(NULL);
    KIT_EXPECT(ka_alloc(&c.allocator, PAGE, 16, KA_ANY_CONTEXT) == NULL &&
               ka_physical_last_error(&c.allocator) == KA_PHYSICAL_CONTEXT);
    KIT_EXPECT(ka_alloc(&c.allocator, 64, 16, KA_ANY_CONTEXT) == NULL &&
               ka_alloc(&c.allocator, 64, 16, KA_PAGEABLE) == NULL);
    if (nt.hooks != NULL) {
        uint8_t old = nt.hooks->set_irql(2);
        void *small = ka_alloc(&c.allocator, 64, 16, KA_ATOMIC),
             *large = ka_alloc(&c.allocator, 5 * PAGE, 16, KA_ATOMIC);
        KIT_EXPECT(small != NULL && large != NULL);
        ka_free(&c.allocator, small, 64, 16);
        ka_free(&c.allocator, large, 5 * PAGE, 16);
        (void)nt.hooks->set_irql(old);
    }
    KIT_EXPECT(ka_nt_contiguous_fini(&c) == 0);
}

static void wrong_frees_and_leaks(void)
{
    NEEDS_CONTIGUOUS();
    open_with(NULL);
    nt_misuse_begin();
    unsigned char *block = ka_alloc(&c.allocator, 100, 16, 0);
    KIT_CHECK(block != NULL);
    ka_free(&c.allocator, block + 16, 84, 16);
    KIT_EXPECT(nt_reported.count == 1 && nt_reported.kind == KA_MISUSE_INTERIOR);
    ka_free(&c.allocator, block, 200, 16);
    KIT_EXPECT(nt_reported.count == 2 && nt_reported.kind == KA_MISUSE_WRONG_SIZE);
    KIT_EXPECT(ka_nt_contiguous_fini(&c) == 1 && nt_reported.count == 3 && nt_reported.kind == KA_MISUSE_LEAK);
    ka_free(&c.allocator, block, 100, 16);
    ka_free(&c.allocator, block, 100, 16);
    KIT_EXPECT(nt_reported.count == 4 && nt_reported.kind == KA_MISUSE_DOUBLE_FREE);
    nt_misuse_end();
    KIT_EXPECT(ka_nt_contiguous_fini(&c) == 0);
}

static const kit_case cases[] = {
    { "sizes and alignments", sizes_and_alignments },
    { "pages for the processor", for_the_processor },
    { "aligned above a page", aligned_above_a_page },
    { "packed, and used again without a search", packed_and_used_again },
    { "a few empty pages stay", a_few_pages_stay },
    { "limits", limits_are_kept },
    { "which routine, which caching, which node", which_routine },
    { "contexts", contexts },
    { "wrong frees and leaks", wrong_frees_and_leaks },
};
const kit_suite nt_contiguous_suite = { "ka_nt_contiguous", cases, KIT_COUNT(cases) };
