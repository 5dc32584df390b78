/* stand_in.h: what the stand-in for ntoskrnl.exe gives a test driver beside the kernel's own routines. A driver finds
 * it by MmGetSystemRoutineAddress(L"KaStandIn"), which answers NULL on Windows and on Wine's own kernel. */
#ifndef STAND_IN_H
#define STAND_IN_H

#include <stdbool.h>
#include <stdint.h>

struct nt_hooks;

typedef struct stand_in {
    const struct nt_hooks *hooks;       /* of tests/windows/nt_suite.h, without `dies` */
    void (*migrate)(bool);              /* threads change processors at each look at their number */
    void (*expect_end)(uintptr_t *out); /* the next bug check of this thread ends it, and writes code and parameters */
} stand_in;

typedef const stand_in *stand_in_get(void);

#endif
