/* hot.h: what is counted: functions of a driver's image, which its entry point returns. See count.c. */
#ifndef HOT_H
#define HOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN64)
#define HOT_CALL
#else
#define HOT_CALL __attribute__((ms_abi))
#endif

typedef void HOT_CALL hot_function(void);
typedef bool HOT_CALL hot_open(void *(HOT_CALL *allocate_pool2)(uint64_t flags, size_t size, uint32_t tag));
typedef bool HOT_CALL hot_close(void);

typedef struct hot_table {
    hot_open *open;   /* first; what ExAllocatePool2 is, which a driver looks up */
    hot_close *close; /* last: nothing is left */
    hot_function *nothing;
    hot_function *system_alloc, *system_free; /* the pool, called as a driver without us calls it */
    hot_function *pool_alloc, *pool_zalloc, *pool_free;
    hot_function *heap_pair, *heap_pair_by_interface;
    hot_function *begin, *end; /* all but `nothing` lie between these two, and nothing else does */
} hot_table;

typedef const hot_table *HOT_CALL hot_entry(void);

#endif
