/* ka/arc.h: as ka/rc.h, for owners on several CPUs and in interrupts: the counts are atomic. After Rust's Arc.
 *
 * KA_ARC(name, T, drop) makes the types `name` and `name_weak` and the functions below; rules for all owners are in
 * ka/owner.h. Each owner by itself still belongs to one thread or one lock; what owners share, the block, does not.
 * The value is for reading, unless it has a lock of its own, or get_mut says that nobody else can see it.
 *
 *      name            +----------------+-----------+-------+
 *      name       ---> | strong | weak  | allocator | value |     both counts are one atomic word
 *      name_weak       +----------------+-----------+-------+
 *
 * So "I am the only owner" is one load: nothing here locks or waits, and an NMI may share and drop.
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
 *   const char *name_check(const name *arc)         NULL, or the first broken fact in words; while no other owner comes
 *                                                   or goes, as the next one
 *
 *   name_weak name_downgrade(const name *arc)                 a weak owner; an empty one of an empty one
 *   name name_weak_upgrade(const name_weak *weak)             an owner; an empty one if the value is gone
 *   name_weak name_weak_share(const name_weak *weak)
 *   name_weak name_weak_take(name_weak *weak)
 *   void name_weak_drop(name_weak *weak)
 *   const char *name_weak_check(const name_weak *weak)
 */
#ifndef KA_ARC_H
#define KA_ARC_H

#include <ka/rc.h>

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

#define KA_ARC_TYPE(name, T)       KA_RC_TYPE(name, T)
#define KA_ARC_CODE(name, T, drop) KA_COUNTED_(name, T, drop, arc)

#endif
