/* ka_intrinsics.h for gcc and clang: what C11 cannot say. Picked by the include path; see ../msvc for the other one.
 * Only base/bits.h, base/math.h and base/atomic.h include this file. */
#ifndef KA_INTRINSICS_H
#define KA_INTRINSICS_H

#include <stdbool.h>
#include <stdint.h>

/* A struct laid over memory whose owner wrote other types to it: no assumption about aliasing. */
#define KA_PRIM_ALIASING __attribute__((may_alias))

/* x != 0. RISC-V without Zbb has no instruction for these: gcc would call its own library there. */
#if defined(__riscv) && !defined(__riscv_zbb)
static inline unsigned ka_prim_clz64(uint64_t x)
{
    unsigned zeros = 0;
    for (unsigned half = 32; half != 0; half /= 2)
        if (x >> (64 - half) == 0) {
            zeros += half;
            x <<= half;
        }
    return zeros;
}
static inline unsigned ka_prim_ctz64(uint64_t x) { return 63u - ka_prim_clz64(x & (0 - x)); }
#else
static inline unsigned ka_prim_ctz64(uint64_t x) { return (unsigned)__builtin_ctzll(x); }
static inline unsigned ka_prim_clz64(uint64_t x) { return (unsigned)__builtin_clzll(x); }
#endif

static inline uint64_t ka_prim_mulhi64(uint64_t a, uint64_t b)
{
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)(((wide)a * b) >> 64);
#else
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t mid = ah * bl + ((al * bl) >> 32);
    return ah * bh + (mid >> 32) + ((al * bh + (uint32_t)mid) >> 32);
#endif
}

/* Atomic operations for one width. `expected` receives what was found. */
#define KA_PRIM_ATOMICS(name, type)                                                                                 \
    static inline type ka_load_relaxed_##name(const type *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }       \
    static inline type ka_load_acquire_##name(const type *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }       \
    static inline void ka_store_relaxed_##name(type *p, type v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }       \
    static inline void ka_store_release_##name(type *p, type v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }       \
    static inline type ka_exchange_##name(type *p, type v) { return __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL); }  \
    static inline type ka_fetch_add_##name(type *p, type v) { return __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL); }  \
    static inline type ka_fetch_or_##name(type *p, type v) { return __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL); }    \
    static inline type ka_fetch_and_##name(type *p, type v) { return __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL); }  \
    static inline bool ka_cas_##name(type *p, type *expected, type desired)                                         \
    {                                                                                                               \
        return __atomic_compare_exchange_n(p, expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);        \
    }

static inline uint8_t ka_load_relaxed_8(const uint8_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline void ka_store_relaxed_8(uint8_t *p, uint8_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline void **ka_load_relaxed_slot(void **const *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline void ka_store_relaxed_slot(void ***p, void **v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }

/* *p, which is `from`, goes up or down by one; as ka_store_relaxed_slot. No compiler makes one instruction of it. */
#if defined(__x86_64__)
static inline void ka_slot_up(void ***p, void **from)
{
    (void)from;
    __asm__ volatile("addq %1, %0" : "+m"(*p) : "i"(sizeof(void *)) : "cc");
}
static inline void ka_slot_down(void ***p, void **from)
{
    (void)from;
    __asm__ volatile("subq %1, %0" : "+m"(*p) : "i"(sizeof(void *)) : "cc");
}

/* The pointer in the register in which a function returns it: gcc finds another one, and moves it. */
static inline void *ka_as_result(void *pointer)
{
    __asm__("" : "+a"(pointer));
    return pointer;
}
#else
static inline void *ka_as_result(void *pointer) { return pointer; }
static inline void ka_slot_up(void ***p, void **from) { ka_store_relaxed_slot(p, from + 1); }
static inline void ka_slot_down(void ***p, void **from) { ka_store_relaxed_slot(p, from - 1); }
#endif

KA_PRIM_ATOMICS(32, uint32_t)
KA_PRIM_ATOMICS(64, uint64_t)
KA_PRIM_ATOMICS(ptr, uintptr_t)

/* Orders memory between CPUs, in all directions. */
static inline void ka_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* Keeps the compiler from moving memory accesses over this point: enough against a handler on the same CPU. */
static inline void ka_signal_fence(void) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

#endif
