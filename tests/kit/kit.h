/* kit.h: the smallest thing that lets one test run on the host and inside a kernel: cases, checks, and TAP lines.
 * Freestanding. The programs are run and counted by Perl's TAP::Harness (tools/check).
 */
#ifndef KIT_H
#define KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ka/types.h>

typedef struct kit_case {
    const char *name;
    void (*run)(void);
} kit_case;

/* A failed check prints its place and marks the case as failed. KIT_CHECK also leaves the function (of type void). */
#define KIT_CHECK(fact)                            \
    do {                                           \
        if (!(fact)) {                             \
            kit_fail(__FILE__, __LINE__, #fact);   \
            return;                                \
        }                                          \
    } while (0)
#define KIT_EXPECT(fact) ((fact) ? (void)0 : kit_fail(__FILE__, __LINE__, #fact))

/* For checkers: NULL is success, anything else is printed. */
#define KIT_CHECK_SOUND(words)                     \
    do {                                           \
        const char *broken_ = (words);             \
        if (broken_ != NULL) {                     \
            kit_fail(__FILE__, __LINE__, broken_); \
            return;                                \
        }                                          \
    } while (0)

void kit_fail(const char *file, unsigned line, const char *what);
bool kit_failed(void); /* the case that runs now has failed */

/* Marks the case that runs now as skipped, with the reason. */
void kit_skip(const char *why);

/* A diagnostic line ("# ..."); formats as ka_format does. */
void kit_note(const char *format, ...) KA_PRINTF(1, 2);

/* Says that so many random steps were compared with a model; tools/check.pl adds them up. */
void kit_steps(uint64_t count);

/* Where lines go; a host program needs not call it: kit_host.c does. */
void kit_set_output(void (*write)(const char *line));

/* Starts the count over, runs cases under "<suite>: <name>", and ends with the plan line. kit_end returns 0 if all
 * passed. */
void kit_begin(void);
void kit_run(const char *suite, const kit_case *cases, size_t count);
int kit_end(void);

#define KIT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A host program of one suite. In a kernel the suites are run one after another instead. */
int kit_main(const char *suite, const kit_case *cases, size_t count);

/* Random numbers: splitmix64, the same sequence everywhere. `kit_seed` of 0 is fine. */
typedef struct kit_random {
    uint64_t state;
} kit_random;
uint64_t kit_next(kit_random *random);
uint64_t kit_below(kit_random *random, uint64_t bound); /* 0 to bound - 1; bound > 0 */

/* A size to ask for: mostly 1 to `usual`, now and then 0, else log-uniform up to twice `most`, so that some must fail.
 */
size_t kit_size(kit_random *random, size_t usual, size_t most);

/* An alignment, mostly up to 16: below 2^most_shift; one of four from 32 on, below 32 * 2^middle. */
size_t kit_align(kit_random *random, unsigned middle, unsigned most_shift);

/* Stamps a block with bytes that depend on `seed`, and checks them. */
void kit_stamp(void *block, size_t size, uint64_t seed);
bool kit_stamped(const void *block, size_t size, uint64_t seed);

#endif
