/* replay.c: see replay.h. */
#include "tools/trace/replay.h"

#include "base/mem.h"

/* Words of a block begin with the stamp, those behind the first mixed with their place; the rest is bytes. */
static uint32_t pattern(uint32_t stamp, size_t at)
{
    return at == 0 ? stamp : stamp * UINT32_C(2654435761) + (uint32_t)at;
}

static unsigned char pattern_byte(uint32_t stamp, size_t at)
{
    return (unsigned char)(pattern(stamp, at & ~(size_t)3) >> (at % 4 * 8));
}

/* Blocks that are not aligned to four bytes are filled and verified byte by byte. */
static size_t whole_words(const void *block, size_t size)
{
    return (uintptr_t)block % 4 == 0 ? size & ~(size_t)3 : 0;
}

static void block_fill(void *block, size_t size, uint32_t stamp)
{
    size_t words = whole_words(block, size);
    for (size_t at = 0; at < words; at += 4) {
        uint32_t word = pattern(stamp, at);
        ka_copy((char *)block + at, &word, sizeof word);
    }
    for (size_t at = words; at < size; at++)
        ((unsigned char *)block)[at] = pattern_byte(stamp, at);
}

static bool block_holds(const void *block, size_t size, uint32_t stamp)
{
    size_t words = whole_words(block, size);
    for (size_t at = 0; at < words; at += 4) {
        uint32_t word;
        ka_copy(&word, (const char *)block + at, sizeof word);
        if (word != pattern(stamp, at))
            return false;
    }
    for (size_t at = words; at < size; at++)
        if (((const unsigned char *)block)[at] != pattern_byte(stamp, at))
            return false;
    return true;
}

static bool fail(const replay *r, trace_error *error, const char *what)
{
    error->what = what;
    error->operation = r->next;
    return false;
}

static uint8_t shift_of(size_t align)
{
    uint8_t shift = 0;
    while ((size_t)1 << shift < align)
        shift++;
    return shift;
}

/* Takes the block into its slot, stamped with the number of this operation. */
static bool slot_set(replay *r, trace_slot *slot, void *block, trace_operation operation, trace_error *error)
{
    *slot = (trace_slot){ block, (uint32_t)operation.size, r->next, shift_of(operation.align), true };
    r->live += operation.size;
    r->peak = r->live > r->peak ? r->live : r->peak;
    r->stamped += operation.size;
    if ((uintptr_t)block % operation.align != 0)
        return fail(r, error, "a block is not aligned as asked");
    block_fill(block, operation.size, slot->stamp);
    return true;
}

static bool replay_free(replay *r, trace_slot *slot, trace_error *error)
{
    if (!block_holds(slot->block, slot->size, slot->stamp))
        return fail(r, error, "the contents of a block have changed before its free");
    ka_free(r->allocator, slot->block, slot->size, (size_t)1 << slot->align_shift);
    r->live -= slot->size;
    *slot = (trace_slot){ 0 };
    return true;
}

static bool replay_resize(replay *r, trace_slot *slot, trace_operation operation, trace_error *error)
{
    size_t kept = slot->size < operation.size ? slot->size : operation.size;
    if (!block_holds(slot->block, slot->size, slot->stamp))
        return fail(r, error, "the contents of a block have changed before its resize");
    void *block = ka_resize(r->allocator, slot->block, slot->size, (size_t)1 << slot->align_shift, operation.size,
                            operation.align, 0);
    if (block == NULL)
        return fail(r, error, "out of memory in a resize");
    if (!block_holds(block, kept, slot->stamp))
        return fail(r, error, "a resize has not kept the contents");
    r->live -= slot->size;
    return slot_set(r, slot, block, operation, error);
}

static bool replay_one(replay *r, trace_operation operation, trace_error *error)
{
    trace_slot *slot = &r->slots[operation.slot];
    if (operation.kind == TRACE_FREE)
        return replay_free(r, slot, error);
    if (operation.kind == TRACE_RESIZE)
        return replay_resize(r, slot, operation, error);
    void *block = ka_alloc(r->allocator, operation.size, operation.align, 0);
    if (block == NULL)
        return fail(r, error, "out of memory");
    return slot_set(r, slot, block, operation, error);
}

void replay_init(replay *r, const trace *t, ka_allocator *allocator, trace_slot *slots)
{
    *r = (replay){ .t = t, .allocator = allocator, .slots = slots };
}

bool replay_run(replay *r, uint32_t count, trace_error *error)
{
    for (; count > 0 && r->next < r->t->operations; count--, r->next++)
        if (!replay_one(r, trace_get(r->t, r->next), error))
            return false;
    return true;
}

bool replay_end(replay *r, uint32_t *blocks, trace_error *error)
{
    *blocks = 0;
    for (uint32_t i = 0; i < r->t->slots; i++) {
        if (!r->slots[i].live)
            continue;
        if (!replay_free(r, &r->slots[i], error))
            return false;
        ++*blocks;
    }
    return true;
}

uint32_t replay_maker(const void *block, size_t size)
{
    uint32_t stamp = UINT32_MAX;
    if (size >= sizeof stamp)
        ka_copy(&stamp, block, sizeof stamp);
    return stamp;
}
