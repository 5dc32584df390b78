/* kernel_allocators.h: what kmalloc.c, vmalloc.c, kvmalloc.c and kmem_cache.c share. */
#ifndef KA_LINUX_KERNEL_ALLOCATORS_H
#define KA_LINUX_KERNEL_ALLOCATORS_H

#include <linux/gfp.h>
#include <linux/preempt.h>

#include <ka/linux.h>

/* The kernel's flags for ours. false: refused, and reported if the caller may not sleep where it is. */
bool ka_linux_gfp(ka_allocator *self, size_t size, ka_flags flags, gfp_t *out);

/* Whether the kernel's allocators may be called to free `block`; reports it if not. */
bool ka_linux_may_free(ka_allocator *self, const void *block, size_t size);

/* kmalloc with our alignment; NULL also if kmalloc cannot serve it at all. */
void *ka_linux_kmalloc(size_t size, size_t align, gfp_t gfp, int node);

/* vmalloc with our alignment, and its end. The caller may sleep. */
void *ka_linux_vmalloc(size_t size, size_t align, gfp_t gfp, int node);
void ka_linux_vfree(void *block, size_t align);

/* Makes ka_physical ready, and reports what is left of it. */
void ka_linux_physical_start(void);
void ka_linux_physical_end(void);

/* The list of heaps, its shrinker and its callbacks. 0, or an error of the kernel. */
int ka_linux_heaps_start(void);
void ka_linux_heaps_end(void);

#endif
