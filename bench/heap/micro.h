/* micro.h: what the rows of the micro benchmark share. A host program; the allocator it tests is whatever malloc is. */
#ifndef MICRO_H
#define MICRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One row, run in a process of its own. It calls micro_report once for each figure. */
typedef struct micro_row {
    const char *name;
    void (*run)(void);
} micro_row;

extern const micro_row micro_single[], micro_threads[], micro_memory[]; /* each ends with a NULL name */

/* Operations to do where a row does `full` of them by default: --scale PERCENT. */
size_t micro_count(size_t full);
void micro_report(const char *name, double value);
void micro_fail(const char *why);

/* ---- clocks: seconds ---- */

double micro_cpu(void);    /* of the process, user and system: another process on the CPU does not count */
double micro_thread(void); /* of the thread */
double micro_wall(void);

/* ---- requests, made before the clock starts ---- */

typedef struct micro_random {
    uint64_t state;
} micro_random;

typedef struct micro_request {
    uint32_t slot; /* which of the live blocks is replaced */
    uint32_t size; /* bytes */
} micro_request;

#define MICRO_REQUESTS ((size_t)1 << 20)
#define MICRO_MOST     ((size_t)1000000) /* live blocks */

extern micro_request micro_requests[MICRO_REQUESTS];

uint64_t micro_next(micro_random *random);
uint64_t micro_below(micro_random *random, uint64_t bound); /* 0 to bound - 1; bound < 2^32 */

/* A size as kernels ask for it: drawn from the objects that were live in a Linux 6.18 (/proc/slabinfo), 8 bytes to 8
 * KiB, 215 bytes in the mean. */
uint32_t micro_kernel_size(micro_random *random);

/* A size with a logarithmic law from `least` to `most`, both powers of two. */
uint32_t micro_log_size(micro_random *random, unsigned least_shift, unsigned most_shift);

/* Fills micro_requests: slots below `live`, sizes by the kernel's law. */
void micro_fill_requests(uint64_t seed, size_t live);

/* ---- blocks ---- */

/* A new block, its first bytes written: memory that is not touched is not used. */
#define MICRO_TOUCH(block) (*(volatile uint64_t *)(block) = 1)

void *micro_must(void *block); /* ends the program if it is NULL */

#endif
