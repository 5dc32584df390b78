/* base/atomic.h: atomic operations on uint32_t (_32), uint64_t (_64) and uintptr_t (_ptr).
 *
 * ka_load_relaxed_N, ka_load_acquire_N, ka_store_relaxed_N, ka_store_release_N, and, each of them acquire and release:
 * ka_exchange_N, ka_fetch_add_N, ka_fetch_or_N, ka_fetch_and_N, ka_cas_N (strong; `*expected` receives what was found).
 * ka_fence orders memory between CPUs; ka_signal_fence only against a handler on the same CPU.
 * Of 8 bits only ka_load_relaxed_8 and ka_store_relaxed_8: riscv64 has no instruction for the others. The same two for
 * a void ** (_slot): a pointer that one CPU moves and others look at.
 */
#ifndef KA_BASE_ATOMIC_H
#define KA_BASE_ATOMIC_H

#include <ka_intrinsics.h>

#endif
