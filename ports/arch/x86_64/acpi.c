/* acpi.c: what is asked of ACPI: which CPUs there are (the MADT, "APIC"), and which of them and which memory are near
 * to each other (the SRAT). Tables lie below 4 GiB, mapped at their own address, and their fields are not aligned. */
#include <stdbool.h>

#include "base/mem.h"
#include "cpu.h"

enum { HEADER_BYTES = 36, MADT_ENTRIES = 44, ENTRY_LOCAL_APIC = 0, LOCAL_APIC_ENABLED = 1 };
enum { SRAT_ENTRIES = 48, ENTRY_NEAR_CPU = 0, ENTRY_NEAR_MEMORY = 1, NEAR_ENABLED = 1 };
enum { NEAR_CPU_BYTES = 16, NEAR_MEMORY_BYTES = 40 };

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

/* The table with this signature among those that a root table names, by addresses of `width` bytes. */
static const uint8_t *table_in(const uint8_t *root, unsigned width, const char *signature)
{
    for (const uint8_t *at = root + HEADER_BYTES; at + width <= root + read_32(root + 4); at += width) {
        const uint8_t *table = table_at(width == 8 ? read_64(at) : read_32(at));
        if (memcmp(table, signature, 4) == 0)
            return table;
    }
    return NULL;
}

static const uint8_t *table_find(uint64_t root, const char *signature)
{
    const uint8_t *rsdp = table_at(root);
    if (root == 0 || memcmp(rsdp, "RSD PTR ", 8) != 0)
        return NULL;
    bool has_64 = rsdp[15] >= 2 && read_64(rsdp + 24) != 0;
    return has_64 ? table_in(table_at(read_64(rsdp + 24)), 8, signature)
                  : table_in(table_at(read_32(rsdp + 16)), 4, signature);
}

size_t ka_acpi_cpus(uint64_t rsdp, uint8_t *ids, size_t max)
{
    size_t count = 0;
    const uint8_t *madt = table_find(rsdp, "APIC");
    if (madt == NULL)
        return 0;
    const uint8_t *end = madt + read_32(madt + 4);
    for (const uint8_t *at = madt + MADT_ENTRIES; at + 2 <= end && at[1] >= 2 && count < max; at += at[1])
        if (at[0] == ENTRY_LOCAL_APIC && (read_32(at + 4) & LOCAL_APIC_ENABLED) != 0)
            ids[count++] = at[3];
    return count;
}

/* false: it is of another kind, or not in use. */
static bool near_read(const uint8_t *at, ka_acpi_near *out)
{
    *out = (ka_acpi_near){ .is_cpu = at[0] == ENTRY_NEAR_CPU };
    if (out->is_cpu && at[1] >= NEAR_CPU_BYTES) {
        out->apic_id = at[3];
        out->domain = at[2] | (uint32_t)at[9] << 8 | (uint32_t)at[10] << 16 | (uint32_t)at[11] << 24;
        return (read_32(at + 4) & NEAR_ENABLED) != 0;
    }
    if (at[0] != ENTRY_NEAR_MEMORY || at[1] < NEAR_MEMORY_BYTES)
        return false;
    out->domain = read_32(at + 2);
    out->base = read_64(at + 8);
    out->size = read_64(at + 16);
    return (read_32(at + 28) & NEAR_ENABLED) != 0;
}

size_t ka_acpi_nears(uint64_t rsdp, ka_acpi_near *out, size_t max)
{
    size_t count = 0;
    const uint8_t *srat = table_find(rsdp, "SRAT");
    if (srat == NULL)
        return 0;
    const uint8_t *end = srat + read_32(srat + 4);
    for (const uint8_t *at = srat + SRAT_ENTRIES; at + 2 <= end && at[1] >= 2 && count < max; at += at[1])
        count += near_read(at, &out[count]);
    return count;
}
