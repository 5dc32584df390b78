/* uthash.c: the entries are the program's own blocks, with the table's links in them. */
#include <uthash.h>

#include "workload.h"

typedef struct entry {
    uint64_t key, value;
    UT_hash_handle hh;
} entry;
typedef entry *table;

static void bench_table_make(table *map)
{
    *map = NULL;
}
static void bench_table_insert(table *map, uint64_t key, uint64_t value)
{
    entry *made;
    HASH_FIND(hh, *map, &key, sizeof key, made); /* HASH_ADD alone would take a key twice */
    if (made != NULL) {
        made->value = value;
        return;
    }
    made = malloc(sizeof *made);
    made->key = key;
    made->value = value;
    HASH_ADD(hh, *map, key, sizeof key, made);
}
static uint64_t bench_table_find(table *map, uint64_t key)
{
    entry *found;
    HASH_FIND(hh, *map, &key, sizeof key, found);
    return found->value;
}
static void bench_table_erase(table *map, uint64_t key)
{
    entry *found;
    HASH_FIND(hh, *map, &key, sizeof key, found);
    HASH_DEL(*map, found);
    free(found);
}
static void bench_table_end(table *map)
{
    HASH_CLEAR(hh, *map);
}

int main(int argc, char **argv)
{
    WORKLOADS(argc, argv);
    WORKLOAD("hash map", "uthash", bench_table, table)
    return 0;
}
