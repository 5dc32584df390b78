/* collection/string.c: growing text. The block is a row of `cap` bytes of which len + 1 are in use: the closing zero is
 * there from the first block on, so that ka_string_text is one load.
 *
 * UTF-8 is kept valid by looking at what comes in and at the places where it is cut, never at the whole text: valid
 * text put in or taken out between two code points leaves valid text.
 *
 * Formatting is a caller's choice (ka_set_formatter): a kernel has its printf, with its own %p and %pM. Text is written
 * straight into the room behind the string; only if that was too small is it formatted a second time.
 */
#include <ka/string.h>

#include "base/format.h"
#include "base/math.h"
#include "base/mem.h"

enum { STRING_FORMAT_FIRST = 64, STRING_FORMAT_MOST = 65536 };

static ka_formatter *string_formatter;

static int string_format(char *out, size_t cap, const char *format, va_list list) KA_PRINTF(3, 0);
static int string_format(char *out, size_t cap, const char *format, va_list list)
{
    return (int)ka_format_list(out, cap, format, list);
}

void ka_set_formatter(ka_formatter *formatter)
{
    string_formatter = formatter;
}

ka_string ka_string_in(ka_allocator *a)
{
    ka_string made = { NULL, 0, 0, a, false };
    return made;
}

ka_string ka_string_utf8_in(ka_allocator *a)
{
    ka_string made = { NULL, 0, 0, a, true };
    return made;
}

ka_string ka_string_take(ka_string *string)
{
    ka_string taken = *string;
    *string = ka_string_in(taken.allocator);
    string->utf8 = taken.utf8;
    return taken;
}

void ka_string_drop(ka_string *string)
{
    ka_string taken = *string;
    *string = ka_string_in(NULL);
    if (taken.bytes != NULL)
        ka_free(taken.allocator, taken.bytes, taken.cap, 1);
}

const char *ka_string_text(const ka_string *string)
{
    return string->bytes != NULL ? string->bytes : "";
}

ka_str ka_string_view(const ka_string *string)
{
    return ka_str_of(ka_string_text(string), string->len);
}

size_t ka_string_len(const ka_string *string)
{
    return string->len;
}

bool ka_string_is_empty(const ka_string *string)
{
    return string->len == 0;
}

int ka_string_compare(ka_string const *a, ka_string const *b)
{
    ka_str left = ka_string_view(a), right = ka_string_view(b);
    return ka_str_compare(&left, &right);
}

bool ka_string_equal(ka_string const *a, ka_string const *b)
{
    ka_str left = ka_string_view(a), right = ka_string_view(b);
    return ka_str_equal(&left, &right);
}

uint64_t ka_string_hash(ka_string const *string, const ka_hash_key *key)
{
    return ka_hash_bytes(key, string->bytes, string->len);
}

/* ---- room ---- */

/* Bytes that can be put in without growing. */
static size_t string_room(const ka_string *string)
{
    return string->cap != 0 ? string->cap - string->len - 1 : 0;
}

bool ka_string_reserve_with(ka_string *string, size_t more, ka_flags flags)
{
    if (more <= string_room(string))
        return true;
    /* len + 1 are in use, if there is a block; else the zero is one more to make room for */
    size_t used = string->bytes != NULL ? string->len + 1 : 0, zero = string->bytes != NULL ? 0 : 1;
    if (more > SIZE_MAX - zero)
        return false;
    char *moved =
        (char *)ka_bytes_grow_(string->allocator, string->bytes, &string->cap, used, more + zero, 1, 1, false, flags);
    if (moved == NULL)
        return false;
    moved[string->len] = 0;
    string->bytes = moved;
    return true;
}

bool ka_string_reserve(ka_string *string, size_t more)
{
    return ka_string_reserve_with(string, more, 0);
}

bool ka_string_shrink(ka_string *string)
{
    if (string_room(string) == 0)
        return true;
    char *moved = (char *)ka_bytes_shrink_(string->allocator, string->bytes, &string->cap, string->len + 1, 1, 1);
    if (moved == NULL)
        return false;
    string->bytes = moved;
    return true;
}

/* ---- text in ---- */

static bool string_accepts(const ka_string *string, ka_str text)
{
    return !string->utf8 || ka_utf8_valid(text);
}

static bool string_boundary(const ka_string *string, size_t at)
{
    return !string->utf8 || ka_utf8_boundary(ka_string_view(string), at);
}

static void string_end(ka_string *string, size_t len)
{
    string->len = len;
    string->bytes[len] = 0;
}

bool ka_string_insert(ka_string *string, size_t at, ka_str text)
{
    if (at > string->len)
        ka_owner_out_of_bounds_("ka_string_insert", at, string->len, __FILE__, __LINE__);
    if (!string_boundary(string, at) || !string_accepts(string, text))
        return false;
    if (text.len == 0)
        return true;
    ka_bytes_apart_(string->bytes, string->cap, 1, text.bytes, "ka_string_insert", __FILE__, __LINE__);
    if (!ka_string_reserve(string, text.len))
        return false;
    ka_move(string->bytes + at + text.len, string->bytes + at, string->len - at);
    ka_copy(string->bytes + at, text.bytes, text.len);
    string_end(string, string->len + text.len);
    return true;
}

bool ka_string_append(ka_string *string, ka_str text)
{
    return ka_string_insert(string, string->len, text);
}

bool ka_string_append_text(ka_string *string, const char *text)
{
    return ka_string_append(string, ka_str_from(text));
}

bool ka_string_append_byte(ka_string *string, char byte)
{
    return ka_string_append(string, ka_str_of(&byte, 1));
}

bool ka_string_append_point(ka_string *string, uint32_t point)
{
    char bytes[4];
    size_t len = ka_utf8_put(bytes, point);
    return len != 0 && ka_string_append(string, ka_str_of(bytes, len));
}

bool ka_string_set(ka_string *string, ka_str text)
{
    if (!string_accepts(string, text))
        return false;
    ka_bytes_apart_(string->bytes, string->cap, 1, text.bytes, "ka_string_set", __FILE__, __LINE__);
    if (text.len > string->len && !ka_string_reserve(string, text.len - string->len))
        return false;
    ka_string_clear(string);
    return ka_string_append(string, text);
}

bool ka_string_clone_in(ka_string *out, ka_string const *string, ka_allocator *a)
{
    *out = ka_string_in(a);
    out->utf8 = string->utf8;
    if (string->len == 0)
        return true;
    char *bytes = (char *)ka_bytes_new_(a, string->len + 1, 1, 0);
    if (bytes == NULL)
        return false;
    ka_copy(bytes, string->bytes, string->len + 1);
    out->bytes = bytes;
    out->len = string->len;
    out->cap = string->len + 1;
    return true;
}

bool ka_string_clone(ka_string *out, ka_string const *string)
{
    return ka_string_clone_in(out, string, string->allocator);
}

/* ---- formatted text ---- */

/* Takes in what was written behind the text, or cuts it off. */
static bool string_formatted(ka_string *string, size_t len)
{
    if (string->bytes == NULL)
        return true;
    bool accepted = string_accepts(string, ka_str_of(string->bytes + string->len, len));
    string_end(string, accepted ? string->len + len : string->len);
    return accepted;
}

bool ka_string_append_format_by(ka_string *string, ka_formatter *formatter, const char *format, va_list list)
{
    for (bool asked = false;; asked = true) {
        size_t room = string_room(string);
        char *end = string->bytes != NULL ? string->bytes + string->len : NULL;
        va_list again;
        va_copy(again, list);
        int length = formatter(end, end != NULL ? room + 1 : 0, format, again);
        va_end(again);
        if (length >= 0 && (size_t)length <= room)
            return string_formatted(string, (size_t)length);
        if (length >= 0 ? asked : room >= STRING_FORMAT_MOST)
            break;
        if (!ka_string_reserve(string, length >= 0 ? (size_t)length : ka_max(STRING_FORMAT_FIRST, 2 * room)))
            break;
    }
    if (string->bytes != NULL)
        string_end(string, string->len);
    return false;
}

bool ka_string_append_format_list(ka_string *string, const char *format, va_list list)
{
    return ka_string_append_format_by(string, string_formatter != NULL ? string_formatter : string_format, format,
                                      list);
}

bool ka_string_append_format(ka_string *string, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    bool done = ka_string_append_format_list(string, format, list);
    va_end(list);
    return done;
}

/* ---- text out ---- */

bool ka_string_remove(ka_string *string, size_t from, size_t to)
{
    (void)ka_str_slice(ka_string_view(string), from, to); /* stops if it is not there */
    if (!string_boundary(string, from) || !string_boundary(string, to))
        return false;
    if (from == to)
        return true;
    ka_move(string->bytes + from, string->bytes + to, string->len - to);
    string_end(string, string->len - (to - from));
    return true;
}

bool ka_string_truncate(ka_string *string, size_t len)
{
    return ka_string_remove(string, len, string->len);
}

void ka_string_clear(ka_string *string)
{
    if (string->bytes != NULL)
        string_end(string, 0);
}

const char *ka_string_check(const ka_string *string)
{
    if (string->bytes == NULL)
        return string->len == 0 && string->cap == 0 ? NULL : "string: a length without a block";
    if (string->len >= string->cap)
        return "string: longer than its block";
    if (string->bytes[string->len] != 0)
        return "string: not zero-terminated";
    return string_accepts(string, ka_string_view(string)) ? NULL : "string: not valid UTF-8";
}
