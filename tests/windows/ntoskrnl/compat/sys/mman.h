/* mman.h: memory for the physical pages that tests/windows/shim plays. */
#ifndef STAND_IN_MMAN_H
#define STAND_IN_MMAN_H

#include <stddef.h>

#define mmap(address, size, protection, flags, file, offset) stand_in_map(size)

void *stand_in_map(size_t size);

#endif
