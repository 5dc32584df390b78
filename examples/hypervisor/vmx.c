/* vmx.c: see vmx.h. */
#include "vmx.h"

#include <ka/physical.h>

void vmx_drop_parts(vmx *self)
{
    vmx_host_stack_box_drop(&self->host_stack);
    vmx_region_box_drop(&self->vmxon);
}

bool vmx_open(vmx_box *out, uint32_t revision, ka_allocator *physical, ka_allocator *kernel)
{
    vmx_box box = { 0 };
    vmx *self = vmx_box_new(&box, kernel);
    if (self == NULL || vmx_region_box_new(&self->vmxon, physical) == NULL ||
        vmx_host_stack_box_new(&self->host_stack, kernel) == NULL) {
        vmx_box_drop(&box);
        return false;
    }
    vmx_region_box_get(&self->vmxon)->revision = revision;
    vmx_box_drop(out);
    *out = vmx_box_take(&box);
    return true;
}

const char *vmx_check(const vmx *self)
{
    const vmx_region *region = vmx_region_box_get(&self->vmxon);
    uint64_t at = ka_physical_address(region);
    if (at == KA_NO_ADDRESS || at % sizeof *region != 0)
        return "the vmxon region is not aligned";
    if (ka_physical_address((const char *)region + sizeof *region - 1) != at + sizeof *region - 1)
        return "the vmxon region is not contiguous";
    if ((region->revision >> 31) != 0)
        return "the revision has bit 31 set";
    for (size_t i = 0; i < sizeof region->data; i++)
        if (region->data[i] != 0)
            return "the vmxon region is not cleared";
    if ((uintptr_t)vmx_host_stack_box_get(&self->host_stack) % 16 != 0)
        return "the host stack is not aligned";
    return NULL;
}
