/* arc_test.c: counts, weak owners, and values that own and point at one another. */
#include <ka/arc.h>

#include <pthread.h>

#include <ka/failing.h>
#include <ka/vec.h>

#include "kit.h"
#include "kit_malloc.h"
#include "owner/tickets.h"

KA_ARC(int_arc, int, KA_NO_DROP)
KA_ARC(ticket_arc, ticket, ticket_drop)

typedef struct wide {
    _Alignas(256) unsigned char bytes[256];
} wide;
KA_ARC(wide_arc, wide, KA_NO_DROP)

/* A tree whose children know their parent: down owners, up weak ones. */
struct tree;
KA_ARC_TYPE(tree_arc, struct tree)
KA_VEC(tree_arc_vec, tree_arc, KA_NO_DROP)
struct tree {
    ticket ticket;
    tree_arc_weak parent;
    tree_arc_vec children;
};
static void tree_drop(struct tree *tree);
KA_ARC_CODE(tree_arc, struct tree, tree_drop)

static void tree_drop(struct tree *tree)
{
    KA_VEC_EACH (tree_arc, child, &tree->children)
        tree_arc_drop(child);
    tree_arc_vec_drop(&tree->children);
    tree_arc_weak_drop(&tree->parent);
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
    ticket_arc first = { 0 };
    KIT_CHECK(ticket_arc_make(&first, heap, ticket_make()) != NULL && ticket_arc_strong_count(&first) == 1);
    ticket_arc second = ticket_arc_share(&first);
    KIT_CHECK(ticket_arc_strong_count(&first) == 2 && ticket_arc_strong_count(&second) == 2);
    KIT_CHECK(ticket_arc_ptr_eq(&first, &second) && ticket_arc_get(&first) == ticket_arc_get(&second));
    ticket_arc_drop(&first);
    KIT_CHECK(ticket_arc_strong_count(&second) == 1 && ticket_arc_strong_count(&first) == 0);
    KIT_CHECK(tickets.dropped == 0 && ticket_arc_get(&second)->id == 1 && memory.live_blocks == 1);
    ticket_arc_drop(&first);
    KIT_CHECK(ticket_arc_strong_count(&second) == 1);
    ticket_arc_drop(&second);
    ticket_arc_drop(&second);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void empty_in_every_way(void)
{
    start();
    ticket_arc rc = { 0 };
    ticket_arc_weak weak = { 0 };
    ticket out = { 5, 6 };
    KIT_CHECK(ticket_arc_get(&rc) == NULL && ticket_arc_get_mut(&rc) == NULL);
    KIT_CHECK(ticket_arc_strong_count(&rc) == 0 && ticket_arc_weak_count(&rc) == 0);
    KIT_CHECK(!ticket_arc_try_unwrap(&rc, &out) && out.id == 5);
    ticket_arc none = ticket_arc_share(&rc), moved = ticket_arc_take(&rc), gone = ticket_arc_weak_upgrade(&weak);
    ticket_arc_weak way = ticket_arc_downgrade(&rc), shared = ticket_arc_weak_share(&weak);
    ticket_arc_weak taken = ticket_arc_weak_take(&weak);
    KIT_CHECK(none.block == NULL && moved.block == NULL && gone.block == NULL);
    KIT_CHECK(way.block == NULL && shared.block == NULL && taken.block == NULL);
    ticket_arc_drop(&rc);
    ticket_arc_weak_drop(&weak);
    KIT_CHECK(ticket_arc_new(&rc, NULL) == NULL && ticket_arc_make(&rc, NULL, out) == NULL && rc.block == NULL);
}

static void take_moves(void)
{
    start();
    ticket_arc rc = { 0 };
    KIT_CHECK(ticket_arc_make(&rc, heap, ticket_make()) != NULL);
    ticket_arc moved = ticket_arc_take(&rc);
    KIT_CHECK(rc.block == NULL && ticket_arc_strong_count(&moved) == 1);
    ticket_arc_drop(&rc);
    ticket_arc_drop(&moved);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

/* The value goes with the last owner, the block with the last weak one. */
static void weak_outlives_value(void)
{
    start();
    ticket_arc rc = { 0 };
    KIT_CHECK(ticket_arc_make(&rc, heap, ticket_make()) != NULL);
    ticket_arc_weak weak = ticket_arc_downgrade(&rc), other = ticket_arc_weak_share(&weak);
    KIT_CHECK(ticket_arc_weak_count(&rc) == 2 && ticket_arc_strong_count(&rc) == 1);
    ticket_arc again = ticket_arc_weak_upgrade(&weak);
    KIT_CHECK(ticket_arc_strong_count(&rc) == 2 && ticket_arc_ptr_eq(&again, &rc));
    ticket_arc_drop(&again);
    KIT_CHECK(tickets.dropped == 0);
    ticket_arc_drop(&rc);
    KIT_CHECK(tickets_all_dropped() && memory.live_blocks == 1);
    again = ticket_arc_weak_upgrade(&weak);
    KIT_CHECK(again.block == NULL);
    ticket_arc_weak_drop(&weak);
    KIT_CHECK(memory.live_blocks == 1);
    ticket_arc_weak_drop(&weak);
    ticket_arc_weak moved = ticket_arc_weak_take(&other);
    ticket_arc_weak_drop(&other);
    KIT_CHECK(memory.live_blocks == 1);
    ticket_arc_weak_drop(&moved);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void get_mut_only_when_unique(void)
{
    start();
    int_arc rc = { 0 };
    int *value = int_arc_make(&rc, heap, 1);
    KIT_CHECK(value != NULL && int_arc_get_mut(&rc) == value && int_arc_get(&rc) == value);
    int_arc second = int_arc_share(&rc);
    KIT_CHECK(int_arc_get_mut(&rc) == NULL && int_arc_get_mut(&second) == NULL);
    int_arc_drop(&second);
    int_arc_weak weak = int_arc_downgrade(&rc);
    KIT_CHECK(int_arc_get_mut(&rc) == NULL);
    int_arc_weak_drop(&weak);
    KIT_CHECK(int_arc_get_mut(&rc) == value);
    int_arc_drop(&rc);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void unwrap_only_by_last(void)
{
    start();
    ticket_arc rc = { 0 };
    ticket out = { 5, 6 };
    KIT_CHECK(ticket_arc_make(&rc, heap, ticket_make()) != NULL);
    ticket_arc second = ticket_arc_share(&rc);
    ticket_arc_weak weak = ticket_arc_downgrade(&rc);
    KIT_CHECK(!ticket_arc_try_unwrap(&rc, &out) && out.id == 5 && ticket_arc_strong_count(&rc) == 2);
    ticket_arc_drop(&second);
    KIT_CHECK(ticket_arc_try_unwrap(&rc, &out) && out.id == 1 && rc.block == NULL && tickets.dropped == 0);
    ticket_arc gone = ticket_arc_weak_upgrade(&weak);
    KIT_CHECK(gone.block == NULL && memory.live_blocks == 1);
    ticket_arc_weak_drop(&weak);
    KIT_CHECK(kit_malloc_clean(&memory));
    ticket_drop(&out);
    KIT_CHECK(tickets_all_dropped());
}

static void new_and_replace(void)
{
    start();
    ka_failing failing;
    ka_failing_init(&failing, heap);
    ticket_arc rc = { 0 };
    ticket *value = ticket_arc_new_with(&rc, &failing.allocator, KA_ATOMIC);
    KIT_CHECK(value != NULL && value->id == 0 && value->check == 0 && memory.flags == (KA_ATOMIC | KA_ZERO));
    *value = ticket_make();
    ticket_arc second = ticket_arc_share(&rc);
    KIT_CHECK(ticket_arc_make(&rc, &failing.allocator, ticket_make()) != NULL);
    KIT_CHECK(ticket_arc_strong_count(&second) == 1 && ticket_arc_get(&rc)->id == 2);
    ka_failing_set(&failing, 1);
    ticket third = ticket_make();
    KIT_CHECK(ticket_arc_make(&rc, &failing.allocator, third) == NULL && ticket_arc_get(&rc)->id == 2);
    ka_failing_set(&failing, 1);
    KIT_CHECK(ticket_arc_new(&rc, &failing.allocator) == NULL && ticket_arc_get(&rc)->id == 2);
    KIT_CHECK(tickets.dropped == 0 && memory.live_blocks == 2);
    KIT_CHECK(ticket_arc_new(&rc, &failing.allocator) != NULL && tickets.drops[2] == 1);
    ticket_drop(&third);
    ticket_arc_drop(&second);
    ticket_arc_drop(&rc);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void over_aligned(void)
{
    start();
    wide_arc rc = { 0 };
    wide *value = wide_arc_new(&rc, heap);
    KIT_CHECK(value != NULL && (uintptr_t)value % 256 == 0 && value->bytes[255] == 0);
    wide_arc second = wide_arc_share(&rc);
    wide_arc_drop(&rc);
    KIT_CHECK((uintptr_t)wide_arc_get(&second) % 256 == 0);
    wide_arc_drop(&second);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* Hangs a new child under the parent. */
static bool tree_grow(tree_arc *parent, ka_allocator *a)
{
    struct tree *tree = (struct tree *)tree_arc_get(parent); /* one thread: nobody reads meanwhile */
    tree_arc child = { 0 };
    struct tree *made = tree_arc_new(&child, a);
    if (made == NULL)
        return false;
    made->ticket = ticket_make();
    made->parent = tree_arc_downgrade(parent);
    made->children = tree_arc_vec_in(a);
    if (tree_arc_vec_push(&tree->children, child))
        return true;
    tree_arc_drop(&child);
    return false;
}

static bool tree_plant(tree_arc *root, ka_allocator *a)
{
    struct tree *tree = tree_arc_new(root, a);
    if (tree == NULL)
        return false;
    tree->ticket = ticket_make();
    tree->children = tree_arc_vec_in(a);
    for (size_t i = 0; i < 5; i++) {
        if (!tree_grow(root, a))
            return false;
        for (size_t j = 0; j < 5; j++)
            if (!tree_grow(tree_arc_vec_at(&tree->children, i), a))
                return false;
    }
    return true;
}

static void tree_with_parents(void)
{
    start();
    tree_arc root = { 0 };
    KIT_CHECK(tree_plant(&root, heap) && tickets.made == 31);
    KIT_CHECK(tree_arc_weak_count(&root) == 5 && tree_arc_strong_count(&root) == 1);
    tree_arc child = tree_arc_share(tree_arc_vec_at(&tree_arc_get(&root)->children, 2));
    tree_arc parent = tree_arc_weak_upgrade(&tree_arc_get(&child)->parent);
    KIT_CHECK(tree_arc_ptr_eq(&parent, &root));
    tree_arc_drop(&parent);
    tree_arc_drop(&root);
    KIT_CHECK(tickets.dropped == 25); /* all but the child that is held and its 5 */
    parent = tree_arc_weak_upgrade(&tree_arc_get(&child)->parent);
    KIT_CHECK(parent.block == NULL);
    tree_arc_drop(&child);
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
        tree_arc root = { 0 };
        bool planted = tree_plant(&root, &first.allocator);
        tree_arc_drop(&root);
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
        ticket_arc strong[CROWD] = { 0 };
        ticket_arc_weak weak[CROWD] = { 0 };
        size_t strongs = 1, weaks = 0;
        KIT_CHECK(ticket_arc_make(&strong[0], heap, ticket_make()) != NULL);
        while (strongs + weaks != 0) {
            size_t at = (size_t)kit_below(&random, CROWD), to = (size_t)kit_below(&random, CROWD);
            switch (kit_below(&random, 6)) {
            case 0:
                if (strong[at].block != NULL && strong[to].block == NULL) {
                    strong[to] = ticket_arc_share(&strong[at]);
                    strongs++;
                }
                break;
            case 1:
                if (strong[at].block != NULL && weak[to].block == NULL) {
                    weak[to] = ticket_arc_downgrade(&strong[at]);
                    weaks++;
                }
                break;
            case 2:
                if (weak[at].block != NULL && strong[to].block == NULL) {
                    strong[to] = ticket_arc_weak_upgrade(&weak[at]);
                    KIT_CHECK((strong[to].block != NULL) == (strongs != 0));
                    strongs += strong[to].block != NULL;
                }
                break;
            case 3:
            case 4:
                strongs -= strong[at].block != NULL;
                ticket_arc_drop(&strong[at]);
                break;
            default:
                weaks -= weak[to].block != NULL;
                ticket_arc_weak_drop(&weak[to]);
            }
            KIT_CHECK(tickets.dropped == (strongs == 0));
            KIT_CHECK(memory.live_blocks == (strongs + weaks != 0));
            for (size_t i = 0; i < CROWD; i += 9)
                if (strong[i].block != NULL)
                    KIT_CHECK(ticket_arc_strong_count(&strong[i]) == strongs &&
                              ticket_arc_weak_count(&strong[i]) == weaks);
        }
        KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
    }
}

/* ---- several threads ---- */

enum { THREADS = 4, ROUNDS = 20000 };

/* A value whose writer's last word must be seen by whoever drops it. */
typedef struct tally {
    uint32_t parts[THREADS]; /* each thread its own, not atomic */
} tally;

static uint64_t sums, drops;

static void tally_drop(tally *self)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < THREADS; i++)
        sum += self->parts[i];
    __atomic_fetch_add(&sums, sum, __ATOMIC_RELAXED);
    __atomic_fetch_add(&drops, 1, __ATOMIC_RELAXED);
}

KA_ARC(tally_arc, tally, tally_drop)

typedef struct job {
    unsigned number;
    tally_arc own;
    tally_arc_weak way;
    uint64_t upgraded, wrong;
} job;

static void *share_and_drop(void *argument)
{
    job *j = argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        tally_arc other = tally_arc_share(&j->own), up = tally_arc_weak_upgrade(&j->way);
        tally_arc_weak weak = tally_arc_downgrade(&other);
        j->wrong += up.block != other.block || tally_arc_strong_count(&other) < 3 || tally_arc_get_mut(&other) != NULL;
        tally_arc_drop(&other);
        tally_arc_weak_drop(&weak);
        tally_arc_drop(&up);
    }
    ((tally *)(uintptr_t)tally_arc_get(&j->own))->parts[j->number] = j->number + 1;
    tally_arc_drop(&j->own);
    for (unsigned i = 0; i < ROUNDS; i++) { /* the value may go at any moment */
        tally_arc up = tally_arc_weak_upgrade(&j->way);
        j->upgraded += up.block != NULL;
        tally_arc_drop(&up);
    }
    tally_arc_weak_drop(&j->way);
    return NULL;
}

static void shared_by_threads(void)
{
    enum { VALUES = 20 };
    start();
    sums = drops = 0;
    for (unsigned v = 0; v < VALUES; v++) {
        pthread_t threads[THREADS];
        job jobs[THREADS];
        tally_arc first = { 0 };
        KIT_CHECK(tally_arc_new(&first, heap) != NULL);
        for (unsigned i = 0; i < THREADS; i++)
            jobs[i] = (job){ i, tally_arc_share(&first), tally_arc_downgrade(&first), 0, 0 };
        tally_arc_drop(&first);
        for (unsigned i = 0; i < THREADS; i++)
            KIT_CHECK(pthread_create(&threads[i], NULL, share_and_drop, &jobs[i]) == 0);
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            KIT_EXPECT(jobs[i].wrong == 0);
        }
        KIT_EXPECT(drops == v + 1);
    }
    KIT_EXPECT(sums == (uint64_t)VALUES * THREADS * (THREADS + 1) / 2);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* Of threads that each try to take the value out, one gets it; and of two that each ask whether they are alone, no two
 * are. */
static void *unwrap(void *argument)
{
    job *j = argument;
    tally out;
    while (j->own.block != NULL) {
        if (tally_arc_try_unwrap(&j->own, &out)) {
            j->upgraded = 1;
            tally_drop(&out);
        } else if (tally_arc_strong_count(&j->own) > 1 && j->number > 0) {
            tally_arc_drop(&j->own);
        }
    }
    tally_arc_weak_drop(&j->way);
    return NULL;
}

static void one_unwraps(void)
{
    enum { VALUES = 500 };
    start();
    sums = drops = 0;
    for (unsigned v = 0; v < VALUES; v++) {
        pthread_t threads[THREADS];
        job jobs[THREADS];
        uint64_t got = 0;
        tally_arc first = { 0 };
        KIT_CHECK(tally_arc_new(&first, heap) != NULL);
        for (unsigned i = 0; i < THREADS; i++)
            jobs[i] = (job){ i, tally_arc_share(&first), tally_arc_downgrade(&first), 0, 0 };
        tally_arc_drop(&first);
        for (unsigned i = 0; i < THREADS; i++)
            KIT_CHECK(pthread_create(&threads[i], NULL, unwrap, &jobs[i]) == 0);
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            got += jobs[i].upgraded;
        }
        KIT_CHECK(got <= 1 && drops == v + 1);
    }
    KIT_CHECK(kit_malloc_clean(&memory));
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
    { "shared by threads", shared_by_threads },
    { "one of the threads unwraps", one_unwraps },
};

int main(void)
{
    return kit_main("rc", cases, KIT_COUNT(cases));
}
