/* kernel_versions.h: what differs between the kernels that the module is built for, 6.1 and newer. */
#ifndef KA_LINUX_KERNEL_VERSIONS_H
#define KA_LINUX_KERNEL_VERSIONS_H

#include <linux/mmzone.h>
#include <linux/shrinker.h>
#include <linux/version.h>

/* The count of orders that alloc_pages has: 11, up to 4 MiB. MAX_ORDER was that count, then the last order. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define KA_LINUX_ORDERS MAX_ORDER
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define KA_LINUX_ORDERS (MAX_ORDER + 1)
#else
#define KA_LINUX_ORDERS NR_PAGE_ORDERS
#endif

typedef unsigned long ka_linux_shrink(struct shrinker *shrinker, struct shrink_control *control);

/* Makes a shrinker and registers it. 0, or an error of the kernel. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline int ka_linux_shrinker_start(struct shrinker **out, ka_linux_shrink *count, ka_linux_shrink *scan)
{
    static struct shrinker shrinker;
    shrinker = (struct shrinker){ .count_objects = count, .scan_objects = scan, .seeks = DEFAULT_SEEKS };
    *out = &shrinker;
    return register_shrinker(&shrinker, "kernel_alloc");
}

static inline void ka_linux_shrinker_end(struct shrinker *shrinker)
{
    unregister_shrinker(shrinker);
}
#else
static inline int ka_linux_shrinker_start(struct shrinker **out, ka_linux_shrink *count, ka_linux_shrink *scan)
{
    *out = shrinker_alloc(0, "kernel_alloc");
    if (*out == NULL)
        return -ENOMEM;
    (*out)->count_objects = count;
    (*out)->scan_objects = scan;
    shrinker_register(*out);
    return 0;
}

static inline void ka_linux_shrinker_end(struct shrinker *shrinker)
{
    shrinker_free(shrinker);
}
#endif

#endif
