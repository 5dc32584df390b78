/* Tests of tools/trace: what is read from a good file, and every way in which a file can be damaged. With a file's name
 * (uncompressed) as argument it prints that trace's figures instead. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "kit.h"
#include "tools/trace/replay.h"
#include "tools/trace/trace.h"

enum { OPERATIONS_MAX = 16, HEADER = 16, RECORD = 8 };

/* A trace under construction. */
static unsigned char file[HEADER + RECORD * OPERATIONS_MAX];
static uint32_t operations;
static size_t length;

static trace t;
static trace_error error;
static trace_summary summary;
static trace_slot slots[8];

static void put_32(size_t at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        file[at + i] = (unsigned char)(value >> (8 * i));
}

static void begin(uint32_t slot_count)
{
    memcpy(file, "KATRACE1", 8);
    operations = 0;
    length = HEADER;
    put_32(8, 0);
    put_32(12, slot_count);
    memset(slots, 0, sizeof slots);
    error = (trace_error){ NULL, 0 };
}

static void add(uint32_t kind, uint32_t slot, uint32_t align_shift, uint32_t size)
{
    put_32(length, slot << 2 | kind);
    put_32(length + 4, align_shift << 27 | size);
    length += RECORD;
    put_32(8, ++operations);
}

static void good(void)
{
    begin(2);
    add(TRACE_ALLOC, 0, 4, 100);
    add(TRACE_ALLOC, 1, 12, 50);
    add(TRACE_RESIZE, 0, 4, 400);
    add(TRACE_FREE, 1, 0, 0);
    add(TRACE_ALLOC, 1, 0, 7);
    add(TRACE_FREE, 0, 0, 0);
}

static bool opens(void)
{
    return trace_open(&t, file, length, &error);
}

static bool valid(void)
{
    return opens() && trace_validate(&t, slots, &summary, &error);
}

static bool error_is(const char *what, uint32_t operation)
{
    size_t size = 0;
    while (what[size] != 0)
        size++;
    bool same = error.what != NULL && memcmp(error.what, what, size + 1) == 0 && error.operation == operation;
    if (!same)
        kit_note("got: %s, operation %u", error.what, error.operation);
    return same;
}

static void good_trace_is_summed_up(void)
{
    good();
    KIT_CHECK(valid());
    KIT_EXPECT(t.operations == 6 && t.slots == 2);
    KIT_EXPECT(summary.peak == 450 && summary.peak_at == 2 && summary.largest == 400 && summary.largest_align == 4096);
    KIT_EXPECT(summary.allocs == 3 && summary.frees == 2 && summary.resizes == 1);
    KIT_EXPECT(summary.end_blocks == 1 && summary.end_bytes == 7);
    for (size_t i = 0; i < KIT_COUNT(slots); i++)
        KIT_EXPECT(!slots[i].live && slots[i].size == 0);
}

static void empty_trace_is_good(void)
{
    begin(0);
    KIT_CHECK(valid());
    KIT_EXPECT(summary.peak == 0 && summary.end_blocks == 0);
}

static void unaligned_bytes_are_read(void)
{
    static unsigned char shifted[sizeof file + 1];
    good();
    memcpy(shifted + 1, file, length);
    KIT_CHECK(trace_open(&t, shifted + 1, length, &error));
    KIT_CHECK(trace_validate(&t, slots, &summary, &error));
    KIT_EXPECT(summary.peak == 450);
}

static void damaged_magic(void)
{
    for (size_t i = 0; i < 8; i++) {
        good();
        file[i] ^= 0x20;
        KIT_CHECK(!opens());
        KIT_CHECK(error_is("not a trace: it does not begin with KATRACE1", TRACE_IN_HEADER));
    }
}

static void truncated_anywhere(void)
{
    good();
    size_t whole = length;
    for (length = 0; length < whole; length++) {
        KIT_CHECK(!opens());
        KIT_CHECK(error_is(length < HEADER ? "shorter than a trace's header"
                                           : "truncated: fewer operations than the header says",
                           TRACE_IN_HEADER));
    }
}

static void huge_count_does_not_wrap(void)
{
    good();
    put_32(8, UINT32_MAX);
    KIT_CHECK(!opens());
    KIT_CHECK(error_is("truncated: fewer operations than the header says", TRACE_IN_HEADER));
    put_32(8, (UINT32_C(1) << 29) + operations); /* 8 times this is the right length, modulo 2^32 */
    KIT_CHECK(!opens());
}

static void bytes_behind_the_end(void)
{
    good();
    length++;
    KIT_CHECK(!opens());
    KIT_CHECK(error_is("bytes follow the last operation", TRACE_IN_HEADER));
}

static void more_slots_than_operations(void)
{
    good();
    put_32(12, 7);
    KIT_CHECK(!opens());
    KIT_CHECK(error_is("more slots than operations", TRACE_IN_HEADER));
    put_32(12, UINT32_MAX);
    KIT_CHECK(!opens());
}

static void bad_operations(void)
{
    static const struct {
        uint32_t kind, slot, align_shift, size;
        const char *what;
    } bad[] = {
        { 3, 0, 0, 0, "unknown kind of operation" },
        { TRACE_ALLOC, 2, 4, 8, "slot out of range" },
        { TRACE_FREE, 2, 0, 0, "slot out of range" },
        { TRACE_ALLOC, UINT32_MAX >> 2, 4, 8, "slot out of range" },
        { TRACE_ALLOC, 1, 4, 8, "alloc of a live slot" },
        { TRACE_FREE, 0, 0, 0, "free of a dead slot" },
        { TRACE_RESIZE, 0, 4, 8, "resize of a dead slot" },
        { TRACE_FREE, 1, 0, 8, "a free with a size or an alignment" },
        { TRACE_FREE, 1, 4, 0, "a free with a size or an alignment" },
    };
    for (size_t i = 0; i < KIT_COUNT(bad); i++) {
        good();
        add(bad[i].kind, bad[i].slot, bad[i].align_shift, bad[i].size);
        KIT_CHECK(!valid());
        KIT_CHECK(error_is(bad[i].what, 6));
    }
}

/* Every single bit of a good file flipped: refused, or still a trace that the rules allow. Nothing is read out of
 * bounds (the sanitizers watch). */
static void flipped_bits_are_safe(void)
{
    good();
    size_t bits = length * 8, refused = 0;
    for (size_t bit = 0; bit < bits; bit++) {
        good();
        file[bit / 8] ^= (unsigned char)(1u << (bit % 8));
        refused += !valid();
    }
    KIT_EXPECT(refused > bits / 3);
    kit_note("%zu of %zu flipped bits are refused; the others change sizes, alignments or slots", refused, bits);
}

/* ---- replay, on a test's own allocator ---- */

static struct {
    ka_allocator allocator;
    _Alignas(4096) unsigned char memory[4][4096];
    unsigned next; /* of `memory` */
    unsigned frees;
    bool full;
    bool forgets; /* a resize does not copy */
} arena;

static void *arena_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    (void)self, (void)align, (void)flags;
    if (arena.full || arena.next == 4 || size > sizeof arena.memory[0])
        return NULL;
    return arena.memory[arena.next++];
}

static void arena_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    (void)self, (void)block, (void)size, (void)align;
    arena.frees++;
}

static void *arena_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                          size_t new_align, ka_flags flags)
{
    unsigned char *moved = arena_alloc(self, new_size, new_align, flags);
    if (moved != NULL && !arena.forgets)
        memcpy(moved, block, old_size < new_size ? old_size : new_size);
    if (moved != NULL)
        arena_free(self, block, old_size, old_align);
    return moved;
}

static const ka_allocator_ops arena_ops = {
    .name = "arena", .alloc = arena_alloc, .free = arena_free, .resize = arena_resize
};

static replay start_replay(void)
{
    replay r;
    memset(&arena, 0, sizeof arena);
    arena.allocator.ops = &arena_ops;
    (void)valid();
    replay_init(&r, &t, &arena.allocator, slots);
    return r;
}

static void small_trace(void)
{
    begin(2);
    add(TRACE_ALLOC, 0, 4, 101);
    add(TRACE_ALLOC, 1, 0, 3);
    add(TRACE_RESIZE, 0, 4, 203);
    add(TRACE_FREE, 1, 0, 0);
}

static void replay_does_what_the_trace_says(void)
{
    small_trace();
    replay r = start_replay();
    uint32_t left = 0;
    KIT_CHECK(replay_run(&r, 3, &error));
    KIT_EXPECT(r.live == 206 && r.next == 3);
    KIT_EXPECT(replay_maker(slots[0].block, 203) == 2 && replay_maker(slots[1].block, 3) == UINT32_MAX);
    KIT_CHECK(replay_run(&r, 100, &error));
    KIT_EXPECT(r.live == 203 && r.peak == 206 && r.next == 4 && r.stamped == 101 + 3 + 203);
    KIT_CHECK(replay_end(&r, &left, &error));
    KIT_EXPECT(left == 1 && r.live == 0 && arena.frees == 3);
}

static void replay_finds_changed_contents(void)
{
    static const struct {
        unsigned after, block, byte;
        const char *what;
    } change[] = {
        { 2, 0, 0, "the contents of a block have changed before its resize" },
        { 2, 0, 100, "the contents of a block have changed before its resize" },
        { 3, 1, 2, "the contents of a block have changed before its free" },
    };
    for (size_t i = 0; i < KIT_COUNT(change); i++) {
        small_trace();
        replay r = start_replay();
        KIT_CHECK(replay_run(&r, change[i].after, &error));
        arena.memory[change[i].block][change[i].byte] ^= 1;
        KIT_CHECK(!replay_run(&r, 100, &error));
        KIT_CHECK(error_is(change[i].what, change[i].after));
    }
}

static void replay_finds_a_resize_that_forgets(void)
{
    small_trace();
    replay r = start_replay();
    arena.forgets = true;
    KIT_CHECK(!replay_run(&r, 100, &error));
    KIT_CHECK(error_is("a resize has not kept the contents", 2));
}

static void replay_finds_memory_run_out(void)
{
    small_trace();
    replay r = start_replay();
    KIT_CHECK(replay_run(&r, 2, &error));
    arena.full = true;
    KIT_CHECK(!replay_run(&r, 100, &error));
    KIT_CHECK(error_is("out of memory in a resize", 2));
    r = start_replay();
    memset(slots, 0, sizeof slots);
    arena.full = true;
    KIT_CHECK(!replay_run(&r, 100, &error));
    KIT_CHECK(error_is("out of memory", 0));
}

/* The arena's blocks are pages in a row: no two neighbours are both aligned to 8 KiB. */
static void replay_finds_wrong_alignment(void)
{
    begin(2);
    add(TRACE_ALLOC, 0, 13, 8);
    add(TRACE_ALLOC, 1, 13, 8);
    replay r = start_replay();
    KIT_CHECK(!replay_run(&r, 100, &error));
    KIT_EXPECT(error_is("a block is not aligned as asked", error.operation));
}

static const kit_case cases[] = {
    { "a good trace is summed up", good_trace_is_summed_up },
    { "an empty trace is good", empty_trace_is_good },
    { "bytes need not be aligned", unaligned_bytes_are_read },
    { "a damaged magic is refused", damaged_magic },
    { "a file cut anywhere is refused", truncated_anywhere },
    { "a huge count does not wrap", huge_count_does_not_wrap },
    { "bytes behind the end are refused", bytes_behind_the_end },
    { "more slots than operations are refused", more_slots_than_operations },
    { "operations that cannot be are named", bad_operations },
    { "any flipped bit is safe", flipped_bits_are_safe },
    { "a replay does what the trace says", replay_does_what_the_trace_says },
    { "a replay finds changed contents", replay_finds_changed_contents },
    { "a replay finds a resize that forgets", replay_finds_a_resize_that_forgets },
    { "a replay finds memory run out", replay_finds_memory_run_out },
    { "a replay finds wrong alignment", replay_finds_wrong_alignment },
};

/* trace_test FILE: the figures of a trace. */
static int print_file(const char *name)
{
    FILE *in = fopen(name, "rb");
    if (in == NULL || fseek(in, 0, SEEK_END) != 0)
        return perror(name), 1;
    size_t size = (size_t)ftell(in);
    unsigned char *bytes = malloc(size + 1);
    rewind(in);
    bool good_file = fread(bytes, 1, size, in) == size && trace_open(&t, bytes, size, &error);
    fclose(in);
    trace_slot *table = good_file ? calloc(t.slots + (size_t)1, sizeof *table) : NULL;
    good_file = good_file && trace_validate(&t, table, &summary, &error);
    if (good_file)
        printf("%u operations, %u slots, peak %zu\n", t.operations, t.slots, summary.peak);
    else
        printf("%s (operation %u)\n", error.what, error.operation);
    free(table);
    free(bytes);
    return !good_file;
}

int main(int count, char **arguments)
{
    return count > 1 ? print_file(arguments[1]) : kit_main("trace", cases, KIT_COUNT(cases));
}
