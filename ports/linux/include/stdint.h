/* <stdint.h> for the library's sources inside Linux: its types are the kernel's, so that both can be seen at once. */
#ifndef KA_LINUX_STDINT_H
#define KA_LINUX_STDINT_H

#include <linux/limits.h>
#include <linux/types.h>

#define UINT8_MAX   U8_MAX
#define UINT16_MAX  U16_MAX
#define UINT32_MAX  U32_MAX
#define UINT64_MAX  U64_MAX
#define INT32_MAX   S32_MAX
#define INT64_MAX   S64_MAX
#define UINTPTR_MAX ULONG_MAX
#define PTRDIFF_MAX ((ptrdiff_t)(ULONG_MAX >> 1))
#define UINT64_C(x) x##ULL
#define UINT32_C(x) x##U

#endif
