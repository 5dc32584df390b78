/* start.h: from the CPU's entry to the program, and what each kernel image supplies. */
#ifndef BARE_START_H
#define BARE_START_H

/* Readies frames, page rights and the kernel heap, runs kernel_main and ends the machine with its result. Called once
 * by ports/arch/<cpu>, with bare_boot filled in, the console and exceptions ready, interrupts off. */
__attribute__((noreturn)) void bare_start(void);

/* The image's program. Returns 0 for success; anything else is the machine's failing status. */
int kernel_main(void);

#endif
