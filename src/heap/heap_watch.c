/* heap/heap_watch.c: what only looks at a heap: walk, statistics, check. */
#include "heap/core.h"
#include "heap/fast.h"

/* The magazines of a slot, or NULL. */
static ka_magazines *magazines_of(const ka_heap *heap, unsigned slot)
{
    ka_magazines *m = ka_heap_magazines_of(heap, slot);
    return m == &ka_no_magazines ? NULL : m;
}

/* The heap's own runs: magazines of a CPU. Quiet. */
static bool is_own_run(const ka_heap *heap, const void *run)
{
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++) {
        const ka_magazines *m = magazines_of(heap, slot);
        if (m != NULL && m->run == run)
            return true;
    }
    for (const ka_magazines *m = (ka_magazines *)heap->retired; m != NULL; m = m->next_retired)
        if (m->run == run)
            return true;
    return false;
}

static bool walk_slab(const ka_heap *heap, const ka_segment *segment, uint32_t page, ka_visit *visit, void *context)
{
    unsigned class = ka_page_slab_class(segment->slabs.pages[page]);
    const ka_class *c = &heap->table->classes.of[class];
    char *first = ka_segment_page_at(heap, segment, page);
    for (uint32_t i = 0; i < c->blocks; i++) {
        ka_slab_place place = { page, i, class };
        if (!visit(context, first + (size_t)i * c->size, c->size, !ka_slab_is_free(&segment->slabs, &place)))
            return false;
    }
    size_t rest = ((size_t)c->pages << heap->page_shift) - (size_t)c->blocks * c->size;
    return rest == 0 || visit(context, first + (size_t)c->blocks * c->size, rest, false);
}

static bool walk_segment(const ka_heap *heap, const ka_segment *segment, ka_visit *visit, void *context)
{
    for (uint32_t page = 0, pages; page < segment->page_count; page += pages) {
        uint32_t descriptor = segment->slabs.pages[page];
        void *start = ka_segment_page_at(heap, segment, page);
        pages = 1;
        if (ka_page_is_slab(descriptor)) {
            pages = heap->table->classes.of[ka_page_slab_class(descriptor)].pages;
            if (!walk_slab(heap, segment, page, visit, context))
                return false;
        } else if (ka_page_is_parked(descriptor)) { /* by a CPU whose magazines were busy */
            pages = ka_page_run_pages(descriptor);
            if (!visit(context, start, (size_t)pages << heap->page_shift, false))
                return false;
        } else if (ka_page_is_run(descriptor)) {
            pages = ka_page_run_pages(descriptor);
            if (!is_own_run(heap, start) && !visit(context, start, (size_t)pages << heap->page_shift, true))
                return false;
        } else {
            while (page + pages < segment->page_count && segment->slabs.pages[page + pages] == KA_PAGE_IDLE)
                pages++;
            if (!visit(context, start, (size_t)pages << heap->page_shift, false))
                return false;
        }
    }
    return true;
}

bool ka_heap_walk(ka_heap *heap, ka_visit *visit, void *context)
{
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++)
        (void)ka_heap_flush_slot(heap, slot);
    ka_heap_delayed_flush(heap);
    uint32_t at = 0;
    KA_HEAP_EACH_SEGMENT (heap, segment, at) {
        if (!walk_segment(heap, segment, visit, context))
            return false;
    }
    return true;
}

size_t ka_heap_free_committed(const ka_heap *heap)
{
    size_t pages = 0;
    uint32_t at = 0;
    KA_HEAP_EACH_SEGMENT (heap, segment, at) {
        ka_runs_stats census;
        ka_runs_census(&segment->runs, &census);
        pages += census.free_committed;
    }
    return pages << heap->page_shift;
}

/* What the heap keeps for later, and what it has counted. */
typedef struct kept {
    size_t bytes, blocks; /* in magazines */
    size_t own_runs;      /* with the magazines themselves */
    size_t outside, peak;
} kept;

/* Other CPUs go on meanwhile. A thread may end: its magazines stay readable as long as there are watchers. */
static kept kept_now(ka_heap *heap)
{
    kept k = { 0 };
    uintptr_t top = 0;
    k.bytes = ka_heap_delayed_bytes(heap, &k.blocks);
    (void)ka_fetch_add_32(&heap->watchers, 1);
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++) {
        const ka_magazines *m = magazines_of(heap, slot);
        if (m == NULL)
            continue;
        for (unsigned class = 0; class < KA_CLASS_COUNT; class++) {
            uint32_t length = ka_magazine_length(m, ka_magazine_of_class(class));
            if (length > MAGAZINE_SLOTS)
                continue; /* the array is just moving */
            k.blocks += length;
            k.bytes += (size_t)length * heap->table->classes.of[class].size;
        }
        k.bytes += (size_t)ka_load_relaxed_32(&m->parked_pages) << heap->page_shift;
        k.own_runs++;
        uintptr_t here = ka_load_relaxed_ptr(&m->outside_top);
        top = (ptrdiff_t)here > (ptrdiff_t)top ? here : top;
    }
    k.outside = ka_heap_outside(heap);
    if ((ptrdiff_t)k.outside < 0) /* parts of different moments */
        k.outside = 0;
    k.peak = ka_max(ka_load_relaxed_ptr(&heap->peak), k.outside);
    top += ka_load_relaxed_ptr(&heap->outside);
    if ((ptrdiff_t)top > (ptrdiff_t)k.peak)
        k.peak = top;
    (void)ka_fetch_add_32(&heap->watchers, UINT32_MAX);
    ka_heap_retired_release(heap);
    return k;
}

static void segment_stats(const ka_heap *heap, const ka_segment *segment, ka_stats *s)
{
    ka_runs_stats census;
    ka_runs_census(&segment->runs, &census);
    s->total += (size_t)segment->page_count << heap->page_shift;
    uint32_t open = ka_load_acquire_32(&segment->runs.open);
    size_t unopened = segment->page_count - open;
    s->largest_free = ka_max(s->largest_free, ka_max(census.longest, unopened) << heap->page_shift);
    for (uint32_t page = 0; page < open; page++) {
        uint32_t descriptor = ka_load_relaxed_32(&segment->slabs.pages[page]);
        s->live_blocks += ka_page_is_run(descriptor);
        if (!ka_page_is_slab_first(descriptor))
            continue;
        uint32_t free = ka_slab_count_free(&segment->slabs, page);
        s->free_blocks += free;
        s->live_blocks += heap->table->classes.of[ka_page_slab_class(descriptor)].blocks - free;
    }
}

void ka_heap_stats(const ka_heap *heap, ka_stats *out)
{
    ka_stats s = { 0 };
    uint32_t at = 0;
    KA_HEAP_EACH_SEGMENT (heap, segment, at) {
        segment_stats(heap, segment, &s);
    }
    kept k = kept_now((ka_heap *)heap);
    s.live = ka_min(k.outside - ka_min(k.bytes, k.outside), s.total); /* other CPUs may go on meanwhile */
    s.live_blocks -= ka_min(k.blocks + k.own_runs, s.live_blocks);
    s.free_blocks += k.blocks;
    s.peak = k.peak;
    s.free = s.total - ka_min(s.live, s.total);
    s.overhead = ka_load_relaxed_ptr(&heap->held) - s.total;
    if (s.free >> heap->page_shift != 0)
        s.fragmentation = (unsigned)(1000 - (s.largest_free >> heap->page_shift) * 1000 / (s.free >> heap->page_shift));
    *out = s;
}

/* ---- check ---- */

static const char *check_magazine(const ka_heap *heap, const ka_magazines *m, unsigned number)
{
    if (m->bottom[number][-1] != NULL)
        return "no NULL stands below a magazine's bottom";
    size_t room = number == 0 ? 0 : ka_magazine_room(m, number);
    if (m->top[number] < m->bottom[number] || m->top[number] > m->end[number] ||
        m->end[number] > m->bottom[number] + room)
        return "a magazine's top or end lies outside of it";
    for (void **slot = m->bottom[number]; slot < m->top[number]; slot++) {
        const ka_segment *segment = ka_heap_segment_of(heap, *slot);
        ka_slab_place place;
        if (segment == NULL || ka_slab_find(&segment->slabs, (uintptr_t)*slot, &place) != KA_SLAB_FINE)
            return "a magazine holds something that is no block of this heap";
        if (ka_magazine_of_class(place.class) != number)
            return "a magazine holds a block of another class";
        if (ka_slab_is_free(&segment->slabs, &place))
            return "a block in a magazine is also free in its slab";
    }
    return NULL;
}

/* The bit of a block that lies in a magazine is clear in its slab. Sets, or clears, those of the first `most` blocks up
 * to one whose bit is so already: a block that lies in two places. Returns how many. */
static size_t mark_magazines(const ka_heap *heap, bool set, size_t most)
{
    size_t done = 0;
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++) {
        const ka_magazines *m = magazines_of(heap, slot);
        for (unsigned number = 0; m != NULL && number < KA_MAGAZINE_COUNT; number++) {
            for (void **at = m->bottom[number]; at < m->top[number]; at++, done++) {
                ka_segment *segment = ka_heap_own_segment(heap, *at);
                ka_slab_place place;
                if (done == most || ka_slab_find(&segment->slabs, (uintptr_t)*at, &place) != KA_SLAB_FINE ||
                    !ka_slab_mark(&segment->slabs, &place, set))
                    return done;
            }
        }
    }
    return done;
}

/* After check_magazine has found nothing in any of them. */
static const char *check_doubled(const ka_heap *heap)
{
    size_t blocks = 0;
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++) {
        const ka_magazines *m = magazines_of(heap, slot);
        for (unsigned number = 0; m != NULL && number < KA_MAGAZINE_COUNT; number++)
            blocks += ka_magazine_length(m, number);
    }
    size_t marked = mark_magazines(heap, true, SIZE_MAX);
    (void)mark_magazines(heap, false, marked);
    return marked != blocks ? "a block lies in two magazines, or twice in one" : NULL;
}

const char *ka_heap_check(const ka_heap *heap)
{
    const char *broken = ka_classes_check(&heap->table->classes);
    size_t outside = 0;
    uint32_t at = 0;
    KA_HEAP_EACH_SEGMENT (heap, segment, at) {
        if (broken != NULL)
            break;
        broken = ka_slabs_check(&segment->slabs);
        if (ka_heap_segment_of(heap, (void *)segment->base) != segment)
            broken = "a segment is not found by its address";
        if (broken == NULL)
            broken = ka_runs_check(&segment->runs);
        for (uint32_t page = 0; page < segment->runs.open && broken == NULL; page++) {
            uint32_t descriptor = segment->slabs.pages[page];
            if (ka_page_is_parked(descriptor) ||
                (ka_page_is_run(descriptor) && !is_own_run(heap, ka_segment_page_at(heap, segment, page))))
                outside += (size_t)ka_page_run_pages(descriptor) << heap->page_shift;
            if (ka_page_is_slab_first(descriptor)) {
                const ka_class *c = &heap->table->classes.of[ka_page_slab_class(descriptor)];
                outside += (size_t)(c->blocks - ka_slab_count_free(&segment->slabs, page)) * c->size;
            }
        }
    }
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++) {
        const ka_magazines *m = magazines_of(heap, slot);
        for (unsigned number = 0; m != NULL && number < KA_MAGAZINE_COUNT && broken == NULL; number++)
            broken = check_magazine(heap, m, number);
    }
    if (broken == NULL)
        broken = check_doubled(heap);
    if (broken == NULL && outside != ka_heap_outside(heap))
        broken = "the count of bytes outside of slabs is wrong";
    return broken;
}
