/* map_test.c: ordered maps and sets: every function, long random runs against a plain model, memory that gives out. */
#include <ka/map.h>
#include <ka/set.h>

#include <stdlib.h>
#include <string.h>

#include "collection/map_model.h"
#include "owner/tickets.h"

/* Nodes of 31, of 15 and of 7 entries. */
typedef struct small_key {
    int number;
} small_key;
typedef struct wide_key {
    int number;
    char more[76];
} wide_key;
MODEL_KEY_CODE(small_key)
MODEL_KEY_CODE(wide_key)

KA_MAP(small_map, small_key, model_value, small_key_compare, small_key_drop, model_value_drop)
KA_MAP_CLONE(small_map, small_key, model_value, small_key_clone, model_value_clone)
KA_MAP(wide_map, wide_key, model_value, wide_key_compare, wide_key_drop, model_value_drop)
KA_MAP_CLONE(wide_map, wide_key, model_value, wide_key_clone, model_value_clone)

#define MODEL_ORDERED 1
#define MODEL_MAP     small_map
#define MODEL_KEY     small_key
#include "collection/map_model.h"
#undef MODEL_MAP
#undef MODEL_KEY
#define MODEL_MAP wide_map
#define MODEL_KEY wide_key
#include "collection/map_model.h"

KA_MAP(int_map, int, int, KA_COMPARE_NUMBERS, KA_NO_DROP, KA_NO_DROP)
KA_MAP_CLONE(int_map, int, int, KA_CLONE_BYTES, KA_CLONE_BYTES)
KA_SET(int_set, int, KA_COMPARE_NUMBERS, KA_NO_DROP)
KA_SET_CLONE(int_set, int, KA_CLONE_BYTES)

static int ticket_compare(ticket const *a, ticket const *b)
{
    return (a->id > b->id) - (a->id < b->id);
}
KA_SET(ticket_set, ticket, ticket_compare, ticket_drop)

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
    int key = 5, value = 6;
    for (int i = 0; i < 2; i++) {
        int_map *self = i == 0 ? &zero : &map;
        KIT_CHECK(int_map_len(self) == 0 && int_map_is_empty(self) && int_map_get(self, 1) == NULL);
        KIT_CHECK(int_map_first(self).key == NULL && int_map_last(self).key == NULL && !int_map_contains(self, 1));
        KIT_CHECK(int_map_lower_bound(self, 1).key == NULL && int_map_upper_bound(self, 1).key == NULL);
        KIT_CHECK(!int_map_erase(self, 1) && !int_map_remove(self, 1, &value) && int_map_find(self, 1).key == NULL);
        KIT_CHECK(!int_map_pop_first(self, &key, &value) && !int_map_pop_last(self, &key, &value));
        KIT_CHECK(key == 5 && value == 6);
        KIT_CHECK(int_map_clone(&copy, self, heap) && int_map_is_empty(&copy) && copy.tree.allocator == heap);
        KIT_CHECK_SOUND(int_map_check(self));
        int_map_clear(self);
        int_map_drop(self);
        int_map_drop(self);
    }
    KIT_CHECK(int_map_insert(&zero, 1, 2) == NULL); /* no allocator */
    KIT_CHECK(memory.allocs == 0);
}

static void in_order_both_ways(void)
{
    start();
    for (int order = 0; order < 3; order++) { /* keys in order, in reverse, and mixed */
        enum { N = 5000 };
        int_map map = int_map_in(heap);
        for (int i = 0; i < N; i++) {
            int key = order == 0 ? i : order == 1 ? N - 1 - i : i * 2503 % N;
            int *value = int_map_insert(&map, key, -key);
            KIT_CHECK(value != NULL && *value == -key);
        }
        KIT_CHECK(int_map_len(&map) == N);
        KIT_CHECK_SOUND(int_map_check(&map));
        int expected = 0;
        KA_MAP_EACH (int_map, it, &map) {
            KIT_CHECK(*it.key == expected && *it.value == -expected);
            expected++;
        }
        KIT_CHECK(expected == N);
        KA_MAP_EACH_BACK (int_map, it, &map)
            KIT_CHECK(*it.key == --expected);
        KIT_CHECK(expected == 0);
        expected = 100;
        KA_MAP_RANGE (int_map, it, &map, 100, 200)
            KIT_CHECK(*it.key == expected++);
        KIT_CHECK(expected == 200);
        KA_MAP_RANGE (int_map, it, &map, 200, 100)
            KIT_CHECK(it.key == NULL);
        /* what comes in order fills its nodes to three quarters and more */
        KIT_CHECK(order == 2 || memory.live_bytes < (size_t)N * 8 * 2);
        KIT_CHECK(memory.live_bytes < (size_t)N * 8 * 3);
        int_map_drop(&map);
        KIT_CHECK(kit_malloc_clean(&memory));
    }
}

static void flags_reach_the_allocator(void)
{
    start();
    int_map map = int_map_in(heap);
    int_set set = int_set_in(heap);
    KIT_CHECK(int_map_insert_with(&map, 1, 2, KA_ATOMIC) != NULL && memory.flags == KA_ATOMIC);
    KIT_CHECK(int_set_insert_with(&set, 1, KA_NOWAIT) != NULL && memory.flags == KA_NOWAIT);
    int_map taken = int_map_take(&map);
    KIT_CHECK(int_map_is_empty(&map) && map.tree.allocator == heap && *int_map_get(&taken, 1) == 2);
    int_map_drop(&map);
    int_map_drop(&taken);
    int_set_drop(&set);
    KIT_CHECK(kit_malloc_clean(&memory));
}

enum { ROUNDS = 800000 };

static void run_small(unsigned keys, unsigned rounds, bool refuse, uint64_t seed)
{
    static small_map_model m;
    kit_random random = { seed };
    start();
    if (refuse)
        ka_failing_set_chance(&failing, 65536 / 4, seed);
    small_map_model_init(&m, heap, keys);
    for (unsigned i = 0; i < rounds; i++) {
        KIT_CHECK_SOUND(small_map_step(&m, &random));
        if (keys < 100)
            KIT_CHECK_SOUND(small_map_check(&m.map));
    }
    KIT_CHECK_SOUND(small_map_model_compare(&m));
    small_map_drop(&m.map);
    kit_steps(rounds);
    KIT_CHECK(kit_malloc_clean(&memory) && model_live_keys == 0 && model_live_values == 0);
}

static void run_wide(unsigned keys, unsigned rounds, bool refuse, uint64_t seed)
{
    static wide_map_model m;
    kit_random random = { seed };
    start();
    if (refuse)
        ka_failing_set_chance(&failing, 65536 / 4, seed);
    wide_map_model_init(&m, heap, keys);
    for (unsigned i = 0; i < rounds; i++) {
        KIT_CHECK_SOUND(wide_map_step(&m, &random));
        if (keys < 100)
            KIT_CHECK_SOUND(wide_map_check(&m.map));
    }
    KIT_CHECK_SOUND(wide_map_model_compare(&m));
    wide_map_drop(&m.map);
    kit_steps(rounds);
    KIT_CHECK(kit_malloc_clean(&memory) && model_live_keys == 0 && model_live_values == 0);
}

static void same_as_model(void)
{
    run_small(MODEL_KEYS, ROUNDS, false, 1);
    run_small(60, ROUNDS / 4, false, 2);
    run_wide(MODEL_KEYS, ROUNDS, false, 3);
    run_wide(60, ROUNDS / 4, false, 4);
}

/* One request in four is refused: nothing changes by what fails. */
static void same_as_model_short_of_memory(void)
{
    run_small(MODEL_KEYS, ROUNDS / 4, true, 5);
    run_wide(MODEL_KEYS, ROUNDS / 4, true, 6);
}

/* The n-th allocation fails, for every n, while a deep tree is built and cloned. */
static void nth_allocation_fails(void)
{
    static wide_map_model m;
    uint64_t refused = 0;
    for (uint64_t n = 1;; n++) {
        start();
        wide_map_model_init(&m, heap, MODEL_KEYS);
        ka_failing_set(&failing, n);
        for (unsigned i = 0; i < 300; i++) {
            unsigned k = i * 7 % 300;
            model_live_keys++;
            if (wide_map_insert(&m.map, wide_map_key(k), model_value_make((int)i)) == NULL) {
                model_live_keys--;
                model_live_values--;
                KIT_CHECK(ka_failing_failures(&failing) == 1);
            } else {
                m.values[k] = (int)i;
                m.len++;
            }
            KIT_CHECK_SOUND(wide_map_model_counts(&m));
        }
        KIT_CHECK_SOUND(wide_map_model_compare(&m));
        wide_map copy;
        if (wide_map_clone(&copy, &m.map, heap)) {
            KIT_CHECK(wide_map_len(&copy) == m.len);
            KIT_CHECK_SOUND(wide_map_check(&copy));
        } else {
            KIT_CHECK(wide_map_is_empty(&copy) && ka_failing_failures(&failing) == 1);
        }
        wide_map_drop(&copy);
        wide_map_drop(&m.map);
        KIT_CHECK(kit_malloc_clean(&memory) && model_live_keys == 0 && model_live_values == 0);
        if (ka_failing_failures(&failing) == 0)
            break;
        refused++;
    }
    kit_note("%llu places to fail at", (unsigned long long)refused);
    KIT_CHECK(refused > 100);
}

static void sets(void)
{
    start();
    enum { N = 1000 };
    int_set set = int_set_in(heap), copy;
    for (int i = 0; i < N; i++) {
        int key = i * 7 % N;
        const int *stored = int_set_insert(&set, key);
        KIT_CHECK(stored != NULL && *stored == key);
    }
    KIT_CHECK(int_set_len(&set) == N && *int_set_get(&set, 500) == 500 && int_set_get(&set, N) == NULL);
    int expected = 0, out = 0;
    KA_MAP_EACH (int_set, it, &set)
        KIT_CHECK(*it.key == expected++);
    KIT_CHECK(expected == N && *int_set_last(&set).key == N - 1 && int_set_contains(&set, 3));
    KIT_CHECK(int_set_clone(&copy, &set, heap) && int_set_len(&copy) == N);
    for (int i = 0; i < N; i += 2)
        KIT_CHECK(int_set_erase(&set, i) && !int_set_erase(&set, i) && !int_set_remove(&set, i, &out));
    KIT_CHECK_SOUND(int_set_check(&set));
    KIT_CHECK(*int_set_lower_bound(&set, 500).key == 501 && *int_set_upper_bound(&set, 501).key == 503);
    KIT_CHECK(int_set_pop_first(&set, &out) && out == 1 && int_set_pop_last(&set, &out) && out == N - 1);
    KIT_CHECK(int_set_remove(&set, 3, &out) && out == 3 && int_set_len(&set) == N / 2 - 3);
    KIT_CHECK(int_set_len(&copy) == N);
    KIT_CHECK_SOUND(int_set_check(&copy));
    int_set_drop(&set);
    KIT_CHECK(!int_set_pop_first(&set, &out) && int_set_insert(&set, 1) == NULL);
    ka_failing_set_chance(&failing, 65536, 0);
    KIT_CHECK(!int_set_clone(&set, &copy, heap) && int_set_is_empty(&set));
    ka_failing_set_chance(&failing, 0, 0);
    int_set_drop(&copy);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void sets_drop_once(void)
{
    start();
    ticket_set set = ticket_set_in(heap);
    ticket last = { 0 };
    for (int i = 0; i < 400; i++) {
        last = ticket_make();
        KIT_CHECK(ticket_set_insert(&set, last) != NULL);
    }
    KIT_CHECK(tickets.dropped == 0);
    KIT_CHECK(ticket_set_erase(&set, last) && tickets.drops[last.id] == 1 && tickets.dropped == 1);
    ticket_set_iter it = ticket_set_first(&set);
    ticket_set_erase_at(&set, &it);
    KIT_CHECK(tickets.drops[1] == 1 && it.key->id == 2);
    ticket_set_prev(&it);
    KIT_CHECK(it.key == NULL);
    ticket_set_drop(&set);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

/* ---- how deep the stack is where the library calls out ---- */

static uintptr_t deepest;

static KA_NOINLINE void depth_note(void)
{
    volatile char here = 0;
    uintptr_t at = (uintptr_t)&here;
    deepest = at < deepest ? at : deepest;
}

static void *depth_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    (void)self, (void)align, (void)flags;
    depth_note();
    return malloc(size);
}

static void depth_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    (void)self, (void)size, (void)align;
    depth_note();
    free(block);
}

static void depth_drop(int *value)
{
    (void)value;
    depth_note();
}
KA_MAP(deep_map, int, int, KA_COMPARE_NUMBERS, KA_NO_DROP, depth_drop)

/* Sanitizers put red zones into frames. */
#if defined(__SANITIZE_ADDRESS__)
#define DEEPEST 2048
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DEEPEST 2048
#endif
#endif
#if !defined(DEEPEST)
#define DEEPEST 1024
#endif

/* A million entries are put in, taken out and dropped with less than 1 KiB of stack. */
static void bounded_stack(void)
{
    enum { N = 1000000 };
    static const ka_allocator_ops ops = { "depth", depth_alloc, depth_free, NULL, NULL, NULL, NULL, NULL };
    ka_allocator allocator = { &ops };
    deep_map map = deep_map_in(&allocator);
    volatile char here = 0;
    deepest = (uintptr_t)&here;
    for (int i = 0; i < N; i++)
        KIT_CHECK(deep_map_insert(&map, (int)((uint64_t)i * 2654435761u % N), i) != NULL);
    KIT_CHECK(deep_map_len(&map) == N && map.tree.root->level >= 3);
    size_t in = (uintptr_t)&here - deepest;
    deepest = (uintptr_t)&here;
    for (int i = 0; i < N; i += 2)
        KIT_CHECK(deep_map_erase(&map, i));
    size_t out = (uintptr_t)&here - deepest;
    deepest = (uintptr_t)&here;
    deep_map_drop(&map);
    size_t end = (uintptr_t)&here - deepest;
    kit_note("bytes of stack over a million entries: insert %zu, erase %zu, drop %zu", in, out, end);
    KIT_CHECK(in < DEEPEST && out < DEEPEST && end < DEEPEST);
}

/* The check sees what is broken. */
static void check_finds(void)
{
    start();
    wide_map map = wide_map_in(heap);
    for (unsigned i = 0; i < 40; i++)
        KIT_CHECK(wide_map_insert(&map, wide_map_own_key(i), model_value_make(1)) != NULL);
    ka_tree_node_ *root = map.tree.root, *child = ((wide_map_inner_ *)root)->children[1];
    KIT_CHECK(wide_map_check(&map) == NULL && root->level > 0);
    wide_map empty = { 0 };
    empty.tree.len = 1;
    KIT_CHECK(wide_map_check(&empty) != NULL);
    root->parent = root;
    KIT_CHECK(wide_map_check(&map) != NULL);
    root->parent = NULL;
    child->parent = child;
    KIT_CHECK(wide_map_check(&map) != NULL);
    child->parent = root;
    child->at = 0;
    KIT_CHECK(wide_map_check(&map) != NULL);
    child->at = 1;
    child->level++;
    KIT_CHECK(wide_map_check(&map) != NULL);
    child->level--;
    uint16_t len = child->len;
    child->len = 100;
    KIT_CHECK(wide_map_check(&map) != NULL);
    child->len = 0;
    KIT_CHECK(wide_map_check(&map) != NULL);
    child->len = len;
    map.tree.len++;
    KIT_CHECK(wide_map_check(&map) != NULL);
    map.tree.len--;
    ((wide_map_node_ *)child)->keys[0].number = 39;
    KIT_CHECK(wide_map_check(&map) != NULL);
    ((wide_map_node_ *)child)->keys[0].number = ((wide_map_node_ *)root)->keys[0].number + 1;
    KIT_CHECK(wide_map_check(&map) == NULL);
    wide_map_drop(&map);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static const kit_case cases[] = {
    { "empty_in_every_way", empty_in_every_way },
    { "in_order_both_ways", in_order_both_ways },
    { "flags_reach_the_allocator", flags_reach_the_allocator },
    { "same_as_model", same_as_model },
    { "same_as_model_short_of_memory", same_as_model_short_of_memory },
    { "nth_allocation_fails", nth_allocation_fails },
    { "sets", sets },
    { "sets_drop_once", sets_drop_once },
    { "bounded_stack", bounded_stack },
    { "check_finds", check_finds },
};

int main(void)
{
    return kit_main("map", cases, KIT_COUNT(cases));
}
