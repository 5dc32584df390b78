/* support.c: the C program that the Rust tests link with: a global allocator, a kernel heap and one that stands in for
 * physically contiguous memory, and what C says of the structures that sys.rs writes out. */
#include <ka/global.h>
#include <ka/failing.h>
#include <ka/kernel.h>
#include <ka/user.h>

static ka_heap heap;
static _Thread_local ka_failing failing; /* tests run side by side */

KA_GLOBAL_ALLOCATOR(&heap.allocator);

/* In user space both are the same heap: the tests prove the binding, not the contiguity. */
ka_allocator *const ka_kernel = &heap.allocator;
ka_allocator *const ka_physical = &heap.allocator;

/* Before main, so that a #[global_allocator] finds it. */
__attribute__((constructor)) static void open_heap(void)
{
    if (!ka_user_heap_init(&heap, "rust", (size_t)4 << 30))
        ka_port_panic("no address space for the tests' heap", __FILE__, __LINE__);
}

ka_allocator *support_heap(void);
ka_allocator *support_failing(uint64_t n);
size_t support_layout(size_t out[8]);

ka_allocator *support_heap(void)
{
    return &heap.allocator;
}

/* The heap, with this thread's n-th call from now failing; 0: none. Until the thread's next call of this. */
ka_allocator *support_failing(uint64_t n)
{
    ka_failing_init(&failing, &heap.allocator);
    ka_failing_set(&failing, n);
    return &failing.allocator;
}

/* Sizes and offsets that sys.rs must have too. Returns how many. */
size_t support_layout(size_t out[8])
{
    out[0] = sizeof(ka_allocator);
    out[1] = sizeof(ka_allocator_ops);
    out[2] = offsetof(ka_allocator_ops, resize);
    out[3] = offsetof(ka_allocator_ops, check);
    out[4] = sizeof(ka_stats);
    out[5] = offsetof(ka_stats, free_blocks);
    out[6] = offsetof(ka_stats, fragmentation);
    out[7] = KA_FLAGS_KNOWN;
    return 8;
}
