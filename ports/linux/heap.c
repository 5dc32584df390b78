/* heap.c: general heaps over alloc_pages.
 *
 * A module cannot reserve a range of addresses and commit pages of it later, so that the heap is scattered: segments of
 * 2 MiB from the page allocator, in the direct map, where an NMI may touch them at any time; records from vmalloc.
 * All heaps made here are in one list: the shrinker trims them, the hot-plug callback puts back what a CPU that is gone
 * had in its magazines, debugfs (debug.c) shows them. What a module leaves there is taken out when it goes.
 */
#include <linux/cpuhotplug.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>

#include "ka_trace.h"
#include "kernel_allocators.h"
#include "kernel_versions.h"

#define SEGMENT_SHIFT 21u

static DEFINE_MUTEX(list_lock);
static ka_linux_heap *first;
static struct shrinker *pressure;
static int hotplug_state;

/* ---- memory ---- */

static void *memory_get(const ka_linux_heap *heap, size_t size, size_t align)
{
    gfp_t gfp = GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL;
    if (ka_linux_fails())
        return NULL;
    if (align <= PAGE_SIZE)
        return heap->node == NUMA_NO_NODE ? __vmalloc(size, GFP_KERNEL | __GFP_NOWARN) : vmalloc_node(size, heap->node);
    if (size != align || get_order(size) >= KA_LINUX_ORDERS)
        return NULL;
    struct page *page = alloc_pages_node(heap->node, gfp, (unsigned)get_order(size));
    return page == NULL ? NULL : page_address(page);
}

static void *reserve(void *context, size_t size, size_t align)
{
    const ka_linux_heap *heap = context;
    void *memory = memory_get(heap, size, align);
    trace_ka_memory_take(heap->heap.name, memory, size);
    return memory;
}

/* Without trying hard: other nodes come next. */
static void *reserve_on(void *context, size_t size, size_t align, unsigned node)
{
    const ka_linux_heap *heap = context;
    if (ka_linux_fails() || node >= MAX_NUMNODES || !node_online((int)node) || size != align ||
        get_order(size) >= KA_LINUX_ORDERS)
        return NULL;
    gfp_t gfp = GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY | __GFP_THISNODE;
    struct page *page = alloc_pages_node((int)node, gfp, (unsigned)get_order(size));
    void *memory = page == NULL ? NULL : page_address(page);
    trace_ka_memory_take(heap->heap.name, memory, size);
    return memory;
}

static void unreserve(void *context, void *base, size_t size)
{
    const ka_linux_heap *heap = context;
    trace_ka_memory_give(heap->heap.name, base, size);
    if (is_vmalloc_addr(base))
        vfree(base);
    else
        free_pages((unsigned long)base, (unsigned)get_order(size));
}

static bool cross_call(void (*call)(void *argument), void *argument)
{
    on_each_cpu(call, argument, 1);
    return true;
}

/* ---- pressure, and CPUs that go ---- */

/* Of each heap; see the parameter keep_kib. */
static unsigned long keep_pages(void)
{
    return READ_ONCE(ka_linux_parameters.keep_kib) >> (PAGE_SHIFT - 10);
}

/* Free pages that the heaps have to give, about. */
static unsigned long count_free(struct shrinker *shrinker, struct shrink_control *control)
{
    unsigned long pages = 0;
    (void)shrinker, (void)control;
    if (!mutex_trylock(&list_lock))
        return 0;
    for (ka_linux_heap *heap = first; heap != NULL; heap = heap->next) {
        ka_stats stats = ka_get_stats(&heap->heap.allocator);
        pages += (stats.total - stats.live) >> PAGE_SHIFT;
        pages -= min(pages, keep_pages());
    }
    mutex_unlock(&list_lock);
    return pages != 0 ? pages : SHRINK_EMPTY;
}

static unsigned long give_back(struct shrinker *shrinker, struct shrink_control *control)
{
    unsigned long pages = 0;
    (void)shrinker;
    if (!mutex_trylock(&list_lock))
        return SHRINK_STOP;
    for (ka_linux_heap *heap = first; heap != NULL && pages < control->nr_to_scan; heap = heap->next)
        pages += ka_heap_trim(&heap->heap, keep_pages() << PAGE_SHIFT) >> PAGE_SHIFT;
    mutex_unlock(&list_lock);
    trace_ka_shrink(control->nr_to_scan, pages);
    return pages != 0 ? pages : SHRINK_STOP;
}

static int cpu_is_dead(unsigned cpu)
{
    mutex_lock(&list_lock);
    for (ka_linux_heap *heap = first; heap != NULL; heap = heap->next)
        (void)ka_heap_flush_slot(&heap->heap, cpu + 1);
    mutex_unlock(&list_lock);
    return 0;
}

/* ---- life ---- */

/* Its memory stays lost: who has its blocks is not known. The list is locked, or used by nobody else. */
static void forget(ka_linux_heap **at)
{
    ka_linux_heap *heap = *at;
    pr_warn("kernel_alloc: the heap \"%s\" was not closed\n", heap->heap.name);
    ka_linux_debug_remove(heap);
    *at = heap->next;
}

/* A module goes, and with it what it did not close: nothing here may look at that again. */
static int module_changes(struct notifier_block *notifier, unsigned long state, void *module)
{
    (void)notifier;
    if (state != MODULE_STATE_GOING)
        return NOTIFY_DONE;
    mutex_lock(&list_lock);
    for (ka_linux_heap **at = &first; *at != NULL;) {
        if (within_module((unsigned long)*at, module) || within_module((unsigned long)(*at)->heap.name, module))
            forget(at);
        else
            at = &(*at)->next;
    }
    mutex_unlock(&list_lock);
    return NOTIFY_OK;
}

static struct notifier_block module_notifier = { .notifier_call = module_changes };

/* As asked, or as the administrator says. */
static size_t limit_of(size_t limit)
{
    size_t most = READ_ONCE(ka_linux_parameters.heap_limit_mib);
    return most == 0 || most > SIZE_MAX >> 20 ? limit : min(limit, most << 20);
}

static unsigned node_count(void)
{
    return nr_node_ids < KA_HEAP_NODES ? (unsigned)nr_node_ids : KA_HEAP_NODES;
}

bool ka_linux_heap_init(ka_linux_heap *heap, const char *name, size_t limit, int node)
{
    *heap = (ka_linux_heap){ .node = node };
    heap->heap.name = name; /* for who traces what the heap takes to begin with */
    heap->source = (ka_page_source){ .context = heap, .reserve = reserve, .unreserve = unreserve };
    heap->source.reserve_on = reserve_on;
    if (!ka_heap_init(&heap->heap, &(ka_heap_options){ .name = name,
                                                       .source = &heap->source,
                                                       .size = limit_of(limit),
                                                       .scattered = true,
                                                       .nodes = node == NUMA_NO_NODE ? node_count() : 1,
                                                       .segment_shift = SEGMENT_SHIFT,
                                                       .hardened = READ_ONCE(ka_linux_parameters.hardened),
                                                       .seed = get_random_u64(),
                                                       .cross_call = cross_call }))
        return false;
    ka_linux_debug_add(heap);
    mutex_lock(&list_lock);
    heap->next = first;
    first = heap;
    mutex_unlock(&list_lock);
    return true;
}

size_t ka_linux_heap_fini(ka_linux_heap *heap)
{
    const char *name = heap->heap.name;
    ka_linux_heap **at = &first;
    ka_linux_debug_remove(heap);
    mutex_lock(&list_lock);
    while (*at != heap)
        at = &(*at)->next;
    *at = heap->next;
    mutex_unlock(&list_lock);
    size_t leaked = ka_heap_fini(&heap->heap);
    if (leaked != 0 && READ_ONCE(ka_linux_parameters.leak_reports) != 0)
        pr_warn("kernel_alloc: the heap \"%s\" ended with %zu live blocks\n", name, leaked);
    return leaked;
}

int ka_linux_heaps_start(void)
{
    hotplug_state = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "kernel_alloc:dead", NULL, cpu_is_dead);
    if (hotplug_state < 0)
        return hotplug_state;
    int error = ka_linux_shrinker_start(&pressure, count_free, give_back);
    if (error != 0)
        cpuhp_remove_state_nocalls(hotplug_state);
    else
        (void)register_module_notifier(&module_notifier); /* cannot fail */
    return error;
}

void ka_linux_heaps_end(void)
{
    (void)unregister_module_notifier(&module_notifier);
    ka_linux_shrinker_end(pressure);
    cpuhp_remove_state_nocalls(hotplug_state);
    while (first != NULL)
        forget(&first);
}
