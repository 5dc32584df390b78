/* ka/map.h: an ordered map, a B-tree: its entries are found, and walked, in the order of their keys.
 *
 * KA_MAP(name, K, V, compare, drop_key, drop_value) makes the type `name` and the functions below; rules for all owners
 * are in ka/owner.h. ka/set.h is the same without values.
 *   compare    `int compare(K const *, K const *)`: under 0, 0 or over 0, a total order that does not change while keys
 *              are in the map; or KA_COMPARE_NUMBERS for numbers and pointers
 *   drop_key, drop_value    as any drop: `void drop(K *)`; KA_NO_DROP
 * KA_MAP_CLONE(name, K, V, clone_key, clone_value), on a line below it, adds name_clone; a clone is
 *   `bool clone(T *out, T const *from)`, false if there is no memory and `*out` owns nothing; or KA_CLONE_BYTES.
 *
 * A node holds up to 7 to 31 entries, by their size: keys together, values together. At least a quarter of each node
 * but the root is in use. Keys and values are best small: large ones go into a box.
 * Cost: find, insert and remove compare O(log n) keys and move up to one node's entries in each of the few nodes they
 * change; n inserts take O(n) memory. Memory is taken by an insert, at most one node for each level and one more, and
 * given back by what removes. Functions that look up get the key by value, and borrow it.
 * Any function that changes the map ends the validity of pointers and iterators into it, but for the iterator that
 * was passed. Nothing here recurses: the stack in use does not depend on the map.
 *
 *   name name_in(ka_allocator *a)              an empty map that will grow in this allocator; allocates nothing
 *   name name_take(name *map)                  moves the map out; `*map` is empty and keeps its allocator
 *   void name_clear(name *map)                 drops all entries, in no particular order. O(n)
 *   void name_drop(name *map)                  the same; `*map` is all-zero
 *   bool name_clone(name *out, const name *map, ka_allocator *a)    a map with clones of the entries; `*out` must own
 *                                              nothing. False if there is no memory: `*out` is empty. O(n)
 *   size_t name_len(const name *map)           entries
 *   bool name_is_empty(const name *map)
 *   const char *name_check(const name *map)    NULL, or the first broken fact in words. O(n)
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
 *   bool name_pop_first(name *map, K *key, V *value)      moves out the entry with the least key
 *   bool name_pop_last(name *map, K *key, V *value)       and the greatest
 *       returns  false and nothing changed if there is none
 *
 * Iterators: `it.key` is the key, NULL past either end; `it.value` its value. Next and prev are constant, amortised.
 *   name_iter name_first(const name *map), name_last(const name *map)
 *   name_iter name_find(const name *map, K key)           the entry with this key, or the end
 *   name_iter name_lower_bound(const name *map, K key)    the first entry with this key or a greater one
 *   name_iter name_upper_bound(const name *map, K key)    the first entry with a greater key
 *   void name_next(name_iter *it), name_prev(name_iter *it)         not from past the end
 *   void name_erase_at(name *map, name_iter *it)          drops the entry; the iterator goes to the next one
 *   void name_remove_at(name *map, name_iter *it, K *key, V *value)    the same; the entry is the caller's
 *   KA_MAP_EACH(name, it, map) ...                        in order
 *   KA_MAP_EACH_BACK(name, it, map) ...                   in reverse
 *   KA_MAP_RANGE(name, it, map, from, to) ...             the keys that are not less than `from`, and less than `to`
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
#ifndef KA_MAP_H
#define KA_MAP_H

#include <ka/owner.h>

#define KA_MAP_EACH(name, it, map)      for (name##_iter it = name##_first(map); it.key != NULL; name##_next(&it))
#define KA_MAP_EACH_BACK(name, it, map) for (name##_iter it = name##_last(map); it.key != NULL; name##_prev(&it))
#define KA_MAP_RANGE(name, it, map, from, to) \
    for (name##_iter it = name##_lower_bound(map, from); name##_is_before_(&it, to); name##_next(&it))

#define KA_MAP(name, K, V, compare, drop_key, drop_value) \
    KA_MAP_TYPE(name, K, V)                               \
    KA_MAP_CODE(name, K, V, compare, drop_key, drop_value)

#define KA_MAP_TYPE(name, K, V)  \
    typedef struct name {        \
        ka_tree_ tree;           \
    } name;                      \
    typedef struct name##_iter { \
        K const *key;            \
        V *value;                \
        ka_tree_at_ at;          \
    } name##_iter;

#define KA_MAP_CODE(name, K, V, compare, drop_key, drop_value) \
    KA_DROP_FITS_(name, K, drop_key)                           \
    KA_DROP_FITS_(name, V, drop_value)                         \
    KA_COMPARE_FITS_(name, K, compare)                         \
    KA_MAP_NODE_(name, K, V, drop_key, drop_value)             \
    KA_TREE_CODE_(name, K, compare)                            \
    KA_MAP_ENTRY_(name, K, V, drop_key, drop_value)            \
    KA_MAP_IN_(name, K, V)                                     \
    KA_MAP_OUT_(name, K, V, drop_key, drop_value)

#define KA_MAP_CLONE(name, K, V, clone_key, clone_value)                                               \
    KA_CLONE_FITS_(name, K, clone_key)                                                                 \
    KA_CLONE_FITS_(name, V, clone_value)                                                               \
                                                                                                       \
    KA_OWNER_RESULT_ bool name##_clone_entry_(name##_node_ *to_, size_t at_, const name##_iter *from_) \
    {                                                                                                  \
        if (!clone_key(&to_->keys[at_], from_->key))                                                   \
            return false;                                                                              \
        if (clone_value(&to_->values[at_], from_->value))                                              \
            return true;                                                                               \
        name##_drop_key_(&to_->keys[at_]);                                                             \
        return false;                                                                                  \
    }                                                                                                  \
                                                                                                       \
    KA_TREE_CLONE_(name)

/* ---- private: the untyped core, src/collection/map.c. It moves bytes and calls nothing but the allocator ---- */

KA_BEGIN_DECLS

/* The head of a node. A leaf goes on with keys and values; an inner node has its children behind these. */
typedef struct ka_tree_node_ {
    struct ka_tree_node_ *parent; /* NULL: the root */
    uint16_t at;                  /* its place among the parent's children */
    uint16_t len;                 /* entries */
    uint16_t level;               /* 0: a leaf */
} ka_tree_node_;

/* What the core knows of a type. Bytes, but where said. */
typedef struct ka_tree_shape_ {
    size_t key_size, value_size;
    size_t keys, values, children; /* where they begin in a node */
    size_t leaf_size, inner_size;
    size_t align;
    unsigned cap; /* entries of a node */
} ka_tree_shape_;

typedef struct ka_tree_ {
    ka_tree_node_ *root; /* NULL: empty */
    size_t len;          /* entries */
    ka_allocator *allocator;
} ka_tree_;

/* An entry, or the place for one; `node` is NULL past the ends. */
typedef struct ka_tree_at_ {
    ka_tree_node_ *node;
    size_t at;
} ka_tree_at_;

/* Opens a gap for an entry before the place `*at` of a leaf, and says where it is; with node NULL in an empty tree.
 * False if there is no memory: nothing has changed. */
KA_MUST_USE bool ka_tree_open_(ka_tree_ *tree, const ka_tree_shape_ *shape, ka_tree_at_ *at, ka_flags flags);

/* Takes the entry's place out of the tree; `*at` becomes the next entry. */
void ka_tree_close_(ka_tree_ *tree, const ka_tree_shape_ *shape, ka_tree_at_ *at);

/* The first and the last entry, and the place behind the last. */
ka_tree_at_ ka_tree_first_(const ka_tree_ *tree, const ka_tree_shape_ *shape);
ka_tree_at_ ka_tree_last_(const ka_tree_ *tree, const ka_tree_shape_ *shape);
ka_tree_at_ ka_tree_end_of_(const ka_tree_ *tree, const ka_tree_shape_ *shape);

/* The next entry, or the one before. */
void ka_tree_next_(ka_tree_at_ *at, const ka_tree_shape_ *shape);
void ka_tree_prev_(ka_tree_at_ *at, const ka_tree_shape_ *shape);

/* A place of a leaf as an entry: behind the last entry of the leaf comes one of its ancestors. */
void ka_tree_settle_(ka_tree_at_ *at);

/* For the end of a tree: its nodes, children first. The second frees the node and gives the next one. */
ka_tree_node_ *ka_tree_lowest_(const ka_tree_ *tree, const ka_tree_shape_ *shape);
ka_tree_node_ *ka_tree_free_node_(const ka_tree_ *tree, const ka_tree_shape_ *shape, ka_tree_node_ *node);

/* NULL, or the first broken fact of links, levels and counts. The order of keys is not looked at. */
const char *ka_tree_check_(const ka_tree_ *tree, const ka_tree_shape_ *shape);

KA_END_DECLS

/* ---- private: the typed skin ---- */

/* As many entries as make a node of a few cache lines. */
#define KA_TREE_CAP_(size) ((size) <= 8 ? 31 : (size) <= 16 ? 23 : (size) <= 32 ? 15 : (size) <= 64 ? 11 : 7)

#define KA_MAP_NODE_(name, K, V, drop_key, drop_value)                                  \
    enum { name##_cap_ = KA_TREE_CAP_(sizeof(K) > sizeof(V) ? sizeof(K) : sizeof(V)) }; \
                                                                                        \
    typedef struct name##_node_ {                                                       \
        ka_tree_node_ head;                                                             \
        K keys[name##_cap_];                                                            \
        V values[name##_cap_];                                                          \
    } name##_node_;                                                                     \
                                                                                        \
    KA_TREE_INNER_(name)                                                                \
                                                                                        \
    KA_TREE_SHAPE_(name, K, sizeof(V), offsetof(name##_node_, values))                  \
                                                                                        \
    KA_OWNER_CALL_ void name##_drop_key_(K *key_)                                       \
    {                                                                                   \
        drop_key(key_);                                                                 \
    }                                                                                   \
                                                                                        \
    KA_OWNER_CALL_ void name##_drop_entry_(name##_node_ *node_, size_t at_)             \
    {                                                                                   \
        drop_key(&node_->keys[at_]);                                                    \
        drop_value(&node_->values[at_]);                                                \
    }                                                                                   \
                                                                                        \
    KA_OWNER_RESULT_ name##_iter name##_iter_(ka_tree_at_ at_)                          \
    {                                                                                   \
        name##_iter it_ = KA_EMPTY_;                                                    \
        name##_node_ *node_ = (name##_node_ *)at_.node;                                 \
        it_.at = at_;                                                                   \
        if (node_ != NULL) {                                                            \
            it_.key = &node_->keys[at_.at];                                             \
            it_.value = &node_->values[at_.at];                                         \
        }                                                                               \
        return it_;                                                                     \
    }

#define KA_TREE_SHAPE_(name, K, value_size, values)                                            \
    KA_UNUSED static const ka_tree_shape_ name##_shape_ = { sizeof(K),                         \
                                                            value_size,                        \
                                                            offsetof(name##_node_, keys),      \
                                                            values,                            \
                                                            offsetof(name##_inner_, children), \
                                                            sizeof(name##_node_),              \
                                                            sizeof(name##_inner_),             \
                                                            KA_ALIGNOF(name##_inner_),         \
                                                            name##_cap_ };

#define KA_TREE_INNER_(name)                      \
    typedef struct name##_inner_ {                \
        name##_node_ node;                        \
        ka_tree_node_ *children[name##_cap_ + 1]; \
    } name##_inner_;

#define KA_TREE_CODE_(name, K, compare) \
    KA_TREE_LIFE_(name)                 \
    KA_TREE_SEEK_(name, K, compare)     \
    KA_TREE_ITER_(name, K, compare)     \
    KA_TREE_CHECK_(name, compare)

#define KA_TREE_LIFE_(name)                                                   \
    KA_OWNER_RESULT_ name name##_in(ka_allocator *a_)                         \
    {                                                                         \
        name made_ = KA_EMPTY_;                                               \
        made_.tree.allocator = a_;                                            \
        return made_;                                                         \
    }                                                                         \
                                                                              \
    KA_OWNER_RESULT_ name name##_take(name *self_)                            \
    {                                                                         \
        name taken_ = *self_;                                                 \
        *self_ = name##_in(taken_.tree.allocator);                            \
        return taken_;                                                        \
    }                                                                         \
                                                                              \
    KA_OWNER_CALL_ void name##_clear(name *self_)                             \
    {                                                                         \
        name taken_ = name##_take(self_);                                     \
        ka_tree_node_ *node_ = ka_tree_lowest_(&taken_.tree, &name##_shape_); \
        while (node_ != NULL) {                                               \
            for (size_t at_ = 0; at_ < node_->len; at_++)                     \
                name##_drop_entry_((name##_node_ *)node_, at_);               \
            node_ = ka_tree_free_node_(&taken_.tree, &name##_shape_, node_);  \
        }                                                                     \
    }                                                                         \
                                                                              \
    KA_OWNER_CALL_ void name##_drop(name *self_)                              \
    {                                                                         \
        name taken_ = name##_take(self_);                                     \
        *self_ = name##_in(NULL);                                             \
        name##_clear(&taken_);                                                \
    }                                                                         \
                                                                              \
    KA_OWNER_CALL_ size_t name##_len(const name *self_)                       \
    {                                                                         \
        return self_->tree.len;                                               \
    }                                                                         \
                                                                              \
    KA_OWNER_CALL_ bool name##_is_empty(const name *self_)                    \
    {                                                                         \
        return self_->tree.len == 0;                                          \
    }

/* The place in a node: a search by halves that compiles to conditional moves, whatever the outcome of the compares. */
#define KA_TREE_SEEK_(name, K, compare)                                                       \
    KA_OWNER_RESULT_ size_t name##_lower_(const name##_node_ *node_, K const *key_)           \
    {                                                                                         \
        size_t at_ = 0, n_ = node_->head.len;                                                 \
        while (n_ > 1) {                                                                      \
            size_t half_ = n_ / 2;                                                            \
            at_ += compare(&node_->keys[at_ + half_ - 1], key_) < 0 ? half_ : 0;              \
            n_ -= half_;                                                                      \
        }                                                                                     \
        return at_ + (compare(&node_->keys[at_], key_) < 0);                                  \
    }                                                                                         \
                                                                                              \
    KA_OWNER_RESULT_ bool name##_seek_(const name *self_, K const *key_, ka_tree_at_ *out_)   \
    {                                                                                         \
        ka_tree_node_ *head_ = self_->tree.root;                                              \
        out_->node = head_;                                                                   \
        out_->at = 0;                                                                         \
        while (head_ != NULL) {                                                               \
            const name##_node_ *node_ = (const name##_node_ *)head_;                          \
            size_t at_ = name##_lower_(node_, key_);                                          \
            out_->node = head_;                                                               \
            out_->at = at_;                                                                   \
            if (at_ < head_->len && compare(&node_->keys[at_], key_) == 0)                    \
                return true;                                                                  \
            head_ = head_->level != 0 ? ((const name##_inner_ *)head_)->children[at_] : NULL; \
        }                                                                                     \
        return false;                                                                         \
    }                                                                                         \
                                                                                              \
    KA_OWNER_RESULT_ bool name##_contains(const name *self_, K key_)                          \
    {                                                                                         \
        ka_tree_at_ at_;                                                                      \
        return name##_seek_(self_, &key_, &at_);                                              \
    }

#define KA_TREE_ITER_(name, K, compare)                                                \
    KA_OWNER_RESULT_ name##_iter name##_first(const name *self_)                       \
    {                                                                                  \
        return name##_iter_(ka_tree_first_(&self_->tree, &name##_shape_));             \
    }                                                                                  \
                                                                                       \
    KA_OWNER_RESULT_ name##_iter name##_last(const name *self_)                        \
    {                                                                                  \
        return name##_iter_(ka_tree_last_(&self_->tree, &name##_shape_));              \
    }                                                                                  \
                                                                                       \
    KA_OWNER_CALL_ void name##_next(name##_iter *it_)                                  \
    {                                                                                  \
        if (KA_LIKELY(it_->at.node->level == 0 && it_->at.at + 1 < it_->at.node->len)) \
            it_->at.at++;                                                              \
        else                                                                           \
            ka_tree_next_(&it_->at, &name##_shape_);                                   \
        *it_ = name##_iter_(it_->at);                                                  \
    }                                                                                  \
                                                                                       \
    KA_OWNER_CALL_ void name##_prev(name##_iter *it_)                                  \
    {                                                                                  \
        ka_tree_prev_(&it_->at, &name##_shape_);                                       \
        *it_ = name##_iter_(it_->at);                                                  \
    }                                                                                  \
                                                                                       \
    KA_OWNER_RESULT_ name##_iter name##_find(const name *self_, K key_)                \
    {                                                                                  \
        ka_tree_at_ at_, none_ = KA_EMPTY_;                                            \
        return name##_iter_(name##_seek_(self_, &key_, &at_) ? at_ : none_);           \
    }                                                                                  \
                                                                                       \
    KA_OWNER_RESULT_ name##_iter name##_lower_bound(const name *self_, K key_)         \
    {                                                                                  \
        ka_tree_at_ at_;                                                               \
        if (!name##_seek_(self_, &key_, &at_))                                         \
            ka_tree_settle_(&at_);                                                     \
        return name##_iter_(at_);                                                      \
    }                                                                                  \
                                                                                       \
    KA_OWNER_RESULT_ name##_iter name##_upper_bound(const name *self_, K key_)         \
    {                                                                                  \
        ka_tree_at_ at_;                                                               \
        if (name##_seek_(self_, &key_, &at_))                                          \
            ka_tree_next_(&at_, &name##_shape_);                                       \
        else                                                                           \
            ka_tree_settle_(&at_);                                                     \
        return name##_iter_(at_);                                                      \
    }                                                                                  \
                                                                                       \
    KA_OWNER_RESULT_ bool name##_is_before_(const name##_iter *it_, K key_)            \
    {                                                                                  \
        return it_->key != NULL && compare(it_->key, &key_) < 0;                       \
    }                                                                                  \
                                                                                       \
    KA_OWNER_CALL_ void name##_close_(name *self_, name##_iter *it_)                   \
    {                                                                                  \
        ka_tree_close_(&self_->tree, &name##_shape_, &it_->at);                        \
        *it_ = name##_iter_(it_->at);                                                  \
    }

#define KA_TREE_CHECK_(name, compare)                                       \
    KA_OWNER_RESULT_ const char *name##_check(const name *self_)            \
    {                                                                       \
        const char *broken_ = ka_tree_check_(&self_->tree, &name##_shape_); \
        if (broken_ != NULL)                                                \
            return broken_;                                                 \
        name##_iter before_ = KA_EMPTY_;                                    \
        KA_MAP_EACH (name, it_, self_) {                                    \
            if (before_.key != NULL && compare(before_.key, it_.key) >= 0)  \
                return #name ": the keys are not in order";                 \
            before_ = it_;                                                  \
        }                                                                   \
        return NULL;                                                        \
    }

#define KA_TREE_CLONE_(name)                                                              \
    KA_OWNER_RESULT_ bool name##_clone(name *out_, const name *self_, ka_allocator *a_)   \
    {                                                                                     \
        name made_ = name##_in(a_);                                                       \
        *out_ = made_;                                                                    \
        KA_MAP_EACH (name, it_, self_) {                                                  \
            ka_tree_at_ at_ = ka_tree_end_of_(&made_.tree, &name##_shape_);               \
            bool open_ = ka_tree_open_(&made_.tree, &name##_shape_, &at_, 0);             \
            if (!open_ || !name##_clone_entry_((name##_node_ *)at_.node, at_.at, &it_)) { \
                if (open_)                                                                \
                    ka_tree_close_(&made_.tree, &name##_shape_, &at_);                    \
                name##_drop(&made_);                                                      \
                return false;                                                             \
            }                                                                             \
        }                                                                                 \
        *out_ = made_;                                                                    \
        return true;                                                                      \
    }

#define KA_MAP_ENTRY_(name, K, V, drop_key, drop_value)                              \
    typedef struct name##_entry {                                                    \
        name *map;                                                                   \
        K key;                                                                       \
        V *value;                                                                    \
        ka_tree_at_ at;                                                              \
    } name##_entry;                                                                  \
                                                                                     \
    KA_OWNER_RESULT_ name##_entry name##_entry_of(name *self_, K key_)               \
    {                                                                                \
        name##_entry entry_;                                                         \
        entry_.map = self_;                                                          \
        entry_.key = key_;                                                           \
        entry_.value = NULL;                                                         \
        if (name##_seek_(self_, &key_, &entry_.at))                                  \
            entry_.value = &((name##_node_ *)entry_.at.node)->values[entry_.at.at];  \
        return entry_;                                                               \
    }                                                                                \
                                                                                     \
    /* A place for the value of a key that is not in the map; the key moves in. */   \
    KA_OWNER_RESULT_ V *name##_entry_open_(name##_entry *entry_, ka_flags flags_)    \
    {                                                                                \
        if (!ka_tree_open_(&entry_->map->tree, &name##_shape_, &entry_->at, flags_)) \
            return NULL;                                                             \
        name##_node_ *node_ = (name##_node_ *)entry_->at.node;                       \
        node_->keys[entry_->at.at] = entry_->key;                                    \
        entry_->value = &node_->values[entry_->at.at];                               \
        return entry_->value;                                                        \
    }                                                                                \
                                                                                     \
    KA_MAP_ENTRY_IN_(name, K, V, drop_key, drop_value)

/* What is put into an entry; shared with hash maps. */
#define KA_MAP_ENTRY_IN_(name, K, V, drop_key, drop_value)                                         \
    KA_OWNER_RESULT_ V *name##_entry_insert_with_(name##_entry *entry_, V value_, ka_flags flags_) \
    {                                                                                              \
        if (entry_->value == NULL) {                                                               \
            V *place_ = name##_entry_open_(entry_, flags_);                                        \
            if (place_ != NULL)                                                                    \
                *place_ = value_;                                                                  \
            return place_;                                                                         \
        }                                                                                          \
        V old_ = *entry_->value;                                                                   \
        *entry_->value = value_;                                                                   \
        drop_key(&entry_->key);                                                                    \
        drop_value(&old_);                                                                         \
        return entry_->value;                                                                      \
    }                                                                                              \
                                                                                                   \
    KA_OWNER_RESULT_ V *name##_entry_insert(name##_entry *entry_, V value_)                        \
    {                                                                                              \
        return name##_entry_insert_with_(entry_, value_, 0);                                       \
    }                                                                                              \
                                                                                                   \
    KA_OWNER_RESULT_ V *name##_entry_or_insert(name##_entry *entry_, V value_)                     \
    {                                                                                              \
        if (entry_->value == NULL)                                                                 \
            return name##_entry_insert_with_(entry_, value_, 0);                                   \
        drop_key(&entry_->key);                                                                    \
        drop_value(&value_);                                                                       \
        return entry_->value;                                                                      \
    }                                                                                              \
                                                                                                   \
    KA_OWNER_RESULT_ V *name##_entry_or_new(name##_entry *entry_)                                  \
    {                                                                                              \
        if (entry_->value == NULL) {                                                               \
            V *place_ = name##_entry_open_(entry_, 0);                                             \
            if (place_ != NULL)                                                                    \
                ka_bytes_clear_(place_, 0, 1, sizeof(V));                                          \
            return place_;                                                                         \
        }                                                                                          \
        drop_key(&entry_->key);                                                                    \
        return entry_->value;                                                                      \
    }

#define KA_MAP_INSERT_(name, K, V)                                                         \
    KA_OWNER_RESULT_ V *name##_insert_with(name *self_, K key_, V value_, ka_flags flags_) \
    {                                                                                      \
        name##_entry entry_ = name##_entry_of(self_, key_);                                \
        return name##_entry_insert_with_(&entry_, value_, flags_);                         \
    }                                                                                      \
                                                                                           \
    KA_OWNER_RESULT_ V *name##_insert(name *self_, K key_, V value_)                       \
    {                                                                                      \
        return name##_insert_with(self_, key_, value_, 0);                                 \
    }

#define KA_MAP_IN_(name, K, V)                                                                        \
    KA_MAP_INSERT_(name, K, V)                                                                        \
                                                                                                      \
    KA_OWNER_RESULT_ V *name##_get(const name *self_, K key_)                                         \
    {                                                                                                 \
        ka_tree_at_ at_;                                                                              \
        return name##_seek_(self_, &key_, &at_) ? &((name##_node_ *)at_.node)->values[at_.at] : NULL; \
    }

#define KA_MAP_OUT_(name, K, V, drop_key, drop_value)                                       \
    KA_OWNER_CALL_ void name##_remove_at(name *self_, name##_iter *it_, K *key_, V *value_) \
    {                                                                                       \
        name##_node_ *node_ = (name##_node_ *)it_->at.node;                                 \
        *key_ = node_->keys[it_->at.at];                                                    \
        *value_ = node_->values[it_->at.at];                                                \
        name##_close_(self_, it_);                                                          \
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
    KA_OWNER_RESULT_ bool name##_erase(name *self_, K key_)                                 \
    {                                                                                       \
        name##_iter it_ = name##_find(self_, key_);                                         \
        if (it_.key == NULL)                                                                \
            return false;                                                                   \
        name##_erase_at(self_, &it_);                                                       \
        return true;                                                                        \
    }                                                                                       \
                                                                                            \
    KA_OWNER_RESULT_ bool name##_take_at_(name *self_, name##_iter it_, K *key_, V *value_) \
    {                                                                                       \
        if (it_.key == NULL)                                                                \
            return false;                                                                   \
        name##_remove_at(self_, &it_, key_, value_);                                        \
        return true;                                                                        \
    }                                                                                       \
                                                                                            \
    KA_OWNER_RESULT_ bool name##_remove(name *self_, K key_, V *out_)                       \
    {                                                                                       \
        K old_;                                                                             \
        if (!name##_take_at_(self_, name##_find(self_, key_), &old_, out_))                 \
            return false;                                                                   \
        drop_key(&old_);                                                                    \
        return true;                                                                        \
    }                                                                                       \
                                                                                            \
    KA_OWNER_RESULT_ bool name##_entry_remove(name##_entry *entry_, V *out_)                \
    {                                                                                       \
        if (entry_->value == NULL)                                                          \
            return false;                                                                   \
        name##_iter it_ = name##_iter_(entry_->at);                                         \
        K old_;                                                                             \
        name##_remove_at(entry_->map, &it_, &old_, out_);                                   \
        entry_->value = NULL;                                                               \
        drop_key(&old_);                                                                    \
        return true;                                                                        \
    }                                                                                       \
                                                                                            \
    KA_OWNER_RESULT_ bool name##_pop_first(name *self_, K *key_, V *value_)                 \
    {                                                                                       \
        return name##_take_at_(self_, name##_first(self_), key_, value_);                   \
    }                                                                                       \
                                                                                            \
    KA_OWNER_RESULT_ bool name##_pop_last(name *self_, K *key_, V *value_)                  \
    {                                                                                       \
        return name##_take_at_(self_, name##_last(self_), key_, value_);                    \
    }

#endif
