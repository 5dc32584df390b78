/* memory.c: how much memory the heap takes for what is live. The unit is resident over requested bytes.
 *
 * 400,000 blocks of a kernel's sizes, each written wholly: `memory_full`. Then 90 % of them, chosen at random, are
 * given back: `memory_free90`. Then blocks 1.5 times as large come until there are 400,000 again: `memory_refill`.
 * Resident is what the process has more than before the first block, read from the kernel's exact count, at once: an
 * allocator that gives memory back later has not given it back.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "micro.h"

#define BLOCKS ((size_t)400000)

static void *live[BLOCKS];
static uint32_t sizes[BLOCKS];

/* Bytes: the line "Rss: n kB" of smaps_rollup. */
static size_t resident(void)
{
    static char text[4096];
    int file = open("/proc/self/smaps_rollup", O_RDONLY);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (length <= 0)
        micro_fail("micro: no /proc/self/smaps_rollup");
    close(file);
    text[length] = 0;
    const char *line = strstr(text, "\nRss:");
    if (line == NULL)
        micro_fail("micro: no Rss in /proc/self/smaps_rollup");
    return strtoul(line + 5, NULL, 10) * 1024;
}

static size_t take(size_t i, uint32_t size)
{
    sizes[i] = size;
    live[i] = micro_must(malloc(size));
    memset(live[i], 0x5a, size);
    return size;
}

static void memory(void)
{
    micro_random random = { 8 };
    size_t bytes = 0, left = BLOCKS;
    memset(live, 1, sizeof live); /* these are resident from the start */
    memset(sizes, 1, sizeof sizes);
    size_t before = (resident(), resident());
    for (size_t i = 0; i < BLOCKS; i++)
        bytes += take(i, micro_kernel_size(&random));
    micro_report("memory_full", (double)(resident() - before) / (double)bytes);
    for (; left > BLOCKS / 10; left--) {
        size_t i = micro_below(&random, left);
        bytes -= sizes[i];
        free(live[i]);
        live[i] = live[left - 1];
        sizes[i] = sizes[left - 1];
    }
    micro_report("memory_free90", (double)(resident() - before) / (double)bytes);
    for (; left < BLOCKS; left++)
        bytes += take(left, micro_kernel_size(&random) * 3 / 2);
    micro_report("memory_refill", (double)(resident() - before) / (double)bytes);
}

const micro_row micro_memory[] = {
    { "memory", memory },
    { NULL, NULL },
};
