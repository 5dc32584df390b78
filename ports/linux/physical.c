/* physical.c: ka_physical over alloc_pages, and memory for a device over dma_alloc_coherent.
 *
 * Frames come from the page allocator in powers of two, aligned to their size; what is beyond the request goes back at
 * once, as alloc_pages_exact does. An upper limit is a zone (16 MiB, 4 GiB); any other limit is looked at afterwards: a
 * block that does not satisfy it goes back, and the request is refused. A block within a power of two never crosses a
 * boundary that is not smaller.
 */
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <asm/dma.h>

#include <ka/handler.h>

#include "heap/physical.h"
#include "ka_trace.h"
#include "kernel_allocators.h"
#include "kernel_versions.h"

#define FRAMES_BELOW_16M ((uint64_t)MAX_DMA_PFN)
#define FRAMES_BELOW_4G  ((uint64_t)MAX_DMA32_PFN)
#define FRAMES_BELOW_1T  ((uint64_t)1 << (40 - PAGE_SHIFT)) /* what modules cannot know: how much memory there is */

static ka_physical_allocator any;

ka_allocator *const ka_physical = &any.allocator;

/* The zone flag for an upper limit; false: no zone is so low. */
static bool zone_of(uint64_t highest, gfp_t *zone)
{
    if (highest == 0 || highest >= FRAMES_BELOW_1T)
        *zone = 0;
    else if (highest >= FRAMES_BELOW_4G - 1)
        *zone = GFP_DMA32;
    else if (highest >= FRAMES_BELOW_16M - 1)
        *zone = GFP_DMA;
    else
        return false;
    return true;
}

static bool within(uint64_t first, uint64_t count, const ka_frame_limits *limits)
{
    uint64_t last = first + count - 1;
    return first >= limits->lowest && (limits->highest == 0 || last <= limits->highest) &&
           (limits->boundary == 0 || first / limits->boundary == last / limits->boundary);
}

static uint64_t frames_get(uint64_t count, const ka_frame_limits *limits, ka_flags flags)
{
    gfp_t gfp, zone;
    unsigned order = (unsigned)get_order(max(count, max_t(uint64_t, limits->align, 1)) << PAGE_SHIFT);
    if (order >= KA_LINUX_ORDERS || !zone_of(limits->highest, &zone) ||
        !ka_linux_gfp(ka_physical, (size_t)count << PAGE_SHIFT, flags & ~KA_ZERO, &gfp))
        return UINT64_MAX;
    int node = limits->node < MAX_NUMNODES && node_online((int)limits->node) ? (int)limits->node : NUMA_NO_NODE;
    if ((limits->exact && node == NUMA_NO_NODE) || ka_linux_fails())
        return UINT64_MAX;
    struct page *page = alloc_pages_node(node, gfp | zone | (limits->exact ? __GFP_THISNODE : 0), order);
    if (page == NULL)
        return UINT64_MAX;
    uint64_t first = page_to_pfn(page);
    if (!within(first, count, limits)) {
        __free_pages(page, order);
        return UINT64_MAX;
    }
    if (order > 0)
        split_page(page, order);
    for (uint64_t i = count; i < (uint64_t)1 << order; i++)
        __free_page(pfn_to_page(first + i));
    trace_ka_memory_take("physical", page_address(page), (size_t)count << PAGE_SHIFT);
    return first;
}

static bool frames_put(uint64_t first, uint64_t count)
{
    void *memory = page_address(pfn_to_page(first));
    if (!ka_linux_may_free(ka_physical, memory, (size_t)count << PAGE_SHIFT))
        return false;
    trace_ka_memory_give("physical", memory, (size_t)count << PAGE_SHIFT);
    for (uint64_t i = 0; i < count; i++)
        __free_page(pfn_to_page(first + i));
    return true;
}

static void *map(uint64_t first, uint64_t count, ka_caching caching)
{
    (void)count, (void)caching;
    return page_address(pfn_to_page(first));
}

static void unmap(void *memory, uint64_t count, ka_caching caching)
{
    (void)memory, (void)count, (void)caching;
}

static uint64_t frame_of(const void *memory)
{
    return virt_addr_valid(memory) ? page_to_pfn(virt_to_page(memory)) : UINT64_MAX;
}

static bool has_caching(ka_caching caching)
{
    return caching == KA_CACHED;
}

static const ka_physical_source source = {
    .get = frames_get,
    .put = frames_put,
    .align = KA_MIN_ALIGN,
    .max_align = PAGE_SIZE << (KA_LINUX_ORDERS - 1),
    .map = map,
    .unmap = unmap,
    .frame_of = frame_of,
    .has_caching = has_caching,
};

ka_physical_error ka_physical_init(ka_physical_allocator *instance, const ka_physical_limits *limits)
{
    return ka_physical_init_over(instance, limits, &source);
}

uint64_t ka_physical_address(const void *block)
{
    uint64_t frame = is_vmalloc_addr(block) ? vmalloc_to_pfn(block) : frame_of(block);
    return frame == UINT64_MAX ? KA_NO_ADDRESS : (frame << PAGE_SHIFT) + offset_in_page(block);
}

void ka_linux_physical_start(void)
{
    BUG_ON(ka_physical_init(&any, NULL) != KA_PHYSICAL_OK);
}

void ka_linux_physical_end(void)
{
    (void)ka_physical_fini(&any);
}

/* ---- memory for one device ---- */

typedef struct dma_block {
    struct dma_block *next;
    void *block;
    dma_addr_t bus;
    size_t size;
} dma_block;

static ka_dma_allocator *dma_of(ka_allocator *self)
{
    return container_of(self, ka_dma_allocator, allocator);
}

/* Where the record of a block hangs, or the end of the list. Under the lock. */
static dma_block **dma_find(ka_dma_allocator *dma, const void *block)
{
    dma_block **at = (dma_block **)&dma->blocks;
    while (*at != NULL && (*at)->block != block)
        at = &(*at)->next;
    return at;
}

static void *coherent_get(ka_dma_allocator *dma, size_t size, size_t align, gfp_t gfp)
{
    dma_block *record = ka_linux_fails() ? NULL : kmalloc(sizeof *record, gfp & ~__GFP_ZERO);
    if (record == NULL)
        return NULL;
    record->size = max(size, align); /* coherent memory is whole pages, aligned to one at least */
    record->block = ka_linux_fails() ? NULL : dma_alloc_coherent(dma->device, record->size, &record->bus, gfp);
    if (record->block == NULL) {
        kfree(record);
        return NULL;
    }
    ka_port_lock_state state = ka_port_lock_take(&dma->lock);
    record->next = dma->blocks;
    dma->blocks = record;
    ka_port_lock_give(&dma->lock, state);
    return record->block;
}

static void *dma_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    gfp_t gfp;
    void *block = NULL;
    if (align <= PAGE_SIZE && ka_linux_gfp(self, size, flags, &gfp))
        block = coherent_get(dma_of(self), size, align, gfp);
    trace_ka_alloc("dma", block, size, align, flags, KA_RETURN_ADDRESS());
    return block;
}

static void dma_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    ka_dma_allocator *dma = dma_of(self);
    (void)align;
    trace_ka_free("dma", block, size, KA_RETURN_ADDRESS());
    if (irqs_disabled()) {
        ka_report_misuse(KA_MISUSE_CONTEXT, self, block, size, KA_RETURN_ADDRESS());
        return;
    }
    if (!ka_linux_may_free(self, block, size))
        return;
    ka_port_lock_state state = ka_port_lock_take(&dma->lock);
    dma_block **at = dma_find(dma, block), *record = *at;
    bool fits = record != NULL && size <= record->size;
    if (fits)
        *at = record->next;
    ka_port_lock_give(&dma->lock, state);
    if (!fits) {
        ka_report_misuse(record == NULL ? KA_MISUSE_FOREIGN : KA_MISUSE_WRONG_SIZE, self, block, size,
                         KA_RETURN_ADDRESS());
        return;
    }
    dma_free_coherent(dma->device, record->size, record->block, record->bus);
    kfree(record);
}

static const ka_allocator_ops dma_ops = { .name = "dma", .alloc = dma_alloc, .free = dma_free };

void ka_dma_init(ka_dma_allocator *dma, void *device)
{
    *dma = (ka_dma_allocator){ .allocator = { &dma_ops }, .device = device };
}

uint64_t ka_dma_address(ka_dma_allocator *dma, const void *block)
{
    ka_port_lock_state state = ka_port_lock_take(&dma->lock);
    const dma_block *record = *dma_find(dma, block);
    uint64_t bus = record == NULL ? KA_NO_ADDRESS : record->bus;
    ka_port_lock_give(&dma->lock, state);
    return bus;
}

size_t ka_dma_fini(ka_dma_allocator *dma)
{
    size_t live = 0, bytes = 0;
    for (const dma_block *record = dma->blocks; record != NULL; record = record->next) {
        live++;
        bytes += record->size;
    }
    if (live != 0)
        ka_report_misuse(KA_MISUSE_LEAK, &dma->allocator, NULL, bytes, KA_RETURN_ADDRESS());
    return live;
}
