/* ka/hash.h: hashes of bytes and numbers under a secret key, and where the secret comes from. For ka/hash_map.h.
 *
 * Flood safety: whoever knows the hash of a table can choose keys that all meet in one place, and make it slow.
 * - ka_hash_bytes is SipHash-1-3, a keyed function made against that: safe as long as the key is secret, which takes
 *   an entropy source (ka_set_entropy). Use it, or KA_HASH_BITS, for keys that an adversary may choose.
 * - KA_HASH_NUMBERS and KA_HASH_POINTERS mix by multiplication: fast, for numbers that nobody chooses against you.
 *   The key makes tables differ, but a patient adversary who sees timings can find collisions: not flood safe.
 * - Without an entropy source keys are different for each table but the same at each start: no protection.
 */
#ifndef KA_HASH_H
#define KA_HASH_H

#include <ka/types.h>

KA_BEGIN_DECLS

typedef struct ka_hash_key {
    uint64_t k0, k1;
} ka_hash_key;

/* The SipHash-1-3 of `size` bytes. The same on every machine. Any context. Cost: O(size), about a cycle and a half for
 * each byte. */
uint64_t ka_hash_bytes(const ka_hash_key *key, const void *bytes, size_t size);

/* Fills `out` with `size` random bytes; false if there are none. Called once for each table that takes its first block,
 * in the context of that call. */
typedef bool ka_entropy(void *context, void *out, size_t size);

/* Where secrets come from; NULL, the default: nowhere. Set it while nothing else runs, as the handlers of
 * ka/handler.h. */
void ka_set_entropy(ka_entropy *entropy, void *context);

/* The port's own source, made to be given to ka_set_entropy: the kernel's generator, or an instruction of the CPU. Also
 * the seed of hardened heaps and of guards. false: this machine has none. Any context that may call the kernel. */
bool ka_port_entropy(void *context, void *out, size_t size);

/* A key that no other call has got: random if there is entropy, else from a count. Any context that the entropy source
 * allows; threads may call it at the same time. */
ka_hash_key ka_hash_new_key(void);

/* For the tables of ka/hash_map.h: how to hash keys; each fits where a function
 * `uint64_t hash(K const *, const ka_hash_key *)` does. */
struct ka_nothing_;
uint64_t(KA_HASH_NUMBERS)(const struct ka_nothing_ *, const ka_hash_key *); /* for the check of types only */
uint64_t(KA_HASH_POINTERS)(const struct ka_nothing_ *, const ka_hash_key *);
uint64_t(KA_HASH_BITS)(const struct ka_nothing_ *, const ka_hash_key *);
#define KA_HASH_NUMBERS(item, key)  ka_hash_number_((uint64_t) * (item), (key))
#define KA_HASH_POINTERS(item, key) ka_hash_number_((uint64_t)(uintptr_t) * (item), (key))
/* All bytes of an item without padding: for numbers that an adversary may choose. */
#define KA_HASH_BITS(item, key) ka_hash_bytes((key), (item), sizeof *(item))

static inline uint64_t ka_hash_number_(uint64_t number, const ka_hash_key *key)
{
    uint64_t mixed = (number ^ key->k0) * UINT64_C(0x9e3779b97f4a7c15);
    return mixed ^ mixed >> 32;
}

KA_END_DECLS

#endif
