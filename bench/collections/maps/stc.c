/* stc.c: STC's sorted map and hash map. */
#include "workload.h"

#define T stc_tree, uint64_t, uint64_t
#include <stc/smap.h>
#define T stc_table, uint64_t, uint64_t
#include <stc/hmap.h>

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

int main(void)
{
    WORKLOAD("map", "STC smap", bench_stc_tree, stc_tree)
    WORKLOAD("hash map", "STC hmap", bench_stc_table, stc_table)
    return 0;
}
