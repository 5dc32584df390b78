/* depth_test.c: what a million elements take of the stack when they are dropped. Lists: list_test.c; chains of boxes:
 * owner/box_test.c. */
#include <ka/box.h>
#include <ka/deque.h>
#include <ka/hash_map.h>
#include <ka/map.h>
#include <ka/priority_queue.h>
#include <ka/vec.h>

#include "kit.h"
#include "kit_malloc.h"
#include "owner/depth.h"

enum { N = 1000000 };

static void look(int *self)
{
    (void)self;
    depth_look();
}

static int by_value(int const *a, int const *b)
{
    return KA_COMPARE_NUMBERS(a, b);
}

KA_MAP(tree, int, int, KA_COMPARE_NUMBERS, look, look)
KA_HASH_MAP(table, int, int, KA_HASH_NUMBERS, KA_EQUAL_NUMBERS, look, look)
KA_VEC(row, int, look)
KA_VEC_ORDER(row, int, by_value)
KA_DEQUE(ring, int, look)
KA_PRIORITY_QUEUE(queue, int, by_value, look)

static kit_malloc memory;
static depth_probe probe;
static ka_allocator *const heap = &probe.allocator;

#define DROPPED(name, kind, box)                                                                                 \
    do {                                                                                                         \
        depth_from();                                                                                            \
        name##_drop(box);                                                                                        \
        kit_note("%s of %u items was dropped in %u bytes of stack", kind, (unsigned)N, (unsigned)depth_bytes()); \
        KIT_CHECK(depth_bytes() > 0 && depth_bytes() < DEPTH_MOST && kit_malloc_clean(&memory));                 \
    } while (0)

static void million(void)
{
    kit_malloc_init(&memory);
    depth_begin(&probe, &memory.allocator);
    tree map = tree_in(heap);
    for (int i = 0; i < N; i++)
        KIT_CHECK(tree_insert(&map, i, i) != NULL);
    DROPPED(tree, "a map", &map);
    table hashes = table_in(heap);
    for (int i = 0; i < N; i++)
        KIT_CHECK(table_insert(&hashes, i, i) != NULL);
    DROPPED(table, "a hash map", &hashes);
    row vec = row_in(heap);
    for (int i = 0; i < N; i++)
        KIT_CHECK(row_push(&vec, (int)((unsigned)i * 0x9e3779b1u >> 1)));
    row_sort(&vec);
    KIT_CHECK(row_is_sorted(&vec));
    DROPPED(row, "a vec", &vec);
    ring deque = ring_in(heap);
    for (int i = 0; i < N; i++)
        KIT_CHECK(ring_push_front(&deque, i));
    DROPPED(ring, "a deque", &deque);
    queue items = queue_in(heap);
    for (int i = 0; i < N; i++)
        KIT_CHECK(queue_push(&items, -i));
    DROPPED(queue, "a priority queue", &items);
}

static const kit_case cases[] = { { "million", million } };

int main(void)
{
    return kit_main("depth", cases, KIT_COUNT(cases));
}
