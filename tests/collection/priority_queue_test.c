/* priority_queue_test.c: order and handles against a plain array that is searched; memory that gives out. */
#include <ka/priority_queue.h>

#include <ka/failing.h>
#include <ka/vec.h>

#include "crimes.h"
#include "kit.h"
#include "kit_malloc.h"
#include "owner/tickets.h"

KA_PRIORITY_QUEUE(int_queue, int, KA_COMPARE_NUMBERS, KA_NO_DROP)
KA_PRIORITY_QUEUE_CLONE(int_queue, int, KA_CLONE_BYTES)
KA_VEC(int_vec, int, KA_NO_DROP)
KA_PRIORITY_QUEUE_VEC(int_queue, int_vec)

/* Ordered by `due` only, so that equal ones can be told apart. */
typedef struct timer {
    unsigned due;
    ticket ticket;
    int_vec data;
} timer;

static int timer_compare(timer const *a, timer const *b)
{
    return (a->due > b->due) - (a->due < b->due);
}

static void timer_drop(timer *self)
{
    int_vec_drop(&self->data);
    ticket_drop(&self->ticket);
}

static kit_malloc memory;
static ka_failing failing;
static ka_allocator *const heap = &failing.allocator;

static bool timer_clone(timer *out, timer const *from)
{
    int_vec data = int_vec_in(heap);
    if (!int_vec_extend(&data, from->data.items, from->data.len))
        return false;
    *out = (timer){ from->due, ticket_make(), data };
    return true;
}

KA_PRIORITY_QUEUE(timer_queue, timer, timer_compare, timer_drop)
KA_PRIORITY_QUEUE_CLONE(timer_queue, timer, timer_clone)

typedef struct wide {
    _Alignas(64) int number;
} wide;
static int wide_compare(wide const *a, wide const *b)
{
    return KA_COMPARE_NUMBERS(&a->number, &b->number);
}
KA_PRIORITY_QUEUE(wide_queue, wide, wide_compare, KA_NO_DROP)

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

static timer timer_make(unsigned due)
{
    timer made = { due, ticket_make(), { 0 } };
    return made;
}

static void empty_in_every_way(void)
{
    start();
    int_queue zero = { 0 }, queue = int_queue_in(heap), *both[] = { &zero, &queue }, copy = { 0 };
    int_queue_handle none = { 0 };
    int out = 5;
    for (size_t i = 0; i < 2; i++) {
        int_queue *self = both[i];
        KIT_CHECK(int_queue_len(self) == 0 && int_queue_is_empty(self) && !int_queue_peek(self));
        KIT_CHECK(!int_queue_pop(self, &out) && !int_queue_remove(self, none, &out) && !int_queue_erase(self, none));
        KIT_CHECK(!int_queue_update(self, none) && !int_queue_replace(self, none, 1) && !int_queue_get(self, none));
        KIT_CHECK(int_queue_reserve(self, 0) && int_queue_extend(self, NULL, 0) && out == 5);
        KIT_CHECK(int_queue_clone(&copy, self, heap) && int_queue_is_empty(&copy));
        KIT_CHECK_SOUND(int_queue_check(self));
        KA_PRIORITY_QUEUE_EACH (int_queue, int, item, self)
            KIT_CHECK(item == NULL);
        int_queue_clear(self);
        int_queue_drop(self);
        int_queue_drop(self);
    }
    KIT_CHECK(!int_queue_push(&zero, 1) && !int_queue_extend(&zero, &out, 1) && !int_queue_reserve(&zero, 1));
    KIT_CHECK(memory.allocs == 0);
}

static void in_order(void)
{
    start();
    static const int numbers[] = { 5, 1, 4, 1, 3, 9, 2, 6 };
    int_queue queue = int_queue_in(heap);
    int out = 0, last = 0;
    for (size_t i = 0; i < KIT_COUNT(numbers); i++)
        KIT_CHECK(int_queue_push(&queue, numbers[i]));
    int sum = 0;
    KA_PRIORITY_QUEUE_EACH (int_queue, int, item, &queue) {
        sum += *item;
        if (sum > 1000)
            break;
    }
    KIT_CHECK(*int_queue_peek(&queue) == 1 && int_queue_len(&queue) == 8 && sum == 31);
    for (size_t i = 0; i < 8; i++, last = out)
        KIT_CHECK(int_queue_pop(&queue, &out) && out >= last && int_queue_check(&queue) == NULL);
    KIT_CHECK(out == 9 && !int_queue_pop(&queue, &out));
    int_queue_drop(&queue);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* Equal items leave in the order in which they came, whatever lies between. */
static void equal_in_turn(void)
{
    start();
    timer_queue queue = timer_queue_in(heap);
    timer out;
    for (unsigned i = 0; i < 60; i++)
        KIT_CHECK(timer_queue_push(&queue, timer_make(i % 3)));
    for (uint32_t i = 0; i < 60; i++) {
        KIT_CHECK(timer_queue_pop(&queue, &out));
        KIT_CHECK(out.due == i / 20 && out.ticket.id == i % 20 * 3 + i / 20 + 1);
        timer_drop(&out);
    }
    timer_queue_drop(&queue);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void handles(void)
{
    start();
    timer_queue queue = timer_queue_in(heap);
    timer_queue_handle handle[6];
    timer out;
    for (unsigned i = 0; i < 6; i++)
        KIT_CHECK(timer_queue_push_handle(&queue, timer_make(10 * i), &handle[i]));
    KIT_CHECK(timer_queue_get(&queue, handle[4])->due == 40 && timer_queue_peek(&queue)->due == 0);
    timer_queue_get(&queue, handle[4])->due = 5;
    KIT_CHECK(timer_queue_update(&queue, handle[4]) && timer_queue_check(&queue) == NULL);
    timer_queue_get(&queue, handle[0])->due = 25;
    KIT_CHECK(timer_queue_update(&queue, handle[0]) && timer_queue_peek(&queue)->ticket.id == 5);
    KIT_CHECK(timer_queue_replace(&queue, handle[4], timer_make(99)) && tickets.drops[5] == 1);
    KIT_CHECK(timer_queue_get(&queue, handle[4])->ticket.id == 7 && timer_queue_peek(&queue)->due == 10);
    KIT_CHECK(timer_queue_remove(&queue, handle[1], &out) && out.due == 10 && tickets.dropped == 1);
    timer_drop(&out);
    KIT_CHECK(!timer_queue_get(&queue, handle[1]) && !timer_queue_remove(&queue, handle[1], &out));
    KIT_CHECK(timer_queue_erase(&queue, handle[2]) && !timer_queue_erase(&queue, handle[2]));
    KIT_CHECK(tickets.drops[3] == 1 && timer_queue_len(&queue) == 4 && timer_queue_check(&queue) == NULL);
    /* the slots are taken again, and the old handles do not fit */
    timer_queue_handle later[2];
    for (unsigned i = 0; i < 2; i++)
        KIT_CHECK(timer_queue_push_handle(&queue, timer_make(1), &later[i]));
    KIT_CHECK(!timer_queue_get(&queue, handle[1]) && !timer_queue_update(&queue, handle[2]) && queue.cap == 8);
    timer waits = timer_make(3);
    KIT_CHECK(!timer_queue_replace(&queue, handle[1], waits));
    timer_drop(&waits);
    timer_queue taken = timer_queue_take(&queue);
    KIT_CHECK(timer_queue_get(&taken, later[0]) && !timer_queue_get(&queue, later[0]) && queue.allocator == heap);
    KIT_CHECK(timer_queue_push_handle(&queue, timer_make(1), &later[0]) && !timer_queue_get(&taken, later[0]));
    timer_queue_handle beyond = { 1000, 1 };
    KIT_CHECK(!timer_queue_get(&taken, beyond));
    timer_queue_clear(&taken);
    KIT_CHECK(!timer_queue_get(&taken, handle[0]) && taken.cap == 8 && timer_queue_check(&taken) == NULL);
    timer_queue_drop(&taken);
    timer_queue_drop(&queue);
    KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
}

static void from_a_vec(void)
{
    start();
    for (int n = 0; n < 70; n++)
        for (int before = 0; before < 70; before += 9) {
            int_queue queue = int_queue_in(heap);
            int_vec vec = int_vec_in(heap);
            int out, last = -1;
            for (int i = 0; i < before; i++)
                KIT_CHECK(int_queue_push(&queue, i * 31 % 67));
            for (int i = 0; i < n; i++)
                KIT_CHECK(int_vec_push(&vec, i * 37 % 71));
            size_t cap = vec.cap;
            KIT_CHECK(int_queue_append(&queue, &vec) && vec.len == 0 && vec.cap == cap);
            KIT_CHECK_SOUND(int_queue_check(&queue));
            KIT_CHECK(int_queue_len(&queue) == (size_t)(before + n));
            while (int_queue_pop(&queue, &out)) {
                KIT_CHECK(out >= last);
                last = out;
            }
            int_vec_drop(&vec);
            int_queue_drop(&queue);
        }
    int_vec vec = int_vec_in(&memory.allocator);
    int_queue queue = int_queue_in(heap);
    give_out(true);
    KIT_CHECK(int_vec_push(&vec, 5) && !int_queue_append(&queue, &vec) && vec.len == 1 && int_queue_is_empty(&queue));
    give_out(false);
    int_vec_drop(&vec);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void room_and_alignment(void)
{
    start();
    wide_queue queue = wide_queue_in(heap);
    KIT_CHECK(wide_queue_reserve_with(&queue, 7, KA_ATOMIC) && queue.cap == 7 && memory.flags == KA_ATOMIC);
    size_t allocs = memory.allocs;
    wide item = { 0 };
    for (item.number = 0; item.number < 7; item.number++)
        KIT_CHECK(wide_queue_extend(&queue, &item, 1) && (uintptr_t)wide_queue_peek(&queue) % 64 == 0);
    KIT_CHECK(memory.allocs == allocs && !wide_queue_reserve(&queue, SIZE_MAX) &&
              !wide_queue_reserve(&queue, UINT32_MAX));
    give_out(true);
    KIT_CHECK(!wide_queue_extend(&queue, &item, 1) && queue.len == 7 && wide_queue_check(&queue) == NULL);
    give_out(false);
    ka_failing_set(&failing, 1); /* no room for the double: a quarter more */
    KIT_CHECK(wide_queue_extend(&queue, &item, 1) && queue.cap == 8 && wide_queue_check(&queue) == NULL);
    wide_queue_drop(&queue);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* More items than are taken to be in a near cache. */
static void many_items(void)
{
    enum { N = 3 * KA_PRIORITY_QUEUE_NEAR_ / 2 };
    start();
    kit_random random = { 20261121 };
    int_queue queue = int_queue_in(heap);
    int out, last = -1;
    for (int i = 0; i < N; i++)
        KIT_CHECK(int_queue_push(&queue, (int)kit_below(&random, N)));
    for (size_t left = N; left > 0; left--, last = out) {
        KIT_CHECK(int_queue_pop(&queue, &out) && out >= last);
        if (left % 8192 == 1)
            KIT_CHECK_SOUND(int_queue_check(&queue));
    }
    KIT_CHECK(int_queue_is_empty(&queue));
    int_queue_drop(&queue);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void shrinks_to_the_last_slot(void)
{
    start();
    int_queue queue = { 0 };
    KIT_CHECK(int_queue_shrink(&queue) && queue.items == NULL);
    queue = int_queue_in(heap);
    int_queue_handle handle[20], more;
    int out;
    for (int i = 0; i < 20; i++)
        KIT_CHECK(int_queue_push_handle(&queue, 20 - i, &handle[i]));
    KIT_CHECK(queue.cap == 32);
    give_out(true);
    KIT_CHECK(!int_queue_shrink(&queue) && queue.cap == 32);
    give_out(false);
    KIT_CHECK(int_queue_shrink(&queue) && queue.cap == 20 && int_queue_check(&queue) == NULL);
    size_t allocs = memory.allocs;
    KIT_CHECK(int_queue_shrink(&queue) && memory.allocs == allocs);
    for (int i = 0; i < 20; i++) /* those that stay: 3, 4, 9 */
        if (i != 3 && i != 4 && i != 9)
            KIT_CHECK(int_queue_remove(&queue, handle[i], &out) && out == 20 - i);
    KIT_CHECK(int_queue_shrink(&queue) && queue.cap == 10 && int_queue_check(&queue) == NULL);
    KIT_CHECK(*int_queue_get(&queue, handle[3]) == 17 && *int_queue_get(&queue, handle[9]) == 11);
    KIT_CHECK(!int_queue_get(&queue, handle[5]) && !int_queue_get(&queue, handle[19]));
    for (int i = 0; i < 7; i++)
        KIT_CHECK(int_queue_push_handle(&queue, i, &more) && int_queue_check(&queue) == NULL);
    KIT_CHECK(queue.cap == 10 && !int_queue_get(&queue, handle[5]));
    while (!int_queue_is_empty(&queue))
        KIT_CHECK(int_queue_pop(&queue, &out));
    KIT_CHECK(out == 17 && int_queue_shrink(&queue) && queue.items == NULL && int_queue_check(&queue) == NULL);
    KIT_CHECK(int_queue_push_handle(&queue, 1, &more) && !int_queue_get(&queue, handle[0]));
    int_queue_drop(&queue);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* The n-th allocation fails, for every n, of filling, cloning, and adding a vec. */
static void nth_allocation_fails(void)
{
    uint64_t n = 1, lost = 0;
    for (bool whole = false; !whole; n++) {
        start();
        ka_failing second;
        ka_failing_init(&second, &memory.allocator);
        ka_failing_init(&failing, &second.allocator);
        ka_failing_set(&failing, n);
        ka_failing_set(&second, n); /* what a queue asks for again is refused too */
        timer_queue queue = timer_queue_in(heap), copy = { 0 };
        timer_queue_handle first = { 0 };
        bool filled = true;
        for (unsigned i = 0; filled && i < 9; i++) {
            timer item = timer_make(20 - i);
            item.data = int_vec_in(heap);
            timer_queue_handle handle;
            size_t len = timer_queue_len(&queue);
            filled = int_vec_push(&item.data, (int)i) && timer_queue_push_handle(&queue, item, &handle);
            if (filled && i == 0)
                first = handle;
            KIT_CHECK(timer_queue_len(&queue) == len + filled);
            if (!filled)
                timer_drop(&item);
        }
        KIT_CHECK_SOUND(timer_queue_check(&queue));
        bool cloned = filled && timer_queue_clone(&copy, &queue, heap);
        KIT_CHECK_SOUND(timer_queue_check(&copy));
        KIT_CHECK(copy.len == (cloned ? 9 : 0) && (cloned || copy.items == NULL));
        if (cloned) {
            timer *item = timer_queue_get(&copy, first);
            KIT_CHECK(item != NULL && item->due == 20 && *int_vec_at(&item->data, 0) == 0);
            for (unsigned i = 0; i < 9; i++) {
                timer out;
                KIT_CHECK(timer_queue_pop(&copy, &out) && out.due == 12 + i);
                timer_drop(&out);
            }
        }
        whole = ka_failing_failures(&failing) == 0;
        lost += !cloned;
        timer_queue_drop(&queue);
        timer_queue_drop(&copy);
        KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
    }
    KIT_CHECK(lost > 20);
}

static void check_finds_damage(void)
{
    start();
    int_queue queue = int_queue_in(heap);
    for (int i = 0; i < 6; i++)
        KIT_CHECK(int_queue_push(&queue, i));
    int_queue good = queue;
#define FOUND(damage, repair)                       \
    do {                                            \
        damage;                                     \
        KIT_CHECK(int_queue_check(&queue) != NULL); \
        repair;                                     \
        KIT_CHECK_SOUND(int_queue_check(&queue));   \
    } while (0)
    FOUND(queue.items[0] = 7, queue.items[0] = 0);
    FOUND(queue.len = 9, queue = good);
    FOUND(queue.len = 5, queue = good);
    FOUND(queue.len = 7, queue = good);
    FOUND(queue.allocator = NULL, queue = good);
    FOUND(queue.items = NULL, queue = good);
    FOUND(queue.items = (int *)(void *)((char *)good.items + 1), queue = good);
    FOUND(queue.order[2] = 100, queue.order[2] = 2);
    FOUND(queue.slots[2].place = 3, queue.slots[2].place = 2);
    FOUND(queue.slots[2].serial = 100, queue.slots[2].serial = 3);
    int_queue_drop(&queue);
}

static void crime_extend_by_itself(void)
{
    start();
    int_queue queue = int_queue_in(heap);
    _exit(int_queue_push(&queue, 1) && !int_queue_extend(&queue, queue.items, 1));
}

static void stops_at_callers_errors(void)
{
    KIT_EXPECT(stops_with(crime_extend_by_itself, "int_queue_extend: the items lie in what shall take them"));
}

/* ---- against a model: an array of items that is searched for the least ---- */

enum { MODEL_MAX = 48, OPERATIONS = 1500000 };

typedef struct entry {
    int number;
    uint64_t came;
    int_queue_handle handle;
} entry;

static entry model[MODEL_MAX];
static size_t model_len;
static uint64_t model_came;

static size_t model_first(void)
{
    size_t first = 0;
    for (size_t i = 1; i < model_len; i++)
        if (model[i].number < model[first].number ||
            (model[i].number == model[first].number && model[i].came < model[first].came))
            first = i;
    return first;
}

static entry model_remove(size_t at)
{
    entry gone = model[at];
    model[at] = model[--model_len];
    return gone;
}

static bool step(kit_random *random, int_queue *queue, int_queue_handle *gone)
{
    int number = (int)kit_below(random, 60), out = -1;
    size_t at = model_len == 0 ? 0 : (size_t)kit_below(random, model_len);
    entry *any = &model[at], made = { number, 0, { 0, 0 } };
    switch (kit_below(random, 9)) {
    case 0:
    case 1:
    case 2:
        if (model_len < MODEL_MAX && int_queue_push_handle(queue, number, &made.handle)) {
            made.came = ++model_came;
            model[model_len++] = made;
        }
        return true;
    case 3:
    case 4: {
        if (model_len == 0)
            return !int_queue_pop(queue, &out) && int_queue_peek(queue) == NULL;
        entry first = model_remove(model_first());
        *gone = first.handle;
        return *int_queue_peek(queue) == first.number && int_queue_pop(queue, &out) && out == first.number;
    }
    case 5: {
        if (model_len == 0 || kit_below(random, 2) == 0)
            return !int_queue_remove(queue, *gone, &out) && out == -1;
        entry removed = model_remove(at);
        *gone = removed.handle;
        return int_queue_remove(queue, removed.handle, &out) && out == removed.number;
    }
    case 6:
        if (model_len == 0)
            return true;
        any->number = *int_queue_get(queue, any->handle) = number;
        return int_queue_update(queue, any->handle) && !int_queue_update(queue, *gone);
    case 7:
        if (model_len == 0)
            return true;
        any->number = number;
        return int_queue_replace(queue, any->handle, number) && !int_queue_replace(queue, *gone, number);
    default: {
        if (kit_below(random, 16) != 0)
            return int_queue_shrink(queue) || queue->items != NULL;
        int_queue copy = { 0 };
        if (!int_queue_clone(&copy, queue, heap))
            return copy.items == NULL;
        int_queue_drop(queue);
        *queue = copy;
        return true;
    }
    }
}

static void same_as_model(void)
{
    start();
    kit_random random = { 20240611 };
    int_queue queue = int_queue_in(heap);
    int_queue_handle gone = { 0, 0 };
    ka_failing_set_chance(&failing, 65536 / 8, 1);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        KIT_CHECK(step(&random, &queue, &gone));
        KIT_CHECK(int_queue_check(&queue) == NULL && int_queue_len(&queue) == model_len);
        for (size_t at = 0; at < model_len; at++)
            KIT_CHECK(*int_queue_get(&queue, model[at].handle) == model[at].number);
        if (i % 8192 == 0) { /* from the start: it grows again */
            int_queue_drop(&queue);
            queue = int_queue_in(heap);
            model_len = 0;
            gone = (int_queue_handle){ 0, 0 };
        }
    }
    kit_note("%u operations, %zu blocks taken, %llu refused", (unsigned)OPERATIONS, memory.allocs,
             (unsigned long long)ka_failing_failures(&failing));
    int_queue_drop(&queue);
    KIT_CHECK(kit_malloc_clean(&memory) && ka_failing_failures(&failing) > 1000);
}

static const kit_case cases[] = {
    { "empty_in_every_way", empty_in_every_way },
    { "in_order", in_order },
    { "equal_in_turn", equal_in_turn },
    { "handles", handles },
    { "from_a_vec", from_a_vec },
    { "room_and_alignment", room_and_alignment },
    { "many_items", many_items },
    { "shrinks_to_the_last_slot", shrinks_to_the_last_slot },
    { "nth_allocation_fails", nth_allocation_fails },
    { "check_finds_damage", check_finds_damage },
    { "stops_at_callers_errors", stops_at_callers_errors },
    { "same_as_model", same_as_model },
};

int main(void)
{
    return kit_main("priority_queue", cases, KIT_COUNT(cases));
}
