/* cold.h: the cold half of ka_arch.h, the same for every CPU. Included at its end. */
#ifndef KA_ARCH_COLD_H
#define KA_ARCH_COLD_H

/* Readies the serial port and the exception table. */
void ka_arch_console_start(void);
void ka_arch_exceptions_start(void);

/* Makes every CPU forget what it remembers of a range of pages, and of page tables on the way to them. Returns when all
 * have done so; they answer with interrupts off, too. Any context but an NMI. */
void ka_arch_flush_everywhere(uintptr_t base, size_t pages);

/* ---- several CPUs: see ports/bare/cpus.h for what they call ---- */

/* How many CPUs the machine has, KA_ARCH_MAX_CPUS at most. Those beyond are never started. */
unsigned ka_arch_cpu_count(void);

/* Starts CPU `number`, 1 to count - 1: it calls bare_cpu_main on the given stack. One at a time. */
void ka_arch_cpu_start(unsigned number, void *stack_end);

/* Interrupts another CPU: it calls bare_on_call. */
void ka_arch_call_send(unsigned number);

/* Interrupts another CPU even if its interrupts are off: it calls bare_on_nmi. false: this machine has no NMIs. */
bool ka_arch_nmi_send(unsigned number);

/* Has this CPU interrupted once, in so many ticks of its timer (about a nanosecond each): it calls bare_on_timer. 0:
 * not. */
void ka_arch_timer_arm(uint32_t ticks);

/* Writes one byte to the serial port; waits until there is room. */
void ka_arch_console_put(char byte);

/* Ends the machine: 0 is success, anything else failure (QEMU's exit status is 33, or another odd number). */
__attribute__((noreturn)) void ka_arch_exit(unsigned status);

/* A random word by an instruction of this CPU; false: it has none, or it is exhausted. */
bool ka_arch_entropy(uint64_t *out);

/* Whether a byte can be read, or written (it keeps its value), without a fault. */
bool ka_arch_can_read(const void *at);
bool ka_arch_can_write(void *at);

/* Marks a place to come back to: 0 at first, then 1 each time that ka_arch_jump comes back there. The function that
 * marked must not have returned. Registers that a called function keeps, and nothing else, are restored. */
__attribute__((returns_twice)) int ka_arch_mark_set(ka_arch_mark *mark);
__attribute__((noreturn)) void ka_arch_jump(ka_arch_mark *mark);

#endif
