/* paging.c: see paging.h.
 *
 * A walk goes from the root down, one index of the address at a level:
 *
 *   address   | level 4 | level 3 | level 2 | level 1 | offset |
 *   root --[level 4]--> table --[level 3]--> table --[level 2]--> table --[level 1]--> page
 *
 * Roll back: mapping a range counts the pages that are done. If one fails, those before it are unmapped as any others
 * would be, and tables made for the failed page itself are pruned by the same function that prunes after an unmap:
 * a table without entries goes, from the lowest level up. So there is one way down and one way back.
 */
#include "ports/bare/paging.h"

#include <ka_port.h>

#include "base/assert.h"
#include "base/mem.h"
#include "ports/bare/frames.h"

enum { ENTRIES = 1 << KA_ARCH_INDEX_BITS, PAGE = 1 << KA_ARCH_PAGE_SHIFT };

static ka_port_lock paging_lock;

extern char ka_text_start[], ka_text_end[], ka_rodata_end[], ka_image_end[];

const char *bare_map_result_name(bare_map_result result)
{
    switch (result) {
    case BARE_MAP_OK:
        return "ok";
    case BARE_MAP_BAD_ADDRESS:
        return "the address cannot be mapped";
    case BARE_MAP_MAPPED:
        return "already mapped";
    case BARE_MAP_NOT_MAPPED:
        return "not mapped";
    case BARE_MAP_NO_FRAME:
        return "no frame is free";
    }
    return "unknown";
}

static size_t index_of(uintptr_t address, unsigned level)
{
    return address >> (KA_ARCH_PAGE_SHIFT + (level - 1) * KA_ARCH_INDEX_BITS) & (ENTRIES - 1);
}

static ka_arch_entry *table_of(ka_arch_entry entry)
{
    return (ka_arch_entry *)(uintptr_t)ka_arch_entry_address(entry);
}

static bare_frame frame_of(ka_arch_entry entry)
{
    return (bare_frame){ ka_arch_entry_address(entry) >> KA_ARCH_PAGE_SHIFT };
}

/* The lowest entry on the way to an address that exists, and its level: of the page if it is mapped. */
static ka_arch_entry *walk(uintptr_t address, unsigned *level)
{
    ka_arch_entry *table = ka_arch_root();
    for (*level = KA_ARCH_LEVELS;; --*level) {
        ka_arch_entry *entry = &table[index_of(address, *level)];
        if (!ka_arch_entry_present(*entry) || ka_arch_entry_maps(*entry, *level))
            return entry;
        table = table_of(*entry);
    }
}

/* As walk, but makes the tables that are missing. NULL if there is no frame for one of them. */
static ka_arch_entry *walk_making(uintptr_t address, unsigned *level)
{
    for (;;) {
        ka_arch_entry *entry = walk(address, level);
        if (*level == 1 || ka_arch_entry_present(*entry))
            return entry;
        bare_frame frame = bare_frame_take();
        if (frame.number == 0)
            return NULL;
        ka_clear(bare_frame_memory(frame), PAGE);
        *entry = ka_arch_entry_table(frame.number << KA_ARCH_PAGE_SHIFT);
    }
}

static bool table_is_empty(const ka_arch_entry *table)
{
    for (size_t i = 0; i < ENTRIES; i++)
        if (table[i] != 0)
            return false;
    return true;
}

/* Gives back the table of `level` on the way to an address, if it is there and empty. Returns whether it did. */
static bool prune_level(uintptr_t address, unsigned level)
{
    ka_arch_entry *table = ka_arch_root(), *entry = NULL;
    for (unsigned at = KA_ARCH_LEVELS; at > level; at--) {
        entry = &table[index_of(address, at)];
        if (!ka_arch_entry_present(*entry) || ka_arch_entry_maps(*entry, at))
            return true; /* pruned before, or never made: look one level up */
        table = table_of(*entry);
    }
    if (entry == NULL || !table_is_empty(table))
        return false;
    bare_frame frame = frame_of(*entry);
    *entry = 0;
    ka_arch_flush_page(address); /* the CPU may remember tables as well as pages */
    bare_frames_give(frame, 1);
    return true;
}

static void prune(uintptr_t address)
{
    for (unsigned level = 1; level < KA_ARCH_LEVELS && prune_level(address, level); level++)
        ;
}

static bare_map_result map_page(uintptr_t address, unsigned rights)
{
    unsigned level;
    ka_arch_entry *entry = walk_making(address, &level);
    if (entry == NULL)
        return BARE_MAP_NO_FRAME;
    if (ka_arch_entry_present(*entry))
        return BARE_MAP_MAPPED;
    bare_frame frame = bare_frame_take();
    if (frame.number == 0)
        return BARE_MAP_NO_FRAME;
    *entry = ka_arch_entry_page(frame.number << KA_ARCH_PAGE_SHIFT, (rights & BARE_WRITE) != 0,
                                (rights & BARE_EXECUTE) != 0);
    ka_arch_flush_page(address);
    return BARE_MAP_OK;
}

/* Of a page that map_page has mapped. */
static void unmap_page(uintptr_t address)
{
    unsigned level;
    ka_arch_entry *entry = walk(address, &level);
    bare_frame frame = frame_of(*entry);
    *entry = 0;
    ka_arch_flush_page(address);
    bare_frames_give(frame, 1);
}

/* Empty tables go after the pages, each looked at once for all the pages it had. */
static void unmap_range(uintptr_t base, size_t pages)
{
    for (size_t i = 0; i < pages; i++) {
        unmap_page(base + i * PAGE);
        if (i + 1 == pages || index_of(base + i * PAGE, 1) == ENTRIES - 1)
            prune(base + i * PAGE);
    }
}

static bare_map_result map_range(uintptr_t base, size_t pages, unsigned rights)
{
    for (size_t i = 0; i < pages; i++) {
        bare_map_result result = map_page(base + i * PAGE, rights);
        if (result == BARE_MAP_OK)
            continue;
        prune(base + i * PAGE);
        unmap_range(base, i);
        return result;
    }
    return BARE_MAP_OK;
}

static bool all_pages_mapped(uintptr_t base, size_t pages)
{
    for (size_t i = 0; i < pages; i++) {
        unsigned level;
        if (!ka_arch_entry_present(*walk(base + i * PAGE, &level)) || level != 1)
            return false;
    }
    return true;
}

static bool range_valid(uintptr_t base, size_t pages)
{
    return base % PAGE == 0 && pages <= SIZE_MAX / PAGE && ka_arch_range_valid(base, pages * PAGE);
}

bare_map_result bare_map(void *base, size_t pages, unsigned rights)
{
    if (!range_valid((uintptr_t)base, pages))
        return BARE_MAP_BAD_ADDRESS;
    ka_port_lock_state state = ka_port_lock_take(&paging_lock);
    bare_map_result result = map_range((uintptr_t)base, pages, rights);
    ka_port_lock_give(&paging_lock, state);
    return result;
}

bare_map_result bare_unmap(void *base, size_t pages)
{
    if (!range_valid((uintptr_t)base, pages))
        return BARE_MAP_BAD_ADDRESS;
    ka_port_lock_state state = ka_port_lock_take(&paging_lock);
    bool mapped = all_pages_mapped((uintptr_t)base, pages);
    if (mapped)
        unmap_range((uintptr_t)base, pages);
    ka_port_lock_give(&paging_lock, state);
    return mapped ? BARE_MAP_OK : BARE_MAP_NOT_MAPPED;
}

bool bare_is_mapped(const void *address, uint64_t *physical)
{
    unsigned level;
    if (!ka_arch_range_valid((uintptr_t)address, 1))
        return false;
    ka_port_lock_state state = ka_port_lock_take(&paging_lock);
    ka_arch_entry entry = *walk((uintptr_t)address, &level);
    ka_port_lock_give(&paging_lock, state);
    if (!ka_arch_entry_present(entry))
        return false;
    uintptr_t offset = ((uintptr_t)1 << (KA_ARCH_PAGE_SHIFT + (level - 1) * KA_ARCH_INDEX_BITS)) - 1;
    if (physical != NULL)
        *physical = (ka_arch_entry_address(entry) & ~(uint64_t)offset) + ((uintptr_t)address & offset);
    return true;
}

/* Changes the rights of small pages; those that are not mapped stay so. */
static void protect_range(char *from, char *to, bool writable, bool executable)
{
    for (uintptr_t at = (uintptr_t)from; at < (uintptr_t)to; at += PAGE) {
        unsigned level;
        ka_arch_entry *entry = walk(at, &level);
        if (!ka_arch_entry_present(*entry))
            continue;
        KA_ASSERT(level == 1);
        *entry = ka_arch_entry_page(ka_arch_entry_address(*entry), writable, executable);
        ka_arch_flush_page(at);
    }
}

void bare_paging_protect_image(void)
{
    protect_range(ka_text_start, ka_text_end, false, true);
    protect_range(ka_text_end, ka_rodata_end, false, false);
    protect_range(ka_rodata_end, ka_image_end, true, false);
}
