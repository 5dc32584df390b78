/* ka/alloc.h: the calls that work on every allocator.
 *
 * Context, cost and scarcity are the allocator's: its own header says them. What holds everywhere:
 * - Failure is NULL and nothing else changes: the heap, an old block and its contents stay as they were.
 * - Size 0 gives a pointer that is not NULL, is aligned, need not be unique and takes no memory; it never fails, and
 *   freeing it with size 0 does nothing.
 * - NULL comes back for an alignment that is not a power of two, a size that passes PTRDIFF_MAX when rounded up to the
 *   alignment, and flags that are unknown or that the allocator cannot honour.
 * - A block is freed with the size and alignment it was asked with; any size up to the usable one fits too.
 */
#ifndef KA_ALLOC_H
#define KA_ALLOC_H

#include <ka/handler.h>
#include <ka/layout.h>
#include <ka/types.h>

/* The block of size 0: an address that is aligned and belongs to nobody. */
static inline void *ka_empty_block(size_t align)
{
    return (void *)(uintptr_t)(align > KA_MIN_ALIGN ? align : KA_MIN_ALIGN);
}

/* Whether a request can be passed to an allocator. */
static inline bool ka_request_valid(size_t size, size_t align, ka_flags flags)
{
    return ka_layout_valid(size, align) && (flags & ~KA_FLAGS_KNOWN) == 0;
}

/* Takes a block.
 *
 * size     bytes; 0 gives a pointer that takes no memory
 * align    bytes, a power of two
 * flags    the caller's context, and KA_ZERO
 * returns  the block, contents undefined without KA_ZERO; NULL if the request cannot be served
 * owner    the caller, until ka_free with the same size and align
 */
KA_MUST_USE static inline void *ka_alloc(ka_allocator *a, size_t size, size_t align, ka_flags flags)
{
    if (KA_UNLIKELY(!ka_request_valid(size, align, flags)))
        return NULL;
    if (KA_UNLIKELY(size == 0))
        return ka_empty_block(align);
    return a->ops->alloc(a, size, align, flags);
}

/* Gives a block back.
 *
 * block    from ka_alloc or ka_resize of this allocator; NULL and blocks of size 0 are accepted and do nothing
 * size     bytes, from the requested to the usable size
 * align    bytes, as requested
 * errors   a block that does not fit is reported through the misuse hook and nothing changes
 */
static inline void ka_free(ka_allocator *a, void *block, size_t size, size_t align)
{
    if (block != NULL && size != 0)
        a->ops->free(a, block, size, align);
}

/* Changes size and alignment of a block; it may move.
 *
 * block      as for ka_free; NULL allocates
 * new_size   bytes; 0 frees and gives the pointer that takes no memory
 * new_align  bytes, a power of two; may be larger or smaller than old_align
 * flags      KA_ZERO clears exactly the bytes from old_size to new_size
 * returns    the block, its first min(old_size, new_size) bytes kept; NULL if it cannot be done (a shrink may fail
 *            too), and then the old block is untouched and still the caller's
 */
KA_BEGIN_DECLS
KA_MUST_USE void *ka_resize(ka_allocator *a, void *block, size_t old_size, size_t old_align, size_t new_size,
                            size_t new_align, ka_flags flags);
KA_END_DECLS

/* Bytes of the block that its owner may use: `size` or more. */
static inline size_t ka_usable(ka_allocator *a, const void *block, size_t size, size_t align)
{
    if (block == NULL || size == 0 || a->ops->usable == NULL)
        return size;
    return a->ops->usable(a, block, size, align);
}

/* Visits every block of the allocator. Returns false if the visitor ended the walk or the allocator cannot walk. */
static inline bool ka_walk(ka_allocator *a, ka_visit *visit, void *context)
{
    return a->ops->walk != NULL && a->ops->walk(a, visit, context);
}

/* What the allocator knows of itself; all zero if it keeps no statistics. */
static inline ka_stats ka_get_stats(ka_allocator *a)
{
    ka_stats stats = { 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    if (a->ops->stats != NULL)
        a->ops->stats(a, &stats);
    return stats;
}

/* Checks the allocator's own structures. Returns NULL, or the first broken fact in words. */
static inline const char *ka_check(ka_allocator *a)
{
    return a->ops->check != NULL ? a->ops->check(a) : NULL;
}

/* A cleared block: ka_alloc with KA_ZERO. Nothing is cleared twice: an allocator that knows the memory to be zero
 * leaves it alone. */
KA_MUST_USE static inline void *ka_zalloc(ka_allocator *a, size_t size, size_t align, ka_flags flags)
{
    return ka_alloc(a, size, align, flags | KA_ZERO);
}

/* A block for `n` items of a layout. NULL also if the product overflows. */
KA_MUST_USE static inline void *ka_alloc_items(ka_allocator *a, size_t item_size, size_t item_align, size_t n,
                                               ka_flags flags)
{
    ka_layout item = { item_size, item_align };
    ka_layout all = { 0, 1 };
    if (KA_UNLIKELY(!ka_layout_array(&all, item, n)))
        return NULL;
    return ka_alloc(a, all.size, all.align, flags);
}

/* Changes the count of items in a block made by ka_alloc_items. */
KA_MUST_USE static inline void *ka_resize_items(ka_allocator *a, void *block, size_t item_size, size_t item_align,
                                                size_t old_n, size_t new_n, ka_flags flags)
{
    ka_layout item = { item_size, item_align };
    ka_layout all = { 0, 1 };
    if (KA_UNLIKELY(!ka_layout_array(&all, item, new_n)))
        return NULL;
    return ka_resize(a, block, old_n * item_size, item_align, all.size, item_align, flags);
}

/* For code that cannot go on without the memory: never returns NULL, ends in ka_alloc_error instead. */
KA_MUST_USE static inline void *ka_alloc_must(ka_allocator *a, size_t size, size_t align, ka_flags flags)
{
    void *block = ka_alloc(a, size, align, flags);
    if (KA_UNLIKELY(block == NULL))
        ka_alloc_error(size, align);
    return block;
}

/* Typed forms. `T` is a complete object type; the result has type `T *`. */
#define ka_alloc_type(a, T)            ((T *)ka_alloc((a), sizeof(T), KA_ALIGNOF(T), 0))
#define ka_zalloc_type(a, T)           ((T *)ka_alloc((a), sizeof(T), KA_ALIGNOF(T), KA_ZERO))
#define ka_alloc_array(a, T, n)        ((T *)ka_alloc_items((a), sizeof(T), KA_ALIGNOF(T), (n), 0))
#define ka_zalloc_array(a, T, n)       ((T *)ka_alloc_items((a), sizeof(T), KA_ALIGNOF(T), (n), KA_ZERO))
#define ka_resize_array(a, T, p, old_n, new_n) \
    ((T *)ka_resize_items((a), (1 ? (p) : (T *)0), sizeof(T), KA_ALIGNOF(T), (old_n), (new_n), 0))
#define ka_free_type(a, T, p)          ka_free((a), (1 ? (p) : (T *)0), sizeof(T), KA_ALIGNOF(T))
#define ka_free_array(a, T, p, n)      ka_free((a), (1 ? (p) : (T *)0), sizeof(T) * (n), KA_ALIGNOF(T))

#endif
