/* count_step.c: the same counts without callgrind, one call at a time, on x86-64: the processor traps after each
 * instruction (flag TF), and the trap's handler counts from the call to the instruction behind it. It needs no
 * emulator, so it also counts allocators that do not start under one; and it tells the usual pair (the median) from
 * the mean, in which refills have their share.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include "count.h"

#define PAIRS 101

#if defined(__x86_64__)

static struct {
    uintptr_t entry, stack; /* of the function that is counted; its stack pointer at the entry */
    bool inside;
    unsigned long count;
} trap;

static void on_trap(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    if (trap.inside) {
        trap.count++;
        trap.inside = (uintptr_t)regs[REG_RSP] <= trap.stack;
    } else if ((uintptr_t)regs[REG_RIP] == trap.entry) {
        trap.inside = true;
        trap.count = 1; /* the call */
        trap.stack = (uintptr_t)regs[REG_RSP];
    }
}

/* To be inlined: a return before the trap is set would be taken for something else. */
static inline __attribute__((always_inline)) void trap_begin(uintptr_t entry)
{
    trap.entry = entry;
    trap.inside = false;
    trap.count = 0;
    __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; orq $0x100, (%%rsp); popfq; lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}

static inline __attribute__((always_inline)) unsigned long trap_end(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
    return trap.count;
}

static int order(const void *a, const void *b)
{
    unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;
    return x < y ? -1 : x > y;
}

void count_steps(const char *name, size_t size, size_t live)
{
    static void *blocks[64];
    static unsigned long pairs[PAIRS];
    void *(*volatile alloc)(size_t) = malloc;
    void (*volatile release)(void *) = free;
    struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
    if (sigaction(SIGTRAP, &action, NULL) != 0)
        return;
    for (size_t i = 0; i < 10 * PAIRS; i++) {
        release(blocks[i % live]);
        blocks[i % live] = alloc(size);
    }
    for (size_t i = 0; i < PAIRS; i++) {
        trap_begin((uintptr_t)release);
        release(blocks[i % live]);
        pairs[i] = trap_end();
        trap_begin((uintptr_t)alloc);
        blocks[i % live] = alloc(size);
        pairs[i] += trap_end();
    }
    for (size_t i = 0; i < live; i++) {
        release(blocks[i]);
        blocks[i] = NULL;
    }
    qsort(pairs, PAIRS, sizeof pairs[0], order);
    printf("%s_usual %lu\n", name, pairs[PAIRS / 2]);
}

#else

void count_steps(const char *name, size_t size, size_t live)
{
    (void)name, (void)size, (void)live;
}

#endif
