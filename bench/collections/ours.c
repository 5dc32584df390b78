/* ours.c: ka/map.h, ka/hash_map.h, ka/vec.h and ka/priority_queue.h over the C library's malloc, as the peers. */
#include <ka/handler.h>
#include <ka/hash_map.h>
#include <ka/map.h>
#include <ka/priority_queue.h>
#include <ka/vec.h>

#include "workload.h"

KA_MAP(tree, uint64_t, uint64_t, KA_COMPARE_NUMBERS, KA_NO_DROP, KA_NO_DROP)
KA_HASH_MAP(table, uint64_t, uint64_t, KA_HASH_NUMBERS, KA_EQUAL_NUMBERS, KA_NO_DROP, KA_NO_DROP)
KA_HASH_MAP(sip_table, uint64_t, uint64_t, KA_HASH_BITS, KA_EQUAL_NUMBERS, KA_NO_DROP, KA_NO_DROP)
KA_VEC(row, uint64_t, KA_NO_DROP)
KA_VEC_ORDER(row, uint64_t, KA_COMPARE_NUMBERS)
KA_PRIORITY_QUEUE(queue, uint64_t, KA_COMPARE_NUMBERS, KA_NO_DROP)

static void *op_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    (void)self, (void)align;
    return (flags & KA_ZERO) != 0 ? calloc(1, size) : malloc(size);
}

/* realloc moves large blocks by their pages, for the peers, too. */
static void *op_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                       size_t new_align, ka_flags flags)
{
    (void)self, (void)old_size, (void)old_align, (void)new_align;
    return (flags & KA_ZERO) == 0 ? realloc(block, new_size) : NULL;
}

static void op_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    (void)self, (void)size, (void)align;
    free(block);
}

static const ka_allocator_ops ops = { "malloc", op_alloc, op_free, op_resize, NULL, NULL, NULL, NULL };
static ka_allocator heap = { &ops };

void ka_port_panic(const char *message, const char *file, unsigned line)
{
    fprintf(stderr, "%s:%u: %s\n", file, line, message);
    abort();
}

void ka_port_log(const char *line, size_t length)
{
    fprintf(stderr, "%.*s\n", (int)length, line);
}

#define OURS(name)                                                             \
    static void bench_##name##_make(name *map)                                 \
    {                                                                          \
        *map = name##_in(&heap);                                               \
    }                                                                          \
    static void bench_##name##_insert(name *map, uint64_t key, uint64_t value) \
    {                                                                          \
        if (name##_insert(map, key, value) == NULL)                            \
            abort();                                                           \
    }                                                                          \
    static uint64_t bench_##name##_find(name *map, uint64_t key)               \
    {                                                                          \
        return *name##_get(map, key);                                          \
    }                                                                          \
    static void bench_##name##_erase(name *map, uint64_t key)                  \
    {                                                                          \
        if (!name##_erase(map, key))                                           \
            abort();                                                           \
    }                                                                          \
    static void bench_##name##_end(name *map)                                  \
    {                                                                          \
        name##_drop(map);                                                      \
    }
OURS(tree)
OURS(table)
OURS(sip_table)

static void bench_row_make(row *made)
{
    *made = row_in(&heap);
}
static void bench_row_push(row *self, uint64_t value)
{
    if (!row_push(self, value))
        abort();
}
static void bench_row_second(row *self)
{
    row_sort(self);
}
static uint64_t bench_row_at(row *self, size_t i)
{
    return *row_at(self, i);
}
static void bench_row_end(row *self)
{
    row_drop(self);
}

static void bench_queue_make(queue *made)
{
    *made = queue_in(&heap);
}
static void bench_queue_push(queue *self, uint64_t value)
{
    if (!queue_push(self, value))
        abort();
}
static void bench_queue_second(queue *self)
{
    for (uint64_t *to = workload_popped; queue_pop(self, to);)
        to++;
}
static uint64_t bench_queue_at(queue *self, size_t i)
{
    (void)self;
    return workload_popped[i];
}
static void bench_queue_end(queue *self)
{
    queue_drop(self);
}

int main(int argc, char **argv)
{
    WORKLOADS(argc, argv);
    WORKLOAD("map", "kernel-alloc", bench_tree, tree)
    WORKLOAD("hash map", "kernel-alloc", bench_table, table)
    WORKLOAD("hash map", "kernel-alloc, SipHash-1-3", bench_sip_table, sip_table)
    ROWS("vec", "kernel-alloc", "sort", bench_row, row)
    ROWS("priority queue", "kernel-alloc", "pop", bench_queue, queue)
    return 0;
}
