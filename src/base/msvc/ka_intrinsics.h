/* ka_intrinsics.h over the `_Interlocked*`, `_BitScan*` and `_umul128` intrinsics of Microsoft's compiler, which has no
 * usable C11 atomics. Plain loads and stores of these widths are atomic on x64 and ARM64; `volatile` keeps the compiler
 * from tearing or repeating them, and the fences order them. clang accepts these intrinsics with -fms-extensions, which
 * is how the tests run this file. */
#ifndef KA_INTRINSICS_H
#define KA_INTRINSICS_H

#include <intrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_M_ARM64) || defined(__aarch64__)
#define KA_PRIM_FENCE_LOAD()  __dmb(_ARM64_BARRIER_ISHLD)
#define KA_PRIM_FENCE_STORE() __dmb(_ARM64_BARRIER_ISH)
#define KA_PRIM_FENCE_FULL()  __dmb(_ARM64_BARRIER_ISH)
#else
#define KA_PRIM_FENCE_LOAD()  _ReadWriteBarrier()
#define KA_PRIM_FENCE_STORE() _ReadWriteBarrier()
#define KA_PRIM_FENCE_FULL()  ka_prim_full_fence()
static inline void ka_prim_full_fence(void)
{
    volatile long slot = 0;
    (void)_InterlockedExchange(&slot, 1);
}
#endif

/* This compiler assumes nothing about aliasing. */
#define KA_PRIM_ALIASING

/* x != 0 */
static inline unsigned ka_prim_ctz64(uint64_t x)
{
    unsigned long at = 0;
    (void)_BitScanForward64(&at, x);
    return (unsigned)at;
}

static inline unsigned ka_prim_clz64(uint64_t x)
{
    unsigned long at = 0;
    (void)_BitScanReverse64(&at, x);
    return 63u - (unsigned)at;
}

static inline uint64_t ka_prim_mulhi64(uint64_t a, uint64_t b) { return __umulh(a, b); }

#define KA_PRIM_ATOMICS(name, type, word, suffix)                                                            \
    static inline type ka_load_relaxed_##name(const type *p) { return *(const volatile type *)p; }           \
    static inline type ka_load_acquire_##name(const type *p)                                                 \
    {                                                                                                        \
        type v = *(const volatile type *)p;                                                                  \
        KA_PRIM_FENCE_LOAD();                                                                                \
        return v;                                                                                            \
    }                                                                                                        \
    static inline void ka_store_relaxed_##name(type *p, type v) { *(volatile type *)p = v; }                 \
    static inline void ka_store_release_##name(type *p, type v)                                              \
    {                                                                                                        \
        KA_PRIM_FENCE_STORE();                                                                               \
        *(volatile type *)p = v;                                                                             \
    }                                                                                                        \
    static inline type ka_exchange_##name(type *p, type v)                                                   \
    {                                                                                                        \
        return (type)_InterlockedExchange##suffix((volatile word *)p, (word)v);                              \
    }                                                                                                        \
    static inline type ka_fetch_add_##name(type *p, type v)                                                  \
    {                                                                                                        \
        return (type)_InterlockedExchangeAdd##suffix((volatile word *)p, (word)v);                           \
    }                                                                                                        \
    static inline type ka_fetch_or_##name(type *p, type v)                                                   \
    {                                                                                                        \
        return (type)_InterlockedOr##suffix((volatile word *)p, (word)v);                                    \
    }                                                                                                        \
    static inline type ka_fetch_and_##name(type *p, type v)                                                  \
    {                                                                                                        \
        return (type)_InterlockedAnd##suffix((volatile word *)p, (word)v);                                   \
    }                                                                                                        \
    static inline bool ka_cas_##name(type *p, type *expected, type desired)                                  \
    {                                                                                                        \
        word found = _InterlockedCompareExchange##suffix((volatile word *)p, (word)desired, (word)*expected); \
        bool done = (type)found == *expected;                                                                \
        *expected = (type)found;                                                                             \
        return done;                                                                                         \
    }

static inline uint8_t ka_load_relaxed_8(const uint8_t *p) { return *(const volatile uint8_t *)p; }
static inline void ka_store_relaxed_8(uint8_t *p, uint8_t v) { *(volatile uint8_t *)p = v; }
static inline void **ka_load_relaxed_slot(void **const *p) { return *(void **const volatile *)p; }
static inline void ka_store_relaxed_slot(void ***p, void **v) { *(void **volatile *)p = v; }
static inline void *ka_as_result(void *pointer) { return pointer; }
static inline void ka_slot_up(void ***p, void **from) { ka_store_relaxed_slot(p, from + 1); }
static inline void ka_slot_down(void ***p, void **from) { ka_store_relaxed_slot(p, from - 1); }

KA_PRIM_ATOMICS(32, uint32_t, long, )
KA_PRIM_ATOMICS(64, uint64_t, __int64, 64)
KA_PRIM_ATOMICS(ptr, uintptr_t, __int64, 64)

static inline void ka_fence(void) { KA_PRIM_FENCE_FULL(); }
static inline void ka_signal_fence(void) { _ReadWriteBarrier(); }

#endif
