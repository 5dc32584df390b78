/* ports/windows/port.c: the cold half of the Windows port: log, panic, start and end. */
#include <ka/handler.h>
#include <ka/windows.h>

#include "nt.h"
#include "ports/contract.h"

unsigned ka_nt_cpus;

/* DbgPrintEx takes any IRQL for text without wide characters. Errors are shown without a change of filters. */
void ka_port_log(const char *line, size_t length)
{
    (void)DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_ERROR_LEVEL, "kernel_alloc: %.*s\n", (int)length, line);
}

void ka_port_panic(const char *message, const char *file, unsigned line)
{
    (void)DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_ERROR_LEVEL, "kernel_alloc: panic: %s (%s:%u)\n", message, file, line);
    KeBugCheckEx(KA_NT_BUGCHECK, KA_NT_BUGCHECK_PANIC, (ULONG_PTR)message, (ULONG_PTR)file, line);
}

/* BCryptGenRandom would be the source, at DISPATCH_LEVEL at most, in a driver that links cng.sys. */
bool ka_port_entropy(void *context, void *out, size_t size)
{
    (void)context, (void)out, (void)size;
    return false;
}

unsigned ka_port_node(void)
{
    unsigned node = ka_nt_routines.current_node != NULL ? ka_nt_routines.current_node() : 0;
    return node < 64 ? node : 0;
}

void ka_nt_stop_on_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                          const void *site)
{
    (void)context;
    ka_log("%s: %s: block %p, size %zu, from %p", allocator->ops == NULL ? "?" : allocator->ops->name,
           ka_misuse_name(kind), block, size, site);
    KeBugCheckEx(KA_NT_BUGCHECK, KA_NT_BUGCHECK_MISUSE + (ULONG_PTR)kind, (ULONG_PTR)allocator, (ULONG_PTR)block, size);
}

void ka_nt_stop_on_alloc_error(void *context, size_t size, size_t align)
{
    (void)context;
    ka_log("allocation error: layout { size: %zu, align: %zu }", size, align);
    KeBugCheckEx(KA_NT_BUGCHECK, KA_NT_BUGCHECK_NO_MEMORY, size, align, 0);
}

uintptr_t ka_nt_find(const WCHAR *name)
{
    UNICODE_STRING string;
    RtlInitUnicodeString(&string, name);
    return (uintptr_t)MmGetSystemRoutineAddress(&string);
}

bool ka_nt_start(uint32_t tag)
{
    tag = tag != 0 ? tag : KA_NT_TAG;
    ULONG count = KeQueryMaximumProcessorCountEx(ALL_PROCESSOR_GROUPS);
    if (!ka_nt_tag_valid(tag) || count > KA_PORT_MAX_CPUS)
        return false;
    ka_nt_cpus = count;
    ka_nt_pool_start(tag);
    ka_nt_routines.current_node = (nt_current_node *)ka_nt_find(L"KeGetCurrentNodeNumber");
    ka_nt_physical_start();
    ka_nt_lookaside_start();
    ka_nt_heap_start();
    return true;
}

size_t ka_nt_stop(void)
{
    return ka_nt_physical_stop();
}
