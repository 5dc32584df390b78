/* bench.h: what the module's two files share. */
#ifndef BENCH_H
#define BENCH_H

#include <ka/cache.h>
#include <ka/heap.h>

struct kmem_cache;

extern ka_heap bench_heap;
extern ka_cache bench_cache;                   /* of objects of the size that is measured */
extern struct kmem_cache *bench_kernel_cache; /* the same */

/* Counts blocks that go from CPU to CPU. */
void bench_cross(size_t size);

#endif
