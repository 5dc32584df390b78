/* owner/view.h: a vec of any type, as the untyped cores see it. */
#ifndef KA_OWNER_VIEW_H
#define KA_OWNER_VIEW_H

#include <ka/vec.h>

#include "base/bits.h"

typedef struct KA_PRIM_ALIASING ka_vec_view_ {
    void *items;
    size_t len, cap; /* items */
    ka_allocator *allocator;
} ka_vec_view_;

/* What a block of `cap` items grows to: twice that, and the first one as large as is worth taking. */
static inline size_t ka_bytes_twice_(size_t cap, size_t size)
{
    return 2 * cap + (size > 1024 ? 1 : size == 1 ? 8 : 4);
}

#endif
