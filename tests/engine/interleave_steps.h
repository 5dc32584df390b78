/* interleave_steps.h: turns every atomic operation of an engine into a step that a test can see, delay or replay.
 *
 * Use: define `static bool step_skip(step *s)` and `static void step_done(const step *s)`, include this file, then the
 * engine's headers, then the engine's .c. Before each operation step_skip is called: it may wait, leave by longjmp, or
 * return true with the result filled in, and then the operation does not happen; after it step_done is called.
 */
#ifndef INTERLEAVE_STEPS_H
#define INTERLEAVE_STEPS_H

#include "base/atomic.h"

/* A glance is a relaxed load, a note a relaxed store. */
typedef enum step_kind {
    STEP_GLANCE,
    STEP_NOTE,
    STEP_LOAD,
    STEP_STORE,
    STEP_EXCHANGE,
    STEP_ADD,
    STEP_OR,
    STEP_AND,
    STEP_CAS
} step_kind;

typedef struct step {
    step_kind kind;
    const void *place;
    uint64_t value;  /* what is written, or the other operand */
    uint64_t result; /* what was found */
    bool ok;         /* of a compare-exchange */
} step;

static bool step_skip(step *s);
static void step_done(const step *s);

#define STEP_FUNCTIONS(name, type)                                                      \
    static inline KA_UNUSED type step_load_##name(step_kind kind, const type *p)        \
    {                                                                                   \
        step s = { kind, p, 0, 0, true };                                               \
        if (!step_skip(&s)) {                                                           \
            s.result = ka_load_acquire_##name(p);                                       \
            step_done(&s);                                                              \
        }                                                                               \
        return (type)s.result;                                                          \
    }                                                                                   \
    static inline KA_UNUSED void step_store_##name(step_kind kind, type *p, type v)     \
    {                                                                                   \
        step s = { kind, p, v, 0, true };                                               \
        if (!step_skip(&s)) {                                                           \
            ka_store_release_##name(p, v);                                              \
            step_done(&s);                                                              \
        }                                                                               \
    }                                                                                   \
    static inline KA_UNUSED type step_change_##name(step_kind kind, type *p, type v)    \
    {                                                                                   \
        step s = { kind, p, v, 0, true };                                               \
        if (!step_skip(&s)) {                                                           \
            s.result = kind == STEP_EXCHANGE ? ka_exchange_##name(p, v)                 \
                       : kind == STEP_ADD    ? ka_fetch_add_##name(p, v)                \
                       : kind == STEP_OR     ? ka_fetch_or_##name(p, v)                 \
                                             : ka_fetch_and_##name(p, v);                   \
            step_done(&s);                                                              \
        }                                                                               \
        return (type)s.result;                                                          \
    }                                                                                   \
    static inline KA_UNUSED bool step_cas_##name(type *p, type *expected, type desired) \
    {                                                                                   \
        step s = { STEP_CAS, p, desired, *expected, true };                             \
        if (!step_skip(&s)) {                                                           \
            type found = *expected;                                                     \
            s.ok = ka_cas_##name(p, &found, desired);                                   \
            s.result = found;                                                           \
            step_done(&s);                                                              \
        }                                                                               \
        *expected = (type)s.result;                                                     \
        return s.ok;                                                                    \
    }

STEP_FUNCTIONS(32, uint32_t)
STEP_FUNCTIONS(64, uint64_t)

#define ka_load_relaxed_32(p)     step_load_32(STEP_GLANCE, p)
#define ka_load_relaxed_64(p)     step_load_64(STEP_GLANCE, p)
#define ka_load_acquire_32(p)     step_load_32(STEP_LOAD, p)
#define ka_load_acquire_64(p)     step_load_64(STEP_LOAD, p)
#define ka_store_relaxed_32(p, v) step_store_32(STEP_NOTE, p, v)
#define ka_store_relaxed_64(p, v) step_store_64(STEP_NOTE, p, v)
#define ka_store_release_32(p, v) step_store_32(STEP_STORE, p, v)
#define ka_store_release_64(p, v) step_store_64(STEP_STORE, p, v)
#define ka_exchange_64(p, v)      step_change_64(STEP_EXCHANGE, p, v)
#define ka_fetch_add_64(p, v)     step_change_64(STEP_ADD, p, v)
#define ka_fetch_or_64(p, v)      step_change_64(STEP_OR, p, v)
#define ka_fetch_and_64(p, v)     step_change_64(STEP_AND, p, v)
#define ka_fetch_add_32(p, v)     step_change_32(STEP_ADD, p, v)
#define ka_fetch_or_32(p, v)      step_change_32(STEP_OR, p, v)
#define ka_fetch_and_32(p, v)     step_change_32(STEP_AND, p, v)
#define ka_cas_32(p, e, d)        step_cas_32(p, e, d)
#define ka_cas_64(p, e, d)        step_cas_64(p, e, d)

#endif
