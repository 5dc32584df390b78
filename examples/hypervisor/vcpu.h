/* vcpu.h: one virtual CPU: a structure of owners, some in physically contiguous memory, one in kernel memory.
 *
 * The CPU reads the control block, the permission maps, its own save area and the nested page tables by their physical
 * addresses: it is the one that proves the allocator right. Dropping the box drops each part once, whichever of them
 * were made.
 */
#ifndef VCPU_H
#define VCPU_H

#include <ka/box.h>
#include <ka/reserve.h>

#include "nested.h"
#include "svm.h"

enum { VCPU_TEXT_MAX = 64, VCPU_PAGES_READY = 32, VCPU_PAGES_MAX = 512 };

/* Aligned to a page, as the CPU wants them. */
typedef struct vcpu_control {
    _Alignas(SVM_PAGE) svm_vmcb vmcb;
} vcpu_control;
typedef struct vcpu_page {
    _Alignas(SVM_PAGE) uint8_t bytes[SVM_PAGE];
} vcpu_page;
typedef struct vcpu_msr_map { /* two bits for each register */
    _Alignas(SVM_PAGE) uint8_t bits[2 * SVM_PAGE];
} vcpu_msr_map;
typedef struct vcpu_io_map { /* a bit for each port, and some behind */
    _Alignas(SVM_PAGE) uint8_t bits[3 * SVM_PAGE];
} vcpu_io_map;
typedef struct vcpu_host_stack {
    _Alignas(16) uint8_t bytes[0x6000];
} vcpu_host_stack;

KA_BOX(vcpu_control_box, vcpu_control, KA_NO_DROP)
KA_BOX(vcpu_page_box, vcpu_page, KA_NO_DROP)
KA_BOX(vcpu_msr_map_box, vcpu_msr_map, KA_NO_DROP)
KA_BOX(vcpu_io_map_box, vcpu_io_map, KA_NO_DROP)
KA_BOX(vcpu_host_stack_box, vcpu_host_stack, KA_NO_DROP)

/* What the guest starts with, and where it lies in its memory. */
typedef struct vcpu_guest {
    const char *name;
    const uint8_t *image;
    size_t image_size;
    uint64_t image_at;    /* guest physical address, a multiple of 4 KiB */
    uint64_t memory_size; /* bytes of guest memory from address 0 */
    bool long_mode;       /* else real mode */
    uint64_t page_root;   /* in long mode: where the image has its page tables */
} vcpu_guest;

typedef enum vcpu_end {
    VCPU_HALTED,    /* the guest has ended */
    VCPU_NO_MEMORY, /* a page was needed and the reserve was empty */
    VCPU_BAD_EXIT   /* an exit that nobody expected; the control block says which */
} vcpu_end;

typedef struct vcpu {
    vcpu_control_box control;
    vcpu_page_box host_area; /* where the CPU keeps the host's state while the guest runs */
    vcpu_page_box host_state;
    vcpu_msr_map_box msr_map;
    vcpu_io_map_box io_map;
    vcpu_host_stack_box host_stack; /* exits are handled on it */

    /* Pages for the exit handler, which must not wait: filled up between exits, with interrupts on. */
    ka_reserve pages;
    bool pages_open, pages_low;
    uint64_t pages_memory[KA_RESERVE_SIZE(VCPU_PAGES_MAX) / sizeof(uint64_t)];
    nested memory;

    const vcpu_guest *guest;
    svm_registers registers;
    uint64_t msr;             /* the one register that the guest may have */
    uint64_t result;          /* what the guest has handed over */
    char text[VCPU_TEXT_MAX]; /* what it has written to its port */
    size_t text_length;
    size_t exits, calls, interrupts; /* counts; interrupts: exits because the host was interrupted */
    vcpu_end end;
} vcpu;

void vcpu_drop_parts(vcpu *self);
KA_BOX(vcpu_box, vcpu, vcpu_drop_parts)

/* Makes a virtual CPU that is ready to run.
 *
 * physical, kernel  where its parts come from
 * returns           false: no memory; all that was taken on the way is back, and *out is untouched
 */
KA_MUST_USE bool vcpu_open(vcpu_box *out, const vcpu_guest *guest, ka_allocator *physical, ka_allocator *kernel);

/* Runs the guest until it ends. SVM must be available; interrupts may be on or off and are as before afterwards. */
vcpu_end vcpu_run(vcpu *self);

/* Handles one exit (exits.c). false: the run is over, and self->end says why. */
bool vcpu_handle_exit(vcpu *self);

#endif
