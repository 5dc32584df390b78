/* hash_map.c: what hash maps and sets must refuse. See misuse_test.sh. */
#include <ka/hash_map.h>
#include <ka/hash_set.h>

struct packet {
    int number;
};
struct other {
    int number;
};

uint64_t packet_hash(struct packet const *packet, const ka_hash_key *key);
uint64_t keyless_hash(struct packet const *packet);
bool packet_equal(struct packet const *a, struct packet const *b);
int packet_compare(struct packet const *a, struct packet const *b);
void packet_drop(struct packet *packet);

KA_HASH_MAP(packet_map, struct packet, int, packet_hash, packet_equal, packet_drop, KA_NO_DROP)
KA_HASH_MAP(int_map, int, struct other, KA_HASH_NUMBERS, KA_EQUAL_NUMBERS, KA_NO_DROP, KA_NO_DROP)
KA_HASH_SET(packet_set, struct packet, packet_hash, packet_equal, packet_drop)
KA_HASH_SET_CLONE(packet_set, struct packet, KA_CLONE_BYTES)

#if MISUSE == 1 /* a drop for another type of value | its drop must be KA_NO_DROP or void packet_drop\(int \*\) */
KA_HASH_MAP(bad_map, struct packet, int, packet_hash, packet_equal, packet_drop, packet_drop)
#elif MISUSE == 2 /* a hash without a key | its hash must be */
KA_HASH_MAP(bad_map, struct packet, int, keyless_hash, packet_equal, packet_drop, KA_NO_DROP)
#elif MISUSE == 3 /* a hash for another type | its hash must be */
KA_HASH_SET(bad_set, int, packet_hash, KA_EQUAL_NUMBERS, KA_NO_DROP)
#elif MISUSE == 4 /* a compare for an equal | its equal must be */
KA_HASH_SET(bad_set, struct packet, packet_hash, packet_compare, packet_drop)
#elif MISUSE == 5 /* numbers' hash for a record | aggregate value used|operand of type|convert a struct */
KA_HASH_SET(bad_set, struct packet, KA_HASH_NUMBERS, packet_equal, packet_drop)
#endif

bool use(packet_map *packets, int_map *numbers, packet_set *set, ka_allocator *a);
bool use(packet_map *packets, int_map *numbers, packet_set *set, ka_allocator *a)
{
    struct packet packet = { 1 };
    struct other other = { 1 };
    int number = 0;
    *packets = packet_map_in(a);
    if (packet_map_insert(packets, packet, 1) == NULL || packet_set_insert(set, packet) == NULL)
        return false;
    if (int_map_insert(numbers, 1, other) == NULL)
        return false;
    int_map_iter it = int_map_first(numbers);
#if MISUSE == 6 /* a key of another type | incompatible type */
    return packet_map_contains(packets, other);
#elif MISUSE == 7 /* a value of another type | incompatible type */
    return int_map_insert(numbers, 1, packet) != NULL;
#elif MISUSE == 8 /* the result of insert ignored | warn_unused_result */
    packet_map_insert(packets, packet, 1);
#elif MISUSE == 9 /* the result of reserve ignored | warn_unused_result */
    packet_map_reserve(packets, 1);
#elif MISUSE == 10 /* the result of take ignored | warn_unused_result */
    packet_map_take(packets);
#elif MISUSE == 11 /* the result of clone ignored | warn_unused_result */
    packet_set_clone(set, set, a);
#elif MISUSE == 12 /* one map type assigned to another | incompatible type */
    *numbers = *packets;
#elif MISUSE == 13 /* a map passed for a set | incompatible pointer type */
    packet_set_drop(packets);
#elif MISUSE == 14 /* a key changed in the table | read-only|const-qualified */
    *it.key = 2;
#elif MISUSE == 15 /* a value borrowed as another type | incompatible pointer type */
    struct packet *value = int_map_get(numbers, 1);
    packet = *value;
#endif
    (void)it;
    (void)number;
    return true;
}
