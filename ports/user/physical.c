/* ports/user/physical.c: physically contiguous memory in user space: huge pages, whose physical addresses the kernel
 * tells a process that may know them (CAP_SYS_ADMIN, /proc/self/pagemap).
 *
 * The pages are those of a file in memory. They are mapped once to learn where they are, and then again in the order of
 * their physical addresses: what is contiguous there is contiguous here. Huge pages are neither swapped nor moved.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ka/user.h>

#include "base/atomic.h"
#include "base/math.h"
#include "heap/physical.h"

#define HUGE_PAGE   ((size_t)2 << 20)
#define HUGE_FRAMES (HUGE_PAGE >> KA_FRAME_SHIFT)
#define MAX_PAGES   ((size_t)KA_FRAME_ZONES)
#define HUGE_2MB    (21u << 26) /* MFD_HUGE_2MB; older headers do not have it */

typedef struct huge_page {
    uint64_t frame;  /* its first */
    size_t position; /* in the file */
} huge_page;

static struct {
    unsigned char *base; /* pages[i] is mapped at i * HUGE_PAGE */
    huge_page pages[MAX_PAGES];
    size_t count;
    ka_frames frames;
} memory;

/* ---- physical addresses ---- */

static uint64_t pagemap_frame(int pagemap, const void *address)
{
    const uint64_t present = UINT64_C(1) << 63, number = (UINT64_C(1) << 55) - 1;
    uint64_t entry = 0;
    off_t at = (off_t)((uintptr_t)address >> KA_FRAME_SHIFT) * (off_t)sizeof entry;
    if (pread(pagemap, &entry, sizeof entry, at) != (ssize_t)sizeof entry || (entry & present) == 0)
        return 0;
    return entry & number; /* 0 for who may not know */
}

/* 0: not known. */
static uint64_t frame_by_pagemap(const void *address)
{
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (pagemap < 0)
        return 0;
    uint64_t frame = pagemap_frame(pagemap, address);
    (void)close(pagemap);
    return frame;
}

/* ---- start ---- */

static int by_frame(const void *a, const void *b)
{
    const huge_page *x = a, *y = b;
    return (x->frame > y->frame) - (x->frame < y->frame);
}

/* Fills in pages; false: they cannot be known. */
static bool pages_locate(const unsigned char *mapped)
{
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    bool known = pagemap >= 0;
    for (size_t i = 0; known && i < memory.count; i++) {
        memory.pages[i].position = i;
        memory.pages[i].frame = pagemap_frame(pagemap, mapped + i * HUGE_PAGE);
        known = memory.pages[i].frame != 0 && memory.pages[i].frame % HUGE_FRAMES == 0;
    }
    if (pagemap >= 0)
        (void)close(pagemap);
    qsort(memory.pages, memory.count, sizeof *memory.pages, by_frame);
    return known;
}

static bool pages_order(int file)
{
    for (size_t i = 0; i < memory.count; i++) {
        unsigned char *at = memory.base + i * HUGE_PAGE;
        off_t position = (off_t)(memory.pages[i].position * HUGE_PAGE);
        if (mmap(at, HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, file, position) ==
            MAP_FAILED)
            return false;
    }
    return madvise(memory.base, memory.count * HUGE_PAGE, MADV_DONTFORK) == 0;
}

/* As many huge pages as there are, up to memory.count. */
static bool pages_map(int file)
{
    for (; memory.count > 0; memory.count--) {
        size_t size = memory.count * HUGE_PAGE;
        if (ftruncate(file, (off_t)size) != 0)
            continue;
        void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
        if (mapped == MAP_FAILED)
            continue;
        memory.base = mapped;
        if (pages_locate(mapped) && pages_order(file))
            return true;
        (void)munmap(mapped, size);
        return false;
    }
    return false;
}

static bool frames_start(void)
{
    ka_frame_range map[MAX_PAGES];
    for (size_t i = 0; i < memory.count; i++)
        map[i] = (ka_frame_range){ memory.pages[i].frame, HUGE_FRAMES, 0 };
    size_t size = ka_frames_size(map, (unsigned)memory.count, KA_FRAMES_TRACK);
    void *metadata = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return metadata != MAP_FAILED &&
           ka_frames_init(&memory.frames, map, (unsigned)memory.count, metadata, KA_FRAMES_TRACK);
}

static bool memory_start(size_t bytes)
{
    int file = memfd_create("ka_physical", MFD_CLOEXEC | MFD_HUGETLB | HUGE_2MB);
    if (file < 0)
        return false;
    memory.count = ka_min(ka_max(bytes / HUGE_PAGE, 1), MAX_PAGES);
    bool done = pages_map(file) && frames_start();
    (void)close(file);
    return done;
}

/* ---- the source ---- */

static void *map(uint64_t first, uint64_t count, ka_caching caching)
{
    (void)count, (void)caching;
    for (size_t i = 0; i < memory.count; i++)
        if (first - memory.pages[i].frame < HUGE_FRAMES)
            return memory.base + i * HUGE_PAGE + ((first - memory.pages[i].frame) << KA_FRAME_SHIFT);
    return NULL;
}

static void unmap(void *block, uint64_t count, ka_caching caching)
{
    (void)block, (void)count, (void)caching;
}

static uint64_t frame_of(const void *block)
{
    size_t offset = (size_t)((uintptr_t)block - (uintptr_t)memory.base);
    if (offset / HUGE_PAGE >= memory.count)
        return UINT64_MAX;
    return memory.pages[offset / HUGE_PAGE].frame + (offset % HUGE_PAGE >> KA_FRAME_SHIFT);
}

static bool has_caching(ka_caching caching)
{
    return caching == KA_CACHED;
}

static const ka_physical_source source = {
    .frames = &memory.frames,
    .align = KA_MIN_ALIGN,
    .max_align = HUGE_PAGE,
    .map = map,
    .unmap = unmap,
    .frame_of = frame_of,
    .has_caching = has_caching,
};

static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
static uint32_t started; /* 1: yes; 2: it cannot be */
static ka_physical_allocator any;

static bool start(size_t bytes)
{
    if (ka_load_acquire_32(&started) == 0) {
        (void)pthread_mutex_lock(&starting);
        if (started == 0) {
            bool done = memory_start(bytes) && ka_physical_init_over(&any, NULL, &source) == KA_PHYSICAL_OK;
            if (!done)
                memory.count = 0;
            ka_store_release_32(&started, done ? 1 : 2);
        }
        (void)pthread_mutex_unlock(&starting);
    }
    return ka_load_acquire_32(&started) == 1;
}

ka_physical_error ka_user_physical_start(size_t bytes)
{
    return start(bytes) ? KA_PHYSICAL_OK : KA_PHYSICAL_NOT_HERE;
}

ka_physical_error ka_physical_init(ka_physical_allocator *instance, const ka_physical_limits *limits)
{
    return start(KA_USER_PHYSICAL) ? ka_physical_init_over(instance, limits, &source) : KA_PHYSICAL_NOT_HERE;
}

uint64_t ka_physical_address(const void *block)
{
    uint64_t frame = start(KA_USER_PHYSICAL) ? frame_of(block) : UINT64_MAX;
    if (frame == UINT64_MAX)
        frame = frame_by_pagemap(block);
    return frame == 0 ? KA_NO_ADDRESS : frame << KA_FRAME_SHIFT | ((uintptr_t)block & ((1u << KA_FRAME_SHIFT) - 1));
}

/* ---- ka_physical: `any`, started at the first use ---- */

static ka_physical_allocator first_use;

static void *first_use_error(void *block)
{
    if (block == NULL)
        ka_store_relaxed_32(&first_use.error, started == 1 ? any.error : KA_PHYSICAL_NOT_HERE);
    return block;
}

static void *first_use_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    (void)self;
    return first_use_error(start(KA_USER_PHYSICAL) ? ka_alloc(&any.allocator, size, align, flags) : NULL);
}

static void first_use_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    if (start(KA_USER_PHYSICAL))
        ka_free(&any.allocator, block, size, align);
    else
        ka_report_misuse(KA_MISUSE_FOREIGN, self, block, size, NULL);
}

static void *first_use_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                              size_t new_align, ka_flags flags)
{
    (void)self;
    if (!start(KA_USER_PHYSICAL))
        return first_use_error(NULL);
    return first_use_error(ka_resize(&any.allocator, block, old_size, old_align, new_size, new_align, flags));
}

static size_t first_use_usable(ka_allocator *self, const void *block, size_t size, size_t align)
{
    (void)self;
    return start(KA_USER_PHYSICAL) ? ka_usable(&any.allocator, block, size, align) : size;
}

static void first_use_stats(ka_allocator *self, ka_stats *out)
{
    (void)self;
    if (start(KA_USER_PHYSICAL))
        *out = ka_get_stats(&any.allocator);
}

static const char *first_use_check(ka_allocator *self)
{
    (void)self;
    return start(KA_USER_PHYSICAL) ? ka_check(&any.allocator) : NULL;
}

static const ka_allocator_ops first_use_ops = {
    .name = "physical",
    .alloc = first_use_alloc,
    .free = first_use_free,
    .resize = first_use_resize,
    .usable = first_use_usable,
    .stats = first_use_stats,
    .check = first_use_check,
};

static ka_physical_allocator first_use = { .allocator = { &first_use_ops } };

ka_allocator *const ka_physical = &first_use.allocator;
