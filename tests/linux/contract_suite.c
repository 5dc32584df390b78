/* contract_suite.c: the interface, as ka/alloc.h has it, over each of the kernel's own allocators. */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include <ka/failing.h>

#include "linux_suites.h"

static ka_allocator *const *const all[] = { &ka_kmalloc, &ka_vmalloc, &ka_kvmalloc };

static const size_t sizes[] = { 1,    7,    8,    16,   17,    63,    64,    65,     96,    97,
                                128,  129,  150,  192,  193,   256,   500,   1000,   2048,  4095,
                                4096, 4097, 8192, 8193, 12288, 40000, 65536, 100000, 300000 };

static bool aligned(const void *block, size_t align)
{
    return block != NULL && IS_ALIGNED((uintptr_t)block, max(align, KA_MIN_ALIGN));
}

/* Every size with every alignment to 64 KiB, several at a time, so that blocks of a slab are seen at other places. */
static void alignments_of(ka_allocator *a)
{
    for (size_t i = 0; i < KIT_COUNT(sizes); i++)
        for (size_t align = 1; align <= 65536; align *= 2) {
            void *blocks[4];
            for (size_t n = 0; n < KIT_COUNT(blocks); n++) {
                blocks[n] = ka_alloc(a, sizes[i], align, 0);
                if (!aligned(blocks[n], align)) {
                    kit_note("%s: %zu bytes aligned to %zu at %p", a->ops->name, sizes[i], align, blocks[n]);
                    KIT_EXPECT(false);
                }
                if (blocks[n] != NULL)
                    kit_stamp(blocks[n], sizes[i], n);
            }
            for (size_t n = 0; n < KIT_COUNT(blocks); n++) {
                KIT_EXPECT(blocks[n] == NULL || kit_stamped(blocks[n], sizes[i], n));
                ka_free(a, blocks[n], sizes[i], align);
            }
        }
}

static void alignments(void)
{
    for (size_t i = 0; i < KIT_COUNT(all); i++)
        alignments_of(*all[i]);
}

/* From each layout to each other: contents kept, exactly the new bytes cleared, the new alignment given. */
static void resizes_of(ka_allocator *a)
{
    static const size_t some[] = { 1, 60, 96, 150, 192, 700, 4096, 5000, 20000 };
    static const size_t aligns[] = { 1, 16, 64, 4096, 8192 };
    for (size_t i = 0; i < KIT_COUNT(some) * KIT_COUNT(aligns); i++)
        for (size_t j = 0; j < KIT_COUNT(some) * KIT_COUNT(aligns); j++) {
            size_t old_size = some[i / KIT_COUNT(aligns)], old_align = aligns[i % KIT_COUNT(aligns)];
            size_t new_size = some[j / KIT_COUNT(aligns)], new_align = aligns[j % KIT_COUNT(aligns)];
            unsigned char *block = ka_alloc(a, old_size, old_align, 0);
            KIT_CHECK(block != NULL);
            kit_stamp(block, min(old_size, new_size), i);
            unsigned char *moved = ka_resize(a, block, old_size, old_align, new_size, new_align, KA_ZERO);
            KIT_CHECK(aligned(moved, new_align));
            KIT_EXPECT(kit_stamped(moved, min(old_size, new_size), i));
            KIT_EXPECT(new_size <= old_size || memchr_inv(moved + old_size, 0, new_size - old_size) == NULL);
            ka_free(a, moved, new_size, new_align);
        }
}

static void resizes(void)
{
    for (size_t i = 0; i < KIT_COUNT(all); i++)
        resizes_of(*all[i]);
}

static void zeroed(void)
{
    for (size_t i = 0; i < KIT_COUNT(all); i++)
        for (size_t n = 0; n < KIT_COUNT(sizes); n++) {
            unsigned char *dirty = ka_alloc(*all[i], sizes[n], 64, 0);
            KIT_CHECK(dirty != NULL);
            memset(dirty, 0xAA, sizes[n]);
            ka_free(*all[i], dirty, sizes[n], 64);
            unsigned char *clear = ka_zalloc(*all[i], sizes[n], 64, 0);
            KIT_CHECK(clear != NULL);
            KIT_EXPECT(memchr_inv(clear, 0, sizes[n]) == NULL);
            ka_free(*all[i], clear, sizes[n], 64);
        }
}

static void size_zero(void)
{
    for (size_t i = 0; i < KIT_COUNT(all); i++) {
        void *empty = ka_alloc(*all[i], 0, 64, 0);
        KIT_EXPECT(aligned(empty, 64) && !ZERO_OR_NULL_PTR(empty));
        ka_free(*all[i], empty, 0, 64);
        void *block = ka_resize(*all[i], empty, 0, 64, 100, 16, 0);
        KIT_CHECK(block != NULL);
        KIT_EXPECT(aligned(ka_resize(*all[i], block, 100, 16, 0, 16, 0), 16));
        ka_free(*all[i], NULL, 100, 16);
    }
}

static void limits(void)
{
    void *largest = ka_alloc(ka_kmalloc, KMALLOC_MAX_SIZE, 16, 0);
    ka_free(ka_kmalloc, largest, KMALLOC_MAX_SIZE, 16);
    KIT_EXPECT(ka_alloc(ka_kmalloc, KMALLOC_MAX_SIZE + 1, 16, 0) == NULL);
    KIT_EXPECT(ka_alloc(ka_kmalloc, 16, 2 * KMALLOC_MAX_SIZE, 0) == NULL);
    for (size_t i = 0; i < KIT_COUNT(all); i++) {
        KIT_EXPECT(ka_alloc(*all[i], (size_t)1 << 45, 16, 0) == NULL);
        KIT_EXPECT(ka_alloc(*all[i], PTRDIFF_MAX, 1, 0) == NULL);
        KIT_EXPECT(ka_alloc(*all[i], 64, 48, 0) == NULL);
        KIT_EXPECT(ka_alloc(*all[i], 64, 16, KA_PAGEABLE) == NULL && ka_alloc(*all[i], 64, 16, 1u << 31) == NULL);
        KIT_EXPECT(ka_alloc(*all[i], 64, 16, KA_ANY_CONTEXT) == NULL);
    }
    void *large = ka_alloc(ka_kvmalloc, 2 * KMALLOC_MAX_SIZE, 2 << 20, 0);
    KIT_EXPECT(aligned(large, 2 << 20) && is_vmalloc_addr(large));
    ka_free(ka_kvmalloc, large, 2 * KMALLOC_MAX_SIZE, 2 << 20);
}

static void a_failed_resize_keeps_the_block(void)
{
    for (size_t i = 0; i < KIT_COUNT(all); i++) {
        void *block = ka_alloc(*all[i], 300, 16, 0);
        KIT_CHECK(block != NULL);
        kit_stamp(block, 300, 1);
        KIT_EXPECT(ka_resize(*all[i], block, 300, 16, (size_t)1 << 45, 16, 0) == NULL);
        KIT_EXPECT(kit_stamped(block, 300, 1));
        ka_free(*all[i], block, 300, 16);
    }
}

static void the_kernel_may_free(void)
{
    kfree(ka_alloc(ka_kmalloc, 100, 64, 0));
    kvfree(ka_alloc(ka_kvmalloc, 5 << 20, 4096, 0));
    vfree(ka_alloc(ka_vmalloc, 100, 64, 0));
}

static void nodes(void)
{
    ka_linux_allocator near;
    ka_kmalloc_init(&near, first_online_node);
    alignments_of(&near.allocator);
    ka_vmalloc_init(&near, first_online_node);
    for (unsigned i = 0; i < 20; i++) { /* what was given back comes back, soon or late */
        void *block = ka_alloc(&near.allocator, 10000, 16, i % 2 == 0 ? 0 : KA_ZERO);
        KIT_CHECK(aligned(block, 4096));
        KIT_EXPECT(i % 2 == 0 || memchr_inv(block, 0, 10000) == NULL);
        memset(block, 0xAA, 10000);
        ka_free(&near.allocator, block, 10000, 16);
    }
}

static void one_size(void)
{
    ka_kmem_cache cache;
    KIT_EXPECT(!ka_kmem_cache_init(&cache, "ka_bad", 0, 16) && !ka_kmem_cache_init(&cache, "ka_bad", 16, 24));
    KIT_CHECK(ka_kmem_cache_init(&cache, "ka_test", 200, 64));
    ka_allocator *a = &cache.allocator;
    void *first = ka_zalloc(a, 200, 64, 0), *second = ka_alloc(a, 10, 8, KA_ATOMIC);
    KIT_EXPECT(aligned(first, 64) && aligned(second, 64) && memchr_inv(first, 0, 200) == NULL);
    KIT_EXPECT(ka_alloc(a, 201, 16, 0) == NULL && ka_alloc(a, 100, 128, 0) == NULL);
    KIT_EXPECT(ka_usable(a, first, 200, 64) == 200 && ka_get_stats(a).live_blocks == 2);
    KIT_EXPECT(ka_resize(a, second, 10, 8, 150, 16, 0) == second && ka_resize(a, second, 150, 16, 300, 16, 0) == NULL);
    ka_free(a, first, 200, 64);
    unsigned leaks = misuses[KA_MISUSE_LEAK];
    KIT_EXPECT(ka_kmem_cache_fini(&cache) == 1 && misuses[KA_MISUSE_LEAK] == leaks + 1);
    ka_free(a, second, 150, 16);
    KIT_EXPECT(ka_kmem_cache_fini(&cache) == 0);
}

static const kit_case cases[] = {
    { "alignments", alignments },
    { "resizes", resizes },
    { "zeroed", zeroed },
    { "size 0 and NULL", size_zero },
    { "limits and bad requests", limits },
    { "a failed resize keeps the block", a_failed_resize_keeps_the_block },
    { "the kernel may free the blocks", the_kernel_may_free },
    { "nodes", nodes },
    { "one size: kmem_cache", one_size },
};
const kit_suite contract_suite = { "linux", cases, KIT_COUNT(cases) };
