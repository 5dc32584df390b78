/* interleave_noise.h: threads that hammer an engine whose atomic steps are now and then held up, so that narrow windows
 * are met in seconds. One fault ends the run. Include it, then the engine's headers, then the engine's .c.
 */
#ifndef INTERLEAVE_NOISE_H
#define INTERLEAVE_NOISE_H

/* A control must fail within this time. It usually takes less than two seconds; a busy machine may need many. */
#define CONTROL_SECONDS 240

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "interleave_steps.h"
#include "kit.h"

#define NOISE_THREADS 3u

static struct {
    uint32_t stop;        /* 1: threads end */
    uint32_t faults;
    const char *fault;    /* the first one */
    unsigned long operations;
    double seconds;       /* of a run */
    void (*body)(unsigned id, kit_random *random); /* one operation; id 1 to NOISE_THREADS */
    void (*end)(unsigned id);                      /* gives back what the thread has */
} noise;

static __thread kit_random noise_random;
static __thread bool noise_on;

static void noise_fault(const char *what)
{
    uint32_t none = 0;
    if (ka_cas_32(&noise.faults, &none, 1))
        noise.fault = what;
    ka_store_release_32(&noise.stop, 1);
}

/* An assertion of the engine is a fault like any other: with a step left out it may well be the first to see it. */
#undef KA_ASSERT
#define KA_ASSERT(fact) ((fact) ? (void)0 : noise_fault("assertion failed: " #fact))

static bool step_skip(step *s)
{
    if (!noise_on)
        return false;
    uint64_t dice = kit_next(&noise_random);
    /* What is compared and exchanged was looked at before: there lie the widest windows. */
    if (s->kind == STEP_CAS && dice % 32 == 2)
        (void)nanosleep(&(struct timespec){ 0, 20000 }, NULL);
    else if (dice % (s->kind == STEP_CAS ? 8 : 128) == 0)
        (void)sched_yield();
    else if (dice % 16 == 1)
        for (volatile unsigned i = 0; i < (dice >> 32) % 256; i++)
            continue;
    return false;
}

static void step_done(const step *s) { (void)s; }

static double noise_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void *noise_thread(void *argument)
{
    unsigned id = (unsigned)(uintptr_t)argument;
    kit_random random = { id };
    noise_random.state = id * 1000;
    noise_on = true;
    unsigned long operations = 0;
    for (; (ka_load_acquire_32)(&noise.stop) == 0; operations++)
        noise.body(id, &random);
    noise_on = false;
    if ((ka_load_acquire_32)(&noise.faults) == 0)
        noise.end(id);
    __atomic_fetch_add(&noise.operations, operations, __ATOMIC_RELAXED);
    return NULL;
}

/* Runs the threads for so long, or until a fault. Returns the fault, or NULL. */
static const char *noise_run(double seconds)
{
    pthread_t threads[NOISE_THREADS];
    noise.stop = noise.faults = 0;
    noise.fault = NULL;
    noise.operations = 0;
    for (unsigned i = 0; i < NOISE_THREADS; i++)
        if (pthread_create(&threads[i], NULL, noise_thread, (void *)(uintptr_t)(i + 1)) != 0)
            abort();
    double end = noise_now() + seconds;
    while (noise_now() < end && (ka_load_acquire_32)(&noise.stop) == 0)
        (void)sched_yield(), nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    (ka_store_release_32)(&noise.stop, 1);
    for (unsigned i = 0; i < NOISE_THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    return noise.fault;
}

/* The first argument of the program: seconds. */
static void noise_arguments(int argc, char **argv, double seconds)
{
    noise.seconds = argc > 1 ? strtod(argv[1], NULL) : seconds;
    if (!(noise.seconds > 0))
        noise.seconds = seconds;
}

/* ---- who has what ---- */

/* Says that `id` has [first, first + count) now. Nobody else may. */
static void noise_own(uint32_t *owners, uint32_t first, uint32_t count, unsigned id, const char *what)
{
    for (uint32_t i = first; i < first + count; i++)
        if (__atomic_exchange_n(&owners[i], id, __ATOMIC_RELAXED) != 0)
            noise_fault(what);
}

/* And that it has it no more; it must have had it up to now. */
static void noise_disown(uint32_t *owners, uint32_t first, uint32_t count, unsigned id, const char *what)
{
    for (uint32_t i = first; i < first + count; i++)
        if (__atomic_exchange_n(&owners[i], 0, __ATOMIC_RELAXED) != id)
            noise_fault(what);
}

#endif
