/* heap/magazine.h: per-CPU arrays of free blocks, one for each class. Private to the heap and to
 * the ports that call its hot path by other names.
 *
 *     slots:  | NULL | oldest | . . . | newest | stale . . . |
 *                      bottom                    top            end       limit
 *
 * Below the bottom stands a NULL, so that one load answers both "is there a block" and "which". A push stops at `end`,
 * which moves up to `limit` while the class is in use: an idle class keeps little. In a compact heap, where memory is
 * what is touched, the arrays begin with few slots each, side by side; one that grows moves to where it has room.
 *
 * Who uses the magazines of a CPU marks them busy first, and only then reads `top`: a count that was loaded before the
 * mark would let a handler in between take the same slot. A handler that finds the mark set leaves them alone and works
 * on the bitmaps.
 *
 * The mark is `busy`. Where the port has cells (ports/contract.h) it is merged with the pointer to the magazines: the
 * thread's cell for the heap holds the pointer, and while they are in use `ka_busy_magazines`, whose arrays are all
 * empty and full; so nobody has to look at the mark. Magazines that a cell has are marked by `busy` as well, always.
 */
#ifndef KA_HEAP_MAGAZINE_H
#define KA_HEAP_MAGAZINE_H

#include <ka/heap.h>

#include <ka_port.h>

#include "engine/classes.h"

/* Arrays by number: 1 + the class; number 0 stands for what is no class, and is always empty and always full. */
#define KA_MAGAZINE_COUNT (KA_CLASS_COUNT + 1)
#define KA_MAGAZINE_WORDS ((KA_MAGAZINE_COUNT + 63u) / 64u) /* a bit for each */

/* With so many slots the arrays of a compact heap begin. */
#define KA_MAGAZINE_APART 32u

/* Runs that were freed on this CPU, a few of each length, for requests of the same length: a run costs a search. So
 * that lengths meet again, those above 16 pages are rounded up to eight to a doubling, as classes are. */
#define KA_PARK_LENGTHS (8u + 5u * 8u) /* 1 to 8 pages, and five doublings: up to 256 */
#define KA_PARK_LONGEST 256u
#define KA_PARK_EACH    4u

/* So many slabs that became empty by what this CPU put back are kept for now: where one CPU frees what another
 * allocates, that one finds their blocks, and no slab has to be ended and made again. Small ones, and only where that
 * is little: of all of them 1 MiB, in a heap with 64 for each CPU, as for the longest parked run. */
#define KA_EMPTY_KEPT  32u
#define KA_EMPTY_PAGES 8u

/* The largest request whose class is looked up by `number_of`. Bytes. */
#define KA_MAGAZINE_TABLE ((unsigned)KA_HEAP_SMALL_LARGEST_)

typedef struct ka_magazines {
    void **top[KA_MAGAZINE_COUNT];
    void **end[KA_MAGAZINE_COUNT];
    uint32_t busy;
    uint32_t run_pages; /* the run that the slots, and perhaps this record, lie in */
    void *run;
    void **bottom[KA_MAGAZINE_COUNT];
    void **limit[KA_MAGAZINE_COUNT];             /* of its room: from the NULL at the limit before */
    void *parked[KA_PARK_LENGTHS][KA_PARK_EACH]; /* the newest last */
    uint32_t parked_count[KA_PARK_LENGTHS];      /* whole words: what was just stored is loaded again at once */
    uint32_t parked_pages;                       /* of all of them */
    uint32_t parked_most;                        /* and at most so many */
    uint32_t park_hand;                          /* the length that gives way next */
    uint32_t idle_hand;                          /* the class that is looked at next; see ka_heap_idle_release */
    uint32_t drains;                             /* of the heap's, when these were last asked to be empty */
    struct ka_magazines *next_retired;
    uint64_t used[KA_MAGAZINE_WORDS]; /* by number: ran empty or full since they were last looked after */
    uint64_t emptied[KA_MAGAZINE_WORDS]; /* ran empty since ka_heap_idle_release looked, */
    uint64_t filled[KA_MAGAZINE_WORDS];  /* or full */
    uint64_t idle[KA_MAGAZINE_WORDS];    /* was emptied there, and did not run empty since */
    uint32_t rounds;                             /* counts the slow ways; see ka_heap_magazines_tend */
    uintptr_t outside, outside_top;              /* see ka_heap_count_out; what it was at most since it was 0 */
    void *parked_seen[KA_PARK_LENGTHS];          /* the oldest of each length at that time */
    void *empty[KA_EMPTY_KEPT];                  /* slabs, or NULL; the hand is at the oldest */
    uint32_t empty_hand;
    uint8_t number_of[KA_MAGAZINE_TABLE + 1];    /* by size; size 0 has number 0 */
} ka_magazines;

/* What stands for the magazines of who has none, and for those that are taken out of their cell: always busy, each
 * array empty and full. Never written to. */
extern ka_magazines ka_no_magazines, ka_busy_magazines;
extern uintptr_t ka_no_slots[1]; /* for a heap that is not made: slot 0 */

static inline unsigned ka_magazine_of_class(unsigned class)
{
    return class + 1;
}

/* How many pages a run for `pages` pages has; `longest`: longer ones are not rounded. */
static inline size_t ka_park_round(size_t pages, uint32_t longest)
{
    if (pages <= 16 || pages > longest)
        return pages;
    return ka_round_up(pages, (size_t)1 << (ka_highest_bit(pages - 1) - 3));
}

/* The place among the parked runs of the shortest rounded length, of 1 to 256 pages, that has `pages`; and the other
 * way round. Tables, as they lie on the way from a run to its parked neighbours: half the time of shifts by the highest
 * bit. */
extern const uint8_t ka_park_index_of[KA_PARK_LONGEST + 1];
extern const uint16_t ka_park_pages_of[KA_PARK_LENGTHS];

static inline unsigned ka_park_index(uint32_t pages)
{
    return ka_park_index_of[pages];
}

static inline uint32_t ka_park_pages(unsigned index)
{
    return ka_park_pages_of[index];
}

/* Only the owner moves `top`, and seldom `bottom`; statistics look at them from other CPUs. */
static inline void ka_magazine_set_top(ka_magazines *m, unsigned number, void **top)
{
    ka_store_relaxed_slot(&m->top[number], top);
}

/* How many blocks it may hold at most. number: not 0 */
static inline size_t ka_magazine_room(const ka_magazines *m, unsigned number)
{
    return (size_t)(m->limit[number] - m->limit[number - 1]) - 1;
}

/* For statistics of magazines that others use it may be nonsense while an array moves. */
static inline uint32_t ka_magazine_length(const ka_magazines *m, unsigned number)
{
    return (uint32_t)(ka_load_relaxed_slot(&m->top[number]) - ka_load_relaxed_slot(&m->bottom[number]));
}

/* The newest block, or NULL. The magazines are busy by the caller. */
static inline void *ka_magazine_pop(ka_magazines *m, size_t number)
{
    void **top = m->top[number];
    void *block = ka_as_result(top[-1]);
    if (KA_LIKELY(block != NULL))
        ka_slot_down(&m->top[number], top);
    return block;
}

/* false: full, or the block is the newest one in the magazine already. The magazines are busy by the caller. */
static inline bool ka_magazine_push(ka_magazines *m, size_t number, void *block)
{
    void **top = m->top[number];
    if (KA_UNLIKELY(top == m->end[number] || top[-1] == block))
        return false;
    *top = block;
    ka_slot_up(&m->top[number], top);
    return true;
}

/* It ran empty: somebody wants such blocks. Or full: nobody does. */
static inline void ka_magazine_mark_empty(ka_magazines *m, unsigned number)
{
    m->emptied[number / 64] |= UINT64_C(1) << number % 64;
}

static inline void ka_magazine_mark_full(ka_magazines *m, unsigned number)
{
    m->filled[number / 64] |= UINT64_C(1) << number % 64;
}

/* Lets the magazine keep more, up to its limit. */
static inline void ka_magazine_widen(ka_magazines *m, unsigned number)
{
    void **bottom = m->bottom[number], **room = m->limit[number - 1] + 1;
    size_t width = (size_t)(m->end[number] - bottom) * 2, most = ka_magazine_room(m, number);
    if (KA_UNLIKELY(bottom != room && width > KA_MAGAZINE_APART)) {
        uint32_t length = ka_magazine_length(m, number);
        room[-1] = NULL;
        for (uint32_t i = 0; i < length; i++)
            room[i] = bottom[i];
        ka_store_relaxed_slot(&m->bottom[number], room);
        ka_magazine_set_top(m, number, room + length);
        bottom = room;
    }
    m->end[number] = bottom + (width < most ? width : most);
}

#endif
