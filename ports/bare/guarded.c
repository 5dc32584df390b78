/* guarded.c: blocks with a guard page behind them. See heap.h.
 *
 *   | block ......... | rest of the page | guard |
 *   '-- a page run of ka_kernel: the guard is its last page, whose frame stays with it but is hidden
 *
 * So the heap below needs to know nothing: a run that it gets back is whole and shown again.
 */
#include <ka_port.h>

#include "base/assert.h"
#include "base/math.h"
#include "base/mem.h"
#include "ports/bare/heap.h"
#include "ports/bare/paging.h"

#define PAGE ((size_t)1 << KA_PORT_PAGE_SHIFT)

/* Bytes before the guard page; 0: too many. */
static size_t bytes_before_guard(size_t size)
{
    return size > (size_t)PTRDIFF_MAX - 2 * PAGE ? 0 : ka_round_up(size, PAGE);
}

static void *guarded_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    (void)self;
    size_t bytes = bytes_before_guard(size);
    if (bytes == 0 || (flags & KA_ANY_CONTEXT) != 0)
        return NULL;
    char *block = ka_alloc(ka_kernel, bytes + PAGE, ka_max(align, PAGE), flags);
    if (block != NULL && bare_hide(block + bytes, 1) != BARE_MAP_OK) {
        ka_free(ka_kernel, block, bytes + PAGE, ka_max(align, PAGE));
        return NULL;
    }
    return block;
}

static void guarded_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    (void)self;
    size_t bytes = bytes_before_guard(size);
    bare_map_result shown = bare_show((char *)block + bytes, 1);
    KA_ASSERT(shown == BARE_MAP_OK); /* else: a free twice, or with another size */
    ka_free(ka_kernel, block, bytes + PAGE, ka_max(align, PAGE));
}

static void *guarded_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                            size_t new_align, ka_flags flags)
{
    char *moved = guarded_alloc(self, new_size, new_align, flags & ~KA_ZERO);
    if (moved == NULL)
        return NULL;
    ka_copy(moved, block, ka_min(old_size, new_size));
    if ((flags & KA_ZERO) != 0 && new_size > old_size)
        ka_clear(moved + old_size, new_size - old_size);
    guarded_free(self, block, old_size, old_align);
    return moved;
}

static const ka_allocator_ops guarded_ops = {
    .name = "guarded",
    .alloc = guarded_alloc,
    .free = guarded_free,
    .resize = guarded_resize,
};

static ka_allocator guarded = { &guarded_ops };
ka_allocator *const bare_guarded = &guarded;
