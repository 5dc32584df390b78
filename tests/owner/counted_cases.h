/* counted_cases.h: what rc and arc have in common: counts, weak owners, and values that own and point at one another.
 * Include it once, with OWN, OWN_TYPE and OWN_CODE standing for the macros of one of them.
 */
#ifndef COUNTED_CASES_H
#define COUNTED_CASES_H

#include <ka/failing.h>
#include <ka/vec.h>

#include <string.h>

#include "kit.h"
#include "kit_malloc.h"
#include "owner/tickets.h"

OWN(int_own, int, KA_NO_DROP)
OWN(ticket_own, ticket, ticket_drop)

typedef struct wide {
    _Alignas(256) unsigned char bytes[256];
} wide;
OWN(wide_own, wide, KA_NO_DROP)

/* A tree whose children know their parent: down owners, up weak ones. */
struct tree;
OWN_TYPE(tree_own, struct tree)
KA_VEC(tree_own_vec, tree_own, KA_NO_DROP)
struct tree {
    ticket ticket;
    tree_own_weak parent;
    tree_own_vec children;
};
static void tree_drop(struct tree *tree);
OWN_CODE(tree_own, struct tree, tree_drop)

static void tree_drop(struct tree *tree)
{
    KA_VEC_EACH (tree_own, child, &tree->children)
        tree_own_drop(child);
    tree_own_vec_drop(&tree->children);
    tree_own_weak_drop(&tree->parent);
    ticket_drop(&tree->ticket);
}

static kit_malloc memory;
static ka_allocator *const heap = &memory.allocator;

static void start(void)
{
    kit_malloc_init(&memory);
    tickets_reset();
}

static void counts_two_then_one(void)
{
    start();
    ticket_own first = { 0 };
    KIT_CHECK(ticket_own_make(&first, heap, ticket_make()) != NULL && ticket_own_strong_count(&first) == 1);
    ticket_own second = ticket_own_share(&first);
    KIT_CHECK(ticket_own_strong_count(&first) == 2 && ticket_own_strong_count(&second) == 2);
    KIT_CHECK(ticket_own_ptr_eq(&first, &second) && ticket_own_get(&first) == ticket_own_get(&second));
    ticket_own_drop(&first);
    KIT_CHECK(ticket_own_strong_count(&second) == 1 && ticket_own_strong_count(&first) == 0);
    KIT_CHECK(tickets.dropped == 0 && ticket_own_get(&second)->id == 1 && memory.live_blocks == 1);
    ticket_own_drop(&first);
    KIT_CHECK(ticket_own_strong_count(&second) == 1);
    ticket_own_drop(&second);
    ticket_own_drop(&second);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void check_finds_damage(void)
{
    start();
    int_own own = { 0 };
    int_own_weak weak = { 0 };
    KIT_CHECK(int_own_check(&own) == NULL && int_own_weak_check(&weak) == NULL);
    KIT_CHECK(int_own_make(&own, heap, 5) != NULL && int_own_check(&own) == NULL);
    weak = int_own_downgrade(&own);
    KIT_CHECK(int_own_check(&own) == NULL && int_own_weak_check(&weak) == NULL);
    struct int_own_block_ good = *own.block;
    own.block->counts.allocator = NULL;
    KIT_CHECK(int_own_check(&own) != NULL && int_own_weak_check(&weak) != NULL);
    *own.block = good;
    memset(&own.block->counts, 0, 8); /* both counts */
    KIT_CHECK(int_own_check(&own) != NULL && int_own_weak_check(&weak) != NULL);
    memset(&own.block->counts, 0xff, 8);
    KIT_CHECK(int_own_check(&own) != NULL && int_own_weak_check(&weak) != NULL);
    *own.block = good;
    int_own_weak_drop(&weak);
    KIT_CHECK(int_own_check(&own) == NULL);
    uint32_t none = 0;
    memcpy((char *)&own.block->counts + 4, &none, 4); /* the weak one that stands for the strong ones */
    KIT_CHECK(int_own_check(&own) != NULL);
    none = 1;
    memcpy((char *)&own.block->counts + 4, &none, 4);
    weak = int_own_downgrade(&own);
    int_own_drop(&own);
    KIT_CHECK(int_own_weak_check(&weak) == NULL);
    int_own_weak_drop(&weak);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void empty_in_every_way(void)
{
    start();
    ticket_own rc = { 0 };
    ticket_own_weak weak = { 0 };
    ticket out = { 5, 6 };
    KIT_CHECK(ticket_own_get(&rc) == NULL && ticket_own_get_mut(&rc) == NULL);
    KIT_CHECK(ticket_own_strong_count(&rc) == 0 && ticket_own_weak_count(&rc) == 0);
    KIT_CHECK(!ticket_own_try_unwrap(&rc, &out) && out.id == 5);
    ticket_own none = ticket_own_share(&rc), moved = ticket_own_take(&rc), gone = ticket_own_weak_upgrade(&weak);
    ticket_own_weak way = ticket_own_downgrade(&rc), shared = ticket_own_weak_share(&weak);
    ticket_own_weak taken = ticket_own_weak_take(&weak);
    KIT_CHECK(none.block == NULL && moved.block == NULL && gone.block == NULL);
    KIT_CHECK(way.block == NULL && shared.block == NULL && taken.block == NULL);
    ticket_own_drop(&rc);
    ticket_own_weak_drop(&weak);
    KIT_CHECK(ticket_own_new(&rc, NULL) == NULL && ticket_own_make(&rc, NULL, out) == NULL && rc.block == NULL);
}

static void take_moves(void)
{
    start();
    ticket_own rc = { 0 };
    KIT_CHECK(ticket_own_make(&rc, heap, ticket_make()) != NULL);
    ticket_own moved = ticket_own_take(&rc);
    KIT_CHECK(rc.block == NULL && ticket_own_strong_count(&moved) == 1);
    ticket_own_drop(&rc);
    ticket_own_drop(&moved);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

/* The value goes with the last owner, the block with the last weak one. */
static void weak_outlives_value(void)
{
    start();
    ticket_own rc = { 0 };
    KIT_CHECK(ticket_own_make(&rc, heap, ticket_make()) != NULL);
    ticket_own_weak weak = ticket_own_downgrade(&rc), other = ticket_own_weak_share(&weak);
    KIT_CHECK(ticket_own_weak_count(&rc) == 2 && ticket_own_strong_count(&rc) == 1);
    ticket_own again = ticket_own_weak_upgrade(&weak);
    KIT_CHECK(ticket_own_strong_count(&rc) == 2 && ticket_own_ptr_eq(&again, &rc));
    ticket_own_drop(&again);
    KIT_CHECK(tickets.dropped == 0);
    ticket_own_drop(&rc);
    KIT_CHECK(tickets_all_dropped() && memory.live_blocks == 1);
    again = ticket_own_weak_upgrade(&weak);
    KIT_CHECK(again.block == NULL);
    ticket_own_weak_drop(&weak);
    KIT_CHECK(memory.live_blocks == 1);
    ticket_own_weak_drop(&weak);
    ticket_own_weak moved = ticket_own_weak_take(&other);
    ticket_own_weak_drop(&other);
    KIT_CHECK(memory.live_blocks == 1);
    ticket_own_weak_drop(&moved);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void get_mut_only_when_unique(void)
{
    start();
    int_own rc = { 0 };
    int *value = int_own_make(&rc, heap, 1);
    KIT_CHECK(value != NULL && int_own_get_mut(&rc) == value && int_own_get(&rc) == value);
    int_own second = int_own_share(&rc);
    KIT_CHECK(int_own_get_mut(&rc) == NULL && int_own_get_mut(&second) == NULL);
    int_own_drop(&second);
    int_own_weak weak = int_own_downgrade(&rc);
    KIT_CHECK(int_own_get_mut(&rc) == NULL);
    int_own_weak_drop(&weak);
    KIT_CHECK(int_own_get_mut(&rc) == value);
    int_own_drop(&rc);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void unwrap_only_by_last(void)
{
    start();
    ticket_own rc = { 0 };
    ticket out = { 5, 6 };
    KIT_CHECK(ticket_own_make(&rc, heap, ticket_make()) != NULL);
    ticket_own second = ticket_own_share(&rc);
    ticket_own_weak weak = ticket_own_downgrade(&rc);
    KIT_CHECK(!ticket_own_try_unwrap(&rc, &out) && out.id == 5 && ticket_own_strong_count(&rc) == 2);
    ticket_own_drop(&second);
    KIT_CHECK(ticket_own_try_unwrap(&rc, &out) && out.id == 1 && rc.block == NULL && tickets.dropped == 0);
    ticket_own gone = ticket_own_weak_upgrade(&weak);
    KIT_CHECK(gone.block == NULL && memory.live_blocks == 1);
    ticket_own_weak_drop(&weak);
    KIT_CHECK(kit_malloc_clean(&memory));
    ticket_drop(&out);
    KIT_CHECK(tickets_all_dropped());
}

static void new_and_replace(void)
{
    start();
    ka_failing failing;
    ka_failing_init(&failing, heap);
    ticket_own rc = { 0 };
    ticket *value = ticket_own_new_with(&rc, &failing.allocator, KA_ATOMIC);
    KIT_CHECK(value != NULL && value->id == 0 && value->check == 0 && memory.flags == (KA_ATOMIC | KA_ZERO));
    *value = ticket_make();
    ticket_own second = ticket_own_share(&rc);
    KIT_CHECK(ticket_own_make(&rc, &failing.allocator, ticket_make()) != NULL);
    KIT_CHECK(ticket_own_strong_count(&second) == 1 && ticket_own_get(&rc)->id == 2);
    ka_failing_set(&failing, 1);
    ticket third = ticket_make();
    KIT_CHECK(ticket_own_make(&rc, &failing.allocator, third) == NULL && ticket_own_get(&rc)->id == 2);
    ka_failing_set(&failing, 1);
    KIT_CHECK(ticket_own_new(&rc, &failing.allocator) == NULL && ticket_own_get(&rc)->id == 2);
    KIT_CHECK(tickets.dropped == 0 && memory.live_blocks == 2);
    KIT_CHECK(ticket_own_new(&rc, &failing.allocator) != NULL && tickets.drops[2] == 1);
    ticket_drop(&third);
    ticket_own_drop(&second);
    ticket_own_drop(&rc);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void over_aligned(void)
{
    start();
    wide_own rc = { 0 };
    wide *value = wide_own_new(&rc, heap);
    KIT_CHECK(value != NULL && (uintptr_t)value % 256 == 0 && value->bytes[255] == 0);
    wide_own second = wide_own_share(&rc);
    wide_own_drop(&rc);
    KIT_CHECK((uintptr_t)wide_own_get(&second) % 256 == 0);
    wide_own_drop(&second);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* Hangs a new child under the parent. */
static bool tree_grow(tree_own *parent, ka_allocator *a)
{
    struct tree *tree = (struct tree *)tree_own_get(parent); /* one thread: nobody reads meanwhile */
    tree_own child = { 0 };
    struct tree *made = tree_own_new(&child, a);
    if (made == NULL)
        return false;
    made->ticket = ticket_make();
    made->parent = tree_own_downgrade(parent);
    made->children = tree_own_vec_in(a);
    if (tree_own_vec_push(&tree->children, child))
        return true;
    tree_own_drop(&child);
    return false;
}

static bool tree_plant(tree_own *root, ka_allocator *a)
{
    struct tree *tree = tree_own_new(root, a);
    if (tree == NULL)
        return false;
    tree->ticket = ticket_make();
    tree->children = tree_own_vec_in(a);
    for (size_t i = 0; i < 5; i++) {
        if (!tree_grow(root, a))
            return false;
        for (size_t j = 0; j < 5; j++)
            if (!tree_grow(tree_own_vec_at(&tree->children, i), a))
                return false;
    }
    return true;
}

static void tree_with_parents(void)
{
    start();
    tree_own root = { 0 };
    KIT_CHECK(tree_plant(&root, heap) && tickets.made == 31);
    KIT_CHECK(tree_own_weak_count(&root) == 5 && tree_own_strong_count(&root) == 1);
    tree_own child = tree_own_share(tree_own_vec_at(&tree_own_get(&root)->children, 2));
    tree_own parent = tree_own_weak_upgrade(&tree_own_get(&child)->parent);
    KIT_CHECK(tree_own_ptr_eq(&parent, &root));
    tree_own_drop(&parent);
    tree_own_drop(&root);
    KIT_CHECK(tickets.dropped == 25); /* all but the child that is held and its 5 */
    parent = tree_own_weak_upgrade(&tree_own_get(&child)->parent);
    KIT_CHECK(parent.block == NULL);
    tree_own_drop(&child);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

/* Two calls in a row fail, for every place: what was planted is dropped once. */
static void nth_allocation_fails(void)
{
    uint64_t lost = 0;
    for (uint64_t n = 1;; n++) {
        start();
        ka_failing first, second;
        ka_failing_init(&second, heap);
        ka_failing_init(&first, &second.allocator);
        ka_failing_set(&first, n);
        ka_failing_set(&second, n);
        tree_own root = { 0 };
        bool planted = tree_plant(&root, &first.allocator);
        tree_own_drop(&root);
        KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
        KIT_CHECK(planted == (ka_failing_failures(&first) == 0));
        if (planted)
            break;
        lost++;
    }
    KIT_CHECK(lost == 31 + 6 * 2); /* each node; each row of children at 1 and 5 */
}

/* A crowd of owners, strong and weak, in random order, against two numbers. */
static void random_owners(void)
{
    enum { CROWD = 64 };
    start();
    kit_random random = { 7 };
    for (unsigned round = 0; round < 2000; round++) {
        tickets_reset();
        ticket_own strong[CROWD] = { 0 };
        ticket_own_weak weak[CROWD] = { 0 };
        size_t strongs = 1, weaks = 0;
        KIT_CHECK(ticket_own_make(&strong[0], heap, ticket_make()) != NULL);
        while (strongs + weaks != 0) {
            size_t at = (size_t)kit_below(&random, CROWD), to = (size_t)kit_below(&random, CROWD);
            switch (kit_below(&random, 6)) {
            case 0:
                if (strong[at].block != NULL && strong[to].block == NULL) {
                    strong[to] = ticket_own_share(&strong[at]);
                    strongs++;
                }
                break;
            case 1:
                if (strong[at].block != NULL && weak[to].block == NULL) {
                    weak[to] = ticket_own_downgrade(&strong[at]);
                    weaks++;
                }
                break;
            case 2:
                if (weak[at].block != NULL && strong[to].block == NULL) {
                    strong[to] = ticket_own_weak_upgrade(&weak[at]);
                    KIT_CHECK((strong[to].block != NULL) == (strongs != 0));
                    strongs += strong[to].block != NULL;
                }
                break;
            case 3:
            case 4:
                strongs -= strong[at].block != NULL;
                ticket_own_drop(&strong[at]);
                break;
            default:
                weaks -= weak[to].block != NULL;
                ticket_own_weak_drop(&weak[to]);
            }
            KIT_CHECK(tickets.dropped == (strongs == 0));
            KIT_CHECK(memory.live_blocks == (strongs + weaks != 0));
            for (size_t i = 0; i < CROWD; i += 9)
                if (strong[i].block != NULL)
                    KIT_CHECK(ticket_own_strong_count(&strong[i]) == strongs &&
                              ticket_own_weak_count(&strong[i]) == weaks);
        }
        KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
    }
}

static const kit_case counted_cases[] = {
    { "counts_two_then_one", counts_two_then_one },
    { "empty_in_every_way", empty_in_every_way },
    { "check_finds_damage", check_finds_damage },
    { "take_moves", take_moves },
    { "weak_outlives_value", weak_outlives_value },
    { "get_mut_only_when_unique", get_mut_only_when_unique },
    { "unwrap_only_by_last", unwrap_only_by_last },
    { "new_and_replace", new_and_replace },
    { "over_aligned", over_aligned },
    { "tree_with_parents", tree_with_parents },
    { "nth_allocation_fails", nth_allocation_fails },
    { "random_owners", random_owners },
};

#endif
