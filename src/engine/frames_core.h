/* engine/frames_core.h: what the files of the frame engine share. See frames.c for the theory. */
#ifndef KA_ENGINE_FRAMES_CORE_H
#define KA_ENGINE_FRAMES_CORE_H

#include <ka/frames.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/bits.h"

/* ---- the word of an area: how much is free, and whether a CPU has it as its home ---- */

#define KA_FRAME_HOME UINT32_C(1)

/* While counts are on their way the word may stand below zero: then nothing is free. */
static inline uint32_t ka_frame_count_(uint32_t word)
{
    return word >> 31 != 0 ? 0 : word >> 2;
}

/* The class of a count, KA_FRAME_CLASSES for 0. Tried in ascending order: what is well used is filled before what is
 * nearly empty, and what has next to nothing to give comes in between. */
static inline unsigned ka_frame_class_(uint32_t count)
{
    if (count == 0)
        return KA_FRAME_CLASSES;
    if (count < 32)
        return 2;
    return count < 192 ? 0 : count < 384 ? 1 : 3;
}

/* ---- numbers; proven to 2^40 frames ---- */

#define KA_FRAME_LIMIT (UINT64_C(1) << 40)

static inline uint64_t ka_frame_area_(const ka_frame_zone *zone, uint64_t frame)
{
    return (frame - zone->base) / KA_FRAME_AREA;
}
static inline uint64_t ka_frame_area_first_(const ka_frame_zone *zone, uint64_t area)
{
    return zone->base + area * KA_FRAME_AREA;
}
static inline unsigned ka_frame_in_area_(const ka_frame_zone *zone, uint64_t frame)
{
    return (unsigned)((frame - zone->base) % KA_FRAME_AREA);
}

/* The bits [from, end) of word `at` of an area; 0 <= from < end <= KA_FRAME_AREA. */
static inline uint64_t ka_frame_mask_(unsigned at, unsigned from, unsigned end)
{
    unsigned low = at * 64;
    uint64_t mask = end - low >= 64 ? ~UINT64_C(0) : ka_low_mask(end - low);
    return from > low ? mask & ~ka_low_mask(from - low) : mask;
}

/* ---- maps of areas ---- */

void ka_frame_map_set_(ka_frame_map *map, uint64_t area);
bool ka_frame_map_clear_(ka_frame_map *map, uint64_t area);
bool ka_frame_map_next_(ka_frame_map *map, uint64_t *at);

static inline bool ka_frame_map_get_(const ka_frame_map *map, uint64_t area)
{
    return (ka_load_acquire_64(&map->bits[area / 64]) >> area % 64 & 1) != 0;
}

/* ---- areas ---- */

static inline uint64_t *ka_frame_words_(const ka_frame_zone *zone, uint64_t area)
{
    return &zone->free[area * KA_FRAME_AREA_WORDS];
}

void ka_frame_area_add_(ka_frame_zone *zone, uint64_t area, uint32_t frames);
void ka_frame_area_sub_(ka_frame_zone *zone, uint64_t area, uint32_t frames);
void ka_frame_area_file_(ka_frame_zone *zone, uint64_t area, uint32_t count);
void ka_frame_area_merge_(ka_frame_zone *zone, uint64_t area);

/* After a merge that failed, or a claim that gave frames back: may a merge have met our zeros and left? If a word lacks
 * a frame, whoever has it will count it, and merge when it comes back: to wait for the count alone would wait for a
 * call that this one may have interrupted. Apart so that a test can leave it out and see it matter. */
static inline bool ka_frame_merge_owed_(const ka_frame_zone *zone, uint64_t area)
{
    const uint64_t *words = ka_frame_words_(zone, area);
    for (unsigned at = 0; at < KA_FRAME_AREA_WORDS; at++)
        if (ka_load_acquire_64(&words[at]) != ~UINT64_C(0))
            return false;
    return ka_frame_count_(ka_load_acquire_32(&zone->counts[area])) == KA_FRAME_AREA;
}

/* Makes frames free that the caller owns; returns those of the mask that were free already. */
uint64_t ka_frame_word_put_(ka_frame_zone *zone, uint64_t area, unsigned at, uint64_t mask);

/* ---- runs in one zone ---- */

bool ka_frame_run_own_(ka_frame_zone *zone, uint64_t first, uint64_t end);
void ka_frame_run_give_(ka_frame_zone *zone, uint64_t first, uint64_t end);
bool ka_frame_run_taken_(const ka_frame_zone *zone, uint64_t first, uint64_t end);
uint64_t ka_frame_whole_take_(ka_frame_zone *zone);

/* ---- blocks: where they are tracked ---- */

void ka_frame_join_(ka_frame_zone *zone, uint64_t first, uint64_t end);
bool ka_frame_part_(ka_frame_zone *zone, uint64_t first, uint64_t end);
bool ka_frame_is_block_(const ka_frame_zone *zone, uint64_t first, uint64_t end);

ka_frame_zone *ka_frame_zone_of_(const ka_frames *frames, uint64_t frame);
void ka_frames_report_(ka_frames *frames, ka_misuse kind, uint64_t frame, uint64_t count);

/* Gives frames [first, end) of a zone back that must be one block; false: they are not, reported. */
bool ka_frames_put_block_(ka_frames *frames, uint64_t first, uint64_t count, bool block);

/* One frame without a cpu. */
ka_frame ka_frames_get_one_(ka_frames *frames, unsigned node);

#endif
