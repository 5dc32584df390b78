/* ka/string.h: growing text, always zero-terminated: bytes, or UTF-8 that is checked.
 *
 * Rules for all owners are in ka/owner.h. The fields are for reading; ka_string_text and ka_string_view borrow the
 * text, until the string is changed. A string made by ka_string_utf8_in refuses what would make it invalid; a string
 * made by ka_string_in takes any bytes. All-zero is an empty string of bytes without an allocator: what needs one
 * fails. Text that is passed must not lie in the string that it is put into; that stops.
 */
#ifndef KA_STRING_H
#define KA_STRING_H

#include <stdarg.h>

#include <ka/owner.h>
#include <ka/str.h>

KA_BEGIN_DECLS

typedef struct ka_string {
    char *bytes; /* NULL: no block yet; else bytes[len] is 0 */
    size_t len;  /* bytes, without the closing zero */
    size_t cap;  /* bytes of the block, with it */
    ka_allocator *allocator;
    bool utf8;
} ka_string;

/* An empty string that will grow in this allocator; allocates nothing. */
KA_MUST_USE ka_string ka_string_in(ka_allocator *a);
KA_MUST_USE ka_string ka_string_utf8_in(ka_allocator *a);

/* Moves the string out; `*string` is empty and keeps its allocator and its kind. */
KA_MUST_USE ka_string ka_string_take(ka_string *string);

/* Frees the block; `*string` is all-zero. */
void ka_string_drop(ka_string *string);

/* A copy in the allocator of the original, or in another one; `*out` must own nothing. False if there is no memory:
 * `*out` is empty. O(len). The first is a clone for KA_MAP_CLONE and the like. */
KA_MUST_USE bool ka_string_clone(ka_string *out, ka_string const *string);
KA_MUST_USE bool ka_string_clone_in(ka_string *out, ka_string const *string, ka_allocator *a);

/* ---- borrowed ---- */

/* Never NULL; ends in a zero. Zeros within the text are the caller's affair. */
KA_MUST_USE const char *ka_string_text(const ka_string *string);
KA_MUST_USE ka_str ka_string_view(const ka_string *string);
KA_MUST_USE size_t ka_string_len(const ka_string *string);
KA_MUST_USE bool ka_string_is_empty(const ka_string *string);

/* As ka_str_compare and its like, for strings as keys. */
int ka_string_compare(ka_string const *a, ka_string const *b);
bool ka_string_equal(ka_string const *a, ka_string const *b);
uint64_t ka_string_hash(ka_string const *string, const ka_hash_key *key);

/* ---- room: as in ka/vec.h. After a reserve the next `more` bytes need no memory: any context ---- */

KA_MUST_USE bool ka_string_reserve(ka_string *string, size_t more);
KA_MUST_USE bool ka_string_reserve_with(ka_string *string, size_t more, ka_flags flags);
KA_MUST_USE bool ka_string_shrink(ka_string *string);

/* ---- text in: false if there is no memory or, for UTF-8, if it would not be valid; nothing has changed. O(what is put
 * in), amortised; insert also moves what lies behind ---- */

KA_MUST_USE bool ka_string_append(ka_string *string, ka_str text);
KA_MUST_USE bool ka_string_append_text(ka_string *string, const char *text);
KA_MUST_USE bool ka_string_append_byte(ka_string *string, char byte);

/* In UTF-8, whatever the string's kind; false also for what is no code point. */
KA_MUST_USE bool ka_string_append_point(ka_string *string, uint32_t point);

/* Before the byte `at`; at == len is the end; beyond it stops. In UTF-8, false if no code point begins there. */
KA_MUST_USE bool ka_string_insert(ka_string *string, size_t at, ka_str text);

/* Replaces the whole text. */
KA_MUST_USE bool ka_string_set(ka_string *string, ka_str text);

/* ---- formatted text ---- */

/* A function like vsnprintf: writes at most `cap` bytes with the closing zero, returns the length of the whole text.
 * A negative result, too, may mean that the text was cut, as from Windows' _vsnprintf: it is asked again with more
 * room, up to 64 KiB. Every hosted kernel has one: vsnprintf in Linux and user programs, _vsnprintf in Windows. */
typedef int ka_formatter(char *out, size_t cap, const char *format, va_list list);

/* What formats from now on. NULL, the default: the formatter of the library's own reports, which knows
 * %c %s %d %i %u %x %X %p %%, the flags 0 and -, width, precision for %s, and the lengths h to z, and needs nothing.
 * A bare kernel may take stb_sprintf, without floating point: tests/kernel/printf/stb.c. Set it while nothing else
 * runs, as the handlers of ka/handler.h. */
void ka_set_formatter(ka_formatter *formatter);

/* Appends formatted text. False if there is no memory, if the formatter fails, or if it is not valid UTF-8 where that
 * is checked: nothing has changed. The arguments must not lie in this string: they are read while it is written. The
 * context is the formatter's. */
KA_MUST_USE bool ka_string_append_format(ka_string *string, const char *format, ...) KA_PRINTF(2, 3);
KA_MUST_USE bool ka_string_append_format_list(ka_string *string, const char *format, va_list list) KA_PRINTF(2, 0);

/* The same by this formatter. */
KA_MUST_USE bool ka_string_append_format_by(ka_string *string, ka_formatter *formatter, const char *format,
                                            va_list list) KA_PRINTF(3, 0);

/* ---- text out: stops if the place is not there; in UTF-8, false, nothing changed, where no code point begins ---- */

/* Keeps the first `len` bytes. Constant. */
KA_MUST_USE bool ka_string_truncate(ka_string *string, size_t len);

/* Takes out the bytes from `from` to before `to`. O(len - to). */
KA_MUST_USE bool ka_string_remove(ka_string *string, size_t from, size_t to);

/* Empties the string; the block stays. */
void ka_string_clear(ka_string *string);

/* NULL, or the first broken fact in words. O(len) for UTF-8. */
KA_MUST_USE const char *ka_string_check(const ka_string *string);

KA_END_DECLS

#endif
