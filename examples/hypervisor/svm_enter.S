/* svm_enter.S: see svm.h. */
    .text
    .globl svm_enter, svm_on_stack
    .type svm_enter, @function
    .type svm_on_stack, @function

svm_enter:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rdx                              /* the host's page */
    pushq %rsi                              /* the guest's registers */
    movq %rdx, %rax
    vmsave
    movq %rdi, %rax
    movq 0(%rsi), %rbx
    movq 8(%rsi), %rcx
    movq 16(%rsi), %rdx
    movq 32(%rsi), %rdi
    movq 40(%rsi), %rbp
    movq 48(%rsi), %r8
    movq 56(%rsi), %r9
    movq 64(%rsi), %r10
    movq 72(%rsi), %r11
    movq 80(%rsi), %r12
    movq 88(%rsi), %r13
    movq 96(%rsi), %r14
    movq 104(%rsi), %r15
    movq 24(%rsi), %rsi
    clgi                                    /* nothing is delivered to the host from here to stgi; */
    sti                                     /* but what comes while the guest runs ends its run */
    vmload
    vmrun
    vmsave
    xchgq %rsi, (%rsp)                      /* the guest's rsi; its registers' place */
    movq %rbx, 0(%rsi)
    movq %rcx, 8(%rsi)
    movq %rdx, 16(%rsi)
    movq %rdi, 32(%rsi)
    movq %rbp, 40(%rsi)
    movq %r8, 48(%rsi)
    movq %r9, 56(%rsi)
    movq %r10, 64(%rsi)
    movq %r11, 72(%rsi)
    movq %r12, 80(%rsi)
    movq %r13, 88(%rsi)
    movq %r14, 96(%rsi)
    movq %r15, 104(%rsi)
    popq 24(%rsi)
    popq %rax
    vmload                                  /* the host's GS, before any handler of its own can run */
    cli
    stgi
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

svm_on_stack:
    pushq %rbp
    movq %rsp, %rbp
    movq %rdx, %rsp
    movq %rdi, %rax
    movq %rsi, %rdi
    call *%rax
    movq %rbp, %rsp
    popq %rbp
    ret

    .section .note.GNU-stack, "", @progbits
