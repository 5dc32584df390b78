/* base/alloc.c: the parts of ka/alloc.h that are not inline, and the dummy allocator. */
#include <ka/alloc.h>
#include <ka/dummy.h>
#include <ka/handler.h>

#include "math.h"
#include "mem.h"

/* For allocators that cannot resize: a new block, the contents copied, the old one freed. */
static void *resize_by_copy(ka_allocator *a, void *block, size_t old_size, size_t old_align, size_t new_size,
                            size_t new_align, ka_flags flags)
{
    void *moved = a->ops->alloc(a, new_size, new_align, flags & ~KA_ZERO);
    if (moved == NULL)
        return NULL;
    ka_copy(moved, block, ka_min(old_size, new_size));
    if ((flags & KA_ZERO) != 0 && new_size > old_size)
        ka_clear((char *)moved + old_size, new_size - old_size);
    a->ops->free(a, block, old_size, old_align);
    return moved;
}

void *ka_resize(ka_allocator *a, void *block, size_t old_size, size_t old_align, size_t new_size, size_t new_align,
                ka_flags flags)
{
    if (KA_UNLIKELY(!ka_request_valid(new_size, new_align, flags)))
        return NULL;
    if (block == NULL || old_size == 0)
        return ka_alloc(a, new_size, new_align, flags);
    if (new_size == 0) {
        ka_free(a, block, old_size, old_align);
        return ka_empty_block(new_align);
    }
    if (a->ops->resize == NULL)
        return resize_by_copy(a, block, old_size, old_align, new_size, new_align, flags);
    return a->ops->resize(a, block, old_size, old_align, new_size, new_align, flags);
}

static void *dummy_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    (void)self, (void)size, (void)align, (void)flags;
    return NULL;
}

static void dummy_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    (void)self, (void)block, (void)size, (void)align;
    ka_port_panic("free should never be called on the dummy allocator", __FILE__, __LINE__);
}

static const ka_allocator_ops dummy_ops = { .name = "dummy", .alloc = dummy_alloc, .free = dummy_free };
static ka_allocator dummy = { &dummy_ops };
ka_allocator *const ka_dummy = &dummy;
