/* virt.h: what the ports to QEMU's machines "virt" (aarch64 and riscv64) share. A CPU's folder supplies the functions
 * that are marked so.
 *
 * No device tree is read: the addresses of this machine's devices are fixed, firmware is asked for the CPUs, and
 * semihosting gives the command line. Only the size of memory is not to be had so: it comes as the word memory= of the
 * command line. On another board all that would come from the tree, by a library for it.
 */
#ifndef KA_VIRT_H
#define KA_VIRT_H

#include <ka_arch.h>

#include <stdint.h>

/* Fills the first page tables, with paging off: memory below KA_ARCH_DIRECT_END at its own address, the image in small
 * pages; not the first 2 MiB, so that NULL faults, nor the page below the stack. Returns the root. */
ka_arch_entry *ka_virt_tables(void);

/* From entry.S, on the first CPU with paging on. Goes on to bare_start. */
__attribute__((noreturn)) void ka_virt_start(uintptr_t id);

/* One call of semihosting. By the CPU's folder. */
uintptr_t ka_semihost(uintptr_t operation, const void *arguments);

/* Finds the CPUs; `id` is what the entry was called with. By the CPU's folder. */
void ka_cpus_find(uintptr_t id);

/* The start of another CPU, on its own stack, from entry.S. By the CPU's folder. */
__attribute__((noreturn)) void ka_arch_cpu_run(unsigned number);

/* Read by entry.S for the CPU that is being started. */
extern uintptr_t ka_cpu_stack, ka_cpu_number;

#endif
