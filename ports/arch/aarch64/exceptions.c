/* exceptions.c: where the vectors of entry.S lead, and what an exception that nobody expected prints.
 *
 * Shortcoming: exceptions run on the stack that they interrupt; one that is full ends the machine without a word.
 */
#include <ka_arch.h>

#include <ka/handler.h>

#include "cpu.h"

/* As entry.S leaves it. */
typedef struct exception_frame {
    uint64_t x[31];
    uint64_t pc, status;
} exception_frame;

enum { VECTOR_SYNCHRONOUS = 4, VECTOR_INTERRUPT = 5 }; /* of the kernel itself */

extern const char ka_vectors[], ka_probe_begin[], ka_probe_end[], ka_probe_failed[];

void ka_arch_exception(exception_frame *frame, unsigned vector);

void ka_exceptions_load(void)
{
    __asm__ volatile("msr vbar_el1, %0\n\tisb" : : "r"(ka_vectors) : "memory");
}

void ka_arch_exceptions_start(void)
{
    ka_cpu_begin(0);
}

static void log_frame(const exception_frame *frame, unsigned vector)
{
    uint64_t syndrome, address;
    __asm__ volatile("mrs %0, esr_el1\n\tmrs %1, far_el1" : "=r"(syndrome), "=r"(address));
    ka_log("exception: vector %u, syndrome 0x%llx, address 0x%llx, CPU %u", vector, (unsigned long long)syndrome,
           (unsigned long long)address, ka_arch_cpu());
    ka_log("  pc     %016llx  status %016llx", (unsigned long long)frame->pc, (unsigned long long)frame->status);
    for (unsigned i = 0; i < 30; i += 3)
        ka_log("  x%-5u %016llx  x%-5u %016llx  x%-5u %016llx", i, (unsigned long long)frame->x[i], i + 1,
               (unsigned long long)frame->x[i + 1], i + 2, (unsigned long long)frame->x[i + 2]);
}

/* Called by every vector with interrupts off. */
void ka_arch_exception(exception_frame *frame, unsigned vector)
{
    bool in_probe = frame->pc >= (uintptr_t)ka_probe_begin && frame->pc < (uintptr_t)ka_probe_end;
    if (vector == VECTOR_INTERRUPT) {
        ka_interrupt();
        return;
    }
    if (vector == VECTOR_SYNCHRONOUS && in_probe) {
        frame->pc = (uintptr_t)ka_probe_failed;
        return;
    }
    log_frame(frame, vector);
    ka_port_panic("unexpected exception", __FILE__, __LINE__);
}
