/* boot.c: fills in bare_boot and goes on; and the way out. See virt.h. */
#include "ports/bare/boot.h"

#include <ka_port.h>

#include "ports/bare/start.h"
#include "virt.h"

enum { SEMIHOST_COMMAND_LINE = 0x15, SEMIHOST_EXIT = 0x20, EXIT_APPLICATION = 0x20026 };
enum { STATUS_SUCCESS = 33 };

#define DEFAULT_MEMORY ((size_t)128 << 20)

extern char ka_text_start[], ka_image_end[];

/* The words behind the first one, which is the kernel's name. */
static void read_command_line(void)
{
    static char text[BARE_COMMAND_LINE_MAX];
    uintptr_t arguments[2] = { (uintptr_t)text, sizeof text };
    if (ka_semihost(SEMIHOST_COMMAND_LINE, arguments) != 0)
        return;
    const char *at = text;
    while (*at != 0 && *at != ' ')
        at++;
    bare_boot_set_command_line(at);
}

void ka_virt_start(uintptr_t id)
{
    size_t memory = DEFAULT_MEMORY;
    ka_arch_console_start();
    ka_arch_exceptions_start();
    ka_cpus_find(id);
    read_command_line();
    (void)bare_option_size("memory", &memory);
    bare_boot.image.base = (uintptr_t)ka_text_start;
    bare_boot.image.size = (uintptr_t)(ka_image_end - ka_text_start);
    bare_boot_add(&bare_boot.memory, KA_ARCH_MEMORY, memory);
    bare_boot_add(&bare_boot.kept, KA_ARCH_MEMORY, KA_ARCH_MEMORY_KEPT);
    bare_start();
}

/* The same status as x86_64's: 33 for success, 35 and up for failure. */
void ka_arch_exit(unsigned status)
{
    uintptr_t arguments[2] = { EXIT_APPLICATION, STATUS_SUCCESS + 2 * (status < 100 ? status : 100) };
    (void)ka_semihost(SEMIHOST_EXIT, arguments);
    for (;;)
        ka_arch_idle();
}
