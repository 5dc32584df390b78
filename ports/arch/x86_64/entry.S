/* entry.S: from the PVH entry (32-bit, flat, paging off) to C in long mode, and the stubs of the exceptions.
 *
 * Page tables at boot: everything below 4 GiB is mapped at its own address, the first 8 MiB in pages of 4 KiB (the
 * image, so that text, constants and data get rights of their own, and the stack its guard), the rest in 2 MiB.
 *
 *   boot_root[0] -> boot_level3[0..3] -> boot_level2[0..2047] -> 2 MiB each; the first four lead to ka_boot_level1
 */
    .section .note.Xen, "a", @note
    .align 4
    .long 4, 4, 18                          /* name size, value size, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long ka_boot_entry

/* From 32-bit code with paging off to `target` in long mode, on the page tables below boot_root. */
    .macro enter_long_mode target
    movl %cr4, %eax
    orl $0x20, %eax                         /* PAE */
    movl %eax, %cr4
    movl $boot_root, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx                  /* EFER: long mode, no-execute */
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80010001, %eax                   /* paging, write protection for the kernel too, protected mode */
    movl %eax, %cr0
    lgdt boot_gdt_pointer
    ljmp $8, $\target
    .endm

    .macro load_segments
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    .endm

    .section .text.boot, "ax", @progbits
    .code32
    .globl ka_boot_entry
ka_boot_entry:
    cli
    cld
    movl %ebx, %ebp                         /* hvm_start_info */

    movl $ka_bss_start, %edi                /* page tables and stack lie there too */
    movl $ka_image_end, %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    xorl %eax, %eax
    rep stosl

    movl $boot_level3 + 3, boot_root        /* 3: present, writable */
    movl $boot_level3, %edi
    movl $boot_level2 + 3, %eax
    movl $4, %ecx
1:  movl %eax, (%edi)
    addl $4096, %eax
    addl $8, %edi
    loop 1b

    movl $boot_level2, %edi
    movl $0x83, %eax                        /* present, writable, large */
    movl $2048, %ecx
2:  movl %eax, (%edi)
    movl $0x80000000, 4(%edi)               /* bit 63: not executable */
    addl $0x200000, %eax
    addl $8, %edi
    loop 2b

    movl $boot_level2, %edi
    movl $ka_boot_level1 + 3, %eax
    movl $4, %ecx
3:  movl %eax, (%edi)
    movl $0, 4(%edi)
    addl $4096, %eax
    addl $8, %edi
    loop 3b

    movl $ka_boot_level1, %edi
    movl $3, %eax
    movl $2048, %ecx
4:  movl %eax, (%edi)
    movl $0x80000000, 4(%edi)
    addl $4096, %eax
    addl $8, %edi
    loop 4b

    movl $ka_text_start, %edi               /* but the text is code */
    movl $ka_text_end, %ecx
    subl %edi, %ecx
    shrl $12, %ecx
    shrl $9, %edi
5:  movl $0, ka_boot_level1 + 4(%edi)
    addl $8, %edi
    loop 5b

    movl $ka_stack_guard, %eax
    shrl $12, %eax
    movl $0, ka_boot_level1(, %eax, 8)      /* a stack that is full faults */

    enter_long_mode start64

    .code64
start64:
    movq $ka_stack_end, %rsp
    movl %ebp, %edi
    xorl %ebp, %ebp
    load_segments
    call ka_arch_start
    ud2

/* ---- the other CPUs: one at a time, after apic.c has copied the first part to KA_TRAMPOLINE below 1 MiB ---- */

    .code16
    .globl ka_trampoline, ka_trampoline_end
ka_trampoline:                              /* in real mode, CS is the copy's place */
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl trampoline_gdt_pointer - ka_trampoline
    movl $0x11, %eax                        /* protected mode, caches on */
    movl %eax, %cr0
    ljmpl $24, $cpu_start32
trampoline_gdt_pointer:
    .word 4 * 8 - 1
    .long boot_gdt
ka_trampoline_end:

    .code32
cpu_start32:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    enter_long_mode cpu_start64

    .code64
cpu_start64:
    movq ka_cpu_stack, %rsp
    movl ka_cpu_number, %edi
    xorl %ebp, %ebp
    load_segments
    call ka_arch_cpu_run
    ud2

    .section .rodata.boot, "a", @progbits
    .align 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff                /* 8: code, 64-bit */
    .quad 0x00cf93000000ffff                /* 16: data */
    .quad 0x00cf9b000000ffff                /* 24: code, 32-bit */
boot_gdt_pointer:
    .word . - boot_gdt - 1
    .long boot_gdt

    .section .bss.boot, "aw", @nobits
    .align 4096
    .globl ka_stack_guard, ka_stack_end, ka_boot_level1
ka_stack_guard:
    .skip 4096
    .skip 65536
ka_stack_end:
boot_root:
    .skip 4096
boot_level3:
    .skip 4096
boot_level2:
    .skip 4 * 4096
ka_boot_level1:
    .skip 4 * 4096

/* ---- exceptions and interrupts: one stub each, so that C sees vector and error code in one frame ---- */

    .text
    .macro stub vector, has_code
    .align 16
    .if \has_code == 0
    pushq $0
    .endif
    pushq $\vector
    jmp exception_common
    .endm

    .align 16
    .globl ka_exception_stubs               /* KA_VECTORS stubs, 16 bytes apart; the error code of those without is 0 */
ka_exception_stubs:
    .irp v, 0, 1, 2, 3, 4, 5, 6, 7
    stub \v, 0
    .endr
    stub 8, 1
    stub 9, 0
    .irp v, 10, 11, 12, 13, 14
    stub \v, 1
    .endr
    stub 15, 0
    stub 16, 0
    stub 17, 1
    .irp v, 18, 19, 20
    stub \v, 0
    .endr
    stub 21, 1
    .irp v, 22, 23, 24, 25, 26, 27, 28
    stub \v, 0
    .endr
    stub 29, 1
    stub 30, 1
    .irp v, 31, 32, 33, 34, 35
    stub \v, 0
    .endr

    .align 16
exception_common:
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rdi
    movq %rsp, %rbx
    andq $-16, %rsp
    cld
    call ka_arch_exception
    movq %rbx, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    addq $16, %rsp
    iretq

/* ---- probes: a fault at the marked instruction goes on at ka_probe_failed ---- */

    .globl ka_arch_can_read, ka_arch_can_write, ka_probe_read, ka_probe_write, ka_probe_failed
    .type ka_arch_can_read, @function
    .type ka_arch_can_write, @function
ka_arch_can_read:
ka_probe_read:
    movb (%rdi), %al
    movl $1, %eax
    ret
ka_arch_can_write:
ka_probe_write:
    lock orb $0, (%rdi)
    movl $1, %eax
    ret
ka_probe_failed:
    xorl %eax, %eax
    ret

/* ---- a jump back to a marked place ---- */

    .globl ka_arch_mark_set, ka_arch_jump
    .type ka_arch_mark_set, @function
    .type ka_arch_jump, @function
ka_arch_mark_set:
    movq %rbx, 0(%rdi)
    movq %rbp, 8(%rdi)
    movq %r12, 16(%rdi)
    movq %r13, 24(%rdi)
    movq %r14, 32(%rdi)
    movq %r15, 40(%rdi)
    leaq 8(%rsp), %rax
    movq %rax, 48(%rdi)
    movq (%rsp), %rax
    movq %rax, 56(%rdi)
    xorl %eax, %eax
    ret
ka_arch_jump:
    movq 0(%rdi), %rbx
    movq 8(%rdi), %rbp
    movq 16(%rdi), %r12
    movq 24(%rdi), %r13
    movq 32(%rdi), %r14
    movq 40(%rdi), %r15
    movq 48(%rdi), %rsp
    movl $1, %eax
    jmp *56(%rdi)

    .section .note.GNU-stack, "", @progbits
