/* heap.c: see heap.h. */
#include "ports/bare/heap.h"

#include <ka_port.h>

#include "ports/bare/cpus.h"
#include "ports/bare/frames.h"
#include "ports/bare/paging.h"

#define PAGE ((size_t)1 << KA_PORT_PAGE_SHIFT)

/* Free bytes that the heap keeps committed when it trims itself: what interrupts and NMIs live on. */
#define KEEP ((size_t)1 << 20)

ka_heap bare_heap;
ka_allocator *const ka_kernel = &bare_heap.allocator;

static bool pages_commit(void *context, void *base, size_t size, bool *zeroed)
{
    (void)context;
    *zeroed = false;
    return bare_map(base, size / PAGE, BARE_WRITE) == BARE_MAP_OK;
}

static bool pages_decommit(void *context, void *base, size_t size)
{
    (void)context;
    return bare_unmap(base, size / PAGE) == BARE_MAP_OK;
}

typedef struct asked {
    void (*call)(void *argument);
    void *argument;
} asked;

static void call_and_flush(void *context)
{
    const asked *what = context;
    what->call(what->argument);
    bare_frames_flush();
}

/* The heap asks before it refuses: frames that CPUs have in store are worth as much to it as their blocks. */
static bool call_all(void (*call)(void *argument), void *argument)
{
    asked what = { call, argument };
    bare_cpus_call(call_and_flush, &what);
    return true;
}

const ka_page_source bare_pages = {
    .contexts = KA_NOWAIT | KA_ATOMIC,
    .commit = pages_commit,
    .decommit = pages_decommit,
};

/* One segment for all: its record is made at once, so that later refusals take no frames for another's. */
bool bare_heap_start(void)
{
    unsigned shift = 28;
    while ((size_t)1 << shift < BARE_HEAP_MIN || (size_t)1 << shift < bare_frames_total() * PAGE)
        shift++;
    ka_heap_options options = {
        .name = "kernel",
        .source = &bare_pages,
        .base = (void *)BARE_HEAP_BASE,
        .size = (size_t)1 << shift,
        .segment_shift = shift,
        .keep = KEEP,
        .cross_call = call_all,
    };
    return ka_heap_init(&bare_heap, &options);
}
