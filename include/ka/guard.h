/* ka/guard.h: a canary behind each block: who writes past the end of a block is found when it is freed, resized or
 * checked.
 *
 * Good at: finding the block that was overrun, by the first byte, in any build; any inner allocator, any alignment.
 * Bad at: what is written in front of a block, or far behind it. See also the heap's option `hardened`.
 * The canary lies behind the block only, so that its alignment is the inner allocator's; it depends on a key, on the
 * address and on the size. Each block takes KA_GUARD_BYTES more, and its usable size is what was asked for.
 * Context: as the inner allocator's. Takes no lock.
 *
 * What is reported (ka/handler.h), with the block; nothing is changed then, the block stays live for whoever looks at
 * it:
 *   KA_MISUSE_OVERRUN      bytes behind the block were written to
 *   KA_MISUSE_WRONG_SIZE   a free or resize whose size is not what was asked for, if the canary tells
 *   KA_MISUSE_DOUBLE_FREE  a free of a block that was freed and not allocated again, while its memory is still there
 */
#ifndef KA_GUARD_H
#define KA_GUARD_H

#include <ka/alloc.h>

KA_BEGIN_DECLS

#define KA_GUARD_BYTES ((size_t)24)

typedef struct ka_guard {
    ka_allocator allocator; /* the interface; pass &guard.allocator to ka_alloc and friends */
    ka_allocator *inner;
    uint64_t key;
    uintptr_t live_blocks; /* count */
} ka_guard;

/* Makes a guard.
 *
 * inner  the caller keeps it alive; blocks of it that are not this guard's are left alone
 * key    a secret; 0: from the port's entropy, and where there is none a guessable one
 */
void ka_guard_init(ka_guard *guard, ka_allocator *inner, uint64_t key);

/* Whether the canary behind a live block is whole. */
bool ka_guard_intact(const ka_guard *guard, const void *block, size_t size, size_t align);

/* ka_check of the guard's allocator looks at every live block, if the inner allocator can walk: each that was overrun
 * is reported, if its size can still be told. Quiet: nobody else allocates or frees meanwhile. */

KA_END_DECLS

#endif
