/* ka_arch.h for x86_64: what the bare-metal port asks of a CPU.
 *
 * The seam between ports/bare, which is the same for every CPU, and ports/arch/<cpu>, picked by the include path. A new
 * CPU supplies this header, an entry that ends in bare_start (ports/bare/start.h) with bare_boot filled in, and a link
 * script. What the entry must leave behind: all memory below KA_ARCH_DIRECT_END mapped at its own address, the image in
 * small pages, a stack with an unmapped page below it, interrupts off, the CPU's number where ka_arch_cpu finds it.
 * Other CPUs start on the same page tables (ka_arch_cpu_start) and end in bare_cpu_main (ports/bare/cpus.h).
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
    __asm__ volatile("pause");
}

/* Turns interrupts of this CPU off; returns what restore needs. NMIs go on. */
static inline uintptr_t ka_arch_interrupts_save(void)
{
    uintptr_t flags;
    __asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
    return flags;
}

#define KA_ARCH_INTERRUPT_FLAG ((uintptr_t)0x200)

static inline void ka_arch_interrupts_restore(uintptr_t flags)
{
    if ((flags & KA_ARCH_INTERRUPT_FLAG) != 0)
        __asm__ volatile("sti" : : : "memory");
}

static inline bool ka_arch_interrupts_on(void)
{
    uintptr_t flags;
    __asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
    return (flags & KA_ARCH_INTERRUPT_FLAG) != 0;
}

static inline void ka_arch_interrupts_enable(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void ka_arch_interrupts_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
}

#define KA_ARCH_MAX_CPUS 16

/* The number of this CPU, 0 to KA_ARCH_MAX_CPUS - 1: the first word of what GS points to (cpu.c). Code never moves to
 * another CPU, so a compiler may keep it. */
static inline unsigned ka_arch_cpu(void)
{
    unsigned number;
    __asm__("movl %%gs:0, %0" : "=r"(number));
    return number;
}

/* ---- page tables: the format of an entry ----
 *
 *   63  62      52 51                    12 11  9 8 7 6 5 4 3 2 1 0
 *  +---+----------+------------------------+-----+-+-+-+-+-+-+-+-+-+
 *  |NX |    0     |  address of the frame  |  0  | |L| | |C|T| |W|P|   L large page, C and T caching, W writable,
 *  +---+----------+------------------------+-----+-+-+-+-+-+-+-+-+-+   P present
 */

#define KA_ARCH_PAGE_SHIFT 12
#define KA_ARCH_LEVELS     4 /* level 4 is the root, entries of level 1 map pages */
#define KA_ARCH_INDEX_BITS 9

/* Memory below this physical address is mapped at its own address from the start. */
#define KA_ARCH_DIRECT_END (UINT64_C(4) << 30)

typedef uint64_t ka_arch_entry;

#define KA_ARCH_ENTRY_PRESENT  ((ka_arch_entry)1)
#define KA_ARCH_ENTRY_WRITABLE ((ka_arch_entry)2)
#define KA_ARCH_ENTRY_CACHING  ((ka_arch_entry)0x18) /* a number in the CPU's attribute table, see cpu.c */
#define KA_ARCH_ENTRY_COMBINED ((ka_arch_entry)0x08)
#define KA_ARCH_ENTRY_UNCACHED ((ka_arch_entry)0x18)
#define KA_ARCH_ENTRY_LARGE    ((ka_arch_entry)0x80)
#define KA_ARCH_ENTRY_NX       ((ka_arch_entry)1 << 63)
#define KA_ARCH_ENTRY_ADDRESS  UINT64_C(0x000ffffffffff000)

/* An entry that leads to the next table, `address` bytes. */
static inline ka_arch_entry ka_arch_entry_table(uint64_t address)
{
    return address | KA_ARCH_ENTRY_PRESENT | KA_ARCH_ENTRY_WRITABLE;
}

/* A level 1 entry that maps a page. */
static inline ka_arch_entry ka_arch_entry_page(uint64_t address, bool writable, bool executable)
{
    return address | KA_ARCH_ENTRY_PRESENT | (writable ? KA_ARCH_ENTRY_WRITABLE : 0) |
           (executable ? 0 : KA_ARCH_ENTRY_NX);
}

static inline bool ka_arch_entry_present(ka_arch_entry entry)
{
    return (entry & KA_ARCH_ENTRY_PRESENT) != 0;
}

/* Whether a present entry of `level` maps memory, rather than leading to a table. */
static inline bool ka_arch_entry_maps(ka_arch_entry entry, unsigned level)
{
    return level == 1 || (entry & KA_ARCH_ENTRY_LARGE) != 0;
}

static inline uint64_t ka_arch_entry_address(ka_arch_entry entry)
{
    return entry & KA_ARCH_ENTRY_ADDRESS;
}

/* The same for a piece of a large page: the entry number `index` of the table that takes its place, one level down. */
static inline ka_arch_entry ka_arch_entry_part(ka_arch_entry entry, unsigned level, size_t index)
{
    unsigned shift = KA_ARCH_PAGE_SHIFT + (level - 2) * KA_ARCH_INDEX_BITS;
    return (entry & ~(level == 2 ? KA_ARCH_ENTRY_LARGE : 0)) + ((ka_arch_entry)index << shift);
}

/* How a page is cached, by its entry of level 1; and that entry, cached otherwise. */
static inline ka_caching ka_arch_entry_caching(ka_arch_entry entry)
{
    ka_arch_entry caching = entry & KA_ARCH_ENTRY_CACHING;
    return caching == 0 ? KA_CACHED : caching == KA_ARCH_ENTRY_COMBINED ? KA_WRITE_COMBINED : KA_UNCACHED;
}

static inline ka_arch_entry ka_arch_entry_cached(ka_arch_entry entry, ka_caching caching)
{
    static const ka_arch_entry of[] = { 0, KA_ARCH_ENTRY_UNCACHED, KA_ARCH_ENTRY_COMBINED };
    return (entry & ~KA_ARCH_ENTRY_CACHING) | of[caching];
}

static inline bool ka_arch_has_caching(ka_caching caching)
{
    (void)caching;
    return true;
}

/* Writes what any CPU's caches have of the range to memory, and forgets it there. */
static inline void ka_arch_cache_clean(uintptr_t base, size_t size)
{
    for (size_t i = 0; i < size; i += 64) /* a line may be longer, not shorter */
        __asm__ volatile("clflush (%0)" : : "r"(base + i) : "memory");
    __asm__ volatile("mfence" : : : "memory");
}

/* The root table in use. */
static inline ka_arch_entry *ka_arch_root(void)
{
    uint64_t root;
    __asm__ volatile("movq %%cr3, %0" : "=r"(root));
    return (ka_arch_entry *)(uintptr_t)ka_arch_entry_address(root);
}

/* A page was mapped that was not: nothing to do, x86 does not remember what is not mapped. */
static inline void ka_arch_page_mapped(uintptr_t address)
{
    (void)address;
}

/* Forgets what this CPU remembers of one page. */
static inline void ka_arch_flush_page(uintptr_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* Whether every address of the range can be mapped: bits 63 to 47 are equal, and the range does not wrap. */
static inline bool ka_arch_range_valid(uintptr_t base, size_t size)
{
    const uintptr_t low_end = (uintptr_t)1 << 47, high_start = ~(low_end - 1);
    if (base < low_end)
        return size <= low_end - base;
    return base >= high_start && size <= (uintptr_t)0 - base;
}

/* Sleeps until an interrupt, and takes it. Interrupts are off before and after. */
static inline void ka_arch_idle(void)
{
    __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

typedef struct ka_arch_mark {
    uintptr_t kept[8]; /* registers */
} ka_arch_mark;

#include "ports/arch/cold.h"

#endif
