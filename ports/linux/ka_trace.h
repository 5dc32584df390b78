/* ka_trace.h: the module's trace events, /sys/kernel/tracing/events/kernel_alloc. An event that is off is a jump over
 * nothing. The hot path of a general heap has none: see ka_linux_traced in ka/linux.h.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kernel_alloc

#if !defined(KA_LINUX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KA_LINUX_TRACE_H

#include <linux/tracepoint.h>

#include <ka/handler.h>

#define KA_TRACE_NAME 24 /* bytes of a name that are kept */

/* block: NULL if it was refused. site: who called. */
TRACE_EVENT(ka_alloc,
    TP_PROTO(const char *allocator, const void *block, size_t size, size_t align, ka_flags flags, const void *site),
    TP_ARGS(allocator, block, size, align, flags, site),
    TP_STRUCT__entry(
        __array(char, allocator, KA_TRACE_NAME)
        __field(const void *, block)
        __field(size_t, size)
        __field(size_t, align)
        __field(unsigned int, flags)
        __field(const void *, site)
    ),
    TP_fast_assign(
        strscpy(__entry->allocator, allocator, KA_TRACE_NAME);
        __entry->block = block;
        __entry->size = size;
        __entry->align = align;
        __entry->flags = flags;
        __entry->site = site;
    ),
    TP_printk("%s: block=%p bytes=%zu align=%zu flags=%s by=%pS", __entry->allocator, __entry->block, __entry->size,
        __entry->align, __print_flags(__entry->flags, "|", { 1, "NOWAIT" }, { 2, "ATOMIC" }, { 4, "ANY_CONTEXT" },
        { 8, "ZERO" }, { 16, "PAGEABLE" }), __entry->site)
);

TRACE_EVENT(ka_free,
    TP_PROTO(const char *allocator, const void *block, size_t size, const void *site),
    TP_ARGS(allocator, block, size, site),
    TP_STRUCT__entry(
        __array(char, allocator, KA_TRACE_NAME)
        __field(const void *, block)
        __field(size_t, size)
        __field(const void *, site)
    ),
    TP_fast_assign(
        strscpy(__entry->allocator, allocator, KA_TRACE_NAME);
        __entry->block = block;
        __entry->size = size;
        __entry->site = site;
    ),
    TP_printk("%s: block=%p bytes=%zu by=%pS", __entry->allocator, __entry->block, __entry->size, __entry->site)
);

/* now: NULL if it was refused. */
TRACE_EVENT(ka_resize,
    TP_PROTO(const char *allocator, const void *block, size_t size, const void *now, size_t new_size, const void *site),
    TP_ARGS(allocator, block, size, now, new_size, site),
    TP_STRUCT__entry(
        __array(char, allocator, KA_TRACE_NAME)
        __field(const void *, block)
        __field(size_t, size)
        __field(const void *, now)
        __field(size_t, new_size)
        __field(const void *, site)
    ),
    TP_fast_assign(
        strscpy(__entry->allocator, allocator, KA_TRACE_NAME);
        __entry->block = block;
        __entry->size = size;
        __entry->now = now;
        __entry->new_size = new_size;
        __entry->site = site;
    ),
    TP_printk("%s: block=%p bytes=%zu now=%p new_bytes=%zu by=%pS", __entry->allocator, __entry->block, __entry->size,
        __entry->now, __entry->new_size, __entry->site)
);

DECLARE_EVENT_CLASS(ka_memory,
    TP_PROTO(const char *heap, const void *memory, size_t size),
    TP_ARGS(heap, memory, size),
    TP_STRUCT__entry(
        __array(char, heap, KA_TRACE_NAME)
        __field(const void *, memory)
        __field(size_t, size)
    ),
    TP_fast_assign(
        strscpy(__entry->heap, heap, KA_TRACE_NAME);
        __entry->memory = memory;
        __entry->size = size;
    ),
    TP_printk("%s: memory=%p bytes=%zu", __entry->heap, __entry->memory, __entry->size)
);

/* A heap got a segment or a record from the kernel (memory NULL: it did not), and gave one back. */
DEFINE_EVENT(ka_memory, ka_memory_take,
    TP_PROTO(const char *heap, const void *memory, size_t size),
    TP_ARGS(heap, memory, size));
DEFINE_EVENT(ka_memory, ka_memory_give,
    TP_PROTO(const char *heap, const void *memory, size_t size),
    TP_ARGS(heap, memory, size));

/* The kernel's reclaim asked the heaps for so many pages, and got so many. */
TRACE_EVENT(ka_shrink,
    TP_PROTO(unsigned long asked, unsigned long given),
    TP_ARGS(asked, given),
    TP_STRUCT__entry(
        __field(unsigned long, asked)
        __field(unsigned long, given)
    ),
    TP_fast_assign(
        __entry->asked = asked;
        __entry->given = given;
    ),
    TP_printk("asked=%lu given=%lu", __entry->asked, __entry->given)
);

TRACE_EVENT(ka_misuse,
    TP_PROTO(const char *kind, const char *allocator, const void *block, size_t size, const void *site),
    TP_ARGS(kind, allocator, block, size, site),
    TP_STRUCT__entry(
        __array(char, kind, KA_TRACE_NAME)
        __array(char, allocator, KA_TRACE_NAME)
        __field(const void *, block)
        __field(size_t, size)
        __field(const void *, site)
    ),
    TP_fast_assign(
        strscpy(__entry->kind, kind, KA_TRACE_NAME);
        strscpy(__entry->allocator, allocator, KA_TRACE_NAME);
        __entry->block = block;
        __entry->size = size;
        __entry->site = site;
    ),
    TP_printk("%s: %s: block=%p bytes=%zu by=%pS", __entry->allocator, __entry->kind, __entry->block, __entry->size,
        __entry->site)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE ka_trace
#include <trace/define_trace.h>
