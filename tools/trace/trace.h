/* trace.h: reads a recording of what a program asked of its allocator. Freestanding; takes no memory.
 *
 * The format, little-endian:
 *
 *   "KATRACE1" | u32 operations | u32 slots | for each operation: u32 slot << 2 | kind, u32 log2(align) << 27 | size
 *
 * A slot is a live block's number and is used again after its block is freed. Kinds are 0 alloc, 1 free, 2 resize; a
 * free has size and alignment 0. Slots that are live at the end are what the program never freed.
 *
 * trace_open looks at the header and the length, trace_validate at every operation: after both, trace_get never gives a
 * slot out of range, an alloc of a live slot, a free or resize of a dead one, or an unknown kind.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum trace_kind { TRACE_ALLOC = 0, TRACE_FREE = 1, TRACE_RESIZE = 2 } trace_kind;

typedef struct trace_operation {
    trace_kind kind;
    uint32_t slot;
    size_t size;  /* bytes; 0 for a free */
    size_t align; /* bytes */
} trace_operation;

typedef struct trace {
    const unsigned char *records;
    uint32_t operations, slots; /* counts */
} trace;

/* What a slot holds while a trace is walked. The table is the caller's: `slots` of them, all zero at the start. */
typedef struct trace_slot {
    void *block;    /* for who replays */
    uint32_t size;  /* bytes */
    uint32_t stamp; /* for who replays */
    uint8_t align_shift;
    bool live;
} trace_slot;

/* Where a trace is wrong. */
#define TRACE_IN_HEADER UINT32_MAX
typedef struct trace_error {
    const char *what;   /* "free of a dead slot" */
    uint32_t operation; /* counted from 0; TRACE_IN_HEADER: none, the file as a whole */
} trace_error;

typedef struct trace_summary {
    size_t peak;                     /* largest sum of requested bytes that are live at once */
    uint32_t peak_at;                /* the operation that reaches it first */
    size_t largest;                  /* largest request, bytes */
    size_t largest_align;            /* bytes */
    size_t end_bytes;                /* live at the end */
    uint32_t end_blocks;             /* live at the end, count */
    uint32_t allocs, frees, resizes; /* counts */
} trace_summary;

/* Takes the bytes of a whole file.
 *
 * bytes    must stay as long as the trace is used; need not be aligned
 * returns  true; false with `*error` if the header is wrong, or the length is not what it says
 */
bool trace_open(trace *t, const void *bytes, size_t length, trace_error *error);

/* Operation number `at`, below t->operations. An unknown kind comes back as it is. */
trace_operation trace_get(const trace *t, uint32_t at);

/* Walks the whole trace.
 *
 * slots    t->slots of them, all zero; all zero again afterwards if the trace is right
 * returns  true with `*out`; false with `*error` at the first operation that is wrong
 * cost     linear in operations and slots
 */
bool trace_validate(const trace *t, trace_slot *slots, trace_summary *out, trace_error *error);

#endif
