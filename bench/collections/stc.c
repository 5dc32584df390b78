/* stc.c: STC's sorted map, hash map, vec with sort, and priority queue. */
#include "workload.h"

#define T stc_tree, uint64_t, uint64_t
#include <stc/smap.h>
#define T stc_table, uint64_t, uint64_t
#include <stc/hmap.h>
#define T stc_row, uint64_t, (c_use_cmp)
#include <stc/vec.h>
#define T stc_queue, uint64_t
#define i_less(a, b) (*(b) < *(a)) /* the least first */
#include <stc/pqueue.h>

#define STC(name)                                                              \
    static void bench_##name##_make(name *map)                                 \
    {                                                                          \
        *map = name##_init();                                                  \
    }                                                                          \
    static void bench_##name##_insert(name *map, uint64_t key, uint64_t value) \
    {                                                                          \
        name##_insert(map, key, value);                                        \
    }                                                                          \
    static uint64_t bench_##name##_find(name *map, uint64_t key)               \
    {                                                                          \
        return name##_get(map, key)->second;                                   \
    }                                                                          \
    static void bench_##name##_erase(name *map, uint64_t key)                  \
    {                                                                          \
        if (name##_erase(map, key) != 1)                                       \
            abort();                                                           \
    }                                                                          \
    static void bench_##name##_end(name *map)                                  \
    {                                                                          \
        name##_drop(map);                                                      \
    }
STC(stc_tree)
STC(stc_table)

static void bench_row_make(stc_row *made)
{
    *made = stc_row_init();
}
static void bench_row_push(stc_row *self, uint64_t value)
{
    stc_row_push(self, value);
}
static void bench_row_second(stc_row *self)
{
    stc_row_sort(self);
}
static uint64_t bench_row_at(stc_row *self, size_t i)
{
    return *stc_row_at(self, (isize_t)i);
}
static void bench_row_end(stc_row *self)
{
    stc_row_drop(self);
}

static void bench_queue_make(stc_queue *made)
{
    *made = stc_queue_init();
}
static void bench_queue_push(stc_queue *self, uint64_t value)
{
    stc_queue_push(self, value);
}
static void bench_queue_second(stc_queue *self)
{
    for (uint64_t *to = workload_popped; !stc_queue_is_empty(self); stc_queue_pop(self))
        *to++ = *stc_queue_top(self);
}
static uint64_t bench_queue_at(stc_queue *self, size_t i)
{
    (void)self;
    return workload_popped[i];
}
static void bench_queue_end(stc_queue *self)
{
    stc_queue_drop(self);
}

int main(int argc, char **argv)
{
    WORKLOADS(argc, argv);
    WORKLOAD("map", "STC smap", bench_stc_tree, stc_tree)
    WORKLOAD("hash map", "STC hmap", bench_stc_table, stc_table)
    ROWS("vec", "STC vec", "sort", bench_row, stc_row)
    ROWS("priority queue", "STC pqueue", "pop", bench_queue, stc_queue)
    return 0;
}
