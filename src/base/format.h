/* base/format.h: a small printf for reports, without floating point, locale or allocation.
 *
 * %c %s %d %i %u %x %X %p %%, with flags `0` and `-`, a width, a precision for %s (numbers or `*`), and the length
 * modifiers l, ll, z, j, t, h, hh. Anything else is copied as it stands. Any context; about 200 bytes of stack.
 */
#ifndef KA_BASE_FORMAT_H
#define KA_BASE_FORMAT_H

#include <stdarg.h>

#include <ka/types.h>

/* Writes at most cap bytes with the closing zero (nothing if cap is 0).
 * Returns the length of the whole text, cut or not, without the zero. */
size_t ka_format(char *out, size_t cap, const char *format, ...) KA_PRINTF(3, 4);
size_t ka_format_list(char *out, size_t cap, const char *format, va_list list) KA_PRINTF(3, 0);

#endif
