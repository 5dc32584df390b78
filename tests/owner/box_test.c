/* box_test.c: boxes by themselves, and inside one another. */
#include <ka/box.h>

#include <string.h>

#include <ka/failing.h>

#include "kit.h"
#include "kit_malloc.h"
#include "owner/depth.h"
#include "owner/tickets.h"

KA_BOX(int_box, int, KA_NO_DROP)
KA_BOX_CLONE(int_box, int, KA_CLONE_BYTES)
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

static void replaces_the_value(void)
{
    start();
    ticket_box box = { 0 };
    ticket first = ticket_make(), second = ticket_make(), old = { 0, 0 };
    KIT_CHECK(!ticket_box_replace(&box, first, &old) && old.id == 0);
    const ticket *value = ticket_box_make(&box, heap, first);
    KIT_CHECK(value != NULL && ticket_box_replace(&box, second, &old) && old.id == 1 && value->id == 2);
    KIT_CHECK(tickets.dropped == 0 && memory.allocs == 1);
    ticket_drop(&old);
    ticket_box_drop(&box);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void made_from_bytes(void)
{
    start();
    static const unsigned char bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    uint32_t expected = 0;
    ticket_box box = { 0 };
    KIT_CHECK(ticket_box_make(&box, heap, ticket_make()) != NULL);
    KIT_CHECK(ticket_box_from_bytes(&box, heap, bytes, 9) == NULL && ticket_box_get(&box)->id == 1);
    KIT_CHECK(ticket_box_from_bytes(&box, NULL, bytes, 1) == NULL && tickets.dropped == 0);
    ticket *value = ticket_box_from_bytes(&box, heap, bytes, 4);
    memcpy(&expected, bytes, 4);
    KIT_CHECK(value != NULL && value->id == expected && value->check == 0 && tickets.dropped == 1);
    value = ticket_box_from_bytes(&box, heap, NULL, 0);
    KIT_CHECK(value != NULL && value->id == 0 && value->check == 0);
    tickets.damaged = 0;                                            /* by the drop of the bytes */
    KIT_CHECK(ticket_box_from_bytes(&box, heap, value, 8) != NULL); /* from its own old value */
    ticket_box_drop(&box);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void leaks(void)
{
    start();
    int_box box = { 0 };
    KIT_CHECK(int_box_make(&box, heap, 5) != NULL);
    int *kept = int_box_leak(&box);
    KIT_CHECK(kept != NULL && *kept == 5 && int_box_get(&box) == NULL && memory.live_blocks == 1);
    box = int_box_from_raw(kept, heap);
    int_box_drop(&box);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* A clone of a box of a box: each allocation fails in turn. */
static bool int_box_copy(int_box *out, int_box const *from)
{
    return int_box_clone(out, from, &memory.allocator);
}
KA_BOX(int_box_box, int_box, int_box_drop)
KA_BOX_CLONE(int_box_box, int_box, int_box_copy)

static void clones(void)
{
    start();
    int_box_box box = { 0 }, copy = { 0 };
    int_box none = { 0 }, none_too = { 0 };
    KIT_CHECK(int_box_box_clone(&copy, &box, heap) && int_box_box_get(&copy) == NULL);
    KIT_CHECK(int_box_clone(&none_too, &none, heap) && int_box_get(&none_too) == NULL);
    int_box *inner = int_box_box_new(&box, heap);
    KIT_CHECK(inner != NULL && int_box_make(inner, heap, 7) != NULL);
    size_t live = memory.live_bytes;
    for (size_t room = 0; room <= sizeof(int_box) + sizeof(int); room++) {
        memory.limit = live + room;
        bool cloned = int_box_box_clone(&copy, &box, heap);
        KIT_CHECK(cloned == (room == sizeof(int_box) + sizeof(int)));
        KIT_CHECK(cloned || (copy.value == NULL && memory.live_bytes == live));
    }
    KIT_CHECK(*int_box_get(int_box_box_get(&copy)) == 7 && int_box_box_get(&copy) != int_box_box_get(&box));
    int_box_box_drop(&box);
    int_box_box_drop(&copy);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* A chain: its drop finds the link empty; a link in the middle can be taken out. */
struct link;
KA_BOX_TYPE(link_box, struct link)
struct link {
    link_box next;
    ticket ticket;
};
static unsigned full_links;

static void link_drop(struct link *self)
{
    full_links += self->next.value != NULL;
    depth_look();
    ticket_drop(&self->ticket);
}
KA_BOX_CHAIN_CODE(link_box, struct link, next, link_drop)

static bool chain_push(link_box *chain, ka_allocator *a)
{
    link_box first = { 0 };
    if (link_box_new(&first, a) == NULL)
        return false;
    first.value->next = link_box_take(chain);
    *chain = first;
    return true;
}

static void chain(void)
{
    start();
    link_box chain = { 0 };
    for (int i = 0; i < 5; i++) {
        KIT_CHECK(chain_push(&chain, heap));
        chain.value->ticket = ticket_make();
    }
    link_box rest = link_box_take(&chain.value->next.value->next);
    link_box_drop(&chain);
    KIT_CHECK(tickets.dropped == 2 && tickets.drops[5] == 1 && tickets.drops[4] == 1);
    link_box_drop(&rest);
    link_box_drop(&rest);
    KIT_CHECK(tickets_all_dropped() && full_links == 0 && kit_malloc_clean(&memory));
}

/* All that any box can. */
static void chain_is_a_box(void)
{
    start();
    link_box box = { 0 };
    struct link value = { { 0 }, ticket_make() }, out = { { 0 }, { 0, 0 } };
    KIT_CHECK(!link_box_replace(&box, value, &out) && !link_box_into_inner(&box, &out) && !link_box_get(&box));
    KIT_CHECK(link_box_check(&box) == NULL && !link_box_make(&box, NULL, value) && out.ticket.id == 0);
    struct link *made = link_box_make(&box, heap, value);
    KIT_CHECK(made != NULL && link_box_get(&box) == made && link_box_check(&box) == NULL);
    value.ticket = ticket_make();
    KIT_CHECK(link_box_replace(&box, value, &out) && out.ticket.id == 1 && made->ticket.id == 2);
    ticket_drop(&out.ticket);
    KIT_CHECK(link_box_into_raw(&box) == made);
    box = link_box_from_raw(made, heap);
    KIT_CHECK(link_box_leak(&box) == made);
    box = link_box_from_raw(made, heap);
    KIT_CHECK(link_box_into_inner(&box, &out) && out.ticket.id == 2 && memory.live_blocks == 0);
    ticket_drop(&out.ticket);
    KIT_CHECK(link_box_new_with(&box, heap, KA_ATOMIC) && memory.flags == (KA_ATOMIC | KA_ZERO));
    KIT_CHECK(!link_box_from_bytes(&box, heap, &value, sizeof value + 1) && !link_box_from_bytes(&box, NULL, NULL, 0));
    KIT_CHECK(link_box_from_bytes(&box, heap, NULL, 0));
    value = (struct link){ { 0 }, ticket_make() };
    made = link_box_from_bytes(&box, heap, &value, sizeof value);
    KIT_CHECK(made != NULL && made->ticket.id == 3 && memory.live_blocks == 1);
    link_box_drop(&box);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void million_in_a_chain(void)
{
    enum { N = 1000000 };
    start();
    depth_probe probe;
    depth_begin(&probe, heap);
    link_box chain = { 0 };
    for (int i = 0; i < N; i++)
        KIT_CHECK(chain_push(&chain, &probe.allocator));
    depth_from();
    link_box_drop(&chain);
    kit_note("a chain of %u boxes was dropped in %u bytes of stack", (unsigned)N, (unsigned)depth_bytes());
    KIT_CHECK(depth_bytes() > 0 && depth_bytes() < DEPTH_MOST && full_links == 0 && kit_malloc_clean(&memory));
}

static void check_finds_damage(void)
{
    start();
    int_box box = { 0 };
    KIT_CHECK(int_box_check(&box) == NULL && int_box_new(&box, heap) != NULL && int_box_check(&box) == NULL);
    int_box bad = { box.value, NULL };
    KIT_CHECK(int_box_check(&bad) != NULL);
    bad = int_box_from_raw((int *)(void *)((char *)box.value + 1), heap);
    KIT_CHECK(int_box_check(&bad) != NULL);
    int_box_drop(&box);
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
    { "replaces_the_value", replaces_the_value },
    { "made_from_bytes", made_from_bytes },
    { "leaks", leaks },
    { "clones", clones },
    { "chain", chain },
    { "chain_is_a_box", chain_is_a_box },
    { "million_in_a_chain", million_in_a_chain },
    { "check_finds_damage", check_finds_damage },
#ifdef KA_AUTO
    { "dropped_by_scope", dropped_by_scope },
#endif
};

int main(void)
{
    return kit_main("box", cases, KIT_COUNT(cases));
}
