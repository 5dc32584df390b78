/* rc_test.c: counts, weak owners, and values that own and point at one another. */
#include <ka/rc.h>

#include <ka/failing.h>
#include <ka/vec.h>

#include "kit.h"
#include "kit_malloc.h"
#include "owner/tickets.h"

KA_RC(int_rc, int, KA_NO_DROP)
KA_RC(ticket_rc, ticket, ticket_drop)

typedef struct wide {
    _Alignas(256) unsigned char bytes[256];
} wide;
KA_RC(wide_rc, wide, KA_NO_DROP)

/* A tree whose children know their parent: down owners, up weak ones. */
struct tree;
KA_RC_TYPE(tree_rc, struct tree)
KA_VEC(tree_rc_vec, tree_rc, KA_NO_DROP)
struct tree {
    ticket ticket;
    tree_rc_weak parent;
    tree_rc_vec children;
};
static void tree_drop(struct tree *tree);
KA_RC_CODE(tree_rc, struct tree, tree_drop)

static void tree_drop(struct tree *tree)
{
    KA_VEC_EACH(tree_rc, child, &tree->children)
    tree_rc_drop(child);
    tree_rc_vec_drop(&tree->children);
    tree_rc_weak_drop(&tree->parent);
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
    ticket_rc first = { 0 };
    KIT_CHECK(ticket_rc_make(&first, heap, ticket_make()) != NULL && ticket_rc_strong_count(&first) == 1);
    ticket_rc second = ticket_rc_share(&first);
    KIT_CHECK(ticket_rc_strong_count(&first) == 2 && ticket_rc_strong_count(&second) == 2);
    KIT_CHECK(ticket_rc_ptr_eq(&first, &second) && ticket_rc_get(&first) == ticket_rc_get(&second));
    ticket_rc_drop(&first);
    KIT_CHECK(ticket_rc_strong_count(&second) == 1 && ticket_rc_strong_count(&first) == 0);
    KIT_CHECK(tickets.dropped == 0 && ticket_rc_get(&second)->id == 1 && memory.live_blocks == 1);
    ticket_rc_drop(&first);
    KIT_CHECK(ticket_rc_strong_count(&second) == 1);
    ticket_rc_drop(&second);
    ticket_rc_drop(&second);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void empty_in_every_way(void)
{
    start();
    ticket_rc rc = { 0 };
    ticket_rc_weak weak = { 0 };
    ticket out = { 5, 6 };
    KIT_CHECK(ticket_rc_get(&rc) == NULL && ticket_rc_get_mut(&rc) == NULL && ticket_rc_get_mut_unchecked(&rc) == NULL);
    KIT_CHECK(ticket_rc_strong_count(&rc) == 0 && ticket_rc_weak_count(&rc) == 0);
    KIT_CHECK(!ticket_rc_try_unwrap(&rc, &out) && out.id == 5);
    ticket_rc none = ticket_rc_share(&rc), moved = ticket_rc_take(&rc), gone = ticket_rc_weak_upgrade(&weak);
    ticket_rc_weak way = ticket_rc_downgrade(&rc), shared = ticket_rc_weak_share(&weak);
    ticket_rc_weak taken = ticket_rc_weak_take(&weak);
    KIT_CHECK(none.block == NULL && moved.block == NULL && gone.block == NULL);
    KIT_CHECK(way.block == NULL && shared.block == NULL && taken.block == NULL);
    ticket_rc_drop(&rc);
    ticket_rc_weak_drop(&weak);
    KIT_CHECK(ticket_rc_new(&rc, NULL) == NULL && ticket_rc_make(&rc, NULL, out) == NULL && rc.block == NULL);
}

static void take_moves(void)
{
    start();
    ticket_rc rc = { 0 };
    KIT_CHECK(ticket_rc_make(&rc, heap, ticket_make()) != NULL);
    ticket_rc moved = ticket_rc_take(&rc);
    KIT_CHECK(rc.block == NULL && ticket_rc_strong_count(&moved) == 1);
    ticket_rc_drop(&rc);
    ticket_rc_drop(&moved);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

/* The value goes with the last owner, the block with the last weak one. */
static void weak_outlives_value(void)
{
    start();
    ticket_rc rc = { 0 };
    KIT_CHECK(ticket_rc_make(&rc, heap, ticket_make()) != NULL);
    ticket_rc_weak weak = ticket_rc_downgrade(&rc), other = ticket_rc_weak_share(&weak);
    KIT_CHECK(ticket_rc_weak_count(&rc) == 2 && ticket_rc_strong_count(&rc) == 1);
    ticket_rc again = ticket_rc_weak_upgrade(&weak);
    KIT_CHECK(ticket_rc_strong_count(&rc) == 2 && ticket_rc_ptr_eq(&again, &rc));
    ticket_rc_drop(&again);
    KIT_CHECK(tickets.dropped == 0);
    ticket_rc_drop(&rc);
    KIT_CHECK(tickets_all_dropped() && memory.live_blocks == 1);
    again = ticket_rc_weak_upgrade(&weak);
    KIT_CHECK(again.block == NULL);
    ticket_rc_weak_drop(&weak);
    KIT_CHECK(memory.live_blocks == 1);
    ticket_rc_weak_drop(&weak);
    ticket_rc_weak moved = ticket_rc_weak_take(&other);
    ticket_rc_weak_drop(&other);
    KIT_CHECK(memory.live_blocks == 1);
    ticket_rc_weak_drop(&moved);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void get_mut_only_when_unique(void)
{
    start();
    int_rc rc = { 0 };
    int *value = int_rc_make(&rc, heap, 1);
    KIT_CHECK(value != NULL && int_rc_get_mut(&rc) == value && int_rc_get(&rc) == value);
    int_rc second = int_rc_share(&rc);
    KIT_CHECK(int_rc_get_mut(&rc) == NULL && int_rc_get_mut(&second) == NULL);
    KIT_CHECK(int_rc_get_mut_unchecked(&second) == value);
    int_rc_drop(&second);
    int_rc_weak weak = int_rc_downgrade(&rc);
    KIT_CHECK(int_rc_get_mut(&rc) == NULL);
    int_rc_weak_drop(&weak);
    KIT_CHECK(int_rc_get_mut(&rc) == value);
    int_rc_drop(&rc);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void unwrap_only_by_last(void)
{
    start();
    ticket_rc rc = { 0 };
    ticket out = { 5, 6 };
    KIT_CHECK(ticket_rc_make(&rc, heap, ticket_make()) != NULL);
    ticket_rc second = ticket_rc_share(&rc);
    ticket_rc_weak weak = ticket_rc_downgrade(&rc);
    KIT_CHECK(!ticket_rc_try_unwrap(&rc, &out) && out.id == 5 && ticket_rc_strong_count(&rc) == 2);
    ticket_rc_drop(&second);
    KIT_CHECK(ticket_rc_try_unwrap(&rc, &out) && out.id == 1 && rc.block == NULL && tickets.dropped == 0);
    ticket_rc gone = ticket_rc_weak_upgrade(&weak);
    KIT_CHECK(gone.block == NULL && memory.live_blocks == 1);
    ticket_rc_weak_drop(&weak);
    KIT_CHECK(kit_malloc_clean(&memory));
    ticket_drop(&out);
    KIT_CHECK(tickets_all_dropped());
}

static void new_and_replace(void)
{
    start();
    ka_failing failing;
    ka_failing_init(&failing, heap);
    ticket_rc rc = { 0 };
    ticket *value = ticket_rc_new_with(&rc, &failing.allocator, KA_ATOMIC);
    KIT_CHECK(value != NULL && value->id == 0 && value->check == 0 && memory.flags == (KA_ATOMIC | KA_ZERO));
    *value = ticket_make();
    ticket_rc second = ticket_rc_share(&rc);
    KIT_CHECK(ticket_rc_make(&rc, &failing.allocator, ticket_make()) != NULL);
    KIT_CHECK(ticket_rc_strong_count(&second) == 1 && ticket_rc_get(&rc)->id == 2);
    ka_failing_set(&failing, 1);
    ticket third = ticket_make();
    KIT_CHECK(ticket_rc_make(&rc, &failing.allocator, third) == NULL && ticket_rc_get(&rc)->id == 2);
    ka_failing_set(&failing, 1);
    KIT_CHECK(ticket_rc_new(&rc, &failing.allocator) == NULL && ticket_rc_get(&rc)->id == 2);
    KIT_CHECK(tickets.dropped == 0 && memory.live_blocks == 2);
    KIT_CHECK(ticket_rc_new(&rc, &failing.allocator) != NULL && tickets.drops[2] == 1);
    ticket_drop(&third);
    ticket_rc_drop(&second);
    ticket_rc_drop(&rc);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void over_aligned(void)
{
    start();
    wide_rc rc = { 0 };
    wide *value = wide_rc_new(&rc, heap);
    KIT_CHECK(value != NULL && (uintptr_t)value % 256 == 0 && value->bytes[255] == 0);
    wide_rc second = wide_rc_share(&rc);
    wide_rc_drop(&rc);
    KIT_CHECK((uintptr_t)wide_rc_get(&second) % 256 == 0);
    wide_rc_drop(&second);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* Hangs a new child under the parent. */
static bool tree_grow(tree_rc *parent, ka_allocator *a)
{
    struct tree *tree = tree_rc_get_mut_unchecked(parent);
    tree_rc child = { 0 };
    struct tree *made = tree_rc_new(&child, a);
    if (made == NULL)
        return false;
    made->ticket = ticket_make();
    made->parent = tree_rc_downgrade(parent);
    made->children = tree_rc_vec_in(a);
    if (tree_rc_vec_push(&tree->children, child))
        return true;
    tree_rc_drop(&child);
    return false;
}

static bool tree_plant(tree_rc *root, ka_allocator *a)
{
    struct tree *tree = tree_rc_new(root, a);
    if (tree == NULL)
        return false;
    tree->ticket = ticket_make();
    tree->children = tree_rc_vec_in(a);
    for (size_t i = 0; i < 5; i++) {
        if (!tree_grow(root, a))
            return false;
        for (size_t j = 0; j < 5; j++)
            if (!tree_grow(tree_rc_vec_at(&tree->children, i), a))
                return false;
    }
    return true;
}

static void tree_with_parents(void)
{
    start();
    tree_rc root = { 0 };
    KIT_CHECK(tree_plant(&root, heap) && tickets.made == 31);
    KIT_CHECK(tree_rc_weak_count(&root) == 5 && tree_rc_strong_count(&root) == 1);
    tree_rc child = tree_rc_share(tree_rc_vec_at(&tree_rc_get(&root)->children, 2));
    tree_rc parent = tree_rc_weak_upgrade(&tree_rc_get(&child)->parent);
    KIT_CHECK(tree_rc_ptr_eq(&parent, &root));
    tree_rc_drop(&parent);
    tree_rc_drop(&root);
    KIT_CHECK(tickets.dropped == 25); /* all but the child that is held and its 5 */
    parent = tree_rc_weak_upgrade(&tree_rc_get(&child)->parent);
    KIT_CHECK(parent.block == NULL);
    tree_rc_drop(&child);
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
        tree_rc root = { 0 };
        bool planted = tree_plant(&root, &first.allocator);
        tree_rc_drop(&root);
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
        ticket_rc strong[CROWD] = { 0 };
        ticket_rc_weak weak[CROWD] = { 0 };
        size_t strongs = 1, weaks = 0;
        KIT_CHECK(ticket_rc_make(&strong[0], heap, ticket_make()) != NULL);
        while (strongs + weaks != 0) {
            size_t at = (size_t)kit_below(&random, CROWD), to = (size_t)kit_below(&random, CROWD);
            switch (kit_below(&random, 6)) {
            case 0:
                if (strong[at].block != NULL && strong[to].block == NULL) {
                    strong[to] = ticket_rc_share(&strong[at]);
                    strongs++;
                }
                break;
            case 1:
                if (strong[at].block != NULL && weak[to].block == NULL) {
                    weak[to] = ticket_rc_downgrade(&strong[at]);
                    weaks++;
                }
                break;
            case 2:
                if (weak[at].block != NULL && strong[to].block == NULL) {
                    strong[to] = ticket_rc_weak_upgrade(&weak[at]);
                    KIT_CHECK((strong[to].block != NULL) == (strongs != 0));
                    strongs += strong[to].block != NULL;
                }
                break;
            case 3:
            case 4:
                strongs -= strong[at].block != NULL;
                ticket_rc_drop(&strong[at]);
                break;
            default:
                weaks -= weak[to].block != NULL;
                ticket_rc_weak_drop(&weak[to]);
            }
            KIT_CHECK(tickets.dropped == (strongs == 0));
            KIT_CHECK(memory.live_blocks == (strongs + weaks != 0));
            for (size_t i = 0; i < CROWD; i += 9)
                if (strong[i].block != NULL)
                    KIT_CHECK(ticket_rc_strong_count(&strong[i]) == strongs &&
                              ticket_rc_weak_count(&strong[i]) == weaks);
        }
        KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
    }
}

static const kit_case cases[] = {
    { "counts_two_then_one", counts_two_then_one },
    { "empty_in_every_way", empty_in_every_way },
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

int main(void)
{
    return kit_main("rc", cases, KIT_COUNT(cases));
}
