/* owner_suite.c: box, vec and rc on any heap. After the tests of "Writing an OS in Rust: Heap Allocation", and beyond.
 * Nothing is left live, which the heap's own figures show after each case.
 */
#include "suite.h"

#include <ka/box.h>
#include <ka/rc.h>
#include <ka/vec.h>

KA_BOX(size_box, size_t, KA_NO_DROP)
KA_VEC(u64_vec, uint64_t, KA_NO_DROP)

/* Counts its drops; a cleared one does not count. */
typedef struct counted {
    unsigned *drops;
} counted;

static void counted_drop(counted *self)
{
    if (self->drops != NULL)
        ++*self->drops;
}

KA_BOX(counted_box, counted, counted_drop)
KA_VEC(counted_box_vec, counted_box, counted_box_drop)
KA_RC(counted_rc, counted, counted_drop)

/* A record that owns in every way. */
struct record {
    counted_box first, never_made;
    counted_box_vec boxes;
    counted_rc shared;
    counted_rc_weak weak;
    u64_vec numbers;
};

static void record_drop(struct record *self)
{
    u64_vec_drop(&self->numbers);
    counted_rc_weak_drop(&self->weak);
    counted_rc_drop(&self->shared);
    counted_box_vec_drop(&self->boxes);
    counted_box_drop(&self->never_made);
    counted_box_drop(&self->first);
}
KA_BOX(record_box, struct record, record_drop)

typedef struct line {
    _Alignas(64) unsigned char bytes[64];
} line;
KA_BOX(line_box, line, KA_NO_DROP)

typedef struct filler {
    unsigned char bytes[512];
} filler;
KA_BOX(filler_box, filler, KA_NO_DROP)
KA_VEC(filler_box_vec, filler_box, filler_box_drop)

static ka_stats before;

static void heap_remember(void)
{
    before = ka_get_stats(suite.allocator);
}

/* The heap is sound, and holds what it held. */
static void heap_as_before(void)
{
    KIT_CHECK_SOUND(ka_check(suite.allocator));
    ka_stats now = ka_get_stats(suite.allocator);
    KIT_EXPECT(now.live == before.live && now.live_blocks == before.live_blocks);
}

static void simple_allocation(void)
{
    heap_remember();
    size_box first = { 0 }, second = { 0 };
    KIT_CHECK(size_box_make(&first, suite.allocator, 41) != NULL);
    KIT_CHECK(size_box_make(&second, suite.allocator, 13) != NULL);
    KIT_EXPECT(*size_box_get(&first) == 41 && *size_box_get(&second) == 13);
    KIT_EXPECT(size_box_get(&first) != size_box_get(&second));
    size_box_drop(&first);
    size_box_drop(&second);
    heap_as_before();
}

static void over_aligned_box(void)
{
    heap_remember();
    line_box box = { 0 };
    line *made = line_box_new(&box, suite.allocator);
    KIT_CHECK(made != NULL && (uintptr_t)made % 64 == 0);
    unsigned char all = 0;
    for (size_t i = 0; i < sizeof made->bytes; i++)
        all |= made->bytes[i];
    KIT_EXPECT(all == 0);
    line_box_drop(&box);
    heap_as_before();
}

static void large_vec(void)
{
    enum { N = 1000 };
    heap_remember();
    u64_vec vec = u64_vec_in(suite.allocator);
    for (uint64_t i = 0; i < N; i++)
        KIT_CHECK(u64_vec_push(&vec, i));
    uint64_t sum = 0;
    KA_VEC_EACH(uint64_t, item, &vec)
    sum += *item;
    KIT_EXPECT(sum == (uint64_t)(N - 1) * N / 2);
    u64_vec_drop(&vec);
    heap_as_before();
}

/* As many as the heap has bytes, one after another: memory must be reused. */
static void many_boxes(void)
{
    ka_stats first = ka_get_stats(suite.allocator);
    for (size_t i = 0; i < suite.heap_bytes; i++) {
        size_box box = { 0 };
        KIT_CHECK(size_box_make(&box, suite.allocator, i) != NULL);
        KIT_CHECK(*size_box_get(&box) == i);
        size_box_drop(&box);
    }
    ka_stats last = ka_get_stats(suite.allocator);
    KIT_CHECK_SOUND(ka_check(suite.allocator));
    KIT_EXPECT(last.live == first.live && last.total == first.total);
}

/* The same with one box that lives all the while. */
static void many_boxes_long_lived(void)
{
    heap_remember();
    size_box box = { 0 };
    KIT_CHECK(size_box_make(&box, suite.allocator, 1) != NULL);
    many_boxes();
    KIT_EXPECT(*size_box_get(&box) == 1);
    size_box_drop(&box);
    heap_as_before();
}

/* Fills a record as far as memory goes, and counts what it made. Returns whether all of it could be had; the record can
 * be dropped either way. */
static bool record_fill(struct record *self, unsigned *made, unsigned *drops)
{
    counted one = { drops };
    if (counted_box_make(&self->first, suite.allocator, one) == NULL)
        return false;
    *made = 1;
    if (counted_rc_make(&self->shared, suite.allocator, one) == NULL)
        return false;
    *made = 2;
    self->weak = counted_rc_downgrade(&self->shared);
    self->boxes = counted_box_vec_in(suite.allocator);
    self->numbers = u64_vec_in(suite.allocator);
    for (size_t i = 0; i < 10; i++) {
        counted_box *slot = counted_box_vec_push_new(&self->boxes);
        if (slot == NULL || counted_box_make(slot, suite.allocator, one) == NULL)
            return false;
        ++*made;
    }
    return u64_vec_resize(&self->numbers, 100);
}

static void nested_owners(void)
{
    heap_remember();
    unsigned made = 0, drops = 0;
    record_box box = { 0 };
    struct record *record = record_box_new(&box, suite.allocator);
    KIT_CHECK(record != NULL);
    KIT_CHECK(record_fill(record, &made, &drops));
    record_box moved = record_box_take(&box);
    record_box_drop(&box);
    KIT_EXPECT(drops == 0);
    record_box_drop(&moved);
    KIT_EXPECT(drops == 12 && made == 12);
    record_box_drop(&moved);
    KIT_EXPECT(drops == 12);
    heap_as_before();
}

static void zeroed_record_owns_nothing(void)
{
    heap_remember();
    struct record record = { 0 };
    record_drop(&record);
    record_drop(&record);
    heap_as_before();
}

static void rc_counts(void)
{
    heap_remember();
    unsigned drops = 0;
    counted one = { &drops };
    counted_rc first = { 0 };
    KIT_CHECK(counted_rc_make(&first, suite.allocator, one) != NULL);
    counted_rc second = counted_rc_share(&first);
    counted_rc_weak weak = counted_rc_downgrade(&first);
    KIT_EXPECT(counted_rc_strong_count(&first) == 2 && counted_rc_weak_count(&first) == 1);
    counted_rc_drop(&first);
    KIT_EXPECT(counted_rc_strong_count(&second) == 1 && drops == 0);
    counted_rc_drop(&second);
    KIT_EXPECT(drops == 1);
    counted_rc gone = counted_rc_weak_upgrade(&weak);
    KIT_EXPECT(counted_rc_get(&gone) == NULL);
    counted_rc_weak_drop(&weak);
    KIT_EXPECT(drops == 1);
    heap_as_before();
}

/* Pushes until the heap gives out: the vec is whole, and memory is there again when it is gone. */
static void vec_out_of_memory(void)
{
    heap_remember();
    for (unsigned round = 0; round < 2; round++) {
        u64_vec vec = u64_vec_in(suite.allocator);
        while (vec.len <= suite.limit / sizeof(uint64_t) && u64_vec_push(&vec, vec.len * 3))
            ;
        size_t len = vec.len, good = 0;
        KIT_EXPECT(len == vec.cap && len <= suite.limit / sizeof(uint64_t)); /* a push was refused */
        KIT_EXPECT(len >= suite.heap_bytes / sizeof(uint64_t) / 4);
        KIT_EXPECT(!u64_vec_push(&vec, 1) && !u64_vec_insert(&vec, 0, 1) && !u64_vec_reserve(&vec, suite.limit));
        for (size_t i = 0; i < len; i++)
            good += vec.items[i] == i * 3;
        KIT_EXPECT(good == len && vec.len == len);
        KIT_CHECK_SOUND(ka_check(suite.allocator));
        u64_vec_drop(&vec);
        heap_as_before();
    }
}

/* A full heap, then a little more room each time: a record can be made in part until it can be made whole, and what was
 * made is dropped once. */
static void nested_out_of_memory(void)
{
    heap_remember();
    filler_box_vec fillers = filler_box_vec_in(suite.allocator);
    KIT_CHECK(filler_box_vec_reserve(&fillers, suite.limit / sizeof(filler)));
    for (filler_box box = { 0 }; filler_box_new(&box, suite.allocator) != NULL;)
        KIT_CHECK(filler_box_vec_push(&fillers, filler_box_take(&box)));
    unsigned in_part = 0;
    for (bool whole = false; !whole; in_part += !whole) {
        unsigned made = 0, drops = 0;
        struct record record = { 0 };
        whole = record_fill(&record, &made, &drops);
        KIT_EXPECT(drops == 0);
        record_drop(&record);
        KIT_EXPECT(drops == made);
        KIT_CHECK(whole || fillers.len != 0);
        filler_box_vec_truncate(&fillers, fillers.len == 0 ? 0 : fillers.len - 1);
    }
    KIT_EXPECT(in_part > 0);
    filler_box_vec_drop(&fillers);
    heap_as_before();
}

static const kit_case cases[] = {
    { "simple_allocation", simple_allocation },
    { "over_aligned_box", over_aligned_box },
    { "large_vec", large_vec },
    { "many_boxes", many_boxes },
    { "many_boxes_long_lived", many_boxes_long_lived },
    { "nested_owners", nested_owners },
    { "zeroed_record_owns_nothing", zeroed_record_owns_nothing },
    { "rc_counts", rc_counts },
    { "vec_out_of_memory", vec_out_of_memory },
    { "nested_out_of_memory", nested_out_of_memory },
};

const kit_suite owner_suite = { "owner", cases, KIT_COUNT(cases) };
