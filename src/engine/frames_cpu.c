/* engine/frames_cpu.c: what a CPU keeps for itself. See frames.c for the words.
 *
 *     words[8]   free frames of the home area, out of the bitmap: the CPU's own. A get clears a bit, a put sets it
 *     out[64]    frames of other areas, sorted and put back when they are many
 *
 * A get that finds nothing takes a whole word of its home's `free`, up to 64 frames, by one exchange; when the home has
 * nothing either, it looks for another home. A put that is not for the home only stores a number; what has been
 * collected is sorted, so that frames of one word go back by one step, and frames put twice meet.
 *
 * So a put never makes the next get return a frame of a badly used area: frames leave such areas for good, and the home
 * is one that is worth filling. A pair of put and get that stays at home touches no line of any other CPU.
 */
#include "engine/frames_core.h"
#include "engine/frames_fast.h"

#include "base/math.h"
#include "base/mem.h"

static const uint64_t no_joined[KA_FRAME_AREA_WORDS];

void ka_frames_cpu_init(ka_frame_cpu *cpu, unsigned node)
{
    ka_clear(cpu, sizeof *cpu);
    cpu->word = cpu->words;
    cpu->put_first = UINT64_MAX - KA_FRAME_AREA;
    cpu->joined = no_joined;
    cpu->node = node;
}

/* ---- the home ---- */

static void home_leave(ka_frame_cpu *cpu)
{
    ka_frame_zone *zone = cpu->zone;
    if (zone == NULL)
        return;
    uint32_t before = ka_fetch_and_32(&zone->counts[cpu->area], ~KA_FRAME_HOME);
    ka_frame_area_file_(zone, cpu->area, ka_frame_count_(before));
    cpu->zone = NULL;
    cpu->put_first = UINT64_MAX - KA_FRAME_AREA;
    cpu->joined = no_joined;
    cpu->careful = 0;
}

/* An area that the map has only a part of is no home for what comes back: frames beside the map must not. */
static void home_enter(ka_frame_cpu *cpu, ka_frame_zone *zone, uint64_t area)
{
    uint64_t first = ka_frame_area_first_(zone, area);
    cpu->zone = zone;
    cpu->area = area;
    cpu->word = cpu->words; /* of this home, even if the call that found it takes its frame from elsewhere */
    cpu->word_first = first;
    if (first >= zone->first && zone->end - first >= KA_FRAME_AREA)
        cpu->put_first = first;
    if (zone->joined != NULL) {
        cpu->joined = &zone->joined[area * KA_FRAME_AREA_WORDS];
        cpu->careful = 1;
    }
}

/* The area that a hint of class `class_of` has named becomes a home, unless it is one or has nothing to give. */
static bool area_reserve(ka_frame_zone *zone, uint64_t area, unsigned class_of)
{
    uint32_t seen = ka_load_acquire_32(&zone->counts[area]);
    do {
        uint32_t count = ka_frame_count_(seen);
        if ((seen & KA_FRAME_HOME) != 0 || count == 0)
            return false;
        if (ka_frame_class_(count) != class_of) {
            ka_frame_area_file_(zone, area, count);
            return false;
        }
    } while (!ka_cas_32(&zone->counts[area], &seen, seen | KA_FRAME_HOME));
    return true;
}

static bool home_partial(ka_frame_cpu *cpu, ka_frame_zone *zone)
{
    for (unsigned i = 0; i < KA_FRAME_CLASSES; i++)
        for (uint64_t area = 0; ka_frame_map_next_(&zone->partial[i], &area); area++)
            if (ka_frame_map_clear_(&zone->partial[i], area) && area_reserve(zone, area, i)) {
                home_enter(cpu, zone, area);
                return true;
            }
    return false;
}

static bool home_whole(ka_frame_cpu *cpu, ka_frame_zone *zone)
{
    uint64_t area = ka_frame_whole_take_(zone);
    if (area == UINT64_MAX)
        return false;
    (void)ka_fetch_or_32(&zone->counts[area], KA_FRAME_HOME);
    home_enter(cpu, zone, area);
    ka_fill(cpu->words, 0xff, sizeof cpu->words);
    return true;
}

static bool home_find(ka_frames *frames, ka_frame_cpu *cpu)
{
    for (unsigned others = 0; others < 2; others++)
        for (unsigned i = 0; i < frames->zone_count; i++) {
            ka_frame_zone *zone = &frames->zones[i];
            if ((zone->node != cpu->node) != (others == 1))
                continue;
            if (home_partial(cpu, zone) || home_whole(cpu, zone))
                return true;
        }
    return false;
}

/* ---- get ---- */

/* Points to a word of the home that has frames. */
static bool word_find(ka_frame_cpu *cpu)
{
    for (unsigned at = 0; at < KA_FRAME_AREA_WORDS; at++)
        if (cpu->words[at] != 0) {
            cpu->word = &cpu->words[at];
            cpu->word_first = ka_frame_area_first_(cpu->zone, cpu->area) + at * 64;
            return true;
        }
    return false;
}

/* Takes a word of the home's bitmap. Frames that are the CPU's own already were put twice. */
static bool word_take(ka_frames *frames, ka_frame_cpu *cpu)
{
    ka_frame_zone *zone = cpu->zone;
    if (ka_frame_count_(ka_load_relaxed_32(&zone->counts[cpu->area])) == 0)
        return false;
    uint64_t *words = ka_frame_words_(zone, cpu->area);
    for (unsigned at = 0; at < KA_FRAME_AREA_WORDS; at++) {
        if (ka_load_relaxed_64(&words[at]) == 0)
            continue;
        uint64_t bits = ka_exchange_64(&words[at], 0), twice = bits & cpu->words[at];
        if (bits == 0)
            continue;
        ka_frame_area_sub_(zone, cpu->area, ka_count_bits(bits));
        if (twice != 0)
            ka_frames_report_(frames, KA_MISUSE_DOUBLE_FREE,
                              ka_frame_area_first_(zone, cpu->area) + at * 64 + ka_lowest_bit(twice), 1);
        cpu->words[at] |= bits;
        return true;
    }
    return false;
}

static void out_flush(ka_frames *frames, ka_frame_cpu *cpu);

/* How many homes may turn out to have nothing. Counts say more than there is while another call works on an area, which
 * may be one that this call has interrupted: so it must not wait for the count to come true. */
#define MISSES 4u

/* The CPU's words have a frame now, or none was found for it. */
static bool words_fill(ka_frames *frames, ka_frame_cpu *cpu)
{
    for (unsigned misses = 0; misses < MISSES; misses++) {
        if (cpu->zone != NULL && (word_find(cpu) || (word_take(frames, cpu) && word_find(cpu))))
            return true;
        home_leave(cpu);
        if (!home_find(frames, cpu))
            return false;
    }
    return false;
}

ka_frame ka_frames_cpu_get_slow_(ka_frames *frames, ka_frame_cpu *cpu)
{
    if (!words_fill(frames, cpu)) {
        out_flush(frames, cpu);
        if (!words_fill(frames, cpu))
            return ka_frames_get_one_(frames, cpu->node);
    }
    uint64_t bits = *cpu->word;
    *cpu->word = bits & (bits - 1);
    return ka_frame_of(cpu->word_first + ka_lowest_bit(bits));
}

/* ---- put ---- */

/* Most callers free in order, or nearly so: insertion is fast there. */
static void out_sort(ka_frame *out, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        ka_frame frame = out[i];
        uint32_t at = i;
        for (; at > 0 && out[at - 1].number > frame.number; at--)
            out[at] = out[at - 1];
        out[at] = frame;
    }
}

/* Why a frame of the zone cannot be put back, if it cannot. */
static bool frame_is_misused(const ka_frame_cpu *cpu, const ka_frame_zone *zone, uint64_t frame, ka_misuse *kind)
{
    uint64_t offset = frame - cpu->put_first;
    *kind = KA_MISUSE_DOUBLE_FREE;
    if (offset < KA_FRAME_AREA && ka_bit_get(cpu->words, (size_t)offset))
        return true;
    if (ka_frame_map_get_(&zone->whole, ka_frame_area_(zone, frame)))
        return true;
    *kind = KA_MISUSE_WRONG_SIZE;
    return !ka_frame_is_block_(zone, frame, frame + 1);
}

/* Puts the frames back that lie in the word of out[at]. Returns how many those are. */
static uint32_t out_put_word(ka_frames *frames, ka_frame_cpu *cpu, uint32_t at)
{
    uint64_t first = cpu->out[at].number & ~UINT64_C(63), mask = 0;
    ka_frame_zone *zone = ka_frame_zone_of_(frames, cpu->out[at].number);
    if (zone == NULL) {
        ka_frames_report_(frames, KA_MISUSE_FOREIGN, cpu->out[at].number, 1);
        return 1;
    }
    uint32_t count = 0;
    for (; at + count < cpu->out_count; count++) {
        uint64_t frame = cpu->out[at + count].number, bit = UINT64_C(1) << frame % 64;
        ka_misuse kind;
        if (frame - first >= 64 || frame >= zone->end)
            break;
        if ((mask & bit) != 0)
            ka_frames_report_(frames, KA_MISUSE_DOUBLE_FREE, frame, 1);
        else if (frame_is_misused(cpu, zone, frame, &kind))
            ka_frames_report_(frames, kind, frame, 1);
        else
            mask |= bit;
    }
    uint64_t area = ka_frame_area_(zone, first > zone->first ? first : zone->first);
    uint64_t twice = mask == 0 ? 0 : ka_frame_word_put_(zone, area, (unsigned)(first / 64 % KA_FRAME_AREA_WORDS), mask);
    for (; twice != 0; twice &= twice - 1)
        ka_frames_report_(frames, KA_MISUSE_DOUBLE_FREE, first + ka_lowest_bit(twice), 1);
    return count;
}

static void out_flush(ka_frames *frames, ka_frame_cpu *cpu)
{
    out_sort(cpu->out, cpu->out_count);
    for (uint32_t at = 0; at < cpu->out_count;)
        at += out_put_word(frames, cpu, at);
    cpu->out_count = 0;
}

/* A frame of the home that the quick way would not take. */
static bool home_put(ka_frames *frames, ka_frame_cpu *cpu, uint64_t frame)
{
    uint64_t offset = frame - cpu->put_first;
    bool twice = ka_bit_get(cpu->words, (size_t)offset);
    if (twice || !ka_frame_is_block_(cpu->zone, frame, frame + 1)) {
        ka_frames_report_(frames, twice ? KA_MISUSE_DOUBLE_FREE : KA_MISUSE_WRONG_SIZE, frame, 1);
        return false;
    }
    ka_bit_set(cpu->words, (size_t)offset);
    return true;
}

bool ka_frames_cpu_put_slow_(ka_frames *frames, ka_frame_cpu *cpu, ka_frame frame)
{
    if (frame.number - cpu->put_first < KA_FRAME_AREA)
        return home_put(frames, cpu, frame.number);
    if (cpu->out_count != 0 && cpu->out[cpu->out_count - 1].number == frame.number) {
        ka_frames_report_(frames, KA_MISUSE_DOUBLE_FREE, frame.number, 1);
        return false;
    }
    if (cpu->out_count == KA_FRAME_OUT)
        out_flush(frames, cpu);
    cpu->out[cpu->out_count++] = frame;
    return true;
}

void ka_frames_cpu_flush(ka_frames *frames, ka_frame_cpu *cpu)
{
    out_flush(frames, cpu);
    for (unsigned at = 0; cpu->zone != NULL && at < KA_FRAME_AREA_WORDS; at++) {
        uint64_t bits = cpu->words[at];
        cpu->words[at] = 0;
        if (bits != 0)
            (void)ka_frame_word_put_(cpu->zone, cpu->area, at, bits);
    }
    home_leave(cpu);
}

uint32_t ka_frames_cpu_kept(const ka_frame_cpu *cpu)
{
    uint32_t kept = cpu->out_count;
    for (unsigned at = 0; at < KA_FRAME_AREA_WORDS; at++)
        kept += ka_count_bits(cpu->words[at]);
    return kept;
}

/* ---- any order ---- */

static ka_frame get_whole(ka_frames *frames, unsigned node)
{
    for (unsigned others = 0; others < 2; others++)
        for (unsigned i = 0; i < frames->zone_count; i++) {
            ka_frame_zone *zone = &frames->zones[i];
            if ((zone->node != node) != (others == 1))
                continue;
            uint64_t area = ka_frame_whole_take_(zone);
            if (area == UINT64_MAX)
                continue;
            uint64_t first = ka_frame_area_first_(zone, area);
            ka_frame_join_(zone, first, first + KA_FRAME_AREA);
            return ka_frame_of(first);
        }
    return ka_no_frame();
}

static ka_frame get_order(ka_frames *frames, unsigned node, unsigned order)
{
    if (order == 0)
        return ka_frames_get_one_(frames, node);
    if (order == KA_FRAME_AREA_ORDER) {
        ka_frame frame = get_whole(frames, node);
        if (ka_is_frame(frame))
            return frame;
    }
    ka_frame_limits limits = { .align = UINT64_C(1) << order, .node = node };
    return ka_frames_get_run(frames, UINT64_C(1) << order, &limits);
}

ka_frame ka_frames_get(ka_frames *frames, ka_frame_cpu *cpu, unsigned order)
{
    if (order == 0 && cpu != NULL)
        return ka_frames_cpu_get(frames, cpu);
    if (order > KA_FRAME_MAX_ORDER)
        return ka_no_frame();
    ka_frame frame = get_order(frames, cpu == NULL ? 0 : cpu->node, order);
    if (ka_is_frame(frame) || cpu == NULL || (cpu->zone == NULL && cpu->out_count == 0))
        return frame;
    ka_frames_cpu_flush(frames, cpu);
    return get_order(frames, cpu->node, order);
}

bool ka_frames_put(ka_frames *frames, ka_frame_cpu *cpu, ka_frame frame, unsigned order)
{
    if (order == 0 && cpu != NULL)
        return ka_frames_cpu_put(frames, cpu, frame);
    if (order <= KA_FRAME_MAX_ORDER && frame.number % (UINT64_C(1) << order) == 0)
        return ka_frames_put_block_(frames, frame.number, UINT64_C(1) << order, true);
    ka_frames_report_(frames, KA_MISUSE_WRONG_SIZE, frame.number,
                      order <= KA_FRAME_MAX_ORDER ? UINT64_C(1) << order : 0);
    return false;
}
