/* ports/windows/nt.h: what the port's files share: the routines of the system that not every Windows has, looked up by
 * ka_nt_start. Declared here and not taken from the WDK's headers, since older ones (and mingw-w64's) lack them. */
#ifndef KA_WINDOWS_NT_H
#define KA_WINDOWS_NT_H

#include <ntddk.h>

#include <ka/windows.h>

#include "base/assert.h"

/* Bits of ExAllocatePool2's flags (POOL_FLAG_...). */
#define NT_POOL_UNINITIALIZED UINT64_C(0x2)
#define NT_POOL_NON_PAGED     UINT64_C(0x40)
#define NT_POOL_EXECUTE       UINT64_C(0x80)
#define NT_POOL_PAGED         UINT64_C(0x100)

/* POOL_EXTENDED_PARAMETER: 8 bits of type, then `Optional`; and the value. */
typedef struct nt_pool_parameter {
    ULONG64 type;
    union {
        ULONG64 all;
        ULONG priority; /* EX_POOL_PRIORITY */
        ULONG node;
    } value;
} nt_pool_parameter;
#define NT_POOL_PRIORITY UINT64_C(1)
#define NT_POOL_NODE     UINT64_C(3)
#define NT_POOL_OPTIONAL UINT64_C(0x100)
#define NT_ANY_NODE_OK   0x80000000u /* MM_ANY_NODE_OK: the node first, then others */

#define NT_POOL_TYPE_NX 512 /* NonPagedPoolNx: Windows 8 */

typedef PVOID NTAPI nt_allocate_pool2(ULONG64 flags, SIZE_T size, ULONG tag);
typedef PVOID NTAPI nt_allocate_pool3(ULONG64 flags, SIZE_T size, ULONG tag, const nt_pool_parameter *parameters,
                                      ULONG count);
typedef PVOID NTAPI nt_allocate_with_priority(POOL_TYPE type, SIZE_T size, ULONG tag, EX_POOL_PRIORITY priority);

typedef PVOID NTAPI nt_node_memory(SIZE_T size, PHYSICAL_ADDRESS lowest, PHYSICAL_ADDRESS highest,
                                   PHYSICAL_ADDRESS boundary, ULONG protect, ULONG node);
typedef PVOID NTAPI nt_specify_cache_node(SIZE_T size, PHYSICAL_ADDRESS lowest, PHYSICAL_ADDRESS highest,
                                          PHYSICAL_ADDRESS boundary, MEMORY_CACHING_TYPE type, ULONG node);
typedef PVOID NTAPI nt_specify_cache(SIZE_T size, PHYSICAL_ADDRESS lowest, PHYSICAL_ADDRESS highest,
                                     PHYSICAL_ADDRESS boundary, MEMORY_CACHING_TYPE type);

typedef PVOID NTAPI nt_list_allocate(POOL_TYPE type, SIZE_T size, ULONG tag, LOOKASIDE_LIST_EX *list);
typedef VOID NTAPI nt_list_free(PVOID object, LOOKASIDE_LIST_EX *list);
typedef NTSTATUS NTAPI nt_lookaside_init(LOOKASIDE_LIST_EX *list, nt_list_allocate *allocate, nt_list_free *free,
                                         POOL_TYPE type, ULONG flags, SIZE_T size, ULONG tag, USHORT depth);
typedef VOID NTAPI nt_lookaside_delete(LOOKASIDE_LIST_EX *list);

typedef NTSTATUS NTAPI nt_number_from_index(ULONG index, PROCESSOR_NUMBER *number);
typedef USHORT NTAPI nt_current_node(VOID);
typedef VOID NTAPI nt_set_affinity(GROUP_AFFINITY *affinity, GROUP_AFFINITY *before);
typedef VOID NTAPI nt_revert_affinity(GROUP_AFFINITY *before);

/* NULL: this Windows has no such routine. */
typedef struct nt_routines {
    nt_allocate_pool2 *allocate_pool2; /* never NULL: down to Windows 7 ours, over ExAllocatePoolWithTag */
    nt_allocate_pool3 *allocate_pool3;
    nt_allocate_with_priority *allocate_with_priority;
    nt_node_memory *node_memory;
    nt_specify_cache_node *specify_cache_node;
    nt_specify_cache *specify_cache;
    nt_lookaside_init *lookaside_init;
    nt_lookaside_delete *lookaside_delete;
    nt_number_from_index *number_from_index;
    nt_current_node *current_node;
    nt_set_affinity *set_affinity;
    nt_revert_affinity *revert_affinity;
    bool nx; /* there is NonPagedPoolNx */
} nt_routines;

extern nt_routines ka_nt_routines;

/* The address of a routine that the kernel or the HAL exports under this name, or 0. PASSIVE_LEVEL. */
uintptr_t ka_nt_find(const WCHAR *name);

/* Each file's part of ka_nt_start. */
bool ka_nt_tag_valid(uint32_t tag);
void ka_nt_pool_start(uint32_t tag);
void ka_nt_heap_start(void);
void ka_nt_lookaside_start(void);
void ka_nt_physical_start(void);
size_t ka_nt_physical_stop(void);

#endif
