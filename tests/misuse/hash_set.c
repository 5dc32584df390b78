/* hash_set.c: what hash sets must refuse. See misuse_test.sh. */
#include <ka/hash_set.h>

struct packet {
    int number;
};
struct other {
    int number;
};

uint64_t packet_hash(struct packet const *packet, const ka_hash_key *key);
bool packet_equal(struct packet const *a, struct packet const *b);
uint64_t other_hash(struct other const *other, const ka_hash_key *key);
bool other_equal(struct other const *a, struct other const *b);
bool packet_clone(struct packet *out, struct packet const *from);
void packet_drop(struct packet *packet);

KA_HASH_SET(packet_set, struct packet, packet_hash, packet_equal, packet_drop)
KA_HASH_SET_CLONE(packet_set, struct packet, packet_clone)
KA_HASH_SET(int_set, int, KA_HASH_NUMBERS, KA_EQUAL_NUMBERS, KA_NO_DROP)

#if MISUSE == 1 /* a drop for another type | its drop must be KA_NO_DROP or void packet_drop\(struct other \*\) */
KA_HASH_SET(bad_set, struct other, other_hash, other_equal, packet_drop)
#elif MISUSE == 2 /* the drop of the set for the drop of a key | its drop must be */
KA_HASH_SET(bad_set, struct packet, packet_hash, packet_equal, packet_set_drop)
#elif MISUSE == 3 /* a hash for another type | its hash must be */
KA_HASH_SET(bad_set, struct other, packet_hash, packet_equal, KA_NO_DROP)
#elif MISUSE == 4 /* a clone for another type | its clone must be KA_CLONE_BYTES or bool packet_clone */
KA_HASH_SET_CLONE(int_set, int, packet_clone)
#endif

bool use(packet_set *packets, int_set *numbers, ka_allocator *a);
bool use(packet_set *packets, int_set *numbers, ka_allocator *a)
{
    struct packet packet = { 1 };
    struct other other = { 1 };
    *packets = packet_set_in(a);
    *numbers = int_set_in(a);
    if (packet_set_insert(packets, packet) == NULL || int_set_insert(numbers, 1) == NULL)
        return false;
    packet_set_iter it = packet_set_first(packets);
#if MISUSE == 5 /* a key of another type | incompatible type */
    return packet_set_insert(packets, other) != NULL;
#elif MISUSE == 6  /* another type looked for | incompatible type */
    return packet_set_contains(packets, other);
#elif MISUSE == 7  /* the result of insert ignored | warn_unused_result */
    packet_set_insert(packets, packet);
#elif MISUSE == 8  /* the result of take ignored | warn_unused_result */
    packet_set_take(packets);
#elif MISUSE == 9  /* the result of remove ignored | warn_unused_result */
    packet_set_remove(packets, packet, &packet);
#elif MISUSE == 10 /* the result of clone ignored | warn_unused_result */
    packet_set_clone(packets, packets, a);
#elif MISUSE == 11 /* removed into another type | incompatible pointer type */
    return packet_set_remove(packets, packet, &other);
#elif MISUSE == 12 /* one set type assigned to another | incompatible type */
    *numbers = *packets;
#elif MISUSE == 13 /* a set passed for another | incompatible pointer type */
    int_set_drop(packets);
#elif MISUSE == 14 /* an iterator of another set | incompatible pointer type */
    int_set_erase_at(numbers, &it);
#elif MISUSE == 15 /* a key changed in the set | read-only|const-qualified */
    it.key->number = 2;
#elif MISUSE == 16 /* a clone into another type | incompatible pointer type */
    return packet_set_clone(numbers, packets, a);
#endif
    return it.key != NULL && other.number == 1;
}
