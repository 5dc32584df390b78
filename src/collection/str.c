/* collection/str.c: views of text, and UTF-8.
 *
 * The decoder follows table 3-7 of the Unicode standard: the first byte says the length, and for four of the first
 * bytes the second one has a narrower range, which keeps out longer forms than needed, surrogates, and what lies
 * above 0x10ffff. Searching is by first byte and compare: no table, no preprocessing, quadratic at worst.
 */
#include <ka/owner.h>
#include <ka/str.h>

#include "base/math.h"
#include "base/mem.h"

ka_str ka_str_from(const char *text)
{
    size_t len = 0;
    while (text != NULL && text[len] != 0)
        len++;
    return ka_str_of(text, len);
}

ka_str ka_str_slice(ka_str str, size_t from, size_t to)
{
    if (to > str.len)
        ka_owner_out_of_bounds_("ka_str_slice", to, str.len, __FILE__, __LINE__);
    if (from > to)
        ka_owner_out_of_bounds_("ka_str_slice", from, to, __FILE__, __LINE__);
    return from != 0 ? ka_str_of(str.bytes + from, to - from) : ka_str_of(str.bytes, to);
}

/* memcmp must not see NULL, not even for no bytes. */
static int str_compare_bytes(const char *a, const char *b, size_t len)
{
    return len != 0 ? memcmp(a, b, len) : 0;
}

int ka_str_compare(ka_str const *a, ka_str const *b)
{
    int order = str_compare_bytes(a->bytes, b->bytes, ka_min(a->len, b->len));
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

bool ka_str_equal(ka_str const *a, ka_str const *b)
{
    return a->len == b->len && str_compare_bytes(a->bytes, b->bytes, a->len) == 0;
}

uint64_t ka_str_hash(ka_str const *str, const ka_hash_key *key)
{
    return ka_hash_bytes(key, str->bytes, str->len);
}

static bool str_has_at(ka_str str, size_t at, ka_str what)
{
    return str_compare_bytes(str.bytes + at, what.bytes, what.len) == 0;
}

size_t ka_str_find(ka_str str, ka_str what)
{
    if (what.len == 0)
        return 0;
    for (size_t at = 0; at + what.len <= str.len; at++)
        if (str.bytes[at] == what.bytes[0] && str_has_at(str, at, what))
            return at;
    return KA_STR_NONE;
}

size_t ka_str_find_last(ka_str str, ka_str what)
{
    if (what.len == 0)
        return str.len;
    for (size_t end = str.len; end >= what.len; end--)
        if (str.bytes[end - what.len] == what.bytes[0] && str_has_at(str, end - what.len, what))
            return end - what.len;
    return KA_STR_NONE;
}

bool ka_str_starts_with(ka_str str, ka_str what)
{
    return what.len == 0 || (what.len <= str.len && str_has_at(str, 0, what));
}

bool ka_str_ends_with(ka_str str, ka_str what)
{
    return what.len == 0 || (what.len <= str.len && str_has_at(str, str.len - what.len, what));
}

static bool str_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

ka_str ka_str_trim(ka_str str)
{
    size_t from = 0, to = str.len;
    while (from < to && str_is_space(str.bytes[from]))
        from++;
    while (from < to && str_is_space(str.bytes[to - 1]))
        to--;
    return ka_str_slice(str, from, to);
}

bool ka_str_split(ka_str *rest, char separator, ka_str *part)
{
    if (rest->bytes == NULL)
        return false;
    size_t at = 0;
    while (at < rest->len && rest->bytes[at] != separator)
        at++;
    *part = ka_str_slice(*rest, 0, at);
    *rest = at < rest->len ? ka_str_slice(*rest, at + 1, rest->len) : ka_str_of(NULL, 0);
    return true;
}

/* ---- UTF-8 ---- */

/* The bytes of the code point at the front of text that is not empty, and the point; 0 if there is none. */
static size_t utf8_decode(ka_str str, uint32_t *point)
{
    const unsigned char *bytes = (const unsigned char *)str.bytes;
    unsigned first = bytes[0], least = 0x80, most = 0xbf;
    *point = first;
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    size_t len = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (len > str.len)
        return 0;
    least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : least; /* a shorter form would do */
    most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : most;   /* surrogates; above 0x10ffff */
    if (bytes[1] < least || bytes[1] > most)
        return 0;
    *point = first & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (bytes[i] & 0x3fu);
    }
    return len;
}

size_t ka_utf8_valid_len(ka_str str)
{
    size_t at = 0, len = 0;
    uint32_t point;
    while (at < str.len && (len = utf8_decode(ka_str_of(str.bytes + at, str.len - at), &point)) != 0)
        at += len;
    return at;
}

bool ka_utf8_valid(ka_str str)
{
    return ka_utf8_valid_len(str) == str.len;
}

bool ka_utf8_next(ka_str *rest, uint32_t *point)
{
    if (rest->len == 0)
        return false;
    size_t len = utf8_decode(*rest, point);
    if (len == 0) {
        *point = KA_UTF8_REPLACEMENT;
        len = 1;
    }
    *rest = ka_str_slice(*rest, len, rest->len);
    return true;
}

size_t ka_utf8_count(ka_str str)
{
    size_t count = 0;
    uint32_t point;
    while (ka_utf8_next(&str, &point))
        count++;
    return count;
}

size_t ka_utf8_put(char *out, uint32_t point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return 0;
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i != 0; i--, point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)((0xf00u >> len & 0xff) | point);
    return len;
}

bool ka_utf8_boundary(ka_str str, size_t at)
{
    return at == str.len || (at < str.len && ((unsigned char)str.bytes[at] & 0xc0) != 0x80);
}
