/* guests_code.S: what the guests run; see guests.h. Each image is copied into guest memory page by page as it is
 * touched. */
    .section .rodata.guests, "a", @progbits
    .balign 4096
    .globl guest_real_start, guest_long_start

/* ---- real mode, at 0x1000, CS = 0x100 ---- */

    .code16
guest_real_start:
    movl $0x40000000, %eax
    cpuid
    cmpl $0x6e72656b, %ebx                  /* "kern" */
    jne 9f
    movw $1f - guest_real_start, %si        /* text, by CS */
    movw $0xe9, %dx
2:  movb %cs:(%si), %al
    testb %al, %al
    jz 3f
    outb %al, %dx
    incw %si
    jmp 2b
3:  inb $0x60, %al                          /* a port that nobody has */
    cmpb $0xff, %al
    jne 9f
    xorw %bx, %bx                           /* sixteen pages from 0x20000 on */
    movw $0x2000, %ax
    movw %ax, %ds
    movw $16, %cx
    xorw %di, %di
4:  movw %cx, (%di)
    addw (%di), %bx
    addw $4096, %di
    loop 4b
    movzwl %bx, %ebx                        /* 16 + 15 + ... + 1 */
    movl $2, %eax
    vmmcall
    hlt
9:  movl $0xbad, %eax
    vmmcall
1:  .asciz "real mode"

    .balign 4096

/* ---- long mode, at 0x100000; page tables: the first 8 MiB at their own addresses ---- */

    .code64
guest_long_start:
    movl $0x40000000, %eax
    cpuid
    cmpl $0x636f6c6c, %edx                  /* "lloc" */
    jne 9f
    leaq 1f(%rip), %rsi
    movw $0xe9, %dx
2:  movb (%rsi), %al
    testb %al, %al
    jz 3f
    outb %al, %dx
    incq %rsi
    jmp 2b
3:  movl $0xc0000103, %ecx
    movl $0x11223344, %eax
    movl $0x55667788, %edx
    wrmsr
    xorl %eax, %eax
    xorl %edx, %edx
    rdmsr
    cmpl $0x11223344, %eax
    jne 9f
    cmpl $0x55667788, %edx
    jne 9f

    movl $100000, %r12d                     /* GUEST_LONG_CALLS */
    movl $0x200000, %edi
4:  movl $1, %eax
    vmmcall
    testl $511, %r12d                       /* GUEST_LONG_STEP */
    jnz 5f
    movq %r12, (%rdi)
    addq $4096, %rdi
5:  decl %r12d
    jnz 4b

    xorl %ebx, %ebx                         /* what was written is still there */
6:  subq $4096, %rdi
    addq (%rdi), %rbx
    cmpq $0x200000, %rdi
    ja 6b
    movl $2, %eax
    vmmcall
    hlt
9:  movl $0xbad, %eax
    vmmcall
1:  .asciz "long mode"

    .balign 4096
    .quad 0x102000 + 7                      /* 0x101000: root */
    .balign 4096
    .quad 0x103000 + 7                      /* 0x102000 */
    .balign 4096
    .quad 0x000000 + 0x87, 0x200000 + 0x87, 0x400000 + 0x87, 0x600000 + 0x87 /* 0x103000: pages of 2 MiB */
    .balign 4096

    .section .note.GNU-stack, "", @progbits
