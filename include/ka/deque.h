/* ka/deque.h: a row of items that grows and shrinks at both ends, in one block used as a ring.
 *
 * KA_DEQUE(name, T, drop) makes the type `name` and these functions; rules for all owners are in ka/owner.h.
 * KA_DEQUE_CLONE(name, T, clone), on a line below it, adds name_clone. Items are counted from the front, from 0. Any
 * function that may change the deque ends the validity of pointers into it. cap counts items.
 *
 *   name name_in(ka_allocator *a)                  an empty deque that will grow in this allocator; allocates nothing.
 *                                                  An all-zero deque has no allocator: what needs one fails
 *   name name_take(name *deque)                    moves the deque out; `*deque` is empty and keeps its allocator
 *   void name_drop(name *deque)                    drops the items, first to last, frees the block; it is all-zero
 *   const char *name_check(const name *deque)      NULL, or the first broken fact in words. Constant
 *
 * Room: as in ka/vec.h. After a reserve the next `more` items need no memory: any context.
 *   bool name_reserve(name *deque, size_t more)
 *   bool name_reserve_with(name *deque, size_t more, flags)
 *   bool name_reserve_exact(name *deque, size_t more, flags)
 *   bool name_shrink(name *deque)
 *       returns  false if there is no memory, or the bytes would pass PTRDIFF_MAX: the items are as they were
 *       cost     O(cap) where the block changes
 *
 * Items in. Constant, amortised; insert is O(min(at, len - at)).
 *   bool name_push_back(name *deque, T item), name_push_front(name *deque, T item)
 *   T *name_push_back_new(name *deque), *name_push_front_new(name *deque)    a cleared item, borrowed
 *   bool name_insert(name *deque, size_t at, T item)               before the item `at`; at == len is the back
 *   bool name_extend(name *deque, const T *items, size_t n)        moves n items in at the back; they must not lie in
 *                                                                  this deque
 *       returns  false, or NULL, if there is no memory: nothing has changed, the items are still the caller's
 *
 * Items out: they are the caller's. Constant; remove is O(min(at, len - at)).
 *   bool name_pop_back(name *deque, T *out), name_pop_front(name *deque, T *out)    false and `*out` untouched if empty
 *   T name_remove(name *deque, size_t at)                          keeps the order
 *
 * Items dropped, each once. O(dropped).
 *   void name_truncate(name *deque, size_t len)                    those from `len` on; the block stays
 *   void name_clear(name *deque)                                   all; the block stays
 *
 * Items borrowed.
 *   T *name_at(const name *deque, size_t at)                       stops if there is none
 *   T *name_get(const name *deque, size_t at)                      NULL if there is none
 *   T *name_front(const name *deque), *name_back(const name *deque)    NULL if there is none
 *   T *name_row(const name *deque, size_t at, size_t *n)           the item `at` and those that lie behind it in one
 *                                                                  row, `*n` in all; NULL and 0 if there is none. All
 *                                                                  items are in at most two rows
 *   T *name_make_contiguous(name *deque)                           moves the items into one row, in place, and returns
 *                                                                  it; NULL if there are none. O(len)
 *   size_t name_len(const name *deque), name_cap(const name *deque)
 *   bool name_is_empty(const name *deque)
 *   KA_DEQUE_EACH(name, T, item, deque) ...                        front to back
 *
 * KA_DEQUE_CLONE: `bool clone(T *out, T const *from)`, false if there is no memory and `*out` owns nothing; or
 * KA_CLONE_BYTES.
 *   bool name_clone(name *out, const name *deque, ka_allocator *a)    a deque with clones of the items; `*out` must own
 *                                                                  nothing. False if there is no memory: it is empty
 *
 * The caller's errors stop: an index out of bounds in at, insert and remove, "job_queue_at: index out of bounds: the
 * len is 3 but the index is 5"; and, where KA_CFG_DEBUG is 1, a deque that changes in a KA_DEQUE_EACH.
 */
#ifndef KA_DEQUE_H
#define KA_DEQUE_H

#include <ka/vec.h>

/* Visits the items from front to back, and must not change the deque. */
#define KA_DEQUE_EACH(name, T, item, deque)                                                            \
    for (name##_walk_ item##_walk_ = name##_walk_of_(deque); item##_walk_.on; item##_walk_.on = false) \
        for (T *item = name##_get(deque, 0);                                                           \
             name##_walk_holds_(&item##_walk_, deque, __FILE__, __LINE__) && item != NULL;             \
             item = name##_get(deque, ++item##_walk_.at))

#define KA_DEQUE(name, T, drop) \
    KA_DEQUE_TYPE(name, T)      \
    KA_DEQUE_CODE(name, T, drop)

#define KA_DEQUE_TYPE(name, T)                       \
    typedef struct name {                            \
        T *items;                                    \
        size_t len, cap; /* items */                 \
        ka_allocator *allocator;                     \
        size_t head; /* where the first item lies */ \
    } name;

#define KA_DEQUE_CODE(name, T, drop) \
    KA_DROP_FITS_(name, T, drop)     \
    KA_DEQUE_BORROW_(name, T)        \
    KA_DEQUE_ROOM_(name, T)          \
    KA_DEQUE_IN_(name, T)            \
    KA_DEQUE_OUT_(name, T)           \
    KA_DEQUE_DROP_(name, T, drop)    \
    KA_DEQUE_WALK_(name)

/* ---- private: the untyped core (src/collection/deque.c). `deque` points to a deque of any type ---- */

KA_BEGIN_DECLS

KA_MUST_USE bool ka_deque_reserve_(void *deque, size_t more, const ka_shape_ *shape, bool exact, ka_flags flags);
KA_MUST_USE bool ka_deque_shrink_(void *deque, const ka_shape_ *shape);

/* A place for one item more; NULL and nothing changed if there is no memory. */
KA_MUST_USE void *ka_deque_push_back_(void *deque, const ka_shape_ *shape);
KA_MUST_USE void *ka_deque_push_front_(void *deque, const ka_shape_ *shape);
KA_MUST_USE void *ka_deque_open_(void *deque, size_t at, const ka_shape_ *shape);

/* The same, cleared. */
KA_MUST_USE void *ka_deque_push_new_(void *deque, bool front, const ka_shape_ *shape);

KA_MUST_USE bool ka_deque_extend_(void *deque, const void *from, size_t n, const ka_shape_ *shape);

/* Moves an item to `*out`. */
void ka_deque_remove_(void *deque, size_t at, const ka_shape_ *shape, void *out);

KA_MUST_USE void *ka_deque_make_contiguous_(void *deque, const ka_shape_ *shape);

/* Moves the deque to `*out`; frees the block. It is all-zero. */
void ka_deque_move_(void *deque, void *out);
void ka_deque_free_(void *deque, const ka_shape_ *shape);

KA_MUST_USE const char *ka_deque_check_(const void *deque, const ka_shape_ *shape);

KA_END_DECLS

/* ---- private: the parts of KA_DEQUE_CODE ---- */

#define KA_DEQUE_BORROW_(name, T)                                                                             \
    KA_UNUSED static const ka_shape_ name##_shape_ = { sizeof(T), KA_ALIGNOF(T), #name, __FILE__, __LINE__ }; \
                                                                                                              \
    KA_OWNER_CALL_ size_t name##_len(const name *self_)                                                       \
    {                                                                                                         \
        return self_->len;                                                                                    \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_CALL_ size_t name##_cap(const name *self_)                                                       \
    {                                                                                                         \
        return self_->cap;                                                                                    \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_CALL_ bool name##_is_empty(const name *self_)                                                    \
    {                                                                                                         \
        return self_->len == 0;                                                                               \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ size_t name##_place_(const name *self_, size_t at_)                                      \
    {                                                                                                         \
        size_t place_ = self_->head + at_;                                                                    \
        return place_ < self_->cap ? place_ : place_ - self_->cap;                                            \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_get(const name *self_, size_t at_)                                             \
    {                                                                                                         \
        return at_ < self_->len ? &self_->items[name##_place_(self_, at_)] : NULL;                            \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_at(const name *self_, size_t at_)                                              \
    {                                                                                                         \
        if (KA_UNLIKELY(at_ >= self_->len))                                                                   \
            ka_vec_at_fails_(self_, at_, &name##_shape_);                                                     \
        return &self_->items[name##_place_(self_, at_)];                                                      \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_front(const name *self_)                                                       \
    {                                                                                                         \
        return name##_get(self_, 0);                                                                          \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_back(const name *self_)                                                        \
    {                                                                                                         \
        return name##_get(self_, self_->len - 1);                                                             \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_row(const name *self_, size_t at_, size_t *n_)                                 \
    {                                                                                                         \
        T *row_ = name##_get(self_, at_);                                                                     \
        size_t left_ = row_ != NULL ? self_->len - at_ : 0;                                                   \
        size_t end_ = row_ != NULL ? self_->cap - name##_place_(self_, at_) : 0;                              \
        *n_ = left_ < end_ ? left_ : end_;                                                                    \
        return row_;                                                                                          \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_make_contiguous(name *self_)                                                   \
    {                                                                                                         \
        return (T *)ka_deque_make_contiguous_(self_, &name##_shape_);                                         \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ const char *name##_check(const name *self_)                                              \
    {                                                                                                         \
        return ka_deque_check_(self_, &name##_shape_);                                                        \
    }

#define KA_DEQUE_ROOM_(name, T)                                                            \
    KA_OWNER_RESULT_ name name##_in(ka_allocator *a_)                                      \
    {                                                                                      \
        name made_ = KA_EMPTY_;                                                            \
        made_.allocator = a_;                                                              \
        return made_;                                                                      \
    }                                                                                      \
                                                                                           \
    KA_OWNER_RESULT_ name name##_take(name *self_)                                         \
    {                                                                                      \
        name taken_ = *self_;                                                              \
        *self_ = name##_in(taken_.allocator);                                              \
        return taken_;                                                                     \
    }                                                                                      \
                                                                                           \
    KA_OWNER_RESULT_ bool name##_reserve(name *self_, size_t more_)                        \
    {                                                                                      \
        return ka_deque_reserve_(self_, more_, &name##_shape_, false, 0);                  \
    }                                                                                      \
                                                                                           \
    KA_OWNER_RESULT_ bool name##_reserve_with(name *self_, size_t more_, ka_flags flags_)  \
    {                                                                                      \
        return ka_deque_reserve_(self_, more_, &name##_shape_, false, flags_);             \
    }                                                                                      \
                                                                                           \
    KA_OWNER_RESULT_ bool name##_reserve_exact(name *self_, size_t more_, ka_flags flags_) \
    {                                                                                      \
        return ka_deque_reserve_(self_, more_, &name##_shape_, true, flags_);              \
    }                                                                                      \
                                                                                           \
    KA_OWNER_CALL_ bool name##_shrink(name *self_)                                         \
    {                                                                                      \
        return ka_deque_shrink_(self_, &name##_shape_);                                    \
    }

#define KA_DEQUE_IN_(name, T)                                                        \
    KA_OWNER_RESULT_ bool name##_put_(T *slot_, T item_)                             \
    {                                                                                \
        if (KA_UNLIKELY(slot_ == NULL))                                              \
            return false;                                                            \
        *slot_ = item_;                                                              \
        return true;                                                                 \
    }                                                                                \
                                                                                     \
    KA_OWNER_RESULT_ bool name##_push_back(name *self_, T item_)                     \
    {                                                                                \
        if (KA_LIKELY(self_->len < self_->cap)) {                                    \
            self_->items[name##_place_(self_, self_->len++)] = item_;                \
            return true;                                                             \
        }                                                                            \
        return name##_put_((T *)ka_deque_push_back_(self_, &name##_shape_), item_);  \
    }                                                                                \
                                                                                     \
    KA_OWNER_RESULT_ bool name##_push_front(name *self_, T item_)                    \
    {                                                                                \
        return name##_put_((T *)ka_deque_push_front_(self_, &name##_shape_), item_); \
    }                                                                                \
                                                                                     \
    KA_OWNER_RESULT_ T *name##_push_back_new(name *self_)                            \
    {                                                                                \
        return (T *)ka_deque_push_new_(self_, false, &name##_shape_);                \
    }                                                                                \
                                                                                     \
    KA_OWNER_RESULT_ T *name##_push_front_new(name *self_)                           \
    {                                                                                \
        return (T *)ka_deque_push_new_(self_, true, &name##_shape_);                 \
    }                                                                                \
                                                                                     \
    KA_OWNER_RESULT_ bool name##_insert(name *self_, size_t at_, T item_)            \
    {                                                                                \
        return name##_put_((T *)ka_deque_open_(self_, at_, &name##_shape_), item_);  \
    }                                                                                \
                                                                                     \
    KA_OWNER_RESULT_ bool name##_extend(name *self_, T const *items_, size_t n_)     \
    {                                                                                \
        return ka_deque_extend_(self_, items_, n_, &name##_shape_);                  \
    }

#define KA_DEQUE_OUT_(name, T)                                    \
    KA_OWNER_RESULT_ bool name##_pop_back(name *self_, T *out_)   \
    {                                                             \
        if (self_->len == 0)                                      \
            return false;                                         \
        *out_ = self_->items[name##_place_(self_, --self_->len)]; \
        return true;                                              \
    }                                                             \
                                                                  \
    KA_OWNER_RESULT_ bool name##_pop_front(name *self_, T *out_)  \
    {                                                             \
        if (self_->len == 0)                                      \
            return false;                                         \
        *out_ = self_->items[self_->head];                        \
        self_->head = name##_place_(self_, 1);                    \
        self_->len--;                                             \
        return true;                                              \
    }                                                             \
                                                                  \
    KA_OWNER_RESULT_ T name##_remove(name *self_, size_t at_)     \
    {                                                             \
        T item_;                                                  \
        ka_deque_remove_(self_, at_, &name##_shape_, &item_);     \
        return item_;                                             \
    }

#define KA_DEQUE_DROP_(name, T, drop)                             \
    KA_OWNER_CALL_ void name##_truncate(name *self_, size_t len_) \
    {                                                             \
        size_t end_ = self_->len;                                 \
        if (len_ >= end_)                                         \
            return;                                               \
        self_->len = len_;                                        \
        for (size_t at_ = len_; at_ < end_; at_++)                \
            drop(&self_->items[name##_place_(self_, at_)]);       \
    }                                                             \
                                                                  \
    KA_OWNER_CALL_ void name##_clear(name *self_)                 \
    {                                                             \
        name##_truncate(self_, 0);                                \
    }                                                             \
                                                                  \
    KA_OWNER_CALL_ void name##_drop(name *self_)                  \
    {                                                             \
        name taken_;                                              \
        ka_deque_move_(self_, &taken_);                           \
        name##_truncate(&taken_, 0);                              \
        ka_deque_free_(&taken_, &name##_shape_);                  \
    }

#define KA_DEQUE_WALK_(name)                                                                                  \
    typedef struct name##_walk_ {                                                                             \
        name was;                                                                                             \
        size_t at;                                                                                            \
        bool on;                                                                                              \
    } name##_walk_;                                                                                           \
                                                                                                              \
    KA_OWNER_RESULT_ name##_walk_ name##_walk_of_(const name *self_)                                          \
    {                                                                                                         \
        name##_walk_ made_ = { *self_, 0, true };                                                             \
        return made_;                                                                                         \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ bool name##_walk_holds_(const name##_walk_ *walk_, const name *self_, const char *file_, \
                                             unsigned line_)                                                  \
    {                                                                                                         \
        if (KA_CFG_DEBUG && KA_UNLIKELY(self_->items != walk_->was.items || self_->len != walk_->was.len ||   \
                                        self_->head != walk_->was.head))                                      \
            ka_vec_changed_(file_, line_);                                                                    \
        return true;                                                                                          \
    }

#define KA_DEQUE_CLONE(name, T, clone)                                                  \
    KA_CLONE_FITS_(name, T, clone)                                                      \
                                                                                        \
    KA_OWNER_RESULT_ bool name##_clone(name *out_, const name *from_, ka_allocator *a_) \
    {                                                                                   \
        name made_ = name##_in(a_);                                                     \
        bool cloned_ = name##_reserve_exact(&made_, from_->len, 0);                     \
        while (cloned_ && made_.len < from_->len) {                                     \
            cloned_ = clone(&made_.items[made_.len], name##_get(from_, made_.len));     \
            made_.len += cloned_;                                                       \
        }                                                                               \
        if (!cloned_)                                                                   \
            name##_drop(&made_);                                                        \
        *out_ = made_;                                                                  \
        return cloned_;                                                                 \
    }

#endif
