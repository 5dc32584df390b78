/* ports/contract.h: what the hot half of a port must give, checked when the port's cold half is compiled.
 *
 * A port is two halves. The hot half is `ka_port.h`, static inline functions picked by the include path:
 *
 *   ka_port_lock                 a spin lock; all bytes zero is an open one
 *   ka_port_lock_state           what take must remember for give: the interrupt flag, an IRQL
 *   ka_port_lock_take, _give     the lock, with interrupts of this CPU off while it is held
 *   ka_port_pin_state
 *   ka_port_pin, _unpin          the code stays on one CPU in between; nests
 *   ka_port_slot                 which per-CPU data is this CPU's: 1 to KA_PORT_MAX_CPUS, steady while pinned; 0: none,
 *                                as before start-up, on a CPU beyond the count, and after a panic
 *   ka_port_cpu_count            how many CPUs there are or may come
 *   ka_port_node                 the node whose memory is nearest to the CPU that this context runs on: 0 to 63, 0
 *                                where there are none. Asked on slow paths, and only by heaps that know several nodes
 *   ka_port_slot_enter           as ka_port_slot, from a context that may sleep: a port whose "CPUs" are threads gives
 *                                this thread a slot now, if it has none
 *   ka_port_busy_take, _give     marks per-CPU data as in use by this context. take returns false if it is in use: by
 *                                whoever this context has interrupted, or another thread where there is no pin. Where
 *                                code stays on its CPU, plain accesses and signal fences do; else an atomic exchange
 *   KA_PORT_CELLS                0, and base/no_cells.h included; or how many heaps at once can have a cell: a word of
 *                                each thread for the heap, which the thread reaches by one instruction, and which holds
 *                                &ka_no_magazines to begin with. Only where code is not moved away from the word
 *   ka_port_cell_none            what a heap without a cell has: a cell for all of them, in which nothing is kept
 *   ka_port_cell_new, _drop      a cell that no heap has, or ka_port_cell_none; given back, it is as at first in every
 *                                thread
 *   ka_port_cells_lock, _unlock  between them no thread ends: around the use of another slot's word
 *   ka_port_cell_of              the word of a slot; NULL: nobody has the slot, or the cell is ka_port_cell_none
 *   ka_port_cell_take, _give     this thread's: what it holds, `busy` put there instead; and the way back
 *   ka_port_self                 identifies what runs: a thread, or a CPU where there are no threads; never 0
 *   ka_port_relax                a pause in a spin loop
 *
 * The cold half is `port.c`: ka_port_log and ka_port_panic of <ka/handler.h>, ka_port_entropy of <ka/hash.h>,
 * ka_port_node, memory from the kernel, start-up, and if the port can reach other CPUs a ka_cross_call of <ka/heap.h>.
 */
#ifndef KA_PORTS_CONTRACT_H
#define KA_PORTS_CONTRACT_H

#include <stdbool.h>

#include <ka/hash.h>

#include <ka_port.h>

#define KA_PORT_MUST(expression, type, what) \
    _Static_assert(_Generic((expression), type : 1, default : 0), "the port's contract: " what)

KA_PORT_MUST(&ka_port_lock_take, ka_port_lock_state (*)(ka_port_lock *), "ka_port_lock_take");
KA_PORT_MUST(&ka_port_lock_give, void (*)(ka_port_lock *, ka_port_lock_state), "ka_port_lock_give");
KA_PORT_MUST(&ka_port_pin, ka_port_pin_state (*)(void), "ka_port_pin");
KA_PORT_MUST(&ka_port_unpin, void (*)(ka_port_pin_state), "ka_port_unpin");
KA_PORT_MUST(&ka_port_slot, unsigned (*)(void), "ka_port_slot");
KA_PORT_MUST(&ka_port_cpu_count, unsigned (*)(void), "ka_port_cpu_count");
KA_PORT_MUST(&ka_port_slot_enter, unsigned (*)(void), "ka_port_slot_enter");
KA_PORT_MUST(&ka_port_busy_take, bool (*)(uint32_t *), "ka_port_busy_take");
KA_PORT_MUST(&ka_port_busy_give, void (*)(uint32_t *), "ka_port_busy_give");
KA_PORT_MUST(&ka_port_cell_none, uintptr_t (*)(void), "ka_port_cell_none");
KA_PORT_MUST(&ka_port_cell_new, uintptr_t (*)(void), "ka_port_cell_new");
KA_PORT_MUST(&ka_port_cell_drop, void (*)(uintptr_t), "ka_port_cell_drop");
KA_PORT_MUST(&ka_port_cells_lock, void (*)(void), "ka_port_cells_lock");
KA_PORT_MUST(&ka_port_cells_unlock, void (*)(void), "ka_port_cells_unlock");
KA_PORT_MUST(&ka_port_cell_of, uintptr_t *(*)(uintptr_t, unsigned), "ka_port_cell_of");
KA_PORT_MUST(&ka_port_cell_take, uintptr_t (*)(uintptr_t, uintptr_t), "ka_port_cell_take");
KA_PORT_MUST(&ka_port_cell_give, void (*)(uintptr_t, uintptr_t), "ka_port_cell_give");
KA_PORT_MUST(&ka_port_node, unsigned (*)(void), "ka_port_node");
KA_PORT_MUST(&ka_port_entropy, bool (*)(void *, void *, size_t), "ka_port_entropy");
KA_PORT_MUST(&ka_port_self, uintptr_t (*)(void), "ka_port_self");
KA_PORT_MUST(&ka_port_relax, void (*)(void), "ka_port_relax");
_Static_assert(KA_PORT_MAX_CPUS >= 1, "the port's contract: KA_PORT_MAX_CPUS");
_Static_assert(KA_PORT_PAGE_SHIFT >= 12, "the port's contract: KA_PORT_PAGE_SHIFT");

#endif
