/* base/hash.c: SipHash, and the keys of hash tables.
 *
 * SipHash-1-3: one round for each word of 8 bytes, three at the end, the parameters that most hash tables use now; the
 * function's authors proposed 2-4 for messages. After Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012).
 * Words are read byte by byte where that is the machine's only portable way; compilers make one load of it.
 *
 * Keys. Each table has its own: entries that leave one table in its order of hashes would otherwise fill the next
 * one from its front, which takes quadratic time in tables with linear probing. So without entropy, too, no two keys
 * are the same: a count, spread over the word by splitmix64 (Steele, Lea and Flood, 2014).
 */
#include <ka/hash.h>

#include "base/atomic.h"

typedef struct sip_state {
    uint64_t v0, v1, v2, v3;
} sip_state;

static ka_entropy *hash_entropy;
static void *hash_entropy_context;
static uint64_t hash_keys; /* how many have been made */

static uint64_t rotate_left(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(sip_state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 = rotate_left(s->v2, 32);
}

static uint64_t word_little_endian(const unsigned char *bytes)
{
    return (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 | (uint64_t)bytes[3] << 24 |
           (uint64_t)bytes[4] << 32 | (uint64_t)bytes[5] << 40 | (uint64_t)bytes[6] << 48 | (uint64_t)bytes[7] << 56;
}

static void sip_word(sip_state *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

uint64_t ka_hash_bytes(const ka_hash_key *key, const void *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes;
    sip_state s = { key->k0 ^ UINT64_C(0x736f6d6570736575), key->k1 ^ UINT64_C(0x646f72616e646f6d),
                    key->k0 ^ UINT64_C(0x6c7967656e657261), key->k1 ^ UINT64_C(0x7465646279746573) };
    for (size_t left = size; left >= 8; left -= 8, at += 8)
        sip_word(&s, word_little_endian(at));
    uint64_t last = (uint64_t)size << 56;
    for (unsigned i = 0; i < size % 8; i++)
        last |= (uint64_t)at[i] << (8 * i);
    sip_word(&s, last);
    s.v2 ^= 0xff;
    for (unsigned i = 0; i < 3; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void ka_set_entropy(ka_entropy *entropy, void *context)
{
    hash_entropy = entropy;
    hash_entropy_context = context;
}

static uint64_t hash_spread(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

ka_hash_key ka_hash_new_key(void)
{
    ka_hash_key key;
    if (hash_entropy != NULL && hash_entropy(hash_entropy_context, &key, sizeof key))
        return key;
    uint64_t count = ka_fetch_add_64(&hash_keys, 1) + 1;
    key.k0 = hash_spread(count * UINT64_C(0x9e3779b97f4a7c15));
    key.k1 = hash_spread(~count);
    return key;
}
