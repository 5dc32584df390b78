/* engine/frames_block.c: blocks of frames: found under constraints, taken, given back, misuse refused. See frames.c. */
#include "engine/frames_core.h"

#include "base/math.h"

/* How many lost races a search stands. */
#define RACES 64u

#define NONE UINT64_MAX

/* ---- tracking: the bits of frames [first, end - 1) of a block [first, end) ---- */

static uint64_t *joined_word(const ka_frame_zone *zone, uint64_t frame)
{
    return &zone->joined[(frame - zone->base) / 64];
}

/* The bits of [from, end) that lie in the word of `from`. */
static uint64_t joined_mask(const ka_frame_zone *zone, uint64_t from, uint64_t end)
{
    unsigned low = (unsigned)((from - zone->base) % 64);
    return end - from >= 64 - low ? ~ka_low_mask(low) : ka_low_mask((unsigned)(end - from)) << low;
}

static uint64_t word_end(const ka_frame_zone *zone, uint64_t from)
{
    return from + 64 - (from - zone->base) % 64;
}

static bool joined_get(const ka_frame_zone *zone, uint64_t frame)
{
    return (ka_load_relaxed_64(joined_word(zone, frame)) & joined_mask(zone, frame, frame + 1)) != 0;
}

/* Marks frames that the caller owns as one block. */
void ka_frame_join_(ka_frame_zone *zone, uint64_t first, uint64_t end)
{
    if (zone->joined == NULL)
        return;
    for (uint64_t at = first; at + 1 < end; at = word_end(zone, at))
        (void)ka_fetch_or_64(joined_word(zone, at), joined_mask(zone, at, end - 1));
}

/* Of two who part the same block one succeeds: who clears its first bit. */
bool ka_frame_part_(ka_frame_zone *zone, uint64_t first, uint64_t end)
{
    if (zone->joined == NULL || end - first == 1)
        return true;
    uint64_t bit = joined_mask(zone, first, first + 1);
    if ((ka_fetch_and_64(joined_word(zone, first), ~bit) & bit) == 0)
        return false;
    for (uint64_t at = first; at + 1 < end; at = word_end(zone, at))
        (void)ka_fetch_and_64(joined_word(zone, at), ~joined_mask(zone, at, end - 1));
    return true;
}

/* Does no block reach over either end of it? */
static bool edges_clear(const ka_frame_zone *zone, uint64_t first, uint64_t end)
{
    return (first == zone->first || !joined_get(zone, first - 1)) && !joined_get(zone, end - 1);
}

/* Are its frames all in one block (joined), or all single? */
static bool inside_is(const ka_frame_zone *zone, uint64_t first, uint64_t end, bool joined)
{
    for (uint64_t at = first; at + 1 < end; at = word_end(zone, at)) {
        uint64_t mask = joined_mask(zone, at, end - 1);
        if ((ka_load_relaxed_64(joined_word(zone, at)) & mask) != (joined ? mask : 0))
            return false;
    }
    return true;
}

bool ka_frame_is_block_(const ka_frame_zone *zone, uint64_t first, uint64_t end)
{
    return zone->joined == NULL || (edges_clear(zone, first, end) && inside_is(zone, first, end, true));
}

static bool are_single(const ka_frame_zone *zone, uint64_t first, uint64_t end)
{
    return zone->joined == NULL || (edges_clear(zone, first, end) && inside_is(zone, first, end, false));
}

/* ---- searching ---- */

typedef struct query {
    uint64_t lowest, end; /* frames */
    uint64_t count, align, boundary;
    bool partial; /* leaves whole areas alone */
} query;

/* The next frame in [at, end) that is free, or not; `end` if there is none. */
static uint64_t zone_next(const ka_frame_zone *zone, const query *q, uint64_t at, uint64_t end, bool free)
{
    while (at < end) {
        uint64_t area = ka_frame_area_(zone, at), stop = ka_min(ka_frame_area_first_(zone, area + 1), end);
        bool whole = ka_frame_map_get_(&zone->whole, area);
        bool none = whole ? q->partial : ka_frame_count_(ka_load_acquire_32(&zone->counts[area])) == 0;
        if (whole || none) {
            if (free != none)
                return at;
            at = stop;
            continue;
        }
        while (at < stop) {
            unsigned in_word = (unsigned)((at - zone->base) % 64);
            uint64_t word = ka_load_relaxed_64(&zone->free[(at - zone->base) / 64]);
            word = (free ? word : ~word) & ~ka_low_mask(in_word);
            if (word != 0)
                return ka_min(at - in_word + ka_lowest_bit(word), end);
            at += 64 - in_word;
        }
    }
    return end;
}

/* The first place from `at` on that satisfies alignment and boundary. */
static uint64_t place_from(const query *q, uint64_t at)
{
    uint64_t start = ka_round_up(at, q->align);
    if (q->boundary != 0 && (start ^ (start + q->count - 1)) >= q->boundary)
        start = ka_round_up(ka_round_up(start, q->boundary), q->align);
    return start;
}

static uint64_t zone_search(const ka_frame_zone *zone, const query *q)
{
    uint64_t at = zone->first > q->lowest ? zone->first : q->lowest, end = ka_min(zone->end, q->end);
    while (at < end) {
        at = zone_next(zone, q, at, end, true);
        uint64_t start = place_from(q, at);
        if (start >= end || end - start < q->count)
            return NONE;
        uint64_t stop = zone_next(zone, q, start, start + q->count, false);
        if (stop == start + q->count)
            return start;
        at = stop;
    }
    return NONE;
}

static uint64_t zone_get(ka_frame_zone *zone, const query *q)
{
    for (unsigned races = 0; races < RACES; races++) {
        uint64_t first = zone_search(zone, q);
        if (first == NONE)
            return NONE;
        if (ka_frame_run_own_(zone, first, first + q->count)) {
            ka_frame_join_(zone, first, first + q->count);
            return first;
        }
    }
    return NONE;
}

/* In zones of the node, or in the others. */
static uint64_t zones_get(ka_frames *frames, query *q, unsigned node, bool others)
{
    for (unsigned pass = q->count < KA_FRAME_AREA ? 0 : 1; pass < 2; pass++) {
        q->partial = pass == 0;
        for (unsigned i = 0; i < frames->zone_count; i++) {
            if ((frames->zones[i].node != node) != others)
                continue;
            uint64_t first = zone_get(&frames->zones[i], q);
            if (first != NONE)
                return first;
        }
    }
    return NONE;
}

/* false: no block can satisfy them. */
static bool query_make(query *q, uint64_t count, const ka_frame_limits *limits)
{
    *q = (query){ .end = KA_FRAME_LIMIT, .count = count, .align = 1 };
    if (count == 0 || count > KA_FRAME_LIMIT)
        return false;
    if (limits == NULL)
        return true;
    uint64_t align = limits->align, boundary = limits->boundary;
    if ((align & (align - 1)) != 0 || (boundary & (boundary - 1)) != 0 || (boundary != 0 && count > boundary) ||
        align > KA_FRAME_LIMIT)
        return false;
    q->lowest = limits->lowest;
    q->align = align == 0 ? 1 : align;
    q->boundary = boundary;
    if (limits->highest != 0 && limits->highest < KA_FRAME_LIMIT)
        q->end = limits->highest + 1;
    return true;
}

ka_frame ka_frames_get_run(ka_frames *frames, uint64_t count, const ka_frame_limits *limits)
{
    query q;
    if (!query_make(&q, count, limits))
        return ka_no_frame();
    unsigned node = limits == NULL ? 0 : limits->node;
    uint64_t first = zones_get(frames, &q, node, false);
    if (first == NONE && (limits == NULL || !limits->exact))
        first = zones_get(frames, &q, node, true);
    return ka_frame_of(first);
}

/* ---- one frame, without a cpu ---- */

/* A frame of an area that the hints have named. */
static uint64_t area_take_one(ka_frame_zone *zone, uint64_t area)
{
    uint64_t *words = ka_frame_words_(zone, area);
    for (unsigned at = 0; at < KA_FRAME_AREA_WORDS; at++) {
        uint64_t seen = ka_load_acquire_64(&words[at]);
        while (seen != 0)
            if (ka_cas_64(&words[at], &seen, seen & (seen - 1))) {
                ka_frame_area_sub_(zone, area, 1);
                return ka_frame_area_first_(zone, area) + at * 64 + ka_lowest_bit(seen);
            }
    }
    return NONE;
}

static uint64_t zone_take_one(ka_frame_zone *zone)
{
    for (unsigned i = 0; i < KA_FRAME_CLASSES; i++)
        for (uint64_t area = 0; ka_frame_map_next_(&zone->partial[i], &area); area++) {
            uint64_t frame = area_take_one(zone, area);
            if (frame != NONE)
                return frame;
            (void)ka_frame_map_clear_(&zone->partial[i], area);
            ka_frame_area_file_(zone, area, ka_frame_count_(ka_load_acquire_32(&zone->counts[area])));
        }
    return NONE;
}

ka_frame ka_frames_get_one_(ka_frames *frames, unsigned node)
{
    for (unsigned others = 0; others < 2; others++)
        for (unsigned i = 0; i < frames->zone_count; i++) {
            ka_frame_zone *zone = &frames->zones[i];
            if ((zone->node != node) != (others == 1))
                continue;
            uint64_t frame = zone_take_one(zone);
            if (frame != NONE)
                return ka_frame_of(frame);
        }
    ka_frame_limits limits = { .node = node };
    return ka_frames_get_run(frames, 1, &limits);
}

/* ---- giving back ---- */

void ka_frames_report_(ka_frames *frames, ka_misuse kind, uint64_t frame, uint64_t count)
{
    ka_report_misuse(kind, &frames->name, (const void *)(uintptr_t)(frame << KA_FRAME_SHIFT),
                     (size_t)count << KA_FRAME_SHIFT, NULL);
}

/* block: it must be one; else its frames must be single. */
bool ka_frames_put_block_(ka_frames *frames, uint64_t first, uint64_t count, bool block)
{
    ka_frame_zone *zone = ka_frame_zone_of_(frames, first);
    if (zone == NULL || count == 0 || count > zone->end - first) {
        ka_frames_report_(frames, KA_MISUSE_FOREIGN, first, count);
        return false;
    }
    uint64_t end = first + count;
    if (!ka_frame_run_taken_(zone, first, end)) {
        ka_frames_report_(frames, KA_MISUSE_DOUBLE_FREE, first, count);
        return false;
    }
    bool fits = block ? ka_frame_is_block_(zone, first, end) : are_single(zone, first, end);
    if (!fits || (block && !ka_frame_part_(zone, first, end))) {
        ka_frames_report_(frames, KA_MISUSE_WRONG_SIZE, first, count);
        return false;
    }
    ka_frame_run_give_(zone, first, end);
    return true;
}

bool ka_frames_put_run(ka_frames *frames, ka_frame first, uint64_t count)
{
    return ka_frames_put_block_(frames, first.number, count, true);
}

bool ka_frames_release(ka_frames *frames, ka_frame first, uint64_t count)
{
    return ka_frames_put_block_(frames, first.number, count, false);
}

bool ka_frames_claim(ka_frames *frames, ka_frame first, uint64_t count)
{
    ka_frame_zone *zone = ka_frame_zone_of_(frames, first.number);
    return zone != NULL && count != 0 && count <= zone->end - first.number &&
           ka_frame_run_own_(zone, first.number, first.number + count);
}
