/* ka/handler.h: what happens when something goes wrong, and where words go.
 *
 * Three handlers can be replaced, each with a context argument that it gets back. Set them while nothing else runs
 * (start-up, before other CPUs): the pair of function and context is not exchanged atomically. NULL restores the
 * default. Whoever links the library also supplies the two functions of a port at the end of this file.
 */
#ifndef KA_HANDLER_H
#define KA_HANDLER_H

#include <ka/types.h>

KA_BEGIN_DECLS

/* ---- misuse: a caller's error, or memory that somebody else has damaged ---- */

typedef enum ka_misuse {
    KA_MISUSE_DOUBLE_FREE, /* the block is free already */
    KA_MISUSE_FOREIGN,     /* the address does not belong to this allocator */
    KA_MISUSE_INTERIOR,    /* the address is inside a block, not at its start */
    KA_MISUSE_WRONG_SIZE,  /* size or alignment does not fit the block */
    KA_MISUSE_DAMAGE,      /* a free block was written to: its links or sizes contradict the heap's own record */
    KA_MISUSE_LEAK,        /* still live when the allocator was closed */
    KA_MISUSE_CONTEXT,     /* called from a context in which it must not be called */
    KA_MISUSE_OVERRUN      /* bytes behind the block were written to */
} ka_misuse;

/* The kind in words: "double free". */
const char *ka_misuse_name(ka_misuse kind);

/* Called for each misuse, after the allocator has put itself in order: nothing was changed by the offending call.
 * May run in any context that a free may run in, an NMI included; must not allocate.
 *
 * block  the address that was passed, or where damage was found
 * size   bytes, as passed; 0 if unknown
 * site   the return address of the offending call, or NULL
 */
typedef void ka_misuse_handler(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                               const void *site);

/* Default: one line to the log, and go on. */
void ka_set_misuse_handler(ka_misuse_handler *handler, void *context);

/* For allocators: reports a misuse. */
void ka_report_misuse(ka_misuse kind, ka_allocator *allocator, const void *block, size_t size, const void *site);

/* ---- allocation error: the caller cannot go on without the memory ---- */

/* May end the thread or the machine, or jump away; if it returns, the port panics. */
typedef void ka_alloc_error_handler(void *context, size_t size, size_t align);

/* Default: the port panics with "allocation error: layout { size: 4, align: 4 }". */
void ka_set_alloc_error_handler(ka_alloc_error_handler *handler, void *context);

/* The one place that gives up. The library calls it from functions with `must` in their name, and nowhere else. */
KA_NORETURN void ka_alloc_error(size_t size, size_t align);

/* ---- log ---- */

/* One line of text without its end, `length` bytes; also zero-terminated. Any context that the caller is in. */
typedef void ka_log_handler(void *context, const char *line, size_t length);

/* Default: ka_port_log. */
void ka_set_log_handler(ka_log_handler *handler, void *context);

/* Writes one line of at most 159 characters. Formats as ka_format does. */
void ka_log(const char *format, ...) KA_PRINTF(1, 2);

/* ---- what a port supplies ---- */

void ka_port_log(const char *line, size_t length);

/* Ends the program or the machine. `file` and `line` say where it was called. */
KA_NORETURN void ka_port_panic(const char *message, const char *file, unsigned line);

KA_END_DECLS

#endif
