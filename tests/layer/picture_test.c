/* picture_test.c: the picture of heaps made by hand, letter by letter. */
#include <stdio.h>
#include <string.h>

#include <ka/picture.h>

#include "kit.h"

typedef struct hand_block {
    uintptr_t address;
    size_t size;
    char live; /* 0: free */
} hand_block;

/* An allocator that can only walk, over blocks that do not exist. */
typedef struct hand {
    ka_allocator allocator;
    const hand_block *blocks;
    size_t count;
} hand;

static bool hand_walk(ka_allocator *self, ka_visit *visit, void *context)
{
    const hand *h = (const hand *)self;
    for (size_t i = 0; i < h->count; i++)
        if (!visit(context, (const void *)h->blocks[i].address, h->blocks[i].size, h->blocks[i].live != 0))
            return false;
    return true;
}

static const ka_allocator_ops hand_ops = { .name = "hand", .walk = hand_walk };
static const ka_allocator_ops blind_ops = { .name = "blind" };

static char text[200000];
static size_t lines, longest;

static void take_line(void *context, const char *line, size_t length)
{
    KIT_EXPECT(context == text && strlen(line) == length);
    strcat(strcat(text + strlen(text), line), "\n");
    lines++;
    longest = line[0] == '.' || line[0] == '#' ? (length > longest ? length : longest) : longest;
}

static char mark_of(void *context, const void *block, size_t size)
{
    const hand *h = context;
    for (size_t i = 0; i < h->count; i++)
        if (h->blocks[i].address == (uintptr_t)block && h->blocks[i].size == size)
            return h->blocks[i].live;
    return '?';
}

static bool drawn(const hand_block *blocks, size_t count, size_t columns, size_t rows, bool marked,
                  const char *expected)
{
    hand h = { { &hand_ops }, blocks, count };
    text[0] = 0;
    lines = longest = 0;
    ka_picture(&h.allocator, columns, rows, marked ? mark_of : NULL, &h, take_line, text);
    if (expected != NULL && strcmp(text, expected) != 0)
        printf("# expected:\n%s# drawn:\n%s", expected, text);
    return expected == NULL || strcmp(text, expected) == 0;
}

#define DRAWN(blocks, columns, rows, marked, expected) drawn(blocks, KIT_COUNT(blocks), columns, rows, marked, expected)

static void one_range(void)
{
    static const hand_block blocks[] = {
        { 0x10000, 64, 'a' }, { 0x10040, 32, 0 }, { 0x10060, 16, 'b' }, { 0x10070, 144, 0 }
    };
    KIT_EXPECT(DRAWN(blocks, 8, 4, true, "each character is 16 bytes\n0x10000:\naaaa..b.\n........\n"));
    KIT_EXPECT(DRAWN(blocks, 8, 4, false, "each character is 16 bytes\n0x10000:\n####..#.\n........\n"));
    KIT_EXPECT(DRAWN(blocks, 16, 4, true, "each character is 16 bytes\n0x10000:\naaaa..b.........\n"));
    KIT_EXPECT(DRAWN(blocks, 8, 3, true, "each character is 32 bytes\n0x10000:\naa......\n"));
    KIT_EXPECT(DRAWN(blocks, 4, 3, true, "each character is 64 bytes\n0x10000:\na...\n"));
}

static void the_larger_part_marks_the_cell(void)
{
    static const hand_block blocks[] = {
        { 0x1000, 16, 'a' }, { 0x1010, 32, 'b' }, { 0x1030, 16, 0 },  /* three quarters live, most of it b */
        { 0x1040, 16, 'c' }, { 0x1050, 16, 'd' }, { 0x1060, 32, 0 },  /* just half: not most */
        { 0x1080, 32, 'e' }, { 0x10a0, 32, 'f' },                     /* as much of both: the first */
        { 0x10c0, 16, 0 },   { 0x10d0, 48, 'g' }, { 0x1100, 16, 'h' } /* a cell cut short counts what there is */
    };
    KIT_EXPECT(DRAWN(blocks, 5, 3, true, "each character is 64 bytes\n0x1000:\nb.egh\n"));
}

static void gaps_make_paragraphs(void)
{
    static const hand_block blocks[] = { { 0x1000, 48, 'a' },
                                         { 0x1030, 16, 0 },
                                         { 0x2000, 16, 'b' },
                                         { 0x500000000000, 32, 0 },
                                         { 0x500000000020, 1, 'c' } };
    KIT_EXPECT(
        DRAWN(blocks, 8, 7, true, "each character is 16 bytes\n0x1000:\naaa.\n0x2000:\nb\n0x500000000000:\n..c\n"));
    KIT_EXPECT(DRAWN(blocks, 3, 7, true, "each character is 32 bytes\n0x1000:\na.\n0x2000:\nb\n0x500000000000:\n.c\n"));
    KIT_EXPECT(
        DRAWN(blocks, 3, 6, true, "each character is 32 bytes\n0x1000:\na.\n0x2000:\nb\n(ranges not shown: 1)\n"));
    KIT_EXPECT(DRAWN(blocks, 8, 3, true, "each character is 16 bytes\n(ranges not shown: 3)\n"));
}

static void nothing(void)
{
    hand blind = { { &blind_ops }, NULL, 0 };
    KIT_EXPECT(drawn(NULL, 0, 8, 8, true, "no memory to draw\n"));
    text[0] = 0;
    ka_picture(&blind.allocator, 8, 8, NULL, NULL, take_line, text);
    KIT_EXPECT(strcmp(text, "no memory to draw\n") == 0);
}

static void bounds_of_columns_and_rows(void)
{
    static const hand_block blocks[] = { { 0x1000, 4096, 'a' } };
    KIT_EXPECT(DRAWN(blocks, 0, 0, true, "each character is 4096 bytes\n0x1000:\na\n"));
    KIT_EXPECT(DRAWN(blocks, 1000, 1000, false, NULL));
    KIT_EXPECT(lines == 2 + 3 && longest == 100);
    KIT_EXPECT(DRAWN(blocks, 1, SIZE_MAX, false, NULL));
    KIT_EXPECT(lines == 2 + 256 && longest == 1);
}

/* 64 TiB, half of it live: drawn without a step for each 16 bytes. */
static void huge(void)
{
    static const hand_block blocks[] = { { 0x1000, (size_t)1 << 45, 0 },
                                         { 0x1000 + ((size_t)1 << 45), (size_t)1 << 45, 'x' } };
    KIT_EXPECT(DRAWN(blocks, 4, 4, true, "each character is 8796093022208 bytes\n0x1000:\n....\nxxxx\n"));
}

/* Random heaps: the picture fits, no smaller cell would, and it has a character for each cell. */
static void random_heaps(void)
{
    kit_random random = { 1 };
    for (int round = 0; round < 3000; round++) {
        hand_block blocks[40];
        size_t count = 1 + kit_below(&random, 40), ranges = 0;
        size_t columns = 1 + kit_below(&random, 100), rows = 3 + kit_below(&random, 60);
        uintptr_t at = 0x10000;
        for (size_t i = 0; i < count; i++) {
            bool gap = i == 0 || kit_below(&random, 20) == 0;
            at += gap ? 0x1000 : 0;
            ranges += gap;
            blocks[i].address = at;
            blocks[i].size = 1 + kit_below(&random, (uint64_t)1 << kit_below(&random, 20));
            blocks[i].live = kit_below(&random, 2) ? '#' : 0;
            at += blocks[i].size;
        }
        KIT_CHECK(drawn(blocks, count, columns, rows, false, NULL));
        KIT_CHECK(lines <= rows && longest <= columns);
        size_t cell = 0, need[2] = { 1, 1 };
        KIT_CHECK(sscanf(text, "each character is %zu", &cell) == 1 && cell >= 16 && (cell & (cell - 1)) == 0);
        for (size_t i = 0, first = 0; i < count; i++) {
            if (i + 1 < count && blocks[i + 1].address == blocks[i].address + blocks[i].size)
                continue;
            size_t span = blocks[i].address + blocks[i].size - blocks[first].address;
            for (size_t k = 0; k < 2; k++) {
                size_t cells = (span + (cell >> k) - 1) / (cell >> k);
                need[k] += 1 + (cells + columns - 1) / columns;
            }
            first = i + 1;
        }
        KIT_CHECK(need[0] <= rows ? lines == need[0] : 1 + 2 * ranges > rows);
        KIT_CHECK(cell == 16 || need[1] > (1 + 2 * ranges > rows ? 1 + 2 * ranges : rows));
    }
}

/* A heap that changes between the two walks must not break the bounds. */
typedef struct moving {
    ka_allocator allocator;
    unsigned walks;
} moving;

static bool moving_walk(ka_allocator *self, ka_visit *visit, void *context)
{
    moving *m = (moving *)self;
    if (m->walks++ % 2 == 0)
        return visit(context, (const void *)0x1000, 64, true);
    for (uintptr_t at = 0x1000; at < 0x100000; at += 0x1000)
        if (!visit(context, (const void *)at, 0x800, true))
            return false;
    return true;
}

static void changes_between_walks(void)
{
    static const ka_allocator_ops ops = { .name = "moving", .walk = moving_walk };
    moving m = { { &ops }, 0 };
    for (size_t rows = 3; rows < 40; rows++) {
        text[0] = 0;
        lines = 0;
        ka_picture(&m.allocator, 4, rows, NULL, NULL, take_line, text);
        KIT_CHECK(lines <= rows);
    }
}

static const kit_case cases[] = {
    { "one range", one_range },
    { "the larger part marks the cell", the_larger_part_marks_the_cell },
    { "gaps make paragraphs", gaps_make_paragraphs },
    { "nothing", nothing },
    { "bounds of columns and rows", bounds_of_columns_and_rows },
    { "huge", huge },
    { "random heaps", random_heaps },
    { "changes between walks", changes_between_walks },
};

int main(void)
{
    return kit_main("picture", cases, KIT_COUNT(cases));
}
