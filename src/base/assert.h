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

#define KA_MUST_HOLD_(on, fact, text) \
    (!(on) || KA_LIKELY(fact) ? (void)0 : ka_port_panic("assertion failed: " text, __FILE__, __LINE__))

#define KA_ASSERT(fact) KA_MUST_HOLD_(1, fact, #fact)
#define KA_DEBUG(fact)  KA_MUST_HOLD_(KA_CFG_DEBUG, fact, #fact)
#define KA_SLOW(fact)   KA_MUST_HOLD_(KA_CFG_SLOW, fact, #fact)

#endif
