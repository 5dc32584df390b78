/* physical_suite.c: physically contiguous memory in the kernel: what hardware is given, page by page. */
#include "kernel_suites.h"

#include <ka/kernel.h>
#include <ka/physical.h>
#include <ka_port.h>

#include "ports/bare/boot.h"
#include "ports/bare/frames.h"
#include "ports/bare/paging.h"

#define PAGE ((size_t)1 << KA_PORT_PAGE_SHIFT)

/* The page tables say the same as ka_physical_address, and the block is contiguous. */
static bool contiguous(const unsigned char *block, size_t size)
{
    uint64_t first = ka_physical_address(block), at;
    for (size_t i = 0; i < size; i += PAGE / 2)
        if (ka_physical_address(block + i) != first + i || !bare_is_mapped(block + i, &at) || at != first + i)
            return false;
    return ka_physical_address(block + size - 1) == first + size - 1;
}

/* 1 byte to 4 MiB, aligned to 64 bytes to 2 MiB. */
static void sizes_and_alignments(void)
{
    size_t before = bare_frames_free();
    for (size_t size = 1; size <= (size_t)4 << 20; size = size * 3 + 1)
        for (size_t align = 64; align <= (size_t)2 << 20; align *= 8) {
            unsigned char *block = ka_alloc(ka_physical, size, align, KA_ZERO);
            KIT_CHECK(block != NULL);
            KIT_EXPECT(ka_physical_address(block) % align == 0 && (uintptr_t)block % align == 0);
            KIT_EXPECT(block[0] == 0 && block[size / 2] == 0 && block[size - 1] == 0);
            KIT_EXPECT(contiguous(block, size));
            kit_stamp(block, size, size);
            KIT_EXPECT(kit_stamped(block, size, size));
            ka_free(ka_physical, block, size, align);
        }
    KIT_EXPECT(bare_frames_free() == before);
}

static void descriptors_are_packed(void)
{
    void *blocks[64];
    size_t before = bare_frames_free();
    for (unsigned i = 0; i < 64; i++) {
        blocks[i] = ka_alloc(ka_physical, 64, 64, 0);
        KIT_CHECK(blocks[i] != NULL);
        KIT_EXPECT(ka_physical_address(blocks[i]) / PAGE == ka_physical_address(blocks[0]) / PAGE);
    }
    KIT_EXPECT(bare_frames_free() == before - 1);
    for (unsigned i = 0; i < 64; i++)
        ka_free(ka_physical, blocks[i], 64, 64);
    KIT_EXPECT(bare_frames_free() == before && ka_get_stats(ka_physical).live == 0);
}

/* What a machine asks for: in the first 16 MiB for an old device, not over 64 KiB, a page of its own. */
static void limits(void)
{
    ka_physical_allocator isa, own;
    uint64_t end = bare_boot.memory.at[0].base + ((uint64_t)16 << 20);
    ka_physical_limits old = { .highest = end - 1, .boundary = 65536 }, alone = { .exclusive = true };
    KIT_CHECK(ka_physical_init(&isa, &old) == KA_PHYSICAL_OK && ka_physical_init(&own, &alone) == KA_PHYSICAL_OK);
    void *block = ka_alloc(&isa.allocator, 40000, 16, 0);
    KIT_CHECK(block != NULL);
    uint64_t at = ka_physical_address(block);
    KIT_EXPECT(at + 40000 <= end && at / 65536 == (at + 39999) / 65536);
    KIT_EXPECT(ka_alloc(&isa.allocator, 65537, 16, 0) == NULL);
    KIT_EXPECT(ka_physical_last_error(&isa.allocator) == KA_PHYSICAL_BOUNDARY);
    ka_free(&isa.allocator, block, 40000, 16);
    KIT_EXPECT(ka_physical_fini(&isa) == 0);

    void *a = ka_alloc(&own.allocator, 64, 64, 0), *b = ka_alloc(&own.allocator, 64, 64, 0);
    KIT_EXPECT(a != NULL && b != NULL && ka_physical_address(a) / PAGE != ka_physical_address(b) / PAGE);
    KIT_EXPECT(ka_physical_address(a) % PAGE == 0);
    ka_free(&own.allocator, a, 64, 64);
    ka_free(&own.allocator, b, 64, 64);
    KIT_EXPECT(ka_physical_fini(&own) == 0);
}

/* All pages of a block are cached so. */
static bool is_cached_as(const char *block, size_t size, ka_caching caching)
{
    for (size_t i = 0; i < size; i += PAGE)
        if (bare_caching(block + i) != caching)
            return false;
    return bare_caching(block + size - 1) == caching;
}

static void check_caching(ka_caching caching)
{
    ka_physical_allocator p;
    ka_physical_limits limits = { .caching = caching };
    ka_physical_error error = ka_physical_init(&p, &limits);
    KIT_EXPECT(error == (ka_arch_has_caching(caching) ? KA_PHYSICAL_OK : KA_PHYSICAL_NO_CACHING));
    if (error != KA_PHYSICAL_OK)
        return;
    for (size_t size = 64; size <= 5 * PAGE; size += 3 * PAGE / 2) { /* packed, and whole pages */
        char *block = ka_alloc(&p.allocator, size, 64, KA_ZERO);
        KIT_CHECK(block != NULL);
        KIT_EXPECT(is_cached_as(block, size, caching) && contiguous((unsigned char *)block, size));
        KIT_EXPECT(block[0] == 0 && block[size - 1] == 0);
        kit_stamp(block, size, size);
        KIT_EXPECT(kit_stamped(block, size, size));
        KIT_EXPECT(size < PAGE ||
                   ka_alloc(&p.allocator, PAGE, PAGE, caching == KA_CACHED ? KA_PAGEABLE : KA_ANY_CONTEXT) == NULL);
        ka_free(&p.allocator, block, size, 64);
        KIT_EXPECT(is_cached_as(block, size, KA_CACHED)); /* the next owner knows nothing of this */
    }
    KIT_EXPECT(ka_physical_fini(&p) == 0);
}

/* Tables that large pages were split into stay; a second round needs no more of them. */
static void every_caching(void)
{
    size_t before = 0;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned caching = KA_CACHED; caching <= KA_WRITE_COMBINED; caching++)
            check_caching((ka_caching)caching);
        KIT_EXPECT(round == 0 || bare_frames_free() == before);
        before = bare_frames_free();
    }
}

/* Without a frame for a table nothing is changed; nor where nothing is mapped, or not by whole pages. */
static void caching_errors(void)
{
    if (!ka_arch_has_caching(KA_UNCACHED))
        return;
    KIT_EXPECT(bare_set_caching((void *)0x600000000000, 1, KA_UNCACHED) == BARE_MAP_NOT_MAPPED);
    KIT_EXPECT(bare_set_caching((void *)0x40001234, 1, KA_UNCACHED) == BARE_MAP_BAD_ADDRESS);
    ka_physical_allocator p;
    KIT_CHECK(ka_physical_init(&p, &(ka_physical_limits){ .caching = KA_UNCACHED }) == KA_PHYSICAL_OK);
    bare_frame list = { 0 }, frame;
    for (frame = bare_frame_take(); frame.number != 0; frame = bare_frame_take()) {
        *(uint64_t *)bare_frame_memory(frame) = list.number;
        list = frame;
    }
    /* The frames come back one by one. The first that lies in a large page is not enough: its table would take
     * another. */
    size_t refused = 0;
    while (list.number != 0) {
        frame = list;
        list.number = *(uint64_t *)bare_frame_memory(frame);
        bare_frames_give(frame, 1);
        if (refused == 0) {
            size_t before = bare_frames_free();
            void *page = ka_alloc(&p.allocator, PAGE, PAGE, 0);
            refused += page == NULL && ka_physical_last_error(&p.allocator) == KA_PHYSICAL_NO_MEMORY;
            ka_free(&p.allocator, page, PAGE, PAGE);
            KIT_EXPECT(before - bare_frames_free() <= (refused == 0)); /* a table may have been made */
            KIT_EXPECT(bare_caching(bare_frame_memory(frame)) == KA_CACHED);
        }
    }
    KIT_EXPECT(refused == 1 && ka_physical_fini(&p) == 0);
}

static void errors(void)
{
    ka_physical_allocator p;
    KIT_EXPECT(ka_physical_init(&p, &(ka_physical_limits){ .boundary = 3 << 12 }) == KA_PHYSICAL_BAD_LIMITS);
    KIT_EXPECT(ka_physical_init(&p, &(ka_physical_limits){ .lowest = 1 << 20, .highest = 1 << 16 }) ==
               KA_PHYSICAL_BAD_LIMITS);
    size_t all = bare_frames_total() * PAGE;
    KIT_EXPECT(ka_alloc(ka_physical, all, 16, 0) == NULL);
    KIT_EXPECT(ka_physical_last_error(ka_physical) == KA_PHYSICAL_NO_MEMORY);
    KIT_EXPECT(ka_alloc(ka_physical, 64, 16, KA_PAGEABLE) == NULL);
    KIT_EXPECT(ka_physical_last_error(ka_physical) == KA_PHYSICAL_CONTEXT);
    void *page = ka_alloc(ka_physical, PAGE, PAGE, KA_ANY_CONTEXT);
    KIT_EXPECT(page != NULL);
    ka_free(ka_physical, page, PAGE, PAGE);
    KIT_EXPECT(ka_physical_address((void *)UINT64_C(0x600000000000)) == KA_NO_ADDRESS);
}

/* Heap memory has physical addresses too, page by page. */
static void other_memory(void)
{
    char *block = ka_alloc(ka_kernel, 100, 16, 0);
    uint64_t at = 0;
    KIT_CHECK(block != NULL && bare_is_mapped(block, &at));
    KIT_EXPECT(ka_physical_address(block) == at);
    ka_free(ka_kernel, block, 100, 16);
}

static const kit_case cases[] = {
    { "sizes and alignments", sizes_and_alignments },
    { "64 descriptors take one page", descriptors_are_packed },
    { "limits", limits },
    { "every caching", every_caching },
    { "caching that cannot be", caching_errors },
    { "errors", errors },
    { "the address of other memory", other_memory },
};

const kit_suite physical_suite = { "physical", cases, KIT_COUNT(cases) };
