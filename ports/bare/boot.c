/* boot.c: see boot.h. */
#include "ports/bare/boot.h"

#include <ka/handler.h>

#include "base/mem.h"

bare_boot_info bare_boot;

static size_t text_length(const char *text)
{
    size_t length = 0;
    while (text[length] != 0)
        length++;
    return length;
}

void bare_boot_add(bare_ranges *ranges, uint64_t base, uint64_t size)
{
    if (size == 0)
        return;
    if (ranges->count == BARE_RANGES_MAX) {
        ka_log("boot: more than %d ranges; %llu bytes are not used", BARE_RANGES_MAX, (unsigned long long)size);
        return;
    }
    ranges->at[ranges->count++] = (bare_range){ base, size };
}

void bare_boot_add_node(uint64_t base, uint64_t size, unsigned node)
{
    size_t count = bare_boot.nodes.count;
    bare_boot_add(&bare_boot.nodes, base, size);
    if (bare_boot.nodes.count != count)
        bare_boot.node_of[count] = node;
}

void bare_boot_set_command_line(const char *text)
{
    size_t length = text_length(text);
    if (length >= BARE_COMMAND_LINE_MAX) {
        ka_log("boot: the command line is cut at %d bytes", BARE_COMMAND_LINE_MAX - 1);
        length = BARE_COMMAND_LINE_MAX - 1;
    }
    ka_copy(bare_boot.command_line, text, length);
    bare_boot.command_line[length] = 0;
}

const char *bare_option(const char *name, size_t *length)
{
    size_t name_length = text_length(name);
    const char *at = bare_boot.command_line;
    while (*at != 0) {
        while (*at == ' ')
            at++;
        size_t word = 0;
        while (at[word] != 0 && at[word] != ' ')
            word++;
        if (word > name_length && at[name_length] == '=' && memcmp(at, name, name_length) == 0) {
            *length = word - name_length - 1;
            return at + name_length + 1;
        }
        at += word;
    }
    return NULL;
}

/* The power of two behind a size's letter; -1: no such letter. */
static int suffix_shift(char letter)
{
    switch (letter) {
    case 'K':
        return 10;
    case 'M':
        return 20;
    case 'G':
        return 30;
    default:
        return -1;
    }
}

bool bare_option_size(const char *name, size_t *out)
{
    size_t length, digits = 0, size = 0;
    const char *value = bare_option(name, &length);
    if (value == NULL)
        return true;
    for (; digits < length && value[digits] >= '0' && value[digits] <= '9'; digits++) {
        if (size > SIZE_MAX / 16)
            return false;
        size = size * 10 + (size_t)(value[digits] - '0');
    }
    if (digits == 0 || length - digits > 1)
        return false;
    int shift = length == digits ? 0 : suffix_shift(value[digits]);
    if (shift < 0 || size > (size_t)PTRDIFF_MAX >> shift)
        return false;
    *out = size << shift;
    return true;
}

bool bare_option_is(const char *name, const char *value)
{
    size_t length;
    const char *found = bare_option(name, &length);
    return found != NULL && length == text_length(value) && memcmp(found, value, length) == 0;
}
