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
 *
 * Several CPUs. Each remembers translations, and tables on the way to them. A frame may be used for something else only
 * when nobody remembers it, so taking out goes in steps: the pages are hidden (an entry that is not present keeps its
 * address), all CPUs forget them, the frames are given back and the entries cleared; tables that are empty now are
 * taken out of the tree, all CPUs forget again, and the tables' frames are given back. The lock is not held while CPUs
 * forget.
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

/* Tables that are out of the tree, chained by their first entry: an address, which is no present entry. 0: the end. */
typedef struct pruned {
    uint64_t first;
} pruned;

/* Takes the table of `level` on the way to an address out, if it is there and empty. Returns whether it did. */
static bool prune_level(uintptr_t address, unsigned level, pruned *list)
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
    table[0] = list->first;
    list->first = ka_arch_entry_address(*entry);
    *entry = 0;
    return true;
}

static void prune(uintptr_t address, pruned *list)
{
    for (unsigned level = 1; level < KA_ARCH_LEVELS && prune_level(address, level, list); level++)
        ;
}

static void pruned_give(pruned *list)
{
    if (list->first == 0)
        return;
    ka_arch_flush_everywhere(0, SIZE_MAX);
    while (list->first != 0) {
        bare_frame frame = { list->first >> KA_ARCH_PAGE_SHIFT };
        list->first = *(uint64_t *)bare_frame_memory(frame);
        bare_frames_give(frame, 1);
    }
}

static bare_map_result map_page(uintptr_t address, unsigned rights)
{
    unsigned level;
    ka_arch_entry *entry = walk_making(address, &level);
    if (entry == NULL)
        return BARE_MAP_NO_FRAME;
    if (*entry != 0)
        return BARE_MAP_MAPPED;
    bare_frame frame = bare_frame_take();
    if (frame.number == 0)
        return BARE_MAP_NO_FRAME;
    *entry = ka_arch_entry_page(frame.number << KA_ARCH_PAGE_SHIFT, (rights & BARE_WRITE) != 0,
                                (rights & BARE_EXECUTE) != 0);
    ka_arch_page_mapped(address);
    return BARE_MAP_OK;
}

/* Of a range that is mapped, or hidden: its entries become present or not. */
static void set_present(uintptr_t base, size_t pages, bool present)
{
    for (size_t i = 0; i < pages; i++) {
        unsigned level;
        ka_arch_entry *entry = walk(base + i * PAGE, &level);
        *entry = present ? *entry | KA_ARCH_ENTRY_PRESENT : *entry & ~KA_ARCH_ENTRY_PRESENT;
        if (present)
            ka_arch_page_mapped(base + i * PAGE);
    }
}

/* Of a hidden range that all CPUs have forgotten. Tables are looked at once for all the pages they had; also those that
 * were made for a page behind the range, up to `pages_tried`. */
static void clear_range(uintptr_t base, size_t pages, size_t pages_tried, pruned *list)
{
    for (size_t i = 0; i < pages_tried; i++) {
        uintptr_t address = base + i * PAGE;
        if (i < pages) {
            unsigned level;
            ka_arch_entry *entry = walk(address, &level);
            bare_frame frame = frame_of(*entry);
            *entry = 0;
            bare_frames_give(frame, 1);
        }
        if (i + 1 >= pages || index_of(address, 1) == ENTRIES - 1)
            prune(address, list);
    }
}

/* The rest of taking out, behind set_present: without the lock. */
static void take_out(uintptr_t base, size_t pages, size_t pages_tried)
{
    pruned list = { 0 };
    if (pages != 0)
        ka_arch_flush_everywhere(base, pages);
    ka_port_lock_state state = ka_port_lock_take(&paging_lock);
    clear_range(base, pages, pages_tried, &list);
    ka_port_lock_give(&paging_lock, state);
    pruned_give(&list);
}

/* Maps as many pages as it can from the first on; `done` says how many. */
static bare_map_result map_range(uintptr_t base, size_t pages, unsigned rights, size_t *done)
{
    for (*done = 0; *done < pages; ++*done) {
        bare_map_result result = map_page(base + *done * PAGE, rights);
        if (result != BARE_MAP_OK)
            return result;
    }
    return BARE_MAP_OK;
}

/* Whether all pages of a range have entries in small pages, all present or all hidden. */
static bool all_pages(uintptr_t base, size_t pages, bool present)
{
    for (size_t i = 0; i < pages; i++) {
        unsigned level;
        ka_arch_entry entry = *walk(base + i * PAGE, &level);
        if (entry == 0 || level != 1 || ka_arch_entry_present(entry) != present)
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
    size_t done;
    if (!range_valid((uintptr_t)base, pages))
        return BARE_MAP_BAD_ADDRESS;
    ka_port_lock_state state = ka_port_lock_take(&paging_lock);
    bare_map_result result = map_range((uintptr_t)base, pages, rights, &done);
    if (result != BARE_MAP_OK)
        set_present((uintptr_t)base, done, false);
    ka_port_lock_give(&paging_lock, state);
    if (result != BARE_MAP_OK)
        take_out((uintptr_t)base, done, done + 1);
    return result;
}

/* Makes a range that is all present hidden, or the other way round. */
static bare_map_result change_present(uintptr_t base, size_t pages, bool present)
{
    if (!range_valid(base, pages))
        return BARE_MAP_BAD_ADDRESS;
    ka_port_lock_state state = ka_port_lock_take(&paging_lock);
    bool fits = all_pages(base, pages, !present);
    if (fits)
        set_present(base, pages, present);
    ka_port_lock_give(&paging_lock, state);
    return fits ? BARE_MAP_OK : BARE_MAP_NOT_MAPPED;
}

bare_map_result bare_unmap(void *base, size_t pages)
{
    bare_map_result result = change_present((uintptr_t)base, pages, false);
    if (result == BARE_MAP_OK)
        take_out((uintptr_t)base, pages, pages);
    return result;
}

bare_map_result bare_hide(void *base, size_t pages)
{
    bare_map_result result = change_present((uintptr_t)base, pages, false);
    if (result == BARE_MAP_OK)
        ka_arch_flush_everywhere((uintptr_t)base, pages);
    return result;
}

bare_map_result bare_show(void *base, size_t pages)
{
    return change_present((uintptr_t)base, pages, true);
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

/* ---- caching ---- */

/* A large page becomes a table of smaller ones that say the same, down to level 1. NULL: no frame for a table. */
static ka_arch_entry *walk_splitting(uintptr_t address)
{
    for (;;) {
        unsigned level;
        ka_arch_entry *entry = walk(address, &level);
        if (level == 1)
            return entry;
        bare_frame frame = bare_frame_take();
        if (frame.number == 0)
            return NULL;
        ka_arch_entry *table = bare_frame_memory(frame);
        for (size_t i = 0; i < ENTRIES; i++)
            table[i] = ka_arch_entry_part(*entry, level, i);
        *(volatile ka_arch_entry *)entry = ka_arch_entry_table(frame.number << KA_ARCH_PAGE_SHIFT);
    }
}

static bare_map_result split_all(uintptr_t base, size_t pages)
{
    for (size_t i = 0; i < pages; i++) {
        unsigned level;
        if (!ka_arch_entry_present(*walk(base + i * PAGE, &level)))
            return BARE_MAP_NOT_MAPPED;
    }
    for (size_t i = 0; i < pages; i++)
        if (walk_splitting(base + i * PAGE) == NULL)
            return BARE_MAP_NO_FRAME;
    return BARE_MAP_OK;
}

bare_map_result bare_set_caching(void *memory, size_t pages, ka_caching caching)
{
    uintptr_t base = (uintptr_t)memory;
    if (!range_valid(base, pages))
        return BARE_MAP_BAD_ADDRESS;
    ka_port_lock_state state = ka_port_lock_take(&paging_lock);
    bare_map_result result = split_all(base, pages);
    for (size_t i = 0; i < pages && result == BARE_MAP_OK; i++) {
        unsigned level;
        ka_arch_entry *entry = walk(base + i * PAGE, &level);
        *entry = ka_arch_entry_cached(*entry, caching);
    }
    ka_port_lock_give(&paging_lock, state);
    if (result == BARE_MAP_OK) {
        ka_arch_flush_everywhere(base, pages);
        ka_arch_cache_clean(base, pages * PAGE);
    }
    return result;
}

ka_caching bare_caching(const void *address)
{
    unsigned level;
    ka_port_lock_state state = ka_port_lock_take(&paging_lock);
    ka_arch_entry entry = *walk((uintptr_t)address, &level);
    ka_port_lock_give(&paging_lock, state);
    return ka_arch_entry_caching(entry);
}

/* ---- the image ---- */

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
