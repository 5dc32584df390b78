/* cpus.c: see cpus.h.
 *
 * Work and calls go the same way: what is to be done is written down, then a mark is set for each CPU, then each is
 * interrupted. An interrupt that finds no mark does nothing, so that none can be one too many. A CPU that waits for the
 * others serves the calls of others meanwhile: two that call each other do not wait for ever.
 */
#include "ports/bare/cpus.h"

#include <ka/handler.h>
#include <ka_port.h>

#include "base/assert.h"
#include "ports/bare/paging.h"

#define PAGE   ((size_t)1 << KA_ARCH_PAGE_SHIFT)
#define STACKS ((uintptr_t)0x4f0000000000)

/* Of each CPU, pages: what is mapped lies at the upper end. */
enum { STACK_SPACE = 32, STACK_PAGES = 8 };

/* Pauses until a CPU counts as dead. Seconds at least; it matters only on a machine that is broken. */
#define PATIENCE (UINT32_C(1) << 30)

extern char ka_stack_guard[];

void (*bare_timer_handler)(void);
void (*bare_nmi_handler)(void);

static uint32_t online[KA_ARCH_MAX_CPUS] = { 1 };
static unsigned nodes[KA_ARCH_MAX_CPUS];

typedef struct task {
    bare_work *work;
    void *context;
    uint32_t marked[KA_ARCH_MAX_CPUS]; /* CPUs that have not begun */
    uint32_t left;                     /* CPUs that have not ended */
} task;

static task run, call;
static uint32_t call_taken; /* by the CPU whose call it is */

unsigned bare_cpu_node(unsigned number)
{
    return nodes[number];
}

void bare_cpu_set_node(unsigned number, unsigned node)
{
    if (number < KA_ARCH_MAX_CPUS)
        nodes[number] = node;
}

/* ---- start ---- */

static uintptr_t stack_end(unsigned number)
{
    return STACKS + (number + 1) * STACK_SPACE * PAGE;
}

bool bare_is_stack_guard(uintptr_t address)
{
    uintptr_t page = address & ~(uintptr_t)(PAGE - 1);
    if (page == (uintptr_t)ka_stack_guard)
        return true;
    for (unsigned i = 1; i < KA_ARCH_MAX_CPUS; i++)
        if (page == stack_end(i) - (STACK_PAGES + 1) * PAGE)
            return true;
    return false;
}

static void cpu_start(unsigned number)
{
    void *end = (void *)stack_end(number);
    if (bare_map((char *)end - STACK_PAGES * PAGE, STACK_PAGES, BARE_WRITE) != BARE_MAP_OK)
        ka_port_panic("no memory for the stack of a CPU", __FILE__, __LINE__);
    ka_arch_cpu_start(number, end);
    for (uint32_t patience = PATIENCE; !bare_cpu_is_online(number); patience--) {
        if (patience == 0)
            ka_port_panic("a CPU does not start", __FILE__, __LINE__);
        ka_arch_relax();
    }
}

void bare_cpus_start(void)
{
    for (unsigned i = 1; i < ka_arch_cpu_count(); i++)
        cpu_start(i);
}

unsigned bare_cpu_count(void)
{
    return ka_arch_cpu_count();
}

bool bare_cpu_is_online(unsigned number)
{
    return ka_load_acquire_32(&online[number]) != 0;
}

/* ---- work ---- */

/* Does the task on this CPU, if it has not been done here. */
static void task_serve(task *t)
{
    if (ka_exchange_32(&t->marked[ka_arch_cpu()], 0) == 0)
        return;
    t->work(t->context);
    ka_fetch_add_32(&t->left, UINT32_MAX);
}

/* To all that have started. */
static void task_give(task *t, bare_work *work, void *context)
{
    uint32_t count = 0;
    while (count < bare_cpu_count() && bare_cpu_is_online(count))
        count++;
    t->work = work;
    t->context = context;
    ka_store_release_32(&t->left, count);
    for (unsigned i = 0; i < count; i++)
        ka_store_release_32(&t->marked[i], 1);
    for (unsigned i = 0; i < count; i++)
        if (i != ka_arch_cpu())
            ka_arch_call_send(i);
    task_serve(t);
}

void bare_cpus_run(bare_work *work, void *context)
{
    KA_ASSERT(ka_arch_cpu() == 0);
    task_give(&run, work, context);
    while (ka_load_acquire_32(&run.left) != 0) {
        task_serve(&call);
        ka_arch_relax();
    }
}

void bare_cpus_call(bare_work *work, void *context)
{
    uintptr_t flags = ka_arch_interrupts_save();
    while (ka_exchange_32(&call_taken, 1) != 0)
        task_serve(&call);
    task_give(&call, work, context);
    while (ka_load_acquire_32(&call.left) != 0)
        ka_arch_relax();
    ka_store_release_32(&call_taken, 0);
    ka_arch_interrupts_restore(flags);
}

void bare_cpu_main(unsigned number)
{
    ka_store_release_32(&online[number], 1);
    for (;;) {
        if (ka_load_acquire_32(&run.marked[number]) == 0)
            ka_arch_idle();
        task_serve(&run);
    }
}

/* ---- interrupts ---- */

void bare_on_timer(void)
{
    if (bare_timer_handler != NULL)
        bare_timer_handler();
}

void bare_on_call(void)
{
    task_serve(&call);
}

void bare_on_nmi(void)
{
    if (bare_nmi_handler != NULL)
        bare_nmi_handler();
}
