/* ports/contract.h: what the hot half of a port must give, checked when the port's cold half is compiled.
 *
 * A port is two halves. The hot half is `ka_port.h`, static inline functions picked by the include path:
 *
 *   ka_port_lock                 a spin lock; all bytes zero is an open one
 *   ka_port_lock_state           what take must remember for give: the interrupt flag, an IRQL
 *   ka_port_lock_take, _give     the lock, with interrupts of this CPU off while it is held
 *   ka_port_pin_state
 *   ka_port_pin, _unpin          the code stays on one CPU in between; nests
 *   ka_port_cpu                  the CPU's number, steady while pinned; a number at or above KA_PORT_MAX_CPUS, or a call
 *                                before per-CPU data is set up, means: no per-CPU data here
 *   ka_port_cpu_count            how many CPUs there are or may come
 *   ka_port_self                 identifies what runs: a thread, or a CPU where there are no threads; never 0
 *   ka_port_relax                a pause in a spin loop
 *
 * The cold half is `port.c`: ka_port_log and ka_port_panic of <ka/handler.h>, memory from the kernel, start-up.
 */
#ifndef KA_PORTS_CONTRACT_H
#define KA_PORTS_CONTRACT_H

#include <ka_port.h>

#define KA_PORT_MUST(expression, type, what) \
    _Static_assert(_Generic((expression), type: 1, default: 0), "the port's contract: " what)

KA_PORT_MUST(&ka_port_lock_take, ka_port_lock_state (*)(ka_port_lock *), "ka_port_lock_take");
KA_PORT_MUST(&ka_port_lock_give, void (*)(ka_port_lock *, ka_port_lock_state), "ka_port_lock_give");
KA_PORT_MUST(&ka_port_pin, ka_port_pin_state (*)(void), "ka_port_pin");
KA_PORT_MUST(&ka_port_unpin, void (*)(ka_port_pin_state), "ka_port_unpin");
KA_PORT_MUST(&ka_port_cpu, unsigned (*)(void), "ka_port_cpu");
KA_PORT_MUST(&ka_port_cpu_count, unsigned (*)(void), "ka_port_cpu_count");
KA_PORT_MUST(&ka_port_self, uintptr_t (*)(void), "ka_port_self");
KA_PORT_MUST(&ka_port_relax, void (*)(void), "ka_port_relax");
_Static_assert(KA_PORT_MAX_CPUS >= 1, "the port's contract: KA_PORT_MAX_CPUS");
_Static_assert(KA_PORT_PAGE_SHIFT >= 12, "the port's contract: KA_PORT_PAGE_SHIFT");

#endif
