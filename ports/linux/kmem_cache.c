/* kmem_cache.c: ka_kmem_cache, objects of one size in the kernel's slabs. */
#include <linux/mm.h>
#include <linux/slab.h>

#include <ka/handler.h>

#include "base/atomic.h"
#include "ka_trace.h"
#include "kernel_allocators.h"

static ka_kmem_cache *cache_of(ka_allocator *self)
{
    return container_of(self, ka_kmem_cache, allocator);
}

static void *cache_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    ka_kmem_cache *cache = cache_of(self);
    gfp_t gfp;
    void *object = NULL;
    if (size <= cache->size && align <= cache->align && ka_linux_gfp(self, size, flags, &gfp) && !ka_linux_fails())
        object = kmem_cache_alloc(cache->cache, gfp);
    trace_ka_alloc("kmem_cache", object, size, align, flags, KA_RETURN_ADDRESS());
    if (object != NULL)
        ka_fetch_add_ptr((uintptr_t *)&cache->live, 1);
    return object;
}

static void cache_free(ka_allocator *self, void *object, size_t size, size_t align)
{
    ka_kmem_cache *cache = cache_of(self);
    (void)align;
    trace_ka_free("kmem_cache", object, size, KA_RETURN_ADDRESS());
    if (!ka_linux_may_free(self, object, size))
        return;
    if (size > cache->size) {
        ka_report_misuse(KA_MISUSE_WRONG_SIZE, self, object, size, KA_RETURN_ADDRESS());
        return;
    }
    kmem_cache_free(cache->cache, object);
    ka_fetch_add_ptr((uintptr_t *)&cache->live, (uintptr_t)-1);
}

/* Within the object or not at all. */
static void *cache_resize(ka_allocator *self, void *object, size_t old_size, size_t old_align, size_t new_size,
                          size_t new_align, ka_flags flags)
{
    ka_kmem_cache *cache = cache_of(self);
    (void)old_align;
    if (new_size > cache->size || new_align > cache->align)
        return NULL;
    if ((flags & KA_ZERO) != 0 && new_size > old_size)
        memset((char *)object + old_size, 0, new_size - old_size);
    return object;
}

static size_t cache_usable(ka_allocator *self, const void *object, size_t size, size_t align)
{
    (void)object, (void)size, (void)align;
    return cache_of(self)->size;
}

static void cache_stats(ka_allocator *self, ka_stats *out)
{
    const ka_kmem_cache *cache = cache_of(self);
    out->live_blocks = ka_load_relaxed_ptr((const uintptr_t *)&cache->live);
    out->live = out->live_blocks * cache->size;
}

static const ka_allocator_ops cache_ops = {
    .name = "kmem_cache",
    .alloc = cache_alloc,
    .free = cache_free,
    .resize = cache_resize,
    .usable = cache_usable,
    .stats = cache_stats,
};

bool ka_kmem_cache_init(ka_kmem_cache *cache, const char *name, size_t size, size_t align)
{
    align = max_t(size_t, align, 16);
    if (size == 0 || size > KMALLOC_MAX_SIZE || align > PAGE_SIZE || !is_power_of_2(align))
        return false;
    *cache = (ka_kmem_cache){ { &cache_ops }, NULL, size, align, 0 };
    if (ka_linux_fails())
        return false;
    cache->cache = kmem_cache_create(name, (unsigned)size, (unsigned)align, 0, NULL);
    return cache->cache != NULL;
}

size_t ka_kmem_cache_fini(ka_kmem_cache *cache)
{
    size_t live = (size_t)cache->live;
    if (live != 0)
        ka_report_misuse(KA_MISUSE_LEAK, &cache->allocator, NULL, live * cache->size, KA_RETURN_ADDRESS());
    else
        kmem_cache_destroy(cache->cache);
    return live;
}
