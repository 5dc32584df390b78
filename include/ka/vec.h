/* ka/vec.h: a growing row of items in one block.
 *
 * KA_VEC(name, T, drop) makes the type `name` and these functions; rules for all owners are in ka/owner.h.
 * The fields are for reading: `vec.items[0]` to `vec.items[vec.len - 1]`. Any function that may change the vec ends the
 * validity of pointers into it. Two macros, each on a line below KA_VEC, add functions for types that have an order or
 * a clone: KA_VEC_ORDER(name, T, compare) and KA_VEC_CLONE(name, T, clone).
 *
 *   name name_in(ka_allocator *a)                  an empty vec that will grow in this allocator; allocates nothing.
 *                                                  An all-zero vec has no allocator: what needs one fails
 *   name name_take(name *vec)                      moves the vec out; `*vec` is empty and keeps its allocator
 *   void name_drop(name *vec)                      drops the items, first to last, frees the block; `*vec` is all-zero
 *   const char *name_check(const name *vec)        NULL, or the first broken fact in words. Constant
 *
 * Room. cap counts items. Growing more than doubles cap (4, 12, 28, 60, ...) or, where so much cannot be had, takes a
 * quarter more, so that n pushes cost O(n); to use a bounded heap up to its end, reserve_exact. After a reserve the
 * next `more` items need no memory: any context.
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
 *   bool name_split_off(name *vec, size_t at, name *out)       moves the items from `at` on to a new vec in the same
 *                                                              allocator; `*out` must own nothing. False if there is no
 *                                                              memory: nothing has changed. O(len - at)
 *   name_drain name_drain_of(name *vec, size_t from, size_t to)    takes out the items from `from` to before `to`:
 *   bool name_drain_next(name_drain *drain, T *out)            the next one; false and `*out` untouched after the last
 *   void name_drain_drop(name_drain *drain)                    drops those that were not taken, closes the gap. Until
 *                                                              then the vec ends at `from` and must not be changed.
 *                                                              O(len - from)
 *
 * Items dropped, each once. O(dropped).
 *   void name_drop_at(name *vec, size_t at)                    a remove for an item that nobody wants
 *   void name_truncate(name *vec, size_t len)                  those from `len` on; the block stays
 *   void name_clear(name *vec)                                 all; the block stays
 *   KA_VEC_RETAIN(name, T, item, vec, keep)                    those for which the expression `keep`, about `T *item`,
 *                                                              is false; the others stay in order. O(len)
 *
 * Items borrowed.
 *   T *name_at(const name *vec, size_t at)                     stops if there is none
 *   T *name_get(const name *vec, size_t at)                    NULL if there is none
 *   T *name_first(const name *vec), *name_last(const name *vec)    NULL if there is none
 *   size_t name_len(const name *vec), name_cap(const name *vec)
 *   bool name_is_empty(const name *vec)
 *   KA_VEC_EACH(T, item, vec) ...                              in order
 *
 * KA_VEC_ORDER: `int compare(T const *, T const *)` is under 0, 0 or over 0, a total order; or KA_COMPARE_NUMBERS.
 *   void name_sort(name *vec)                                  as ka/sort.h says: not stable, at most O(len log len),
 *                                                              no recursion, no memory: any context
 *   bool name_is_sorted(const name *vec)
 *   void name_dedup(name *vec)                                 of equal neighbours, keeps the first, drops the others
 *   size_t name_lower_bound(const name *vec, T key)            of a sorted vec, the first item that is not less than
 *   size_t name_upper_bound(const name *vec, T key)            the key, or is greater; len if there is none. O(log len)
 *   T *name_search(const name *vec, T key)                     the first that is equal; NULL if there is none. The key
 *                                                              is borrowed. O(log len)
 *
 * KA_VEC_CLONE: `bool clone(T *out, T const *from)`, false if there is no memory and `*out` owns nothing; or
 * KA_CLONE_BYTES.
 *   bool name_clone(name *out, const name *vec, ka_allocator *a)    a vec with clones of the items; `*out` must own
 *                                                              nothing. False if there is no memory: `*out` is empty
 *
 * The caller's errors stop: an index out of bounds in at, insert, remove, swap_remove, drop_at, split_off and drain_of,
 * "packet_vec_at: index out of bounds: the len is 3 but the index is 5"; a vec changed while it is drained; and, where
 * KA_CFG_DEBUG is 1, one whose block or len changes in a KA_VEC_EACH, which could go on in a block that was freed.
 */
#ifndef KA_VEC_H
#define KA_VEC_H

#include <ka/sort.h>

/* Visits the items in order, and must not change the vec: KA_VEC_EACH(struct packet, packet, &queue) send(packet); */
#define KA_VEC_EACH(T, item, vec)                                                                               \
    for (ka_vec_walk_ item##_walk_ = ka_vec_walk_of_((vec)->items, (vec)->len); item##_walk_.on;                \
         item##_walk_.on = false)                                                                               \
        for (T *item = (vec)->items;                                                                            \
             ka_vec_walk_holds_(&item##_walk_, (vec)->items, (vec)->len, __FILE__, __LINE__) && item != NULL && \
             item != (vec)->items + (vec)->len;                                                                 \
             item++)

/* KA_VEC_RETAIN(packet_vec, struct packet, packet, &queue, packet->age < 10); The vec is empty meanwhile, and must not
 * be changed. */
#define KA_VEC_RETAIN(name, T, item, vec, keep)                                                    \
    for (name##_sieve_ item##_sieve_ = name##_sieve_of_(vec); name##_sieve_next_(&item##_sieve_);) \
        for (T *item = item##_sieve_.seen; item != NULL; item = NULL)                              \
    name##_sieve_put_(&item##_sieve_, (keep))

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
    KA_VEC_DROP_(name, T, drop)    \
    KA_VEC_DRAIN_(name, T)         \
    KA_VEC_SIEVE_(name, T)

/* ---- private: the untyped core. `vec` points to a vec of any type; it must not be changed by drops meanwhile ---- */

KA_BEGIN_DECLS

/* Room for `more` items, or a little more. */
KA_MUST_USE bool ka_vec_reserve_(void *vec, size_t more, const ka_shape_ *shape);

/* The same for one item more, in a vec that is full. */
KA_MUST_USE bool ka_vec_grow_(void *vec, const ka_shape_ *shape);
KA_MUST_USE bool ka_vec_reserve_with_(void *vec, size_t more, const ka_shape_ *shape, bool exact, ka_flags flags);
KA_MUST_USE bool ka_vec_shrink_(void *vec, const ka_shape_ *shape);

/* A cleared item at the end, or a gap before the item `at`; NULL and nothing changed if there is no memory. */
KA_MUST_USE void *ka_vec_push_new_(void *vec, const ka_shape_ *shape);
KA_MUST_USE void *ka_vec_open_(void *vec, size_t at, const ka_shape_ *shape);

/* Copies of `n` items, which do not lie in the vec, at the end. */
KA_MUST_USE bool ka_vec_extend_(void *vec, const void *from, size_t n, const ka_shape_ *shape);
KA_MUST_USE bool ka_vec_append_(void *vec, void *other, const ka_shape_ *shape);
KA_MUST_USE bool ka_vec_split_off_(void *vec, size_t at, const ka_shape_ *shape, void *out);

/* Cleared items at the end, until there are `len`. */
KA_MUST_USE bool ka_vec_lengthen_(void *vec, size_t len, const ka_shape_ *shape);

/* Moves an item to `*out`. */
void ka_vec_remove_(void *vec, size_t at, const ka_shape_ *shape, void *out);
void ka_vec_swap_remove_(void *vec, size_t at, const ka_shape_ *shape, void *out);

/* Moves the vec to `*out`; it is all-zero. */
void ka_vec_move_(void *vec, void *out);

/* Frees the block; it is all-zero. */
void ka_vec_free_(void *vec, const ka_shape_ *shape);

/* Stops unless from <= to <= len; makes `from` the len and returns what it was. */
KA_MUST_USE size_t ka_vec_cut_(void *vec, size_t from, size_t to, const ka_shape_ *shape);

/* Stops if that is not the len any more, or there is less room. */
void ka_vec_still_cut_(const void *vec, size_t from, size_t end, const ka_shape_ *shape);

/* The end of that: the same; then moves the items from `to` to before `end` down to `from`. */
void ka_vec_join_(void *vec, size_t from, size_t to, size_t end, const ka_shape_ *shape);

KA_MUST_USE const char *ka_vec_check_(const void *vec, const ka_shape_ *shape);

/* Stop: the caller's error. */
KA_NORETURN void ka_vec_out_of_bounds_(const void *vec, size_t at, const ka_shape_ *shape, const char *what);
KA_NORETURN void ka_vec_at_fails_(const void *vec, size_t at, const ka_shape_ *shape);
KA_NORETURN void ka_vec_changed_(const char *file, unsigned line);

KA_END_DECLS

/* What a vec was when a walk began. */
typedef struct ka_vec_walk_ {
    const void *items;
    size_t len;
    bool on;
} ka_vec_walk_;

KA_UNUSED static inline ka_vec_walk_ ka_vec_walk_of_(const void *items, size_t len)
{
    ka_vec_walk_ made = { items, len, true };
    return made;
}

KA_UNUSED static inline bool ka_vec_walk_holds_(const ka_vec_walk_ *walk, const void *items, size_t len,
                                                const char *file, unsigned line)
{
    if (KA_CFG_DEBUG && KA_UNLIKELY(items != walk->items || len != walk->len))
        ka_vec_changed_(file, line);
    return true;
}

/* ---- private: the parts of KA_VEC_CODE ---- */

#define KA_VEC_BORROW_(name, T)                                                                               \
    KA_UNUSED static const ka_shape_ name##_shape_ = { sizeof(T), KA_ALIGNOF(T), #name, __FILE__, __LINE__ }; \
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
    KA_OWNER_RESULT_ T *name##_get(const name *self_, size_t at_)                                             \
    {                                                                                                         \
        return at_ < self_->len ? &self_->items[at_] : NULL;                                                  \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_at(const name *self_, size_t at_)                                              \
    {                                                                                                         \
        if (KA_UNLIKELY(at_ >= self_->len))                                                                   \
            ka_vec_at_fails_(self_, at_, &name##_shape_);                                                     \
        return &self_->items[at_];                                                                            \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_first(const name *self_)                                                       \
    {                                                                                                         \
        return name##_get(self_, 0);                                                                          \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ T *name##_last(const name *self_)                                                        \
    {                                                                                                         \
        return name##_get(self_, self_->len - 1);                                                             \
    }                                                                                                         \
                                                                                                              \
    KA_OWNER_RESULT_ const char *name##_check(const name *self_)                                              \
    {                                                                                                         \
        return ka_vec_check_(self_, &name##_shape_);                                                          \
    }

#define KA_VEC_ROOM_(name, T)                                                              \
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
        return ka_vec_reserve_(self_, more_, &name##_shape_);                              \
    }                                                                                      \
                                                                                           \
    KA_OWNER_RESULT_ bool name##_reserve_with(name *self_, size_t more_, ka_flags flags_)  \
    {                                                                                      \
        return ka_vec_reserve_with_(self_, more_, &name##_shape_, false, flags_);          \
    }                                                                                      \
                                                                                           \
    KA_OWNER_RESULT_ bool name##_reserve_exact(name *self_, size_t more_, ka_flags flags_) \
    {                                                                                      \
        return ka_vec_reserve_with_(self_, more_, &name##_shape_, true, flags_);           \
    }                                                                                      \
                                                                                           \
    KA_OWNER_CALL_ bool name##_shrink(name *self_)                                         \
    {                                                                                      \
        return ka_vec_shrink_(self_, &name##_shape_);                                      \
    }

#define KA_VEC_IN_(name, T)                                                                      \
    KA_OWNER_RESULT_ bool name##_push(name *self_, T item_)                                      \
    {                                                                                            \
        size_t len_ = self_->len;                                                                \
        if (KA_UNLIKELY(len_ == self_->cap) && !ka_vec_grow_(self_, &name##_shape_))            \
            return false;                                                                        \
        self_->items[len_] = item_; /* before the length: it might be there, for all that compilers know */ \
        self_->len = len_ + 1;                                                                   \
        return true;                                                                             \
    }                                                                                            \
                                                                                                 \
    KA_OWNER_RESULT_ T *name##_push_new(name *self_)                                             \
    {                                                                                            \
        return (T *)ka_vec_push_new_(self_, &name##_shape_);                                     \
    }                                                                                            \
                                                                                                 \
    KA_OWNER_RESULT_ bool name##_insert(name *self_, size_t at_, T item_)                        \
    {                                                                                            \
        T *gap_ = (T *)ka_vec_open_(self_, at_, &name##_shape_);                                 \
        if (gap_ == NULL)                                                                        \
            return false;                                                                        \
        *gap_ = item_;                                                                           \
        return true;                                                                             \
    }                                                                                            \
                                                                                                 \
    KA_OWNER_RESULT_ bool name##_extend(name *self_, T const *items_, size_t n_)                 \
    {                                                                                            \
        return ka_vec_extend_(self_, items_, n_, &name##_shape_);                                \
    }                                                                                            \
                                                                                                 \
    KA_OWNER_RESULT_ bool name##_append(name *self_, name *other_)                               \
    {                                                                                            \
        return ka_vec_append_(self_, other_, &name##_shape_);                                    \
    }

#define KA_VEC_OUT_(name, T)                                                    \
    KA_OWNER_RESULT_ bool name##_pop(name *self_, T *out_)                      \
    {                                                                           \
        if (self_->len == 0)                                                    \
            return false;                                                       \
        *out_ = self_->items[--self_->len];                                     \
        return true;                                                            \
    }                                                                           \
                                                                                \
    KA_OWNER_RESULT_ T name##_remove(name *self_, size_t at_)                   \
    {                                                                           \
        T item_;                                                                \
        ka_vec_remove_(self_, at_, &name##_shape_, &item_);                     \
        return item_;                                                           \
    }                                                                           \
                                                                                \
    KA_OWNER_RESULT_ T name##_swap_remove(name *self_, size_t at_)              \
    {                                                                           \
        T item_;                                                                \
        ka_vec_swap_remove_(self_, at_, &name##_shape_, &item_);                \
        return item_;                                                           \
    }                                                                           \
                                                                                \
    KA_OWNER_RESULT_ bool name##_split_off(name *self_, size_t at_, name *out_) \
    {                                                                           \
        return ka_vec_split_off_(self_, at_, &name##_shape_, out_);             \
    }

#define KA_VEC_DROP_(name, T, drop)                                       \
    KA_OWNER_CALL_ void name##_drop_item_(T *item_)                       \
    {                                                                     \
        drop(item_);                                                      \
    }                                                                     \
                                                                          \
    KA_OWNER_CALL_ void name##_drop_at(name *self_, size_t at_)           \
    {                                                                     \
        if (KA_UNLIKELY(at_ >= self_->len))                               \
            ka_vec_out_of_bounds_(self_, at_, &name##_shape_, "drop_at"); \
        T item_ = name##_remove(self_, at_);                              \
        drop(&item_);                                                     \
    }                                                                     \
                                                                          \
    KA_OWNER_CALL_ void name##_truncate(name *self_, size_t len_)         \
    {                                                                     \
        size_t end_ = self_->len;                                         \
        if (len_ >= end_)                                                 \
            return;                                                       \
        self_->len = len_;                                                \
        for (size_t at_ = len_; at_ < end_; at_++)                        \
            drop(&self_->items[at_]);                                     \
    }                                                                     \
                                                                          \
    KA_OWNER_CALL_ void name##_clear(name *self_)                         \
    {                                                                     \
        name##_truncate(self_, 0);                                        \
    }                                                                     \
                                                                          \
    KA_OWNER_CALL_ void name##_drop(name *self_)                          \
    {                                                                     \
        name taken_;                                                      \
        ka_vec_move_(self_, &taken_);                                     \
        name##_truncate(&taken_, 0);                                      \
        ka_vec_free_(&taken_, &name##_shape_);                            \
    }                                                                     \
                                                                          \
    KA_OWNER_RESULT_ bool name##_resize(name *self_, size_t len_)         \
    {                                                                     \
        name##_truncate(self_, len_);                                     \
        return ka_vec_lengthen_(self_, len_, &name##_shape_);             \
    }

#define KA_VEC_DRAIN_(name, T)                                                           \
    typedef struct name##_drain {                                                        \
        name *vec; /* NULL: ended */                                                     \
        size_t from, at, to, end;                                                        \
    } name##_drain;                                                                      \
                                                                                         \
    KA_OWNER_RESULT_ name##_drain name##_drain_of(name *self_, size_t from_, size_t to_) \
    {                                                                                    \
        name##_drain made_ = KA_EMPTY_;                                                  \
        made_.end = ka_vec_cut_(self_, from_, to_, &name##_shape_);                      \
        made_.vec = self_;                                                               \
        made_.from = made_.at = from_;                                                   \
        made_.to = to_;                                                                  \
        return made_;                                                                    \
    }                                                                                    \
                                                                                         \
    KA_OWNER_RESULT_ bool name##_drain_next(name##_drain *drain_, T *out_)               \
    {                                                                                    \
        if (drain_->at == drain_->to)                                                    \
            return false;                                                                \
        *out_ = drain_->vec->items[drain_->at++];                                        \
        return true;                                                                     \
    }                                                                                    \
                                                                                         \
    KA_OWNER_CALL_ void name##_drain_drop(name##_drain *drain_)                          \
    {                                                                                    \
        name##_drain left_ = *drain_, ended_ = KA_EMPTY_;                                \
        *drain_ = ended_;                                                                \
        if (left_.at < left_.to) /* else there is nothing to drop in it */               \
            ka_vec_still_cut_(left_.vec, left_.from, left_.end, &name##_shape_);         \
        for (; left_.at < left_.to; left_.at++)                                          \
            name##_drop_item_(&left_.vec->items[left_.at]);                              \
        if (left_.vec != NULL)                                                           \
            ka_vec_join_(left_.vec, left_.from, left_.to, left_.end, &name##_shape_);    \
    }

/* What stays moves down over what does not. */
#define KA_VEC_SIEVE_(name, T)                                               \
    typedef struct name##_sieve_ {                                           \
        name *vec;                                                           \
        size_t kept, at, end;                                                \
        T *seen;                                                             \
    } name##_sieve_;                                                         \
                                                                             \
    KA_OWNER_RESULT_ name##_sieve_ name##_sieve_of_(name *self_)             \
    {                                                                        \
        name##_sieve_ made_ = KA_EMPTY_;                                     \
        made_.vec = self_;                                                   \
        made_.end = ka_vec_cut_(self_, 0, 0, &name##_shape_);                \
        return made_;                                                        \
    }                                                                        \
                                                                             \
    KA_OWNER_RESULT_ bool name##_sieve_next_(name##_sieve_ *sieve_)          \
    {                                                                        \
        if (sieve_->at == sieve_->end) {                                     \
            ka_vec_join_(sieve_->vec, 0, 0, sieve_->kept, &name##_shape_);   \
            return false;                                                    \
        }                                                                    \
        sieve_->seen = &sieve_->vec->items[sieve_->at++];                    \
        return true;                                                         \
    }                                                                        \
                                                                             \
    KA_OWNER_CALL_ void name##_sieve_put_(name##_sieve_ *sieve_, bool keep_) \
    {                                                                        \
        if (keep_)                                                           \
            sieve_->vec->items[sieve_->kept++] = *sieve_->seen;              \
        else                                                                 \
            name##_drop_item_(sieve_->seen);                                 \
    }

#define KA_VEC_CLONE(name, T, clone)                                                    \
    KA_CLONE_FITS_(name, T, clone)                                                      \
                                                                                        \
    KA_OWNER_RESULT_ bool name##_clone(name *out_, const name *from_, ka_allocator *a_) \
    {                                                                                   \
        name made_ = name##_in(a_);                                                     \
        bool cloned_ = name##_reserve_exact(&made_, from_->len, 0);                     \
        while (cloned_ && made_.len < from_->len) {                                     \
            cloned_ = clone(&made_.items[made_.len], &from_->items[made_.len]);         \
            made_.len += cloned_;                                                       \
        }                                                                               \
        if (!cloned_)                                                                   \
            name##_drop(&made_);                                                        \
        *out_ = made_;                                                                  \
        return cloned_;                                                                 \
    }

#define KA_VEC_ORDER(name, T, compare)                                                                                 \
    KA_COMPARE_FITS_(name, T, compare)                                                                                 \
    KA_SORT(name##_sorter, T, compare)                                                                                 \
                                                                                                                       \
    KA_OWNER_CALL_ void name##_sort(name *self_)                                                                       \
    {                                                                                                                  \
        name##_sorter(self_->items, self_->len);                                                                       \
    }                                                                                                                  \
                                                                                                                       \
    KA_OWNER_RESULT_ bool name##_is_sorted(const name *self_)                                                          \
    {                                                                                                                  \
        return name##_sorter_run(self_->items, self_->len) == self_->len;                                              \
    }                                                                                                                  \
                                                                                                                       \
    KA_OWNER_CALL_ void name##_dedup(name *self_)                                                                      \
    {                                                                                                                  \
        name##_sieve_ sieve_ = name##_sieve_of_(self_);                                                                \
        while (name##_sieve_next_(&sieve_))                                                                            \
            name##_sieve_put_(&sieve_, sieve_.kept == 0 || compare(&self_->items[sieve_.kept - 1], sieve_.seen) != 0); \
    }                                                                                                                  \
                                                                                                                       \
    KA_OWNER_RESULT_ size_t name##_bound_(const name *self_, T const *key_, int over_)                                 \
    {                                                                                                                  \
        size_t at_ = 0, n_ = self_->len;                                                                               \
        while (n_ > 0) {                                                                                               \
            size_t half_ = n_ / 2;                                                                                     \
            bool before_ = compare(&self_->items[at_ + half_], key_) < over_;                                          \
            at_ += before_ ? half_ + 1 : 0;                                                                            \
            n_ = before_ ? n_ - half_ - 1 : half_;                                                                     \
        }                                                                                                              \
        return at_;                                                                                                    \
    }                                                                                                                  \
                                                                                                                       \
    KA_OWNER_RESULT_ size_t name##_lower_bound(const name *self_, T key_)                                              \
    {                                                                                                                  \
        return name##_bound_(self_, &key_, 0);                                                                         \
    }                                                                                                                  \
                                                                                                                       \
    KA_OWNER_RESULT_ size_t name##_upper_bound(const name *self_, T key_)                                              \
    {                                                                                                                  \
        return name##_bound_(self_, &key_, 1);                                                                         \
    }                                                                                                                  \
                                                                                                                       \
    KA_OWNER_RESULT_ T *name##_search(const name *self_, T key_)                                                       \
    {                                                                                                                  \
        size_t at_ = name##_bound_(self_, &key_, 0);                                                                   \
        return at_ < self_->len && compare(&self_->items[at_], &key_) == 0 ? &self_->items[at_] : NULL;                \
    }

#endif
