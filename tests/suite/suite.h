/* suite.h: suites that run on the host and inside a kernel. Freestanding.
 *
 * tests/suite/<noun>_suite.c defines one kit_suite. Who runs it fills in suite_env first: on the host
 * tests/suite/<noun>_test.c, in the kernel tests/kernel/main.c.
 */
#ifndef SUITE_H
#define SUITE_H

#include <ka/alloc.h>
#include <ka/string.h>

#include "kit.h"

typedef struct kit_suite {
    const char *name;
    const kit_case *cases;
    size_t count;
} kit_suite;

/* What the suites run on. They leave nothing live in the allocator. */
typedef struct suite_env {
    ka_allocator *allocator;
    size_t heap_bytes; /* bytes of the heap as it starts */
    size_t limit;      /* bytes that it grows to on demand, heap_bytes if it does not */
} suite_env;

extern suite_env suite;
extern ka_formatter *suite_formatter; /* the program's printf, if it has one */

extern const kit_suite collection_suite; /* vecs in order, deque, list, priority queue, slice, chains of boxes */
extern const kit_suite heap_suite;       /* the interface of any heap, and regions of its own */
extern const kit_suite map_suite;        /* map, set, hash map, hash set, string */
extern const kit_suite owner_suite;      /* box, vec, rc */
extern const kit_suite string_suite;     /* formatted text */
extern const kit_suite turns_suite;      /* owners and collections while each allocation fails in turn */

#endif
