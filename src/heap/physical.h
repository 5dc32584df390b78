/* heap/physical.h: what a port gives to have ka_physical: frames, and how to reach them; or memory. */
#ifndef KA_HEAP_PHYSICAL_H
#define KA_HEAP_PHYSICAL_H

#include <ka/frames.h>
#include <ka/physical.h>

typedef struct ka_physical_source {
    ka_frames *frames; /* an engine over them; or NULL, and a kernel's own allocator behind get and put: */

    /* Takes `count` frames in a row within the limits. flags: the caller's context. Returns the first, UINT64_MAX:
     * none. */
    uint64_t (*get)(uint64_t count, const ka_frame_limits *limits, ka_flags flags);
    bool (*put)(uint64_t first, uint64_t count); /* gives them back; any context that a free is allowed in */

    size_t align;     /* least alignment that devices can live with: a line of the cache where they are not coherent */
    size_t max_align; /* up to here an address is aligned as the physical address is */

    /* The memory of frames [first, first + count), mapped with this caching; NULL: no memory for that. Any context
     * for KA_CACHED. */
    void *(*map)(uint64_t first, uint64_t count, ka_caching caching);
    void (*unmap)(void *memory, uint64_t count, ka_caching caching);

    /* The frame behind such memory; UINT64_MAX: none. Any context. */
    uint64_t (*frame_of)(const void *memory);

    /* Or, where the kernel's own allocator gives memory, and not frames; of the above only align and max_align are used
     * then. Memory of `size` bytes, whole pages, whose physical address satisfies the limits and has this alignment;
     * NULL: none. give gets the same arguments; false: reported, and nothing changed. Never called with a lock held. */
    void *(*take)(const ka_physical_limits *limits, size_t size, size_t align, ka_flags flags);
    bool (*give)(const ka_physical_limits *limits, void *memory, size_t size, size_t align);

    /* May memory be had with this caching? */
    bool (*has_caching)(ka_caching caching);

    unsigned keep; /* so many empty pages of packed blocks an instance keeps: for sources that are slow */
} ka_physical_source;

/* ka_physical_init for a source that is at hand. */
ka_physical_error ka_physical_init_over(ka_physical_allocator *instance, const ka_physical_limits *limits,
                                        const ka_physical_source *source);

#endif
