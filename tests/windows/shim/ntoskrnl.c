/* ntoskrnl.c: a shim of the few routines of the Windows kernel that the port calls. It gives no more than Microsoft
 * promises (16 bytes of alignment and never 32, a page and never two, dirty memory, physical addresses that have
 * nothing to do with virtual ones) and stops, as KeBugCheckEx does, at what the documents forbid: the IRQL, the tag,
 * size 0. */
#include "shim.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <wchar.h>

#define CPUS 4

shim_version shim_windows = SHIM_2004;
shim_pool_call shim_pool;
shim_contiguous_call shim_contiguous;
long shim_pool_calls, shim_contiguous_calls, shim_zero_sizes;
long shim_fail_after = -1;
bool shim_keeps_routines[2] = { true, true };
_Thread_local shim_bugcheck shim_end;
_Thread_local KIRQL shim_irql;
unsigned char shim_zero_byte;
bool shim_migrates;
unsigned shim_processors = CPUS;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- the end, and words ---- */

void KeBugCheckEx(ULONG code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4)
{
    shim_end.code = code;
    ULONG_PTR parameters[] = { p1, p2, p3, p4 };
    memcpy(shim_end.parameter, parameters, sizeof parameters);
    if (shim_end.armed)
        longjmp(shim_end.back, 1);
    fprintf(stderr, "shim: bug check %08x (%zx, %zx, %zx, %zx)\n", code, p1, p2, p3, p4);
    abort();
}

/* As Driver Verifier would: 0xC4, and why. */
static void must(bool fact, ULONG_PTR why)
{
    if (!fact)
        KeBugCheckEx(0xC4, why, shim_irql, 0, 0);
}

ULONG DbgPrintEx(ULONG component, ULONG level, const char *format, ...)
{
    va_list list;
    (void)component, (void)level;
    va_start(list, format);
    printf("# DbgPrint: ");
    vprintf(format, list);
    va_end(list);
    fflush(stdout);
    return 0;
}

void RtlInitUnicodeString(UNICODE_STRING *string, const WCHAR *text)
{
    string->Buffer = (WCHAR *)(uintptr_t)text;
    string->Length = (USHORT)(wcslen(text) * sizeof *text);
    string->MaximumLength = (USHORT)(string->Length + sizeof *text);
}

NTSTATUS RtlGetVersion(RTL_OSVERSIONINFOW *version)
{
    must(shim_irql == PASSIVE_LEVEL, 0x37);
    version->dwMajorVersion = shim_windows >= SHIM_1909 ? 10 : 6;
    version->dwMinorVersion = shim_windows == SHIM_WINDOWS_7 ? 1 : shim_windows == SHIM_WINDOWS_8 ? 2 : 0;
    return STATUS_SUCCESS;
}

/* ---- processors ---- */

KIRQL KeGetCurrentIrql(void)
{
    return shim_irql;
}

KIRQL KeAcquireSpinLockRaiseToDpc(KSPIN_LOCK *spin)
{
    KIRQL old = shim_irql;
    must(old <= DISPATCH_LEVEL, 0x40);
    shim_irql = DISPATCH_LEVEL;
    while (__atomic_exchange_n(spin, 1, __ATOMIC_ACQUIRE) != 0)
        ;
    return old;
}

void KeReleaseSpinLock(KSPIN_LOCK *spin, KIRQL irql)
{
    must(shim_irql == DISPATCH_LEVEL && irql <= DISPATCH_LEVEL, 0x41);
    __atomic_store_n(spin, 0, __ATOMIC_RELEASE);
    shim_irql = irql;
}

static _Thread_local unsigned processor = CPUS;

ULONG KeGetCurrentProcessorNumberEx(PROCESSOR_NUMBER *number)
{
    static unsigned next;
    if (processor == CPUS || (shim_migrates && shim_irql < DISPATCH_LEVEL))
        processor = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % CPUS;
    if (number != NULL)
        *number = (PROCESSOR_NUMBER){ .Group = (USHORT)(processor / 2), .Number = (UCHAR)(processor % 2) };
    return processor;
}

ULONG KeQueryMaximumProcessorCountEx(USHORT group)
{
    return group == ALL_PROCESSOR_GROUPS ? shim_processors : group < CPUS / 2 ? 2 : 0;
}

static USHORT current_node(void)
{
    return (USHORT)(KeGetCurrentProcessorNumberEx(NULL) / 2);
}

static NTSTATUS get_number_of(ULONG index, PROCESSOR_NUMBER *number)
{
    if (index >= CPUS)
        return STATUS_NOT_FOUND;
    *number = (PROCESSOR_NUMBER){ .Group = (USHORT)(index / 2), .Number = (UCHAR)(index % 2) };
    return STATUS_SUCCESS;
}

static void set_affinity(const GROUP_AFFINITY *to, GROUP_AFFINITY *previous)
{
    must(shim_irql <= APC_LEVEL, 0x42);
    must(to->Group < 2 && (to->Mask == 1 || to->Mask == 2), 0x43);
    *previous = (GROUP_AFFINITY){ .Mask = 3, .Group = 7 };
    processor = to->Group * 2u + (to->Mask == 2);
}

static void revert_affinity(const GROUP_AFFINITY *previous)
{
    must(previous->Mask == 3 && previous->Group == 7, 0x44);
}

HANDLE PsGetCurrentThreadId(void)
{
    return (HANDLE)(uintptr_t)(4 * syscall(SYS_gettid));
}

/* ---- the pool ---- */

typedef struct record { /* in front of each block */
    void *raw;
    SIZE_T size;
    ULONG tag;
    bool paged;
    uint64_t mark;
} record;

#define MARK UINT64_C(0x6c6f6f706d696873)

static long live;

long shim_live(void)
{
    return __atomic_load_n(&live, __ATOMIC_RELAXED);
}

static record *record_of(const void *block)
{
    return (record *)((uintptr_t)block - sizeof(record) - 8);
}

ULONG shim_tag_of(const void *block)
{
    return record_of(block)->tag;
}

static bool fails(void)
{
    bool now = shim_fail_after == 0;
    if (shim_fail_after > 0)
        shim_fail_after--;
    return now;
}

static void *pool_take(const shim_pool_call *call, bool paged, bool zeroed)
{
    must(shim_irql <= (paged ? APC_LEVEL : DISPATCH_LEVEL), 0x30);
    if (call->size == 0) {
        __atomic_fetch_add(&shim_zero_sizes, 1, __ATOMIC_RELAXED);
        must(false, 0x00);
    }
    pthread_mutex_lock(&lock);
    shim_pool = *call;
    shim_pool_calls++;
    bool refused = fails() || call->size > (SIZE_T)1 << 40;
    pthread_mutex_unlock(&lock);
    bool pages = call->size >= PAGE_SIZE;
    size_t step = pages ? 2 * PAGE_SIZE : 64, room = pages ? PAGE_SIZE : 80; /* so aligned, and no more */
    void *raw = NULL;
    if (refused || posix_memalign(&raw, step, room + call->size) != 0)
        return NULL;
    char *block = (char *)raw + room;
    *record_of(block) = (record){ raw, call->size, call->tag, paged, MARK };
    memset(block, zeroed ? shim_zero_byte : 0xa5, call->size);
    __atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
    return block;
}

void *ExAllocatePoolWithTag(POOL_TYPE type, SIZE_T size, ULONG tag)
{
    must(type != NonPagedPoolNx || shim_windows >= SHIM_WINDOWS_8, 0x91);
    shim_pool_call call = { "ExAllocatePoolWithTag", type, 0, size, tag, -1, -1 };
    return pool_take(&call, type == PagedPool, false);
}

static void *with_priority(POOL_TYPE type, SIZE_T size, ULONG tag, EX_POOL_PRIORITY priority)
{
    shim_pool_call call = { "ExAllocatePoolWithTagPriority", type, 0, size, tag, -1, (long)priority };
    return pool_take(&call, type == PagedPool, false);
}

/* One kind of pool, and no bit without a meaning. */
static bool flags_valid(ULONG64 flags)
{
    ULONG64 kind = flags & 0x1c0;
    return (kind == 0x40 || kind == 0x80 || kind == 0x100) && (flags & 0xffffffff & ~(ULONG64)0x1ef) == 0;
}

static void *pool2(ULONG64 flags, SIZE_T size, ULONG tag)
{
    if (!flags_valid(flags) || tag == 0)
        return NULL;
    shim_pool_call call = { "ExAllocatePool2", 0, flags, size, tag, -1, -1 };
    return pool_take(&call, (flags & 0x100) != 0, (flags & 2) == 0);
}

typedef struct parameter {
    ULONG64 type;
    union {
        ULONG64 all;
        ULONG number;
    } value;
} parameter;

static void *pool3(ULONG64 flags, SIZE_T size, ULONG tag, const parameter *parameters, ULONG count)
{
    shim_pool_call call = { "ExAllocatePool3", 0, flags, size, tag, -1, -1 };
    if (!flags_valid(flags) || tag == 0)
        return NULL;
    for (ULONG i = 0; i < count; i++) {
        if ((parameters[i].type & 0xff) == 1)
            call.priority = parameters[i].value.number;
        else if ((parameters[i].type & 0xff) == 3 && (flags & 0x100) == 0)
            call.node = parameters[i].value.number;
        else if ((parameters[i].type & 0x100) == 0)
            return NULL;
    }
    return pool_take(&call, (flags & 0x100) != 0, (flags & 2) == 0);
}

void ExFreePoolWithTag(void *block, ULONG tag)
{
    record *r = record_of(block);
    must(r->mark == MARK, 0x10);
    if (r->tag != tag)
        KeBugCheckEx(0xC2, 0xA, (ULONG_PTR)block, r->tag, tag); /* BAD_POOL_CALLER */
    must(shim_irql <= (r->paged ? APC_LEVEL : DISPATCH_LEVEL), 0x31);
    __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
    r->mark = 0;
    memset(block, 0xdd, r->size);
    free(r->raw);
}

/* ---- physical memory: 64 MiB from 3.9 GiB on, so that half of it lies above 4 GiB ---- */

#define RAM_PAGES 16384u
#define RAM_FIRST UINT64_C(0xFE000) /* page number: 4 GiB - 32 MiB */

static unsigned char *ram;
static SIZE_T ram_used[RAM_PAGES]; /* the length of the request, in its first page; else 1 */
static int ram_type[RAM_PAGES];    /* how the request in this first page was mapped */
static long live_pages;

long shim_live_pages(void)
{
    return live_pages;
}

/* Not aligned as the physical pages are: an odd page. */
static unsigned char *ram_base(void)
{
    if (ram == NULL) {
        size_t size = (size_t)(RAM_PAGES + 1024) * PAGE_SIZE, align = (size_t)4 << 20;
        ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ram = (unsigned char *)(((uintptr_t)ram + align - 1) / align * align - PAGE_SIZE);
        if ((uintptr_t)ram % align != align - PAGE_SIZE)
            abort();
    }
    return ram;
}

static bool run_fits(ULONG first, ULONG count, uint64_t lowest, uint64_t highest, uint64_t boundary)
{
    uint64_t from = (RAM_FIRST + first) * PAGE_SIZE, last = from + (uint64_t)count * PAGE_SIZE - 1;
    if (from < lowest || last > highest || (boundary != 0 && from / boundary != last / boundary))
        return false;
    for (ULONG i = first; i < first + count; i++)
        if (ram_used[i] != 0)
            return false;
    return true;
}

static void *contiguous_take(const shim_contiguous_call *call, int type)
{
    must(shim_irql <= DISPATCH_LEVEL, 0x32);
    if (call->size == 0 || (call->boundary & (call->boundary - 1)) != 0)
        return NULL;
    ULONG count = (ULONG)((call->size + PAGE_SIZE - 1) / PAGE_SIZE);
    void *found = NULL;
    pthread_mutex_lock(&lock);
    shim_contiguous = *call;
    shim_contiguous_calls++;
    bool refused = fails() || call->size > (SIZE_T)RAM_PAGES * PAGE_SIZE ||
                   (call->node != MM_ANY_NODE_OK && call->node > 1);
    unsigned char *base = ram_base();
    for (ULONG first = 3; !refused && found == NULL && first + count <= RAM_PAGES; first++) {
        if (!run_fits(first, count, (uint64_t)call->lowest, (uint64_t)call->highest, (uint64_t)call->boundary))
            continue;
        found = base + (size_t)first * PAGE_SIZE;
        for (ULONG i = 0; i < count; i++)
            ram_used[first + i] = 1;
        ram_used[first] = call->size;
        ram_type[first] = type;
        live_pages += count;
        memset(found, 0xa5, call->size);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void *node_memory(SIZE_T size, PHYSICAL_ADDRESS lowest, PHYSICAL_ADDRESS highest, PHYSICAL_ADDRESS boundary,
                         ULONG protect, ULONG node)
{
    ULONG access = protect & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE);
    must(access == PAGE_READWRITE || access == PAGE_EXECUTE_READWRITE, 0x80);
    shim_contiguous_call call = { "MmAllocateContiguousNodeMemory", size, lowest.QuadPart, highest.QuadPart,
                                  boundary.QuadPart, protect, MmCached, node };
    return contiguous_take(&call, (protect & PAGE_NOCACHE) != 0       ? MmNonCached
                                  : (protect & PAGE_WRITECOMBINE) != 0 ? MmWriteCombined
                                                                       : MmCached);
}

static void *specify_cache_node(SIZE_T size, PHYSICAL_ADDRESS lowest, PHYSICAL_ADDRESS highest,
                                PHYSICAL_ADDRESS boundary, MEMORY_CACHING_TYPE type, ULONG node)
{
    shim_contiguous_call call = { "MmAllocateContiguousMemorySpecifyCacheNode", size, lowest.QuadPart, highest.QuadPart,
                                  boundary.QuadPart, 0, type, node };
    return contiguous_take(&call, (int)type);
}

static void *specify_cache(SIZE_T size, PHYSICAL_ADDRESS lowest, PHYSICAL_ADDRESS highest, PHYSICAL_ADDRESS boundary,
                           MEMORY_CACHING_TYPE type)
{
    shim_contiguous_call call = { "MmAllocateContiguousMemorySpecifyCache", size, lowest.QuadPart, highest.QuadPart,
                                  boundary.QuadPart, 0, type, MM_ANY_NODE_OK };
    return contiguous_take(&call, (int)type);
}

static void contiguous_give(void *address, SIZE_T size, int type)
{
    must(shim_irql <= DISPATCH_LEVEL, 0x33);
    uintptr_t offset = (uintptr_t)address - (uintptr_t)ram_base();
    must(offset % PAGE_SIZE == 0 && offset / PAGE_SIZE < RAM_PAGES, 0x11);
    pthread_mutex_lock(&lock);
    ULONG first = (ULONG)(offset / PAGE_SIZE);
    SIZE_T had = ram_used[first];
    bool fits = had > 1 && (size == 0 || (size == had && type == ram_type[first]));
    ULONG count = (ULONG)((had + PAGE_SIZE - 1) / PAGE_SIZE);
    for (ULONG i = 0; fits && i < count; i++)
        ram_used[first + i] = 0;
    live_pages -= fits ? (long)count : 0;
    pthread_mutex_unlock(&lock);
    must(fits, 0x12);
}

void MmFreeContiguousMemory(void *address)
{
    contiguous_give(address, 0, 0);
}

void MmFreeContiguousMemorySpecifyCache(void *address, SIZE_T size, MEMORY_CACHING_TYPE type)
{
    contiguous_give(address, size, (int)type);
}

PHYSICAL_ADDRESS MmGetPhysicalAddress(void *address)
{
    uintptr_t offset = (uintptr_t)address - (uintptr_t)ram_base();
    bool known = offset < (size_t)RAM_PAGES * PAGE_SIZE;
    return (PHYSICAL_ADDRESS){ .QuadPart = known ? (LONGLONG)(RAM_FIRST * PAGE_SIZE + offset) : 0 };
}

/* ---- lookaside lists ---- */

static NTSTATUS initialize_list(LOOKASIDE_LIST_EX *list, ALLOCATE_FUNCTION_EX *allocate,
                                FREE_FUNCTION_EX *free_function, POOL_TYPE type, ULONG flags, SIZE_T size, ULONG tag,
                                USHORT depth)
{
    must((uintptr_t)list % 16 == 0 && depth == 0 && flags == 0 && shim_irql <= DISPATCH_LEVEL, 0x50);
    *list = (LOOKASIDE_LIST_EX){ .limit = 4, .tag = tag, .size = size, .type = type };
    list->allocate = allocate;
    list->free = free_function;
    return fails() ? (NTSTATUS)0xC0000001 : STATUS_SUCCESS;
}

PVOID ExAllocateFromLookasideListEx(LOOKASIDE_LIST_EX *list)
{
    must(shim_irql <= DISPATCH_LEVEL, 0x51);
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&list->lock);
    void **first = list->first;
    if (first != NULL) {
        list->first = *first;
        list->depth--;
    }
    KeReleaseSpinLock(&list->lock, irql);
    return first != NULL ? first : list->allocate(list->type, list->size, list->tag, list);
}

void ExFreeToLookasideListEx(LOOKASIDE_LIST_EX *list, PVOID entry)
{
    must(shim_irql <= DISPATCH_LEVEL, 0x52);
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&list->lock);
    bool keep = list->depth < list->limit;
    if (keep) {
        *(void **)entry = list->first;
        list->first = entry;
        list->depth++;
    }
    KeReleaseSpinLock(&list->lock, irql);
    if (!keep)
        list->free(entry, list);
}

static void delete_list(LOOKASIDE_LIST_EX *list)
{
    while (list->first != NULL) {
        void **first = list->first;
        list->first = *first;
        list->free(first, list);
    }
}

/* ---- routines by name ---- */

PVOID MmGetSystemRoutineAddress(UNICODE_STRING *name)
{
    static const struct {
        const WCHAR *name;
        shim_version since;
        uintptr_t routine;
        int keep; /* its place in shim_keeps_routines, or -1 */
    } table[] = {
        { L"ExAllocatePool2", SHIM_2004, (uintptr_t)pool2, -1 },
        { L"ExAllocatePool3", SHIM_2004, (uintptr_t)pool3, -1 },
        { L"ExAllocatePoolWithTagPriority", SHIM_WINDOWS_7, (uintptr_t)with_priority, -1 },
        { L"MmAllocateContiguousNodeMemory", SHIM_WINDOWS_8, (uintptr_t)node_memory, 0 },
        { L"MmAllocateContiguousMemorySpecifyCacheNode", SHIM_WINDOWS_7, (uintptr_t)specify_cache_node, 1 },
        { L"MmAllocateContiguousMemorySpecifyCache", SHIM_WINDOWS_7, (uintptr_t)specify_cache, -1 },
        { L"ExInitializeLookasideListEx", SHIM_WINDOWS_7, (uintptr_t)initialize_list, -1 },
        { L"ExDeleteLookasideListEx", SHIM_WINDOWS_7, (uintptr_t)delete_list, -1 },
        { L"KeGetProcessorNumberFromIndex", SHIM_WINDOWS_7, (uintptr_t)get_number_of, -1 },
        { L"KeGetCurrentNodeNumber", SHIM_WINDOWS_7, (uintptr_t)current_node, -1 },
        { L"KeSetSystemGroupAffinityThread", SHIM_WINDOWS_7, (uintptr_t)set_affinity, -1 },
        { L"KeRevertToUserGroupAffinityThread", SHIM_WINDOWS_7, (uintptr_t)revert_affinity, -1 },
    };
    must(shim_irql == PASSIVE_LEVEL, 0x36);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (wcscmp(name->Buffer, table[i].name) == 0 && shim_windows >= table[i].since &&
            (table[i].keep < 0 || shim_keeps_routines[table[i].keep]))
            return (PVOID)table[i].routine;
    return NULL;
}
