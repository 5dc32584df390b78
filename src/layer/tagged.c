/* layer/tagged.c: counters around an allocator.
 *
 * Words: tag, an allocator with counters; group, a list of tags under a lock that only init, fini and report take.
 *
 * The counters are atomic and independent: each is exact once nobody is inside the layer; a reader who comes in between
 * may see one changed and the other not yet. A block is counted before its owner gets it and uncounted before it goes
 * back, so `live` is never below what the owners hold, less what is on its way in or out. This makes one check cheap
 * and exact: a free of more bytes than are live cannot be right. It is refused, and `live` cannot wrap.
 *
 * A peak is raised by compare-exchange: lock-free, so it works in an NMI that landed between the load and the exchange.
 * The peak counts a block that is resized by its new size only, even if the inner allocator holds both for a while.
 *
 * A free that the inner allocator refuses as misuse has been uncounted already: after such a report the tag is off.
 */
#include <ka/handler.h>
#include <ka/tagged.h>

#include "base/format.h"
#include "base/mem.h"

static ka_tagged *tagged_of(ka_allocator *self)
{
    return (ka_tagged *)self;
}

static void tagged_raise_peak(ka_tagged *tagged, uintptr_t live)
{
    uintptr_t peak = ka_load_relaxed_ptr(&tagged->peak);
    while (live > peak && !ka_cas_ptr(&tagged->peak, &peak, live)) {
    }
}

static void tagged_add_live(ka_tagged *tagged, size_t size)
{
    tagged_raise_peak(tagged, ka_fetch_add_ptr(&tagged->live, size) + size);
}

/* Takes bytes off `live`, or returns false if there are not so many. */
static bool tagged_sub_live(ka_tagged *tagged, size_t size)
{
    uintptr_t live = ka_load_relaxed_ptr(&tagged->live);
    do {
        if (live < size)
            return false;
    } while (!ka_cas_ptr(&tagged->live, &live, live - size));
    return true;
}

static void *tagged_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    ka_tagged *tagged = tagged_of(self);
    void *block = ka_alloc(tagged->inner, size, align, flags);
    if (block == NULL) {
        (void)ka_fetch_add_ptr(&tagged->refused, 1);
        return NULL;
    }
    (void)ka_fetch_add_ptr(&tagged->allocs, 1);
    (void)ka_fetch_add_ptr(&tagged->live_blocks, 1);
    tagged_add_live(tagged, size);
    return block;
}

static void tagged_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    ka_tagged *tagged = tagged_of(self);
    if (!tagged_sub_live(tagged, size)) {
        ka_report_misuse(KA_MISUSE_WRONG_SIZE, self, block, size, KA_RETURN_ADDRESS());
        return;
    }
    (void)ka_fetch_add_ptr(&tagged->live_blocks, (uintptr_t)0 - 1);
    ka_free(tagged->inner, block, size, align);
}

static void *tagged_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                           size_t new_align, ka_flags flags)
{
    ka_tagged *tagged = tagged_of(self);
    if (ka_load_relaxed_ptr(&tagged->live) < old_size) {
        ka_report_misuse(KA_MISUSE_WRONG_SIZE, self, block, old_size, KA_RETURN_ADDRESS());
        return NULL;
    }
    void *moved = ka_resize(tagged->inner, block, old_size, old_align, new_size, new_align, flags);
    if (moved == NULL)
        (void)ka_fetch_add_ptr(&tagged->refused, 1);
    else if (new_size > old_size)
        tagged_add_live(tagged, new_size - old_size);
    else
        (void)tagged_sub_live(tagged, old_size - new_size);
    return moved;
}

void ka_tagged_stats(const ka_tagged *tagged, ka_stats *out)
{
    ka_clear(out, sizeof *out);
    out->live = ka_load_relaxed_ptr(&tagged->live);
    out->peak = ka_load_relaxed_ptr(&tagged->peak);
    out->live_blocks = ka_load_relaxed_ptr(&tagged->live_blocks);
}

static void tagged_stats(ka_allocator *self, ka_stats *out)
{
    ka_tagged_stats(tagged_of(self), out);
}

/* Exact only while nobody allocates or frees through this tag. */
static const char *tagged_check(ka_allocator *self)
{
    ka_tagged *tagged = tagged_of(self);
    if (ka_load_relaxed_ptr(&tagged->live) > ka_load_relaxed_ptr(&tagged->peak))
        return "tagged: more bytes are live than the peak";
    if (ka_load_relaxed_ptr(&tagged->live_blocks) > ka_load_relaxed_ptr(&tagged->allocs))
        return "tagged: more blocks are live than were allocated";
    if (ka_load_relaxed_ptr(&tagged->live_blocks) > ka_load_relaxed_ptr(&tagged->live))
        return "tagged: more blocks are live than bytes";
    if (ka_load_relaxed_ptr(&tagged->live_blocks) == 0 && ka_load_relaxed_ptr(&tagged->live) != 0)
        return "tagged: bytes are live in no block";
    return ka_check(tagged->inner);
}

/* No walk: the inner allocator does not know which of its blocks are this tag's. No usable: see the header. */
static const ka_allocator_ops tagged_ops = { .name = "tagged",
                                             .alloc = tagged_alloc,
                                             .free = tagged_free,
                                             .resize = tagged_resize,
                                             .stats = tagged_stats,
                                             .check = tagged_check };

void ka_tagged_init(ka_tagged *tagged, ka_allocator *inner, const char *name, ka_tag_group *group)
{
    ka_clear(tagged, sizeof *tagged);
    tagged->allocator.ops = &tagged_ops;
    tagged->inner = inner;
    tagged->name = name;
    tagged->group = group;
    if (group == NULL)
        return;
    ka_port_lock_state state = ka_port_lock_take(&group->lock);
    ka_tagged **link = &group->first;
    while (*link != NULL)
        link = &(*link)->next;
    *link = tagged;
    ka_port_lock_give(&group->lock, state);
}

static void tagged_unlink(ka_tagged *tagged)
{
    ka_tag_group *group = tagged->group;
    if (group == NULL)
        return;
    ka_port_lock_state state = ka_port_lock_take(&group->lock);
    ka_tagged **link = &group->first;
    while (*link != NULL && *link != tagged)
        link = &(*link)->next;
    if (*link != NULL)
        *link = tagged->next;
    ka_port_lock_give(&group->lock, state);
    tagged->group = NULL;
    tagged->next = NULL;
}

void ka_tagged_fini(ka_tagged *tagged)
{
    tagged_unlink(tagged);
    size_t live = ka_load_relaxed_ptr(&tagged->live);
    size_t blocks = ka_load_relaxed_ptr(&tagged->live_blocks);
    if (live == 0 && blocks == 0)
        return;
    ka_log("tag %.40s: %zu bytes are still live in %zu blocks", tagged->name, live, blocks);
    ka_report_misuse(KA_MISUSE_LEAK, &tagged->allocator, NULL, live, KA_RETURN_ADDRESS());
}

const char *ka_tagged_name(const ka_tagged *tagged)
{
    return tagged->name;
}

/* One line of the report. 20-digit numbers push the columns, but are not cut. */
static size_t tagged_line(char *text, size_t cap, const ka_tagged *tagged)
{
    size_t length = ka_format(
        text, cap, "%-16.16s %12zu %12zu %10zu %10zu %10zu", tagged->name, (size_t)ka_load_relaxed_ptr(&tagged->live),
        (size_t)ka_load_relaxed_ptr(&tagged->peak), (size_t)ka_load_relaxed_ptr(&tagged->live_blocks),
        (size_t)ka_load_relaxed_ptr(&tagged->allocs), (size_t)ka_load_relaxed_ptr(&tagged->refused));
    return length < cap ? length : cap - 1;
}

void ka_tag_group_report(ka_tag_group *group, void (*line)(void *context, const char *text, size_t length),
                         void *context)
{
    char text[128];
    size_t length = ka_format(text, sizeof text, "%-16s %12s %12s %10s %10s %10s", "tag", "live", "peak", "blocks",
                              "allocs", "refused");
    line(context, text, length);
    ka_port_lock_state state = ka_port_lock_take(&group->lock);
    for (const ka_tagged *tagged = group->first; tagged != NULL; tagged = tagged->next) {
        length = tagged_line(text, sizeof text, tagged);
        line(context, text, length);
    }
    ka_port_lock_give(&group->lock, state);
}
