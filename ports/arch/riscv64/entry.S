/* entry.S: from the firmware (supervisor mode, paging off, a0 the CPU's number for it) to C, the trap entry, probes,
 * jumps. */
    .section .text.boot, "ax", @progbits
    .globl ka_boot_entry
ka_boot_entry:
    csrci sstatus, 2
    mv s0, a0
    la t0, ka_bss_start
    la t1, ka_image_end
1:  sd zero, (t0)
    addi t0, t0, 8
    bltu t0, t1, 1b
    la sp, ka_stack_end
    call ka_virt_tables
    call paging_on
    mv a0, s0
    mv s0, zero
    mv tp, zero
    call ka_virt_start
1:  j 1b

/* Another CPU: a0 is its number for the firmware, a1 the root of the tables. */
    .globl ka_cpu_entry
ka_cpu_entry:
    csrci sstatus, 2
    mv a0, a1
    call paging_on
    la t0, ka_cpu_stack
    ld sp, (t0)
    la t0, ka_cpu_number
    ld a0, (t0)
    mv s0, zero
    call ka_arch_cpu_run
1:  j 1b

/* Paging on, Sv48, with the tables at a0. */
paging_on:
    srli a0, a0, 12
    li t0, 9
    slli t0, t0, 60
    or a0, a0, t0
    sfence.vma
    csrw satp, a0
    sfence.vma
    ret

/* ---- traps ---- */

    .text
    .align 2
    .globl ka_trap
ka_trap:
    addi sp, sp, -256
    sd ra, 0(sp)
    sd gp, 8(sp)
    sd t0, 16(sp)
    sd t1, 24(sp)
    sd t2, 32(sp)
    sd s0, 40(sp)
    sd s1, 48(sp)
    sd a0, 56(sp)
    sd a1, 64(sp)
    sd a2, 72(sp)
    sd a3, 80(sp)
    sd a4, 88(sp)
    sd a5, 96(sp)
    sd a6, 104(sp)
    sd a7, 112(sp)
    sd s2, 120(sp)
    sd s3, 128(sp)
    sd s4, 136(sp)
    sd s5, 144(sp)
    sd s6, 152(sp)
    sd s7, 160(sp)
    sd s8, 168(sp)
    sd s9, 176(sp)
    sd s10, 184(sp)
    sd s11, 192(sp)
    sd t3, 200(sp)
    sd t4, 208(sp)
    sd t5, 216(sp)
    sd t6, 224(sp)
    csrr t0, sepc
    sd t0, 232(sp)
    csrr t0, sstatus
    sd t0, 240(sp)
    mv a0, sp
    call ka_arch_exception
    ld t0, 232(sp)
    csrw sepc, t0
    ld t0, 240(sp)
    csrw sstatus, t0
    ld ra, 0(sp)
    ld gp, 8(sp)
    ld t0, 16(sp)
    ld t1, 24(sp)
    ld t2, 32(sp)
    ld s0, 40(sp)
    ld s1, 48(sp)
    ld a0, 56(sp)
    ld a1, 64(sp)
    ld a2, 72(sp)
    ld a3, 80(sp)
    ld a4, 88(sp)
    ld a5, 96(sp)
    ld a6, 104(sp)
    ld a7, 112(sp)
    ld s2, 120(sp)
    ld s3, 128(sp)
    ld s4, 136(sp)
    ld s5, 144(sp)
    ld s6, 152(sp)
    ld s7, 160(sp)
    ld s8, 168(sp)
    ld s9, 176(sp)
    ld s10, 184(sp)
    ld s11, 192(sp)
    ld t3, 200(sp)
    ld t4, 208(sp)
    ld t5, 216(sp)
    ld t6, 224(sp)
    addi sp, sp, 256
    sret

/* ---- probes: a fault in between goes on at ka_probe_failed ---- */

    .globl ka_arch_can_read, ka_arch_can_write, ka_probe_begin, ka_probe_end, ka_probe_failed
    .type ka_arch_can_read, @function
    .type ka_arch_can_write, @function
ka_probe_begin:
ka_arch_can_read:
    lb a1, (a0)
    li a0, 1
    ret
ka_arch_can_write:
    andi a0, a0, -4
    amoor.w a1, zero, (a0)
    li a0, 1
    ret
ka_probe_end:
ka_probe_failed:
    li a0, 0
    ret

/* ---- a jump back to a marked place ---- */

    .globl ka_arch_mark_set, ka_arch_jump
    .type ka_arch_mark_set, @function
    .type ka_arch_jump, @function
ka_arch_mark_set:
    sd ra, 0(a0)
    sd sp, 8(a0)
    sd s0, 16(a0)
    sd s1, 24(a0)
    sd s2, 32(a0)
    sd s3, 40(a0)
    sd s4, 48(a0)
    sd s5, 56(a0)
    sd s6, 64(a0)
    sd s7, 72(a0)
    sd s8, 80(a0)
    sd s9, 88(a0)
    sd s10, 96(a0)
    sd s11, 104(a0)
    li a0, 0
    ret
ka_arch_jump:
    ld ra, 0(a0)
    ld sp, 8(a0)
    ld s0, 16(a0)
    ld s1, 24(a0)
    ld s2, 32(a0)
    ld s3, 40(a0)
    ld s4, 48(a0)
    ld s5, 56(a0)
    ld s6, 64(a0)
    ld s7, 72(a0)
    ld s8, 80(a0)
    ld s9, 88(a0)
    ld s10, 96(a0)
    ld s11, 104(a0)
    li a0, 1
    ret

/* ---- semihosting (three instructions in one page), and calls of the firmware ---- */

    .globl ka_semihost, ka_firmware
    .type ka_semihost, @function
    .type ka_firmware, @function
    .balign 16
    .option push
    .option norvc
ka_semihost:
    slli zero, zero, 0x1f
    ebreak
    srai zero, zero, 7
    ret
    .option pop

/* (extension, function, a, b, c, d); the error in a0, the value in a1: a struct of two words. */
ka_firmware:
    mv a7, a0
    mv a6, a1
    mv a0, a2
    mv a1, a3
    mv a2, a4
    mv a3, a5
    ecall
    ret

    .section .bss.boot, "aw", @nobits
    .balign 4096
    .globl ka_stack_guard, ka_stack_end
ka_stack_guard:
    .skip 4096
    .skip 65536
ka_stack_end:

    .section .note.GNU-stack, "", @progbits
