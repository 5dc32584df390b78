/* deaths.c: what must end in KeBugCheckEx does, with the parameters that ka/windows.h and Microsoft's documents name.
 * Each is committed by a thread of its own, which the stand-in ends in place of the machine. */
#include "driver_suites.h"

#include <ka/heap.h>
#include <ka/kernel.h>
#include <ka/region.h>

#include "base/assert.h"

enum { HEAP_BYTES = 8 << 20, ALIGN = 2 * PAGE_SIZE };

static ka_heap heap;
static ka_region region;
static ka_nt_pool pool;
static struct {
    ka_allocator *allocator;
    const void *block;
    size_t size;
} crime; /* as the report must name it */

typedef struct attempt {
    void (*function)(void *argument);
    void *argument;
    uintptr_t *out;
    uint8_t irql;
    bool came_back;
} attempt;

static void run_attempt(void *argument)
{
    attempt *a = argument;
    kernel->expect_end(a->out);
    (void)kernel->hooks->set_irql(a->irql);
    a->function(a->argument);
    a->came_back = true;
}

bool dies(void (*function)(void *argument), void *argument, uintptr_t out[5])
{
    attempt a = { function, argument, out, KeGetCurrentIrql(), false };
    driver_thread t;
    for (unsigned i = 0; i < 5; i++)
        out[i] = 0;
    if (!thread_begin(&t, run_attempt, &a))
        return false;
    thread_wait(&t);
    return !a.came_back;
}

/* ---- misuse that the library finds ---- */

static void must_die(void (*function)(void *argument), ka_misuse kind)
{
    uintptr_t end[5];
    ka_set_misuse_handler(ka_nt_stop_on_misuse, NULL);
    KIT_EXPECT(dies(function, NULL, end));
    ka_set_misuse_handler(count_misuse, NULL);
    KIT_EXPECT(end[0] == KA_NT_BUGCHECK && end[1] == KA_NT_BUGCHECK_MISUSE + (uintptr_t)kind);
    KIT_EXPECT(end[2] == (uintptr_t)crime.allocator && end[3] == (uintptr_t)crime.block && end[4] == crime.size);
}

/* Two large blocks of the heap, the second free already. */
enum { SIZE = 40000 };
static void *blocks[2], *memory;

static bool open_heap(void)
{
    memory = ka_alloc(ka_kernel, HEAP_BYTES, ALIGN, 0);
    if (memory == NULL || !ka_heap_init(&heap, &(ka_heap_options){ .base = memory, .size = HEAP_BYTES }))
        return false;
    for (unsigned i = 0; i < KIT_COUNT(blocks); i++)
        blocks[i] = ka_heap_alloc(&heap, SIZE, 16, 0);
    if (blocks[0] == NULL || blocks[1] == NULL)
        return false;
    ka_heap_free(&heap, blocks[1], SIZE, 16);
    ka_heap_flush(&heap);
    return true;
}

static void free_as_said(void *argument)
{
    (void)argument;
    ka_free(crime.allocator, (void *)(uintptr_t)crime.block, crime.size, 16);
}

/* A wrong free in the heap, which goes on as if it had not been. */
static void wrong_free(const void *block, size_t size, ka_misuse kind)
{
    crime.allocator = &heap.allocator;
    crime.block = block;
    crime.size = size;
    must_die(free_as_said, kind);
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    ka_heap_free(&heap, blocks[0], SIZE, 16);
    KIT_EXPECT(ka_heap_fini(&heap) == 0);
    ka_free(ka_kernel, memory, HEAP_BYTES, ALIGN);
}

static void double_free(void)
{
    KIT_CHECK(open_heap());
    wrong_free(blocks[1], SIZE, KA_MISUSE_DOUBLE_FREE);
}

static void foreign(void)
{
    static _Alignas(16) char elsewhere[16];
    KIT_CHECK(open_heap());
    wrong_free(elsewhere, SIZE, KA_MISUSE_FOREIGN);
}

static void interior(void)
{
    KIT_CHECK(open_heap());
    wrong_free((char *)blocks[0] + 64, SIZE, KA_MISUSE_INTERIOR);
}

static void wrong_size(void)
{
    KIT_CHECK(open_heap());
    wrong_free(blocks[0], 10 * SIZE, KA_MISUSE_WRONG_SIZE);
}

static void close_with_a_leak(void *argument)
{
    (void)argument;
    (void)ka_heap_fini(&heap);
}

static void leak(void)
{
    KIT_CHECK(open_heap());
    crime.allocator = &heap.allocator;
    crime.block = blocks[0];
    crime.size = ka_usable(&heap.allocator, blocks[0], SIZE, 16);
    must_die(close_with_a_leak, KA_MISUSE_LEAK);
    ka_free(ka_kernel, memory, HEAP_BYTES, ALIGN);
}

static void allocate_in_a_damaged_region(void *argument)
{
    (void)argument;
    crime.block = ka_region_alloc(&region, 64, 16);
}

static void damage(void)
{
    memory = ka_alloc(ka_kernel, HEAP_BYTES, ALIGN, 0);
    ka_region_init(&region);
    KIT_CHECK(memory != NULL && ka_region_claim(&region, memory, HEAP_BYTES));
    memset(memory, 0xee, 16);
    crime.allocator = &region.allocator;
    crime.block = memory;
    crime.size = 0;
    must_die(allocate_in_a_damaged_region, KA_MISUSE_DAMAGE);
    ka_free(ka_kernel, memory, HEAP_BYTES, ALIGN);
}

/* ---- the pool ---- */

static bool open_pool(void)
{
    crime.allocator = &pool.allocator;
    return ka_nt_pool_init(&pool, &(ka_nt_pool_options){ .tag = KA_TAG('d', 'e', 'a', 'd') });
}

static void free_overwritten(void *argument)
{
    (void)argument;
    ka_free(&pool.allocator, (void *)(uintptr_t)crime.block, crime.size, 64);
}

static void write_before_an_aligned_block(void)
{
    KIT_CHECK(open_pool());
    uintptr_t *block = ka_alloc(&pool.allocator, 100, 64, 0);
    KIT_CHECK(block != NULL);
    crime.block = block;
    crime.size = 100;
    block[-1] ^= 1;
    must_die(free_overwritten, KA_MISUSE_DAMAGE);
    block[-1] ^= 1;
    ka_free(&pool.allocator, block, 100, 64);
}

static void allocate_pageable_at_dispatch_level(void *argument)
{
    KIRQL before = KfRaiseIrql(DISPATCH_LEVEL);
    (void)argument;
    crime.block = ka_alloc(&pool.allocator, 100, 16, KA_PAGEABLE);
    KeLowerIrql(before);
}

static void pageable_at_dispatch_level(void)
{
    KIT_CHECK(open_pool());
    crime.block = NULL;
    crime.size = 100;
    must_die(allocate_pageable_at_dispatch_level, KA_MISUSE_CONTEXT);
}

static void free_by_another_tag(void *argument)
{
    ka_nt_pool other;
    if (ka_nt_pool_init(&other, &(ka_nt_pool_options){ .tag = KA_TAG('o', 't', 'h', 'r') }))
        ka_free(&other.allocator, argument, 100, 16);
}

/* The system's own check: BAD_POOL_CALLER. */
static void wrong_tag(void)
{
    uintptr_t end[5];
    KIT_CHECK(open_pool());
    void *block = ka_alloc(&pool.allocator, 100, 16, 0);
    KIT_CHECK(block != NULL);
    KIT_EXPECT(dies(free_by_another_tag, block, end));
    KIT_EXPECT(end[0] == 0xC2 && end[1] == 0xA && end[2] == (uintptr_t)block);
    KIT_EXPECT(end[3] == KA_TAG('d', 'e', 'a', 'd') && end[4] == KA_TAG('o', 't', 'h', 'r'));
    ka_free(&pool.allocator, block, 100, 16);
}

/* ---- giving up ---- */

static void need_memory(void *argument)
{
    (void)argument;
    ka_alloc_error(24, 8);
}

static void out_of_memory(void)
{
    uintptr_t end[5];
    ka_set_alloc_error_handler(ka_nt_stop_on_alloc_error, NULL);
    KIT_EXPECT(dies(need_memory, NULL, end));
    ka_set_alloc_error_handler(NULL, NULL);
    KIT_EXPECT(end[0] == KA_NT_BUGCHECK && end[1] == KA_NT_BUGCHECK_NO_MEMORY && end[2] == 24 && end[3] == 8 &&
               end[4] == 0);
}

static void fail_an_assertion(void *argument)
{
    KA_ASSERT(argument != NULL);
}

static void failed_assertion(void)
{
    uintptr_t end[5];
    KIT_EXPECT(dies(fail_an_assertion, NULL, end));
    KIT_CHECK(end[0] == KA_NT_BUGCHECK && end[1] == KA_NT_BUGCHECK_PANIC && end[2] != 0 && end[3] != 0 && end[4] > 1);
    KIT_EXPECT(strstr((const char *)end[2], "argument != NULL") != NULL);
    KIT_EXPECT(strstr((const char *)end[3], "deaths.c") != NULL);
}

static void skip(void)
{
    kit_skip("Wine's own kernel ends the whole process");
}

static const kit_case cases[] = {
    { "double free", double_free },
    { "foreign", foreign },
    { "interior", interior },
    { "wrong size", wrong_size },
    { "leak", leak },
    { "damage", damage },
    { "a write before an aligned block of the pool", write_before_an_aligned_block },
    { "pageable memory at DISPATCH_LEVEL", pageable_at_dispatch_level },
    { "a free with another tag", wrong_tag },
    { "no memory where it must be", out_of_memory },
    { "a failed assertion", failed_assertion },
};
static const kit_case no_cases[] = { { "all", skip } };

void run_deaths(void)
{
    if (kernel != NULL)
        kit_run("KeBugCheckEx", cases, KIT_COUNT(cases));
    else
        kit_run("KeBugCheckEx", no_cases, KIT_COUNT(no_cases));
}

void run_end(void)
{
    ka_set_alloc_error_handler(ka_nt_stop_on_alloc_error, NULL);
    ka_alloc_error(24, 8);
}
