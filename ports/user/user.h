/* ports/user/user.h: what the files of the user port share. */
#ifndef KA_PORTS_USER_H
#define KA_PORTS_USER_H

#include <ka/user.h>

/* As ka_user_heap_init, for malloc: `map` is zeroed memory for the classes of all pages of 4 KiB by address. */
KA_MUST_USE bool ka_user_malloc_init(ka_heap *heap, size_t size, uint8_t *map);

/* A thread that gets the slot, and one that leaves it or has vanished in a fork; and in a fork's child before these. */
void ka_user_cells_begin(unsigned slot);
void ka_user_cells_end(unsigned slot);
void ka_user_cells_forked(void);

#endif
