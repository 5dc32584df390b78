/* arc.c: what an arc must refuse. See misuse_test.sh. */
#include <ka/arc.h>

struct shared {
    int number;
};
struct other {
    int number;
};

void shared_drop(struct shared *shared);
int shared_put(struct shared *shared);

KA_ARC(shared_arc, struct shared, shared_drop)
KA_ARC(other_arc, struct other, KA_NO_DROP)

#if MISUSE == 1 /* a drop for another type | its drop must be KA_NO_DROP or void shared_drop\(struct other \*\) */
KA_ARC(bad_arc, struct other, shared_drop)
#elif MISUSE == 2 /* a drop that returns something | its drop must be */
KA_ARC(bad_arc, struct shared, shared_put)
#endif

void use(shared_arc *rc, other_arc *other, ka_allocator *a);
void use(shared_arc *rc, other_arc *other, ka_allocator *a)
{
    if (shared_arc_new(rc, a) == NULL || other_arc_new(other, a) == NULL)
        return;
    shared_arc second = shared_arc_share(rc);
    shared_arc_weak weak = shared_arc_downgrade(&second);
    shared_arc_drop(&second);
    shared_arc_weak_drop(&weak);
#if MISUSE == 3 /* written while it is shared | read-only|const-qualified|const value */
    shared_arc_get(rc)->number = 1;
#elif MISUSE == 4  /* the result of share ignored | warn_unused_result */
    shared_arc_share(rc);
#elif MISUSE == 5  /* the result of downgrade ignored | warn_unused_result */
    shared_arc_downgrade(rc);
#elif MISUSE == 6  /* the result of upgrade ignored | warn_unused_result */
    shared_arc_weak_upgrade(&weak);
#elif MISUSE == 7  /* the result of try_unwrap ignored | warn_unused_result */
    struct shared out;
    shared_arc_try_unwrap(rc, &out);
#elif MISUSE == 8  /* a weak owner used as an owner | incompatible type */
    *rc = shared_arc_downgrade(rc);
#elif MISUSE == 9  /* a weak owner dropped as an owner | incompatible pointer type */
    shared_arc_drop(&weak);
#elif MISUSE == 10 /* a weak owner that borrows | incompatible pointer type */
    if (shared_arc_get(&weak) == NULL)
        return;
#elif MISUSE == 11 /* one arc type assigned to another | incompatible type */
    *other = *rc;
#elif MISUSE == 12 /* a share of another type | incompatible type */
    *other = shared_arc_share(rc);
#elif MISUSE == 13 /* written through a borrowed owner | discards */
    const shared_arc *borrowed = rc;
    if (shared_arc_get_mut(borrowed) == NULL)
        return;
#elif MISUSE == 14 /* the result of new ignored | warn_unused_result */
    shared_arc_new(rc, a);
#elif MISUSE == 15 /* the result of take ignored | warn_unused_result */
    shared_arc_take(rc);
#endif
}
