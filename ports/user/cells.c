/* ports/user/cells.c: a word of each thread for each heap: see ports/contract.h.
 *
 * A thread's words are in its thread-local storage. A heap that ends may be followed by one with the same cell, so its
 * cell is cleared in every thread; therefore threads are listed, by slot, while they have one. Who uses the words of
 * others holds the lock, so that no thread's storage goes away meanwhile. Threads that vanished in a fork left theirs.
 */
#include "base/bits.h"
#include "heap/magazine.h"
#include "ports/contract.h"
#include "ports/user/user.h"

#define COUNT (KA_PORT_CELLS + 1)
#define NONE  ((uintptr_t)&ka_no_magazines)
#define EIGHT NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE

static __thread uintptr_t cells[COUNT] __attribute__((tls_model("initial-exec"))) = { EIGHT, EIGHT, EIGHT, EIGHT };
_Static_assert(COUNT == 32, "as many as there are values");

static uintptr_t threads[KA_PORT_MAX_CPUS]; /* by slot - 1: the first of its cells, or 0 */
static uint32_t used = 1;                   /* a bit for each cell */
static ka_port_lock lock;

#if defined(__x86_64__)
static uintptr_t thread_pointer(void)
{
    uintptr_t self;
    __asm__("movq %%fs:0, %0" : "=r"(self));
    return self;
}
#else
static uintptr_t thread_pointer(void)
{
    return (uintptr_t)__builtin_thread_pointer();
}
#endif

uintptr_t ka_port_cell_none(void)
{
    return (uintptr_t)cells - thread_pointer();
}

static unsigned index_of(uintptr_t cell)
{
    return (unsigned)((cell - ka_port_cell_none()) / sizeof(uintptr_t));
}

void ka_port_cells_lock(void)
{
    (void)ka_port_lock_take(&lock);
}

void ka_port_cells_unlock(void)
{
    ka_port_lock_give(&lock, 0);
}

uintptr_t ka_port_cell_new(void)
{
    uint32_t now = ka_load_relaxed_32(&used);
    while (now != UINT32_MAX) {
        unsigned index = ka_lowest_bit(~now);
        if (ka_cas_32(&used, &now, now | UINT32_C(1) << index))
            return ka_port_cell_none() + index * sizeof(uintptr_t);
    }
    return ka_port_cell_none();
}

void ka_port_cell_drop(uintptr_t cell)
{
    unsigned index = index_of(cell);
    if (index == 0)
        return;
    ka_port_cells_lock();
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++) {
        uintptr_t *word = ka_port_cell_of(cell, slot);
        if (word != NULL)
            ka_store_relaxed_ptr(word, NONE);
    }
    ka_port_cells_unlock();
    ka_fetch_and_32(&used, ~(UINT32_C(1) << index));
}

uintptr_t *ka_port_cell_of(uintptr_t cell, unsigned slot)
{
    uintptr_t first = slot == 0 ? 0 : ka_load_acquire_ptr(&threads[slot - 1]);
    unsigned index = index_of(cell);
    return first == 0 || index == 0 ? NULL : (uintptr_t *)first + index;
}

void ka_user_cells_begin(unsigned slot)
{
    ka_store_release_ptr(&threads[slot - 1], (uintptr_t)cells);
}

/* Heaps that are not registered keep the magazines for the slot's next thread. */
void ka_user_cells_end(unsigned slot)
{
    uintptr_t *first = (uintptr_t *)ka_load_acquire_ptr(&threads[slot - 1]);
    if (first == NULL)
        return;
    ka_port_cells_lock();
    ka_store_relaxed_ptr(&threads[slot - 1], 0);
    for (unsigned index = 1; index < COUNT; index++) {
        uintptr_t found = ka_load_relaxed_ptr(&first[index]);
        ka_store_relaxed_ptr(&first[index], NONE);
        if (found != NONE && found != (uintptr_t)&ka_busy_magazines)
            ka_port_busy_give(&((ka_magazines *)found)->busy);
    }
    ka_port_cells_unlock();
}

void ka_user_cells_forked(void)
{
    ka_store_relaxed_32(&lock.taken, 0);
}
