/* count_empty.S: functions of known length, with the callers of malloc and free none the wiser. */
        .text
        .globl  count_empty_alloc
        .type   count_empty_alloc, @function
count_empty_alloc:
        lea     block(%rip), %rax
        ret
        .globl  count_empty_free
        .type   count_empty_free, @function
count_empty_free:
        ret
        .local  block
        .comm   block, 64, 16
        .section .note.GNU-stack, "", @progbits
