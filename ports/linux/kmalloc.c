/* kmalloc.c: ka_kmalloc, small and physically contiguous memory.
 *
 * Alignment. The kernel promises ARCH_KMALLOC_MINALIGN (8 on x86_64) for any size, the size itself for a power of two,
 * and a page above the largest cache. So what kmalloc is asked for is
 *   align <= 16                 the size, 16 at least. Every cache is aligned to 16 but for two, 96 and 192 bytes, and
 *                               those only under slub_debug: the block is looked at, and asked for again as a power of
 *                               two if it does not fit
 *   the largest cache < size,   the size: such blocks are whole pages
 *     align <= a page
 *   else                        the next power of two of both, after aligned krealloc in Rust for Linux
 *
 * Resize stays in place by krealloc, which tells KASAN how much of the block is in use, but the alignment is looked at
 * first, and exactly the new bytes are cleared: krealloc's own zeroing has changed between kernels.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <ka/handler.h>

#include "ka_trace.h"
#include "kernel_allocators.h"

/* May the kernel's allocators be called at all? They take locks that an NMI may have interrupted; with PREEMPT_RT locks
 * that sleep, so that there only preemptible code may. */
static bool may_call(void)
{
    return likely(!in_nmi()) && (!IS_ENABLED(CONFIG_PREEMPT_RT) || preemptible());
}

bool ka_linux_gfp(ka_allocator *self, size_t size, ka_flags flags, gfp_t *out)
{
    if ((flags & (KA_ANY_CONTEXT | KA_PAGEABLE)) != 0)
        return false;
    bool may_sleep = (flags & (KA_ATOMIC | KA_NOWAIT)) == 0;
    if (unlikely(!(may_sleep ? ka_linux_may_sleep_here() : may_call()))) {
        ka_report_misuse(KA_MISUSE_CONTEXT, self, NULL, size, KA_RETURN_ADDRESS());
        return false;
    }
    gfp_t gfp = (flags & KA_ATOMIC) != 0 ? GFP_ATOMIC : may_sleep ? GFP_KERNEL : GFP_NOWAIT;
    *out = gfp | __GFP_NOWARN | ((flags & KA_ZERO) != 0 ? __GFP_ZERO : 0);
    return true;
}

bool ka_linux_may_free(ka_allocator *self, const void *block, size_t size)
{
    if (likely(may_call()))
        return true;
    ka_report_misuse(KA_MISUSE_CONTEXT, self, block, size, KA_RETURN_ADDRESS());
    return false;
}

/* What kmalloc is asked for, so that the block is aligned; 0: it cannot. */
static size_t size_for(size_t size, size_t align)
{
    if (align > 16 && (size <= KMALLOC_MAX_CACHE_SIZE || align > PAGE_SIZE)) {
        size_t larger = max(size, align);
        return larger > KMALLOC_MAX_SIZE ? 0 : roundup_pow_of_two(larger);
    }
    return size > KMALLOC_MAX_SIZE ? 0 : max_t(size_t, size, 16);
}

void *ka_linux_kmalloc(size_t size, size_t align, gfp_t gfp, int node)
{
    size_t asked = size_for(size, align);
    void *block = asked == 0 || ka_linux_fails() ? NULL : kmalloc_node(asked, gfp, node);
    if (likely(IS_ALIGNED((uintptr_t)block, max_t(size_t, align, 16))))
        return block;
    kfree(block);
    return ka_linux_fails() ? NULL : kmalloc_node(roundup_pow_of_two(max_t(size_t, asked, align)), gfp, node);
}

static int node_of(ka_allocator *self)
{
    return container_of(self, ka_linux_allocator, allocator)->node;
}

/* Everything that is not usual, and all that is seen by events. */
static noinline void *alloc_other(ka_allocator *self, size_t size, size_t align, ka_flags flags, const void *site)
{
    gfp_t gfp;
    void *block = ka_linux_gfp(self, size, flags, &gfp) ? ka_linux_kmalloc(size, align, gfp, node_of(self)) : NULL;
    trace_ka_alloc("kmalloc", block, size, align, flags, site);
    return block;
}

/* In place of a block that is not aligned: the power of two above it, from the same node. By what the kernel knows of
 * the block, so that the usual way has nothing to keep in mind. */
static noinline void *alloc_again(void *block)
{
    size_t larger = roundup_pow_of_two(ksize(block));
    int node = page_to_nid(virt_to_page(block));
    kfree(block);
    return ka_linux_fails() ? NULL : kmalloc_node(larger, GFP_KERNEL | __GFP_NOWARN, node);
}

/* The usual request is served without a frame. */
static void *kmalloc_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    if (unlikely(flags != 0 || align > 16 || size > KMALLOC_MAX_SIZE || ka_linux_failing_some() ||
                 trace_ka_alloc_enabled() || !ka_linux_may_sleep_here()))
        return alloc_other(self, size, align, flags, KA_RETURN_ADDRESS());
    void *block = kmalloc_node(max_t(size_t, size, 16), GFP_KERNEL | __GFP_NOWARN, node_of(self));
    return likely(IS_ALIGNED((uintptr_t)block, 16)) ? block : alloc_again(block);
}

static noinline void free_other(ka_allocator *self, void *block, size_t size, const void *site)
{
    trace_ka_free("kmalloc", block, size, site);
    if (may_call())
        kfree(block);
    else
        ka_report_misuse(KA_MISUSE_CONTEXT, self, block, size, site);
}

static void kmalloc_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    (void)align;
    if (unlikely(trace_ka_free_enabled() || !may_call()))
        free_other(self, block, size, KA_RETURN_ADDRESS());
    else
        kfree(block);
}

static void *resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                    size_t new_align, ka_flags flags)
{
    gfp_t gfp;
    if (!ka_linux_gfp(self, new_size, flags & ~KA_ZERO, &gfp))
        return NULL;
    /* In place: the block is large enough, is aligned, and at least half of it stays in use. */
    size_t usable = ksize(block);
    bool aligned = IS_ALIGNED((uintptr_t)block, max_t(size_t, new_align, 16));
    bool stays = aligned && new_size <= usable && new_size >= usable / 2;
    void *result = stays ? krealloc(block, new_size, gfp) : ka_linux_kmalloc(new_size, new_align, gfp, node_of(self));
    if (result == NULL)
        return NULL;
    if (!stays) {
        memcpy(result, block, min(old_size, new_size));
        kfree(block);
    }
    (void)old_align;
    if ((flags & KA_ZERO) != 0 && new_size > old_size)
        memset((char *)result + old_size, 0, new_size - old_size);
    return result;
}

static void *kmalloc_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                            size_t new_align, ka_flags flags)
{
    void *now = resize(self, block, old_size, old_align, new_size, new_align, flags);
    trace_ka_resize("kmalloc", block, old_size, now, new_size, KA_RETURN_ADDRESS());
    return now;
}

static const ka_allocator_ops kmalloc_ops = {
    .name = "kmalloc",
    .alloc = kmalloc_alloc,
    .free = kmalloc_free,
    .resize = kmalloc_resize,
};

void ka_kmalloc_init(ka_linux_allocator *a, int node)
{
    *a = (ka_linux_allocator){ { &kmalloc_ops }, node };
}

static ka_linux_allocator any_node = { { &kmalloc_ops }, NUMA_NO_NODE };
ka_allocator *const ka_kmalloc = &any_node.allocator;
ka_allocator *const ka_kernel = &any_node.allocator;
