/* ka/types.h: the words that every part of the library shares.
 *
 * allocator   anything behind `ka_allocator`
 * block       what an allocator hands out
 * layout      size and alignment of a block
 * live        bytes in blocks that are handed out
 */
#ifndef KA_TYPES_H
#define KA_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ka/config.h>

#if defined(__cplusplus)
#define KA_ALIGNOF(type) alignof(type)
#else
#define KA_ALIGNOF(type) _Alignof(type)
#endif

#if defined(__GNUC__) || defined(__clang__)
#define KA_MUST_USE        __attribute__((__warn_unused_result__))
#define KA_UNUSED          __attribute__((__unused__))
#define KA_NORETURN        __attribute__((__noreturn__))
#if defined(__clang__)
#define KA_PRINTF(at, first) __attribute__((__format__(__printf__, at, first)))
#else /* gcc means Microsoft's formats by printf where it makes code for Windows */
#define KA_PRINTF(at, first) __attribute__((__format__(__gnu_printf__, at, first)))
#endif
#define KA_LIKELY(x)       __builtin_expect(!!(x), 1)
#define KA_UNLIKELY(x)     __builtin_expect(!!(x), 0)
#define KA_PREFETCH(p)     __builtin_prefetch(p)
#define KA_NOINLINE        __attribute__((__noinline__))
#define KA_ALWAYS_INLINE   inline __attribute__((__always_inline__))
#define KA_RETURN_ADDRESS() __builtin_return_address(0)
#else
#include <intrin.h>
#include <sal.h>
#define KA_MUST_USE        _Check_return_
#define KA_UNUSED
#define KA_NORETURN        __declspec(noreturn)
#define KA_PRINTF(at, first)
#define KA_LIKELY(x)       (x)
#define KA_UNLIKELY(x)     (x)
#define KA_PREFETCH(p)     ((void)(p))
#define KA_NOINLINE        __declspec(noinline)
#define KA_ALWAYS_INLINE   __forceinline
#define KA_RETURN_ADDRESS() _ReturnAddress()
#endif

#if defined(__cplusplus)
#define KA_BEGIN_DECLS extern "C" {
#define KA_END_DECLS   }
#else
#define KA_BEGIN_DECLS
#define KA_END_DECLS
#endif

KA_BEGIN_DECLS

/* Every block is aligned to this many bytes at least, whatever was asked (a `cache` gives what it was made with). */
#define KA_MIN_ALIGN ((size_t)16)

/* What the caller's context allows and what the block shall contain. Of several context flags the strictest counts.
 * An allocator answers NULL to a flag that it cannot honour, and `ka_alloc` to a bit that has no meaning. */
typedef uint32_t ka_flags;
#define KA_NOWAIT      ((ka_flags)1)  /* must not sleep */
#define KA_ATOMIC      ((ka_flags)2)  /* interrupt handler, spin lock held, DISPATCH_LEVEL; may use reserves */
#define KA_ANY_CONTEXT ((ka_flags)4)  /* NMI, any IRQL, VM exit, signal handler */
#define KA_ZERO        ((ka_flags)8)  /* the block is cleared */
#define KA_PAGEABLE    ((ka_flags)16) /* the block may be paged out */
#define KA_FLAGS_KNOWN ((ka_flags)31)

typedef struct ka_allocator ka_allocator;

/* What an allocator tells of itself. Bytes, but where said. A field that an allocator does not know is 0. */
typedef struct ka_stats {
    size_t total;         /* bytes that back the allocator and can be handed out */
    size_t live;          /* bytes handed out, rounded up as the allocator rounds */
    size_t peak;          /* the largest `live` so far */
    size_t free;          /* total - live */
    size_t overhead;      /* bytes that the allocator keeps for itself, outside `total` */
    size_t largest_free;  /* the largest free block */
    size_t live_blocks;   /* count */
    size_t free_blocks;   /* count */
    unsigned fragmentation; /* 0 to 1000: the share of the free bytes that lies outside the largest free block */
} ka_stats;

/* Called for each block of a walk, live or free, in the order of addresses within a range.
 * Returns false to end the walk. Must not call the allocator that is walked. */
typedef bool ka_visit(void *context, const void *block, size_t size, bool live);

/* Asked for more memory when a request of `size` and `align` cannot be served. Returns true if it gave the allocator
 * more, false if there is no more. It may allocate from other allocators; a request to the one that is being refilled
 * fails with NULL while the refill runs. */
typedef bool ka_refill(void *context, size_t size, size_t align, ka_flags flags);

/* What an allocator can do. Every function gets requests that `ka_alloc`, `ka_free` or `ka_resize` has checked:
 * a size of at least 1, an alignment that is a power of two, their rounded sum not over PTRDIFF_MAX, known flags,
 * a block that is not NULL. */
typedef struct ka_allocator_ops {
    const char *name; /* a few letters for reports */

    /* A block, or NULL and nothing changed. */
    void *(*alloc)(ka_allocator *self, size_t size, size_t align, ka_flags flags);

    /* Gives the block back. A block that does not fit is reported through the misuse hook and nothing changes. */
    void (*free)(ka_allocator *self, void *block, size_t size, size_t align);

    /* The block with a new layout, moved or not, or NULL and the old one untouched. NULL here: `ka_resize` allocates,
     * copies and frees. */
    void *(*resize)(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                    size_t new_align, ka_flags flags);

    /* Bytes of the block that may be used: at least `size`. NULL here: `size`. */
    size_t (*usable)(ka_allocator *self, const void *block, size_t size, size_t align);

    /* Visits every block. Returns false if the visitor ended it. NULL here: the allocator cannot. */
    bool (*walk)(ka_allocator *self, ka_visit *visit, void *context);

    /* Fills in `out`. NULL here: all zero. */
    void (*stats)(ka_allocator *self, ka_stats *out);

    /* NULL, or the first broken fact in words. NULL here: nothing to check. */
    const char *(*check)(ka_allocator *self);
} ka_allocator_ops;

/* The first member of every allocator. */
struct ka_allocator {
    const ka_allocator_ops *ops;
};

KA_END_DECLS

#endif
