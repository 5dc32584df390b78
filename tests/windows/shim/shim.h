/* shim.h: what a test asks of the shim ntoskrnl: which Windows it plays, what it was asked for, what it refuses.
 * The kernel's own suites see only tests/suite/nt_suite.h. */
#ifndef KA_TESTS_SHIM_H
#define KA_TESTS_SHIM_H

#include <ntddk.h>

#include <setjmp.h>
#include <stdbool.h>

typedef enum shim_version { SHIM_WINDOWS_7, SHIM_WINDOWS_8, SHIM_1909, SHIM_2004 } shim_version;

/* What the last call of a kind asked for. */
typedef struct shim_pool_call {
    const char *routine; /* "ExAllocatePool2" */
    POOL_TYPE type;      /* of the older routines */
    ULONG64 flags;       /* of the newer ones */
    SIZE_T size;
    ULONG tag;
    long node;     /* -1: not said */
    long priority; /* -1: not said */
} shim_pool_call;

typedef struct shim_contiguous_call {
    const char *routine;
    SIZE_T size;
    LONGLONG lowest, highest, boundary;
    ULONG protect;            /* of MmAllocateContiguousNodeMemory */
    MEMORY_CACHING_TYPE type; /* of the others */
    ULONG node;
} shim_contiguous_call;

typedef struct shim_bugcheck {
    bool armed; /* come back to `back`; else the program ends */
    ULONG code;
    ULONG_PTR parameter[4];
    jmp_buf back;
} shim_bugcheck;

extern shim_version shim_windows;
extern shim_pool_call shim_pool;
extern shim_contiguous_call shim_contiguous;
extern long shim_pool_calls, shim_contiguous_calls, shim_zero_sizes;
extern long shim_fail_after; /* allocations that still succeed; -1: all. Then each one fails, until it is set again */
extern bool shim_keeps_routines[2]; /* false: contiguous NodeMemory [0], SpecifyCacheNode [1] are missing */
extern _Thread_local shim_bugcheck shim_end; /* of KeBugCheckEx */
extern _Thread_local KIRQL shim_irql;
extern unsigned char shim_zero_byte; /* what cleared memory is filled with */
extern unsigned shim_processors; /* how many there may be; four there are */
extern bool shim_migrates; /* threads change processors at each look at their number */

struct nt_hooks;
extern const struct nt_hooks shim_hooks; /* of tests/windows/nt_suite.h, without `dies` */

long shim_live(void);       /* requests of the pool that were not freed */
long shim_live_pages(void); /* contiguous */
ULONG shim_tag_of(const void *block);

#endif
