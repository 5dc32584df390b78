/* ka/slice.h: a fixed number of items in one block, with one owner: a boxed array.
 *
 * KA_SLICE(name, T, drop) makes the type `name` and these functions; rules for all owners are in ka/owner.h. The fields
 * are for reading: `slice.items[0]` to `slice.items[slice.len - 1]`. A slice is a vec without room, a word smaller. T
 * may be aligned to more than the allocator's own alignment. Items are sorted by KA_SORT of ka/sort.h.
 *
 *   T *name_new(name *slice, ka_allocator *a, size_t n)               n cleared items. O(n)
 *   T *name_new_with(name *slice, ka_allocator *a, size_t n, flags)   the same, in the caller's context
 *   T *name_new_uninit(name *slice, ka_allocator *a, size_t n, flags) contents undefined, to be filled before any drop
 *   T *name_make(name *slice, ka_allocator *a, const T *items, size_t n)    n items moved in by their bytes. O(n)
 *       returns  the first item, borrowed, a pointer to nothing if n is 0; NULL if there is no memory or `a` is NULL:
 *                the slice is as it was, and the items are still the caller's. What it held is dropped on success.
 *
 *   name name_take(name *slice)                    moves the slice out; `*slice` is empty
 *   void name_drop(name *slice)                    drops the items, first to last, frees the block; it is all-zero
 *   T *name_into_raw(name *slice, size_t *n)       gives the items up: the caller owns the block of n items
 *   T *name_leak(name *slice, size_t *n)           the same, for items that stay for ever
 *   name name_from_raw(T *items, size_t n, ka_allocator *a)    the way back: a slice that owns the items, a block of
 *                                                  this allocator for just n items with T's size and alignment
 *   const char *name_check(const name *slice)      NULL, or the first broken fact in words. Constant
 *
 * Items borrowed.
 *   T *name_at(const name *slice, size_t at)       stops if there is none
 *   T *name_get(const name *slice, size_t at)      NULL if there is none
 *   T *name_first(const name *slice), *name_last(const name *slice)    NULL if there is none
 *   size_t name_len(const name *slice)
 *   bool name_is_empty(const name *slice)
 *   KA_SLICE_EACH(T, item, slice) ...              in order
 *
 * KA_SLICE_VEC(name, vec), on a line below, for a type of ka/vec.h with the same items:
 *   bool name_from_vec(name *slice, vec *from)     moves all items of a vec; where it is full, in place. Else its room
 *                                                  is given back first, which may copy, and fail: then false, and both
 *                                                  are as they were. `*from` is empty and keeps its allocator
 *   vec name_into_vec(name *slice)                 a full vec, in place; the slice is empty. Never fails: any context
 *
 * KA_SLICE_CLONE(name, T, clone), on a line below: as KA_VEC_CLONE of ka/vec.h.
 *   bool name_clone(name *out, const name *slice, ka_allocator *a)
 */
#ifndef KA_SLICE_H
#define KA_SLICE_H

#include <ka/owner.h>

#define KA_SLICE_EACH(T, item, slice) \
    for (T *item = (slice)->items; item != NULL && item != (slice)->items + (slice)->len; item++)

#define KA_SLICE(name, T, drop) \
    KA_SLICE_TYPE(name, T)      \
    KA_SLICE_CODE(name, T, drop)

#define KA_SLICE_TYPE(name, T)   \
    typedef struct name {        \
        T *items;                \
        size_t len; /* items */  \
        ka_allocator *allocator; \
    } name;

#define KA_SLICE_CODE(name, T, drop) \
    KA_DROP_FITS_(name, T, drop)     \
    KA_SLICE_BORROW_(name, T)        \
    KA_SLICE_LIFE_(name, T, drop)    \
    KA_SLICE_NEW_(name, T)

/* ---- private: the untyped core (src/owner/slice.c). `slice` points to a slice of any type ---- */

KA_BEGIN_DECLS

KA_MUST_USE void *ka_slice_new_(ka_allocator *a, size_t n, const ka_shape_ *shape, ka_flags flags);

/* Makes the vec full and moves it to the slice, which owns nothing. */
KA_MUST_USE bool ka_slice_from_vec_(void *slice, void *vec, const ka_shape_ *shape);
void ka_slice_into_vec_(void *slice, void *vec);

KA_MUST_USE const char *ka_slice_check_(const void *slice, const ka_shape_ *shape);
KA_NORETURN void ka_slice_at_fails_(const void *slice, size_t at, const ka_shape_ *shape);

KA_END_DECLS

/* ---- private: the parts of KA_SLICE_CODE ---- */

#define KA_SLICE_BORROW_(name, T)                                                                             \
    KA_UNUSED static const ka_shape_ name##_shape_ = { sizeof(T), KA_ALIGNOF(T), #name, __FILE__, __LINE__ }; \
                                                                                                              \
    KA_OWNER_CALL_ size_t name##_len(const name *self_)                                                       \
    {                                                                                                         \
        return self_->len;                                                                                    \
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
            ka_slice_at_fails_(self_, at_, &name##_shape_);                                                   \
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
        return ka_slice_check_(self_, &name##_shape_);                                                        \
    }

#define KA_SLICE_LIFE_(name, T, drop)                                                       \
    KA_OWNER_RESULT_ name name##_take(name *self_)                                          \
    {                                                                                       \
        name taken_ = *self_, empty_ = KA_EMPTY_;                                           \
        *self_ = empty_;                                                                    \
        return taken_;                                                                      \
    }                                                                                       \
                                                                                            \
    KA_OWNER_CALL_ void name##_drop_item_(T *item_)                                         \
    {                                                                                       \
        drop(item_);                                                                        \
    }                                                                                       \
                                                                                            \
    KA_OWNER_CALL_ void name##_drop(name *self_)                                            \
    {                                                                                       \
        name taken_ = name##_take(self_);                                                   \
        for (size_t at_ = 0; at_ < taken_.len; at_++)                                       \
            drop(&taken_.items[at_]);                                                       \
        if (taken_.len != 0)                                                                \
            ka_free(taken_.allocator, taken_.items, taken_.len * sizeof(T), KA_ALIGNOF(T)); \
    }                                                                                       \
                                                                                            \
    KA_OWNER_RESULT_ name name##_from_raw(T *items_, size_t n_, ka_allocator *a_)           \
    {                                                                                       \
        name made_ = KA_EMPTY_;                                                             \
        made_.items = items_;                                                               \
        made_.len = n_;                                                                     \
        made_.allocator = a_;                                                               \
        return made_;                                                                       \
    }                                                                                       \
                                                                                            \
    KA_OWNER_RESULT_ T *name##_into_raw(name *self_, size_t *n_)                            \
    {                                                                                       \
        *n_ = self_->len;                                                                   \
        return name##_take(self_).items;                                                    \
    }                                                                                       \
                                                                                            \
    KA_OWNER_CALL_ T *name##_leak(name *self_, size_t *n_)                                  \
    {                                                                                       \
        return name##_into_raw(self_, n_);                                                  \
    }

#define KA_SLICE_NEW_(name, T)                                                                       \
    KA_OWNER_CALL_ T *name##_become_(name *self_, name made_)                                        \
    {                                                                                                \
        name old_ = *self_;                                                                          \
        *self_ = made_;                                                                              \
        name##_drop(&old_);                                                                          \
        return made_.items;                                                                          \
    }                                                                                                \
                                                                                                     \
    KA_OWNER_RESULT_ T *name##_new_uninit(name *self_, ka_allocator *a_, size_t n_, ka_flags flags_) \
    {                                                                                                \
        T *items_ = (T *)ka_slice_new_(a_, n_, &name##_shape_, flags_);                              \
        return items_ != NULL ? name##_become_(self_, name##_from_raw(items_, n_, a_)) : NULL;       \
    }                                                                                                \
                                                                                                     \
    KA_OWNER_RESULT_ T *name##_new_with(name *self_, ka_allocator *a_, size_t n_, ka_flags flags_)   \
    {                                                                                                \
        return name##_new_uninit(self_, a_, n_, flags_ | KA_ZERO);                                   \
    }                                                                                                \
                                                                                                     \
    KA_OWNER_RESULT_ T *name##_new(name *self_, ka_allocator *a_, size_t n_)                         \
    {                                                                                                \
        return name##_new_uninit(self_, a_, n_, KA_ZERO);                                            \
    }                                                                                                \
                                                                                                     \
    KA_OWNER_RESULT_ T *name##_make(name *self_, ka_allocator *a_, T const *from_, size_t n_)        \
    {                                                                                                \
        T *items_ = (T *)ka_slice_new_(a_, n_, &name##_shape_, 0);                                   \
        if (items_ == NULL)                                                                          \
            return NULL;                                                                             \
        if (n_ != 0)                                                                                 \
            ka_bytes_append_(items_, 0, from_, n_, sizeof(T));                                       \
        return name##_become_(self_, name##_from_raw(items_, n_, a_));                               \
    }

#define KA_SLICE_VEC(name, vec_name)                                               \
    KA_OWNER_RESULT_ bool name##_from_vec(name *self_, vec_name *from_)            \
    {                                                                              \
        name made_ = KA_EMPTY_;                                                    \
        (void)sizeof(name##_from_raw(from_->items, 0, NULL)); /* the same items */ \
        if (!ka_slice_from_vec_(&made_, from_, &name##_shape_))                    \
            return false;                                                          \
        name##_become_(self_, made_);                                              \
        return true;                                                               \
    }                                                                              \
                                                                                   \
    KA_OWNER_RESULT_ vec_name name##_into_vec(name *self_)                         \
    {                                                                              \
        vec_name made_;                                                            \
        ka_slice_into_vec_(self_, &made_);                                         \
        return made_;                                                              \
    }

#define KA_SLICE_CLONE(name, T, clone)                                                          \
    KA_CLONE_FITS_(name, T, clone)                                                              \
                                                                                                \
    KA_OWNER_RESULT_ bool name##_clone(name *out_, const name *from_, ka_allocator *a_)         \
    {                                                                                           \
        name made_ = KA_EMPTY_;                                                                 \
        size_t n_ = 0;                                                                          \
        bool cloned_ = from_->len == 0 || name##_new_uninit(&made_, a_, from_->len, 0) != NULL; \
        for (; cloned_ && n_ < from_->len; n_ += cloned_)                                       \
            cloned_ = clone(&made_.items[n_], &from_->items[n_]);                               \
        if (!cloned_ && made_.items != NULL) {                                                  \
            for (size_t at_ = 0; at_ < n_; at_++)                                               \
                name##_drop_item_(&made_.items[at_]);                                           \
            ka_free(a_, made_.items, made_.len * sizeof(T), KA_ALIGNOF(T));                     \
            made_ = name##_from_raw(NULL, 0, NULL);                                             \
        }                                                                                       \
        *out_ = made_;                                                                          \
        return cloned_;                                                                         \
    }

#endif
