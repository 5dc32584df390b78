/* kit.c: see kit.h. */
#include "kit.h"

#include <stdarg.h>

#include "base/format.h"

static struct {
    void (*write)(const char *line);
    unsigned count, failures;
    bool failed;
    const char *skipped;
} kit;

static void write_line(const char *format, ...) KA_PRINTF(1, 2);
static void write_line(const char *format, ...)
{
    char line[200];
    va_list list;
    va_start(list, format);
    ka_format_list(line, sizeof line, format, list);
    va_end(list);
    kit.write(line);
}

void kit_set_output(void (*write)(const char *line))
{
    kit.write = write;
}

void kit_note(const char *format, ...)
{
    char line[200];
    va_list list;
    va_start(list, format);
    ka_format_list(line, sizeof line, format, list);
    va_end(list);
    write_line("# %s", line);
}

void kit_steps(uint64_t count)
{
    kit_note("random steps: %llu", (unsigned long long)count);
}

void kit_fail(const char *file, unsigned line, const char *what)
{
    kit.failed = true;
    kit_note("%s:%u: %s", file, line, what);
}

bool kit_failed(void)
{
    return kit.failed;
}

void kit_skip(const char *why)
{
    kit.skipped = why;
}

void kit_begin(void)
{
    kit.count = 0;
    kit.failures = 0;
}

void kit_run(const char *suite, const kit_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kit.failed = false;
        kit.skipped = NULL;
        cases[i].run();
        kit.count++;
        kit.failures += kit.failed;
        if (kit.skipped != NULL && !kit.failed)
            write_line("ok %u - %s: %s # SKIP %s", kit.count, suite, cases[i].name, kit.skipped);
        else
            write_line("%s %u - %s: %s", kit.failed ? "not ok" : "ok", kit.count, suite, cases[i].name);
    }
}

int kit_end(void)
{
    write_line("1..%u", kit.count);
    return kit.failures == 0 ? 0 : 1;
}

int kit_main(const char *suite, const kit_case *cases, size_t count)
{
    kit_begin();
    kit_run(suite, cases, count);
    return kit_end();
}

uint64_t kit_next(kit_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t kit_below(kit_random *random, uint64_t bound)
{
    return kit_next(random) % bound;
}

size_t kit_size(kit_random *random, size_t usual, size_t most)
{
    uint64_t law = kit_below(random, 16);
    if (law == 0)
        return kit_below(random, 3);
    if (law < 9)
        return 1 + kit_below(random, usual);
    unsigned bits = 1;
    for (size_t rest = most; rest > 1; rest /= 2)
        bits++;
    return 1 + kit_below(random, (size_t)1 << kit_below(random, bits + 1));
}

size_t kit_align(kit_random *random, unsigned middle, unsigned most_shift)
{
    uint64_t law = kit_below(random, 8);
    if (law < 5)
        return (size_t)1 << kit_below(random, 5);
    return (size_t)1 << (law < 7 ? 5 + kit_below(random, middle) : kit_below(random, most_shift));
}

void kit_stamp(void *block, size_t size, uint64_t seed)
{
    unsigned char *bytes = block;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(seed + i * 7 + (seed >> 8));
}

bool kit_stamped(const void *block, size_t size, uint64_t seed)
{
    const unsigned char *bytes = block;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != (unsigned char)(seed + i * 7 + (seed >> 8)))
            return false;
    return true;
}
