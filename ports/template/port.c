/* ports/template/port.c: the cold half of a new port. See CONTRACT.md. */
#include <ka/handler.h>
#include <ka/hash.h>
#include <ka/kernel.h>
#include <ka/locked.h>
#include <ka/region.h>

#include "ports/contract.h"

/* Fill in: the line, without an end, to the console or the kernel's log. Any context; must not allocate. */
void ka_port_log(const char *line, size_t length)
{
    (void)line, (void)length;
}

/* Fill in: the kernel's panic. Must not return, allocate or wait for a lock that somebody may hold. */
void ka_port_panic(const char *message, const char *file, unsigned line)
{
    (void)message, (void)file, (void)line;
    for (;;)
        ka_port_relax();
}

/* Fill in: the kernel's random numbers; false if it has none. */
bool ka_port_entropy(void *context, void *out, size_t size)
{
    (void)context, (void)out, (void)size;
    return false;
}

/* Fill in where memory is nearer to some CPUs than to others: the node of the CPU that runs this. */
unsigned ka_port_node(void)
{
    return 0;
}

/* ---- ka_kernel: the simplest heap that is right, in memory of its own ---- */

/* Fill in: how much, and from where. */
#define HEAP_BYTES ((size_t)64 << 10)

static _Alignas(16) char heap_memory[HEAP_BYTES];
static ka_region heap_region;
static ka_locked heap_locked;

ka_allocator *const ka_kernel = &heap_locked.allocator;

/* A ka_refill. Fill in: memory from the kernel, then claimed; false if it gives none. Runs without the heap's lock. */
static bool heap_refill(void *context, size_t size, size_t align, ka_flags flags)
{
    (void)context, (void)size, (void)align, (void)flags;
    return false;
}

/* Called once at start-up, before anything allocates. */
bool port_start(void);
bool port_start(void)
{
    ka_region_init(&heap_region);
    ka_locked_init(&heap_locked, &heap_region.allocator, heap_refill, NULL);
    ka_lock_state state = ka_locked_enter(&heap_locked);
    bool claimed = ka_region_claim(&heap_region, heap_memory, HEAP_BYTES);
    ka_locked_leave(&heap_locked, state);
    return claimed;
}
