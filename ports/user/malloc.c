/* ports/user/malloc.c: the C library's names over one general heap: libka-malloc.so, for LD_PRELOAD.
 *
 * Size 0 counts as 1. Failure is NULL with errno ENOMEM; free keeps errno. The heap is made at the first call, in the
 * largest power of two of address space that the system gives, 1 TiB at most: that is a bound on addresses, memory is taken
 * as it is touched. A pointer that is not the heap's is reported and left alone.
 *
 * C++'s operators go the same way. Where memory runs out `new` calls the next definition, the C++ library's own: that
 * one asks malloc again, runs the new-handler and throws, as the language wants.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include <ka/user.h>

#include "base/math.h"
#include "base/mem.h"
#include "heap/fast.h"

#define EXPORT __attribute__((visibility("default")))

/* Until the heap is made nobody has magazines, so that the first call takes the slow way. */
static ka_heap heap = { .magazines = ka_no_slots };
static uint32_t state; /* 0, 1: somebody makes the heap, 2: it is there, 3: there is no memory */

static bool heap_make(void)
{
    for (size_t size = (size_t)1 << 40; size >= (size_t)1 << 28; size /= 2) {
        if (ka_user_heap_init(&heap, "malloc", size))
            return true;
    }
    return false;
}

static KA_NOINLINE bool heap_ready(void)
{
    uint32_t seen = ka_load_acquire_32(&state);
    while (seen < 2) {
        if (seen == 0 && ka_cas_32(&state, &seen, 1))
            ka_store_release_32(&state, heap_make() ? 2 : 3);
        else
            ka_port_relax();
        seen = ka_load_acquire_32(&state);
    }
    return seen == 2;
}

static KA_NOINLINE void *fail(void)
{
    errno = ENOMEM;
    return NULL;
}

static KA_NOINLINE void *allocate_slow(size_t size, size_t align, ka_flags flags)
{
    if (!heap_ready())
        return fail();
    void *block = ka_heap_alloc(&heap, size, align, flags);
    return block != NULL ? block : fail();
}

/* A block of at least one byte, 16-byte aligned. */
static inline void *allocate(size_t size)
{
    if (KA_UNLIKELY(size > KA_CLASS_LARGEST))
        return allocate_slow(size, 16, 0);
    ka_magazines *m = ka_heap_magazines(&heap);
    if (KA_LIKELY(ka_port_busy_take(&m->busy))) {
        void *block = ka_magazine_pop(m, ka_class_of(size));
        ka_port_busy_give(&m->busy);
        if (KA_LIKELY(block != NULL))
            return block;
    }
    return allocate_slow(size + (size == 0), 16, 0);
}

static KA_NOINLINE void release_slow(void *block)
{
    int kept = errno;
    if (heap.table != NULL)
        ka_heap_free_unsized(&heap, block);
    errno = kept;
}

static inline void release(void *block)
{
    uint32_t descriptor = ka_heap_descriptor(&heap, block);
    if (KA_LIKELY(ka_page_is_slab(descriptor))) {
        ka_magazines *m = ka_heap_magazines(&heap);
        if (KA_LIKELY(ka_port_busy_take(&m->busy))) {
            bool placed = ka_magazine_push(m, ka_page_slab_class(descriptor), block);
            ka_port_busy_give(&m->busy);
            if (KA_LIKELY(placed))
                return;
        }
    }
    release_slow(block);
}

/* ---- C ---- */

EXPORT void *malloc(size_t size)
{
    return allocate(size);
}

EXPORT void free(void *block)
{
    release(block);
}

EXPORT void *calloc(size_t count, size_t size)
{
    if (size != 0 && count > (size_t)PTRDIFF_MAX / size)
        return fail();
    size_t bytes = count * size;
    if (bytes > KA_CLASS_LARGEST)
        return allocate_slow(bytes, 16, KA_ZERO);
    void *block = allocate(bytes);
    if (KA_LIKELY(block != NULL))
        ka_clear(block, bytes);
    return block;
}

EXPORT void *realloc(void *block, size_t size)
{
    if (block == NULL)
        return allocate(size);
    size_t old = ka_heap_usable(&heap, block);
    if (old == 0) {
        ka_heap_free_unsized(&heap, block); /* reports it */
        return fail();
    }
    size += size == 0;
    if (size <= old && size >= old / 2 && size > 16)
        return block;
    void *result = ka_heap_resize(&heap, block, old, 16, size, 16, 0);
    return result != NULL ? result : fail();
}

EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
    if (size != 0 && count > (size_t)PTRDIFF_MAX / size)
        return fail();
    return realloc(block, count * size);
}

EXPORT size_t malloc_usable_size(void *block)
{
    return block == NULL || heap.table == NULL ? 0 : ka_heap_usable(&heap, block);
}

static void *allocate_aligned(size_t align, size_t size)
{
    return align <= 16 ? allocate(size) : allocate_slow(size + (size == 0), align, 0);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    if (!ka_is_power_of_two(align)) {
        errno = EINVAL;
        return NULL;
    }
    return allocate_aligned(align, size);
}

EXPORT void *memalign(size_t align, size_t size)
{
    return aligned_alloc(align, size);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
    if (!ka_is_power_of_two(align) || align % sizeof(void *) != 0)
        return EINVAL;
    int kept = errno;
    void *block = allocate_aligned(align, size);
    errno = kept;
    if (block == NULL)
        return ENOMEM;
    *out = block;
    return 0;
}

EXPORT void *valloc(size_t size)
{
    return allocate_aligned((size_t)sysconf(_SC_PAGESIZE), size);
}

EXPORT void *pvalloc(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return size > (size_t)PTRDIFF_MAX - page ? fail() : allocate_aligned(page, ka_round_up(size + (size == 0), page));
}

/* ---- C++ (Itanium names; size_t is m) ---- */

#define NEW(name) EXPORT void *name
#define DELETE(name) EXPORT void name

typedef void *new_function(size_t size);
typedef void *new_aligned_function(size_t size, size_t align);

static KA_NOINLINE void *new_failed(const char *name, size_t size)
{
    union {
        void *address;
        new_function *call;
    } next = { dlsym(RTLD_NEXT, name) };
    if (next.address == NULL)
        abort();
    return next.call(size);
}

static KA_NOINLINE void *new_aligned_failed(const char *name, size_t size, size_t align)
{
    union {
        void *address;
        new_aligned_function *call;
    } next = { dlsym(RTLD_NEXT, name) };
    if (next.address == NULL)
        abort();
    return next.call(size, align);
}

static inline void release_sized(void *block, size_t size)
{
    if (KA_LIKELY(block != NULL && size - 1 < KA_CLASS_LARGEST)) {
        ka_magazines *m = ka_heap_magazines(&heap);
        if (KA_LIKELY(ka_port_busy_take(&m->busy))) {
            bool placed = ka_magazine_push(m, ka_class_of(size), block);
            ka_port_busy_give(&m->busy);
            if (KA_LIKELY(placed))
                return;
        }
    }
    release_slow(block);
}

NEW(_Znwm)(size_t size);
NEW(_Znam)(size_t size);
NEW(_ZnwmRKSt9nothrow_t)(size_t size, const void *tag);
NEW(_ZnamRKSt9nothrow_t)(size_t size, const void *tag);
NEW(_ZnwmSt11align_val_t)(size_t size, size_t align);
NEW(_ZnamSt11align_val_t)(size_t size, size_t align);
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t)(size_t size, size_t align, const void *tag);
NEW(_ZnamSt11align_val_tRKSt9nothrow_t)(size_t size, size_t align, const void *tag);
DELETE(_ZdlPv)(void *block);
DELETE(_ZdaPv)(void *block);
DELETE(_ZdlPvm)(void *block, size_t size);
DELETE(_ZdaPvm)(void *block, size_t size);
DELETE(_ZdlPvRKSt9nothrow_t)(void *block, const void *tag);
DELETE(_ZdaPvRKSt9nothrow_t)(void *block, const void *tag);
DELETE(_ZdlPvSt11align_val_t)(void *block, size_t align);
DELETE(_ZdaPvSt11align_val_t)(void *block, size_t align);
DELETE(_ZdlPvmSt11align_val_t)(void *block, size_t size, size_t align);
DELETE(_ZdaPvmSt11align_val_t)(void *block, size_t size, size_t align);
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t)(void *block, size_t align, const void *tag);
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t)(void *block, size_t align, const void *tag);

NEW(_Znwm)(size_t size)
{
    void *block = allocate(size);
    return KA_LIKELY(block != NULL) ? block : new_failed("_Znwm", size);
}

NEW(_Znam)(size_t size)
{
    void *block = allocate(size);
    return KA_LIKELY(block != NULL) ? block : new_failed("_Znam", size);
}

NEW(_ZnwmRKSt9nothrow_t)(size_t size, const void *tag)
{
    (void)tag;
    return allocate(size);
}

NEW(_ZnamRKSt9nothrow_t)(size_t size, const void *tag)
{
    (void)tag;
    return allocate(size);
}

NEW(_ZnwmSt11align_val_t)(size_t size, size_t align)
{
    void *block = allocate_aligned(align, size);
    return KA_LIKELY(block != NULL) ? block : new_aligned_failed("_ZnwmSt11align_val_t", size, align);
}

NEW(_ZnamSt11align_val_t)(size_t size, size_t align)
{
    void *block = allocate_aligned(align, size);
    return KA_LIKELY(block != NULL) ? block : new_aligned_failed("_ZnamSt11align_val_t", size, align);
}

NEW(_ZnwmSt11align_val_tRKSt9nothrow_t)(size_t size, size_t align, const void *tag)
{
    (void)tag;
    return allocate_aligned(align, size);
}

NEW(_ZnamSt11align_val_tRKSt9nothrow_t)(size_t size, size_t align, const void *tag)
{
    (void)tag;
    return allocate_aligned(align, size);
}

DELETE(_ZdlPv)(void *block) { release(block); }
DELETE(_ZdaPv)(void *block) { release(block); }
DELETE(_ZdlPvm)(void *block, size_t size) { release_sized(block, size); }
DELETE(_ZdaPvm)(void *block, size_t size) { release_sized(block, size); }
DELETE(_ZdlPvRKSt9nothrow_t)(void *block, const void *tag) { (void)tag, release(block); }
DELETE(_ZdaPvRKSt9nothrow_t)(void *block, const void *tag) { (void)tag, release(block); }
DELETE(_ZdlPvSt11align_val_t)(void *block, size_t align) { (void)align, release(block); }
DELETE(_ZdaPvSt11align_val_t)(void *block, size_t align) { (void)align, release(block); }
DELETE(_ZdlPvmSt11align_val_t)(void *block, size_t size, size_t align) { (void)size, (void)align, release(block); }
DELETE(_ZdaPvmSt11align_val_t)(void *block, size_t size, size_t align) { (void)size, (void)align, release(block); }
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t)(void *block, size_t align, const void *tag)
{
    (void)align, (void)tag, release(block);
}
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t)(void *block, size_t align, const void *tag)
{
    (void)align, (void)tag, release(block);
}
