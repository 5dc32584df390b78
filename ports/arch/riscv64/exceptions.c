/* exceptions.c: where the trap entry leads, and what an exception that nobody expected prints.
 *
 * A page fault may come from what a CPU remembers of a page that was not mapped until a moment ago: each is tried once
 * more after the CPU has forgotten it, and counts when it comes again.
 *
 * Shortcoming: exceptions run on the stack that they interrupt; one that is full ends the machine without a word.
 */
#include <ka_arch.h>

#include <ka/handler.h>

#include "cpu.h"

/* As entry.S leaves it. */
typedef struct exception_frame {
    uint64_t kept[29]; /* ra gp t0-t2 s0 s1 a0-a7 s2-s11 t3-t6 */
    uint64_t pc, status, reserved;
} exception_frame;

#define CAUSE_INTERRUPT ((uint64_t)1 << 63)

enum { CAUSE_FETCH_FAULT = 12, CAUSE_READ_FAULT = 13, CAUSE_WRITE_FAULT = 15 };

extern const char ka_trap[], ka_probe_begin[], ka_probe_end[], ka_probe_failed[];

void ka_arch_exception(exception_frame *frame);

/* The page fault that each CPU has tried once more. */
static struct {
    uint64_t pc, address;
} tried[KA_ARCH_MAX_CPUS];

void ka_arch_exceptions_start(void)
{
    ka_cpu_begin(0);
}

static bool try_again(uint64_t cause, uint64_t pc, uint64_t address)
{
    unsigned cpu = ka_arch_cpu();
    if (cause != CAUSE_FETCH_FAULT && cause != CAUSE_READ_FAULT && cause != CAUSE_WRITE_FAULT)
        return false;
    if (tried[cpu].pc == pc && tried[cpu].address == address) {
        tried[cpu].pc = 0;
        return false;
    }
    tried[cpu].pc = pc;
    tried[cpu].address = address;
    ka_arch_flush_page(address);
    return true;
}

static void log_frame(const exception_frame *frame, uint64_t cause, uint64_t address)
{
    ka_log("exception: cause %llu, address 0x%llx, CPU %u", (unsigned long long)cause, (unsigned long long)address,
           ka_arch_cpu());
    ka_log("  pc     %016llx  status %016llx", (unsigned long long)frame->pc, (unsigned long long)frame->status);
    ka_log("  ra     %016llx  a0     %016llx  a1     %016llx", (unsigned long long)frame->kept[0],
           (unsigned long long)frame->kept[7], (unsigned long long)frame->kept[8]);
}

/* Called by the trap entry with interrupts off. */
void ka_arch_exception(exception_frame *frame)
{
    uint64_t cause, address;
    __asm__ volatile("csrr %0, scause\n\tcsrr %1, stval" : "=r"(cause), "=r"(address));
    if ((cause & CAUSE_INTERRUPT) != 0) {
        ka_interrupt(cause & ~CAUSE_INTERRUPT);
        return;
    }
    if (try_again(cause, frame->pc, address))
        return;
    if (frame->pc >= (uintptr_t)ka_probe_begin && frame->pc < (uintptr_t)ka_probe_end) {
        frame->pc = (uintptr_t)ka_probe_failed;
        return;
    }
    log_frame(frame, cause, address);
    ka_port_panic("unexpected exception", __FILE__, __LINE__);
}
