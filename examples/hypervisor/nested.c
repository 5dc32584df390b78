/* nested.c: see nested.h. Four levels of 512 entries, as the CPU's own page tables. On this port all memory can be
 * reached at its physical address, so that an entry leads to a table or page without a lookup. */
#include "nested.h"

#include <ka/physical.h>

enum { LEVELS = 4, ENTRIES = 512, PAGE = 4096 };

/* Present, writable, and the user bit: the CPU walks these tables as if the guest's accesses came from user mode. */
#define ENTRY_RIGHTS  UINT64_C(7)
#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)

static uint64_t *page_new(nested *self, ka_flags flags)
{
    return ka_alloc(self->pages, PAGE, PAGE, flags | KA_ZERO);
}

static uint64_t entry_of(const void *page)
{
    return ka_physical_address(page) | ENTRY_RIGHTS;
}

static uint64_t *page_of(uint64_t entry)
{
    return (uint64_t *)(uintptr_t)(entry & ENTRY_ADDRESS);
}

static unsigned index_of(uint64_t guest, unsigned level)
{
    return (unsigned)(guest >> (12 + 9 * (level - 1))) % ENTRIES;
}

bool nested_open(nested *self, ka_allocator *pages)
{
    *self = (nested){ .pages = pages };
    self->root = page_new(self, 0);
    self->tables = self->root != NULL;
    return self->root != NULL;
}

/* Gives back a table and what it leads to; four levels deep at most. */
static void table_drop(nested *self, uint64_t *table, unsigned level)
{
    for (unsigned i = 0; i < ENTRIES && level > 0; i++)
        if (table[i] != 0)
            table_drop(self, page_of(table[i]), level - 1);
    ka_free(self->pages, table, PAGE, PAGE);
}

void nested_drop(nested *self)
{
    if (self->root != NULL)
        table_drop(self, self->root, LEVELS);
    *self = (nested){ 0 };
}

void *nested_map_new(nested *self, uint64_t guest, ka_flags flags)
{
    uint64_t *table = self->root;
    for (unsigned level = LEVELS; level >= 1; level--) {
        uint64_t *entry = &table[index_of(guest, level)];
        if (*entry == 0) {
            uint64_t *page = page_new(self, flags);
            if (page == NULL)
                return NULL;
            *entry = entry_of(page);
            if (level > 1)
                self->tables++;
            else
                self->mapped++;
        }
        table = page_of(*entry);
    }
    return table;
}

void *nested_find(const nested *self, uint64_t guest)
{
    uint64_t *table = self->root;
    for (unsigned level = LEVELS; level >= 1 && table != NULL; level--)
        table = page_of(table[index_of(guest, level)]);
    return table;
}
