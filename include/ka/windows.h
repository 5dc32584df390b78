/* ka/windows.h: what the Windows port adds, for kernel-mode drivers of 64-bit Windows 7 and later.
 *
 * | allocator | for | alloc and free at IRQL |
 * |---|---|---|
 * | ka_nt_pool, ka_kernel | the system's pool, a tag for each allocator | <= DISPATCH_LEVEL; pageable <= APC_LEVEL |
 * | ka_nt_contiguous, ka_physical (ka/physical.h) | physically contiguous, with limits | <= DISPATCH_LEVEL |
 * | ka_nt_lookaside | many objects of one size, on the system's lists | <= DISPATCH_LEVEL; pageable <= APC_LEVEL |
 * | ka_nt_heap | many sizes, many processors | any: with KA_ANY_CONTEXT from the memory it has |
 *
 * ka_cache and ka_reserve take any of these as their inner allocator; their blocks are then had and freed at any IRQL.
 *
 * Flags: 0, KA_NOWAIT and KA_ATOMIC are the same to the pool, which never waits. KA_ANY_CONTEXT is refused; the general
 * heap (ka/heap.h) honours it. KA_PAGEABLE is paged pool, refused (and reported as KA_MISUSE_CONTEXT) above APC_LEVEL.
 * In a build with KA_CFG_DEBUG each call asserts its IRQL.
 *
 * Nothing here includes a header of the WDK.
 */
#ifndef KA_WINDOWS_H
#define KA_WINDOWS_H

#include <ka/heap.h>
#include <ka/physical.h>

KA_BEGIN_DECLS

/* ---- life ---- */

/* Four characters as the system writes a pool tag: KA_TAG('K','a','l','c') is shown as "Kalc" by !poolused. A character
 * that cannot be printed does not compile. */
#define KA_TAG(a, b, c, d)                                                                                   \
    ((uint32_t)(KA_TAG_BYTE_(a) | KA_TAG_BYTE_(b) << 8 | KA_TAG_BYTE_(c) << 16 | KA_TAG_BYTE_(d) << 24))
#define KA_TAG_BYTE_(c) ((uint32_t)(c) + 0u * (uint32_t)sizeof(char[(c) >= 0x20 && (c) <= 0x7e ? 1 : -1]))

#define KA_NT_TAG KA_TAG('K', 'A', 'l', 'c') /* of what the library takes for itself */

/* Makes the port ready: looks up what this Windows has, counts its processors. First thing in DriverEntry: before it,
 * every allocation is refused. PASSIVE_LEVEL.
 *
 * tag      of ka_kernel; 0: KA_NT_TAG
 * returns  false: the tag cannot be printed, or there may be more than 2,048 processors, which no Windows has
 */
KA_MUST_USE bool ka_nt_start(uint32_t tag);

/* Ends it: last thing in the driver's unload routine. What is still live of ka_physical is reported as a leak through
 * the misuse hook. PASSIVE_LEVEL. Returns the count of live blocks. */
size_t ka_nt_stop(void);

/* ---- the pool ---- */

/* The system's pool. Non-paged memory is not executable, but on Windows 7, which has no other. Blocks are aligned to 16
 * by the pool; what is aligned to more, up to a page, is a request of a page where the pool would need a page anyway;
 * all else takes `align` bytes more, and two words in front of the block remember where the request began. A free
 * passes the tag, so that the system stops at a block of another allocator.
 *
 * Not counted: the system counts by tag (!poolused), ka_tagged by call site. */
typedef struct ka_nt_pool {
    ka_allocator allocator; /* the interface; pass &x.allocator to ka_alloc and friends */
    uint64_t flags;         /* of ExAllocatePool2, for a request without flags */
    uint32_t tag;
    uint32_t node;     /* KA_NT_ANY_NODE, or a number */
    uint32_t priority; /* EX_POOL_PRIORITY */
    bool exact;
} ka_nt_pool;

typedef enum ka_nt_priority { KA_NT_NORMAL, KA_NT_LOW, KA_NT_HIGH } ka_nt_priority;

#define KA_NT_ANY_NODE UINT32_MAX

/* All zero but the tag: non-paged, not executable, any node, normal priority. */
typedef struct ka_nt_pool_options {
    uint32_t tag;            /* KA_TAG; four characters that can be printed */
    bool pageable;           /* every block is, as if each request had KA_PAGEABLE */
    bool executable;         /* non-paged memory that can run. To be avoided */
    ka_nt_priority priority; /* when the system is short of memory: low is refused first */
    bool on_node;            /* non-paged memory of `node`, before others; a preference where the system cannot say */
    bool exact;              /* no other node will do: refused where the system cannot say (before Windows 10 2004) */
    uint32_t node;
} ka_nt_pool_options;

/* Makes an allocator over the pool. It needs no end. Any IRQL.
 * returns  false and nothing changed: the tag has a character that cannot be printed, or the options contradict each
 *          other (pageable and executable, pageable on a node, exact without on_node) */
KA_MUST_USE bool ka_nt_pool_init(ka_nt_pool *pool, const ka_nt_pool_options *options);

/* ---- contiguous memory ---- */

/* The allocator of ka/physical.h by its Windows name: MmAllocateContiguousNodeMemory and what came before it. <=
 * DISPATCH_LEVEL, all calls. Each fresh page may cost a search of physical memory: ask at start-up. */
typedef ka_physical_allocator ka_nt_contiguous;

/* limits   copied; NULL: none. `node` 0 without `exact`: any node
 * returns  KA_PHYSICAL_NOT_HERE: this system has none of the routines */
KA_MUST_USE static inline ka_physical_error ka_nt_contiguous_init(ka_nt_contiguous *c, const ka_physical_limits *limits)
{
    return ka_physical_init(c, limits);
}

/* Live blocks are reported as one leak. Returns their count. */
static inline size_t ka_nt_contiguous_fini(ka_nt_contiguous *c)
{
    return ka_physical_fini(c);
}

/* ---- lookaside lists ---- */

/* Objects of one size on a LOOKASIDE_LIST_EX. A request for more than `size` bytes or more than 16 of alignment gets
 * NULL. Blocks come and go at the IRQL of the pool they come from. */
typedef struct ka_nt_lookaside {
    ka_allocator allocator; /* the interface; pass &x.allocator to ka_alloc and friends */
    void *list;
    ka_nt_pool *pool;
    size_t size;
    uintptr_t live; /* objects handed out */
    bool pageable;
} ka_nt_lookaside;

/* Makes a list. <= DISPATCH_LEVEL (a pageable one <= APC_LEVEL).
 *
 * pool     where objects come from; stays the caller's, until ka_nt_lookaside_fini
 * size     bytes, at least 1
 * returns  false: no memory, bad arguments, or a system without such lists; nothing was made
 */
KA_MUST_USE bool ka_nt_lookaside_init(ka_nt_lookaside *l, ka_nt_pool *pool, size_t size);

/* Ends a list, before the driver is unloaded. Live objects are reported as one leak. The IRQL of its pool. Returns the
 * count of live objects. */
size_t ka_nt_lookaside_fini(ka_nt_lookaside *l);

/* ---- the general heap ---- */

/* A general heap over non-paged pool: segments of 2 MiB, taken as they are needed by any allocation without
 * KA_ANY_CONTEXT, given back by ka_heap_trim (<= DISPATCH_LEVEL). With KA_ANY_CONTEXT, and for free, at any IRQL, in a
 * VM exit or an NMI: from what it has; ka_heap_commit keeps some ready. */
typedef struct ka_nt_heap {
    ka_heap heap; /* for every call of ka/heap.h but init and fini */
    ka_nt_pool pool;
} ka_nt_heap;

/* Makes a heap. <= DISPATCH_LEVEL.
 *
 * name     stays the caller's
 * limit    bytes that it has at most; at least 2 MiB, of which one segment is taken at once
 * pool     where its pages come from; not pageable. Copied
 * returns  false: no memory, or bad arguments; nothing was made
 */
KA_MUST_USE bool ka_nt_heap_init(ka_nt_heap *heap, const char *name, size_t limit, const ka_nt_pool_options *pool);

/* Ends a heap: each live block is reported as a leak, and all memory goes back. <= DISPATCH_LEVEL. Returns the count of
 * leaked blocks. */
size_t ka_nt_heap_fini(ka_nt_heap *heap);

/* The two parts of it, for a heap with other options (hardened, with a seed; `keep`): its source, which asks `pool`,
 * and its cross call, which sends the calling thread to each processor. The heap must be `scattered` and
 * `unaligned`. */
KA_MUST_USE ka_page_source ka_nt_page_source(ka_nt_pool *pool);
bool ka_nt_cross_call(void (*call)(void *argument), void *argument);

/* ---- the end ---- */

/* KeBugCheckEx is called with this code, and
 *   parameter 1                     2                  3                   4
 *   KA_NT_BUGCHECK_PANIC            the message        the file's name     the line: ka_port_panic, a failed assertion
 *   KA_NT_BUGCHECK_NO_MEMORY        size               alignment           0: ka_nt_stop_on_alloc_error
 *   KA_NT_BUGCHECK_MISUSE + kind    the allocator      the block           its size: ka_nt_stop_on_misuse
 * Texts are addresses of zero-terminated strings (WinDbg: da). The same is written by DbgPrintEx before. */
#define KA_NT_BUGCHECK           0xE0004B41u /* "KA", with the bits of a code that is not Microsoft's */
#define KA_NT_BUGCHECK_PANIC     0u
#define KA_NT_BUGCHECK_NO_MEMORY 1u
#define KA_NT_BUGCHECK_MISUSE    16u /* to which the ka_misuse is added */

/* Handlers to be set (ka/handler.h) by a driver that wants a machine with a damaged heap to stop. Any IRQL. */
void ka_nt_stop_on_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                          const void *site);
void ka_nt_stop_on_alloc_error(void *context, size_t size, size_t align);

KA_END_DECLS

#endif
