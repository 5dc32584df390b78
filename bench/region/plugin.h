/* plugin.h: what an allocator that shall be measured gives: one shared object with this one symbol. All of its state
 * lies in the block that it is given. */
#ifndef REGION_PLUGIN_H
#define REGION_PLUGIN_H

#include <stddef.h>

typedef struct region_plugin {
    /* A heap in the block, which is aligned to 4 KiB; NULL if the block is too small. */
    void *(*init)(void *block, size_t size);
    /* NULL if there is no memory left. */
    void *(*alloc)(void *heap, size_t size, size_t align);
    void (*free)(void *heap, void *block, size_t size, size_t align);
    /* NULL, and the block stays, if there is no memory left. The member may be NULL: alloc, copy, free. */
    void *(*resize)(void *heap, void *block, size_t old_size, size_t new_size, size_t align);
} region_plugin;

extern const region_plugin region_bench_plugin;

#endif
