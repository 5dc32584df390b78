/* string_test.c: strings and views: every function, UTF-8 at its borders, a long random run against a plain model,
 * formatters of every temper, memory that gives out. */
#include <ka/failing.h>
#include <ka/hash_map.h>
#include <ka/map.h>
#include <ka/string.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crimes.h"
#include "kit.h"
#include "kit_malloc.h"

KA_MAP(word_map, ka_string, int, ka_string_compare, ka_string_drop, KA_NO_DROP)
KA_MAP_CLONE(word_map, ka_string, int, ka_string_clone, KA_CLONE_BYTES)
KA_HASH_MAP(word_table, ka_str, int, ka_str_hash, ka_str_equal, KA_NO_DROP, KA_NO_DROP)
KA_HASH_MAP(string_table, ka_string, int, ka_string_hash, ka_string_equal, ka_string_drop, KA_NO_DROP)

static kit_malloc memory;
static ka_failing failing;
static ka_allocator *const heap = &failing.allocator;

static void start(void)
{
    kit_malloc_init(&memory);
    ka_failing_init(&failing, &memory.allocator);
    ka_set_formatter(NULL);
}

static void give_out(bool out)
{
    ka_failing_set_chance(&failing, out ? 65536 : 0, 0);
}

static ka_str from(const char *text)
{
    return ka_str_from(text);
}

static bool is(const ka_string *string, const char *text)
{
    return ka_string_check(string) == NULL && string->len == strlen(text) && strcmp(ka_string_text(string), text) == 0;
}

/* ---- views ---- */

static void views(void)
{
    ka_str none = from(NULL), a = from("abc"), b = from("abd"), longer = from("abcd");
    KIT_CHECK(none.len == 0 && a.len == 3 && ka_str_of("abc", 2).len == 2);
    KIT_CHECK(ka_str_compare(&a, &b) < 0 && ka_str_compare(&b, &a) > 0 && ka_str_compare(&a, &a) == 0);
    KIT_CHECK(ka_str_compare(&a, &longer) < 0 && ka_str_compare(&longer, &a) > 0 && ka_str_compare(&none, &none) == 0);
    KIT_CHECK(ka_str_equal(&a, &a) && !ka_str_equal(&a, &b) && !ka_str_equal(&a, &longer) &&
              ka_str_equal(&none, &none));
    ka_str high = from("\x80"), low = from("z");
    KIT_CHECK(ka_str_compare(&high, &low) > 0); /* bytes have no sign */
    ka_hash_key key = { 1, 2 };
    KIT_CHECK(ka_str_hash(&a, &key) == ka_hash_bytes(&key, "abc", 3) && ka_str_hash(&a, &key) != ka_str_hash(&b, &key));
    ka_str middle = ka_str_slice(longer, 1, 3);
    KIT_CHECK(middle.len == 2 && middle.bytes == longer.bytes + 1 && ka_str_slice(none, 0, 0).len == 0);
    KIT_CHECK(ka_str_starts_with(longer, a) && !ka_str_starts_with(a, longer) && !ka_str_starts_with(a, b));
    KIT_CHECK(ka_str_starts_with(none, none) && ka_str_ends_with(longer, from("cd")) && ka_str_ends_with(none, none));
    KIT_CHECK(!ka_str_ends_with(longer, from("bc")) && !ka_str_ends_with(a, longer));
}

static void finding(void)
{
    ka_str text = from("banana");
    KIT_CHECK(ka_str_find(text, from("ana")) == 1 && ka_str_find_last(text, from("ana")) == 3);
    KIT_CHECK(ka_str_find(text, from("b")) == 0 && ka_str_find_last(text, from("a")) == 5);
    KIT_CHECK(ka_str_find(text, from("anx")) == KA_STR_NONE && ka_str_find_last(text, from("x")) == KA_STR_NONE);
    KIT_CHECK(ka_str_find_last(text, from("bx")) == KA_STR_NONE);
    KIT_CHECK(ka_str_find(text, from("")) == 0 && ka_str_find_last(text, from("")) == 6);
    KIT_CHECK(ka_str_find(from(NULL), text) == KA_STR_NONE && ka_str_find_last(from(NULL), text) == KA_STR_NONE);
    ka_str trimmed = ka_str_trim(from(" \t\r\n a b \v\f"));
    KIT_CHECK(trimmed.len == 3 && trimmed.bytes[0] == 'a' && ka_str_trim(from("  ")).len == 0);
    KIT_CHECK(ka_str_trim(from(NULL)).len == 0 && ka_str_trim(from("\x1f")).len == 1);
    KIT_CHECK(ka_str_trim(from("\x08")).len == 1 && ka_str_trim(from("\x0e")).len == 1);
}

static void splitting(void)
{
    static const char *const parts[] = { "a", "", "b", "" };
    size_t count = 0;
    ka_str rest = from("a,,b,"), part;
    while (ka_str_split(&rest, ',', &part)) {
        ka_str expected = from(parts[count++]);
        KIT_CHECK(ka_str_equal(&part, &expected));
    }
    KIT_CHECK(count == 4);
    rest = from("");
    KIT_CHECK(ka_str_split(&rest, ',', &part) && part.len == 0 && !ka_str_split(&rest, ',', &part));
}

/* ---- UTF-8 ---- */

/* Every code point there and back; every pair of bytes and many longer ones against the definition. */
static void utf8_all_points(void)
{
    char bytes[4];
    for (uint32_t point = 0; point <= 0x110000; point++) {
        size_t len = ka_utf8_put(bytes, point);
        bool valid = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        KIT_CHECK((len != 0) == valid);
        if (!valid)
            continue;
        KIT_CHECK(len == (point < 0x80 ? 1u : point < 0x800 ? 2u : point < 0x10000 ? 3u : 4u));
        uint32_t got;
        ka_str rest = ka_str_of(bytes, len);
        KIT_CHECK(ka_utf8_valid(rest) && ka_utf8_next(&rest, &got) && got == point && rest.len == 0);
        for (size_t cut = 1; cut < len; cut++)
            KIT_CHECK(ka_utf8_valid_len(ka_str_of(bytes, cut)) == 0 && !ka_utf8_boundary(ka_str_of(bytes, len), cut));
    }
    KIT_CHECK(ka_utf8_put(bytes, UINT32_MAX) == 0);
}

/* A decoder that is slow and has no tables: decodes, encodes again, and compares. */
static size_t plain_valid_len(const unsigned char *at, size_t left)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t len = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;
    if (len == 0 || len > left)
        return 0;
    uint32_t point = len == 1 ? at[0] : at[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if (at[i] >> 6 != 2)
            return 0;
        point = point << 6 | (at[i] & 63u);
    }
    return point < least[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff) ? 0 : len;
}

static void utf8_every_kind_of_bytes(void)
{
    static const unsigned char tails[] = { 0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff };
    unsigned char bytes[4];
    for (unsigned first = 0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++)
            for (unsigned i = 0; i < sizeof tails * sizeof tails; i++)
                for (size_t len = 1; len <= 4; len++) {
                    bytes[0] = (unsigned char)first;
                    bytes[1] = (unsigned char)second;
                    bytes[2] = tails[i / sizeof tails];
                    bytes[3] = tails[i % sizeof tails];
                    size_t plain = 0, one = 1;
                    while (plain < len && (one = plain_valid_len(bytes + plain, len - plain)) != 0)
                        plain += one;
                    KIT_CHECK(ka_utf8_valid_len(ka_str_of((const char *)bytes, len)) == plain);
                }
}

static void utf8_iteration(void)
{
    ka_str text = from("a\xc3\xa4\xff\xe2\x82\xac\xe2\x82");
    static const uint32_t points[] = { 'a', 0xe4, 0xfffd, 0x20ac, 0xfffd, 0xfffd };
    uint32_t point;
    size_t count = 0;
    KIT_CHECK(ka_utf8_count(text) == 6 && !ka_utf8_valid(text) && ka_utf8_valid_len(text) == 3);
    while (ka_utf8_next(&text, &point))
        KIT_CHECK(count < 6 && point == points[count++]);
    KIT_CHECK(count == 6 && ka_utf8_boundary(from("a"), 1) && !ka_utf8_boundary(from("a"), 2));
}

/* ---- strings ---- */

static void empty_in_every_way(void)
{
    start();
    ka_string zero = { 0 }, string = ka_string_in(heap), copy;
    for (int i = 0; i < 2; i++) {
        ka_string *self = i == 0 ? &zero : &string;
        KIT_CHECK(is(self, "") && ka_string_is_empty(self) && ka_string_len(self) == 0);
        KIT_CHECK(ka_string_reserve(self, 0) && ka_string_shrink(self) && ka_string_append_text(self, ""));
        KIT_CHECK(ka_string_append_format(self, "%s", "") && ka_string_truncate(self, 0) &&
                  ka_string_set(self, from("")));
        KIT_CHECK(ka_string_clone(&copy, self) && is(&copy, "") && ka_string_compare(self, &copy) == 0);
        ka_string_clear(self);
        ka_string_drop(self);
        ka_string_drop(self);
    }
    KIT_CHECK(!ka_string_append_text(&zero, "a") && !ka_string_append_format(&zero, "a") && is(&zero, ""));
    KIT_CHECK(memory.allocs == 0);
}

static void text_in_and_out(void)
{
    start();
    ka_string string = ka_string_in(heap), copy;
    KIT_CHECK(ka_string_append_text(&string, "world") && ka_string_insert(&string, 0, from("hello ")));
    KIT_CHECK(ka_string_append_byte(&string, '!') && ka_string_insert(&string, 5, from(",")) &&
              is(&string, "hello, world!"));
    KIT_CHECK(ka_string_append_point(&string, 0x20ac) && is(&string, "hello, world!\xe2\x82\xac"));
    KIT_CHECK(!ka_string_append_point(&string, 0xd800) && ka_string_truncate(&string, 13));
    KIT_CHECK(ka_string_remove(&string, 5, 12) && is(&string, "hello!") && ka_string_remove(&string, 2, 2));
    KIT_CHECK(ka_string_clone(&copy, &string) && ka_string_equal(&copy, &string) && copy.cap == 7);
    KIT_CHECK(ka_string_set(&copy, from("help")) && ka_string_compare(&copy, &string) > 0 &&
              !ka_string_equal(&copy, &string));
    KIT_CHECK(ka_string_set(&copy, from("a longer text than before")) && is(&copy, "a longer text than before"));
    ka_hash_key key = { 3, 4 };
    ka_str view = ka_string_view(&copy);
    KIT_CHECK(ka_string_hash(&copy, &key) == ka_str_hash(&view, &key));
    KIT_CHECK(ka_string_reserve_with(&string, 100, KA_ATOMIC) && memory.flags == KA_ATOMIC && string.cap >= 107);
    size_t allocs = memory.allocs;
    for (int i = 0; i < 100; i++)
        KIT_CHECK(ka_string_append_byte(&string, 'x'));
    KIT_CHECK(memory.allocs == allocs && !ka_string_reserve(&string, SIZE_MAX) && ka_string_truncate(&string, 6));
    KIT_CHECK(ka_string_shrink(&string) && string.cap == 7 && is(&string, "hello!") && ka_string_shrink(&string));
    ka_string taken = ka_string_take(&string), empty = ka_string_in(heap);
    KIT_CHECK(is(&taken, "hello!") && is(&string, "") && string.allocator == heap &&
              !ka_string_reserve(&empty, SIZE_MAX));
    ka_string_clear(&taken);
    KIT_CHECK(is(&taken, "") && taken.cap == 7);
    ka_string_drop(&taken);
    ka_string_drop(&copy);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void utf8_is_kept_valid(void)
{
    start();
    ka_string string = ka_string_utf8_in(heap), copy;
    KIT_CHECK(ka_string_append_text(&string, "a\xc3\xa4z") && !ka_string_append_text(&string, "\xc3"));
    KIT_CHECK(!ka_string_append_byte(&string, '\x80') && !ka_string_insert(&string, 2, from("x")));
    KIT_CHECK(!ka_string_remove(&string, 0, 2) && !ka_string_remove(&string, 2, 3) && !ka_string_truncate(&string, 2));
    KIT_CHECK(!ka_string_set(&string, from("\xff")) && !ka_string_append_format(&string, "%c", 0xff));
    KIT_CHECK(is(&string, "a\xc3\xa4z") && ka_string_append_format(&string, "\xc3%c", 0xa4));
    KIT_CHECK(ka_string_insert(&string, 1, from("\xe2\x82\xac")) && ka_string_remove(&string, 4, 6));
    KIT_CHECK(is(&string, "a\xe2\x82\xacz\xc3\xa4") && ka_string_clone(&copy, &string) && copy.utf8);
    ka_string taken = ka_string_take(&string);
    KIT_CHECK(string.utf8 && taken.utf8 && !ka_string_append_text(&string, "\xff"));
    ka_string_drop(&taken);
    ka_string_drop(&copy);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* ---- formatters ---- */

static int like_windows(char *out, size_t cap, const char *format, va_list list) KA_PRINTF(3, 0);
static int like_windows(char *out, size_t cap, const char *format, va_list list)
{
    int len = vsnprintf(out, cap, format, list);
    return len < 0 || (size_t)len >= cap ? -1 : len;
}

static int always_fails(char *out, size_t cap, const char *format, va_list list) KA_PRINTF(3, 0);
static int always_fails(char *out, size_t cap, const char *format, va_list list)
{
    (void)format, (void)list;
    memset(out, 'x', cap);
    return -1;
}

/* Cannot make up its mind: wants more than it asked for. */
static int grows(char *out, size_t cap, const char *format, va_list list) KA_PRINTF(3, 0);
static int grows(char *out, size_t cap, const char *format, va_list list)
{
    (void)out, (void)format, (void)list;
    return (int)cap + 100;
}

static void formatted_text(void)
{
    static ka_formatter *const formatters[] = { NULL, vsnprintf, like_windows };
    for (size_t i = 0; i < KIT_COUNT(formatters); i++) {
        start();
        ka_set_formatter(formatters[i]);
        ka_string string = ka_string_in(heap);
        KIT_CHECK(ka_string_append_format(&string, "%s=%d", "port", 8080) && is(&string, "port=8080"));
        KIT_CHECK(ka_string_append_format(&string, " %04x|%-3s|%c", 0xbeu, "a", 'c') &&
                  is(&string, "port=8080 00be|a  |c"));
        ka_string_clear(&string);
        static char longer[3000];
        memset(longer, 'l', sizeof longer - 1);
        KIT_CHECK(ka_string_append_format(&string, "%s%s", longer, longer) && string.len == 5998);
        KIT_CHECK_SOUND(ka_string_check(&string));
        ka_string_drop(&string);
        KIT_CHECK(kit_malloc_clean(&memory));
    }
    start();
    ka_set_formatter(vsnprintf);
    ka_string string = ka_string_in(heap);
    KIT_CHECK(ka_string_append_format(&string, "%.3f", 1.5) && is(&string, "1.500")); /* what the formatter knows */
    ka_set_formatter(always_fails);
    KIT_CHECK(!ka_string_append_format(&string, "%d", 1) && is(&string, "1.500"));
    ka_set_formatter(grows);
    KIT_CHECK(!ka_string_append_format(&string, "%d", 1) && is(&string, "1.500"));
    ka_set_formatter(NULL);
    KIT_CHECK(ka_string_shrink(&string));
    give_out(true);
    KIT_CHECK(!ka_string_append_format(&string, "%d", 1) && is(&string, "1.500"));
    ka_set_formatter(like_windows);
    KIT_CHECK(!ka_string_append_format(&string, "%d", 1) && is(&string, "1.500"));
    give_out(false);
    ka_set_formatter(NULL);
    ka_string_drop(&string);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void failure_takes_nothing(void)
{
    start();
    ka_string string = ka_string_in(heap), copy;
    KIT_CHECK(ka_string_append_text(&string, "abc") && ka_string_reserve(&string, 10));
    while (string.len + 1 < string.cap)
        KIT_CHECK(ka_string_append_byte(&string, 'd'));
    ka_string before = string;
    give_out(true);
    KIT_CHECK(!ka_string_append_text(&string, "x") && !ka_string_insert(&string, 0, from("x")));
    KIT_CHECK(!ka_string_set(&string, from("a text that is longer than all that was there before it")));
    KIT_CHECK(!ka_string_append_point(&string, 'x') && !ka_string_append_byte(&string, 'x'));
    KIT_CHECK(!ka_string_clone(&copy, &string) && is(&copy, "") && !ka_string_reserve(&string, 1));
    KIT_CHECK(memcmp(&before, &string, sizeof string) == 0 && ka_string_check(&string) == NULL);
    KIT_CHECK(ka_string_truncate(&string, 3) && !ka_string_shrink(&string) && is(&string, "abc"));
    give_out(false);
    ka_string_drop(&string);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void as_keys(void)
{
    start();
    word_map map = word_map_in(heap), copy;
    word_table table = word_table_in(heap);
    string_table strings = string_table_in(heap);
    for (int i = 0; i < 500; i++) {
        ka_string key = ka_string_in(heap), other = ka_string_in(heap);
        KIT_CHECK(ka_string_append_format(&key, "key %d", i * 7 % 500) && ka_string_append_format(&other, "key %d", i));
        KIT_CHECK(word_map_insert(&map, key, i * 7 % 500) != NULL && string_table_insert(&strings, other, i) != NULL);
    }
    KIT_CHECK(word_map_clone(&copy, &map, heap) && word_map_len(&copy) == 500);
    KA_MAP_EACH (word_map, it, &map)
        KIT_CHECK(word_table_insert(&table, ka_string_view(it.key), *it.value) != NULL);
    for (int i = 0; i < 500; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "key %d", i);
        ka_string key = ka_string_in(heap);
        KIT_CHECK(*word_table_get(&table, from(text)) == i && ka_string_set(&key, from(text)));
        KIT_CHECK(*word_map_get(&copy, key) == i && *string_table_get(&strings, key) == i);
        ka_string_drop(&key);
    }
    word_table_drop(&table);
    string_table_drop(&strings);
    word_map_drop(&map);
    word_map_drop(&copy);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* ---- against a model: an array with a fixed capacity ---- */

enum { MODEL_MOST = 300, OPERATIONS = 500000 };

static void same_as_model(void)
{
    static char model[MODEL_MOST + 64];
    static const char *const texts[] = { "", "a", "\xc3\xa4", "\xe2\x82\xac", "longer text", "\xff", "a\xc3" };
    for (uint64_t seed = 1; seed <= 2; seed++) {
        start();
        ka_failing_set_chance(&failing, 65536 / 8, seed);
        kit_random random = { seed };
        bool utf8 = seed == 2;
        ka_string string = utf8 ? ka_string_utf8_in(heap) : ka_string_in(heap);
        size_t len = 0;
        for (unsigned i = 0; i < OPERATIONS; i++) {
            ka_str text = from(texts[kit_below(&random, KIT_COUNT(texts))]);
            size_t at = (size_t)kit_below(&random, len + 1), to = at + (size_t)kit_below(&random, len - at + 1);
            ka_str whole = ka_str_of(model, len);
            bool good_at = !utf8 || ka_utf8_boundary(whole, at), good_to = !utf8 || ka_utf8_boundary(whole, to);
            bool good = good_at && (!utf8 || ka_utf8_valid(text));
            switch (kit_below(&random, len > MODEL_MOST ? 2 : 5)) {
            case 0:
                if (ka_string_remove(&string, at, to)) {
                    KIT_CHECK(good_at && good_to);
                    memmove(model + at, model + to, len - to);
                    len -= to - at;
                } else {
                    KIT_CHECK(!good_at || !good_to);
                }
                break;
            case 1:
                (void)(ka_string_shrink(&string) || len == 0);
                break;
            default:
                if (ka_string_insert(&string, at, text)) {
                    KIT_CHECK(good);
                    memmove(model + at + text.len, model + at, len - at);
                    memcpy(model + at, text.bytes, text.len);
                    len += text.len;
                }
            }
            KIT_CHECK(string.len == len && (len == 0 || memcmp(string.bytes, model, len) == 0));
            KIT_CHECK_SOUND(ka_string_check(&string));
        }
        kit_steps(OPERATIONS);
        ka_string_drop(&string);
        KIT_CHECK(kit_malloc_clean(&memory));
    }
}

/* ---- the caller's errors ---- */

static void crime_slice(void)
{
    (void)ka_str_slice(from("abc"), 1, 4);
}

static void crime_slice_backward(void)
{
    (void)ka_str_slice(from("abc"), 2, 1);
}

static void crime_insert(void)
{
    ka_string string = { 0 };
    (void)!ka_string_insert(&string, 1, from("a"));
}

static void crime_remove(void)
{
    ka_string string = { 0 };
    (void)!ka_string_remove(&string, 0, 1);
}

static void crime_append_itself(void)
{
    ka_string string = ka_string_in(heap);
    (void)!ka_string_append_text(&string, "abc");
    (void)!ka_string_append(&string, ka_string_view(&string));
}

static void crime_set_itself(void)
{
    ka_string string = ka_string_in(heap);
    (void)!ka_string_append_text(&string, "abc");
    (void)!ka_string_set(&string, ka_str_slice(ka_string_view(&string), 1, 2));
}

static void stops_at_callers_errors(void)
{
    start();
    KIT_EXPECT(stops_with(crime_slice, "ka_str_slice: index out of bounds: the len is 3 but the index is 4"));
    KIT_EXPECT(stops_with(crime_slice_backward, "ka_str_slice: index out of bounds: the len is 1 but the index is 2"));
    KIT_EXPECT(stops_with(crime_insert, "ka_string_insert: index out of bounds: the len is 0 but the index is 1"));
    KIT_EXPECT(stops_with(crime_remove, "index out of bounds: the len is 0 but the index is 1"));
    KIT_EXPECT(stops_with(crime_append_itself, "ka_string_insert: the items lie in"));
    KIT_EXPECT(stops_with(crime_set_itself, "ka_string_set: the items lie in"));
}

static void check_finds(void)
{
    start();
    ka_string string = ka_string_utf8_in(heap);
    KIT_CHECK(ka_string_append_text(&string, "abc"));
    ka_string good = string;
    string.len = string.cap;
    KIT_CHECK(ka_string_check(&string) != NULL);
    string.len = 2;
    KIT_CHECK(ka_string_check(&string) != NULL);
    string = good;
    string.bytes[0] = '\xff';
    KIT_CHECK(ka_string_check(&string) != NULL);
    string.bytes = NULL;
    KIT_CHECK(ka_string_check(&string) != NULL);
    string.len = 0;
    KIT_CHECK(ka_string_check(&string) != NULL);
    ka_string_drop(&good);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static const kit_case cases[] = {
    { "views", views },
    { "finding", finding },
    { "splitting", splitting },
    { "utf8_all_points", utf8_all_points },
    { "utf8_every_kind_of_bytes", utf8_every_kind_of_bytes },
    { "utf8_iteration", utf8_iteration },
    { "empty_in_every_way", empty_in_every_way },
    { "text_in_and_out", text_in_and_out },
    { "utf8_is_kept_valid", utf8_is_kept_valid },
    { "formatted_text", formatted_text },
    { "failure_takes_nothing", failure_takes_nothing },
    { "as_keys", as_keys },
    { "same_as_model", same_as_model },
    { "stops_at_callers_errors", stops_at_callers_errors },
    { "check_finds", check_finds },
};

int main(void)
{
    return kit_main("string", cases, KIT_COUNT(cases));
}
