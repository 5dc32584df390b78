/* heap.c: general heaps over alloc_pages.
 *
 * A module cannot reserve a range of addresses and commit pages of it later, so that the heap is scattered: segments of
 * 2 MiB from the page allocator, in the direct map, where an NMI may touch them at any time; records from vmalloc.
 * All heaps made here are in one list: the shrinker trims them, the hot-plug callback puts back what a CPU that is gone
 * had in its magazines, debugfs shows them.
 */
#include <linux/cpuhotplug.h>
#include <linux/debugfs.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>

#include "kernel_allocators.h"
#include "kernel_versions.h"

#define SEGMENT_SHIFT 21u

static DEFINE_MUTEX(list_lock);
static ka_linux_heap *first;
static struct dentry *folder;
static struct shrinker *pressure;
static int hotplug_state;

/* ---- memory ---- */

static void *reserve(void *context, size_t size, size_t align)
{
    const ka_linux_heap *heap = context;
    if (align <= PAGE_SIZE)
        return vmalloc(size);
    if (size != align || get_order(size) >= KA_LINUX_ORDERS)
        return NULL;
    gfp_t gfp = GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL;
    struct page *page = alloc_pages_node(heap->node, gfp, (unsigned)get_order(size));
    return page == NULL ? NULL : page_address(page);
}

static void unreserve(void *context, void *base, size_t size)
{
    (void)context;
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

/* Free pages that the heaps keep, about. */
static unsigned long count_free(struct shrinker *shrinker, struct shrink_control *control)
{
    unsigned long pages = 0;
    (void)shrinker, (void)control;
    if (!mutex_trylock(&list_lock))
        return 0;
    for (ka_linux_heap *heap = first; heap != NULL; heap = heap->next) {
        ka_stats stats = ka_get_stats(&heap->heap.allocator);
        pages += (stats.total - stats.live) >> PAGE_SHIFT;
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
        pages += ka_heap_trim(&heap->heap, 0) >> PAGE_SHIFT;
    mutex_unlock(&list_lock);
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

/* ---- to look at ---- */

static int stats_show(struct seq_file *file, void *data)
{
    const ka_linux_heap *heap = file->private;
    ka_stats stats = ka_get_stats((ka_allocator *)&heap->heap.allocator);
    (void)data;
    seq_printf(file, "total %zu\nlive %zu\npeak %zu\nfree %zu\noverhead %zu\nlive_blocks %zu\n", stats.total,
               stats.live, stats.peak, stats.free, stats.overhead, stats.live_blocks);
    return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static void tag_line(void *context, const char *text, size_t length)
{
    (void)length;
    seq_printf(context, "%s\n", text);
}

static int tags_show(struct seq_file *file, void *data)
{
    (void)data;
    ka_tag_group_report(file->private, tag_line, file);
    return 0;
}
DEFINE_SHOW_ATTRIBUTE(tags);

void ka_linux_show_tags(const char *name, ka_tag_group *group)
{
    debugfs_create_file(name, 0400, folder, group, &tags_fops);
}

void ka_linux_hide(const char *name)
{
    debugfs_remove(debugfs_lookup(name, folder));
}

/* ---- life ---- */

bool ka_linux_heap_init(ka_linux_heap *heap, const char *name, size_t limit, int node)
{
    *heap = (ka_linux_heap){ .node = node };
    heap->source = (ka_page_source){ .context = heap, .reserve = reserve, .unreserve = unreserve };
    if (!ka_heap_init(&heap->heap, &(ka_heap_options){ .name = name,
                                                       .source = &heap->source,
                                                       .size = limit,
                                                       .scattered = true,
                                                       .segment_shift = SEGMENT_SHIFT,
                                                       .cross_call = cross_call }))
        return false;
    heap->debug = debugfs_create_file(name, 0400, folder, heap, &stats_fops);
    mutex_lock(&list_lock);
    heap->next = first;
    first = heap;
    mutex_unlock(&list_lock);
    return true;
}

size_t ka_linux_heap_fini(ka_linux_heap *heap)
{
    ka_linux_heap **at = &first;
    debugfs_remove(heap->debug);
    mutex_lock(&list_lock);
    while (*at != heap)
        at = &(*at)->next;
    *at = heap->next;
    mutex_unlock(&list_lock);
    return ka_heap_fini(&heap->heap);
}

int ka_linux_heaps_start(void)
{
    folder = debugfs_create_dir("kernel_alloc", NULL);
    hotplug_state = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "kernel_alloc:dead", NULL, cpu_is_dead);
    if (hotplug_state < 0) {
        debugfs_remove(folder);
        return hotplug_state;
    }
    int error = ka_linux_shrinker_start(&pressure, count_free, give_back);
    if (error != 0) {
        cpuhp_remove_state_nocalls(hotplug_state);
        debugfs_remove(folder);
    }
    return error;
}

void ka_linux_heaps_end(void)
{
    ka_linux_shrinker_end(pressure);
    cpuhp_remove_state_nocalls(hotplug_state);
    debugfs_remove(folder);
    for (ka_linux_heap *heap = first; heap != NULL; heap = heap->next)
        pr_warn("kernel_alloc: the heap \"%s\" was not closed\n", heap->heap.name);
}
