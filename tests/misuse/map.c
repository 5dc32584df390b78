/* map.c: what ordered maps and sets must refuse. See misuse_test.sh. */
#include <ka/map.h>
#include <ka/set.h>

struct packet {
    int number;
};
struct other {
    int number;
};

int packet_compare(struct packet const *a, struct packet const *b);
bool packet_clone(struct packet *out, struct packet const *from);
void packet_drop(struct packet *packet);

KA_MAP(packet_map, struct packet, int, packet_compare, packet_drop, KA_NO_DROP)
KA_MAP_CLONE(packet_map, struct packet, int, packet_clone, KA_CLONE_BYTES)
KA_MAP(int_map, int, struct other, KA_COMPARE_NUMBERS, KA_NO_DROP, KA_NO_DROP)
KA_SET(packet_set, struct packet, packet_compare, packet_drop)

#if MISUSE == 1 /* a drop for another type of key | its drop must be KA_NO_DROP or void packet_drop\(struct other \*\) */
KA_MAP(bad_map, struct other, int, packet_compare, packet_drop, KA_NO_DROP)
#elif MISUSE == 2 /* a drop for another type of value | its drop must be KA_NO_DROP or void packet_drop\(int \*\) */
KA_MAP(bad_map, struct packet, int, packet_compare, packet_drop, packet_drop)
#elif MISUSE == 3 /* a compare for another type | its compare must be */
KA_MAP(bad_map, struct other, int, packet_compare, KA_NO_DROP, KA_NO_DROP)
#elif MISUSE == 4 /* a compare that is none | its compare must be */
KA_SET(bad_set, struct packet, packet_clone, packet_drop)
#elif MISUSE == 5 /* numbers' compare for a record | invalid operand */
KA_SET(bad_set, struct packet, KA_COMPARE_NUMBERS, packet_drop)
#elif MISUSE == 6 /* a clone for another type | its clone must be */
KA_MAP_CLONE(int_map, int, struct other, KA_CLONE_BYTES, packet_clone)
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
    packet_map_entry entry = packet_map_entry_of(packets, packet);
#if MISUSE == 7 /* a key of another type | incompatible type */
    return packet_map_get(packets, other) != NULL;
#elif MISUSE == 8 /* a value of another type | incompatible type */
    return int_map_insert(numbers, 1, packet) != NULL;
#elif MISUSE == 9 /* the result of insert ignored | warn_unused_result */
    packet_map_insert(packets, packet, 1);
#elif MISUSE == 10 /* the result of remove ignored | warn_unused_result */
    packet_map_remove(packets, packet, &number);
#elif MISUSE == 11 /* the result of take ignored | warn_unused_result */
    packet_map_take(packets);
#elif MISUSE == 12 /* the result of clone ignored | warn_unused_result */
    packet_map_clone(packets, packets, a);
#elif MISUSE == 13 /* a value removed into another type | incompatible pointer type */
    return packet_map_remove(packets, packet, &other);
#elif MISUSE == 14 /* one map type assigned to another | incompatible type */
    *numbers = *packets;
#elif MISUSE == 15 /* a map passed for a set | incompatible pointer type */
    packet_set_clear(packets);
#elif MISUSE == 16 /* an iterator of another map | incompatible pointer type */
    packet_map_next(&it);
#elif MISUSE == 17 /* a key changed in the map | read-only|const-qualified */
    *it.key = 2;
#elif MISUSE == 18 /* the value of an entry for another type | incompatible pointer type */
    struct other *value = packet_map_entry_or_insert(&entry, 1);
    value->number = 1;
#elif MISUSE == 19 /* the result of insert into a set ignored | warn_unused_result */
    packet_set_insert(set, packet);
#endif
    (void)it;
    (void)entry;
    (void)number;
    return true;
}
