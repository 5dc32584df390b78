/* vcpu.c: see vcpu.h. */
#include "vcpu.h"

#include <ka/physical.h>
#include <ka_arch.h>

#include "base/mem.h"

#define CR0_PROTECTED   UINT64_C(0x80010001) /* paging, write protection, protected mode */
#define CR0_ALWAYS      UINT64_C(0x10)
#define CR4_PAE         UINT64_C(0x20)
#define EFER_SVME       UINT64_C(0x1000)
#define EFER_LONG       UINT64_C(0x500) /* enabled, active */
#define PAT_AT_RESET    UINT64_C(0x0007040600070406)
#define REAL_MODE_SHIFT 4

/* ---- the parts ---- */

void vcpu_drop_parts(vcpu *self)
{
    nested_drop(&self->memory);
    if (self->pages_open)
        (void)ka_reserve_fini(&self->pages);
    self->pages_open = false;
    vcpu_host_stack_box_drop(&self->host_stack);
    vcpu_io_map_box_drop(&self->io_map);
    vcpu_msr_map_box_drop(&self->msr_map);
    vcpu_page_box_drop(&self->host_state);
    vcpu_page_box_drop(&self->host_area);
    vcpu_control_box_drop(&self->control);
}

/* In the exit handler: no more than a note for the loop around it. */
static void pages_low(void *context, ka_reserve *reserve, size_t left)
{
    vcpu *self = context;
    (void)reserve, (void)left;
    self->pages_low = true;
}

static bool pages_open(vcpu *self, ka_allocator *physical)
{
    self->pages_open = ka_reserve_init(&self->pages, &(ka_reserve_options){
                                                         .inner = physical,
                                                         .size = SVM_PAGE,
                                                         .align = SVM_PAGE,
                                                         .count = VCPU_PAGES_READY,
                                                         .slots = VCPU_PAGES_MAX,
                                                         .memory = self->pages_memory,
                                                         .low = VCPU_PAGES_READY / 2,
                                                         .low_water = pages_low,
                                                         .context = self,
                                                     });
    return self->pages_open;
}

static bool parts_open(vcpu *self, ka_allocator *physical, ka_allocator *kernel)
{
    return vcpu_control_box_new(&self->control, physical) != NULL &&
           vcpu_page_box_new(&self->host_area, physical) != NULL &&
           vcpu_page_box_new(&self->host_state, physical) != NULL &&
           vcpu_msr_map_box_new(&self->msr_map, physical) != NULL &&
           vcpu_io_map_box_new(&self->io_map, physical) != NULL &&
           vcpu_host_stack_box_new(&self->host_stack, kernel) != NULL && pages_open(self, physical) &&
           nested_open(&self->memory, &self->pages.allocator);
}

/* ---- what the guest starts with ---- */

static svm_segment segment(uint16_t attributes, uint32_t limit)
{
    return (svm_segment){ .attributes = attributes, .limit = limit };
}

static void set_real_mode(svm_vmcb *vmcb, const vcpu_guest *guest)
{
    vmcb->cs = segment(0x9b, 0xffff);
    vmcb->cs.selector = (uint16_t)(guest->image_at >> REAL_MODE_SHIFT);
    vmcb->cs.base = guest->image_at;
    vmcb->ds = vmcb->es = vmcb->fs = vmcb->gs = vmcb->ss = segment(0x93, 0xffff);
    vmcb->tr = segment(0x8b, 0xffff);
    vmcb->cr0 = CR0_ALWAYS;
    vmcb->efer = EFER_SVME;
}

static void set_long_mode(svm_vmcb *vmcb, const vcpu_guest *guest)
{
    vmcb->cs = segment(0xa9b, UINT32_MAX);
    vmcb->cs.selector = 8;
    vmcb->ds = vmcb->es = vmcb->fs = vmcb->gs = vmcb->ss = segment(0xc93, UINT32_MAX);
    vmcb->tr = segment(0x8b, 0xffff);
    vmcb->cr0 = CR0_PROTECTED | CR0_ALWAYS;
    vmcb->cr3 = guest->page_root;
    vmcb->cr4 = CR4_PAE;
    vmcb->efer = EFER_SVME | EFER_LONG;
    vmcb->rip = guest->image_at;
}

static void set_control(vcpu *self)
{
    svm_vmcb *vmcb = &vcpu_control_box_get(&self->control)->vmcb;
    vmcb->intercepts[0] = SVM_INTERCEPT_INTR | SVM_INTERCEPT_NMI | SVM_INTERCEPT_CPUID | SVM_INTERCEPT_HLT |
                          SVM_INTERCEPT_IO | SVM_INTERCEPT_MSR | SVM_INTERCEPT_SHUTDOWN;
    vmcb->intercepts[1] = SVM_INTERCEPT_SVM;
    vmcb->io_map = ka_physical_address(vcpu_io_map_box_get(&self->io_map));
    vmcb->msr_map = ka_physical_address(vcpu_msr_map_box_get(&self->msr_map));
    ka_fill(vcpu_io_map_box_get(&self->io_map), 0xff, sizeof(vcpu_io_map));
    ka_fill(vcpu_msr_map_box_get(&self->msr_map), 0xff, sizeof(vcpu_msr_map));
    vmcb->asid = 1;
    vmcb->tlb_control = SVM_FLUSH_ALL;
    vmcb->virtual_interrupts = SVM_INTR_MASKING;
    vmcb->nested_paging = 1;
    vmcb->nested_root = ka_physical_address(self->memory.root);
    vmcb->gdtr = vmcb->idtr = segment(0, 0xffff);
    vmcb->ldtr = segment(0x82, 0xffff);
    vmcb->dr6 = 0xffff0ff0;
    vmcb->dr7 = 0x400;
    vmcb->rflags = 2;
    vmcb->pat = PAT_AT_RESET;
    if (self->guest->long_mode)
        set_long_mode(vmcb, self->guest);
    else
        set_real_mode(vmcb, self->guest);
}

bool vcpu_open(vcpu_box *out, const vcpu_guest *guest, ka_allocator *physical, ka_allocator *kernel)
{
    vcpu_box box = { 0 };
    vcpu *self = vcpu_box_new(&box, kernel);
    if (self == NULL || !parts_open(self, physical, kernel)) {
        vcpu_box_drop(&box);
        return false;
    }
    self->guest = guest;
    set_control(self);
    vcpu_box_drop(out);
    *out = vcpu_box_take(&box);
    return true;
}

/* ---- the run ---- */

/* On the host stack of its own. Between an exit and the next entry the host has its interrupts, and here, where it may
 * wait, the reserve is filled up again. */
static void run_loop(void *context)
{
    vcpu *self = context;
    svm_vmcb *vmcb = &vcpu_control_box_get(&self->control)->vmcb;
    uint64_t guest = ka_physical_address(vmcb);
    uint64_t host = ka_physical_address(vcpu_page_box_get(&self->host_state));
    for (;;) {
        svm_enter(guest, &self->registers, host);
        vmcb->tlb_control = 0;
        self->exits++;
        bool goes_on = vcpu_handle_exit(self);
        ka_arch_interrupts_enable();
        if (self->pages_low) {
            self->pages_low = false;
            (void)ka_reserve_refill(&self->pages, 0);
        }
        ka_arch_interrupts_disable();
        if (!goes_on)
            return;
    }
}

vcpu_end vcpu_run(vcpu *self)
{
    uintptr_t flags = ka_arch_interrupts_save();
    vcpu_host_stack *stack = vcpu_host_stack_box_get(&self->host_stack);
    svm_on(ka_physical_address(vcpu_page_box_get(&self->host_area)));
    svm_on_stack(run_loop, self, stack->bytes + sizeof stack->bytes);
    svm_off();
    ka_arch_interrupts_restore(flags);
    return self->end;
}
