/* ka_port.h of the simulation of many CPUs: one thread plays all of them, one after the other. */
#ifndef KA_PORT_H
#define KA_PORT_H

#include <stdbool.h>
#include <stdint.h>

#define KA_PORT_MAX_CPUS   1024
#define KA_PORT_PAGE_SHIFT 12

extern unsigned many_cpu, many_cpus; /* whose turn it is, from 0 on; how many there are */

typedef struct ka_port_lock {
    uint32_t taken;
} ka_port_lock;
typedef unsigned char ka_port_lock_state;
typedef unsigned char ka_port_pin_state;

static inline void ka_port_relax(void) {}
static inline ka_port_lock_state ka_port_lock_take(ka_port_lock *lock)
{
    lock->taken = 1;
    return 0;
}
static inline void ka_port_lock_give(ka_port_lock *lock, ka_port_lock_state state)
{
    (void)state;
    lock->taken = 0;
}
static inline ka_port_pin_state ka_port_pin(void)
{
    return 0;
}
static inline void ka_port_unpin(ka_port_pin_state state)
{
    (void)state;
}
static inline unsigned ka_port_slot(void)
{
    return many_cpu + 1;
}
static inline unsigned ka_port_slot_enter(void)
{
    return many_cpu + 1;
}
static inline unsigned ka_port_cpu_count(void)
{
    return many_cpus;
}
static inline unsigned ka_port_node(void)
{
    return 0;
}
static inline bool ka_port_busy_take(uint32_t *busy)
{
    if (*busy != 0)
        return false;
    *busy = 1;
    return true;
}
static inline void ka_port_busy_give(uint32_t *busy)
{
    *busy = 0;
}
static inline uintptr_t ka_port_self(void)
{
    return many_cpu + 1;
}

#include "base/no_cells.h"

#endif
