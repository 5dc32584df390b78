/* slice.c: what a slice must refuse. See misuse_test.sh. */
#include <ka/slice.h>
#include <ka/vec.h>

struct packet {
    int number;
};
struct other {
    int number;
};

void packet_drop(struct packet *packet);
bool packet_clone(struct packet *out, struct packet const *from);

KA_SLICE(packet_slice, struct packet, packet_drop)
KA_SLICE_CLONE(packet_slice, struct packet, packet_clone)
KA_VEC(packet_vec, struct packet, packet_drop)
KA_SLICE_VEC(packet_slice, packet_vec)
KA_SLICE(other_slice, struct other, KA_NO_DROP)
KA_VEC(other_vec, struct other, KA_NO_DROP)

#if MISUSE == 1 /* a drop for another type | its drop must be KA_NO_DROP or void packet_drop\(struct other \*\) */
KA_SLICE(bad_slice, struct other, packet_drop)
#elif MISUSE == 2 /* a clone for another type | its clone must be KA_CLONE_BYTES or bool packet_clone */
KA_SLICE_CLONE(other_slice, struct other, packet_clone)
#elif MISUSE == 3 /* a vec of other items | incompatible pointer type */
KA_SLICE_VEC(other_slice, packet_vec)
#endif

bool use(packet_slice *packets, other_slice *others, packet_vec *vec, other_vec *other, ka_allocator *a);
bool use(packet_slice *packets, other_slice *others, packet_vec *vec, other_vec *other, ka_allocator *a)
{
    if (packet_slice_new(packets, a, 3) == NULL || other_slice_new(others, a, 3) == NULL)
        return false;
    *vec = packet_vec_in(a);
    *other = other_vec_in(a);
#if MISUSE == 4 /* the result of new ignored | warn_unused_result */
    packet_slice_new(packets, a, 3);
#elif MISUSE == 5  /* the result of take ignored | warn_unused_result */
    packet_slice_take(packets);
#elif MISUSE == 6  /* items of another type | incompatible pointer type */
    return packet_slice_make(packets, a, others->items, 1) != NULL;
#elif MISUSE == 7  /* one slice type assigned to another | incompatible type */
    *others = *packets;
#elif MISUSE == 8  /* from a vec of another type | incompatible pointer type */
    return packet_slice_from_vec(packets, other);
#elif MISUSE == 9  /* into a vec of another type | incompatible type */
    *other = packet_slice_into_vec(packets);
#elif MISUSE == 10 /* the result of into_vec ignored | warn_unused_result */
    packet_slice_into_vec(packets);
#elif MISUSE == 11 /* the result of from_vec ignored | warn_unused_result */
    packet_slice_from_vec(packets, vec);
#elif MISUSE == 12 /* a clone into another type | incompatible pointer type */
    return packet_slice_clone(others, packets, a);
#elif MISUSE == 13 /* a borrow of another type | incompatible pointer type */
    struct other *borrowed = packet_slice_at(packets, 0);
    borrowed->number = 1;
#endif
    return true;
}
