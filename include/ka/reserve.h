/* ka/reserve.h: blocks of one layout put by for contexts that must not fail, and refilled later from a safe one.
 *
 * Good at: VM exits, NMIs, high IRQL, signal handlers: a block is there, or NULL comes back at once.
 * Bad at: many blocks out at a time (a free looks through all slots).
 *
 * Thread-safe without locks. Which contexts:
 *   alloc, free    any; they never call out, but for the low-water callback
 *   refill, init, fini    where the inner allocator may be called with the flags given to refill (init: 0)
 *
 *     char memory[KA_RESERVE_SIZE(64)];                      32 are kept ready; 64 may be in and out together
 *     ka_reserve_init(&reserve, &(ka_reserve_options){ .inner = ka_kernel, .size = 4096, .align = 4096, .count = 32,
 *                                                      .slots = 64, .memory = memory, .low = 8, .low_water = wake });
 *     VM exit:    page = ka_reserve_alloc(&reserve, 0);      falls below 8: wake() asks for a refill, once
 *     thread:     ka_reserve_refill(&reserve, 0);            32 again
 */
#ifndef KA_RESERVE_H
#define KA_RESERVE_H

#include <ka/alloc.h>

KA_BEGIN_DECLS

typedef struct ka_reserve ka_reserve;

/* The most slots that a reserve can have. */
#define KA_RESERVE_MAX_SLOTS 65536u

/* How many bytes of memory `slots` slots take: a pointer each, and a bit. */
#define KA_RESERVE_SIZE(slots) ((size_t)(slots) * sizeof(uintptr_t) + ((size_t)(slots) + 63) / 64 * sizeof(uint64_t))

/* Told when an allocation left fewer than `low` blocks in the reserve. In the context of that allocation, be it an NMI:
 * it should do no more than wake somebody who calls ka_reserve_refill. */
typedef void ka_reserve_low(void *context, ka_reserve *reserve, size_t left);

/* What a reserve is made of. */
typedef struct ka_reserve_options {
    ka_allocator *inner; /* where blocks come from, and go to; the caller keeps it alive */
    size_t size, align;  /* of each block; bytes, at least 1, and a power of two */
    size_t count;        /* blocks that a refill leaves in the reserve; at least 1 */

    /* Blocks that the reserve can know at one time, those in it and those handed out: `count`, and as many as may be
     * out while it is full again. 0: twice `count`. At most KA_RESERVE_MAX_SLOTS. */
    size_t slots;
    void *memory; /* KA_RESERVE_SIZE(slots) bytes, aligned to 8; the reserve's until fini */

    size_t low;                /* `low_water` is told when fewer than so many are left; 0 to `count` */
    ka_reserve_low *low_water; /* or NULL */
    void *context;             /* for low_water */
} ka_reserve_options;

/* ---- life ---- */

/* Makes a reserve and fills it.
 * returns  false, and all blocks given back, if an option is out of bounds or `inner` does not give `count` blocks
 * cost     `count` allocations */
KA_MUST_USE bool ka_reserve_init(ka_reserve *reserve, const ka_reserve_options *options);

/* Ends a reserve: gives the blocks in it back to the inner allocator, and reports those that are out as leaks through
 * the misuse hook; they stay the inner allocator's live blocks. Nothing else may use the reserve any more.
 * returns  the count of leaked blocks */
size_t ka_reserve_fini(ka_reserve *reserve);

/* ---- blocks ---- */

/* Takes a block. Any context.
 *
 * flags    all but KA_PAGEABLE are honoured; KA_ZERO clears the block
 * returns  the block, contents undefined; NULL if the reserve is empty
 * cost     slots / 64 loads and one atomic step; a step is repeated only if another one's on the same word succeeded
 * owner    the caller, until ka_reserve_free
 */
KA_MUST_USE void *ka_reserve_alloc(ka_reserve *reserve, ka_flags flags);

/* Puts a block back; NULL does nothing. Any context. Beyond `count` the reserve keeps it, as surplus, until a refill.
 *
 * errors   a block that is in the reserve already, one that is not the reserve's, and a pointer inside of one are
 *          reported through the misuse hook at once, and nothing changes
 * cost     linear in the slots: a load and a comparison each
 */
void ka_reserve_free(ka_reserve *reserve, void *block);

/* The interface, &reserve->allocator: requests of at most the block's size and alignment are blocks, others get NULL.
 * A resize within the block stays in place. */

/* ---- memory ---- */

/* Brings the reserve back to `count` blocks: takes what is missing from the inner allocator, gives surplus back to it;
 * then low water is told anew. Several may run at once (and may then leave surplus, at most one block each).
 *
 * flags    context flags, for the inner allocator
 * returns  false if the inner allocator refuses, or so many blocks are out that no slot is left: the reserve has what
 *          could be got, low water is not told anew, and the caller tries again later
 * cost     the allocations and frees, and for each a look through the slots
 */
bool ka_reserve_refill(ka_reserve *reserve, ka_flags flags);

/* Blocks in the reserve, now. Any context. */
size_t ka_reserve_left(const ka_reserve *reserve);

/* ---- to look at ---- */

/* Visits every block that the reserve knows. Nothing else may use the reserve meanwhile. */
bool ka_reserve_walk(ka_reserve *reserve, ka_visit *visit, void *context);

/* Totals. `peak` is not kept. On a reserve in use a snapshot. */
void ka_reserve_stats(const ka_reserve *reserve, ka_stats *out);

/* Proves the structure; nothing else may use the reserve meanwhile. NULL, or the first broken fact in words.
 * cost  the square of the slots */
const char *ka_reserve_check(const ka_reserve *reserve);

/* Private. */
struct ka_reserve {
    ka_allocator allocator;
    ka_allocator *inner;
    size_t size, align, count, slots, low;
    ka_reserve_low *low_water;
    void *context;
    uint64_t *in;      /* a bit for each slot: its block is in the reserve */
    uintptr_t *blocks; /* each slot's block, in the reserve or out; 0: the slot is free */
    uintptr_t left;    /* set bits; more while a free is under way */
    uint32_t told;     /* 1: low water was told since the last refill */
};

KA_END_DECLS

#endif
