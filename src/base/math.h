/* base/math.h: arithmetic on sizes. Pure functions; none of them overflows unless it says so. */
#ifndef KA_BASE_MATH_H
#define KA_BASE_MATH_H

#include <ka_intrinsics.h>
#include <stdbool.h>
#include <stddef.h>

static inline bool ka_is_power_of_two(size_t x) { return x != 0 && (x & (x - 1)) == 0; }

/* Rounds to a multiple of `align`, a power of two. Rounding up wraps past SIZE_MAX. */
static inline size_t ka_round_down(size_t x, size_t align) { return x & ~(align - 1); }
static inline size_t ka_round_up(size_t x, size_t align) { return (x + align - 1) & ~(align - 1); }

static inline size_t ka_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t ka_max(size_t a, size_t b) { return a > b ? a : b; }

/* The upper half of the product. */
static inline uint64_t ka_mul_high(uint64_t a, uint64_t b) { return ka_prim_mulhi64(a, b); }

#endif
