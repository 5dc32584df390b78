/* ka.h: everything public, but what single ports add. For programs; a file of the library includes what it needs, by
 * noun.
 *
 * `locked` and `tagged` embed the lock of a port: they are here if a port is on the include path. */
#ifndef KA_H
#define KA_H

#include <ka/alloc.h>
#include <ka/config.h>
#include <ka/dummy.h>
#include <ka/global.h>
#include <ka/handler.h>
#include <ka/kernel.h>
#include <ka/layout.h>
#include <ka/page_source.h>
#include <ka/physical.h>
#include <ka/types.h>

#include <ka/cache.h>
#include <ka/frames.h>
#include <ka/heap.h>
#include <ka/region.h>
#include <ka/reserve.h>

#include <ka/failing.h>
#include <ka/guard.h>
#include <ka/picture.h>
#if defined(__has_include)
#if __has_include(<ka_port.h>)
#include <ka/locked.h>
#include <ka/tagged.h>
#endif
#endif

#include <ka/arc.h>
#include <ka/box.h>
#include <ka/owner.h>
#include <ka/rc.h>
#include <ka/slice.h>
#include <ka/sort.h>
#include <ka/str.h>
#include <ka/string.h>
#include <ka/vec.h>

#include <ka/deque.h>
#include <ka/hash.h>
#include <ka/hash_map.h>
#include <ka/hash_set.h>
#include <ka/list.h>
#include <ka/map.h>
#include <ka/priority_queue.h>
#include <ka/set.h>

#endif
