/* owner/vec.c: the untyped core of ka/vec.h.
 *
 * A vec of any type has the same four fields, so the core works on all of them; it is told the size of an item, and
 * what to call the type if it must stop. The typed skin is only what moves or drops an item by its type, or is worth
 * having inline: a push where there is room, a borrow. So one more type of vec costs a few hundred bytes of code
 * (tests/build/code_size_test.sh).
 *
 * Draining and retaining:
 *
 *      items   | kept | to be looked at | behind |
 *              0     len                         end
 *
 * len ends at what is kept, so that whatever happens in between, an item that was moved out is never seen or dropped
 * again. After Rust's Drain, which leaks rather than drops twice if its end is never called. So do we.
 */
#include <ka/vec.h>

#include <ka/handler.h>

#include "base/format.h"
#include "base/math.h"
#include "base/mem.h"
#include "owner/view.h"

static char *vec_place(const ka_vec_view_ *vec, const ka_shape_ *shape, size_t at)
{
    return (char *)vec->items + at * shape->size;
}

void ka_vec_out_of_bounds_(const void *vec, size_t at, const ka_shape_ *shape, const char *what)
{
    char text[120];
    ka_format(text, sizeof text, "%s_%s", shape->name, what);
    ka_owner_out_of_bounds_(text, at, ((const ka_vec_view_ *)vec)->len, shape->file, shape->line);
}

void ka_vec_at_fails_(const void *vec, size_t at, const ka_shape_ *shape)
{
    ka_vec_out_of_bounds_(vec, at, shape, "at");
}

static KA_NORETURN void vec_stop(const ka_shape_ *shape, const char *format)
{
    char text[160];
    ka_format(text, sizeof text, format, shape->name);
    ka_port_panic(text, shape->file, shape->line);
}

void ka_vec_changed_(const char *file, unsigned line)
{
    ka_port_panic("the vec was changed while it was walked", file, line);
}

bool ka_vec_reserve_with_(void *self, size_t more, const ka_shape_ *shape, bool exact, ka_flags flags)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)self;
    if (more <= vec->cap - vec->len)
        return true;
    void *items =
        ka_bytes_grow_(vec->allocator, vec->items, &vec->cap, vec->len, more, shape->size, shape->align, exact, flags);
    if (items == NULL)
        return false;
    vec->items = items;
    return true;
}

bool ka_vec_reserve_(void *self, size_t more, const ka_shape_ *shape)
{
    return ka_vec_reserve_with_(self, more, shape, false, 0);
}

bool ka_vec_grow_(void *self, const ka_shape_ *shape)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)self;
    size_t old = vec->cap * shape->size, cap = ka_bytes_twice_(vec->cap, shape->size), bytes = cap * shape->size;
    if (KA_LIKELY(vec->allocator != NULL && bytes > old)) { /* it has not passed SIZE_MAX */
        void *items = ka_resize(vec->allocator, vec->items, old, shape->align, bytes, shape->align, 0);
        if (KA_LIKELY(items != NULL)) {
            vec->items = items;
            vec->cap = cap;
            return true;
        }
    }
    return ka_vec_reserve_with_(self, ka_max(vec->cap / 4, 1), shape, true, 0);
}

bool ka_vec_shrink_(void *self, const ka_shape_ *shape)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)self;
    if (vec->len == vec->cap)
        return true;
    if (vec->len == 0) {
        ka_allocator *allocator = vec->allocator;
        ka_vec_free_(vec, shape);
        vec->allocator = allocator;
        return true;
    }
    void *items = ka_bytes_shrink_(vec->allocator, vec->items, &vec->cap, vec->len, shape->size, shape->align);
    if (items == NULL)
        return false;
    vec->items = items;
    return true;
}

void ka_vec_move_(void *self, void *out)
{
    *(ka_vec_view_ *)out = *(ka_vec_view_ *)self;
    *(ka_vec_view_ *)self = (ka_vec_view_){ NULL, 0, 0, NULL };
}

void ka_vec_free_(void *self, const ka_shape_ *shape)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)self;
    if (vec->items != NULL)
        ka_free(vec->allocator, vec->items, vec->cap * shape->size, shape->align);
    *vec = (ka_vec_view_){ NULL, 0, 0, NULL };
}

void *ka_vec_push_new_(void *self, const ka_shape_ *shape)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)self;
    return ka_vec_lengthen_(vec, vec->len + 1, shape) ? vec_place(vec, shape, vec->len - 1) : NULL;
}

bool ka_vec_lengthen_(void *self, size_t len, const ka_shape_ *shape)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)self;
    if (len <= vec->len)
        return true;
    if (!ka_vec_reserve_(vec, len - vec->len, shape))
        return false;
    ka_bytes_clear_(vec->items, vec->len, len - vec->len, shape->size);
    vec->len = len;
    return true;
}

void *ka_vec_open_(void *self, size_t at, const ka_shape_ *shape)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)self;
    if (KA_UNLIKELY(at > vec->len))
        ka_vec_out_of_bounds_(vec, at, shape, "insert");
    if (!ka_vec_reserve_(vec, 1, shape))
        return NULL;
    ka_bytes_open_(vec->items, vec->len++, at, shape->size);
    return vec_place(vec, shape, at);
}

bool ka_vec_extend_(void *self, const void *from, size_t n, const ka_shape_ *shape)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)self;
    if (n == 0)
        return true;
    if (KA_UNLIKELY((uintptr_t)from - (uintptr_t)vec->items < vec->cap * shape->size))
        vec_stop(shape, "%s_extend: the items lie in what shall take them");
    if (!ka_vec_reserve_(vec, n, shape))
        return false;
    ka_bytes_append_(vec->items, vec->len, from, n, shape->size);
    vec->len += n;
    return true;
}

bool ka_vec_append_(void *self, void *from, const ka_shape_ *shape)
{
    ka_vec_view_ *other = (ka_vec_view_ *)from;
    if (!ka_vec_extend_(self, other->items, other->len, shape))
        return false;
    other->len = 0;
    return true;
}

bool ka_vec_split_off_(void *self, size_t at, const ka_shape_ *shape, void *out)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)self;
    if (KA_UNLIKELY(at > vec->len))
        ka_vec_out_of_bounds_(vec, at, shape, "split_off");
    ka_vec_view_ made = { NULL, 0, 0, vec->allocator };
    if (at < vec->len && !ka_vec_reserve_with_(&made, vec->len - at, shape, true, 0))
        return false;
    if (at < vec->len)
        ka_bytes_append_(made.items, 0, vec_place(vec, shape, at), vec->len - at, shape->size);
    made.len = vec->len - at;
    vec->len = at;
    *(ka_vec_view_ *)out = made;
    return true;
}

void ka_vec_remove_(void *self, size_t at, const ka_shape_ *shape, void *out)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)self;
    if (KA_UNLIKELY(at >= vec->len))
        ka_vec_out_of_bounds_(vec, at, shape, "remove");
    ka_copy(out, vec_place(vec, shape, at), shape->size);
    ka_bytes_close_(vec->items, vec->len--, at, shape->size);
}

void ka_vec_swap_remove_(void *self, size_t at, const ka_shape_ *shape, void *out)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)self;
    if (KA_UNLIKELY(at >= vec->len))
        ka_vec_out_of_bounds_(vec, at, shape, "swap_remove");
    ka_copy(out, vec_place(vec, shape, at), shape->size);
    ka_move(vec_place(vec, shape, at), vec_place(vec, shape, --vec->len), shape->size);
}

size_t ka_vec_cut_(void *self, size_t from, size_t to, const ka_shape_ *shape)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)self;
    size_t end = vec->len;
    if (KA_UNLIKELY(to > end || from > to))
        ka_vec_out_of_bounds_(vec, to > end ? to : from, shape, "drain_of");
    vec->len = from;
    return end;
}

void ka_vec_still_cut_(const void *self, size_t from, size_t end, const ka_shape_ *shape)
{
    const ka_vec_view_ *vec = (const ka_vec_view_ *)self;
    if (KA_UNLIKELY(vec->len != from || vec->cap < end))
        vec_stop(shape, "%s was changed while it was drained");
}

void ka_vec_join_(void *self, size_t from, size_t to, size_t end, const ka_shape_ *shape)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)self;
    ka_vec_still_cut_(self, from, end, shape);
    if (from != to && to != end)
        ka_move(vec_place(vec, shape, from), vec_place(vec, shape, to), (end - to) * shape->size);
    vec->len = from + (end - to);
}

const char *ka_vec_check_(const void *self, const ka_shape_ *shape)
{
    const ka_vec_view_ *vec = (const ka_vec_view_ *)self;
    if (vec->len > vec->cap)
        return "vec: more items than room";
    if ((vec->items == NULL) != (vec->cap == 0))
        return "vec: room without a block, or a block without room";
    if (vec->items != NULL && vec->allocator == NULL)
        return "vec: a block without an allocator";
    if ((uintptr_t)vec->items % shape->align != 0)
        return "vec: the block is not aligned";
    return NULL;
}
