/* entry.S: from QEMU's loader (exception level 1, paging off) to C, the exception vectors, probes, jumps. */
    .section .text.boot, "ax", @progbits
    .globl ka_boot_entry
ka_boot_entry:
    msr daifset, #15
    ldr x1, =ka_bss_start
    ldr x2, =ka_image_end
1:  stp xzr, xzr, [x1], #16
    cmp x1, x2
    b.lo 1b
    ldr x1, =ka_stack_end
    mov sp, x1
    bl ka_virt_tables
    bl paging_on
    mrs x0, mpidr_el1
    mov x29, xzr
    bl ka_virt_start
    b .

/* Another CPU: x0 is the root of the tables. */
    .globl ka_cpu_entry
ka_cpu_entry:
    msr daifset, #15
    bl paging_on
    ldr x1, =ka_cpu_stack
    ldr x1, [x1]
    mov sp, x1
    ldr x0, =ka_cpu_number
    ldr x0, [x0]
    mov x29, xzr
    bl ka_arch_cpu_run
    b .

/* Paging on with the tables at x0, for both halves of the addresses. */
paging_on:
    ldr x1, =0x00ff                         /* attribute 0: cached memory; 1: devices */
    msr mair_el1, x1
    ldr x1, =0x2b5103510                    /* 48-bit addresses in both halves, 4 KiB, cached walks; 40-bit physical */
    msr tcr_el1, x1
    msr ttbr0_el1, x0
    msr ttbr1_el1, x0
    isb
    tlbi vmalle1
    dsb nsh
    isb
    mrs x1, sctlr_el1
    ldr x2, =0x1005                         /* paging, caches */
    orr x1, x1, x2
    msr sctlr_el1, x1
    isb
    ret

/* ---- exceptions: 16 entries of 128 bytes; each hands its number to C ---- */

    .macro entry number
    .balign 128
    sub sp, sp, #272
    stp x0, x1, [sp]
    mov x1, #\number
    b exception_common
    .endm

    .balign 2048
    .globl ka_vectors
ka_vectors:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    entry \n
    .endr

exception_common:
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    mrs x2, elr_el1
    stp x30, x2, [sp, #240]
    mrs x2, spsr_el1
    str x2, [sp, #256]
    mov x0, sp
    bl ka_arch_exception
    ldr x2, [sp, #256]
    msr spsr_el1, x2
    ldp x30, x2, [sp, #240]
    msr elr_el1, x2
    ldp x28, x29, [sp, #224]
    ldp x26, x27, [sp, #208]
    ldp x24, x25, [sp, #192]
    ldp x22, x23, [sp, #176]
    ldp x20, x21, [sp, #160]
    ldp x18, x19, [sp, #144]
    ldp x16, x17, [sp, #128]
    ldp x14, x15, [sp, #112]
    ldp x12, x13, [sp, #96]
    ldp x10, x11, [sp, #80]
    ldp x8, x9, [sp, #64]
    ldp x6, x7, [sp, #48]
    ldp x4, x5, [sp, #32]
    ldp x2, x3, [sp, #16]
    ldp x0, x1, [sp]
    add sp, sp, #272
    eret

/* ---- probes: a fault in between goes on at ka_probe_failed ---- */

    .globl ka_arch_can_read, ka_arch_can_write, ka_probe_begin, ka_probe_end, ka_probe_failed
    .type ka_arch_can_read, %function
    .type ka_arch_can_write, %function
ka_probe_begin:
ka_arch_can_read:
    ldrb w1, [x0]
    mov w0, #1
    ret
ka_arch_can_write:
    ldxrb w1, [x0]
    stxrb w2, w1, [x0]                      /* no matter if another's write came in between: it could be written */
    mov w0, #1
    ret
ka_probe_end:
ka_probe_failed:
    mov w0, #0
    ret

/* ---- a jump back to a marked place ---- */

    .globl ka_arch_mark_set, ka_arch_jump
    .type ka_arch_mark_set, %function
    .type ka_arch_jump, %function
ka_arch_mark_set:
    stp x19, x20, [x0]
    stp x21, x22, [x0, #16]
    stp x23, x24, [x0, #32]
    stp x25, x26, [x0, #48]
    stp x27, x28, [x0, #64]
    stp x29, x30, [x0, #80]
    mov x1, sp
    str x1, [x0, #96]
    mov w0, #0
    ret
ka_arch_jump:
    ldp x19, x20, [x0]
    ldp x21, x22, [x0, #16]
    ldp x23, x24, [x0, #32]
    ldp x25, x26, [x0, #48]
    ldp x27, x28, [x0, #64]
    ldp x29, x30, [x0, #80]
    ldr x1, [x0, #96]
    mov sp, x1
    mov w0, #1
    ret

/* ---- semihosting, and calls of the firmware ---- */

    .globl ka_semihost, ka_firmware
    .type ka_semihost, %function
    .type ka_firmware, %function
ka_semihost:
    hlt #0xf000
    ret
ka_firmware:
    hvc #0
    ret

    .section .bss.boot, "aw", @nobits
    .balign 4096
    .globl ka_stack_guard, ka_stack_end
ka_stack_guard:
    .skip 4096
    .skip 65536
ka_stack_end:

    .section .note.GNU-stack, "", @progbits
