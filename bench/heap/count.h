/* count.h: counting instructions under callgrind, free of the loop around what is counted.
 *
 * Each loop is run twice, by the same machine code: with the functions that are asked about, and with empty ones of
 * known length. The counts of the two are equal but for the calls, so
 *     a pair = (loop - loop with empty functions) / pairs + instructions of an empty pair
 * with each call and each return counted as one instruction. The loops call through registers: no PLT is passed.
 * Callgrind zeroes its count before each loop and writes one dump behind it, named by the row; the driver subtracts.
 */
#ifndef COUNT_H
#define COUNT_H

#include <stddef.h>
#include <valgrind/callgrind.h>

#define COUNT_PAIRS ((size_t)10000)

/* The same machine code for whatever is passed in: called through a volatile pointer, so that it is not specialised. */
#define COUNT_LOOP __attribute__((noinline, noipa))

/* What stands for nothing: 2 instructions and 1, each with its return, and a call of 1 each: 5 for a pair. */
void *count_empty_alloc(void);
void count_empty_free(void);
#define COUNT_EMPTY_PAIR 5

/* Prints "NAME_usual N": the median of pairs with `live` blocks (at most 64), without callgrind. See count_step.c. */
void count_steps(const char *name, size_t size, size_t live);

#define COUNT_BEGIN     CALLGRIND_ZERO_STATS
#define COUNT_END(name) CALLGRIND_DUMP_STATS_AT(name)

#endif
