/* physical.c: ka_physical over the system's contiguous memory.
 *
 * MmAllocateContiguousNodeMemory (Windows 8) gives memory that is not executable; what older systems have instead is
 * always executable. All three are freed by MmFreeContiguousMemory, which needs no size; the variant that wants size
 * and caching again is slower.
 *
 * Alignment above a page is nobody's argument. But a block of B bytes that must not cross a multiple of B, a power of
 * two, begins at one: so such a request is rounded up to the power of two of size and alignment, and that is its
 * boundary. A lesser boundary of the caller's then holds by itself, since a block never is longer than its boundary.
 *
 * Each call may search physical memory for long: blocks of less than a page are packed, and a few empty pages stay with
 * each instance. No call is made with a lock held, but the free of a packed page that is one too many.
 */
#include "base/bits.h"
#include "base/math.h"
#include "heap/physical.h"
#include "nt.h"

#define KEPT_PAGES 4u

static ka_physical_allocator any;

ka_allocator *const ka_physical = &any.allocator;

static PHYSICAL_ADDRESS physical(uint64_t address)
{
    PHYSICAL_ADDRESS result;
    result.QuadPart = (LONGLONG)address;
    return result;
}

static void *ask_once(const ka_physical_limits *l, size_t size, uint64_t boundary, ULONG node)
{
    static const MEMORY_CACHING_TYPE types[] = { MmCached, MmNonCached, MmWriteCombined };
    static const ULONG protections[] = { PAGE_READWRITE, PAGE_READWRITE | PAGE_NOCACHE,
                                         PAGE_READWRITE | PAGE_WRITECOMBINE };
    const nt_routines *nt = &ka_nt_routines;
    PHYSICAL_ADDRESS low = physical(ka_round_up((size_t)l->lowest, PAGE_SIZE));
    PHYSICAL_ADDRESS high =
        physical(l->highest != 0 ? ka_round_down((size_t)l->highest + 1, PAGE_SIZE) - 1 : INT64_MAX);
    if (nt->node_memory != NULL)
        return nt->node_memory(size, low, high, physical(boundary), protections[l->caching], node);
    if (nt->specify_cache_node != NULL)
        return nt->specify_cache_node(size, low, high, physical(boundary), types[l->caching], node);
    if (nt->specify_cache == NULL || l->exact)
        return NULL;
    return nt->specify_cache(size, low, high, physical(boundary), types[l->caching]);
}

/* Node 0 and not exact is what who names no node has: any. */
static void *take(const ka_physical_limits *l, size_t size, size_t align, ka_flags flags)
{
    uint64_t boundary = l->boundary >= PAGE_SIZE ? l->boundary : 0;
    if ((flags & (KA_ANY_CONTEXT | KA_PAGEABLE)) != 0)
        return NULL;
    KA_DEBUG(KeGetCurrentIrql() <= DISPATCH_LEVEL);
    if (align > PAGE_SIZE) {
        size = (size_t)1 << (ka_highest_bit(ka_max(size, align) - 1) + 1);
        boundary = size;
    }
    if (l->exact)
        return ask_once(l, size, boundary, l->node);
    void *memory = l->node != 0 ? ask_once(l, size, boundary, l->node) : NULL;
    return memory != NULL ? memory : ask_once(l, size, boundary, NT_ANY_NODE_OK);
}

static bool give(const ka_physical_limits *l, void *memory, size_t size, size_t align)
{
    (void)l, (void)size, (void)align;
    KA_DEBUG(KeGetCurrentIrql() <= DISPATCH_LEVEL);
    MmFreeContiguousMemory(memory);
    return true;
}

static bool has_caching(ka_caching caching)
{
    return caching <= KA_WRITE_COMBINED;
}

static const ka_physical_source source = {
    .take = take,
    .give = give,
    .align = KA_MIN_ALIGN,
    .max_align = (size_t)1 << 30,
    .has_caching = has_caching,
    .keep = KEPT_PAGES,
};

ka_physical_error ka_physical_init(ka_physical_allocator *instance, const ka_physical_limits *limits)
{
    const nt_routines *nt = &ka_nt_routines;
    if (nt->node_memory == NULL && nt->specify_cache_node == NULL && nt->specify_cache == NULL)
        return KA_PHYSICAL_NOT_HERE;
    return ka_physical_init_over(instance, limits, &source);
}

uint64_t ka_physical_address(const void *block)
{
    uint64_t address = (uint64_t)MmGetPhysicalAddress((void *)(uintptr_t)block).QuadPart;
    return address != 0 ? address : KA_NO_ADDRESS;
}

void ka_nt_physical_start(void)
{
    nt_routines *nt = &ka_nt_routines;
    nt->node_memory = (nt_node_memory *)ka_nt_find(L"MmAllocateContiguousNodeMemory");
    nt->specify_cache_node = (nt_specify_cache_node *)ka_nt_find(L"MmAllocateContiguousMemorySpecifyCacheNode");
    nt->specify_cache = (nt_specify_cache *)ka_nt_find(L"MmAllocateContiguousMemorySpecifyCache");
    ka_physical_error error = ka_physical_init_over(&any, NULL, &source);
    KA_ASSERT(error == KA_PHYSICAL_OK);
}

size_t ka_nt_physical_stop(void)
{
    return ka_physical_fini(&any);
}
