/* dma_suite.c: ka_physical inside Linux: limits, packing, addresses; and coherent memory for a device. */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/platform_device.h>
#include <linux/string.h>

#include "linux_suites.h"

/* Aligned, contiguous, within the limits. */
static bool lies_right(const void *block, size_t size, size_t align, const ka_physical_limits *limits)
{
    uint64_t first = ka_physical_address(block), last = ka_physical_address((const char *)block + size - 1);
    return block != NULL && first == virt_to_phys((void *)(uintptr_t)block) && first % align == 0 &&
           last == first + size - 1 && (limits->highest == 0 || last <= limits->highest) &&
           (limits->boundary == 0 || first / limits->boundary == last / limits->boundary);
}

static void limits(void)
{
    static const ka_physical_limits all[] = {
        { .highest = 0 },
        { .highest = 0xffffffff },
        { .highest = 0xffffff },
        { .boundary = 65536 },
        { .align = 16384 },
        { .exclusive = true },
        { .highest = 0xffffff, .boundary = 4096, .align = 256 },
    };
    static const size_t sizes[] = { 16, 64, 1000, 4096, 5000, 20000, 65536 };
    for (size_t i = 0; i < KIT_COUNT(all); i++) {
        static ka_physical_allocator instance;
        KIT_CHECK(ka_physical_init(&instance, &all[i]) == KA_PHYSICAL_OK);
        ka_allocator *a = &instance.allocator;
        for (size_t n = 0; n < KIT_COUNT(sizes); n++)
            for (size_t align = 1; align <= 65536; align *= 8) {
                void *block = ka_zalloc(a, sizes[n], align, n % 2 == 0 ? 0 : KA_ATOMIC);
                if (block == NULL) {
                    KIT_EXPECT(ka_physical_last_error(a) == KA_PHYSICAL_BOUNDARY && sizes[n] > all[i].boundary);
                    continue;
                }
                KIT_EXPECT(lies_right(block, sizes[n], max(align, all[i].align), &all[i]));
                KIT_EXPECT(memchr_inv(block, 0, sizes[n]) == NULL);
                memset(block, 0xAA, sizes[n]);
                ka_free(a, block, sizes[n], align);
            }
        KIT_CHECK_SOUND(ka_check(a));
        KIT_EXPECT(ka_physical_fini(&instance) == 0);
    }
}

/* 64 descriptors of 64 bytes take one page. */
static void packing(void)
{
    static ka_physical_allocator instance;
    void *blocks[64];
    KIT_CHECK(ka_physical_init(&instance, NULL) == KA_PHYSICAL_OK);
    for (unsigned i = 0; i < 64; i++) {
        blocks[i] = ka_alloc(&instance.allocator, 64, 64, 0);
        KIT_CHECK(blocks[i] != NULL);
        KIT_EXPECT((uintptr_t)blocks[i] >> PAGE_SHIFT == (uintptr_t)blocks[0] >> PAGE_SHIFT);
    }
    KIT_EXPECT(ka_get_stats(&instance.allocator).live == 4096);
    for (unsigned i = 0; i < 64; i++)
        ka_free(&instance.allocator, blocks[i], 64, 64);
    KIT_EXPECT(ka_physical_fini(&instance) == 0);
}

static void refusals(void)
{
    static ka_physical_allocator instance;
    KIT_EXPECT(ka_physical_init(&instance, &(ka_physical_limits){ .boundary = 48 }) == KA_PHYSICAL_BAD_LIMITS);
    KIT_EXPECT(ka_physical_init(&instance, &(ka_physical_limits){ .caching = KA_UNCACHED }) == KA_PHYSICAL_NO_CACHING);
    KIT_CHECK(ka_physical_init(&instance, &(ka_physical_limits){ .lowest = 1ull << 45 }) == KA_PHYSICAL_OK);
    KIT_EXPECT(ka_alloc(&instance.allocator, 4096, 4096, 0) == NULL);
    KIT_EXPECT(ka_physical_last_error(&instance.allocator) == KA_PHYSICAL_NO_MEMORY);
    KIT_EXPECT(ka_alloc(ka_physical, 64 << 20, 4096, 0) == NULL);
    KIT_EXPECT(ka_alloc(ka_physical, 4096, 4096, KA_ANY_CONTEXT) == NULL);
    KIT_EXPECT(ka_alloc(ka_physical, 64, 16, KA_PAGEABLE) == NULL);
}

static void device_memory(void)
{
    struct platform_device *device = platform_device_register_simple("ka_test", -1, NULL, 0);
    ka_dma_allocator dma;
    KIT_CHECK(!IS_ERR(device));
    KIT_CHECK(dma_coerce_mask_and_coherent(&device->dev, DMA_BIT_MASK(32)) == 0);
    ka_dma_init(&dma, &device->dev);
    unsigned char *ring = ka_alloc(&dma.allocator, 6000, 64, 0), *other = ka_alloc(&dma.allocator, 64, 4096, 0);
    KIT_EXPECT(ring != NULL && memchr_inv(ring, 0, 6000) == NULL && other != NULL);
    KIT_EXPECT(ka_dma_address(&dma, ring) % 4096 == 0 && ka_dma_address(&dma, ring) <= U32_MAX);
    KIT_EXPECT(ka_dma_address(&dma, ring + 1) == KA_NO_ADDRESS);
    KIT_EXPECT(ka_alloc(&dma.allocator, 64, 8192, 0) == NULL);
    unsigned foreign = misuses[KA_MISUSE_FOREIGN], leaks = misuses[KA_MISUSE_LEAK];
    ka_free(&dma.allocator, ring + 64, 10, 16);
    KIT_EXPECT(misuses[KA_MISUSE_FOREIGN] == foreign + 1);
    ka_free(&dma.allocator, ring, 6000, 64);
    KIT_EXPECT(ka_dma_fini(&dma) == 1 && misuses[KA_MISUSE_LEAK] == leaks + 1);
    ka_free(&dma.allocator, other, 64, 4096);
    KIT_EXPECT(ka_dma_fini(&dma) == 0);
    platform_device_unregister(device);
}

static const kit_case cases[] = {
    { "limits", limits },
    { "packing", packing },
    { "refusals", refusals },
    { "memory for a device", device_memory },
};
const kit_suite dma_suite = { "physical", cases, KIT_COUNT(cases) };
