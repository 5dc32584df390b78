/* cpu.h: what the files of this folder share. */
#ifndef KA_ARCH_CPU_H
#define KA_ARCH_CPU_H

#include <stdint.h>

/* Gives this CPU its number, exception vectors and interrupts. First thing on each CPU. */
void ka_cpu_begin(unsigned number);

/* Loads the exception vectors, which all CPUs share. */
void ka_exceptions_load(void);

/* Asks the interrupt controller what there is, and handles it. */
void ka_interrupt(void);

/* Calls the firmware (PSCI). Returns its result, negative for an error. */
int64_t ka_firmware(uint64_t function, uint64_t a, uint64_t b, uint64_t c);

#endif
