/* heap/hardened.c: the paths of a hardened heap: it has no magazines, so every block comes from here.
 *
 * A block that is not in its slab belongs to somebody: so the slab's bit is an allocated bit, and a double free is seen
 * at once. What is freed is cleared and then kept aside for as many more frees as `delayed` has places; those blocks
 * are looked for there, as their bits do not tell. (A second free while another CPU frees the same block, or has the
 * free ones of its word in hand, is seen when the block leaves.) An allocation takes the up to 64 free blocks of one
 * word, keeps one by chance and puts the others back.
 *
 * Not random: which slab is used, and where runs of pages lie. The ideas are those of OpenBSD's malloc and
 * hardened_malloc.
 */
#include "base/mem.h"
#include "heap/core.h"

/* splitmix64 over a counter: one atomic step, any context. */
static uint64_t random_next(ka_heap *heap)
{
    uint64_t z = ka_fetch_add_64(&heap->table->random, UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void *batch_pick(ka_heap *heap, ka_slab_batch *batch)
{
    uint64_t bits = batch->bits;
    for (unsigned n = (unsigned)((random_next(heap) >> 32) * ka_count_bits(bits) >> 32); n > 0; n--)
        bits &= bits - 1;
    unsigned bit = ka_lowest_bit(bits);
    batch->bits &= ~(UINT64_C(1) << bit);
    return (void *)(batch->first + (uintptr_t)bit * batch->size);
}

void *ka_heap_hardened_alloc(ka_heap *heap, unsigned class, ka_flags flags)
{
    ka_slab_batch batch;
    if (!ka_heap_blocks_take(heap, class, 64, flags, &batch)) {
        ka_heap_delayed_flush(heap);
        ka_heap_gather(heap, flags);
        if (!ka_heap_blocks_take(heap, class, 64, flags, &batch))
            return NULL;
    }
    void *block = batch_pick(heap, &batch);
    ka_heap_batch_put(heap, &batch);
    return block;
}

static void delayed_put(ka_heap *heap, void *block)
{
    ka_slab_place place;
    if (block == NULL)
        return;
    const ka_segment *segment = ka_heap_own_segment(heap, block);
    if (ka_slab_find(&segment->slabs, (uintptr_t)block, &place) == KA_SLAB_FINE)
        ka_heap_blocks_put(heap, place.class, &block, 1, NULL);
}

void ka_heap_delayed_flush(ka_heap *heap)
{
    for (unsigned i = 0; heap->hardened && i < KA_HEAP_DELAYED; i++)
        if (ka_load_relaxed_ptr(&heap->table->delayed[i]) != 0)
            delayed_put(heap, (void *)ka_exchange_ptr(&heap->table->delayed[i], 0));
}

size_t ka_heap_delayed_bytes(const ka_heap *heap, size_t *blocks)
{
    size_t bytes = 0;
    for (unsigned i = 0; heap->hardened && i < KA_HEAP_DELAYED; i++) {
        uintptr_t block = ka_load_relaxed_ptr(&heap->table->delayed[i]);
        size_t size = block == 0 ? 0 : ka_heap_usable(heap, (void *)block);
        bytes += size;
        *blocks += size != 0;
    }
    return bytes;
}

static bool is_delayed(const ka_heap *heap, const void *block)
{
    for (unsigned i = 0; i < KA_HEAP_DELAYED; i++)
        if (ka_load_relaxed_ptr(&heap->table->delayed[i]) == (uintptr_t)block)
            return true;
    return false;
}

void ka_heap_hardened_free(ka_heap *heap, unsigned class, void *block, const void *site)
{
    const ka_segment *segment = ka_heap_segment_of(heap, block);
    size_t size = ka_heap_class_size(heap, class);
    ka_slab_place place;
    if (segment == NULL || ka_slab_find(&segment->slabs, (uintptr_t)block, &place) != KA_SLAB_FINE ||
        place.class != class) {
        ka_heap_report(heap, ka_heap_misuse_of(heap, segment, block), block, size, site);
        return;
    }
    if (ka_slab_is_free(&segment->slabs, &place) || is_delayed(heap, block)) {
        ka_heap_report(heap, KA_MISUSE_DOUBLE_FREE, block, size, site);
        return;
    }
    ka_clear(block, size);
    if (size * KA_HEAP_DELAYED <= ka_load_relaxed_ptr(&heap->held) / 16) {
        uint32_t at = ka_fetch_add_32(&heap->table->delayed_next, 1) % KA_HEAP_DELAYED;
        delayed_put(heap, (void *)ka_exchange_ptr(&heap->table->delayed[at], (uintptr_t)block));
    } else {
        ka_heap_blocks_put(heap, class, &block, 1, site);
    }
}
