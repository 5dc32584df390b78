/* string_suite.c: formatted text on any heap: by the library's own formatter, and by the printf that the program has,
 * if it has one (suite_formatter). */
#include "suite.h"

#include <ka/string.h>

static bool is(const ka_string *string, const char *text)
{
    ka_str shown = ka_string_view(string), expected = ka_str_from(text);
    return ka_str_equal(&shown, &expected) && ka_string_check(string) == NULL;
}

/* What every printf of a kernel knows. */
static void formats(void)
{
    ka_string string = ka_string_in(suite.allocator);
    KIT_CHECK(ka_string_append_format(&string, "%s=%d", "port", 8080) && is(&string, "port=8080"));
    KIT_CHECK(ka_string_append_format(&string, " %04x|%-3s|%5u|%c", 0xbeu, "a", 42u, 'c'));
    KIT_CHECK(is(&string, "port=8080 00be|a  |   42|c"));
    ka_string_clear(&string);
    KIT_CHECK(ka_string_append_format(&string, "%lld %llx %zu %.2s %% %d", -9000000000ll, 0x123456789abcdefull,
                                      (size_t)1 << 33, "abc", -1));
    KIT_CHECK(is(&string, "-9000000000 123456789abcdef 8589934592 ab % -1"));
    ka_string_drop(&string);
}

/* Text that does not fit at first is formatted once more, with room for it. */
static void grows(void)
{
    static char longer[700];
    ka_string string = ka_string_in(suite.allocator);
    for (size_t i = 0; i < sizeof longer - 1; i++)
        longer[i] = (char)('a' + i % 26);
    for (unsigned i = 1; i <= 8; i++)
        KIT_CHECK(ka_string_append_format(&string, "%s%s", longer, longer) && string.len == i * 1398);
    KIT_CHECK(string.bytes[1397] == longer[698] && string.bytes[1398] == 'a');
    KIT_CHECK_SOUND(ka_string_check(&string));
    ka_string_drop(&string);
}

/* In UTF-8, what is cut in the middle is not taken; without memory, nothing is. */
static void refuses(void)
{
    ka_string string = ka_string_utf8_in(suite.allocator), none = ka_string_in(NULL);
    KIT_CHECK(ka_string_append_format(&string, "%s", "\xc3\xa4"));
    KIT_CHECK(!ka_string_append_format(&string, "%.1s", "\xc3\xa4"));
    KIT_CHECK(is(&string, "\xc3\xa4") && !ka_string_append_format(&none, "%d", 1) && is(&none, ""));
    ka_string_drop(&string);
}

static void all_by(ka_formatter *formatter)
{
    ka_stats before = ka_get_stats(suite.allocator);
    ka_set_formatter(formatter);
    formats();
    grows();
    refuses();
    ka_set_formatter(NULL);
    ka_stats now = ka_get_stats(suite.allocator);
    KIT_CHECK_SOUND(ka_check(suite.allocator));
    KIT_EXPECT(now.live == before.live && now.live_blocks == before.live_blocks);
}

static void by_the_library(void)
{
    all_by(NULL);
}

static void by_the_program(void)
{
    if (suite_formatter == NULL)
        kit_skip("no printf here but the library's");
    else
        all_by(suite_formatter);
}

static const kit_case cases[] = {
    { "text formatted by the library", by_the_library },
    { "text formatted by the program's printf", by_the_program },
};

const kit_suite string_suite = { "string", cases, KIT_COUNT(cases) };
