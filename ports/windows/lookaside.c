/* lookaside.c: ka_nt_lookaside, the system's lookaside lists: objects of one size that were freed wait on a list of the
 * system's, whose length the system trims. What a list does not have comes from a ka_nt_pool, through the list's own
 * callbacks, so that it is not executable and has the pool's tag.
 *
 * A list must lie in non-paged memory, aligned to 16, and must be deleted before the driver goes: the system walks all
 * lists. It lies in the pool.
 */
#include "base/atomic.h"
#include "base/math.h"
#include "base/mem.h"
#include "nt.h"

typedef struct list_memory {
    LOOKASIDE_LIST_EX list; /* first: the callbacks get its address */
    ka_nt_pool *pool;
    ka_flags flags;
} list_memory;

static PVOID NTAPI list_allocate(POOL_TYPE type, SIZE_T size, ULONG tag, LOOKASIDE_LIST_EX *list)
{
    list_memory *memory = (list_memory *)(void *)list;
    (void)type, (void)tag;
    return ka_alloc(&memory->pool->allocator, size, KA_MIN_ALIGN, memory->flags);
}

static VOID NTAPI list_free(PVOID object, LOOKASIDE_LIST_EX *list)
{
    list_memory *memory = (list_memory *)(void *)list;
    ka_free(&memory->pool->allocator, object, 1, KA_MIN_ALIGN);
}

static ka_nt_lookaside *lookaside_of(ka_allocator *self)
{
    return (ka_nt_lookaside *)(void *)self;
}

static bool level_allows(const ka_nt_lookaside *l)
{
    return KeGetCurrentIrql() <= (l->pageable ? APC_LEVEL : DISPATCH_LEVEL);
}

static void *object_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    ka_nt_lookaside *l = lookaside_of(self);
    if (size > l->size || align > KA_MIN_ALIGN || (flags & KA_ANY_CONTEXT) != 0 ||
        ((flags & KA_PAGEABLE) != 0 && !l->pageable))
        return NULL;
    if (l->pageable && !level_allows(l)) {
        ka_report_misuse(KA_MISUSE_CONTEXT, self, NULL, size, KA_RETURN_ADDRESS());
        return NULL;
    }
    KA_DEBUG(level_allows(l));
    void *object = ExAllocateFromLookasideListEx(l->list);
    if (object == NULL)
        return NULL;
    (void)ka_fetch_add_ptr(&l->live, 1);
    if ((flags & KA_ZERO) != 0)
        ka_clear(object, size);
    return object;
}

static void object_free(ka_allocator *self, void *object, size_t size, size_t align)
{
    ka_nt_lookaside *l = lookaside_of(self);
    if (size > l->size || align > KA_MIN_ALIGN) {
        ka_report_misuse(KA_MISUSE_WRONG_SIZE, self, object, size, KA_RETURN_ADDRESS());
        return;
    }
    KA_DEBUG(level_allows(l));
    (void)ka_fetch_add_ptr(&l->live, (uintptr_t)-1);
    ExFreeToLookasideListEx(l->list, object);
}

static void *object_resize(ka_allocator *self, void *object, size_t old_size, size_t old_align, size_t new_size,
                           size_t new_align, ka_flags flags)
{
    (void)old_align;
    if (new_size > lookaside_of(self)->size || new_align > KA_MIN_ALIGN || (flags & KA_ANY_CONTEXT) != 0)
        return NULL;
    if ((flags & KA_ZERO) != 0 && new_size > old_size)
        ka_clear((char *)object + old_size, new_size - old_size);
    return object;
}

static size_t object_usable(ka_allocator *self, const void *object, size_t size, size_t align)
{
    (void)object, (void)size, (void)align;
    return lookaside_of(self)->size;
}

static void lookaside_stats(ka_allocator *self, ka_stats *out)
{
    const ka_nt_lookaside *l = lookaside_of(self);
    out->live_blocks = ka_load_relaxed_ptr(&l->live);
    out->live = out->live_blocks * l->size;
}

static const ka_allocator_ops lookaside_ops = {
    .name = "lookaside",
    .alloc = object_alloc,
    .free = object_free,
    .resize = object_resize,
    .usable = object_usable,
    .stats = lookaside_stats,
};

bool ka_nt_lookaside_init(ka_nt_lookaside *l, ka_nt_pool *pool, size_t size)
{
    const nt_routines *nt = &ka_nt_routines;
    ka_nt_pool lists;
    bool valid = ka_nt_pool_init(&lists, &(ka_nt_pool_options){ .tag = pool->tag });
    if (!valid || size == 0 || size > (size_t)PTRDIFF_MAX || nt->lookaside_init == NULL || nt->lookaside_delete == NULL)
        return false;
    list_memory *memory = ka_zalloc(&lists.allocator, sizeof *memory, KA_MIN_ALIGN, 0);
    if (memory == NULL)
        return false;
    bool pageable = (pool->flags & NT_POOL_PAGED) != 0;
    memory->pool = pool;
    memory->flags = pageable ? KA_PAGEABLE : 0;
    size = ka_max(size, KA_MIN_ALIGN); /* an entry of a list */
    NTSTATUS status = nt->lookaside_init(&memory->list, list_allocate, list_free, pageable ? PagedPool : NonPagedPool,
                                         0, size, pool->tag, 0);
    if (!NT_SUCCESS(status)) {
        ka_free(&lists.allocator, memory, sizeof *memory, KA_MIN_ALIGN);
        return false;
    }
    *l = (ka_nt_lookaside){ { &lookaside_ops }, memory, pool, size, 0, pageable };
    return true;
}

size_t ka_nt_lookaside_fini(ka_nt_lookaside *l)
{
    size_t live = (size_t)ka_load_acquire_ptr(&l->live);
    ka_nt_pool lists;
    if (live != 0)
        ka_report_misuse(KA_MISUSE_LEAK, &l->allocator, NULL, live * l->size, NULL);
    ka_nt_routines.lookaside_delete(l->list);
    if (ka_nt_pool_init(&lists, &(ka_nt_pool_options){ .tag = l->pool->tag }))
        ka_free(&lists.allocator, l->list, sizeof(list_memory), KA_MIN_ALIGN);
    l->list = NULL;
    l->allocator.ops = NULL;
    return live;
}

void ka_nt_lookaside_start(void)
{
    ka_nt_routines.lookaside_init = (nt_lookaside_init *)ka_nt_find(L"ExInitializeLookasideListEx");
    ka_nt_routines.lookaside_delete = (nt_lookaside_delete *)ka_nt_find(L"ExDeleteLookasideListEx");
}
