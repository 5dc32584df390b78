/* ka/kernel.h: the kernel's own heap, under the same name on every kernel, so that driver code is portable.
 *
 * Resident memory of any size and alignment. Context: every one in which the kernel lets memory be allocated; flags say
 * which (ka/types.h), and what cannot be honoured gives NULL.
 *
 * Bare metal: the general heap, on frames that come and go as they are needed, without waiting; KA_ANY_CONTEXT (an
 * NMI, a VM exit) is served from what is committed, KA_PAGEABLE is refused. Linux: kmalloc (<ka/linux.h>). Windows: the
 * non-paged pool, with a tag, up to DISPATCH_LEVEL (<ka/windows.h>). User space has none but what a program defines.
 */
#ifndef KA_KERNEL_H
#define KA_KERNEL_H

#include <ka/alloc.h>

KA_BEGIN_DECLS
extern ka_allocator *const ka_kernel;
KA_END_DECLS

#endif
