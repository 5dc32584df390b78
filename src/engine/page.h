/* engine/page.h: what a page of a segment is used for, in one 32-bit word per page. Pure functions.
 *
 *     31            16 15     10 9      2 1 0
 *    +----------------+---------+--------+---+
 *    |       0        |    0    |   0    | 0 |   idle: free, or inside of a run, or not the heap's to give
 *    |             pages                 | 1 |   the first page of a run of so many pages
 *    | pages back     |    0    | class  | 2 |   a slab: how far behind lies its first page
 *    |             pages                 | 3 |   the first page of a parked run: freed, and kept aside
 *    +----------------+---------+--------+---+
 *
 * Only the owner of a page changes its descriptor. Anybody may read it: one load tells an unsized free all it needs.
 */
#ifndef KA_ENGINE_PAGE_H
#define KA_ENGINE_PAGE_H

#include <stdbool.h>
#include <stdint.h>

/* No page at all. */
#define KA_NO_PAGE UINT32_MAX

#define KA_PAGE_IDLE UINT32_C(0)

/* Segments have fewer pages than this. */
#define KA_PAGE_LIMIT (UINT32_C(1) << 24)

static inline uint32_t ka_page_run(uint32_t pages) { return pages << 2 | 1; }
static inline bool ka_page_is_run(uint32_t descriptor) { return (descriptor & 3) == 1; }
static inline uint32_t ka_page_run_pages(uint32_t descriptor) { return descriptor >> 2; }

static inline uint32_t ka_page_parked(uint32_t pages) { return pages << 2 | 3; }
static inline bool ka_page_is_parked(uint32_t descriptor) { return (descriptor & 3) == 3; }

static inline uint32_t ka_page_slab(unsigned class, uint32_t back) { return back << 16 | (uint32_t)class << 2 | 2; }
static inline bool ka_page_is_slab(uint32_t descriptor) { return (descriptor & 3) == 2; }
static inline unsigned ka_page_slab_class(uint32_t descriptor) { return descriptor >> 2 & 0xff; }
static inline uint32_t ka_page_slab_back(uint32_t descriptor) { return descriptor >> 16; }
static inline bool ka_page_is_slab_first(uint32_t descriptor) { return (descriptor & UINT32_C(0xffff0003)) == 2; }

#endif
