/* collection_suite.c: vecs in order, deques, lists, priority queues, slices and chains of boxes on any heap. Nothing is
 * left live, which the heap's own figures show after each case. */
#include "suite.h"

#include <ka/box.h>
#include <ka/deque.h>
#include <ka/list.h>
#include <ka/priority_queue.h>
#include <ka/slice.h>
#include <ka/vec.h>

enum { N = 1000 };

typedef struct job {
    uint64_t id;
    ka_list_node link;
    unsigned *drops;
    unsigned char rest[40];
} job;

static void job_drop(job *self)
{
    if (self->drops != NULL)
        ++*self->drops;
}

static int job_compare(job const *a, job const *b)
{
    return (a->id > b->id) - (a->id < b->id);
}

KA_BOX(job_box, job, job_drop)
KA_BOX_CLONE(job_box, job, KA_CLONE_BYTES)
KA_LIST(job_list, job, link, job_drop)
KA_DEQUE(job_deque, job_box, job_box_drop)
KA_PRIORITY_QUEUE(job_queue, job, job_compare, job_drop)
KA_VEC(number_vec, uint64_t, KA_NO_DROP)
KA_VEC_ORDER(number_vec, uint64_t, KA_COMPARE_NUMBERS)
KA_VEC_CLONE(number_vec, uint64_t, KA_CLONE_BYTES)
KA_SLICE(number_slice, uint64_t, KA_NO_DROP)
KA_SLICE_VEC(number_slice, number_vec)
KA_DEQUE(number_deque, uint64_t, KA_NO_DROP)

struct chain;
KA_BOX_TYPE(chain_box, struct chain)
struct chain {
    chain_box next;
    unsigned *drops;
};
static void chain_drop(struct chain *self)
{
    if (self->drops != NULL)
        ++*self->drops;
}
KA_BOX_CHAIN_CODE(chain_box, struct chain, next, chain_drop)

static ka_stats before;

static void heap_remember(void)
{
    before = ka_get_stats(suite.allocator);
}

static void heap_as_before(void)
{
    KIT_CHECK_SOUND(ka_check(suite.allocator));
    ka_stats now = ka_get_stats(suite.allocator);
    KIT_EXPECT(now.live == before.live && now.live_blocks == before.live_blocks);
}

static void vec_in_order(void)
{
    heap_remember();
    number_vec vec = number_vec_in(suite.allocator), copy = { 0 }, tail = { 0 };
    for (uint64_t i = 0; i < N; i++)
        KIT_CHECK(number_vec_push(&vec, i * 7919 % (N / 2)));
    KIT_CHECK(number_vec_clone(&copy, &vec, suite.allocator));
    number_vec_sort(&vec);
    KIT_CHECK(number_vec_is_sorted(&vec) && !number_vec_is_sorted(&copy));
    number_vec_dedup(&vec);
    KIT_CHECK(vec.len == N / 2 && number_vec_search(&vec, 17) == &vec.items[17]);
    KA_VEC_RETAIN(number_vec, uint64_t, item, &vec, *item % 2 == 0);
    KIT_CHECK(vec.len == N / 4 && number_vec_lower_bound(&vec, 101) == 51);
    KIT_CHECK(number_vec_split_off(&vec, 200, &tail) && vec.len == 200 && tail.len == N / 4 - 200);
    number_vec_drain drain = number_vec_drain_of(&vec, 50, 150);
    uint64_t out = 0;
    KIT_CHECK(number_vec_drain_next(&drain, &out) && out == 100);
    number_vec_drain_drop(&drain);
    KIT_CHECK(vec.len == 100 && vec.items[50] == 300);
    KIT_CHECK_SOUND(number_vec_check(&vec));
    number_vec_drop(&vec);
    number_vec_drop(&copy);
    number_vec_drop(&tail);
    heap_as_before();
}

static void deque_goes_round(void)
{
    heap_remember();
    number_deque deque = number_deque_in(suite.allocator);
    uint64_t first = 0, next = 0, out;
    KIT_CHECK(number_deque_reserve_exact(&deque, 37, 0));
    for (unsigned round = 0; round < N; round++) {
        while (deque.len < 30 + round % 8)
            KIT_CHECK(number_deque_push_back(&deque, next++));
        while (deque.len > round % 5)
            KIT_CHECK(number_deque_pop_front(&deque, &out) && out == first++);
    }
    KIT_CHECK(deque.cap == 37 && number_deque_check(&deque) == NULL);
    while (deque.len < 37)
        KIT_CHECK(number_deque_push_back(&deque, next++));
    const uint64_t *row = number_deque_make_contiguous(&deque);
    for (size_t i = 0; i < deque.len; i++)
        KIT_CHECK(row[i] == first + i);
    number_deque_drop(&deque);
    heap_as_before();
}

static void list_owns(void)
{
    heap_remember();
    unsigned drops = 0;
    job_list list = job_list_in(suite.allocator), other = job_list_in(suite.allocator);
    for (uint64_t i = 0; i < 100; i++) {
        job *made = i % 2 == 0 ? job_list_push_back_new(&list) : job_list_push_front_new(&other);
        KIT_CHECK(made != NULL);
        made->id = i;
        made->drops = &drops;
    }
    KA_LIST_EACH (job_list, job, item, &list)
        if (item->id % 10 == 0)
            job_list_drop_item(&list, item);
    KIT_CHECK(drops == 10 && job_list_len(&list) == 40);
    job_list_splice(&list, job_list_first(&list), &other);
    KIT_CHECK(job_list_first(&list)->id == 99 && job_list_last(&list)->id == 98 && job_list_len(&list) == 90);
    KIT_CHECK_SOUND(job_list_check(&list));
    job_box box = job_box_from_raw(job_list_pop_back(&list), suite.allocator);
    job_box_drop(&box);
    KIT_CHECK(drops == 11);
    job_list_drop(&list);
    job_list_drop(&other);
    KIT_EXPECT(drops == 100);
    heap_as_before();
}

static void queue_in_order(void)
{
    heap_remember();
    unsigned drops = 0;
    job_queue queue = job_queue_in(suite.allocator);
    static job_queue_handle handles[100];
    for (size_t i = 0; i < 100; i++) {
        job made = { i * 37 % 101, { NULL, NULL }, &drops, { 0 } };
        KIT_CHECK(job_queue_push_handle(&queue, made, &handles[i]));
    }
    for (size_t i = 0; i < 100; i += 4)
        KIT_CHECK(job_queue_erase(&queue, handles[i]) && !job_queue_erase(&queue, handles[i]));
    for (size_t i = 1; i < 100; i += 4) {
        job_queue_get(&queue, handles[i])->id += 50;
        KIT_CHECK(job_queue_update(&queue, handles[i]));
    }
    KIT_CHECK_SOUND(job_queue_check(&queue));
    KIT_CHECK(job_queue_len(&queue) == 75 && drops == 25);
    uint64_t last = 0;
    for (job out; job_queue_len(&queue) > 5; last = out.id) {
        KIT_CHECK(job_queue_pop(&queue, &out) && out.id >= last);
        job_drop(&out);
    }
    job_queue_drop(&queue);
    KIT_EXPECT(drops == 100);
    heap_as_before();
}

static void slices(void)
{
    heap_remember();
    number_vec vec = number_vec_in(suite.allocator);
    number_slice slice = { 0 };
    for (uint64_t i = 0; i < 100; i++)
        KIT_CHECK(number_vec_push(&vec, i));
    KIT_CHECK(number_slice_from_vec(&slice, &vec) && slice.len == 100 && *number_slice_at(&slice, 99) == 99);
    vec = number_slice_into_vec(&slice);
    KIT_CHECK(vec.cap == 100 && number_vec_push(&vec, 100));
    KIT_CHECK(number_slice_new(&slice, suite.allocator, 200) != NULL && *number_slice_last(&slice) == 0);
    KIT_CHECK_SOUND(number_slice_check(&slice));
    number_slice_drop(&slice);
    number_vec_drop(&vec);
    heap_as_before();
}

/* As long as the heap has room: dropped in a loop, or a kernel's stack would be gone. */
static void chain_of_boxes(void)
{
    heap_remember();
    unsigned made = 0, drops = 0;
    chain_box chain = { 0 };
    for (chain_box first = { 0 }; made < 200000 && chain_box_new(&first, suite.allocator) != NULL; made++) {
        first.value->drops = &drops;
        first.value->next = chain_box_take(&chain);
        chain = chain_box_take(&first);
    }
    KIT_CHECK(made > 1000 && drops == 0);
    chain_box_drop(&chain);
    KIT_EXPECT(drops == made);
    heap_as_before();
}

/* Everything by itself until the heap gives out: it is whole, and memory is there again. */
static void out_of_memory(void)
{
    heap_remember();
    unsigned made = 0, drops = 0;
    job_deque deque = job_deque_in(suite.allocator);
    job_list list = job_list_in(suite.allocator);
    job_queue queue = job_queue_in(suite.allocator);
    for (bool room = true; room;) {
        job_box box = { 0 }, copy = { 0 };
        room = job_box_new(&box, suite.allocator) != NULL;
        if (room) {
            box.value->drops = &drops;
            room = job_box_clone(&copy, &box, suite.allocator);
            made += 1 + room;
        }
        job value = { made, { NULL, NULL }, &drops, { 0 } };
        bool pushed = room && job_queue_push(&queue, value);
        made += pushed;
        if (room)
            job_list_push_back(&list, job_box_into_raw(&copy));
        room = room && pushed && job_deque_push_front(&deque, box);
        if (!room)
            job_box_drop(&box);
    }
    KIT_CHECK(made > 30);
    KIT_CHECK_SOUND(job_deque_check(&deque));
    KIT_CHECK_SOUND(job_list_check(&list));
    KIT_CHECK_SOUND(job_queue_check(&queue));
    KIT_CHECK_SOUND(ka_check(suite.allocator));
    job_deque_drop(&deque);
    job_list_drop(&list);
    job_queue_drop(&queue);
    KIT_EXPECT(drops == made);
    heap_as_before();
}

static const kit_case cases[] = {
    { "vec_in_order", vec_in_order },
    { "deque_goes_round", deque_goes_round },
    { "list_owns", list_owns },
    { "queue_in_order", queue_in_order },
    { "slices", slices },
    { "chain_of_boxes", chain_of_boxes },
    { "out_of_memory", out_of_memory },
};

const kit_suite collection_suite = { "collection", cases, KIT_COUNT(cases) };
