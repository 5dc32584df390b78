/* ka/heap.h: the general heap: many sizes, many CPUs, any context.
 *
 * Good at: speed, scaling, allocation and free in interrupts, NMIs, signal handlers; giving memory back.
 * Bad at: a few KiB of memory (its own record takes about 1.2 % of the range and some pages; see ka/region.h).
 *
 * Thread-safe without locks. Which contexts:
 *   alloc    any, if the flags say so: KA_ANY_CONTEXT is served from committed memory
 *   free     any; it never calls the page source
 *   others   as each says
 * A block of up to 32 KiB, aligned to a page at most, comes from a magazine of the CPU (in user space, of the thread);
 * larger ones are page runs. No metadata is kept in blocks or next to them.
 */
#ifndef KA_HEAP_H
#define KA_HEAP_H

#include <ka/alloc.h>
#include <ka/page_source.h>

KA_BEGIN_DECLS

typedef struct ka_heap ka_heap;

/* The smallest range that makes a heap. Bytes. */
#define KA_HEAP_MIN_SIZE ((size_t)256 * 1024)

/* The most nodes of memory that a heap tells apart. */
#define KA_HEAP_NODES 64u

/* A hardened heap reports every double free and every free with a wrong size at once, clears what is freed, keeps a
 * block aside for that many more frees before it is handed out again (memory short, or blocks so large that all of them
 * would take a sixteenth of the heap: not), and hands out one of up to 64 free blocks by chance. It has no magazines:
 * each call works on the bitmaps. Other heaps run the same code as without it. */
#define KA_HEAP_DELAYED 128u

/* Runs call(argument) on every CPU that is online, in any order, each pinned, and returns when all have. An interrupt
 * on each of them will do. Where sleeping is allowed. returns  false: some CPU was not reached */
typedef bool ka_cross_call(void (*call)(void *argument), void *argument);

/* What a heap is made of. */
typedef struct ka_heap_options {
    const char *name; /* for reports; NULL: "heap" */

    /* Where memory comes from. Either `base` and `size` name a range that the caller gives, aligned to a page, with
     * memory behind all of it (source NULL) or reserved address space that `source` commits; or base is NULL and
     * `source` reserves `size` bytes. The heap never uses anything else. At least KA_HEAP_MIN_SIZE. */
    const ka_page_source *source;
    void *base;
    size_t size;
    bool zeroed; /* with source NULL: the range reads as zero */

    unsigned page_shift;    /* 12 to 16; 0: the port's page */
    unsigned segment_shift; /* the range is managed in pieces of 2^segment_shift bytes, 21 to 34; 0: 25 */
    unsigned claims;        /* how many pieces ka_heap_claim can add; 0: 32 */
    bool scattered;         /* no range: `source` reserves each segment by itself, 2^segment_shift bytes aligned to as
                               many, when it is needed, and gets it back when it is empty; `size` is the bound of all
                               of them. Their records are reserved apart (about 1.2 % of a segment each, aligned to a
                               page) and kept to the end. The source needs no `commit` if what it reserves is memory */
    bool unaligned;         /* scattered: `reserve` is asked for segments aligned to a page only. A request that might
                               not fit into a new one for its alignment gets none made */
    ka_cross_call *cross_call; /* reaches other CPUs for ka_heap_drain; NULL: they are asked and come themselves */
    bool compact;           /* slabs of few blocks: where most blocks of a size are freed more pages become free, but
                               what passes the magazines, as from one CPU to another, takes up to three times the steps.
                               And before a long run is committed as many free pages that lie scattered may go back,
                               those of ka_heap_commit, too, unless a low-water callback is set */
    bool hardened;          /* see KA_HEAP_DELAYED */
    uint64_t seed;          /* of a hardened heap's random choices; 0: from the port's entropy. A machine without any
                               has a guessable one then: better give it what there is */
    unsigned nodes;         /* how many nodes of memory there are (ka_port_node), KA_HEAP_NODES at most; 0: 1. A segment
                               is one node's, so a heap wants several segments for each */
    unsigned node;          /* whose memory the given range is; with a source, what it begins with */
    size_t keep;            /* free bytes that stay committed when the heap trims itself */
    uint8_t *map_all;       /* NULL, or zeroed memory for the heap's map of classes: a byte for each page by its
                               address, as if the range began at 0 (a port's malloc finds a block's class with it) */
} ka_heap_options;

/* Called when an allocation left less than `low_water` free committed bytes. In the context of that allocation. */
typedef void ka_low_water(void *context, ka_heap *heap, size_t free_committed);

/* ---- life ---- */

/* Makes a heap.
 * returns  false and nothing changed (the page source's reservation given back) if an option is out of bounds or the
 *          source gives no memory for the record
 * context  where the source may be called */
KA_MUST_USE bool ka_heap_init(ka_heap *heap, const ka_heap_options *options);

/* Ends a heap: reports each live block as a leak through the misuse hook and gives the reservation back to the source.
 * Nothing else may use the heap any more. returns  the count of leaked blocks */
size_t ka_heap_fini(ka_heap *heap);

/* The smallest range that can be claimed, and the smallest piece that is used of a larger one. Bytes; at least four
 * pages. */
#define KA_HEAP_MIN_CLAIM ((size_t)64 * 1024)

/* Gives the heap one more range, apart from those it has: memory, or with a source address space that the source
 * commits. It is cut where addresses are multiples of 2^segment_shift; a piece below KA_HEAP_MIN_CLAIM at an end is
 * left out, and no block reaches from one piece into the next.
 *
 * base     aligned to a page; contents lost
 * returns  false and nothing changed if the range is too small or not aligned, there are more pieces than the option
 *          `claims` has room for, the heap is scattered, or the source gives no memory for the records
 * context  where the source may be called; any but KA_ANY_CONTEXT without one
 * owner    the heap, until ka_heap_fini */
KA_MUST_USE bool ka_heap_claim(ka_heap *heap, void *base, size_t size);

/* The same for memory of one node; without it, it is the option's `node`. */
KA_MUST_USE bool ka_heap_claim_on(ka_heap *heap, void *base, size_t size, unsigned node);

/* ---- blocks ---- */

/* Takes a block. As ka_alloc over &heap->allocator, without the indirect call.
 * cost  from the magazine: constant. A refill: an atomic exchange for up to 64 blocks. Large: linear in the segments'
 *       pages / 64 at worst */
KA_MUST_USE static inline void *ka_heap_alloc(ka_heap *heap, size_t size, size_t align, ka_flags flags);

/* Gives a block back. As ka_free. */
static inline void ka_heap_free(ka_heap *heap, void *block, size_t size, size_t align);

/* Gives back a block whose size the caller does not know. NULL and blocks of size 0 do nothing. */
void ka_heap_free_unsized(ka_heap *heap, void *block);

/* Changes a block's layout. As ka_resize. In place within a class, and for page runs where the pages behind are
 * free. */
KA_MUST_USE void *ka_heap_resize(ka_heap *heap, void *block, size_t old_size, size_t old_align, size_t new_size,
                                 size_t new_align, ka_flags flags);

/* Bytes of the block, found by its address; 0 if it is not a block of this heap. */
size_t ka_heap_usable(const ka_heap *heap, const void *block);

/* Takes up to `count` blocks of one layout. Returns how many; blocks[0..] hold them.
 * cost  a copy from the magazine; beyond it an atomic exchange for up to 64 blocks */
KA_MUST_USE size_t ka_heap_alloc_many(ka_heap *heap, size_t size, size_t align, ka_flags flags, size_t count,
                                      void **blocks);

/* Gives back `count` blocks of one layout; NULLs among them are passed over. cost  as ka_heap_alloc_many */
void ka_heap_free_many(ka_heap *heap, size_t size, size_t align, size_t count, void **blocks);

/* ---- memory ---- */

/* Keeps `bytes` of free memory committed for contexts that cannot commit. Where the source may be called.
 * returns  how many free bytes are committed now */
size_t ka_heap_commit(ka_heap *heap, size_t bytes);

/* Sets the function that is told when less than `bytes` of free memory is committed; NULL: none. */
void ka_heap_set_low_water(ka_heap *heap, size_t bytes, ka_low_water *low_water, void *context);

/* Has what every CPU (thread) keeps in its magazines put back into the slabs. With the option `cross_call` that has
 * happened when it returns, but for a CPU that was just using its magazines; without it the calling CPU's are put back
 * now, and those of another one when it next finds one of them empty or full: an idle one keeps what it has. An
 * allocation that may sleep does this before it says NULL. Where sleeping is allowed.
 * returns  whether every CPU was reached */
bool ka_heap_drain(ka_heap *heap);

/* Puts the blocks in the magazines of the calling CPU (thread) back into their slabs. Any context that is not inside an
 * allocation itself. */
void ka_heap_flush(ka_heap *heap);

/* The same for the slot (ka_port_slot) of a CPU that is offline, or of a thread that has ended.
 * returns  false if they are in use, for ever perhaps: nothing was done */
bool ka_heap_flush_slot(ka_heap *heap, unsigned slot);

/* Takes the slot's magazines away and their blocks back, from a CPU or thread that will not come back. What was in use
 * at that moment (a thread that was killed inside, the others at a fork) is lost: at most the magazines' blocks. */
void ka_heap_retire_slot(ka_heap *heap, unsigned slot);

/* Ends slabs that are empty and gives free memory back to the source until `keep` free bytes are committed.
 * Where sleeping is allowed. returns  the bytes given back */
size_t ka_heap_trim(ka_heap *heap, size_t keep);

/* ---- to look at ---- */

/* Visits every block: live ones (those in magazines count as free), page runs, free pages as one block a run.
 * Nothing else may use the heap meanwhile. */
bool ka_heap_walk(ka_heap *heap, ka_visit *visit, void *context);

/* Totals. `live` counts whole blocks. On a heap in use a snapshot. `peak`, sampled where blocks leave slabs, may be too
 * low by 1/64 of the heap where several CPUs are at work. cost  linear in the slabs */
void ka_heap_stats(const ka_heap *heap, ka_stats *out);

/* The node whose memory a block is, found by its address; KA_NO_NODE if it is not a block of this heap. */
#define KA_NO_NODE UINT32_MAX
unsigned ka_heap_node_of(const ka_heap *heap, const void *block);

/* One node's part of a heap with several. A snapshot, as ka_heap_stats. */
typedef struct ka_heap_node {
    size_t total, free;    /* bytes of its segments, and of these in free pages and free blocks */
    size_t live;           /* bytes in runs and blocks outside of slabs: in magazines too */
    uint64_t home, away;   /* how often its CPUs got blocks, or pages for them, from it, and from another one */
} ka_heap_node;

/* cost  linear in the node's slabs */
void ka_heap_node_stats(const ka_heap *heap, unsigned node, ka_heap_node *out);

/* Proves the whole structure; nothing else may use the heap meanwhile. NULL, or the first broken fact in words. */
const char *ka_heap_check(const ka_heap *heap);

/* Private: the two calls above, with what a compiler knows of size, alignment and flags taken off. */
#define KA_HEAP_SMALL_LARGEST_ ((size_t)1024)
KA_MUST_USE void *ka_heap_alloc_small_(ka_heap *heap, size_t size); /* up to that; 8 or 16, none */
KA_MUST_USE void *ka_heap_alloc_plain_(ka_heap *heap, size_t size); /* 8 or 16, none */
KA_MUST_USE void *ka_heap_alloc_other_(ka_heap *heap, size_t size, size_t align, ka_flags flags);
void ka_heap_free_small_(ka_heap *heap, void *block, size_t size); /* up to that; up to 16; not NULL */
void ka_heap_free_plain_(ka_heap *heap, void *block, size_t size); /* up to 16; not NULL */
void ka_heap_free_other_(ka_heap *heap, void *block, size_t size, size_t align);

KA_MUST_USE static inline void *ka_heap_alloc(ka_heap *heap, size_t size, size_t align, ka_flags flags)
{
    if (KA_LIKELY((align == 8 || align == 16) && flags == 0))
        return KA_LIKELY(size <= KA_HEAP_SMALL_LARGEST_) ? ka_heap_alloc_small_(heap, size)
                                                         : ka_heap_alloc_plain_(heap, size);
    return ka_heap_alloc_other_(heap, size, align, flags);
}

static inline void ka_heap_free(ka_heap *heap, void *block, size_t size, size_t align)
{
    if (block == NULL)
        return;
    if (KA_LIKELY(align <= KA_MIN_ALIGN && size <= KA_HEAP_SMALL_LARGEST_))
        ka_heap_free_small_(heap, block, size);
    else if (align <= KA_MIN_ALIGN)
        ka_heap_free_plain_(heap, block, size);
    else
        ka_heap_free_other_(heap, block, size, align);
}

/* Private. */
struct ka_heap {
    ka_allocator allocator;
    const char *name;
    ka_page_source source;
    bool has_source, reserved_here, zeroed, scattered, unaligned, compact, hardened; /* has_source: pages are
                                                                                      committed */
    unsigned page_shift, segment_shift;
    unsigned nodes, node;
    uintptr_t base; /* the range; a scattered heap has none */
    size_t size, keep;
    uint8_t *map_all;
    const uint8_t *map0; /* segment 0, most heaps' only one: its map of classes, the descriptors of its pages, the
                            address of its page 0, its bytes */
    uint32_t *pages0;
    uintptr_t base0;
    size_t size0;
    uint32_t segment_limit;
    uint32_t drains; /* counts ka_heap_drain */
    uint32_t watchers; /* who may be reading magazines of others at this moment */
    uintptr_t retired; /* magazines that were taken away meanwhile */
    ka_cross_call *cross_call;
    size_t table_bytes;
    struct ka_heap_table *table; /* classes and segments; in the first pages of the range */
    ka_low_water *low_water;
    void *low_water_context;
    size_t low_water_bytes;
    uintptr_t held;          /* bytes of all ranges and segments that the heap has now */
    char apart[64];          /* what changes is on lines of its own */
    uintptr_t outside, peak; /* bytes in runs, and in blocks outside of slabs; less what CPUs count by themselves */
    uintptr_t pages_used;    /* pages in runs and slabs */
    uintptr_t pages_touched; /* the largest pages_used since the last trim: about what is committed */
    char apart_too[64];
    uintptr_t *magazines;    /* for each CPU slot a ka_magazines; those of slot 0 are always busy. This and the next are
                             the last members, and valid at all times: see ka_heap_init */
    uintptr_t cell;          /* the port's for this heap: where the running thread's magazines are taken out of */
};

KA_END_DECLS

#endif
