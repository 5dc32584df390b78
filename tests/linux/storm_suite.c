/* storm_suite.c: the general heap under a thread, hard interrupts and NMIs of every CPU at the same time. Each block is
 * stamped by whoever took it: none may be lost, none handed out twice.
 */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include <asm/apic.h>
#include <asm/nmi.h>

#include <ka/heap.h>

#include "base/atomic.h"
#include "heap/fast.h"
#include "linux_suites.h"

enum { HEAP_BYTES = 24 << 20, HELD = 64, ROUNDS = 300000, TIMER_NS = 20000 };

static bool expect_busy;
module_param(expect_busy, bool, 0);
MODULE_PARM_DESC(expect_busy, "fail if no interrupt ever hit the busy window");

/* What one context of one CPU holds. */
typedef struct holder {
    void *blocks[HELD];
    uint32_t sizes[HELD];
    kit_random random;
    unsigned long steps, refusals, damaged, busy;
} holder;

typedef struct cpu_storm {
    holder thread, interrupt, nmi;
    struct hrtimer timer;
    struct task_struct *task;
} cpu_storm;

static ka_linux_heap opened;
#define heap opened.heap
static DEFINE_PER_CPU(cpu_storm, storms);
static bool over; /* no timer starts again, no NMI does anything */
static struct completion thread_done;

/* One step: gives back what lies in a random place, after a look at its stamp, and puts a new block there. */
static void step(holder *h, ka_flags flags)
{
    uint64_t number = kit_next(&h->random);
    unsigned at = number % HELD;
    void *block = h->blocks[at];
    h->steps++;
    if (block != NULL) {
        h->damaged += !kit_stamped(block, h->sizes[at], (uintptr_t)h + at);
        h->blocks[at] = NULL;
        ka_heap_free(&heap, block, h->sizes[at], 16);
        return;
    }
    size_t size = 1 + (number >> 8) % ((number >> 40) % 64 == 0 ? 20000 : 256);
    block = ka_heap_alloc(&heap, size, 16, flags);
    h->refusals += block == NULL;
    if (block != NULL) {
        kit_stamp(block, size, (uintptr_t)h + at);
        h->sizes[at] = (uint32_t)size;
        h->blocks[at] = block;
    }
}

/* Has this context interrupted a magazine operation of its own CPU? */
static void look(holder *h)
{
    h->busy += ka_load_relaxed_32(&ka_heap_magazines(&heap)->busy) != 0;
}

static enum hrtimer_restart tick(struct hrtimer *timer)
{
    cpu_storm *storm = this_cpu_ptr(&storms);
    look(&storm->interrupt);
    for (unsigned i = 0; i < 4; i++)
        step(&storm->interrupt, KA_ANY_CONTEXT);
    if (READ_ONCE(over))
        return HRTIMER_NORESTART;
    hrtimer_forward_now(timer, ns_to_ktime(TIMER_NS));
    return HRTIMER_RESTART;
}

static int on_nmi(unsigned type, struct pt_regs *regs)
{
    (void)type, (void)regs;
    if (READ_ONCE(over))
        return NMI_DONE;
    holder *h = &this_cpu_ptr(&storms)->nmi;
    look(h);
    step(h, KA_ANY_CONTEXT);
    return NMI_HANDLED;
}

static int run_thread(void *data)
{
    cpu_storm *storm = this_cpu_ptr(&storms);
    unsigned others = 0;
    (void)data;
    hrtimer_init(&storm->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
    storm->timer.function = tick;
    hrtimer_start(&storm->timer, ns_to_ktime(TIMER_NS), HRTIMER_MODE_REL_PINNED_HARD);
    for (unsigned i = 0; i < ROUNDS; i++) {
        step(&storm->thread, i % 2 == 0 ? 0 : KA_ANY_CONTEXT);
        if (i % 64 == 0) {
            others = cpumask_next((int)others, cpu_online_mask);
            if (others >= nr_cpu_ids)
                others = cpumask_first(cpu_online_mask);
            apic->send_IPI((int)others, NMI_VECTOR);
        }
        if (i % 512 == 0)
            cond_resched();
    }
    complete(&thread_done);
    return 0;
}

static void give_back(holder *h)
{
    for (unsigned i = 0; i < HELD; i++)
        if (h->blocks[i] != NULL) {
            h->damaged += !kit_stamped(h->blocks[i], h->sizes[i], (uintptr_t)h + i);
            ka_heap_free(&heap, h->blocks[i], h->sizes[i], 16);
            h->blocks[i] = NULL;
        }
}

static void run_all(void)
{
    unsigned started = 0;
    int cpu;
    init_completion(&thread_done);
    WRITE_ONCE(over, false);
    for_each_online_cpu(cpu)
    {
        struct task_struct *task = kthread_create_on_cpu(run_thread, NULL, (unsigned)cpu, "ka_storm/%u");
        KIT_CHECK(!IS_ERR(task));
        wake_up_process(task);
        started++;
    }
    while (started-- > 0)
        wait_for_completion(&thread_done);
    WRITE_ONCE(over, true);
    for_each_online_cpu(cpu) hrtimer_cancel(&per_cpu(storms, cpu).timer);
}

static void storm(void)
{
    unsigned misused = misuses[KA_MISUSE_DOUBLE_FREE] + misuses[KA_MISUSE_FOREIGN] + misuses[KA_MISUSE_WRONG_SIZE];
    holder sum = { .steps = 0 };
    unsigned long nmis = 0, interrupts = 0;
    int cpu;
    KIT_CHECK(ka_linux_heap_init(&opened, "storm", HEAP_BYTES, NUMA_NO_NODE));
    KIT_CHECK(register_nmi_handler(NMI_LOCAL, on_nmi, 0, "ka_storm") == 0);
    run_all();
    unregister_nmi_handler(NMI_LOCAL, "ka_storm");
    for_each_online_cpu(cpu)
    {
        cpu_storm *of = &per_cpu(storms, cpu);
        holder *all[] = { &of->thread, &of->interrupt, &of->nmi };
        for (size_t i = 0; i < KIT_COUNT(all); i++) {
            give_back(all[i]);
            sum.steps += all[i]->steps;
            sum.refusals += all[i]->refusals;
            sum.damaged += all[i]->damaged;
            sum.busy += all[i]->busy;
        }
        nmis += of->nmi.steps;
        interrupts += of->interrupt.steps;
    }
    kit_note("%lu steps on %u CPUs, %lu in interrupts, %lu in NMIs; %lu hit the busy window; %lu refused", sum.steps,
             num_online_cpus(), interrupts, nmis, sum.busy, sum.refusals);
    KIT_EXPECT(sum.damaged == 0);
    KIT_EXPECT(interrupts > 0 && nmis > 0 && (!expect_busy || sum.busy > 0));
    KIT_EXPECT(misused == misuses[KA_MISUSE_DOUBLE_FREE] + misuses[KA_MISUSE_FOREIGN] + misuses[KA_MISUSE_WRONG_SIZE]);
    const char *broken = ka_heap_check(&heap);
    if (broken != NULL)
        kit_note("%s", broken);
    KIT_EXPECT(broken == NULL);
    KIT_EXPECT(ka_linux_heap_fini(&opened) == 0);
}

static const kit_case cases[] = { { "threads, interrupts and NMIs of every CPU", storm } };
const kit_suite storm_suite = { "storm", cases, KIT_COUNT(cases) };
