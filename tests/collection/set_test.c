/* set_test.c: ordered and hash sets: long random runs against a plain model; what is special to them. */
#include <ka/hash_set.h>
#include <ka/set.h>

#include "collection/map_model.h"

/* Small keys; keys of 80 bytes, of which a node holds few; and keys with three hashes. */
typedef struct small_key {
    int number;
} small_key;
typedef struct wide_key {
    int number;
    char more[76];
} wide_key;
MODEL_KEY_CODE(small_key)
MODEL_KEY_CODE(wide_key)

/* Hashes that the table stores as small numbers are at home near its end: 1 / the table's factor gives them. */
static uint64_t small_key_bad_hash(small_key const *key, const ka_hash_key *secret)
{
    (void)secret;
    uint64_t inverse = 1, factor = UINT64_C(0xd6e8feb86659fd93);
    for (int i = 0; i < 6; i++)
        inverse *= 2 - factor * inverse;
    return inverse * ((uint64_t)(key->number % 3 + 1) << 32);
}
static uint64_t wide_key_bad_hash(wide_key const *key, const ka_hash_key *secret)
{
    (void)secret;
    return (uint64_t)(key->number % 3) << 40;
}

KA_SET(tree, small_key, small_key_compare, small_key_drop)
KA_SET_CLONE(tree, small_key, small_key_clone)
KA_SET(wide_tree, wide_key, wide_key_compare, wide_key_drop)
KA_SET_CLONE(wide_tree, wide_key, wide_key_clone)
KA_HASH_SET(table, small_key, small_key_hash, small_key_equal, small_key_drop)
KA_HASH_SET_CLONE(table, small_key, small_key_clone)
KA_HASH_SET(wide_table, wide_key, wide_key_hash, wide_key_equal, wide_key_drop)
KA_HASH_SET_CLONE(wide_table, wide_key, wide_key_clone)
KA_HASH_SET(crowd, small_key, small_key_bad_hash, small_key_equal, small_key_drop)
KA_HASH_SET_CLONE(crowd, small_key, small_key_clone)
KA_HASH_SET(wide_crowd, wide_key, wide_key_bad_hash, wide_key_equal, wide_key_drop)
KA_HASH_SET_CLONE(wide_crowd, wide_key, wide_key_clone)

#define MODEL_ORDERED 1
#define MODEL_KEY     small_key
#define MODEL_SET     tree
#include "collection/set_model.h"
#undef MODEL_KEY
#undef MODEL_SET
#define MODEL_KEY wide_key
#define MODEL_SET wide_tree
#include "collection/set_model.h"
#undef MODEL_ORDERED
#undef MODEL_SET
#define MODEL_ORDERED 0
#define MODEL_SET     wide_table
#include "collection/set_model.h"
#undef MODEL_SET
#define MODEL_SET wide_crowd
#include "collection/set_model.h"
#undef MODEL_KEY
#undef MODEL_SET
#define MODEL_KEY small_key
#define MODEL_SET table
#include "collection/set_model.h"
#undef MODEL_SET
#define MODEL_SET crowd
#include "collection/set_model.h"

static kit_malloc memory;
static ka_failing failing;

enum { ROUNDS = 500000 };

#define RUN(name)                                                                      \
    static void run_##name(unsigned keys, unsigned rounds, unsigned refuse)            \
    {                                                                                  \
        static name##_model m;                                                         \
        kit_random random = { keys };                                                  \
        kit_malloc_init(&memory);                                                      \
        ka_failing_init(&failing, &memory.allocator);                                  \
        ka_failing_set_chance(&failing, refuse, keys);                                 \
        model_live_keys = 0;                                                           \
        name##_model_init(&m, &failing.allocator, keys);                               \
        for (unsigned i = 0; i < rounds; i++) {                                        \
            KIT_CHECK_SOUND(name##_step(&m, &random));                                 \
            if (keys < 100 || i % 64 == 0)                                             \
                KIT_CHECK_SOUND(name##_model_compare(&m));                             \
        }                                                                              \
        name##_drop(&m.set);                                                           \
        KIT_CHECK(kit_malloc_clean(&memory) && model_live_keys == 0);                  \
        kit_steps(rounds);                                                             \
    }                                                                                  \
    static void name##_as_model(void)                                                  \
    {                                                                                  \
        run_##name(MODEL_KEYS, ROUNDS, 0);                                             \
        run_##name(50, ROUNDS / 10, 65536 / 4); /* one request in four is refused */   \
    }
RUN(tree)
RUN(wide_tree)
RUN(table)
RUN(wide_table)
RUN(crowd)
RUN(wide_crowd)

/* The check sees keys that have changed; an empty set of each kind answers everything. */
static void changed_keys(void)
{
    kit_malloc_init(&memory);
    model_live_keys = 2;
    tree ordered = tree_in(&memory.allocator);
    table hashed = table_in(&memory.allocator);
    KIT_CHECK(tree_find(&ordered, tree_key(1)).key == NULL && table_find(&hashed, table_key(1)).key == NULL);
    KIT_CHECK(!table_contains(&hashed, table_key(1)) && table_is_empty(&hashed) && table_shrink(&hashed));
    KIT_CHECK(!table_reserve_with(&hashed, SIZE_MAX, 0));
    for (unsigned i = 1; i < 3; i++)
        KIT_CHECK(tree_insert(&ordered, tree_key(i)) != NULL && table_insert(&hashed, table_key(i)) != NULL);
    KIT_CHECK(!table_reserve(&hashed, SIZE_MAX) && tree_check(&ordered) == NULL && table_check(&hashed) == NULL);
    ((small_key *)(uintptr_t)tree_first(&ordered).key)->number = 3;
    ((small_key *)(uintptr_t)table_first(&hashed).key)->number = 9;
    KIT_CHECK(tree_check(&ordered) != NULL && table_check(&hashed) != NULL);
    hashed.table.len++;
    KIT_CHECK(table_check(&hashed) != NULL);
    hashed.table.len--;
    ordered.tree.len++;
    KIT_CHECK(tree_check(&ordered) != NULL);
    ordered.tree.len--;
    tree_drop(&ordered);
    table_drop(&hashed);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static const kit_case cases[] = {
    { "ordered set, as its model", tree_as_model },
    { "ordered set of wide keys, as its model", wide_tree_as_model },
    { "hash set, as its model", table_as_model },
    { "hash set of wide keys, as its model", wide_table_as_model },
    { "hash set with hashes that agree, as its model", crowd_as_model },
    { "the same with wide keys", wide_crowd_as_model },
    { "keys that have changed", changed_keys },
};

int main(void)
{
    return kit_main("set", cases, KIT_COUNT(cases));
}
