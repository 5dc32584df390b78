/* heap/heap_life.c: a heap's beginning and end. */
#include <ka/handler.h>
#include <ka/heap.h>

#include "base/mem.h"
#include "heap/core.h"

/* Heaps below this many bytes for each CPU keep nothing in magazines. */
#define MAGAZINE_MIN_SHARE ((size_t)4 << 20)
#define MAGAZINE_BYTES     ((size_t)64 << 10)
#define PARK_BYTES         ((size_t)1 << 20)

static bool options_valid(const ka_heap_options *o, unsigned page_shift, unsigned segment_shift)
{
    size_t page = (size_t)1 << (page_shift & 31);
    if (page_shift < KA_CLASS_MIN_PAGE_SHIFT || page_shift > KA_CLASS_MAX_PAGE_SHIFT)
        return false;
    if (segment_shift < 21 || segment_shift > 34 || segment_shift - page_shift > 23)
        return false;
    if (o->size < KA_HEAP_MIN_SIZE || o->size > (size_t)PTRDIFF_MAX || o->size >> segment_shift > UINT32_MAX / 2)
        return false;
    if (o->base == NULL)
        return o->source != NULL && o->source->reserve != NULL && o->source->commit != NULL;
    return (uintptr_t)o->base % page == 0 && o->size <= UINTPTR_MAX - (uintptr_t)o->base &&
           (o->source == NULL || o->source->commit != NULL);
}

bool ka_heap_init(ka_heap *heap, const ka_heap_options *options)
{
    unsigned page_shift = options->page_shift != 0 ? options->page_shift : KA_PORT_PAGE_SHIFT;
    unsigned segment_shift = options->segment_shift != 0 ? options->segment_shift : 25;
    if (!options_valid(options, page_shift, segment_shift))
        return false;
    /* A program's malloc may be called while its heap is made: such calls find no magazines and wait there. */
    heap->magazines = ka_no_slots;
    ka_clear(heap, offsetof(ka_heap, magazines));
    heap->allocator.ops = &ka_heap_ops;
    heap->name = options->name != NULL ? options->name : "heap";
    heap->has_source = options->source != NULL;
    if (heap->has_source)
        heap->source = *options->source;
    heap->zeroed = options->zeroed && !heap->has_source;
    heap->page_shift = page_shift;
    heap->segment_shift = segment_shift;
    heap->keep = options->keep;
    heap->map_all = options->map_all;
    heap->size = ka_round_down(options->size, (size_t)1 << page_shift);
    heap->reserved_here = options->base == NULL;
    heap->base = (uintptr_t)options->base;
    if (heap->reserved_here)
        heap->base = (uintptr_t)heap->source.reserve(heap->source.context, heap->size, (size_t)1 << segment_shift);
    if (heap->base == 0)
        return false;
    heap->segment_limit = (uint32_t)((heap->size - 1) >> segment_shift) + 1;
    bool small = heap->size < (size_t)16 << 20;
    if (!ka_heap_table_make(heap, small ? 1 : 16)) {
        if (heap->reserved_here && heap->source.unreserve != NULL)
            heap->source.unreserve(heap->source.context, (void *)heap->base, heap->size);
        return false;
    }
    size_t share = heap->size / ka_max(ka_port_cpu_count(), 1);
    if (share >= MAGAZINE_MIN_SHARE) {
        heap->table->magazine_bytes = (uint32_t)ka_min(share / 64, MAGAZINE_BYTES);
        heap->table->park_pages = (uint32_t)(ka_min(share / 64, PARK_BYTES) >> page_shift);
    }
    return true;
}

typedef struct leaks {
    ka_heap *heap;
    size_t count;
} leaks;

static bool report_leak(void *context, const void *block, size_t size, bool live)
{
    leaks *l = context;
    if (live) {
        l->count++;
        ka_report_misuse(KA_MISUSE_LEAK, &l->heap->allocator, block, size, NULL);
    }
    return true;
}

size_t ka_heap_fini(ka_heap *heap)
{
    leaks l = { heap, 0 };
    (void)ka_heap_walk(heap, report_leak, &l);
    if (heap->reserved_here && heap->source.unreserve != NULL)
        heap->source.unreserve(heap->source.context, (void *)heap->base, heap->size);
    heap->magazines = ka_no_slots;
    ka_clear(heap, offsetof(ka_heap, magazines));
    return l.count;
}
