/* heap/bulk.c: many blocks of one layout in one call.
 *
 * The magazine gives and takes a stretch of its array under one busy mark. What it does not have comes by whole words
 * of the slabs' bitmaps straight into the caller's array, and what it has no room for goes back the same way: one
 * atomic step for up to 64 blocks. Less than a word of them goes through the magazine, which it fills or flushes.
 */
#include "base/math.h"
#include "base/mem.h"
#include "heap/core.h"
#include "heap/fast.h"

#define WORD_BLOCKS 64u

/* The magazine ran empty or full: it may hold more from now on, as on the slow way of a single block. */
static void magazine_grow(ka_heap *heap, ka_magazines *m, unsigned number)
{
    ka_heap_magazines_answer(heap, m);
    ka_heap_magazines_tend(heap, m, number);
    ka_magazine_mark_empty(m, number);
    ka_magazine_widen(m, number);
}

/* As many as the magazine has, the newest first. */
static size_t magazine_take(ka_heap *heap, unsigned number, size_t count, void **blocks)
{
    size_t taken = 0;
    ka_port_pin_state pin = ka_port_pin();
    unsigned slot = ka_port_slot();
    ka_magazines *m = ka_heap_slot_take(heap, slot);
    if (m != NULL) {
        void **top = m->top[number];
        taken = ka_min(count, ka_magazine_length(m, number));
        for (size_t i = 0; i < taken; i++)
            blocks[i] = *--top;
        ka_magazine_set_top(m, number, top);
        if (taken < count)
            magazine_grow(heap, m, number);
        ka_heap_slot_give(heap, slot, m);
    }
    ka_port_unpin(pin);
    return taken;
}

/* As many of the first ones as fit; the next one is NULL, or the newest one that the magazine has, or does not fit. */
static size_t magazine_push_some(ka_magazines *m, unsigned number, size_t count, void *const *blocks)
{
    size_t put = 0;
    void **top = m->top[number], **end = m->end[number];
    while (put < count && top != end && blocks[put] != NULL && blocks[put] != top[-1])
        *top++ = blocks[put++];
    ka_magazine_set_top(m, number, top);
    return put;
}

static size_t magazine_put(ka_heap *heap, unsigned number, size_t count, void *const *blocks)
{
    size_t put = 0;
    ka_port_pin_state pin = ka_port_pin();
    unsigned slot = ka_port_slot();
    ka_magazines *m = ka_heap_slot_take(heap, slot);
    if (m != NULL) {
        put = magazine_push_some(m, number, count, blocks);
        if (put < count && m->top[number] == m->end[number]) {
            magazine_grow(heap, m, number);
            put += magazine_push_some(m, number, count - put, blocks + put);
        }
        ka_heap_slot_give(heap, slot, m);
    }
    ka_port_unpin(pin);
    return put;
}

static size_t small_take(ka_heap *heap, unsigned number, ka_flags flags, size_t count, void **blocks)
{
    size_t done = 0;
    while (done < count) {
        done += magazine_take(heap, number, count - done, blocks + done);
        ka_slab_batch batch;
        if (done == count)
            break;
        if (count - done >= WORD_BLOCKS && !heap->hardened &&
            ka_heap_blocks_take(heap, number - 1, WORD_BLOCKS, flags, &batch)) {
            done += ka_slab_spread(&batch, blocks + done);
            continue;
        }
        blocks[done] = ka_heap_block_alloc_slow(heap, number, flags);
        if (blocks[done] == NULL)
            break;
        done++;
    }
    return done;
}

size_t ka_heap_alloc_many(ka_heap *heap, size_t size, size_t align, ka_flags flags, size_t count, void **blocks)
{
    size_t done = 0;
    if (KA_LIKELY(size != 0 && ka_request_valid(size, align, flags) && (flags & KA_PAGEABLE) == 0 &&
                  ka_class_serves(size, align, heap->page_shift))) {
        done = small_take(heap, ka_magazine_of_class(ka_class_of_layout(size, align)), flags, count, blocks);
        for (size_t i = 0; (flags & KA_ZERO) != 0 && i < done; i++)
            ka_clear(blocks[i], size);
        return done;
    }
    while (done < count && (blocks[done] = ka_heap_alloc(heap, size, align, flags)) != NULL)
        done++;
    return done;
}

/* How many blocks come before the next NULL. */
static uint32_t stretch_length(void *const *blocks, size_t count)
{
    uint32_t length = 0;
    while (length < count && length < UINT32_MAX && blocks[length] != NULL)
        length++;
    return length;
}

static void small_put(ka_heap *heap, unsigned number, size_t count, void *const *blocks, const void *site)
{
    for (size_t done = 0; done < count;) {
        done += magazine_put(heap, number, count - done, blocks + done);
        uint32_t rest = done == count ? 0 : stretch_length(blocks + done, count - done);
        if (rest >= WORD_BLOCKS && !heap->hardened) {
            ka_heap_blocks_put(heap, number - 1, blocks + done, rest, site);
            done += rest;
        } else if (rest != 0) {
            ka_heap_block_free_slow(heap, number, blocks[done++], site);
        } else {
            done++; /* past the NULL, or the end */
        }
    }
}

void ka_heap_free_many(ka_heap *heap, size_t size, size_t align, size_t count, void **blocks)
{
    if (size == 0)
        return;
    if (KA_LIKELY(ka_class_serves(size, align, heap->page_shift))) {
        unsigned number = ka_magazine_of_class(ka_class_of_layout(size, align));
        small_put(heap, number, count, blocks, KA_RETURN_ADDRESS());
        return;
    }
    for (size_t i = 0; i < count; i++)
        ka_heap_free(heap, blocks[i], size, align);
}
