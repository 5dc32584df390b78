/* main.c: kernel_alloc_test.sys. A request names a suite, which runs here, in the driver; the answer is its TAP. */
#include <ntddk.h>

#include "base/atomic.h"
#include "driver_suites.h"
#include "test_driver.h"

uint32_t misuses[KA_MISUSE_CONTEXT + 1];
const stand_in *kernel;

static char text[TEST_BYTES];
static size_t length;

static void write_line(const char *line)
{
    (void)DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_ERROR_LEVEL, "TAP %s\n", line);
    for (; *line != '\0' && length + 1 < sizeof text; line++)
        text[length++] = *line;
    text[length++] = '\n';
}

void count_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                  const void *site)
{
    (void)context, (void)allocator, (void)block, (void)size, (void)site;
    (void)ka_fetch_add_32(&misuses[kind], 1);
}

/* The stand-in's table, if this is the stand-in. */
static const stand_in *find_stand_in(void)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"KaStandIn");
    stand_in_get *get = (stand_in_get *)(uintptr_t)MmGetSystemRoutineAddress(&name);
    return get != NULL ? get() : NULL;
}

static const struct {
    const char *name;
    void (*run)(void);
} parts[] = {
    { "port", run_port },         { "heaps", run_over_heaps }, { "threads", run_threads },
    { "failures", run_failures }, { "deaths", run_deaths },    { "end", run_end },
};

static void irql_is_passive(void)
{
    KIT_EXPECT(KeGetCurrentIrql() == PASSIVE_LEVEL);
}

static NTSTATUS run(const char *name)
{
    length = 0;
    for (size_t i = 0; i < KIT_COUNT(parts); i++)
        if (strcmp(parts[i].name, name) == 0) {
            kit_begin();
            parts[i].run();
            kit_run(name, &(kit_case){ "the IRQL is what it was", irql_is_passive }, 1);
            (void)kit_end();
            return STATUS_SUCCESS;
        }
    return STATUS_OBJECT_NAME_NOT_FOUND;
}

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
    const char *name = irp->AssociatedIrp.SystemBuffer;
    ULONG in = at->Parameters.DeviceIoControl.InputBufferLength,
          out = at->Parameters.DeviceIoControl.OutputBufferLength;
    (void)device;
    if (at->Parameters.DeviceIoControl.IoControlCode != TEST_RUN || in == 0 || name[in - 1] != '\0')
        return finish(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    NTSTATUS status = run(name);
    if (!NT_SUCCESS(status) || out < length)
        return finish(irp, NT_SUCCESS(status) ? STATUS_BUFFER_TOO_SMALL : status, 0);
    memcpy(irp->AssociatedIrp.SystemBuffer, text, length);
    return finish(irp, STATUS_SUCCESS, length);
}

static void NTAPI unload(DRIVER_OBJECT *driver)
{
    UNICODE_STRING link = RTL_CONSTANT_STRING(L"\\DosDevices\\KernelAllocTest");
    IoDeleteSymbolicLink(&link);
    IoDeleteDevice(driver->DeviceObject);
    (void)ka_nt_stop();
}

DRIVER_INITIALIZE DriverEntry;

NTSTATUS NTAPI DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *registry)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\KernelAllocTest");
    UNICODE_STRING link = RTL_CONSTANT_STRING(L"\\DosDevices\\KernelAllocTest");
    DEVICE_OBJECT *device;
    (void)registry;
    if (!ka_nt_start(0))
        return STATUS_UNSUCCESSFUL;
    ka_set_misuse_handler(count_misuse, NULL);
    kernel = find_stand_in();
    NTSTATUS status = IoCreateDevice(driver, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (!NT_SUCCESS(status))
        return status;
    status = IoCreateSymbolicLink(&link, &name);
    if (!NT_SUCCESS(status)) {
        IoDeleteDevice(device);
        return status;
    }
    kit_set_output(write_line);
    driver->MajorFunction[IRP_MJ_CREATE] = driver->MajorFunction[IRP_MJ_CLOSE] = open_or_close;
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = control;
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}
