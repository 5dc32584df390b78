/* ka_arch.h for aarch64, on QEMU's machine "virt": what the bare-metal port asks of a CPU. The contract, with what each
 * function promises, is that of ports/arch/x86_64/ka_arch.h; here stands only what differs.
 */
#ifndef KA_ARCH_H
#define KA_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ka/physical.h>

/* ---- hot half: inlines ---- */

static inline void ka_arch_relax(void)
{
    __asm__ volatile("yield");
}

#define KA_ARCH_INTERRUPT_MASK ((uintptr_t)0x80) /* set: interrupts are off */

static inline uintptr_t ka_arch_interrupts_save(void)
{
    uintptr_t flags;
    __asm__ volatile("mrs %0, daif\n\tmsr daifset, #2" : "=r"(flags) : : "memory");
    return flags;
}

static inline void ka_arch_interrupts_enable(void)
{
    __asm__ volatile("msr daifclr, #2" : : : "memory");
}

static inline void ka_arch_interrupts_disable(void)
{
    __asm__ volatile("msr daifset, #2" : : : "memory");
}

static inline void ka_arch_interrupts_restore(uintptr_t flags)
{
    if ((flags & KA_ARCH_INTERRUPT_MASK) == 0)
        ka_arch_interrupts_enable();
}

static inline bool ka_arch_interrupts_on(void)
{
    uintptr_t flags;
    __asm__ volatile("mrs %0, daif" : "=r"(flags) : : "memory");
    return (flags & KA_ARCH_INTERRUPT_MASK) == 0;
}

#define KA_ARCH_MAX_CPUS 8 /* as many as the interrupt controller (GICv2) can tell apart */

/* Kept in a register that only the kernel has. */
static inline unsigned ka_arch_cpu(void)
{
    uintptr_t number;
    __asm__("mrs %0, tpidr_el1" : "=r"(number));
    return (unsigned)number;
}

/* Sleeps with interrupts off, which a pending one ends, too; then takes it. */
static inline void ka_arch_idle(void)
{
    __asm__ volatile("wfi\n\tmsr daifclr, #2\n\tisb\n\tmsr daifset, #2" : : : "memory");
}

/* ---- page tables: 4 KiB pages, 48 bits ----
 *
 *   54  53   47                    12  10  9 8   7   4 2  1 0
 *  +---+---+-------------------------+---+-----+---+----+-+-+
 *  |UXN|PXN|  address of the frame   | A | SH  |RO |attr|T|P|   T: table, or page at level 1; 0: large page
 *  +---+---+-------------------------+---+-----+---+----+-+-+
 */

#define KA_ARCH_PAGE_SHIFT 12
#define KA_ARCH_LEVELS     4
#define KA_ARCH_INDEX_BITS 9
#define KA_ARCH_DIRECT_END (UINT64_C(4) << 30)

/* Where memory begins; what of it belongs to the loader (QEMU puts the device tree there). */
#define KA_ARCH_MEMORY      UINT64_C(0x40000000)
#define KA_ARCH_MEMORY_KEPT UINT64_C(0x200000)

typedef uint64_t ka_arch_entry;

#define KA_ARCH_ENTRY_PRESENT    ((ka_arch_entry)1)
#define KA_ARCH_ENTRY_TABLE      ((ka_arch_entry)2)
#define KA_ARCH_ENTRY_DEVICE     ((ka_arch_entry)1 << 2) /* attribute 1: see entry.S */
#define KA_ARCH_ENTRY_READ_ONLY  ((ka_arch_entry)1 << 7)
#define KA_ARCH_ENTRY_SHARED     ((ka_arch_entry)3 << 8)
#define KA_ARCH_ENTRY_ACCESSED   ((ka_arch_entry)1 << 10)
#define KA_ARCH_ENTRY_NO_EXECUTE ((ka_arch_entry)3 << 53)
#define KA_ARCH_ENTRY_ADDRESS    UINT64_C(0x0000fffffffff000)

static inline ka_arch_entry ka_arch_entry_table(uint64_t address)
{
    return address | KA_ARCH_ENTRY_PRESENT | KA_ARCH_ENTRY_TABLE;
}

static inline ka_arch_entry ka_arch_entry_page(uint64_t address, bool writable, bool executable)
{
    return address | KA_ARCH_ENTRY_PRESENT | KA_ARCH_ENTRY_TABLE | KA_ARCH_ENTRY_SHARED | KA_ARCH_ENTRY_ACCESSED |
           (writable ? 0 : KA_ARCH_ENTRY_READ_ONLY) | (executable ? 0 : KA_ARCH_ENTRY_NO_EXECUTE);
}

/* A level 2 entry that maps 2 MiB, not executable; devices lie below memory. */
static inline ka_arch_entry ka_arch_entry_large(uint64_t address)
{
    return address | KA_ARCH_ENTRY_PRESENT | KA_ARCH_ENTRY_SHARED | KA_ARCH_ENTRY_ACCESSED | KA_ARCH_ENTRY_NO_EXECUTE |
           (address < KA_ARCH_MEMORY ? KA_ARCH_ENTRY_DEVICE : 0);
}

static inline bool ka_arch_entry_present(ka_arch_entry entry)
{
    return (entry & KA_ARCH_ENTRY_PRESENT) != 0;
}

static inline bool ka_arch_entry_maps(ka_arch_entry entry, unsigned level)
{
    return level == 1 || (entry & KA_ARCH_ENTRY_TABLE) == 0;
}

static inline uint64_t ka_arch_entry_address(ka_arch_entry entry)
{
    return entry & KA_ARCH_ENTRY_ADDRESS;
}

#include "ports/arch/virt/cached.h"

/* The same root serves both halves of the addresses. */
static inline ka_arch_entry *ka_arch_root(void)
{
    uint64_t root;
    __asm__ volatile("mrs %0, ttbr0_el1" : "=r"(root));
    return (ka_arch_entry *)(uintptr_t)ka_arch_entry_address(root);
}

/* The entry must be seen by the walk that follows. What is not mapped is not remembered. */
static inline void ka_arch_page_mapped(uintptr_t address)
{
    (void)address;
    __asm__ volatile("dsb ishst\n\tisb" : : : "memory");
}

/* One instruction for all CPUs: there is nothing to be sent. */
static inline void ka_arch_flush_page(uintptr_t address)
{
    uint64_t page = address >> KA_ARCH_PAGE_SHIFT & ((UINT64_C(1) << 44) - 1);
    __asm__ volatile("dsb ishst\n\ttlbi vaae1is, %0\n\tdsb ish\n\tisb" : : "r"(page) : "memory");
}

/* Bits 63 to 47 are equal, as on other CPUs, although the lower half could be twice as large here. */
static inline bool ka_arch_range_valid(uintptr_t base, size_t size)
{
    const uintptr_t low_end = (uintptr_t)1 << 47, high_start = ~(low_end - 1);
    if (base < low_end)
        return size <= low_end - base;
    return base >= high_start && size <= (uintptr_t)0 - base;
}

typedef struct ka_arch_mark {
    uintptr_t kept[14]; /* registers */
} ka_arch_mark;

#include "ports/arch/cold.h"

#endif
