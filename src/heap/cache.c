/* heap/cache.c: objects of one type: a magazine for each CPU over slabs of exactly their size.
 *
 *     ka_cache_alloc                     ka_cache_free
 *        |  ^ one object                    |
 *     [ magazine of this CPU ]  <-----------'      no atomics, no bitmaps, no object touched
 *        ^  up to 33 at once   | half of it
 *     [ slab: a bit for each object, out of line ]  cache_slabs.c over engine/slab.c
 *        ^  make, construct    | destruct, shrink
 *     [ inner allocator ]
 *
 * Why a cache and not the heap. The distance of objects is their size rounded up to their alignment, not to a class:
 * 40 bytes take 40, 1000 take 1000. And an object stays constructed: locks made, lists linked, tables filled; that work
 * is done once in a slab's life. So nothing may be written into a free object, which suits us: we never do.
 *
 * A slab is one block of the inner allocator: as few 4 KiB pages as hold 8 objects (or are 8 pages) and lose at most
 * 1/16 of their bytes; of those that lose more, the best. It has no header.
 *
 * Any context. What the heap says holds here (heap.c): who lands inside the magazine of what it interrupted sees it
 * busy and goes to the bitmaps for its one object; below there are no locks. The inner allocator and the constructor
 * are called from allocations whose flags options.contexts allows, without the busy mark, and from nowhere else but
 * shrink, commit and fini. free calls nothing but, on an error, the misuse hook.
 *
 * Slots. Magazines are for as many slots as the port has CPUs, 64 at least; who has a higher one (a program with many
 * threads) works on the bitmaps. A thread that ends leaves its magazine to the next one with its slot.
 *
 * Shortcomings. A slab with one live object stays. Empty slabs stay until ka_cache_shrink. Wrong pointers are found
 * when they leave the magazine, not when they come.
 *
 * The object cache is Bonwick's ("The Slab Allocator", 1994), the magazines too ("Magazines and Vmem", 2001).
 */
#include <ka/cache.h>
#include <ka/handler.h>

#include "base/math.h"
#include "base/mem.h"
#include "heap/cache_core.h"

/* In a magazine: at most so many objects, and bytes; fewer than so many are not worth one. */
#define MAGAZINE_OBJECTS 64u
#define MAGAZINE_BYTES   ((size_t)256 << 10)
#define MAGAZINE_LEAST   4u

/* Magazines there may be at least. */
#define SLOTS_LEAST 64u

/* How slabs are sized: pages of so many bytes, objects wanted, pages that are enough with fewer objects. */
#define SLAB_PAGE    ((size_t)4096)
#define SLAB_OBJECTS 8u
#define SLAB_PAGES   8u

/* Objects are put back by so many at a time. */
#define PUT_MANY 8u

/* So many at once are not worth the way through a magazine. */
#define WORD_OBJECTS 64u

ka_cache_magazine ka_cache_no_magazine = { .busy = 1 };

/* ---- counting: at refill and flush only ---- */

static void count_out(ka_cache *cache, size_t objects)
{
    uintptr_t now = ka_fetch_add_ptr(&cache->outside, objects) + objects;
    uintptr_t peak = ka_load_relaxed_ptr(&cache->peak);
    while (now > peak && !ka_cas_ptr(&cache->peak, &peak, now))
        ;
}

static void count_in(ka_cache *cache, size_t objects)
{
    ka_fetch_add_ptr(&cache->outside, (uintptr_t)0 - objects);
}

/* ---- put ---- */

static void report(ka_cache *cache, ka_misuse kind, const void *object, const void *site)
{
    ka_report_misuse(kind, &cache->allocator, object, cache->size, site);
}

/* `table` has reported that objects were free already. */
static void report_doubled(ka_cache *cache, const ka_cache_table *table, const ka_slab_batch *doubled, const void *site)
{
    uintptr_t base = ka_load_relaxed_ptr(&table->bases[doubled->page]);
    uintptr_t index = (doubled->first & (((uintptr_t)1 << table->slabs.page_shift) - 1)) / CACHE_UNIT;
    for (uint64_t bits = doubled->bits; bits != 0; bits &= bits - 1) {
        count_out(cache, 1); /* it was counted in twice */
        report(cache, KA_MISUSE_DOUBLE_FREE, (void *)(base + (index + ka_lowest_bit(bits)) * cache->distance), site);
    }
}

/* The object's address for the engine. false: it is none of the cache's objects, and `kind` says why. */
static bool object_translate(const ka_cache *cache, const void *object, ka_cache_place *place, void **out,
                             ka_misuse *kind)
{
    *kind = KA_MISUSE_FOREIGN;
    if (!ka_cache_find(cache, (uintptr_t)object, place))
        return false;
    size_t offset = (uintptr_t)object - place->base;
    uint32_t index = (uint32_t)offset / (uint32_t)cache->distance;
    *kind = KA_MISUSE_INTERIOR;
    if (offset >= cache->slab_size || index * cache->distance != offset)
        return false;
    *out = (void *)(((uintptr_t)place->record << place->table->slabs.page_shift) + (uintptr_t)index * CACHE_UNIT);
    return true;
}

/* Puts the first few of the objects, those that lie in one table, back into their slabs. Returns how many are dealt
 * with, at least one. */
static uint32_t objects_put_some(ka_cache *cache, ka_cache_place *place, void *const *objects, uint32_t count,
                                 const void *site)
{
    void *places[PUT_MANY];
    ka_cache_table *table = NULL;
    ka_misuse kind = KA_MISUSE_FOREIGN;
    uint32_t good = 0, most = (uint32_t)ka_min(count, PUT_MANY);
    while (good < most && object_translate(cache, objects[good], place, &places[good], &kind) &&
           (good == 0 || place->table == table)) {
        table = place->table;
        good++;
    }
    if (good == 0) {
        report(cache, kind, objects[0], site);
        return 1;
    }
    ka_slab_result result;
    ka_slab_put(&table->slabs, CACHE_CLASS, places, good, &result);
    count_in(cache, result.count);
    if (result.verdict == KA_SLAB_DOUBLED) {
        report_doubled(cache, table, &result.doubled, site);
    } else if (result.verdict != KA_SLAB_FINE) { /* its slab has just gone: nobody held the object */
        report(cache, KA_MISUSE_DOUBLE_FREE, objects[result.count], site);
        result.count++;
    }
    return result.count;
}

/* Puts objects back into their slabs and reports those that do not belong there. Any context. */
static void objects_put(ka_cache *cache, void *const *objects, uint32_t count, const void *site)
{
    ka_cache_place place = { NULL, 0, 0 };
    while (count > 0) {
        uint32_t done = objects_put_some(cache, &place, objects, count, site);
        objects += done;
        count -= done;
    }
}

/* ---- magazines ---- */

/* That of the CPU that the caller is pinned to; the one that is always busy if it has none. */
static ka_cache_magazine *magazine_mine(const ka_cache *cache)
{
    unsigned slot = ka_port_slot();
    if (KA_UNLIKELY(slot > cache->slots))
        slot = 0;
    return (ka_cache_magazine *)ka_load_acquire_ptr(&cache->magazines[slot]);
}

/* The newest object, or NULL. The magazine is busy by the caller. */
static void *magazine_pop(ka_cache_magazine *m)
{
    void **top = m->top;
    void *object = top[-1];
    if (KA_LIKELY(object != NULL))
        ka_cache_magazine_set_top(m, top - 1);
    return object;
}

/* false: full, or the object is the newest one already. The magazine is busy by the caller. */
static bool magazine_push(ka_cache_magazine *m, void *object)
{
    void **top = m->top;
    if (KA_UNLIKELY(top == m->end || top[-1] == object))
        return false;
    *top = object;
    ka_cache_magazine_set_top(m, top + 1);
    return true;
}

static void *lot_pop(const ka_cache *cache, ka_cache_lot *lot)
{
    void *object = (void *)(lot->first + ka_lowest_bit(lot->batch.bits) * cache->distance);
    lot->batch.bits &= lot->batch.bits - 1;
    return object;
}

static void lot_put_back(ka_cache *cache, const ka_cache_lot *lot)
{
    if (lot->batch.bits == 0)
        return;
    count_in(cache, ka_count_bits(lot->batch.bits));
    ka_slab_put_batch(&lot->table->slabs, &lot->batch);
}

/* Moves the lot's objects, as many as fit, into the magazine, so that they come out ascending by address. */
static void magazine_fill(const ka_cache *cache, ka_cache_magazine *m, ka_cache_lot *lot)
{
    void **top = m->top;
    while (lot->batch.bits != 0 && top != m->end) {
        unsigned bit = ka_highest_bit(lot->batch.bits);
        *top++ = (void *)(lot->first + bit * cache->distance);
        lot->batch.bits &= ~(UINT64_C(1) << bit);
    }
    ka_cache_magazine_set_top(m, top);
}

/* Puts the older half of a full magazine back into the slabs. The magazine is busy by the caller. */
static void magazine_flush_half(ka_cache *cache, ka_cache_magazine *m, const void *site)
{
    uint32_t length = ka_cache_magazine_length(m), out = length - length / 2;
    void **bottom = m->slots + 1;
    objects_put(cache, bottom, out, site);
    ka_move(bottom, bottom + out, (length - out) * sizeof(void *));
    ka_cache_magazine_set_top(m, bottom + (length - out));
}

/* Gives this CPU a magazine if it has none and the context allows it. */
static void magazine_want(ka_cache *cache, ka_flags flags)
{
    if (cache->magazine_limit == 0 || (flags & (KA_NOWAIT | KA_ATOMIC | KA_ANY_CONTEXT)) != 0)
        return;
    unsigned slot = ka_port_slot_enter();
    if (slot == 0 || slot > cache->slots || ka_cache_magazine_at(cache, slot) != NULL)
        return;
    size_t size = ka_cache_magazine_size(cache);
    ka_cache_magazine *m = ka_alloc(cache->inner, size, sizeof(void *), 0);
    if (m == NULL)
        return;
    m->busy = 0;
    m->slots[0] = NULL;
    m->top = m->slots + 1;
    m->end = m->top + cache->magazine_limit;
    uintptr_t none = (uintptr_t)&ka_cache_no_magazine;
    if (!ka_cas_ptr(&cache->magazines[slot], &none, (uintptr_t)m))
        ka_free(cache->inner, m, size, sizeof(void *));
}

/* ---- alloc ---- */

static unsigned refill_count(const ka_cache *cache)
{
    return cache->magazine_limit / 2 + 1;
}

/* An object from the magazine, refilled from the slabs there are. */
static void *object_from_magazine(ka_cache *cache)
{
    void *object = NULL;
    ka_port_pin_state pin = ka_port_pin();
    ka_cache_magazine *m = magazine_mine(cache);
    if (ka_port_busy_take(&m->busy)) {
        object = magazine_pop(m);
        ka_cache_lot lot;
        if (object == NULL && ka_cache_slabs_take(cache, refill_count(cache), false, &lot)) {
            count_out(cache, ka_count_bits(lot.batch.bits));
            object = lot_pop(cache, &lot);
            magazine_fill(cache, m, &lot);
            lot_put_back(cache, &lot);
        }
        ka_port_busy_give(&m->busy);
    }
    ka_port_unpin(pin);
    return object;
}

/* May an allocation with these flags call out? */
static bool may_grow(const ka_cache *cache, ka_flags flags)
{
    return (flags & (KA_NOWAIT | KA_ATOMIC | KA_ANY_CONTEXT) & ~cache->contexts) == 0;
}

/* Objects by every means that the flags allow. */
static bool objects_take(ka_cache *cache, unsigned max, ka_flags flags, ka_cache_lot *lot)
{
    bool taken = ka_cache_slabs_take(cache, max, false, lot) ||
                 (may_grow(cache, flags) && ka_cache_slab_make(cache, max, flags, lot)) ||
                 ka_cache_slabs_take(cache, max, true, lot);
    if (taken)
        count_out(cache, ka_count_bits(lot->batch.bits));
    return taken;
}

static KA_NOINLINE void *object_alloc_slow(ka_cache *cache, ka_flags flags)
{
    flags &= KA_NOWAIT | KA_ATOMIC | KA_ANY_CONTEXT;
    magazine_want(cache, flags);
    void *object = object_from_magazine(cache);
    if (object != NULL)
        return object;
    ka_cache_lot lot;
    bool for_magazine = ka_port_slot() != 0; /* a guess where the code is not pinned; nothing depends on it */
    if (!objects_take(cache, for_magazine ? refill_count(cache) : 1, flags, &lot))
        return NULL;
    object = lot_pop(cache, &lot);
    if (lot.batch.bits != 0) {
        ka_port_pin_state pin = ka_port_pin();
        ka_cache_magazine *m = magazine_mine(cache);
        if (ka_port_busy_take(&m->busy)) {
            magazine_fill(cache, m, &lot);
            ka_port_busy_give(&m->busy);
        }
        ka_port_unpin(pin);
        lot_put_back(cache, &lot);
    }
    return object;
}

void *ka_cache_alloc(ka_cache *cache, ka_flags flags)
{
    void *object = NULL;
    if (KA_UNLIKELY((flags & ~(KA_NOWAIT | KA_ATOMIC | KA_ANY_CONTEXT)) != 0) &&
        (flags != (flags & KA_FLAGS_KNOWN) || (flags & KA_PAGEABLE) != 0 || cache->constructor != NULL))
        return NULL;
    ka_port_pin_state pin = ka_port_pin();
    ka_cache_magazine *m = magazine_mine(cache);
    if (KA_LIKELY(ka_port_busy_take(&m->busy))) {
        object = magazine_pop(m);
        ka_port_busy_give(&m->busy);
    }
    ka_port_unpin(pin);
    if (KA_UNLIKELY(object == NULL))
        object = object_alloc_slow(cache, flags);
    if (KA_UNLIKELY((flags & KA_ZERO) != 0) && object != NULL)
        ka_clear(object, cache->size);
    return object;
}

/* ---- free ---- */

static KA_NOINLINE void object_free_slow(ka_cache *cache, void *object, const void *site)
{
    bool placed = false, doubled = false;
    ka_port_pin_state pin = ka_port_pin();
    ka_cache_magazine *m = magazine_mine(cache);
    if (ka_port_busy_take(&m->busy)) {
        doubled = m->top[-1] == object;
        if (!doubled && m->top == m->end)
            magazine_flush_half(cache, m, site);
        placed = magazine_push(m, object);
        ka_port_busy_give(&m->busy);
    }
    ka_port_unpin(pin);
    if (doubled)
        report(cache, KA_MISUSE_DOUBLE_FREE, object, site);
    else if (!placed)
        objects_put(cache, &object, 1, site);
}

static void object_free(ka_cache *cache, void *object, const void *site)
{
    bool placed = false;
    ka_port_pin_state pin = ka_port_pin();
    ka_cache_magazine *m = magazine_mine(cache);
    if (KA_LIKELY(ka_port_busy_take(&m->busy))) {
        placed = magazine_push(m, object);
        ka_port_busy_give(&m->busy);
    }
    ka_port_unpin(pin);
    if (KA_UNLIKELY(!placed))
        object_free_slow(cache, object, site);
}

void ka_cache_free(ka_cache *cache, void *object)
{
    if (object != NULL)
        object_free(cache, object, KA_RETURN_ADDRESS());
}

/* ---- many: stretches of the magazine under one mark, and whole words past it ---- */

static size_t magazine_take(const ka_cache *cache, size_t count, void **objects)
{
    size_t taken = 0;
    ka_port_pin_state pin = ka_port_pin();
    ka_cache_magazine *m = magazine_mine(cache);
    if (ka_port_busy_take(&m->busy)) {
        void **top = m->top;
        for (taken = 0; taken < count && top[-1] != NULL; taken++)
            objects[taken] = *--top;
        ka_cache_magazine_set_top(m, top);
        ka_port_busy_give(&m->busy);
    }
    ka_port_unpin(pin);
    return taken;
}

/* As many of the first ones as fit; the next one is NULL, or the newest one that the magazine has, or does not fit. */
static size_t magazine_put(const ka_cache *cache, size_t count, void *const *objects)
{
    size_t put = 0;
    ka_port_pin_state pin = ka_port_pin();
    ka_cache_magazine *m = magazine_mine(cache);
    if (ka_port_busy_take(&m->busy)) {
        void **top = m->top, **end = m->end;
        while (put < count && top != end && objects[put] != NULL && objects[put] != top[-1])
            *top++ = objects[put++];
        ka_cache_magazine_set_top(m, top);
        ka_port_busy_give(&m->busy);
    }
    ka_port_unpin(pin);
    return put;
}

size_t ka_cache_alloc_many(ka_cache *cache, ka_flags flags, size_t count, void **objects)
{
    size_t done = 0;
    bool plain = (flags & ~(KA_NOWAIT | KA_ATOMIC | KA_ANY_CONTEXT)) == 0;
    while (done < count) {
        if (plain)
            done += magazine_take(cache, count - done, objects + done);
        ka_cache_lot lot;
        if (plain && count - done >= WORD_OBJECTS && objects_take(cache, WORD_OBJECTS, flags, &lot)) {
            while (lot.batch.bits != 0)
                objects[done++] = lot_pop(cache, &lot);
            continue;
        }
        if (done == count || (objects[done] = ka_cache_alloc(cache, flags)) == NULL)
            break;
        done++;
    }
    return done;
}

void ka_cache_free_many(ka_cache *cache, size_t count, void **objects)
{
    const void *site = KA_RETURN_ADDRESS();
    for (size_t done = 0; done < count;) {
        done += magazine_put(cache, count - done, objects + done);
        uint32_t rest = 0;
        while (rest < UINT32_MAX && done + rest < count && objects[done + rest] != NULL)
            rest++;
        if (rest >= WORD_OBJECTS) {
            objects_put(cache, objects + done, rest, site);
            done += rest;
        } else if (rest != 0) {
            object_free_slow(cache, objects[done++], site);
        } else {
            done++; /* past the NULL, or the end */
        }
    }
}

/* ---- memory ---- */

bool ka_cache_flush_slot(ka_cache *cache, unsigned slot)
{
    ka_cache_magazine *m = slot > cache->slots ? NULL : ka_cache_magazine_at(cache, slot);
    if (m == NULL)
        return true;
    if (!ka_port_busy_take(&m->busy))
        return false;
    objects_put(cache, m->slots + 1, ka_cache_magazine_length(m), NULL);
    ka_cache_magazine_set_top(m, m->slots + 1);
    ka_port_busy_give(&m->busy);
    return true;
}

void ka_cache_flush(ka_cache *cache)
{
    ka_port_pin_state pin = ka_port_pin();
    (void)ka_cache_flush_slot(cache, ka_port_slot());
    ka_port_unpin(pin);
}

size_t ka_cache_shrink(ka_cache *cache)
{
    size_t given = 0;
    ka_cache_table *table;
    ka_cache_flush(cache);
    for (unsigned number = 0; (table = ka_cache_table_at(cache, number)) != NULL; number++)
        for (uint32_t at = ka_slab_next(&table->slabs, 0); at != KA_NO_PAGE; at = ka_slab_next(&table->slabs, at + 1))
            if (ka_slab_reclaim(&table->slabs, at)) {
                ka_cache_slab_end(cache, table, at);
                given += cache->slab_size;
            }
    return given;
}

/* Objects in slabs. A snapshot: slabs that are being made count. */
static size_t free_objects(const ka_cache *cache)
{
    size_t all = (size_t)ka_load_relaxed_32(&cache->slabs) * cache->slab_objects;
    size_t outside = ka_load_relaxed_ptr(&cache->outside);
    return all > outside ? all - outside : 0;
}

size_t ka_cache_commit(ka_cache *cache, size_t objects)
{
    ka_cache_lot none;
    while (free_objects(cache) < objects && ka_cache_slab_make(cache, 0, 0, &none))
        ;
    return free_objects(cache);
}

/* ---- life ---- */

static size_t align_of_size(size_t size)
{
    return ka_min(size & (0 - size), KA_MIN_ALIGN);
}

/* How many objects a slab has. */
static uint32_t slab_choose(size_t distance)
{
    size_t first = ka_round_up(distance, SLAB_PAGE) / SLAB_PAGE, best = first;
    for (size_t pages = first; pages <= ka_max(first, SLAB_PAGES); pages++) {
        size_t bytes = pages * SLAB_PAGE, lost = bytes % distance;
        if ((bytes / distance >= SLAB_OBJECTS || pages >= SLAB_PAGES) && lost <= bytes / 16)
            return (uint32_t)(bytes / distance);
        if (lost * best < (best * SLAB_PAGE) % distance * pages)
            best = pages;
    }
    return (uint32_t)(best * SLAB_PAGE / distance);
}

/* Objects in a magazine, by the bytes and the limit: all CPUs together keep at most a quarter of it. */
static uint32_t magazine_choose(const ka_cache *cache, size_t limit)
{
    size_t objects = ka_min(MAGAZINE_BYTES / cache->distance, MAGAZINE_OBJECTS);
    if (limit != 0)
        objects = ka_min(objects, limit / 4 / ka_max(ka_port_cpu_count(), 1));
    return objects < MAGAZINE_LEAST ? 0 : (uint32_t)objects;
}

size_t ka_cache_core_size(const ka_cache *cache)
{
    return sizeof(ka_cache_core) + ((size_t)cache->slots + 1) * sizeof(uintptr_t);
}

size_t ka_cache_magazine_size(const ka_cache *cache)
{
    return sizeof(ka_cache_magazine) + ((size_t)cache->magazine_limit + 1) * sizeof(void *);
}

static bool core_make(ka_cache *cache)
{
    ka_cache_core *core = ka_zalloc(cache->inner, ka_cache_core_size(cache), sizeof(uint64_t), 0);
    if (core == NULL)
        return false;
    uint32_t words = (uint32_t)ka_words_for(cache->slab_objects);
    unsigned shift = 10; /* one word of 64 objects */
    while ((UINT32_C(1) << (shift - 10)) < words)
        shift++;
    core->classes.page_shift = shift;
    core->classes.of[CACHE_CLASS] = (ka_class){
        .size = CACHE_UNIT,
        .reciprocal = (uint32_t)((UINT64_C(1) << 35) / CACHE_UNIT),
        .blocks = (uint16_t)cache->slab_objects,
        .pages = 1,
        .words = (uint8_t)words,
    };
    for (uint32_t slot = 0; slot <= cache->slots; slot++)
        core->magazines[slot] = (uintptr_t)&ka_cache_no_magazine;
    cache->core = core;
    cache->magazines = core->magazines;
    return true;
}

static bool options_valid(const ka_cache_options *o, size_t align)
{
    if (o->inner == NULL || o->size == 0 || o->size > KA_CACHE_LARGEST)
        return false;
    if (!ka_is_power_of_two(align) || align > KA_CACHE_LARGEST || ka_round_up(o->size, align) > KA_CACHE_LARGEST)
        return false;
    return (o->contexts & ~(KA_NOWAIT | KA_ATOMIC | KA_ANY_CONTEXT)) == 0;
}

/* Slabs and magazines, by the distance of objects and the limit. */
static void sizes_choose(ka_cache *cache, size_t limit)
{
    uint32_t objects = slab_choose(cache->distance);
    if (limit != 0)
        objects = (uint32_t)ka_min(objects, limit);
    size_t slabs = limit / objects + (limit % objects != 0);
    cache->slab_objects = objects;
    cache->slab_size = objects * cache->distance;
    cache->slab_shift = ka_highest_bit(ka_max(cache->slab_size, ka_max(cache->align, KA_MIN_ALIGN)) - 1) + 1;
    cache->slab_limit = limit == 0 || slabs > UINT32_MAX ? UINT32_MAX : (uint32_t)slabs;
    cache->magazine_limit = magazine_choose(cache, limit);
    cache->slots = (uint32_t)ka_min(ka_max(ka_port_cpu_count(), SLOTS_LEAST), KA_PORT_MAX_CPUS);
}

bool ka_cache_init(ka_cache *cache, const ka_cache_options *options)
{
    size_t align = options->align != 0 ? options->align : align_of_size(options->size);
    if (!options_valid(options, align))
        return false;
    ka_clear(cache, sizeof *cache);
    cache->allocator.ops = &ka_cache_ops;
    cache->name = options->name != NULL ? options->name : "cache";
    cache->inner = options->inner;
    cache->constructor = options->constructor;
    cache->destructor = options->destructor;
    cache->context = options->context;
    cache->size = options->size;
    cache->align = align;
    cache->distance = ka_round_up(options->size, align);
    cache->contexts = options->contexts;
    sizes_choose(cache, options->limit);
    return core_make(cache);
}

/* ---- the interface ---- */

static ka_cache *cache_of(ka_allocator *self)
{
    return (ka_cache *)self;
}

static bool cache_serves(const ka_cache *cache, size_t size, size_t align)
{
    return size <= cache->size && align <= cache->align;
}

static void *op_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    return cache_serves(cache_of(self), size, align) ? ka_cache_alloc(cache_of(self), flags) : NULL;
}

static void op_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    if (cache_serves(cache_of(self), size, align))
        object_free(cache_of(self), block, KA_RETURN_ADDRESS());
    else
        ka_report_misuse(KA_MISUSE_WRONG_SIZE, self, block, size, KA_RETURN_ADDRESS());
}

static void *op_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                       size_t new_align, ka_flags flags)
{
    const ka_cache *cache = cache_of(self);
    if (!cache_serves(cache, old_size, old_align)) {
        ka_report_misuse(KA_MISUSE_WRONG_SIZE, self, block, old_size, KA_RETURN_ADDRESS());
        return NULL;
    }
    if (!cache_serves(cache, new_size, new_align) || (flags & KA_PAGEABLE) != 0)
        return NULL;
    if ((flags & KA_ZERO) != 0 && new_size > old_size) {
        if (cache->constructor != NULL)
            return NULL;
        ka_clear((char *)block + old_size, new_size - old_size);
    }
    return block;
}

static size_t op_usable(ka_allocator *self, const void *block, size_t size, size_t align)
{
    (void)block, (void)size, (void)align;
    return cache_of(self)->size;
}

static bool op_walk(ka_allocator *self, ka_visit *visit, void *context)
{
    return ka_cache_walk(cache_of(self), visit, context);
}

static void op_stats(ka_allocator *self, ka_stats *out)
{
    ka_cache_stats(cache_of(self), out);
}

static const char *op_check(ka_allocator *self)
{
    return ka_cache_check(cache_of(self));
}

const ka_allocator_ops ka_cache_ops = {
    .name = "cache",
    .alloc = op_alloc,
    .free = op_free,
    .resize = op_resize,
    .usable = op_usable,
    .walk = op_walk,
    .stats = op_stats,
    .check = op_check,
};
