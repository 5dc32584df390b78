/* heap/cache_core.h: what the files of the cache share. Private to the cache.
 *
 *     core     | class | tables: T0 T1 T2 0 0 ... | magazines: none, CPU 0, CPU 1, ...
 *                                 |
 *     table    | ka_slabs | bases: address of each record's slab, or 0 | descriptors | words | hints |
 *
 * A slab is a block of the inner allocator. Its record is number i of a table: bases[i], descriptor i and some words of
 * bits. A table is one run of the slab engine, whose "pages" are records and whose "addresses" are
 *
 *     record << virtual shift | number of the object << 4
 *
 * so that the engine never sees where slabs lie, nor how large objects are.
 */
#ifndef KA_HEAP_CACHE_CORE_H
#define KA_HEAP_CACHE_CORE_H

#include <ka/cache.h>
#include <ka_port.h>

#include "engine/slab.h"

/* Table g has 16 << g records; the last one 2^23. */
#define CACHE_TABLES      20u
#define CACHE_FIRST_TABLE UINT32_C(16)

/* The engine's class, its only one, and the size of its blocks. */
#define CACHE_CLASS 0u
#define CACHE_UNIT  16u

typedef struct ka_cache_table {
    ka_slabs slabs;
    uintptr_t *bases; /* changed by who owns the record: a descriptor that says "run of 1" */
    uint32_t count;   /* records; a power of two */
} ka_cache_table;

/* One CPU's free objects; the same protocol as heap/magazine.h, with one array:
 *
 *     slots:  | NULL | oldest | . . . | newest | stale . . . |
 *                                       top                    end                                                  */
typedef struct ka_cache_magazine {
    uint32_t busy;
    void **top, **end;
    void *slots[];
} ka_cache_magazine;

typedef struct ka_cache_core {
    ka_classes classes; /* of[CACHE_CLASS] alone is set */
    uintptr_t tables[CACHE_TABLES];
    uintptr_t magazines[]; /* ka_cache.magazines: [0] and those that are not made are the one that is always busy */
} ka_cache_core;

/* Objects of one word of a slab, with their addresses: bit i stands for the object at first + i * distance. */
typedef struct ka_cache_lot {
    ka_cache_table *table;
    ka_slab_batch batch;
    uintptr_t first;
} ka_cache_lot;

/* Where an object lies. */
typedef struct ka_cache_place {
    ka_cache_table *table; /* NULL: in no slab of the cache */
    uintptr_t base;        /* of the slab */
    uint32_t record;
} ka_cache_place;

/* What stands for the magazine of who has none. */
extern ka_cache_magazine ka_cache_no_magazine;
extern const ka_allocator_ops ka_cache_ops;

static inline ka_cache_table *ka_cache_table_at(const ka_cache *cache, unsigned number)
{
    return number < CACHE_TABLES ? (ka_cache_table *)ka_load_acquire_ptr(&cache->core->tables[number]) : NULL;
}

/* The magazine of a slot; NULL if it has none. */
static inline ka_cache_magazine *ka_cache_magazine_at(const ka_cache *cache, unsigned slot)
{
    ka_cache_magazine *m = (ka_cache_magazine *)ka_load_acquire_ptr(&cache->magazines[slot]);
    return m == &ka_cache_no_magazine ? NULL : m;
}

/* Only the owner moves `top`; statistics look at it from other CPUs. */
static inline void ka_cache_magazine_set_top(ka_cache_magazine *m, void **top)
{
    ka_store_relaxed_slot(&m->top, top);
}

static inline uint32_t ka_cache_magazine_length(const ka_cache_magazine *m)
{
    return (uint32_t)(ka_load_relaxed_slot(&m->top) - m->slots) - 1;
}

/* Finds the slab of an address; false: in none. A place with a table is a cursor, and looked at first. Any context. */
bool ka_cache_find(const ka_cache *cache, uintptr_t address, ka_cache_place *place);

/* Bytes of a table's block, of the core's, of a magazine's. */
size_t ka_cache_table_size(const ka_cache *cache, uint32_t count);
size_t ka_cache_core_size(const ka_cache *cache);
size_t ka_cache_magazine_size(const ka_cache *cache);

/* Makes a slab with all its objects constructed, and takes up to `max` (0 to 64) of them.
 * false: the limit, or no memory */
bool ka_cache_slab_make(ka_cache *cache, unsigned max, ka_flags flags, ka_cache_lot *out);

/* Gives a slab's memory back, of which the caller owns all objects (the record says "run of 1"). */
void ka_cache_slab_end(ka_cache *cache, ka_cache_table *table, uint32_t record);

/* Up to `max` objects of the slabs there are: by the hints, or with `all` by looking at every slab. Any context. */
bool ka_cache_slabs_take(const ka_cache *cache, unsigned max, bool all, ka_cache_lot *out);

#endif
