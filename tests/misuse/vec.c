/* vec.c: what a vec must refuse. See misuse_test.sh. */
#include <ka/vec.h>

struct packet {
    int number;
};
struct other {
    int number;
};

void packet_drop(struct packet *packet);

KA_VEC(packet_vec, struct packet, packet_drop)
KA_VEC(other_vec, struct other, KA_NO_DROP)
KA_VEC(int_vec, int, KA_NO_DROP)

int packet_compare(struct packet const *a, struct packet const *b);
bool packet_clone(struct packet *out, struct packet const *from);
KA_VEC_ORDER(packet_vec, struct packet, packet_compare)
KA_VEC_CLONE(packet_vec, struct packet, packet_clone)

#if MISUSE == 1 /* a drop for another type | its drop must be KA_NO_DROP or void packet_drop\(struct other \*\) */
KA_VEC(bad_vec, struct other, packet_drop)
#elif MISUSE == 2 /* the drop of the vec for the drop of an item | its drop must be */
KA_VEC(bad_vec, struct packet, packet_vec_drop)
#elif MISUSE == 3 /* a compare for another type | its compare must be KA_COMPARE_NUMBERS or int packet_compare */
KA_VEC_ORDER(other_vec, struct other, packet_compare)
#elif MISUSE == 4 /* a clone for another type | its clone must be KA_CLONE_BYTES or bool packet_clone */
KA_VEC_CLONE(other_vec, struct other, packet_clone)
#endif

bool use(packet_vec *packets, other_vec *others, int_vec *numbers, ka_allocator *a);
bool use(packet_vec *packets, other_vec *others, int_vec *numbers, ka_allocator *a)
{
    struct packet packet = { 1 };
    struct other other = { 1 };
    *packets = packet_vec_in(a);
    *others = other_vec_in(a);
    if (!packet_vec_push(packets, packet) || !other_vec_push(others, other) || !int_vec_push(numbers, 1))
        return false;
#if MISUSE == 5 /* an item of another type | incompatible type */
    return packet_vec_push(packets, other);
#elif MISUSE == 6  /* a pointer for a number | makes integer from pointer|pointer to integer conversion */
    return int_vec_push(numbers, &packet);
#elif MISUSE == 7  /* a fraction for a number | conversion */
    return int_vec_push(numbers, 1.5);
#elif MISUSE == 8  /* the result of push ignored | warn_unused_result */
    packet_vec_push(packets, packet);
#elif MISUSE == 9  /* the result of insert ignored | warn_unused_result */
    packet_vec_insert(packets, 0, packet);
#elif MISUSE == 10 /* the result of pop ignored | warn_unused_result */
    packet_vec_pop(packets, &packet);
#elif MISUSE == 11 /* the result of remove ignored | warn_unused_result */
    packet_vec_remove(packets, 0);
#elif MISUSE == 12 /* the result of swap_remove ignored | warn_unused_result */
    packet_vec_swap_remove(packets, 0);
#elif MISUSE == 13 /* the result of reserve ignored | warn_unused_result */
    packet_vec_reserve(packets, 1);
#elif MISUSE == 14 /* the result of take ignored | warn_unused_result */
    packet_vec_take(packets);
#elif MISUSE == 15 /* the result of extend ignored | warn_unused_result */
    packet_vec_extend(packets, &packet, 1);
#elif MISUSE == 16 /* items of another type | incompatible pointer type */
    return packet_vec_extend(packets, &other, 1);
#elif MISUSE == 17 /* a vec of another type | incompatible pointer type */
    return packet_vec_append(packets, others);
#elif MISUSE == 18 /* popped into another type | incompatible pointer type */
    return packet_vec_pop(packets, &other);
#elif MISUSE == 19 /* removed into another type | incompatible type|invalid initializer */
    struct other removed = packet_vec_remove(packets, 0);
    other = removed;
#elif MISUSE == 20 /* one vec type assigned to another | incompatible type */
    *others = *packets;
#elif MISUSE == 21 /* a borrow of another type | incompatible pointer type */
    struct other *borrowed = packet_vec_at(packets, 0);
    borrowed->number = 1;
#elif MISUSE == 22 /* a loop over items of another type | incompatible pointer type */
    KA_VEC_EACH (struct other, item, packets)
        item->number = 1;
#elif MISUSE == 23 /* a clone into another type | incompatible pointer type */
    return packet_vec_clone(others, packets, a);
#elif MISUSE == 24 /* the result of split_off ignored | warn_unused_result */
    packet_vec_split_off(packets, 0, packets);
#elif MISUSE == 25 /* the result of drain_of ignored | warn_unused_result */
    packet_vec_drain_of(packets, 0, 0);
#elif MISUSE == 26 /* the drain of another vec | incompatible type|invalid initializer */
    other_vec_drain drain = packet_vec_drain_of(packets, 0, 0);
    other_vec_drain_drop(&drain);
#elif MISUSE == 27 /* retained by another type | incompatible pointer type */
    KA_VEC_RETAIN(packet_vec, struct other, item, packets, item->number == 1);
#elif MISUSE == 28 /* a key of another type | incompatible type */
    return packet_vec_search(packets, other) != NULL;
#endif
    return true;
}
