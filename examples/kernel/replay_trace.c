/* replay_trace.c: what a real program asked of its allocator, asked of the kernel's heap. The table of slots lies in
 * frames of its own, so that the heap's figures are the program's alone. */
#include "steps.h"

#include "base/mem.h"
#include "ports/bare/console.h"
#include "ports/bare/frames.h"
#include "ports/bare/region.h"
#include "show.h"
#include "tools/trace/replay.h"
#include "tools/trace/trace.h"

#include <ka_port.h>

enum { PAGE = 1 << KA_PORT_PAGE_SHIFT };

static bool print_error(const trace_error *error)
{
    if (error->operation == TRACE_IN_HEADER)
        bare_print("  trace: %s\n", error->what);
    else
        bare_print("  trace: operation %u: %s\n", error->operation, error->what);
    return false;
}

/* The slots, cleared; NULL if there are not enough frames in a row. */
static trace_slot *slots_new(const trace *t, bare_frame *first, size_t *pages)
{
    *pages = (t->slots * sizeof(trace_slot) + PAGE) / PAGE;
    *first = bare_frames_take(*pages);
    if (first->number == 0)
        return NULL;
    ka_clear(bare_frame_memory(*first), *pages * PAGE);
    return bare_frame_memory(*first);
}

static void print_summary(const trace *t, const trace_summary *sum)
{
    show_text a, b, c, d;
    bare_print("  operations   %12s: %s allocs, %s frees, %s resizes\n", show_number(&a, t->operations),
               show_number(&b, sum->allocs), show_number(&c, sum->frees), show_number(&d, sum->resizes));
    bare_print("  slots        %12s\n", show_number(&a, t->slots));
    bare_print("  peak         %12s bytes asked for, at operation %s\n", show_number(&a, sum->peak),
               show_number(&b, sum->peak_at));
    bare_print("  largest      %12s bytes; alignment up to %zu\n\n", show_number(&a, sum->largest), sum->largest_align);
}

/* A block's age: in which tenth of the trace it was made. */
static char age_mark(void *context, const void *block, size_t size)
{
    const replay *r = context;
    uint32_t maker = replay_maker(block, size);
    return maker >= r->t->operations ? '?' : (char)('0' + (uint64_t)maker * 10 / r->t->operations);
}

static void print_end(const replay *r, uint32_t left_blocks, size_t left_bytes)
{
    show_text a, b;
    bare_print("\n  replayed     %12s operations; every block was aligned and kept its contents\n",
               show_number(&a, r->next));
    bare_print("  stamped      %12s bytes, all verified\n", show_number(&a, r->stamped));
    bare_print("  never freed  %12s bytes in %s blocks, by the program itself\n", show_number(&a, left_bytes),
               show_number(&b, left_blocks));
}

static bool replay_whole(replay *r, const trace_summary *sum, trace_error *error)
{
    uint32_t left_blocks;
    if (!replay_run(r, r->t->operations == 0 ? 0 : sum->peak_at + 1, error))
        return false;
    show_heap("at the program's peak");
    show_picture(age_mark, r);
    show_legend("0 to 9 the tenth of the trace in which a block was made   . free");
    if (!replay_run(r, UINT32_MAX, error))
        return false;
    show_heap("at the program's end");
    size_t left_bytes = r->live;
    if (!replay_end(r, &left_blocks, error))
        return false;
    print_end(r, left_blocks, left_bytes);
    return true;
}

static bool replay_on_heap(const trace *t, trace_slot *slots)
{
    trace_summary sum;
    trace_error error;
    if (!trace_validate(t, slots, &sum, &error))
        return print_error(&error);
    print_summary(t, &sum);
    replay r;
    replay_init(&r, t, bare_region, slots);
    if (!replay_whole(&r, &sum, &error)) {
        show_heap("when it failed");
        return print_error(&error);
    }
    const char *broken = ka_check(bare_region);
    if (broken != NULL || ka_get_stats(bare_region).live != 0) {
        bare_print("  the heap is not as it should be: %s\n", broken != NULL ? broken : "blocks are live");
        return false;
    }
    bare_print("  Nothing is live, and the heap is sound.\n");
    return true;
}

bool replay_trace(bare_range file)
{
    trace t;
    trace_error error;
    bare_frame first;
    size_t pages;
    show_heading("A real program's allocations");
    if (!trace_open(&t, (const void *)(uintptr_t)file.base, (size_t)file.size, &error))
        return print_error(&error);
    trace_slot *slots = slots_new(&t, &first, &pages);
    if (slots == NULL) {
        bare_print("  trace: no memory for a table of %u slots\n", t.slots);
        return false;
    }
    bool good = replay_on_heap(&t, slots);
    bare_frames_give(first, pages);
    return good;
}
