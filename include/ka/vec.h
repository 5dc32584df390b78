/* ka/vec.h: a growing row of items in one block.
 *
 * KA_VEC(name, T, drop) makes the type `name` and these functions; rules for all owners are in ka/owner.h.
 * The fields are for reading: `vec.items[0]` to `vec.items[vec.len - 1]`. Any function that may change the vec ends the
 * validity of pointers into it.
 *
 *   name name_in(ka_allocator *a)                  an empty vec that will grow in this allocator; allocates nothing.
 *                                                  An all-zero vec has no allocator: what needs one fails
 *   name name_take(name *vec)                      moves the vec out; `*vec` is empty and keeps its allocator
 *   void name_drop(name *vec)                      drops the items, first to last, frees the block; `*vec` is all-zero
 *
 * Room. cap counts items. Growing at least doubles cap or, where the double cannot be had, takes a quarter more, so
 * that n pushes cost O(n); to use a bounded heap up to its end, reserve_exact. After a reserve the next `more` items
 * need no memory: any context.
 *   bool name_reserve(name *vec, size_t more)                  room for `more` items beyond len
 *   bool name_reserve_with(name *vec, size_t more, flags)      the same, in the caller's context
 *   bool name_reserve_exact(name *vec, size_t more, flags)     the same, never more than needed
 *   bool name_shrink(name *vec)                                gives back the room that is not used
 *       returns  false if there is no memory, or the bytes would pass PTRDIFF_MAX: nothing has changed
 *       cost     O(len) where the block moves
 *
 * Items in. Constant, amortised; insert is O(len - at).
 *   bool name_push(name *vec, T item)                          at the end
 *   T *name_push_new(name *vec)                                a cleared item at the end, borrowed
 *   bool name_insert(name *vec, size_t at, T item)             before the item `at`; at == len is the end
 *   bool name_extend(name *vec, const T *items, size_t n)      moves n items in; they must not lie in this vec
 *   bool name_append(name *vec, name *other)                   moves all items of another vec to the end of this one
 *   bool name_resize(name *vec, size_t len)                    cleared items at the end, or a truncate
 *       returns  false, or NULL, if there is no memory: nothing has changed, the items are still the caller's
 *
 * Items out: they are the caller's.
 *   bool name_pop(name *vec, T *out)                           the last one; false and `*out` untouched if it is empty
 *   T name_remove(name *vec, size_t at)                        keeps the order: O(len - at)
 *   T name_swap_remove(name *vec, size_t at)                   puts the last item in its place: constant
 *
 * Items dropped, each once. O(dropped).
 *   void name_drop_at(name *vec, size_t at)                    a remove for an item that nobody wants
 *   void name_truncate(name *vec, size_t len)                  those from `len` on; the block stays
 *   void name_clear(name *vec)                                 all; the block stays
 *
 * Items borrowed.
 *   T *name_at(const name *vec, size_t at)                     stops if there is none
 *   T *name_get(const name *vec, size_t at)                    NULL if there is none
 *   T *name_first(const name *vec), *name_last(const name *vec)    NULL if there is none
 *   size_t name_len(const name *vec), name_cap(const name *vec)
 *   bool name_is_empty(const name *vec)
 *
 * An index out of bounds in at, insert, remove, swap_remove and drop_at is the caller's error and stops:
 * "packet_vec_at: index out of bounds: the len is 3 but the index is 5".
 */
#ifndef KA_VEC_H
#define KA_VEC_H

#include <ka/owner.h>

/* Visits the items in order, and must not change the vec: KA_VEC_EACH(struct packet, packet, &queue) send(packet); */
#define KA_VEC_EACH(T, item, vec) \
    for (T *item = (vec)->items; item != NULL && item != (vec)->items + (vec)->len; item++)

#define KA_VEC(name, T, drop) \
    KA_VEC_TYPE(name, T)      \
    KA_VEC_CODE(name, T, drop)

#define KA_VEC_TYPE(name, T)     \
    typedef struct name {        \
        T *items;                \
        size_t len; /* items */  \
        size_t cap; /* items */  \
        ka_allocator *allocator; \
    } name;

#define KA_VEC_CODE(name, T, drop) \
    KA_DROP_FITS_(name, T, drop)   \
    KA_VEC_BORROW_(name, T)        \
    KA_VEC_ROOM_(name, T)          \
    KA_VEC_IN_(name, T)            \
    KA_VEC_OUT_(name, T)           \
    KA_VEC_DROP_(name, T, drop)

/* ---- private: the parts of KA_VEC_CODE ---- */

#define KA_VEC_BOUND_(name, what, at, bound) \
    (KA_LIKELY((at) < (bound)) ? (void)0     \
                               : ka_owner_out_of_bounds_(#name "_" #what, (at), self_->len, __FILE__, __LINE__))

#define KA_VEC_BORROW_(name, T)                                        \
    KA_OWNER_CALL_ size_t name##_len(const name *self_)                \
    {                                                                  \
        return self_->len;                                             \
    }                                                                  \
                                                                       \
    KA_OWNER_CALL_ size_t name##_cap(const name *self_)                \
    {                                                                  \
        return self_->cap;                                             \
    }                                                                  \
                                                                       \
    KA_OWNER_CALL_ bool name##_is_empty(const name *self_)             \
    {                                                                  \
        return self_->len == 0;                                        \
    }                                                                  \
                                                                       \
    KA_OWNER_RESULT_ T *name##_get(const name *self_, size_t at_)      \
    {                                                                  \
        return at_ < self_->len ? &self_->items[at_] : NULL;           \
    }                                                                  \
                                                                       \
    KA_OWNER_RESULT_ T *name##_at(const name *self_, size_t at_)       \
    {                                                                  \
        KA_VEC_BOUND_(name, at, at_, self_->len);                      \
        return &self_->items[at_];                                     \
    }                                                                  \
                                                                       \
    KA_OWNER_RESULT_ T *name##_first(const name *self_)                \
    {                                                                  \
        return name##_get(self_, 0);                                   \
    }                                                                  \
                                                                       \
    KA_OWNER_RESULT_ T *name##_last(const name *self_)                 \
    {                                                                  \
        return self_->len != 0 ? &self_->items[self_->len - 1] : NULL; \
    }

#define KA_VEC_ROOM_(name, T)                                                                                    \
    KA_OWNER_RESULT_ name name##_in(ka_allocator *a_)                                                            \
    {                                                                                                            \
        name made_ = KA_EMPTY_;                                                                                  \
        made_.allocator = a_;                                                                                    \
        return made_;                                                                                            \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_RESULT_ name name##_take(name *self_)                                                               \
    {                                                                                                            \
        name taken_ = *self_;                                                                                    \
        *self_ = name##_in(taken_.allocator);                                                                    \
        return taken_;                                                                                           \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_RESULT_ bool name##_grow_(name *self_, size_t more_, bool exact_, ka_flags flags_)                  \
    {                                                                                                            \
        if (more_ <= self_->cap - self_->len)                                                                    \
            return true;                                                                                         \
        void *items_ = ka_bytes_grow_(self_->allocator, self_->items, &self_->cap, self_->len, more_, sizeof(T), \
                                      KA_ALIGNOF(T), exact_, flags_);                                            \
        if (items_ == NULL)                                                                                      \
            return false;                                                                                        \
        self_->items = (T *)items_;                                                                              \
        return true;                                                                                             \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_RESULT_ bool name##_reserve(name *self_, size_t more_)                                              \
    {                                                                                                            \
        return name##_grow_(self_, more_, false, 0);                                                             \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_RESULT_ bool name##_reserve_with(name *self_, size_t more_, ka_flags flags_)                        \
    {                                                                                                            \
        return name##_grow_(self_, more_, false, flags_);                                                        \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_RESULT_ bool name##_reserve_exact(name *self_, size_t more_, ka_flags flags_)                       \
    {                                                                                                            \
        return name##_grow_(self_, more_, true, flags_);                                                         \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_CALL_ bool name##_shrink(name *self_)                                                               \
    {                                                                                                            \
        if (self_->len == self_->cap)                                                                            \
            return true;                                                                                         \
        if (self_->len == 0) {                                                                                   \
            ka_free(self_->allocator, self_->items, self_->cap * sizeof(T), KA_ALIGNOF(T));                      \
            *self_ = name##_in(self_->allocator);                                                                \
            return true;                                                                                         \
        }                                                                                                        \
        void *items_ =                                                                                           \
            ka_bytes_shrink_(self_->allocator, self_->items, &self_->cap, self_->len, sizeof(T), KA_ALIGNOF(T)); \
        if (items_ == NULL)                                                                                      \
            return false;                                                                                        \
        self_->items = (T *)items_;                                                                              \
        return true;                                                                                             \
    }

#define KA_VEC_IN_(name, T)                                                                                \
    KA_OWNER_RESULT_ bool name##_push(name *self_, T item_)                                                \
    {                                                                                                      \
        if (KA_UNLIKELY(self_->len == self_->cap) && !name##_reserve(self_, 1))                            \
            return false;                                                                                  \
        self_->items[self_->len++] = item_;                                                                \
        return true;                                                                                       \
    }                                                                                                      \
                                                                                                           \
    KA_OWNER_RESULT_ T *name##_push_new(name *self_)                                                       \
    {                                                                                                      \
        if (!name##_reserve(self_, 1))                                                                     \
            return NULL;                                                                                   \
        ka_bytes_clear_(self_->items, self_->len, 1, sizeof(T));                                           \
        return &self_->items[self_->len++];                                                                \
    }                                                                                                      \
                                                                                                           \
    KA_OWNER_RESULT_ bool name##_insert(name *self_, size_t at_, T item_)                                  \
    {                                                                                                      \
        KA_VEC_BOUND_(name, insert, at_, self_->len + 1);                                                  \
        if (!name##_reserve(self_, 1))                                                                     \
            return false;                                                                                  \
        ka_bytes_open_(self_->items, self_->len++, at_, sizeof(T));                                        \
        self_->items[at_] = item_;                                                                         \
        return true;                                                                                       \
    }                                                                                                      \
                                                                                                           \
    KA_OWNER_RESULT_ bool name##_extend(name *self_, T const *items_, size_t n_)                           \
    {                                                                                                      \
        if (n_ == 0)                                                                                       \
            return true;                                                                                   \
        ka_bytes_apart_(self_->items, self_->cap, sizeof(T), items_, #name "_extend", __FILE__, __LINE__); \
        if (!name##_reserve(self_, n_))                                                                    \
            return false;                                                                                  \
        ka_bytes_append_(self_->items, self_->len, items_, n_, sizeof(T));                                 \
        self_->len += n_;                                                                                  \
        return true;                                                                                       \
    }                                                                                                      \
                                                                                                           \
    KA_OWNER_RESULT_ bool name##_append(name *self_, name *other_)                                         \
    {                                                                                                      \
        if (!name##_extend(self_, other_->items, other_->len))                                             \
            return false;                                                                                  \
        other_->len = 0;                                                                                   \
        return true;                                                                                       \
    }

#define KA_VEC_OUT_(name, T)                                         \
    KA_OWNER_RESULT_ bool name##_pop(name *self_, T *out_)           \
    {                                                                \
        if (self_->len == 0)                                         \
            return false;                                            \
        *out_ = self_->items[--self_->len];                          \
        return true;                                                 \
    }                                                                \
                                                                     \
    KA_OWNER_RESULT_ T name##_remove(name *self_, size_t at_)        \
    {                                                                \
        KA_VEC_BOUND_(name, remove, at_, self_->len);                \
        T item_ = self_->items[at_];                                 \
        ka_bytes_close_(self_->items, self_->len--, at_, sizeof(T)); \
        return item_;                                                \
    }                                                                \
                                                                     \
    KA_OWNER_RESULT_ T name##_swap_remove(name *self_, size_t at_)   \
    {                                                                \
        KA_VEC_BOUND_(name, swap_remove, at_, self_->len);           \
        T item_ = self_->items[at_];                                 \
        self_->items[at_] = self_->items[--self_->len];              \
        return item_;                                                \
    }

#define KA_VEC_DROP_(name, T, drop)                                                         \
    KA_OWNER_CALL_ void name##_drop_at(name *self_, size_t at_)                             \
    {                                                                                       \
        KA_VEC_BOUND_(name, drop_at, at_, self_->len);                                      \
        T item_ = name##_remove(self_, at_);                                                \
        drop(&item_);                                                                       \
    }                                                                                       \
                                                                                            \
    KA_OWNER_CALL_ void name##_truncate(name *self_, size_t len_)                           \
    {                                                                                       \
        size_t end_ = self_->len;                                                           \
        if (len_ >= end_)                                                                   \
            return;                                                                         \
        self_->len = len_;                                                                  \
        for (size_t at_ = len_; at_ < end_; at_++)                                          \
            drop(&self_->items[at_]);                                                       \
    }                                                                                       \
                                                                                            \
    KA_OWNER_CALL_ void name##_clear(name *self_)                                           \
    {                                                                                       \
        name##_truncate(self_, 0);                                                          \
    }                                                                                       \
                                                                                            \
    KA_OWNER_CALL_ void name##_drop(name *self_)                                            \
    {                                                                                       \
        name taken_ = *self_;                                                               \
        *self_ = name##_in(NULL);                                                           \
        name##_truncate(&taken_, 0);                                                        \
        if (taken_.items != NULL)                                                           \
            ka_free(taken_.allocator, taken_.items, taken_.cap * sizeof(T), KA_ALIGNOF(T)); \
    }                                                                                       \
                                                                                            \
    KA_OWNER_RESULT_ bool name##_resize(name *self_, size_t len_)                           \
    {                                                                                       \
        if (len_ <= self_->len) {                                                           \
            name##_truncate(self_, len_);                                                   \
            return true;                                                                    \
        }                                                                                   \
        if (!name##_reserve(self_, len_ - self_->len))                                      \
            return false;                                                                   \
        ka_bytes_clear_(self_->items, self_->len, len_ - self_->len, sizeof(T));            \
        self_->len = len_;                                                                  \
        return true;                                                                        \
    }

#endif
