/* ka/failing.h: an allocator that fails when a test tells it to, and else passes everything on.
 *
 * Good for: driving code through each of its out-of-memory paths in turn:
 *
 *     for (n = 1; ; n++) {
 *         ka_failing_set(&failing, n);
 *         if (!work(&failing.allocator))  continue;      what `work` took must be back; try it with the next call
 *         if (ka_failing_failures(&failing) == before)  break;      it needs fewer than n calls
 *     }
 *
 * To fail only one user of an allocator, put it over that user's tag (ka/tagged.h).
 * Context: as the inner allocator's; this layer itself takes no lock. After SQLite and Lua, which test by the same
 * loop.
 */
#ifndef KA_FAILING_H
#define KA_FAILING_H

#include <ka/alloc.h>

KA_BEGIN_DECLS

typedef struct ka_failing {
    ka_allocator allocator; /* the interface; pass &failing.allocator to ka_alloc and friends */
    ka_allocator *inner;
    uint64_t calls, failures;
    uint64_t fail_at; /* the number of the call that fails; 0: none */
    uint64_t random;  /* state of the generator */
    uint32_t chance;  /* per 65536 */
} ka_failing;

/* Makes a layer that fails nothing yet.
 *
 * inner  the caller keeps it alive
 */
void ka_failing_init(ka_failing *failing, ka_allocator *inner);

/* Chooses one call that fails, counted from now; the calls after it are served again. Each ka_alloc and each ka_resize,
 * growing or shrinking, is a call, but for those that never reach an allocator: size 0, bad arguments.
 *
 * n  1: the next call; 0: none
 */
void ka_failing_set(ka_failing *failing, uint64_t n);

/* Chooses how many calls fail by chance, besides the one of ka_failing_set.
 *
 * per_65536  0: none; 65536: all
 * seed       equal seeds and equal calls give equal failures
 */
void ka_failing_set_chance(ka_failing *failing, uint32_t per_65536, uint64_t seed);

/* How many calls there have been since the layer was made, and how many this layer has failed. */
uint64_t ka_failing_calls(const ka_failing *failing);
uint64_t ka_failing_failures(const ka_failing *failing);

KA_END_DECLS

#endif
