/* heap.h: the general heap behind ka_kernel, mapped from BARE_HEAP_BASE on as it is used.
 *
 * Its pages come through a page source: commit maps frames, decommit unmaps them, has all CPUs forget them and gives
 * the frames back. Both work on any CPU; committing is allowed under spin locks and in interrupts (KA_ATOMIC), not in
 * NMIs (KA_ANY_CONTEXT), which live on what is committed.
 */
#ifndef BARE_HEAP_H
#define BARE_HEAP_H

#include <ka/heap.h>
#include <ka/kernel.h>

#define BARE_HEAP_BASE ((uintptr_t)0x555555550000)

/* Bytes of addresses at least; as many as there is memory, if that is more. Frames are what limits the heap. */
#define BARE_HEAP_MIN ((size_t)256 << 20)

extern ka_heap bare_heap;
extern const ka_page_source bare_pages;

/* Makes the heap. false: there are no frames for its first record. */
bool bare_heap_start(void);

/* ---- guarded blocks ---- */

/* An allocator over ka_kernel for blocks that must not be overrun: each has pages of its own, and the page behind them
 * can be neither read nor written. A block takes whole pages and one more. From any CPU, not in NMIs; a free has all
 * CPUs forget a page, which takes microseconds. */
extern ka_allocator *const bare_guarded;

#endif
