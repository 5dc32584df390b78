/* ka/global.h: the program's own allocator, chosen when it is linked.
 *
 * Write once in a program, in a .c file that is linked as an object (not from an archive):
 *
 *     KA_GLOBAL_ALLOCATOR(&kernel_heap.allocator);
 *
 * None: the link fails and the missing symbol says what to write, but only if something uses `ka_global`.
 * Two: the link fails with a duplicate symbol. After Rust's `#[global_allocator]`.
 */
#ifndef KA_GLOBAL_H
#define KA_GLOBAL_H

#include <ka/types.h>

KA_BEGIN_DECLS
ka_allocator *ka_no_global_allocator_write_KA_GLOBAL_ALLOCATOR_in_one_c_file(void);
KA_END_DECLS

/* Defines the program's allocator: the expression is evaluated at each use and need not be constant. */
#define KA_GLOBAL_ALLOCATOR(expression)                                              \
    ka_allocator *ka_no_global_allocator_write_KA_GLOBAL_ALLOCATOR_in_one_c_file(void) \
    {                                                                                \
        return (expression);                                                         \
    }                                                                                \
    struct ka_global_allocator_defined

/* The program's allocator. */
static inline ka_allocator *ka_global(void)
{
    return ka_no_global_allocator_write_KA_GLOBAL_ALLOCATOR_in_one_c_file();
}

#endif
