/* heap/heap_life.c: a heap's beginning and end. */
#include <ka/handler.h>
#include <ka/hash.h>
#include <ka/heap.h>

#include "base/mem.h"
#include "heap/core.h"

/* Heaps below this many bytes for each CPU keep nothing in magazines. */
#define MAGAZINE_MIN_SHARE ((size_t)4 << 20)
#define PARK_BYTES         ((size_t)1 << 20)

#define DEFAULT_CLAIMS 32u
#define MAX_FAR        ((size_t)1 << 18) /* segments outside of the range: scatter.c has 20 bits for a number */

static bool options_valid(const ka_heap_options *o, unsigned page_shift, unsigned segment_shift)
{
    size_t page = (size_t)1 << (page_shift & 31);
    if (page_shift < KA_CLASS_MIN_PAGE_SHIFT || page_shift > KA_CLASS_MAX_PAGE_SHIFT)
        return false;
    if (segment_shift < 21 || segment_shift > 34 || segment_shift - page_shift > 23)
        return false;
    if (o->size < KA_HEAP_MIN_SIZE || o->size > (size_t)PTRDIFF_MAX || o->size >> segment_shift > UINT32_MAX / 2 ||
        o->claims > MAX_FAR || o->nodes > KA_HEAP_NODES || o->node >= ka_max(o->nodes, 1))
        return false;
    if (o->scattered)
        return o->base == NULL && o->map_all == NULL && o->source != NULL && o->source->reserve != NULL &&
               o->size >> segment_shift != 0 && o->size >> segment_shift <= MAX_FAR;
    if (o->unaligned)
        return false;
    if (o->base == NULL)
        return o->source != NULL && o->source->reserve != NULL && o->source->commit != NULL;
    return (uintptr_t)o->base % page == 0 && o->size <= UINTPTR_MAX - (uintptr_t)o->base &&
           (o->source == NULL || o->source->commit != NULL);
}

/* A heap below so many bytes makes slabs as short as possible. Longer ones save steps where blocks pass through the
 * magazines, but a block that stays keeps more pages. */
static unsigned slab_min_blocks(size_t size, const ka_heap_options *options)
{
    if (size < (size_t)16 << 20)
        return 1;
    return options->compact ? 4 : 16;
}

static bool open_scattered(ka_heap *heap, const ka_heap_options *options)
{
    heap->segment_limit = (uint32_t)(options->size >> heap->segment_shift);
    return ka_heap_table_make(heap, slab_min_blocks(options->size, options));
}

static bool open_range(ka_heap *heap, const ka_heap_options *options)
{
    unsigned shift = heap->segment_shift;
    heap->size = ka_round_down(options->size, (size_t)1 << heap->page_shift);
    heap->reserved_here = options->base == NULL;
    heap->base = (uintptr_t)options->base;
    if (heap->reserved_here)
        heap->base = (uintptr_t)heap->source.reserve(heap->source.context, heap->size, (size_t)1 << shift);
    if (heap->base == 0)
        return false;
    unsigned claims = options->claims != 0 ? options->claims : DEFAULT_CLAIMS;
    size_t places = ((heap->size - 1) >> shift) + 1;
    heap->segment_limit = (uint32_t)(places <= MAX_FAR ? places + claims : places);
    if (ka_heap_table_make(heap, slab_min_blocks(heap->size, options)))
        return true;
    if (heap->reserved_here && heap->source.unreserve != NULL)
        heap->source.unreserve(heap->source.context, (void *)heap->base, heap->size);
    return false;
}

static uint64_t random_seed(const ka_heap_options *options, const ka_heap *heap)
{
    uint64_t seed = options->seed;
    if (!options->hardened || seed != 0 || ka_port_entropy(NULL, &seed, sizeof seed))
        return seed;
    return (uint64_t)(uintptr_t)heap->table; /* all that there is */
}

bool ka_heap_init(ka_heap *heap, const ka_heap_options *options)
{
    unsigned page_shift = options->page_shift != 0 ? options->page_shift : KA_PORT_PAGE_SHIFT;
    unsigned segment_shift = options->segment_shift != 0 ? options->segment_shift : 25;
    if (!options_valid(options, page_shift, segment_shift))
        return false;
    /* A program's malloc may be called while its heap is made: such calls find no magazines and wait there. */
    heap->magazines = ka_no_slots;
    heap->cell = ka_port_cell_none();
    ka_clear(heap, offsetof(ka_heap, magazines));
    heap->allocator.ops = &ka_heap_ops;
    heap->name = options->name != NULL ? options->name : "heap";
    if (options->source != NULL)
        heap->source = *options->source;
    heap->has_source = heap->source.commit != NULL;
    heap->scattered = options->scattered;
    heap->unaligned = options->unaligned;
    heap->cross_call = options->cross_call;
    heap->compact = options->compact;
    heap->hardened = options->hardened;
    heap->zeroed = options->zeroed && !heap->has_source;
    heap->page_shift = page_shift;
    heap->segment_shift = segment_shift;
    heap->keep = options->keep;
    heap->nodes = options->nodes != 0 ? options->nodes : 1;
    heap->node = options->node;
    heap->map_all = options->map_all;
    if (!(heap->scattered ? open_scattered(heap, options) : open_range(heap, options)))
        return false;
    heap->table->random = random_seed(options, heap);
    ka_heap_magazines_size(heap);
    heap->table->round_pages = heap->table->park_pages;
    if (heap->map_all == NULL && !heap->hardened) /* malloc has its magazines in thread-local storage itself */
        heap->cell = ka_port_cell_new();
    return true;
}

void ka_heap_magazines_size(ka_heap *heap)
{
    size_t most = ka_load_relaxed_ptr(&heap->held);
    if (heap->scattered)
        most = (size_t)heap->segment_limit << heap->segment_shift;
    heap->table->cpus = (uint32_t)ka_max(ka_port_cpu_count(), 1);
    size_t share = most / heap->table->cpus;
    if (heap->hardened || share < MAGAZINE_MIN_SHARE || ka_load_relaxed_ptr(&heap->table->share) != 0)
        return; /* once set it stays: the magazines that there are have their lengths from it */
    ka_store_relaxed_32(&heap->table->park_pages, (uint32_t)(ka_min(share / 64, PARK_BYTES) >> heap->page_shift));
    heap->table->count_most = share / 64;
    ka_store_relaxed_ptr(&heap->table->share, share);
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
    ka_port_cell_drop(heap->cell);
    heap->cell = ka_port_cell_none();
    heap->magazines = ka_no_slots;
    if (heap->scattered)
        ka_heap_scattered_end(heap);
    else if (heap->reserved_here && heap->source.unreserve != NULL)
        heap->source.unreserve(heap->source.context, (void *)heap->base, heap->size);
    ka_clear(heap, offsetof(ka_heap, magazines));
    return l.count;
}
