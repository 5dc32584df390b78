/* depth.h: how much stack is in use where elements are dropped and blocks are freed. Host only.
 *
 *     depth_begin(&depth, &inner);  make something of &depth.allocator;  depth_from();  drop it;  depth_bytes()
 */
#ifndef DEPTH_H
#define DEPTH_H

#include <ka/alloc.h>

/* Bytes. Sanitizers put red zones into frames. */
#if defined(__SANITIZE_ADDRESS__)
#define DEPTH_MOST 2048
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DEPTH_MOST 2048
#endif
#endif
#if !defined(DEPTH_MOST)
#define DEPTH_MOST 1024
#endif

typedef struct depth_probe {
    ka_allocator allocator; /* passes everything on, and looks at the stack in each free */
    ka_allocator *inner;
} depth_probe;

static uintptr_t depth_start, depth_lowest;

static inline uintptr_t depth_now(void)
{
    return (uintptr_t)__builtin_frame_address(0);
}

static inline void depth_look(void)
{
    uintptr_t now = depth_now();
    if (now < depth_lowest)
        depth_lowest = now;
}

static inline void depth_from(void)
{
    depth_start = depth_lowest = depth_now();
}

/* Bytes between depth_from and the deepest look since. */
static inline size_t depth_bytes(void)
{
    return depth_start - depth_lowest;
}

static void *depth_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    return ka_alloc(((depth_probe *)self)->inner, size, align, flags);
}

static void depth_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    depth_look();
    ka_free(((depth_probe *)self)->inner, block, size, align);
}

static inline void depth_begin(depth_probe *probe, ka_allocator *inner)
{
    static const ka_allocator_ops ops = { "depth", depth_alloc, depth_free, NULL, NULL, NULL, NULL, NULL };
    probe->allocator.ops = &ops;
    probe->inner = inner;
}

#endif
