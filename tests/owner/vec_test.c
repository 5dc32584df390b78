/* vec_test.c: every function of a vec, a long random run against a plain model, and memory that gives out. */
#include <ka/vec.h>

#include <stdlib.h>
#include <string.h>

#include <ka/failing.h>

#include "kit.h"
#include "kit_malloc.h"
#include "owner/tickets.h"

KA_VEC(int_vec, int, KA_NO_DROP)
KA_VEC_ORDER(int_vec, int, KA_COMPARE_NUMBERS)
KA_VEC_CLONE(int_vec, int, KA_CLONE_BYTES)
KA_VEC(ticket_vec, ticket, ticket_drop)
KA_VEC(ticket_vec_vec, ticket_vec, ticket_vec_drop)
KA_VEC(text_vec, const char *, KA_NO_DROP)

typedef struct wide {
    _Alignas(64) int number;
} wide;
KA_VEC(wide_vec, wide, KA_NO_DROP)

static kit_malloc memory;
static ka_failing failing;
static ka_allocator *const heap = &failing.allocator;

/* Tickets in hundreds: the order and the equality are of the hundreds only, so that equal ones can be told apart. */
static int hundreds(ticket const *a, ticket const *b)
{
    return (int)(a->id / 100) - (int)(b->id / 100);
}
KA_VEC_ORDER(ticket_vec, ticket, hundreds)

TICKETS_PAPER(, int_vec)
KA_VEC(paper_vec, paper, paper_drop)
KA_VEC_CLONE(paper_vec, paper, paper_clone)

static void start(void)
{
    kit_malloc_init(&memory);
    ka_failing_init(&failing, &memory.allocator);
    tickets_reset();
}

static void give_out(bool out)
{
    ka_failing_set_chance(&failing, out ? 65536 : 0, 0);
}

static bool holds(const int_vec *vec, const int *numbers, size_t n)
{
    return vec->len == n && vec->cap >= n && (n == 0 || memcmp(vec->items, numbers, n * sizeof(int)) == 0);
}
#define HOLDS(vec, ...) holds((vec), (const int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int))

static void empty_in_every_way(void)
{
    start();
    int_vec zero = { 0 }, vec = int_vec_in(heap);
    int out = 5;
    for (int i = 0; i < 2; i++) {
        int_vec *self = i == 0 ? &zero : &vec;
        KIT_CHECK(int_vec_len(self) == 0 && int_vec_cap(self) == 0 && int_vec_is_empty(self));
        KIT_CHECK(int_vec_first(self) == NULL && int_vec_last(self) == NULL && int_vec_get(self, 0) == NULL);
        KIT_CHECK(!int_vec_pop(self, &out) && out == 5);
        KIT_CHECK(int_vec_reserve(self, 0) && int_vec_extend(self, NULL, 0) && int_vec_resize(self, 0));
        KIT_CHECK(int_vec_shrink(self));
        int_vec_clear(self);
        int_vec_truncate(self, 3);
        KA_VEC_EACH (int, item, self)
            KIT_CHECK(item == NULL);
        int_vec_drop(self);
        int_vec_drop(self);
    }
    KIT_CHECK(memory.allocs == 0);
}

/* An all-zero vec has no allocator: it cannot grow, and says so. */
static void without_allocator_fails(void)
{
    int_vec vec = { 0 };
    int number = 1;
    KIT_CHECK(!int_vec_push(&vec, 1) && int_vec_push_new(&vec) == NULL && !int_vec_insert(&vec, 0, 1));
    KIT_CHECK(!int_vec_extend(&vec, &number, 1) && !int_vec_resize(&vec, 1) && !int_vec_reserve(&vec, 1));
    KIT_CHECK(vec.len == 0 && vec.items == NULL);
}

static void push_and_pop(void)
{
    start();
    int_vec vec = int_vec_in(heap);
    for (int i = 0; i < 1000; i++)
        KIT_CHECK(int_vec_push(&vec, i));
    KIT_CHECK(vec.len == 1000 && vec.cap == 1020 && memory.allocs == 8); /* 4, 12, ... 1020 */
    KIT_CHECK(*int_vec_first(&vec) == 0 && *int_vec_last(&vec) == 999 && *int_vec_at(&vec, 500) == 500);
    KIT_CHECK(*int_vec_get(&vec, 999) == 999 && int_vec_get(&vec, 1000) == NULL && int_vec_get(&vec, SIZE_MAX) == NULL);
    int sum = 0, out = 0;
    KA_VEC_EACH (int, item, &vec)
        sum += *item;
    KIT_CHECK(sum == 499500);
    for (int i = 999; i >= 0; i--)
        KIT_CHECK(int_vec_pop(&vec, &out) && out == i);
    KIT_CHECK(!int_vec_pop(&vec, &out) && vec.cap == 1020);
    int_vec_drop(&vec);
    KIT_CHECK(vec.allocator == NULL && !int_vec_push(&vec, 1) && kit_malloc_clean(&memory));
}

static void insert_and_remove(void)
{
    start();
    int_vec vec = int_vec_in(heap);
    KIT_CHECK(int_vec_insert(&vec, 0, 3) && int_vec_insert(&vec, 0, 1) && int_vec_insert(&vec, 1, 2));
    KIT_CHECK(int_vec_insert(&vec, 3, 5) && int_vec_insert(&vec, 3, 4));
    KIT_CHECK(HOLDS(&vec, 1, 2, 3, 4, 5));
    KIT_CHECK(int_vec_remove(&vec, 0) == 1 && HOLDS(&vec, 2, 3, 4, 5));
    KIT_CHECK(int_vec_remove(&vec, 3) == 5 && HOLDS(&vec, 2, 3, 4));
    KIT_CHECK(int_vec_swap_remove(&vec, 0) == 2 && HOLDS(&vec, 4, 3));
    KIT_CHECK(int_vec_swap_remove(&vec, 1) == 3 && HOLDS(&vec, 4));
    int_vec_drop_at(&vec, 0);
    KIT_CHECK(int_vec_is_empty(&vec));
    int_vec_drop(&vec);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void extend_append_resize(void)
{
    start();
    static const int numbers[] = { 1, 2, 3 };
    int_vec vec = int_vec_in(heap), other = int_vec_in(&memory.allocator);
    KIT_CHECK(int_vec_extend(&vec, numbers, 3) && int_vec_extend(&vec, numbers, 2) && HOLDS(&vec, 1, 2, 3, 1, 2));
    KIT_CHECK(int_vec_push(&other, 8) && int_vec_push(&other, 9));
    KIT_CHECK(int_vec_append(&vec, &other) && HOLDS(&vec, 1, 2, 3, 1, 2, 8, 9) && other.len == 0 && other.cap != 0);
    int_vec_truncate(&vec, 9);
    KIT_CHECK(vec.len == 7);
    int_vec_truncate(&vec, 2);
    KIT_CHECK(int_vec_resize(&vec, 4) && HOLDS(&vec, 1, 2, 0, 0));
    KIT_CHECK(int_vec_resize(&vec, 1) && HOLDS(&vec, 1));
    int *made = int_vec_push_new(&vec);
    KIT_CHECK(made != NULL && *made == 0 && made == int_vec_last(&vec));
    int_vec_drop(&vec);
    int_vec_drop(&other);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void room(void)
{
    start();
    int_vec vec = int_vec_in(heap);
    KIT_CHECK(int_vec_reserve_with(&vec, 5, KA_ATOMIC) && vec.cap == 5 && memory.flags == KA_ATOMIC);
    KIT_CHECK(int_vec_push(&vec, 1) && int_vec_reserve(&vec, 4) && vec.cap == 5 && memory.allocs == 1);
    KIT_CHECK(int_vec_reserve_exact(&vec, 5, KA_NOWAIT) && vec.cap == 6 && memory.flags == KA_NOWAIT);
    KIT_CHECK(int_vec_reserve(&vec, 6) && vec.cap == 16 && HOLDS(&vec, 1));
    KIT_CHECK(int_vec_shrink(&vec) && vec.cap == 1 && HOLDS(&vec, 1) && memory.live_bytes == sizeof(int));
    KIT_CHECK(!int_vec_reserve(&vec, SIZE_MAX) && !int_vec_reserve(&vec, SIZE_MAX / 4) && vec.cap == 1);
    KIT_CHECK(!int_vec_reserve_exact(&vec, (size_t)PTRDIFF_MAX / 4 + 1, 0) && !int_vec_resize(&vec, SIZE_MAX));
    KIT_CHECK(!int_vec_extend(&vec, &(int){ 0 }, SIZE_MAX) && HOLDS(&vec, 1));
    int_vec_clear(&vec);
    const int_vec largest = { vec.items, (size_t)PTRDIFF_MAX / 4, (size_t)PTRDIFF_MAX / 4, heap };
    int_vec full = largest;
    size_t allocs = memory.allocs;
    KIT_CHECK(!int_vec_push(&full, 1) && full.cap == largest.cap && full.len == full.cap && memory.allocs == allocs);
    KIT_CHECK(vec.cap == 1 && int_vec_shrink(&vec) && vec.cap == 0 && vec.items == NULL && vec.allocator == heap);
    KIT_CHECK(int_vec_push(&vec, 2) && HOLDS(&vec, 2));
    int_vec_drop(&vec);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* A heap without room for the double: the vec takes a quarter more. */
static void grows_by_a_quarter(void)
{
    start();
    int_vec vec = int_vec_in(heap);
    KIT_CHECK(int_vec_reserve_exact(&vec, 8, 0));
    for (int i = 0; i < 8; i++)
        KIT_CHECK(int_vec_push(&vec, i));
    ka_failing_set(&failing, 1);
    KIT_CHECK(int_vec_push(&vec, 8) && vec.cap == 10 && HOLDS(&vec, 0, 1, 2, 3, 4, 5, 6, 7, 8));
    KIT_CHECK(ka_failing_failures(&failing) == 1);
    int_vec_drop(&vec);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void takes_with_its_allocator(void)
{
    start();
    ticket_vec vec = ticket_vec_in(heap);
    KIT_CHECK(ticket_vec_push(&vec, ticket_make()));
    ticket_vec taken = ticket_vec_take(&vec);
    KIT_CHECK(taken.len == 1 && vec.len == 0 && vec.items == NULL && vec.cap == 0);
    KIT_CHECK(ticket_vec_push(&vec, ticket_make()) && memory.live_blocks == 2);
    ticket_vec_drop(&vec);
    KIT_CHECK(tickets.drops[1] == 0 && tickets.drops[2] == 1);
    ticket_vec_drop(&taken);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void over_aligned(void)
{
    start();
    wide_vec vec = wide_vec_in(heap);
    for (int i = 0; i < 100; i++) {
        wide *made = wide_vec_push_new(&vec);
        KIT_CHECK(made != NULL && (uintptr_t)made % 64 == 0);
        made->number = i;
    }
    for (size_t i = 0; i < 100; i++)
        KIT_CHECK((size_t)wide_vec_at(&vec, i)->number == i);
    KIT_CHECK(wide_vec_shrink(&vec) && (uintptr_t)vec.items % 64 == 0 && vec.items[99].number == 99);
    wide_vec_drop(&vec);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void pointers_as_items(void)
{
    start();
    const char *const words[] = { "one", "two" };
    text_vec vec = text_vec_in(heap);
    KIT_CHECK(text_vec_extend(&vec, words, 2) && *text_vec_at(&vec, 1) == words[1]);
    text_vec_drop(&vec);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* Each way out of a vec drops an item once, or leaves it to the caller. */
static void drops_once(void)
{
    start();
    ticket_vec vec = ticket_vec_in(heap);
    ticket out;
    for (int i = 0; i < 20; i++)
        KIT_CHECK(ticket_vec_push(&vec, ticket_make()));
    KIT_CHECK(ticket_vec_pop(&vec, &out) && out.id == 20 && tickets.dropped == 0);
    ticket_drop(&out);
    out = ticket_vec_remove(&vec, 0);
    KIT_CHECK(out.id == 1 && tickets.dropped == 1);
    ticket_drop(&out);
    out = ticket_vec_swap_remove(&vec, 0);
    KIT_CHECK(out.id == 2 && vec.items[0].id == 19 && tickets.dropped == 2);
    ticket_drop(&out);
    ticket_vec_drop_at(&vec, 0);
    KIT_CHECK(tickets.drops[19] == 1 && tickets.dropped == 4 && vec.items[0].id == 3);
    ticket_vec_truncate(&vec, 10);
    KIT_CHECK(vec.len == 10 && tickets.dropped == 10 && tickets.drops[13] == 1 && tickets.drops[12] == 0);
    KIT_CHECK(ticket_vec_resize(&vec, 12) && ticket_vec_resize(&vec, 5) && tickets.dropped == 15);
    ticket_vec_clear(&vec);
    KIT_CHECK(tickets_all_dropped() && vec.len == 0);
    KIT_CHECK(ticket_vec_push(&vec, ticket_make()));
    ticket_vec_drop(&vec);
    ticket_vec_drop(&vec);
    KIT_CHECK(tickets_all_dropped() && tickets.made == 21 && kit_malloc_clean(&memory));
}

/* No memory: nothing taken, nothing changed, the item is still the caller's. */
static void failure_takes_nothing(void)
{
    start();
    ticket_vec vec = ticket_vec_in(heap), other = ticket_vec_in(heap);
    KIT_CHECK(ticket_vec_reserve_exact(&vec, 2, 0) && ticket_vec_push(&other, ticket_make()));
    KIT_CHECK(ticket_vec_push(&vec, ticket_make()) && ticket_vec_push(&vec, ticket_make()));
    ticket_vec before = vec;
    ticket spare = ticket_make();
    give_out(true);
    KIT_CHECK(!ticket_vec_push(&vec, spare) && !ticket_vec_insert(&vec, 0, spare));
    KIT_CHECK(!ticket_vec_extend(&vec, &spare, 1) && !ticket_vec_append(&vec, &other) && other.len == 1);
    KIT_CHECK(ticket_vec_push_new(&vec) == NULL && !ticket_vec_resize(&vec, 3) && !ticket_vec_reserve(&vec, 1));
    KIT_CHECK(memcmp(&vec, &before, sizeof vec) == 0 && vec.items[0].id == 2 && vec.items[1].id == 3);
    KIT_CHECK(tickets.dropped == 0);
    ticket out;
    KIT_CHECK(ticket_vec_pop(&vec, &out) && !ticket_vec_shrink(&vec) && vec.cap == 2 && ticket_vec_push(&vec, out));
    give_out(false);
    KIT_CHECK(ticket_vec_push(&vec, spare) && ticket_vec_append(&vec, &other) && vec.len == 4);
    ticket_vec_drop(&vec);
    ticket_vec_drop(&other);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

/* A vec of vecs; what could not be stored is dropped here. Returns whether all of it could be had. */
static bool fill_rows(ticket_vec_vec *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ticket_vec row = ticket_vec_in(heap);
        bool filled = true;
        for (size_t j = 0; j <= i && filled; j++) {
            ticket item = ticket_make();
            filled = ticket_vec_push(&row, item);
            if (!filled)
                ticket_drop(&item);
        }
        if (!filled || !ticket_vec_vec_push(rows, row)) {
            ticket_vec_drop(&row);
            return false;
        }
    }
    return true;
}

/* The n-th call fails, for every n. A vec asks a second time, for less: so alone it loses nothing; where the second
 * request fails too, everything that was made is dropped once and nothing is left. */
static uint64_t rows_lost(bool second_too)
{
    uint64_t lost = 0;
    for (uint64_t n = 1;; n++) {
        start();
        ka_failing second;
        ka_failing_init(&second, &memory.allocator);
        ka_failing_init(&failing, &second.allocator);
        ka_failing_set(&failing, n);
        ka_failing_set(&second, second_too ? n : 0);
        ticket_vec_vec rows = ticket_vec_vec_in(heap);
        bool filled = fill_rows(&rows, 20);
        KIT_EXPECT(filled ? rows.len == 20 : ka_failing_failures(&second) == 1);
        lost += !filled;
        ticket_vec_vec_drop(&rows);
        KIT_EXPECT(tickets_all_dropped() && kit_malloc_clean(&memory));
        if (kit_failed() || ka_failing_failures(&failing) == 0)
            return lost;
    }
}

static void nth_allocation_fails(void)
{
    KIT_CHECK(rows_lost(false) == 0);
    KIT_CHECK(rows_lost(true) == 20 + 16 + 8 + 3); /* each call: the rows' 4, 12, 28, and their vec's */
}

/* ---- the items of ranges, of conditions, in order ---- */

static ticket_vec ticket_row(size_t n)
{
    ticket_vec vec = ticket_vec_in(heap);
    for (size_t i = 0; i < n; i++)
        if (!ticket_vec_push(&vec, ticket_make()))
            kit_fail(__FILE__, __LINE__, "a row of tickets");
    return vec;
}

static bool ids_are(const ticket_vec *vec, const uint32_t *ids, size_t n)
{
    bool same = vec->len == n && ticket_vec_check(vec) == NULL;
    for (size_t i = 0; same && i < n; i++)
        same = vec->items[i].id == ids[i];
    return same;
}
#define IDS_ARE(vec, ...) ids_are((vec), (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4)

static void drains(void)
{
    start();
    ticket out = { 0, 0 };
    ticket_vec vec = ticket_row(9);
    ticket_vec_drain drain = ticket_vec_drain_of(&vec, 2, 5);
    KIT_CHECK(vec.len == 2 && ticket_vec_drain_next(&drain, &out) && out.id == 3 && tickets.dropped == 0);
    ticket_drop(&out);
    ticket_vec_drain_drop(&drain);
    KIT_CHECK(IDS_ARE(&vec, 1, 2, 6, 7, 8, 9) && tickets.dropped == 3 && tickets.drops[4] == 1);
    ticket_vec_drain_drop(&drain);
    KIT_CHECK(!ticket_vec_drain_next(&drain, &out) && out.id == 3 && vec.len == 6);
    drain = ticket_vec_drain_of(&vec, 4, 6);
    for (uint32_t id = 8; ticket_vec_drain_next(&drain, &out); id++) {
        KIT_CHECK(out.id == id);
        ticket_drop(&out);
    }
    ticket_vec_drain_drop(&drain);
    KIT_CHECK(IDS_ARE(&vec, 1, 2, 6, 7));
    drain = ticket_vec_drain_of(&vec, 1, 1);
    ticket_vec_drain_drop(&drain);
    drain = ticket_vec_drain_of(&vec, 4, 4);
    ticket_vec_drain_drop(&drain);
    KIT_CHECK(IDS_ARE(&vec, 1, 2, 6, 7));
    drain = ticket_vec_drain_of(&vec, 0, 4);
    ticket_vec_drain_drop(&drain);
    KIT_CHECK(vec.len == 0 && tickets_all_dropped());
    ticket_vec none = { 0 };
    drain = ticket_vec_drain_of(&none, 0, 0);
    KIT_CHECK(!ticket_vec_drain_next(&drain, &out));
    ticket_vec_drain_drop(&drain);
    ticket_vec_drop(&vec);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void retains(void)
{
    start();
    ticket_vec vec = ticket_row(10), none = { 0 };
    KA_VEC_RETAIN(ticket_vec, ticket, item, &vec, item->id % 3 != 0);
    KIT_CHECK(IDS_ARE(&vec, 1, 2, 4, 5, 7, 8, 10) && tickets.dropped == 3);
    KA_VEC_RETAIN(ticket_vec, ticket, item, &vec, true);
    KIT_CHECK(vec.len == 7);
    KA_VEC_RETAIN(ticket_vec, ticket, any, &none, any->id == 1);
    KA_VEC_RETAIN(ticket_vec, ticket, it, &vec, it->id == 10);
    KIT_CHECK(IDS_ARE(&vec, 10));
    KA_VEC_RETAIN(ticket_vec, ticket, item, &vec, false);
    KIT_CHECK(vec.len == 0 && tickets_all_dropped());
    ticket_vec_drop(&vec);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void splits(void)
{
    start();
    ticket_vec vec = ticket_row(5), tail = { 0 };
    KIT_CHECK(ticket_vec_split_off(&vec, 3, &tail) && IDS_ARE(&vec, 1, 2, 3) && IDS_ARE(&tail, 4, 5));
    KIT_CHECK(tail.cap == 2 && tail.allocator == heap);
    ticket_vec_drop(&tail);
    KIT_CHECK(ticket_vec_split_off(&vec, 3, &tail) && vec.len == 3 && tail.cap == 0 && tail.allocator == heap);
    give_out(true);
    KIT_CHECK(!ticket_vec_split_off(&vec, 1, &tail) && IDS_ARE(&vec, 1, 2, 3) && tail.len == 0);
    KIT_CHECK(ticket_vec_split_off(&vec, 3, &tail));
    give_out(false);
    KIT_CHECK(ticket_vec_split_off(&vec, 0, &tail) && vec.len == 0 && IDS_ARE(&tail, 1, 2, 3));
    ticket_vec_drop(&vec);
    ticket_vec_drop(&tail);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void sorts_and_finds(void)
{
    start();
    static const int numbers[] = { 5, 3, 9, 3, 1, 9, 9 };
    int_vec vec = int_vec_in(heap), none = { 0 };
    int_vec_sort(&none);
    int_vec_dedup(&none);
    KIT_CHECK(int_vec_is_sorted(&none) && int_vec_search(&none, 1) == NULL && int_vec_lower_bound(&none, 1) == 0);
    KIT_CHECK(int_vec_extend(&vec, numbers, KIT_COUNT(numbers)) && !int_vec_is_sorted(&vec));
    int_vec_sort(&vec);
    KIT_CHECK(int_vec_is_sorted(&vec) && HOLDS(&vec, 1, 3, 3, 5, 9, 9, 9));
    KIT_CHECK(int_vec_lower_bound(&vec, 3) == 1 && int_vec_upper_bound(&vec, 3) == 3);
    KIT_CHECK(int_vec_lower_bound(&vec, 4) == 3 && int_vec_upper_bound(&vec, 4) == 3);
    KIT_CHECK(int_vec_lower_bound(&vec, 0) == 0 && int_vec_upper_bound(&vec, 9) == 7 &&
              int_vec_lower_bound(&vec, 10) == 7);
    KIT_CHECK(int_vec_search(&vec, 9) == &vec.items[4] && int_vec_search(&vec, 2) == NULL && !int_vec_search(&vec, 10));
    int_vec_dedup(&vec);
    KIT_CHECK(HOLDS(&vec, 1, 3, 5, 9));
    int_vec_drop(&vec);
    ticket_vec row = ticket_row(450);
    ticket_vec_dedup(&row);
    KIT_CHECK(IDS_ARE(&row, 1, 100, 200, 300, 400) && tickets.dropped == 445);
    ticket_vec_drop(&row);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

/* Every size up to 40, every key in and between: as a walk finds it. */
static void finds_like_a_walk(void)
{
    start();
    kit_random random = { 5 };
    for (size_t n = 0; n <= 40; n++) {
        int_vec vec = int_vec_in(heap);
        for (size_t i = 0; i < n; i++)
            KIT_CHECK(int_vec_push(&vec, 2 * (int)kit_below(&random, n)));
        int_vec_sort(&vec);
        for (int key = -1; key <= 2 * (int)n + 1; key++) {
            size_t less = 0, not_over = 0;
            KA_VEC_EACH (int, item, &vec) {
                less += *item < key;
                not_over += *item <= key;
            }
            KIT_CHECK(int_vec_lower_bound(&vec, key) == less && int_vec_upper_bound(&vec, key) == not_over);
            KIT_CHECK(int_vec_search(&vec, key) == (less == not_over ? NULL : &vec.items[less]));
        }
        int_vec_drop(&vec);
    }
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* A clone is whole or there is none: the n-th allocation fails, for every n. */
static void clones(void)
{
    start();
    int_vec no_numbers = { 0 }, numbers = { 0 };
    KIT_CHECK(int_vec_clone(&numbers, &no_numbers, heap) && numbers.len == 0 && memory.allocs == 0);
    paper_vec vec = paper_vec_in(heap);
    for (int i = 0; i < 6; i++) {
        paper *made = paper_vec_push_new(&vec);
        KIT_CHECK(made != NULL);
        made->ticket = ticket_make();
        made->pages = int_vec_in(heap);
        KIT_CHECK(int_vec_push(&made->pages, i));
    }
    size_t live = memory.live_bytes;
    uint64_t n = 1;
    for (bool whole = false; !whole; n++) {
        paper_vec copy = { 0 };
        ka_failing_set(&failing, n);
        whole = paper_vec_clone(&copy, &vec, heap);
        KIT_CHECK(copy.len == (whole ? 6 : 0) && (whole || (copy.items == NULL && memory.live_bytes == live)));
        for (size_t i = 0; i < copy.len; i++)
            KIT_CHECK(HOLDS(&copy.items[i].pages, (int)i) && copy.items[i].pages.items != vec.items[i].pages.items);
        paper_vec_drop(&copy);
        KIT_CHECK(memory.live_bytes == live && tickets.dropped == tickets.made - 6);
    }
    KIT_CHECK(n == 1 + 1 + 6 + 1); /* the row, six papers, and the one that is not reached */
    paper_vec_drop(&vec);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void check_finds_damage(void)
{
    start();
    int_vec vec = { 0 };
    KIT_CHECK(int_vec_check(&vec) == NULL);
    vec = int_vec_in(heap);
    KIT_CHECK(int_vec_push(&vec, 1) && int_vec_check(&vec) == NULL);
    int_vec good = vec;
    vec.len = 5;
    KIT_CHECK(int_vec_check(&vec) != NULL);
    vec = good;
    vec.items = NULL;
    KIT_CHECK(int_vec_check(&vec) != NULL);
    vec = good;
    vec.allocator = NULL;
    KIT_CHECK(int_vec_check(&vec) != NULL);
    vec = good;
    vec.items = (int *)(void *)((char *)good.items + 1);
    KIT_CHECK(int_vec_check(&vec) != NULL);
    vec = (int_vec){ NULL, 0, 2, heap };
    KIT_CHECK(int_vec_check(&vec) != NULL);
    int_vec_drop(&good);
}

/* ---- against a model: an array with a fixed capacity, and loops ---- */

enum { MODEL_MAX = 200, OPERATIONS = 2000000 };

typedef struct model {
    int numbers[MODEL_MAX + 1];
    size_t len;
} model;

static void model_insert(model *m, size_t at, int number)
{
    for (size_t i = m->len++; i > at; i--)
        m->numbers[i] = m->numbers[i - 1];
    m->numbers[at] = number;
}

static int model_remove(model *m, size_t at)
{
    int number = m->numbers[at];
    m->len--;
    for (size_t i = at; i < m->len; i++)
        m->numbers[i] = m->numbers[i + 1];
    return number;
}

/* One operation that adds, or finds no memory. */
static bool model_step_in(kit_random *random, int_vec *vec, model *m)
{
    int number = (int)kit_below(random, 1u << 30);
    size_t at = (size_t)kit_below(random, m->len + 1), n = (size_t)kit_below(random, 9);
    int many[9];
    switch (kit_below(random, 5)) {
    case 0:
        if (int_vec_push(vec, number))
            model_insert(m, m->len, number);
        return true;
    case 1:
        if (int_vec_insert(vec, at, number))
            model_insert(m, at, number);
        return true;
    case 2:
        for (size_t i = 0; i < n; i++)
            many[i] = number + (int)i;
        if (m->len + n <= MODEL_MAX && int_vec_extend(vec, many, n))
            for (size_t i = 0; i < n; i++)
                model_insert(m, m->len, many[i]);
        return true;
    case 3:
        if (m->len + n <= MODEL_MAX && int_vec_resize(vec, m->len + n))
            for (size_t i = 0; i < n; i++)
                model_insert(m, m->len, 0);
        return true;
    default: {
        int *made = int_vec_push_new(vec);
        if (made == NULL)
            return true;
        bool cleared = *made == 0;
        *made = number;
        model_insert(m, m->len, number);
        return cleared;
    }
    }
}

/* One operation on ranges or on all items: it comes seldom, for the model is slow. */
static bool model_step_all(kit_random *random, int_vec *vec, model *m)
{
    size_t from = (size_t)kit_below(random, m->len + 1), to = from + (size_t)kit_below(random, m->len - from + 1);
    int out, mask = 1 << kit_below(random, 8);
    int_vec other = { 0 };
    switch (kit_below(random, 5)) {
    case 0: {
        int_vec_drain drain = int_vec_drain_of(vec, from, to);
        for (size_t taken = kit_below(random, to - from + 1), i = 0; i < taken; i++)
            if (!int_vec_drain_next(&drain, &out) || out != m->numbers[from + i])
                return false;
        int_vec_drain_drop(&drain);
        for (size_t i = from; i < to; i++)
            (void)model_remove(m, from);
        return true;
    }
    case 1:
        KA_VEC_RETAIN(int_vec, int, item, vec, (*item & mask) != 0);
        for (size_t i = 0; i < m->len;)
            if ((m->numbers[i] & mask) == 0)
                (void)model_remove(m, i);
            else
                i++;
        return true;
    case 2: {
        bool split = int_vec_split_off(vec, from, &other);
        bool same = !split || holds(&other, m->numbers + from, m->len - from);
        if (split)
            m->len = from;
        int_vec_drop(&other);
        return same;
    }
    case 3: {
        bool cloned = int_vec_clone(&other, vec, heap);
        bool same = cloned ? holds(&other, m->numbers, m->len) : other.items == NULL;
        int_vec_drop(&other);
        return same;
    }
    default:
        int_vec_sort(vec);
        for (size_t i = 1; i < m->len; i++)
            for (size_t j = i; j > 0 && m->numbers[j - 1] > m->numbers[j]; j--) {
                int number = m->numbers[j];
                m->numbers[j] = m->numbers[j - 1];
                m->numbers[j - 1] = number;
            }
        return int_vec_is_sorted(vec);
    }
}

/* One operation that takes away, or leaves the items as they are. */
static bool model_step_out(kit_random *random, int_vec *vec, model *m)
{
    int out = 0;
    size_t at = m->len == 0 ? 0 : (size_t)kit_below(random, m->len);
    switch (kit_below(random, 8)) {
    case 0:
        return int_vec_pop(vec, &out) ? m->len != 0 && out == model_remove(m, m->len - 1) : m->len == 0;
    case 1:
        return m->len == 0 || int_vec_remove(vec, at) == model_remove(m, at);
    case 2:
        if (m->len == 0)
            return true;
        out = m->numbers[at];
        m->numbers[at] = m->numbers[--m->len];
        return int_vec_swap_remove(vec, at) == out;
    case 3:
        if (m->len != 0) {
            int_vec_drop_at(vec, at);
            (void)model_remove(m, at);
        }
        return true;
    case 4:
        (void)int_vec_shrink(vec);
        return true;
    case 5:
        return !int_vec_reserve(vec, at) || vec->cap - vec->len >= at;
    case 6:
        if (kit_below(random, 32) == 0) {
            m->len = at;
            int_vec_truncate(vec, at);
        }
        return true;
    default:
        if (kit_below(random, 256) == 0) {
            int_vec moved = int_vec_take(vec);
            bool emptied = vec->len == 0 && vec->cap == 0;
            *vec = moved;
            return emptied;
        }
        return true;
    }
}

static void same_as_model(void)
{
    start();
    static model m;
    m.len = 0;
    kit_random random = { 20240607 };
    int_vec vec = int_vec_in(heap);
    ka_failing_set_chance(&failing, 65536 / 8, 1);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        bool in = kit_below(&random, 2) == 0 && m.len < MODEL_MAX;
        KIT_CHECK(in ? model_step_in(&random, &vec, &m) : model_step_out(&random, &vec, &m));
        KIT_CHECK(kit_below(&random, 64) != 0 || model_step_all(&random, &vec, &m));
        KIT_CHECK(holds(&vec, m.numbers, m.len));
        KIT_CHECK(memory.live_bytes == vec.cap * sizeof(int) && int_vec_check(&vec) == NULL);
        if (i % 4096 == 0) {
            int_vec_drop(&vec);
            vec = int_vec_in(heap);
            m.len = 0;
        }
    }
    kit_steps(OPERATIONS);
    kit_note("%zu blocks taken, %llu refused", memory.allocs, (unsigned long long)ka_failing_failures(&failing));
    int_vec_drop(&vec);
    KIT_CHECK(kit_malloc_clean(&memory) && ka_failing_failures(&failing) > 1000);
}

static const kit_case cases[] = {
    { "empty_in_every_way", empty_in_every_way },
    { "without_allocator_fails", without_allocator_fails },
    { "push_and_pop", push_and_pop },
    { "insert_and_remove", insert_and_remove },
    { "extend_append_resize", extend_append_resize },
    { "room", room },
    { "grows_by_a_quarter", grows_by_a_quarter },
    { "takes_with_its_allocator", takes_with_its_allocator },
    { "over_aligned", over_aligned },
    { "pointers_as_items", pointers_as_items },
    { "drops_once", drops_once },
    { "failure_takes_nothing", failure_takes_nothing },
    { "nth_allocation_fails", nth_allocation_fails },
    { "drains", drains },
    { "retains", retains },
    { "splits", splits },
    { "sorts_and_finds", sorts_and_finds },
    { "finds_like_a_walk", finds_like_a_walk },
    { "clones", clones },
    { "check_finds_damage", check_finds_damage },
    { "same_as_model", same_as_model },
};

int main(void)
{
    return kit_main("vec", cases, KIT_COUNT(cases));
}
