/* driver_suites.h: the suites of the test driver, and what they share. */
#ifndef DRIVER_SUITES_H
#define DRIVER_SUITES_H

#include <ka/handler.h>
#include <ka/windows.h>

#include "suite/suite.h"

/* Misuses since the driver was loaded, by kind; each is expected by some test. */
extern uint32_t misuses[KA_MISUSE_CONTEXT + 1];

void run_over_heaps(void); /* tests/suite, over a region and a heap in pool memory, and over the pool */

#endif
