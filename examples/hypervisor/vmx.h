/* vmx.h: the same structure of owners for Intel's VMX: what a CPU needs before vmxon. After the manual, volume 3,
 * chapter 24. There is no emulation of VMX to run it under; it is made, checked and dropped. */
#ifndef VMX_H
#define VMX_H

#include <ka/box.h>

typedef struct vmx_region {
    _Alignas(4096) uint32_t revision; /* of the CPU, from IA32_VMX_BASIC; bit 31 is clear */
    uint8_t data[4092];
} vmx_region;

typedef struct vmx_host_stack {
    _Alignas(4096) uint8_t bytes[0x6000];
} vmx_host_stack;

KA_BOX(vmx_region_box, vmx_region, KA_NO_DROP)
KA_BOX(vmx_host_stack_box, vmx_host_stack, KA_NO_DROP)

typedef struct vmx {
    vmx_region_box vmxon;          /* in physically contiguous memory */
    vmx_host_stack_box host_stack; /* in kernel memory */
} vmx;

void vmx_drop_parts(vmx *self);
KA_BOX(vmx_box, vmx, vmx_drop_parts)

/* false: no memory; what was taken on the way is back, and *out is untouched. */
KA_MUST_USE bool vmx_open(vmx_box *out, uint32_t revision, ka_allocator *physical, ka_allocator *kernel);

/* NULL, or the first broken fact in words: alignment, contiguity, content. */
const char *vmx_check(const vmx *self);

#endif
