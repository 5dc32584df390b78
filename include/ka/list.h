/* ka/list.h: a doubly linked list through a member of its items; every step is constant and takes no memory.
 *
 *     struct job { uint32_t id; ka_list_node link; };
 *     KA_LIST(job_list, struct job, link, job_drop)
 *
 * KA_LIST(name, T, member, drop) makes the type `name` and these functions; rules for all owners are in ka/owner.h.
 * `member` is a ka_list_node in T, all-zero while the item is in no list. An item can be in several lists by several
 * members. An item must not move while it is in a list; the list itself may.
 *
 * A list made by name_in owns its items: each is a block of that allocator with T's size and alignment, by name_new or
 * by name_into_raw of a box. An all-zero list, without allocator, only links items that others own: then dropping means
 * unlinking, and `drop` is not called. Either way:
 *
 *   name name_in(ka_allocator *a)                  an empty list that owns its items; allocates nothing
 *   name name_take(name *list)                     moves the list out; `*list` is empty and keeps its allocator
 *   void name_clear(name *list)                    drops the items, first to last, in a loop. O(len)
 *   void name_drop(name *list)                     the same; `*list` is all-zero
 *   size_t name_len(const name *list)
 *   bool name_is_empty(const name *list)
 *   const char *name_check(const name *list)       NULL, or the first broken fact in words. O(len)
 *
 * Items made by the list: cleared, borrowed; NULL if there is no memory or no allocator.
 *   T *name_push_back_new(name *list), *name_push_front_new(name *list)
 *   T *name_push_back_new_with(name *list, flags), *name_push_front_new_with(name *list, flags)
 *
 * Items linked: never fails, any context. From now on the list's, if it owns its items.
 *   void name_push_back(name *list, T *item), name_push_front(name *list, T *item)
 *   void name_insert_before(name *list, T *place, T *item), name_insert_after(name *list, T *place, T *item)
 *   void name_splice(name *list, T *place, name *other)    all items of another list, before `place` or, if that is
 *                                                          NULL, at the end; `*other` is empty
 *
 * Items unlinked: they are the caller's; from a list that owns, to be dropped and freed, or put into a box.
 *   T *name_pop_front(name *list), *name_pop_back(name *list)    NULL if the list is empty
 *   void name_remove(name *list, T *item)
 *
 * Items moved or dropped.
 *   void name_move_front(name *list, T *item), name_move_back(name *list, T *item)    within the list
 *   void name_drop_item(name *list, T *item)
 *
 * Items borrowed; NULL if there is none.
 *   T *name_first(const name *list), *name_last(const name *list)
 *   T *name_next(const T *item), *name_prev(const T *item)
 *   bool name_is_linked(const T *item)             in some list by this member
 *   KA_LIST_EACH(name, T, item, list) ...          in order, and
 *   KA_LIST_EACH_BACK(name, T, item, list) ...     in reverse: the item that is visited may be removed or dropped in
 *                                                  the loop, and items may be put in anywhere; its neighbours may not
 *                                                  be removed
 *
 * KA_LIST_CLONE(name, T, member, clone), on a line below: `bool clone(T *out, T const *from)`, false if there is no
 * memory and `*out` owns nothing, or KA_CLONE_BYTES; `*out` is a cleared block.
 *   bool name_clone(name *out, const name *list, ka_allocator *a)    a list that owns clones of the items; `*out` must
 *                                                  be empty. False if there is no memory: `*out` is empty. O(len)
 *
 * The caller's errors stop, as far as they can be seen in constant time: linking what is in a list by this member,
 * unlinking or passing as a place what is in none, removing an end of another list, splicing a list to itself or to one
 * with another allocator. "job_list: the item is in a list already".
 */
#ifndef KA_LIST_H
#define KA_LIST_H

#include <ka/owner.h>

/* The first item's prev and the last one's next point to itself; in no list, both are NULL. */
typedef struct ka_list_node {
    struct ka_list_node *next, *prev;
} ka_list_node;

#define KA_LIST_EACH(name, T, item, list)                                                       \
    for (T *item = name##_first(list), *item##_next_ = name##_after_(item, true); item != NULL; \
         item = item##_next_, item##_next_ = name##_after_(item, true))

#define KA_LIST_EACH_BACK(name, T, item, list)                                                  \
    for (T *item = name##_last(list), *item##_next_ = name##_after_(item, false); item != NULL; \
         item = item##_next_, item##_next_ = name##_after_(item, false))

#define KA_LIST(name, T, member, drop) \
    KA_LIST_TYPE(name, T)              \
    KA_LIST_CODE(name, T, member, drop)

#define KA_LIST_TYPE(name, T)                                        \
    typedef struct name {                                            \
        union {                                                      \
            ka_list_ list;                                           \
            T *item_; /* never set: tells debuggers what is in it */ \
        };                                                           \
    } name;

#define KA_LIST_CODE(name, T, member, drop) \
    KA_DROP_FITS_(name, T, drop)            \
    KA_LIST_BORROW_(name, T, member)        \
    KA_LIST_LINK_(name, T, member)          \
    KA_LIST_NEW_(name, T, member)           \
    KA_LIST_DROP_(name, T, drop)

/* ---- private: the untyped core (src/collection/list.c) ---- */

KA_BEGIN_DECLS

typedef struct ka_list_ {
    ka_list_node *first, *last; /* NULL: empty */
    size_t len;
    ka_allocator *allocator;
} ka_list_;

/* Puts the node before `place`; NULL: at the end. */
void ka_list_link_(ka_list_ *list, ka_list_node *place, ka_list_node *node, const ka_shape_ *shape);
void ka_list_unlink_(ka_list_ *list, ka_list_node *node, const ka_shape_ *shape);
void ka_list_splice_(ka_list_ *list, ka_list_node *place, ka_list_ *other, const ka_shape_ *shape);

/* The node behind this one or, with `forward` false, before it; NULL at the end. */
KA_MUST_USE ka_list_node *ka_list_after_(const ka_list_node *node, bool forward, const ka_shape_ *shape);

KA_MUST_USE const char *ka_list_check_(const ka_list_ *list);

KA_END_DECLS

/* ---- private: the parts of KA_LIST_CODE ---- */

#define KA_LIST_BORROW_(name, T, member)                                                                      \
    KA_UNUSED static const ka_shape_ name##_shape_ = { sizeof(T), KA_ALIGNOF(T), #name, __FILE__, __LINE__ }; \
                                                                                                              \
    KA_OWNER_CALL_ size_t name##_len(const name *self_)                                                       \
    {                                                                                                         \
        return self_->list.len;                                                                               \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_CALL_ bool name##_is_empty(const name *self_)                                                    \
    {                                                                                                         \
        return self_->list.len == 0;                                                                          \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_item_(ka_list_node *node_)                                                     \
    {                                                                                                         \
        return node_ != NULL ? (T *)(void *)((char *)node_ - offsetof(T, member)) : NULL;                     \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_first(const name *self_)                                                       \
    {                                                                                                         \
        return name##_item_(self_->list.first);                                                               \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_last(const name *self_)                                                        \
    {                                                                                                         \
        return name##_item_(self_->list.last);                                                                \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_next(const T *item_)                                                           \
    {                                                                                                         \
        return name##_item_(ka_list_after_(&item_->member, true, &name##_shape_));                            \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_prev(const T *item_)                                                           \
    {                                                                                                         \
        return name##_item_(ka_list_after_(&item_->member, false, &name##_shape_));                           \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_after_(const T *item_, bool forward_)                                          \
    {                                                                                                         \
        return item_ != NULL ? name##_item_(ka_list_after_(&item_->member, forward_, &name##_shape_)) : NULL; \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ bool name##_is_linked(const T *item_)                                                    \
    {                                                                                                         \
        return item_->member.next != NULL;                                                                    \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ const char *name##_check(const name *self_)                                              \
    {                                                                                                         \
        return ka_list_check_(&self_->list);                                                                  \
    }

#define KA_LIST_LINK_(name, T, member)                                                                         \
    KA_OWNER_CALL_ void name##_push_back(name *self_, T *item_)                                                \
    {                                                                                                          \
        ka_list_link_(&self_->list, NULL, &item_->member, &name##_shape_);                                     \
    }                                                                                                          \
                                                                                                               \
    KA_OWNER_CALL_ void name##_push_front(name *self_, T *item_)                                               \
    {                                                                                                          \
        ka_list_link_(&self_->list, self_->list.first, &item_->member, &name##_shape_);                        \
    }                                                                                                          \
                                                                                                               \
    KA_OWNER_CALL_ void name##_insert_before(name *self_, T *place_, T *item_)                                 \
    {                                                                                                          \
        ka_list_link_(&self_->list, &place_->member, &item_->member, &name##_shape_);                          \
    }                                                                                                          \
                                                                                                               \
    KA_OWNER_CALL_ void name##_insert_after(name *self_, T *place_, T *item_)                                  \
    {                                                                                                          \
        ka_list_node *after_ = ka_list_after_(&place_->member, true, &name##_shape_);                          \
        ka_list_link_(&self_->list, after_, &item_->member, &name##_shape_);                                   \
    }                                                                                                          \
                                                                                                               \
    KA_OWNER_CALL_ void name##_splice(name *self_, T *place_, name *other_)                                    \
    {                                                                                                          \
        ka_list_splice_(&self_->list, place_ != NULL ? &place_->member : NULL, &other_->list, &name##_shape_); \
    }                                                                                                          \
                                                                                                               \
    KA_OWNER_CALL_ void name##_remove(name *self_, T *item_)                                                   \
    {                                                                                                          \
        ka_list_unlink_(&self_->list, &item_->member, &name##_shape_);                                         \
    }                                                                                                          \
                                                                                                               \
    KA_OWNER_RESULT_ T *name##_pop_front(name *self_)                                                          \
    {                                                                                                          \
        T *item_ = name##_first(self_);                                                                        \
        if (item_ != NULL)                                                                                     \
            name##_remove(self_, item_);                                                                       \
        return item_;                                                                                          \
    }                                                                                                          \
                                                                                                               \
    KA_OWNER_RESULT_ T *name##_pop_back(name *self_)                                                           \
    {                                                                                                          \
        T *item_ = name##_last(self_);                                                                         \
        if (item_ != NULL)                                                                                     \
            name##_remove(self_, item_);                                                                       \
        return item_;                                                                                          \
    }                                                                                                          \
                                                                                                               \
    KA_OWNER_CALL_ void name##_move_front(name *self_, T *item_)                                               \
    {                                                                                                          \
        name##_remove(self_, item_);                                                                           \
        name##_push_front(self_, item_);                                                                       \
    }                                                                                                          \
                                                                                                               \
    KA_OWNER_CALL_ void name##_move_back(name *self_, T *item_)                                                \
    {                                                                                                          \
        name##_remove(self_, item_);                                                                           \
        name##_push_back(self_, item_);                                                                        \
    }

#define KA_LIST_NEW_(name, T, member)                                                                     \
    KA_OWNER_RESULT_ name name##_in(ka_allocator *a_)                                                     \
    {                                                                                                     \
        name made_ = KA_EMPTY_;                                                                           \
        made_.list.allocator = a_;                                                                        \
        return made_;                                                                                     \
    }                                                                                                     \
                                                                                                          \
    KA_OWNER_RESULT_ name name##_take(name *self_)                                                        \
    {                                                                                                     \
        name taken_ = *self_;                                                                             \
        *self_ = name##_in(taken_.list.allocator);                                                        \
        return taken_;                                                                                    \
    }                                                                                                     \
                                                                                                          \
    KA_OWNER_RESULT_ T *name##_push_new_(name *self_, ka_list_node *place_, ka_flags flags_)              \
    {                                                                                                     \
        T *item_ = (T *)ka_bytes_new_(self_->list.allocator, sizeof(T), KA_ALIGNOF(T), flags_ | KA_ZERO); \
        if (item_ != NULL)                                                                                \
            ka_list_link_(&self_->list, place_, &item_->member, &name##_shape_);                          \
        return item_;                                                                                     \
    }                                                                                                     \
                                                                                                          \
    KA_OWNER_RESULT_ T *name##_push_back_new_with(name *self_, ka_flags flags_)                           \
    {                                                                                                     \
        return name##_push_new_(self_, NULL, flags_);                                                     \
    }                                                                                                     \
                                                                                                          \
    KA_OWNER_RESULT_ T *name##_push_front_new_with(name *self_, ka_flags flags_)                          \
    {                                                                                                     \
        return name##_push_new_(self_, self_->list.first, flags_);                                        \
    }                                                                                                     \
                                                                                                          \
    KA_OWNER_RESULT_ T *name##_push_back_new(name *self_)                                                 \
    {                                                                                                     \
        return name##_push_new_(self_, NULL, 0);                                                          \
    }                                                                                                     \
                                                                                                          \
    KA_OWNER_RESULT_ T *name##_push_front_new(name *self_)                                                \
    {                                                                                                     \
        return name##_push_new_(self_, self_->list.first, 0);                                             \
    }

#define KA_LIST_DROP_(name, T, drop)                              \
    KA_OWNER_CALL_ void name##_drop_item(name *self_, T *item_)   \
    {                                                             \
        ka_allocator *a_ = self_->list.allocator;                 \
        name##_remove(self_, item_);                              \
        if (a_ == NULL)                                           \
            return;                                               \
        drop(item_);                                              \
        ka_free(a_, item_, sizeof(T), KA_ALIGNOF(T));             \
    }                                                             \
                                                                  \
    KA_OWNER_CALL_ void name##_clear(name *self_)                 \
    {                                                             \
        name taken_ = name##_take(self_);                         \
        for (T * item_; (item_ = name##_first(&taken_)) != NULL;) \
            name##_drop_item(&taken_, item_);                     \
    }                                                             \
                                                                  \
    KA_OWNER_CALL_ void name##_drop(name *self_)                  \
    {                                                             \
        name taken_ = name##_take(self_);                         \
        *self_ = name##_in(NULL);                                 \
        name##_clear(&taken_);                                    \
    }

#define KA_LIST_CLONE(name, T, member, clone)                                                   \
    KA_CLONE_FITS_(name, T, clone)                                                              \
                                                                                                \
    KA_OWNER_RESULT_ bool name##_clone(name *out_, const name *from_, ka_allocator *a_)         \
    {                                                                                           \
        name made_ = name##_in(a_);                                                             \
        for (const T *item_ = name##_first(from_); item_ != NULL; item_ = name##_next(item_)) { \
            T *copy_ = (T *)ka_bytes_new_(a_, sizeof(T), KA_ALIGNOF(T), KA_ZERO);               \
            if (copy_ == NULL || !clone(copy_, item_)) {                                        \
                ka_free(a_, copy_, sizeof(T), KA_ALIGNOF(T));                                   \
                name##_drop(&made_);                                                            \
                *out_ = made_;                                                                  \
                return false;                                                                   \
            }                                                                                   \
            copy_->member.next = copy_->member.prev = NULL; /* whatever the clone copied */     \
            name##_push_back(&made_, copy_);                                                    \
        }                                                                                       \
        *out_ = made_;                                                                          \
        return true;                                                                            \
    }

#endif
