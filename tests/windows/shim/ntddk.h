/* ntddk.h: a shim: as much of the WDK's header as the Windows port uses, so that the port's own sources run in a
 * program on the host, over ntoskrnl.c here, and compile where there is no WDK (clang in MSVC mode, for ARM64 too).
 * What it proves is the port's logic against what Microsoft documents. It is not Windows. */
#ifndef KA_TESTS_SHIM_NTDDK_H
#define KA_TESTS_SHIM_NTDDK_H

#include <stddef.h>
#include <stdint.h>

#define NTAPI
#define VOID      void
#define PAGE_SIZE 0x1000

typedef void *PVOID;
typedef char CHAR;
typedef unsigned char UCHAR, BOOLEAN, KIRQL;
typedef unsigned short USHORT;
typedef int32_t LONG, NTSTATUS;
typedef uint32_t ULONG;
typedef uint64_t ULONG64;
typedef int64_t LONGLONG;
typedef size_t SIZE_T;
typedef uintptr_t ULONG_PTR, KSPIN_LOCK, KAFFINITY;
typedef PVOID HANDLE;
typedef wchar_t WCHAR;

#define TRUE  1
#define FALSE 0

#define NT_SUCCESS(status)      ((NTSTATUS)(status) >= 0)
#define STATUS_SUCCESS          ((NTSTATUS)0)
#define STATUS_NOT_FOUND        ((NTSTATUS)0xC0000225)
#define ALL_PROCESSOR_GROUPS    0xffff
#define MM_ANY_NODE_OK          0x80000000u
#define PAGE_READWRITE          0x04u
#define PAGE_EXECUTE_READWRITE  0x40u
#define PAGE_NOCACHE            0x200u
#define PAGE_WRITECOMBINE       0x400u
#define DPFLTR_IHVDRIVER_ID     77u
#define DPFLTR_ERROR_LEVEL      0u
#define PASSIVE_LEVEL           0
#define APC_LEVEL               1
#define DISPATCH_LEVEL          2
#define HIGH_LEVEL              15

typedef enum POOL_TYPE { NonPagedPool = 0, PagedPool = 1, NonPagedPoolNx = 512 } POOL_TYPE;
typedef enum EX_POOL_PRIORITY { LowPoolPriority = 0, NormalPoolPriority = 16, HighPoolPriority = 32 } EX_POOL_PRIORITY;
typedef enum MEMORY_CACHING_TYPE { MmNonCached, MmCached, MmWriteCombined } MEMORY_CACHING_TYPE;

typedef struct UNICODE_STRING {
    USHORT Length, MaximumLength;
    WCHAR *Buffer;
} UNICODE_STRING;

typedef struct RTL_OSVERSIONINFOW {
    ULONG dwOSVersionInfoSize, dwMajorVersion, dwMinorVersion, dwBuildNumber, dwPlatformId;
    WCHAR szCSDVersion[128];
} RTL_OSVERSIONINFOW;

typedef union LARGE_INTEGER {
    LONGLONG QuadPart;
} PHYSICAL_ADDRESS;

typedef struct PROCESSOR_NUMBER {
    USHORT Group;
    UCHAR Number, Reserved;
} PROCESSOR_NUMBER;

typedef struct GROUP_AFFINITY {
    KAFFINITY Mask;
    USHORT Group, Reserved[3];
} GROUP_AFFINITY;

typedef struct LOOKASIDE_LIST_EX LOOKASIDE_LIST_EX;
typedef PVOID NTAPI ALLOCATE_FUNCTION_EX(POOL_TYPE type, SIZE_T size, ULONG tag, LOOKASIDE_LIST_EX *list);
typedef VOID NTAPI FREE_FUNCTION_EX(PVOID block, LOOKASIDE_LIST_EX *list);
struct LOOKASIDE_LIST_EX {
    _Alignas(16) PVOID first;
    ULONG depth, limit, tag;
    SIZE_T size;
    POOL_TYPE type;
    KSPIN_LOCK lock;
    ALLOCATE_FUNCTION_EX *allocate;
    FREE_FUNCTION_EX *free;
};

PVOID ExAllocatePoolWithTag(POOL_TYPE type, SIZE_T size, ULONG tag);
VOID ExFreePoolWithTag(PVOID block, ULONG tag);
PVOID ExAllocateFromLookasideListEx(LOOKASIDE_LIST_EX *list);
VOID ExFreeToLookasideListEx(LOOKASIDE_LIST_EX *list, PVOID entry);

PVOID MmGetSystemRoutineAddress(UNICODE_STRING *name);
PHYSICAL_ADDRESS MmGetPhysicalAddress(PVOID address);
VOID MmFreeContiguousMemory(PVOID address);
VOID MmFreeContiguousMemorySpecifyCache(PVOID address, SIZE_T size, MEMORY_CACHING_TYPE type);

KIRQL KeGetCurrentIrql(VOID);
KIRQL KeAcquireSpinLockRaiseToDpc(KSPIN_LOCK *lock);
VOID KeReleaseSpinLock(KSPIN_LOCK *lock, KIRQL irql);
ULONG KeGetCurrentProcessorNumberEx(PROCESSOR_NUMBER *number);
ULONG KeQueryMaximumProcessorCountEx(USHORT group);
HANDLE PsGetCurrentThreadId(VOID);

NTSTATUS RtlGetVersion(RTL_OSVERSIONINFOW *version);
VOID RtlInitUnicodeString(UNICODE_STRING *string, const WCHAR *text);
ULONG DbgPrintEx(ULONG component, ULONG level, const char *format, ...);

#if defined(__GNUC__) || defined(__clang__)
__attribute__((__noreturn__))
#endif
VOID KeBugCheckEx(ULONG code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4);

static inline BOOLEAN InterlockedBitTestAndSet(volatile LONG *word, LONG bit)
{
    return (__atomic_fetch_or(word, (LONG)1 << bit, __ATOMIC_SEQ_CST) >> bit & 1) != 0;
}

static inline VOID YieldProcessor(VOID)
{
}

#endif
