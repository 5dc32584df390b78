/* main.c: a kernel that is a small hypervisor: it makes a virtual CPU out of owners, runs two guests, and shows where
 * the parts lay and what the guests did. A CPU without SVM is said, and is no failure. */
#include <ka/kernel.h>
#include <ka/physical.h>

#include "guests.h"
#include "ports/bare/console.h"
#include "ports/bare/cpus.h"
#include "ports/bare/start.h"
#include "vmx.h"

#include <ka_arch.h>

enum { TIMER_TICKS = 100000 };

static void again(void)
{
    ka_arch_timer_arm(TIMER_TICKS);
}

static void show_part(const char *name, const void *part, size_t size)
{
    bare_print("  %-18s %6zu bytes at %p, physical 0x%llx\n", name, size, part,
               (unsigned long long)ka_physical_address(part));
}

static void show_parts(const vcpu *cpu)
{
    show_part("control block", vcpu_control_box_get(&cpu->control), sizeof(vcpu_control));
    show_part("host save area", vcpu_page_box_get(&cpu->host_area), sizeof(vcpu_page));
    show_part("MSR permissions", vcpu_msr_map_box_get(&cpu->msr_map), sizeof(vcpu_msr_map));
    show_part("IO permissions", vcpu_io_map_box_get(&cpu->io_map), sizeof(vcpu_io_map));
    show_part("nested page tables", cpu->memory.root, SVM_PAGE);
    show_part("host stack", vcpu_host_stack_box_get(&cpu->host_stack), sizeof(vcpu_host_stack));
}

static bool show_guest(const vcpu_guest *guest, bool parts)
{
    vcpu_box box = { 0 };
    if (!vcpu_open(&box, guest, ka_physical, ka_kernel))
        return false;
    vcpu *cpu = vcpu_box_get(&box);
    if (parts)
        show_parts(cpu);
    bool halted = vcpu_run(cpu) == VCPU_HALTED;
    bare_print("  guest in %s says \"%s\": %zu exits, %zu calls, %zu interrupts; %zu pages mapped when touched\n",
               guest->name, cpu->text, cpu->exits, cpu->calls, cpu->interrupts, cpu->memory.mapped);
    vcpu_box_drop(&box);
    return halted;
}

/* No emulation runs VMX here: its memory is made, looked at and dropped. */
static bool show_vmx(void)
{
    vmx_box box = { 0 };
    bool right = vmx_open(&box, 0x12, ka_physical, ka_kernel) && vmx_check(vmx_box_get(&box)) == NULL;
    bare_print("  for Intel: a vmxon region and a host stack, %s; not run, as QEMU does not emulate VMX\n",
               right ? "aligned, contiguous and filled in" : "WRONG");
    vmx_box_drop(&box);
    return right;
}

int kernel_main(void)
{
    bare_print("A hypervisor\n------------\n");
    if (!svm_available()) {
        bare_print("  this CPU has no SVM with nested paging\n");
        return 0;
    }
    size_t live = ka_get_stats(ka_physical).live + ka_get_stats(ka_kernel).live;
    bare_timer_handler = again;
    again();
    bool good = show_guest(&guest_real, true) && show_guest(&guest_long, false) && show_vmx();
    ka_arch_timer_arm(0);
    bare_timer_handler = NULL;
    size_t left = ka_get_stats(ka_physical).live + ka_get_stats(ka_kernel).live - live;
    bare_print("  %zu bytes are live.%s\n", left, left == 0 ? " Everything was dropped, exactly once." : "");
    return good && left == 0 ? 0 : 1;
}
