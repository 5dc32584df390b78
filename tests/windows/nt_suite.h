/* nt_suite.h: suites of what ka/windows.h adds. Freestanding: they run in a program of the host over the shim ntoskrnl
 * (tests/windows/shim) and in a driver. What only the host or an override of ntoskrnl can do (play an older Windows,
 * refuse, tell what was asked, end a thread instead of the machine) comes in as hooks; without them those cases are
 * skipped. None of that is Windows: the suites' names say what they run over.
 */
#ifndef NT_SUITE_H
#define NT_SUITE_H

#include "suite/suite.h"

typedef enum nt_version { NT_WINDOWS_7, NT_WINDOWS_8, NT_1909, NT_2004 } nt_version;

typedef struct nt_pool_call {
    const char *routine; /* "ExAllocatePool2" */
    uint64_t flags;      /* of the newer routines */
    uint32_t type;       /* of the older ones */
    uint32_t tag;
    size_t size;
    long node, priority; /* -1: not said */
} nt_pool_call;

typedef struct nt_contiguous_call {
    const char *routine;
    size_t size;
    uint64_t lowest, highest, boundary;
    uint32_t protect, type, node;
} nt_contiguous_call;

typedef struct nt_hooks {
    void (*play)(nt_version version);                                   /* the caller runs ka_nt_start afterwards */
    void (*hide_contiguous)(bool node_memory, bool specify_cache_node); /* the caller runs ka_nt_start afterwards */
    long (*live)(void);             /* requests of the pool that were not freed; of this driver alone */
    long (*live_pages)(void);       /* contiguous */
    void (*fail_after)(long count); /* so many requests are served, then none; -1: all */
    long (*pool_calls)(void);
    long (*contiguous_calls)(void);
    void (*pool)(nt_pool_call *last);
    void (*contiguous)(nt_contiguous_call *last);
    uint8_t (*set_irql)(uint8_t level); /* returns the old one */
    void (*zero_byte)(uint8_t byte);    /* what memory that the system clears is filled with, to see who clears */

    /* Runs call(argument) up to its end, or to KeBugCheckEx: true then, and the code and its parameters. */
    bool (*dies)(void (*call)(void *argument), void *argument, uintptr_t out[5]);
} nt_hooks;

/* Whoever runs the suites fills this in first, and has called ka_nt_start. */
typedef struct nt_env {
    const char *over;      /* for the suites' names: "a shim ntoskrnl" */
    const nt_hooks *hooks; /* or NULL */
    bool aligns_pages;     /* the pool keeps its word: requests of a page and more are aligned to one */
    bool has_contiguous, has_lookaside;
} nt_env;

extern nt_env nt;

extern const kit_suite nt_pool_suite;       /* ka_nt_pool */
extern const kit_suite nt_contiguous_suite; /* ka_physical, ka_nt_contiguous */
extern const kit_suite nt_heap_suite;       /* ka_nt_heap, ka_nt_lookaside, cache and reserve over them */
extern const kit_suite nt_end_suite;        /* the n-th failure, for every n; each misuse and its bug check */

/* Leaves the case if there are no hooks. */
#define NT_NEEDS_HOOKS()                                                \
    do {                                                                \
        if (nt.hooks == NULL) {                                         \
            kit_skip("nothing here can play another Windows or watch"); \
            return;                                                     \
        }                                                               \
    } while (0)

/* Becomes this Windows, with ka_nt_start. */
void nt_become(nt_version version);

/* Counts misuse, until nt_misuse_end; the last one's kind, block and size. */
typedef struct nt_misuse {
    unsigned count;
    ka_misuse kind;
    ka_allocator *allocator;
    const void *block;
    size_t size;
} nt_misuse;
extern nt_misuse nt_reported;
void nt_misuse_begin(void);
void nt_misuse_end(void);

bool nt_same(const char *a, const char *b);

#endif
