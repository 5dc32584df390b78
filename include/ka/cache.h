/* ka/cache.h: many objects of one type: exact size, a constructor, magazines of each CPU.
 *
 * Good at: speed and density for one type; objects that stay constructed between their uses; any context.
 * Bad at: a handful of objects (a cache's own record is 2 to 10 KiB), and other sizes (see ka/heap.h).
 *
 * Thread-safe without locks. Which contexts:
 *   alloc    any, if the flags say so; it calls out (the inner allocator, the constructor) only where options.contexts
 *            allows it, and else serves the objects there are: ka_cache_commit keeps some ready
 *   free     any; it never calls out
 *   others   as each says
 * Objects lie `size` bytes, rounded up to `align`, apart. No metadata is kept in objects or next to them: a free object
 * keeps what its last owner left in it.
 */
#ifndef KA_CACHE_H
#define KA_CACHE_H

#include <ka/alloc.h>

KA_BEGIN_DECLS

typedef struct ka_cache ka_cache;

/* The largest distance of two objects. Bytes. */
#define KA_CACHE_LARGEST ((size_t)1 << 20)

/* Called with options.context and one object. */
typedef void ka_cache_each(void *context, void *object);

/* What a cache is made of. */
typedef struct ka_cache_options {
    const char *name; /* for whoever looks at it; NULL: "cache" */

    /* Where slabs, and the cache's own records, come from; the caller keeps it alive. Must be thread-safe if the cache
     * is shared. It is asked for slabs aligned to a power of two that is not less than their size: 4 to 32 KiB, more
     * for objects above 32 KiB. Everything goes back to it: slabs in ka_cache_shrink, the rest in ka_cache_fini. */
    ka_allocator *inner;

    size_t size;  /* of an object, bytes, exact: 40, 1000; at least 1 */
    size_t align; /* bytes, a power of two; 0: the largest power of two that divides `size`, 16 at most */

    /* The context flags (KA_NOWAIT, KA_ATOMIC, KA_ANY_CONTEXT) under which an allocation may make a slab, besides
     * contexts that may sleep: both `constructor` and `inner` can then be called there. `inner` gets the flags, and
     * refuses what it cannot honour. 0: only where sleeping is allowed. */
    ka_flags contexts;

    /* Run for each object when its slab is made: once in a slab's life, not at each allocation. So objects have to come
     * back as the constructor made them. Must not use this cache. NULL: none, and the contents are undefined. */
    ka_cache_each *constructor;
    ka_cache_each *destructor; /* run for each object before its slab is given back; NULL: none */
    void *context;             /* for both */

    size_t limit; /* objects, rounded up to whole slabs, that may exist, handed out or not; 0: no limit */
} ka_cache_options;

/* ---- life ---- */

/* Makes a cache; no slab yet.
 * returns  false and nothing taken if an option is out of bounds or `inner` gives no memory for the record
 * context  where sleeping is allowed */
KA_MUST_USE bool ka_cache_init(ka_cache *cache, const ka_cache_options *options);

/* Ends a cache: reports each live object as a leak through the misuse hook and gives all memory back, that of leaked
 * objects too. The destructor runs for the objects that are free. Nothing else may use the cache any more.
 * returns  the count of leaked objects
 * context  where sleeping is allowed */
size_t ka_cache_fini(ka_cache *cache);

/* ---- objects ---- */

/* Takes an object.
 *
 * flags    the caller's context; KA_ZERO clears it, and gives NULL where there is a constructor
 * returns  the object as its last owner or the constructor left it; NULL if there is none and no slab can be made.
 *          Objects in magazines of other CPUs are not seen: at most 64 and 256 KiB a CPU, and, where there is a limit,
 *          its quarter divided by the count of CPUs; there are no magazines where that is less than 4
 * cost     from the magazine: constant. A refill: an atomic exchange for up to 33 objects, and a look at the hints:
 *          records of slabs / 4096. A new slab: the constructors. Before NULL: linear in the slabs
 * owner    the caller, until ka_cache_free
 */
KA_MUST_USE void *ka_cache_alloc(ka_cache *cache, ka_flags flags);

/* Gives an object back; NULL does nothing. Any context; never calls out.
 *
 * errors   reported through the misuse hook, and nothing changes: a double free at once if the object is the newest in
 *          the magazine or has left it, else when the magazine is flushed, where foreign and interior pointers are
 *          found too (if they have not been handed out again before)
 * cost     constant; a flush: one atomic step for each slab's word that is met
 */
void ka_cache_free(ka_cache *cache, void *object);

/* Takes up to `count` objects. Returns how many; objects[0..] hold them.
 * cost  a copy from the magazine; beyond it an atomic exchange for up to 64 objects */
KA_MUST_USE size_t ka_cache_alloc_many(ka_cache *cache, ka_flags flags, size_t count, void **objects);

/* Gives back `count` objects; NULLs among them are passed over. As ka_cache_free. */
void ka_cache_free_many(ka_cache *cache, size_t count, void **objects);

/* The interface, &cache->allocator: requests of at most the object's size and alignment are objects, others get NULL.
 * A resize within the object stays in place. */

/* ---- memory ---- */

/* Makes slabs until `objects` are free, for contexts that cannot. Where sleeping is allowed.
 * returns  how many are free now, those in magazines not counted */
size_t ka_cache_commit(ka_cache *cache, size_t objects);

/* Puts this CPU's magazine back, then gives every slab that is empty back to the inner allocator. Others may use the
 * cache meanwhile. Objects in other magazines keep their slabs.
 * context  where sleeping is allowed, and where destructor and inner's free may be called
 * returns  the bytes given back
 * cost     linear in the slabs */
size_t ka_cache_shrink(ka_cache *cache);

/* Puts the objects in the magazine of the calling CPU (thread) back into their slabs. Any context. */
void ka_cache_flush(ka_cache *cache);

/* The same for the slot (ka_port_slot) of a CPU that is offline, or of a thread that has ended.
 * returns  false if it is in use, for ever perhaps: nothing was done */
bool ka_cache_flush_slot(ka_cache *cache, unsigned slot);

/* ---- to look at ---- */

/* Visits every object; those in magazines count as free. Nothing else may use the cache meanwhile. */
bool ka_cache_walk(ka_cache *cache, ka_visit *visit, void *context);

/* Totals; sizes are distances of objects. On a cache in use a snapshot. `peak` counts objects outside of slabs, sampled
 * when magazines are filled. cost  linear in the slabs */
void ka_cache_stats(const ka_cache *cache, ka_stats *out);

/* Proves the whole structure; nothing else may use the cache meanwhile. NULL, or the first broken fact in words. */
const char *ka_cache_check(const ka_cache *cache);

/* Private. */
struct ka_cache {
    ka_allocator allocator;
    const char *name;
    ka_allocator *inner;
    ka_cache_each *constructor, *destructor;
    void *context;
    size_t size, align, distance; /* of objects, bytes */
    size_t slab_size;             /* bytes: objects and nothing else */
    uint32_t slab_objects;
    uint32_t slab_shift; /* slabs are aligned to 2^slab_shift, their size or more */
    uint32_t slab_limit;
    uint32_t slabs; /* made, or being made */
    ka_flags contexts;
    uint32_t magazine_limit; /* objects in a magazine; 0: there are none */
    uint32_t slots;          /* magazines there may be */
    uintptr_t outside, peak; /* objects outside of slabs */
    struct ka_cache_core *core;
    uintptr_t *magazines; /* by slot; in the core */
};

KA_END_DECLS

#endif
