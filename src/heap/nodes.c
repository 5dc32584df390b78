/* heap/nodes.c: memory that is nearer to some CPUs than to others.
 *
 * A segment is one node's, so a slab and a run are, too, and the node of a block is found as its segment is. A heap
 * that knows several nodes (the option `nodes`)
 * - refills from slabs of the CPU's node, then makes a slab there, then takes what other nodes have;
 * - makes segments for the node that needs one; its source is asked for that node's memory;
 * - puts blocks back where they came from when a magazine is flushed: their bits lie there. A magazine that is full
 *   gives its strangers back first, and runs of other nodes are not parked. Until then a CPU may hand out again what it
 *   freed: a block that is in its caches is near.
 * When all nodes say no, any memory is taken behind any segment's addresses: the heap is bounded by its size, not by
 * its nodes. Such pages count as the segment's node's.
 *
 * A heap with one node pays nothing: no port is asked, and each loop over segments has one comparison more.
 */
#include "base/assert.h"
#include "heap/core.h"

uint32_t ka_heap_node_here(const ka_heap *heap)
{
    if (KA_LIKELY(heap->nodes <= 1))
        return KA_ANY_NODE;
    unsigned node = ka_port_node();
    return node < heap->nodes ? node : heap->node;
}

/* ---- the source ---- */

bool ka_heap_commit_on(const ka_heap *heap, uintptr_t base, size_t size, uint32_t node, bool *zeroed)
{
    const ka_page_source *source = &heap->source;
    if (heap->nodes > 1 && node != KA_ANY_NODE && source->commit_on != NULL)
        return source->commit_on(source->context, (void *)base, size, node, zeroed);
    return source->commit(source->context, (void *)base, size, zeroed);
}

static bool near_commit(void *context, void *base, size_t size, bool *zeroed)
{
    const ka_segment *segment = context;
    const ka_heap *heap = segment->heap;
    if (ka_heap_commit_on(heap, (uintptr_t)base, size, segment->node, zeroed))
        return true;
    *zeroed = false;
    return ka_load_relaxed_32(&heap->table->anywhere) != 0 &&
           ka_heap_commit_on(heap, (uintptr_t)base, size, KA_ANY_NODE, zeroed);
}

static bool near_decommit(void *context, void *base, size_t size)
{
    const ka_page_source *source = &((const ka_segment *)context)->heap->source;
    return source->decommit(source->context, base, size);
}

const ka_page_source *ka_segment_source(ka_heap *heap, ka_segment *segment)
{
    if (!heap->has_source)
        return NULL;
    if (heap->nodes == 1 || heap->source.commit_on == NULL)
        return &heap->source;
    segment->source = heap->source;
    segment->source.context = segment;
    segment->source.commit = near_commit;
    if (heap->source.decommit != NULL)
        segment->source.decommit = near_decommit;
    return &segment->source;
}

/* ---- flush ---- */

uint32_t ka_heap_strangers_first(const ka_heap *heap, void **blocks, uint32_t count)
{
    uint32_t node = ka_heap_node_here(heap), strangers = 0;
    if (node == KA_ANY_NODE)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        void *block = blocks[i];
        const ka_segment *segment = ka_heap_segment_of(heap, block);
        if (segment == NULL || ka_segment_is_on(segment, node))
            continue;
        blocks[i] = blocks[strangers];
        blocks[strangers++] = block;
    }
    return strangers;
}

/* ---- to look at ---- */

void ka_heap_count_refill(ka_heap *heap, uint32_t node, const ka_segment *segment)
{
    ka_heap_refills *refills = &heap->table->refills[node];
    (void)ka_fetch_add_64(ka_segment_is_on(segment, node) ? &refills->home : &refills->away, 1);
}

unsigned ka_heap_node_of(const ka_heap *heap, const void *block)
{
    const ka_segment *segment = ka_heap_segment_of(heap, block);
    return segment == NULL ? KA_NO_NODE : ka_load_relaxed_32(&segment->node);
}

static void add_segment(const ka_heap *heap, const ka_segment *segment, ka_heap_node *s)
{
    size_t live = 0, total = (size_t)segment->page_count << heap->page_shift;
    uint32_t open = ka_load_acquire_32(&segment->runs.open);
    for (uint32_t page = 0; page < open; page++) {
        uint32_t descriptor = ka_load_relaxed_32(&segment->slabs.pages[page]);
        if (ka_page_is_slab_first(descriptor)) {
            const ka_class *c = &heap->table->classes.of[ka_page_slab_class(descriptor)];
            live += (size_t)(c->blocks - ka_min(ka_slab_count_free(&segment->slabs, page), c->blocks)) * c->size;
        } else if (ka_page_is_run(descriptor) || ka_page_is_parked(descriptor)) {
            live += (size_t)ka_page_run_pages(descriptor) << heap->page_shift;
        }
    }
    s->total += total;
    s->live += ka_min(live, total);
    s->free += total - ka_min(live, total);
}

void ka_heap_node_stats(const ka_heap *heap, unsigned node, ka_heap_node *out)
{
    *out = (ka_heap_node){ 0 };
    if (node >= heap->nodes)
        return;
    uint32_t at = 0;
    KA_HEAP_EACH_SEGMENT (heap, segment, at) {
        if (ka_segment_is_on(segment, node))
            add_segment(heap, segment, out);
    }
    out->home = ka_load_relaxed_64(&heap->table->refills[node].home);
    out->away = ka_load_relaxed_64(&heap->table->refills[node].away);
}
