/* map_suite.c: maps, sets, hash maps and strings on any heap. Nothing is left live, which the heap's own figures show
 * after each case. */
#include "suite.h"

#include <ka/box.h>
#include <ka/hash_map.h>
#include <ka/hash_set.h>
#include <ka/map.h>
#include <ka/set.h>
#include <ka/string.h>

typedef struct page {
    unsigned char bytes[256];
} page;
KA_BOX(page_box, page, KA_NO_DROP)
KA_MAP(number_map, uint64_t, uint64_t, KA_COMPARE_NUMBERS, KA_NO_DROP, KA_NO_DROP)
KA_MAP(page_map, uint64_t, page_box, KA_COMPARE_NUMBERS, KA_NO_DROP, page_box_drop)
KA_SET(number_set, uint32_t, KA_COMPARE_NUMBERS, KA_NO_DROP)
KA_HASH_MAP(number_table, uint64_t, uint64_t, KA_HASH_NUMBERS, KA_EQUAL_NUMBERS, KA_NO_DROP, KA_NO_DROP)
KA_HASH_SET(bits_table, uint64_t, KA_HASH_BITS, KA_EQUAL_NUMBERS, KA_NO_DROP)
KA_MAP(word_map, ka_string, uint64_t, ka_string_compare, ka_string_drop, KA_NO_DROP)
KA_MAP_CLONE(word_map, ka_string, uint64_t, ka_string_clone, KA_CLONE_BYTES)
KA_HASH_MAP(word_table, ka_string, word_map, ka_string_hash, ka_string_equal, ka_string_drop, word_map_drop)

static ka_stats before;

static void heap_remember(void)
{
    before = ka_get_stats(suite.allocator);
}

static void heap_as_before(void)
{
    KIT_CHECK_SOUND(ka_check(suite.allocator));
    ka_stats now = ka_get_stats(suite.allocator);
    KIT_EXPECT(now.live == before.live && now.live_blocks == before.live_blocks);
}

static void map_in_order(void)
{
    enum { N = 1009 };
    heap_remember();
    number_map map = number_map_in(suite.allocator);
    number_set set = number_set_in(suite.allocator);
    for (uint64_t i = 0; i < N; i++)
        KIT_CHECK(number_map_insert(&map, i * 17 % N, i) != NULL && number_set_insert(&set, (uint32_t)i * 5) != NULL);
    uint64_t expected = 0;
    KA_MAP_EACH (number_map, it, &map) {
        KIT_CHECK(*it.key == expected && *it.value * 17 % N == expected);
        expected++;
    }
    KIT_CHECK(expected == N && *number_set_lower_bound(&set, 501).key == 505);
    for (uint64_t i = 0; i < N; i += 2)
        KIT_CHECK(number_map_erase(&map, i) && number_set_erase(&set, (uint32_t)i * 5));
    KIT_CHECK_SOUND(number_map_check(&map));
    KIT_CHECK_SOUND(number_set_check(&set));
    KIT_EXPECT(number_map_len(&map) == N / 2 && *number_map_first(&map).key == 1 &&
               *number_map_last(&map).key == N - 2);
    number_map_drop(&map);
    number_set_drop(&set);
    heap_as_before();
}

static void hash_map_finds(void)
{
    enum { N = 1009 };
    heap_remember();
    number_table table = number_table_in(suite.allocator);
    bits_table bits = bits_table_in(suite.allocator);
    for (uint64_t i = 0; i < N; i++)
        KIT_CHECK(number_table_insert(&table, i << 32, i) != NULL && bits_table_insert(&bits, i) != NULL);
    for (uint64_t i = 0; i < N; i++) {
        uint64_t *value = number_table_get(&table, i << 32);
        KIT_CHECK(value != NULL && *value == i && bits_table_contains(&bits, i) && !bits_table_contains(&bits, i + N));
    }
    for (uint64_t i = 0; i < N; i += 2)
        KIT_CHECK(number_table_erase(&table, i << 32) && !number_table_contains(&table, i << 32));
    KIT_CHECK_SOUND(number_table_check(&table));
    KIT_CHECK_SOUND(bits_table_check(&bits));
    KIT_EXPECT(number_table_len(&table) == N / 2 && number_table_shrink(&table));
    KIT_CHECK_SOUND(number_table_check(&table));
    number_table_drop(&table);
    bits_table_drop(&bits);
    heap_as_before();
}

/* Inserts until the heap gives out: the map is whole, the box is still the caller's, and memory is there again
 * after. */
static void map_out_of_memory(void)
{
    heap_remember();
    page_map map = page_map_in(suite.allocator);
    bool refused = false;
    for (uint64_t i = 0; !refused && i <= suite.limit / sizeof(page); i++) {
        uint64_t key = i * UINT64_C(0x9e3779b97f4a7c15);
        page_box box = { 0 };
        refused = page_box_new(&box, suite.allocator) == NULL || page_map_insert(&map, key, box) == NULL;
        if (refused)
            page_box_drop(&box);
        else
            page_box_get(page_map_get(&map, key))->bytes[0] = (unsigned char)key;
    }
    KIT_EXPECT(refused && page_map_len(&map) >= suite.heap_bytes / sizeof(page) / 4);
    KIT_CHECK_SOUND(page_map_check(&map));
    KIT_CHECK_SOUND(ka_check(suite.allocator));
    KA_MAP_EACH (page_map, it, &map)
        KIT_CHECK(page_box_get(it.value)->bytes[0] == (unsigned char)*it.key);
    page_map_drop(&map);
    heap_as_before();
}

static void hash_map_out_of_memory(void)
{
    heap_remember();
    number_table table = number_table_in(suite.allocator);
    uint64_t n = 0;
    while (n <= suite.limit / sizeof(uint64_t) && number_table_insert(&table, n, ~n) != NULL)
        n++;
    KIT_EXPECT(n <= suite.limit / sizeof(uint64_t) && number_table_len(&table) == n);
    KIT_EXPECT(n >= suite.heap_bytes / 24 / 8 && !number_table_reserve(&table, suite.limit));
    for (uint64_t i = 0; i < n; i++)
        KIT_CHECK(*number_table_get(&table, i) == ~i);
    KIT_CHECK_SOUND(number_table_check(&table));
    number_table_drop(&table);
    heap_as_before();
}

static void strings(void)
{
    heap_remember();
    ka_string text = ka_string_utf8_in(suite.allocator);
    for (unsigned i = 0; i < 100; i++)
        KIT_CHECK(ka_string_append_format(&text, "%s%u", i == 0 ? "" : ",", i));
    KIT_EXPECT(!ka_string_append_byte(&text, '\xff') && ka_string_append_point(&text, 0x20ac));
    KIT_CHECK_SOUND(ka_string_check(&text));
    KIT_EXPECT(ka_string_len(&text) == 10 + 90 * 2 + 99 + 3 && ka_utf8_count(ka_string_view(&text)) == 290);
    unsigned parts = 0;
    for (ka_str part, rest = ka_string_view(&text); ka_str_split(&rest, ',', &part);)
        parts++;
    KIT_EXPECT(parts == 100);
    ka_string_drop(&text);
    heap_as_before();
}

/* A table of maps with strings as keys, and a clone of one of them: each string is dropped once. */
static bool words_fill(word_table *table, word_map *copy)
{
    for (unsigned i = 0; i < 20; i++) {
        ka_string name = ka_string_in(suite.allocator);
        word_map words = word_map_in(suite.allocator), *stored;
        if (!ka_string_append_format(&name, "table %u", i) ||
            (stored = word_table_insert(table, name, words)) == NULL) {
            ka_string_drop(&name);
            return false;
        }
        for (unsigned j = 0; j <= i * 3; j++) {
            ka_string word = ka_string_in(suite.allocator);
            if (!ka_string_append_format(&word, "a word of some length, %u", j) ||
                word_map_insert(stored, word, j) == NULL) {
                ka_string_drop(&word);
                return false;
            }
        }
        if (i == 19)
            return word_map_clone(copy, stored, suite.allocator);
    }
    return false;
}

static void nested(void)
{
    heap_remember();
    word_table table = word_table_in(suite.allocator);
    word_map copy = { 0 };
    KIT_EXPECT(words_fill(&table, &copy) && word_table_len(&table) == 20 && word_map_len(&copy) == 58);
    word_table_drop(&table);
    KIT_CHECK_SOUND(word_map_check(&copy));
    word_map_drop(&copy);
    heap_as_before();
}

/* The same in what is left of a heap, a little more each time, until it is enough. */
static void nested_out_of_memory(void)
{
    heap_remember();
    page_map fillers = page_map_in(suite.allocator);
    for (uint64_t i = 0;; i++) {
        page_box box = { 0 };
        if (page_box_new(&box, suite.allocator) == NULL || page_map_insert(&fillers, i, box) == NULL) {
            page_box_drop(&box);
            break;
        }
    }
    unsigned in_part = 0;
    for (bool whole = false; !whole; in_part += !whole) {
        word_table table = word_table_in(suite.allocator);
        word_map copy = { 0 };
        uint64_t key;
        page_box box = { 0 };
        whole = words_fill(&table, &copy);
        word_table_drop(&table);
        word_map_drop(&copy);
        KIT_CHECK(whole || page_map_pop_last(&fillers, &key, &box));
        page_box_drop(&box);
    }
    KIT_EXPECT(in_part > 0);
    page_map_drop(&fillers);
    heap_as_before();
}

static const kit_case cases[] = {
    { "map_in_order", map_in_order },
    { "hash_map_finds", hash_map_finds },
    { "map_out_of_memory", map_out_of_memory },
    { "hash_map_out_of_memory", hash_map_out_of_memory },
    { "strings", strings },
    { "nested", nested },
    { "nested_out_of_memory", nested_out_of_memory },
};

const kit_suite map_suite = { "map", cases, KIT_COUNT(cases) };
