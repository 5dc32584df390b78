/* main.c of the kernel that tests the example hypervisor: both guests run to their end and do what they should, under a
 * timer; with each allocation failing in turn nothing is left behind; the structure for VMX. */
#include <ka/failing.h>
#include <ka/kernel.h>
#include <ka/physical.h>

#include "examples/hypervisor/guests.h"
#include "examples/hypervisor/vmx.h"
#include "kit.h"
#include "ports/bare/console.h"
#include "ports/bare/cpus.h"
#include "ports/bare/start.h"

#include <ka_arch.h>

enum { TIMER_TICKS = 50000 };

static size_t live(void)
{
    return ka_get_stats(ka_physical).live + ka_get_stats(ka_kernel).live;
}

static bool no_svm(void)
{
    if (svm_available())
        return false;
    kit_skip("this CPU has no SVM with nested paging");
    return true;
}

static bool text_is(const vcpu *cpu, const char *text)
{
    size_t i = 0;
    while (text[i] != 0 && cpu->text[i] == text[i])
        i++;
    return text[i] == 0 && i == cpu->text_length;
}

static void real_mode(void)
{
    vcpu_box box = { 0 };
    size_t before = live();
    if (no_svm())
        return;
    KIT_CHECK(vcpu_open(&box, &guest_real, ka_physical, ka_kernel));
    vcpu *cpu = vcpu_box_get(&box);
    KIT_EXPECT(vcpu_run(cpu) == VCPU_HALTED);
    KIT_EXPECT(text_is(cpu, "real mode") && cpu->result == 16 * 17 / 2);
    KIT_EXPECT(cpu->memory.mapped == 1 + 16); /* its code, and what it touched */
    vcpu_box_drop(&box);
    KIT_EXPECT(live() == before);
}

static void timer_again(void)
{
    ka_arch_timer_arm(TIMER_TICKS);
}

/* The sum of the guest's counter at each page that it touched. */
static uint64_t long_result(void)
{
    uint64_t sum = 0;
    for (uint64_t i = GUEST_LONG_CALLS; i > 0; i--)
        if (i % GUEST_LONG_STEP == 0)
            sum += i;
    return sum;
}

static void long_mode_under_a_timer(void)
{
    vcpu_box box = { 0 };
    size_t before = live();
    if (no_svm())
        return;
    KIT_CHECK(vcpu_open(&box, &guest_long, ka_physical, ka_kernel));
    vcpu *cpu = vcpu_box_get(&box);
    bare_timer_handler = timer_again;
    timer_again();
    KIT_EXPECT(vcpu_run(cpu) == VCPU_HALTED);
    ka_arch_timer_arm(0);
    bare_timer_handler = NULL;
    kit_note("%zu exits, %zu of them timer interrupts, %zu pages of the guest", cpu->exits, cpu->interrupts,
             cpu->memory.mapped);
    KIT_EXPECT(text_is(cpu, "long mode") && cpu->calls == GUEST_LONG_CALLS && cpu->result == long_result());
    KIT_EXPECT(cpu->msr == UINT64_C(0x5566778811223344));
    KIT_EXPECT(cpu->exits > 100000 && cpu->interrupts > 0);
    KIT_EXPECT(cpu->memory.mapped == 4 + GUEST_LONG_CALLS / GUEST_LONG_STEP);
    KIT_CHECK_SOUND(ka_reserve_check(&cpu->pages));
    vcpu_box_drop(&box);
    vcpu_box_drop(&box);
    KIT_EXPECT(live() == before);
}

/* Every allocation of either kind fails in turn, in opening and in running. */
static void fail_each(bool physical)
{
    ka_failing failing;
    size_t before = live();
    uint64_t failures = 0, n = 1;
    ka_failing_init(&failing, physical ? ka_physical : ka_kernel);
    do {
        vcpu_box box = { 0 };
        ka_allocator *from = &failing.allocator;
        failures = ka_failing_failures(&failing);
        ka_failing_set(&failing, n++);
        if (vcpu_open(&box, &guest_real, physical ? from : ka_physical, physical ? ka_kernel : from)) {
            vcpu_end end = vcpu_run(vcpu_box_get(&box));
            KIT_EXPECT(end == VCPU_HALTED || end == VCPU_NO_MEMORY);
        }
        vcpu_box_drop(&box);
        KIT_CHECK(live() == before);
    } while (ka_failing_failures(&failing) != failures);
    kit_note("%llu allocations of %s memory failed in turn", (unsigned long long)(n - 2),
             physical ? "physical" : "kernel");
    KIT_EXPECT(n > (physical ? VCPU_PAGES_READY : 2));
}

static void each_allocation_fails(void)
{
    if (no_svm())
        return;
    fail_each(true);
    fail_each(false);
}

/* A guest that touches more than there is: the run ends, and nothing is lost. */
static void out_of_memory_in_an_exit(void)
{
    vcpu_box box = { 0 };
    ka_failing failing;
    size_t before = live();
    if (no_svm())
        return;
    ka_failing_init(&failing, ka_physical);
    KIT_CHECK(vcpu_open(&box, &guest_long, &failing.allocator, ka_kernel));
    ka_failing_set_chance(&failing, 65536, 1);
    KIT_EXPECT(vcpu_run(vcpu_box_get(&box)) == VCPU_NO_MEMORY);
    vcpu_box_drop(&box);
    KIT_EXPECT(live() == before);
}

/* What a CPU with VMX would be given: either kind's allocations fail in turn, then all is there. */
static void vmx_memory(void)
{
    ka_failing failing;
    size_t before = live();
    unsigned opened = 0;
    for (unsigned physical = 0; physical < 2; physical++)
        for (uint64_t n = 1; n <= 3; n++) {
            vmx_box box = { 0 };
            ka_allocator *from = &failing.allocator;
            ka_failing_init(&failing, physical != 0 ? ka_physical : ka_kernel);
            ka_failing_set(&failing, n);
            bool open = vmx_open(&box, 0x12, physical != 0 ? from : ka_physical, physical != 0 ? ka_kernel : from);
            KIT_EXPECT(open == (ka_failing_failures(&failing) == 0));
            if (open) {
                KIT_CHECK_SOUND(vmx_check(vmx_box_get(&box)));
                KIT_EXPECT(vmx_region_box_get(&vmx_box_get(&box)->vmxon)->revision == 0x12);
                opened++;
            }
            vmx_box_drop(&box);
            KIT_EXPECT(live() == before);
        }
    KIT_EXPECT(opened == 1 + 2); /* two allocations of kernel memory, one of physical memory */
}

static const kit_case cases[] = {
    { "a guest in real mode", real_mode },
    { "a guest in long mode, 100,000 exits under a timer", long_mode_under_a_timer },
    { "each allocation fails in turn", each_allocation_fails },
    { "out of memory in an exit", out_of_memory_in_an_exit },
    { "memory for VMX", vmx_memory },
};

static void write_line(const char *line)
{
    bare_print("%s\n", line);
}

int kernel_main(void)
{
    kit_set_output(write_line);
    kit_begin();
    kit_run("hypervisor", cases, KIT_COUNT(cases));
    return kit_end();
}
