/* vec_walk_test.c: with KA_CFG_DEBUG, a vec that is changed while it is walked stops; so does, in every build, one that
 * is changed while it is drained. */
#include <ka/config.h>

#undef KA_CFG_DEBUG
#define KA_CFG_DEBUG 1
#include <ka/vec.h>

#include "crimes.h"
#include "kit.h"
#include "kit_malloc.h"

KA_VEC(int_vec, int, KA_NO_DROP)

static kit_malloc memory;

static int_vec numbers(int n)
{
    kit_malloc_init(&memory);
    int_vec vec = int_vec_in(&memory.allocator);
    for (int i = 0; i < n; i++)
        if (!int_vec_push(&vec, i))
            _exit(0);
    return vec;
}

/* Right use: nested walks, a walk that is left, an empty vec. */
static void walks(void)
{
    int_vec vec = numbers(5), none = int_vec_in(&memory.allocator);
    int sum = 0;
    KA_VEC_EACH (int, a, &vec)
        KA_VEC_EACH (int, b, &vec)
            sum += *a * *b;
    KIT_CHECK(sum == 100);
    KA_VEC_EACH (int, a, &vec) {
        if (*a == 3)
            break;
        sum++;
    }
    KA_VEC_EACH (int, a, &none)
        sum += *a;
    KIT_CHECK(sum == 103);
    KA_VEC_EACH (int, a, &vec)
        *a += 1;
    KIT_CHECK(*int_vec_last(&vec) == 5);
    int_vec_drop(&vec);
    KIT_CHECK(kit_malloc_clean(&memory));
}

/* The block moves: a walk that went on would read freed memory. */
static void crime_push(void)
{
    int_vec vec = numbers(4);
    KA_VEC_EACH (int, item, &vec)
        if (!int_vec_push(&vec, *item))
            _exit(0);
}

/* There is room: it works today, and breaks when the block is full. */
static void crime_push_in_place(void)
{
    int_vec vec = numbers(3);
    KA_VEC_EACH (int, item, &vec)
        if (vec.len == 3 && !int_vec_push(&vec, *item))
            _exit(0);
}

static void crime_remove(void)
{
    int_vec vec = numbers(4);
    KA_VEC_EACH (int, item, &vec)
        if (*item == 3)
            int_vec_drop_at(&vec, 0);
}

static void crime_push_in_drain(void)
{
    int_vec vec = numbers(4);
    int_vec_drain drain = int_vec_drain_of(&vec, 1, 3);
    if (int_vec_push(&vec, 1))
        int_vec_drain_drop(&drain);
}

static void crime_drop_in_drain(void)
{
    int_vec vec = numbers(4);
    int_vec_drain drain = int_vec_drain_of(&vec, 0, 3);
    int_vec_drop(&vec);
    int_vec_drain_drop(&drain);
}

static void crime_push_in_retain(void)
{
    int_vec vec = numbers(4);
    KA_VEC_RETAIN(int_vec, int, item, &vec, *item == 2 && int_vec_push(&vec, 1));
}

static void crime_drain_too_far(void)
{
    int_vec vec = numbers(4);
    int_vec_drain drain = int_vec_drain_of(&vec, 2, 5);
    int_vec_drain_drop(&drain);
}

static void crime_drain_backwards(void)
{
    int_vec vec = numbers(4);
    int_vec_drain drain = int_vec_drain_of(&vec, 3, 2);
    int_vec_drain_drop(&drain);
}

static void crime_split_off(void)
{
    int_vec vec = numbers(4), out = { 0 };
    _exit(int_vec_split_off(&vec, 5, &out));
}

static void stops(void)
{
    static const char walked[] = "the vec was changed while it was walked";
    static const char drained[] = "int_vec was changed while it was drained";
    KIT_EXPECT(stops_with(crime_push, walked) && stops_with(crime_push, "vec_walk_test.c"));
    KIT_EXPECT(stops_with(crime_push_in_place, walked));
    KIT_EXPECT(stops_with(crime_remove, walked));
    KIT_EXPECT(stops_with(crime_push_in_drain, drained));
    KIT_EXPECT(stops_with(crime_drop_in_drain, drained));
    KIT_EXPECT(stops_with(crime_push_in_retain, drained));
    KIT_EXPECT(
        stops_with(crime_drain_too_far, "int_vec_drain_of: index out of bounds: the len is 4 but the index is 5"));
    KIT_EXPECT(stops_with(crime_drain_backwards, "int_vec_drain_of: index out of bounds"));
    KIT_EXPECT(stops_with(crime_split_off, "int_vec_split_off: index out of bounds: the len is 4 but the index is 5"));
}

static const kit_case cases[] = {
    { "walks", walks },
    { "stops", stops },
};

int main(void)
{
    return kit_main("vec_walk", cases, KIT_COUNT(cases));
}
