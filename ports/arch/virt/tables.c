/* tables.c: the first page tables. See virt.h.
 *
 *   root[0] -> level3[0..3] -> level2[0..2047] -> 2 MiB each; those of the image lead to level1
 */
#include "virt.h"

enum { ENTRIES = 1 << KA_ARCH_INDEX_BITS, GIB = 4, IMAGE_TABLES = 4 };

#define PAGE  (UINT64_C(1) << KA_ARCH_PAGE_SHIFT)
#define LARGE (PAGE << KA_ARCH_INDEX_BITS)

extern char ka_text_start[], ka_text_end[], ka_stack_guard[];

static _Alignas(4096) ka_arch_entry root[ENTRIES], level3[ENTRIES], level2[GIB * ENTRIES];
static _Alignas(4096) ka_arch_entry level1[IMAGE_TABLES * ENTRIES];

uintptr_t ka_cpu_stack, ka_cpu_number;

static ka_arch_entry entry_of_page(uint64_t address)
{
    bool text = address >= (uintptr_t)ka_text_start && address < (uintptr_t)ka_text_end;
    return address == (uintptr_t)ka_stack_guard ? 0 : ka_arch_entry_page(address, true, text);
}

ka_arch_entry *ka_virt_tables(void)
{
    uint64_t image = (uintptr_t)ka_text_start & ~(LARGE - 1);
    root[0] = ka_arch_entry_table((uintptr_t)level3);
    for (unsigned i = 0; i < GIB; i++)
        level3[i] = ka_arch_entry_table((uintptr_t)(level2 + i * ENTRIES));
    for (uint64_t i = 1; i < GIB * ENTRIES; i++)
        level2[i] = ka_arch_entry_large(i * LARGE);
    for (unsigned i = 0; i < IMAGE_TABLES; i++)
        level2[image / LARGE + i] = ka_arch_entry_table((uintptr_t)(level1 + i * ENTRIES));
    for (uint64_t i = 0; i < IMAGE_TABLES * ENTRIES; i++)
        level1[i] = entry_of_page(image + i * PAGE);
    return root;
}
