/* stand_in.h: what the stand-in for ntoskrnl.exe gives a test driver beside the kernel's own routines. A driver finds it by
 * MmGetSystemRoutineAddress(L"KaStandIn"), which answers NULL on Windows and on Wine's own kernel. */
#ifndef STAND_IN_H
#define STAND_IN_H

#include <stdbool.h>
#include <stdint.h>

typedef struct stand_in {
    void (*windows)(int version); /* shim_version: which routines there are, from now on */
    void (*fail_after)(long n);   /* n allocations of pool or physical memory succeed, then each one fails; -1: none */
    void (*migrate)(bool);        /* threads change processors at each look at their number */
    long (*live)(void);           /* requests of the pool that are not freed */
    long (*live_pages)(void);     /* contiguous */
    void (*expect_end)(uintptr_t *out); /* the next bug check of this thread ends it, and writes code and parameters */
} stand_in;

typedef const stand_in *stand_in_get(void);

#endif
