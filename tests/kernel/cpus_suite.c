/* cpus_suite.c: every CPU runs, on a stack of its own; calls, timers and NMIs arrive; what is unmapped is forgotten by
 * all. */
#include "kernel_suites.h"

#include <ka_port.h>

#include "ports/bare/cpus.h"
#include "ports/bare/frames.h"
#include "ports/bare/paging.h"

#define PAGE ((size_t)1 << KA_PORT_PAGE_SHIFT)

static char *const empty_space = (char *)0x600000000000;

/* What each CPU has counted. */
static uint32_t counts[KA_ARCH_MAX_CPUS];

static void counts_clear(void)
{
    for (unsigned i = 0; i < KA_ARCH_MAX_CPUS; i++)
        counts[i] = 0;
}

static bool counts_are(uint32_t expected)
{
    for (unsigned i = 0; i < KA_ARCH_MAX_CPUS; i++)
        if (counts[i] != (i < bare_cpu_count() ? expected : 0))
            return false;
    return true;
}

/* The more CPUs, the fewer rounds: an emulator that has fewer than it plays makes all of them wait for each other. */
static unsigned rounds(unsigned on_one_cpu)
{
    return on_one_cpu / bare_cpu_count() + 1;
}

static void count_here(void *context)
{
    (void)context;
    ka_fetch_add_32(&counts[ka_arch_cpu()], 1);
}

static void all_run(void)
{
    counts_clear();
    for (uint32_t i = 1; i <= rounds(100); i++) {
        bare_cpus_run(count_here, NULL);
        KIT_CHECK(counts_are(i));
    }
    kit_note("%u CPUs", bare_cpu_count());
}

static void look_at_stack(void *context)
{
    char here = 0, *at = &here;
    while (!bare_is_stack_guard((uintptr_t)at) && ka_arch_can_read(at))
        at -= PAGE;
    if (!bare_is_stack_guard((uintptr_t)at) || ka_arch_can_read(at))
        ka_store_relaxed_32(context, 1);
}

static void stacks_are_guarded(void)
{
    uint32_t bad = 0;
    bare_cpus_run(look_at_stack, &bad);
    KIT_EXPECT(bad == 0);
}

static void call_all(void *context)
{
    ka_arch_interrupts_enable();
    for (unsigned i = 0; i < rounds(16); i++)
        bare_cpus_call(count_here, context);
    ka_arch_interrupts_disable();
}

/* Each CPU calls all of them, all at the same time. */
static void calls_cross(void)
{
    counts_clear();
    bare_cpus_run(call_all, NULL);
    KIT_EXPECT(counts_are(rounds(16) * bare_cpu_count()));
}

static void count_interrupt(void)
{
    count_here(NULL);
}

static void wait_for_timer(void *context)
{
    (void)context;
    ka_arch_timer_arm(10000);
    while (ka_load_relaxed_32(&counts[ka_arch_cpu()]) == 0)
        ka_arch_idle();
}

static void timers(void)
{
    counts_clear();
    bare_timer_handler = count_interrupt;
    bare_cpus_run(wait_for_timer, NULL);
    bare_timer_handler = NULL;
    KIT_EXPECT(counts_are(1));
}

/* To the next CPU, which has its interrupts off; then waits for its own. */
static void send_nmi(void *context)
{
    unsigned here = ka_arch_cpu();
    if (!ka_arch_nmi_send((here + 1) % bare_cpu_count())) {
        ka_store_relaxed_32(context, 1);
        return;
    }
    while (ka_load_relaxed_32(&counts[here]) == 0)
        ka_arch_relax();
}

static void nmis(void)
{
    uint32_t none = 0;
    counts_clear();
    bare_nmi_handler = count_interrupt;
    bare_cpus_run(send_nmi, &none);
    bare_nmi_handler = NULL;
    if (none != 0)
        kit_skip("this machine has no NMIs");
    else
        KIT_EXPECT(counts_are(1));
}

static void read_page(void *context)
{
    if (ka_arch_can_read(empty_space))
        count_here(context);
}

/* Every CPU has the translation in mind when the page goes, and none afterwards. A neighbour keeps the tables there:
 * else all would be forgotten for their sake. */
static void all_forget(void)
{
    size_t before = bare_frames_free();
    KIT_CHECK(bare_map(empty_space + PAGE, 1, BARE_WRITE) == BARE_MAP_OK);
    for (unsigned i = 0; i < rounds(20); i++) {
        counts_clear();
        KIT_CHECK(bare_map(empty_space, 1, BARE_WRITE) == BARE_MAP_OK);
        bare_cpus_run(read_page, NULL);
        KIT_CHECK(counts_are(1));
        KIT_CHECK(bare_unmap(empty_space, 1) == BARE_MAP_OK);
        bare_cpus_run(read_page, NULL);
        KIT_CHECK(counts_are(1));
    }
    KIT_CHECK(bare_unmap(empty_space + PAGE, 1) == BARE_MAP_OK);
    KIT_EXPECT(bare_frames_free() == before);
}

/* Ranges that share tables; in half of them an interrupt may come. */
static void map_and_unmap(void *context)
{
    unsigned here = ka_arch_cpu();
    char *base = empty_space + here * 4 * PAGE;
    if (here % 2 != 0)
        ka_arch_interrupts_enable();
    for (unsigned i = 0; i < rounds(50); i++) {
        if (bare_map(base, 3, BARE_WRITE) != BARE_MAP_OK)
            ka_store_relaxed_32(context, 1);
        kit_stamp(base, 3 * PAGE, here);
        if (!kit_stamped(base, 3 * PAGE, here) || bare_unmap(base, 3) != BARE_MAP_OK)
            ka_store_relaxed_32(context, 1);
    }
    ka_arch_interrupts_disable();
}

static void map_from_all(void)
{
    uint32_t bad = 0;
    size_t before = bare_frames_free();
    bare_cpus_run(map_and_unmap, &bad);
    KIT_EXPECT(bad == 0 && bare_frames_free() == before);
}

static const kit_case cases[] = {
    { "all run", all_run },
    { "stacks are guarded", stacks_are_guarded },
    { "calls cross", calls_cross },
    { "timers", timers },
    { "NMIs", nmis },
    { "all forget an unmapped page", all_forget },
    { "map and unmap on all at once", map_from_all },
};

const kit_suite cpus_suite = { "cpus", cases, KIT_COUNT(cases) };
