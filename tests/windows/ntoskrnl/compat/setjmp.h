/* setjmp.h: a bug check that is expected ends its thread; nobody jumps. */
#ifndef STAND_IN_SETJMP_H
#define STAND_IN_SETJMP_H

#include <stdint.h>

typedef struct stand_in_end {
    uintptr_t *out; /* gets the code and the four parameters */
} jmp_buf[1];

_Noreturn void longjmp(jmp_buf end, int value);

#endif
