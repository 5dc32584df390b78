/* boot.c: reads what the PVH loader left (Xen's hvm_start_info, version 1) into bare_boot, and starts the kernel.
 *
 * The record and all that it points to lie in memory that is free afterwards, some of it in page 0: it is copied before
 * page 0 is unmapped and before anything is taken from the memory map.
 */
#include <ka_arch.h>

#include "cpu.h"
#include "ports/bare/boot.h"
#include "ports/bare/cpus.h"
#include "ports/bare/start.h"
#include "base/assert.h"

typedef struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp, memory_map;
    uint32_t memory_map_count, reserved;
} start_info;

typedef struct start_module {
    uint64_t address, size, command_line, reserved;
} start_module;

typedef struct start_memory {
    uint64_t address, size;
    uint32_t type, reserved;
} start_memory;

enum { START_MAGIC = 0x336ec578, MEMORY_USABLE = 1 };

extern char ka_text_start[], ka_image_end[];
extern ka_arch_entry ka_boot_level1[];

__attribute__((noreturn)) void ka_arch_start(uintptr_t info_address);

static void copy_memory_map(const start_info *info)
{
    const start_memory *entries = (const start_memory *)(uintptr_t)info->memory_map;
    for (uint32_t i = 0; i < info->memory_map_count; i++)
        if (entries[i].type == MEMORY_USABLE)
            bare_boot_add(&bare_boot.memory, entries[i].address, entries[i].size);
}

static void copy_modules(const start_info *info)
{
    const start_module *entries = (const start_module *)(uintptr_t)info->modules;
    for (uint32_t i = 0; i < info->module_count; i++)
        bare_boot_add(&bare_boot.modules, entries[i].address, entries[i].size);
}

/* Nodes are numbered as their proximity domains first appear. */
static unsigned node_of(uint32_t domain)
{
    static uint32_t domains[BARE_NODES_MAX];
    static unsigned count;
    for (unsigned node = 0; node < count; node++)
        if (domains[node] == domain)
            return node;
    if (count == BARE_NODES_MAX)
        return 0;
    domains[count] = domain;
    return count++;
}

static void copy_nodes(uint64_t rsdp)
{
    static ka_acpi_near nears[BARE_RANGES_MAX];
    size_t count = ka_acpi_nears(rsdp, nears, BARE_RANGES_MAX);
    for (size_t i = 0; i < count; i++) {
        unsigned node = node_of(nears[i].domain);
        if (nears[i].is_cpu)
            bare_cpu_set_node(ka_apic_cpu_of(nears[i].apic_id), node);
        else
            bare_boot_add_node(nears[i].base, nears[i].size, node);
    }
}

void ka_arch_start(uintptr_t info_address)
{
    const start_info *info = (const start_info *)info_address;
    ka_arch_console_start();
    ka_arch_exceptions_start();
    KA_ASSERT(info->magic == START_MAGIC && info->version >= 1);
    bare_boot.image.base = (uintptr_t)ka_text_start;
    bare_boot.image.size = (uintptr_t)(ka_image_end - ka_text_start);
    copy_memory_map(info);
    copy_modules(info);
    if (info->command_line != 0)
        bare_boot_set_command_line((const char *)(uintptr_t)info->command_line);
    ka_apic_start(info->rsdp);
    copy_nodes(info->rsdp);
    ka_boot_level1[0] = 0; /* from here on, NULL faults */
    ka_arch_flush_page(0);
    bare_start();
}
