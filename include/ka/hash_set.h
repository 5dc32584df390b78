/* ka/hash_set.h: a set that finds its keys by hash: a hash map (ka/hash_map.h) without values.
 *
 * KA_HASH_SET(name, K, hash, equal, drop) makes the type `name` and the functions below; rules for all owners are in
 * ka/owner.h; hash, equal, cost, memory and what ends the validity of pointers and iterators are in ka/hash_map.h.
 * KA_HASH_SET_CLONE(name, K, clone), on a line below it, adds name_clone.
 *
 *   name name_in(ka_allocator *a)              an empty set that will grow in this allocator; allocates nothing
 *   name name_take(name *set)                  moves the set out; `*set` is empty and keeps its allocator
 *   void name_clear(name *set)                 drops all keys; the block stays. O(room)
 *   void name_drop(name *set)                  drops all keys, frees the block; `*set` is all-zero. O(room)
 *   bool name_clone(name *out, const name *set, ka_allocator *a)    a set with clones of the keys; `*out` must own
 *                                              nothing. False if there is no memory: `*out` is empty. O(room)
 *   size_t name_len(const name *set)           keys
 *   bool name_is_empty(const name *set)
 *   const char *name_check(const name *set)    NULL, or the first broken fact in words. O(room)
 *   bool name_reserve(name *set, size_t more), name_reserve_with(name *set, size_t more, flags), name_shrink(name *set)
 *
 *   K const *name_insert(name *set, K key)                moves the key in; if an equal one is there, drops `key`
 *   K const *name_insert_with(name *set, K key, flags)    the same, in the caller's context
 *       returns  the set's key, borrowed; NULL if there is no memory: nothing has changed, `key` is still the caller's
 *   K const *name_get(const name *set, K key)             the set's own key that equals this one; NULL if there is none
 *   bool name_contains(const name *set, K key)
 *   bool name_erase(name *set, K key)                     drops it
 *   bool name_remove(name *set, K key, K *out)            moves it out
 *       returns  false and nothing changed if there is none
 *
 *   name_iter name_first(const name *set), name_find(const name *set, K key); void name_next(name_iter *it)
 *   void name_erase_at(name *set, name_iter *it)          drops the key; the iterator goes to the next one
 *   void name_remove_at(name *set, name_iter *it, K *out) the same; the key is the caller's
 *       as in ka/hash_map.h, `it.key` alone; KA_HASH_MAP_EACH walks sets, too
 */
#ifndef KA_HASH_SET_H
#define KA_HASH_SET_H

#include <ka/hash_map.h>

#define KA_HASH_SET(name, K, hash, equal, drop) \
    KA_HASH_SET_TYPE(name, K)                   \
    KA_HASH_SET_CODE(name, K, hash, equal, drop)

#define KA_HASH_SET_TYPE(name, K)   \
    typedef struct name {           \
        struct name##_slot_ *slots; \
        ka_table_ table;            \
    } name;                         \
    typedef struct name##_iter {    \
        K const *key;               \
        struct name##_slot_ *slot;  \
        struct name##_slot_ *end;   \
    } name##_iter;

#define KA_HASH_SET_CODE(name, K, hash, equal, drop) \
    KA_DROP_FITS_(name, K, drop)                     \
    KA_HASH_FITS_(name, K, hash, equal)              \
    KA_HASH_SET_SLOT_(name, K, drop)                 \
    KA_TABLE_CODE_(name, K, hash, equal)             \
    KA_HASH_SET_IN_(name, K, drop)                   \
    KA_HASH_SET_OUT_(name, K, drop)

#define KA_HASH_SET_CLONE(name, K, clone)                                                  \
    KA_CLONE_FITS_(name, K, clone)                                                         \
                                                                                           \
    KA_OWNER_RESULT_ bool name##_clone_slot_(name##_slot_ *to_, const name##_slot_ *from_) \
    {                                                                                      \
        return clone(&to_->key, &from_->key);                                              \
    }                                                                                      \
                                                                                           \
    KA_TABLE_CLONE_(name)

/* ---- private: the parts of KA_HASH_SET_CODE ---- */

#define KA_HASH_SET_SLOT_(name, K, drop)                           \
    typedef struct name##_slot_ {                                  \
        uint32_t stored;                                           \
        K key;                                                     \
    } name##_slot_;                                                \
                                                                   \
    KA_OWNER_CALL_ void name##_drop_slot_(name##_slot_ *slot_)     \
    {                                                              \
        drop(&slot_->key);                                         \
    }                                                              \
                                                                   \
    KA_OWNER_CALL_ void name##_show_(name##_iter *it_)             \
    {                                                              \
        it_->key = it_->slot != it_->end ? &it_->slot->key : NULL; \
    }

#define KA_HASH_SET_IN_(name, K, drop)                                                 \
    KA_OWNER_RESULT_ K const *name##_insert_with(name *self_, K key_, ka_flags flags_) \
    {                                                                                  \
        name##_slot_ *place_ = NULL, *slot_ = NULL;                                    \
        uint32_t stored_ = name##_stored_(self_, &key_);                               \
        if (self_->table.count != 0)                                                   \
            slot_ = name##_seek_(self_, &key_, stored_, &place_);                      \
        if (slot_ != NULL) {                                                           \
            drop(&key_);                                                               \
            return &slot_->key;                                                        \
        }                                                                              \
        slot_ = name##_open_(self_, &key_, stored_, place_, flags_);                   \
        if (slot_ == NULL)                                                             \
            return NULL;                                                               \
        slot_->key = key_;                                                             \
        return &slot_->key;                                                            \
    }                                                                                  \
                                                                                       \
    KA_OWNER_RESULT_ K const *name##_insert(name *self_, K key_)                       \
    {                                                                                  \
        return name##_insert_with(self_, key_, 0);                                     \
    }                                                                                  \
                                                                                       \
    KA_OWNER_RESULT_ K const *name##_get(const name *self_, K key_)                    \
    {                                                                                  \
        name##_slot_ *slot_ = name##_find_(self_, &key_);                              \
        return slot_ != NULL ? &slot_->key : NULL;                                     \
    }

#define KA_HASH_SET_OUT_(name, K, drop)                                          \
    KA_OWNER_CALL_ void name##_remove_at(name *self_, name##_iter *it_, K *out_) \
    {                                                                            \
        *out_ = it_->slot->key;                                                  \
        name##_close_(self_, it_->slot);                                         \
        name##_settle_(it_);                                                     \
    }                                                                            \
                                                                                 \
    KA_OWNER_CALL_ void name##_erase_at(name *self_, name##_iter *it_)           \
    {                                                                            \
        K key_;                                                                  \
        name##_remove_at(self_, it_, &key_);                                     \
        drop(&key_);                                                             \
    }                                                                            \
                                                                                 \
    KA_OWNER_RESULT_ bool name##_remove(name *self_, K key_, K *out_)            \
    {                                                                            \
        name##_slot_ *slot_ = name##_find_(self_, &key_);                        \
        if (slot_ == NULL)                                                       \
            return false;                                                        \
        *out_ = slot_->key;                                                      \
        name##_close_(self_, slot_);                                             \
        return true;                                                             \
    }                                                                            \
                                                                                 \
    KA_OWNER_RESULT_ bool name##_erase(name *self_, K key_)                      \
    {                                                                            \
        K old_;                                                                  \
        if (!name##_remove(self_, key_, &old_))                                  \
            return false;                                                        \
        drop(&old_);                                                             \
        return true;                                                             \
    }

#endif
