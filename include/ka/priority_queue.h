/* ka/priority_queue.h: a queue whose first item is the least; items can be changed and removed by handle.
 *
 * KA_PRIORITY_QUEUE(name, T, compare, drop) makes the type `name` and these functions; rules for all owners are in
 * ka/owner.h. `int compare(T const *, T const *)` is under 0, 0 or over 0, a total order; or KA_COMPARE_NUMBERS. Equal
 * items leave in the order in which they came.
 *
 * A name_handle names one item from its push until it leaves. A handle of an item that has left is seen as such, until
 * the queue is dropped; an all-zero handle names nothing. A handle is for the queue that gave it, and for its clones.
 * Any function that may change the queue ends the validity of pointers into it. cap counts items.
 *
 *   name name_in(ka_allocator *a)                  an empty queue that will grow in this allocator; allocates nothing.
 *                                                  An all-zero queue has no allocator: what needs one fails
 *   name name_take(name *queue)                    moves the queue out: handles are for it now; `*queue` is empty and
 *                                                  keeps its allocator
 *   void name_clear(name *queue)                   drops the items, in no particular order; the block stays. O(len)
 *   void name_drop(name *queue)                    the same, and frees the block; `*queue` is all-zero
 *   size_t name_len(const name *queue)
 *   bool name_is_empty(const name *queue)
 *   const char *name_check(const name *queue)      NULL, or the first broken fact in words. O(cap)
 *
 * Items in: false if there is no memory, nothing has changed, the items are still the caller's. O(log len), amortised.
 *   bool name_push(name *queue, T item)
 *   bool name_push_handle(name *queue, T item, name_handle *out)
 *   bool name_extend(name *queue, const T *items, size_t n)    moves n items in; they must not lie in this queue,
 *                                                  which stops. O(n log len) and, where n is not less than len, O(n)
 *   bool name_reserve(name *queue, size_t more)    the next `more` items need no memory: any context. O(cap)
 *   bool name_reserve_with(name *queue, size_t more, flags)
 *   bool name_shrink(name *queue)                  gives back the room behind the last slot in use, all if it is empty:
 *                                                  items stay in their slots, as handles name them. O(cap)
 *   KA_PRIORITY_QUEUE_VEC(name, vec), on a line below, for a type of ka/vec.h with the same items:
 *   bool name_append(name *queue, vec *from)       moves all items of a vec in; `*from` is empty and keeps its block
 *
 * Items out: they are the caller's. False and nothing changed if there is none. O(log len)
 *   bool name_pop(name *queue, T *out)             the first one
 *   bool name_remove(name *queue, name_handle handle, T *out)
 *   bool name_erase(name *queue, name_handle handle)    the same, dropped
 *
 * Items borrowed; NULL if there is none. What the order depends on may be changed if name_update follows. Constant.
 *   T *name_peek(const name *queue)                the first one
 *   T *name_get(const name *queue, name_handle handle)
 *   bool name_update(name *queue, name_handle handle)    puts an item that was changed to its place. O(log len)
 *   bool name_replace(name *queue, name_handle handle, T item)    puts another in its place, under the same handle, and
 *                                                  drops the old one; if there was none, `item` is still the caller's
 *   KA_PRIORITY_QUEUE_EACH(name, T, item, queue) ...    all, in no particular order; must not change the queue
 *
 * KA_PRIORITY_QUEUE_CLONE(name, T, clone), on a line below: as KA_VEC_CLONE of ka/vec.h.
 *   bool name_clone(name *out, const name *queue, ka_allocator *a)
 */
#ifndef KA_PRIORITY_QUEUE_H
#define KA_PRIORITY_QUEUE_H

#include <ka/owner.h>

#define KA_PRIORITY_QUEUE_EACH(name, T, item, queue)                             \
    for (size_t item##_at_ = 0, item##_on_ = 1; item##_on_ != 0; item##_on_ = 0) \
        for (T *item = name##_nth_(queue, 0); item != NULL; item = name##_nth_(queue, ++item##_at_))

#define KA_PRIORITY_QUEUE(name, T, compare, drop) \
    KA_PRIORITY_QUEUE_TYPE(name, T)               \
    KA_PRIORITY_QUEUE_CODE(name, T, compare, drop)

#define KA_PRIORITY_QUEUE_TYPE(name, T)                            \
    typedef struct name {                                          \
        T *items;        /* by slots */                            \
        size_t len, cap; /* items */                               \
        ka_allocator *allocator;                                   \
        ka_priority_queue_slot_ *slots;                            \
        uint32_t *order; /* slots: the first `len` are the heap */ \
        uint64_t serial; /* of the item that came last */          \
    } name;                                                        \
                                                                   \
    typedef struct name##_handle {                                 \
        size_t slot;                                               \
        uint64_t serial;                                           \
    } name##_handle;

#define KA_PRIORITY_QUEUE_CODE(name, T, compare, drop) \
    KA_DROP_FITS_(name, T, drop)                       \
    KA_COMPARE_FITS_(name, T, compare)                 \
    KA_PRIORITY_QUEUE_LIFE_(name, T, drop)             \
    KA_PRIORITY_QUEUE_SIFT_(name, T, compare)          \
    KA_PRIORITY_QUEUE_IN_(name, T)                     \
    KA_PRIORITY_QUEUE_OUT_(name, T, drop)              \
    KA_PRIORITY_QUEUE_CHECK_(name)

/* ---- private: the untyped core (src/collection/priority_queue.c). `queue` points to a queue of any type ---- */

KA_BEGIN_DECLS

typedef struct ka_priority_queue_slot_ {
    uint64_t serial; /* 0: no item */
    size_t place;    /* in `order` */
} ka_priority_queue_slot_;

KA_MUST_USE bool ka_priority_queue_reserve_(void *queue, size_t more, const ka_shape_ *shape, ka_flags flags);

KA_MUST_USE bool ka_priority_queue_shrink_(void *queue, const ka_shape_ *shape);

/* Whether the slot has the item of this serial. */
KA_MUST_USE bool ka_priority_queue_has_(const void *queue, size_t slot, uint64_t serial);

/* An empty queue with the other's slots and room for its items. */
KA_MUST_USE bool ka_priority_queue_mirror_(void *out, const void *queue, const ka_shape_ *shape, ka_allocator *a);

/* Frees the block; it is all-zero. */
void ka_priority_queue_free_(void *queue, const ka_shape_ *shape);

/* NULL, or the first broken fact. The order of items is not looked at. */
KA_MUST_USE const char *ka_priority_queue_check_(const void *queue, const ka_shape_ *shape);

KA_END_DECLS

/* With more items the heap is in no near cache: then the choice of the lesser one is a branch, whose guess lets the
 * processor fetch what lies below before it knows the outcome. The store in it keeps compilers from undoing that. */
#define KA_PRIORITY_QUEUE_NEAR_ 32768

/* ---- private: the parts of KA_PRIORITY_QUEUE_CODE ---- */

#define KA_PRIORITY_QUEUE_LIFE_(name, T, drop)                                                                   \
    KA_UNUSED static const ka_shape_ name##_shape_ = { sizeof(T), KA_ALIGNOF(T), #name, __FILE__, __LINE__ };    \
                                                                                                                 \
    KA_OWNER_CALL_ size_t name##_len(const name *self_)                                                          \
    {                                                                                                            \
        return self_->len;                                                                                       \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_CALL_ bool name##_is_empty(const name *self_)                                                       \
    {                                                                                                            \
        return self_->len == 0;                                                                                  \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_RESULT_ T *name##_nth_(const name *self_, size_t place_)                                            \
    {                                                                                                            \
        return place_ < self_->len ? &self_->items[self_->order[place_]] : NULL;                                 \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_RESULT_ T *name##_peek(const name *self_)                                                           \
    {                                                                                                            \
        return name##_nth_(self_, 0);                                                                            \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_RESULT_ T *name##_get(const name *self_, name##_handle handle_)                                     \
    {                                                                                                            \
        return ka_priority_queue_has_(self_, handle_.slot, handle_.serial) ? &self_->items[handle_.slot] : NULL; \
    }                                                                                                            \
                                                                                                                 \
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
        self_->serial = taken_.serial; /* handles of what is gone stay so */                                     \
        return taken_;                                                                                           \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_RESULT_ bool name##_reserve_with(name *self_, size_t more_, ka_flags flags_)                        \
    {                                                                                                            \
        return ka_priority_queue_reserve_(self_, more_, &name##_shape_, flags_);                                 \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_RESULT_ bool name##_reserve(name *self_, size_t more_)                                              \
    {                                                                                                            \
        return name##_reserve_with(self_, more_, 0);                                                             \
    }                                                                                                            \
                                                                                                                 \
    /* A slot with a serial at the end of the heap, for an item to be put in; there is room. */                  \
    KA_OWNER_RESULT_ size_t name##_open_(name *self_)                                                            \
    {                                                                                                            \
        uint32_t slot_ = self_->order[self_->len];                                                               \
        self_->slots[slot_].serial = ++self_->serial;                                                            \
        self_->slots[slot_].place = self_->len++;                                                                \
        return slot_;                                                                                            \
    }                                                                                                            \
                                                                                                                 \
    /* Takes the place out of the heap, puts the last one there; returns the slot, whose item is still in it. */ \
    KA_OWNER_RESULT_ size_t name##_close_(name *self_, size_t place_)                                            \
    {                                                                                                            \
        uint32_t slot_ = self_->order[place_], last_ = self_->order[--self_->len];                               \
        self_->order[place_] = last_;                                                                            \
        self_->slots[last_].place = place_;                                                                      \
        self_->order[self_->len] = slot_;                                                                        \
        self_->slots[slot_].serial = 0;                                                                          \
        return slot_;                                                                                            \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_CALL_ bool name##_shrink(name *self_)                                                               \
    {                                                                                                            \
        return ka_priority_queue_shrink_(self_, &name##_shape_);                                                 \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_CALL_ void name##_clear(name *self_)                                                                \
    {                                                                                                            \
        while (self_->len != 0)                                                                                  \
            drop(&self_->items[name##_close_(self_, self_->len - 1)]);                                           \
    }                                                                                                            \
                                                                                                                 \
    KA_OWNER_CALL_ void name##_drop(name *self_)                                                                 \
    {                                                                                                            \
        name taken_ = *self_;                                                                                    \
        *self_ = name##_in(NULL);                                                                                \
        name##_clear(&taken_);                                                                                   \
        ka_priority_queue_free_(&taken_, &name##_shape_);                                                        \
    }

/* A slot goes up from `place_`, not beyond `top_`; the slots between move one level down. On the way down the lesser of
 * two goes up until there is none, and then the slot goes up to where it belongs, mostly near: one compare for a level,
 * whose outcome is added and not branched on where the heap is near (Floyd; as C++'s and Rust's libraries do). */
#define KA_PRIORITY_QUEUE_SIFT_(name, T, compare)                                               \
    KA_OWNER_RESULT_ bool name##_before_(const name *self_, size_t a_, size_t b_)               \
    {                                                                                           \
        int order_ = compare(&self_->items[a_], &self_->items[b_]);                             \
        if (KA_UNLIKELY(order_ == 0))                                                           \
            return self_->slots[a_].serial < self_->slots[b_].serial;                           \
        return order_ < 0;                                                                      \
    }                                                                                           \
                                                                                                \
    KA_OWNER_CALL_ void name##_place_(name *self_, size_t place_, uint32_t slot_)               \
    {                                                                                           \
        self_->order[place_] = slot_;                                                           \
        self_->slots[slot_].place = place_;                                                     \
    }                                                                                           \
                                                                                                \
    KA_OWNER_CALL_ void name##_up_(name *self_, size_t place_, size_t top_)                     \
    {                                                                                           \
        uint32_t slot_ = self_->order[place_];                                                  \
        for (size_t above_; place_ != top_; place_ = above_) {                                  \
            above_ = (place_ - 1) / 2;                                                          \
            if (!name##_before_(self_, slot_, self_->order[above_]))                            \
                break;                                                                          \
            name##_place_(self_, place_, self_->order[above_]);                                 \
        }                                                                                       \
        name##_place_(self_, place_, slot_);                                                    \
    }                                                                                           \
                                                                                                \
    KA_OWNER_CALL_ void name##_down_(name *self_, size_t place_)                                \
    {                                                                                           \
        uint32_t slot_ = self_->order[place_];                                                  \
        size_t top_ = place_, below_;                                                           \
        for (; (below_ = 2 * place_ + 2) < self_->len; place_ = below_) {                       \
            bool left_ = name##_before_(self_, self_->order[below_ - 1], self_->order[below_]); \
            if (self_->len <= KA_PRIORITY_QUEUE_NEAR_)                                          \
                below_ -= left_;                                                                \
            else if (left_)                                                                     \
                name##_place_(self_, place_, self_->order[--below_]);                           \
            name##_place_(self_, place_, self_->order[below_]);                                 \
        }                                                                                       \
        if (below_ == self_->len) { /* one is alone */                                          \
            name##_place_(self_, place_, self_->order[below_ - 1]);                             \
            place_ = below_ - 1;                                                                \
        }                                                                                       \
        self_->order[place_] = slot_;                                                           \
        name##_up_(self_, place_, top_);                                                        \
    }                                                                                           \
                                                                                                \
    /* Where the item belongs, up or down. */                                                   \
    KA_OWNER_CALL_ void name##_settle_(name *self_, size_t place_)                              \
    {                                                                                           \
        if (place_ >= self_->len)                                                               \
            return;                                                                             \
        uint32_t slot_ = self_->order[place_];                                                  \
        name##_up_(self_, place_, 0);                                                           \
        name##_down_(self_, self_->slots[slot_].place);                                         \
    }

#define KA_PRIORITY_QUEUE_IN_(name, T)                                                                     \
    KA_OWNER_RESULT_ bool name##_push_handle(name *self_, T item_, name##_handle *out_)                    \
    {                                                                                                      \
        if (KA_UNLIKELY(self_->len == self_->cap) && !name##_reserve(self_, 1))                            \
            return false;                                                                                  \
        out_->slot = name##_open_(self_);                                                                  \
        out_->serial = self_->serial;                                                                      \
        self_->items[out_->slot] = item_;                                                                  \
        name##_up_(self_, self_->len - 1, 0);                                                              \
        return true;                                                                                       \
    }                                                                                                      \
                                                                                                           \
    KA_OWNER_RESULT_ bool name##_push(name *self_, T item_)                                                \
    {                                                                                                      \
        name##_handle handle_;                                                                             \
        return name##_push_handle(self_, item_, &handle_);                                                 \
    }                                                                                                      \
                                                                                                           \
    KA_OWNER_RESULT_ bool name##_extend(name *self_, T const *items_, size_t n_)                           \
    {                                                                                                      \
        size_t before_ = self_->len;                                                                       \
        ka_bytes_apart_(self_->items, self_->cap, sizeof(T), items_, #name "_extend", __FILE__, __LINE__); \
        if (!name##_reserve(self_, n_))                                                                    \
            return false;                                                                                  \
        for (size_t i_ = 0; i_ < n_; i_++) {                                                               \
            size_t slot_ = name##_open_(self_);                                                            \
            self_->items[slot_] = items_[i_];                                                              \
            if (n_ < before_)                                                                              \
                name##_up_(self_, self_->len - 1, 0);                                                      \
        }                                                                                                  \
        if (n_ >= before_) /* all at once, from the lowest level up */                                     \
            for (size_t place_ = self_->len / 2; place_-- > 0;)                                            \
                name##_down_(self_, place_);                                                               \
        return true;                                                                                       \
    }

#define KA_PRIORITY_QUEUE_OUT_(name, T, drop)                                         \
    KA_OWNER_RESULT_ size_t name##_out_(name *self_, size_t place_)                   \
    {                                                                                 \
        size_t slot_ = name##_close_(self_, place_);                                  \
        name##_settle_(self_, place_);                                                \
        return slot_;                                                                 \
    }                                                                                 \
                                                                                      \
    KA_OWNER_RESULT_ bool name##_pop(name *self_, T *out_)                            \
    {                                                                                 \
        if (self_->len == 0)                                                          \
            return false;                                                             \
        *out_ = self_->items[name##_out_(self_, 0)];                                  \
        return true;                                                                  \
    }                                                                                 \
                                                                                      \
    KA_OWNER_RESULT_ bool name##_remove(name *self_, name##_handle handle_, T *out_)  \
    {                                                                                 \
        if (name##_get(self_, handle_) == NULL)                                       \
            return false;                                                             \
        *out_ = self_->items[name##_out_(self_, self_->slots[handle_.slot].place)];   \
        return true;                                                                  \
    }                                                                                 \
                                                                                      \
    KA_OWNER_CALL_ bool name##_erase(name *self_, name##_handle handle_)              \
    {                                                                                 \
        T item_;                                                                      \
        if (!name##_remove(self_, handle_, &item_))                                   \
            return false;                                                             \
        drop(&item_);                                                                 \
        return true;                                                                  \
    }                                                                                 \
                                                                                      \
    KA_OWNER_CALL_ bool name##_update(name *self_, name##_handle handle_)             \
    {                                                                                 \
        if (name##_get(self_, handle_) == NULL)                                       \
            return false;                                                             \
        name##_settle_(self_, self_->slots[handle_.slot].place);                      \
        return true;                                                                  \
    }                                                                                 \
                                                                                      \
    KA_OWNER_RESULT_ bool name##_replace(name *self_, name##_handle handle_, T item_) \
    {                                                                                 \
        T *held_ = name##_get(self_, handle_);                                        \
        if (held_ == NULL)                                                            \
            return false;                                                             \
        T old_ = *held_;                                                              \
        *held_ = item_;                                                               \
        (void)name##_update(self_, handle_);                                          \
        drop(&old_);                                                                  \
        return true;                                                                  \
    }

#define KA_PRIORITY_QUEUE_CHECK_(name)                                                       \
    KA_OWNER_RESULT_ const char *name##_check(const name *self_)                             \
    {                                                                                        \
        const char *broken_ = ka_priority_queue_check_(self_, &name##_shape_);               \
        for (size_t place_ = 1; broken_ == NULL && place_ < self_->len; place_++)            \
            if (name##_before_(self_, self_->order[place_], self_->order[(place_ - 1) / 2])) \
                broken_ = "priority queue: an item lies below a greater one";                \
        return broken_;                                                                      \
    }

#define KA_PRIORITY_QUEUE_VEC(name, vec_name)                         \
    KA_OWNER_RESULT_ bool name##_append(name *self_, vec_name *from_) \
    {                                                                 \
        if (!name##_extend(self_, from_->items, from_->len))          \
            return false;                                             \
        from_->len = 0;                                               \
        return true;                                                  \
    }

#define KA_PRIORITY_QUEUE_CLONE(name, T, clone)                                         \
    KA_CLONE_FITS_(name, T, clone)                                                      \
                                                                                        \
    KA_OWNER_RESULT_ bool name##_clone(name *out_, const name *from_, ka_allocator *a_) \
    {                                                                                   \
        name made_ = KA_EMPTY_;                                                         \
        bool cloned_ = ka_priority_queue_mirror_(&made_, from_, &name##_shape_, a_);    \
        while (cloned_ && made_.len < from_->len) {                                     \
            size_t slot_ = made_.order[made_.len];                                      \
            cloned_ = clone(&made_.items[slot_], &from_->items[slot_]);                 \
            made_.len += cloned_;                                                       \
        }                                                                               \
        if (!cloned_)                                                                   \
            name##_drop(&made_);                                                        \
        *out_ = made_;                                                                  \
        return cloned_;                                                                 \
    }

#endif
