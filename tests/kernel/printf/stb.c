/* stb.c: a bare kernel's printf for its strings: stb_sprintf (public domain; Debian: libstb-dev), without floating
 * point and without unaligned accesses. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Without floating point, too, the header passes over an argument of type double, which no code of this kernel can give
 * and a compiler for general registers alone does not know. */
#define double long long
#define STB_SPRINTF_IMPLEMENTATION
#define STB_SPRINTF_STATIC
#define STB_SPRINTF_NOFLOAT
#define STB_SPRINTF_NOUNALIGNED
#include <stb_sprintf.h>
#undef double

#include "kernel/kernel_suites.h"

static int stb_formatter(char *out, size_t cap, const char *format, va_list list) KA_PRINTF(3, 0);
static int stb_formatter(char *out, size_t cap, const char *format, va_list list)
{
    return stbsp_vsnprintf(out, cap < INT32_MAX ? (int)cap : INT32_MAX, format, list);
}

ka_formatter *const kernel_formatter = stb_formatter;
