/* bytes_test.c: the byte core by itself: growth, overflow, shifts, and the messages of a caller's error. */
#include <string.h>

#include <ka/owner.h>
#include <ka/box.h>
#include <ka/rc.h>
#include <ka/vec.h>

#include "crimes.h"
#include "kit.h"
#include "kit_malloc.h"

KA_VEC(byte_vec, unsigned char, KA_NO_DROP)
KA_RC(int_rc, int, KA_NO_DROP)

static void grows_from_nothing(void)
{
    static const struct {
        size_t size, cap;
    } first[] = { { 1, 8 }, { 2, 4 }, { 1024, 4 }, { 1025, 1 } };
    kit_malloc a;
    kit_malloc_init(&a);
    for (size_t i = 0; i < KIT_COUNT(first); i++) {
        size_t cap = 0;
        void *items = ka_bytes_grow_(&a.allocator, NULL, &cap, 0, 1, first[i].size, 1, false, 0);
        KIT_CHECK(items != NULL);
        KIT_EXPECT(cap == first[i].cap);
        ka_free(&a.allocator, items, cap * first[i].size, 1);
    }
    KIT_CHECK(kit_malloc_clean(&a));
}

static void twice_and_more(void)
{
    kit_malloc a;
    kit_malloc_init(&a);
    size_t cap = 0;
    void *items = ka_bytes_grow_(&a.allocator, NULL, &cap, 0, 10, 8, 8, true, 0);
    KIT_CHECK(items != NULL && cap == 10);
    items = ka_bytes_grow_(&a.allocator, items, &cap, 10, 1, 8, 8, false, 0);
    KIT_CHECK(items != NULL && cap == 24);
    items = ka_bytes_grow_(&a.allocator, items, &cap, 20, 50, 8, 8, false, 0);
    KIT_CHECK(items != NULL && cap == 70);
    items = ka_bytes_grow_(&a.allocator, items, &cap, 70, 1, 8, 8, true, 0);
    KIT_CHECK(items != NULL && cap == 71);
    items = ka_bytes_shrink_(&a.allocator, items, &cap, 3, 8, 8);
    KIT_CHECK(items != NULL && cap == 3);
    ka_free(&a.allocator, items, 24, 8);
    KIT_CHECK(kit_malloc_clean(&a));
}

/* Every request whose count or bytes would wrap is refused, and no allocator sees it. */
static void refuses_overflow(void)
{
    static const struct {
        size_t len, more, size;
    } wrong[] = {
        { 1, SIZE_MAX, 1 },
        { SIZE_MAX, 1, 1 },
        { SIZE_MAX / 2, SIZE_MAX / 2 + 2, 1 },
        { 0, (size_t)PTRDIFF_MAX + 1, 1 },
        { 0, SIZE_MAX, 1 },
        { 0, SIZE_MAX / 8 + 2, 8 }, /* the bytes wrap to 8 */
        { 0, SIZE_MAX / 16 + 2, 16 },
        { 5, (size_t)PTRDIFF_MAX / 24, 24 },
    };
    kit_malloc a;
    kit_malloc_init(&a);
    for (size_t i = 0; i < KIT_COUNT(wrong); i++)
        for (int exact = 0; exact < 2; exact++) {
            char items[8];
            size_t cap = wrong[i].len;
            KIT_EXPECT(ka_bytes_grow_(&a.allocator, items, &cap, wrong[i].len, wrong[i].more, wrong[i].size, 1,
                                      exact != 0, 0) == NULL);
            KIT_EXPECT(cap == wrong[i].len);
        }
    KIT_CHECK(a.allocs == 0 && kit_malloc_clean(&a));
}

static void fails_without_allocator(void)
{
    size_t cap = 0;
    KIT_CHECK(ka_bytes_new_(NULL, 1, 1, 0) == NULL);
    KIT_CHECK(ka_bytes_grow_(NULL, NULL, &cap, 0, 1, 1, 1, false, 0) == NULL && cap == 0);
}

static void shifts(void)
{
    char row[] = "abcdef##";
    ka_bytes_open_(row, 3, 1, 2);
    KIT_CHECK(memcmp(row, "abcdcdef", 9) == 0);
    ka_bytes_close_(row, 4, 1, 2);
    KIT_CHECK(memcmp(row, "abcdefef", 9) == 0);
    ka_bytes_open_(row, 3, 3, 2);
    ka_bytes_close_(row, 4, 3, 2);
    KIT_CHECK(memcmp(row, "abcdefef", 9) == 0);
    ka_bytes_append_(row, 3, "gh", 1, 2);
    KIT_CHECK(memcmp(row, "abcdefgh", 9) == 0);
    ka_bytes_clear_(row, 1, 2, 2);
    KIT_CHECK(memcmp(row, "ab\0\0\0\0gh", 9) == 0);
}

static byte_vec three_bytes(kit_malloc *a)
{
    kit_malloc_init(a);
    byte_vec vec = byte_vec_in(&a->allocator);
    if (!byte_vec_extend(&vec, (const unsigned char *)"abc", 3))
        _exit(0);
    return vec;
}

static void crime_at(void)
{
    kit_malloc a;
    byte_vec vec = three_bytes(&a);
    *byte_vec_at(&vec, 3) = 0;
}

static void crime_insert(void)
{
    kit_malloc a;
    byte_vec vec = three_bytes(&a);
    if (!byte_vec_insert(&vec, 4, 'x'))
        _exit(0);
}

static void crime_remove(void)
{
    kit_malloc a;
    byte_vec vec = three_bytes(&a);
    unsigned char item = byte_vec_remove(&vec, 3);
    (void)item;
}

static void crime_swap_remove(void)
{
    byte_vec vec = { 0 };
    unsigned char item = byte_vec_swap_remove(&vec, 0);
    (void)item;
}

static void crime_drop_at(void)
{
    kit_malloc a;
    byte_vec vec = three_bytes(&a);
    byte_vec_drop_at(&vec, SIZE_MAX);
}

static void crime_extend_by_itself(void)
{
    kit_malloc a;
    byte_vec vec = three_bytes(&a);
    if (!byte_vec_extend(&vec, &vec.items[1], 2))
        _exit(0);
}

static void crime_append_to_itself(void)
{
    kit_malloc a;
    byte_vec vec = three_bytes(&a);
    if (!byte_vec_append(&vec, &vec))
        _exit(0);
}

/* The count is set by hand: sharing four thousand million times would take too long. */
static void crime_share(void)
{
    kit_malloc a;
    kit_malloc_init(&a);
    int_rc rc = { 0 };
    if (int_rc_make(&rc, &a.allocator, 1) == NULL)
        _exit(0);
    rc.block->counts.strong = UINT32_MAX - 2;
    int_rc last = int_rc_share(&rc);
    int_rc one_too_many = int_rc_share(&last);
    _exit(one_too_many.block == NULL);
}

static void crime_downgrade(void)
{
    kit_malloc a;
    kit_malloc_init(&a);
    int_rc rc = { 0 };
    if (int_rc_make(&rc, &a.allocator, 1) == NULL)
        _exit(0);
    rc.block->counts.weak = UINT32_MAX - 1;
    int_rc_weak one_too_many = int_rc_downgrade(&rc);
    _exit(one_too_many.block == NULL);
}

static void stops_at_callers_errors(void)
{
    KIT_EXPECT(stops_with(crime_at, "byte_vec_at: index out of bounds: the len is 3 but the index is 3"));
    KIT_EXPECT(stops_with(crime_insert, "byte_vec_insert: index out of bounds: the len is 3 but the index is 4"));
    KIT_EXPECT(stops_with(crime_remove, "byte_vec_remove: index out of bounds: the len is 3 but the index is 3"));
    KIT_EXPECT(
        stops_with(crime_swap_remove, "byte_vec_swap_remove: index out of bounds: the len is 0 but the index is 0"));
    KIT_EXPECT(stops_with(crime_drop_at, "byte_vec_drop_at: index out of bounds"));
    KIT_EXPECT(stops_with(crime_drop_at, "bytes_test.c"));
    KIT_EXPECT(stops_with(crime_extend_by_itself, "byte_vec_extend: the items lie in what shall take them"));
    KIT_EXPECT(stops_with(crime_append_to_itself, "byte_vec_extend: the items lie in what"));
    KIT_EXPECT(stops_with(crime_share, "int_rc_share: too many owners of one value"));
    KIT_EXPECT(stops_with(crime_downgrade, "int_rc_downgrade: too many owners of one value"));
}

static const kit_case cases[] = {
    { "grows_from_nothing", grows_from_nothing },
    { "twice_and_more", twice_and_more },
    { "refuses_overflow", refuses_overflow },
    { "fails_without_allocator", fails_without_allocator },
    { "shifts", shifts },
    { "stops_at_callers_errors", stops_at_callers_errors },
};

int main(void)
{
    return kit_main("bytes", cases, KIT_COUNT(cases));
}
