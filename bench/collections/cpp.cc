/* cpp.cc: C++'s standard library. */
#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <unordered_map>
#include <vector>

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

using row = std::vector<uint64_t>;
using queue = std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<uint64_t>>;

static void bench_row_make(row *) {}
static void bench_row_push(row *self, uint64_t value)
{
    self->push_back(value);
}
static void bench_row_second(row *self)
{
    std::sort(self->begin(), self->end());
}
static uint64_t bench_row_at(row *self, size_t i)
{
    return (*self)[i];
}
static void bench_row_end(row *) {}

static void bench_queue_make(queue *) {}
static void bench_queue_push(queue *self, uint64_t value)
{
    self->push(value);
}
static void bench_queue_second(queue *self)
{
    for (uint64_t *to = workload_popped; !self->empty(); self->pop())
        *to++ = self->top();
}
static uint64_t bench_queue_at(queue *, size_t i)
{
    return workload_popped[i];
}
static void bench_queue_end(queue *) {}

int main(int argc, char **argv)
{
    WORKLOADS(argc, argv);
    WORKLOAD("map", "C++ std::map", bench_tree, tree)
    WORKLOAD("hash map", "C++ std::unordered_map", bench_table, table)
    ROWS("vec", "C++ std::vector, sort", "sort", bench_row, row)
    ROWS("priority queue", "C++ std::priority_queue", "pop", bench_queue, queue)
    return 0;
}
