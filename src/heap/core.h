/* heap/core.h: what heap.c and its neighbours share. Private to the heap. */
#ifndef KA_HEAP_CORE_H
#define KA_HEAP_CORE_H

#include "heap/magazine.h"
#include "heap/table.h"

#define MAGAZINE_SLOTS 1024u /* a magazine never holds more blocks */
#define MAGAZINE_START 16u   /* and that many at first */

extern const ka_allocator_ops ka_heap_ops;

/* Takes a run of pages by every means that the flags allow: from committed pages, by commit, in a new segment, from slabs
 * that are empty. KA_NO_PAGE: none. With KA_ZERO they are cleared. */
uint32_t ka_heap_pages_claim(ka_heap *heap, uint32_t count, uint32_t align, ka_flags flags, ka_segment **in);
void ka_heap_pages_release(ka_heap *heap, ka_segment *segment, uint32_t page, uint32_t count);

/* Puts blocks of a class back into their slabs and reports those that do not belong there. Any context. */
void ka_heap_blocks_put(ka_heap *heap, unsigned class, void *const *blocks, uint32_t count, const void *site);

/* Ends every slab that is empty. Returns whether there was one. Any context; linear in the slabs. */
bool ka_heap_break_up(ka_heap *heap);

/* Bytes in free committed pages. A snapshot; linear in the pages / 64. */
size_t ka_heap_free_committed(const ka_heap *heap);

#endif
