/* llfree.c: LLFree (https://github.com/luhsra/llfree-c), as it comes: no lists before it. Needs its headers and
 * library. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <llfree.h>

#define CORES 2

static struct llfree *peer;
static size_t peer_bytes;

static void *peer_memory(size_t size)
{
    void *memory = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    if (memory == NULL)
        abort();
    __builtin_memset(memory, 0, size);
    peer_bytes += size;
    return memory;
}

static void peer_start(uint64_t count, unsigned threads)
{
    (void)threads;
    llfree_classing_t classing = llfree_classing_simple(CORES);
    llfree_meta_size_t size = llfree_metadata_size(&classing, count);
    llfree_meta_t meta = { peer_memory(size.local), peer_memory(size.trees), peer_memory(size.lower) };
    peer = peer_memory(size.llfree);
    if (!llfree_is_ok(llfree_init(peer, count, LLFREE_INIT_FREE, meta, &classing)))
        abort();
}

static void peer_thread(unsigned thread) { (void)thread; }

static inline uint64_t peer_get(unsigned thread, unsigned order)
{
    llfree_result_t got =
        llfree_get(peer, frame_id_none(), llfree_simple_request(CORES, (uint8_t)order, thread));
    return llfree_is_ok(got) ? got.frame.value : UINT64_MAX;
}

static inline void peer_put(unsigned thread, uint64_t frame, unsigned order)
{
    llfree_result_t done = llfree_put(peer, frame_id(frame), llfree_simple_request(CORES, (uint8_t)order, thread));
    (void)done;
}

static void peer_drain(unsigned thread)
{
    (void)thread;
    llfree_drain(peer);
}

static size_t peer_metadata(void) { return peer_bytes; }

#include "measure.h"
