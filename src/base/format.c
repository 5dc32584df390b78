/* base/format.c: see format.h. One cursor, one function for each part of a conversion. */
#include "format.h"

typedef struct cursor {
    char *out;
    size_t cap;
    size_t length; /* of the whole text; what does not fit is counted only */
} cursor;

typedef struct spec {
    bool left, zero;
    size_t width;
    size_t precision; /* SIZE_MAX: none */
    int longs;        /* h: -1, l: 1, ll and j: 2, z and t: 3 */
} spec;

static void put(cursor *c, char byte)
{
    if (c->length + 1 < c->cap)
        c->out[c->length] = byte;
    c->length++;
}

static void put_many(cursor *c, char byte, size_t n)
{
    while (n-- > 0)
        put(c, byte);
}

/* Text in a field: `prefix` stays ahead of padding zeros. */
static void put_field(cursor *c, const spec *s, const char *prefix, const char *text, size_t length)
{
    size_t prefix_length = 0;
    while (prefix[prefix_length])
        prefix_length++;
    size_t all = prefix_length + length;
    size_t pad = s->width > all ? s->width - all : 0;
    if (!s->left && !s->zero)
        put_many(c, ' ', pad);
    for (size_t i = 0; i < prefix_length; i++)
        put(c, prefix[i]);
    if (!s->left && s->zero)
        put_many(c, '0', pad);
    for (size_t i = 0; i < length; i++)
        put(c, text[i]);
    if (s->left)
        put_many(c, ' ', pad);
}

static void put_number(cursor *c, const spec *s, const char *prefix, uint64_t value, unsigned base, const char *digits)
{
    char text[20];
    size_t at = sizeof text;
    do {
        text[--at] = digits[value % base];
        value /= base;
    } while (value != 0);
    put_field(c, s, prefix, text + at, sizeof text - at);
}

static void put_string(cursor *c, const spec *s, const char *text)
{
    if (text == NULL)
        text = "(null)";
    size_t length = 0;
    while (length < s->precision && text[length])
        length++;
    spec plain = *s;
    plain.zero = false;
    put_field(c, &plain, "", text, length);
}

static const char *parse_number(const char *at, size_t *number)
{
    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        *number = *number * 10 + (size_t)(*at - '0');
    return at;
}

static const char *parse_length(const char *at, int *longs)
{
    *longs = 0;
    for (;; at++) {
        if (*at == 'l')
            ++*longs;
        else if (*at == 'j')
            *longs = 2;
        else if (*at == 'z' || *at == 't')
            *longs = 3;
        else if (*at == 'h')
            *longs = -1;
        else
            return at;
    }
}

size_t ka_format_list(char *out, size_t cap, const char *format, va_list list)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    cursor c = { out, cap, 0 };
    for (const char *at = format; *at != 0; at++) {
        if (*at != '%') {
            put(&c, *at);
            continue;
        }
        const char *start = at++;
        spec s = { false, false, 0, SIZE_MAX, 0 };
        for (; *at == '-' || *at == '0'; at++)
            *(*at == '-' ? &s.left : &s.zero) = true;
        if (*at == '*') {
            int width = va_arg(list, int);
            s.left = s.left || width < 0;
            s.width = (size_t)(width < 0 ? -(long long)width : width);
            at++;
        } else {
            at = parse_number(at, &s.width);
        }
        if (*at == '.' && at[1] == '*') {
            int precision = va_arg(list, int);
            s.precision = precision < 0 ? SIZE_MAX : (size_t)precision;
            at += 2;
        } else if (*at == '.') {
            at = parse_number(at + 1, &s.precision);
        }
        at = parse_length(at, &s.longs);
        uint64_t value = 0;
        int64_t number = 0;
        switch (*at) {
        case 'd':
        case 'i':
            number = s.longs == 3   ? (int64_t)va_arg(list, ptrdiff_t)
                     : s.longs == 2 ? (int64_t)va_arg(list, long long)
                     : s.longs == 1 ? (int64_t)va_arg(list, long)
                                    : (int64_t)va_arg(list, int);
            value = number < 0 ? (uint64_t)0 - (uint64_t)number : (uint64_t)number;
            put_number(&c, &s, number < 0 ? "-" : "", value, 10, lower);
            break;
        case 'u':
        case 'x':
        case 'X':
            value = s.longs == 3   ? (uint64_t)va_arg(list, size_t)
                    : s.longs == 2 ? (uint64_t)va_arg(list, unsigned long long)
                    : s.longs == 1 ? (uint64_t)va_arg(list, unsigned long)
                                   : (uint64_t)va_arg(list, unsigned);
            put_number(&c, &s, "", value, *at == 'u' ? 10 : 16, *at == 'X' ? upper : lower);
            break;
        case 'p':
            put_number(&c, &s, "0x", (uint64_t)(uintptr_t)va_arg(list, void *), 16, lower);
            break;
        case 's':
            put_string(&c, &s, va_arg(list, const char *));
            break;
        case 'c': {
            char byte = (char)va_arg(list, int);
            s.zero = false;
            put_field(&c, &s, "", &byte, 1);
            break;
        }
        case '%':
            put(&c, '%');
            break;
        case 0:
            at--;
            /* fall through */
        default:
            while (start <= at)
                put(&c, *start++);
        }
    }
    if (cap > 0)
        out[c.length < cap ? c.length : cap - 1] = 0;
    return c.length;
}

size_t ka_format(char *out, size_t cap, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    size_t length = ka_format_list(out, cap, format, list);
    va_end(list);
    return length;
}
