/* driver.c: kernel_alloc_demo.sys, what a hypervisor's driver keeps for its virtual CPUs, as owners: the VMXON region
 * in contiguous memory, the host's stack in the pool, and one record that owns both. Nothing is virtualized.
 *
 * A drop frees everything, once, in a known order; an error on the way leaves what there is to the same drop. Each kind
 * of memory has a tag: `kernel_alloc_demo.exe` shows who has how much, and what is left at unload is reported.
 *
 * The library comes in as the amalgamated pair, see README.md.
 */
#include "kernel_alloc.h"

#include "demo.h"

/* ---- the structure ---- */

/* Must begin with the revision that the processor reports, and lie in contiguous memory, aligned to a page. */
struct vmxon {
    _Alignas(4096) uint32_t revision;
    uint8_t data[4092];
};

struct host_stack {
    _Alignas(16) uint8_t bytes[24 * 1024];
};

KA_BOX(vmxon_box, struct vmxon, KA_NO_DROP)
KA_BOX(stack_box, struct host_stack, KA_NO_DROP)

/* All zero owns nothing. */
struct vcpu {
    vmxon_box vmxon;
    stack_box stack;
    uint64_t vmxon_address; /* physical */
};

static void vcpu_drop(struct vcpu *vcpu)
{
    stack_box_drop(&vcpu->stack);
    vmxon_box_drop(&vcpu->vmxon);
}

KA_BOX(vcpu_box, struct vcpu, vcpu_drop)
KA_VEC(vcpu_vec, vcpu_box, vcpu_box_drop)

/* ---- whose memory is whose ---- */

static ka_nt_pool stack_pool, record_pool;
static ka_tag_group tags;
static ka_tagged vmxon_tag, stack_tag, record_tag;

static FAST_MUTEX mutex;
static vcpu_vec vcpus;

static bool open_tags(void)
{
    if (!ka_nt_start(KA_TAG('K', 'a', 'D', 'm')) ||
        !ka_nt_pool_init(&stack_pool, &(ka_nt_pool_options){ .tag = KA_TAG('K', 'a', 'S', 't') }) ||
        !ka_nt_pool_init(&record_pool, &(ka_nt_pool_options){ .tag = KA_TAG('K', 'a', 'R', 'e') }))
        return false;
    ka_tagged_init(&vmxon_tag, ka_physical, "VMXON regions", &tags);
    ka_tagged_init(&stack_tag, &stack_pool.allocator, "host stacks", &tags);
    ka_tagged_init(&record_tag, &record_pool.allocator, "records", &tags);
    vcpus = vcpu_vec_in(&record_tag.allocator);
    return true;
}

/* Each tag that still has bytes says so in the debugger, and so does ka_physical. */
static void close_tags(void)
{
    ka_tagged_fini(&record_tag);
    ka_tagged_fini(&stack_tag);
    ka_tagged_fini(&vmxon_tag);
    (void)ka_nt_stop();
}

/* ---- what the control program asks for ---- */

static bool add_vcpu(void)
{
    vcpu_box *box = vcpu_vec_push_new(&vcpus); /* an empty owner at the end */
    struct vcpu *vcpu = box != NULL ? vcpu_box_new(box, &record_tag.allocator) : NULL;
    if (vcpu == NULL || vmxon_box_new(&vcpu->vmxon, &vmxon_tag.allocator) == NULL ||
        stack_box_new(&vcpu->stack, &stack_tag.allocator) == NULL)
        return false; /* what there is belongs to vcpus */
    vcpu->vmxon_address = ka_physical_address(vcpu->vmxon.value);
    return true;
}

static void drop_all(void)
{
    vcpu_vec_drop(&vcpus);
    vcpus = vcpu_vec_in(&record_tag.allocator);
}

static NTSTATUS build(uint32_t count)
{
    drop_all();
    for (uint32_t i = 0; i < count; i++)
        if (!add_vcpu()) {
            drop_all();
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    return STATUS_SUCCESS;
}

static NTSTATUS lose(void)
{
    vcpu_box box = { 0 };
    return vcpu_vec_pop(&vcpus, &box) ? STATUS_SUCCESS : STATUS_NO_MORE_ENTRIES; /* `box` is never dropped */
}

typedef struct report {
    char *text;
    size_t length, room;
} report;

static void add_line(void *context, const char *text, size_t length)
{
    report *r = context;
    if (length + 1 > r->room - r->length)
        return;
    memcpy(r->text + r->length, text, length);
    r->length += length;
    r->text[r->length++] = '\n';
}

/* ---- the driver ---- */

static NTSTATUS finish(IRP *irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS NTAPI open_or_close(DEVICE_OBJECT *device, IRP *irp)
{
    (void)device;
    return finish(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI control(DEVICE_OBJECT *device, IRP *irp)
{
    const IO_STACK_LOCATION *at = IoGetCurrentIrpStackLocation(irp);
    void *buffer = irp->AssociatedIrp.SystemBuffer;
    report out = { buffer, 0, at->Parameters.DeviceIoControl.OutputBufferLength };
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;
    (void)device;
    ExAcquireFastMutex(&mutex);
    switch (at->Parameters.DeviceIoControl.IoControlCode) {
    case DEMO_BUILD:
        status = at->Parameters.DeviceIoControl.InputBufferLength == sizeof(uint32_t) ? build(*(uint32_t *)buffer)
                                                                                      : STATUS_INVALID_PARAMETER;
        break;
    case DEMO_DROP:
        drop_all();
        status = STATUS_SUCCESS;
        break;
    case DEMO_STATISTICS:
        ka_tag_group_report(&tags, add_line, &out);
        status = STATUS_SUCCESS;
        break;
    case DEMO_LOSE:
        status = lose();
        break;
    default:
        break;
    }
    ExReleaseFastMutex(&mutex);
    return finish(irp, status, out.length);
}

static UNICODE_STRING device_name = RTL_CONSTANT_STRING(L"\\Device\\KernelAllocDemo");
static UNICODE_STRING link_name = RTL_CONSTANT_STRING(L"\\DosDevices\\KernelAllocDemo");

static void NTAPI unload(DRIVER_OBJECT *driver)
{
    (void)IoDeleteSymbolicLink(&link_name);
    IoDeleteDevice(driver->DeviceObject);
    vcpu_vec_drop(&vcpus);
    close_tags();
    (void)DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_ERROR_LEVEL, "kernel_alloc_demo: unloaded\n");
}

DRIVER_INITIALIZE DriverEntry;

NTSTATUS NTAPI DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *registry)
{
    DEVICE_OBJECT *device;
    (void)registry;
    if (!open_tags())
        return STATUS_UNSUCCESSFUL;
    ExInitializeFastMutex(&mutex);
    NTSTATUS status =
        IoCreateDevice(driver, 0, &device_name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &device);
    if (NT_SUCCESS(status)) {
        status = IoCreateSymbolicLink(&link_name, &device_name);
        if (!NT_SUCCESS(status))
            IoDeleteDevice(device);
    }
    if (!NT_SUCCESS(status)) {
        close_tags();
        return status;
    }
    driver->MajorFunction[IRP_MJ_CREATE] = driver->MajorFunction[IRP_MJ_CLOSE] = open_or_close;
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = control;
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}
