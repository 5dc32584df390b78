/* set_model.h: a set beside a plain model, one flag for each key: operations from a source of random numbers, each
 * compared. A template, after map_model.h, whose keys it takes:
 *   MODEL_SET       the name of a set or hash set of MODEL_KEY, with its clone
 *   MODEL_KEY       its key, a struct with the member `number`, which is below MODEL_KEYS
 *   MODEL_ORDERED   1: ka/set.h, 0: ka/hash_set.h
 * and gets MODEL_SET_model and MODEL_SET_step(model *, kit_random *), which returns NULL or what was wrong.
 */
#define S(verb)  MODEL_PASTE(MODEL_SET, _##verb)
#define SET_IT   S(iter)
#define SET_FREE MODEL_PASTE(MODEL_KEY, _drop)

typedef struct S(model) {
    MODEL_SET set;
    ka_allocator *allocator;
    bool there[MODEL_KEYS];
    size_t len;
    unsigned keys; /* those in use: 1 to MODEL_KEYS */
} S(model);

static void S(model_init)(S(model) *m, ka_allocator *allocator, unsigned keys)
{
    m->set = S(in)(allocator);
    m->allocator = allocator;
    m->keys = keys;
    m->len = 0;
    for (unsigned k = 0; k < MODEL_KEYS; k++)
        m->there[k] = false;
}

static MODEL_KEY S(key)(unsigned number)
{
    MODEL_KEY key = { 0 };
    key.number = (int)number;
    return key;
}

static const char *S(model_compare)(const S(model) *m)
{
    const char *broken = S(check)(&m->set);
    size_t seen = 0;
    int before = -1;
    if (broken != NULL)
        return broken;
    for (SET_IT it = S(first)(&m->set); it.key != NULL; S(next)(&it), seen++) {
        if (!m->there[it.key->number] || (MODEL_ORDERED && it.key->number <= before))
            return "a walk finds another key, or in another order";
        before = it.key->number;
    }
    return seen == m->len && S(len)(&m->set) == m->len && S(is_empty)(&m->set) == (m->len == 0)
               ? NULL
               : "another number of keys than was put in";
}

static void S(gone)(S(model) *m, int number)
{
    m->there[number] = false;
    m->len--;
}

static const char *S(step_in)(S(model) *m, unsigned k)
{
    model_live_keys++;
    const MODEL_KEY *got = S(insert)(&m->set, S(key)(k));
    if (got == NULL) {
        model_live_keys--;
        return m->there[k] ? "a key that is there asked for memory" : NULL;
    }
    m->len += !m->there[k];
    m->there[k] = true;
    return got->number == (int)k ? NULL : "insert gives another key";
}

static const char *S(step_out)(S(model) *m, unsigned k, unsigned how)
{
    MODEL_KEY out = S(key)(MODEL_KEYS);
    bool there = m->there[k], removed = how == 0 ? S(remove)(&m->set, S(key)(k), &out) : S(erase)(&m->set, S(key)(k));
    if (removed != there || (how == 0 && out.number != (there ? (int)k : MODEL_KEYS)))
        return "another key was removed";
    if (how == 0 && there)
        SET_FREE(&out);
    if (there)
        S(gone)(m, (int)k);
    return NULL;
}

static const char *S(step_find)(const S(model) *m, unsigned k)
{
    const MODEL_KEY *got = S(get)(&m->set, S(key)(k));
    SET_IT it = S(find)(&m->set, S(key)(k));
    if ((got != NULL) != m->there[k] || S(contains)(&m->set, S(key)(k)) != m->there[k] || it.key != got)
        return "get, find and contains disagree";
    return got == NULL || got->number == (int)k ? NULL : "get finds another key";
}

/* Walks, and takes out some of what it meets. */
static const char *S(step_walk)(S(model) *m, kit_random *random)
{
    size_t seen = 0, len = m->len;
    for (SET_IT it = S(first)(&m->set); it.key != NULL; seen++) {
        int number = it.key->number;
        unsigned what = (unsigned)kit_below(random, 8);
        MODEL_KEY out;
        if (!m->there[number])
            return "a walk that removes finds another key";
        if (what > 1) {
            S(next)(&it);
            continue;
        }
        if (what == 0) {
            S(erase_at)(&m->set, &it);
        } else {
            S(remove_at)(&m->set, &it, &out);
            if (out.number != number)
                return "a walk takes out another key";
            SET_FREE(&out);
        }
        S(gone)(m, number);
    }
    return seen == len ? NULL : "a walk that removes meets another number of keys";
}

static const char *S(step_clone)(S(model) *m, kit_random *random)
{
    S(model) copy = *m;
    long keys = model_live_keys;
    model_clone_fails = kit_below(random, 2) == 0;
    model_clone_in = (unsigned)kit_below(random, m->len + 1);
    bool done = S(clone)(&copy.set, &m->set, m->allocator);
    model_clone_fails = false;
    const char *broken = done ? S(model_compare)(&copy) : NULL;
    if (!done && (S(len)(&copy.set) != 0 || model_live_keys != keys))
        broken = "a clone that failed has taken something";
    S(drop)(&copy.set);
    return broken != NULL || model_live_keys == keys ? broken : "a clone was not dropped";
}

#if MODEL_ORDERED
static const char *S(step_order)(S(model) *m, kit_random *random, unsigned k)
{
    unsigned low = k, up = k + 1, end = (unsigned)kit_below(random, m->keys + 1);
    while (low < m->keys && !m->there[low])
        low++;
    while (up < m->keys && !m->there[up])
        up++;
    SET_IT at = S(lower_bound)(&m->set, S(key)(k)), above = S(upper_bound)(&m->set, S(key)(k));
    if (low == m->keys ? at.key != NULL : at.key == NULL || at.key->number != (int)low)
        return "lower_bound finds another key";
    if (up >= m->keys ? above.key != NULL : above.key == NULL || above.key->number != (int)up)
        return "upper_bound finds another key";
    for (; S(is_before_)(&at, S(key)(end)); S(next)(&at), low++) { /* KA_MAP_RANGE, whose name must not be a macro */
        while (low < m->keys && !m->there[low])
            low++;
        if (at.key->number != (int)low)
            return "a range gives another key";
    }
    for (; low < end; low++)
        if (m->there[low])
            return "a range ends too early";
    size_t seen = 0;
    for (at = S(last)(&m->set); at.key != NULL; S(prev)(&at))
        seen++;
    if (seen != m->len)
        return "a walk back gives another number of keys";
    MODEL_KEY out;
    bool last = kit_below(random, 2) == 0;
    if (!(last ? S(pop_last)(&m->set, &out) : S(pop_first)(&m->set, &out)))
        return m->len == 0 ? NULL : "pop finds nothing";
    for (low = last ? m->keys - 1 : 0; !m->there[low];)
        low += last ? -1u : 1u;
    if (out.number != (int)low)
        return "pop gives another key";
    S(gone)(m, out.number);
    SET_FREE(&out);
    return NULL;
}
#else
static const char *S(step_order)(S(model) *m, kit_random *random, unsigned k)
{
    if (kit_below(random, 2) == 0)
        return !S(shrink)(&m->set) || m->len != 0 || m->set.table.count == 0 ? NULL : "an empty table keeps a block";
    return !S(reserve)(&m->set, k) || m->set.table.limit - m->len >= k ? NULL : "a reserve without room";
}
#endif

static const char *S(step)(S(model) *m, kit_random *random)
{
    unsigned k = (unsigned)kit_below(random, m->keys), what = (unsigned)kit_below(random, 512);
    const char *broken = NULL;
    if (what == 0)
        broken = S(step_walk)(m, random);
    else if (what == 1)
        broken = S(step_clone)(m, random);
    else if (what < 5)
        broken = S(step_order)(m, random, k);
    else if (what == 5 && kit_below(random, 16) == 0) {
        MODEL_SET taken = S(take)(&m->set);
        S(drop)(&taken);
        S(clear)(&m->set);
        S(model_init)(m, m->allocator, m->keys);
    } else if (what < 220)
        broken = S(step_in)(m, k);
    else if (what < 400)
        broken = S(step_out)(m, k, what % 2);
    else
        broken = S(step_find)(m, k);
    if (broken != NULL)
        return broken;
    return model_live_keys == (long)m->len && S(len)(&m->set) == m->len ? NULL : "a key was dropped twice, or never";
}

#undef S
#undef SET_IT
#undef SET_FREE
