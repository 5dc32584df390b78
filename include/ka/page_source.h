/* ka/page_source.h: where a heap gets memory for its address range, and where it gives memory back.
 *
 * The heap decides when to call and never calls from a context that the source does not allow. All functions get
 * addresses and sizes that are multiples of the heap's page.
 */
#ifndef KA_PAGE_SOURCE_H
#define KA_PAGE_SOURCE_H

#include <ka/types.h>

KA_BEGIN_DECLS

typedef struct ka_page_source {
    void *context;

    /* The context flags (KA_NOWAIT, KA_ATOMIC) under which `commit` may be called, besides contexts that may sleep.
     * KA_ANY_CONTEXT is never one of them. */
    ka_flags contexts;

    /* Address space without memory: `size` bytes, aligned to `align`; NULL if there is none. NULL here: the range is
     * given by the caller. `unreserve` gives the whole of it back, with the memory that is committed there. Both may
     * sleep. For a scattered heap without `commit` it is memory, of any contents. */
    void *(*reserve)(void *context, size_t size, size_t align);
    void (*unreserve)(void *context, void *base, size_t size);

    /* Puts memory behind [base, base + size). All or nothing.
     * zeroed   set to true if all of it reads as zero; false when called
     * NULL here: a scattered heap, and what `reserve` gives is memory
     * returns  false: nothing was committed */
    bool (*commit)(void *context, void *base, size_t size, bool *zeroed);

    /* Takes the memory back; the contents are lost. Called only where sleeping is allowed, or after a commit failed
     * halfway. NULL here: memory stays.
     * returns  false: the memory is still there and stays committed */
    bool (*decommit)(void *context, void *base, size_t size);

    /* The context flags under which `reserve` may be called, besides contexts that may sleep: for a scattered heap,
     * which reserves while it allocates. `unreserve` is called only where sleeping is allowed. */
    ka_flags reserve_contexts;

    /* The same for one node's memory, on a machine with several (ka_port_node): refused if the node has none left; the
     * heap then asks for another one's. Called in place of the two above by heaps with the option `nodes`. NULL: the
     * source gives what it has. */
    void *(*reserve_on)(void *context, size_t size, size_t align, unsigned node);
    bool (*commit_on)(void *context, void *base, size_t size, unsigned node, bool *zeroed);
} ka_page_source;

/* May an allocation with these flags commit memory from `source`? */
static inline bool ka_page_source_may_commit(const ka_page_source *source, ka_flags flags)
{
    ka_flags strict = flags & (KA_NOWAIT | KA_ATOMIC | KA_ANY_CONTEXT);
    return (flags & KA_ANY_CONTEXT) == 0 && (strict & ~source->contexts) == 0;
}

/* May it reserve a segment? */
static inline bool ka_page_source_may_reserve(const ka_page_source *source, ka_flags flags)
{
    ka_flags strict = flags & (KA_NOWAIT | KA_ATOMIC | KA_ANY_CONTEXT);
    return (flags & KA_ANY_CONTEXT) == 0 && (strict & ~source->reserve_contexts) == 0;
}

KA_END_DECLS

#endif
