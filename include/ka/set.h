/* ka/set.h: an ordered set: a map (ka/map.h) without values.
 *
 * KA_SET(name, K, compare, drop) makes the type `name` and the functions below; rules for all owners are in ka/owner.h,
 * compare, cost, memory and what ends the validity of pointers and iterators are in ka/map.h.
 * KA_SET_CLONE(name, K, clone), on a line below it, adds name_clone.
 *
 *   name name_in(ka_allocator *a)              an empty set that will grow in this allocator; allocates nothing
 *   name name_take(name *set)                  moves the set out; `*set` is empty and keeps its allocator
 *   void name_clear(name *set)                 drops all keys, in no particular order. O(n)
 *   void name_drop(name *set)                  the same; `*set` is all-zero
 *   bool name_clone(name *out, const name *set, ka_allocator *a)    a set with clones of the keys; `*out` must own
 *                                              nothing. False if there is no memory: `*out` is empty. O(n)
 *   size_t name_len(const name *set)           keys
 *   bool name_is_empty(const name *set)
 *   const char *name_check(const name *set)    NULL, or the first broken fact in words. O(n)
 *
 *   K const *name_insert(name *set, K key)                moves the key in; if an equal one is there, drops `key`
 *   K const *name_insert_with(name *set, K key, flags)    the same, in the caller's context
 *       returns  the set's key, borrowed; NULL if there is no memory: nothing has changed, `key` is still the caller's
 *   K const *name_get(const name *set, K key)             the set's own key that equals this one; NULL if there is none
 *   bool name_contains(const name *set, K key)
 *   bool name_erase(name *set, K key)                     drops it
 *   bool name_remove(name *set, K key, K *out)            moves it out
 *   bool name_pop_first(name *set, K *out)                moves the least one out
 *   bool name_pop_last(name *set, K *out)                 and the greatest
 *       returns  false and nothing changed if there is none
 *
 *   name_iter name_first, name_last, name_find, name_lower_bound, name_upper_bound; void name_next, name_prev
 *   void name_erase_at(name *set, name_iter *it)          drops the key; the iterator goes to the next one
 *   void name_remove_at(name *set, name_iter *it, K *out) the same; the key is the caller's
 *       as in ka/map.h, `it.key` alone; KA_MAP_EACH, KA_MAP_EACH_BACK and KA_MAP_RANGE walk sets, too
 */
#ifndef KA_SET_H
#define KA_SET_H

#include <ka/map.h>

#define KA_SET(name, K, compare, drop) \
    KA_SET_TYPE(name, K)               \
    KA_SET_CODE(name, K, compare, drop)

#define KA_SET_TYPE(name, K)     \
    typedef struct name {        \
        ka_tree_ tree;           \
    } name;                      \
    typedef struct name##_iter { \
        K const *key;            \
        ka_tree_at_ at;          \
    } name##_iter;

#define KA_SET_CODE(name, K, compare, drop) \
    KA_DROP_FITS_(name, K, drop)            \
    KA_COMPARE_FITS_(name, K, compare)      \
    KA_SET_NODE_(name, K, drop)             \
    KA_TREE_CODE_(name, K, compare)         \
    KA_SET_IN_(name, K, drop)               \
    KA_SET_OUT_(name, K, drop)

#define KA_SET_CLONE(name, K, clone)                                                                   \
    KA_CLONE_FITS_(name, K, clone)                                                                     \
                                                                                                       \
    KA_OWNER_RESULT_ bool name##_clone_entry_(name##_node_ *to_, size_t at_, const name##_iter *from_) \
    {                                                                                                  \
        return clone(&to_->keys[at_], from_->key);                                                     \
    }                                                                                                  \
                                                                                                       \
    KA_TREE_CLONE_(name)

/* ---- private: the parts of KA_SET_CODE ---- */

#define KA_SET_NODE_(name, K, drop)                                         \
    enum { name##_cap_ = KA_TREE_CAP_(sizeof(K)) };                         \
                                                                            \
    typedef struct name##_node_ {                                           \
        ka_tree_node_ head;                                                 \
        K keys[name##_cap_];                                                \
    } name##_node_;                                                         \
                                                                            \
    KA_TREE_INNER_(name)                                                    \
    KA_TREE_SHAPE_(name, K, 0, 0)                                           \
                                                                            \
    KA_OWNER_CALL_ void name##_drop_entry_(name##_node_ *node_, size_t at_) \
    {                                                                       \
        drop(&node_->keys[at_]);                                            \
    }                                                                       \
                                                                            \
    KA_OWNER_RESULT_ name##_iter name##_iter_(ka_tree_at_ at_)              \
    {                                                                       \
        name##_iter it_ = KA_EMPTY_;                                        \
        it_.at = at_;                                                       \
        if (at_.node != NULL)                                               \
            it_.key = &((name##_node_ *)at_.node)->keys[at_.at];            \
        return it_;                                                         \
    }

#define KA_SET_IN_(name, K, drop)                                                      \
    KA_OWNER_RESULT_ K const *name##_insert_with(name *self_, K key_, ka_flags flags_) \
    {                                                                                  \
        ka_tree_at_ at_;                                                               \
        if (name##_seek_(self_, &key_, &at_)) {                                        \
            drop(&key_);                                                               \
        } else {                                                                       \
            if (!ka_tree_open_(&self_->tree, &name##_shape_, &at_, flags_))            \
                return NULL;                                                           \
            ((name##_node_ *)at_.node)->keys[at_.at] = key_;                           \
        }                                                                              \
        return &((name##_node_ *)at_.node)->keys[at_.at];                              \
    }                                                                                  \
                                                                                       \
    KA_OWNER_RESULT_ K const *name##_insert(name *self_, K key_)                       \
    {                                                                                  \
        return name##_insert_with(self_, key_, 0);                                     \
    }                                                                                  \
                                                                                       \
    KA_OWNER_RESULT_ K const *name##_get(const name *self_, K key_)                    \
    {                                                                                  \
        return name##_find(self_, key_).key;                                           \
    }

#define KA_SET_OUT_(name, K, drop)                                               \
    KA_OWNER_CALL_ void name##_remove_at(name *self_, name##_iter *it_, K *out_) \
    {                                                                            \
        *out_ = *it_->key;                                                       \
        name##_close_(self_, it_);                                               \
    }                                                                            \
                                                                                 \
    KA_OWNER_CALL_ void name##_erase_at(name *self_, name##_iter *it_)           \
    {                                                                            \
        K key_;                                                                  \
        name##_remove_at(self_, it_, &key_);                                     \
        drop(&key_);                                                             \
    }                                                                            \
                                                                                 \
    KA_OWNER_RESULT_ bool name##_take_at_(name *self_, name##_iter it_, K *out_) \
    {                                                                            \
        if (it_.key == NULL)                                                     \
            return false;                                                        \
        name##_remove_at(self_, &it_, out_);                                     \
        return true;                                                             \
    }                                                                            \
                                                                                 \
    KA_OWNER_RESULT_ bool name##_remove(name *self_, K key_, K *out_)            \
    {                                                                            \
        return name##_take_at_(self_, name##_find(self_, key_), out_);           \
    }                                                                            \
                                                                                 \
    KA_OWNER_RESULT_ bool name##_pop_first(name *self_, K *out_)                 \
    {                                                                            \
        return name##_take_at_(self_, name##_first(self_), out_);                \
    }                                                                            \
                                                                                 \
    KA_OWNER_RESULT_ bool name##_pop_last(name *self_, K *out_)                  \
    {                                                                            \
        return name##_take_at_(self_, name##_last(self_), out_);                 \
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
