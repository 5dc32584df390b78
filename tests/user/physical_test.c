/* physical_test.c: ka_physical in user space. Where the system has no free huge pages, or does not tell this process
 * physical addresses, what is tested is that it is refused, clearly. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ka/user.h>

#include "kit.h"

#define PAGE ((size_t)4096)

static bool here(void)
{
    if (ka_user_physical_start(KA_USER_PHYSICAL) == KA_PHYSICAL_OK)
        return true;
    kit_skip("no free huge pages (vm.nr_hugepages), or no right to physical addresses");
    return false;
}

static void refused_or_there(void)
{
    ka_physical_allocator p;
    bool there = ka_user_physical_start(KA_USER_PHYSICAL) == KA_PHYSICAL_OK;
    ka_physical_error expected = there ? KA_PHYSICAL_OK : KA_PHYSICAL_NOT_HERE;
    KIT_EXPECT(ka_user_physical_start(KA_USER_PHYSICAL) == expected); /* the same each time */
    KIT_EXPECT(ka_physical_init(&p, NULL) == expected);
    void *block = ka_alloc(ka_physical, 64, 64, 0);
    KIT_EXPECT((block != NULL) == there);
    KIT_EXPECT(ka_physical_last_error(ka_physical) == expected);
    KIT_EXPECT(ka_resize(ka_physical, NULL, 0, 1, 0, 1, 0) != NULL);
    KIT_EXPECT(ka_check(ka_physical) == NULL);
    ka_free(ka_physical, block, 64, 64);
    KIT_EXPECT(ka_get_stats(ka_physical).live == 0);
    KIT_EXPECT(ka_physical_address(NULL) == KA_NO_ADDRESS);
}

/* The kernel's own word, page by page. */
static uint64_t by_pagemap(const void *at)
{
    FILE *file = fopen("/proc/self/pagemap", "rb");
    uint64_t entry = 0;
    if (file == NULL)
        return 0;
    if (fseek(file, (long)((uintptr_t)at / PAGE * 8), SEEK_SET) != 0 || fread(&entry, 8, 1, file) != 1)
        entry = 0;
    fclose(file);
    return (entry & ((UINT64_C(1) << 55) - 1)) * PAGE + (uintptr_t)at % PAGE;
}

static void contiguous(void)
{
    if (!here())
        return;
    for (size_t size = 1; size <= (size_t)1 << 20; size = size * 3 + 1)
        for (size_t align = 64; align <= (size_t)1 << 20; align *= 8) {
            unsigned char *block = ka_alloc(ka_physical, size, align, KA_ZERO);
            KIT_CHECK(block != NULL);
            uint64_t first = ka_physical_address(block);
            KIT_EXPECT(first % align == 0 && (uintptr_t)block % align == 0 && first == by_pagemap(block));
            for (size_t i = 0; i < size; i += PAGE)
                KIT_EXPECT(by_pagemap(block + i) == first + i);
            kit_stamp(block, size, size);
            KIT_EXPECT(kit_stamped(block, size, size));
            ka_free(ka_physical, block, size, align);
        }
    KIT_EXPECT(ka_get_stats(ka_physical).live == 0);
}

static void limits(void)
{
    if (!here())
        return;
    ka_physical_allocator p;
    void *any = ka_alloc(ka_physical, PAGE, PAGE, 0);
    KIT_CHECK(any != NULL);
    uint64_t at = ka_physical_address(any);
    ka_physical_limits below = { .highest = at | 0xffff, .boundary = 65536 };
    KIT_CHECK(ka_physical_init(&p, &below) == KA_PHYSICAL_OK);
    void *block = ka_alloc(&p.allocator, 3 * PAGE, 16, 0);
    KIT_EXPECT(block != NULL && ka_physical_address(block) + 3 * PAGE - 1 <= below.highest);
    ka_free(&p.allocator, block, 3 * PAGE, 16);
    KIT_EXPECT(ka_physical_fini(&p) == 0);
    KIT_EXPECT(ka_physical_init(&p, &(ka_physical_limits){ .caching = KA_UNCACHED }) == KA_PHYSICAL_NO_CACHING);
    KIT_EXPECT(ka_alloc(ka_physical, PAGE, (size_t)4 << 20, 0) == NULL);
    KIT_EXPECT(ka_physical_last_error(ka_physical) == KA_PHYSICAL_NO_MEMORY);
    ka_free(ka_physical, any, PAGE, PAGE);
}

/* Ordinary memory: the address that the kernel tells, or none. */
static void other_memory(void)
{
    unsigned char *block = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    KIT_CHECK(block != MAP_FAILED);
    KIT_EXPECT(ka_physical_address(block) == KA_NO_ADDRESS); /* nothing is there yet */
    block[5] = 1;
    uint64_t at = ka_physical_address(block + 5);
    KIT_EXPECT(at == KA_NO_ADDRESS || at % PAGE == 5);
    munmap(block, PAGE);
}

static const kit_case cases[] = {
    { "there, or clearly refused", refused_or_there },
    { "blocks are contiguous", contiguous },
    { "limits", limits },
    { "the address of other memory", other_memory },
};

int main(void)
{
    return kit_main("user physical", cases, KIT_COUNT(cases));
}
