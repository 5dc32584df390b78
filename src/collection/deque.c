/* collection/deque.c: the untyped core of ka/deque.h: a row of items that goes round in its block.
 *
 *      place    0   1   2   3   4   5   6   7  cap
 *               e   f   g   .   .   a   b   c   |         len 6, head 5: the item `at` lies at head + at, less cap
 *                           tail    head                  where that passes the end
 *
 * The block need not be a power of two: a place is found by one compare, and a block can be just as large as was asked.
 * A deque has the fields of a vec, and `head`, so it reports errors by the functions of the vec.
 *
 * Growing lets the allocator resize the block, and then moves what lies from head to the old end up to the new one.
 * Making the items contiguous needs no memory: the gap is closed, and the two rows, now side by side, change places by
 * swapping equal parts of them (after Gries and Mills).
 */
#include <ka/deque.h>

#include "base/bits.h"
#include "base/math.h"
#include "base/mem.h"

typedef struct KA_PRIM_ALIASING deque_view {
    void *items;
    size_t len, cap; /* items */
    ka_allocator *allocator;
    size_t head;
} deque_view;

/* The place of the item `at`, or one past the last: at <= cap. */
static char *deque_place(const deque_view *deque, size_t at, size_t size)
{
    size_t place = deque->head + at;
    return (char *)deque->items + (place < deque->cap ? place : place - deque->cap) * size;
}

/* How many items lie from head to the end of the block, though they be fewer. */
static size_t deque_upper(const deque_view *deque)
{
    return ka_min(deque->len, deque->cap - deque->head);
}

bool ka_deque_reserve_(void *self, size_t more, const ka_shape_ *shape, bool exact, ka_flags flags)
{
    deque_view *deque = (deque_view *)self;
    size_t size = shape->size, cap = deque->cap;
    if (more <= cap - deque->len)
        return true;
    void *items =
        ka_bytes_grow_(deque->allocator, deque->items, &deque->cap, deque->len, more, size, shape->align, exact, flags);
    if (items == NULL)
        return false;
    deque->items = items;
    if (deque->len > cap - deque->head) {
        size_t head = deque->head + (deque->cap - cap);
        ka_move((char *)items + head * size, (char *)items + deque->head * size, (cap - deque->head) * size);
        deque->head = head;
    }
    return true;
}

void ka_deque_free_(void *self, const ka_shape_ *shape)
{
    deque_view *deque = (deque_view *)self;
    if (deque->items != NULL)
        ka_free(deque->allocator, deque->items, deque->cap * shape->size, shape->align);
    *deque = (deque_view){ NULL, 0, 0, NULL, 0 };
}

void ka_deque_move_(void *self, void *out)
{
    *(deque_view *)out = *(deque_view *)self;
    *(deque_view *)self = (deque_view){ NULL, 0, 0, NULL, 0 };
}

/* Puts the items to the front of the block. */
static void deque_settle(deque_view *deque, const ka_shape_ *shape)
{
    char *row = (char *)ka_deque_make_contiguous_(deque, shape);
    if (deque->head != 0)
        ka_move(deque->items, row, deque->len * shape->size);
    deque->head = 0;
}

bool ka_deque_shrink_(void *self, const ka_shape_ *shape)
{
    deque_view *deque = (deque_view *)self;
    if (deque->len == deque->cap)
        return true;
    if (deque->len == 0) {
        ka_allocator *allocator = deque->allocator;
        ka_deque_free_(deque, shape);
        deque->allocator = allocator;
        return true;
    }
    deque_settle(deque, shape);
    void *items = ka_bytes_shrink_(deque->allocator, deque->items, &deque->cap, deque->len, shape->size, shape->align);
    if (items == NULL)
        return false;
    deque->items = items;
    return true;
}

void *ka_deque_push_back_(void *self, const ka_shape_ *shape)
{
    deque_view *deque = (deque_view *)self;
    if (!ka_deque_reserve_(deque, 1, shape, false, 0))
        return NULL;
    return deque_place(deque, deque->len++, shape->size);
}

void *ka_deque_push_front_(void *self, const ka_shape_ *shape)
{
    deque_view *deque = (deque_view *)self;
    if (!ka_deque_reserve_(deque, 1, shape, false, 0))
        return NULL;
    deque->head = (deque->head != 0 ? deque->head : deque->cap) - 1;
    deque->len++;
    return deque_place(deque, 0, shape->size);
}

void *ka_deque_push_new_(void *self, bool front, const ka_shape_ *shape)
{
    void *item = front ? ka_deque_push_front_(self, shape) : ka_deque_push_back_(self, shape);
    if (item != NULL)
        ka_clear(item, shape->size);
    return item;
}

/* The items before the gap, or those behind it, go one place on: the fewer. */
void *ka_deque_open_(void *self, size_t at, const ka_shape_ *shape)
{
    deque_view *deque = (deque_view *)self;
    size_t size = shape->size;
    if (KA_UNLIKELY(at > deque->len))
        ka_vec_out_of_bounds_(deque, at, shape, "insert");
    if (at < deque->len - at) {
        if (ka_deque_push_front_(deque, shape) == NULL)
            return NULL;
        for (size_t to = 0; to < at; to++)
            ka_copy(deque_place(deque, to, size), deque_place(deque, to + 1, size), size);
    } else {
        if (ka_deque_push_back_(deque, shape) == NULL)
            return NULL;
        for (size_t to = deque->len - 1; to > at; to--)
            ka_copy(deque_place(deque, to, size), deque_place(deque, to - 1, size), size);
    }
    return deque_place(deque, at, size);
}

void ka_deque_remove_(void *self, size_t at, const ka_shape_ *shape, void *out)
{
    deque_view *deque = (deque_view *)self;
    size_t size = shape->size;
    if (KA_UNLIKELY(at >= deque->len))
        ka_vec_out_of_bounds_(deque, at, shape, "remove");
    ka_copy(out, deque_place(deque, at, size), size);
    if (at < deque->len - at - 1) {
        for (size_t to = at; to > 0; to--)
            ka_copy(deque_place(deque, to, size), deque_place(deque, to - 1, size), size);
        deque->head = deque->head + 1 < deque->cap ? deque->head + 1 : 0;
    } else {
        for (size_t to = at; to + 1 < deque->len; to++)
            ka_copy(deque_place(deque, to, size), deque_place(deque, to + 1, size), size);
    }
    deque->len--;
}

bool ka_deque_extend_(void *self, const void *from, size_t n, const ka_shape_ *shape)
{
    deque_view *deque = (deque_view *)self;
    size_t size = shape->size;
    if (n == 0)
        return true;
    ka_bytes_apart_(deque->items, deque->cap, size, from, shape->name, shape->file, shape->line);
    if (!ka_deque_reserve_(deque, n, shape, false, 0))
        return false;
    char *to = deque_place(deque, deque->len, size);
    size_t first = ka_min(n, deque->cap - (size_t)(to - (char *)deque->items) / size);
    ka_copy(to, from, first * size);
    if (first < n)
        ka_copy(deque->items, (const char *)from + first * size, (n - first) * size);
    deque->len += n;
    return true;
}

static void deque_swap(char *a, char *b, size_t n)
{
    unsigned char kept[64];
    for (size_t part; n != 0; a += part, b += part, n -= part) {
        part = ka_min(n, sizeof kept);
        ka_copy(kept, a, part);
        ka_copy(a, b, part);
        ka_copy(b, kept, part);
    }
}

/* Makes the row AB of a + b bytes the row BA; a is not 0, and does not become 0. */
static void deque_rotate(char *row, size_t a, size_t b)
{
    while (b != 0) {
        if (a <= b) { /* A to its place at the end */
            deque_swap(row, row + b, a);
            b -= a;
        } else { /* B to its place at the front */
            deque_swap(row, row + a, b);
            row += b;
            a -= b;
        }
    }
}

void *ka_deque_make_contiguous_(void *self, const ka_shape_ *shape)
{
    deque_view *deque = (deque_view *)self;
    size_t size = shape->size, upper = deque_upper(deque), lower = deque->len - upper;
    if (lower != 0) {
        char *row = (char *)deque->items;
        ka_move(row + lower * size, row + deque->head * size, upper * size);
        deque_rotate(row, lower * size, upper * size);
        deque->head = 0;
    }
    return deque->len != 0 ? (char *)deque->items + deque->head * size : NULL;
}

const char *ka_deque_check_(const void *self, const ka_shape_ *shape)
{
    const deque_view *deque = (const deque_view *)self;
    const char *broken = ka_vec_check_(self, shape);
    if (broken == NULL && deque->head >= deque->cap && deque->head != 0)
        return "deque: the first item lies outside of the block";
    return broken;
}
