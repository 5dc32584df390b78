/* heap_inside.h: what the heap's tests know of its magazines, in one place. */
#ifndef HEAP_INSIDE_H
#define HEAP_INSIDE_H

#include "heap/core.h"
#include "heap/fast.h"

/* The arrays of a class: pointers to their ends, so that a test can also move them. */
typedef struct inside {
    void ***top;                   /* behind the newest block */
    void **bottom, **end, **limit; /* the oldest; where a push stops; where the memory ends */
} inside;

static inline ka_magazines *inside_magazines(const ka_heap *heap)
{
    return ka_heap_magazines(heap);
}
static inline bool inside_has_magazines(const ka_heap *heap)
{
    return ka_heap_magazines(heap) != &ka_no_magazines;
}
static inline bool inside_busy(const ka_heap *heap)
{
    const uintptr_t *cell = ka_port_cell_of(heap->cell, ka_port_slot());
    if (cell != NULL && *(const volatile uintptr_t *)cell != (uintptr_t)&ka_no_magazines)
        return *(const volatile uintptr_t *)cell == (uintptr_t)&ka_busy_magazines;
    return ka_heap_magazines(heap)->busy != 0;
}

static inline inside inside_of(const ka_heap *heap, size_t size)
{
    ka_magazines *m = ka_heap_magazines(heap);
    unsigned number = ka_magazine_of_class(ka_class_of(size));
    return (inside){ &m->top[number], m->bottom[number], m->end[number],
                     m->bottom[number] + ka_magazine_room(m, number) };
}

static inline size_t inside_length(inside in)
{
    return (size_t)(*in.top - in.bottom);
}
static inline size_t inside_capacity(inside in)
{
    return (size_t)(in.limit - in.bottom);
}

/* Bytes of the heap that the magazines of the calling thread take. */
static inline size_t inside_bytes(const ka_heap *heap)
{
    return (size_t)ka_heap_magazines(heap)->run_pages << heap->page_shift;
}

#endif
