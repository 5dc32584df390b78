/* box_test.c: boxes by themselves, and inside one another. */
#include <ka/box.h>

#include <ka/failing.h>

#include "kit.h"
#include "kit_malloc.h"
#include "owner/tickets.h"

KA_BOX(int_box, int, KA_NO_DROP)
KA_BOX(ticket_box, ticket, ticket_drop)

typedef struct page {
    _Alignas(4096) unsigned char bytes[8192];
} page;
KA_BOX(page_box, page, KA_NO_DROP)

/* A type that owns boxes of itself, and a box of boxes. */
struct node;
KA_BOX_TYPE(node_box, struct node)
struct node {
    ticket ticket;
    node_box left, right;
};
static void node_drop(struct node *node);
KA_BOX_CODE(node_box, struct node, node_drop)

static void node_drop(struct node *node)
{
    node_box_drop(&node->left);
    node_box_drop(&node->right);
    ticket_drop(&node->ticket);
}
KA_BOX(node_box_box, node_box, node_box_drop)

static kit_malloc memory;
static ka_allocator *const heap = &memory.allocator;

static void start(void)
{
    kit_malloc_init(&memory);
    tickets_reset();
}

static void new_is_cleared(void)
{
    start();
    int_box box = { 0 };
    int *value = int_box_new(&box, heap);
    KIT_CHECK(value != NULL && *value == 0 && value == int_box_get(&box));
    *value = 41;
    KIT_CHECK(*int_box_get(&box) == 41 && memory.live_blocks == 1 && memory.live_bytes == sizeof(int));
    int_box_drop(&box);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void drop_twice_and_empty(void)
{
    start();
    ticket_box box = { 0 };
    ticket_box_drop(&box);
    KIT_CHECK(ticket_box_make(&box, heap, ticket_make()) != NULL);
    ticket_box_drop(&box);
    KIT_CHECK(box.value == NULL && box.allocator == NULL && ticket_box_get(&box) == NULL);
    ticket_box_drop(&box);
    KIT_CHECK(tickets_all_dropped() && tickets.made == 1 && kit_malloc_clean(&memory));
}

static void passes_flags(void)
{
    start();
    int_box box = { 0 };
    KIT_CHECK(int_box_new_with(&box, heap, KA_ATOMIC) != NULL && memory.flags == (KA_ATOMIC | KA_ZERO));
    KIT_CHECK(int_box_new_uninit(&box, heap, KA_NOWAIT) != NULL && memory.flags == KA_NOWAIT);
    KIT_CHECK(*(unsigned char *)int_box_get(&box) == 0xa5);
    KIT_CHECK(int_box_new_with(&box, heap, (ka_flags)1 << 31) == NULL);
    int_box_drop(&box);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void keeps_alignment(void)
{
    start();
    page_box box = { 0 };
    page *made = page_box_new(&box, heap);
    KIT_CHECK(made != NULL && (uintptr_t)made % 4096 == 0 && made->bytes[8191] == 0);
    made->bytes[8191] = 7;
    page_box_drop(&box);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void take_moves(void)
{
    start();
    ticket_box box = { 0 };
    KIT_CHECK(ticket_box_make(&box, heap, ticket_make()) != NULL);
    ticket_box moved = ticket_box_take(&box);
    KIT_CHECK(ticket_box_get(&box) == NULL && ticket_box_get(&moved)->id == 1);
    ticket_box_drop(&box);
    KIT_CHECK(tickets.dropped == 0);
    ticket_box_drop(&moved);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void raw_and_back(void)
{
    start();
    ticket_box box = { 0 };
    KIT_CHECK(ticket_box_make(&box, heap, ticket_make()) != NULL);
    ticket *raw = ticket_box_into_raw(&box);
    ticket_box_drop(&box);
    KIT_CHECK(tickets.dropped == 0 && raw->id == 1);
    ticket_box again = ticket_box_from_raw(raw, heap);
    ticket_box_drop(&again);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void inner_is_not_dropped(void)
{
    start();
    ticket_box box = { 0 };
    ticket out = { 77, 78 };
    KIT_CHECK(!ticket_box_into_inner(&box, &out) && out.id == 77);
    KIT_CHECK(ticket_box_make(&box, heap, ticket_make()) != NULL);
    KIT_CHECK(ticket_box_into_inner(&box, &out) && out.id == 1 && tickets.dropped == 0);
    KIT_CHECK(ticket_box_get(&box) == NULL && kit_malloc_clean(&memory));
    ticket_drop(&out);
    KIT_CHECK(tickets_all_dropped());
}

/* A second new or make drops what was there, but only when the new value is in. */
static void replaces(void)
{
    start();
    ka_failing failing;
    ka_failing_init(&failing, heap);
    ticket_box box = { 0 };
    KIT_CHECK(ticket_box_make(&box, &failing.allocator, ticket_make()) != NULL);
    KIT_CHECK(ticket_box_make(&box, &failing.allocator, ticket_make()) != NULL);
    KIT_CHECK(tickets.drops[1] == 1 && tickets.drops[2] == 0 && memory.live_blocks == 1);

    ka_failing_set_chance(&failing, 65536, 0);
    ticket third = ticket_make();
    KIT_CHECK(ticket_box_make(&box, &failing.allocator, third) == NULL);
    KIT_CHECK(ticket_box_new(&box, &failing.allocator) == NULL);
    KIT_CHECK(ticket_box_get(&box)->id == 2 && tickets.dropped == 1 && memory.live_blocks == 1);

    ka_failing_set_chance(&failing, 0, 0);
    KIT_CHECK(ticket_box_new(&box, &failing.allocator) != NULL);
    KIT_CHECK(ticket_box_get(&box)->id == 0 && tickets.drops[2] == 1);
    ticket_drop(&third);
    ticket_box_drop(&box);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void no_allocator_fails(void)
{
    start();
    int_box box = { 0 };
    KIT_CHECK(int_box_new(&box, NULL) == NULL && int_box_make(&box, NULL, 1) == NULL);
    int_box_drop(&box);
}

/* A tree of 2^depth - 1 nodes, or what of it could be had: the caller drops it either way. */
static bool grow_tree(node_box *box, ka_allocator *a, unsigned depth)
{
    struct node *node = node_box_new(box, a);
    if (node == NULL)
        return false;
    node->ticket = ticket_make();
    return depth == 1 || (grow_tree(&node->left, a, depth - 1) && grow_tree(&node->right, a, depth - 1));
}

static void nested_dropped_once(void)
{
    start();
    node_box_box outer = { 0 };
    node_box *tree = node_box_box_new(&outer, heap);
    KIT_CHECK(tree != NULL && grow_tree(tree, heap, 8));
    KIT_CHECK(memory.live_blocks == 256 && tickets.made == 255 && tickets.dropped == 0);
    node_box_box_drop(&outer);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

/* The n-th allocation fails, for every n: what was built so far is dropped once and nothing is left. */
static void nth_allocation_fails(void)
{
    uint64_t failed = 0;
    for (uint64_t n = 1;; n++) {
        start();
        ka_failing failing;
        ka_failing_init(&failing, heap);
        ka_failing_set(&failing, n);
        node_box tree = { 0 };
        bool grown = grow_tree(&tree, &failing.allocator, 6);
        KIT_CHECK(grown == (ka_failing_failures(&failing) == 0));
        node_box_drop(&tree);
        KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
        if (grown)
            break;
        failed++;
    }
    KIT_CHECK(failed == 63);
}

#ifdef KA_AUTO
static void dropped_by_scope(void)
{
    start();
    for (int i = 0; i < 2; i++) {
        KA_AUTO(ticket_box) box = { 0 };
        KIT_CHECK(ticket_box_make(&box, heap, ticket_make()) != NULL);
        KIT_CHECK(memory.live_blocks == 1);
    }
    KIT_CHECK(tickets.made == 2 && tickets_all_dropped() && kit_malloc_clean(&memory));
}
#endif

static const kit_case cases[] = {
    { "new_is_cleared", new_is_cleared },
    { "drop_twice_and_empty", drop_twice_and_empty },
    { "passes_flags", passes_flags },
    { "keeps_alignment", keeps_alignment },
    { "take_moves", take_moves },
    { "raw_and_back", raw_and_back },
    { "inner_is_not_dropped", inner_is_not_dropped },
    { "replaces", replaces },
    { "no_allocator_fails", no_allocator_fails },
    { "nested_dropped_once", nested_dropped_once },
    { "nth_allocation_fails", nth_allocation_fails },
#ifdef KA_AUTO
    { "dropped_by_scope", dropped_by_scope },
#endif
};

int main(void)
{
    return kit_main("box", cases, KIT_COUNT(cases));
}
