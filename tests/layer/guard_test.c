/* guard_test.c: every overrun is found, nothing else is; over inner allocators of each kind. */
#include <pthread.h>
#include <string.h>

#include <ka/dummy.h>
#include <ka/failing.h>
#include <ka/guard.h>
#include <ka/handler.h>
#include <ka/locked.h>
#include <ka/region.h>
#include <ka/tagged.h>
#include <ka/user.h>

#include "kit.h"
#include "kit_malloc.h"
#include "layer/pool.h"

static ka_guard guard;
static ka_allocator *const a = &guard.allocator;

static struct {
    unsigned count;
    ka_misuse kind;
    const ka_allocator *allocator;
    const void *block, *site;
    size_t size;
} report;

static void note_report(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                        const void *site)
{
    (void)context;
    report.count++;
    report.kind = kind;
    report.allocator = allocator;
    report.block = block;
    report.size = size;
    report.site = site;
}

static bool reported(ka_misuse kind, const void *block, size_t size)
{
    bool one = report.count == 1 && report.kind == kind && report.block == block && report.size == size &&
               report.allocator == a;
    if (!one)
        kit_note("%u reports, the last: %s, %zu bytes", report.count, ka_misuse_name(report.kind), report.size);
    report.count = 0;
    return one;
}

/* ---- inner allocators ---- */

static ka_region region;
static ka_heap heap, hardened;
static ka_tagged tagged;
static ka_locked locked;
static ka_failing failing;
static _Alignas(4096) unsigned char memory[1 << 20], more_memory[1 << 20];

enum { REGION, HEAP, HARDENED, TAGGED, LOCKED, KINDS };

/* The region anew; the heaps are made once. */
static ka_allocator *inner_open(int kind)
{
    report.count = 0;
    ka_set_misuse_handler(note_report, NULL);
    ka_region_init(&region);
    if (!ka_region_claim(&region, memory, sizeof memory))
        return NULL;
    if (heap.table == NULL && !ka_user_heap_init(&heap, "guarded", (size_t)64 << 20))
        return NULL;
    ka_heap_options options = { .base = more_memory, .size = sizeof more_memory, .hardened = true, .seed = 1 };
    if (hardened.table == NULL && !ka_heap_init(&hardened, &options))
        return NULL;
    ka_tagged_init(&tagged, &heap.allocator, "guarded", NULL);
    ka_locked_init(&locked, &region.allocator, NULL, NULL);
    ka_failing_init(&failing, &locked.allocator);
    ka_allocator *inner[KINDS] = { &region.allocator, &heap.allocator, &hardened.allocator, &tagged.allocator,
                                   &failing.allocator };
    ka_guard_init(&guard, inner[kind], 12345);
    return inner[kind];
}

static void inner_close(ka_allocator *inner)
{
    KIT_CHECK_SOUND(ka_check(a));
    KIT_EXPECT(report.count == 0 && guard.live_blocks == 0 && ka_get_stats(inner).live == 0);
}

/* ---- cases ---- */

static const size_t sizes[] = { 1, 2, 7, 8, 15, 16, 17, 40, 64, 100, 1000, 4000, 4072, 4096, 5000, 33000, 70001 };

/* Each of the first bytes behind the block, one at a time, zero and other values; then it can be freed. */
static void every_byte_behind(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        ka_allocator *inner = inner_open(kind);
        KIT_CHECK(inner != NULL);
        for (size_t s = 0; s < KIT_COUNT(sizes); s++)
            for (size_t align = 1; align <= 4096; align *= 16) {
                size_t size = sizes[s];
                unsigned char *block = ka_alloc(a, size, align, 0);
                KIT_CHECK(block != NULL && (uintptr_t)block % align == 0 && ka_usable(a, block, size, align) == size);
                kit_stamp(block, size, s);
                KIT_CHECK(ka_guard_intact(&guard, block, size, align));
                for (size_t i = 0; i < 16; i++) {
                    unsigned char was = block[size + i];
                    KIT_CHECK(i != 0 || was != 0);
                    block[size + i] = was == 0 ? 1 : 0;
                    KIT_CHECK(!ka_guard_intact(&guard, block, size, align));
                    ka_free(a, block, size, align);
                    KIT_CHECK(report.site != NULL && reported(KA_MISUSE_OVERRUN, block, size));
                    KIT_CHECK(ka_resize(a, block, size, align, size + 100, align, 0) == NULL);
                    KIT_CHECK(reported(KA_MISUSE_OVERRUN, block, size));
                    block[size + i] = was;
                }
                KIT_CHECK(kit_stamped(block, size, s));
                ka_free(a, block, size, align);
                KIT_CHECK(report.count == 0);
            }
        inner_close(inner);
    }
}

/* A check names each block that was overrun, and says so also if the end of its memory is spoiled. */
static void check_looks_at_all(void)
{
    enum { COUNT = 50 };
    for (int kind = 0; kind < KINDS; kind++) {
        ka_allocator *inner = inner_open(kind);
        unsigned char *blocks[COUNT];
        void *stranger = ka_alloc(inner, 100, 16, KA_ZERO); /* not the guard's */
        KIT_CHECK(stranger != NULL);
        for (size_t i = 0; i < COUNT; i++)
            KIT_CHECK((blocks[i] = ka_alloc(a, sizes[i % KIT_COUNT(sizes)] % 8000 + 1, 16, 0)) != NULL);
        KIT_CHECK_SOUND(ka_check(a));
        size_t size = sizes[20 % KIT_COUNT(sizes)] % 8000 + 1;
        size_t behind = ka_usable(inner, blocks[20], size + KA_GUARD_BYTES, 16) - size;
        unsigned char saved[8192], *end = blocks[20] + size;
        KIT_CHECK(behind >= KA_GUARD_BYTES && behind <= sizeof saved);
        memcpy(saved, end, behind);
        end[0] ^= 0x55;
        if (inner->ops->walk != NULL) {
            KIT_EXPECT(ka_check(a) != NULL && reported(KA_MISUSE_OVERRUN, blocks[20], size));
            memset(end, 0xee, behind);
            KIT_EXPECT(ka_check(a) != NULL && report.count == 0);
        }
        memcpy(end, saved, behind);
        KIT_CHECK_SOUND(ka_check(a));
        for (size_t i = 0; i < COUNT; i++)
            ka_free(a, blocks[i], sizes[i % KIT_COUNT(sizes)] % 8000 + 1, 16);
        ka_free(inner, stranger, 100, 16);
        inner_close(inner);
    }
}

static void wrong_frees(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        ka_allocator *inner = inner_open(kind);
        unsigned char *block = ka_alloc(a, 100, 16, 0), *other = ka_alloc(a, 100, 16, 0);
        KIT_CHECK(block != NULL && other != NULL);
        static const size_t wrong[] = { 99, 101, 102, 96 };
        for (size_t i = 0; i < KIT_COUNT(wrong); i++) { /* those that the same inner block would serve */
            if (ka_usable(inner, block, wrong[i] + KA_GUARD_BYTES, 16) !=
                ka_usable(inner, block, 100 + KA_GUARD_BYTES, 16))
                continue;
            ka_free(a, block, wrong[i], 16);
            KIT_EXPECT(reported(KA_MISUSE_WRONG_SIZE, block, wrong[i]));
        }
        ka_free(a, block, 100, 16);
        if (kind == HEAP || kind == TAGGED) { /* the others write to free blocks */
            ka_free(a, block, 100, 16);
            KIT_EXPECT(reported(KA_MISUSE_DOUBLE_FREE, block, 100));
        }
        ka_free(a, other, 100, 16);
        KIT_EXPECT(report.count == 0 && guard.live_blocks == 0);
        ka_free(a, NULL, 100, 16);
        ka_free(a, ka_alloc(a, 0, 16, 0), 0, 16);
        inner_close(inner);
    }
}

/* Copies of canaries, and canaries of another guard, are none. */
static void canaries_differ(void)
{
    unsigned char seen[64][16];
    ka_allocator *inner = inner_open(REGION);
    unsigned zeros = 0;
    for (unsigned i = 0; i < 64; i++) {
        ka_guard_init(&guard, inner, i / 32); /* half of them with a key from the port */
        unsigned char *block = ka_alloc(a, 64, 16, 0);
        KIT_CHECK(block != NULL && (i < 32 || guard.key == 1) && guard.key != 0);
        memcpy(seen[i], block + 64, 16);
        zeros += block[64] == 0;
        for (unsigned j = 0; j < i; j++)
            KIT_CHECK(i >= 33 || memcmp(seen[j], seen[i], 16) != 0);
        ka_free(a, block, 64, 16);
    }
    KIT_EXPECT(zeros == 0);
    ka_guard_init(&guard, inner, 7);
    unsigned char *first = ka_alloc(a, 64, 16, 0), *second = ka_alloc(a, 64, 16, 0), own[16];
    memcpy(own, second + 64, 16);
    memcpy(second + 64, first + 64, 16);
    ka_free(a, second, 64, 16);
    KIT_EXPECT(reported(KA_MISUSE_OVERRUN, second, 64));
    memcpy(second + 64, own, 16);
    ka_free(a, second, 64, 16);
    ka_free(a, first, 64, 16);
    inner_close(inner);
}

/* Every resize keeps bytes, clears exactly what KA_ZERO says, and leaves all as it was when it fails. */
static void resizes(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        ka_allocator *inner = inner_open(kind);
        for (size_t from = 0; from < KIT_COUNT(sizes); from++)
            for (size_t to = 0; to < KIT_COUNT(sizes); to++) {
                size_t old = sizes[from], new = sizes[to], both = old < new ? old : new;
                unsigned char *block = ka_alloc(a, old, 16, 0);
                KIT_CHECK(block != NULL);
                kit_stamp(block, old, from);
                KIT_CHECK(ka_resize(a, block, old, 16, (size_t)1 << 40, 16, 0) == NULL);
                KIT_CHECK(kit_stamped(block, old, from) && ka_guard_intact(&guard, block, old, 16));
                unsigned char *moved = ka_resize(a, block, old, 16, new, to % 2 == 0 ? 16 : 64, KA_ZERO);
                KIT_CHECK(moved != NULL && kit_stamped(moved, both, from));
                for (size_t i = both; i < new; i++)
                    KIT_CHECK(moved[i] == 0);
                ka_free(a, moved, new, to % 2 == 0 ? 16 : 64);
                KIT_CHECK(report.count == 0);
            }
        KIT_EXPECT(ka_alloc(a, (size_t)PTRDIFF_MAX - 8, 16, 0) == NULL);
        KIT_EXPECT(ka_alloc(a, 100, 3, 0) == NULL && ka_alloc(a, 100, 16, KA_PAGEABLE) == NULL);
        inner_close(inner);
    }
}

/* Each refusal of the inner allocator is the guard's, and nothing is counted. */
static void refusals(void)
{
    ka_allocator *inner = inner_open(LOCKED);
    void *block = ka_alloc(a, 100, 16, 0);
    ka_failing_set(&failing, 1);
    KIT_EXPECT(ka_alloc(a, 100, 16, 0) == NULL && guard.live_blocks == 1);
    ka_failing_set(&failing, 1);
    KIT_EXPECT(ka_resize(a, block, 100, 16, 200, 16, 0) == NULL && ka_guard_intact(&guard, block, 100, 16));
    ka_free(a, block, 100, 16);
    inner_close(inner);
    static pool small; /* cannot resize */
    pool_init(&small, POOL_MAX);
    ka_guard_init(&guard, &small.allocator, 1);
    unsigned char *first = ka_alloc(a, 20, 16, 0);
    KIT_CHECK(first != NULL);
    kit_stamp(first, 20, 1);
    unsigned char *second = ka_resize(a, first, 20, 16, 40, 16, KA_ZERO);
    KIT_CHECK(second != NULL && kit_stamped(second, 20, 1) && ka_guard_intact(&guard, second, 40, 16));
    KIT_EXPECT(ka_alloc(a, POOL_BLOCK - KA_GUARD_BYTES + 1, 16, 0) == NULL);
    ka_free(a, second, 40, 16);
    KIT_EXPECT(report.count == 0 && guard.live_blocks == 0 && ka_check(a) == NULL);
}

static void *hammer(void *argument)
{
    kit_random random = { (uint64_t)(uintptr_t)argument };
    for (unsigned i = 0; i < 20000; i++) {
        size_t size = 1 + kit_below(&random, 500), larger = 1 + kit_below(&random, 500);
        unsigned char *block = ka_alloc(a, size, 16, 0);
        if (block == NULL)
            return argument;
        memset(block, (int)i, size);
        unsigned char *moved = ka_resize(a, block, size, 16, larger, 16, 0);
        ka_free(a, moved != NULL ? moved : block, moved != NULL ? larger : size, 16);
    }
    return NULL;
}

static void threads(void)
{
    pthread_t thread[3];
    ka_allocator *inner = inner_open(HEAP);
    for (uintptr_t i = 0; i < 3; i++)
        KIT_CHECK(pthread_create(&thread[i], NULL, hammer, (void *)(i + 1)) == 0);
    for (unsigned i = 0; i < 3; i++) {
        void *bad = NULL;
        pthread_join(thread[i], &bad);
        KIT_EXPECT(bad == NULL);
    }
    inner_close(inner);
}

int main(void)
{
    static const kit_case cases[] = {
        { "every byte behind a block", every_byte_behind },
        { "check looks at all blocks", check_looks_at_all },
        { "wrong frees", wrong_frees },
        { "canaries differ", canaries_differ },
        { "resizes", resizes },
        { "refusals", refusals },
        { "threads", threads },
    };
    return kit_main("guard", cases, KIT_COUNT(cases));
}
