/* names.h: included before tests/windows/shim/ntoskrnl.c, which is written for the host, when it is compiled for
 * Windows: its routines get names of their own (stand_in.c exports them), and what it takes from POSIX comes from
 * stand_in.c. */
#ifndef NAMES_H
#define NAMES_H

#define DbgPrintEx                         shim_DbgPrintEx
#define ExAllocatePoolWithTag              shim_ExAllocatePoolWithTag
#define ExAllocateFromLookasideListEx      shim_ExAllocateFromLookasideListEx
#define ExFreePoolWithTag                  shim_ExFreePoolWithTag
#define ExFreeToLookasideListEx            shim_ExFreeToLookasideListEx
#define KeAcquireSpinLockRaiseToDpc        shim_KeAcquireSpinLockRaiseToDpc
#define KeBugCheckEx                       shim_KeBugCheckEx
#define KeGetCurrentIrql                   shim_KeGetCurrentIrql
#define KeGetCurrentProcessorNumberEx      shim_KeGetCurrentProcessorNumberEx
#define KeQueryMaximumProcessorCountEx     shim_KeQueryMaximumProcessorCountEx
#define KeReleaseSpinLock                  shim_KeReleaseSpinLock
#define MmFreeContiguousMemory             shim_MmFreeContiguousMemory
#define MmFreeContiguousMemorySpecifyCache shim_MmFreeContiguousMemorySpecifyCache
#define MmGetPhysicalAddress               shim_MmGetPhysicalAddress
#define MmGetSystemRoutineAddress          shim_MmGetSystemRoutineAddress
#define PsGetCurrentThreadId               shim_PsGetCurrentThreadId
#define RtlGetVersion                      shim_RtlGetVersion
#define RtlInitUnicodeString               shim_RtlInitUnicodeString

#include <stdlib.h>

#define posix_memalign stand_in_memalign
#define free           stand_in_free
#define abort          stand_in_stop

int stand_in_memalign(void **out, size_t align, size_t size);
void stand_in_free(void *block);
_Noreturn void stand_in_stop(void); /* the bug check that shim_end has */

#endif
