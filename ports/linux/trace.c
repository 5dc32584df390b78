/* trace.c: the module's trace events, and the layer that makes them of any allocator. */
#define CREATE_TRACE_POINTS
#include "ka_trace.h"

#include "kernel_allocators.h"

static ka_linux_traced *traced_of(ka_allocator *self)
{
    return container_of(self, ka_linux_traced, allocator);
}

static void *traced_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    const ka_linux_traced *t = traced_of(self);
    void *block = t->inner->ops->alloc(t->inner, size, align, flags);
    trace_ka_alloc(t->name, block, size, align, flags, KA_RETURN_ADDRESS());
    return block;
}

static void traced_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    const ka_linux_traced *t = traced_of(self);
    trace_ka_free(t->name, block, size, KA_RETURN_ADDRESS());
    t->inner->ops->free(t->inner, block, size, align);
}

static void *traced_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                           size_t new_align, ka_flags flags)
{
    const ka_linux_traced *t = traced_of(self);
    void *now = ka_resize(t->inner, block, old_size, old_align, new_size, new_align, flags);
    trace_ka_resize(t->name, block, old_size, now, new_size, KA_RETURN_ADDRESS());
    return now;
}

static size_t traced_usable(ka_allocator *self, const void *block, size_t size, size_t align)
{
    return ka_usable(traced_of(self)->inner, block, size, align);
}

static bool traced_walk(ka_allocator *self, ka_visit *visit, void *context)
{
    return ka_walk(traced_of(self)->inner, visit, context);
}

static void traced_stats(ka_allocator *self, ka_stats *out)
{
    *out = ka_get_stats(traced_of(self)->inner);
}

static const char *traced_check(ka_allocator *self)
{
    return ka_check(traced_of(self)->inner);
}

static const ka_allocator_ops traced_ops = {
    .name = "traced",
    .alloc = traced_alloc,
    .free = traced_free,
    .resize = traced_resize,
    .usable = traced_usable,
    .walk = traced_walk,
    .stats = traced_stats,
    .check = traced_check,
};

void ka_linux_traced_init(ka_linux_traced *traced, ka_allocator *inner, const char *name)
{
    *traced = (ka_linux_traced){ { &traced_ops }, inner, name };
}
