/* heap/cache_watch.c: what looks at a whole cache: walk, statistics, check, and its end. */
#include <ka/handler.h>

#include "base/math.h"
#include "base/mem.h"
#include "heap/cache_core.h"

/* ---- walk ---- */

static bool walk_slab(const ka_cache *cache, const ka_cache_table *table, uint32_t record, ka_visit *visit,
                      void *context)
{
    char *base = (char *)table->bases[record];
    for (uint32_t i = 0; i < cache->slab_objects; i++) {
        ka_slab_place place = { record, i, CACHE_CLASS };
        if (!visit(context, base + i * cache->distance, cache->distance, !ka_slab_is_free(&table->slabs, &place)))
            return false;
    }
    return true;
}

bool ka_cache_walk(ka_cache *cache, ka_visit *visit, void *context)
{
    ka_cache_table *table;
    for (unsigned slot = 1; slot <= cache->slots; slot++)
        (void)ka_cache_flush_slot(cache, slot);
    for (unsigned number = 0; (table = ka_cache_table_at(cache, number)) != NULL; number++)
        for (uint32_t at = ka_slab_next(&table->slabs, 0); at != KA_NO_PAGE; at = ka_slab_next(&table->slabs, at + 1))
            if (!walk_slab(cache, table, at, visit, context))
                return false;
    return true;
}

/* ---- statistics ---- */

void ka_cache_stats(const ka_cache *cache, ka_stats *out)
{
    ka_stats s = { 0 };
    size_t cached = 0, slabs = 0, inside = 0;
    s.overhead = ka_cache_core_size(cache);
    for (unsigned slot = 1; slot <= cache->slots; slot++) {
        const ka_cache_magazine *m = ka_cache_magazine_at(cache, slot);
        cached += m == NULL ? 0 : ka_cache_magazine_length(m);
        s.overhead += m == NULL ? 0 : ka_cache_magazine_size(cache);
    }
    const ka_cache_table *table;
    for (unsigned number = 0; (table = ka_cache_table_at(cache, number)) != NULL; number++) {
        s.overhead += ka_cache_table_size(cache, table->count);
        for (uint32_t at = ka_slab_next(&table->slabs, 0); at != KA_NO_PAGE; at = ka_slab_next(&table->slabs, at + 1)) {
            slabs++;
            inside += ka_slab_count_free(&table->slabs, at);
        }
    }
    size_t all = slabs * cache->slab_objects;
    s.free_blocks = ka_min(inside + cached, all); /* on a cache in use the parts are of different moments */
    s.live_blocks = all - s.free_blocks;
    s.total = all * cache->distance;
    s.live = s.live_blocks * cache->distance;
    s.free = s.total - s.live;
    s.peak = ka_load_relaxed_ptr(&cache->peak) * cache->distance;
    s.largest_free = s.free_blocks != 0 ? cache->distance : 0;
    *out = s;
}

/* ---- check ---- */

static bool object_is_free(const ka_cache_place *place, uint32_t index)
{
    ka_slab_place at = { place->record, index, CACHE_CLASS };
    return ka_slab_is_free(&place->table->slabs, &at);
}

static const char *check_magazine(const ka_cache *cache, const ka_cache_magazine *m)
{
    if (m->slots[0] != NULL)
        return "no NULL stands below a magazine's bottom";
    if (m->top < m->slots + 1 || m->top > m->end || m->end != m->slots + 1 + cache->magazine_limit)
        return "a magazine's top or end lies outside of it";
    for (void *const *slot = m->slots + 1; slot < m->top; slot++) {
        ka_cache_place place = { NULL, 0, 0 };
        if (!ka_cache_find(cache, (uintptr_t)*slot, &place))
            return "a magazine holds something that is in no slab of this cache";
        size_t offset = (uintptr_t)*slot - place.base;
        if (offset >= cache->slab_size || offset % cache->distance != 0)
            return "a magazine holds something that is no object";
        if (object_is_free(&place, (uint32_t)(offset / cache->distance)))
            return "an object in a magazine is also free in its slab";
        for (void *const *other = m->slots + 1; other < slot; other++)
            if (*other == *slot)
                return "an object is twice in a magazine";
    }
    return NULL;
}

static const char *check_record(const ka_cache *cache, ka_cache_table *table, uint32_t at)
{
    uintptr_t base = table->bases[at];
    ka_cache_place place = { NULL, 0, 0 };
    if (!ka_page_is_slab_first(table->slabs.pages[at])) {
        if (table->slabs.pages[at] != KA_PAGE_IDLE)
            return "a record is owned, but nothing runs";
        return base != 0 ? "a free record has a slab" : NULL;
    }
    if (base == 0 || base % ((uintptr_t)1 << cache->slab_shift) != 0)
        return "a slab is not aligned";
    if (!ka_cache_find(cache, base, &place) || place.table != table || place.record != at)
        return "a slab is not found by its address";
    return NULL;
}

const char *ka_cache_check(const ka_cache *cache)
{
    const char *broken = NULL;
    ka_cache_table *table;
    size_t slabs = 0, outside = 0;
    for (unsigned number = 0; (table = ka_cache_table_at(cache, number)) != NULL && broken == NULL; number++) {
        broken = ka_slabs_check(&table->slabs);
        for (uint32_t at = 0; at < table->count && broken == NULL; at++) {
            broken = check_record(cache, table, at);
            if (table->slabs.pages[at] == KA_PAGE_IDLE)
                continue;
            slabs++;
            outside += cache->slab_objects - ka_slab_count_free(&table->slabs, at);
        }
    }
    for (unsigned slot = 1; slot <= cache->slots && broken == NULL; slot++) {
        const ka_cache_magazine *m = ka_cache_magazine_at(cache, slot);
        broken = m == NULL ? NULL : check_magazine(cache, m);
    }
    if (broken == NULL && slabs != cache->slabs)
        broken = "the count of slabs is wrong";
    if (broken == NULL && slabs > cache->slab_limit)
        broken = "there are more slabs than there may be";
    if (broken == NULL && outside != cache->outside)
        broken = "the count of objects outside of slabs is wrong";
    return broken;
}

/* ---- the end ---- */

/* Reports the slab's live objects and ends it, whatever is in it. Returns how many are live. */
static size_t slab_close(ka_cache *cache, ka_cache_table *table, uint32_t record)
{
    char *base = (char *)table->bases[record];
    ka_cache_place place = { table, (uintptr_t)base, record };
    size_t leaks = 0;
    for (uint32_t i = 0; i < cache->slab_objects; i++) {
        void *object = base + i * cache->distance;
        if (!object_is_free(&place, i)) {
            leaks++;
            ka_report_misuse(KA_MISUSE_LEAK, &cache->allocator, object, cache->size, NULL);
        } else if (cache->destructor != NULL) {
            cache->destructor(cache->context, object);
        }
    }
    ka_free(cache->inner, base, cache->slab_size, (size_t)1 << cache->slab_shift);
    return leaks;
}

size_t ka_cache_fini(ka_cache *cache)
{
    size_t leaks = 0;
    ka_cache_table *table;
    for (unsigned slot = 1; slot <= cache->slots; slot++) {
        ka_cache_magazine *m = ka_cache_magazine_at(cache, slot);
        (void)ka_cache_flush_slot(cache, slot);
        ka_free(cache->inner, m, ka_cache_magazine_size(cache), sizeof(void *));
    }
    for (unsigned number = 0; (table = ka_cache_table_at(cache, number)) != NULL; number++) {
        for (uint32_t at = ka_slab_next(&table->slabs, 0); at != KA_NO_PAGE; at = ka_slab_next(&table->slabs, at + 1))
            leaks += slab_close(cache, table, at);
        ka_free(cache->inner, table, ka_cache_table_size(cache, table->count), sizeof(uint64_t));
    }
    ka_free(cache->inner, cache->core, ka_cache_core_size(cache), sizeof(uint64_t));
    ka_clear(cache, sizeof *cache);
    return leaks;
}
