/* exceptions.c: the table of exceptions and interrupts, and what an exception that nobody expected prints.
 *
 * A double fault runs on a stack of its own (cpu.c), so that a full kernel stack, whose page fault cannot be delivered,
 * is still reported. Everything else, NMIs too, runs on the stack that it interrupts. Interrupt lines are masked at the
 * old controllers: what comes, comes from the local APIC.
 */
#include <ka_arch.h>

#include <ka/handler.h>

#include "cpu.h"
#include "io.h"
#include "ports/bare/cpus.h"

/* As entry.S leaves it. */
typedef struct exception_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
} exception_frame;

typedef struct gate {
    uint16_t offset_low, selector;
    uint8_t stack, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
} gate;

typedef struct __attribute__((packed)) table_pointer {
    uint16_t limit;
    uint64_t base;
} table_pointer;

enum { EXCEPTIONS = 32, STUB_BYTES = 16, GATE_INTERRUPT = 0x8e };
enum { VECTOR_NMI = 2, VECTOR_DOUBLE_FAULT = 8, VECTOR_PAGE_FAULT = 14 };

extern const char ka_exception_stubs[], ka_probe_read[], ka_probe_write[], ka_probe_failed[];

void ka_arch_exception(exception_frame *frame);

static gate gates[KA_VECTORS];

/* clang-format off */
static const char *const names[EXCEPTIONS] = {
    "divide error",         "debug",              "non-maskable interrupt", "breakpoint",
    "overflow",             "bound range",        "invalid opcode",         "device not available",
    "double fault",         "exception",          "invalid task state",     "segment not present",
    "stack segment fault",  "protection fault",   "page fault",             "exception",
    "x87 error",            "alignment check",    "machine check",          "vector error",
    "virtualization",       "control protection", "exception",              "exception",
    "exception",            "exception",          "exception",              "exception",
    "hypervisor injection", "vmm communication",  "security",               "exception",
};
/* clang-format on */

static void gate_set(unsigned vector, uint8_t stack)
{
    uintptr_t at = (uintptr_t)ka_exception_stubs + vector * STUB_BYTES;
    gates[vector] = (gate){ .offset_low = (uint16_t)at,
                            .selector = KA_CODE_SELECTOR,
                            .stack = stack,
                            .type = GATE_INTERRUPT,
                            .offset_middle = (uint16_t)(at >> 16),
                            .offset_high = (uint32_t)(at >> 32) };
}

void ka_arch_exceptions_start(void)
{
    io_out_8(0x21, 0xff); /* both old interrupt controllers: every line masked */
    io_out_8(0xa1, 0xff);
    for (unsigned i = 0; i < KA_VECTORS; i++)
        gate_set(i, i == VECTOR_DOUBLE_FAULT ? KA_DOUBLE_FAULT_STACK : 0);
    ka_cpu_begin(0);
}

void ka_exceptions_load(void)
{
    table_pointer pointer = { sizeof gates - 1, (uintptr_t)gates };
    __asm__ volatile("lidt %0" : : "m"(pointer) : "memory");
}

static uint64_t fault_address(void)
{
    uint64_t address;
    __asm__ volatile("movq %%cr2, %0" : "=r"(address));
    return address;
}

static void log_page_fault(const exception_frame *frame)
{
    enum { PRESENT = 1, WRITE = 2, FETCH = 16 };
    const char *what = "read";
    if ((frame->error & FETCH) != 0)
        what = "execute";
    else if ((frame->error & WRITE) != 0)
        what = "write";
    ka_log("  cannot %s %p: %s", what, (void *)(uintptr_t)fault_address(),
           (frame->error & PRESENT) != 0 ? "not allowed" : "not mapped");
}

/* clang-format off */
#define REGISTER(name) { #name, offsetof(exception_frame, name) }
static const struct register_place {
    const char *name;
    size_t offset; /* bytes */
} registers[] = {
    REGISTER(rip), REGISTER(rsp), REGISTER(rflags), REGISTER(cs),
    REGISTER(rax), REGISTER(rbx), REGISTER(rcx),    REGISTER(rdx),
    REGISTER(rsi), REGISTER(rdi), REGISTER(rbp),    REGISTER(r8),
    REGISTER(r9),  REGISTER(r10), REGISTER(r11),    REGISTER(r12),
    REGISTER(r13), REGISTER(r14), REGISTER(r15),    REGISTER(ss),
};
/* clang-format on */

static unsigned long long register_value(const exception_frame *frame, const struct register_place *place)
{
    return *(const uint64_t *)(const void *)((const char *)frame + place->offset);
}

/* Four in a line. */
static void log_registers(const exception_frame *frame, const struct register_place *four)
{
    ka_log("  %-6s %016llx  %-6s %016llx  %-6s %016llx  %-6s %016llx", four[0].name, register_value(frame, &four[0]),
           four[1].name, register_value(frame, &four[1]), four[2].name, register_value(frame, &four[2]), four[3].name,
           register_value(frame, &four[3]));
}

static void log_frame(const exception_frame *frame)
{
    ka_log("exception %u: %s, error code 0x%llx, CPU %u", (unsigned)frame->vector, names[frame->vector],
           (unsigned long long)frame->error, ka_arch_cpu());
    if (frame->vector == VECTOR_PAGE_FAULT)
        log_page_fault(frame);
    if (frame->vector == VECTOR_DOUBLE_FAULT && bare_is_stack_guard(fault_address()))
        ka_log("  the kernel stack is full (guard page at %p)", (void *)(uintptr_t)(fault_address() & ~UINT64_C(4095)));
    for (unsigned i = 0; i < sizeof registers / sizeof registers[0]; i += 4)
        log_registers(frame, &registers[i]);
}

/* Called by every stub with interrupts off. */
void ka_arch_exception(exception_frame *frame)
{
    if (frame->rip == (uintptr_t)ka_probe_read || frame->rip == (uintptr_t)ka_probe_write) {
        if (frame->vector < EXCEPTIONS && frame->vector != VECTOR_NMI) {
            frame->rip = (uintptr_t)ka_probe_failed;
            return;
        }
    }
    switch (frame->vector) {
    case VECTOR_NMI:
        ka_apic_flush_serve();
        bare_on_nmi();
        return;
    case KA_VECTOR_TIMER:
        ka_apic_end();
        bare_on_timer();
        return;
    case KA_VECTOR_CALL:
        ka_apic_end();
        bare_on_call();
        return;
    case KA_VECTOR_SPURIOUS:
        return;
    default:
        break;
    }
    log_frame(frame);
    ka_port_panic("unexpected exception", __FILE__, __LINE__);
}
