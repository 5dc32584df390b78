/* ka/dummy.h: an allocator that always fails, and panics on free.
 * Good for: code that must not allocate, and the first step of a kernel without a heap. Any context. */
#ifndef KA_DUMMY_H
#define KA_DUMMY_H

#include <ka/types.h>

KA_BEGIN_DECLS
extern ka_allocator *const ka_dummy;
KA_END_DECLS

#endif
