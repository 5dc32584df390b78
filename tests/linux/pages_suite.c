/* pages_suite.c: a heap over alloc_pages: it grows, gives back, shrinks under pressure, loses nothing with a CPU. */
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/smp.h>

#include <ka/handler.h>

#include "heap/fast.h"
#include "linux_suites.h"

enum { LIMIT = 64 << 20, BLOCK = 20000, BLOCKS = 1500, SMALL = 200 };

static ka_linux_heap opened;
static void *blocks[BLOCKS];

static size_t total(void)
{
    return ka_get_stats(&opened.heap.allocator).total;
}

/* About 30 MiB in and out. */
static bool fill_and_empty(void)
{
    unsigned n = 0;
    while (n < BLOCKS && (blocks[n] = ka_heap_alloc(&opened.heap, BLOCK, 16, 0)) != NULL)
        kit_stamp(blocks[n], BLOCK, n), n++;
    bool all = n == BLOCKS;
    while (n-- > 0) {
        KIT_EXPECT(kit_stamped(blocks[n], BLOCK, n));
        ka_heap_free(&opened.heap, blocks[n], BLOCK, 16);
    }
    return all;
}

static void grows_and_gives_back(void)
{
    KIT_CHECK(ka_linux_heap_init(&opened, "pages", LIMIT, NUMA_NO_NODE));
    size_t before = total();
    KIT_EXPECT(fill_and_empty());
    KIT_EXPECT(total() > before && total() >= (size_t)BLOCK * BLOCKS);
    (void)ka_heap_drain(&opened.heap);
    KIT_EXPECT(ka_heap_trim(&opened.heap, 0) > 0);
    KIT_EXPECT(total() < (size_t)BLOCK * BLOCKS / 2);
    KIT_CHECK_SOUND(ka_heap_check(&opened.heap));
    KIT_EXPECT(ka_linux_heap_fini(&opened) == 0);
}

static void bounded(void)
{
    enum { SEGMENTS = 4 };
    void *large[SEGMENTS * 2];
    unsigned n = 0;
    KIT_CHECK(ka_linux_heap_init(&opened, "bounded", SEGMENTS << 21, NUMA_NO_NODE));
    while (n < KIT_COUNT(large) && (large[n] = ka_heap_alloc(&opened.heap, 2 << 20, 4096, 0)) != NULL)
        n++;
    KIT_EXPECT(n <= SEGMENTS);
    KIT_EXPECT(ka_heap_alloc(&opened.heap, 100, 16, KA_PAGEABLE) == NULL);
    while (n-- > 0)
        ka_heap_free(&opened.heap, large[n], 2 << 20, 4096);
    KIT_EXPECT(ka_linux_heap_fini(&opened) == 0);
}

/* 64 KiB of one node, or a page when so much in a row is not there any more. */
static struct page *pages_take(int node, unsigned *order)
{
    gfp_t gfp = GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY | __GFP_THISNODE;
    *order = 4;
    struct page *page = alloc_pages_node(node, gfp, *order);
    if (page == NULL)
        page = alloc_pages_node(node, gfp, *order = 0);
    return page;
}

/* Takes pages from the kernel until its reclaim has asked the heap for its free ones, or nothing is left. */
static void memory_pressure(void)
{
    struct taken {
        struct taken *next;
        unsigned order;
    } *list = NULL;
    unsigned long taken = 0;
    unsigned order;
    int node = first_online_node;
    KIT_CHECK(ka_linux_heap_init(&opened, "pressure", LIMIT, node));
    KIT_EXPECT(fill_and_empty());
    ka_heap_flush(&opened.heap);
    size_t before = total();
    while (total() >= before && taken < totalram_pages()) {
        struct page *page = pages_take(node, &order);
        if (page == NULL)
            break;
        struct taken *here = page_address(page);
        *here = (struct taken){ list, order };
        list = here;
        taken += 1ul << order;
    }
    size_t after = total();
    kit_note("%lu pages taken; the heap went from %zu to %zu bytes", taken, before, after);
    while (list != NULL) {
        struct taken *here = list;
        list = here->next;
        free_pages((unsigned long)here, here->order);
    }
    KIT_EXPECT(after < before);
    KIT_CHECK_SOUND(ka_heap_check(&opened.heap));
    KIT_EXPECT(ka_linux_heap_fini(&opened) == 0);
}

/* In an interrupt of the CPU: leaves blocks in its magazines. */
static void use_magazines(void *data)
{
    void *some[16];
    (void)data;
    for (unsigned i = 0; i < KIT_COUNT(some); i++)
        some[i] = ka_heap_alloc(&opened.heap, SMALL, 16, KA_ANY_CONTEXT);
    for (unsigned i = 0; i < KIT_COUNT(some); i++)
        ka_heap_free(&opened.heap, some[i], SMALL, 16);
}

static uint32_t kept(unsigned cpu)
{
    const ka_magazines *m = ka_heap_magazines_of(&opened.heap, cpu + 1);
    uint32_t count = 0;
    for (unsigned i = 1; i < KA_MAGAZINE_COUNT; i++)
        count += ka_magazine_length(m, i);
    return count;
}

static void give_magazines(struct work_struct *work)
{
    void *block = ka_heap_alloc(&opened.heap, SMALL, 16, 0); /* may sleep: the CPU gets magazines */
    (void)work;
    ka_heap_free(&opened.heap, block, SMALL, 16);
}

static void a_cpu_goes(void)
{
    struct work_struct work;
    if (num_online_cpus() < 2) {
        kit_skip("one CPU");
        return;
    }
    KIT_CHECK(ka_linux_heap_init(&opened, "hotplug", LIMIT, NUMA_NO_NODE));
    INIT_WORK_ONSTACK(&work, give_magazines);
    schedule_work_on(1, &work);
    flush_work(&work);
    destroy_work_on_stack(&work);
    KIT_EXPECT(smp_call_function_single(1, use_magazines, NULL, 1) == 0);
    KIT_EXPECT(kept(1) > 0);
    KIT_EXPECT(remove_cpu(1) == 0);
    KIT_EXPECT(kept(1) == 0);
    KIT_EXPECT(add_cpu(1) == 0);
    KIT_EXPECT(smp_call_function_single(1, use_magazines, NULL, 1) == 0);
    KIT_EXPECT(kept(1) > 0);
    (void)ka_heap_drain(&opened.heap);
    KIT_EXPECT(kept(1) == 0);
    KIT_CHECK_SOUND(ka_heap_check(&opened.heap));
    KIT_EXPECT(ka_linux_heap_fini(&opened) == 0);
}

/* A heap's segments are on its node. */
static void nodes(void)
{
    int node;
    for_each_online_node(node)
    {
        KIT_CHECK(ka_linux_heap_init(&opened, "node", LIMIT, node));
        void *small = ka_heap_alloc(&opened.heap, SMALL, 16, 0), *large = ka_heap_alloc(&opened.heap, 3 * BLOCK, 16, 0);
        KIT_EXPECT(small != NULL && large != NULL);
        KIT_EXPECT(page_to_nid(virt_to_page(small)) == node && page_to_nid(virt_to_page(large)) == node);
        ka_heap_free(&opened.heap, small, SMALL, 16);
        ka_heap_free(&opened.heap, large, 3 * BLOCK, 16);
        KIT_EXPECT(ka_linux_heap_fini(&opened) == 0);
    }
    kit_note("%u nodes", num_online_nodes());
}

static const kit_case cases[] = {
    { "nodes", nodes },
    { "grows and gives back", grows_and_gives_back },
    { "bounded", bounded },
    { "memory pressure", memory_pressure },
    { "a CPU goes, and comes back", a_cpu_goes },
};
const kit_suite pages_suite = { "pages", cases, KIT_COUNT(cases) };
