/* svm.h: AMD's virtualization as this example uses it: the control block, its constants, the way in and out.
 * After AMD64 Architecture Programmer's Manual, volume 2, chapter 15 and appendix B.
 */
#ifndef SVM_H
#define SVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SVM_PAGE 4096

/* ---- what exits, and why ---- */

enum { /* first word of intercepts */
       SVM_INTERCEPT_INTR = UINT32_C(1) << 0,
       SVM_INTERCEPT_NMI = UINT32_C(1) << 1,
       SVM_INTERCEPT_CPUID = UINT32_C(1) << 18,
       SVM_INTERCEPT_HLT = UINT32_C(1) << 24,
       SVM_INTERCEPT_IO = UINT32_C(1) << 27,
       SVM_INTERCEPT_MSR = UINT32_C(1) << 28,
};
#define SVM_INTERCEPT_SHUTDOWN (UINT32_C(1) << 31)
#define SVM_INTERCEPT_SVM      UINT32_C(0x7f) /* second word: vmrun (must be set), vmmcall, vmload, ... skinit */

enum {
    SVM_EXIT_INTR = 0x60,
    SVM_EXIT_NMI = 0x61,
    SVM_EXIT_CPUID = 0x72,
    SVM_EXIT_HLT = 0x78,
    SVM_EXIT_IO = 0x7b,
    SVM_EXIT_MSR = 0x7c,
    SVM_EXIT_VMMCALL = 0x81,
    SVM_EXIT_NESTED_FAULT = 0x400,
};

#define SVM_IO_IN         UINT64_C(1) /* exit_info_1 of an IO exit */
#define SVM_IO_PORT(info) ((uint16_t)((info) >> 16))
#define SVM_MSR_WRITE     UINT64_C(1)         /* exit_info_1 of an MSR exit */
#define SVM_INTR_MASKING  (UINT64_C(1) << 24) /* the guest's interrupt flag does not mask the host's */
#define SVM_FLUSH_ALL     1                   /* tlb_control */

/* ---- the control block ---- */

typedef struct svm_segment {
    uint16_t selector,
        attributes; /* bits 0 to 3 type, 4 S, 5 and 6 DPL, 7 present, 9 long, 10 default size, 11 pages */
    uint32_t limit;
    uint64_t base;
} svm_segment;

typedef struct svm_vmcb {
    uint32_t intercept_cr, intercept_dr, intercept_exceptions, intercepts[2];
    uint8_t reserved_1[0x040 - 0x014];
    uint64_t io_map, msr_map, tsc_offset; /* physical addresses of the permission maps */
    uint32_t asid;
    uint32_t tlb_control;
    uint64_t virtual_interrupts, interrupt_shadow;
    uint64_t exit_code, exit_info_1, exit_info_2, exit_interrupt;
    uint64_t nested_paging;
    uint8_t reserved_2[0x0a8 - 0x098];
    uint64_t event_injection;
    uint64_t nested_root; /* physical address of the root of the nested page tables */
    uint8_t reserved_3[0x400 - 0x0b8];
    svm_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved_4[0x4d0 - 0x4a0];
    uint64_t efer;
    uint8_t reserved_5[0x548 - 0x4d8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved_6[0x5d8 - 0x580];
    uint64_t rsp;
    uint8_t reserved_7[0x5f8 - 0x5e0];
    uint64_t rax;
    uint8_t reserved_8[0x640 - 0x600];
    uint64_t cr2;
    uint8_t reserved_9[0x668 - 0x648];
    uint64_t pat;
    uint8_t reserved_10[SVM_PAGE - 0x670];
} svm_vmcb;

_Static_assert(offsetof(svm_vmcb, io_map) == 0x040, "the manual's offset");
_Static_assert(offsetof(svm_vmcb, virtual_interrupts) == 0x060, "the manual's offset");
_Static_assert(offsetof(svm_vmcb, exit_code) == 0x070, "the manual's offset");
_Static_assert(offsetof(svm_vmcb, nested_root) == 0x0b0, "the manual's offset");
_Static_assert(offsetof(svm_vmcb, cs) == 0x410 && offsetof(svm_vmcb, tr) == 0x490, "the manual's offset");
_Static_assert(offsetof(svm_vmcb, cr0) == 0x558 && offsetof(svm_vmcb, rip) == 0x578, "the manual's offset");
_Static_assert(offsetof(svm_vmcb, pat) == 0x668 && sizeof(svm_vmcb) == SVM_PAGE, "the manual's offset");

/* The guest's registers that the control block does not hold. svm_enter.S knows the order. */
typedef struct svm_registers {
    uint64_t rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
} svm_registers;

/* ---- the CPU ---- */

/* Whether this CPU has SVM with nested paging, and the firmware has not locked it. */
bool svm_available(void);

/* Turns SVM on; `host_area` is the physical address of a page that is the CPU's until svm_off. */
void svm_on(uint64_t host_area);
void svm_off(void);

/* Runs the guest until it exits. Interrupts are off; one that came meanwhile is delivered when they go on.
 *
 * vmcb       physical address of the guest's control block
 * host_vmcb  physical address of a page for what vmrun does not save of the host: FS, GS, TR, KernelGSBase
 */
void svm_enter(uint64_t vmcb, svm_registers *registers, uint64_t host_vmcb);

/* Calls a function on another stack. */
void svm_on_stack(void (*function)(void *context), void *context, void *stack_end);

#endif
