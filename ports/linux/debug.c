/* debug.c: what /sys/kernel/debug/kernel_alloc shows: a folder for each heap, and a file for each group of tags.
 *
 * The map of a heap is drawn from the descriptors of its pages, which never go, so that the heap may be in use: what
 * changes meanwhile is drawn as it was before or after.
 */
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "base/atomic.h"
#include "heap/core.h"
#include "kernel_allocators.h"

#define MAP_COLUMNS 64u /* pages in a line */

static struct dentry *folder;

/* ---- figures ---- */

static int stats_show(struct seq_file *file, void *data)
{
    const ka_linux_heap *heap = file->private;
    ka_stats stats = ka_get_stats((ka_allocator *)&heap->heap.allocator);
    (void)data;
    seq_printf(file, "total %zu\nlive %zu\npeak %zu\nfree %zu\noverhead %zu\nlive_blocks %zu\nnode %d\nhardened %d\n",
               stats.total, stats.live, stats.peak, stats.free, stats.overhead, stats.live_blocks, heap->node,
               heap->heap.hardened);
    return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/* ---- the map ---- */

/* What page `page` is used for; a slab by how many tenths of its blocks are out, in magazines too. */
static char page_mark(const ka_heap *heap, const ka_segment *segment, uint32_t page, uint32_t *run_end)
{
    uint32_t descriptor = ka_load_relaxed_32(&segment->slabs.pages[page]);
    if (ka_page_is_run(descriptor) || ka_page_is_parked(descriptor))
        *run_end = page + ka_page_run_pages(descriptor);
    if (ka_page_is_run(descriptor))
        return '[';
    if (ka_page_is_parked(descriptor))
        return 'p';
    if (!ka_page_is_slab(descriptor))
        return page < *run_end ? '=' : '.';
    uint32_t blocks = heap->table->classes.of[ka_page_slab_class(descriptor)].blocks;
    uint32_t back = ka_page_slab_back(descriptor);
    uint32_t free = back <= page ? ka_slab_count_free(&segment->slabs, page - back) : 0;
    return (char)('0' + (blocks - min(free, blocks)) * 9 / blocks);
}

static void *map_at(const ka_linux_heap *heap, loff_t *at)
{
    for (; *at < ka_heap_segment_end(&heap->heap); ++*at) {
        ka_segment *segment = ka_heap_segment_at(&heap->heap, (uint32_t)*at);
        if (segment != NULL && ka_load_relaxed_ptr(&segment->base) != 0)
            return segment;
    }
    return NULL;
}

static void *map_start(struct seq_file *file, loff_t *at)
{
    if (*at == 0)
        seq_printf(file,
                   "a character is a page of %lu bytes: . free, 0 to 9 small blocks by how many are out, [== a run, "
                   "p a run kept aside\n",
                   PAGE_SIZE);
    return map_at(file->private, at);
}

static void *map_next(struct seq_file *file, void *segment, loff_t *at)
{
    (void)segment;
    ++*at;
    return map_at(file->private, at);
}

static void map_stop(struct seq_file *file, void *segment)
{
    (void)file, (void)segment;
}

static int map_show(struct seq_file *file, void *of)
{
    const ka_linux_heap *heap = file->private;
    const ka_segment *segment = of;
    uint32_t run_end = 0;
    seq_printf(file, "0x%lx:\n", (unsigned long)ka_load_relaxed_ptr(&segment->base));
    for (uint32_t page = 0; page < segment->page_count; page++) {
        seq_putc(file, page_mark(&heap->heap, segment, page, &run_end));
        if (page % MAP_COLUMNS == MAP_COLUMNS - 1 || page + 1 == segment->page_count)
            seq_putc(file, '\n');
    }
    return 0;
}

static const struct seq_operations map_sops = {
    .start = map_start,
    .next = map_next,
    .stop = map_stop,
    .show = map_show,
};
DEFINE_SEQ_ATTRIBUTE(map);

/* ---- to act ---- */

/* Whatever is written: everything that can be given back goes back to the kernel. */
static ssize_t shrink_write(struct file *file, const char __user *words, size_t length, loff_t *at)
{
    ka_linux_heap *heap = file_inode(file)->i_private;
    (void)words, (void)at;
    (void)ka_heap_drain(&heap->heap);
    (void)ka_heap_trim(&heap->heap, 0);
    return (ssize_t)length;
}

static const struct file_operations shrink_fops = { .owner = THIS_MODULE, .open = simple_open, .write = shrink_write };

void ka_linux_debug_add(ka_linux_heap *heap)
{
    heap->debug = debugfs_create_dir(heap->heap.name, folder);
    debugfs_create_file("stats", 0400, heap->debug, heap, &stats_fops);
    debugfs_create_file("map", 0400, heap->debug, heap, &map_fops);
    debugfs_create_file("shrink", 0200, heap->debug, heap, &shrink_fops);
}

void ka_linux_debug_remove(ka_linux_heap *heap)
{
    debugfs_remove(heap->debug); /* waits for those who read */
}

/* ---- tags ---- */

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
    struct dentry *file = debugfs_lookup(name, folder);
    debugfs_remove(file);
    dput(file);
}

/* ---- life ---- */

void ka_linux_debug_start(void)
{
    folder = debugfs_create_dir("kernel_alloc", NULL);
}

void ka_linux_debug_end(void)
{
    debugfs_remove(folder);
}
