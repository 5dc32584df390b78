/* ports/bare/port.c: the cold half of the bare-metal port. */
#include <ka/handler.h>

#include "base/format.h"
#include "ports/bare/console.h"
#include "ports/contract.h"

enum { STATUS_PANIC = 2 };

void ka_port_log(const char *line, size_t length)
{
    bare_print("%.*s\n", (int)length, line);
}

/* Takes no lock: the panic may come from inside the console, or from an NMI. */
void ka_port_panic(const char *message, const char *file, unsigned line)
{
    char text[192];
    ka_arch_interrupts_disable();
    ka_format(text, sizeof text, "\npanic: %s (%s:%u)\n", message, file, line);
    for (size_t i = 0; text[i] != 0; i++)
        ka_arch_console_put(text[i]);
    ka_arch_exit(STATUS_PANIC);
}
