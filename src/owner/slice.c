/* owner/slice.c: the untyped core of ka/slice.h. A slice is a vec without room, so it needs no `cap`. */
#include <ka/slice.h>

#include <ka/vec.h>

#include "base/format.h"
#include "owner/view.h"

typedef struct KA_PRIM_ALIASING slice_view {
    void *items;
    size_t len; /* items */
    ka_allocator *allocator;
} slice_view;

void *ka_slice_new_(ka_allocator *a, size_t n, const ka_shape_ *shape, ka_flags flags)
{
    return a != NULL ? ka_alloc_items(a, shape->size, shape->align, n, flags) : NULL;
}

bool ka_slice_from_vec_(void *self, void *from, const ka_shape_ *shape)
{
    ka_vec_view_ *vec = (ka_vec_view_ *)from;
    if (!ka_vec_shrink_(vec, shape))
        return false;
    *(slice_view *)self = (slice_view){ vec->items, vec->len, vec->allocator };
    *vec = (ka_vec_view_){ NULL, 0, 0, vec->allocator };
    return true;
}

void ka_slice_into_vec_(void *self, void *out)
{
    slice_view *slice = (slice_view *)self;
    void *items = slice->len != 0 ? slice->items : NULL; /* of no items there is no block */
    *(ka_vec_view_ *)out = (ka_vec_view_){ items, slice->len, slice->len, slice->allocator };
    *slice = (slice_view){ NULL, 0, NULL };
}

const char *ka_slice_check_(const void *self, const ka_shape_ *shape)
{
    const slice_view *slice = (const slice_view *)self;
    if (slice->len != 0 && slice->items == NULL)
        return "slice: items without a block";
    return ka_bytes_check_(slice->len != 0 ? slice->items : NULL, slice->allocator, shape->align);
}

void ka_slice_at_fails_(const void *self, size_t at, const ka_shape_ *shape)
{
    char text[120];
    ka_format(text, sizeof text, "%s_at", shape->name);
    ka_owner_out_of_bounds_(text, at, ((const slice_view *)self)->len, shape->file, shape->line);
}
