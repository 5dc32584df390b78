/* failing_suite.c: each allocation in turn fails, first, second, and so on until all are served; each time the
 * allocator says so, and leaves nothing behind. The failures are those of the calls into the kernel (ka_linux_fail, and
 * in a kernel that has it failslab); tests/suite/turns_suite.c has the same for owners and collections.
 */
#include <linux/dma-mapping.h>
#include <linux/platform_device.h>
#include <linux/sched.h>

#include <ka/tagged.h>

#include "linux_suites.h"

enum { TURNS_MAX = 5000 };

/* Work that may be refused memory. Takes all that it has back; refused: what it was refused. */
typedef void work(bool *refused);

/* ---- who fails them ---- */

typedef struct injector {
    const char *name;
    void (*set)(uint64_t n); /* 0: none any more */
    bool (*failed)(void);    /* has the one that was chosen failed? Ends it */
} injector;

static void port_set(uint64_t n)
{
    (void)ka_linux_fail(n);
}

static bool port_failed(void)
{
    return ka_linux_fail(0);
}

/* The kernel counts the task's calls of all its allocators down, and fails the last. */
static void kernel_set(uint64_t n)
{
#ifdef CONFIG_FAULT_INJECTION
    current->fail_nth = (unsigned)n;
#endif
}

static bool kernel_failed(void)
{
#ifdef CONFIG_FAULT_INJECTION
    bool failed = current->fail_nth == 0;
    current->fail_nth = 0;
    return failed;
#else
    return false;
#endif
}

static const injector injectors[] = {
    { "the port", port_set, port_failed },
    { "failslab", kernel_set, kernel_failed },
};

/* A turn that was failed and did not notice is no error: vmalloc has other pages, and debugfs can be done without. */
static void each_in_turn(const char *what, work *run, uint64_t least)
{
    unsigned count = IS_ENABLED(CONFIG_FAILSLAB) ? 2 : 1;
    for (unsigned i = 0; i < count; i++) {
        uint64_t n = 1, noticed = 0;
        for (bool more = true; more && n < TURNS_MAX; n++) {
            bool refused = false;
            injectors[i].set(n);
            run(&refused);
            more = injectors[i].failed();
            noticed += refused;
            KIT_EXPECT(!refused || more);
        }
        kit_note("%s: %llu failures by %s, %llu of them refusals", what, n - 2, injectors[i].name, noticed);
        KIT_EXPECT(n < TURNS_MAX && n - 2 >= least && noticed > 0);
    }
}

/* ---- the allocators ---- */

/* A few sizes, a resize up and down, all of it seen by a tag, so that nothing can stay out. */
static void use(ka_allocator *a, const size_t *sizes, size_t count, size_t align, bool *refused)
{
    ka_tagged tag;
    void *blocks[8] = { NULL };
    ka_tagged_init(&tag, a, "use", NULL);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = ka_zalloc(&tag.allocator, sizes[i], align, 0);
        *refused |= blocks[i] == NULL;
        if (blocks[i] == NULL)
            continue;
        kit_stamp(blocks[i], sizes[i], i);
        void *larger = ka_resize(&tag.allocator, blocks[i], sizes[i], align, sizes[i] * 3, align, KA_ZERO);
        KIT_EXPECT(kit_stamped(larger != NULL ? larger : blocks[i], sizes[i], i)); /* the old one is untouched */
        *refused |= larger == NULL;
        if (larger != NULL)
            ka_free(&tag.allocator, larger, sizes[i] * 3, align);
        else
            ka_free(&tag.allocator, blocks[i], sizes[i], align);
    }
    KIT_EXPECT(tag.live == 0 && tag.live_blocks == 0);
    ka_tagged_fini(&tag);
}

static const size_t several[] = { 40, 96, 1000, 5000, 100000 };

static void use_kmalloc(bool *refused)
{
    use(ka_kmalloc, several, KIT_COUNT(several), 64, refused);
}

static void use_vmalloc(bool *refused)
{
    use(ka_vmalloc, several, KIT_COUNT(several), 8192, refused);
}

static void use_kvmalloc(bool *refused)
{
    use(ka_kvmalloc, several, KIT_COUNT(several), 64, refused);
}

static ka_kmem_cache cache;

static void use_kmem_cache(bool *refused)
{
    void *objects[3];
    for (size_t i = 0; i < KIT_COUNT(objects); i++) {
        objects[i] = ka_zalloc(&cache.allocator, 200, 64, 0);
        *refused |= objects[i] == NULL;
    }
    for (size_t i = 0; i < KIT_COUNT(objects); i++)
        ka_free(&cache.allocator, objects[i], 200, 64);
    KIT_EXPECT(ka_get_stats(&cache.allocator).live_blocks == 0);
}

/* Packed blocks, so many that pages for their records are taken, too; and whole pages. */
static void use_physical(bool *refused)
{
    static ka_physical_allocator instance;
    static void *blocks[64 * 6];
    void *large;
    KIT_CHECK(ka_physical_init(&instance, NULL) == KA_PHYSICAL_OK);
    for (size_t i = 0; i < KIT_COUNT(blocks); i++) {
        blocks[i] = ka_zalloc(&instance.allocator, 64, 64, 0);
        *refused |= blocks[i] == NULL;
    }
    large = ka_alloc(&instance.allocator, 20000, 4096, 0);
    *refused |= large == NULL;
    KIT_CHECK_SOUND(ka_check(&instance.allocator));
    ka_free(&instance.allocator, large, 20000, 4096);
    for (size_t i = 0; i < KIT_COUNT(blocks); i++)
        ka_free(&instance.allocator, blocks[i], 64, 64);
    KIT_EXPECT(ka_physical_fini(&instance) == 0);
}

static struct platform_device *device;

static void use_dma(bool *refused)
{
    ka_dma_allocator dma;
    void *blocks[3];
    ka_dma_init(&dma, &device->dev);
    for (size_t i = 0; i < KIT_COUNT(blocks); i++) {
        blocks[i] = ka_alloc(&dma.allocator, 6000, 64, 0);
        *refused |= blocks[i] == NULL;
    }
    for (size_t i = 0; i < KIT_COUNT(blocks); i++)
        ka_free(&dma.allocator, blocks[i], 6000, 64);
    KIT_EXPECT(ka_dma_fini(&dma) == 0);
}

/* Made, grown to three segments, trimmed, grown again, ended. */
static void use_heap(bool *refused)
{
    enum { BLOCK = 300000, BLOCKS = 16 };
    static ka_linux_heap opened;
    static void *blocks[BLOCKS];
    if (!ka_linux_heap_init(&opened, "failing", 16 << 20, NUMA_NO_NODE)) {
        *refused = true;
        return;
    }
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            blocks[i] = ka_heap_alloc(&opened.heap, BLOCK, 16, 0);
            *refused |= blocks[i] == NULL;
        }
        KIT_CHECK_SOUND(ka_heap_check(&opened.heap));
        for (size_t i = 0; i < BLOCKS; i++)
            ka_heap_free(&opened.heap, blocks[i], BLOCK, 16);
        (void)ka_heap_drain(&opened.heap);
        (void)ka_heap_trim(&opened.heap, 0);
    }
    use(&opened.heap.allocator, several, 3, 64, refused);
    KIT_EXPECT(ka_linux_heap_fini(&opened) == 0);
}

static void kmalloc_fails(void)
{
    each_in_turn("kmalloc", use_kmalloc, 10);
}

static void vmalloc_fails(void)
{
    each_in_turn("vmalloc", use_vmalloc, 10);
}

static void kvmalloc_fails(void)
{
    each_in_turn("kvmalloc", use_kvmalloc, 10);
}

/* The kernel puts a stack into its log when it cannot make a cache: only the port fails that. */
static void kmem_cache_fails(void)
{
    (void)ka_linux_fail(1);
    bool made = ka_kmem_cache_init(&cache, "ka_failing", 200, 64);
    KIT_EXPECT(ka_linux_fail(0) && !made);
    KIT_CHECK(ka_kmem_cache_init(&cache, "ka_failing", 200, 64));
    each_in_turn("kmem_cache", use_kmem_cache, 3);
    KIT_EXPECT(ka_kmem_cache_fini(&cache) == 0);
}

static void physical_fails(void)
{
    each_in_turn("physical", use_physical, 8);
}

static void dma_fails(void)
{
    device = platform_device_register_simple("ka_failing", -1, NULL, 0);
    KIT_CHECK(!IS_ERR(device));
    KIT_EXPECT(dma_coerce_mask_and_coherent(&device->dev, DMA_BIT_MASK(32)) == 0);
    each_in_turn("dma", use_dma, 6);
    platform_device_unregister(device);
}

static void heap_fails(void)
{
    each_in_turn("heap", use_heap, 8);
}

static const kit_case cases[] = {
    { "kmalloc", kmalloc_fails },   { "vmalloc", vmalloc_fails },
    { "kvmalloc", kvmalloc_fails }, { "kmem_cache", kmem_cache_fails },
    { "physical", physical_fails }, { "memory for a device", dma_fails },
    { "a heap over pages", heap_fails },
};
const kit_suite failing_suite = { "each call into the kernel fails in turn", cases, KIT_COUNT(cases) };
