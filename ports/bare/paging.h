/* paging.h: memory at chosen addresses.
 *
 * Works on the page tables in use, of any CPU whose tables are a tree of KA_ARCH_LEVELS levels. Tables are made when a
 * page needs them and given back when their last page goes. Thread-safe: a spin lock, interrupts off while it is held;
 * not for NMIs. What is taken out is forgotten by every CPU before its frame is given back.
 */
#ifndef BARE_PAGING_H
#define BARE_PAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ka/physical.h>

typedef enum bare_map_result {
    BARE_MAP_OK,
    BARE_MAP_BAD_ADDRESS, /* not on a page boundary, or not an address that can be mapped */
    BARE_MAP_MAPPED,      /* a page of the range is mapped already */
    BARE_MAP_NOT_MAPPED,  /* a page of the range is not mapped */
    BARE_MAP_NO_FRAME     /* memory has run out */
} bare_map_result;

/* The result in words: "already mapped". */
const char *bare_map_result_name(bare_map_result result);

/* Backs a range of addresses with frames, contents undefined.
 *
 * base     address of the first page
 * pages    count; 0 does nothing
 * rights   BARE_WRITE, BARE_EXECUTE or both; reading is always allowed
 * returns  BARE_MAP_OK; BARE_MAP_BAD_ADDRESS, BARE_MAP_MAPPED or BARE_MAP_NO_FRAME, and then nothing is mapped that was
 *          not, and every frame that was taken on the way is given back, those of tables too
 * cost     linear in pages
 */
#define BARE_WRITE   1u
#define BARE_EXECUTE 2u
bare_map_result bare_map(void *base, size_t pages, unsigned rights);

/* Takes a range out and gives its frames back.
 *
 * returns  BARE_MAP_OK; BARE_MAP_BAD_ADDRESS or BARE_MAP_NOT_MAPPED (also for memory in large pages, which was not
 *          mapped by bare_map), and then nothing is changed
 */
bare_map_result bare_unmap(void *base, size_t pages);

/* Takes all access to a mapped range away, on all CPUs, and gives it back. The frames stay and keep their contents. A
 * hidden range counts as not mapped, and another cannot be mapped in its place.
 *
 * returns  BARE_MAP_OK; BARE_MAP_BAD_ADDRESS or BARE_MAP_NOT_MAPPED (to show: not hidden), and nothing is changed
 */
bare_map_result bare_hide(void *base, size_t pages);
bare_map_result bare_show(void *base, size_t pages);

/* Changes how memory at its own address is cached, on all CPUs; what the caches have of it is written back first. Large
 * pages are split, into tables that stay.
 *
 * pages    whoever owns them does not use them meanwhile
 * caching  one that ka_arch_has_caching
 * returns  BARE_MAP_OK; BARE_MAP_BAD_ADDRESS, BARE_MAP_NOT_MAPPED, or BARE_MAP_NO_FRAME for a table: nothing is changed
 */
bare_map_result bare_set_caching(void *base, size_t pages, ka_caching caching);

/* How a mapped page is cached. */
ka_caching bare_caching(const void *address);

/* Whether an address is mapped, and to which physical address. `physical` may be NULL. */
bool bare_is_mapped(const void *address, uint64_t *physical);

/* Gives text, constants and data of the image the rights that each needs, and no others. */
void bare_paging_protect_image(void);

#endif
