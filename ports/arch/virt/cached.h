/* cached.h: on these CPUs all memory is cached. Included by ka_arch.h.
 *
 * A page cached otherwise must be so at its own address too, so the large page that it lies in would have to be split
 * while it is in use. aarch64 wants a moment in which no CPU has the large page ("break before make"), and this port
 * has no place to stand in that moment; of riscv64 QEMU's default CPU has no memory types (Svpbmt).
 */
#ifndef KA_ARCH_CACHED_H
#define KA_ARCH_CACHED_H

static inline bool ka_arch_has_caching(ka_caching caching)
{
    return caching == KA_CACHED;
}

/* What is only called where there are other kinds. */
static inline ka_arch_entry ka_arch_entry_part(ka_arch_entry entry, unsigned level, size_t index)
{
    (void)level, (void)index;
    return entry;
}

static inline ka_arch_entry ka_arch_entry_cached(ka_arch_entry entry, ka_caching caching)
{
    (void)caching;
    return entry;
}

static inline ka_caching ka_arch_entry_caching(ka_arch_entry entry)
{
    (void)entry;
    return KA_CACHED;
}

static inline void ka_arch_cache_clean(uintptr_t base, size_t size)
{
    (void)base, (void)size;
}

#endif
