/* cpus.h: several CPUs: started one after the other, then asleep until there is work for all.
 *
 * A CPU's number is 0 to bare_cpu_count() - 1; 0 is the one that booted. Each has a stack of its own with an unmapped
 * page below it.
 */
#ifndef BARE_CPUS_H
#define BARE_CPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void bare_work(void *context);

/* Starts every CPU there is. Called once, by the first, with interrupts off. Panics if one does not come. */
void bare_cpus_start(void);

/* How many CPUs run. */
unsigned bare_cpu_count(void);
bool bare_cpu_is_online(unsigned number);

/* The node that a CPU's nearest memory belongs to; 0 where the machine does not tell. Set before start-up; a number
 * beyond the CPUs is passed over. */
unsigned bare_cpu_node(unsigned number);
void bare_cpu_set_node(unsigned number, unsigned node);

/* Runs `work` on every CPU at once, this one included, with interrupts off at its start; returns when all have ended.
 * For CPU 0, outside of interrupts; `work` does not call it again. */
void bare_cpus_run(bare_work *work, void *context);

/* Has every other CPU run `work` in an interrupt, and this one, too; returns when all have. Any CPU, also several at
 * once, with interrupts on or off; not in an interrupt, and not with a lock held that another CPU waits for with
 * interrupts off. */
void bare_cpus_call(bare_work *work, void *context);

/* What is called at a timer interrupt and at an NMI, on the CPU that it came to, with interrupts off. NULL: nothing.
 * Change them while no timer is armed. */
extern void (*bare_timer_handler)(void);
extern void (*bare_nmi_handler)(void);

/* Whether an address lies in the unmapped page below a CPU's stack. */
bool bare_is_stack_guard(uintptr_t address);

/* ---- called by ports/arch/<cpu> ---- */

/* The life of a CPU other than the first, from its first moment with a stack, number and exceptions. */
__attribute__((noreturn)) void bare_cpu_main(unsigned number);

/* In an interrupt of the timer, from ka_arch_call_send, in an NMI. */
void bare_on_timer(void);
void bare_on_call(void);
void bare_on_nmi(void);

#endif
