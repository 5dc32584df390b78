/* boot_suite.c: what the loader told, and the words of the command line. */
#include "kernel_suites.h"

#include "base/mem.h"
#include "ports/bare/boot.h"

static char kept[BARE_COMMAND_LINE_MAX];

static void with_command_line(const char *text)
{
    ka_copy(kept, bare_boot.command_line, sizeof kept);
    bare_boot_set_command_line(text);
}

static void without(void)
{
    ka_copy(bare_boot.command_line, kept, sizeof kept);
}

static void memory_map_holds_the_image(void)
{
    bool inside = false;
    for (size_t i = 0; i < bare_boot.memory.count; i++) {
        bare_range at = bare_boot.memory.at[i];
        inside |= at.base <= bare_boot.image.base && bare_boot.image.base + bare_boot.image.size <= at.base + at.size;
    }
    KIT_EXPECT(inside && bare_boot.image.size > 65536);
}

/* The loader has put the test image's own file into memory; nobody has taken that memory since. */
static void module_is_there(void)
{
    if (bare_boot.modules.count == 0) {
        kit_skip("the loader brought no file");
        return;
    }
    bare_range file = bare_boot.modules.at[0];
    KIT_CHECK(bare_boot.modules.count == 1 && file.size > 4096);
    KIT_EXPECT(memcmp((const void *)(uintptr_t)file.base, "\177ELF\2\1\1", 7) == 0);
}

static void options_are_whole_words(void)
{
    with_command_line("  xheap=1 heap=22 heap=33 empty= last=end");
    KIT_EXPECT(bare_option_is("heap", "22"));
    KIT_EXPECT(bare_option_is("last", "end"));
    KIT_EXPECT(bare_option_is("empty", ""));
    KIT_EXPECT(!bare_option_is("eap", "22") && !bare_option_is("las", "t=end") && !bare_option_is("heap", "2"));
    without();
}

static void sizes(void)
{
    static const struct {
        const char *line;
        bool good;
        size_t size;
    } at[] = {
        { "s=0", true, 0 },
        { "s=123", true, 123 },
        { "s=4K", true, 4096 },
        { "s=3M", true, 3 << 20 },
        { "s=2G", true, (size_t)2 << 30 },
        { "other=5", true, 77 },
        { "s=8589934591G", true, (size_t)8589934591 << 30 },
        { "s=8589934592G", false, 77 },
        { "s=99999999999999999999999", false, 77 },
        { "s=", false, 77 },
        { "s=K", false, 77 },
        { "s=4k", false, 77 },
        { "s=4KB", false, 77 },
        { "s=-4", false, 77 },
    };
    for (size_t i = 0; i < KIT_COUNT(at); i++) {
        size_t size = 77;
        with_command_line(at[i].line);
        bool good = bare_option_size("s", &size);
        without();
        KIT_EXPECT(good == at[i].good && size == at[i].size);
    }
}

static const kit_case cases[] = {
    { "the memory map holds the image", memory_map_holds_the_image },
    { "a module is there", module_is_there },
    { "options are whole words", options_are_whole_words },
    { "sizes", sizes },
};

const kit_suite boot_suite = { "boot", cases, KIT_COUNT(cases) };
