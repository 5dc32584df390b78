/* ka/frames.h: page frames of 4 KiB, from the memory map of a machine.
 *
 * Good at: many CPUs; keeping 2 MiB and 1 GiB pieces whole; blocks with constraints on their address.
 * Bad at: memory given in hundreds of small ranges; searches for blocks are linear in the memory / 128 MiB or worse.
 * Lock-free; never waits, never calls out but to report misuse: any context, an NMI included. A `ka_frame_cpu` belongs
 * to one CPU and one context at a time; where there is none, NULL does (heap/frame_cache.h finds the CPU's own).
 *
 * The unit is the frame: numbers, counts, alignments and boundaries are in frames. Nothing touches the memory itself.
 */
#ifndef KA_FRAMES_H
#define KA_FRAMES_H

#include <ka/types.h>

KA_BEGIN_DECLS

#define KA_FRAME_SHIFT      12 /* bytes of a frame, as a power of two */
#define KA_FRAME_AREA_ORDER 9
#define KA_FRAME_AREA       512 /* frames of an area: what is gathered, 2 MiB */
#define KA_FRAME_AREA_WORDS 8
#define KA_FRAME_MAX_ORDER  18 /* 1 GiB */
#define KA_FRAME_ZONES      32 /* ranges that one ka_frames can hold */
#define KA_FRAME_CLASSES    4  /* of partly free areas, by how much is free */
#define KA_FRAME_OUT        64 /* frames that a CPU collects before it puts them back */

/* The number of a frame: its physical address in units of 4 KiB. */
typedef struct ka_frame {
    uint64_t number;
} ka_frame;

static inline ka_frame ka_frame_of(uint64_t number)
{
    ka_frame frame;
    frame.number = number;
    return frame;
}
static inline ka_frame ka_no_frame(void)
{
    return ka_frame_of(UINT64_MAX);
}
static inline bool ka_is_frame(ka_frame frame)
{
    return frame.number != UINT64_MAX;
}

/* Usable memory: frames [first, first + count) of a node. */
typedef struct ka_frame_range {
    uint64_t first, count;
    unsigned node;
} ka_frame_range;

/* What a block's place must satisfy. All zero: anything goes. */
typedef struct ka_frame_limits {
    uint64_t lowest;   /* no frame below this one */
    uint64_t highest;  /* no frame above this one; 0: no limit */
    uint64_t boundary; /* a power of two; no multiple of it lies inside of the block; 0: none */
    uint64_t align;    /* a power of two that the first frame is a multiple of; 0 is 1 */
    unsigned node;     /* tried first */
    bool exact;        /* no other node will do */
} ka_frame_limits;

/* A bitmap of areas, and one of its words that are not 0. Private. */
typedef struct ka_frame_map {
    uint64_t *bits, *upper;
    uint64_t areas;
} ka_frame_map;

/* A range of the map. Private. */
typedef struct ka_frame_zone {
    uint64_t first, end; /* frames */
    uint64_t base;       /* first frame of area 0: `first` rounded down to an area */
    uint64_t areas;
    uint64_t *free;     /* set: nobody's; 8 words per area; all 0 while the area is whole */
    uint64_t *joined;   /* set: a block goes on with the next frame; NULL where blocks are not tracked */
    uint32_t *counts;   /* per area: 4 * bits set in `free`, and flags */
    ka_frame_map whole; /* set: all frames of the area are free */
    ka_frame_map partial[KA_FRAME_CLASSES]; /* hints: areas by how much of them is free */
    unsigned node;
} ka_frame_zone;

typedef struct ka_frames {
    ka_allocator name; /* who reports misuse; not to be called */
    size_t overhead;   /* bytes */
    unsigned zone_count;
    ka_frame_zone zones[KA_FRAME_ZONES]; /* ascending, disjoint */
} ka_frames;

/* What a CPU keeps for itself: free frames of one area, its home, and frames of other areas on their way back. */
typedef struct ka_frame_cpu {
    uint64_t *word;         /* where the next frame comes from: one of `words` */
    uint64_t word_first;    /* frame of its bit 0 */
    uint64_t put_first;     /* first frame of the home; UINT64_MAX if nothing is put there */
    const uint64_t *joined; /* of the home */
    uint64_t careful;       /* bits of a word whose left neighbour `joined` must be asked about, too */
    uint64_t words[KA_FRAME_AREA_WORDS];
    ka_frame_zone *zone; /* of the home; NULL: none */
    uint64_t area;
    unsigned node;
    uint32_t out_count;
    ka_frame out[KA_FRAME_OUT];
} ka_frame_cpu;

/* What a census finds, in frames. Exact when quiet. Frames that a CPU keeps count as taken. */
typedef struct ka_frames_stats {
    uint64_t total;
    uint64_t free;
    uint64_t whole;    /* of the free: in whole areas, so to be had by 2 MiB */
    uint64_t overhead; /* bytes of the engine's own */
} ka_frames_stats;

/* ka_frames_init: every block's length is remembered, and a put of another length refused, for 32 KiB per GiB more. */
#define KA_FRAMES_TRACK 1u

/* Bytes that ka_frames_init needs for a memory map: about 34.4 KiB per GiB. SIZE_MAX if the map cannot be used. */
size_t ka_frames_size(const ka_frame_range *map, unsigned count, unsigned flags);

/* Makes the record; all frames of the map are free.
 *
 * map      ascending by address; ranges that touch and have one node become one. Blocks do not cross ranges
 * memory   ka_frames_size() zeros, aligned to 64, the caller's as long as the record is used. Only what is used of it
 *          is touched: for 1 TiB, 64 KiB
 * flags    KA_FRAMES_TRACK or 0
 * returns  false: the map is not in order, or has more than KA_FRAME_ZONES ranges, or goes beyond 2^40 frames
 */
KA_MUST_USE bool ka_frames_init(ka_frames *frames, const ka_frame_range *map, unsigned count, void *memory,
                                unsigned flags);

/* A CPU without frames. */
void ka_frames_cpu_init(ka_frame_cpu *cpu, unsigned node);

/* Takes 2^order frames, aligned to their count.
 *
 * cpu      the CPU's own record, or NULL
 * order    0 to KA_FRAME_MAX_ORDER
 * returns  the first; ka_no_frame() if there are none, or other CPUs were faster many times in a row
 * cost     order 0 with a cpu: a few instructions on its own memory; order 9: one atomic step; others: a search
 * owner    the caller, until ka_frames_put with the same order
 */
KA_MUST_USE ka_frame ka_frames_get(ka_frames *frames, ka_frame_cpu *cpu, unsigned order);

/* Gives them back.
 *
 * returns  false and nothing changed: they are free already, not of the map, or (tracked) not a block of this length;
 *          also reported as misuse. With a cpu some of that is found only when it puts back what it has collected, and
 *          then only reported
 */
bool ka_frames_put(ka_frames *frames, ka_frame_cpu *cpu, ka_frame frame, unsigned order);

/* Takes `count` frames in a row, any number.
 *
 * limits   or NULL
 * returns  the first; ka_no_frame() if there is no such run, or the limits contradict themselves
 * cost     linear in the areas of the memory
 */
KA_MUST_USE ka_frame ka_frames_get_run(ka_frames *frames, uint64_t count, const ka_frame_limits *limits);
bool ka_frames_put_run(ka_frames *frames, ka_frame first, uint64_t count);

/* Takes exactly these frames, each for itself: they can be released in other portions. false and nothing changed: one
 * of them is not free, or not of the map. Frames that a CPU keeps are not free. */
KA_MUST_USE bool ka_frames_claim(ka_frames *frames, ka_frame first, uint64_t count);
bool ka_frames_release(ka_frames *frames, ka_frame first, uint64_t count);

/* Puts back what the CPU keeps. */
void ka_frames_cpu_flush(ka_frames *frames, ka_frame_cpu *cpu);

/* How many frames that is. */
uint32_t ka_frames_cpu_kept(const ka_frame_cpu *cpu);

/* Is the frame one of the map's? */
bool ka_frames_has(const ka_frames *frames, ka_frame frame);

/* cost  linear in the areas */
ka_frames_stats ka_frames_census(const ka_frames *frames);

/* Proves the structure, every counter counted again; quiet. NULL, or the first broken fact in words. */
const char *ka_frames_check(const ka_frames *frames);

/* Makes counters and hints anew from the bitmaps: they are all that has to survive. Quiet, CPUs without frames. */
void ka_frames_rebuild(ka_frames *frames);

KA_END_DECLS

#endif
