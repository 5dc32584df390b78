/* engine/slab.h: equal blocks in pages. What is free is a set bit in an atomic word outside of the pages.
 *
 * Good at: many CPUs, any context: an operation is a few atomic steps, without locks or loops that wait for others.
 * Bad at: single blocks (take them by the batch, into a magazine).
 * Any context unless it says "quiet", which means: while no other call runs on this segment. Never calls out.
 *
 * A bit that is set belongs to the slab; whoever clears it owns the block, and whoever owns a block keeps its slab from
 * going away. See slab.c for the protocols.
 */
#ifndef KA_ENGINE_SLAB_H
#define KA_ENGINE_SLAB_H

#include <ka/types.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "engine/classes.h"
#include "engine/page.h"

/* The slabs of one segment. All arrays are the caller's, zeroed, in memory that stays committed. */
typedef struct ka_slabs {
    uintptr_t base;            /* address of page 0, aligned to a page; see ka_runs_vacate */
    const ka_classes *classes; /* also says the size of a page */
    uint32_t *pages;           /* descriptors, one per page (engine/page.h); runs use them too */
    uint8_t *map;              /* per page 1 + the class of the slab that it is in, or 0: for unsized frees; or NULL */
    uint64_t *words;           /* which blocks are free: ka_slabs_words in all */
    uint64_t *hints;           /* which slabs may have free blocks: ka_slabs_hint_words in all */
    uint32_t page_count;
    uint32_t page_shift;
    uint32_t open;          /* pages from here on were never a slab: no search goes there */
    uint32_t hint_words;    /* for each class: one bit per page */
    uint32_t summary_words; /* for each class: one bit per word of hints; 0 where there are few */
    uint32_t class_count;   /* classes from 0 on that have hints */
} ka_slabs;

/* Blocks of one word: bit i stands for the block at first + i * size. All zero: none. */
typedef struct ka_slab_batch {
    uintptr_t first;
    uint64_t bits;
    uint32_t size; /* bytes */
    uint32_t page; /* the slab's first page */
} ka_slab_batch;

/* Why a put stopped. */
typedef enum ka_slab_verdict {
    KA_SLAB_FINE,    /* it did not: all blocks are back */
    KA_SLAB_FOREIGN, /* blocks[count] does not lie in this segment */
    KA_SLAB_CLASS,   /* blocks[count] does not lie in a slab of this class */
    KA_SLAB_INSIDE,  /* blocks[count] is not the start of a block */
    KA_SLAB_DOUBLED  /* `doubled` were free already; the `count` blocks before are back, each once */
} ka_slab_verdict;

typedef struct ka_slab_result {
    uint32_t count;          /* blocks dealt with */
    ka_slab_verdict verdict; /* on the block that comes next, or (DOUBLED) on some of those dealt with */
    uint32_t full_page;      /* a slab that got a whole word back and may now be reclaimed, or KA_NO_PAGE */
    ka_slab_batch doubled;   /* blocks that were free already when they were put back */
} ka_slab_result;

/* Word `i` of the slab that begins at `page`; see slab.c for where it lies. */
static inline uint64_t *ka_slab_word(const ka_slabs *slabs, uint32_t page, uint32_t i)
{
    unsigned shift = slabs->page_shift - 10; /* of the number of words that a page has */
    page += i >> shift;
    if ((page | 63) < slabs->page_count)
        page = (page & ~UINT32_C(63)) | (page & 7) << 3 | (page >> 3 & 7);
    return &slabs->words[(size_t)(i & ((UINT32_C(1) << shift) - 1)) * slabs->page_count + page];
}

/* How long the arrays of a segment must be, in 64-bit words. */
static inline size_t ka_slabs_words(size_t page_count, unsigned page_shift)
{
    return page_count << (page_shift - 10);
}
size_t ka_slabs_hint_words(size_t page_count, unsigned class_count);

/* Makes the record of a segment. No page is a slab yet.
 *
 * base     address of page 0
 * pages    page_count descriptors, all KA_PAGE_IDLE
 * map      page_count zeros, or NULL
 * words    ka_slabs_words(page_count, page_shift) zeros
 * hints    ka_slabs_hint_words(page_count, class_count) zeros
 * class_count  so many of the classes are used, from the first on
 * cost     constant
 */
void ka_slabs_init(ka_slabs *slabs, uintptr_t base, uint32_t page_count, const ka_classes *classes, uint32_t *pages,
                   uint8_t *map, uint64_t *words, uint64_t *hints, unsigned class_count);

/* Makes a slab of a run that the caller owns, of exactly classes->of[class].pages pages, and takes the first blocks.
 *
 * page    the run's first page
 * max     at most so many blocks are taken, 0 to 64
 * owner   the slab has the pages until ka_slab_reclaim
 * returns the blocks taken, `max` of them if the slab has as many in its first word
 */
ka_slab_batch ka_slab_create(ka_slabs *slabs, uint32_t page, unsigned class, unsigned max);

/* Takes up to `max` (1 to 64) blocks out of one word of the slab at `page`; max of 64 or more is the fast way.
 * returns  false if the page is not, or is no longer, the first one of a slab of this class, or has no free block
 * cost     at most the slab's words
 * owner    the caller has each block of `out` until it puts it back
 */
bool ka_slab_take(ka_slabs *slabs, uint32_t page, unsigned class, unsigned max, ka_slab_batch *out);

/* Takes up to `max` blocks out of the first slab of the class that has any, by the hints.
 *
 * start    search from this page upwards, then from page 0: 0 keeps the heap dense, different starts keep CPUs apart
 * returns  false: no hint led to a block. Hints can be behind for a moment; ka_slab_take_any overlooks nothing.
 * cost     a few loads per 4096 pages, and one visit for each hint that was too high, which is then gone
 */
bool ka_slab_refill(ka_slabs *slabs, unsigned class, uint32_t start, unsigned max, ka_slab_batch *out);

/* The first slab of the class at or after `page` that may have free blocks, by the hints; KA_NO_PAGE: none. */
uint32_t ka_slab_hinted(const ka_slabs *slabs, unsigned class, uint32_t page);

/* As ka_slab_refill, but looks at every page: before the heap says NULL. cost  linear in the number of pages. */
bool ka_slab_take_any(ka_slabs *slabs, unsigned class, unsigned max, ka_slab_batch *out);

/* Writes the batch's blocks to `slots`, ascending by address. Returns how many. */
static inline unsigned ka_slab_spread(const ka_slab_batch *batch, void **slots)
{
    const uintptr_t first = batch->first, size = batch->size;
    uint64_t bits = batch->bits;
    if (~bits == 0) { /* a word of a fresh slab */
        for (unsigned i = 0; i < 64; i++)
            slots[i] = (void *)(first + i * size);
        return 64;
    }
    unsigned count = 0;
    for (; bits != 0; bits &= bits - 1)
        slots[count++] = (void *)(first + ka_lowest_bit(bits) * size);
    return count;
}

/* Puts a batch, or what is left of it, back. The caller owns every block of it. */
void ka_slab_put_batch(ka_slabs *slabs, const ka_slab_batch *batch);

/* Puts blocks of one class back, in any order, neighbours in the array that share a word in one atomic step.
 * Stops early at a block that is not the class's or after a double free, with the reason: report it, skip one block
 * (not for KA_SLAB_DOUBLED) or go to its segment, and call again for the rest. Stops also when a slab may be full
 * again.
 *
 * cost     one atomic step for each change of word, one more where a word was empty
 */
void ka_slab_put(ka_slabs *slabs, unsigned class, void *const *blocks, uint32_t count, ka_slab_result *result);

/* What a pointer into this segment is: KA_SLAB_FINE, and its class and the block's number in the slab at `page`.
 * Says nothing about whether the block is free. cost  one load. */
typedef struct ka_slab_place {
    uint32_t page; /* the slab's first */
    uint32_t index;
    unsigned class;
} ka_slab_place;
ka_slab_verdict ka_slab_find(const ka_slabs *slabs, uintptr_t address, ka_slab_place *place);

/* Is the block free in its slab? (false: owned by somebody, be it a magazine.) A snapshot. */
bool ka_slab_is_free(const ka_slabs *slabs, const ka_slab_place *place);

/* Sets or clears the block's bit and nothing else; quiet. For checks that mark blocks and take their marks back.
 * returns  false: the bit was so already */
bool ka_slab_mark(ka_slabs *slabs, const ka_slab_place *place, bool set);

/* How many blocks of the slab at `page` are free in it. A snapshot. 0 if there is no slab. */
uint32_t ka_slab_count_free(const ka_slabs *slabs, uint32_t page);

/* Ends the slab at `page` if all of its blocks are free in it.
 * returns  true: the caller owns the pages as a run (the descriptor says its length), to be given to ka_runs_release or
 *          to ka_slab_create; false: nothing changed
 * cost     the slab's words
 */
bool ka_slab_reclaim(ka_slabs *slabs, uint32_t page);

/* The first slab at or after `page`, or KA_NO_PAGE: for walks. A snapshot. */
uint32_t ka_slab_next(const ka_slabs *slabs, uint32_t page);

/* Proves the structure; quiet. Returns NULL, or the first broken fact in words. cost  linear. */
const char *ka_slabs_check(const ka_slabs *slabs);

/* The two re-reads of the protocol: is the descriptor still what it was? Private; apart so that a test can leave out
 * either of them and see blocks doubled. */
static inline bool ka_slab_take_holds_(const ka_slabs *slabs, uint32_t page, uint32_t descriptor)
{
    return ka_load_acquire_32(&slabs->pages[page]) == descriptor;
}

static inline bool ka_slab_reclaim_holds_(const ka_slabs *slabs, uint32_t page, uint32_t descriptor)
{
    return ka_load_acquire_32(&slabs->pages[page]) == descriptor;
}

#endif
