/* deque_test.c: every function of a deque, at every place of the ring; a long random run against a plain model; memory
 * that gives out. */
#include <ka/config.h>

#undef KA_CFG_DEBUG
#define KA_CFG_DEBUG 1 /* walks are watched */
#include <ka/deque.h>

#include <string.h>

#include <ka/failing.h>

#include "crimes.h"
#include "kit.h"
#include "kit_malloc.h"
#include "owner/tickets.h"

KA_DEQUE(int_deque, int, KA_NO_DROP)
KA_DEQUE_CLONE(int_deque, int, KA_CLONE_BYTES)
KA_DEQUE(ticket_deque, ticket, ticket_drop)

typedef struct wide {
    _Alignas(64) int number;
} wide;
KA_DEQUE(wide_deque, wide, KA_NO_DROP)

static kit_malloc memory;
static ka_failing failing;
static ka_allocator *const heap = &failing.allocator;

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

static bool holds(const int_deque *deque, const int *numbers, size_t n)
{
    if (deque->len != n || int_deque_check(deque) != NULL)
        return false;
    size_t first = 0, second = 0;
    const int *row = int_deque_row(deque, 0, &first);
    const int *rest = int_deque_row(deque, first, &second);
    return first + second == n && (first == 0 || memcmp(row, numbers, first * sizeof(int)) == 0) &&
           (second == 0 || memcmp(rest, numbers + first, second * sizeof(int)) == 0);
}
#define HOLDS(deque, ...) holds((deque), (const int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int))

/* A deque of cap 8 with the items 0 to n - 1, the first at `head`. */
static int_deque ring(size_t head, size_t n)
{
    int_deque deque = int_deque_in(heap);
    int out;
    if (!int_deque_reserve_exact(&deque, 8, 0))
        kit_fail(__FILE__, __LINE__, "a ring");
    for (size_t i = 0; i < head; i++)
        if (!int_deque_push_back(&deque, -1) || !int_deque_pop_front(&deque, &out))
            kit_fail(__FILE__, __LINE__, "a ring");
    for (size_t i = 0; i < n; i++)
        if (!int_deque_push_back(&deque, (int)i))
            kit_fail(__FILE__, __LINE__, "a ring");
    if (deque.head != head || deque.len != n || deque.cap != 8)
        kit_fail(__FILE__, __LINE__, "a ring");
    return deque;
}

static void empty_in_every_way(void)
{
    start();
    int_deque zero = { 0 }, deque = int_deque_in(heap), *both[] = { &zero, &deque };
    int out = 5;
    size_t n = 1;
    for (size_t i = 0; i < 2; i++) {
        int_deque *self = both[i];
        KIT_CHECK(int_deque_len(self) == 0 && int_deque_cap(self) == 0 && int_deque_is_empty(self));
        KIT_CHECK(!int_deque_front(self) && !int_deque_back(self) && !int_deque_get(self, 0));
        KIT_CHECK(!int_deque_pop_back(self, &out) && !int_deque_pop_front(self, &out) && out == 5);
        KIT_CHECK(!int_deque_row(self, 0, &n) && n == 0 && !int_deque_make_contiguous(self));
        KIT_CHECK(int_deque_reserve(self, 0) && int_deque_extend(self, NULL, 0) && int_deque_shrink(self));
        KIT_CHECK_SOUND(int_deque_check(self));
        int_deque_clear(self);
        int_deque_truncate(self, 3);
        KA_DEQUE_EACH (int_deque, int, item, self)
            KIT_CHECK(item == NULL);
        int_deque_drop(self);
        int_deque_drop(self);
    }
    KIT_CHECK(!int_deque_push_back(&zero, 1) && !int_deque_push_front(&zero, 1) && !int_deque_insert(&zero, 0, 1));
    KIT_CHECK(!int_deque_push_back_new(&zero) && !int_deque_push_front_new(&zero) && !int_deque_reserve(&zero, 1));
    KIT_CHECK(!int_deque_extend(&zero, &out, 1) && zero.items == NULL && memory.allocs == 0);
}

static void both_ends(void)
{
    start();
    int_deque deque = int_deque_in(heap);
    int out = 0;
    KIT_CHECK(int_deque_push_back(&deque, 2) && int_deque_push_front(&deque, 1) && int_deque_push_back(&deque, 3));
    KIT_CHECK(int_deque_push_front(&deque, 0) && int_deque_push_front(&deque, -1) && HOLDS(&deque, -1, 0, 1, 2, 3));
    KIT_CHECK(*int_deque_front(&deque) == -1 && *int_deque_back(&deque) == 3 && *int_deque_at(&deque, 2) == 1);
    KIT_CHECK(int_deque_pop_front(&deque, &out) && out == -1 && int_deque_pop_back(&deque, &out) && out == 3);
    int *made = int_deque_push_back_new(&deque);
    KIT_CHECK(made != NULL && *made == 0 && (made = int_deque_push_front_new(&deque)) != NULL && *made == 0);
    KIT_CHECK(HOLDS(&deque, 0, 0, 1, 2, 0) && int_deque_get(&deque, 5) == NULL);
    int_deque taken = int_deque_take(&deque);
    KIT_CHECK(deque.len == 0 && deque.cap == 0 && deque.allocator == heap && HOLDS(&taken, 0, 0, 1, 2, 0));
    int_deque_drop(&taken);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* For every head and every len of a ring of 8: each operation at each place. */
static void every_place(void)
{
    static const int more[] = { 100, 101, 102, 103, 104 };
    int expected[16];
    start();
    for (size_t head = 0; head < 8; head++)
        for (size_t n = 0; n <= 8; n++) {
            for (size_t at = 0; at <= n; at++) {
                int_deque deque = ring(head, n);
                KIT_CHECK(int_deque_insert(&deque, at, 50));
                for (size_t i = 0; i <= n; i++)
                    expected[i] = i < at ? (int)i : i == at ? 50 : (int)i - 1;
                KIT_CHECK(holds(&deque, expected, n + 1) && (n == 8) == (deque.cap != 8));
                KIT_CHECK(int_deque_remove(&deque, at) == 50);
                for (size_t i = 0; i < n; i++)
                    expected[i] = (int)i;
                KIT_CHECK(holds(&deque, expected, n));
                int_deque_drop(&deque);
            }
            for (size_t count = 0; count <= 5; count++) {
                int_deque deque = ring(head, n);
                KIT_CHECK(int_deque_extend(&deque, more, count));
                memcpy(expected + n, more, count * sizeof(int));
                KIT_CHECK(holds(&deque, expected, n + count) && (n + count > 8) == (deque.cap != 8));
                int_deque_drop(&deque);
            }
            int_deque deque = ring(head, n);
            const int *row = int_deque_make_contiguous(&deque);
            KIT_CHECK((row == NULL) == (n == 0) && (n == 0 || memcmp(row, expected, n * sizeof(int)) == 0));
            KIT_CHECK(holds(&deque, expected, n) && memory.live_blocks == 1);
            int_deque_drop(&deque);
            deque = ring(head, n);
            KIT_CHECK(int_deque_shrink(&deque) && deque.cap == n && holds(&deque, expected, n));
            int_deque_drop(&deque);
        }
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* Large items and odd counts: the parts that change places are longer than the buffer between them. */
static void contiguous_and_large(void)
{
    start();
    enum { CAP = 23 };
    for (size_t head = 0; head < CAP; head++) {
        wide_deque deque = wide_deque_in(heap);
        wide out, *made;
        KIT_CHECK(wide_deque_reserve_exact(&deque, CAP, 0));
        for (size_t i = 0; i < head; i++)
            KIT_CHECK(wide_deque_push_back_new(&deque) && wide_deque_pop_front(&deque, &out));
        for (size_t i = 0; i < CAP; i++) {
            KIT_CHECK((made = wide_deque_push_back_new(&deque)) != NULL);
            made->number = (int)i;
        }
        wide *row = wide_deque_make_contiguous(&deque);
        KIT_CHECK(row != NULL && (uintptr_t)row % 64 == 0);
        for (size_t i = 0; i < CAP; i++)
            KIT_CHECK(row[i].number == (int)i);
        wide_deque_drop(&deque);
    }
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void room(void)
{
    start();
    int_deque deque = int_deque_in(heap);
    KIT_CHECK(int_deque_reserve_with(&deque, 5, KA_ATOMIC) && deque.cap == 5 && memory.flags == KA_ATOMIC);
    KIT_CHECK(int_deque_push_front(&deque, 1) && int_deque_reserve(&deque, 4) && memory.allocs == 1);
    KIT_CHECK(int_deque_reserve_exact(&deque, 5, KA_NOWAIT) && deque.cap == 6 && memory.flags == KA_NOWAIT);
    KIT_CHECK(int_deque_reserve(&deque, 6) && deque.cap == 16 && HOLDS(&deque, 1));
    KIT_CHECK(!int_deque_reserve(&deque, SIZE_MAX) && !int_deque_reserve(&deque, SIZE_MAX / 4) && deque.cap == 16);
    give_out(true);
    KIT_CHECK(!int_deque_shrink(&deque) && deque.cap == 16 && HOLDS(&deque, 1));
    give_out(false);
    int_deque_clear(&deque);
    KIT_CHECK(int_deque_shrink(&deque) && deque.cap == 0 && deque.items == NULL && deque.allocator == heap);
    KIT_CHECK(int_deque_push_back(&deque, 2) && HOLDS(&deque, 2));
    int_deque_drop(&deque);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void drops_once(void)
{
    start();
    ticket_deque deque = ticket_deque_in(heap);
    ticket out;
    for (int i = 0; i < 10; i++)
        KIT_CHECK(ticket_deque_push_back(&deque, ticket_make()) && ticket_deque_push_front(&deque, ticket_make()));
    KIT_CHECK(ticket_deque_front(&deque)->id == 20 && ticket_deque_back(&deque)->id == 19);
    KIT_CHECK(ticket_deque_pop_front(&deque, &out) && out.id == 20 && tickets.dropped == 0);
    ticket_drop(&out);
    out = ticket_deque_remove(&deque, 0);
    KIT_CHECK(out.id == 18 && tickets.dropped == 1);
    ticket_drop(&out);
    ticket_deque_truncate(&deque, 10);
    KIT_CHECK(deque.len == 10 && tickets.dropped == 10 && ticket_deque_back(&deque)->id == 3);
    ticket_deque_clear(&deque);
    KIT_CHECK(tickets_all_dropped() && deque.len == 0);
    KIT_CHECK(ticket_deque_push_back(&deque, ticket_make()));
    ticket_deque_drop(&deque);
    ticket_deque_drop(&deque);
    KIT_CHECK(tickets_all_dropped() && tickets.made == 21 && kit_malloc_clean(&memory));
}

static void failure_takes_nothing(void)
{
    start();
    ticket_deque deque = ticket_deque_in(heap);
    for (int i = 0; i < 4; i++)
        KIT_CHECK(ticket_deque_push_front(&deque, ticket_make()));
    ticket item = ticket_make();
    give_out(true);
    KIT_CHECK(!ticket_deque_push_back(&deque, item) && !ticket_deque_push_front(&deque, item));
    KIT_CHECK(!ticket_deque_insert(&deque, 0, item) && !ticket_deque_insert(&deque, 4, item));
    KIT_CHECK(!ticket_deque_push_back_new(&deque) && !ticket_deque_push_front_new(&deque));
    KIT_CHECK(!ticket_deque_extend(&deque, &item, 1) && !ticket_deque_reserve(&deque, 1));
    KIT_CHECK(deque.len == 4 && deque.cap == 4 && ticket_deque_front(&deque)->id == 4 && tickets.dropped == 0);
    KIT_CHECK_SOUND(ticket_deque_check(&deque));
    give_out(false);
    KIT_CHECK(ticket_deque_insert(&deque, 2, item) && ticket_deque_at(&deque, 2)->id == 5);
    ticket_deque_drop(&deque);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

TICKETS_PAPER(, int_deque)
KA_DEQUE(paper_deque, paper, paper_drop)
KA_DEQUE_CLONE(paper_deque, paper, paper_clone)

/* The n-th allocation fails, for every n: of filling a deque, and of cloning it. */
static void nth_allocation_fails(void)
{
    uint64_t n = 1, lost = 0;
    for (bool whole = false; !whole; n++) {
        start();
        ka_failing_set(&failing, n);
        paper_deque deque = paper_deque_in(heap), copy = { 0 };
        bool filled = true;
        for (int i = 0; filled && i < 6; i++) {
            paper *made = i % 2 == 0 ? paper_deque_push_front_new(&deque) : paper_deque_push_back_new(&deque);
            filled = made != NULL;
            if (!filled)
                break;
            made->ticket = ticket_make();
            made->pages = int_deque_in(heap);
            filled = int_deque_push_back(&made->pages, i);
        }
        bool cloned = filled && paper_deque_clone(&copy, &deque, heap);
        KIT_CHECK(copy.len == (cloned ? 6 : 0) && (cloned || copy.items == NULL));
        KIT_CHECK_SOUND(paper_deque_check(&deque));
        for (size_t i = 0; i < copy.len; i++)
            KIT_CHECK(*int_deque_front(&paper_deque_at(&copy, i)->pages) ==
                      *int_deque_front(&paper_deque_at(&deque, i)->pages));
        whole = ka_failing_failures(&failing) == 0;
        KIT_CHECK(!whole || cloned);
        lost += !cloned;
        paper_deque_drop(&copy);
        paper_deque_drop(&deque);
        KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
    }
    KIT_CHECK(lost == 7); /* the clone's; growing asks again for less, so that a single failure loses nothing */
}

static void check_finds_damage(void)
{
    start();
    int_deque deque = ring(7, 3), good = deque;
    KIT_CHECK_SOUND(int_deque_check(&deque));
    deque.head = 8;
    KIT_CHECK(int_deque_check(&deque) != NULL);
    deque = good;
    deque.len = 9;
    KIT_CHECK(int_deque_check(&deque) != NULL);
    int_deque_drop(&good);
}

/* ---- the caller's errors ---- */

static void crime_at(void)
{
    int_deque deque = ring(7, 3);
    *int_deque_at(&deque, 3) = 1;
}

static void crime_insert(void)
{
    int_deque deque = ring(7, 3);
    _exit(!int_deque_insert(&deque, 4, 1));
}

static void crime_remove(void)
{
    int_deque deque = ring(7, 3);
    int out = int_deque_remove(&deque, 3);
    _exit(out == 77);
}

static void crime_extend(void)
{
    int_deque deque = ring(0, 3);
    _exit(!int_deque_extend(&deque, &deque.items[1], 1));
}

static void crime_walk(void)
{
    int_deque deque = ring(7, 3);
    int out;
    KA_DEQUE_EACH (int_deque, int, item, &deque)
        if (!int_deque_push_back(&deque, *item) || !int_deque_pop_front(&deque, &out))
            _exit(0);
}

/* As many items as before, from another place or in another block. */
static void crime_walk_head(void)
{
    int_deque deque = ring(7, 3);
    int out;
    KA_DEQUE_EACH (int_deque, int, item, &deque)
        if (!int_deque_pop_front(&deque, &out) || !int_deque_push_back(&deque, *item))
            _exit(0);
}

static void crime_walk_block(void)
{
    int_deque deque = ring(0, 3);
    KA_DEQUE_EACH (int_deque, int, item, &deque)
        if (item == NULL || !int_deque_reserve(&deque, 100))
            _exit(0);
}

static void crime_walk_len(void)
{
    int_deque deque = ring(0, 3);
    KA_DEQUE_EACH (int_deque, int, item, &deque)
        if (!int_deque_push_back(&deque, *item))
            _exit(0);
}

static void stops_at_changes_of_a_walk(void)
{
    start();
    KIT_EXPECT(stops_with(crime_walk_head, "changed while it was walked"));
    KIT_EXPECT(stops_with(crime_walk_block, "changed while it was walked"));
    KIT_EXPECT(stops_with(crime_walk_len, "changed while it was walked"));
}

static void stops_at_callers_errors(void)
{
    start();
    KIT_EXPECT(stops_with(crime_at, "int_deque_at: index out of bounds: the len is 3 but the index is 3"));
    KIT_EXPECT(stops_with(crime_insert, "int_deque_insert: index out of bounds: the len is 3 but the index is 4"));
    KIT_EXPECT(stops_with(crime_remove, "int_deque_remove: index out of bounds: the len is 3 but the index is 3"));
    KIT_EXPECT(stops_with(crime_extend, "int_deque: the items lie in what shall take them"));
    KIT_EXPECT(stops_with(crime_walk, "changed while it was walked"));
}

/* ---- against a model: an array, and loops ---- */

enum { MODEL_MAX = 100, OPERATIONS = 1500000 };

static int model[MODEL_MAX + 8];
static size_t model_len;

static void model_insert(size_t at, int number)
{
    memmove(model + at + 1, model + at, (model_len++ - at) * sizeof(int));
    model[at] = number;
}

static int model_remove(size_t at)
{
    int number = model[at];
    memmove(model + at, model + at + 1, (--model_len - at) * sizeof(int));
    return number;
}

static bool model_step_in(kit_random *random, int_deque *deque)
{
    int number = (int)kit_below(random, 1u << 30), many[8];
    size_t at = (size_t)kit_below(random, model_len + 1), n = (size_t)kit_below(random, 8);
    switch (kit_below(random, 5)) {
    case 0:
        if (int_deque_push_back(deque, number))
            model_insert(model_len, number);
        return true;
    case 1:
        if (int_deque_push_front(deque, number))
            model_insert(0, number);
        return true;
    case 2:
        if (int_deque_insert(deque, at, number))
            model_insert(at, number);
        return true;
    case 3:
        for (size_t i = 0; i < n; i++)
            many[i] = number + (int)i;
        if (int_deque_extend(deque, many, n))
            for (size_t i = 0; i < n; i++)
                model_insert(model_len, many[i]);
        return true;
    default: {
        bool front = n % 2 == 0;
        int *made = front ? int_deque_push_front_new(deque) : int_deque_push_back_new(deque);
        if (made != NULL)
            model_insert(front ? 0 : model_len, 0);
        return made == NULL || *made == 0;
    }
    }
}

static bool model_step_out(kit_random *random, int_deque *deque)
{
    int out = 0;
    size_t at = model_len == 0 ? 0 : (size_t)kit_below(random, model_len);
    switch (kit_below(random, 8)) {
    case 0:
    case 1:
        return int_deque_pop_front(deque, &out) ? model_len != 0 && out == model_remove(0) : model_len == 0;
    case 2:
        return int_deque_pop_back(deque, &out) ? model_len != 0 && out == model_remove(model_len - 1) : model_len == 0;
    case 3:
        return model_len == 0 || int_deque_remove(deque, at) == model_remove(at);
    case 4:
        (void)int_deque_shrink(deque);
        return true;
    case 5:
        return (int_deque_make_contiguous(deque) == NULL) == (model_len == 0);
    case 6:
        if (kit_below(random, 32) == 0) {
            model_len = at;
            int_deque_truncate(deque, at);
        }
        return true;
    default: {
        int_deque copy = { 0 };
        bool same = !int_deque_clone(&copy, deque, heap) || holds(&copy, model, model_len);
        int_deque_drop(&copy);
        return same && (!int_deque_reserve(deque, at) || deque->cap - deque->len >= at);
    }
    }
}

static void same_as_model(void)
{
    start();
    model_len = 0;
    kit_random random = { 20240609 };
    int_deque deque = int_deque_in(heap);
    ka_failing_set_chance(&failing, 65536 / 8, 1);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        bool in = kit_below(&random, 2) == 0 && model_len < MODEL_MAX;
        KIT_CHECK(in ? model_step_in(&random, &deque) : model_step_out(&random, &deque));
        KIT_CHECK(holds(&deque, model, model_len) && memory.live_bytes == deque.cap * sizeof(int));
    }
    kit_steps(OPERATIONS);
    kit_note("%zu blocks taken, %llu refused", memory.allocs, (unsigned long long)ka_failing_failures(&failing));
    int_deque_drop(&deque);
    KIT_CHECK(kit_malloc_clean(&memory) && ka_failing_failures(&failing) > 1000);
}

static const kit_case cases[] = {
    { "empty_in_every_way", empty_in_every_way },
    { "both_ends", both_ends },
    { "every_place", every_place },
    { "contiguous_and_large", contiguous_and_large },
    { "room", room },
    { "drops_once", drops_once },
    { "failure_takes_nothing", failure_takes_nothing },
    { "nth_allocation_fails", nth_allocation_fails },
    { "check_finds_damage", check_finds_damage },
    { "stops_at_callers_errors", stops_at_callers_errors },
    { "stops_at_changes_of_a_walk", stops_at_changes_of_a_walk },
    { "same_as_model", same_as_model },
};

int main(void)
{
    return kit_main("deque", cases, KIT_COUNT(cases));
}
