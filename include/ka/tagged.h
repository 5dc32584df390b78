/* ka/tagged.h: who allocated: live bytes, peak and counts for each tag, and what leaks at the end.
 *
 * A tag is an allocator of its own around a shared one. Give each user (a driver, a subsystem, a test) its tag.
 * Nothing is kept in the blocks, since free and resize bring the size along. So that the size of the free is always the
 * one that was counted, the usable size of a tagged block is what was asked for.
 * Good at: any number of CPUs; takes no lock on alloc, free and resize. Bad at: many CPUs on one tag (shared counters).
 * Context: as the inner allocator's. Making, closing and reporting take the group's lock: not from KA_ANY_CONTEXT.
 */
#ifndef KA_TAGGED_H
#define KA_TAGGED_H

#include <ka/alloc.h>
#include <ka_port.h>

KA_BEGIN_DECLS

typedef struct ka_tagged ka_tagged;

/* The tags of one report. All zero is an empty group. */
typedef struct ka_tag_group {
    ka_port_lock lock;
    ka_tagged *first; /* in the order in which they were made */
} ka_tag_group;

struct ka_tagged {
    ka_allocator allocator; /* the interface; pass &tagged.allocator to ka_alloc and friends */
    ka_allocator *inner;
    const char *name;
    ka_tag_group *group;
    ka_tagged *next;
    uintptr_t live, peak;                   /* bytes, as requested */
    uintptr_t live_blocks, allocs, refused; /* counts */
};

/* Makes a tag, with all counts 0, and puts it at the end of its group.
 *
 * inner  the caller keeps it alive until ka_tagged_fini
 * name   for reports; not copied
 * group  NULL: the tag appears in no report
 * cost   the number of tags in the group
 */
void ka_tagged_init(ka_tagged *tagged, ka_allocator *inner, const char *name, ka_tag_group *group);

/* Closes a tag that nobody uses any more, and takes it out of its group.
 *
 * errors  bytes that are still live: a line with the tag's name in the log, and KA_MISUSE_LEAK with their sum
 */
void ka_tagged_fini(ka_tagged *tagged);

/* The name that the tag was made with. */
const char *ka_tagged_name(const ka_tagged *tagged);

/* Live bytes, their peak, and live blocks; the other fields are 0. A moment's view if others are at work. */
void ka_tagged_stats(const ka_tagged *tagged, ka_stats *out);

/* Writes a heading and one line for each tag of the group:
 *
 *     tag                    live         peak     blocks     allocs    refused
 *     network               12288        40960          3       1207          0
 *
 * line  gets each line without its end, also zero-terminated. Runs with the group's lock held: must not wait, nor make
 *       or close a tag of the group.
 */
void ka_tag_group_report(ka_tag_group *group, void (*line)(void *context, const char *text, size_t length),
                         void *context);

KA_END_DECLS

#endif
