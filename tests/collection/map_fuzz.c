/* map_fuzz.c: bytes become operations on an ordered map with small nodes, a hash map, and one whose hashes collide, and
 * on an ordered and a hash set, each beside its model (map_model.h, set_model.h); every fact is checked after each.
 *
 * The input: one byte picks the number of keys and the share of requests that are refused; then each byte is a step of
 * the model: what a step does is drawn from all bytes so far.
 */
#include <ka/hash_map.h>
#include <ka/hash_set.h>
#include <ka/map.h>
#include <ka/set.h>

#include <stdio.h>
#include <stdlib.h>

#include "collection/map_model.h"

typedef struct wide_key {
    int number;
    char more[76];
} wide_key;
MODEL_KEY_CODE(wide_key)

static uint64_t wide_key_bad_hash(wide_key const *key, const ka_hash_key *secret)
{
    (void)secret;
    return (uint64_t)(key->number % 3) << 40;
}

KA_MAP(tree, wide_key, model_value, wide_key_compare, wide_key_drop, model_value_drop)
KA_MAP_CLONE(tree, wide_key, model_value, wide_key_clone, model_value_clone)
KA_HASH_MAP(table, wide_key, model_value, wide_key_hash, wide_key_equal, wide_key_drop, model_value_drop)
KA_HASH_MAP_CLONE(table, wide_key, model_value, wide_key_clone, model_value_clone)
KA_HASH_MAP(crowd, wide_key, model_value, wide_key_bad_hash, wide_key_equal, wide_key_drop, model_value_drop)
KA_HASH_MAP_CLONE(crowd, wide_key, model_value, wide_key_clone, model_value_clone)
KA_SET(tree_set, wide_key, wide_key_compare, wide_key_drop)
KA_SET_CLONE(tree_set, wide_key, wide_key_clone)
KA_HASH_SET(table_set, wide_key, wide_key_hash, wide_key_equal, wide_key_drop)
KA_HASH_SET_CLONE(table_set, wide_key, wide_key_clone)

#define MODEL_KEY     wide_key
#define MODEL_ORDERED 1
#define MODEL_MAP     tree
#include "collection/map_model.h"
#define MODEL_SET tree_set
#include "collection/set_model.h"
#undef MODEL_SET
#undef MODEL_ORDERED
#undef MODEL_MAP
#define MODEL_ORDERED 0
#define MODEL_MAP     table
#include "collection/map_model.h"
#define MODEL_SET table_set
#include "collection/set_model.h"
#undef MODEL_SET
#undef MODEL_MAP
#define MODEL_MAP crowd
#include "collection/map_model.h"

static void must_hold(const char *broken)
{
    if (broken != NULL) {
        fprintf(stderr, "map_fuzz: %s\n", broken);
        abort();
    }
}

#define RUN(name, member)                                                                         \
    static void run_##name(const uint8_t *data, size_t size)                              \
    {                                                                                     \
        static name##_model m;                                                            \
        kit_malloc memory;                                                                \
        ka_failing failing;                                                               \
        kit_random random = { 0 };                                                        \
        kit_malloc_init(&memory);                                                         \
        ka_failing_init(&failing, &memory.allocator);                                     \
        ka_failing_set_chance(&failing, (data[0] & 3u) * 8192, 1);                        \
        model_live_keys = model_live_values = 0;                                          \
        name##_model_init(&m, &failing.allocator, data[0] / 4u + 1);                      \
        for (size_t i = 1; i < size; i++) {                                               \
            random.state += data[i];                                                      \
            must_hold(name##_step(&m, &random));                                          \
            must_hold(name##_model_compare(&m));                                          \
        }                                                                                 \
        name##_drop(&m.member);                                                           \
        if (!kit_malloc_clean(&memory) || model_live_keys != 0 || model_live_values != 0) \
            must_hold("something is left");                                               \
    }
RUN(tree, map)
RUN(table, map)
RUN(crowd, map)
RUN(tree_set, set)
RUN(table_set, set)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    run_tree(data, size);
    run_table(data, size);
    run_crowd(data, size);
    run_tree_set(data, size);
    run_table_set(data, size);
    return 0;
}
