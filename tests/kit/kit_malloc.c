/* kit_malloc.c: see kit_malloc.h. The block ends where the malloc ends:
 *
 *      | padding | record | block ... |
 *      ^ aligned, from malloc
 *                         ^ aligned, handed out
 */
#include "kit_malloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kit.h"

#define RECORD_LIVE UINT64_C(0x6c6976655f626c6b)

typedef struct record {
    uint64_t mark;
    size_t size, align;
} record;

/* Bytes before a block. */
static size_t record_room(size_t align)
{
    align = align < 16 ? 16 : align;
    return (sizeof(record) + align - 1) / align * align;
}

static void *malloc_alloc(ka_allocator *allocator, size_t size, size_t align, ka_flags flags)
{
    kit_malloc *self = (kit_malloc *)allocator;
    size_t room = record_room(align);
    self->flags = flags;
    if (self->limit != 0 && (size > self->limit || self->live_bytes > self->limit - size))
        return NULL;
    void *raw;
    if (size > SIZE_MAX - room || posix_memalign(&raw, align < 16 ? 16 : align, room + size) != 0)
        return NULL;
    char *block = (char *)raw + room;
    record live = { .mark = RECORD_LIVE, .size = size, .align = align };
    memcpy(block - sizeof live, &live, sizeof live);
    memset(block, (flags & KA_ZERO) != 0 ? 0 : 0xa5, size);
    self->live_blocks++;
    self->live_bytes += size;
    self->allocs++;
    return block;
}

static void malloc_free(ka_allocator *allocator, void *block, size_t size, size_t align)
{
    kit_malloc *self = (kit_malloc *)allocator;
    record live;
    memcpy(&live, (char *)block - sizeof live, sizeof live);
    if (live.mark != RECORD_LIVE || live.size != size || live.align != align) {
        self->errors++;
        kit_note("free(%zu, %zu) of a block of %zu, %zu", size, align, live.size, live.align);
        kit_fail(__FILE__, __LINE__, "a block is freed as it was allocated");
        return;
    }
    memset((char *)block - sizeof live, 0xde, sizeof live + size);
    self->live_blocks--;
    self->live_bytes -= size;
    free((char *)block - record_room(align));
}

void kit_malloc_init(kit_malloc *self)
{
    static const ka_allocator_ops ops = { .name = "kit", .alloc = malloc_alloc, .free = malloc_free };
    *self = (kit_malloc){ .allocator = { &ops } };
}

bool kit_malloc_clean(const kit_malloc *self)
{
    return self->live_blocks == 0 && self->live_bytes == 0 && self->errors == 0;
}
