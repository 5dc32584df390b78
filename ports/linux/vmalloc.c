/* vmalloc.c: ka_vmalloc, large and virtually contiguous memory; ka_kvmalloc, kmalloc first.
 *
 * vmalloc aligns to a page and has no way to ask for more that a module can call. A larger alignment takes as much
 * more, and the word in front of the block, which is room that this added, says where the area begins.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "ka_trace.h"
#include "kernel_allocators.h"

void *ka_linux_vmalloc(size_t size, size_t align, gfp_t gfp, int node)
{
    if (ka_linux_fails())
        return NULL;
    if (align <= PAGE_SIZE && node != NUMA_NO_NODE)
        return (gfp & __GFP_ZERO) != 0 ? vzalloc_node(size, node) : vmalloc_node(size, node);
    if (align <= PAGE_SIZE)
        return __vmalloc(size, gfp);
    if (size > PTRDIFF_MAX - 2 * align)
        return NULL;
    char *area = __vmalloc(size + align, gfp);
    if (area == NULL)
        return NULL;
    char *block = PTR_ALIGN(area + sizeof area, align);
    ((char **)block)[-1] = area;
    return block;
}

void ka_linux_vfree(void *block, size_t align)
{
    vfree(align <= PAGE_SIZE ? block : ((char **)block)[-1]);
}

static int node_of(ka_allocator *self)
{
    return container_of(self, ka_linux_allocator, allocator)->node;
}

/* For requests that may sleep; others are refused. */
static bool sleeping_gfp(ka_allocator *self, size_t size, ka_flags flags, gfp_t *gfp)
{
    return (flags & (KA_ATOMIC | KA_NOWAIT)) == 0 && ka_linux_gfp(self, size, flags, gfp);
}

static void *vmalloc_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    gfp_t gfp;
    void *block = sleeping_gfp(self, size, flags, &gfp) ? ka_linux_vmalloc(size, align, gfp, node_of(self)) : NULL;
    trace_ka_alloc("vmalloc", block, size, align, flags, KA_RETURN_ADDRESS());
    return block;
}

static void vmalloc_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    trace_ka_free("vmalloc", block, size, KA_RETURN_ADDRESS());
    if (ka_linux_may_free(self, block, size))
        ka_linux_vfree(block, align);
}

/* Small requests are kmalloc's alone; kmalloc shall not try hard for large ones, since vmalloc can have them. */
static void *kvmalloc_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    gfp_t gfp;
    void *block = NULL;
    bool small = size <= PAGE_SIZE && align <= PAGE_SIZE, may = sleeping_gfp(self, size, flags, &gfp);
    if (may)
        block = ka_linux_kmalloc(size, align, small ? gfp : gfp | __GFP_NORETRY, node_of(self));
    if (block == NULL && may && !small)
        block = ka_linux_vmalloc(size, align, gfp, node_of(self));
    trace_ka_alloc("kvmalloc", block, size, align, flags, KA_RETURN_ADDRESS());
    return block;
}

static void kvmalloc_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    trace_ka_free("kvmalloc", block, size, KA_RETURN_ADDRESS());
    if (!ka_linux_may_free(self, block, size))
        return;
    if (is_vmalloc_addr(block))
        ka_linux_vfree(block, align);
    else
        kfree(block);
}

static const ka_allocator_ops vmalloc_ops = { .name = "vmalloc", .alloc = vmalloc_alloc, .free = vmalloc_free };
static const ka_allocator_ops kvmalloc_ops = { .name = "kvmalloc", .alloc = kvmalloc_alloc, .free = kvmalloc_free };

void ka_vmalloc_init(ka_linux_allocator *a, int node)
{
    *a = (ka_linux_allocator){ { &vmalloc_ops }, node };
}

void ka_kvmalloc_init(ka_linux_allocator *a, int node)
{
    *a = (ka_linux_allocator){ { &kvmalloc_ops }, node };
}

static ka_linux_allocator vmalloc_any_node = { { &vmalloc_ops }, NUMA_NO_NODE };
static ka_linux_allocator kvmalloc_any_node = { { &kvmalloc_ops }, NUMA_NO_NODE };
ka_allocator *const ka_vmalloc = &vmalloc_any_node.allocator;
ka_allocator *const ka_kvmalloc = &kvmalloc_any_node.allocator;
