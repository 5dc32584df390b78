/* engine/runs.h: runs of pages in one segment: a bitmap of free pages, one of committed ones, one of zero ones.
 *
 * Good at: any number of CPUs, any context; growing and shrinking in place.
 * Bad at: being the hot path (a search is linear in the number of pages / 64).
 * Any context without KA_RUNS_COMMIT; with it, wherever the page source may be called. "Quiet" means: while no other
 * call runs on this segment. Lock-free: a step is repeated only because another CPU's succeeded; see runs.c for the
 * bound.
 */
#ifndef KA_ENGINE_RUNS_H
#define KA_ENGINE_RUNS_H

#include <ka/page_source.h>
#include <ka/types.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "engine/page.h"

/* Flags of a claim. */
#define KA_RUNS_COMMIT 1u /* may call the page source; without it only committed pages are found */
#define KA_RUNS_CLEAR  2u /* the pages shall read as zero: those not known to be are cleared */

/* Flags of ka_runs_add: what the pages are. */
#define KA_RUNS_COMMITTED 1u
#define KA_RUNS_ZERO      2u

/* How many lengths have a place of their own to start searching at: 1, 2 to 3, 4 to 7, ... 128 and more pages. */
#define KA_RUNS_FIRST 8

/* The runs of one segment. The arrays are the caller's, zeroed, in memory that stays committed. */
typedef struct ka_runs {
    uintptr_t base;               /* address of page 0, aligned to a page; steady for who owns a page */
    const ka_page_source *source; /* NULL: nothing is ever committed or decommitted */
    uint32_t *pages;              /* descriptors, one per page (engine/page.h) */
    uint64_t *free;               /* set: nobody owns the page */
    uint64_t *committed;          /* set: there is memory behind the page; changed by the page's owner only */
    uint64_t *zero;               /* set: it reads as zero; only on committed pages that nobody owns */
    uint32_t page_count;
    uint32_t page_shift;
    uint32_t open;                    /* pages from here on were never added: no search goes there */
    char apart[64];                   /* what changes with every claim is on lines of its own */
    uint64_t releases;                /* counts releases: what was learnt by a search holds until the next one */
    uint32_t first[2][KA_RUNS_FIRST]; /* where a search for 2^i pages or more starts; [1]: for committed pages */
    uint64_t longest[2]; /* length of the longest free run, at a count of releases; [1]: of committed pages */
    char apart_too[64];
} ka_runs;

/* What a census finds; pages. Snapshots, exact when quiet. */
typedef struct ka_runs_stats {
    uint32_t free;           /* nobody's */
    uint32_t free_committed; /* of these with memory */
    uint32_t committed;      /* all with memory, owned or not */
    uint32_t longest;        /* the longest free run, committed or not */
} ka_runs_stats;

/* How many 64-bit words ka_runs_init needs for its bitmaps. */
static inline size_t ka_runs_words(size_t page_count)
{
    return 3 * ka_words_for(page_count);
}

/* Makes the record of a segment. It has no free pages until ka_runs_add.
 *
 * base     address of page 0
 * pages    page_count descriptors (fewer than KA_PAGE_LIMIT), all KA_PAGE_IDLE
 * words    ka_runs_words(page_count) zeros
 * source   or NULL
 * cost     constant
 */
void ka_runs_init(ka_runs *runs, uintptr_t base, uint32_t page_count, unsigned page_shift, uint32_t *pages,
                  uint64_t *words, const ka_page_source *source);

/* Hands pages to the allocator that it never had; upwards, a piece at a time, keeps searches short in a large segment.
 * state: KA_RUNS_COMMITTED, KA_RUNS_ZERO (only with it), or 0. */
void ka_runs_add(ka_runs *runs, uint32_t first, uint32_t count, unsigned state);

/* Takes a run: from committed pages if it can, else, with KA_RUNS_COMMIT, from any, and commits what is missing.
 *
 * count    pages, at least 1
 * align    pages, a power of two: the run's address is a multiple of it
 * flags    KA_RUNS_COMMIT, KA_RUNS_CLEAR
 * returns  the first page, with a descriptor that says the length; KA_NO_PAGE and nothing changed if no such run is
 *          free, the source refused, or other CPUs were faster several times in a row
 * cost     linear in the segment's pages / 64; constant if it is known that there is no run as long
 * owner    the caller, until ka_runs_release
 */
KA_MUST_USE uint32_t ka_runs_claim(ka_runs *runs, uint32_t count, uint32_t align, unsigned flags);

/* The same; says in *refused whether the source did. */
KA_MUST_USE uint32_t ka_runs_claim_or_say(ka_runs *runs, uint32_t count, uint32_t align, unsigned flags, bool *refused);

/* Owns all pages of the segment, every one added and free, and takes them for not committed: their memory may go.
 * returns  false and nothing changed if a page is owned by somebody, or was never added. cost  pages / 64 */
KA_MUST_USE bool ka_runs_vacate(ka_runs *runs);

/* After ka_runs_vacate: there is memory again, at `base`, and the pages are free. state: as ka_runs_add. */
void ka_runs_move(ka_runs *runs, uintptr_t base, unsigned state);

/* Makes the caller's run longer in place: claims the pages behind it.
 * returns  false and nothing changed if they are not free, or cannot be committed  */
KA_MUST_USE bool ka_runs_extend(ka_runs *runs, uint32_t page, uint32_t count, uint32_t new_count, unsigned flags);

/* Makes the caller's run shorter in place: releases its tail; 1 <= new_count <= count.
 * returns  false and nothing changed if no run of `count` pages begins there  */
bool ka_runs_shrink(ka_runs *runs, uint32_t page, uint32_t count, uint32_t new_count);

/* Gives a run back. Of several calls with the same run one succeeds.
 * count    pages; 0: whatever the descriptor says
 * returns  false and nothing changed if no run of `count` pages begins there: double free, wrong size
 * cost     count / 64; never calls the source
 */
bool ka_runs_release(ka_runs *runs, uint32_t page, uint32_t count);

/* Parks a run: freed, as far as its owner is concerned, but its pages stay out of the bitmaps for one who wants as many
 * soon. Who parked it unparks it, to hand it out again or to release it. Of several frees of a run one succeeds.
 * returns  false and nothing changed if no run of `count` pages begins there
 * cost     one atomic step; to unpark, a store: nobody else changes the descriptor of a parked run */
bool ka_runs_park(ka_runs *runs, uint32_t page, uint32_t count);
void ka_runs_unpark(ka_runs *runs, uint32_t page, uint32_t count);

/* The length of the run that begins at `page`, 0 if none does. One load. */
static inline uint32_t ka_runs_length(const ka_runs *runs, uint32_t page)
{
    uint32_t descriptor = ka_load_acquire_32(&runs->pages[page]);
    return ka_page_is_run(descriptor) ? ka_page_run_pages(descriptor) : 0;
}

/* Is the page nobody's? (Also one that was never added.) One load. */
static inline bool ka_runs_is_free(const ka_runs *runs, uint32_t page)
{
    return page >= ka_load_acquire_32(&runs->open) ||
           (ka_load_relaxed_64(&runs->free[page / 64]) >> page % 64 & 1) != 0;
}

/* Commits free pages until `count` free pages are committed, so that contexts that cannot commit find some.
 * returns  how many free pages are committed now. Where the source may be called. */
uint32_t ka_runs_commit(ka_runs *runs, uint32_t count);

/* Gives memory of free pages back to the source, highest first, until `keep` free committed pages are left.
 * returns  how many pages were decommitted. Where sleeping is allowed. */
uint32_t ka_runs_trim(ka_runs *runs, uint32_t keep);

/* cost  linear in the segment's pages / 64 */
void ka_runs_census(const ka_runs *runs, ka_runs_stats *out);

/* Proves the structure; quiet. Returns NULL, or the first broken fact in words. cost  linear in the pages. */
const char *ka_runs_check(const ka_runs *runs);

/* Are the pages [first, first + count) committed? Steady only for their owner. Private. */
bool ka_runs_committed_(const ka_runs *runs, uint32_t first, uint32_t count);

/* The re-read of the protocol: are the pages committed, now that they are owned? What the search saw before may have
 * been trimmed. Private; apart so that a test can leave it out and see it matter. */
static inline bool ka_runs_claim_holds_(const ka_runs *runs, uint32_t first, uint32_t count)
{
    return ka_runs_committed_(runs, first, count);
}

#endif
