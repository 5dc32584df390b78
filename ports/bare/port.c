/* ports/bare/port.c: the cold half of the bare-metal port. */
#include <ka/handler.h>
#include <ka/hash.h>

#include "base/format.h"
#include "base/math.h"
#include "base/mem.h"
#include "ports/bare/console.h"
#include "ports/bare/cpus.h"
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

bool ka_port_entropy(void *context, void *out, size_t size)
{
    (void)context;
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word;
        if (!ka_arch_entropy(&word))
            return false;
        ka_copy((char *)out + at, &word, ka_min(size - at, sizeof word));
    }
    return true;
}

unsigned ka_port_node(void)
{
    return bare_cpu_node(ka_arch_cpu());
}
