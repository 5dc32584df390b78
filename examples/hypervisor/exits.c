/* exits.c: what the hypervisor does for a guest that has exited. Interrupts are off, and nothing here waits: pages come
 * from the reserve. */
#include "vcpu.h"

#include "base/mem.h"

#define CALL_COUNT  1u /* vmmcall: be counted */
#define CALL_RESULT 2u /* vmmcall: hand rbx over */
#define CONSOLE     0xe9
#define GUEST_MSR   UINT32_C(0xc0000103)
#define LEAF_NAME   UINT32_C(0x40000000)

static bool end(vcpu *self, vcpu_end why)
{
    self->end = why;
    return false;
}

/* The CPU does not say how long the instruction was: the two that exit here have one form each. */
static bool skip(svm_vmcb *vmcb, unsigned bytes)
{
    vmcb->rip += bytes;
    return true;
}

static bool on_cpuid(vcpu *self, svm_vmcb *vmcb)
{
    static const char name[12] = "kernel-alloc";
    uint32_t r[4] = { LEAF_NAME };
    uint32_t leaf = (uint32_t)vmcb->rax;
    if (leaf == LEAF_NAME)
        ka_copy(&r[1], name, sizeof name);
    else
        __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
    vmcb->rax = r[0];
    self->registers.rbx = r[1];
    self->registers.rcx = r[2];
    self->registers.rdx = r[3];
    return skip(vmcb, 2);
}

static bool on_call(vcpu *self, svm_vmcb *vmcb)
{
    if (vmcb->rax == CALL_COUNT)
        self->calls++;
    else if (vmcb->rax == CALL_RESULT)
        self->result = self->registers.rbx;
    else
        return end(self, VCPU_BAD_EXIT);
    return skip(vmcb, 3);
}

static bool on_io(vcpu *self, svm_vmcb *vmcb)
{
    bool in = (vmcb->exit_info_1 & SVM_IO_IN) != 0;
    if (in)
        vmcb->rax |= 0xff; /* nobody there */
    else if (SVM_IO_PORT(vmcb->exit_info_1) == CONSOLE && self->text_length < sizeof self->text - 1)
        self->text[self->text_length++] = (char)vmcb->rax;
    vmcb->rip = vmcb->exit_info_2;
    return true;
}

static bool on_msr(vcpu *self, svm_vmcb *vmcb)
{
    if ((uint32_t)self->registers.rcx != GUEST_MSR)
        return end(self, VCPU_BAD_EXIT);
    if ((vmcb->exit_info_1 & SVM_MSR_WRITE) != 0) {
        self->msr = self->registers.rdx << 32 | (uint32_t)vmcb->rax;
    } else {
        vmcb->rax = (uint32_t)self->msr;
        self->registers.rdx = self->msr >> 32;
    }
    return skip(vmcb, 2);
}

/* Guest memory is there when it is touched: a cleared page, or a part of the image. */
static bool on_nested_fault(vcpu *self, const svm_vmcb *vmcb)
{
    const vcpu_guest *guest = self->guest;
    uint64_t page = vmcb->exit_info_2 & ~(uint64_t)(SVM_PAGE - 1);
    if (page >= guest->memory_size || nested_find(&self->memory, page) != NULL)
        return end(self, VCPU_BAD_EXIT);
    void *memory = nested_map_new(&self->memory, page, KA_ANY_CONTEXT);
    if (memory == NULL)
        return end(self, VCPU_NO_MEMORY);
    if (page >= guest->image_at && page - guest->image_at < guest->image_size) {
        size_t offset = page - guest->image_at, rest = guest->image_size - offset;
        ka_copy(memory, guest->image + offset, rest < SVM_PAGE ? rest : SVM_PAGE);
    }
    return true;
}

bool vcpu_handle_exit(vcpu *self)
{
    svm_vmcb *vmcb = &vcpu_control_box_get(&self->control)->vmcb;
    switch (vmcb->exit_code) {
    case SVM_EXIT_INTR:
    case SVM_EXIT_NMI:
        self->interrupts++;
        return true; /* the host takes it when its interrupts go on */
    case SVM_EXIT_CPUID:
        return on_cpuid(self, vmcb);
    case SVM_EXIT_HLT:
        return end(self, VCPU_HALTED);
    case SVM_EXIT_IO:
        return on_io(self, vmcb);
    case SVM_EXIT_MSR:
        return on_msr(self, vmcb);
    case SVM_EXIT_VMMCALL:
        return on_call(self, vmcb);
    case SVM_EXIT_NESTED_FAULT:
        return on_nested_fault(self, vmcb);
    default:
        return end(self, VCPU_BAD_EXIT);
    }
}
