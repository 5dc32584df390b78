/* heap.h: the kernel heap behind ka_kernel: mapped from BARE_HEAP_BASE on, BARE_HEAP_FIRST bytes at first.
 *
 *   BARE_HEAP_BASE            + mapped                         + limit
 *   |== region: one range ======|......... not mapped ............|
 *                               '-- the refill maps and claims here
 *
 * When a request cannot be served, the refill maps pages directly behind the range and claims them: the range is
 * extended, so that blocks can span the seam and no further range is used. Nothing is mapped behind the heap: a run
 * over its end faults.
 */
#ifndef BARE_HEAP_H
#define BARE_HEAP_H

#include <ka/kernel.h>

#include "ports/bare/paging.h"

#define BARE_HEAP_BASE  ((uintptr_t)0x444444440000)
#define BARE_HEAP_FIRST ((size_t)100 << 10) /* bytes */

typedef struct bare_heap_info {
    size_t mapped;    /* bytes, the region's record included */
    size_t limit;     /* bytes */
    unsigned growths; /* how often the refill has added memory */
} bare_heap_info;

/* Maps the first bytes and makes ka_kernel ready.
 *
 * limit    bytes, rounded down to pages, at least one page; where it is below BARE_HEAP_FIRST the heap begins with it
 * returns  BARE_MAP_OK, or why the first bytes could not be mapped
 */
bare_map_result bare_heap_start(size_t limit);

bare_heap_info bare_heap_get_info(void);

#endif
