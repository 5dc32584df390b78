/* slice_test.c: every function of a slice, and memory that gives out. */
#include <ka/slice.h>

#include <string.h>

#include <ka/failing.h>
#include <ka/vec.h>

#include "crimes.h"
#include "kit.h"
#include "kit_malloc.h"
#include "owner/tickets.h"

KA_SLICE(int_slice, int, KA_NO_DROP)
KA_SLICE_CLONE(int_slice, int, KA_CLONE_BYTES)
KA_VEC(int_vec, int, KA_NO_DROP)
KA_SLICE_VEC(int_slice, int_vec)
KA_SLICE(ticket_slice, ticket, ticket_drop)
KA_VEC(ticket_vec, ticket, ticket_drop)
KA_SLICE_VEC(ticket_slice, ticket_vec)

typedef struct wide {
    _Alignas(4096) int number;
} wide;
KA_SLICE(wide_slice, wide, KA_NO_DROP)

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

static bool holds(const int_slice *slice, const int *numbers, size_t n)
{
    return slice->len == n && int_slice_check(slice) == NULL &&
           (n == 0 || memcmp(slice->items, numbers, n * sizeof(int)) == 0);
}
#define HOLDS(slice, ...) holds((slice), (const int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int))

static void empty_in_every_way(void)
{
    start();
    int_slice slice = { 0 }, copy = { 0 };
    for (int i = 0; i < 2; i++) {
        KIT_CHECK(int_slice_len(&slice) == 0 && int_slice_is_empty(&slice) && !int_slice_get(&slice, 0));
        KIT_CHECK(!int_slice_first(&slice) && !int_slice_last(&slice) && int_slice_check(&slice) == NULL);
        KIT_CHECK(int_slice_clone(&copy, &slice, heap) && copy.items == NULL);
        KA_SLICE_EACH (int, item, &slice)
            KIT_CHECK(item == NULL);
        int_vec vec = int_slice_into_vec(&slice);
        KIT_CHECK(int_vec_check(&vec) == NULL && vec.len == 0 && vec.items == NULL);
        KIT_CHECK(int_slice_new(&slice, heap, 0) != NULL && slice.len == 0 && memory.allocs == 0); /* of no items */
    }
    int_slice_drop(&slice);
    int_slice_drop(&slice);
    KIT_CHECK(slice.items == NULL && int_slice_new(&slice, NULL, 1) == NULL && kit_malloc_clean(&memory));
}

static void news(void)
{
    start();
    static const int numbers[] = { 7, 8, 9 };
    int_slice slice = { 0 };
    int *items = int_slice_new(&slice, heap, 4);
    KIT_CHECK(items != NULL && items == slice.items && HOLDS(&slice, 0, 0, 0, 0) && memory.live_bytes == 16);
    items[3] = 5;
    KIT_CHECK(*int_slice_last(&slice) == 5 && *int_slice_first(&slice) == 0 && *int_slice_at(&slice, 3) == 5);
    KIT_CHECK(int_slice_get(&slice, 4) == NULL && int_slice_get(&slice, SIZE_MAX) == NULL);
    KIT_CHECK(int_slice_make(&slice, heap, numbers, 3) && HOLDS(&slice, 7, 8, 9) && memory.live_blocks == 1);
    int sum = 0;
    KA_SLICE_EACH (int, item, &slice)
        sum += *item;
    KIT_CHECK(sum == 24 && int_slice_make(&slice, heap, &slice.items[1], 2) && HOLDS(&slice, 8, 9));
    KIT_CHECK(int_slice_new_with(&slice, heap, 2, KA_ATOMIC) && memory.flags == (KA_ATOMIC | KA_ZERO));
    KIT_CHECK(int_slice_new_uninit(&slice, heap, 2, KA_NOWAIT) && memory.flags == KA_NOWAIT && slice.len == 2);
    slice.items[0] = 1, slice.items[1] = 2;
    KIT_CHECK(!int_slice_new(&slice, heap, SIZE_MAX) && !int_slice_new(&slice, heap, SIZE_MAX / 4 + 2));
    give_out(true);
    KIT_CHECK(!int_slice_new(&slice, heap, 1) && !int_slice_make(&slice, heap, numbers, 1) && HOLDS(&slice, 1, 2));
    give_out(false);
    int_slice taken = int_slice_take(&slice);
    KIT_CHECK(HOLDS(&taken, 1, 2) && slice.items == NULL && slice.allocator == NULL);
    size_t n = 0;
    items = int_slice_into_raw(&taken, &n);
    KIT_CHECK(n == 2 && taken.items == NULL);
    slice = int_slice_from_raw(items, n, heap);
    KIT_CHECK(int_slice_leak(&slice, &n) == items && n == 2 && slice.items == NULL && memory.live_blocks == 1);
    slice = int_slice_from_raw(items, n, heap);
    int_slice_drop(&slice);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void over_aligned(void)
{
    start();
    wide_slice slice = { 0 };
    wide *items = wide_slice_new(&slice, heap, 3);
    KIT_CHECK(items != NULL && (uintptr_t)items % 4096 == 0 && items[2].number == 0);
    KIT_CHECK_SOUND(wide_slice_check(&slice));
    wide_slice_drop(&slice);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void drops_once(void)
{
    start();
    ticket_slice slice = { 0 };
    for (int round = 0; round < 3; round++) {
        ticket *items = ticket_slice_new(&slice, heap, 5); /* drops those of the round before */
        KIT_CHECK(items != NULL && tickets.dropped == (uint32_t)round * 5);
        for (int i = 0; i < 5; i++)
            items[i] = ticket_make();
    }
    ticket_slice_drop(&slice);
    ticket_slice_drop(&slice);
    KIT_CHECK(tickets_all_dropped() && tickets.made == 15 && kit_malloc_clean(&memory));
}

static void to_and_from_vecs(void)
{
    start();
    ticket_vec vec = ticket_vec_in(heap);
    ticket_slice slice = { 0 };
    for (int i = 0; i < 4; i++)
        KIT_CHECK(ticket_vec_push(&vec, ticket_make()));
    KIT_CHECK(vec.cap == 4);
    const ticket *items = vec.items;
    size_t allocs = memory.allocs;
    KIT_CHECK(ticket_slice_from_vec(&slice, &vec) && slice.items == items && slice.len == 4 && memory.allocs == allocs);
    KIT_CHECK(vec.items == NULL && vec.cap == 0 && vec.allocator == heap);
    vec = ticket_slice_into_vec(&slice);
    KIT_CHECK(vec.items == items && vec.cap == 4 && vec.len == 4 && slice.items == NULL && memory.allocs == allocs);
    KIT_CHECK(ticket_vec_push(&vec, ticket_make()) && vec.cap == 12); /* it grows again */
    give_out(true);
    KIT_CHECK(!ticket_slice_from_vec(&slice, &vec) && vec.len == 5 && slice.items == NULL && tickets.dropped == 0);
    give_out(false);
    KIT_CHECK(ticket_slice_from_vec(&slice, &vec) && slice.len == 5 && memory.live_bytes == 5 * sizeof(ticket));
    KIT_CHECK(ticket_vec_push(&vec, ticket_make()));
    KIT_CHECK(ticket_slice_from_vec(&slice, &vec) && tickets.dropped == 5 && slice.items[0].id == 6);
    KIT_CHECK(ticket_slice_from_vec(&slice, &vec) && slice.len == 0 && tickets_all_dropped());
    ticket_slice_drop(&slice);
    ticket_vec_drop(&vec);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* Items with memory: the n-th allocation fails, for every n, of making them and of cloning them. */
TICKETS_PAPER(, int_slice)
KA_SLICE(paper_slice, paper, paper_drop)
KA_SLICE_CLONE(paper_slice, paper, paper_clone)

static void nth_allocation_fails(void)
{
    uint64_t n = 1;
    for (bool whole = false; !whole; n++) {
        start();
        ka_failing_set(&failing, n);
        paper_slice slice = { 0 }, copy = { 0 };
        bool filled = paper_slice_new(&slice, heap, 5) != NULL;
        for (size_t i = 0; filled && i < 5; i++) {
            slice.items[i].ticket = ticket_make();
            int number = (int)i;
            filled = int_slice_make(&slice.items[i].pages, heap, &number, 1) != NULL;
        }
        bool cloned = filled && paper_slice_clone(&copy, &slice, heap);
        KIT_CHECK(copy.len == (cloned ? 5 : 0) && (cloned || copy.items == NULL));
        for (size_t i = 0; i < copy.len; i++)
            KIT_CHECK(HOLDS(&copy.items[i].pages, (int)i));
        whole = ka_failing_failures(&failing) == 0;
        KIT_CHECK(whole == cloned);
        paper_slice_drop(&copy);
        paper_slice_drop(&slice);
        KIT_CHECK(tickets_all_dropped() && kit_malloc_clean(&memory));
    }
    KIT_CHECK(n == 14);
}

static void check_finds_damage(void)
{
    start();
    int_slice slice = { 0 };
    KIT_CHECK(int_slice_new(&slice, heap, 3));
    int_slice good = slice;
    slice.items = NULL;
    KIT_CHECK(int_slice_check(&slice) != NULL);
    slice = good;
    slice.allocator = NULL;
    KIT_CHECK(int_slice_check(&slice) != NULL);
    slice = good;
    slice.items = (int *)(void *)((char *)good.items + 1);
    KIT_CHECK(int_slice_check(&slice) != NULL);
    int_slice_drop(&good);
}

static void crime_at(void)
{
    start();
    int_slice slice = { 0 };
    if (int_slice_new(&slice, heap, 3))
        *int_slice_at(&slice, 3) = 1;
}

static void stops_at_callers_errors(void)
{
    KIT_EXPECT(stops_with(crime_at, "int_slice_at: index out of bounds: the len is 3 but the index is 3"));
    KIT_EXPECT(stops_with(crime_at, "slice_test.c"));
}

/* Slices and vecs that become each other, against an array. */
static void same_as_model(void)
{
    enum { OPERATIONS = 300000, MAX = 40 };
    start();
    kit_random random = { 20240612 };
    int model[MAX], made[MAX];
    size_t n = 0;
    int_slice slice = { 0 }, other = { 0 };
    ka_failing_set_chance(&failing, 65536 / 8, 1);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        size_t len = (size_t)kit_below(&random, MAX + 1);
        switch (kit_below(&random, 5)) {
        case 0:
            if (int_slice_new(&slice, heap, len))
                memset(model, 0, (n = len) * sizeof(int));
            break;
        case 1:
            for (size_t at = 0; at < len; at++)
                made[at] = (int)kit_next(&random);
            if (int_slice_make(&slice, heap, made, len))
                memcpy(model, made, (n = len) * sizeof(int));
            break;
        case 2:
            for (size_t at = 0; at < n; at++)
                *int_slice_at(&slice, at) = model[at] = (int)kit_next(&random);
            break;
        case 3: {
            int_vec vec = int_slice_into_vec(&slice);
            KIT_CHECK(int_vec_check(&vec) == NULL && vec.len == n);
            if (n < MAX && int_vec_push(&vec, (int)i))
                model[n++] = (int)i;
            while (!int_slice_from_vec(&slice, &vec))
                KIT_CHECK(vec.len == n);
            break;
        }
        default:
            if (int_slice_clone(&other, &slice, heap)) {
                int_slice_drop(&slice);
                slice = int_slice_take(&other);
            }
        }
        KIT_CHECK(holds(&slice, model, n) && memory.live_bytes == n * sizeof(int));
    }
    kit_note("%u operations, %llu refused", (unsigned)OPERATIONS, (unsigned long long)ka_failing_failures(&failing));
    int_slice_drop(&slice);
    KIT_CHECK(kit_malloc_clean(&memory) && ka_failing_failures(&failing) > 1000);
}

static const kit_case cases[] = {
    { "empty_in_every_way", empty_in_every_way },
    { "news", news },
    { "over_aligned", over_aligned },
    { "drops_once", drops_once },
    { "to_and_from_vecs", to_and_from_vecs },
    { "nth_allocation_fails", nth_allocation_fails },
    { "check_finds_damage", check_finds_damage },
    { "stops_at_callers_errors", stops_at_callers_errors },
    { "same_as_model", same_as_model },
};

int main(void)
{
    return kit_main("slice", cases, KIT_COUNT(cases));
}
