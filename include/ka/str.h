/* ka/str.h: views of text: a pointer and a length. Nothing here allocates or owns.
 *
 * A view borrows bytes: it is valid as long as they are. The bytes need not be UTF-8 and may contain zeros; what needs
 * UTF-8 says so. Pure functions: any context. Cost: O(len) of what they look at, but where said.
 */
#ifndef KA_STR_H
#define KA_STR_H

#include <ka/hash.h>

KA_BEGIN_DECLS

typedef struct ka_str {
    const char *bytes;
    size_t len; /* bytes */
} ka_str;

/* No such place. */
#define KA_STR_NONE SIZE_MAX

static inline ka_str ka_str_of(const char *bytes, size_t len)
{
    ka_str made = { bytes, len };
    return made;
}

/* A view of zero-terminated text, without the zero. NULL is empty. */
ka_str ka_str_from(const char *text);

/* The bytes from `from` to before `to`; stops if they are not all there. Constant. */
ka_str ka_str_slice(ka_str str, size_t from, size_t to);

/* Under 0, 0 or over 0, by bytes: in UTF-8 that is the order of code points. These three fit ka/map.h and ka/hash_map.h
 * with views as keys; the hash is safe against chosen keys as ka/hash.h says. */
int ka_str_compare(ka_str const *a, ka_str const *b);
bool ka_str_equal(ka_str const *a, ka_str const *b);
uint64_t ka_str_hash(ka_str const *str, const ka_hash_key *key);

/* Where `what` begins first, or last; KA_STR_NONE if it is not there. At worst O(str.len * what.len). */
size_t ka_str_find(ka_str str, ka_str what);
size_t ka_str_find_last(ka_str str, ka_str what);
bool ka_str_starts_with(ka_str str, ka_str what);
bool ka_str_ends_with(ka_str str, ka_str what);

/* Without white space of ASCII at both ends. */
ka_str ka_str_trim(ka_str str);

/* The part of `*rest` before the next separator; `*rest` is what follows. False when nothing is left: "a,,b," has the
 * parts "a", "", "b", and "". Begin with a view that is not NULL; after the last part `rest->bytes` is NULL.
 *   for (ka_str part, rest = line; ka_str_split(&rest, ',', &part);) ... */
KA_MUST_USE bool ka_str_split(ka_str *rest, char separator, ka_str *part);

/* ---- UTF-8: code points from 0 to 0x10ffff without the surrogates, each in its shortest form ---- */

/* What iteration gives for a byte that is no part of a code point. */
#define KA_UTF8_REPLACEMENT UINT32_C(0xfffd)

/* How many bytes at the front are valid; whether all are. */
size_t ka_utf8_valid_len(ka_str str);
bool ka_utf8_valid(ka_str str);

/* Takes the next code point from the front of `*rest`, or KA_UTF8_REPLACEMENT for one byte that does not fit. False at
 * the end. Constant. */
KA_MUST_USE bool ka_utf8_next(ka_str *rest, uint32_t *point);

/* The number of code points that iteration gives. */
size_t ka_utf8_count(ka_str str);

/* Writes the bytes of a code point, at most 4. Returns how many; 0 if it is none. Constant. */
size_t ka_utf8_put(char *out, uint32_t point);

/* Whether a code point begins at this byte, or the text ends there. Constant. */
bool ka_utf8_boundary(ka_str str, size_t at);

KA_END_DECLS

#endif
