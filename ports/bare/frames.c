/* frames.c: see frames.h. Before the start there is only a list of free pieces of memory, ascending. */
#include "ports/bare/frames.h"

#include <ka/handler.h>
#include <ka_port.h>

#include "base/assert.h"
#include "base/math.h"
#include "base/mem.h"
#include "heap/frame_cache.h"
#include "ports/bare/cpus.h"

enum { PAGE = 1 << KA_ARCH_PAGE_SHIFT, PIECES = 128 };

ka_frames bare_frame_engine;

static ka_frame_range pieces[PIECES];
static unsigned piece_count;
static bool started;

static ka_frame_cache cache;
static _Alignas(64) ka_frame_slot slots[KA_PORT_MAX_CPUS];

/* ---- before the start ---- */

static void piece_remove(unsigned at)
{
    piece_count--;
    ka_move(&pieces[at], &pieces[at + 1], (piece_count - at) * sizeof *pieces);
}

static void piece_insert(uint64_t first, uint64_t count, unsigned node)
{
    unsigned at = 0;
    if (piece_count == PIECES) {
        ka_log("frames: more than %d pieces of memory; %llu frames are not used", PIECES, (unsigned long long)count);
        return;
    }
    while (at < piece_count && pieces[at].first < first)
        at++;
    ka_move(&pieces[at + 1], &pieces[at], (piece_count - at) * sizeof *pieces);
    pieces[at] = (ka_frame_range){ first, count, node };
    piece_count++;
}

/* Takes frames [first, end) out of all pieces. */
static void pieces_cut(uint64_t first, uint64_t end)
{
    for (unsigned at = 0; at < piece_count;) {
        uint64_t from = pieces[at].first, to = from + pieces[at].count;
        unsigned node = pieces[at].node;
        if (to <= first || end <= from) {
            at++;
            continue;
        }
        piece_remove(at);
        if (from < first)
            piece_insert(from, first - from, node);
        if (end < to)
            piece_insert(end, to - end, node);
    }
}

static uint64_t direct_end(uint64_t base, uint64_t size)
{
    return base + size < base || base + size > KA_ARCH_DIRECT_END ? KA_ARCH_DIRECT_END : base + size;
}

void bare_frames_add(uint64_t base, uint64_t size)
{
    uint64_t first = base / PAGE + (base % PAGE != 0), end = direct_end(base, size) / PAGE;
    KA_ASSERT(!started);
    if (first >= end)
        return;
    pieces_cut(first, end);
    piece_insert(first, end - first, 0);
}

/* A piece that lies across the edge is cut there first, so that all of it is of one node. */
void bare_frames_set_node(uint64_t base, uint64_t size, unsigned node)
{
    uint64_t first = base / PAGE, end = direct_end(base, size) / PAGE;
    KA_ASSERT(!started);
    for (unsigned at = 0; at < piece_count; at++) {
        ka_frame_range *piece = &pieces[at];
        uint64_t from = ka_max(piece->first, first), to = ka_min(piece->first + piece->count, end);
        if (from >= to || piece->node == node)
            continue;
        pieces_cut(from, to);
        piece_insert(from, to - from, node);
    }
}

void bare_frames_reserve(uint64_t base, uint64_t size)
{
    uint64_t end = direct_end(base, size);
    KA_ASSERT(!started);
    if (base < end)
        pieces_cut(base / PAGE, (end + PAGE - 1) / PAGE);
}

/* The engine takes so many pieces; the smallest give way. */
static void pieces_limit(void)
{
    while (piece_count > KA_FRAME_ZONES) {
        unsigned least = 0;
        for (unsigned i = 1; i < piece_count; i++)
            if (pieces[i].count < pieces[least].count)
                least = i;
        ka_log("frames: too many pieces of memory; %llu frames are not used", (unsigned long long)pieces[least].count);
        piece_remove(least);
    }
}

/* Memory for the engine: the end of the largest piece. */
static void *engine_memory(size_t size)
{
    uint64_t count = (size + PAGE - 1) / PAGE;
    unsigned largest = 0;
    for (unsigned i = 1; i < piece_count; i++)
        if (pieces[i].count > pieces[largest].count)
            largest = i;
    if (size == SIZE_MAX || pieces[largest].count <= count)
        ka_port_panic("frames: no memory to begin with", __FILE__, __LINE__);
    pieces[largest].count -= count;
    void *memory = bare_frame_memory(ka_frame_of(pieces[largest].first + pieces[largest].count));
    ka_clear(memory, count * PAGE);
    return memory;
}

void bare_frames_start(void)
{
    KA_ASSERT(!started);
    pieces_limit();
    void *memory = engine_memory(ka_frames_size(pieces, piece_count, KA_FRAMES_TRACK));
    if (!ka_frames_init(&bare_frame_engine, pieces, piece_count, memory, KA_FRAMES_TRACK))
        ka_port_panic("frames: the memory map is not in order", __FILE__, __LINE__);
    ka_frame_cache_init(&cache, &bare_frame_engine, slots, KA_PORT_MAX_CPUS);
    for (unsigned number = 0; number < KA_PORT_MAX_CPUS; number++)
        ka_frame_cache_set_node(&cache, number + 1, bare_cpu_node(number));
    started = true;
}

/* ---- from the start on ---- */

static bare_frame frame_or_0(ka_frame frame)
{
    return ka_is_frame(frame) ? frame : ka_frame_of(0);
}

bare_frame bare_frame_take(void)
{
    return frame_or_0(ka_frame_cache_get(&cache));
}

bare_frame bare_frames_take(size_t count)
{
    ka_frame first = ka_frames_get_run(&bare_frame_engine, count, NULL);
    if (!ka_is_frame(first) && ka_frame_cache_flush(&cache)) /* what this CPU has in store may complete it */
        first = ka_frames_get_run(&bare_frame_engine, count, NULL);
    return frame_or_0(first);
}

void bare_frames_give(bare_frame first, size_t count)
{
    bool done = count == 1 ? ka_frame_cache_put(&cache, first) : ka_frames_put_run(&bare_frame_engine, first, count);
    KA_ASSERT(done);
}

void bare_frames_flush(void)
{
    (void)ka_frame_cache_flush(&cache);
}

size_t bare_frames_free(void)
{
    size_t free = ka_frames_census(&bare_frame_engine).free;
    for (unsigned i = 0; i < KA_PORT_MAX_CPUS; i++)
        free += ka_frames_cpu_kept(&slots[i].cpu);
    return free;
}

size_t bare_frames_total(void)
{
    return ka_frames_census(&bare_frame_engine).total;
}

void *bare_frame_memory(bare_frame frame)
{
    return (void *)(uintptr_t)(frame.number << KA_ARCH_PAGE_SHIFT);
}
