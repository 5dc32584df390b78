/* box.c: what a box must refuse. See misuse_test.sh. */
#include <ka/box.h>

struct peer {
    int number;
};
struct other {
    int number;
};

void peer_drop(struct peer *peer);
void other_drop(struct other *other);
int peer_close(struct peer *peer);
void any_drop(void *any);
void peer_look(const struct peer *peer);

KA_BOX(peer_box, struct peer, peer_drop)
KA_BOX(other_box, struct other, KA_NO_DROP)

#if MISUSE == 1 /* a drop for another type | its drop must be KA_NO_DROP or void other_drop\(struct peer \*\) */
KA_BOX(bad_box, struct peer, other_drop)
#elif MISUSE == 2 /* a drop that returns something | its drop must be KA_NO_DROP or void peer_close */
KA_BOX(bad_box, struct peer, peer_close)
#elif MISUSE == 3 /* a drop for anything | its drop must be */
KA_BOX(bad_box, struct peer, any_drop)
#elif MISUSE == 4 /* a drop that may not change the value | its drop must be */
KA_BOX(bad_box, struct peer, peer_look)
#elif MISUSE == 5 /* no drop named | expected expression */
KA_BOX(bad_box, struct peer, )
#endif

void use(peer_box *peer, other_box *other, ka_allocator *a);
void use(peer_box *peer, other_box *other, ka_allocator *a)
{
    if (peer_box_new(peer, a) == NULL || other_box_new(other, a) == NULL)
        return;
    peer_box moved = peer_box_take(peer);
    peer_box_drop(&moved);
#if MISUSE == 6 /* one box type assigned to another | incompatible type */
    *other = *peer;
#elif MISUSE == 7  /* the same by take | incompatible type */
    *other = peer_box_take(peer);
#elif MISUSE == 8  /* the result of take ignored | warn_unused_result */
    peer_box_take(peer);
#elif MISUSE == 9  /* the result of new ignored | warn_unused_result */
    peer_box_new(peer, a);
#elif MISUSE == 10 /* the result of make ignored | warn_unused_result */
    peer_box_make(peer, a, *peer_box_get(peer));
#elif MISUSE == 11 /* the result of into_raw ignored | warn_unused_result */
    peer_box_into_raw(peer);
#elif MISUSE == 12 /* new of another type | incompatible pointer type */
    if (peer_box_new(other, a) == NULL)
        return;
#elif MISUSE == 13 /* drop of another type | incompatible pointer type */
    peer_box_drop(other);
#elif MISUSE == 14 /* a value of another type | incompatible type */
    if (peer_box_make(peer, a, *other_box_get(other)) == NULL)
        return;
#elif MISUSE == 15 /* a borrow of another type | incompatible pointer type */
    struct other *borrowed = peer_box_get(peer);
    borrowed->number = 1;
#elif MISUSE == 16 /* a raw value of another type | incompatible pointer type */
    *peer = peer_box_from_raw(other_box_into_raw(other), a);
#elif MISUSE == 17 /* a box where its value is meant | incompatible pointer type */
    peer_drop(peer);
#elif MISUSE == 18 /* moved out into another type | incompatible pointer type */
    struct other out;
    if (peer_box_into_inner(peer, &out))
        other->value->number = out.number;
#elif MISUSE == 19 /* the result of replace ignored | warn_unused_result */
    peer_box_replace(peer, *peer_box_get(peer), peer_box_get(peer));
#elif MISUSE == 20 /* replaced by another type | incompatible type */
    if (peer_box_replace(peer, *other_box_get(other), peer_box_get(peer)))
        return;
#endif
}
