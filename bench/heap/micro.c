/* micro.c: the micro benchmark of malloc: one row a process. Usage: micro ROW [--scale PERCENT], or micro --list.
 *
 * Prints "figure value" lines. Nothing here allocates: what a row needs besides its blocks is static, and filled before
 * the clock starts, so that the process holds nothing but the row's blocks.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "micro.h"

micro_request micro_requests[MICRO_REQUESTS];
static size_t scale = 100;

/* ---- out ---- */

void micro_report(const char *name, double value)
{
    char line[128];
    int length = snprintf(line, sizeof line, "%s %.4f\n", name, value);
    if (length < 0 || write(STDOUT_FILENO, line, (size_t)length) != length)
        _exit(1);
}

void micro_fail(const char *why)
{
    (void)!write(STDERR_FILENO, why, strlen(why));
    (void)!write(STDERR_FILENO, "\n", 1);
    _exit(1);
}

void *micro_must(void *block)
{
    if (block == NULL)
        micro_fail("micro: out of memory");
    return block;
}

size_t micro_count(size_t full)
{
    size_t count = full / 100 * scale;
    return count > 0 ? count : 1;
}

/* ---- clocks ---- */

static double clock_of(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double micro_cpu(void)
{
    return clock_of(CLOCK_PROCESS_CPUTIME_ID);
}

double micro_thread(void)
{
    return clock_of(CLOCK_THREAD_CPUTIME_ID);
}

double micro_wall(void)
{
    return clock_of(CLOCK_MONOTONIC);
}

/* ---- requests ---- */

uint64_t micro_next(micro_random *random) /* splitmix64 */
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t micro_below(micro_random *random, uint64_t bound)
{
    return (micro_next(random) >> 32) * bound >> 32;
}

/* Objects per 1,000 by size: the sizes of which a small machine's slabinfo had 200 or more, of 90,182. */
static const struct {
    uint16_t size, share;
} kernel_objects[] = {
    { 136, 195 }, { 192, 96 },  { 56, 96 },  { 96, 69 }, { 104, 69 },  { 32, 61 },  { 584, 54 },
    { 8, 46 },    { 40, 40 },   { 16, 37 },  { 64, 37 }, { 72, 34 },   { 256, 27 }, { 128, 25 },
    { 168, 24 },  { 1128, 17 }, { 512, 12 }, { 24, 12 }, { 1024, 10 }, { 696, 8 },  { 48, 7 },
    { 640, 6 },   { 2048, 5 },  { 4096, 5 }, { 80, 2 },  { 624, 2 },   { 752, 2 },  { 8192, 2 },
};

uint32_t micro_kernel_size(micro_random *random)
{
    uint64_t at = micro_below(random, 1000);
    size_t i = 0;
    while (at >= kernel_objects[i].share)
        at -= kernel_objects[i++].share;
    return kernel_objects[i].size;
}

uint32_t micro_log_size(micro_random *random, unsigned least_shift, unsigned most_shift)
{
    uint64_t shift = least_shift + micro_below(random, most_shift - least_shift);
    return (uint32_t)((UINT64_C(1) << shift) + micro_below(random, UINT64_C(1) << shift));
}

void micro_fill_requests(uint64_t seed, size_t live)
{
    micro_random random = { seed };
    for (size_t i = 0; i < MICRO_REQUESTS; i++)
        micro_requests[i] = (micro_request){ (uint32_t)micro_below(&random, live), micro_kernel_size(&random) };
}

/* ---- rows ---- */

static const micro_row *const groups[] = { micro_single, micro_threads, micro_memory };

static void list(void)
{
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (const micro_row *row = groups[g]; row->name != NULL; row++)
            puts(row->name);
}

static const micro_row *find(const char *name)
{
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (const micro_row *row = groups[g]; row->name != NULL; row++)
            if (strcmp(row->name, name) == 0)
                return row;
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        list();
        return 0;
    }
    const micro_row *row = argc >= 2 ? find(argv[1]) : NULL;
    if (argc == 4 && strcmp(argv[2], "--scale") == 0)
        scale = strtoul(argv[3], NULL, 10);
    if (row == NULL || (argc != 2 && argc != 4)) {
        fputs("usage: micro ROW [--scale PERCENT] | micro --list\n", stderr);
        return 2;
    }
    row->run();
    return 0;
}
