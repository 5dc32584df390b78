/* engine/frames_check.c: looks at all of the frame engine's state: census, proof, and all but the bitmaps made anew. */
#include "engine/frames_core.h"

#include "base/mem.h"

static uint32_t area_bits(const ka_frame_zone *zone, uint64_t area)
{
    const uint64_t *words = ka_frame_words_(zone, area);
    uint32_t bits = 0;
    for (unsigned at = 0; at < KA_FRAME_AREA_WORDS; at++)
        bits += ka_count_bits(ka_load_relaxed_64(&words[at]));
    return bits;
}

ka_frames_stats ka_frames_census(const ka_frames *frames)
{
    ka_frames_stats stats = { 0, 0, 0, frames->overhead };
    for (unsigned i = 0; i < frames->zone_count; i++) {
        const ka_frame_zone *zone = &frames->zones[i];
        stats.total += zone->end - zone->first;
        for (uint64_t area = 0; area < zone->areas; area++)
            stats.free += ka_frame_count_(ka_load_acquire_32(&zone->counts[area]));
        for (uint64_t at = 0; at * 64 < zone->areas; at++)
            stats.whole += KA_FRAME_AREA * (uint64_t)ka_count_bits(ka_load_acquire_64(&zone->whole.bits[at]));
    }
    stats.free += stats.whole;
    return stats;
}

/* ---- proof ---- */

static const char *map_check(const ka_frame_map *map)
{
    for (uint64_t at = 0; at * 64 < map->areas; at++) {
        uint64_t inside = map->areas - at * 64 >= 64 ? ~UINT64_C(0) : ka_low_mask((unsigned)(map->areas - at * 64));
        if ((map->bits[at] & ~inside) != 0)
            return "a map has a bit behind its last area";
        if (map->bits[at] != 0 && !ka_bit_get(map->upper, (size_t)at))
            return "a word of a map would be passed over";
    }
    return NULL;
}

static bool area_is_hinted(const ka_frame_zone *zone, uint64_t area)
{
    for (unsigned i = 0; i < KA_FRAME_CLASSES; i++)
        if (ka_frame_map_get_(&zone->partial[i], area))
            return true;
    return false;
}

/* The frames of an area that the map has: [from, end). */
static void area_span(const ka_frame_zone *zone, uint64_t area, unsigned *from, unsigned *end)
{
    uint64_t first = ka_frame_area_first_(zone, area);
    *from = first < zone->first ? (unsigned)(zone->first - first) : 0;
    *end = zone->end - first < KA_FRAME_AREA ? (unsigned)(zone->end - first) : KA_FRAME_AREA;
}

static const char *words_check(const ka_frame_zone *zone, uint64_t area)
{
    const uint64_t *words = ka_frame_words_(zone, area);
    bool whole = ka_frame_map_get_(&zone->whole, area);
    unsigned from, end;
    area_span(zone, area, &from, &end);
    for (unsigned at = 0; at < KA_FRAME_AREA_WORDS; at++) {
        bool some = at * 64 < end && at * 64 + 64 > from;
        if ((words[at] & ~(some ? ka_frame_mask_(at, from, end) : 0)) != 0)
            return "a frame is free that the map does not have";
        uint64_t joined = zone->joined == NULL ? 0 : zone->joined[area * KA_FRAME_AREA_WORDS + at];
        if ((joined & (whole ? ~UINT64_C(0) : words[at])) != 0)
            return "a free frame is part of a block";
    }
    if (whole && (from != 0 || end != KA_FRAME_AREA))
        return "an area is whole that the map has only a part of";
    return NULL;
}

static const char *area_check(const ka_frame_zone *zone, uint64_t area)
{
    uint32_t bits = area_bits(zone, area), word = zone->counts[area];
    if (word >> 31 != 0 || ka_frame_count_(word) != bits)
        return "a count is not the number of free frames";
    if (bits == KA_FRAME_AREA)
        return "an area is all free and not whole";
    if (bits != 0 && ka_frame_map_get_(&zone->whole, area))
        return "a frame is free twice: by itself and in a whole area";
    if (bits != 0 && (word & KA_FRAME_HOME) == 0 && !area_is_hinted(zone, area))
        return "an area with free frames stands in no hint";
    return words_check(zone, area);
}

static const char *zone_check(const ka_frame_zone *zone)
{
    const char *broken = map_check(&zone->whole);
    for (unsigned i = 0; broken == NULL && i < KA_FRAME_CLASSES; i++)
        broken = map_check(&zone->partial[i]);
    for (uint64_t area = 0; broken == NULL && area < zone->areas; area++)
        broken = area_check(zone, area);
    return broken;
}

const char *ka_frames_check(const ka_frames *frames)
{
    for (unsigned i = 0; i < frames->zone_count; i++) {
        const char *broken = zone_check(&frames->zones[i]);
        if (broken != NULL)
            return broken;
        if (i > 0 && frames->zones[i].first < frames->zones[i - 1].end)
            return "two ranges of the map overlap";
    }
    return NULL;
}

/* ---- what can be made again ---- */

static void upper_clear_all(ka_frame_map *map)
{
    ka_clear(map->upper, ka_words_for(ka_words_for((size_t)map->areas)) * sizeof(uint64_t));
}

static void upper_rebuild(ka_frame_map *map)
{
    upper_clear_all(map);
    for (uint64_t at = 0; at * 64 < map->areas; at++)
        if (map->bits[at] != 0)
            ka_bit_set(map->upper, (size_t)at);
}

static void zone_rebuild(ka_frame_zone *zone)
{
    for (unsigned i = 0; i < KA_FRAME_CLASSES; i++) {
        ka_clear(zone->partial[i].bits, ka_words_for((size_t)zone->areas) * sizeof(uint64_t));
        upper_clear_all(&zone->partial[i]);
    }
    upper_rebuild(&zone->whole);
    for (uint64_t area = 0; area < zone->areas; area++) {
        uint32_t bits = area_bits(zone, area);
        zone->counts[area] = bits * 4;
        if (bits == KA_FRAME_AREA)
            ka_frame_area_merge_(zone, area);
        else
            ka_frame_area_file_(zone, area, bits);
    }
}

void ka_frames_rebuild(ka_frames *frames)
{
    for (unsigned i = 0; i < frames->zone_count; i++)
        zone_rebuild(&frames->zones[i]);
}
