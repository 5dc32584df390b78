/* console.c: see console.h. */
#include "ports/bare/console.h"

#include <ka_port.h>

#include "base/format.h"

static ka_port_lock console_lock;

void bare_console_write(const char *text, size_t length)
{
    ka_port_lock_state state = ka_port_lock_take(&console_lock);
    for (size_t i = 0; i < length; i++)
        ka_arch_console_put(text[i]);
    ka_port_lock_give(&console_lock, state);
}

void bare_print(const char *format, ...)
{
    char text[192];
    va_list list;
    va_start(list, format);
    size_t length = ka_format_list(text, sizeof text, format, list);
    va_end(list);
    bare_console_write(text, length < sizeof text ? length : sizeof text - 1);
}
