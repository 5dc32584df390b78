/* pool.c: ka_nt_pool, the system's pool behind the interface.
 *
 * What the pool promises: 16 bytes of alignment; a page for requests of a page and more. So a layout is asked for as
 *     align <= 16, or align <= a page <= size    the size
 *     align <= a page < size + align             a page
 *     else                                       size + align, found again by two words in front of the block:
 *
 *         |  . . .  | request | check | block ...            |
 *         ^ request                   ^ aligned
 *
 * The decision follows from size and alignment alone, which a free repeats.
 *
 * ExAllocatePool2 came with Windows 10 2004. It is looked up at run time, since an import that is missing keeps a
 * driver from loading; before it there is ExAllocatePoolWithTag behind a function of the same form, which clears by
 * itself. ExAllocatePool2 clears unless it is told not to: nothing is cleared twice.
 */
#include <ka/kernel.h>

#include "base/math.h"
#include "base/mem.h"
#include "nt.h"

#if defined(_MSC_VER)
#pragma warning(disable : 4996) /* ExAllocatePoolWithTag is all that older systems have */
#endif

#define CHECK UINT64_C(0x9e3779b97f4a7c15)

_Static_assert(sizeof(void *) == 8, "64-bit Windows: the pool aligns to 16");
_Static_assert(KA_ZERO >> 2 == NT_POOL_UNINITIALIZED, "see pool_flags");

static nt_allocate_pool2 allocate_nothing, allocate_with_tag;

nt_routines ka_nt_routines = { .allocate_pool2 = allocate_nothing };

/* ---- the system's routines ---- */

/* Before ka_nt_start. */
static PVOID NTAPI allocate_nothing(ULONG64 flags, SIZE_T size, ULONG tag)
{
    (void)flags, (void)size, (void)tag;
    return NULL;
}

static POOL_TYPE pool_type(uint64_t flags)
{
    if ((flags & NT_POOL_PAGED) != 0)
        return PagedPool;
    return (flags & NT_POOL_EXECUTE) != 0 || !ka_nt_routines.nx ? NonPagedPool : (POOL_TYPE)NT_POOL_TYPE_NX;
}

static PVOID cleared(PVOID block, SIZE_T size, ULONG64 flags)
{
    if (block != NULL && (flags & NT_POOL_UNINITIALIZED) == 0)
        ka_clear(block, size);
    return block;
}

static PVOID NTAPI allocate_with_tag(ULONG64 flags, SIZE_T size, ULONG tag)
{
    return cleared(ExAllocatePoolWithTag(pool_type(flags), size, tag), size, flags);
}

/* For pools with a node or a priority. */
static void *allocate_special(const ka_nt_pool *pool, uint64_t flags, size_t size)
{
    nt_pool_parameter parameters[2];
    ULONG count = 0;
    if (ka_nt_routines.allocate_pool3 != NULL) {
        if (pool->priority != NormalPoolPriority) {
            parameters[count].type = NT_POOL_PRIORITY | NT_POOL_OPTIONAL;
            parameters[count].value.all = 0;
            parameters[count++].value.priority = pool->priority;
        }
        if (pool->node != KA_NT_ANY_NODE && (flags & NT_POOL_PAGED) == 0) {
            parameters[count].type = NT_POOL_NODE | (pool->exact ? 0 : NT_POOL_OPTIONAL);
            parameters[count].value.all = 0;
            parameters[count++].value.node = pool->node | (pool->exact ? 0 : NT_ANY_NODE_OK);
        }
        return ka_nt_routines.allocate_pool3(flags, size, pool->tag, parameters, count);
    }
    if (pool->exact)
        return NULL; /* no older routine has a node */
    if (pool->priority == NormalPoolPriority || ka_nt_routines.allocate_with_priority == NULL)
        return ka_nt_routines.allocate_pool2(flags, size, pool->tag);
    EX_POOL_PRIORITY priority = (EX_POOL_PRIORITY)pool->priority;
    return cleared(ka_nt_routines.allocate_with_priority(pool_type(flags), size, pool->tag, priority), size, flags);
}

/* ---- blocks ---- */

static ka_nt_pool *pool_of(ka_allocator *self)
{
    return (ka_nt_pool *)(void *)self;
}

static uint64_t pool_flags(const ka_nt_pool *pool, ka_flags flags)
{
    return pool->flags ^ (uint64_t)((flags & KA_ZERO) >> 2);
}

/* What the pool is asked for; larger than size + 16: with room for the words in front. */
static size_t request_for(size_t size, size_t align)
{
    if (align <= KA_MIN_ALIGN || (align <= PAGE_SIZE && size >= PAGE_SIZE))
        return size;
    return align <= PAGE_SIZE && size + align > PAGE_SIZE ? PAGE_SIZE : size + align;
}

static bool has_words(size_t size, size_t align)
{
    return align > KA_MIN_ALIGN && (align > PAGE_SIZE || (size < PAGE_SIZE && size + align <= PAGE_SIZE));
}

static uintptr_t check_for(uintptr_t request, uintptr_t block)
{
    return (uintptr_t)((uint64_t)(request ^ block << 1) * CHECK);
}

/* Any pool, alignment, flags. */
static KA_NOINLINE void *alloc_other(ka_nt_pool *pool, size_t size, size_t align, ka_flags flags)
{
    uint64_t how = pool_flags(pool, flags);
    if ((flags & KA_ANY_CONTEXT) != 0 || ((flags & KA_PAGEABLE) != 0 && pool->exact))
        return NULL;
    if ((flags & KA_PAGEABLE) != 0)
        how = (how & ~(NT_POOL_NON_PAGED | NT_POOL_EXECUTE)) | NT_POOL_PAGED;
    KA_DEBUG(KeGetCurrentIrql() <= DISPATCH_LEVEL);
    if ((how & NT_POOL_PAGED) != 0 && KeGetCurrentIrql() > APC_LEVEL) {
        ka_report_misuse(KA_MISUSE_CONTEXT, &pool->allocator, NULL, size, KA_RETURN_ADDRESS());
        return NULL;
    }
    bool special = pool->node != KA_NT_ANY_NODE || pool->priority != NormalPoolPriority;
    size_t asked = request_for(size, align);
    uintptr_t request = (uintptr_t)(special ? allocate_special(pool, how, asked)
                                            : ka_nt_routines.allocate_pool2(how, asked, pool->tag));
    if (request == 0)
        return NULL;
    if (!has_words(size, align)) {
        if (KA_LIKELY(request % align == 0))
            return (void *)request;
        ExFreePoolWithTag((void *)request, pool->tag); /* the system has broken its word: none known does */
        return NULL;
    }
    uintptr_t *block = (uintptr_t *)ka_round_up(request + 2 * sizeof(uintptr_t), align);
    block[-2] = request;
    block[-1] = check_for(request, (uintptr_t)block);
    return block;
}

static KA_NOINLINE void free_other(ka_nt_pool *pool, void *block, size_t size, size_t align)
{
    KA_DEBUG(KeGetCurrentIrql() <= ((pool->flags & NT_POOL_PAGED) != 0 ? APC_LEVEL : DISPATCH_LEVEL));
    if (!has_words(size, align)) {
        ExFreePoolWithTag(block, pool->tag);
        return;
    }
    uintptr_t *words = block;
    if ((uintptr_t)block % align != 0 || words[-1] != check_for(words[-2], (uintptr_t)block)) {
        ka_report_misuse((uintptr_t)block % align != 0 ? KA_MISUSE_INTERIOR : KA_MISUSE_DAMAGE, &pool->allocator, block,
                         size, KA_RETURN_ADDRESS());
        return;
    }
    words[-1] = 0;
    ExFreePoolWithTag((void *)words[-2], pool->tag);
}

/* The short way, of non-paged pools without a node or a priority. */
static void *plain_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    ka_nt_pool *pool = pool_of(self);
    if (KA_UNLIKELY(align > KA_MIN_ALIGN || (flags & (KA_ANY_CONTEXT | KA_PAGEABLE)) != 0))
        return alloc_other(pool, size, align, flags);
    KA_DEBUG(KeGetCurrentIrql() <= DISPATCH_LEVEL);
    return ka_nt_routines.allocate_pool2(pool_flags(pool, flags), size, pool->tag);
}

static void plain_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    ka_nt_pool *pool = pool_of(self);
    if (KA_UNLIKELY(align > KA_MIN_ALIGN)) {
        free_other(pool, block, size, align);
        return;
    }
    KA_DEBUG(KeGetCurrentIrql() <= DISPATCH_LEVEL);
    ExFreePoolWithTag(block, pool->tag);
}

static void *any_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    return alloc_other(pool_of(self), size, align, flags);
}

static void any_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    free_other(pool_of(self), block, size, align);
}

/* Resize is by copy (ka_resize): the pool cannot. */
static const ka_allocator_ops plain_ops = { .name = "pool", .alloc = plain_alloc, .free = plain_free };
static const ka_allocator_ops any_ops = { .name = "pool", .alloc = any_alloc, .free = any_free };

/* ---- life ---- */

bool ka_nt_tag_valid(uint32_t tag)
{
    for (unsigned shift = 0; shift < 32; shift += 8)
        if ((tag >> shift & 0xff) < 0x20 || (tag >> shift & 0xff) > 0x7e)
            return false;
    return true;
}

bool ka_nt_pool_init(ka_nt_pool *pool, const ka_nt_pool_options *o)
{
    static const uint8_t priorities[] = { NormalPoolPriority, LowPoolPriority, HighPoolPriority };
    if (!ka_nt_tag_valid(o->tag) || (unsigned)o->priority > KA_NT_HIGH ||
        (o->pageable && (o->executable || o->on_node)) || (o->exact && !o->on_node) ||
        (o->on_node && o->node >= NT_ANY_NODE_OK))
        return false;
    pool->flags = NT_POOL_UNINITIALIZED | (o->pageable     ? NT_POOL_PAGED
                                           : o->executable ? NT_POOL_EXECUTE
                                                           : NT_POOL_NON_PAGED);
    pool->tag = o->tag;
    pool->node = o->on_node ? o->node : KA_NT_ANY_NODE;
    pool->priority = priorities[o->priority];
    pool->exact = o->exact;
    bool plain = !o->pageable && !o->on_node && o->priority == KA_NT_NORMAL;
    pool->allocator.ops = plain ? &plain_ops : &any_ops;
    return true;
}

/* Refuses until the routines are known. */
static ka_nt_pool kernel_pool = { .allocator = { &plain_ops },
                                  .flags = NT_POOL_NON_PAGED | NT_POOL_UNINITIALIZED,
                                  .tag = KA_NT_TAG,
                                  .node = KA_NT_ANY_NODE,
                                  .priority = NormalPoolPriority };
ka_allocator *const ka_kernel = &kernel_pool.allocator;

/* NonPagedPoolNx came with Windows 8, 6.2. */
static bool has_nx(void)
{
    static RTL_OSVERSIONINFOW version; /* large for a stack */
    version.dwOSVersionInfoSize = sizeof version;
    return NT_SUCCESS(RtlGetVersion(&version)) &&
           (version.dwMajorVersion > 6 || (version.dwMajorVersion == 6 && version.dwMinorVersion >= 2));
}

void ka_nt_pool_start(uint32_t tag)
{
    kernel_pool.tag = tag;
    ka_nt_routines.nx = has_nx();
    ka_nt_routines.allocate_pool3 = (nt_allocate_pool3 *)ka_nt_find(L"ExAllocatePool3");
    ka_nt_routines.allocate_with_priority = (nt_allocate_with_priority *)ka_nt_find(L"ExAllocatePoolWithTagPriority");
    nt_allocate_pool2 *found = (nt_allocate_pool2 *)ka_nt_find(L"ExAllocatePool2");
    ka_nt_routines.allocate_pool2 = found != NULL ? found : allocate_with_tag;
}
