/* collection/priority_queue.c: the untyped core of ka/priority_queue.h: items that stay, and a binary heap of slots.
 *
 *      items   [ f ][ . ][ a ][ k ][ c ]         an item stays in its slot until it leaves
 *      slots     2    -    0    3    1           serial, and its place in the order
 *      order   [ 2 ][ 4 ][ 0 ][ 3 ] [ 1 ]        a heap of slots, and behind it, from len on, the free ones
 *                a    c    f    k
 *
 * One block holds the three. The heap moves 4 bytes where an item may have hundreds, and tells the slot where it is
 * now; so a handle is a slot and the serial of its item: an item that came later has another, and 64 bits do not come
 * round. The serial also decides between equal items. Order is always a permutation of all slots, so there is no list
 * of free ones. What needs compare is in the typed skin.
 *
 * Bad at: a heap of small items without handles, whose compares would not leave the array of the heap itself.
 */
#include <ka/priority_queue.h>

#include "base/bits.h"
#include "base/math.h"
#include "base/mem.h"

typedef struct KA_PRIM_ALIASING queue_view {
    void *items;
    size_t len, cap; /* items */
    ka_allocator *allocator;
    ka_priority_queue_slot_ *slots;
    uint32_t *order;
    uint64_t serial;
} queue_view;

/* Bytes of the three parts, each behind the other. */
static size_t queue_slots_at(size_t cap, const ka_shape_ *shape)
{
    return ka_round_up(cap * shape->size, sizeof(uint64_t));
}

static size_t queue_order_at(size_t cap, const ka_shape_ *shape)
{
    return queue_slots_at(cap, shape) + cap * sizeof(ka_priority_queue_slot_);
}

static size_t queue_size(size_t cap, const ka_shape_ *shape)
{
    return queue_order_at(cap, shape) + cap * sizeof(uint32_t);
}

static size_t queue_align(const ka_shape_ *shape)
{
    return ka_max(shape->align, sizeof(uint64_t));
}

/* As many as the numbers of slots count, and no size above wraps. */
static size_t queue_cap_max(const ka_shape_ *shape)
{
    size_t each = shape->size + sizeof(ka_priority_queue_slot_) + sizeof(uint32_t);
    return ka_min(UINT32_MAX, ((size_t)PTRDIFF_MAX - sizeof(uint64_t)) / each);
}

static bool queue_block(queue_view *out, size_t cap, const ka_shape_ *shape, ka_flags flags)
{
    if (cap > queue_cap_max(shape))
        return false;
    char *block = (char *)ka_bytes_new_(out->allocator, queue_size(cap, shape), queue_align(shape), flags);
    if (block == NULL)
        return false;
    out->items = block;
    out->slots = (ka_priority_queue_slot_ *)(void *)(block + queue_slots_at(cap, shape));
    out->order = (uint32_t *)(void *)(block + queue_order_at(cap, shape));
    out->cap = cap;
    return true;
}

static void queue_release(const queue_view *queue, const ka_shape_ *shape)
{
    if (queue->items != NULL)
        ka_free(queue->allocator, queue->items, queue_size(queue->cap, shape), queue_align(shape));
}

static bool queue_grow(queue_view *queue, size_t cap, const ka_shape_ *shape, ka_flags flags)
{
    queue_view made = *queue;
    if (!queue_block(&made, cap, shape, flags))
        return false;
    if (queue->cap != 0) {
        ka_copy(made.items, queue->items, queue->cap * shape->size);
        ka_copy(made.slots, queue->slots, queue->cap * sizeof *made.slots);
        ka_copy(made.order, queue->order, queue->cap * sizeof *made.order);
    }
    for (size_t slot = queue->cap; slot < cap; slot++) {
        made.order[slot] = (uint32_t)slot;
        made.slots[slot] = (ka_priority_queue_slot_){ 0, 0 };
    }
    queue_release(queue, shape);
    *queue = made;
    return true;
}

/* As a vec: twice the room or, where that cannot be had, a quarter more. */
bool ka_priority_queue_reserve_(void *self, size_t more, const ka_shape_ *shape, ka_flags flags)
{
    queue_view *queue = (queue_view *)self;
    size_t cap = queue->cap;
    if (more <= cap - queue->len)
        return true;
    if (more > UINT32_MAX)
        return false;
    size_t need = queue->len + more, twice = ka_max(2 * cap, 4), quarter = ka_max(cap + cap / 4, need);
    return (twice > quarter && queue_grow(queue, twice, shape, flags)) || queue_grow(queue, quarter, shape, flags);
}

bool ka_priority_queue_shrink_(void *self, const ka_shape_ *shape)
{
    queue_view *queue = (queue_view *)self;
    queue_view made = { NULL, queue->len, 0, queue->allocator, NULL, NULL, queue->serial };
    size_t cap = queue->cap, kept = 0;
    while (cap != 0 && queue->slots[cap - 1].serial == 0)
        cap--;
    if (cap == queue->cap)
        return true;
    if (cap != 0) {
        if (!queue_block(&made, cap, shape, 0))
            return false;
        ka_copy(made.items, queue->items, cap * shape->size);
        ka_copy(made.slots, queue->slots, cap * sizeof *made.slots);
        for (size_t place = 0; place < queue->cap; place++)
            if (queue->order[place] < cap) /* else it is free */
                made.order[kept++] = queue->order[place];
    }
    queue_release(queue, shape);
    *queue = made;
    return true;
}

bool ka_priority_queue_has_(const void *self, size_t slot, uint64_t serial)
{
    const queue_view *queue = (const queue_view *)self;
    return slot < queue->cap && serial != 0 && queue->slots[slot].serial == serial;
}

bool ka_priority_queue_mirror_(void *out, const void *self, const ka_shape_ *shape, ka_allocator *a)
{
    const queue_view *queue = (const queue_view *)self;
    queue_view made = { NULL, 0, 0, a, NULL, NULL, queue->serial };
    if (queue->len != 0) {
        if (!queue_block(&made, queue->cap, shape, 0))
            return false;
        ka_copy(made.slots, queue->slots, queue->cap * sizeof *made.slots);
        ka_copy(made.order, queue->order, queue->cap * sizeof *made.order);
    }
    *(queue_view *)out = made;
    return true;
}

void ka_priority_queue_free_(void *self, const ka_shape_ *shape)
{
    queue_view *queue = (queue_view *)self;
    queue_release(queue, shape);
    *queue = (queue_view){ NULL, 0, 0, NULL, NULL, NULL, 0 };
}

const char *ka_priority_queue_check_(const void *self, const ka_shape_ *shape)
{
    const queue_view *queue = (const queue_view *)self;
    if (queue->len > queue->cap)
        return "priority queue: more items than room";
    if ((queue->items == NULL) != (queue->cap == 0) || (queue->items != NULL && queue->allocator == NULL))
        return "priority queue: room without a block, or a block without an allocator";
    if ((uintptr_t)queue->items % shape->align != 0)
        return "priority queue: the block is not aligned";
    for (size_t place = 0; place < queue->cap; place++) {
        size_t slot = queue->order[place];
        bool used = place < queue->len;
        if (slot >= queue->cap)
            return "priority queue: a place of a slot that is not there";
        if ((queue->slots[slot].serial != 0) != used || queue->slots[slot].serial > queue->serial)
            return "priority queue: a serial that does not fit";
        if (used && queue->slots[slot].place != place)
            return "priority queue: a slot that lies elsewhere";
    }
    return NULL;
}
