/* cpu.h: what the files of this folder share. */
#ifndef KA_ARCH_CPU_H
#define KA_ARCH_CPU_H

#include <stdint.h>

/* Gives this CPU its number, trap entry and interrupts. First thing on each CPU. */
void ka_cpu_begin(unsigned number);

/* Handles an interrupt; `cause` without its top bit. */
void ka_interrupt(uint64_t cause);

/* Calls the firmware (SBI). */
typedef struct ka_firmware_result {
    int64_t error; /* 0: none */
    uint64_t value;
} ka_firmware_result;
ka_firmware_result ka_firmware(uint64_t extension, uint64_t function, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

#endif
