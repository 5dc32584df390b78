/* ka/box.h: one value in a block of its own, with one owner.
 *
 * KA_BOX(name, T, drop) makes the type `name` and these functions; rules for all owners are in ka/owner.h.
 * The type's size is two pointers. T may be aligned to more than the allocator's own alignment.
 *
 *   T *name_new(name *box, ka_allocator *a)                   a cleared value
 *   T *name_new_with(name *box, ka_allocator *a, flags)       the same, in the caller's context
 *   T *name_new_uninit(name *box, ka_allocator *a, flags)     contents undefined, to be filled before any drop
 *   T *name_make(name *box, ka_allocator *a, T value)         the value moved in
 *   T *name_from_bytes(name *box, ka_allocator *a, const void *bytes, size_t n)    the first n bytes of the value, the
 *                                                             rest cleared; NULL also if n is more than T has
 *       returns  the value, borrowed until the box is dropped or changed; NULL if there is no memory or `a` is NULL:
 *                the box is as it was, and `value` is still the caller's. What the box held is dropped on success.
 *
 *   T *name_get(const name *box)               borrows the value; NULL if the box is empty
 *   name name_take(name *box)                  moves the box out; `*box` is empty
 *   void name_drop(name *box)                  drops the value, frees the block; the box is empty
 *   bool name_replace(name *box, T value, T *old)    puts another value into the block and moves the old one out,
 *                                              without dropping it; false, nothing changed, if the box is empty
 *   bool name_into_inner(name *box, T *out)    moves the value out without dropping it and frees the block; false and
 *                                              `*out` untouched if the box is empty
 *   T *name_into_raw(name *box)                gives the value up: the box is empty, the caller owns the block
 *   T *name_leak(name *box)                    the same, for a value that stays for ever
 *   name name_from_raw(T *value, ka_allocator *a)    the way back: a box that owns `value`, a block of this allocator
 *                                                    with T's size and alignment
 *   const char *name_check(const name *box)    NULL, or the first broken fact in words
 *
 * KA_BOX_CLONE(name, T, clone), on a line below: `bool clone(T *out, T const *from)`, false if there is no memory and
 * `*out` owns nothing; or KA_CLONE_BYTES.
 *   bool name_clone(name *out, const name *box, ka_allocator *a)    a box with a clone of the value, or empty as the
 *                                              other; `*out` must be empty. False if there is no memory: it is empty
 *
 * A chain of boxes, each in the value of the one before, is dropped in a loop, in a bounded stack, by a box made with
 *   KA_BOX_CHAIN_CODE(name, T, link, drop)     in place of KA_BOX_CODE
 * `link` is T's member that is the next box. When `drop` is called, it is empty.
 */
#ifndef KA_BOX_H
#define KA_BOX_H

#include <ka/owner.h>

#define KA_BOX(name, T, drop) \
    KA_BOX_TYPE(name, T)      \
    KA_BOX_CODE(name, T, drop)

#define KA_BOX_TYPE(name, T)     \
    typedef struct name {        \
        T *value;                \
        ka_allocator *allocator; \
    } name;

#define KA_BOX_CODE(name, T, drop) \
    KA_DROP_FITS_(name, T, drop)   \
    KA_BOX_BASE_(name, T)          \
    KA_BOX_DROP_(name, T, drop)    \
    KA_BOX_REST_(name, T)

#define KA_BOX_CHAIN_CODE(name, T, link, drop) \
    KA_DROP_FITS_(name, T, drop)               \
    KA_BOX_BASE_(name, T)                      \
    KA_BOX_CHAIN_DROP_(name, T, link, drop)    \
    KA_BOX_REST_(name, T)

/* ---- private: the parts ---- */

#define KA_BOX_BASE_(name, T)                         \
    KA_OWNER_RESULT_ T *name##_get(const name *self_) \
    {                                                 \
        return self_->value;                          \
    }                                                 \
                                                      \
    KA_OWNER_RESULT_ name name##_take(name *self_)    \
    {                                                 \
        name taken_ = *self_, empty_ = KA_EMPTY_;     \
        *self_ = empty_;                              \
        return taken_;                                \
    }

#define KA_BOX_DROP_(name, T, drop)                                        \
    KA_OWNER_CALL_ void name##_drop(name *self_)                           \
    {                                                                      \
        name taken_ = name##_take(self_);                                  \
        if (taken_.value == NULL)                                          \
            return;                                                        \
        drop(taken_.value);                                                \
        ka_free(taken_.allocator, taken_.value, sizeof(T), KA_ALIGNOF(T)); \
    }

#define KA_BOX_CHAIN_DROP_(name, T, link, drop)                                \
    KA_OWNER_CALL_ void name##_drop(name *self_)                               \
    {                                                                          \
        name taken_ = name##_take(self_);                                      \
        while (taken_.value != NULL) {                                         \
            name next_ = name##_take(&taken_.value->link);                     \
            drop(taken_.value);                                                \
            ka_free(taken_.allocator, taken_.value, sizeof(T), KA_ALIGNOF(T)); \
            taken_ = next_;                                                    \
        }                                                                      \
    }

#define KA_BOX_REST_(name, T)                                                                           \
    KA_OWNER_RESULT_ name name##_from_raw(T *value_, ka_allocator *a_)                                  \
    {                                                                                                   \
        name made_ = KA_EMPTY_;                                                                         \
        made_.value = value_;                                                                           \
        made_.allocator = a_;                                                                           \
        return made_;                                                                                   \
    }                                                                                                   \
                                                                                                        \
    KA_OWNER_RESULT_ T *name##_into_raw(name *self_)                                                    \
    {                                                                                                   \
        return name##_take(self_).value;                                                                \
    }                                                                                                   \
                                                                                                        \
    KA_OWNER_CALL_ T *name##_leak(name *self_)                                                          \
    {                                                                                                   \
        return name##_take(self_).value;                                                                \
    }                                                                                                   \
                                                                                                        \
    KA_OWNER_RESULT_ bool name##_replace(name *self_, T value_, T *old_)                                \
    {                                                                                                   \
        if (self_->value == NULL)                                                                       \
            return false;                                                                               \
        *old_ = *self_->value;                                                                          \
        *self_->value = value_;                                                                         \
        return true;                                                                                    \
    }                                                                                                   \
                                                                                                        \
    KA_OWNER_RESULT_ bool name##_into_inner(name *self_, T *out_)                                       \
    {                                                                                                   \
        name taken_ = name##_take(self_);                                                               \
        if (taken_.value == NULL)                                                                       \
            return false;                                                                               \
        *out_ = *taken_.value;                                                                          \
        ka_free(taken_.allocator, taken_.value, sizeof(T), KA_ALIGNOF(T));                              \
        return true;                                                                                    \
    }                                                                                                   \
                                                                                                        \
    KA_OWNER_RESULT_ T *name##_new_uninit(name *self_, ka_allocator *a_, ka_flags flags_)               \
    {                                                                                                   \
        T *value_ = (T *)ka_bytes_new_(a_, sizeof(T), KA_ALIGNOF(T), flags_);                           \
        if (value_ == NULL)                                                                             \
            return NULL;                                                                                \
        name old_ = *self_;                                                                             \
        *self_ = name##_from_raw(value_, a_);                                                           \
        name##_drop(&old_);                                                                             \
        return value_;                                                                                  \
    }                                                                                                   \
                                                                                                        \
    KA_OWNER_RESULT_ T *name##_new_with(name *self_, ka_allocator *a_, ka_flags flags_)                 \
    {                                                                                                   \
        return name##_new_uninit(self_, a_, flags_ | KA_ZERO);                                          \
    }                                                                                                   \
                                                                                                        \
    KA_OWNER_RESULT_ T *name##_new(name *self_, ka_allocator *a_)                                       \
    {                                                                                                   \
        return name##_new_uninit(self_, a_, KA_ZERO);                                                   \
    }                                                                                                   \
                                                                                                        \
    KA_OWNER_RESULT_ T *name##_make(name *self_, ka_allocator *a_, T value_)                            \
    {                                                                                                   \
        T *made_ = (T *)ka_bytes_new_(a_, sizeof(T), KA_ALIGNOF(T), 0);                                 \
        if (made_ == NULL)                                                                              \
            return NULL;                                                                                \
        *made_ = value_;                                                                                \
        name old_ = *self_;                                                                             \
        *self_ = name##_from_raw(made_, a_);                                                            \
        name##_drop(&old_);                                                                             \
        return made_;                                                                                   \
    }                                                                                                   \
                                                                                                        \
    KA_OWNER_RESULT_ T *name##_from_bytes(name *self_, ka_allocator *a_, const void *bytes_, size_t n_) \
    {                                                                                                   \
        name made_ = KA_EMPTY_;                                                                         \
        if (n_ > sizeof(T) || name##_new(&made_, a_) == NULL)                                           \
            return NULL;                                                                                \
        if (n_ != 0)                                                                                    \
            ka_bytes_append_(made_.value, 0, bytes_, 1, n_);                                            \
        name old_ = *self_;                                                                             \
        *self_ = made_;                                                                                 \
        name##_drop(&old_);                                                                             \
        return made_.value;                                                                             \
    }                                                                                                   \
                                                                                                        \
    KA_OWNER_RESULT_ const char *name##_check(const name *self_)                                        \
    {                                                                                                   \
        return ka_bytes_check_(self_->value, self_->allocator, KA_ALIGNOF(T));                          \
    }

#define KA_BOX_CLONE(name, T, clone)                                                     \
    KA_CLONE_FITS_(name, T, clone)                                                       \
                                                                                         \
    KA_OWNER_RESULT_ bool name##_clone(name *out_, const name *from_, ka_allocator *a_)  \
    {                                                                                    \
        name made_ = KA_EMPTY_;                                                          \
        bool cloned_ = from_->value == NULL || name##_new_uninit(&made_, a_, 0) != NULL; \
        if (cloned_ && from_->value != NULL && !clone(made_.value, from_->value)) {      \
            ka_free(a_, name##_into_raw(&made_), sizeof(T), KA_ALIGNOF(T));              \
            cloned_ = false;                                                             \
        }                                                                                \
        *out_ = made_;                                                                   \
        return cloned_;                                                                  \
    }

#endif
