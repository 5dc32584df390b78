/* stand_in.c: a stand-in for ntoskrnl.exe under Wine, for tests. It is not Windows, and knows of it only what Microsoft
 * documents.
 *
 *     kernel_alloc_*.sys  ->  ntoskrnl.exe, this file  ->  ntwine.dll, Wine's own ntoskrnl.exe by another name
 *                             + tests/windows/shim, which plays pool, physical memory, spin locks, versions
 *
 * All exports of Wine's are forwarded, but those below. A driver under test (its file's name begins with kernel_alloc)
 * gets the shim: 16 bytes of alignment and no more, pages and no more, dirty memory, tags and IRQL checked, constraints
 * of physical memory obeyed. Wine's own drivers, which run in processes of the same kind, get Wine's routines.
 *
 * The IRQL is a number of each thread. Drivers read and write it as control register 8, which traps in user mode; the
 * handler here does what the instruction would have done.
 */
#include <windows.h>
#include <winternl.h>

#include <stdio.h>
#include <wchar.h>

#include "compat/pthread.h"
#include "compat/setjmp.h"
#include "stand_in.h"

#define OWN    __declspec(dllexport)
#define CALLER __builtin_return_address(0)

/* ---- of tests/windows/shim, whose headers contradict <windows.h> ---- */

typedef unsigned char irql;
extern _Thread_local irql shim_irql;
typedef struct shim_bugcheck {
    bool armed;
    ULONG code;
    ULONG_PTR parameter[4];
    jmp_buf back;
} shim_bugcheck;
extern _Thread_local shim_bugcheck shim_end;
extern const struct nt_hooks shim_hooks;
extern bool shim_migrates;
long shim_live(void);
long shim_live_pages(void);
ULONG shim_tag_of(const void *block);
void *shim_ExAllocatePoolWithTag(int type, SIZE_T size, ULONG tag);
void shim_ExFreePoolWithTag(void *block, ULONG tag);
irql shim_KeAcquireSpinLockRaiseToDpc(ULONG_PTR *lock);
void shim_KeReleaseSpinLock(ULONG_PTR *lock, irql level);
ULONG shim_KeGetCurrentProcessorNumberEx(void *number);
ULONG shim_KeQueryMaximumProcessorCountEx(USHORT group);
void shim_MmFreeContiguousMemory(void *address);
void shim_MmFreeContiguousMemorySpecifyCache(void *address, SIZE_T size, int type);
LARGE_INTEGER shim_MmGetPhysicalAddress(void *address);
void *shim_MmGetSystemRoutineAddress(UNICODE_STRING *name);
NTSTATUS shim_RtlGetVersion(void *version);
_Noreturn void shim_KeBugCheckEx(ULONG code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4);

/* ---- what the shim takes from POSIX ---- */

int stand_in_memalign(void **out, size_t align, size_t size);
void stand_in_free(void *block);
void *stand_in_map(size_t size);
unsigned long stand_in_thread(void);
_Noreturn void stand_in_stop(void);

int stand_in_memalign(void **out, size_t align, size_t size)
{
    *out = _aligned_malloc(size, align);
    return *out == NULL;
}

void stand_in_free(void *block)
{
    _aligned_free(block);
}

void *stand_in_map(size_t size)
{
    return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

unsigned long stand_in_thread(void)
{
    return GetCurrentThreadId();
}

void pthread_mutex_lock(pthread_mutex_t *mutex)
{
    AcquireSRWLockExclusive((SRWLOCK *)mutex);
}

void pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    ReleaseSRWLockExclusive((SRWLOCK *)mutex);
}

/* ---- Wine's ---- */

static struct {
    void *(NTAPI *ExAllocatePoolWithTag)(int, SIZE_T, ULONG);
    void(NTAPI *ExFreePoolWithTag)(void *, ULONG);
    irql(NTAPI *KeAcquireSpinLockRaiseToDpc)(ULONG_PTR *);
    void(NTAPI *KeReleaseSpinLock)(ULONG_PTR *, irql);
    ULONG(NTAPI *KeGetCurrentProcessorNumberEx)(void *);
    ULONG(NTAPI *KeQueryMaximumProcessorCountEx)(USHORT);
    void(NTAPI *MmFreeContiguousMemory)(void *);
    void(NTAPI *MmFreeContiguousMemorySpecifyCache)(void *, SIZE_T, int);
    LARGE_INTEGER(NTAPI *MmGetPhysicalAddress)(void *);
    void *(NTAPI *MmGetSystemRoutineAddress)(UNICODE_STRING *);
    NTSTATUS(NTAPI *RtlGetVersion)(void *);
    void(NTAPI *KeBugCheckEx)(ULONG, ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR);
    ULONG (*DbgPrint)(const char *, ...);
} wine;

typedef struct image {
    uintptr_t first, end;
} image;

static image kernels[2]; /* Wine's and this one */

static bool lies_in(const void *code, const image *image)
{
    return (uintptr_t)code - image->first < image->end - image->first;
}

static image image_of(HMODULE module)
{
    const IMAGE_DOS_HEADER *dos = (const IMAGE_DOS_HEADER *)module;
    const IMAGE_NT_HEADERS *head = (const IMAGE_NT_HEADERS *)((const char *)module + dos->e_lfanew);
    return (image){ (uintptr_t)module, (uintptr_t)module + head->OptionalHeader.SizeOfImage };
}

static void find_wine(HMODULE own)
{
    HMODULE module = LoadLibraryA("ntwine.dll");
    kernels[0] = image_of(module);
    kernels[1] = image_of(own);
#define FIND(name) wine.name = (void *)(uintptr_t)GetProcAddress(module, #name)
    FIND(ExAllocatePoolWithTag);
    FIND(ExFreePoolWithTag);
    FIND(KeAcquireSpinLockRaiseToDpc);
    FIND(KeReleaseSpinLock);
    FIND(KeGetCurrentProcessorNumberEx);
    FIND(KeQueryMaximumProcessorCountEx);
    FIND(MmFreeContiguousMemory);
    FIND(MmFreeContiguousMemorySpecifyCache);
    FIND(MmGetPhysicalAddress);
    FIND(MmGetSystemRoutineAddress);
    FIND(RtlGetVersion);
    FIND(KeBugCheckEx);
    FIND(DbgPrint);
#undef FIND
}

/* ---- the drivers under test ---- */

static image guests[4];
static unsigned guest_count;

static bool is_guest(const void *code)
{
    for (size_t i = 0; i < ARRAYSIZE(guests); i++)
        if (lies_in(code, &guests[i]))
            return true;
    return false;
}

/* Called by a driver under test, given the return address. A driver's routine that jumps to one of the kernel as its
 * last step lets that return to the driver's own caller, the kernel. */
static bool by_guest(const void *caller)
{
    return is_guest(caller) || (guest_count > 0 && (lies_in(caller, &kernels[0]) || lies_in(caller, &kernels[1])));
}

typedef struct dll_notice {
    ULONG flags;
    const UNICODE_STRING *path, *name;
    void *base;
    ULONG size;
} dll_notice;

static LONG lists; /* lookaside lists that are not deleted */

static void guest_left(const UNICODE_STRING *name)
{
    long live = shim_live(), pages = shim_live_pages();
    wine.DbgPrint("stand-in: %.*S unloaded: left are %ld pool blocks, %ld contiguous pages, %ld lookaside lists\n",
                  name->Length / 2, name->Buffer, live, pages, lists);
}

static void CALLBACK on_image(ULONG reason, const dll_notice *notice, void *context)
{
    enum { LOADED = 1 };
    static const WCHAR ours[] = L"kernel_alloc";
    (void)context;
    if (notice->name->Length < sizeof ours - 2 || _wcsnicmp(notice->name->Buffer, ours, ARRAYSIZE(ours) - 1) != 0)
        return;
    uintptr_t base = (uintptr_t)notice->base;
    for (size_t i = 0; i < ARRAYSIZE(guests); i++)
        if (reason == LOADED && guests[i].end == 0) {
            guests[i] = (image){ base, base + notice->size };
            guest_count++;
            return;
        } else if (reason != LOADED && guests[i].end != 0 && guests[i].first == base) {
            guests[i] = (image){ 0, 0 };
            guest_count--;
            guest_left(notice->name);
            return;
        }
}

/* ---- control register 8 ---- */

static DWORD64 *general_register(CONTEXT *c, unsigned number)
{
    return (number < 8 ? &c->Rax : &c->R8 - 8) + number; /* Rax Rcx Rdx Rbx Rsp Rbp Rsi Rdi R8 ... */
}

/* 44 0F 20 Cx: mov rx, cr8; 44 0F 22 Cx: mov cr8, rx; 45 for r8 and above. */
static LONG CALLBACK on_trap(EXCEPTION_POINTERS *trap)
{
    CONTEXT *c = trap->ContextRecord;
    const BYTE *code = (const BYTE *)c->Rip;
    DWORD kind = trap->ExceptionRecord->ExceptionCode;
    if ((kind != STATUS_PRIVILEGED_INSTRUCTION && kind != STATUS_ACCESS_VIOLATION) || !is_guest(code))
        return EXCEPTION_CONTINUE_SEARCH;
    if ((code[0] & 0xf4) != 0x44 || code[1] != 0x0f || (code[2] & 0xfd) != 0x20 || (code[3] & 0xf8) != 0xc0)
        return EXCEPTION_CONTINUE_SEARCH;
    DWORD64 *value = general_register(c, (code[3] & 7u) + 8 * (code[0] & 1u));
    if (code[2] == 0x20)
        *value = shim_irql;
    else
        shim_irql = (irql)*value;
    c->Rip += 4;
    return EXCEPTION_CONTINUE_EXECUTION;
}

/* ---- the end ---- */

static void say_end(const char *what)
{
    wine.DbgPrint("stand-in: %s: bug check %08lx (%llx, %llx, %llx, %llx)\n", what, shim_end.code,
                  shim_end.parameter[0], shim_end.parameter[1], shim_end.parameter[2], shim_end.parameter[3]);
}

_Noreturn void longjmp(jmp_buf end, int value)
{
    (void)value;
    say_end("expected");
    shim_end.armed = false;
    end->out[0] = shim_end.code;
    memcpy(end->out + 1, shim_end.parameter, sizeof shim_end.parameter);
    ExitThread(0);
}

_Noreturn void stand_in_stop(void)
{
    const ULONG_PTR *p = shim_end.parameter;
    say_end("the end");
    wine.KeBugCheckEx(shim_end.code, p[0], p[1], p[2], p[3]);
    ExitProcess(1);
}

/* ---- exports ---- */

OWN void *NTAPI own_ExAllocatePoolWithTag(int type, SIZE_T size, ULONG tag)
{
    return by_guest(CALLER) ? shim_ExAllocatePoolWithTag(type, size, tag) : wine.ExAllocatePoolWithTag(type, size, tag);
}

OWN void NTAPI own_ExFreePoolWithTag(void *block, ULONG tag)
{
    if (by_guest(CALLER))
        shim_ExFreePoolWithTag(block, tag);
    else
        wine.ExFreePoolWithTag(block, tag);
}

OWN void NTAPI own_ExFreePool(void *block)
{
    if (by_guest(CALLER))
        shim_ExFreePoolWithTag(block, shim_tag_of(block));
    else
        wine.ExFreePoolWithTag(block, 0);
}

OWN irql NTAPI own_KeAcquireSpinLockRaiseToDpc(ULONG_PTR *lock)
{
    return by_guest(CALLER) ? shim_KeAcquireSpinLockRaiseToDpc(lock) : wine.KeAcquireSpinLockRaiseToDpc(lock);
}

OWN void NTAPI own_KeReleaseSpinLock(ULONG_PTR *lock, irql level)
{
    if (by_guest(CALLER))
        shim_KeReleaseSpinLock(lock, level);
    else
        wine.KeReleaseSpinLock(lock, level);
}

OWN ULONG NTAPI own_KeGetCurrentProcessorNumberEx(void *number)
{
    return by_guest(CALLER) ? shim_KeGetCurrentProcessorNumberEx(number) : wine.KeGetCurrentProcessorNumberEx(number);
}

OWN ULONG NTAPI own_KeQueryMaximumProcessorCountEx(USHORT group)
{
    return by_guest(CALLER) ? shim_KeQueryMaximumProcessorCountEx(group) : wine.KeQueryMaximumProcessorCountEx(group);
}

OWN void NTAPI own_MmFreeContiguousMemory(void *address)
{
    if (by_guest(CALLER))
        shim_MmFreeContiguousMemory(address);
    else
        wine.MmFreeContiguousMemory(address);
}

OWN void NTAPI own_MmFreeContiguousMemorySpecifyCache(void *address, SIZE_T size, int type)
{
    if (by_guest(CALLER))
        shim_MmFreeContiguousMemorySpecifyCache(address, size, type);
    else
        wine.MmFreeContiguousMemorySpecifyCache(address, size, type);
}

OWN LARGE_INTEGER NTAPI own_MmGetPhysicalAddress(void *address)
{
    return by_guest(CALLER) ? shim_MmGetPhysicalAddress(address) : wine.MmGetPhysicalAddress(address);
}

OWN NTSTATUS NTAPI own_RtlGetVersion(void *version)
{
    return by_guest(CALLER) ? shim_RtlGetVersion(version) : wine.RtlGetVersion(version);
}

OWN void NTAPI own_KeBugCheckEx(ULONG code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4)
{
    if (by_guest(CALLER))
        shim_KeBugCheckEx(code, p1, p2, p3, p4);
    wine.KeBugCheckEx(code, p1, p2, p3, p4);
}

static void set_migrate(bool on)
{
    shim_migrates = on;
}

static void expect_end(uintptr_t *out)
{
    shim_end.back->out = out;
    shim_end.armed = true;
}

static const stand_in *get_stand_in(void)
{
    static const stand_in table = { &shim_hooks, set_migrate, expect_end };
    return &table;
}

/* ---- lookaside lists: the shim's have a form of their own, and drivers have the system's inlined ---- */

typedef struct lookaside_list lookaside_list;
struct lookaside_list { /* LOOKASIDE_LIST_EX */
    SLIST_HEADER head;
    USHORT depth, maximum_depth;
    ULONG allocates, allocate_misses, frees, free_misses;
    int type;
    ULONG tag, size;
    void *(NTAPI *allocate)(int type, SIZE_T size, ULONG tag, lookaside_list *list);
    void(NTAPI *free)(void *entry, lookaside_list *list);
    LIST_ENTRY all;
    ULONG last[2], future[2];
};

static void must(bool fact, ULONG_PTR why)
{
    if (!fact)
        shim_KeBugCheckEx(0xC4, why, shim_irql, 0, 0);
}

static NTSTATUS NTAPI initialize_list(lookaside_list *list, void *allocate, void *free_function, int type, ULONG flags,
                                      SIZE_T size, ULONG tag, USHORT depth)
{
    must((uintptr_t)list % 16 == 0 && depth == 0 && flags == 0 && shim_irql <= 2 && allocate != NULL, 0x50);
    memset(list, 0, sizeof *list);
    InitializeSListHead(&list->head);
    list->depth = list->maximum_depth = 4;
    list->type = type;
    list->tag = tag;
    list->size = (ULONG)size;
    list->allocate = (void *(NTAPI *)(int, SIZE_T, ULONG, lookaside_list *))(uintptr_t)allocate;
    list->free = (void(NTAPI *)(void *, lookaside_list *))(uintptr_t)free_function;
    InterlockedIncrement(&lists);
    return 0;
}

static void NTAPI delete_list(lookaside_list *list)
{
    must(shim_irql <= 2, 0x51);
    for (void *entry; (entry = InterlockedPopEntrySList(&list->head)) != NULL;)
        list->free(entry, list);
    InterlockedDecrement(&lists);
}

/* What the shim has by name, as the version that it plays; all else from Wine. */
OWN void *NTAPI own_MmGetSystemRoutineAddress(UNICODE_STRING *name)
{
    if (!by_guest(CALLER))
        return wine.MmGetSystemRoutineAddress(name);
    if (wcscmp(name->Buffer, L"KaStandIn") == 0)
        return (void *)(uintptr_t)get_stand_in;
    if (wcscmp(name->Buffer, L"ExInitializeLookasideListEx") == 0)
        return (void *)(uintptr_t)initialize_list;
    if (wcscmp(name->Buffer, L"ExDeleteLookasideListEx") == 0)
        return (void *)(uintptr_t)delete_list;
    void *found = shim_MmGetSystemRoutineAddress(name);
    return found != NULL ? found : wine.MmGetSystemRoutineAddress(name);
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
    (void)reserved;
    if (reason != DLL_PROCESS_ATTACH)
        return TRUE;
    typedef NTSTATUS NTAPI register_notification(ULONG, void(CALLBACK *)(ULONG, const dll_notice *, void *), void *,
                                                 void **);
    static void *cookie;
    find_wine(module);
    AddVectoredExceptionHandler(1, on_trap);
    register_notification *notify =
        (register_notification *)(uintptr_t)GetProcAddress(GetModuleHandleA("ntdll.dll"), "LdrRegisterDllNotification");
    return notify != NULL && notify(0, on_image, NULL, &cookie) == 0;
}
