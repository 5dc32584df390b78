/* arc.c: the counts of ka/arc.h: one atomic word for both.
 *
 *      63          32 31           0
 *     +--------------+--------------+
 *     | weak (+ 1)   | strong       |      the 1 stands for all strong owners, and goes when the value is dropped
 *     +--------------+--------------+
 *
 * Two words would need a lock for "is this the only owner": Rust's Arc locks the weak count for it, and an interrupt
 * that then downgrades would wait for the code that it has interrupted. Every step below is one atomic operation, or a
 * loop that goes on only because another owner's step succeeded.
 */
#include <ka/arc.h>

#include "base/atomic.h"

#define STRONG_ONE UINT64_C(1)
#define WEAK_ONE   (UINT64_C(1) << 32)
#define TOO_MANY   (UINT32_C(1) << 31) /* far from the end, so that others who come meanwhile do not reach it */

static uint32_t strong_of(uint64_t both)
{
    return (uint32_t)both;
}

static uint32_t weak_of(uint64_t both)
{
    return (uint32_t)(both >> 32);
}

void ka_arc_begin_(ka_arc_counts_ *counts, ka_allocator *a)
{
    counts->both = STRONG_ONE | WEAK_ONE;
    counts->allocator = a;
}

void ka_arc_share_(ka_arc_counts_ *counts, const char *what, const char *file, unsigned line)
{
    if (KA_UNLIKELY(strong_of(ka_fetch_add_64(&counts->both, STRONG_ONE)) >= TOO_MANY))
        ka_owner_too_many_(what, file, line);
}

void ka_arc_weak_share_(ka_arc_counts_ *counts, const char *what, const char *file, unsigned line)
{
    if (KA_UNLIKELY(weak_of(ka_fetch_add_64(&counts->both, WEAK_ONE)) >= TOO_MANY))
        ka_owner_too_many_(what, file, line);
}

bool ka_arc_upgrade_(ka_arc_counts_ *counts, const char *what, const char *file, unsigned line)
{
    uint64_t now = ka_load_relaxed_64(&counts->both);
    while (strong_of(now) != 0) {
        if (KA_UNLIKELY(strong_of(now) >= TOO_MANY))
            ka_owner_too_many_(what, file, line);
        if (ka_cas_64(&counts->both, &now, now + STRONG_ONE)) /* by chance: that another owner comes between */
            return true;
    }
    return false;
}

bool ka_arc_release_(ka_arc_counts_ *counts)
{
    return strong_of(ka_fetch_add_64(&counts->both, (uint64_t)0 - STRONG_ONE)) == 1;
}

bool ka_arc_weak_release_(ka_arc_counts_ *counts)
{
    return weak_of(ka_fetch_add_64(&counts->both, (uint64_t)0 - WEAK_ONE)) == 1;
}

bool ka_arc_unwrap_(ka_arc_counts_ *counts)
{
    uint64_t now = ka_load_relaxed_64(&counts->both);
    while (strong_of(now) == 1)
        if (ka_cas_64(&counts->both, &now, now - STRONG_ONE)) /* by chance: the same */
            return true;
    return false;
}

bool ka_arc_is_only_(const ka_arc_counts_ *counts)
{
    return ka_load_acquire_64(&counts->both) == (STRONG_ONE | WEAK_ONE);
}

size_t ka_arc_strong_(const ka_arc_counts_ *counts)
{
    return strong_of(ka_load_relaxed_64(&counts->both));
}

/* Without the one that stands for the strong ones. */
size_t ka_arc_weak_(const ka_arc_counts_ *counts)
{
    uint64_t now = ka_load_relaxed_64(&counts->both);
    return weak_of(now) - (strong_of(now) != 0);
}
