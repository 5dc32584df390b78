/* ka_arch.h for riscv64, on QEMU's machine "virt": what the bare-metal port asks of a CPU. The contract, with what each
 * function promises, is that of ports/arch/x86_64/ka_arch.h; here stands only what differs.
 */
#ifndef KA_ARCH_H
#define KA_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ka/physical.h>

/* ---- hot half: inlines ---- */

/* The pause of Zihintpause; a fence that does nothing on CPUs without it. */
static inline void ka_arch_relax(void)
{
    __asm__ volatile(".4byte 0x0100000f" : : : "memory");
}

#define KA_ARCH_INTERRUPT_FLAG ((uintptr_t)2)

static inline uintptr_t ka_arch_interrupts_save(void)
{
    uintptr_t flags;
    __asm__ volatile("csrrci %0, sstatus, 2" : "=r"(flags) : : "memory");
    return flags;
}

static inline void ka_arch_interrupts_enable(void)
{
    __asm__ volatile("csrsi sstatus, 2" : : : "memory");
}

static inline void ka_arch_interrupts_disable(void)
{
    __asm__ volatile("csrci sstatus, 2" : : : "memory");
}

static inline void ka_arch_interrupts_restore(uintptr_t flags)
{
    if ((flags & KA_ARCH_INTERRUPT_FLAG) != 0)
        ka_arch_interrupts_enable();
}

static inline bool ka_arch_interrupts_on(void)
{
    uintptr_t flags;
    __asm__ volatile("csrr %0, sstatus" : "=r"(flags) : : "memory");
    return (flags & KA_ARCH_INTERRUPT_FLAG) != 0;
}

#define KA_ARCH_MAX_CPUS 8

/* Kept in the thread pointer, which compilers leave alone where there is no thread-local data. */
static inline unsigned ka_arch_cpu(void)
{
    uintptr_t number;
    __asm__("mv %0, tp" : "=r"(number));
    return (unsigned)number;
}

/* Sleeps with interrupts off, which a pending one ends, too; then takes it. */
static inline void ka_arch_idle(void)
{
    __asm__ volatile("wfi\n\tcsrsi sstatus, 2\n\tcsrci sstatus, 2" : : : "memory");
}

/* ---- page tables: Sv48 ----
 *
 *   53                    10 9 8 7 6 5 4 3 2 1 0
 *  +------------------------+---+-+-+-+-+-+-+-+-+
 *  |  number of the frame   | 0 |D|A|0|0|X|W|R|V|   without X, W and R: the next table
 *  +------------------------+---+-+-+-+-+-+-+-+-+
 */

#define KA_ARCH_PAGE_SHIFT 12
#define KA_ARCH_LEVELS     4
#define KA_ARCH_INDEX_BITS 9
#define KA_ARCH_DIRECT_END (UINT64_C(4) << 30)

/* Where memory begins; what of it belongs to the firmware. */
#define KA_ARCH_MEMORY      UINT64_C(0x80000000)
#define KA_ARCH_MEMORY_KEPT UINT64_C(0x200000)

typedef uint64_t ka_arch_entry;

#define KA_ARCH_ENTRY_PRESENT  ((ka_arch_entry)1)
#define KA_ARCH_ENTRY_READ     ((ka_arch_entry)2)
#define KA_ARCH_ENTRY_WRITE    ((ka_arch_entry)4)
#define KA_ARCH_ENTRY_EXECUTE  ((ka_arch_entry)8)
#define KA_ARCH_ENTRY_ACCESSED ((ka_arch_entry)0xc0) /* and dirty: nobody asks */

static inline ka_arch_entry ka_arch_entry_table(uint64_t address)
{
    return address >> KA_ARCH_PAGE_SHIFT << 10 | KA_ARCH_ENTRY_PRESENT;
}

static inline ka_arch_entry ka_arch_entry_page(uint64_t address, bool writable, bool executable)
{
    return address >> KA_ARCH_PAGE_SHIFT << 10 | KA_ARCH_ENTRY_PRESENT | KA_ARCH_ENTRY_READ | KA_ARCH_ENTRY_ACCESSED |
           (writable ? KA_ARCH_ENTRY_WRITE : 0) | (executable ? KA_ARCH_ENTRY_EXECUTE : 0);
}

/* A level 2 entry that maps 2 MiB, not executable. */
static inline ka_arch_entry ka_arch_entry_large(uint64_t address)
{
    return ka_arch_entry_page(address, true, false);
}

static inline bool ka_arch_entry_present(ka_arch_entry entry)
{
    return (entry & KA_ARCH_ENTRY_PRESENT) != 0;
}

static inline bool ka_arch_entry_maps(ka_arch_entry entry, unsigned level)
{
    return level == 1 || (entry & (KA_ARCH_ENTRY_READ | KA_ARCH_ENTRY_EXECUTE)) != 0;
}

static inline uint64_t ka_arch_entry_address(ka_arch_entry entry)
{
    return (entry >> 10 & ((UINT64_C(1) << 44) - 1)) << KA_ARCH_PAGE_SHIFT;
}

#include "ports/arch/virt/cached.h"

static inline ka_arch_entry *ka_arch_root(void)
{
    uint64_t satp;
    __asm__ volatile("csrr %0, satp" : "=r"(satp));
    return (ka_arch_entry *)(uintptr_t)((satp & ((UINT64_C(1) << 44) - 1)) << KA_ARCH_PAGE_SHIFT);
}

static inline void ka_arch_flush_page(uintptr_t address)
{
    __asm__ volatile("sfence.vma %0, zero" : : "r"(address) : "memory");
}

/* A CPU may remember here that a page was not mapped. This one forgets it now; another one when it faults
 * (exceptions.c). */
static inline void ka_arch_page_mapped(uintptr_t address)
{
    ka_arch_flush_page(address);
}

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
