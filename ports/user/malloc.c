/* ports/user/malloc.c: the C library's names over one general heap: libka-malloc.so, for LD_PRELOAD.
 *
 * Size 0 counts as 1. Failure is NULL with errno ENOMEM; free keeps errno. The heap is made at the first call, in the
 * largest power of two of address space that the system gives, 1 TiB at most: that is a bound on addresses, memory is
 * taken as it is touched. It knows one node: where memory lies, the system decides when a page is first touched. A
 * pointer that is not the heap's is reported and left alone.
 *
 * Three shortcuts make the hot path, all of them filled in on the slow one:
 * - a thread's magazines lie in its thread-local storage, one load away;
 * - the heap's map of classes covers every address that a program can have (a byte for each page, 32 GiB of address
 *   space of which only what stands for the heap is ever touched), so that a free needs no check of bounds: what is not
 *   the heap's has number 0, the magazine that is always full;
 * - a thread-local table gives the magazine's number of each size up to 4 KiB.
 *
 * C++'s operators go the same way. Where memory runs out `new` calls the next definition, the C++ library's own: that
 * one asks malloc again, runs the new-handler and throws, as the language wants.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ka/user.h>

#include "base/math.h"
#include "base/mem.h"
#include "heap/fast.h"
#include "ports/user/user.h"

#define EXPORT __attribute__((visibility("default")))

/* For functions whose usual way is two cache lines of code: so it never lies in three, which costs a hot pair a fifth
 * of its time on Zen 5. */
#define HOT __attribute__((aligned(64)))

/* malloc has four branches before its usual end, and begins 16 bytes later, so that the last one shares the second line
 * with the return instead of the first line with three others: a cycle less on Zen 5. */
#define HOT_MALLOC __attribute__((aligned(64), patchable_function_entry(16, 16)))

#define TABLE_LARGEST 4096u                /* bytes */
#define SHIFT         12u
#define PAGE          ((size_t)1 << SHIFT) /* of the heap */
#define MAP_PAGES     ((size_t)1 << 35)    /* of 4 KiB: all of 2^47 bytes */

static ka_heap heap = { .magazines = ka_no_slots };
static uint32_t state;     /* 0, 1: somebody makes the heap, 2: it is there, 3: there is no memory */
static const uint8_t *map; /* by address / 4096; who has magazines has it */

static __thread struct {
    ka_magazines magazines;
    uint8_t number_of[TABLE_LARGEST + 1]; /* by size */
} mine __attribute__((tls_model("initial-exec"))) = { .magazines = { .busy = 1 } };

/* ka_magazine_pop and _push for this thread's. The new top is a volatile store, as another thread's statistics may read
 * it: an atomic one would have gcc compute the address in thread-local storage, three instructions more. */
static inline void set_top(unsigned number, void **top)
{
    *(void **volatile *)&mine.magazines.top[number] = top;
}

static inline void *pop(unsigned number)
{
    void **top = mine.magazines.top[number], *block = ka_as_result(top[-1]);
    if (KA_LIKELY(block != NULL))
        set_top(number, top - 1);
    return block;
}

static inline bool push(unsigned number, void *block)
{
    void **top = mine.magazines.top[number];
    if (KA_UNLIKELY(top == mine.magazines.end[number] || top[-1] == block))
        return false;
    *top = block;
    __builtin_prefetch(block); /* who allocates next writes to it */
    set_top(number, top + 1);
    return true;
}

static bool heap_make(void)
{
    uint8_t *all = mmap(NULL, MAP_PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED)
        all = NULL; /* the address space is limited: without the shortcuts, then */
    else
        (void)madvise(all, MAP_PAGES, MADV_NOHUGEPAGE);
    for (size_t size = (size_t)1 << 40; size >= (size_t)1 << 24; size /= 2)
        if (ka_user_malloc_init(&heap, size, all)) {
            map = all;
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

/* Gives this thread magazines and its table, if it has none. */
static void thread_begin(void)
{
    unsigned slot = ka_port_slot_enter();
    if (slot == 0 || map == NULL || ka_heap_magazines_of(&heap, slot) != &ka_no_magazines)
        return;
    for (unsigned size = 0; size <= TABLE_LARGEST; size++)
        mine.number_of[size] = (uint8_t)ka_magazine_of_class(ka_class_of(size));
    ka_heap_attach(&heap, slot, &mine.magazines);
}

static KA_NOINLINE void *allocate_slow(size_t size, size_t align, ka_flags flags)
{
    if (!heap_ready())
        return fail();
    thread_begin();
    void *block = ka_heap_alloc(&heap, size + (size == 0), align, flags);
    return block != NULL ? block : fail();
}

/* A run that this thread has parked, perhaps three lengths longer, 3/8 at most: who frees it does not say its size. */
static inline void *parked_take(size_t size)
{
    void *block = NULL;
    if (size <= (size_t)PTRDIFF_MAX && ka_port_busy_take(&mine.magazines.busy)) {
        block = ka_run_pop(&heap, &mine.magazines, ka_round_up(size, PAGE) / PAGE, 3, SHIFT);
        ka_port_busy_give(&mine.magazines.busy);
    }
    return block;
}

static KA_NOINLINE void *allocate_run(size_t size)
{
    void *block = mine.magazines.run != NULL ? ka_heap_alloc(&heap, size, 16, 0) : NULL;
    return KA_LIKELY(block != NULL) ? block : allocate_slow(size, 16, 0);
}

static inline void *parked_or_run(size_t size)
{
    void *block = parked_take(size);
    return KA_LIKELY(block != NULL) ? block : allocate_run(size);
}

static HOT KA_NOINLINE void *allocate_large(size_t size)
{
    return parked_or_run(size);
}

/* Larger than the table's sizes, but from a magazine perhaps. */
static HOT KA_NOINLINE void *allocate_middle(size_t size)
{
    if (size > KA_CLASS_LARGEST)
        return allocate_large(size);
    if (ka_port_busy_take(&mine.magazines.busy)) {
        void *block = pop(ka_magazine_of_class(ka_class_of(size)));
        ka_port_busy_give(&mine.magazines.busy);
        if (KA_LIKELY(block != NULL))
            return block;
    }
    return allocate_slow(size, 16, 0);
}

/* A block of at least one byte, 16-byte aligned. */
static inline void *allocate(size_t size)
{
    if (KA_UNLIKELY(size > TABLE_LARGEST))
        return allocate_middle(size);
    if (KA_UNLIKELY(!ka_port_busy_take(&mine.magazines.busy)))
        return allocate_slow(size, 16, 0);
    void *block = pop(mine.number_of[size]);
    ka_port_busy_give(&mine.magazines.busy);
    return KA_LIKELY(block != NULL) ? block : allocate_slow(size, 16, 0);
}

/* The other ways. The magazines are not this context's. */
static KA_NOINLINE void release_other(void *block)
{
    int kept = errno;
    if (block != NULL && heap.table != NULL) {
        if (mine.magazines.busy != 0 && mine.magazines.run == NULL)
            thread_begin(); /* a thread that only frees wants magazines, too */
        ka_heap_free_unsized(&heap, block);
    }
    errno = kept;
}

/* What did not go into a magazine: a run, perhaps. The magazines are busy by this context. */
static inline void park(void *block)
{
    bool parked = ka_run_push(&heap, &mine.magazines, block, SHIFT);
    ka_port_busy_give(&mine.magazines.busy);
    if (KA_UNLIKELY(!parked))
        release_other(block);
}

static HOT KA_NOINLINE void release_held(void *block)
{
    park(block);
}

/* Into the magazine with this number; `other` if that is full. The magazines are busy by this context. */
static inline void release_to(unsigned number, void *block, void other(void *block))
{
    if (KA_LIKELY(push(number, block)))
        ka_port_busy_give(&mine.magazines.busy);
    else
        other(block);
}

static inline void release_or(void *block, void other(void *block))
{
    if (KA_LIKELY(ka_port_busy_take(&mine.magazines.busy)))
        release_to(map[(uintptr_t)block >> SHIFT], block, other);
    else
        release_other(block);
}

static inline void release(void *block)
{
    release_or(block, release_held);
}

/* ---- C ---- */

/* These two have the ways of large blocks inside: a jump less for each. */

EXPORT HOT_MALLOC void *malloc(size_t size)
{
    if (KA_LIKELY(size <= TABLE_LARGEST))
        return allocate(size);
    return size <= KA_CLASS_LARGEST ? allocate_middle(size) : parked_or_run(size);
}

EXPORT HOT void free(void *block)
{
    release_or(block, park);
}

/* The C library's memset under a name that gcc does not know: for sizes that it can bound it would inline a slow
 * loop. */
extern void *library_memset(void *to, int byte, size_t size) __asm__("memset");
extern void *library_memcpy(void *to, const void *from, size_t size) __asm__("memcpy");

/* count * size; the division is for numbers of more than 32 bits only. */
static inline bool multiply(size_t count, size_t size, size_t *bytes)
{
    *bytes = count * size;
    return KA_LIKELY(((count | size) >> 32) == 0) || size == 0 || count <= (size_t)PTRDIFF_MAX / size;
}

EXPORT HOT void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (!multiply(count, size, &bytes))
        return fail();
    if (bytes > TABLE_LARGEST) {
        void *parked = bytes > KA_CLASS_LARGEST ? parked_take(bytes) : NULL;
        return parked != NULL ? library_memset(parked, 0, bytes) : allocate_slow(bytes, 16, KA_ZERO);
    }
    void *block = allocate(bytes);
    return KA_LIKELY(block != NULL) ? library_memset(block, 0, bytes) : NULL;
}

/* ---- realloc ----
 *
 * A block that grows by less than half of its size is likely to grow again. While it is small it gets a quarter more
 * than it asks for; from GROW_RUN on it becomes a run of pages of twice the size, which then grows where it is. Pages
 * that are not touched cost nothing. */

#define GROW_RUN  4096u              /* bytes */
#define GROW_MOST ((size_t)64 << 20) /* what a run gets ahead, at most */

/* How many pages a run of so many bytes has. */
static size_t run_length(size_t size)
{
    return ka_park_round(ka_round_up(size, PAGE) / PAGE, heap.table->round_pages);
}

/* The block elsewhere, with `size` bytes. The old one is large enough still if it only was to be smaller. */
static void *move(void *block, size_t old, size_t size)
{
    void *result = allocate(size);
    if (result == NULL)
        return size <= old ? block : NULL;
    library_memcpy(result, block, ka_min(old, size));
    release(block);
    return result;
}

/* A run stays one, and where it is, if it can. */
static KA_NOINLINE void *resize_exactly(void *block, unsigned number, size_t old, size_t size)
{
    if (number == 0 && size > KA_CLASS_LARGEST && size <= (size_t)PTRDIFF_MAX &&
        ka_heap_run_resize(&heap, block, old / PAGE, run_length(size), 0))
        return block;
    return move(block, old, size);
}

/* A run, however small. Of one that is parked and much longer it is the first part: what is behind it is free then, for
 * it to grow into. */
static void *run_take(size_t size)
{
    void *block = NULL;
    if (ka_port_busy_take(&mine.magazines.busy)) {
        block = ka_run_pop(&heap, &mine.magazines, ka_round_up(size, PAGE) / PAGE, KA_PARK_LENGTHS, SHIFT);
        ka_port_busy_give(&mine.magazines.busy);
    }
    if (block == NULL)
        return ka_heap_alloc(&heap, size, size <= KA_CLASS_LARGEST ? 2 * PAGE : KA_MIN_ALIGN, 0);
    size_t length = ka_heap_run_usable(&heap, block) / PAGE, wanted = run_length(size);
    if (length > wanted + wanted / 4)
        (void)ka_heap_run_resize(&heap, block, length, wanted, 0);
    return block;
}

/* The block with `size` bytes, more than it has. */
static KA_NOINLINE void *grow(void *block, unsigned number, size_t old, size_t size)
{
    if (size > (size_t)PTRDIFF_MAX / 2 || size - old > old / 2)
        return resize_exactly(block, number, old, size);
    size_t ahead = size + (size < GROW_RUN ? size / 4 : ka_min(size, GROW_MOST));
    if (number == 0 && (ka_heap_run_resize(&heap, block, old / PAGE, run_length(ahead), 0) ||
                        ka_heap_run_resize(&heap, block, old / PAGE, run_length(size), 0)))
        return block;
    void *result = size < GROW_RUN ? allocate(ahead) : run_take(ahead);
    if (result == NULL)
        return resize_exactly(block, number, old, size);
    library_memcpy(result, block, old);
    release(block);
    return result;
}

EXPORT HOT void *realloc(void *block, size_t size)
{
    if (block == NULL)
        return allocate(size);
    unsigned number = ka_heap_number_of(&heap, block);
    size_t old = number != 0 ? heap.table->classes.of[number - 1].size : ka_heap_run_usable(&heap, block);
    if (KA_UNLIKELY(old == 0)) {
        ka_heap_free_unsized(&heap, block); /* reports it */
        return fail();
    }
    size += size == 0;
    if (KA_LIKELY(size <= old && size >= old / (number != 0 ? 2 : 4)))
        return block;
    return size > old ? grow(block, number, old, size) : resize_exactly(block, number, old, size);
}

EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    return multiply(count, size, &bytes) ? realloc(block, bytes) : fail();
}

/* Some programs ask at each call. */
EXPORT size_t malloc_usable_size(void *block)
{
    unsigned number = ka_heap_number_of(&heap, block);
    if (KA_LIKELY(number != 0))
        return heap.table->classes.of[number - 1].size;
    return block == NULL || heap.table == NULL ? 0 : ka_heap_run_usable(&heap, block);
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

#define NEW(name)    EXPORT HOT void *name
#define DELETE(name) EXPORT HOT void name

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
    if (KA_UNLIKELY(size > TABLE_LARGEST || block == NULL))
        release(block);
    else if (KA_LIKELY(ka_port_busy_take(&mine.magazines.busy)))
        release_to(mine.number_of[size], block, release_held);
    else
        release_other(block);
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

DELETE(_ZdlPv)(void *block)
{
    release(block);
}
DELETE(_ZdaPv)(void *block)
{
    release(block);
}
DELETE(_ZdlPvm)(void *block, size_t size)
{
    release_sized(block, size);
}
DELETE(_ZdaPvm)(void *block, size_t size)
{
    release_sized(block, size);
}
DELETE(_ZdlPvRKSt9nothrow_t)(void *block, const void *tag)
{
    (void)tag, release(block);
}
DELETE(_ZdaPvRKSt9nothrow_t)(void *block, const void *tag)
{
    (void)tag, release(block);
}
DELETE(_ZdlPvSt11align_val_t)(void *block, size_t align)
{
    (void)align, release(block);
}
DELETE(_ZdaPvSt11align_val_t)(void *block, size_t align)
{
    (void)align, release(block);
}
DELETE(_ZdlPvmSt11align_val_t)(void *block, size_t size, size_t align)
{
    (void)size, (void)align, release(block);
}
DELETE(_ZdaPvmSt11align_val_t)(void *block, size_t size, size_t align)
{
    (void)size, (void)align, release(block);
}
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t)(void *block, size_t align, const void *tag)
{
    (void)align, (void)tag, release(block);
}
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t)(void *block, size_t align, const void *tag)
{
    (void)align, (void)tag, release(block);
}
