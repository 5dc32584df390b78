/* base/no_cells.h: for ports without cells: see ports/contract.h. */
#ifndef KA_BASE_NO_CELLS_H
#define KA_BASE_NO_CELLS_H

#include <stddef.h>
#include <stdint.h>

#define KA_PORT_CELLS 0u

static inline uintptr_t ka_port_cell_none(void)
{
    return 0;
}
static inline uintptr_t ka_port_cell_new(void)
{
    return 0;
}
static inline void ka_port_cell_drop(uintptr_t cell)
{
    (void)cell;
}
static inline void ka_port_cells_lock(void)
{
}
static inline void ka_port_cells_unlock(void)
{
}
static inline uintptr_t *ka_port_cell_of(uintptr_t cell, unsigned slot)
{
    (void)cell, (void)slot;
    return NULL;
}
static inline uintptr_t ka_port_cell_take(uintptr_t cell, uintptr_t busy)
{
    (void)busy;
    return cell;
}
static inline void ka_port_cell_give(uintptr_t cell, uintptr_t value)
{
    (void)cell, (void)value;
}

#endif
