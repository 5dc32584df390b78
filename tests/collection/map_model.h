/* map_model.h: a map beside a plain model, an array by key: operations from a source of random numbers, each compared.
 * A template; without MODEL_MAP it defines what the keys need; with it, the model of this map:
 *   MODEL_MAP       the name of a map or hash map of MODEL_KEY and model_value, with its clone
 *   MODEL_KEY       its key, a struct with the member `number`, which is below MODEL_KEYS
 *   MODEL_ORDERED   1: ka/map.h, 0: ka/hash_map.h
 * and gets MODEL_MAP_model and MODEL_MAP_step(model *, kit_random *), which returns NULL or what was wrong.
 */
#ifndef MAP_MODEL_H
#define MAP_MODEL_H

#include <ka/failing.h>
#include <ka/hash_map.h>

#include "kit.h"
#include "kit_malloc.h"

#define MODEL_KEYS 600

/* Owners in the maps count themselves. */
static long model_live_keys, model_live_values;
static bool model_clone_fails; /* at the value that `model_clone_in` counts down to */
static unsigned model_clone_in;

typedef struct model_value {
    int number;
} model_value;

static inline void model_value_drop(model_value *value)
{
    value->number = -1;
    model_live_values--;
}

static inline bool model_may_clone(void)
{
    return !model_clone_fails || model_clone_in-- != 0;
}

static inline bool model_value_clone(model_value *out, model_value const *from)
{
    if (!model_may_clone())
        return false;
    *out = *from;
    model_live_values++;
    return true;
}

static inline model_value model_value_make(int number)
{
    model_value made = { number };
    model_live_values++;
    return made;
}

#define MODEL_KEY_CODE(type)                                                            \
    KA_UNUSED static inline void type##_drop(type *key)                                 \
    {                                                                                   \
        key->number = -1;                                                               \
        model_live_keys--;                                                              \
    }                                                                                   \
    KA_UNUSED static inline bool type##_clone(type *out, type const *from)              \
    {                                                                                   \
        if (!model_may_clone())                                                         \
            return false;                                                               \
        *out = *from;                                                                   \
        model_live_keys++;                                                              \
        return true;                                                                    \
    }                                                                                   \
    KA_UNUSED static inline int type##_compare(type const *a, type const *b)            \
    {                                                                                   \
        return a->number - b->number;                                                   \
    }                                                                                   \
    KA_UNUSED static inline bool type##_equal(type const *a, type const *b)             \
    {                                                                                   \
        return a->number == b->number;                                                  \
    }                                                                                   \
    KA_UNUSED static inline uint64_t type##_hash(type const *a, const ka_hash_key *key) \
    {                                                                                   \
        return KA_HASH_NUMBERS(&a->number, key);                                        \
    }

#define MODEL_PASTE_(a, b) a##b
#define MODEL_PASTE(a, b)  MODEL_PASTE_(a, b)

#endif

#if defined(MODEL_MAP)
#define M(verb)  MODEL_PASTE(MODEL_MAP, _##verb)
#define MODEL    M(model)
#define MODEL_IT M(iter)

typedef struct MODEL {
    MODEL_MAP map;
    ka_allocator *allocator;
    int values[MODEL_KEYS]; /* -1: not there */
    size_t len;
    unsigned keys; /* those in use: 1 to MODEL_KEYS */
    unsigned bias; /* of 11 steps that change, so many insert: it grows for a while, then shrinks */
} MODEL;

static void M(model_init)(MODEL *m, ka_allocator *allocator, unsigned keys)
{
    m->allocator = allocator;
    m->map = M(in)(allocator);
    m->len = 0;
    m->keys = keys;
    m->bias = 7;
    for (size_t i = 0; i < MODEL_KEYS; i++)
        m->values[i] = -1;
}

static MODEL_KEY M(key)(unsigned number)
{
    MODEL_KEY key = { 0 };
    key.number = (int)number;
    return key;
}

static MODEL_KEY M(own_key)(unsigned number)
{
    model_live_keys++;
    return M(key)(number);
}

/* Every entry, and nothing else. */
static const char *M(model_compare)(const MODEL *m)
{
    size_t seen = 0;
    const char *broken = M(check)(&m->map);
    if (broken != NULL)
        return broken;
    int before = -1;
    for (MODEL_IT it = M(first)(&m->map); it.key != NULL; M(next)(&it)) {
        if (m->values[it.key->number] != it.value->number)
            return "a walk finds another value than was put in";
        if (MODEL_ORDERED && it.key->number <= before)
            return "a walk is not in order";
        before = it.key->number;
        seen++;
    }
    if (seen != m->len || M(len)(&m->map) != m->len || M(is_empty)(&m->map) != (m->len == 0))
        return "another number of entries than was put in";
    return NULL;
}

static const char *M(model_counts)(const MODEL *m)
{
    if (model_live_keys != (long)m->len || model_live_values != (long)m->len)
        return "a key or a value was dropped twice, or never";
    return M(len)(&m->map) == m->len ? NULL : "another length than the model's";
}

static void M(model_set)(MODEL *m, unsigned k, int value)
{
    m->len += m->values[k] == -1;
    m->values[k] = value;
}

static const char *M(step_insert)(MODEL *m, unsigned k, int number)
{
    model_value *got = M(insert)(&m->map, M(own_key)(k), model_value_make(number));
    if (got != NULL) {
        M(model_set)(m, k, number);
        return got->number == number ? NULL : "insert gives another value";
    }
    model_live_keys--;
    model_live_values--;
    return m->values[k] == -1 ? NULL : "a value could not be replaced";
}

static const char *M(step_entry)(MODEL *m, kit_random *random, unsigned k, int number)
{
    M(entry) entry = M(entry_of)(&m->map, M(own_key)(k));
    bool there = m->values[k] != -1;
    model_value out, *got = NULL;
    if (there != (entry.value != NULL) || (there && entry.value->number != m->values[k]))
        return "an entry shows another value";
    switch (kit_below(random, 4)) {
    case 0:
        model_live_keys--;
        if (M(entry_remove)(&entry, &out) != there)
            return "an entry could not be removed";
        if (there) {
            if (out.number != m->values[k])
                return "an entry gives up another value";
            model_value_drop(&out);
            m->values[k] = -1;
            m->len--;
        }
        return NULL;
    case 1:
        got = M(entry_or_insert)(&entry, model_value_make(number));
        number = there ? m->values[k] : number;
        model_live_values -= got == NULL;
        break;
    case 2:
        got = M(entry_or_new)(&entry);
        if (got != NULL && !there) {
            if (got->number != 0)
                return "a new value is not cleared";
            model_live_values++;
            got->number = number;
        }
        number = there ? m->values[k] : number;
        break;
    default:
        got = M(entry_insert)(&entry, model_value_make(number));
        model_live_values -= got == NULL;
        break;
    }
    model_live_keys -= got == NULL;
    if (got == NULL)
        return there ? "an entry that is there asked for memory" : NULL;
    M(model_set)(m, k, number);
    return got->number == number && entry.value == got ? NULL : "an entry has another value";
}

static const char *M(step_out)(MODEL *m, kit_random *random, unsigned k)
{
    bool there = m->values[k] != -1;
    if (kit_below(random, 2) == 0) {
        if (M(erase)(&m->map, M(key)(k)) != there)
            return "erase finds another entry";
    } else {
        model_value out = { -2 };
        if (M(remove)(&m->map, M(key)(k), &out) != there || out.number != (there ? m->values[k] : -2))
            return "remove finds another entry";
        if (there)
            model_value_drop(&out);
    }
    m->len -= there;
    m->values[k] = -1;
    return NULL;
}

static const char *M(step_find)(const MODEL *m, unsigned k)
{
    const model_value *got = M(get)(&m->map, M(key)(k));
    MODEL_IT it = M(find)(&m->map, M(key)(k));
    if (M(contains)(&m->map, M(key)(k)) != (got != NULL) || (it.key != NULL) != (got != NULL))
        return "get, find and contains disagree";
    if ((got != NULL ? got->number : -1) != m->values[k])
        return "get finds another value";
    return got == NULL || (it.value == got && it.key->number == (int)k) ? NULL : "find finds another entry";
}

/* Walks, and takes out some of what it meets. */
static const char *M(step_walk)(MODEL *m, kit_random *random)
{
    size_t seen = 0, len = m->len;
    uint64_t mask = kit_next(random) & kit_next(random);
    for (MODEL_IT it = M(first)(&m->map); it.key != NULL; seen++) {
        unsigned k = (unsigned)it.key->number;
        if (m->values[k] != it.value->number)
            return "a walk that removes finds another value";
        if ((mask >> (k % 64) & 1) == 0) {
            M(next)(&it);
            continue;
        }
        if ((k & 64) == 0) {
            M(erase_at)(&m->map, &it);
        } else {
            MODEL_KEY key;
            model_value value;
            M(remove_at)(&m->map, &it, &key, &value);
            if (key.number != (int)k || value.number != m->values[k])
                return "a walk takes out another entry";
            MODEL_PASTE(MODEL_KEY, _drop)(&key);
            model_value_drop(&value);
        }
        m->values[k] = -1;
        m->len--;
    }
    return seen == len ? NULL : "a walk that removes meets another number of entries";
}

static const char *M(step_clone)(MODEL *m, kit_random *random)
{
    MODEL copy = *m;
    long keys = model_live_keys, values = model_live_values;
    model_clone_fails = kit_below(random, 2) == 0;
    model_clone_in = (unsigned)kit_below(random, 2 * m->len + 1);
    bool done = M(clone)(&copy.map, &m->map, m->allocator);
    model_clone_fails = false;
    const char *broken = NULL;
    if (done)
        broken = M(model_compare)(&copy);
    else if (M(len)(&copy.map) != 0 || model_live_keys != keys || model_live_values != values)
        broken = "a clone that failed has taken something";
    M(drop)(&copy.map);
    if (broken == NULL && (model_live_keys != keys || model_live_values != values))
        broken = "a clone was not dropped";
    return broken;
}

#if MODEL_ORDERED
static const char *M(step_own)(MODEL *m, kit_random *random, unsigned k)
{
    unsigned end = (unsigned)kit_below(random, m->keys), expected;
    switch (kit_below(random, 4)) {
    case 0: { /* bounds */
        MODEL_IT low = M(lower_bound)(&m->map, M(key)(k)), up = M(upper_bound)(&m->map, M(key)(k));
        for (expected = k; expected < m->keys && m->values[expected] == -1;)
            expected++;
        if (expected == m->keys ? low.key != NULL : low.key == NULL || low.key->number != (int)expected)
            return "lower_bound finds another entry";
        for (expected = k + 1; expected < m->keys && m->values[expected] == -1;)
            expected++;
        if (expected >= m->keys ? up.key != NULL : up.key == NULL || up.key->number != (int)expected)
            return "upper_bound finds another entry";
        return NULL;
    }
    case 1: { /* a range, forward */
        expected = k;
        MODEL_IT it = M(lower_bound)(&m->map, M(key)(k));
        for (; M(is_before_)(&it, M(key)(end)); M(next)(&it)) { /* KA_MAP_RANGE, whose name must not be a macro */
            while (expected < m->keys && m->values[expected] == -1)
                expected++;
            if (it.key->number != (int)expected++)
                return "a range gives another entry";
        }
        for (; expected < end; expected++)
            if (m->values[expected] != -1)
                return "a range ends too early";
        return NULL;
    }
    case 2: { /* backward */
        size_t seen = 0;
        int before = MODEL_KEYS;
        for (MODEL_IT it = M(last)(&m->map); it.key != NULL; M(prev)(&it), seen++) {
            if (it.key->number >= before || it.value->number != m->values[it.key->number])
                return "a walk back gives another entry";
            before = it.key->number;
        }
        return seen == m->len ? NULL : "a walk back gives another number of entries";
    }
    default: {
        bool last = kit_below(random, 2) == 0;
        MODEL_KEY key;
        model_value value;
        if (!(last ? M(pop_last)(&m->map, &key, &value) : M(pop_first)(&m->map, &key, &value)))
            return m->len == 0 ? NULL : "pop finds nothing";
        for (expected = last ? m->keys - 1 : 0; m->values[expected] == -1;)
            expected += last ? -1u : 1u;
        if (key.number != (int)expected || value.number != m->values[expected])
            return "pop gives another entry";
        m->values[expected] = -1;
        m->len--;
        MODEL_PASTE(MODEL_KEY, _drop)(&key);
        model_value_drop(&value);
        return NULL;
    }
    }
}
#else
static const char *M(step_own)(MODEL *m, kit_random *random, unsigned k)
{
    if (kit_below(random, 2) == 0)
        return !M(shrink)(&m->map) || m->len != 0 || m->map.table.count == 0 ? NULL : "an empty table keeps a block";
    return !M(reserve)(&m->map, k) || m->map.table.limit - m->len >= k ? NULL : "a reserve without room";
}
#endif

static const char *M(step)(MODEL *m, kit_random *random)
{
    unsigned k = (unsigned)kit_below(random, m->keys);
    int number = (int)kit_below(random, 1u << 30) + 1;
    const char *broken = NULL;
    switch (kit_below(random, 512)) {
    case 0:
        broken = M(step_walk)(m, random);
        break;
    case 1:
        broken = M(step_clone)(m, random);
        break;
    case 2:
    case 3:
    case 4:
        broken = M(step_own)(m, random, k);
        break;
    case 5:
        if (kit_below(random, 16) == 0) {
            MODEL_MAP taken = M(take)(&m->map);
            M(drop)(&taken);
            M(clear)(&m->map);
            M(model_init)(m, m->allocator, m->keys);
        } else if (kit_below(random, 4) == 0) {
            M(clear)(&m->map);
            m->len = 0;
            for (size_t i = 0; i < MODEL_KEYS; i++)
                m->values[i] = -1;
        }
        break;
    case 6:
        m->bias = 2 + (unsigned)kit_below(random, 8);
        return M(model_compare)(m);
    default: {
        uint64_t what = kit_below(random, 16);
        if (what < m->bias)
            broken = M(step_insert)(m, k, number);
        else if (what < 11)
            broken = M(step_out)(m, random, k);
        else if (what < 14)
            broken = M(step_find)(m, k);
        else
            broken = M(step_entry)(m, random, k, number);
    }
    }
    return broken != NULL ? broken : M(model_counts)(m);
}

#undef M
#undef MODEL
#undef MODEL_IT
#endif
