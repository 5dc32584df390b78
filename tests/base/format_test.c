/* format_test.c: ka_format against the C library's snprintf, and where the two differ on purpose. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "kit.h"

/* Formats by both; the texts, the lengths and the cut at `cap` must agree. */
#define SAME(...)                                                                          \
    do {                                                                                   \
        char ours[120], theirs[120];                                                       \
        for (size_t cap = 0; cap <= sizeof ours; cap += cap < 24 ? 1 : 32) {               \
            memset(ours, '~', sizeof ours);                                                \
            memset(theirs, '~', sizeof theirs);                                            \
            size_t length = ka_format(ours, cap, __VA_ARGS__);                             \
            int expected = snprintf(theirs, cap, __VA_ARGS__);                             \
            if (length != (size_t)expected || memcmp(ours, theirs, sizeof ours) != 0) {    \
                printf("# cap %zu: \"%.100s\", expected \"%.100s\"\n", cap, ours, theirs); \
                kit_fail(__FILE__, __LINE__, #__VA_ARGS__);                                \
                break;                                                                     \
            }                                                                              \
        }                                                                                  \
    } while (0)

/* The formats here are strange on purpose. */
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-overflow"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wformat-zero-length"
#pragma GCC diagnostic ignored "-Wformat-security"

static void plain_text(void)
{
    SAME("");
    SAME("hello");
    SAME("100%%, %%d");
    SAME("%c%c%c", 'a', '%', 'z');
    SAME("[%3c|%-3c]", 'x', 'y');
}

static void strings(void)
{
    SAME("%s", "text");
    SAME("[%8s|%-8s|%2s]", "text", "text", "text");
    SAME("[%.2s|%.0s|%.9s]", "text", "text", "text");
    SAME("[%8.2s|%-8.2s]", "text", "text");
    SAME("[%*s|%-*s|%.*s|%*.*s]", 6, "a", 6, "b", 2, "text", 6, 2, "text");
    char out[16];
    KIT_EXPECT(ka_format(out, sizeof out, "%s", (const char *)NULL) == 6 && strcmp(out, "(null)") == 0);
    const char unended[3] = { 'a', 'b', 'c' }; /* no byte after the precision is read */
    KIT_EXPECT(ka_format(out, sizeof out, "%.3s", unended) == 3 && strcmp(out, "abc") == 0);
}

static void numbers(void)
{
    static const int values[] = { 0, 1, -1, 9, 10, -10, 123456, INT_MAX, INT_MIN };
    for (size_t i = 0; i < KIT_COUNT(values); i++) {
        int v = values[i];
        SAME("%d %i", v, v);
        SAME("%u %x %X", (unsigned)v, (unsigned)v, (unsigned)v);
        SAME("[%8d|%-8d|%08d|%2d]", v, v, v, v);
        SAME("[%12x|%-12x|%012x|%012X]", (unsigned)v, (unsigned)v, (unsigned)v, (unsigned)v);
        SAME("[%*d|%-*u|%0*d]", 13, v, 13, (unsigned)v, 13, v);
        SAME("%-08d|", v); /* left beats zero */
    }
}

static void lengths(void)
{
    SAME("%ld %lu %lx", LONG_MIN, ULONG_MAX, ULONG_MAX);
    SAME("%lld %llu %llX", LLONG_MIN, ULLONG_MAX, ULLONG_MAX);
    SAME("%lld", LLONG_MAX);
    SAME("%zu %zx %zd", SIZE_MAX, SIZE_MAX, (ptrdiff_t)-5);
    SAME("%td", PTRDIFF_MIN);
    SAME("%jd %ju", INTMAX_MIN, UINTMAX_MAX);
    SAME("%hd %hu %hhd %hhx", (short)-7, (unsigned short)65535, (signed char)-3, (unsigned char)255);
    SAME("%" PRIu64 " %" PRIx32, UINT64_MAX, UINT32_MAX);
    SAME("%d %s %zu %c %llx", -1, "mixed", (size_t)2, 'c', 3ull);
}

static void pointers(void)
{
    int here;
    char out[8];
    SAME("%p", (void *)&here);
    SAME("%p", (void *)(uintptr_t)0x444444440000);
    SAME("[%20p|%-20p]", (void *)(uintptr_t)0x1000, (void *)(uintptr_t)0x1000);
    KIT_EXPECT(ka_format(out, sizeof out, "%p", (void *)NULL) == 3 && strcmp(out, "0x0") == 0);
}

static void unknown_conversions(void)
{
    char out[32];
    KIT_EXPECT(ka_format(out, sizeof out, "a%qb %5!", 1) == 8 && strcmp(out, "a%qb %5!") == 0);
    KIT_EXPECT(ka_format(out, sizeof out, "%") == 1 && strcmp(out, "%") == 0);
    KIT_EXPECT(ka_format(out, sizeof out, "a%-0") == 4 && strcmp(out, "a%-0") == 0);
    KIT_EXPECT(ka_format(out, sizeof out, "%5l") == 3 && strcmp(out, "%5l") == 0);
}

static void random_fields(void)
{
    kit_random random = { 9 };
    for (int i = 0; i < 20000; i++) {
        char format[40];
        const char *kinds[] = { "d", "u", "x", "X", "ld", "lu", "lx", "lld", "llu", "llX", "zu", "zx", "td" };
        const char *flags[] = { "", "-", "0", "-0", "0-" };
        const char *kind = kinds[kit_below(&random, KIT_COUNT(kinds))];
        const char *flag = flags[kit_below(&random, KIT_COUNT(flags))];
        unsigned width = (unsigned)kit_below(&random, 30), shift = (unsigned)kit_below(&random, 64);
        snprintf(format, sizeof format, "<%%%s%.0u%s>", flag, width, kind);
        uint64_t value = kit_next(&random) >> shift;
        char ours[80], theirs[80];
        size_t length;
        int expected;
        if (kind[1] == 0) { /* an int */
            length = ka_format(ours, sizeof ours, format, (int)value);
            expected = snprintf(theirs, sizeof theirs, format, (int)value);
        } else {
            length = ka_format(ours, sizeof ours, format, value);
            expected = snprintf(theirs, sizeof theirs, format, value);
        }
        if (length != (size_t)expected || strcmp(ours, theirs) != 0) {
            kit_note("%s: \"%s\", expected \"%s\"", format, ours, theirs);
            KIT_CHECK(false);
        }
    }
}

static const kit_case cases[] = {
    { "plain text", plain_text },
    { "strings", strings },
    { "numbers", numbers },
    { "lengths", lengths },
    { "pointers", pointers },
    { "unknown conversions", unknown_conversions },
    { "random fields", random_fields },
};

int main(void)
{
    return kit_main("format", cases, KIT_COUNT(cases));
}
