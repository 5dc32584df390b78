/* base/bits.h: bits of 64-bit words and bitmaps of them. Pure functions. */
#ifndef KA_BASE_BITS_H
#define KA_BASE_BITS_H

#include <ka_intrinsics.h>
#include <stdbool.h>
#include <stddef.h>

/* The number of the lowest set bit; x != 0. */
static inline unsigned ka_lowest_bit(uint64_t x) { return ka_prim_ctz64(x); }

/* The number of the highest set bit; x != 0. */
static inline unsigned ka_highest_bit(uint64_t x) { return 63u ^ ka_prim_clz64(x); }

/* How many bits are set. */
static inline unsigned ka_count_bits(uint64_t x)
{
    x -= (x >> 1) & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + ((x >> 2) & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)((x * UINT64_C(0x0101010101010101)) >> 56);
}

/* The `n` lowest bits set; n is 0 to 64. */
static inline uint64_t ka_low_mask(unsigned n) { return n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1; }

/* How many 64-bit words hold n bits. */
static inline size_t ka_words_for(size_t n) { return n / 64 + (n % 64 != 0); }

static inline bool ka_bit_get(const uint64_t *words, size_t at) { return (words[at / 64] >> (at % 64)) & 1; }
static inline void ka_bit_set(uint64_t *words, size_t at) { words[at / 64] |= UINT64_C(1) << (at % 64); }
static inline void ka_bit_clear(uint64_t *words, size_t at) { words[at / 64] &= ~(UINT64_C(1) << (at % 64)); }

#endif
