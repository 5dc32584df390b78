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

#endif
