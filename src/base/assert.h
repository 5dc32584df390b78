/* base/assert.h: what must hold. A broken allocator stops: it does not go on with a damaged heap.
 *
 * KA_ASSERT  always on, cheap: internal invariants
 * KA_DEBUG   where KA_CFG_DEBUG is 1: for developers
 * KA_SLOW    where KA_CFG_SLOW is 1: checks that cost O(n)
 */
#ifndef KA_BASE_ASSERT_H
#define KA_BASE_ASSERT_H

#include <ka/config.h>
#include <ka/handler.h>

#define KA_ASSERT(fact) (KA_LIKELY(fact) ? (void)0 : ka_port_panic("assertion failed: " #fact, __FILE__, __LINE__))
#define KA_DEBUG(fact)  (!KA_CFG_DEBUG || KA_LIKELY(fact) ? (void)0 : ka_port_panic("assertion failed: " #fact, __FILE__, __LINE__))
#define KA_SLOW(fact)   (!KA_CFG_SLOW || KA_LIKELY(fact) ? (void)0 : ka_port_panic("assertion failed: " #fact, __FILE__, __LINE__))

#endif
