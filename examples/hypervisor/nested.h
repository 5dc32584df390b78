/* nested.h: the page tables from a guest's physical addresses to the machine's. They own the pages that they map. */
#ifndef NESTED_H
#define NESTED_H

#include <ka/alloc.h>

/* All zero owns nothing. */
typedef struct nested {
    uint64_t *root;
    ka_allocator *pages; /* of 4 KiB, aligned, physically contiguous; also for tables */
    size_t mapped;       /* pages of the guest */
    size_t tables;
} nested;

/* Makes empty tables. false: no memory, and nothing was taken. */
KA_MUST_USE bool nested_open(nested *self, ka_allocator *pages);

/* Gives all tables and mapped pages back. A second time does nothing. */
void nested_drop(nested *self);

/* Maps a new cleared page at a guest address, a multiple of 4 KiB that is not mapped, and returns it. NULL: no memory;
 * nothing is mapped, and tables made on the way stay with `self`. Any context that the allocator allows; flags are
 * passed to it. */
KA_MUST_USE void *nested_map_new(nested *self, uint64_t guest, ka_flags flags);

/* The mapped page at a guest address, or NULL. */
void *nested_find(const nested *self, uint64_t guest);

#endif
