/* hash_map_test.c: hash maps and sets: every function, long random runs against a plain model, hashes that all meet in
 * one place, memory that gives out. */
#include <ka/hash_map.h>
#include <ka/hash_set.h>

#include <string.h>

#include "collection/map_model.h"
#include "owner/tickets.h"

/* A hash that spreads; one that has 4 values, at the end of the table and elsewhere; and entries of a hundred bytes. */
typedef struct small_key {
    int number;
} small_key;
typedef struct crowd_key {
    int number;
} crowd_key;
typedef struct wide_key {
    int number;
    char more[76];
} wide_key;
MODEL_KEY_CODE(small_key)
MODEL_KEY_CODE(crowd_key)
MODEL_KEY_CODE(wide_key)

/* Hashes that the table stores as small numbers are at home near its end: 1 / the table's factor gives them. */
static uint64_t crowd_key_bad_hash(crowd_key const *crowded, const ka_hash_key *key)
{
    (void)key;
    uint64_t inverse = 1, factor = UINT64_C(0xd6e8feb86659fd93);
    for (int i = 0; i < 6; i++)
        inverse *= 2 - factor * inverse;
    return inverse * ((uint64_t)(crowded->number % 4 + 1) << 32);
}

static uint64_t wide_key_bad_hash(wide_key const *crowded, const ka_hash_key *key)
{
    (void)key;
    return (uint64_t)(crowded->number % 3) << 40;
}

KA_HASH_MAP(small_map, small_key, model_value, small_key_hash, small_key_equal, small_key_drop, model_value_drop)
KA_HASH_MAP_CLONE(small_map, small_key, model_value, small_key_clone, model_value_clone)
KA_HASH_MAP(crowd_map, crowd_key, model_value, crowd_key_bad_hash, crowd_key_equal, crowd_key_drop, model_value_drop)
KA_HASH_MAP_CLONE(crowd_map, crowd_key, model_value, crowd_key_clone, model_value_clone)
KA_HASH_MAP(wide_map, wide_key, model_value, wide_key_hash, wide_key_equal, wide_key_drop, model_value_drop)
KA_HASH_MAP_CLONE(wide_map, wide_key, model_value, wide_key_clone, model_value_clone)
KA_HASH_MAP(wide_crowd_map, wide_key, model_value, wide_key_bad_hash, wide_key_equal, wide_key_drop, model_value_drop)
KA_HASH_MAP_CLONE(wide_crowd_map, wide_key, model_value, wide_key_clone, model_value_clone)

#define MODEL_ORDERED 0
#define MODEL_MAP     small_map
#define MODEL_KEY     small_key
#include "collection/map_model.h"
#undef MODEL_MAP
#undef MODEL_KEY
#define MODEL_MAP crowd_map
#define MODEL_KEY crowd_key
#include "collection/map_model.h"
#undef MODEL_MAP
#undef MODEL_KEY
#define MODEL_MAP wide_map
#define MODEL_KEY wide_key
#include "collection/map_model.h"
#undef MODEL_MAP
#define MODEL_MAP wide_crowd_map
#include "collection/map_model.h"

KA_HASH_MAP(int_map, int, int, KA_HASH_NUMBERS, KA_EQUAL_NUMBERS, KA_NO_DROP, KA_NO_DROP)
KA_HASH_MAP_CLONE(int_map, int, int, KA_CLONE_BYTES, KA_CLONE_BYTES)
KA_HASH_SET(int_set, int, KA_HASH_NUMBERS, KA_EQUAL_NUMBERS, KA_NO_DROP)
KA_HASH_SET_CLONE(int_set, int, KA_CLONE_BYTES)
KA_HASH_SET(bits_set, uint64_t, KA_HASH_BITS, KA_EQUAL_NUMBERS, KA_NO_DROP)
KA_HASH_MAP(name_map, const char *, int, KA_HASH_POINTERS, KA_EQUAL_NUMBERS, KA_NO_DROP, KA_NO_DROP)

static uint64_t ticket_hash(ticket const *item, const ka_hash_key *key)
{
    return KA_HASH_NUMBERS(&item->id, key);
}
static bool ticket_equal(ticket const *a, ticket const *b)
{
    return a->id == b->id;
}
static bool ticket_clone(ticket *out, ticket const *from)
{
    (void)from;
    if (tickets.made == 500)
        return false;
    *out = ticket_make();
    return true;
}
KA_HASH_SET(ticket_set, ticket, ticket_hash, ticket_equal, ticket_drop)
KA_HASH_SET_CLONE(ticket_set, ticket, ticket_clone)

static kit_malloc memory;
static ka_failing failing;
static ka_allocator *const heap = &failing.allocator;

static void start(void)
{
    kit_malloc_init(&memory);
    ka_failing_init(&failing, &memory.allocator);
    tickets_reset();
    model_live_keys = model_live_values = 0;
    model_clone_fails = false;
}

static void empty_in_every_way(void)
{
    start();
    int_map zero = { 0 }, map = int_map_in(heap), copy;
    int value = 6;
    for (int i = 0; i < 2; i++) {
        int_map *self = i == 0 ? &zero : &map;
        KIT_CHECK(int_map_len(self) == 0 && int_map_is_empty(self) && int_map_get(self, 1) == NULL);
        KIT_CHECK(int_map_first(self).key == NULL && int_map_find(self, 1).key == NULL && !int_map_contains(self, 1));
        KIT_CHECK(!int_map_erase(self, 1) && !int_map_remove(self, 1, &value) && value == 6);
        KIT_CHECK(int_map_shrink(self) && int_map_reserve(self, 0));
        KIT_CHECK(int_map_clone(&copy, self, heap) && int_map_is_empty(&copy) && copy.table.allocator == heap);
        KIT_CHECK_SOUND(int_map_check(self));
        int_map_clear(self);
        int_map_drop(self);
        int_map_drop(self);
    }
    KIT_CHECK(int_map_insert(&zero, 1, 2) == NULL && !int_map_reserve(&zero, 1)); /* no allocator */
    KIT_CHECK(memory.allocs == 0);
}

static void room(void)
{
    start();
    int_map map = int_map_in(heap), copy;
    KIT_CHECK(int_map_reserve_with(&map, 100, KA_ATOMIC) && memory.flags == (KA_ATOMIC | KA_ZERO) &&
              memory.allocs == 1);
    for (int i = 0; i < 100; i++)
        KIT_CHECK(int_map_insert(&map, i, -i) != NULL);
    KIT_CHECK(memory.allocs == 1);
    KIT_CHECK(!int_map_reserve(&map, SIZE_MAX) && !int_map_reserve(&map, SIZE_MAX / 2));
    memory.limit = 1 << 20; /* 2^31 homes are the most; one entry more has no table at all */
    KIT_CHECK(!int_map_reserve(&map, ((size_t)3 << 29) - 100) && !int_map_reserve(&map, ((size_t)3 << 29) - 99));
    memory.limit = 0;
    for (int i = 0; i < 95; i++)
        KIT_CHECK(int_map_erase(&map, i));
    size_t bytes = memory.live_bytes;
    KIT_CHECK(int_map_shrink(&map) && memory.live_bytes < bytes / 8 && *int_map_get(&map, 97) == -97);
    KIT_CHECK_SOUND(int_map_check(&map));
    KIT_CHECK(int_map_insert_with(&map, 200, 1, KA_NOWAIT) != NULL && int_map_insert(&map, 201, 1) != NULL);
    KIT_CHECK(!int_map_clone(&copy, &map, NULL) && int_map_is_empty(&copy));
    int_map taken = int_map_take(&map);
    KIT_CHECK(int_map_is_empty(&map) && map.table.allocator == heap && int_map_len(&taken) == 7);
    int_map_clear(&taken);
    KIT_CHECK(int_map_shrink(&taken) && memory.live_blocks == 0 && int_map_insert(&taken, 1, 1) != NULL);
    int_map_drop(&taken);
    int_map_drop(&map);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* A table of random keys finds them within a few slots of home. */
static void keys_spread(void)
{
    start();
    bits_set set = bits_set_in(heap);
    int_set numbers = int_set_in(heap);
    enum { N = 49152 }; /* three quarters of 65536 */
    for (unsigned i = 0; i < N; i++) {
        KIT_CHECK(bits_set_insert(&set, i) != NULL && int_set_insert(&numbers, (int)(i * 4096)) != NULL);
    }
    uint64_t away = 0, away_numbers = 0;
    for (size_t at = 0; at < set.table.count; at++)
        if (set.slots[at].stored != 0)
            away += at - ka_table_home_(set.table.shift, set.slots[at].stored);
    for (size_t at = 0; at < numbers.table.count; at++)
        if (numbers.slots[at].stored != 0)
            away_numbers += at - ka_table_home_(numbers.table.shift, numbers.slots[at].stored);
    kit_note("slots from home in full tables: %u.%02u, numbers %u.%02u (1.50 for a random function)",
             (unsigned)(away / N), (unsigned)(away * 100 / N % 100), (unsigned)(away_numbers / N),
             (unsigned)(away_numbers * 100 / N % 100));
    KIT_CHECK(away < 3 * (uint64_t)N && away_numbers < 3 * (uint64_t)N);
    bits_set_drop(&set);
    int_set_drop(&numbers);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* Hashes that all agree take no more memory than the entries need, and everything still works. */
static void hashes_that_agree(void)
{
    start();
    crowd_map map = crowd_map_in(heap);
    for (unsigned i = 0; i < MODEL_KEYS; i++)
        KIT_CHECK(crowd_map_insert(&map, crowd_map_own_key(i), model_value_make(1)) != NULL);
    KIT_CHECK_SOUND(crowd_map_check(&map));
    KIT_CHECK(map.table.count < 5 * MODEL_KEYS);
    kit_note("%zu slots for %u entries with 4 hashes", map.table.count, MODEL_KEYS);
    crowd_map_drop(&map);
    KIT_CHECK(kit_malloc_clean(&memory) && model_live_keys == 0 && model_live_values == 0);
}

/* Entries that leave a table in its order crowd no other table. */
static void tables_have_keys_of_their_own(void)
{
    start();
    int_set one = int_set_in(heap), two = int_set_in(heap);
    for (int i = 0; i < 40000; i++)
        KIT_CHECK(int_set_insert(&one, i) != NULL);
    size_t farthest = 0;
    KA_HASH_MAP_EACH (int_set, it, &one) {
        KIT_CHECK(int_set_insert(&two, *it.key) != NULL);
        if (int_set_len(&two) % 1000 == 700)
            for (size_t at = 0; at < two.table.count; at++)
                if (two.slots[at].stored != 0) {
                    size_t away = at - ka_table_home_(two.table.shift, two.slots[at].stored);
                    farthest = away > farthest ? away : farthest;
                }
    }
    KIT_CHECK(one.table.key.k0 != two.table.key.k0 && farthest < 200);
    int_set_drop(&one);
    int_set_drop(&two);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* Tables of more than 1 MiB are searched and changed in another way. */
static void far_tables(void)
{
    start();
    enum { N = 120000 };
    static bool there[N];
    kit_random random = { 21 };
    int_map map = int_map_in(heap);
    int_set set = int_set_in(heap);
    memset(there, 0, sizeof there);
    for (unsigned i = 0; i < 4 * N; i++) {
        int key = (int)kit_below(&random, N);
        if (there[key] && i % 3 == 0) {
            there[key] = false;
            KIT_CHECK(int_map_erase(&map, key) && int_set_erase(&set, key));
        } else if (i % 4 == 0) {
            KIT_CHECK((int_map_get(&map, key) != NULL) == there[key] && int_set_contains(&set, key) == there[key]);
        } else {
            there[key] = true;
            KIT_CHECK(int_map_insert(&map, key, -key) != NULL && int_set_insert(&set, key) != NULL);
        }
    }
    KIT_CHECK(map.table.count * sizeof *map.slots > 1 << 20 && set.table.count * sizeof *set.slots > 1 << 20);
    size_t len = 0;
    for (int key = 0; key < N; key++) {
        const int *value = int_map_get(&map, key);
        KIT_CHECK(there[key] == (value != NULL) && there[key] == int_set_contains(&set, key));
        KIT_CHECK(value == NULL || *value == -key);
        len += there[key];
    }
    KIT_CHECK(int_map_len(&map) == len && int_set_len(&set) == len);
    KIT_CHECK_SOUND(int_map_check(&map));
    KIT_CHECK_SOUND(int_set_check(&set));
    int_map_drop(&map);
    int_set_drop(&set);
    kit_steps(4 * N);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* A million keys come and go through a small table: nothing stays behind. */
static void does_not_age(void)
{
    start();
    int_map map = int_map_in(heap);
    for (int i = 0; i < 1000000; i++) {
        KIT_CHECK(int_map_insert(&map, i, i) != NULL);
        if (i >= 40)
            KIT_CHECK(int_map_erase(&map, i - 40));
    }
    KIT_CHECK(int_map_len(&map) == 40 && map.table.count < 200);
    KIT_CHECK_SOUND(int_map_check(&map));
    for (int i = 0; i < 1000000; i++)
        (void)(int_map_erase(&map, i) || i == 0);
    for (size_t at = 0; at < map.table.count; at++)
        KIT_CHECK(map.slots[at].stored == 0);
    int_map_drop(&map);
    KIT_CHECK(kit_malloc_clean(&memory));
}

enum { ROUNDS = 800000 };

#define RUN(name)                                                                               \
    static void run_##name(unsigned keys, unsigned rounds, bool refuse, uint64_t seed)          \
    {                                                                                           \
        static name##_model m;                                                                  \
        kit_random random = { seed };                                                           \
        start();                                                                                \
        if (refuse)                                                                             \
            ka_failing_set_chance(&failing, 65536 / 4, seed);                                   \
        name##_model_init(&m, heap, keys);                                                      \
        for (unsigned i = 0; i < rounds; i++) {                                                 \
            KIT_CHECK_SOUND(name##_step(&m, &random));                                          \
            if (keys < 100)                                                                     \
                KIT_CHECK_SOUND(name##_check(&m.map));                                          \
        }                                                                                       \
        KIT_CHECK_SOUND(name##_model_compare(&m));                                              \
        name##_drop(&m.map);                                                                    \
        KIT_CHECK(kit_malloc_clean(&memory) && model_live_keys == 0 && model_live_values == 0); \
        kit_steps(rounds);                                                                      \
    }
RUN(small_map)
RUN(crowd_map)
RUN(wide_map)
RUN(wide_crowd_map)

static void same_as_model(void)
{
    run_small_map(MODEL_KEYS, ROUNDS, false, 1);
    run_small_map(60, ROUNDS / 4, false, 2);
    run_crowd_map(200, ROUNDS / 4, false, 3);
    run_crowd_map(40, ROUNDS / 4, false, 4);
    run_wide_map(MODEL_KEYS, ROUNDS / 2, false, 5);
    run_wide_crowd_map(100, ROUNDS / 16, false, 8);
}

/* One request in four is refused: nothing changes by what fails. */
static void same_as_model_short_of_memory(void)
{
    run_small_map(MODEL_KEYS, ROUNDS / 4, true, 6);
    run_crowd_map(100, ROUNDS / 4, true, 7);
}

/* The n-th allocation fails, for every n, while tables are built and cloned. */
static void nth_allocation_fails(void)
{
    static crowd_map_model m;
    uint64_t refused = 0;
    for (uint64_t n = 1;; n++) {
        start();
        crowd_map_model_init(&m, heap, MODEL_KEYS);
        ka_failing_set(&failing, n);
        for (unsigned k = 0; k < 300; k++) {
            model_live_keys++;
            if (crowd_map_insert(&m.map, crowd_map_key(k), model_value_make((int)k)) == NULL) {
                model_live_keys--;
                model_live_values--;
                KIT_CHECK(ka_failing_failures(&failing) == 1);
            } else {
                m.values[k] = (int)k;
                m.len++;
            }
            KIT_CHECK_SOUND(crowd_map_model_counts(&m));
        }
        KIT_CHECK_SOUND(crowd_map_model_compare(&m));
        crowd_map copy;
        bool cloned = crowd_map_clone(&copy, &m.map, heap);
        KIT_CHECK(crowd_map_len(&copy) == (cloned ? m.len : 0));
        crowd_map_drop(&copy);
        crowd_map_drop(&m.map);
        KIT_CHECK(kit_malloc_clean(&memory) && model_live_keys == 0 && model_live_values == 0);
        if (ka_failing_failures(&failing) == 0)
            break;
        refused++;
    }
    kit_note("%llu places to fail at", (unsigned long long)refused);
    KIT_CHECK(refused > 10);
}

static void sets(void)
{
    start();
    enum { N = 1000 };
    static bool seen[N];
    memset(seen, 0, sizeof seen);
    int_set set = int_set_in(heap), copy;
    int out = -1;
    for (int i = 0; i < N; i++) {
        const int *stored = int_set_insert(&set, i);
        KIT_CHECK(stored != NULL && *stored == i && int_set_insert(&set, i) != NULL);
    }
    KIT_CHECK(int_set_len(&set) == N && *int_set_get(&set, 500) == 500 && int_set_get(&set, N) == NULL);
    KA_HASH_MAP_EACH (int_set, it, &set) {
        KIT_CHECK(!seen[*it.key]);
        seen[*it.key] = true;
    }
    KIT_CHECK(int_set_clone(&copy, &set, heap) && int_set_len(&copy) == N);
    for (int i = 0; i < N; i += 2)
        KIT_CHECK(int_set_erase(&set, i) && !int_set_erase(&set, i) && !int_set_remove(&set, i, &out));
    KIT_CHECK(int_set_remove(&set, 3, &out) && out == 3 && int_set_len(&set) == N / 2 - 1 &&
              !int_set_contains(&set, 3));
    int_set_iter it = int_set_find(&set, 5);
    KIT_CHECK(it.key != NULL && *it.key == 5);
    int_set_remove_at(&set, &it, &out);
    KIT_CHECK(out == 5 && !int_set_contains(&set, 5));
    KIT_CHECK_SOUND(int_set_check(&set));
    KIT_CHECK_SOUND(int_set_check(&copy));
    int_set_clear(&set);
    KIT_CHECK(int_set_is_empty(&set) && int_set_shrink(&set) && int_set_reserve(&set, 10));
    int_set_drop(&set);
    KIT_CHECK(int_set_insert(&set, 1) == NULL);
    int_set_drop(&copy);
    const char *a = "a", *b = "b";
    name_map names = name_map_in(heap);
    KIT_CHECK(name_map_insert(&names, a, 1) != NULL && name_map_insert(&names, b, 2) != NULL);
    KIT_CHECK(*name_map_get(&names, a) == 1 && *name_map_get(&names, b) == 2);
    name_map_drop(&names);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void sets_drop_once(void)
{
    start();
    ticket_set set = ticket_set_in(heap), copy;
    ticket last = { 0 };
    for (int i = 0; i < 300; i++) {
        last = ticket_make();
        KIT_CHECK(ticket_set_insert(&set, last) != NULL);
    }
    KIT_CHECK(tickets.dropped == 0);
    KIT_CHECK(!ticket_set_clone(&copy, &set, heap) && tickets.dropped == 200 && ticket_set_is_empty(&copy));
    KIT_CHECK(ticket_set_erase(&set, last) && tickets.drops[last.id] == 1 && tickets.dropped == 201);
    ticket_set_iter it = ticket_set_first(&set);
    uint32_t first = it.key->id;
    ticket_set_erase_at(&set, &it);
    KIT_CHECK(tickets.drops[first] == 1 && it.key->id != first);
    ticket_set_drop(&set);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

/* The check sees what is broken. */
static void check_finds(void)
{
    start();
    int_map map = int_map_in(heap), empty = { 0 };
    for (int i = 0; i < 50; i++)
        KIT_CHECK(int_map_insert(&map, i, 1) != NULL);
    KIT_CHECK(int_map_check(&map) == NULL);
    int_map good = map;
    empty.table.len = 1;
    KIT_CHECK(int_map_check(&empty) != NULL);
    empty.table.len = 0;
    empty.table.limit = 1;
    KIT_CHECK(int_map_check(&empty) != NULL);
    empty.table.limit = 0;
    empty.slots = map.slots;
    KIT_CHECK(int_map_check(&empty) != NULL);
    map.table.len = map.table.limit + 1;
    KIT_CHECK(int_map_check(&map) != NULL);
    map.table.len = 49;
    KIT_CHECK(int_map_check(&map) != NULL);
    map = good;
    map.slots[map.table.count - 1].stored = 1;
    KIT_CHECK(int_map_check(&map) != NULL);
    map.slots[map.table.count - 1].stored = 0;
    map.table.key.k0++;
    KIT_CHECK(int_map_check(&map) != NULL);
    map = good;
    size_t at = 0, empty_at = 0;
    while (map.slots[at].stored == 0)
        at++;
    uint32_t stored = map.slots[at].stored;
    map.slots[at].stored = 1;
    KIT_CHECK(int_map_check(&map) != NULL);
    map.slots[at].stored = stored;
    while (map.slots[empty_at].stored != 0 || empty_at < 3)
        empty_at++;
    map.slots[empty_at].stored = UINT32_MAX;
    map.slots[at].stored = 0;
    KIT_CHECK(int_map_check(&map) != NULL);
    map.slots[empty_at].stored = 0;
    map.slots[at].stored = stored;
    KIT_CHECK(int_map_check(&map) == NULL);
    int_map_drop(&map);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static const kit_case cases[] = {
    { "empty_in_every_way", empty_in_every_way },
    { "room", room },
    { "keys_spread", keys_spread },
    { "hashes_that_agree", hashes_that_agree },
    { "tables_have_keys_of_their_own", tables_have_keys_of_their_own },
    { "far_tables", far_tables },
    { "does_not_age", does_not_age },
    { "same_as_model", same_as_model },
    { "same_as_model_short_of_memory", same_as_model_short_of_memory },
    { "nth_allocation_fails", nth_allocation_fails },
    { "sets", sets },
    { "sets_drop_once", sets_drop_once },
    { "check_finds", check_finds },
};

int main(void)
{
    return kit_main("hash_map", cases, KIT_COUNT(cases));
}
