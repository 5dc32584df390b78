/* cpu.c: what each CPU has of its own: its number, where GS points, its segments, and a stack for double faults. */
#include "cpu.h"

#include <ka_arch.h>

typedef struct __attribute__((packed)) task_state {
    uint32_t reserved_0;
    uint64_t stacks[3];
    uint64_t reserved_1;
    uint64_t interrupt_stacks[7]; /* KA_DOUBLE_FAULT_STACK is the first */
    uint64_t reserved_2;
    uint16_t reserved_3, io_map;
} task_state;

typedef struct __attribute__((packed)) table_pointer {
    uint16_t limit;
    uint64_t base;
} table_pointer;

typedef struct cpu {
    uint32_t number; /* first: ka_arch_cpu reads it */
    uint64_t descriptors[5];
    task_state task;
    _Alignas(64) char double_fault_stack[4096];
} cpu;

#define MSR_PAT     0x277u
#define MSR_GS_BASE 0xc0000101u

/* What an entry's bits for caching stand for: as after reset, but write-combining (1) in the place of write-through. */
#define ATTRIBUTES UINT64_C(0x0007040600070106)

static cpu cpus[KA_ARCH_MAX_CPUS];

static void msr_write(uint32_t number, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static void segments_load(cpu *self)
{
    uint64_t at = (uintptr_t)&self->task, limit = sizeof self->task - 1;
    self->task.interrupt_stacks[0] = (uintptr_t)(self->double_fault_stack + sizeof self->double_fault_stack);
    self->task.io_map = sizeof self->task;
    self->descriptors[1] = 0x00af9b000000ffff; /* code, 64-bit */
    self->descriptors[2] = 0x00cf93000000ffff; /* data */
    self->descriptors[3] = limit | (at & 0xffffff) << 16 | UINT64_C(0x89) << 40 | (at >> 24 & 0xff) << 56;
    self->descriptors[4] = at >> 32;
    table_pointer pointer = { sizeof self->descriptors - 1, (uintptr_t)self->descriptors };
    __asm__ volatile("lgdt %0\n\tltr %w1" : : "m"(pointer), "r"((uint16_t)KA_TASK_SELECTOR) : "memory");
}

void ka_cpu_begin(unsigned number)
{
    cpu *self = &cpus[number];
    self->number = number;
    msr_write(MSR_GS_BASE, (uintptr_t)self);
    msr_write(MSR_PAT, ATTRIBUTES); /* no page uses what changes */
    segments_load(self);
    ka_exceptions_load();
}
