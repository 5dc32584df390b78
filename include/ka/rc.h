/* ka/rc.h: one value in a block of its own, with several owners that are counted.
 *
 * KA_RC(name, T, drop) makes the types `name`, an owner, and `name_weak`, which does not keep the value but the way to
 * it, and these functions; rules for all owners are in ka/owner.h. Both types are one pointer to one block:
 *
 *      name            +--------+------+-----------+-------+        strong  owners of the value
 *      name       ---> | strong | weak | allocator | value |        weak    weak owners, and 1 for all strong ones
 *      name_weak       +--------+------+-----------+-------+        after Rust's Rc
 *
 * The value is dropped with the last `name`, the block freed with the last of both. A circle of owners is never
 * dropped: one link of it must be weak. The counts are not atomic: all owners of a value belong to one thread or one
 * lock. More than 2^32 - 2 owners of one value can only be owners that were overwritten without a drop: that stops.
 *
 *   T *name_new(name *rc, ka_allocator *a)                    a cleared value with one owner
 *   T *name_new_with(name *rc, ka_allocator *a, flags)        the same, in the caller's context
 *   T *name_make(name *rc, ka_allocator *a, T value)          the value moved in
 *       returns  the value, to be filled while `rc` is its only owner; NULL if there is no memory or `a` is NULL: the
 *                rc is as it was, and `value` is still the caller's. What the rc held is dropped on success.
 *
 *   name name_share(const name *rc)                 one more owner; an empty one of an empty one
 *   name name_take(name *rc)                        moves this owner out; `*rc` is empty
 *   void name_drop(name *rc)                        one owner less; the rc is empty
 *   const T *name_get(const name *rc)               borrows the value, for reading; NULL if the rc is empty
 *   T *name_get_mut(name *rc)                       borrows the value, for writing; NULL unless this is the only owner,
 *                                                   weak ones counted
 *   T *name_get_mut_unchecked(const name *rc)       the same, for those who know that no other owner is just reading
 *   bool name_try_unwrap(name *rc, T *out)          moves the value out if this is the last owner: the rc is empty,
 *                                                   weak ones find nothing; else false and nothing has changed
 *   bool name_ptr_eq(const name *a, const name *b)  whether both own the same value
 *   size_t name_strong_count(const name *rc)        0 if the rc is empty
 *   size_t name_weak_count(const name *rc)
 *   const char *name_check(const name *rc)          NULL, or the first broken fact in words
 *
 *   name_weak name_downgrade(const name *rc)                  a weak owner; an empty one of an empty one
 *   name name_weak_upgrade(const name_weak *weak)             an owner; an empty one if the value is gone
 *   name_weak name_weak_share(const name_weak *weak)
 *   name_weak name_weak_take(name_weak *weak)
 *   void name_weak_drop(name_weak *weak)
 *   const char *name_weak_check(const name_weak *weak)
 */
#ifndef KA_RC_H
#define KA_RC_H

#include <ka/owner.h>

/* Private: what stands before the value. */
typedef struct ka_rc_counts_ {
    uint32_t strong;
    uint32_t weak; /* one more while strong > 0 */
    ka_allocator *allocator;
} ka_rc_counts_;

/* Private: the steps of the counts; ka/arc.h has the same ones, atomic. `what` names the call that stops. */
static inline void ka_rc_begin_(ka_rc_counts_ *counts, ka_allocator *a)
{
    counts->strong = counts->weak = 1;
    counts->allocator = a;
}

static inline void ka_rc_more_(uint32_t *count, const char *what, const char *file, unsigned line)
{
    if (KA_UNLIKELY(*count >= UINT32_MAX - 1))
        ka_owner_too_many_(what, file, line);
    ++*count;
}

static inline void ka_rc_share_(ka_rc_counts_ *counts, const char *what, const char *file, unsigned line)
{
    ka_rc_more_(&counts->strong, what, file, line);
}

static inline void ka_rc_weak_share_(ka_rc_counts_ *counts, const char *what, const char *file, unsigned line)
{
    ka_rc_more_(&counts->weak, what, file, line);
}

static inline bool ka_rc_upgrade_(ka_rc_counts_ *counts, const char *what, const char *file, unsigned line)
{
    if (counts->strong == 0)
        return false;
    ka_rc_more_(&counts->strong, what, file, line);
    return true;
}

static inline bool ka_rc_release_(ka_rc_counts_ *counts)
{
    return --counts->strong == 0;
}

static inline bool ka_rc_weak_release_(ka_rc_counts_ *counts)
{
    return --counts->weak == 0;
}

static inline bool ka_rc_unwrap_(ka_rc_counts_ *counts)
{
    bool only = counts->strong == 1;
    counts->strong -= only;
    return only;
}

static inline bool ka_rc_is_only_(const ka_rc_counts_ *counts)
{
    return counts->strong == 1 && counts->weak == 1;
}

static inline size_t ka_rc_strong_(const ka_rc_counts_ *counts)
{
    return counts->strong;
}

/* Without the one that stands for the strong ones. */
static inline size_t ka_rc_weak_(const ka_rc_counts_ *counts)
{
    return counts->weak - (counts->strong != 0);
}

#define KA_RC(name, T, drop) \
    KA_RC_TYPE(name, T)      \
    KA_RC_CODE(name, T, drop)

#define KA_RC_TYPE(name, T)          \
    typedef struct name {            \
        struct name##_block_ *block; \
    } name;                          \
    typedef struct name##_weak {     \
        struct name##_block_ *block; \
    } name##_weak;

#define KA_RC_CODE(name, T, drop)                                   \
    KA_COUNTED_(name, T, drop, rc)                                  \
    KA_OWNER_RESULT_ T *name##_get_mut_unchecked(const name *self_) \
    {                                                               \
        return self_->block != NULL ? &self_->block->value : NULL;  \
    }

/* ---- private: what rc and arc have in common; `kind` says whose counts ---- */

#define KA_COUNTED_(name, T, drop, kind)    \
    KA_DROP_FITS_(name, T, drop)            \
    struct name##_block_ {                  \
        ka_##kind##_counts_ counts;         \
        T value;                            \
    };                                      \
    KA_COUNTED_WEAK_(name, T, kind)         \
    KA_COUNTED_STRONG_(name, T, drop, kind) \
    KA_COUNTED_BORROW_(name, T, kind)       \
    KA_COUNTED_CHECK_(name, T, kind)        \
    KA_COUNTED_NEW_(name, T, kind)

#define KA_COUNTED_WEAK_(name, T, kind)                                                                  \
    KA_OWNER_RESULT_ name##_weak name##_weak_take(name##_weak *self_)                                    \
    {                                                                                                    \
        name##_weak taken_ = *self_;                                                                     \
        self_->block = NULL;                                                                             \
        return taken_;                                                                                   \
    }                                                                                                    \
                                                                                                         \
    KA_OWNER_RESULT_ name##_weak name##_weak_share(const name##_weak *self_)                             \
    {                                                                                                    \
        if (self_->block != NULL)                                                                        \
            ka_##kind##_weak_share_(&self_->block->counts, #name "_weak_share", __FILE__, __LINE__);     \
        return *self_;                                                                                   \
    }                                                                                                    \
                                                                                                         \
    KA_OWNER_CALL_ void name##_weak_drop(name##_weak *self_)                                             \
    {                                                                                                    \
        struct name##_block_ *block_ = name##_weak_take(self_).block;                                    \
        if (block_ != NULL && ka_##kind##_weak_release_(&block_->counts))                                \
            ka_free(block_->counts.allocator, block_, sizeof *block_, KA_ALIGNOF(struct name##_block_)); \
    }                                                                                                    \
                                                                                                         \
    KA_OWNER_RESULT_ name name##_weak_upgrade(const name##_weak *self_)                                  \
    {                                                                                                    \
        name made_ = KA_EMPTY_;                                                                          \
        if (self_->block != NULL &&                                                                      \
            ka_##kind##_upgrade_(&self_->block->counts, #name "_weak_upgrade", __FILE__, __LINE__))      \
            made_.block = self_->block;                                                                  \
        return made_;                                                                                    \
    }                                                                                                    \
                                                                                                         \
    KA_OWNER_RESULT_ name##_weak name##_downgrade(const name *self_)                                     \
    {                                                                                                    \
        name##_weak made_ = KA_EMPTY_;                                                                   \
        if (self_->block == NULL)                                                                        \
            return made_;                                                                                \
        ka_##kind##_weak_share_(&self_->block->counts, #name "_downgrade", __FILE__, __LINE__);          \
        made_.block = self_->block;                                                                      \
        return made_;                                                                                    \
    }

#define KA_COUNTED_STRONG_(name, T, drop, kind)                                            \
    KA_OWNER_RESULT_ name name##_take(name *self_)                                         \
    {                                                                                      \
        name taken_ = *self_;                                                              \
        self_->block = NULL;                                                               \
        return taken_;                                                                     \
    }                                                                                      \
                                                                                           \
    KA_OWNER_RESULT_ name name##_share(const name *self_)                                  \
    {                                                                                      \
        if (self_->block != NULL)                                                          \
            ka_##kind##_share_(&self_->block->counts, #name "_share", __FILE__, __LINE__); \
        return *self_;                                                                     \
    }                                                                                      \
                                                                                           \
    KA_OWNER_CALL_ void name##_drop(name *self_)                                           \
    {                                                                                      \
        name##_weak last_ = KA_EMPTY_; /* the one that stands for all strong owners */     \
        last_.block = name##_take(self_).block;                                            \
        if (last_.block == NULL || !ka_##kind##_release_(&last_.block->counts))            \
            return;                                                                        \
        drop(&last_.block->value);                                                         \
        name##_weak_drop(&last_);                                                          \
    }                                                                                      \
                                                                                           \
    KA_OWNER_RESULT_ bool name##_try_unwrap(name *self_, T *out_)                          \
    {                                                                                      \
        if (self_->block == NULL || !ka_##kind##_unwrap_(&self_->block->counts))           \
            return false;                                                                  \
        name##_weak last_ = KA_EMPTY_;                                                     \
        last_.block = name##_take(self_).block;                                            \
        *out_ = last_.block->value;                                                        \
        name##_weak_drop(&last_);                                                          \
        return true;                                                                       \
    }

#define KA_COUNTED_BORROW_(name, T, kind)                                                 \
    KA_OWNER_RESULT_ T const *name##_get(const name *self_)                               \
    {                                                                                     \
        return self_->block != NULL ? &self_->block->value : NULL;                        \
    }                                                                                     \
                                                                                          \
    KA_OWNER_RESULT_ T *name##_get_mut(name *self_)                                       \
    {                                                                                     \
        bool only_ = self_->block != NULL && ka_##kind##_is_only_(&self_->block->counts); \
        return only_ ? &self_->block->value : NULL;                                       \
    }                                                                                     \
                                                                                          \
    KA_OWNER_CALL_ bool name##_ptr_eq(const name *self_, const name *other_)              \
    {                                                                                     \
        return self_->block == other_->block;                                             \
    }                                                                                     \
                                                                                          \
    KA_OWNER_CALL_ size_t name##_strong_count(const name *self_)                          \
    {                                                                                     \
        return self_->block != NULL ? ka_##kind##_strong_(&self_->block->counts) : 0;     \
    }                                                                                     \
                                                                                          \
    KA_OWNER_CALL_ size_t name##_weak_count(const name *self_)                            \
    {                                                                                     \
        return self_->block != NULL ? ka_##kind##_weak_(&self_->block->counts) : 0;       \
    }

#define KA_COUNTED_CHECK_(name, T, kind)                                                                          \
    KA_OWNER_RESULT_ const char *name##_check(const name *self_)                                                  \
    {                                                                                                             \
        const struct name##_block_ *block_ = self_->block;                                                        \
        return block_ == NULL                                                                                     \
                   ? NULL                                                                                         \
                   : ka_counted_check_(block_, block_->counts.allocator, KA_ALIGNOF(struct name##_block_),        \
                                       ka_##kind##_strong_(&block_->counts), ka_##kind##_weak_(&block_->counts)); \
    }                                                                                                             \
                                                                                                                  \
    KA_OWNER_RESULT_ const char *name##_weak_check(const name##_weak *self_)                                      \
    {                                                                                                             \
        const struct name##_block_ *block_ = self_->block;                                                        \
        return block_ == NULL                                                                                     \
                   ? NULL                                                                                         \
                   : ka_counted_check_(block_, block_->counts.allocator, KA_ALIGNOF(struct name##_block_),        \
                                       ka_##kind##_weak_(&block_->counts), ka_##kind##_strong_(&block_->counts)); \
    }

#define KA_COUNTED_NEW_(name, T, kind)                                                          \
    KA_OWNER_RESULT_ struct name##_block_ *name##_block_new_(ka_allocator *a_, ka_flags flags_) \
    {                                                                                           \
        struct name##_block_ *block_ = (struct name##_block_ *)ka_bytes_new_(                   \
            a_, sizeof(struct name##_block_), KA_ALIGNOF(struct name##_block_), flags_);        \
        if (block_ == NULL)                                                                     \
            return NULL;                                                                        \
        ka_##kind##_begin_(&block_->counts, a_);                                                \
        return block_;                                                                          \
    }                                                                                           \
                                                                                                \
    KA_OWNER_CALL_ T *name##_replace_(name *self_, struct name##_block_ *block_)                \
    {                                                                                           \
        name old_ = *self_;                                                                     \
        self_->block = block_;                                                                  \
        name##_drop(&old_);                                                                     \
        return &block_->value;                                                                  \
    }                                                                                           \
                                                                                                \
    KA_OWNER_RESULT_ T *name##_new_with(name *self_, ka_allocator *a_, ka_flags flags_)         \
    {                                                                                           \
        struct name##_block_ *block_ = name##_block_new_(a_, flags_ | KA_ZERO);                 \
        return block_ != NULL ? name##_replace_(self_, block_) : NULL;                          \
    }                                                                                           \
                                                                                                \
    KA_OWNER_RESULT_ T *name##_new(name *self_, ka_allocator *a_)                               \
    {                                                                                           \
        return name##_new_with(self_, a_, 0);                                                   \
    }                                                                                           \
                                                                                                \
    KA_OWNER_RESULT_ T *name##_make(name *self_, ka_allocator *a_, T value_)                    \
    {                                                                                           \
        struct name##_block_ *block_ = name##_block_new_(a_, 0);                                \
        if (block_ == NULL)                                                                     \
            return NULL;                                                                        \
        block_->value = value_;                                                                 \
        return name##_replace_(self_, block_);                                                  \
    }

#endif
