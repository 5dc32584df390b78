/* driver_suites.h: the suites of the test driver, and what they share. */
#ifndef DRIVER_SUITES_H
#define DRIVER_SUITES_H

#include <ntddk.h>

#include <ka/handler.h>
#include <ka/windows.h>

#include "suite/suite.h"
#include "tests/windows/nt_suite.h"
#include "tests/windows/ntoskrnl/stand_in.h"

/* Misuses since the driver was loaded, by kind; each is expected by some test. */
extern uint32_t misuses[KA_MISUSE_CONTEXT + 1];
ka_misuse_handler count_misuse;

/* NULL where the kernel is Wine's own, or Windows. */
extern const stand_in *kernel;

void run_over_heaps(void); /* tests/suite, over a region and a heap in pool memory */
void run_port(void);       /* tests/windows/nt_*_suite.c */
void run_threads(void);    /* system threads on every processor, in the pool and in a heap */
void run_failures(void);   /* each allocation fails in turn */
void run_deaths(void);     /* what must end in KeBugCheckEx */
void run_end(void);        /* ends in KeBugCheckEx: no answer */

/* ---- system threads ---- */

typedef struct driver_thread {
    void (*function)(void *argument);
    void *argument;
    HANDLE handle;
} driver_thread;

/* PASSIVE_LEVEL. */
KA_MUST_USE bool thread_begin(driver_thread *t, void (*function)(void *argument), void *argument);
void thread_wait(driver_thread *t);

/* Runs a function in a thread of its own, at the caller's IRQL, which must end in KeBugCheckEx; `out` gets the code and
 * the four parameters. Only with `kernel`. Returns false if the function came back. */
bool dies(void (*function)(void *argument), void *argument, uintptr_t out[5]);

#endif
