/* frame_cache_test.c: page frames through the CPU's own store on the user port, where each thread is a CPU: threads
 * that hand frames to each other, and a handler at every single instruction of gets, puts, refills and flushes
 * (step.h). Every frame carries its owner's mark. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <ka/handler.h>

#include "kit.h"

#include "base/atomic.h"
#include "base/bits.h"
#include "heap/frame_cache.h"
#include "step.h"

#define FRAMES 4096u
#define SLOTS  8u
static const ka_frame_range map = { 0, FRAMES, 0 };

static ka_frames frames;
static ka_frame_cache cache;
static _Alignas(64) ka_frame_slot slots[SLOTS];
static _Alignas(64) uint64_t metadata[2048];
static uint32_t owners[FRAMES];
static uint32_t spoiled, reports;

static void on_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                      const void *site)
{
    (void)context, (void)kind, (void)allocator, (void)block, (void)size, (void)site;
    ka_fetch_add_32(&reports, 1);
}

static void setup(void)
{
    memset(metadata, 0, sizeof metadata);
    memset(owners, 0, sizeof owners);
    if (ka_frames_size(&map, 1, KA_FRAMES_TRACK) > sizeof metadata ||
        !ka_frames_init(&frames, &map, 1, metadata, KA_FRAMES_TRACK))
        abort();
    ka_frame_cache_init(&cache, &frames, slots, SLOTS);
    ka_set_misuse_handler(on_misuse, NULL);
    spoiled = reports = 0;
}

static void own(uint64_t first, uint64_t count, uint32_t id)
{
    for (uint64_t at = first; at < first + count; at++)
        if (ka_exchange_32(&owners[at], id) != 0)
            ka_fetch_add_32(&spoiled, 1);
}

static void disown(uint64_t first, uint64_t count, uint32_t id)
{
    for (uint64_t at = first; at < first + count; at++)
        if (ka_exchange_32(&owners[at], 0) != id)
            ka_fetch_add_32(&spoiled, 1);
}

static void all_is_back(void)
{
    for (unsigned slot = 1; slot <= SLOTS; slot++)
        KIT_EXPECT(ka_frame_cache_flush_slot(&cache, slot));
    KIT_CHECK_SOUND(ka_frames_check(&frames));
    ka_frames_stats stats = ka_frames_census(&frames);
    KIT_EXPECT(stats.free == FRAMES && stats.whole == FRAMES);
    KIT_EXPECT(spoiled == 0 && reports == 0);
}

/* ---- threads ---- */

#define THREADS 3u
#define PLACES  512u
static uint64_t places[PLACES]; /* 1 + a frame that anybody may free */

static void *trade(void *argument)
{
    uint32_t id = (uint32_t)(uintptr_t)argument;
    kit_random random = { id };
    if (ka_port_slot_enter() == 0)
        ka_fetch_add_32(&spoiled, 1);
    for (unsigned i = 0; i < 100000; i++) {
        unsigned order = kit_below(&random, 200) == 0 ? 9 : 0;
        ka_frame frame = order == 0 ? ka_frame_cache_get(&cache) : ka_frame_cache_get_order(&cache, order);
        if (!ka_is_frame(frame))
            continue;
        own(frame.number, UINT64_C(1) << order, id);
        disown(frame.number, UINT64_C(1) << order, id);
        if (order != 0) {
            if (!ka_frame_cache_put_order(&cache, frame, order))
                ka_fetch_add_32(&spoiled, 1);
            continue;
        }
        own(frame.number, 1, 99);
        uint64_t other = ka_exchange_64(&places[kit_below(&random, PLACES)], frame.number + 1);
        if (other == 0)
            continue;
        disown(other - 1, 1, 99);
        (void)ka_frame_cache_put(&cache, ka_frame_of(other - 1));
    }
    (void)ka_frame_cache_flush(&cache);
    return NULL;
}

static void threads(void)
{
    pthread_t all[THREADS];
    setup();
    for (unsigned i = 0; i < THREADS; i++)
        KIT_CHECK(pthread_create(&all[i], NULL, trade, (void *)(uintptr_t)(i + 1)) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(all[i], NULL);
    for (unsigned i = 0; i < PLACES; i++)
        if (places[i] != 0) {
            disown(places[i] - 1, 1, 99);
            (void)ka_frame_cache_put(&cache, ka_frame_of(places[i] - 1));
        }
    memset(places, 0, sizeof places);
    all_is_back();
}

/* A thread without a slot of the cache's, and a cache of none. */
static void without_slots(void)
{
    setup();
    ka_frame_cache_init(&cache, &frames, slots, 0);
    ka_frame frame = ka_frame_cache_get(&cache), area = ka_frame_cache_get_order(&cache, 9);
    KIT_CHECK(ka_is_frame(frame) && ka_is_frame(area));
    KIT_EXPECT(ka_frame_cache_put(&cache, frame) && ka_frame_cache_put_order(&cache, area, 9));
    KIT_EXPECT(ka_frame_cache_flush(&cache));
    KIT_EXPECT(ka_frames_census(&frames).whole == FRAMES);
}

/* ---- a handler at every instruction ---- */

static unsigned long handlers, busy, refused;
static kit_random dice;
static ka_frame kept[8]; /* the handler's; number 0: none */

static void on_trap(int number)
{
    (void)number;
    handlers++;
    busy += slots[ka_port_slot() - 1].busy != 0;
    ka_frame frame = ka_frame_cache_get(&cache);
    if (!ka_is_frame(frame)) {
        refused++;
        return;
    }
    own(frame.number, 1, 2);
    if (kit_below(&dice, 16) == 0) {
        ka_frame *at = &kept[kit_below(&dice, KIT_COUNT(kept))], old = *at;
        *at = ka_frame_of(frame.number + 1);
        if (old.number == 0)
            return;
        frame = ka_frame_of(old.number - 1);
    }
    disown(frame.number, 1, 2);
    if (!ka_frame_cache_put(&cache, frame))
        spoiled++;
}

static void burst(unsigned count)
{
    static ka_frame held[1024];
    for (unsigned i = 0; i < count; i++) {
        step_begin();
        held[i] = ka_frame_cache_get(&cache);
        step_end();
        KIT_CHECK(ka_is_frame(held[i]));
        own(held[i].number, 1, 1);
    }
    for (unsigned i = 0; i < count; i++) {
        ka_frame frame = held[(i * 37) % count];
        disown(frame.number, 1, 1);
        step_begin();
        (void)ka_frame_cache_put(&cache, frame);
        step_end();
    }
}

static void every_instruction(void)
{
    if (!STEP_WORKS) {
        kit_skip("no handler at each instruction here");
        return;
    }
    setup();
    handlers = busy = refused = 0;
    KIT_CHECK(ka_port_slot_enter() != 0 && ka_port_slot() <= SLOTS);
    step_install(on_trap);
    for (unsigned i = 0; i < 200; i++)
        burst(1 + 2 * (i % 4));
    burst(701); /* two homes, and puts that are collected */
    for (unsigned i = 0; i < 4; i++) {
        burst(129);
        step_begin();
        (void)ka_frame_cache_flush(&cache);
        step_end();
    }
    for (unsigned i = 0; i < KIT_COUNT(kept); i++)
        if (kept[i].number != 0) {
            disown(kept[i].number - 1, 1, 2);
            (void)ka_frame_cache_put(&cache, ka_frame_of(kept[i].number - 1));
        }
    kit_note("%lu instructions, %lu with the store busy, %lu refused", handlers, busy, refused);
    KIT_EXPECT(handlers > 20000 && busy > handlers / 50);
    all_is_back();
}

static const kit_case cases[] = {
    { "threads hand frames to each other", threads },
    { "without slots", without_slots },
    { "a handler at every instruction", every_instruction },
};

int main(void)
{
    return kit_main("frame_cache", cases, KIT_COUNT(cases));
}
