/* heap/cache_slabs.c: the slabs of a cache: their records, how one is found by an address, how they come and go.
 *
 * Records live in hash tables, each twice as long as the one before:
 *
 *     T0  | . . A . . B . . C D . . . . . . |      a slab's record lies in one of 8 places, that its address names, of
 *     T1  | . . . E . . . . . . . F . ...   |      one of the tables
 *
 * A new slab takes the first free place, the oldest table first; when none is free in any table, a new table is made. A
 * record never moves and a table stays until the cache ends, so that readers need no protection; what is looked for is
 * found within 8 places in each of at most 20 tables. There are no marks for deleted records, as a search does not end
 * at a free place.
 *
 * A record is free (descriptor "idle"), owned ("run of 1": its slab is being made or being given back) or a slab. Free
 * to owned is a compare-exchange; owned to slab, and slab to owned, are the engine's create and reclaim, with its
 * protocols. bases[i] is set while the record is owned, and is read by those who hold an object (which pins the record)
 * or who look for an address: they hold an object of the slab, or have come with a wrong pointer, and then any answer
 * but a crash will do.
 *
 * Order. make: base, constructors, then words (release): who takes a bit sees the object constructed. end: base cleared
 * before the memory goes back, so that the same address, made a slab again elsewhere, is found once.
 */
#include "heap/cache_core.h"

#include "base/math.h"

/* Places of a table that an address names. */
#define CACHE_WINDOW 8u

/* ---- tables ---- */

/* Addresses for arrays, one behind the other. */
static uintptr_t carve(uintptr_t *at, size_t bytes)
{
    uintptr_t start = *at;
    *at = ka_round_up(start + bytes, sizeof(uint64_t));
    return start;
}

/* A table in zeroed memory at `at`; returns its end. With `at` 0 nothing is written. */
static uintptr_t table_lay_out(const ka_cache *cache, uintptr_t at, uint32_t count)
{
    const ka_classes *classes = &cache->core->classes;
    ka_cache_table *table = (ka_cache_table *)carve(&at, sizeof(ka_cache_table));
    uintptr_t bases = carve(&at, count * sizeof(uintptr_t));
    uintptr_t words = carve(&at, ka_slabs_words(count, classes->page_shift) * sizeof(uint64_t));
    uintptr_t hints = carve(&at, ka_slabs_hint_words(count, CACHE_CLASS + 1) * sizeof(uint64_t));
    uintptr_t pages = carve(&at, count * sizeof(uint32_t));
    if (table != NULL) {
        table->bases = (uintptr_t *)bases;
        table->count = count;
        ka_slabs_init(&table->slabs, 0, count, classes, (uint32_t *)pages, NULL, (uint64_t *)words, (uint64_t *)hints,
                      CACHE_CLASS + 1);
    }
    return at;
}

size_t ka_cache_table_size(const ka_cache *cache, uint32_t count)
{
    return table_lay_out(cache, 0, count);
}

/* Makes table `number`, unless somebody else does. false: no memory. */
static bool table_make(ka_cache *cache, unsigned number, ka_flags flags)
{
    if (number == CACHE_TABLES)
        return false;
    uint32_t count = CACHE_FIRST_TABLE << number;
    size_t size = ka_cache_table_size(cache, count);
    void *block = ka_zalloc(cache->inner, size, sizeof(uint64_t), flags);
    if (block == NULL)
        return false;
    uintptr_t none = 0;
    (void)table_lay_out(cache, (uintptr_t)block, count);
    if (!ka_cas_ptr(&cache->core->tables[number], &none, (uintptr_t)block))
        ka_free(cache->inner, block, size, sizeof(uint64_t));
    return true;
}

/* The first of the places that a slab's address names. */
static uint32_t window_of(const ka_cache *cache, const ka_cache_table *table, uintptr_t base)
{
    uint64_t hash = (uint64_t)(base >> cache->slab_shift) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(hash >> 32) & (table->count - 1);
}

static uint32_t window_at(const ka_cache_table *table, uint32_t first, uint32_t i)
{
    return (first + i) & (table->count - 1);
}

/* ---- find ---- */

bool ka_cache_find(const ka_cache *cache, uintptr_t address, ka_cache_place *place)
{
    uintptr_t base = ka_round_down(address, (size_t)1 << cache->slab_shift);
    if (place->table != NULL && place->base == base)
        return true;
    place->table = NULL;
    place->base = base;
    for (unsigned number = 0; base != 0; number++) {
        ka_cache_table *table = ka_cache_table_at(cache, number);
        if (table == NULL)
            break;
        uint32_t first = window_of(cache, table, base);
        for (uint32_t i = 0; i < CACHE_WINDOW; i++) {
            uint32_t at = window_at(table, first, i);
            if (ka_load_relaxed_ptr(&table->bases[at]) == base) {
                place->table = table;
                place->record = at;
                return true;
            }
        }
    }
    return false;
}

/* ---- take ---- */

/* The caller holds the batch, so that the record is steady. */
static void lot_make(const ka_cache *cache, ka_cache_table *table, ka_cache_lot *lot)
{
    const ka_slab_batch *b = &lot->batch;
    uintptr_t index = (b->first & (((uintptr_t)1 << table->slabs.page_shift) - 1)) / CACHE_UNIT;
    lot->table = table;
    lot->first = ka_load_relaxed_ptr(&table->bases[b->page]) + index * cache->distance;
}

bool ka_cache_slabs_take(const ka_cache *cache, unsigned max, bool all, ka_cache_lot *out)
{
    ka_cache_table *table;
    for (unsigned number = 0; (table = ka_cache_table_at(cache, number)) != NULL; number++)
        if (all ? ka_slab_take_any(&table->slabs, CACHE_CLASS, max, &out->batch)
                : ka_slab_refill(&table->slabs, CACHE_CLASS, 0, max, &out->batch)) {
            lot_make(cache, table, out);
            return true;
        }
    return false;
}

/* ---- make ---- */

/* Counts a slab that will be made. false: there are as many as there may be. */
static bool slab_count_in(ka_cache *cache)
{
    uint32_t now = ka_load_relaxed_32(&cache->slabs);
    while (now < cache->slab_limit)
        if (ka_cas_32(&cache->slabs, &now, now + 1))
            return true;
    return false;
}

static void slab_count_out(ka_cache *cache)
{
    ka_fetch_add_32(&cache->slabs, UINT32_MAX);
}

/* A free record of this table for a slab at `base`; KA_NO_PAGE if its places are taken. */
static uint32_t record_claim(const ka_cache *cache, ka_cache_table *table, uintptr_t base)
{
    uint32_t first = window_of(cache, table, base);
    for (uint32_t i = 0; i < CACHE_WINDOW; i++) {
        uint32_t at = window_at(table, first, i), idle = KA_PAGE_IDLE;
        if (ka_load_relaxed_32(&table->slabs.pages[at]) == KA_PAGE_IDLE &&
            ka_cas_32(&table->slabs.pages[at], &idle, ka_page_run(1)))
            return at;
    }
    return KA_NO_PAGE;
}

/* A record for a slab at `base`, in a new table if need be. NULL: no memory. */
static ka_cache_table *record_make(ka_cache *cache, uintptr_t base, ka_flags flags, uint32_t *record)
{
    for (unsigned number = 0;; number++) {
        ka_cache_table *table = ka_cache_table_at(cache, number);
        if (table == NULL) {
            if (!table_make(cache, number, flags))
                return NULL;
            table = ka_cache_table_at(cache, number);
        }
        *record = record_claim(cache, table, base);
        if (*record != KA_NO_PAGE)
            return table;
    }
}

bool ka_cache_slab_make(ka_cache *cache, unsigned max, ka_flags flags, ka_cache_lot *out)
{
    size_t align = (size_t)1 << cache->slab_shift;
    if (!slab_count_in(cache))
        return false;
    char *base = ka_alloc(cache->inner, cache->slab_size, align, flags);
    uint32_t record = 0;
    ka_cache_table *table = base == NULL ? NULL : record_make(cache, (uintptr_t)base, flags, &record);
    if (table == NULL) {
        ka_free(cache->inner, base, cache->slab_size, align);
        slab_count_out(cache);
        return false;
    }
    ka_store_relaxed_ptr(&table->bases[record], (uintptr_t)base);
    for (uint32_t i = 0; cache->constructor != NULL && i < cache->slab_objects; i++)
        cache->constructor(cache->context, base + i * cache->distance);
    out->batch = ka_slab_create(&table->slabs, record, CACHE_CLASS, max);
    if (out->batch.bits != 0)
        lot_make(cache, table, out);
    return true;
}

void ka_cache_slab_end(ka_cache *cache, ka_cache_table *table, uint32_t record)
{
    char *base = (char *)ka_load_relaxed_ptr(&table->bases[record]);
    for (uint32_t i = 0; cache->destructor != NULL && i < cache->slab_objects; i++)
        cache->destructor(cache->context, base + i * cache->distance);
    ka_store_relaxed_ptr(&table->bases[record], 0);
    ka_store_release_32(&table->slabs.pages[record], KA_PAGE_IDLE);
    ka_free(cache->inner, base, cache->slab_size, (size_t)1 << cache->slab_shift);
    slab_count_out(cache);
}
