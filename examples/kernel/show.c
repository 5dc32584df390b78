/* show.c: see show.h. */
#include "show.h"

#include "base/format.h"
#include "ports/bare/console.h"
#include "ports/bare/region.h"

enum { COLUMNS = 96, ROWS = 22 };

void show_heading(const char *text)
{
    bare_print("\n%s\n", text);
    for (; *text != 0; text++)
        bare_print("-");
    bare_print("\n");
}

const char *show_number(show_text *text, uint64_t number)
{
    char digits[24];
    size_t length = ka_format(digits, sizeof digits, "%llu", (unsigned long long)number), to = 0;
    for (size_t i = 0; i < length && to + 2 < sizeof text->bytes; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text->bytes[to++] = ',';
        text->bytes[to++] = digits[i];
    }
    text->bytes[to] = 0;
    return text->bytes;
}

static void show_pair(const char *left, uint64_t left_number, const char *right, uint64_t right_number)
{
    show_text a, b;
    bare_print("    %-18s %12s bytes    %-18s %12s\n", left, show_number(&a, left_number), right,
               show_number(&b, right_number));
}

void show_heap(const char *when)
{
    ka_stats stats = ka_get_stats(bare_region);
    bare_region_info info = bare_region_get_info();
    bare_print("  The heap %s\n", when);
    show_pair("mapped", info.mapped, "live blocks", stats.live_blocks);
    show_pair("record of its own", stats.overhead, "free blocks", stats.free_blocks);
    show_pair("live", stats.live, "largest free block", stats.largest_free);
    show_pair("peak", stats.peak, "times it has grown", info.growths);
    show_text free_text;
    bare_print("    %-18s %12s bytes    %-18s %10u.%u %%\n", "free", show_number(&free_text, stats.free),
               "fragmentation", stats.fragmentation / 10, stats.fragmentation % 10);
}

static void picture_line(void *context, const char *text, size_t length)
{
    (void)context;
    bare_print("    %.*s\n", (int)length, text);
}

void show_picture(ka_picture_mark *mark, void *context)
{
    bare_print("\n");
    ka_picture(bare_region, COLUMNS, ROWS, mark, context, picture_line, NULL);
}

void show_legend(const char *text)
{
    bare_print("    %s\n\n", text);
}
