/* region_count.c: how many instructions an allocation and a free of a region take, exactly, one call at a time.
 * Counted by bench/steps.h; a maximum is a real maximum over all calls.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <ka/region.h>

#include "../steps.h"
#include "kit.h"

#define RANGE ((size_t)256 << 20)
#define MOST  100000 /* live blocks */
#define BAR   50     /* instructions of a hot pair */

/* ---- counting ---- */

typedef struct tally {
    unsigned long calls, sum, least, most;
} tally;

static void tally_add(tally *t, unsigned long count)
{
    t->calls++;
    t->sum += count;
    if (t->least == 0 || count < t->least)
        t->least = count;
    if (count > t->most)
        t->most = count;
}

/* ---- the calls, counted or not ---- */

static ka_region region;
static struct {
    void *block;
    size_t size;
} live[MOST];
static tally allocs, frees;

static KA_NOINLINE void *counted_alloc(size_t size)
{
    steps_begin((uintptr_t)&ka_region_alloc);
    void *block = ka_region_alloc(&region, size, 16);
    tally_add(&allocs, steps_end());
    return block;
}

static KA_NOINLINE void counted_free(void *block, size_t size)
{
    steps_begin((uintptr_t)&ka_region_free);
    ka_region_free(&region, block, size, 16);
    tally_add(&frees, steps_end());
}

static void *must(void *block)
{
    if (block == NULL) {
        fputs("region_count: the range is too small\n", stderr);
        exit(1);
    }
    return block;
}

static void print_tally(const char *what, size_t blocks, const char *call, const tally *t)
{
    printf("| %-34s | %7zu | %-5s | %5lu | %6.1f | %5lu | %5lu |\n", what, blocks, call, t->calls,
           (double)t->sum / (double)t->calls, t->least, t->most);
}

static void print_row(const char *what, size_t blocks)
{
    print_tally(what, blocks, "alloc", &allocs);
    print_tally("", blocks, "free", &frees);
}

/* ---- what is counted ---- */

static void start(void *memory, size_t size)
{
    allocs = frees = (tally){ 0, 0, 0, 0 };
    ka_region_init(&region);
    if (!ka_region_claim(&region, memory, size))
        exit(1);
}

/* The same block again and again. */
static void hot_pairs(const char *what, size_t size)
{
    ka_region_free(&region, must(ka_region_alloc(&region, size, 16)), size, 16);
    allocs = frees = (tally){ 0, 0, 0, 0 };
    for (int i = 0; i < 100; i++)
        counted_free(must(counted_alloc(size)), size);
    print_row(what, region.live_blocks);
}

/* As a kernel asks: 16 to 256 bytes mostly, some up to a page; with `large`, one of 64 is up to 64 KiB. */
static size_t kernel_size(kit_random *random, bool large)
{
    uint64_t law = kit_below(random, 64);
    if (law == 0 && large)
        return 1 + kit_below(random, 64 << 10);
    if (law < 8)
        return 1 + kit_below(random, 4096);
    return law < 24 ? (size_t)16 << kit_below(random, 5) : 1 + kit_below(random, 256);
}

static void replace(kit_random *random, size_t blocks, bool counted, bool large)
{
    size_t at = kit_below(random, blocks), size = kernel_size(random, large);
    if (counted) {
        counted_free(live[at].block, live[at].size);
        live[at].block = must(counted_alloc(size));
    } else {
        ka_region_free(&region, live[at].block, live[at].size, 16);
        live[at].block = must(ka_region_alloc(&region, size, 16));
    }
    live[at].size = size;
}

static void fill(kit_random *random, size_t blocks, bool large)
{
    for (size_t i = 0; i < blocks; i++) {
        live[i].size = kernel_size(random, large);
        live[i].block = must(ka_region_alloc(&region, live[i].size, 16));
    }
    for (size_t i = 0; i < 10 * blocks; i++) /* until the free blocks are as they stay */
        replace(random, blocks, false, large);
}

static void random_replacement(void *memory, size_t blocks, bool large)
{
    kit_random random = { blocks };
    start(memory, RANGE);
    fill(&random, blocks, large);
    for (int i = 0; i < 400; i++)
        replace(&random, blocks, true, large);
    print_row(large ? "random sizes to 64 KiB" : "random sizes to 4 KiB", blocks);
}

int main(void)
{
    void *memory = mmap(NULL, RANGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || !steps_install())
        return 1;
    kit_random random = { 1 };

    printf("| %-34s | %-7s | %-5s | %-5s | %-6s | %-5s | %-5s |\n", "instructions, call and return included", "live",
           "call", "calls", "mean", "least", "most");
    puts("|---|---|---|---|---|---|---|");
    start(memory, 100 * 1024);
    hot_pairs("hot pair of 64, empty 100 KiB", 64);
    bool within = allocs.most + frees.most <= BAR;
    start(memory, RANGE);
    fill(&random, 10000, false);
    hot_pairs("hot pair of 64, fragmented", 64);
    within = within && allocs.most + frees.most <= BAR;
    hot_pairs("hot pair of 1,000, fragmented", 1000);
    for (size_t blocks = 10; blocks <= MOST; blocks *= 100)
        random_replacement(memory, blocks, false);
    for (size_t blocks = 10; blocks <= MOST; blocks *= 100)
        random_replacement(memory, blocks, true);
    const char *broken = ka_region_check(&region);
    printf("\nthe bar, hot pairs of 64 within %d instructions: %s\n%s", BAR, within ? "kept" : "missed",
           broken == NULL ? "" : broken);
    return within && broken == NULL ? 0 : 1;
}
