/* turns_suite.c: owners and collections whose allocations fail, each in turn: the first, the second and so on until all
 * are served. Each time what was refused says so, the rest is whole, and dropping it all leaves nothing live. */
#include "suite.h"

#include <ka/arc.h>
#include <ka/box.h>
#include <ka/deque.h>
#include <ka/failing.h>
#include <ka/hash_map.h>
#include <ka/map.h>
#include <ka/rc.h>
#include <ka/set.h>
#include <ka/string.h>
#include <ka/tagged.h>
#include <ka/vec.h>

enum { TURNS_MAX = 3000, ITEMS = 60 };

KA_BOX(text_box, ka_string, ka_string_drop)
KA_VEC(text_vec, ka_string, ka_string_drop)
KA_VEC_CLONE(text_vec, ka_string, ka_string_clone)
KA_DEQUE(text_deque, ka_string, ka_string_drop)
KA_RC(text_rc, ka_string, ka_string_drop)
KA_ARC(text_arc, ka_string, ka_string_drop)
KA_MAP(text_map, ka_string, text_vec, ka_string_compare, ka_string_drop, text_vec_drop)
KA_SET(text_set, ka_string, ka_string_compare, ka_string_drop)
KA_HASH_MAP(text_table, ka_string, text_box, ka_string_hash, ka_string_equal, ka_string_drop, text_box_drop)

/* The allocations of one turn. false: one was refused; everything has been dropped either way. */
typedef bool turn(ka_allocator *a);

static ka_tagged counted;
static ka_failing failing;

static void each_in_turn(turn *run)
{
    uint64_t n = 1, failures, refusals = 0;
    ka_tagged_init(&counted, suite.allocator, "turns", NULL);
    ka_failing_init(&failing, &counted.allocator);
    for (;; n++) {
        failures = ka_failing_failures(&failing);
        ka_failing_set(&failing, n);
        bool served = run(&failing.allocator);
        KIT_EXPECT(counted.live == 0 && counted.live_blocks == 0);
        refusals += !served;
        if (ka_failing_failures(&failing) == failures || n == TURNS_MAX) {
            KIT_EXPECT(served);
            break;
        }
    }
    kit_note("%llu allocations failed in turn, %llu times the work was refused", (unsigned long long)(n - 1),
             (unsigned long long)refusals);
    KIT_EXPECT(n > 2 && n < TURNS_MAX && refusals > 0);
    ka_tagged_fini(&counted);
}

static bool text_make(ka_string *out, ka_allocator *a, unsigned number)
{
    *out = ka_string_in(a);
    if (ka_string_append_format(out, "%u, and so long that it needs a block", number * 7919 % ITEMS) &&
        ka_string_append_text(out, ", and then a larger one, for this is more than what was asked for at first"))
        return true;
    ka_string_drop(out);
    return false;
}

static bool fill_vec(text_vec *vec, ka_allocator *a, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        ka_string text;
        if (!text_make(&text, a, i))
            return false;
        if (!text_vec_push(vec, text)) {
            ka_string_drop(&text);
            return false;
        }
    }
    return true;
}

static bool vec_turn(ka_allocator *a)
{
    text_vec vec = text_vec_in(a), copy = { 0 };
    bool served = fill_vec(&vec, a, 20) && text_vec_clone(&copy, &vec, a) && text_vec_shrink(&vec);
    if (text_vec_check(&vec) != NULL || text_vec_check(&copy) != NULL)
        kit_fail(__FILE__, __LINE__, "a vec is not whole");
    text_vec_drop(&copy);
    text_vec_drop(&vec);
    return served;
}

static bool deque_turn(ka_allocator *a)
{
    text_deque deque = text_deque_in(a);
    bool served = true;
    for (unsigned i = 0; served && i < 20; i++) {
        ka_string text;
        if (!text_make(&text, a, i)) {
            served = false;
        } else if (!(i % 2 == 0 ? text_deque_push_back(&deque, text) : text_deque_push_front(&deque, text))) {
            ka_string_drop(&text);
            served = false;
        }
    }
    if (text_deque_check(&deque) != NULL)
        kit_fail(__FILE__, __LINE__, "the deque is not whole");
    text_deque_drop(&deque);
    return served;
}

static bool owners_turn(ka_allocator *a)
{
    text_box box = { 0 };
    text_rc rc = { 0 };
    text_arc arc = { 0 };
    ka_string *in_box = text_box_new(&box, a), *in_rc = text_rc_new(&rc, a), *in_arc = text_arc_new(&arc, a);
    bool served = in_box != NULL && in_rc != NULL && in_arc != NULL && text_make(in_box, a, 1) &&
                  text_make(in_rc, a, 2) && text_make(in_arc, a, 3);
    text_rc shared = text_rc_share(&rc);
    text_arc_weak weak = text_arc_downgrade(&arc);
    text_box_drop(&box);
    text_rc_drop(&rc);
    text_rc_drop(&shared);
    text_arc_drop(&arc);
    text_arc_weak_drop(&weak);
    return served;
}

static bool map_turn(ka_allocator *a)
{
    text_map map = text_map_in(a);
    text_set set = text_set_in(a);
    bool served = true;
    for (unsigned i = 0; served && i < ITEMS; i++) {
        ka_string key, other = { 0 };
        text_vec value = text_vec_in(a);
        text_vec *stored = NULL;
        served = text_make(&key, a, i);
        if (served && (stored = text_map_insert(&map, key, value)) == NULL) {
            ka_string_drop(&key);
            served = false;
        }
        served = served && (i % 8 != 0 || fill_vec(stored, a, 3)) && text_make(&other, a, i);
        if (served && text_set_insert(&set, other) == NULL) {
            ka_string_drop(&other);
            served = false;
        }
    }
    if (text_map_check(&map) != NULL || text_set_check(&set) != NULL)
        kit_fail(__FILE__, __LINE__, "a map is not whole");
    text_set_drop(&set);
    text_map_drop(&map);
    return served;
}

static bool table_turn(ka_allocator *a)
{
    text_table table = text_table_in(a);
    bool served = true;
    for (unsigned i = 0; served && i < ITEMS; i++) {
        ka_string key;
        text_box box = { 0 };
        served = text_make(&key, a, i);
        if (!served)
            break;
        ka_string *in_box = text_box_new(&box, a);
        served = in_box != NULL && text_make(in_box, a, i);
        if (!served || text_table_insert(&table, key, box) == NULL) {
            ka_string_drop(&key);
            text_box_drop(&box);
            served = false;
        }
    }
    if (text_table_check(&table) != NULL)
        kit_fail(__FILE__, __LINE__, "the table is not whole");
    text_table_drop(&table);
    return served;
}

static void vec_turns(void)
{
    each_in_turn(vec_turn);
}

static void deque_turns(void)
{
    each_in_turn(deque_turn);
}

static void owner_turns(void)
{
    each_in_turn(owners_turn);
}

static void map_turns(void)
{
    each_in_turn(map_turn);
}

static void table_turns(void)
{
    each_in_turn(table_turn);
}

static const kit_case cases[] = {
    { "vec and string", vec_turns }, { "deque", deque_turns },   { "box, rc, arc", owner_turns },
    { "map and set", map_turns },    { "hash map", table_turns },
};

const kit_suite turns_suite = { "each allocation fails in turn", cases, KIT_COUNT(cases) };
