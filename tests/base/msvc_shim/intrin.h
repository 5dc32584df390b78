/* intrin.h: a shim, so that src/base/msvc/ka_intrinsics.h is executed where there is no Microsoft compiler.
 *
 * It maps the intrinsics that file uses to the builtins of clang on a 64-bit Unix, where `long` has 64 bits: the forms
 * without a suffix work on 32 bits whatever the type they are given. What it proves is the logic written over the
 * intrinsics. It does not prove the intrinsics themselves, nor the order that Microsoft's compiler gives them.
 * Build: clang -fms-extensions -Wno-microsoft -isystem tests/base/msvc_shim -Isrc/base/msvc. */
#ifndef KA_TESTS_MSVC_SHIM_INTRIN_H
#define KA_TESTS_MSVC_SHIM_INTRIN_H

#if defined(_MSC_VER)
#error "this is a shim for compilers without <intrin.h>"
#endif

#define __int64 long long

typedef volatile int shim_word32;
typedef volatile long long shim_word64;

#define _InterlockedExchange(p, v)      __atomic_exchange_n((shim_word32 *)(p), (int)(v), __ATOMIC_SEQ_CST)
#define _InterlockedExchange64(p, v)    __atomic_exchange_n((shim_word64 *)(p), (long long)(v), __ATOMIC_SEQ_CST)
#define _InterlockedExchangeAdd(p, v)   __atomic_fetch_add((shim_word32 *)(p), (int)(v), __ATOMIC_SEQ_CST)
#define _InterlockedExchangeAdd64(p, v) __atomic_fetch_add((shim_word64 *)(p), (long long)(v), __ATOMIC_SEQ_CST)
#define _InterlockedOr(p, v)            __atomic_fetch_or((shim_word32 *)(p), (int)(v), __ATOMIC_SEQ_CST)
#define _InterlockedOr64(p, v)          __atomic_fetch_or((shim_word64 *)(p), (long long)(v), __ATOMIC_SEQ_CST)
#define _InterlockedAnd(p, v)           __atomic_fetch_and((shim_word32 *)(p), (int)(v), __ATOMIC_SEQ_CST)
#define _InterlockedAnd64(p, v)         __atomic_fetch_and((shim_word64 *)(p), (long long)(v), __ATOMIC_SEQ_CST)

#define _InterlockedCompareExchange(p, to, from)   shim_cas32((shim_word32 *)(p), (int)(to), (int)(from))
#define _InterlockedCompareExchange64(p, to, from) shim_cas64((shim_word64 *)(p), (to), (from))

/* Give what was found, as the intrinsics do. */
static inline int shim_cas32(shim_word32 *p, int desired, int expected)
{
    (void)__atomic_compare_exchange_n(p, &expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
}

static inline long long shim_cas64(shim_word64 *p, long long desired, long long expected)
{
    (void)__atomic_compare_exchange_n(p, &expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
}

#define _BitScanForward64(at, x) shim_scan(at, x, (unsigned long)__builtin_ctzll((x) != 0 ? (x) : 1))
#define _BitScanReverse64(at, x) shim_scan(at, x, 63ul - (unsigned long)__builtin_clzll((x) != 0 ? (x) : 1))

static inline unsigned char shim_scan(unsigned long *at, unsigned long long x, unsigned long found)
{
    if (x != 0)
        *at = found;
    return x != 0;
}

#define __umulh(a, b) shim_umulh(a, b)

static inline unsigned long long shim_umulh(unsigned long long a, unsigned long long b)
{
    return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}

#define _ReadWriteBarrier()     __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define _ARM64_BARRIER_ISH      __ATOMIC_SEQ_CST
#define _ARM64_BARRIER_ISHLD    __ATOMIC_ACQUIRE
#define __dmb(kind)             __atomic_thread_fence(kind)

#endif
