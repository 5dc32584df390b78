/* guests.h: the two guests. */
#ifndef GUESTS_H
#define GUESTS_H

#include "vcpu.h"

/* Real mode: looks at cpuid, writes to its port, touches memory in sixteen pages, halts. */
extern const vcpu_guest guest_real;

/* Long mode with page tables of its own: the same with an MSR, then GUEST_LONG_CALLS calls, a new page at each 512th,
 * and the sum of what it wrote there as result. */
enum { GUEST_LONG_CALLS = 100000, GUEST_LONG_STEP = 512 };
extern const vcpu_guest guest_long;

#endif
