/* ours.c: ka/map.h and ka/hash_map.h over the C library's malloc, as the peers. */
#include <ka/handler.h>
#include <ka/hash_map.h>
#include <ka/map.h>

#include "workload.h"

KA_MAP(tree, uint64_t, uint64_t, KA_COMPARE_NUMBERS, KA_NO_DROP, KA_NO_DROP)
KA_HASH_MAP(table, uint64_t, uint64_t, KA_HASH_NUMBERS, KA_EQUAL_NUMBERS, KA_NO_DROP, KA_NO_DROP)
KA_HASH_MAP(sip_table, uint64_t, uint64_t, KA_HASH_BITS, KA_EQUAL_NUMBERS, KA_NO_DROP, KA_NO_DROP)

static void *op_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    (void)self, (void)align;
    return (flags & KA_ZERO) != 0 ? calloc(1, size) : malloc(size);
}

static void op_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    (void)self, (void)size, (void)align;
    free(block);
}

static const ka_allocator_ops ops = { "malloc", op_alloc, op_free, NULL, NULL, NULL, NULL, NULL };
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

int main(void)
{
    WORKLOAD("map", "kernel-alloc", bench_tree, tree)
    WORKLOAD("hash map", "kernel-alloc", bench_table, table)
    WORKLOAD("hash map", "kernel-alloc, SipHash-1-3", bench_sip_table, sip_table)
    return 0;
}
