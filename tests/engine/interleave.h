/* interleave.h: runs a few operations that act on the same memory under every order of their atomic steps.
 *
 * An operation is an ordinary function that uses the engine; its steps are the engine's atomic operations. To bring
 * operation 1 one step further, it is started from its beginning again: the steps that it has made before are answered
 * from a log, without touching memory; the next one is made and logged; at the one after that it is left by longjmp. So
 * there are no threads and no second stacks, everything is repeatable, and sanitizers see one thread. What it asks for:
 * an operation depends on nothing but its steps, and writes nothing that others read but by them.
 *
 * All orders are walked depth first: a schedule is the list of who makes each step; after each run the last place where
 * another operation could have gone instead is changed. Where that is too many, a plan can take relaxed loads and
 * stores as part of the step before (searches, whose finds are verified by a compare-exchange, and hints for them), or
 * bound the number of preemptions: most races need one or two (Musuvathi and Qadeer, "Iterative Context Bounding",
 * 2007). Orders are total, so what only a weakly ordered machine can do is not shown; see the comments on ordering in
 * the engines.
 */
#ifndef INTERLEAVE_H
#define INTERLEAVE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>

#include <ka/types.h>

#include "interleave_steps.h"

#define INTERLEAVE_MAX      4   /* operations */
#if !defined(INTERLEAVE_STEPS)
#define INTERLEAVE_STEPS    120 /* of one operation */
#endif
#define INTERLEAVE_SCHEDULE (INTERLEAVE_MAX * INTERLEAVE_STEPS)

typedef struct interleave_plan {
    const char *name;
    void (*reset)(void);          /* sets the memory up; runs before each schedule */
    const char *(*judge)(void);   /* after each schedule: NULL, or what is broken */
    void (*run[INTERLEAVE_MAX])(void); /* the operations, NULL after the last */
} interleave_plan;

/* All zero: every schedule. */
typedef struct interleave_limits {
    bool stop;            /* at the first failure */
    bool coarse;          /* relaxed loads and stores happen together with the step before them */
    unsigned preemptions; /* how often at most an operation is left that could go on; 0: any number */
} interleave_limits;

typedef struct interleave_result {
    unsigned long schedules, failures;
    const char *broken;                      /* of the first failure */
    char schedule[INTERLEAVE_SCHEDULE + 1];  /* of the first failure: a digit per step */
    unsigned longest;                        /* steps */
} interleave_result;

static struct {
    bool active; /* false: steps are ordinary (reset, judge) */
    unsigned count;
    unsigned current;
    struct {
        step log[INTERLEAVE_STEPS];
        unsigned made, at;
        bool ended;
    } of[INTERLEAVE_MAX];
    bool coarse;
    unsigned budget; /* new steps that the current operation may make */
    bool overrun;    /* an operation had more steps than there is room for */
    jmp_buf out;
} interleave;

static bool step_skip(step *s)
{
    if (!interleave.active)
        return false;
    unsigned who = interleave.current;
    if (interleave.of[who].at < interleave.of[who].made) {
        *s = interleave.of[who].log[interleave.of[who].at++];
        return true;
    }
    if (interleave.coarse && (s->kind == STEP_GLANCE || s->kind == STEP_NOTE))
        return false;
    if (interleave.budget == 0)
        longjmp(interleave.out, 1);
    interleave.budget--;
    return false;
}

static void step_done(const step *s)
{
    if (!interleave.active)
        return;
    unsigned who = interleave.current;
    if (interleave.of[who].made == INTERLEAVE_STEPS) {
        interleave.overrun = true;
        longjmp(interleave.out, 1);
    }
    interleave.of[who].log[interleave.of[who].made++] = *s;
    interleave.of[who].at++;
}

/* Lets operation `who` make its next step; sets `ended` when it has returned. */
static void interleave_advance(const interleave_plan *plan, unsigned who)
{
    interleave.current = who;
    interleave.of[who].at = 0;
    interleave.budget = 1;
    interleave.active = true;
    if (setjmp(interleave.out) == 0) {
        plan->run[who]();
        interleave.of[interleave.current].ended = true;
    }
    interleave.active = false;
}

/* Operations are tried in this order: the one that made the last step, then those after it, around. */
static unsigned interleave_turn(unsigned last, unsigned k) { return (last + k) % interleave.count; }

/* One schedule: the first `fixed` choices are given, then whoever goes on, goes on. */
static unsigned interleave_once(const interleave_plan *plan, unsigned char *choice, unsigned fixed)
{
    for (unsigned i = 0; i < interleave.count; i++) {
        interleave.of[i].made = 0;
        interleave.of[i].ended = false;
    }
    plan->reset();
    for (unsigned length = 0, last = 0;; length++) {
        unsigned k = 0, who = length < fixed ? choice[length] : last;
        while (k < interleave.count && interleave.of[interleave_turn(who, k)].ended)
            k++;
        if (k == interleave.count || interleave.overrun)
            return length;
        last = interleave_turn(who, k);
        choice[length] = (unsigned char)last;
        interleave_advance(plan, last);
    }
}

/* The next schedule: changes the last choice that can be changed to an operation that comes later in the order and
 * still had steps there, which is so if it is chosen at that place or after it. Returns how many choices are then
 * fixed; 0: that was all. */
static unsigned interleave_next(interleave_limits limits, unsigned char *choice, unsigned length)
{
    static unsigned char rest[INTERLEAVE_SCHEDULE + 1]; /* a bit for each operation chosen at the place or after it */
    static unsigned spent[INTERLEAVE_SCHEDULE + 1];     /* preemptions before the place */
    rest[length] = 0;
    for (unsigned at = length; at-- > 0;)
        rest[at] = (unsigned char)(rest[at + 1] | 1u << choice[at]);
    spent[0] = 0;
    for (unsigned at = 0; at < length; at++) {
        unsigned last = at > 0 ? choice[at - 1] : choice[0];
        spent[at + 1] = spent[at] + (choice[at] != last && (rest[at] >> last & 1) != 0);
    }
    for (unsigned at = length; at-- > 0;) {
        unsigned last = at > 0 ? choice[at - 1] : 0;
        unsigned cost = at > 0 && (rest[at] >> last & 1) != 0;
        if (limits.preemptions != 0 && spent[at] + cost > limits.preemptions)
            continue;
        for (unsigned k = (choice[at] + interleave.count - last) % interleave.count + 1; k < interleave.count; k++)
            if ((rest[at] >> interleave_turn(last, k) & 1) != 0) {
                choice[at] = (unsigned char)interleave_turn(last, k);
                return at + 1;
            }
    }
    return 0;
}

/* Every schedule of the plan, or those within the limits. */
static interleave_result interleave_all(const interleave_plan *plan, interleave_limits limits)
{
    static unsigned char choice[INTERLEAVE_SCHEDULE];
    interleave_result result = { 0 };
    interleave.overrun = false;
    interleave.coarse = limits.coarse;
    for (interleave.count = 0; interleave.count < INTERLEAVE_MAX && plan->run[interleave.count] != NULL;)
        interleave.count++;
    unsigned fixed = 0;
    do {
        unsigned length = interleave_once(plan, choice, fixed);
        const char *broken = interleave.overrun ? "an operation has too many steps" : plan->judge();
        result.schedules++;
        result.longest = length > result.longest ? length : result.longest;
        if (broken != NULL && result.failures++ == 0) {
            result.broken = broken;
            for (unsigned i = 0; i < length; i++)
                result.schedule[i] = (char)('0' + choice[i]);
        }
        if (interleave.overrun || (limits.stop && result.failures != 0))
            break;
        fixed = interleave_next(limits, choice, length);
    } while (fixed != 0);
    return result;
}

#endif
