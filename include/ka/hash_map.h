/* ka/hash_map.h: a map that finds its entries by hash: fast, in no order.
 *
 * KA_HASH_MAP(name, K, V, hash, equal, drop_key, drop_value) makes the type `name` and the functions below; rules for
 * all owners are in ka/owner.h. ka/hash_set.h is the same without values.
 *   hash       `uint64_t hash(K const *, const ka_hash_key *)`, or KA_HASH_NUMBERS, KA_HASH_POINTERS or KA_HASH_BITS.
 *              Its key is the table's own. What is safe against chosen keys and what is not: ka/hash.h
 *   equal      `bool equal(K const *, K const *)`, or KA_EQUAL_NUMBERS for numbers and pointers
 *   drop_key, drop_value    as any drop: `void drop(K *)`; KA_NO_DROP
 * KA_HASH_MAP_CLONE(name, K, V, clone_key, clone_value), on a line below it, adds name_clone; a clone is
 *   `bool clone(T *out, T const *from)`, false if there is no memory and `*out` owns nothing; or KA_CLONE_BYTES.
 *
 * Keys and values lie in one block, at most three quarters of it in use, with 4 bytes of hash for each place.
 * Cost: find, insert and remove are constant on average, given a hash that spreads; an insert that grows the block
 * moves all entries, O(n), so that n inserts cost O(n). Removing leaves no mark behind: a table does not age. Functions
 * that look up get the key by value, and borrow it. At most 3 * 2^29 entries. Any function that changes the map ends
 * the validity of pointers and iterators into it, but for the iterator that was passed.
 *
 *   name name_in(ka_allocator *a)              an empty map that will grow in this allocator; allocates nothing
 *   name name_take(name *map)                  moves the map out; `*map` is empty and keeps its allocator
 *   void name_clear(name *map)                 drops all entries; the block stays. O(room)
 *   void name_drop(name *map)                  drops all entries, frees the block; `*map` is all-zero. O(room)
 *   bool name_clone(name *out, const name *map, ka_allocator *a)    a map with clones of the entries; `*out` must own
 *                                              nothing. False if there is no memory: `*out` is empty. O(room)
 *   size_t name_len(const name *map)           entries
 *   bool name_is_empty(const name *map)
 *   const char *name_check(const name *map)    NULL, or the first broken fact in words. O(room)
 *
 * Room. After a reserve the next `more` inserts of new keys need no memory, given a hash that spreads: any context. (It
 * is a promise of places, not of luck: where hashes crowd at the end of the block, an insert still asks for memory.)
 *   bool name_reserve(name *map, size_t more)                  room for `more` entries beyond len
 *   bool name_reserve_with(name *map, size_t more, flags)      the same, in the caller's context
 *   bool name_shrink(name *map)                                the smallest block that holds the entries
 *       returns  false if there is no memory: nothing has changed
 *
 * Entries in.
 *   V *name_insert(name *map, K key, V value)  moves both in. If the key is there, its value is replaced and dropped,
 *                                              and `key` is dropped
 *   V *name_insert_with(name *map, K key, V value, flags)    the same, in the caller's context
 *       returns  the value, borrowed; NULL if there is no memory: nothing has changed, both are still the caller's
 *
 * Entries borrowed. The value may be changed; the key must not.
 *   V *name_get(const name *map, K key)        NULL if there is none
 *   bool name_contains(const name *map, K key)
 *
 * Entries out.
 *   bool name_remove(name *map, K key, V *out)            moves the value out, drops the map's key
 *   bool name_erase(name *map, K key)                     drops both
 *       returns  false and nothing changed if there is none
 *
 * Iterators, in no order that means anything: `it.key` is the key, NULL past the end; `it.value` its value. Constant,
 * amortised over the room.
 *   name_iter name_first(const name *map)
 *   name_iter name_find(const name *map, K key)           the entry with this key, or the end
 *   void name_next(name_iter *it)                         not from past the end
 *   void name_erase_at(name *map, name_iter *it)          drops the entry; the iterator goes to the next one
 *   void name_remove_at(name *map, name_iter *it, K *key, V *value)    the same; the entry is the caller's
 *   KA_HASH_MAP_EACH(name, it, map) ...
 *
 * One search for "look, then decide":
 *   name_entry name_entry_of(name *map, K key)            finds the key, or its place; `key` is still the caller's
 *       entry.value is NULL if it is not there. The entry is valid until the map is changed by anything else
 *   V *name_entry_or_insert(name_entry *entry, V value)   puts in key and value if it is not there; else drops both
 *   V *name_entry_or_new(name_entry *entry)               puts in the key with a cleared value; else drops the key
 *   V *name_entry_insert(name_entry *entry, V value)      as name_insert
 *       returns  the value that is in the map now; NULL if there is no memory: nothing has changed
 *   bool name_entry_remove(name_entry *entry, V *out)     as name_remove; the entry's own key stays the caller's
 */
#ifndef KA_HASH_MAP_H
#define KA_HASH_MAP_H

#include <ka/hash.h>
#include <ka/map.h>

/* Compares numbers or pointers. */
bool(KA_EQUAL_NUMBERS)(const struct ka_nothing_ *, const struct ka_nothing_ *); /* for the check of types only */
#define KA_EQUAL_NUMBERS(a, b) (*(a) == *(b))

#define KA_HASH_MAP_EACH(name, it, map) for (name##_iter it = name##_first(map); it.key != NULL; name##_next(&it))

#define KA_HASH_MAP(name, K, V, hash, equal, drop_key, drop_value) \
    KA_HASH_MAP_TYPE(name, K, V)                                   \
    KA_HASH_MAP_CODE(name, K, V, hash, equal, drop_key, drop_value)

#define KA_HASH_MAP_TYPE(name, K, V) \
    typedef struct name {            \
        struct name##_slot_ *slots;  \
        ka_table_ table;             \
    } name;                          \
    typedef struct name##_iter {     \
        K const *key;                \
        V *value;                    \
        struct name##_slot_ *slot;   \
        struct name##_slot_ *end;    \
    } name##_iter;

#define KA_HASH_MAP_CODE(name, K, V, hash, equal, drop_key, drop_value) \
    KA_DROP_FITS_(name, K, drop_key)                                    \
    KA_DROP_FITS_(name, V, drop_value)                                  \
    KA_HASH_FITS_(name, K, hash, equal)                                 \
    KA_HASH_MAP_SLOT_(name, K, V, drop_key, drop_value)                 \
    KA_TABLE_CODE_(name, K, hash, equal)                                \
    KA_HASH_MAP_ENTRY_(name, K, V, hash, drop_key, drop_value)          \
    KA_HASH_MAP_IN_(name, K, V, drop_key, drop_value)                   \
    KA_HASH_MAP_OUT_(name, K, V, drop_key, drop_value)

#define KA_HASH_MAP_CLONE(name, K, V, clone_key, clone_value)                              \
    KA_CLONE_FITS_(name, K, clone_key)                                                     \
    KA_CLONE_FITS_(name, V, clone_value)                                                   \
                                                                                           \
    KA_OWNER_RESULT_ bool name##_clone_slot_(name##_slot_ *to_, const name##_slot_ *from_) \
    {                                                                                      \
        if (!clone_key(&to_->key, &from_->key))                                            \
            return false;                                                                  \
        if (clone_value(&to_->value, &from_->value))                                       \
            return true;                                                                   \
        name##_drop_key_(&to_->key);                                                       \
        return false;                                                                      \
    }                                                                                      \
                                                                                           \
    KA_TABLE_CLONE_(name)

/* ---- private: the untyped core, src/collection/hash_map.c. It moves bytes and calls nothing but the allocator ---- */

KA_BEGIN_DECLS

/* What the core knows of a table; the slots are the typed half's. A slot begins with its stored hash. */
typedef struct ka_table_ {
    size_t len;     /* entries */
    size_t limit;   /* as many entries as may be put in without growing */
    size_t count;   /* slots, with the tail and the last one, which stays empty; 0: no block */
    unsigned shift; /* 32 - the logarithm of the homes */
    ka_hash_key key;
    ka_allocator *allocator;
} ka_table_;

/* The hash as it is stored: never 0, which is an empty slot. */
static inline uint32_t ka_table_stored_(uint64_t hash)
{
    uint32_t stored = (uint32_t)((hash * UINT64_C(0xd6e8feb86659fd93)) >> 32);
    return stored != 0 ? stored : 1;
}

/* The first slot where an entry may be: the greater its stored hash, the lower. */
static inline size_t ka_table_home_(unsigned shift, uint32_t stored)
{
    return (uint32_t)~stored >> shift;
}

/* As many entries as a table that is full at `len` grows for: small ones skip a step. */
static inline size_t ka_table_next_(size_t len)
{
    return len < 32 ? 3 * len + 1 : len + 1;
}

/* Whether a processor has the table at hand, in a cache of its own: then what it guesses wrong costs more than what it
 * fetches in vain. */
static inline bool ka_table_near_(const ka_table_ *table, size_t size)
{
    return table->count <= ((size_t)1 << 20) / size;
}

/* Slots beyond the homes, for the entries that do not find room at home. */
static inline size_t ka_table_tail_(const ka_table_ *table)
{
    return table->count - ((size_t)1 << (32 - table->shift));
}

/* Plans a table for `need` entries, with a tail of that many slots or, for 0, the usual one. Takes its block, all
 * empty, and fills in `*planned`. NULL if there is no memory. */
KA_MUST_USE void *ka_table_plan_(const ka_table_ *table, ka_table_ *planned, size_t need, size_t tail, size_t size,
                                 size_t align, ka_flags flags);

/* A block like the table's own, all empty. */
KA_MUST_USE void *ka_table_like_(const ka_table_ *table, size_t size, size_t align);

/* NULL, or the first broken fact of places and counts. */
const char *ka_table_check_(const ka_table_ *table, const void *slots, size_t size);

KA_END_DECLS

/* ---- private: the typed skin ---- */

/* clang-format off */
#if defined(__cplusplus)
#define KA_HASH_FITS_(name, K, hash, equal)
#else
#define KA_HASH_FITS_(name, K, hash, equal) \
    _Static_assert(_Generic(&(hash), uint64_t (*)(K const *, const ka_hash_key *): 1, \
                            uint64_t (*)(const struct ka_nothing_ *, const ka_hash_key *): 1, default: 0), \
                   #name ": its hash must be KA_HASH_... or uint64_t " #hash "(" #K " const *, const ka_hash_key *)"); \
    _Static_assert(_Generic(&(equal), bool (*)(K const *, K const *): 1, \
                            bool (*)(const struct ka_nothing_ *, const struct ka_nothing_ *): 1, default: 0), \
                   #name ": its equal must be KA_EQUAL_NUMBERS or bool " #equal "(" #K " const *, " #K " const *)");
#endif
/* clang-format on */

#define KA_HASH_MAP_SLOT_(name, K, V, drop_key, drop_value)            \
    typedef struct name##_slot_ {                                      \
        uint32_t stored;                                               \
        K key;                                                         \
        V value;                                                       \
    } name##_slot_;                                                    \
                                                                       \
    KA_OWNER_CALL_ void name##_drop_key_(K *key_)                      \
    {                                                                  \
        drop_key(key_);                                                \
    }                                                                  \
                                                                       \
    KA_OWNER_CALL_ void name##_drop_slot_(name##_slot_ *slot_)         \
    {                                                                  \
        drop_key(&slot_->key);                                         \
        drop_value(&slot_->value);                                     \
    }                                                                  \
                                                                       \
    KA_OWNER_CALL_ void name##_show_(name##_iter *it_)                 \
    {                                                                  \
        it_->key = it_->slot != it_->end ? &it_->slot->key : NULL;     \
        it_->value = it_->slot != it_->end ? &it_->slot->value : NULL; \
    }

#define KA_TABLE_CODE_(name, K, hash, equal) \
    KA_TABLE_LIFE_(name)                     \
    KA_TABLE_ROOM_(name)                     \
    KA_TABLE_SEEK_(name, K, hash, equal)     \
    KA_TABLE_ITER_(name, K)                  \
    KA_TABLE_CHECK_(name, hash)

#define KA_TABLE_LIFE_(name)                                                                     \
    KA_OWNER_RESULT_ name name##_in(ka_allocator *a_)                                            \
    {                                                                                            \
        name made_ = KA_EMPTY_;                                                                  \
        made_.table.allocator = a_;                                                              \
        return made_;                                                                            \
    }                                                                                            \
                                                                                                 \
    KA_OWNER_RESULT_ name name##_take(name *self_)                                               \
    {                                                                                            \
        name taken_ = *self_;                                                                    \
        *self_ = name##_in(taken_.table.allocator);                                              \
        return taken_;                                                                           \
    }                                                                                            \
                                                                                                 \
    KA_OWNER_CALL_ void name##_drop_slots_(name *self_)                                          \
    {                                                                                            \
        for (size_t at_ = 0; self_->table.len != 0; at_++) {                                     \
            if (self_->slots[at_].stored == 0)                                                   \
                continue;                                                                        \
            self_->slots[at_].stored = 0;                                                        \
            self_->table.len--;                                                                  \
            name##_drop_slot_(&self_->slots[at_]);                                               \
        }                                                                                        \
    }                                                                                            \
                                                                                                 \
    KA_OWNER_CALL_ void name##_clear(name *self_)                                                \
    {                                                                                            \
        name taken_ = name##_take(self_);                                                        \
        name##_drop_slots_(&taken_);                                                             \
        *self_ = taken_;                                                                         \
    }                                                                                            \
                                                                                                 \
    KA_OWNER_CALL_ void name##_free_(name *self_)                                                \
    {                                                                                            \
        ka_free(self_->table.allocator, self_->slots, self_->table.count * sizeof(name##_slot_), \
                KA_ALIGNOF(name##_slot_));                                                       \
    }                                                                                            \
                                                                                                 \
    KA_OWNER_CALL_ void name##_drop(name *self_)                                                 \
    {                                                                                            \
        name taken_ = name##_take(self_);                                                        \
        *self_ = name##_in(NULL);                                                                \
        name##_drop_slots_(&taken_);                                                             \
        name##_free_(&taken_);                                                                   \
    }                                                                                            \
                                                                                                 \
    KA_OWNER_CALL_ size_t name##_len(const name *self_)                                          \
    {                                                                                            \
        return self_->table.len;                                                                 \
    }                                                                                            \
                                                                                                 \
    KA_OWNER_CALL_ bool name##_is_empty(const name *self_)                                       \
    {                                                                                            \
        return self_->table.len == 0;                                                            \
    }

/* Moves all entries to another block in one pass: their order stays, so each goes home or behind the last one.
 * Small slots are copied when they are empty, too: which ones are, a processor cannot guess. */
#define KA_TABLE_ROOM_(name)                                                                                        \
    KA_OWNER_RESULT_ bool name##_rebuild_(name *self_, size_t need_, size_t tail_, ka_flags flags_)                 \
    {                                                                                                               \
        for (;;) {                                                                                                  \
            name made_ = *self_;                                                                                    \
            made_.slots = (name##_slot_ *)ka_table_plan_(&self_->table, &made_.table, need_, tail_,                 \
                                                         sizeof(name##_slot_), KA_ALIGNOF(name##_slot_), flags_);   \
            if (made_.slots == NULL)                                                                                \
                return false;                                                                                       \
            size_t to_ = 0, left_ = made_.table.len, last_ = made_.table.count - 1;                                 \
            for (const name##_slot_ *from_ = self_->slots; left_ != 0 && to_ != last_; from_++) {                   \
                size_t there_ = from_->stored != 0;                                                                 \
                if (sizeof(name##_slot_) > 64 && there_ == 0)                                                       \
                    continue;                                                                                       \
                size_t home_ = there_ * ka_table_home_(made_.table.shift, from_->stored);                           \
                to_ = home_ > to_ ? home_ : to_;                                                                    \
                made_.slots[to_] = *from_;                                                                          \
                to_ += there_;                                                                                      \
                left_ -= there_;                                                                                    \
            }                                                                                                       \
            name##_free_(left_ == 0 ? self_ : &made_);                                                              \
            if (left_ == 0) {                                                                                       \
                *self_ = made_;                                                                                     \
                return true;                                                                                        \
            }                                                                                                       \
            tail_ = 2 * ka_table_tail_(&made_.table);                                                               \
        }                                                                                                           \
    }                                                                                                               \
                                                                                                                    \
    KA_OWNER_RESULT_ bool name##_reserve_with(name *self_, size_t more_, ka_flags flags_)                           \
    {                                                                                                               \
        if (more_ <= self_->table.limit - self_->table.len)                                                         \
            return true;                                                                                            \
        return more_ <= SIZE_MAX - self_->table.len && name##_rebuild_(self_, self_->table.len + more_, 0, flags_); \
    }                                                                                                               \
                                                                                                                    \
    KA_OWNER_RESULT_ bool name##_reserve(name *self_, size_t more_)                                                 \
    {                                                                                                               \
        return name##_reserve_with(self_, more_, 0);                                                                \
    }                                                                                                               \
                                                                                                                    \
    KA_OWNER_RESULT_ bool name##_shrink(name *self_)                                                                \
    {                                                                                                               \
        if (self_->table.len != 0)                                                                                  \
            return name##_rebuild_(self_, self_->table.len, 0, 0);                                                  \
        ka_allocator *a_ = self_->table.allocator;                                                                  \
        name##_drop(self_);                                                                                         \
        *self_ = name##_in(a_);                                                                                     \
        return true;                                                                                                \
    }

#define KA_TABLE_SEEK_(name, K, hash, equal)                                                                          \
    KA_OWNER_RESULT_ uint32_t name##_stored_(const name *self_, K const *key_)                                        \
    {                                                                                                                 \
        return ka_table_stored_(hash(key_, &self_->table.key));                                                       \
    }                                                                                                                 \
                                                                                                                      \
    /* The slot of the key; else NULL, and `*place_` is where it belongs. In a near table four slots without a branch:\
     * those that are greater come first, wherever empty ones lie; a tail is never shorter. In a far one the line     \
     * behind is fetched, too, before it is known whether it is needed. */                                            \
    KA_OWNER_CALL_ name##_slot_ *name##_seek_(const name *self_, K const *key_, uint32_t stored_,                     \
                                              name##_slot_ **place_)                                                  \
    {                                                                                                                 \
        name##_slot_ *slot_ = self_->slots + ka_table_home_(self_->table.shift, stored_);                             \
        if (ka_table_near_(&self_->table, sizeof(name##_slot_)))                                                      \
            slot_ += (slot_[0].stored > stored_) + (slot_[1].stored > stored_) + (slot_[2].stored > stored_) +        \
                     (slot_[3].stored > stored_);                                                                     \
        else                                                                                                          \
            KA_PREFETCH((const char *)slot_ + 64);                                                                    \
        while (slot_->stored > stored_)                                                                               \
            slot_++;                                                                                                  \
        *place_ = slot_;                                                                                              \
        for (; slot_->stored == stored_; slot_++)                                                                     \
            if (equal(&slot_->key, key_))                                                                             \
                return slot_;                                                                                         \
        return NULL;                                                                                                  \
    }                                                                                                                 \
                                                                                                                      \
    KA_OWNER_RESULT_ name##_slot_ *name##_find_(const name *self_, K const *key_)                                     \
    {                                                                                                                 \
        name##_slot_ *place_;                                                                                         \
        return self_->table.len != 0 ? name##_seek_(self_, key_, name##_stored_(self_, key_), &place_) : NULL;        \
    }                                                                                                                 \
                                                                                                                      \
    /* Moves the slots from here on one up, to the next empty one. False if that is the last, which stays empty. Up   \
     * to two small slots move without a branch: how many it will be, a processor cannot guess. */                    \
    KA_OWNER_RESULT_ bool name##_shift_(const name *self_, name##_slot_ *place_)                                      \
    {                                                                                                                 \
        name##_slot_ *end_ = place_;                                                                                  \
        if (sizeof(name##_slot_) <= 64 && ka_table_near_(&self_->table, sizeof(name##_slot_)) &&                      \
            (size_t)(place_ - self_->slots) + 3 < self_->table.count) {                                               \
            size_t used_ = place_[0].stored != 0, n_ = used_;                                                         \
            used_ &= place_[1].stored != 0;                                                                           \
            n_ += used_;                                                                                              \
            used_ &= place_[2].stored != 0;                                                                           \
            n_ += used_;                                                                                              \
            if (n_ < 3) {                                                                                             \
                place_[2] = place_[2 - (n_ == 2)];                                                                    \
                place_[1] = place_[1 - (n_ != 0)];                                                                    \
                return true;                                                                                          \
            }                                                                                                         \
        }                                                                                                             \
        while (end_->stored != 0)                                                                                     \
            end_++;                                                                                                   \
        if (KA_UNLIKELY(end_ == self_->slots + self_->table.count - 1))                                               \
            return false;                                                                                             \
        for (; end_ != place_; end_--)                                                                                \
            *end_ = end_[-1];                                                                                         \
        return true;                                                                                                  \
    }                                                                                                                 \
                                                                                                                      \
    /* An empty slot for a key that is not there, or NULL. Another block has other places; the first brings a key. */ \
    KA_OWNER_RESULT_ name##_slot_ *name##_open_(name *self_, K const *key_, uint32_t stored_, name##_slot_ *place_,   \
                                                ka_flags flags_)                                                      \
    {                                                                                                                 \
        while (self_->table.len == self_->table.limit || !name##_shift_(self_, place_)) {                             \
            bool full_ = self_->table.len == self_->table.limit;                                                      \
            if (!name##_rebuild_(self_, full_ ? ka_table_next_(self_->table.len) : self_->table.limit,                \
                                 full_ ? 0 : 2 * ka_table_tail_(&self_->table), flags_))                              \
                return NULL;                                                                                          \
            stored_ = name##_stored_(self_, key_);                                                                    \
            (void)name##_seek_(self_, key_, stored_, &place_);                                                        \
        }                                                                                                             \
        place_->stored = stored_;                                                                                     \
        self_->table.len++;                                                                                           \
        return place_;                                                                                                \
    }                                                                                                                 \
                                                                                                                      \
    /* Whether the slot has an entry that is not at home. */                                                          \
    KA_OWNER_RESULT_ bool name##_strays_(const name *self_, const name##_slot_ *slot_)                                \
    {                                                                                                                 \
        bool away_ = ka_table_home_(self_->table.shift, slot_->stored) < (size_t)(slot_ - self_->slots);              \
        return (slot_->stored != 0) & away_;                                                                          \
    }                                                                                                                 \
                                                                                                                      \
    /* Takes the slot's entry out: moves the ones behind it that are not at home down, the first without a branch. */ \
    KA_OWNER_CALL_ void name##_close_(name *self_, name##_slot_ *slot_)                                               \
    {                                                                                                                 \
        if (sizeof(name##_slot_) <= 64 && ka_table_near_(&self_->table, sizeof(name##_slot_))) {                      \
            size_t strays_ = name##_strays_(self_, slot_ + 1);                                                        \
            slot_[0] = slot_[strays_];                                                                                \
            slot_ += strays_;                                                                                         \
        }                                                                                                             \
        for (; name##_strays_(self_, slot_ + 1); slot_++)                                                             \
            slot_[0] = slot_[1];                                                                                      \
        slot_->stored = 0;                                                                                            \
        self_->table.len--;                                                                                           \
    }                                                                                                                 \
                                                                                                                      \
    KA_OWNER_RESULT_ bool name##_contains(const name *self_, K key_)                                                  \
    {                                                                                                                 \
        return name##_find_(self_, &key_) != NULL;                                                                    \
    }

#define KA_TABLE_ITER_(name, K)                                                       \
    /* The entry in this slot or the next one that has one. */                        \
    KA_OWNER_CALL_ void name##_settle_(name##_iter *it_)                              \
    {                                                                                 \
        while (it_->slot != it_->end && it_->slot->stored == 0)                       \
            it_->slot++;                                                              \
        name##_show_(it_);                                                            \
    }                                                                                 \
                                                                                      \
    KA_OWNER_RESULT_ name##_iter name##_iter_(const name *self_, name##_slot_ *slot_) \
    {                                                                                 \
        name##_iter it_ = KA_EMPTY_;                                                  \
        it_.end = self_->table.count != 0 ? self_->slots + self_->table.count : NULL; \
        it_.slot = slot_ != NULL ? slot_ : it_.end;                                   \
        name##_settle_(&it_);                                                         \
        return it_;                                                                   \
    }                                                                                 \
                                                                                      \
    KA_OWNER_RESULT_ name##_iter name##_first(const name *self_)                      \
    {                                                                                 \
        return name##_iter_(self_, self_->slots);                                     \
    }                                                                                 \
                                                                                      \
    KA_OWNER_RESULT_ name##_iter name##_find(const name *self_, K key_)               \
    {                                                                                 \
        return name##_iter_(self_, name##_find_(self_, &key_));                       \
    }                                                                                 \
                                                                                      \
    KA_OWNER_CALL_ void name##_next(name##_iter *it_)                                 \
    {                                                                                 \
        it_->slot++;                                                                  \
        name##_settle_(it_);                                                          \
    }

#define KA_TABLE_CHECK_(name, hash)                                                               \
    KA_OWNER_RESULT_ const char *name##_check(const name *self_)                                  \
    {                                                                                             \
        const char *broken_ = ka_table_check_(&self_->table, self_->slots, sizeof(name##_slot_)); \
        if (broken_ != NULL)                                                                      \
            return broken_;                                                                       \
        for (size_t at_ = 0; at_ < self_->table.count; at_++)                                     \
            if (self_->slots[at_].stored != 0 &&                                                  \
                self_->slots[at_].stored != name##_stored_(self_, &self_->slots[at_].key))        \
                return #name ": the hash of a key has changed";                                   \
        return NULL;                                                                              \
    }

#define KA_TABLE_CLONE_(name)                                                                                       \
    KA_OWNER_RESULT_ bool name##_clone(name *out_, const name *self_, ka_allocator *a_)                             \
    {                                                                                                               \
        name made_ = *self_;                                                                                        \
        *out_ = name##_in(a_);                                                                                      \
        if (self_->table.len == 0)                                                                                  \
            return true;                                                                                            \
        made_.table.allocator = a_;                                                                                 \
        made_.table.len = 0;                                                                                        \
        made_.slots = (name##_slot_ *)ka_table_like_(&made_.table, sizeof(name##_slot_), KA_ALIGNOF(name##_slot_)); \
        if (made_.slots == NULL)                                                                                    \
            return false;                                                                                           \
        for (size_t at_ = 0; at_ < made_.table.count; at_++) {                                                      \
            if (self_->slots[at_].stored == 0)                                                                      \
                continue;                                                                                           \
            if (!name##_clone_slot_(&made_.slots[at_], &self_->slots[at_])) {                                       \
                name##_drop(&made_);                                                                                \
                return false;                                                                                       \
            }                                                                                                       \
            made_.slots[at_].stored = self_->slots[at_].stored;                                                     \
            made_.table.len++;                                                                                      \
        }                                                                                                           \
        *out_ = made_;                                                                                              \
        return true;                                                                                                \
    }

#define KA_HASH_MAP_ENTRY_(name, K, V, hash, drop_key, drop_value)                                            \
    typedef struct name##_entry {                                                                             \
        name *map;                                                                                            \
        K key;                                                                                                \
        V *value;                                                                                             \
        name##_slot_ *place;                                                                                  \
        uint32_t stored;                                                                                      \
    } name##_entry;                                                                                           \
                                                                                                              \
    KA_OWNER_RESULT_ name##_entry name##_entry_of(name *self_, K key_)                                        \
    {                                                                                                         \
        name##_entry entry_;                                                                                  \
        entry_.map = self_;                                                                                   \
        entry_.key = key_;                                                                                    \
        entry_.value = NULL;                                                                                  \
        entry_.place = NULL;                                                                                  \
        entry_.stored = name##_stored_(self_, &key_);                                                         \
        if (self_->table.count != 0) {                                                                        \
            name##_slot_ *slot_ = name##_seek_(self_, &key_, entry_.stored, &entry_.place);                   \
            if (slot_ != NULL) {                                                                              \
                entry_.place = slot_;                                                                         \
                entry_.value = &slot_->value;                                                                 \
            }                                                                                                 \
        }                                                                                                     \
        return entry_;                                                                                        \
    }                                                                                                         \
                                                                                                              \
    /* A place for the value of a key that is not in the map; the key moves in. */                            \
    KA_OWNER_RESULT_ V *name##_entry_open_(name##_entry *entry_, ka_flags flags_)                             \
    {                                                                                                         \
        name##_slot_ *slot_ = name##_open_(entry_->map, &entry_->key, entry_->stored, entry_->place, flags_); \
        if (slot_ == NULL)                                                                                    \
            return NULL;                                                                                      \
        slot_->key = entry_->key;                                                                             \
        entry_->place = slot_;                                                                                \
        entry_->value = &slot_->value;                                                                        \
        return entry_->value;                                                                                 \
    }                                                                                                         \
                                                                                                              \
    KA_MAP_ENTRY_IN_(name, K, V, drop_key, drop_value)

#define KA_HASH_MAP_IN_(name, K, V, drop_key, drop_value)     \
    KA_MAP_INSERT_(name, K, V)                                \
                                                              \
    KA_OWNER_RESULT_ V *name##_get(const name *self_, K key_) \
    {                                                         \
        name##_slot_ *slot_ = name##_find_(self_, &key_);     \
        return slot_ != NULL ? &slot_->value : NULL;          \
    }

#define KA_HASH_MAP_OUT_(name, K, V, drop_key, drop_value)                                  \
    KA_OWNER_CALL_ void name##_remove_at(name *self_, name##_iter *it_, K *key_, V *value_) \
    {                                                                                       \
        *key_ = it_->slot->key;                                                             \
        *value_ = it_->slot->value;                                                         \
        name##_close_(self_, it_->slot);                                                    \
        name##_settle_(it_);                                                                \
    }                                                                                       \
                                                                                            \
    KA_OWNER_CALL_ void name##_erase_at(name *self_, name##_iter *it_)                      \
    {                                                                                       \
        K key_;                                                                             \
        V value_;                                                                           \
        name##_remove_at(self_, it_, &key_, &value_);                                       \
        drop_key(&key_);                                                                    \
        drop_value(&value_);                                                                \
    }                                                                                       \
                                                                                            \
    KA_OWNER_CALL_ void name##_take_slot_(name *self_, name##_slot_ *slot_, V *out_)        \
    {                                                                                       \
        K old_ = slot_->key;                                                                \
        *out_ = slot_->value;                                                               \
        name##_close_(self_, slot_);                                                        \
        drop_key(&old_);                                                                    \
    }                                                                                       \
                                                                                            \
    KA_OWNER_RESULT_ bool name##_remove(name *self_, K key_, V *out_)                       \
    {                                                                                       \
        name##_slot_ *slot_ = name##_find_(self_, &key_);                                   \
        if (slot_ != NULL)                                                                  \
            name##_take_slot_(self_, slot_, out_);                                          \
        return slot_ != NULL;                                                               \
    }                                                                                       \
                                                                                            \
    KA_OWNER_RESULT_ bool name##_erase(name *self_, K key_)                                 \
    {                                                                                       \
        V old_;                                                                             \
        if (!name##_remove(self_, key_, &old_))                                             \
            return false;                                                                   \
        drop_value(&old_);                                                                  \
        return true;                                                                        \
    }                                                                                       \
                                                                                            \
    KA_OWNER_RESULT_ bool name##_entry_remove(name##_entry *entry_, V *out_)                \
    {                                                                                       \
        if (entry_->value == NULL)                                                          \
            return false;                                                                   \
        entry_->value = NULL;                                                               \
        name##_take_slot_(entry_->map, entry_->place, out_);                                \
        return true;                                                                        \
    }

#endif
