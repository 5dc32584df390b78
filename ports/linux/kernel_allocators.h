/* kernel_allocators.h: what the sources of the module share. */
#ifndef KA_LINUX_KERNEL_ALLOCATORS_H
#define KA_LINUX_KERNEL_ALLOCATORS_H

#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/jump_label.h>
#include <linux/preempt.h>

#include <ka/linux.h>

/* What the administrator chooses; port.c. */
extern struct ka_linux_parameters {
    bool hardened, panic_on_misuse;
    unsigned leak_reports;
    unsigned long heap_limit_mib, keep_kib;
} ka_linux_parameters;

/* Whether a test wants the call for memory that follows to fail: see ka_linux_fail. When none does, a jump over
 * nothing. */
DECLARE_STATIC_KEY_FALSE(ka_linux_failing);
bool ka_linux_fails_now(void);

static inline bool ka_linux_failing_some(void)
{
    return static_branch_unlikely(&ka_linux_failing);
}

static inline bool ka_linux_fails(void)
{
    return ka_linux_failing_some() && ka_linux_fails_now();
}

/* May a request that sleeps be made here? Where there is a preempt count, it knows of interrupts and NMIs, too; but not
 * of the softirqs of PREEMPT_RT, which are preemptible. */
static inline bool ka_linux_may_sleep_here(void)
{
    if (IS_ENABLED(CONFIG_PREEMPT_COUNT) && !IS_ENABLED(CONFIG_PREEMPT_RT))
        return preemptible();
    return !in_interrupt() && !irqs_disabled() && (!IS_ENABLED(CONFIG_PREEMPT_COUNT) || preemptible());
}

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

/* What debugfs shows. */
void ka_linux_debug_start(void);
void ka_linux_debug_end(void);
void ka_linux_debug_add(ka_linux_heap *heap);
void ka_linux_debug_remove(ka_linux_heap *heap);

#endif
