/* linux_suites.h: the suites of the Linux test module, and what they share. */
#ifndef LINUX_SUITES_H
#define LINUX_SUITES_H

#include <ka/handler.h>
#include <ka/linux.h>

#include "suite/suite.h"

extern const kit_suite cleanup_suite;  /* owners under <linux/cleanup.h> */
extern const kit_suite contract_suite; /* the interface over each of the kernel's allocators */
extern const kit_suite context_suite;  /* who may call what where */
extern const kit_suite dma_suite;      /* ka_physical, and memory for a device */
extern const kit_suite failing_suite;  /* each call into the kernel for memory fails in turn */
extern const kit_suite pages_suite;    /* a heap that takes pages and gives them back */
extern const kit_suite storm_suite;    /* the general heap in interrupts, softirqs and NMIs of every CPU */

/* Misuses since the module was loaded, by kind; each is expected by some test. */
extern unsigned misuses[KA_MISUSE_CONTEXT + 1];

/* The handler that counts them. */
void count_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                  const void *site);

/* Runs a function in a hard interrupt of this CPU, and waits for its end. */
void run_in_interrupt(void (*function)(void));

#endif
