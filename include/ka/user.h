/* ka/user.h: what the user-space port (POSIX threads) adds: memory from mmap, and heaps that threads leave tidily. */
#ifndef KA_USER_H
#define KA_USER_H

#include <ka/heap.h>
#include <ka/physical.h>

KA_BEGIN_DECLS

/* Anonymous private memory. What is committed takes memory when it is first touched and reads as zero; decommit is
 * MADV_DONTNEED. Thread-safe; not for signal handlers. */
extern const ka_page_source ka_user_pages;

/* A general heap over ka_user_pages, drained at each thread's end and mended in the child of a fork.
 *
 * On a machine with several nodes it knows them (the option `nodes`), in segments of a quarter of a node's share of
 * `size` at most: so much is the longest block there.
 *
 * size     bytes of address space that it may use at most; memory is taken as it is touched
 * returns  false if the system has no such address space, or 16 heaps are registered already
 */
KA_MUST_USE bool ka_user_heap_init(ka_heap *heap, const char *name, size_t size);

/* Ends a heap made by ka_user_heap_init. Returns the count of leaked blocks, each reported. */
size_t ka_user_heap_fini(ka_heap *heap);

/* Heaps made from now on by ka_user_heap_init reach other threads by this signal when memory is short (ka_heap_drain),
 * so that what threads keep that wait for something is not lost. The program uses the signal for nothing else; SIGRTMIN
 * + 3, say. Threads that have it blocked are not reached, and then each request that is refused takes some 0.2 s more.
 * returns  false: no such signal */
bool ka_user_reach_threads_by(int signal);

/* How many nodes of memory this machine may have, 1 to KA_HEAP_NODES. */
unsigned ka_user_node_count(void);

/* For tests: `node` says on which node the calling thread runs, in place of the system; NULL: the system again. Set it
 * while no heap with several nodes is in use. May be called in any context. */
typedef unsigned ka_user_node(void);
void ka_user_simulate_nodes(ka_user_node *node);

/* Takes huge pages for ka_physical and all its instances: at most so many bytes of them, 64 MiB in all; fewer if the
 * system has fewer. Once; without this call the first use of ka_physical takes KA_USER_PHYSICAL bytes. Blocks are
 * aligned to 2 MiB at most, lie all on node 0, and are not there in the child of a fork.
 *
 * returns  KA_PHYSICAL_OK; KA_PHYSICAL_NOT_HERE: the system has no free huge pages (vm.nr_hugepages), or does not tell
 *          this process physical addresses (CAP_SYS_ADMIN)
 */
#define KA_USER_PHYSICAL ((size_t)16 << 20)
ka_physical_error ka_user_physical_start(size_t bytes);

KA_END_DECLS

#endif
