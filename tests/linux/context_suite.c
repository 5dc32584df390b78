/* context_suite.c: what is served and what is refused, in a task, under a spin lock, in softirq and in hard interrupt.
 *
 * With PREEMPT_RT the kernel's allocators cannot be called where the code is not preemptible: there all is refused.
 */
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/spinlock.h>

#include "linux_suites.h"

static struct {
    struct hrtimer timer;
    struct completion done;
    void (*function)(void);
} interrupt;

/* Only PREEMPT_RT needs to be told that it shall be a hard interrupt; elsewhere that would say that it is one there
 * too, and the kernel's own check of such promises would complain. */
#define INTERRUPT_MODE (IS_ENABLED(CONFIG_PREEMPT_RT) ? HRTIMER_MODE_REL_HARD : HRTIMER_MODE_REL)

static enum hrtimer_restart run_now(struct hrtimer *timer)
{
    (void)timer;
    interrupt.function();
    complete(&interrupt.done);
    return HRTIMER_NORESTART;
}

void run_in_interrupt(void (*function)(void))
{
    interrupt.function = function;
    init_completion(&interrupt.done);
    hrtimer_init(&interrupt.timer, CLOCK_MONOTONIC, INTERRUPT_MODE);
    interrupt.timer.function = run_now;
    hrtimer_start(&interrupt.timer, ns_to_ktime(100000), INTERRUPT_MODE);
    wait_for_completion(&interrupt.done);
    hrtimer_cancel(&interrupt.timer);
}

static bool served_here(void)
{
    return !IS_ENABLED(CONFIG_PREEMPT_RT) || preemptible();
}

/* Atomic requests are served; those that may sleep are refused, and each refusal is reported. */
static void atomic_context(void)
{
    ka_allocator *const all[] = { ka_kmalloc, ka_vmalloc, ka_kvmalloc };
    unsigned before = misuses[KA_MISUSE_CONTEXT];
    for (size_t i = 0; i < KIT_COUNT(all); i++)
        KIT_EXPECT(ka_alloc(all[i], 100, 16, 0) == NULL);
    KIT_EXPECT(misuses[KA_MISUSE_CONTEXT] == before + KIT_COUNT(all));
    KIT_EXPECT(ka_alloc(ka_vmalloc, 100, 16, KA_ATOMIC) == NULL && ka_alloc(ka_kvmalloc, 100, 16, KA_NOWAIT) == NULL);
    KIT_EXPECT(misuses[KA_MISUSE_CONTEXT] == before + KIT_COUNT(all));
    void *block = ka_alloc(ka_kmalloc, 100, 64, KA_ATOMIC), *quick = ka_alloc(ka_kmalloc, 100, 64, KA_NOWAIT | KA_ZERO);
    if (!served_here()) {
        KIT_EXPECT(block == NULL && quick == NULL && misuses[KA_MISUSE_CONTEXT] == before + KIT_COUNT(all) + 2);
        return;
    }
    KIT_EXPECT(block != NULL && quick != NULL);
    block = ka_resize(ka_kmalloc, block, 100, 64, 1000, 64, KA_ATOMIC);
    KIT_EXPECT(block != NULL);
    ka_free(ka_kmalloc, block, 1000, 64);
    ka_free(ka_kmalloc, quick, 100, 64);
    KIT_EXPECT(misuses[KA_MISUSE_CONTEXT] == before + KIT_COUNT(all));
}

/* A spin lock of PREEMPT_RT sleeps and says nothing of the context: there a raw one. */
static void under_a_spin_lock(void)
{
    static DEFINE_SPINLOCK(lock);
    static DEFINE_RAW_SPINLOCK(raw_lock);
    unsigned long flags;
    if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
        raw_spin_lock(&raw_lock);
        atomic_context();
        raw_spin_unlock(&raw_lock);
        return;
    }
    spin_lock(&lock);
    atomic_context();
    spin_unlock(&lock);
    spin_lock_irqsave(&lock, flags);
    atomic_context();
    spin_unlock_irqrestore(&lock, flags);
}

static void in_an_interrupt(void)
{
    run_in_interrupt(atomic_context);
}

static struct completion softirq_done;

static void run_softirq(struct tasklet_struct *tasklet)
{
    (void)tasklet;
    atomic_context();
    complete(&softirq_done);
}

static void in_a_softirq(void)
{
    static struct tasklet_struct tasklet;
    init_completion(&softirq_done);
    tasklet_setup(&tasklet, run_softirq);
    tasklet_schedule(&tasklet);
    wait_for_completion(&softirq_done);
    tasklet_kill(&tasklet);
}

static void *to_free[2];

static void free_both(void)
{
    ka_free(ka_kmalloc, to_free[0], 500, 16);
    ka_free(ka_kvmalloc, to_free[1], 6 << 20, 16);
}

static void free_in_an_interrupt(void)
{
    unsigned before = misuses[KA_MISUSE_CONTEXT];
    to_free[0] = ka_alloc(ka_kmalloc, 500, 16, 0);
    to_free[1] = ka_alloc(ka_kvmalloc, 6 << 20, 16, 0);
    KIT_CHECK(to_free[0] != NULL && to_free[1] != NULL);
    run_in_interrupt(free_both);
    if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
        KIT_EXPECT(misuses[KA_MISUSE_CONTEXT] == before + 2);
        free_both(); /* nothing was done with them */
    } else {
        KIT_EXPECT(misuses[KA_MISUSE_CONTEXT] == before);
    }
}

static const kit_case cases[] = {
    { "under a spin lock", under_a_spin_lock },
    { "in a hard interrupt", in_an_interrupt },
    { "in a softirq", in_a_softirq },
    { "free in a hard interrupt", free_in_an_interrupt },
};
const kit_suite context_suite = { "context", cases, KIT_COUNT(cases) };
