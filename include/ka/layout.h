/* ka/layout.h: size and alignment, computed without overflow.
 *
 * A layout is valid if its alignment is a power of two and its size, rounded up to the alignment, does not pass
 * PTRDIFF_MAX. Each function here leaves `*out` as it was and returns false if the result would not be valid.
 * Pure functions: any context. After Rust's `core::alloc::Layout`.
 */
#ifndef KA_LAYOUT_H
#define KA_LAYOUT_H

#include <ka/types.h>

typedef struct ka_layout {
    size_t size;  /* bytes; need not be a multiple of the alignment */
    size_t align; /* bytes, a power of two */
} ka_layout;

/* The layout of a type, a constant expression in C. */
#define KA_LAYOUT_OF(type) { sizeof(type), KA_ALIGNOF(type) }

static inline bool ka_layout_valid(size_t size, size_t align)
{
    return align != 0 && (align & (align - 1)) == 0 && align - 1 <= (size_t)PTRDIFF_MAX &&
           size <= (size_t)PTRDIFF_MAX - (align - 1);
}

/* Makes a layout of a size and an alignment. */
KA_MUST_USE static inline bool ka_layout_make(ka_layout *out, size_t size, size_t align)
{
    if (!ka_layout_valid(size, align))
        return false;
    out->size = size;
    out->align = align;
    return true;
}

/* The layout of `n` items in a row, each padded to its alignment. */
KA_MUST_USE static inline bool ka_layout_array(ka_layout *out, ka_layout item, size_t n)
{
    if (!ka_layout_valid(item.size, item.align))
        return false;
    size_t stride = (item.size + item.align - 1) & ~(item.align - 1);
    /* a product of two halves of a word does not wrap, and needs no division */
    if (((stride | n) >> (sizeof n * 4)) != 0 && stride != 0 && n > (size_t)PTRDIFF_MAX / stride)
        return false;
    return ka_layout_make(out, stride * n, item.align);
}

/* Appends `next` to the record `*out`, padded as the compiler would pad a struct.
 *
 * offset  where the appended part begins, bytes; may be NULL
 */
KA_MUST_USE static inline bool ka_layout_extend(ka_layout *out, ka_layout next, size_t *offset)
{
    if (!ka_layout_valid(out->size, out->align) || !ka_layout_valid(next.size, next.align))
        return false;
    if (!ka_layout_valid(out->size, next.align))
        return false;
    size_t at = (out->size + next.align - 1) & ~(next.align - 1);
    if (next.size > (size_t)PTRDIFF_MAX - at)
        return false;
    size_t align = next.align > out->align ? next.align : out->align;
    if (!ka_layout_make(out, at + next.size, align))
        return false;
    if (offset)
        *offset = at;
    return true;
}

/* Rounds the size up to the alignment: the end of a record built by `ka_layout_extend`. */
KA_MUST_USE static inline bool ka_layout_pad(ka_layout *out)
{
    if (!ka_layout_valid(out->size, out->align))
        return false;
    out->size = (out->size + out->align - 1) & ~(out->align - 1);
    return true;
}

#endif
