/* hot.c: the driver whose instructions are counted: compiled and linked as every driver is, over the same objects. */
#include <ntddk.h>

#include <ka/windows.h>

#include "hot.h"

#define TAG  KA_TAG('h', 'o', 't', ' ')
#define SIZE ((size_t)64)

static ka_nt_pool pool;
static ka_nt_heap heap;
static void *volatile block;
static void *(*allocate_pool2)(uint64_t flags, size_t size, uint32_t tag); /* as an import would be */

/* The callers, between two marks: the linker sorts these. */
#define CALLER __attribute__((section(".text$hot2"))) static
__attribute__((section(".text$hot1"))) static void begin(void) {}
__attribute__((section(".text$hot3"))) static void end(void) {}

static void nothing(void) {}

CALLER void system_alloc(void)
{
    block = allocate_pool2(0x42, SIZE, TAG); /* non-paged, uninitialised */
}

CALLER void system_free(void)
{
    ExFreePoolWithTag(block, TAG);
}

CALLER void pool_alloc(void)
{
    block = ka_alloc(&pool.allocator, SIZE, 16, 0);
}

CALLER void pool_zalloc(void)
{
    block = ka_zalloc(&pool.allocator, SIZE, 16, KA_ATOMIC);
}

CALLER void pool_free(void)
{
    ka_free(&pool.allocator, block, SIZE, 16);
}

CALLER void heap_pair(void)
{
    void *p = ka_heap_alloc(&heap.heap, SIZE, 16, 0);
    ka_heap_free(&heap.heap, p, SIZE, 16);
}

CALLER void heap_pair_by_interface(void)
{
    void *p = ka_alloc(&heap.heap.allocator, SIZE, 16, 0);
    ka_free(&heap.heap.allocator, p, SIZE, 16);
}

static bool open_all(void *(*allocate)(uint64_t flags, size_t size, uint32_t tag))
{
    allocate_pool2 = allocate;
    return ka_nt_start(0) && ka_nt_pool_init(&pool, &(ka_nt_pool_options){ .tag = TAG }) &&
           ka_nt_heap_init(&heap, "hot", (size_t)64 << 20, &(ka_nt_pool_options){ .tag = TAG });
}

static bool close_all(void)
{
    return ka_nt_heap_fini(&heap) == 0 && ka_nt_stop() == 0;
}

hot_entry DriverEntry;

const hot_table *DriverEntry(void)
{
    static const hot_table table = { open_all,    close_all, nothing,   system_alloc,           system_free, pool_alloc,
                                     pool_zalloc, pool_free, heap_pair, heap_pair_by_interface, begin,       end };
    return &table;
}
