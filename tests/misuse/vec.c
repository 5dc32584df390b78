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

#if MISUSE == 1 /* a drop for another type | its drop must be KA_NO_DROP or void packet_drop\(struct other \*\) */
KA_VEC(bad_vec, struct other, packet_drop)
#elif MISUSE == 2 /* the drop of the vec for the drop of an item | its drop must be */
KA_VEC(bad_vec, struct packet, packet_vec_drop)
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
#if MISUSE == 3 /* an item of another type | incompatible type */
    return packet_vec_push(packets, other);
#elif MISUSE == 4  /* a pointer for a number | makes integer from pointer|pointer to integer conversion */
    return int_vec_push(numbers, &packet);
#elif MISUSE == 5  /* a fraction for a number | conversion */
    return int_vec_push(numbers, 1.5);
#elif MISUSE == 6  /* the result of push ignored | warn_unused_result */
    packet_vec_push(packets, packet);
#elif MISUSE == 7  /* the result of insert ignored | warn_unused_result */
    packet_vec_insert(packets, 0, packet);
#elif MISUSE == 8  /* the result of pop ignored | warn_unused_result */
    packet_vec_pop(packets, &packet);
#elif MISUSE == 9  /* the result of remove ignored | warn_unused_result */
    packet_vec_remove(packets, 0);
#elif MISUSE == 10 /* the result of swap_remove ignored | warn_unused_result */
    packet_vec_swap_remove(packets, 0);
#elif MISUSE == 11 /* the result of reserve ignored | warn_unused_result */
    packet_vec_reserve(packets, 1);
#elif MISUSE == 12 /* the result of take ignored | warn_unused_result */
    packet_vec_take(packets);
#elif MISUSE == 13 /* the result of extend ignored | warn_unused_result */
    packet_vec_extend(packets, &packet, 1);
#elif MISUSE == 14 /* items of another type | incompatible pointer type */
    return packet_vec_extend(packets, &other, 1);
#elif MISUSE == 15 /* a vec of another type | incompatible pointer type */
    return packet_vec_append(packets, others);
#elif MISUSE == 16 /* popped into another type | incompatible pointer type */
    return packet_vec_pop(packets, &other);
#elif MISUSE == 17 /* removed into another type | incompatible type|invalid initializer */
    struct other removed = packet_vec_remove(packets, 0);
    other = removed;
#elif MISUSE == 18 /* one vec type assigned to another | incompatible type */
    *others = *packets;
#elif MISUSE == 19 /* a borrow of another type | incompatible pointer type */
    struct other *borrowed = packet_vec_at(packets, 0);
    borrowed->number = 1;
#elif MISUSE == 20 /* a loop over items of another type | incompatible pointer type */
    KA_VEC_EACH(struct other, item, packets)
    item->number = 1;
#endif
    return true;
}
