/* alloc_test.c: what ka_alloc, ka_free, ka_resize and their relatives promise on top of any allocator. */
#include <stdlib.h>
#include <string.h>

#include <ka/alloc.h>
#include <ka/dummy.h>

#include "kit.h"

/* ---- an allocator that notes each call; malloc is behind it, so that ASan sees every byte ---- */

static struct {
    unsigned allocs, frees, resizes;
    size_t size, align; /* of the last call */
    size_t alloc_align;
    ka_flags flags; /* of the last alloc or resize */
    bool refuse;
} seen;

static void *spy_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    (void)self;
    seen.allocs++;
    seen.size = size;
    seen.align = seen.alloc_align = align;
    seen.flags = flags;
    if (seen.refuse)
        return NULL;
    void *block = NULL;
    if (posix_memalign(&block, align < 16 ? 16 : align, size) != 0)
        return NULL;
    return memset(block, (flags & KA_ZERO) != 0 ? 0 : 0xa5, size);
}

static void spy_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    (void)self;
    seen.frees++;
    seen.size = size;
    seen.align = align;
    free(block);
}

static void *spy_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                        size_t new_align, ka_flags flags)
{
    (void)self, (void)old_size, (void)old_align;
    seen.resizes++;
    seen.size = new_size;
    seen.align = new_align;
    seen.flags = flags;
    return block;
}

static const ka_allocator_ops copying_ops = { .name = "spy", .alloc = spy_alloc, .free = spy_free };
static const ka_allocator_ops resizing_ops = {
    .name = "spy", .alloc = spy_alloc, .free = spy_free, .resize = spy_resize
};
static ka_allocator spy;

static ka_allocator *setup(const ka_allocator_ops *ops)
{
    memset(&seen, 0, sizeof seen);
    spy.ops = ops;
    return &spy;
}

static bool untouched(void)
{
    return seen.allocs == 0 && seen.frees == 0 && seen.resizes == 0;
}

static bool all_bytes(const unsigned char *block, size_t from, size_t to, unsigned char byte)
{
    while (from < to)
        if (block[from++] != byte)
            return false;
    return true;
}

/* ---- cases ---- */

static void size_0(void)
{
    ka_allocator *a = setup(&copying_ops);
    seen.refuse = true;
    for (size_t align = 1; align != 0; align <<= 1) {
        void *block = ka_alloc(a, 0, align, 0);
        KIT_EXPECT(block != NULL && (uintptr_t)block % align == 0 && (uintptr_t)block % KA_MIN_ALIGN == 0);
        ka_free(a, block, 0, align);
    }
    KIT_EXPECT(ka_alloc(a, 0, 8, KA_ANY_CONTEXT | KA_ZERO) != NULL);
    KIT_EXPECT(ka_alloc(ka_dummy, 0, 8, 0) != NULL);
    KIT_EXPECT(untouched());
    ka_free(a, NULL, 8, 8);
    ka_free(ka_dummy, NULL, 8, 8);
    KIT_EXPECT(untouched());
}

static void bad_requests(void)
{
    static const size_t aligns[] = { 0, 3, 6, 24, SIZE_MAX, ((size_t)1 << 63) + 1 };
    ka_allocator *a = setup(&copying_ops);
    char block[8];
    for (size_t i = 0; i < KIT_COUNT(aligns); i++) {
        KIT_EXPECT(ka_alloc(a, 8, aligns[i], 0) == NULL && ka_alloc(a, 0, aligns[i], 0) == NULL);
        KIT_EXPECT(ka_resize(a, block, 8, 8, 16, aligns[i], 0) == NULL);
        KIT_EXPECT(ka_resize(a, block, 8, 8, 0, aligns[i], 0) == NULL);
    }
    KIT_EXPECT(ka_alloc(a, SIZE_MAX, 1, 0) == NULL && ka_alloc(a, (size_t)PTRDIFF_MAX + 1, 1, 0) == NULL);
    KIT_EXPECT(ka_alloc(a, PTRDIFF_MAX, 2, 0) == NULL && ka_alloc(a, SIZE_MAX - 14, 16, 0) == NULL);
    KIT_EXPECT(ka_resize(a, block, 8, 8, SIZE_MAX, 8, 0) == NULL);
    for (ka_flags flag = 32; flag != 0; flag <<= 1)
        KIT_EXPECT(ka_alloc(a, 8, 8, flag) == NULL && ka_alloc(a, 0, 8, flag | KA_ZERO) == NULL &&
                   ka_resize(a, block, 8, 8, 16, 8, flag) == NULL && ka_resize(a, block, 8, 8, 0, 8, flag) == NULL);
    KIT_EXPECT(untouched());
    seen.refuse = true;
    KIT_EXPECT(ka_alloc(a, PTRDIFF_MAX, 1, KA_FLAGS_KNOWN) == NULL && seen.allocs == 1);
    KIT_EXPECT(seen.size == PTRDIFF_MAX && seen.align == 1 && seen.flags == KA_FLAGS_KNOWN);
}

static void passes_on(void)
{
    ka_allocator *a = setup(&copying_ops);
    unsigned char *block = ka_alloc(a, 10, 32, KA_NOWAIT);
    KIT_CHECK(block != NULL);
    KIT_EXPECT(seen.size == 10 && seen.align == 32 && seen.flags == KA_NOWAIT);
    KIT_EXPECT(ka_usable(a, block, 10, 32) == 10 && ka_usable(a, NULL, 0, 1) == 0);
    KIT_EXPECT(!ka_walk(a, NULL, NULL) && ka_check(a) == NULL && ka_get_stats(a).total == 0);
    ka_free(a, block, 10, 32);
    KIT_EXPECT(seen.frees == 1 && seen.size == 10 && seen.align == 32);
    block = ka_zalloc(a, 10, 8, KA_ATOMIC);
    KIT_CHECK(block != NULL);
    KIT_EXPECT(seen.flags == (KA_ATOMIC | KA_ZERO));
    ka_free(a, block, 10, 8);
}

static void resize_of_nothing_and_to_nothing(void)
{
    ka_allocator *a = setup(&resizing_ops);
    void *block = ka_resize(a, NULL, 0, 1, 24, 8, KA_ZERO);
    KIT_CHECK(block != NULL);
    KIT_EXPECT(seen.allocs == 1 && seen.flags == KA_ZERO && all_bytes(block, 0, 24, 0));
    ka_free(a, block, 24, 8);
    block = ka_resize(a, NULL, 77, 8, 24, 8, 0); /* the size of NULL does not count */
    KIT_CHECK(block != NULL);
    ka_free(a, block, 24, 8);
    block = ka_resize(a, ka_alloc(a, 0, 8, 0), 0, 8, 24, 8, 0);
    KIT_CHECK(block != NULL);
    KIT_EXPECT(seen.allocs == 3 && seen.resizes == 0 && seen.frees == 2);
    void *nothing = ka_resize(a, block, 24, 8, 0, 4096, 0);
    KIT_EXPECT(nothing != NULL && (uintptr_t)nothing % 4096 == 0 && seen.frees == 3 && seen.size == 24);
    KIT_EXPECT(ka_resize(a, NULL, 0, 1, 0, 8, 0) != NULL && ka_resize(a, nothing, 0, 8, 0, 8, 0) != NULL);
    KIT_EXPECT(seen.allocs == 3 && seen.frees == 3 && seen.resizes == 0);
}

static void resize_by_the_allocator(void)
{
    ka_allocator *a = setup(&resizing_ops);
    void *block = ka_alloc(a, 24, 8, 0);
    KIT_EXPECT(ka_resize(a, block, 24, 8, 48, 64, KA_ATOMIC | KA_ZERO) == block);
    KIT_EXPECT(seen.resizes == 1 && seen.allocs == 1 && seen.frees == 0);
    KIT_EXPECT(seen.size == 48 && seen.align == 64 && seen.flags == (KA_ATOMIC | KA_ZERO));
    ka_free(a, block, 48, 64);
}

/* Every pair of sizes: contents kept, and with KA_ZERO exactly the new bytes cleared. */
static void resize_by_copy(void)
{
    ka_allocator *a = setup(&copying_ops);
    for (size_t from = 1; from <= 40; from++)
        for (size_t to = 1; to <= 40; to++) {
            for (unsigned zero = 0; zero < 2; zero++) {
                size_t both = from < to ? from : to;
                unsigned char *block = ka_alloc(a, from, 8, 0);
                KIT_CHECK(block != NULL);
                memset(block, 7, from);
                unsigned char *moved = ka_resize(a, block, from, 8, to, 64, zero ? KA_ZERO : 0);
                KIT_CHECK(moved != NULL && moved != block && (uintptr_t)moved % 64 == 0);
                KIT_CHECK(all_bytes(moved, 0, both, 7) && all_bytes(moved, both, to, zero ? 0 : 0xa5));
                KIT_CHECK(seen.size == from && seen.align == 8);      /* of the free */
                KIT_CHECK(seen.alloc_align == 64 && seen.flags == 0); /* cleared here, not by the allocator */
                ka_free(a, moved, to, 64);
            }
        }
    KIT_EXPECT(seen.allocs == seen.frees);
}

static void resize_refused(void)
{
    ka_allocator *a = setup(&copying_ops);
    unsigned char *block = ka_alloc(a, 24, 8, 0);
    KIT_CHECK(block != NULL);
    memset(block, 7, 24);
    seen.refuse = true;
    KIT_EXPECT(ka_resize(a, block, 24, 8, 48, 8, 0) == NULL && ka_resize(a, block, 24, 8, 8, 8, 0) == NULL);
    KIT_EXPECT(all_bytes(block, 0, 24, 7) && seen.frees == 0);
    ka_free(a, block, 24, 8);
}

static void items(void)
{
    ka_allocator *a = setup(&copying_ops);
    KIT_EXPECT(ka_alloc_items(a, 16, 16, ((size_t)1 << 60) + 1, 0) == NULL &&
               untouched()); /* 16 bytes, if it wrapped */
    KIT_EXPECT(ka_alloc_items(a, 16, 3, 1, 0) == NULL && untouched());
    uint64_t *numbers = ka_zalloc_array(a, uint64_t, 10);
    KIT_CHECK(numbers != NULL);
    KIT_EXPECT(seen.size == 80 && seen.align == 8 && seen.flags == KA_ZERO && numbers[9] == 0);
    numbers[9] = 5;
    KIT_EXPECT(ka_resize_array(a, uint64_t, numbers, 10, SIZE_MAX / 4) == NULL && seen.frees == 0);
    numbers = ka_resize_array(a, uint64_t, numbers, 10, 20);
    KIT_CHECK(numbers != NULL);
    KIT_EXPECT(numbers[9] == 5 && seen.size == 80 && seen.frees == 1);
    ka_free_array(a, uint64_t, numbers, 20);
    KIT_EXPECT(seen.size == 160 && seen.align == 8);

    struct over {
        _Alignas(64) char c;
    } *one = ka_alloc_type(a, struct over);
    KIT_CHECK(one != NULL);
    KIT_EXPECT(seen.size == 64 && seen.align == 64 && (uintptr_t)one % 64 == 0);
    ka_free_type(a, struct over, one);
    one = ka_zalloc_type(a, struct over);
    KIT_EXPECT(one != NULL && one->c == 0);
    ka_free_type(a, struct over, one);
    KIT_EXPECT(ka_alloc_array(a, uint64_t, 0) != NULL && seen.allocs == seen.frees);
}

static void dummy(void)
{
    KIT_EXPECT(ka_alloc(ka_dummy, 1, 1, 0) == NULL && ka_zalloc(ka_dummy, 1, 1, KA_ANY_CONTEXT) == NULL);
    KIT_EXPECT(ka_resize(ka_dummy, NULL, 0, 1, 8, 8, 0) == NULL);
    KIT_EXPECT(ka_check(ka_dummy) == NULL && ka_get_stats(ka_dummy).live == 0);
}

static const kit_case cases[] = {
    { "size 0", size_0 },
    { "bad requests", bad_requests },
    { "passes on", passes_on },
    { "resize of nothing and to nothing", resize_of_nothing_and_to_nothing },
    { "resize by the allocator", resize_by_the_allocator },
    { "resize by copy", resize_by_copy },
    { "resize refused", resize_refused },
    { "items", items },
    { "dummy", dummy },
};

int main(void)
{
    return kit_main("alloc", cases, KIT_COUNT(cases));
}
