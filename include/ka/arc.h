/* ka/arc.h: as ka/rc.h, for owners on several CPUs and in interrupts: the counts are atomic. After Rust's Arc.
 *
 * KA_ARC(name, T, drop) makes the types `name` and `name_weak` and the functions below; rules for all owners are in
 * ka/owner.h. Each owner by itself still belongs to one thread or one lock; what owners share, the block, does not.
 * The value is for reading, unless it has a lock of its own, or get_mut says that nobody else can see it.
 *
 *      name            +----------------+-----------+-------+     both counts are one atomic word, so that "I am the only
 *      name       ---> | strong | weak  | allocator | value |     owner" is one load: nothing here locks or waits, and an
 *      name_weak       +----------------+-----------+-------+     NMI may share and drop
 *
 * What an owner wrote to the value before its drop is seen by whoever drops the value, unwraps it, or gets it by
 * get_mut. 2^31 owners of one value can only be owners that were overwritten without a drop: that stops.
 *
 *   T *name_new(name *arc, ka_allocator *a)                   a cleared value with one owner
 *   T *name_new_with(name *arc, ka_allocator *a, flags)       the same, in the caller's context
 *   T *name_make(name *arc, ka_allocator *a, T value)         the value moved in
 *       returns  the value, to be filled while `arc` is its only owner; NULL if there is no memory or `a` is NULL: the
 *                arc is as it was, and `value` is still the caller's. What the arc held is dropped on success.
 *
 *   name name_share(const name *arc)                one more owner; an empty one of an empty one
 *   name name_take(name *arc)                       moves this owner out; `*arc` is empty
 *   void name_drop(name *arc)                       one owner less; the arc is empty. The last one drops the value: in
 *                                                   its context, and its allocator's free is called there
 *   const T *name_get(const name *arc)              borrows the value, for reading; NULL if the arc is empty
 *   T *name_get_mut(name *arc)                      borrows the value, for writing; NULL unless this is the only owner,
 *                                                   weak ones counted
 *   bool name_try_unwrap(name *arc, T *out)         moves the value out if this is the last owner: the arc is empty,
 *                                                   weak ones find nothing; else false and nothing has changed
 *   bool name_ptr_eq(const name *a, const name *b)  whether both own the same value
 *   size_t name_strong_count(const name *arc)       0 if the arc is empty; a moment's view, as the next one
 *   size_t name_weak_count(const name *arc)
 *
 *   name_weak name_downgrade(const name *arc)                 a weak owner; an empty one of an empty one
 *   name name_weak_upgrade(const name_weak *weak)             an owner; an empty one if the value is gone
 *   name_weak name_weak_share(const name_weak *weak)
 *   name_weak name_weak_take(name_weak *weak)
 *   void name_weak_drop(name_weak *weak)
 */
#ifndef KA_ARC_H
#define KA_ARC_H

#include <ka/owner.h>

KA_BEGIN_DECLS

/* Private: what stands before the value. */
typedef struct ka_arc_counts_ {
    uint64_t both; /* strong owners in the low half; weak ones, and 1 while there are strong ones, in the high half */
    ka_allocator *allocator;
} ka_arc_counts_;

/* Private, src/owner/arc.c. `what` names the call that stops when there are too many. */
void ka_arc_begin_(ka_arc_counts_ *counts, ka_allocator *a);
void ka_arc_share_(ka_arc_counts_ *counts, const char *what, const char *file, unsigned line);
void ka_arc_weak_share_(ka_arc_counts_ *counts, const char *what, const char *file, unsigned line);
KA_MUST_USE bool ka_arc_upgrade_(ka_arc_counts_ *counts, const char *what, const char *file, unsigned line);
KA_MUST_USE bool ka_arc_release_(ka_arc_counts_ *counts);      /* true: it was the last: drop the value */
KA_MUST_USE bool ka_arc_weak_release_(ka_arc_counts_ *counts); /* true: it was the last: free the block */
KA_MUST_USE bool ka_arc_unwrap_(ka_arc_counts_ *counts);       /* true: it was the last: the value is the caller's */
KA_MUST_USE bool ka_arc_is_only_(const ka_arc_counts_ *counts);
size_t ka_arc_strong_(const ka_arc_counts_ *counts);
size_t ka_arc_weak_(const ka_arc_counts_ *counts);

KA_END_DECLS

#define KA_ARC(name, T, drop) \
    KA_ARC_TYPE(name, T)      \
    KA_ARC_CODE(name, T, drop)

#define KA_ARC_TYPE(name, T)         \
    typedef struct name {            \
        struct name##_block_ *block; \
    } name;                          \
    typedef struct name##_weak {     \
        struct name##_block_ *block; \
    } name##_weak;

#define KA_ARC_CODE(name, T, drop) \
    KA_DROP_FITS_(name, T, drop)   \
    struct name##_block_ {         \
        ka_arc_counts_ counts;     \
        T value;                   \
    };                             \
    KA_ARC_WEAK_(name, T)          \
    KA_ARC_STRONG_(name, T, drop)  \
    KA_ARC_BORROW_(name, T)        \
    KA_ARC_NEW_(name, T)

/* ---- private: the parts of KA_ARC_CODE ---- */

#define KA_ARC_WEAK_(name, T)                                                                                          \
    KA_OWNER_RESULT_ name##_weak name##_weak_take(name##_weak *self_)                                                  \
    {                                                                                                                  \
        name##_weak taken_ = *self_;                                                                                   \
        self_->block = NULL;                                                                                           \
        return taken_;                                                                                                 \
    }                                                                                                                  \
                                                                                                                       \
    KA_OWNER_RESULT_ name##_weak name##_weak_share(const name##_weak *self_)                                           \
    {                                                                                                                  \
        if (self_->block != NULL)                                                                                      \
            ka_arc_weak_share_(&self_->block->counts, #name "_weak_share", __FILE__, __LINE__);                        \
        return *self_;                                                                                                 \
    }                                                                                                                  \
                                                                                                                       \
    KA_OWNER_CALL_ void name##_weak_drop(name##_weak *self_)                                                           \
    {                                                                                                                  \
        struct name##_block_ *block_ = name##_weak_take(self_).block;                                                  \
        if (block_ != NULL && ka_arc_weak_release_(&block_->counts))                                                   \
            ka_free(block_->counts.allocator, block_, sizeof *block_, KA_ALIGNOF(struct name##_block_));               \
    }                                                                                                                  \
                                                                                                                       \
    KA_OWNER_RESULT_ name name##_weak_upgrade(const name##_weak *self_)                                                \
    {                                                                                                                  \
        name made_ = KA_EMPTY_;                                                                                        \
        if (self_->block != NULL && ka_arc_upgrade_(&self_->block->counts, #name "_weak_upgrade", __FILE__, __LINE__)) \
            made_.block = self_->block;                                                                                \
        return made_;                                                                                                  \
    }                                                                                                                  \
                                                                                                                       \
    KA_OWNER_RESULT_ name##_weak name##_downgrade(const name *self_)                                                   \
    {                                                                                                                  \
        name##_weak made_ = KA_EMPTY_;                                                                                 \
        if (self_->block == NULL)                                                                                      \
            return made_;                                                                                              \
        ka_arc_weak_share_(&self_->block->counts, #name "_downgrade", __FILE__, __LINE__);                             \
        made_.block = self_->block;                                                                                    \
        return made_;                                                                                                  \
    }

#define KA_ARC_STRONG_(name, T, drop)                                                  \
    KA_OWNER_RESULT_ name name##_take(name *self_)                                     \
    {                                                                                  \
        name taken_ = *self_;                                                          \
        self_->block = NULL;                                                           \
        return taken_;                                                                 \
    }                                                                                  \
                                                                                       \
    KA_OWNER_RESULT_ name name##_share(const name *self_)                              \
    {                                                                                  \
        if (self_->block != NULL)                                                      \
            ka_arc_share_(&self_->block->counts, #name "_share", __FILE__, __LINE__);  \
        return *self_;                                                                 \
    }                                                                                  \
                                                                                       \
    KA_OWNER_CALL_ void name##_drop(name *self_)                                       \
    {                                                                                  \
        name##_weak last_ = KA_EMPTY_; /* the one that stands for all strong owners */ \
        last_.block = name##_take(self_).block;                                        \
        if (last_.block == NULL || !ka_arc_release_(&last_.block->counts))             \
            return;                                                                    \
        drop(&last_.block->value);                                                     \
        name##_weak_drop(&last_);                                                      \
    }                                                                                  \
                                                                                       \
    KA_OWNER_RESULT_ bool name##_try_unwrap(name *self_, T *out_)                      \
    {                                                                                  \
        if (self_->block == NULL || !ka_arc_unwrap_(&self_->block->counts))            \
            return false;                                                              \
        name##_weak last_ = KA_EMPTY_;                                                 \
        last_.block = name##_take(self_).block;                                        \
        *out_ = last_.block->value;                                                    \
        name##_weak_drop(&last_);                                                      \
        return true;                                                                   \
    }

#define KA_ARC_BORROW_(name, T)                                                      \
    KA_OWNER_RESULT_ T const *name##_get(const name *self_)                          \
    {                                                                                \
        return self_->block != NULL ? &self_->block->value : NULL;                   \
    }                                                                                \
                                                                                     \
    KA_OWNER_RESULT_ T *name##_get_mut(name *self_)                                  \
    {                                                                                \
        bool only_ = self_->block != NULL && ka_arc_is_only_(&self_->block->counts); \
        return only_ ? &self_->block->value : NULL;                                  \
    }                                                                                \
                                                                                     \
    KA_OWNER_CALL_ bool name##_ptr_eq(const name *self_, const name *other_)         \
    {                                                                                \
        return self_->block == other_->block;                                        \
    }                                                                                \
                                                                                     \
    KA_OWNER_CALL_ size_t name##_strong_count(const name *self_)                     \
    {                                                                                \
        return self_->block != NULL ? ka_arc_strong_(&self_->block->counts) : 0;     \
    }                                                                                \
                                                                                     \
    KA_OWNER_CALL_ size_t name##_weak_count(const name *self_)                       \
    {                                                                                \
        return self_->block != NULL ? ka_arc_weak_(&self_->block->counts) : 0;       \
    }

#define KA_ARC_NEW_(name, T)                                                                    \
    KA_OWNER_RESULT_ struct name##_block_ *name##_block_new_(ka_allocator *a_, ka_flags flags_) \
    {                                                                                           \
        struct name##_block_ *block_ = (struct name##_block_ *)ka_bytes_new_(                   \
            a_, sizeof(struct name##_block_), KA_ALIGNOF(struct name##_block_), flags_);        \
        if (block_ == NULL)                                                                     \
            return NULL;                                                                        \
        ka_arc_begin_(&block_->counts, a_);                                                     \
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
