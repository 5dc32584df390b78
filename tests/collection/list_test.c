/* list_test.c: lists that link what others own, lists that own; a long random run over two lists against arrays; what
 * must stop; a million items dropped in a bounded stack. */
#include <ka/list.h>

#include <ka/box.h>
#include <ka/failing.h>

#include "crimes.h"
#include "kit.h"
#include "kit_malloc.h"
#include "owner/depth.h"
#include "owner/tickets.h"

typedef struct job {
    ticket ticket;
    ka_list_node link, other_link;
} job;

static void job_drop(job *self)
{
    depth_look();
    ticket_drop(&self->ticket);
}

KA_BOX(job_box, job, job_drop)
KA_LIST(job_list, job, link, job_drop)
KA_LIST(other_list, job, other_link, KA_NO_DROP)

typedef struct number {
    _Alignas(64) int value;
    ka_list_node link;
} number;
KA_LIST(number_list, number, link, KA_NO_DROP)
KA_LIST_CLONE(number_list, number, link, KA_CLONE_BYTES)

static kit_malloc memory;
static ka_failing failing;
static ka_allocator *const heap = &failing.allocator;

static void start(void)
{
    kit_malloc_init(&memory);
    ka_failing_init(&failing, &memory.allocator);
    tickets_reset();
}

static bool holds(const job_list *list, const uint32_t *ids, size_t n)
{
    size_t i = 0;
    if (job_list_check(list) != NULL || job_list_len(list) != n || job_list_is_empty(list) != (n == 0))
        return false;
    KA_LIST_EACH (job_list, job, item, list)
        if (i == n || item->ticket.id != ids[i++])
            return false;
    KA_LIST_EACH_BACK (job_list, job, item, list)
        if (i == 0 || item->ticket.id != ids[--i])
            return false;
    return i == 0;
}
#define HOLDS(list, ...) holds((list), (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4)

/* Borrowed items: nothing is dropped or freed. */
static void links(void)
{
    start();
    job jobs[6] = { 0 };
    job_list list = { 0 };
    KIT_CHECK(holds(&list, NULL, 0) && !job_list_first(&list) && !job_list_last(&list) && !job_list_pop_front(&list) &&
              !job_list_pop_back(&list) && !job_list_push_back_new(&list) && !job_list_push_front_new(&list));
    for (uint32_t i = 0; i < 6; i++)
        jobs[i].ticket.id = i;
    KIT_CHECK(!job_list_is_linked(&jobs[1]));
    job_list_push_back(&list, &jobs[1]);
    KIT_CHECK(job_list_is_linked(&jobs[1]) && HOLDS(&list, 1));
    job_list_push_front(&list, &jobs[0]);
    job_list_push_back(&list, &jobs[5]);
    KIT_CHECK(HOLDS(&list, 0, 1, 5));
    job_list_insert_before(&list, &jobs[5], &jobs[3]);
    job_list_insert_after(&list, &jobs[3], &jobs[4]);
    job_list_insert_after(&list, &jobs[1], &jobs[2]);
    KIT_CHECK(HOLDS(&list, 0, 1, 2, 3, 4, 5));
    KIT_CHECK(job_list_next(&jobs[0]) == &jobs[1] && job_list_prev(&jobs[0]) == NULL);
    KIT_CHECK(job_list_next(&jobs[5]) == NULL && job_list_prev(&jobs[5]) == &jobs[4]);
    job_list_remove(&list, &jobs[0]);
    job_list_remove(&list, &jobs[5]);
    job_list_remove(&list, &jobs[2]);
    KIT_CHECK(HOLDS(&list, 1, 3, 4) && !job_list_is_linked(&jobs[2]));
    job_list_insert_before(&list, &jobs[1], &jobs[0]);
    job_list_insert_after(&list, &jobs[4], &jobs[5]);
    KIT_CHECK(HOLDS(&list, 0, 1, 3, 4, 5));
    job_list_move_front(&list, &jobs[3]);
    job_list_move_back(&list, &jobs[0]);
    job_list_move_back(&list, &jobs[0]);
    KIT_CHECK(HOLDS(&list, 3, 1, 4, 5, 0));
    KIT_CHECK(job_list_pop_front(&list) == &jobs[3] && job_list_pop_back(&list) == &jobs[0] && HOLDS(&list, 1, 4, 5));
    job_list_drop_item(&list, &jobs[4]);
    job_list taken = job_list_take(&list);
    KIT_CHECK(HOLDS(&taken, 1, 5) && holds(&list, NULL, 0));
    job_list_drop(&taken);
    job_list_drop(&taken);
    for (uint32_t i = 0; i < 6; i++)
        KIT_CHECK(!job_list_is_linked(&jobs[i]) && jobs[i].ticket.id == i);
    KIT_CHECK(tickets.dropped == 0 && tickets.damaged == 0);
}

/* One item in two lists, by two members. */
static void two_lists(void)
{
    start();
    job jobs[3] = { 0 };
    job_list list = { 0 };
    other_list other = { 0 };
    for (uint32_t i = 0; i < 3; i++) {
        jobs[i].ticket.id = i;
        job_list_push_back(&list, &jobs[i]);
        other_list_push_front(&other, &jobs[i]);
    }
    KIT_CHECK(HOLDS(&list, 0, 1, 2) && other_list_first(&other) == &jobs[2] && other_list_next(&jobs[2]) == &jobs[1]);
    job_list_clear(&list);
    KIT_CHECK(other_list_len(&other) == 3 && other_list_is_linked(&jobs[1]) && !job_list_is_linked(&jobs[1]));
    other_list_clear(&other);
}

static void splices(void)
{
    start();
    job jobs[8] = { 0 };
    job_list a = { 0 }, b = { 0 };
    for (uint32_t i = 0; i < 8; i++) {
        jobs[i].ticket.id = i;
        job_list_push_back(i < 4 ? &a : &b, &jobs[i]);
    }
    job_list_splice(&a, &jobs[2], &b);
    KIT_CHECK(HOLDS(&a, 0, 1, 4, 5, 6, 7, 2, 3) && holds(&b, NULL, 0));
    job_list_splice(&a, NULL, &b);
    job_list_splice(&a, &jobs[0], &b);
    KIT_CHECK(job_list_len(&a) == 8);
    job_list_splice(&b, NULL, &a);
    KIT_CHECK(HOLDS(&b, 0, 1, 4, 5, 6, 7, 2, 3) && holds(&a, NULL, 0));
    job_list_push_back(&a, job_list_pop_back(&b));
    job_list_splice(&b, &jobs[0], &a);
    KIT_CHECK(HOLDS(&b, 3, 0, 1, 4, 5, 6, 7, 2));
    job_list_push_back(&a, job_list_pop_front(&b));
    job_list_splice(&b, NULL, &a);
    KIT_CHECK(HOLDS(&b, 0, 1, 4, 5, 6, 7, 2, 3));
    job_list_clear(&b);
}

/* The item that is visited may go, in both directions; others may come. */
static void walks_that_remove(void)
{
    start();
    job_list list = job_list_in(heap), odd = job_list_in(heap);
    for (int i = 0; i < 10; i++) {
        job *made = job_list_push_back_new(&list);
        KIT_CHECK(made != NULL);
        made->ticket = ticket_make();
    }
    KA_LIST_EACH (job_list, job, item, &list)
        if (item->ticket.id % 3 == 1)
            job_list_drop_item(&list, item);
    KIT_CHECK(HOLDS(&list, 2, 3, 5, 6, 8, 9) && tickets.dropped == 4);
    KA_LIST_EACH_BACK (job_list, job, item, &list)
        if (item->ticket.id % 2 == 1) {
            job_list_remove(&list, item);
            job_list_push_front(&odd, item);
        }
    KIT_CHECK(HOLDS(&list, 2, 6, 8) && HOLDS(&odd, 3, 5, 9));
    job_list_drop(&odd);
    KA_LIST_EACH (job_list, job, item, &list)
        job_list_drop_item(&list, item);
    KIT_CHECK(holds(&list, NULL, 0) && tickets_all_dropped() && kit_malloc_clean(&memory));
}

/* A list that owns: what goes in by a box comes out into one, and the rest is dropped and freed once. */
static void owns(void)
{
    start();
    job_list list = job_list_in(heap), more = job_list_in(heap);
    for (int i = 0; i < 3; i++) {
        job_box box = { 0 };
        job *made = job_box_new(&box, heap);
        KIT_CHECK(made != NULL);
        made->ticket = ticket_make();
        job_list_push_front(i == 2 ? &more : &list, job_box_into_raw(&box));
    }
    job *made = job_list_push_front_new_with(&list, KA_ATOMIC);
    KIT_CHECK(made != NULL && memory.flags == (KA_ATOMIC | KA_ZERO) && made->other_link.next == NULL);
    made->ticket = ticket_make();
    made = job_list_push_back_new_with(&list, KA_NOWAIT);
    KIT_CHECK(made != NULL && memory.flags == (KA_NOWAIT | KA_ZERO));
    made->ticket = ticket_make();
    KIT_CHECK(HOLDS(&list, 4, 2, 1, 5));
    job_list_splice(&list, NULL, &more);
    job_box box = job_box_from_raw(job_list_pop_front(&list), heap);
    KIT_CHECK(job_box_get(&box)->ticket.id == 4 && tickets.dropped == 0);
    job_box_drop(&box);
    job_list_drop_item(&list, job_list_next(job_list_first(&list)));
    KIT_CHECK(HOLDS(&list, 2, 5, 3) && tickets.dropped == 2);
    job_list taken = job_list_take(&list);
    KIT_CHECK(list.list.allocator == heap && holds(&list, NULL, 0));
    job_list_clear(&taken);
    KIT_CHECK(tickets_all_dropped() && taken.list.allocator == heap);
    job_list_drop(&taken);
    KIT_CHECK(taken.list.allocator == NULL && kit_malloc_clean(&memory));
}

/* ---- clones, and memory that gives out ---- */

TICKETS_PAPER(ka_list_node link;, number_list)
KA_LIST(paper_list, paper, link, paper_drop)
KA_LIST_CLONE(paper_list, paper, link, paper_clone)

static bool papers_fill(paper_list *list)
{
    for (int i = 0; i < 4; i++) {
        paper *made = i % 2 == 0 ? paper_list_push_front_new(list) : paper_list_push_back_new(list);
        if (made == NULL)
            return false;
        made->ticket = ticket_make();
        made->pages = number_list_in(heap);
        number *page = number_list_push_back_new(&made->pages);
        if (page == NULL)
            return false;
        page->value = i;
    }
    return true;
}

static void nth_allocation_fails(void)
{
    uint64_t n = 1, filled_at = 0;
    for (bool whole = false; !whole; n++) {
        start();
        ka_failing_set(&failing, n);
        paper_list list = paper_list_in(heap), copy = { 0 };
        bool filled = papers_fill(&list), cloned = filled && paper_list_clone(&copy, &list, heap);
        KIT_CHECK_SOUND(paper_list_check(&list));
        KIT_CHECK_SOUND(paper_list_check(&copy));
        KIT_CHECK(paper_list_len(&copy) == (cloned ? 4 : 0) && (cloned || copy.list.allocator == NULL));
        if (filled && filled_at == 0)
            filled_at = n;
        const paper *other = paper_list_first(&list);
        KA_LIST_EACH (paper_list, paper, item, &copy) {
            number *page = number_list_first(&item->pages);
            KIT_CHECK((uintptr_t)page % 64 == 0 && page->value == number_list_first(&other->pages)->value);
            other = paper_list_next(other);
        }
        whole = ka_failing_failures(&failing) == 0;
        KIT_CHECK(cloned == whole);
        paper_list_drop(&list);
        paper_list_drop(&copy);
        KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
    }
    KIT_CHECK(filled_at == 9 && n == 18);
    number_list none = { 0 }, copy = { 0 };
    KIT_CHECK(number_list_clone(&copy, &none, NULL) && number_list_is_empty(&copy));
}

static void check_finds_damage(void)
{
    job jobs[4] = { 0 };
    job_list list = { 0 };
    for (size_t i = 0; i < 4; i++)
        job_list_push_back(&list, &jobs[i]);
    ka_list_node *fields[] = { &jobs[0].link, &jobs[1].link, &jobs[2].link, &jobs[3].link };
    for (size_t i = 0; i < 4; i++)
        for (size_t to = 0; to < 4; to++) {
            ka_list_node good = *fields[i];
            fields[i]->next = fields[to];
            KIT_CHECK((job_list_check(&list) == NULL) == (fields[to] == good.next));
            *fields[i] = good;
            fields[i]->prev = fields[to];
            KIT_CHECK((job_list_check(&list) == NULL) == (fields[to] == good.prev));
            *fields[i] = good;
        }
    for (size_t len = 0; len < 7; len++) {
        list.list.len = len;
        KIT_CHECK((job_list_check(&list) == NULL) == (len == 4));
    }
    list.list.len = 4;
    list.list.last = fields[2];
    KIT_CHECK(job_list_check(&list) != NULL);
    list.list.last = NULL;
    KIT_CHECK(job_list_check(&list) != NULL);
    list.list.last = fields[3];
    fields[1]->next = NULL;
    KIT_CHECK(job_list_check(&list) != NULL);
}

/* ---- what must stop ---- */

static job thief[3];
static job_list guilty, innocent;

static void crime_twice(void)
{
    job_list_push_back(&guilty, &thief[0]);
    job_list_push_back(&guilty, &thief[0]);
}

static void crime_twice_in_two(void)
{
    job_list_push_back(&guilty, &thief[0]);
    job_list_push_back(&innocent, &thief[0]);
}

static void crime_remove_unlinked(void)
{
    job_list_remove(&guilty, &thief[0]);
}

static void crime_remove_from_another(void)
{
    job_list_push_back(&innocent, &thief[0]);
    job_list_push_back(&innocent, &thief[1]);
    job_list_push_back(&guilty, &thief[2]);
    job_list_remove(&guilty, &thief[1]);
}

/* The first item of another list. */
static void crime_remove_first_of_another(void)
{
    job_list_push_back(&innocent, &thief[0]);
    job_list_push_back(&innocent, &thief[1]);
    job_list_push_back(&guilty, &thief[2]);
    job_list_remove(&guilty, &thief[0]);
}

static void crime_push_damaged(void)
{
    thief[0].link.prev = &thief[1].link;
    job_list_push_back(&guilty, &thief[0]);
}

static void crime_place(void)
{
    job_list_insert_before(&guilty, &thief[0], &thief[1]);
}

static void crime_next(void)
{
    _exit(job_list_next(&thief[0]) != NULL);
}

static void crime_splice_itself(void)
{
    job_list_splice(&guilty, NULL, &guilty);
}

static void crime_splice_other_allocator(void)
{
    innocent = job_list_in(heap);
    job_list_splice(&guilty, NULL, &innocent);
}

static void crime_remove_next(void)
{
    for (size_t i = 0; i < 3; i++)
        job_list_push_back(&guilty, &thief[i]);
    KA_LIST_EACH (job_list, job, item, &guilty)
        if (item == &thief[0])
            job_list_remove(&guilty, &thief[1]);
}

static void stops_at_callers_errors(void)
{
    static const char none[] = "job_list: the item is in no list";
    KIT_EXPECT(stops_with(crime_twice, "job_list: the item is in a list already"));
    KIT_EXPECT(stops_with(crime_twice, "list_test.c"));
    KIT_EXPECT(stops_with(crime_twice_in_two, "job_list: the item is in a list already"));
    KIT_EXPECT(stops_with(crime_remove_unlinked, none));
    KIT_EXPECT(stops_with(crime_remove_from_another, "job_list: the item is in another list"));
    KIT_EXPECT(stops_with(crime_remove_first_of_another, "job_list: the item is in another list"));
    KIT_EXPECT(stops_with(crime_push_damaged, "job_list: the item is in a list already"));
    KIT_EXPECT(stops_with(crime_place, none));
    KIT_EXPECT(stops_with(crime_next, none));
    KIT_EXPECT(stops_with(crime_remove_next, none));
    KIT_EXPECT(stops_with(crime_splice_itself, "job_list: spliced to itself"));
    KIT_EXPECT(stops_with(crime_splice_other_allocator, "job_list: spliced to a list with another allocator"));
}

/* ---- a million ---- */

static void million(void)
{
    enum { N = 1000000 };
    depth_probe probe;
    kit_malloc_init(&memory);
    depth_begin(&probe, &memory.allocator);
    job_list list = job_list_in(&probe.allocator);
    for (int i = 0; i < N; i++)
        KIT_CHECK(job_list_push_back_new(&list) != NULL);
    KIT_CHECK_SOUND(job_list_check(&list));
    depth_from();
    job_list_drop(&list);
    kit_note("a list of %u items was dropped in %u bytes of stack", (unsigned)N, (unsigned)depth_bytes());
    KIT_CHECK(depth_bytes() > 0 && depth_bytes() < DEPTH_MOST && kit_malloc_clean(&memory));
}

/* ---- against a model: two lists and two arrays ---- */

enum { JOBS = 40, OPERATIONS = 1500000 };

typedef struct row {
    job *items[JOBS];
    size_t n;
} row;

static void row_insert(row *self, size_t at, job *item)
{
    for (size_t i = self->n++; i > at; i--)
        self->items[i] = self->items[i - 1];
    self->items[at] = item;
}

static job *row_remove(row *self, size_t at)
{
    job *item = self->items[at];
    for (self->n--; at < self->n; at++)
        self->items[at] = self->items[at + 1];
    return item;
}

static bool same(const job_list *list, const row *expected)
{
    const job *item = job_list_first(list);
    if (job_list_check(list) != NULL || job_list_len(list) != expected->n)
        return false;
    for (size_t i = 0; i < expected->n; i++, item = job_list_next(item))
        if (item != expected->items[i])
            return false;
    return item == NULL && job_list_last(list) == (expected->n == 0 ? NULL : expected->items[expected->n - 1]);
}

/* What is free waits in `store`. */
static bool step(kit_random *random, job_list *list, row *expected, row *store, job_list *other, row *others)
{
    size_t n = expected->n, at = n == 0 ? 0 : (size_t)kit_below(random, n);
    job *place = n == 0 ? NULL : expected->items[at];
    switch (kit_below(random, 10)) {
    case 0:
    case 1:
        if (store->n == 0)
            return true;
        at = kit_below(random, 2) == 0 ? 0 : n;
        row_insert(expected, at, row_remove(store, store->n - 1));
        (at == 0 ? job_list_push_front : job_list_push_back)(list, expected->items[at]);
        return true;
    case 2:
        if (place == NULL || store->n == 0)
            return true;
        row_insert(expected, at, row_remove(store, 0));
        job_list_insert_before(list, place, expected->items[at]);
        return true;
    case 3:
        if (place == NULL || store->n == 0)
            return true;
        row_insert(expected, at + 1, row_remove(store, 0));
        job_list_insert_after(list, place, expected->items[at + 1]);
        return true;
    case 4:
        if (n != 0)
            row_insert(store, store->n, row_remove(expected, 0));
        return job_list_pop_front(list) == (n == 0 ? NULL : store->items[store->n - 1]);
    case 5:
        if (n != 0)
            row_insert(store, store->n, row_remove(expected, n - 1));
        return job_list_pop_back(list) == (n == 0 ? NULL : store->items[store->n - 1]);
    case 6:
        if (n != 0) {
            row_insert(store, store->n, row_remove(expected, at));
            job_list_remove(list, place);
        }
        return true;
    case 7:
        if (n != 0) {
            bool front = kit_below(random, 2) == 0;
            (void)row_remove(expected, at);
            row_insert(expected, front ? 0 : n - 1, place);
            (front ? job_list_move_front : job_list_move_back)(list, place);
        }
        return true;
    case 8: {
        job_list moved = job_list_take(list);
        *list = moved;
        return true;
    }
    default:
        if (kit_below(random, 8) != 0)
            return true;
        if (n != 0 && kit_below(random, 4) == 0) { /* at the end */
            place = NULL;
            at = n;
        }
        while (others->n != 0)
            row_insert(expected, at, row_remove(others, others->n - 1));
        job_list_splice(list, place, other);
        return true;
    }
}

static void same_as_model(void)
{
    static job jobs[JOBS];
    static row rows[2], store;
    job_list lists[2] = { 0 };
    kit_random random = { 20240610 };
    for (size_t i = 0; i < JOBS; i++)
        row_insert(&store, i, &jobs[i]);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        size_t a = (size_t)kit_below(&random, 2);
        KIT_CHECK(step(&random, &lists[a], &rows[a], &store, &lists[1 - a], &rows[1 - a]));
        KIT_CHECK(same(&lists[a], &rows[a]) && lists[1 - a].list.len == rows[1 - a].n);
    }
    KIT_CHECK(same(&lists[0], &rows[0]) && same(&lists[1], &rows[1]));
    kit_steps(OPERATIONS);
    job_list_clear(&lists[0]);
    job_list_clear(&lists[1]);
}

static const kit_case cases[] = {
    { "links", links },
    { "two_lists", two_lists },
    { "splices", splices },
    { "walks_that_remove", walks_that_remove },
    { "owns", owns },
    { "nth_allocation_fails", nth_allocation_fails },
    { "check_finds_damage", check_finds_damage },
    { "stops_at_callers_errors", stops_at_callers_errors },
    { "million", million },
    { "same_as_model", same_as_model },
};

int main(void)
{
    return kit_main("list", cases, KIT_COUNT(cases));
}
