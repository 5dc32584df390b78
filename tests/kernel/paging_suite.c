/* paging_suite.c: map and unmap, each error, and that an error leaves nothing behind: no page, no table, no frame. */
#include "kernel_suites.h"

#include <ka_port.h>

#include "ports/bare/frames.h"
#include "ports/bare/paging.h"
#include "taken.h"

#define PAGE ((size_t)1 << KA_PORT_PAGE_SHIFT)

/* Addresses of nobody: the first needs all three tables; pages before the second lie in another table. */
static char *const empty_space = (char *)0x600000000000;
static char *const table_edge = (char *)0x600000200000;

static bool none_mapped(const char *base, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        if (bare_is_mapped(base + i * PAGE, NULL) || ka_arch_can_read(base + i * PAGE))
            return false;
    return true;
}

static void map_and_unmap(void)
{
    size_t before = bare_frames_free();
    KIT_CHECK(none_mapped(empty_space, 3));
    KIT_CHECK(bare_map(empty_space, 3, BARE_WRITE) == BARE_MAP_OK);
    KIT_EXPECT(bare_frames_free() == before - 3 - 3); /* pages and tables */
    kit_stamp(empty_space, 3 * PAGE, 9);
    KIT_EXPECT(kit_stamped(empty_space, 3 * PAGE, 9));
    KIT_EXPECT(!bare_is_mapped(empty_space + 3 * PAGE, NULL) && !ka_arch_can_read(empty_space + 3 * PAGE));
    KIT_CHECK(bare_unmap(empty_space, 3) == BARE_MAP_OK);
    KIT_EXPECT(none_mapped(empty_space, 3));
    KIT_EXPECT(bare_frames_free() == before);
}

/* The same memory is seen at the page's address and at the frame's own. */
static void translation(void)
{
    uint64_t physical = 0;
    KIT_CHECK(bare_map(empty_space, 2, BARE_WRITE) == BARE_MAP_OK);
    empty_space[PAGE + 17] = 'x';
    KIT_CHECK(bare_is_mapped(empty_space + PAGE + 17, &physical));
    KIT_EXPECT(physical % PAGE == 17 && *(char *)(uintptr_t)physical == 'x');
    KIT_EXPECT(bare_unmap(empty_space, 2) == BARE_MAP_OK);
    KIT_EXPECT(bare_is_mapped((void *)0x40001234, &physical) && physical == 0x40001234); /* in a large page */
}

static void rights(void)
{
    KIT_CHECK(bare_map(empty_space, 1, 0) == BARE_MAP_OK);
    KIT_EXPECT(ka_arch_can_read(empty_space) && !ka_arch_can_write(empty_space));
    KIT_EXPECT(bare_unmap(empty_space, 1) == BARE_MAP_OK);
}

static void already_mapped_rolls_back(void)
{
    size_t before = bare_frames_free();
    KIT_CHECK(bare_map(table_edge + 2 * PAGE, 1, BARE_WRITE) == BARE_MAP_OK);
    table_edge[2 * PAGE] = 'k';
    size_t with_one = bare_frames_free();
    KIT_EXPECT(bare_map(table_edge - 3 * PAGE, 10, BARE_WRITE) == BARE_MAP_MAPPED);
    KIT_EXPECT(bare_frames_free() == with_one);
    KIT_EXPECT(none_mapped(table_edge - 3 * PAGE, 5) && none_mapped(table_edge + 3 * PAGE, 4));
    KIT_EXPECT(table_edge[2 * PAGE] == 'k');
    KIT_EXPECT(bare_unmap(table_edge + 2 * PAGE, 1) == BARE_MAP_OK);
    KIT_EXPECT(bare_frames_free() == before);
    KIT_EXPECT(bare_map((void *)0x40000000, 1, BARE_WRITE) == BARE_MAP_MAPPED); /* in a large page */
    KIT_EXPECT(bare_frames_free() == before);
}

/* Six pages over the edge of a table need 6 frames and 4 tables. With any number less, wherever it runs out, nothing is
 * left mapped and every frame comes back. */
static void no_frame_rolls_back(void)
{
    enum { PAGES = 6, NEEDED = 10 };
    char *base = table_edge - 3 * PAGE;
    size_t before = bare_frames_free();
    taken *head = take_all_but(NEEDED);
    for (size_t left = 0; left < NEEDED; left++) {
        taken *more = take_all_but(left);
        KIT_EXPECT(bare_map(base, PAGES, BARE_WRITE) == BARE_MAP_NO_FRAME);
        KIT_EXPECT(bare_frames_free() == left);
        KIT_EXPECT(none_mapped(base, PAGES));
        give_back(more);
    }
    KIT_EXPECT(bare_map(base, PAGES, BARE_WRITE) == BARE_MAP_OK);
    KIT_EXPECT(bare_frames_free() == 0);
    KIT_EXPECT(bare_unmap(base, PAGES) == BARE_MAP_OK);
    KIT_EXPECT(bare_frames_free() == NEEDED);
    give_back(head);
    KIT_EXPECT(bare_frames_free() == before);
}

static void not_mapped_changes_nothing(void)
{
    size_t before = bare_frames_free();
    KIT_EXPECT(bare_unmap(empty_space, 1) == BARE_MAP_NOT_MAPPED);
    KIT_CHECK(bare_map(empty_space, 2, BARE_WRITE) == BARE_MAP_OK);
    KIT_EXPECT(bare_unmap(empty_space, 3) == BARE_MAP_NOT_MAPPED);
    KIT_EXPECT(ka_arch_can_write(empty_space) && ka_arch_can_write(empty_space + PAGE));
    KIT_EXPECT(bare_unmap((void *)0x40000000, 1) == BARE_MAP_NOT_MAPPED); /* in a large page */
    KIT_EXPECT(bare_unmap(empty_space, 2) == BARE_MAP_OK);
    KIT_EXPECT(bare_frames_free() == before);
}

static void bad_addresses(void)
{
    size_t before = bare_frames_free();
    KIT_EXPECT(bare_map(empty_space + 8, 1, 0) == BARE_MAP_BAD_ADDRESS);
    KIT_EXPECT(bare_map((void *)UINT64_C(0x800000000000), 1, 0) == BARE_MAP_BAD_ADDRESS);
    KIT_EXPECT(bare_map((void *)UINT64_C(0x7ffffffff000), 2, 0) == BARE_MAP_BAD_ADDRESS);
    KIT_EXPECT(bare_map((void *)UINT64_C(0xfffffffffffff000), 2, 0) == BARE_MAP_BAD_ADDRESS);
    KIT_EXPECT(bare_map(empty_space, SIZE_MAX, 0) == BARE_MAP_BAD_ADDRESS);
    KIT_EXPECT(bare_unmap(empty_space + 8, 1) == BARE_MAP_BAD_ADDRESS);
    KIT_EXPECT(bare_map(empty_space, 0, 0) == BARE_MAP_OK && !bare_is_mapped(empty_space, NULL));
    KIT_EXPECT(bare_frames_free() == before);
}

/* The last page there is, in the upper half. */
static void upper_half(void)
{
    size_t before = bare_frames_free();
    char *last = (char *)UINT64_C(0xfffffffffffff000);
    KIT_CHECK(bare_map(last, 1, BARE_WRITE) == BARE_MAP_OK);
    KIT_EXPECT(ka_arch_can_write(last + PAGE - 1));
    KIT_EXPECT(bare_unmap(last, 1) == BARE_MAP_OK && bare_frames_free() == before);
}

static const kit_case cases[] = {
    { "map and unmap", map_and_unmap },
    { "translation", translation },
    { "rights", rights },
    { "already mapped: rolled back", already_mapped_rolls_back },
    { "no frame: rolled back, wherever it runs out", no_frame_rolls_back },
    { "not mapped: nothing changes", not_mapped_changes_nothing },
    { "bad addresses", bad_addresses },
    { "the upper half", upper_half },
};

const kit_suite paging_suite = { "paging", cases, KIT_COUNT(cases) };
