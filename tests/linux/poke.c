/* poke.c: has the guest's script (guest_check.sh) do things by writing a word to the parameter `poke`, so that it can
 * look at what debugfs, tracefs and the log say of them. Misuses go to the module's own handler meanwhile.
 */
#include <linux/moduleparam.h>
#include <linux/nodemask.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "linux_suites.h"

enum { SMALL = 200, LARGE = 300000, CHURN = 80 };

static ka_linux_heap poked;
static ka_linux_traced traced;
static ka_tag_group group;
static ka_tagged tagged;
static void *small, *large, *churn[CHURN];

/* A heap on the last node, one small block and a run of it. */
static int open_heap(void)
{
    int node, last = 0;
    for_each_online_node(node) last = node;
    if (!ka_linux_heap_init(&poked, "poked", 64 << 20, last))
        return -ENOMEM;
    ka_linux_traced_init(&traced, &poked.heap.allocator, "poked heap");
    ka_tagged_init(&tagged, &traced.allocator, "poker", &group);
    ka_linux_show_tags("poked tags", &group);
    void *resized = ka_alloc(&traced.allocator, SMALL / 4, 16, 0);
    resized = ka_resize(&traced.allocator, resized, SMALL / 4, 16, SMALL / 2, 16, 0);
    ka_free(&traced.allocator, resized, SMALL / 2, 16);
    small = ka_alloc(&tagged.allocator, SMALL, 16, KA_ZERO);
    large = ka_alloc(&tagged.allocator, LARGE, 16, 0);
    return small != NULL && large != NULL ? 0 : -ENOMEM;
}

static void close_heap(void)
{
    ka_free(&tagged.allocator, large, LARGE, 16);
    ka_free(&tagged.allocator, small, SMALL, 16);
    ka_tagged_fini(&tagged);
    ka_linux_hide("poked tags");
    (void)ka_linux_heap_fini(&poked);
}

static void close_heap_with_leaks(void)
{
    large = NULL;
    small = NULL;
    close_heap();
}

static void free_twice(void)
{
    void *block = ka_heap_alloc(&poked.heap, SMALL, 16, 0);
    ka_heap_free(&poked.heap, block, SMALL, 16);
    ka_heap_free(&poked.heap, block, SMALL, 16);
}

/* About 24 MiB in and out; the count of blocks that there was memory for. */
static unsigned take_and_give(void)
{
    unsigned taken = 0;
    while (taken < CHURN && (churn[taken] = ka_heap_alloc(&poked.heap, LARGE, 16, 0)) != NULL)
        taken++;
    for (unsigned i = 0; i < taken; i++)
        ka_heap_free(&poked.heap, churn[i], LARGE, 16);
    (void)ka_heap_drain(&poked.heap);
    return taken;
}

/* What the kernel's own checks have to find. */
static void write_behind(void)
{
    volatile char *block = ka_alloc(ka_kmalloc, 100, 16, 0);
    if (block != NULL)
        block[100] = 1;
    ka_free(ka_kmalloc, (void *)block, 100, 16);
}

static void sleep_in_atomic(void)
{
    static DEFINE_SPINLOCK(lock);
    spin_lock(&lock);
    might_sleep();
    spin_unlock(&lock);
}

/* What a driver leaves behind that ends nothing: a heap, in memory that stays, and a block of ka_physical. */
static int abandon(void)
{
    ka_linux_heap *heap = ka_alloc_type(ka_kmalloc, ka_linux_heap);
    if (heap == NULL || !ka_linux_heap_init(heap, "abandoned", 8 << 20, NUMA_NO_NODE))
        return -ENOMEM;
    return ka_alloc(ka_physical, SMALL, 16, 0) != NULL ? 0 : -ENOMEM;
}

static int poke(const char *word, const struct kernel_param *parameter)
{
    int error = 0;
    (void)parameter;
    ka_set_misuse_handler(ka_linux_misuse, NULL);
    if (sysfs_streq(word, "open"))
        error = open_heap();
    else if (sysfs_streq(word, "close"))
        close_heap();
    else if (sysfs_streq(word, "churn"))
        pr_info("poke: %u blocks\n", take_and_give());
    else if (sysfs_streq(word, "leak"))
        close_heap_with_leaks();
    else if (sysfs_streq(word, "foreign"))
        ka_free(&traced.allocator, &group, LARGE, 16);
    else if (sysfs_streq(word, "twice"))
        free_twice();
    else if (sysfs_streq(word, "lose"))
        error = ka_alloc(ka_kmalloc, SMALL, 16, 0) == NULL ? -ENOMEM : 0;
    else if (sysfs_streq(word, "abandon"))
        error = abandon();
    else if (sysfs_streq(word, "overrun"))
        write_behind();
    else if (sysfs_streq(word, "sleep"))
        sleep_in_atomic();
    else
        error = -EINVAL;
    ka_set_misuse_handler(count_misuse, NULL);
    return error;
}

static const struct kernel_param_ops poke_ops = { .set = poke };
module_param_cb(poke, &poke_ops, NULL, 0200);
MODULE_PARM_DESC(poke, "a word: see poke.c");
