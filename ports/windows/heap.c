/* heap.c: general heaps over pages of the pool.
 *
 * The pool aligns large requests to a page and no more, and address space cannot be reserved apart from memory in
 * pieces: so the heap is scattered, in segments of 2 MiB that lie anywhere. The pool may be asked up to DISPATCH_LEVEL,
 * so KA_NOWAIT and KA_ATOMIC may make a segment; KA_ANY_CONTEXT lives on what there is.
 *
 * Magazines of other processors: a thread that visits each processor (KeSetSystemGroupAffinityThread) puts back what it
 * keeps. A DPC to each, or an interrupt, would keep it from its work for as long as the flush takes.
 */
#include "base/mem.h"
#include "nt.h"

#include <ka_port.h>

#define SEGMENT_SHIFT 21u

static void *reserve(void *context, size_t size, size_t align)
{
    ka_nt_pool *pool = context;
    return ka_alloc(&pool->allocator, size, align, KA_ATOMIC);
}

static void unreserve(void *context, void *base, size_t size)
{
    ka_nt_pool *pool = context;
    ka_free(&pool->allocator, base, size, PAGE_SIZE);
}

ka_page_source ka_nt_page_source(ka_nt_pool *pool)
{
    return (ka_page_source){
        .context = pool, .reserve = reserve, .unreserve = unreserve, .reserve_contexts = KA_NOWAIT | KA_ATOMIC
    };
}

bool ka_nt_cross_call(void (*call)(void *argument), void *argument)
{
    const nt_routines *nt = &ka_nt_routines;
    if (nt->number_from_index == NULL || nt->set_affinity == NULL || nt->revert_affinity == NULL ||
        KeGetCurrentIrql() > APC_LEVEL)
        return false;
    for (unsigned cpu = 0; cpu < ka_nt_cpus; cpu++) {
        PROCESSOR_NUMBER number;
        GROUP_AFFINITY there, before;
        if (!NT_SUCCESS(nt->number_from_index(cpu, &number)))
            continue; /* may be added later */
        ka_clear(&there, sizeof there);
        there.Group = number.Group;
        there.Mask = (KAFFINITY)1 << number.Number;
        nt->set_affinity(&there, &before);
        call(argument);
        nt->revert_affinity(&before);
    }
    return true;
}

/* Apart, so that options and source are not in one frame. */
static KA_NOINLINE bool heap_open(ka_nt_heap *heap, const char *name, size_t limit, const ka_page_source *source)
{
    return ka_heap_init(&heap->heap, &(ka_heap_options){ .name = name,
                                                         .source = source,
                                                         .size = limit,
                                                         .scattered = true,
                                                         .unaligned = true,
                                                         .segment_shift = SEGMENT_SHIFT,
                                                         .cross_call = ka_nt_cross_call });
}

bool ka_nt_heap_init(ka_nt_heap *heap, const char *name, size_t limit, const ka_nt_pool_options *pool)
{
    if (pool->pageable || !ka_nt_pool_init(&heap->pool, pool))
        return false;
    ka_page_source source = ka_nt_page_source(&heap->pool);
    return heap_open(heap, name, limit, &source);
}

size_t ka_nt_heap_fini(ka_nt_heap *heap)
{
    return ka_heap_fini(&heap->heap);
}

void ka_nt_heap_start(void)
{
    nt_routines *nt = &ka_nt_routines;
    nt->number_from_index = (nt_number_from_index *)ka_nt_find(L"KeGetProcessorNumberFromIndex");
    nt->set_affinity = (nt_set_affinity *)ka_nt_find(L"KeSetSystemGroupAffinityThread");
    nt->revert_affinity = (nt_revert_affinity *)ka_nt_find(L"KeRevertToUserGroupAffinityThread");
}
