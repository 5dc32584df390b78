/* replay.h: does to an allocator what a trace says, with every byte stamped and verified. Freestanding.
 *
 * Each block is filled with a pattern made of the number of the operation that made it (which is its first four bytes,
 * where it has so many). A resize proves the bytes it had to keep, a free the whole block: two blocks that overlap, or
 * memory that the allocator writes to while it is handed out, are found.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include <ka/alloc.h>

#include "tools/trace/trace.h"

typedef struct replay {
    const trace *t;
    ka_allocator *allocator;
    trace_slot *slots; /* t->slots of them; all zero at the start */
    uint32_t next;     /* operation */
    size_t live, peak; /* bytes, as requested */
    uint64_t stamped;  /* bytes written and verified */
} replay;

/* Readies a replay of a trace that trace_validate has found right. */
void replay_init(replay *r, const trace *t, ka_allocator *allocator, trace_slot *slots);

/* Does the next `count` operations, or as many as are left.
 *
 * returns  true; false with `*error` naming the operation if there was no memory for it, a block was not aligned or its
 *          contents were not what they should be. What is live stays so.
 */
bool replay_run(replay *r, uint32_t count, trace_error *error);

/* Frees what is live still, each block verified as above. Returns how many it were in `*blocks`. */
bool replay_end(replay *r, uint32_t *blocks, trace_error *error);

/* The operation that made a live block of `size` bytes or more, read from its stamp; UINT32_MAX if it is too small. */
uint32_t replay_maker(const void *block, size_t size);

#endif
