/* cpp.cc: C++'s standard library. */
#include <map>
#include <unordered_map>

#include "workload.h"

using tree = std::map<uint64_t, uint64_t>;
using table = std::unordered_map<uint64_t, uint64_t>;

/* The map is made in place: WORKLOAD has constructed an empty one. */
#define STANDARD(name)                                                         \
    static void bench_##name##_make(name *) {}                                 \
    static void bench_##name##_insert(name *map, uint64_t key, uint64_t value) \
    {                                                                          \
        map->emplace(key, value);                                              \
    }                                                                          \
    static uint64_t bench_##name##_find(name *map, uint64_t key)               \
    {                                                                          \
        return map->find(key)->second;                                         \
    }                                                                          \
    static void bench_##name##_erase(name *map, uint64_t key)                  \
    {                                                                          \
        if (map->erase(key) != 1)                                              \
            abort();                                                           \
    }                                                                          \
    static void bench_##name##_end(name *) {}
STANDARD(tree)
STANDARD(table)

int main()
{
    WORKLOAD("map", "C++ std::map", bench_tree, tree)
    WORKLOAD("hash map", "C++ std::unordered_map", bench_table, table)
    return 0;
}
