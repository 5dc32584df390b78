/* kernel_suites.h: suites that run only inside the bare-metal kernel, one file of tests/kernel each. */
#ifndef KERNEL_SUITES_H
#define KERNEL_SUITES_H

#include "suite/suite.h"

extern ka_formatter *const kernel_formatter; /* tests/kernel/printf: the kernel's printf for strings, or NULL */

extern const kit_suite port_suite;
extern const kit_suite boot_suite;
extern const kit_suite frames_suite;
extern const kit_suite physical_suite;
extern const kit_suite paging_suite;
extern const kit_suite cpus_suite;
extern const kit_suite region_growth_suite; /* before the region heap has grown to its limit */
extern const kit_suite region_suite;        /* after the heap suite has filled it */
extern const kit_suite kernel_heap_suite;
extern const kit_suite stress_suite;
extern const kit_suite nodes_suite; /* on a machine of two nodes */

/* Does one forbidden thing, named by the word crash= of the command line; returns if there is no such word. */
void kernel_crash(void);

#endif
