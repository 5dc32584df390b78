/* ka/linux.h: what the Linux port adds: the kernel's own allocators behind the one interface, for modules.
 *
 * | allocator | for | contexts | largest block |
 * |---|---|---|---|
 * | ka_kmalloc | small, physically contiguous | task, softirq, hard interrupt, by the flags | KMALLOC_MAX_SIZE |
 * | ka_vmalloc | large, virtually contiguous | task that may sleep; free also in softirq and hard interrupt | memory |
 * | ka_kvmalloc | any size: the first of these that can | as ka_vmalloc | memory |
 * | ka_kmem_cache | many objects of one size | as ka_kmalloc | one size |
 * | ka_physical (ka/physical.h) | contiguous, with limits | as ka_kmalloc; packed ones under a lock | 4 MiB |
 * | ka_dma_allocator | what a device reads and writes | as ka_kmalloc; free with interrupts on | 4 MiB |
 *
 * Flags: 0 is GFP_KERNEL, KA_NOWAIT GFP_NOWAIT, KA_ATOMIC GFP_ATOMIC, all without the kernel's warning: NULL says it.
 * KA_ANY_CONTEXT (an NMI, a raw spin lock held) and KA_PAGEABLE are refused. A request that may sleep, made where it
 * must not (interrupts off, preemption off, interrupt, NMI), is refused and reported as KA_MISUSE_CONTEXT; what cannot
 * be seen by looking (a raw spin lock on a kernel without a preempt count) is the caller's duty.
 * A free in an NMI is reported and the block is lost: the kernel's allocators cannot be entered there. The general heap
 * (ka/heap.h) can. With PREEMPT_RT the kernel's allocators take locks that sleep: both are so for all code that is not
 * preemptible (hard interrupt, raw spin lock), KA_ATOMIC or not.
 *
 * Alignment is the interface's: 16 bytes at least, and any power of two. Blocks may be passed to kfree and kvfree by
 * code that does not know this library, unless they are aligned to more than a page and come from vmalloc.
 */
#ifndef KA_LINUX_H
#define KA_LINUX_H

#include <ka/handler.h>
#include <ka/heap.h>
#include <ka/physical.h>
#include <ka/tagged.h>

#include <ka_port.h>

KA_BEGIN_DECLS

struct dentry;

/* Any node, nearest first. */
extern ka_allocator *const ka_kmalloc;
extern ka_allocator *const ka_vmalloc;
extern ka_allocator *const ka_kvmalloc;

/* The same on one node. */
typedef struct ka_linux_allocator {
    ka_allocator allocator; /* the interface; pass &x.allocator to ka_alloc and friends */
    int node;
} ka_linux_allocator;

/* node  a node of the machine, or NUMA_NO_NODE; a preference, as in kmalloc_node */
void ka_kmalloc_init(ka_linux_allocator *a, int node);
void ka_vmalloc_init(ka_linux_allocator *a, int node);
void ka_kvmalloc_init(ka_linux_allocator *a, int node);

/* Objects of one size in a kmem_cache of their own. A request for more than `size` bytes or a larger alignment gets
 * NULL. */
typedef struct ka_kmem_cache {
    ka_allocator allocator; /* the interface; pass &x.allocator to ka_alloc and friends */
    void *cache;            /* struct kmem_cache * */
    size_t size, align;
    long live; /* objects handed out */
} ka_kmem_cache;

/* Makes a cache. May sleep.
 *
 * name     stays the caller's; seen in /proc/slabinfo
 * size     bytes, at least 1
 * align    bytes, a power of two up to a page; raised to 16
 * returns  false: no memory, or bad arguments; nothing was made
 */
KA_MUST_USE bool ka_kmem_cache_init(ka_kmem_cache *cache, const char *name, size_t size, size_t align);

/* Ends a cache. Live objects are reported as one leak each time, and the cache stays, since the kernel cannot end one
 * in use. May sleep. Returns the count of live objects. */
size_t ka_kmem_cache_fini(ka_kmem_cache *cache);

/* A general heap over pages of the kernel: segments of 2 MiB, taken as they are needed by allocations that may sleep,
 * given back by ka_heap_trim and under memory pressure. Every context with KA_ANY_CONTEXT, NMI and raw spin locks
 * included, from what it has (ka_heap_commit keeps some ready). Seen in debugfs as the folder kernel_alloc/<name>:
 * stats, map, shrink. */
typedef struct ka_linux_heap {
    ka_heap heap; /* for every call of ka/heap.h but init and fini */
    ka_page_source source;
    int node;
    struct dentry *debug;
    struct ka_linux_heap *next;
} ka_linux_heap;

/* Makes a heap. May sleep.
 *
 * name     stays the caller's; unlike other heaps' names
 * limit    bytes that it has at most, segments of 2 MiB; the module's parameter heap_limit_mib may lower it
 * node     of its memory, or NUMA_NO_NODE: each CPU's own first, then any
 * returns  false: no memory; nothing was made
 */
KA_MUST_USE bool ka_linux_heap_init(ka_linux_heap *heap, const char *name, size_t limit, int node);

/* Ends a heap; live blocks are reported as leaks. May sleep. Returns their count. A module must end its heaps before it
 * is unloaded: one that does not is told so in the log, and their memory is lost. */
size_t ka_linux_heap_fini(ka_linux_heap *heap);

/* Shows who has how much, by tags (ka/tagged.h), as kernel_alloc/<name> in debugfs, until ka_linux_hide. */
void ka_linux_show_tags(const char *name, ka_tag_group *group);
void ka_linux_hide(const char *name);

/* The misuse handler that the module sets: an event (ka_misuse), a line in the log, and what the parameters
 * leak_reports and panic_on_misuse say. A handler of one's own may call it, and gives way to it again. */
void ka_linux_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                     const void *site);

/* Has the events ka_alloc, ka_free and ka_resize say what passes through it, in any context. The kernel's own
 * allocators make them by themselves; a general heap does not, since they would lie on its hot path: use this. */
typedef struct ka_linux_traced {
    ka_allocator allocator; /* the interface; pass &x.allocator to ka_alloc and friends */
    ka_allocator *inner;
    const char *name; /* in the events */
} ka_linux_traced;

void ka_linux_traced_init(ka_linux_traced *traced, ka_allocator *inner, const char *name);

/* For tests: of the calls for memory that the library makes into the kernel for this task, has the n-th from now on
 * fail, as failslab does in kernels that have it; those after it are served. For one task at a time. May sleep.
 *
 * n        1: the next; 0: none any more
 * returns  whether the one that was chosen before has failed */
bool ka_linux_fail(uint64_t n);

/* Memory that one device and the CPUs see alike (dma_alloc_coherent): zeroed, whole pages. Alloc: by the flags; free:
 * with interrupts on. Alignment up to a page. */
typedef struct ka_dma_allocator {
    ka_allocator allocator; /* the interface; pass &x.allocator to ka_alloc and friends */
    ka_port_lock lock;
    void *device; /* struct device * */
    void *blocks;
} ka_dma_allocator;

/* device  a struct device * with its DMA mask set; the caller keeps it */
void ka_dma_init(ka_dma_allocator *dma, void *device);

/* The bus address of a block, to be told to the device; KA_NO_ADDRESS (ka/physical.h): not a block of this one.
 * cost  linear in the blocks */
KA_MUST_USE uint64_t ka_dma_address(ka_dma_allocator *dma, const void *block);

/* Ends it: blocks that are still out are reported as one leak. Returns their count. */
size_t ka_dma_fini(ka_dma_allocator *dma);

KA_END_DECLS

#endif
