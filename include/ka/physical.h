/* ka/physical.h: physically contiguous memory, for what hardware reads by itself: page tables, descriptors, control
 * blocks of a hypervisor, permission maps.
 *
 * `ka_physical` gives blocks without constraints. An instance of one's own has some: made by ka_physical_init, used
 * through its `allocator` like any other. A block is contiguous in physical memory, whatever its size, and its
 * alignment holds for the physical address too. Blocks of less than a page are packed: 64 descriptors of 64 bytes take
 * one page. Packed blocks share lines of the cache and pages of an IOMMU: where that matters, ask for `exclusive`. A
 * physical address is not a bus address: what a device must be told is the platform's business.
 *
 * Context: KA_NOWAIT and KA_ATOMIC are honoured; KA_ANY_CONTEXT for whole cached pages only; KA_PAGEABLE is refused.
 * Free where a spin lock may be taken; whole cached pages in any context.
 * Bare metal: over the frames of the machine; every caching on x86_64, elsewhere KA_CACHED only. User space: in huge
 * pages, KA_CACHED only, and only where the process may see physical addresses (<ka/user.h>); refused else. Windows:
 * every caching; up to DISPATCH_LEVEL, never KA_ANY_CONTEXT; an alignment above a page that an instance's limits ask
 * for is the physical address's, and the pointer has it only if the request asks for it too, which the system may
 * refuse.
 */
#ifndef KA_PHYSICAL_H
#define KA_PHYSICAL_H

#include <ka/alloc.h>

KA_BEGIN_DECLS

typedef enum ka_caching { KA_CACHED, KA_UNCACHED, KA_WRITE_COMBINED } ka_caching;

/* All zero: no constraints. Addresses are physical, in bytes. */
typedef struct ka_physical_limits {
    uint64_t lowest;   /* no byte below this address; counts by whole pages */
    uint64_t highest;  /* no byte above this address; 0: no limit; counts by whole pages */
    uint64_t boundary; /* a power of two of at least 16; a block does not reach over a multiple of it; 0: none */
    size_t align;      /* a power of two: every block has this alignment at least; 0: as asked */
    unsigned node;     /* tried first */
    bool exact;        /* no other node will do */
    bool exclusive;    /* no two blocks share a page */
    ka_caching caching;
} ka_physical_limits;

typedef enum ka_physical_error {
    KA_PHYSICAL_OK,
    KA_PHYSICAL_BAD_LIMITS, /* the constraints contradict themselves, or are no powers of two */
    KA_PHYSICAL_NO_CACHING, /* memory cannot be had with this caching here */
    KA_PHYSICAL_NOT_HERE,   /* there is no physical memory for this program: no right to see it, or not started */
    KA_PHYSICAL_CONTEXT,    /* not in the context that the flags say */
    KA_PHYSICAL_BOUNDARY,   /* the block is larger than the boundary that it must not cross */
    KA_PHYSICAL_NO_MEMORY   /* no free place satisfies the constraints */
} ka_physical_error;

/* The error in words: "no free place satisfies the constraints". */
const char *ka_physical_error_name(ka_physical_error error);

struct ka_physical_source;

/* A page of packed blocks. Private. */
typedef struct ka_physical_page {
    struct ka_physical_page *bucket;          /* the next in the same bucket */
    struct ka_physical_page *next, *previous; /* pages with room; spare records */
    unsigned char *memory;
    uint64_t used[4]; /* a bit for each 16 bytes */
    uint64_t last[4]; /* the last 16 bytes of a block */
} ka_physical_page;

#define KA_PHYSICAL_BUCKETS 32
#define KA_PHYSICAL_RECORDS 4 /* of its own, before it takes a page for more */

/* An instance. Only `allocator` is for use. */
typedef struct ka_physical_allocator {
    ka_allocator allocator;
    ka_physical_limits limits;
    const struct ka_physical_source *source;
    ka_physical_page *room;  /* packed pages with room */
    ka_physical_page *spare; /* records that describe nothing */
    void *record_pages;
    ka_physical_page *buckets[KA_PHYSICAL_BUCKETS];
    ka_physical_page records[KA_PHYSICAL_RECORDS];
    size_t live, blocks, pages, empty;  /* of packed ones; bytes, counts */
    uintptr_t whole_live, whole_blocks; /* of whole pages */
    uint32_t error;
} ka_physical_allocator;

/* Blocks without constraints. */
extern ka_allocator *const ka_physical;

/* Makes an instance whose blocks satisfy the constraints.
 *
 * limits   copied; NULL: none
 * returns  KA_PHYSICAL_OK; else the instance must not be used
 */
KA_MUST_USE ka_physical_error ka_physical_init(ka_physical_allocator *instance, const ka_physical_limits *limits);

/* Ends an instance; blocks that are still live are reported as a leak and their pages stay taken. Returns their
 * count. */
size_t ka_physical_fini(ka_physical_allocator *instance);

/* Why the instance (or ka_physical) has refused last. Of several CPUs' refusals any. */
ka_physical_error ka_physical_last_error(const ka_allocator *allocator);

#define KA_NO_ADDRESS UINT64_MAX

/* The physical address of a byte in a block. KA_NO_ADDRESS: it is not known, or not mapped. */
KA_MUST_USE uint64_t ka_physical_address(const void *block);

KA_END_DECLS

#endif
