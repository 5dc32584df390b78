/* region_bench.c: allocators of fixed memory, side by side in one process.
 * Usage: region_bench ROUNDS NAME=PLUGIN.so... [@TRACE]...      no rounds: only what memory is used
 *
 * Every workload is a trace, the same for all: made beforehand, or recorded from a program (@TRACE: a file as
 * docs/performance/region.md says; its region is twice what it needs at most). In each round each allocator replays
 * each trace, in turn (CPU time of the thread), so that what the machine does besides hits all alike. Output: lines
 * "workload,unit,allocator,round,value,failures" (CSV). Made traces ask for alignment 8; the first byte of each block
 * is written.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "../steps.h"
#include "plugin.h"

#define PEERS  24
#define TRACES 24
#define ALIGN  8
#define MIB   ((size_t)1 << 20)
#define KIB   ((size_t)1 << 10)

typedef struct peer {
    const char *name;
    const region_plugin *plugin;
} peer;

static peer peers[PEERS];
static int peer_count;
static char *memory;

/* ---- random numbers and sizes ---- */

static uint64_t state;

static uint64_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)((draw() >> 32) * n >> 32);
}

typedef uint32_t size_law(void);

static uint32_t hot_size(void)
{
    return 64;
}

/* As a kernel asks: mostly 16 to 256 bytes, an eighth up to a page, 1 of 64 up to 16 KiB. */
static uint32_t kernel_size(void)
{
    uint32_t law = below(64);
    if (law == 0)
        return 1 + below(16 << 10);
    if (law < 8)
        return 1 + below(4096);
    return law < 24 ? 16u << below(5) : 1 + below(256);
}

static uint32_t to_256(void)
{
    return 1 + below(256);
}

static uint32_t to_1000(void)
{
    return 1 + below(1000);
}

static uint32_t to_30000(void)
{
    return 1 + below(30000);
}

static uint32_t log_uniform(void)
{
    return (16u << below(10)) + below(16);
}

/* ---- traces ---- */

enum { ALLOC, FREE, RESIZE };

typedef struct op {
    uint32_t slot, size, old_size;
    uint16_t kind, align_shift;
} op;

#define OPS     200000
#define SLOTS   1000000
#define COUNTED 300
#define REPLAYS 7 /* of which the least counts, for each operation */

typedef struct trace {
    const char *name;
    size_t region;
    op *ops;
    uint32_t count, measured; /* the ops from `measured` on count */
} trace;

static uint32_t slot_size[SLOTS], live_list[SLOTS], live_at[SLOTS], free_list[SLOTS];

typedef struct maker {
    trace *t;
    uint32_t live, free_slots, fresh;
    size_t bytes;
} maker;

static void make_alloc(maker *m, uint32_t size)
{
    uint32_t slot = m->free_slots != 0 ? free_list[--m->free_slots] : m->fresh++;
    slot_size[slot] = size;
    live_at[slot] = m->live;
    live_list[m->live++] = slot;
    m->bytes += (size + 15) & ~15u;
    m->t->ops[m->t->count++] = (op){ slot, size, 0, ALLOC, 3 };
}

static void make_free(maker *m, uint32_t slot)
{
    uint32_t last = live_list[--m->live];
    live_list[live_at[slot]] = last;
    live_at[last] = live_at[slot];
    m->bytes -= (slot_size[slot] + 15) & ~15u;
    m->t->ops[m->t->count++] = (op){ slot, slot_size[slot], 0, FREE, 3 };
    free_list[m->free_slots++] = slot;
}

static void make_resize(maker *m, uint32_t slot, uint32_t size)
{
    m->t->ops[m->t->count++] = (op){ slot, size, slot_size[slot], RESIZE, 3 };
    m->bytes += ((size + 15) & ~15u) - (size_t)((slot_size[slot] + 15) & ~15u);
    slot_size[slot] = size;
}

static uint64_t seed = 1; /* of the traces that are made */

static trace *make(const char *name, size_t region)
{
    trace *t = calloc(1, sizeof *t);
    t->name = name;
    t->region = region;
    t->ops = malloc(2000000 * sizeof *t->ops);
    state = 0x9e3779b97f4a7c15u * seed;
    return t;
}

/* Random frees and allocations around a number of live bytes. */
static trace *make_fill(const char *name, size_t region, size_t target, size_law *law)
{
    maker m = { make(name, region), 0, 0, 0, 0 };
    while (m.bytes < target && m.t->count < 900000)
        make_alloc(&m, law());
    for (uint32_t i = 0; i < 2 * OPS; i++) {
        if (i == OPS)
            m.t->measured = m.t->count;
        if (m.bytes > target || (m.live > 0 && below(16) == 0))
            make_free(&m, live_list[below(m.live)]);
        else
            make_alloc(&m, law());
    }
    return m.t;
}

/* As the random actions of Talc's benchmark: allocate, free, and (with `resize`) change sizes, up to some hundred. */
static trace *make_actions(const char *name, size_law *law, bool resize)
{
    maker m = { make(name, 64 * MIB), 0, 0, 0, 0 };
    for (uint32_t i = 0; i < 2 * OPS; i++) {
        uint32_t action = below(resize ? 3 : 2);
        if (i == OPS)
            m.t->measured = m.t->count;
        if (m.live == 0 || (action == 0 && m.live < 1000))
            make_alloc(&m, law());
        else if (action == 2)
            make_resize(&m, live_list[below(m.live)], law());
        else
            make_free(&m, live_list[below(m.live)]);
    }
    return m.t;
}

static trace *make_hot(void)
{
    maker m = { make("hot pair of 64 bytes", MIB), 0, 0, 0, 0 };
    for (uint32_t i = 0; i < OPS; i++) {
        make_alloc(&m, hot_size());
        make_free(&m, live_list[0]);
    }
    return m.t;
}

static trace *make_fifo(void)
{
    static uint32_t queue[1024];
    maker m = { make("first in, first out, 1,000 live", 4 * MIB), 0, 0, 0, 0 };
    for (uint32_t i = 0; i < OPS; i++) {
        if (i == 2000)
            m.t->measured = m.t->count;
        if (i >= 1000)
            make_free(&m, queue[(i - 1000) % 1024]);
        make_alloc(&m, kernel_size());
        queue[i % 1024] = m.t->ops[m.t->count - 1].slot;
    }
    return m.t;
}

/* A recorded trace. Its first quarter is replayed, but does not count. */
static trace *load(const char *path)
{
    struct {
        char magic[8];
        uint32_t ops, slots;
    } head;
    uint32_t pair[2];
    FILE *file = fopen(path, "rb");
    const char *name = strrchr(path, '/');
    trace *t = make(strdup(name == NULL ? path : name + 1), 0);
    if (file == NULL || fread(&head, sizeof head, 1, file) != 1 || memcmp(head.magic, "KATRACE1", 8) != 0)
        return NULL;
    size_t bytes = 0, peak = 0;
    memset(slot_size, 0, sizeof slot_size);
    while (t->count < head.ops && t->count < 2000000 && fread(pair, sizeof pair, 1, file) == 1) {
        uint32_t slot = pair[0] >> 2, kind = pair[0] & 3, shift = pair[1] >> 27, size = pair[1] & 0x7ffffff;
        if (slot >= SLOTS || kind > RESIZE)
            return NULL;
        uint32_t old = slot_size[slot], asked = kind == FREE ? old : size == 0 ? 1 : size;
        t->ops[t->count++] = (op){ slot, asked, old, (uint16_t)kind, (uint16_t)shift };
        slot_size[slot] = kind == FREE ? 0 : asked;
        bytes += slot_size[slot];
        bytes -= old;
        peak = bytes > peak ? bytes : peak;
    }
    fclose(file);
    t->measured = t->count / 4;
    t->region = (2 * peak + MIB - 1) / MIB * MIB;
    return t->count == 0 || t->region > 128 * MIB ? NULL : t;
}

/* ---- replay ---- */

static char *slots[SLOTS];

static inline uint64_t replay_op(const region_plugin *p, void *heap, const op *o)
{
    char *block = slots[o->slot];
    size_t align = (size_t)1 << o->align_shift;
    if (o->kind == ALLOC) {
        slots[o->slot] = block = p->alloc(heap, o->size, align);
        if (block == NULL)
            return 1;
        *block = 1;
    } else if (o->kind == FREE) {
        if (block != NULL)
            p->free(heap, block, o->size, align);
        slots[o->slot] = NULL;
    } else if (block != NULL) {
        char *moved = NULL;
        if (p->resize != NULL) {
            moved = p->resize(heap, block, o->old_size, o->size, align);
        } else if ((moved = p->alloc(heap, o->size, align)) != NULL) {
            memcpy(moved, block, o->size < o->old_size ? o->size : o->old_size);
            p->free(heap, block, o->old_size, align);
        }
        if (moved == NULL) { /* later operations believe in the new size: the block goes */
            p->free(heap, block, o->old_size, align);
            slots[o->slot] = NULL;
            return 1;
        }
        slots[o->slot] = moved;
    }
    return 0;
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void row(const char *workload, const char *unit, const peer *p, int round, double value, uint64_t failures)
{
    printf("\"%s\",%s,%s,%d,%.3f,%llu\n", workload, unit, p->name, round, value, (unsigned long long)failures);
    fflush(stdout);
}

static void *begin(const peer *p, size_t size)
{
    memset(slots, 0, sizeof slots);
    return p->plugin->init(memory, size);
}

static void time_trace(const trace *t, const peer *p, int round)
{
    void *heap = begin(p, t->region);
    if (heap == NULL)
        return;
    uint64_t failures = 0;
    for (uint32_t i = 0; i < t->measured; i++)
        failures += replay_op(p->plugin, heap, &t->ops[i]);
    uint64_t from = now();
    for (uint32_t i = t->measured; i < t->count; i++)
        failures += replay_op(p->plugin, heap, &t->ops[i]);
    row(t->name, "ns", p, round, (double)(now() - from) / (t->count - t->measured), failures);
}

/* ---- instructions, one by one: the processor traps after each ---- */

#if defined(__x86_64__)
static void count_trace(const trace *t, const peer *p, uint32_t ops)
{
    void *heap = begin(p, t->region);
    if (heap == NULL || !steps_install())
        return;
    double sum[3] = { 0 }, most[3] = { 0 };
    unsigned calls[3] = { 0 };
    for (uint32_t i = 0; i < t->count && i < t->measured + ops; i++) {
        const op *o = &t->ops[i];
        bool counted = i >= t->measured && (o->kind == ALLOC || slots[o->slot] != NULL) && o->kind != RESIZE;
        if (counted)
            steps_begin(o->kind == ALLOC ? (uintptr_t)p->plugin->alloc : (uintptr_t)p->plugin->free);
        (void)replay_op(p->plugin, heap, o);
        if (!counted)
            continue;
        double count = (double)steps_end();
        calls[o->kind]++;
        sum[o->kind] += count;
        if (most[o->kind] < count)
            most[o->kind] = count;
    }
    for (int kind = ALLOC; kind <= FREE; kind++) {
        char name[128];
        if (calls[kind] == 0)
            continue;
        snprintf(name, sizeof name, "%s: %s", t->name, kind == ALLOC ? "alloc" : "free");
        row(name, "instructions", p, 0, sum[kind] / calls[kind], 0);
        row(name, "instructions-most", p, 0, most[kind], 0);
    }
}

static uint64_t ticks(void)
{
    return __builtin_ia32_rdtsc();
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void percentiles(const trace *t, const peer *p, const char *call, uint32_t *values, uint32_t count)
{
    static const struct {
        const char *unit;
        double share;
    } rows[] = { { "cycles-50", 0.5 }, { "cycles-99", 0.99 }, { "cycles-99.9", 0.999 }, { "cycles-100", 1 } };
    char name[128];
    if (count == 0)
        return;
    qsort(values, count, sizeof *values, by_value);
    snprintf(name, sizeof name, "%s: %s", t->name, call);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t at = (uint32_t)(rows[i].share * count);
        row(name, rows[i].unit, p, 0, values[at < count ? at : count - 1], 0);
    }
}

/* The least of several replays for each operation, so that what interrupted one of them is gone; then percentiles. */
static void worst_of_trace(const trace *t, const peer *p, uint32_t ops)
{
    static uint32_t least[2 * OPS], of_kind[3][2 * OPS];
    uint32_t counts[3] = { 0 };
    memset(least, 0xff, sizeof least);
    for (int replay = 0; replay < REPLAYS; replay++) {
        void *heap = begin(p, t->region);
        if (heap == NULL)
            return;
        for (uint32_t i = 0; i < t->count && i < t->measured + ops; i++) {
            uint64_t from = ticks();
            (void)replay_op(p->plugin, heap, &t->ops[i]);
            uint64_t took = ticks() - from;
            if (i >= t->measured && took < least[i - t->measured])
                least[i - t->measured] = (uint32_t)took;
        }
    }
    for (uint32_t i = 0; i < ops && t->measured + i < t->count; i++) {
        uint32_t kind = t->ops[t->measured + i].kind;
        of_kind[kind][counts[kind]++] = least[i];
    }
    percentiles(t, p, "alloc", of_kind[ALLOC], counts[ALLOC]);
    percentiles(t, p, "free", of_kind[FREE], counts[FREE]);
    percentiles(t, p, "resize", of_kind[RESIZE], counts[RESIZE]);
}
#else
static void count_trace(const trace *t, const peer *p, uint32_t ops)
{
    (void)t, (void)p, (void)ops;
}
static void worst_of_trace(const trace *t, const peer *p, uint32_t ops)
{
    (void)t, (void)p, (void)ops;
}
#endif

/* ---- memory ---- */

/* Random actions until the first refusal: which share of the region is live then, in requested bytes; mean of 20. */
static double first_failure(const peer *p, size_t size, size_law *law)
{
    double sum = 0;
    int runs = size > 4 * MIB ? 3 : 20;
    for (int run = 0; run < runs; run++) {
        void *heap = begin(p, size);
        if (heap == NULL)
            return 0;
        state = 0x9e3779b97f4a7c15u * (uint64_t)(run + 1);
        uint32_t live = 0;
        size_t bytes = 0;
        for (;;) {
            if (live > 0 && below(3) == 0) { /* two allocations for each free */
                uint32_t at = below(live);
                p->plugin->free(heap, slots[at], slot_size[at], ALIGN);
                bytes -= slot_size[at];
                slots[at] = slots[--live];
                slot_size[at] = slot_size[live];
                continue;
            }
            uint32_t bytes_asked = law();
            char *block = live < SLOTS ? p->plugin->alloc(heap, bytes_asked, ALIGN) : NULL;
            if (block == NULL)
                break;
            slot_size[live] = bytes_asked;
            slots[live++] = block;
            bytes += bytes_asked;
        }
        sum += (double)bytes / (double)size;
    }
    return 100 * sum / runs;
}

static void memory_rows(const peer *p)
{
    row("live at the first failure, 16 KiB, sizes to 256", "percent", p, 0, first_failure(p, 16 * KIB, to_256), 0);
    row("live at the first failure, 100 KiB, sizes to 1000", "percent", p, 0, first_failure(p, 100 * KIB, to_1000), 0);
    row("live at the first failure, 256 KiB, kernel-like", "percent", p, 0, first_failure(p, 256 * KIB, kernel_size),
        0);
    row("live at the first failure, 1 MiB, kernel-like", "percent", p, 0, first_failure(p, MIB, kernel_size), 0);
    row("live at the first failure, 16 MiB, kernel-like", "percent", p, 0, first_failure(p, 16 * MIB, kernel_size), 0);
    row("live at the first failure, 128 MiB, to 30000", "percent", p, 0, first_failure(p, 128 * MIB, to_30000), 0);
    void *heap = begin(p, 64 * KIB);
    size_t blocks = 0;
    while (heap != NULL && blocks < 1024 && p->plugin->alloc(heap, 64, ALIGN) != NULL)
        blocks++;
    row("64-byte blocks in 64 KiB", "percent", p, 0, 100.0 * (double)blocks * 64 / (64.0 * 1024), 0);
    for (size_t size = 16; size <= 64 * KIB; size += 16) {
        heap = begin(p, size);
        if (heap == NULL || p->plugin->alloc(heap, 16, ALIGN) == NULL)
            continue;
        row("smallest region for 16 bytes", "bytes", p, 0, (double)size, 0);
        break;
    }
}

static trace *traces[TRACES];
static int trace_count, made_count;

static bool add_argument(char *argument)
{
    if (*argument == '@') {
        trace *t = trace_count < TRACES ? load(argument + 1) : NULL;
        if (t == NULL)
            fprintf(stderr, "region_bench: %s is no trace that can be replayed\n", argument + 1);
        else
            traces[trace_count++] = t;
        return t != NULL;
    }
    char *path = strchr(argument, '=');
    if (path == NULL || peer_count == PEERS)
        return false;
    *path++ = 0;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const region_plugin *plugin = library == NULL ? NULL : dlsym(library, "region_bench_plugin");
    if (plugin == NULL) {
        fprintf(stderr, "region_bench: %s: %s\n", path, dlerror());
        return false;
    }
    peers[peer_count++] = (peer){ argument, plugin };
    return true;
}

static void make_traces(void)
{
    trace *made[] = {
        make_hot(),
        make_fifo(),
        make_actions("random actions to 1000", to_1000, false),
        make_actions("random actions to 1000, resize", to_1000, true),
        make_actions("random actions to 30000", to_30000, false),
        make_actions("random actions to 30000, resize", to_30000, true),
        make_fill("kernel-like, 4 MiB, 60 % full", 4 * MIB, 4 * MIB / 10 * 6, kernel_size),
        make_fill("kernel-like, 4 MiB, 70 % full", 4 * MIB, 4 * MIB / 10 * 7, kernel_size),
        make_fill("kernel-like, 64 MiB, 60 % full", 64 * MIB, 64 * MIB / 10 * 6, kernel_size),
        make_fill("log-uniform, 1 MiB, 60 % full", MIB, MIB / 10 * 6, log_uniform),
    };
    made_count = trace_count = sizeof made / sizeof *made;
    memcpy(traces, made, sizeof made);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : -1;
    if (getenv("SEED") != NULL)
        seed = strtoull(getenv("SEED"), NULL, 0);
    make_traces();
    for (int i = 2; i < argc; i++)
        if (!add_argument(argv[i]))
            return 2;
    memory = mmap(NULL, 128 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (rounds < 0 || peer_count == 0 || memory == MAP_FAILED) {
        fprintf(stderr, "usage: region_bench ROUNDS NAME=PLUGIN.so... [@TRACE]...\n");
        return 2;
    }
    memset(memory, 1, 128 * MIB);
    puts("workload,unit,allocator,round,value,failures");
    for (int round = 0; round < rounds; round++)
        for (int t = 0; t < trace_count; t++)
            for (int p = 0; p < peer_count; p++)
                time_trace(traces[t], &peers[(p + round) % peer_count], round);
    for (int p = 0; p < peer_count; p++) {
        if (strcmp(peers[p].name, "none") == 0)
            continue;
        for (int t = 0; t < trace_count && rounds > 0; t++)
            count_trace(traces[t], &peers[p], COUNTED);
        for (int t = made_count - 1; t < trace_count && rounds > 0; t++)
            worst_of_trace(traces[t], &peers[p], t < made_count ? 20000 : 2 * OPS);
        memory_rows(&peers[p]);
    }
    return 0;
}
