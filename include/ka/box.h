/* ka/box.h: one value in a block of its own, with one owner.
 *
 * KA_BOX(name, T, drop) makes the type `name` and these functions; rules for all owners are in ka/owner.h.
 * The type's size is two pointers. T may be aligned to more than the allocator's own alignment.
 *
 *   T *name_new(name *box, ka_allocator *a)                   a cleared value
 *   T *name_new_with(name *box, ka_allocator *a, flags)       the same, in the caller's context
 *   T *name_new_uninit(name *box, ka_allocator *a, flags)     contents undefined, to be filled before any drop
 *   T *name_make(name *box, ka_allocator *a, T value)         the value moved in
 *       returns  the value, borrowed until the box is dropped or changed; NULL if there is no memory or `a` is NULL:
 *                the box is as it was, and `value` is still the caller's. What the box held is dropped on success.
 *
 *   T *name_get(const name *box)               borrows the value; NULL if the box is empty
 *   name name_take(name *box)                  moves the box out; `*box` is empty
 *   void name_drop(name *box)                  drops the value, frees the block; the box is empty
 *   bool name_into_inner(name *box, T *out)    moves the value out without dropping it and frees the block; false and
 *                                              `*out` untouched if the box is empty
 *   T *name_into_raw(name *box)                gives the value up: the box is empty, the caller owns the block
 *   name name_from_raw(T *value, ka_allocator *a)    the way back: a box that owns `value`, a block of this allocator
 *                                                    with T's size and alignment
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

#define KA_BOX_CODE(name, T, drop)                                                        \
    KA_DROP_FITS_(name, T, drop)                                                          \
                                                                                          \
    KA_OWNER_RESULT_ T *name##_get(const name *self_)                                     \
    {                                                                                     \
        return self_->value;                                                              \
    }                                                                                     \
                                                                                          \
    KA_OWNER_RESULT_ name name##_take(name *self_)                                        \
    {                                                                                     \
        name taken_ = *self_, empty_ = KA_EMPTY_;                                         \
        *self_ = empty_;                                                                  \
        return taken_;                                                                    \
    }                                                                                     \
                                                                                          \
    KA_OWNER_CALL_ void name##_drop(name *self_)                                          \
    {                                                                                     \
        name taken_ = name##_take(self_);                                                 \
        if (taken_.value == NULL)                                                         \
            return;                                                                       \
        drop(taken_.value);                                                               \
        ka_free(taken_.allocator, taken_.value, sizeof(T), KA_ALIGNOF(T));                \
    }                                                                                     \
                                                                                          \
    KA_OWNER_RESULT_ name name##_from_raw(T *value_, ka_allocator *a_)                    \
    {                                                                                     \
        name made_ = KA_EMPTY_;                                                           \
        made_.value = value_;                                                             \
        made_.allocator = a_;                                                             \
        return made_;                                                                     \
    }                                                                                     \
                                                                                          \
    KA_OWNER_RESULT_ T *name##_into_raw(name *self_)                                      \
    {                                                                                     \
        return name##_take(self_).value;                                                  \
    }                                                                                     \
                                                                                          \
    KA_OWNER_RESULT_ bool name##_into_inner(name *self_, T *out_)                         \
    {                                                                                     \
        name taken_ = name##_take(self_);                                                 \
        if (taken_.value == NULL)                                                         \
            return false;                                                                 \
        *out_ = *taken_.value;                                                            \
        ka_free(taken_.allocator, taken_.value, sizeof(T), KA_ALIGNOF(T));                \
        return true;                                                                      \
    }                                                                                     \
                                                                                          \
    KA_OWNER_RESULT_ T *name##_new_uninit(name *self_, ka_allocator *a_, ka_flags flags_) \
    {                                                                                     \
        T *value_ = (T *)ka_bytes_new_(a_, sizeof(T), KA_ALIGNOF(T), flags_);             \
        if (value_ == NULL)                                                               \
            return NULL;                                                                  \
        name old_ = *self_;                                                               \
        *self_ = name##_from_raw(value_, a_);                                             \
        name##_drop(&old_);                                                               \
        return value_;                                                                    \
    }                                                                                     \
                                                                                          \
    KA_OWNER_RESULT_ T *name##_new_with(name *self_, ka_allocator *a_, ka_flags flags_)   \
    {                                                                                     \
        return name##_new_uninit(self_, a_, flags_ | KA_ZERO);                            \
    }                                                                                     \
                                                                                          \
    KA_OWNER_RESULT_ T *name##_new(name *self_, ka_allocator *a_)                         \
    {                                                                                     \
        return name##_new_uninit(self_, a_, KA_ZERO);                                     \
    }                                                                                     \
                                                                                          \
    KA_OWNER_RESULT_ T *name##_make(name *self_, ka_allocator *a_, T value_)              \
    {                                                                                     \
        T *made_ = (T *)ka_bytes_new_(a_, sizeof(T), KA_ALIGNOF(T), 0);                   \
        if (made_ == NULL)                                                                \
            return NULL;                                                                  \
        *made_ = value_;                                                                  \
        name old_ = *self_;                                                               \
        *self_ = name##_from_raw(made_, a_);                                              \
        name##_drop(&old_);                                                               \
        return made_;                                                                     \
    }

#endif
