/* exceptions.c: the exception table, and what an exception that nobody expected prints.
 *
 * A double fault runs on a stack of its own (TSS, first interrupt stack), so that a full kernel stack, whose page fault
 * cannot be delivered, is still reported. Interrupt lines are masked at the controllers: the interrupt flag may be on.
 */
#include <ka_arch.h>

#include <ka/handler.h>

#include "io.h"

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

typedef struct __attribute__((packed)) task_state {
    uint32_t reserved_0;
    uint64_t stacks[3];
    uint64_t reserved_1;
    uint64_t interrupt_stacks[7];
    uint64_t reserved_2;
    uint16_t reserved_3, io_map;
} task_state;

typedef struct __attribute__((packed)) table_pointer {
    uint16_t limit;
    uint64_t base;
} table_pointer;

enum { VECTORS = 32, STUB_BYTES = 16, CODE_SELECTOR = 8, TASK_SELECTOR = 24, GATE_INTERRUPT = 0x8e };
enum { VECTOR_DOUBLE_FAULT = 8, VECTOR_PAGE_FAULT = 14 };

extern const char ka_exception_stubs[], ka_probe_read[], ka_probe_write[], ka_probe_failed[];
extern char ka_stack_guard[];

void ka_arch_exception(exception_frame *frame);

static gate gates[VECTORS];
static task_state task;
static uint64_t descriptors[5] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0, 0 };
static _Alignas(16) char double_fault_stack[8192];

/* clang-format off */
static const char *const names[VECTORS] = {
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
                            .selector = CODE_SELECTOR,
                            .stack = stack,
                            .type = GATE_INTERRUPT,
                            .offset_middle = (uint16_t)(at >> 16),
                            .offset_high = (uint32_t)(at >> 32) };
}

static void task_start(void)
{
    uint64_t at = (uintptr_t)&task, limit = sizeof task - 1;
    task.interrupt_stacks[0] = (uintptr_t)(double_fault_stack + sizeof double_fault_stack);
    task.io_map = sizeof task;
    descriptors[3] = limit | (at & 0xffffff) << 16 | UINT64_C(0x89) << 40 | (at >> 24 & 0xff) << 56;
    descriptors[4] = at >> 32;
    table_pointer pointer = { sizeof descriptors - 1, (uintptr_t)descriptors };
    __asm__ volatile("lgdt %0\n\tltr %w1" : : "m"(pointer), "r"((uint16_t)TASK_SELECTOR) : "memory");
}

void ka_arch_exceptions_start(void)
{
    io_out_8(0x21, 0xff); /* both old interrupt controllers: every line masked */
    io_out_8(0xa1, 0xff);
    task_start();
    for (unsigned i = 0; i < VECTORS; i++)
        gate_set(i, i == VECTOR_DOUBLE_FAULT ? 1 : 0);
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
    ka_log("exception %u: %s, error code 0x%llx", (unsigned)frame->vector, names[frame->vector],
           (unsigned long long)frame->error);
    if (frame->vector == VECTOR_PAGE_FAULT)
        log_page_fault(frame);
    if (fault_address() - (uintptr_t)ka_stack_guard < 4096 && frame->vector == VECTOR_DOUBLE_FAULT)
        ka_log("  the kernel stack is full (guard page at %p)", (void *)ka_stack_guard);
    for (unsigned i = 0; i < sizeof registers / sizeof registers[0]; i += 4)
        log_registers(frame, &registers[i]);
}

/* Called by every stub with interrupts off. */
void ka_arch_exception(exception_frame *frame)
{
    if (frame->rip == (uintptr_t)ka_probe_read || frame->rip == (uintptr_t)ka_probe_write) {
        frame->rip = (uintptr_t)ka_probe_failed;
        return;
    }
    log_frame(frame);
    ka_port_panic("unexpected exception", __FILE__, __LINE__);
}
