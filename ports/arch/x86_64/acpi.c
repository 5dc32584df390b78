/* acpi.c: the one thing that is asked of ACPI: which CPUs there are (the MADT, "APIC"). Tables lie below 4 GiB, mapped
 * at their own address, and their fields are not aligned. */
#include <stdbool.h>

#include "base/mem.h"
#include "cpu.h"

enum { HEADER_BYTES = 36, MADT_ENTRIES = 44, ENTRY_LOCAL_APIC = 0, LOCAL_APIC_ENABLED = 1 };

static uint32_t read_32(const uint8_t *at)
{
    uint32_t value;
    ka_copy(&value, at, sizeof value);
    return value;
}

static uint64_t read_64(const uint8_t *at)
{
    return read_32(at) | (uint64_t)read_32(at + 4) << 32;
}

static const uint8_t *table_at(uint64_t address)
{
    return (const uint8_t *)(uintptr_t)address;
}

/* The MADT among the tables that a root table names, by addresses of `width` bytes. */
static const uint8_t *madt_in(const uint8_t *root, unsigned width)
{
    for (const uint8_t *at = root + HEADER_BYTES; at + width <= root + read_32(root + 4); at += width) {
        const uint8_t *table = table_at(width == 8 ? read_64(at) : read_32(at));
        if (memcmp(table, "APIC", 4) == 0)
            return table;
    }
    return NULL;
}

static const uint8_t *madt_find(const uint8_t *rsdp)
{
    if (memcmp(rsdp, "RSD PTR ", 8) != 0)
        return NULL;
    bool has_64 = rsdp[15] >= 2 && read_64(rsdp + 24) != 0;
    return has_64 ? madt_in(table_at(read_64(rsdp + 24)), 8) : madt_in(table_at(read_32(rsdp + 16)), 4);
}

size_t ka_acpi_cpus(uint64_t rsdp, uint8_t *ids, size_t max)
{
    size_t count = 0;
    const uint8_t *madt = rsdp == 0 ? NULL : madt_find(table_at(rsdp));
    if (madt == NULL)
        return 0;
    const uint8_t *end = madt + read_32(madt + 4);
    for (const uint8_t *at = madt + MADT_ENTRIES; at + 2 <= end && at[1] >= 2 && count < max; at += at[1])
        if (at[0] == ENTRY_LOCAL_APIC && (read_32(at + 4) & LOCAL_APIC_ENABLED) != 0)
            ids[count++] = at[3];
    return count;
}
