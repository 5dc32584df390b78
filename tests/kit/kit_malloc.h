/* kit_malloc.h: an allocator over the host's malloc that watches its user. Host only.
 *
 * Every block is a malloc of its own, so that ASan and Valgrind see each overflow and use after free. New bytes hold
 * 0xa5 unless they were asked to be zero. Size and alignment of a free must be those of the alloc, to the byte: it is
 * stricter than the interface. A wrong free fails the running case and is counted, and the block stays.
 * It cannot resize in place: each ka_resize moves the block. Not thread-safe.
 */
#ifndef KIT_MALLOC_H
#define KIT_MALLOC_H

#include <ka/alloc.h>

typedef struct kit_malloc {
    ka_allocator allocator;
    size_t live_blocks;
    size_t live_bytes; /* as requested */
    size_t limit;      /* live_bytes never pass it; 0: none. Set it at will */
    size_t allocs;     /* calls that were served */
    size_t errors;     /* wrong frees */
    ka_flags flags;    /* of the last call */
} kit_malloc;

void kit_malloc_init(kit_malloc *self);

/* Nothing live and nothing wrong. */
bool kit_malloc_clean(const kit_malloc *self);

#endif
