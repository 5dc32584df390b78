/* owner/bytes.c: the byte core of the owners: it moves bytes and never calls anything but the allocator.
 *
 * The owners' macros (ka/box.h, ka/vec.h, ka/rc.h) make typed functions of a few lines: they know the element's type,
 * its drop and the order of things. Whatever does not need the type is here, once for all types: computing sizes
 * without overflow, growing, shifting, stopping with a message. So a new element type costs only its thin skin, and a
 * shift is one memmove of bytes, not a loop of assignments.
 *
 * Growth. A block that is full becomes twice as long and a first block more, so that n pushes move fewer than 2n items
 * in all, and rows of a hundred, which most are shorter than, are made in a step less than by doubling:
 *
 *      cap     4        12               28                    the first block: 8 items of 1 byte, 4 of up to 1 KiB,
 *      moved   -   4    -       12       -                     1 of more (after Rust's RawVec)
 *
 * If the double cannot be had, the call asks once more, for a quarter more: n pushes then move fewer than 5n items, and
 * most of a bounded heap can be used. The price is one more refused request on the way to a failure. Asking for just
 * one item more would use the heap up to its end, but each push would then move the whole block.
 */
#include <ka/owner.h>

#include <ka/handler.h>

#include "base/format.h"
#include "base/math.h"
#include "base/mem.h"
#include "owner/view.h"

void *ka_bytes_new_(ka_allocator *a, size_t size, size_t align, ka_flags flags)
{
    return a != NULL ? ka_alloc(a, size, align, flags) : NULL;
}

static void *bytes_resize(ka_allocator *a, void *items, size_t *cap, size_t new_cap, size_t size, size_t align,
                          ka_flags flags)
{
    void *moved = ka_resize_items(a, items, size, align, *cap, new_cap, flags);
    if (moved != NULL)
        *cap = new_cap;
    return moved;
}

void *ka_bytes_grow_(ka_allocator *a, void *items, size_t *cap, size_t len, size_t more, size_t size, size_t align,
                     bool exact, ka_flags flags)
{
    if (a == NULL || more > SIZE_MAX - len)
        return NULL;
    size_t need = len + more;
    if (exact)
        return bytes_resize(a, items, cap, need, size, align, flags);
    /* no wrap: a block is smaller than half of all addresses */
    size_t twice = ka_bytes_twice_(*cap, size), quarter = ka_max(*cap + *cap / 4, need);
    void *moved = twice > quarter ? bytes_resize(a, items, cap, twice, size, align, flags) : NULL;
    return moved != NULL ? moved : bytes_resize(a, items, cap, quarter, size, align, flags);
}

void *ka_bytes_shrink_(ka_allocator *a, void *items, size_t *cap, size_t len, size_t size, size_t align)
{
    return bytes_resize(a, items, cap, len, size, align, 0);
}

void ka_bytes_open_(void *items, size_t len, size_t at, size_t size)
{
    char *from = (char *)items + at * size;
    ka_move(from + size, from, (len - at) * size);
}

void ka_bytes_close_(void *items, size_t len, size_t at, size_t size)
{
    char *to = (char *)items + at * size;
    ka_move(to, to + size, (len - at - 1) * size);
}

void ka_bytes_append_(void *items, size_t len, const void *from, size_t n, size_t size)
{
    ka_copy((char *)items + len * size, from, n * size);
}

void ka_bytes_clear_(void *items, size_t len, size_t n, size_t size)
{
    ka_clear((char *)items + len * size, n * size);
}

void ka_bytes_apart_(const void *items, size_t cap, size_t size, const void *from, const char *what, const char *file,
                     unsigned line)
{
    if (KA_LIKELY((uintptr_t)from - (uintptr_t)items >= cap * size))
        return;
    char text[160];
    ka_format(text, sizeof text, "%s: the items lie in what shall take them", what);
    ka_port_panic(text, file, line);
}

const char *ka_bytes_check_(const void *block, const ka_allocator *a, size_t align)
{
    if (block != NULL && a == NULL)
        return "a block without an allocator";
    return (uintptr_t)block % align != 0 ? "a block that is not aligned" : NULL;
}

const char *ka_counted_check_(const void *block, const ka_allocator *a, size_t align, size_t owners, size_t others)
{
    if (owners == 0)
        return "owner: it is not counted";
    if (owners >= UINT32_MAX || others >= UINT32_MAX) /* 0 less 1, too */
        return "owner: a count that owners cannot reach";
    return ka_bytes_check_(block, a, align);
}

void ka_owner_out_of_bounds_(const char *what, size_t index, size_t len, const char *file, unsigned line)
{
    char text[160];
    ka_format(text, sizeof text, "%s: index out of bounds: the len is %zu but the index is %zu", what, len, index);
    ka_port_panic(text, file, line);
}

void ka_owner_too_many_(const char *what, const char *file, unsigned line)
{
    char text[160];
    ka_format(text, sizeof text, "%s: too many owners of one value", what);
    ka_port_panic(text, file, line);
}
