/* region.h: the heap of the book: a locked region, mapped from BARE_REGION_BASE on, BARE_REGION_FIRST bytes at first.
 *
 *   BARE_REGION_BASE            + mapped                         + limit
 *   |== region: one range ======|......... not mapped ............|
 *                               '-- the refill maps and claims here
 *
 * When a request cannot be served, the refill maps pages directly behind the range and claims them: the range is
 * extended, so that blocks can span the seam and no further range is used. Nothing is mapped behind the heap: a run
 * over its end faults.
 */
#ifndef BARE_REGION_H
#define BARE_REGION_H

#include <ka/types.h>

#include "ports/bare/paging.h"

#define BARE_REGION_BASE  ((uintptr_t)0x444444440000)
#define BARE_REGION_FIRST ((size_t)100 << 10) /* bytes */

extern ka_allocator *const bare_region;

typedef struct bare_region_info {
    size_t mapped;    /* bytes, the region's record included */
    size_t limit;     /* bytes */
    unsigned growths; /* how often the refill has added memory */
} bare_region_info;

/* Maps the first bytes and makes bare_region ready.
 *
 * limit    bytes, rounded down to pages, at least one page; where it is below BARE_REGION_FIRST the heap begins with it
 * returns  BARE_MAP_OK, or why the first bytes could not be mapped
 */
bare_map_result bare_region_start(size_t limit);

bare_region_info bare_region_get_info(void);

#endif
