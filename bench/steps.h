/* steps.h: how many instructions a call takes, exactly, without an emulator: x86-64's flag TF traps behind each, and
 * the trap's handler counts from the call to the instruction behind it. Call, return and whatever is called inside are
 * counted, the caller's other instructions are not: each figure is the same in every run of the same binary.
 *
 *     steps_begin((uintptr_t)function);
 *     function(...);
 *     count = steps_end();
 */
#ifndef BENCH_STEPS_H
#define BENCH_STEPS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#if defined(__x86_64__)

static struct {
    uintptr_t entry, stack; /* of the function that is counted; its stack pointer at the entry */
    bool inside;
    unsigned long count;
} steps_trap;

static void steps_on_trap(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    if (steps_trap.inside) {
        steps_trap.count++;
        steps_trap.inside = (uintptr_t)regs[REG_RSP] <= steps_trap.stack;
    } else if ((uintptr_t)regs[REG_RIP] == steps_trap.entry) {
        steps_trap.inside = true;
        steps_trap.count = 1; /* the call */
        steps_trap.stack = (uintptr_t)regs[REG_RSP];
    }
}

/* Once, first. */
static inline bool steps_install(void)
{
    struct sigaction action = { .sa_sigaction = steps_on_trap, .sa_flags = SA_SIGINFO };
    return sigaction(SIGTRAP, &action, NULL) == 0;
}

/* Both to be inlined: a return while the flag is set would be taken for the function's own. */
static inline __attribute__((always_inline)) void steps_begin(uintptr_t entry)
{
    steps_trap.entry = entry;
    steps_trap.inside = false;
    steps_trap.count = 0;
    __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; orq $0x100, (%%rsp); popfq; lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}

static inline __attribute__((always_inline)) unsigned long steps_end(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
    return steps_trap.count;
}

#endif

#endif
