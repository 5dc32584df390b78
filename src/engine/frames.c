/* engine/frames.c: the state of page frames. See ka/frames.h; blocks are in frames_block.c, CPUs in frames_cpu.c.
 *
 * zone     a range of the memory map with one node
 * area     512 frames, 2 MiB, aligned: 8 words of `free`, one line of the cache
 * home     the area that a CPU takes its frames from
 *
 *     whole     1 0 0 1 1 0 ...      a bit per area: all of its frames are free, and none of them stands in `free`
 *     free      |........|1.11..1.|  a bit per frame, 64 bytes per area
 *     counts    0 137 0 0 0 512..    per area: how many bits of `free` are set
 *     partial   four maps of areas by count: hints of where to look
 *
 * A frame is free if its own bit or its area's bit is set: the two bitmaps are all of the truth. Who clears a bit owns
 * what it stands for. So 2 MiB change hands by one atomic step, 1 GiB by 512 of them, and a CPU that needs single
 * frames takes an area with one step and hands out its frames from memory of its own. Counters and maps are made from
 * the bitmaps and may lie for the time of a call: what they promise is looked up in the bitmaps, and before a "no"
 * every count is looked at.
 *
 * Counts. Bits change first, the count after them, by fetch-and-add; an area's updates can be late, so that the count
 * is below zero for a moment, but they add up. Who brings it to 512 merges.
 *
 * Merge. Take the 8 words, each by compare-exchange from all ones to 0, ascending; then the frames are owned; subtract
 * 512, set the area's bit. If a word is not full, put back what was taken, in descending order, so that the first word
 * is a lock between merges; then look again: one who brought the count to 512 meanwhile has seen our 0 and left. Nobody
 * waits for anybody: a word that lacks a frame ends the attempt, since whoever has the frame merges later.
 *
 * Split. Clear the area's bit: then the frames are owned; put those back that nobody wanted.
 *
 * Gathering. Whole areas are broken last, and of the others those are filled first that are well used already: what is
 * nearly empty is left alone until its last frames come back. (Filling up what is full, in LLFree's trees: Wrenger et
 * al., "LLFree: Scalable and Optionally-Persistent Page-Frame Allocation", USENIX ATC 2023; so is a counter beside the
 * bits of 2 MiB.) An area that is some CPU's home stands in no hint, so that CPUs keep out of each other's lines.
 *
 * Hints. What moves a count to another class sets the area's bit in that class's map, and nothing else: old bits stay.
 * A search clears a bit that it follows, and reads the count: wrong class, and the area is filed anew. `upper` has a
 * bit for each word of a map that may be not 0: it is set after the word, cleared before the word is read again.
 *
 * Tracking. Where blocks are tracked, `joined` has a bit for each frame whose block goes on with the next frame: a
 * block of n frames is n - 1 ones and a 0. Single frames, which are most, leave it alone.
 *
 * Metadata per GiB: 32 KiB for `free`, 2 KiB for counts, 64 bytes for each of five maps.
 *
 * Bounds. A step is repeated when another CPU changed the same word meanwhile: lock-free. Searches are repeated a few
 * times after lost races, then say no: a spurious refusal.
 *
 * Shortcomings: orders 1 to 8 and constraints search areas one after the other. Two puts of one frame at the very same
 * time, one of which makes its area whole, can both succeed: a check finds it.
 */
#include "engine/frames_core.h"

#include "base/math.h"

/* ---- maps of areas ---- */

void ka_frame_map_set_(ka_frame_map *map, uint64_t area)
{
    uint64_t bit = UINT64_C(1) << area % 64;
    if (ka_fetch_or_64(&map->bits[area / 64], bit) == 0)
        (void)ka_fetch_or_64(&map->upper[area / 4096], UINT64_C(1) << area / 64 % 64);
}

/* Returns whether it was set. */
bool ka_frame_map_clear_(ka_frame_map *map, uint64_t area)
{
    uint64_t bit = UINT64_C(1) << area % 64;
    return (ka_fetch_and_64(&map->bits[area / 64], ~bit) & bit) != 0;
}

/* A word that was found 0 is forgotten, and looked at again: it may have got a bit before it was forgotten. */
static void upper_clear(ka_frame_map *map, uint64_t word)
{
    uint64_t bit = UINT64_C(1) << word % 64;
    (void)ka_fetch_and_64(&map->upper[word / 64], ~bit);
    if (ka_load_acquire_64(&map->bits[word]) != 0)
        (void)ka_fetch_or_64(&map->upper[word / 64], bit);
}

/* The first area from *at on whose bit is set. */
bool ka_frame_map_next_(ka_frame_map *map, uint64_t *at)
{
    uint64_t words = ka_words_for((size_t)map->areas);
    if (*at >= map->areas)
        return false;
    uint64_t bits = ka_load_acquire_64(&map->bits[*at / 64]) & ~ka_low_mask(*at % 64);
    if (bits != 0) {
        *at = *at / 64 * 64 + ka_lowest_bit(bits);
        return true;
    }
    for (uint64_t word = *at / 64 + 1; word < words;) {
        uint64_t some = ka_load_acquire_64(&map->upper[word / 64]) & ~ka_low_mask(word % 64);
        if (some == 0) {
            word = word / 64 * 64 + 64;
            continue;
        }
        word = word / 64 * 64 + ka_lowest_bit(some);
        bits = ka_load_acquire_64(&map->bits[word]);
        if (bits != 0) {
            *at = word * 64 + ka_lowest_bit(bits);
            return true;
        }
        upper_clear(map, word++);
    }
    return false;
}

/* ---- areas ---- */

void ka_frame_area_file_(ka_frame_zone *zone, uint64_t area, uint32_t count)
{
    unsigned class_of = ka_frame_class_(count);
    if (class_of < KA_FRAME_CLASSES && !ka_frame_map_get_(&zone->partial[class_of], area))
        ka_frame_map_set_(&zone->partial[class_of], area);
}

/* Takes all words if all are full. Returns how many it had to put back; 0 with *all: it has them. */
static unsigned words_take_full(uint64_t *words, bool *all)
{
    for (unsigned at = 0; at < KA_FRAME_AREA_WORDS; at++) {
        uint64_t full = ~UINT64_C(0);
        if (ka_cas_64(&words[at], &full, 0))
            continue;
        for (unsigned back = at; back-- > 0;)
            (void)ka_fetch_or_64(&words[back], ~UINT64_C(0));
        *all = false;
        return at;
    }
    *all = true;
    return 0;
}

/* Makes the area whole if all of it is free. */
void ka_frame_area_merge_(ka_frame_zone *zone, uint64_t area)
{
    bool all = false;
    do {
        ka_fence();
        if (words_take_full(ka_frame_words_(zone, area), &all) == 0 && !all)
            return;
        if (all) {
            (void)ka_fetch_add_32(&zone->counts[area], 0 - UINT32_C(4) * KA_FRAME_AREA);
            ka_frame_map_set_(&zone->whole, area);
            return;
        }
        ka_fence();
    } while (ka_frame_merge_owed_(zone, area));
}

static void area_count(ka_frame_zone *zone, uint64_t area, uint32_t change)
{
    uint32_t before = ka_fetch_add_32(&zone->counts[area], change), after = before + change;
    uint32_t count = ka_frame_count_(after);
    if (count == KA_FRAME_AREA)
        ka_frame_area_merge_(zone, area);
    else if ((after & KA_FRAME_HOME) == 0 && ka_frame_class_(count) != ka_frame_class_(ka_frame_count_(before)))
        ka_frame_area_file_(zone, area, count);
}

void ka_frame_area_add_(ka_frame_zone *zone, uint64_t area, uint32_t frames)
{
    area_count(zone, area, frames * 4);
}

void ka_frame_area_sub_(ka_frame_zone *zone, uint64_t area, uint32_t frames)
{
    area_count(zone, area, 0 - frames * 4);
}

uint64_t ka_frame_word_put_(ka_frame_zone *zone, uint64_t area, unsigned at, uint64_t mask)
{
    uint64_t before = ka_fetch_or_64(&ka_frame_words_(zone, area)[at], mask);
    uint32_t given = ka_count_bits(mask & ~before);
    if (given != 0)
        ka_frame_area_add_(zone, area, given);
    return before & mask;
}

/* ---- a piece of one area: frames [from, end) of it ---- */

static void piece_give(ka_frame_zone *zone, uint64_t area, unsigned from, unsigned end)
{
    uint64_t *words = ka_frame_words_(zone, area);
    uint32_t given = 0;
    for (unsigned at = from / 64; at * 64 < end; at++) {
        uint64_t mask = ka_frame_mask_(at, from, end);
        given += ka_count_bits(mask & ~ka_fetch_or_64(&words[at], mask));
    }
    if (given != 0)
        ka_frame_area_add_(zone, area, given);
}

static bool word_own(uint64_t *word, uint64_t mask)
{
    uint64_t seen = ka_load_acquire_64(word);
    while ((seen & mask) == mask)
        if (ka_cas_64(word, &seen, seen & ~mask))
            return true;
    return false;
}

/* A merge may have met a word that was taken for nothing, and left: its work is done here. */
static void words_put_back(ka_frame_zone *zone, uint64_t area, unsigned from, unsigned end)
{
    if (from == end)
        return;
    uint64_t *words = ka_frame_words_(zone, area);
    for (unsigned at = from / 64; at * 64 < end; at++)
        (void)ka_fetch_or_64(&words[at], ka_frame_mask_(at, from, end));
    ka_fence();
    if (ka_frame_merge_owed_(zone, area))
        ka_frame_area_merge_(zone, area);
}

static bool words_own(ka_frame_zone *zone, uint64_t area, unsigned from, unsigned end)
{
    uint64_t *words = ka_frame_words_(zone, area);
    for (unsigned at = from / 64; at * 64 < end; at++)
        if (!word_own(&words[at], ka_frame_mask_(at, from, end))) {
            words_put_back(zone, area, from, at == from / 64 ? from : at * 64);
            return false;
        }
    ka_frame_area_sub_(zone, area, end - from);
    return true;
}

static bool piece_own(ka_frame_zone *zone, uint64_t area, unsigned from, unsigned end)
{
    if (!ka_frame_map_get_(&zone->whole, area) || !ka_frame_map_clear_(&zone->whole, area))
        return words_own(zone, area, from, end);
    if (from > 0)
        piece_give(zone, area, 0, from);
    if (end < KA_FRAME_AREA)
        piece_give(zone, area, end, KA_FRAME_AREA);
    return true;
}

/* ---- runs: any frames of one zone ---- */

/* The part of [at, end) that lies in the area of `at`. */
static unsigned piece_end(const ka_frame_zone *zone, uint64_t at, uint64_t end)
{
    unsigned from = ka_frame_in_area_(zone, at);
    return end - at < KA_FRAME_AREA - from ? from + (unsigned)(end - at) : KA_FRAME_AREA;
}

void ka_frame_run_give_(ka_frame_zone *zone, uint64_t first, uint64_t end)
{
    for (uint64_t at = first; at < end;) {
        unsigned from = ka_frame_in_area_(zone, at), stop = piece_end(zone, at, end);
        uint64_t area = ka_frame_area_(zone, at);
        if (stop - from == KA_FRAME_AREA)
            ka_frame_map_set_(&zone->whole, area);
        else
            piece_give(zone, area, from, stop);
        at += stop - from;
    }
}

/* Owns all of them, or none. */
bool ka_frame_run_own_(ka_frame_zone *zone, uint64_t first, uint64_t end)
{
    for (uint64_t at = first; at < end;) {
        unsigned from = ka_frame_in_area_(zone, at), stop = piece_end(zone, at, end);
        if (!piece_own(zone, ka_frame_area_(zone, at), from, stop)) {
            ka_frame_run_give_(zone, first, at);
            return false;
        }
        at += stop - from;
    }
    return true;
}

static bool piece_taken(const ka_frame_zone *zone, uint64_t area, unsigned from, unsigned end)
{
    if (ka_frame_map_get_(&zone->whole, area))
        return false;
    if (end - from == KA_FRAME_AREA)
        return ka_frame_count_(ka_load_acquire_32(&zone->counts[area])) == 0;
    const uint64_t *words = ka_frame_words_(zone, area);
    for (unsigned at = from / 64; at * 64 < end; at++)
        if ((ka_load_relaxed_64(&words[at]) & ka_frame_mask_(at, from, end)) != 0)
            return false;
    return true;
}

/* Is none of them free? */
bool ka_frame_run_taken_(const ka_frame_zone *zone, uint64_t first, uint64_t end)
{
    for (uint64_t at = first; at < end;) {
        unsigned from = ka_frame_in_area_(zone, at), stop = piece_end(zone, at, end);
        if (!piece_taken(zone, ka_frame_area_(zone, at), from, stop))
            return false;
        at += stop - from;
    }
    return true;
}

/* The lowest whole area, or UINT64_MAX. */
uint64_t ka_frame_whole_take_(ka_frame_zone *zone)
{
    for (uint64_t area = 0; ka_frame_map_next_(&zone->whole, &area);)
        if (ka_frame_map_clear_(&zone->whole, area))
            return area;
    return UINT64_MAX;
}

/* ---- start ---- */

/* Ranges that touch and have one node are one. How many that makes, 0: not in order, or too many; *last is number
 * `at`. */
static unsigned ranges_join(const ka_frame_range *map, unsigned count, ka_frame_range *last, unsigned at)
{
    unsigned found = 0;
    *last = (ka_frame_range){ 0, 0, 0 };
    ka_frame_range now = { 0, 0, 0 };
    for (unsigned i = 0; i < count; i++) {
        ka_frame_range next = map[i];
        if (next.count == 0)
            continue;
        if (next.first < now.first + now.count || next.first >= KA_FRAME_LIMIT ||
            next.count > KA_FRAME_LIMIT - next.first)
            return 0;
        if (now.count != 0 && next.first == now.first + now.count && next.node == now.node) {
            now.count += next.count;
        } else {
            found++;
            now = next;
        }
        if (found == at + 1)
            *last = now;
    }
    return found > KA_FRAME_ZONES ? 0 : found;
}

static uint64_t range_areas(ka_frame_range range)
{
    uint64_t base = range.first / KA_FRAME_AREA;
    return (range.first + range.count + KA_FRAME_AREA - 1) / KA_FRAME_AREA - base;
}

/* Words of a map, its upper ones included; each part is whole lines of the cache. */
static size_t line_words(uint64_t bits)
{
    return ka_round_up(ka_words_for((size_t)bits), 8);
}

static size_t map_words(uint64_t areas)
{
    return line_words(areas) + line_words(ka_words_for((size_t)areas));
}

static size_t zone_words(uint64_t areas, unsigned flags)
{
    size_t bitmaps = (flags & KA_FRAMES_TRACK) != 0 ? 2 : 1;
    return (size_t)areas * KA_FRAME_AREA_WORDS * bitmaps + line_words(areas * 32) +
           (1 + KA_FRAME_CLASSES) * map_words(areas);
}

size_t ka_frames_size(const ka_frame_range *map, unsigned count, unsigned flags)
{
    ka_frame_range range;
    unsigned found = ranges_join(map, count, &range, 0);
    if (found == 0)
        return SIZE_MAX;
    size_t words = 0;
    for (unsigned i = 0; i < found; i++) {
        (void)ranges_join(map, count, &range, i);
        words += zone_words(range_areas(range), flags);
    }
    return words * sizeof(uint64_t);
}

static uint64_t *map_place(ka_frame_map *map, uint64_t areas, uint64_t *words)
{
    *map = (ka_frame_map){ words, words + line_words(areas), areas };
    return words + map_words(areas);
}

static uint64_t *zone_place(ka_frame_zone *zone, ka_frame_range range, uint64_t *words, unsigned flags)
{
    uint64_t areas = range_areas(range);
    *zone = (ka_frame_zone){ .first = range.first,
                             .end = range.first + range.count,
                             .base = range.first / KA_FRAME_AREA * KA_FRAME_AREA,
                             .areas = areas,
                             .node = range.node };
    zone->free = words;
    words += areas * KA_FRAME_AREA_WORDS;
    if ((flags & KA_FRAMES_TRACK) != 0) {
        zone->joined = words;
        words += areas * KA_FRAME_AREA_WORDS;
    }
    zone->counts = (uint32_t *)(void *)words;
    words = map_place(&zone->whole, areas, words + line_words(areas * 32));
    for (unsigned i = 0; i < KA_FRAME_CLASSES; i++)
        words = map_place(&zone->partial[i], areas, words);
    return words;
}

static const ka_allocator_ops frames_ops = { .name = "frames" };

bool ka_frames_init(ka_frames *frames, const ka_frame_range *map, unsigned count, void *memory, unsigned flags)
{
    ka_frame_range range;
    unsigned found = ranges_join(map, count, &range, 0);
    if (found == 0)
        return false;
    KA_ASSERT((uintptr_t)memory % 64 == 0);
    uint64_t *words = memory;
    frames->name.ops = &frames_ops;
    frames->zone_count = found;
    for (unsigned i = 0; i < found; i++) {
        ka_frame_zone *zone = &frames->zones[i];
        (void)ranges_join(map, count, &range, i);
        words = zone_place(zone, range, words, flags);
        ka_frame_run_give_(zone, zone->first, zone->end);
    }
    frames->overhead = (size_t)((char *)words - (char *)memory);
    return true;
}

ka_frame_zone *ka_frame_zone_of_(const ka_frames *frames, uint64_t frame)
{
    for (unsigned i = 0; i < frames->zone_count; i++)
        if (frame - frames->zones[i].first < frames->zones[i].end - frames->zones[i].first)
            return (ka_frame_zone *)&frames->zones[i];
    return NULL;
}

bool ka_frames_has(const ka_frames *frames, ka_frame frame)
{
    return ka_frame_zone_of_(frames, frame.number) != NULL;
}
