/* contention.c: what contends at 64 and 1,024 CPUs: the heap's own code, run by CPUs that one thread plays, over lines
 * of memory whose way between CPUs is counted and timed.
 *
 * The library is compiled against many/ka_intrinsics.h, which tells of every atomic operation, and many/ka_port.h,
 * whose CPU is whoever's turn it is. Each CPU has a stack and a clock; before it touches a line that it does not have
 * to itself, the one with the earliest clock goes on. So calls are cut into each other at their atomic steps, and what
 * is tried again is counted again. A line of 64 bytes that others have changed since this CPU last had it comes from
 * far (100 ns), and each change takes it from all others; it serves one change at a time, and who comes meanwhile
 * waits. An atomic change takes 5 ns at least, a pair that stays in the magazine 5 ns. Every call reads a line of the
 * heap's record. No caches, no other memory; plain accesses (magazines, the fields of records that never change) are
 * free.
 *
 * Workloads, of blocks of one size, the worst case: `steady`, a random walk of the number of live blocks; `batch`,
 * 1,000 taken, then 1,000 freed; `pipe`, half of the CPUs allocate what the other half frees, through rings of 4,096;
 * `mix`, up to 500 blocks are laid down at any of 1,024 places for each CPU, or as many are taken up there and freed.
 *
 * Output: far accesses for 1,000 pairs by what lies there, how long a pair takes, and that beside one CPU (`pipe`:
 * two).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <ka/handler.h>
#include <ka/hash.h>

#include "heap/core.h"

#include "ports/contract.h"

#define RING   4096u
#define PLACES 1024u
#define STACK  ((size_t)64 << 10)
#define LIVE   2048u
#define LINE   6

unsigned many_cpu, many_cpus = 1;

static double near_ns = 5, far_ns = 100, pair_ns = 5;
static size_t block_size = 64;
static ka_heap heap;

/* ---- lines ---- */

typedef enum kind { COUNTS, HINTS, WORDS, RUNS, OTHERS, KINDS } kind;
static const char *const kind_names[KINDS] = { "counts", "hints", "words", "runs", "others" };

typedef struct line {
    uintptr_t place; /* address >> LINE; 0: free */
    uint32_t version, owner;
    double free_at;
    uint32_t *seen; /* by CPU: the version that it has */
} line;

#define LINES (1u << 20)
static line lines[LINES];
static double now;
static bool counting;
static uint64_t far_accesses[KINDS];

static line *line_of(const void *place)
{
    uintptr_t at = (uintptr_t)place >> LINE;
    uint32_t i = (uint32_t)(at * UINT64_C(0x9e3779b97f4a7c15) >> 44);
    while (lines[i].place != at && lines[i].place != 0)
        i = (i + 1) % LINES;
    if (lines[i].place == 0) {
        lines[i] = (line){ at, 1, many_cpu, 0, calloc(many_cpus, sizeof(uint32_t)) };
        lines[i].seen[many_cpu] = 1;
    }
    return &lines[i];
}

static bool within(const void *place, const void *start, size_t size)
{
    return (uintptr_t)place - (uintptr_t)start < size;
}

static kind kind_of(const void *place)
{
    const ka_segment *s = heap.table == NULL ? NULL : ka_heap_segment_at(&heap, 0);
    if (within(place, &heap, sizeof heap) || (s != NULL && within(place, heap.table, sizeof *heap.table)))
        return COUNTS;
    if (s == NULL)
        return OTHERS;
    if (within(place, s->slabs.words, ka_slabs_words(s->page_count, s->slabs.page_shift) * 8))
        return WORDS;
    if (within(place, s->slabs.hints, ka_slabs_hint_words(s->page_count, KA_CLASS_COUNT) * 8))
        return HINTS;
    if (within(place, &s->runs, sizeof s->runs) || within(place, s->runs.free, ka_runs_words(s->page_count) * 8))
        return RUNS;
    return OTHERS;
}

static void wait_for_turn(void);

static void line_use(const void *place, bool change)
{
    if (!counting)
        return;
    counting = false; /* kind_of reads, too */
    line *l = line_of(place);
    bool far = l->seen[many_cpu] != l->version || (change && l->owner != many_cpu);
    if (far) {
        wait_for_turn();
        counting = false;
        far = l->seen[many_cpu] != l->version || (change && l->owner != many_cpu);
    }
    double start = (far || change) && l->free_at > now ? l->free_at : now;
    far_accesses[kind_of(place)] += far;
    now = start + (far ? far_ns : change ? near_ns : 0);
    if (change) {
        l->owner = many_cpu;
        l->version++;
        l->free_at = now;
    } else if (far) {
        l->owner = UINT32_MAX; /* shared */
    }
    l->seen[many_cpu] = l->version;
    counting = true;
}

void many_look(const void *place)
{
    line_use(place, false);
}

void many_change(const void *place)
{
    line_use(place, true);
}

/* ---- the port's cold half ---- */

void ka_port_log(const char *text, size_t length)
{
    fprintf(stderr, "%.*s\n", (int)length, text);
}
void ka_port_panic(const char *message, const char *file, unsigned at)
{
    fprintf(stderr, "%s (%s:%u)\n", message, file, at);
    abort();
}
bool ka_port_entropy(void *context, void *out, size_t size)
{
    (void)context, (void)out, (void)size;
    return false;
}

/* ---- CPUs ---- */

typedef struct cpu {
    ucontext_t context;
    void *stack;
    double clock;
    uint64_t random;
    uint32_t calls, live;
    void *blocks[LIVE];
} cpu;

typedef struct ring {
    void *blocks[RING];
    uint32_t head, tail;
} ring;

static cpu *cpus;
static ring *rings;
static void **places;

static uint32_t below(cpu *c, uint32_t limit)
{
    c->random = c->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((c->random >> 33) % limit);
}

static void *take(void)
{
    many_look(&heap.magazines);
    void *block = ka_heap_alloc(&heap, block_size, 16, 0);
    if (block == NULL)
        ka_port_panic("the heap is full", __FILE__, __LINE__);
    return block;
}

static void give(void *block)
{
    many_look(&heap.magazines);
    ka_heap_free(&heap, block, block_size, 16);
}

/* Each returns whether a call was made. */
static bool steady(cpu *c)
{
    if (c->live == 0 || (below(c, 2) == 0 && c->live < LIVE))
        c->blocks[c->live++] = take();
    else
        give(c->blocks[--c->live]);
    return true;
}

static bool batch(cpu *c)
{
    if (c->calls / 1000 % 2 == 0)
        c->blocks[c->live++] = take();
    else
        give(c->blocks[--c->live]);
    return true;
}

static bool pipe(cpu *c)
{
    ring *r = &rings[many_cpu / 2];
    if (many_cpu % 2 == 0) {
        if (r->head - r->tail == RING)
            return false;
        void *block = take(); /* others go on meanwhile */
        r->blocks[r->head++ % RING] = block;
    } else {
        if (r->head == r->tail)
            return false;
        give(r->blocks[r->tail++ % RING]);
    }
    return true;
}

static bool mix(cpu *c)
{
    if (c->live == 0)
        c->live = (below(c, 2) << 16) + below(c, 500) + 1; /* what, and how many times */
    void **place = &places[below(c, PLACES * many_cpus)], *block = *place;
    if ((--c->live & 0xffff) == 0)
        c->live = 0;
    if (c->live >> 16 == 0 && block == NULL) {
        block = take();
        if (*place == NULL) {
            *place = block;
            return true;
        }
    }
    if (block == NULL)
        return false;
    if (block == *place)
        *place = NULL;
    give(block);
    return true;
}

/* The CPUs by their clocks, the earliest first. */
static uint32_t queue[KA_PORT_MAX_CPUS];

static void queue_sink(uint32_t at)
{
    for (uint32_t child; (child = 2 * at + 1) < many_cpus; at = child) {
        if (child + 1 < many_cpus && cpus[queue[child + 1]].clock < cpus[queue[child]].clock)
            child++;
        if (cpus[queue[at]].clock <= cpus[queue[child]].clock)
            return;
        uint32_t other = queue[at];
        queue[at] = queue[child];
        queue[child] = other;
    }
}

/* ---- turns ---- */

static ucontext_t conductor;
static bool (*life)(cpu *);
static uint64_t calls_left;

/* Until this CPU has the earliest clock. */
static void wait_for_turn(void)
{
    cpu *c = &cpus[many_cpu];
    c->clock = now;
    swapcontext(&c->context, &conductor);
}

static void live(void)
{
    cpu *c = &cpus[many_cpu];
    for (;;) {
        now = c->clock + pair_ns / 2;
        if (life(c)) {
            c->calls++;
            calls_left -= calls_left > 0;
        }
        counting = false;
        wait_for_turn();
    }
}

static void turns(uint64_t calls, bool counted)
{
    for (calls_left = calls; calls_left > 0; queue_sink(0)) {
        many_cpu = queue[0];
        now = cpus[many_cpu].clock;
        counting = counted;
        swapcontext(&conductor, &cpus[many_cpu].context);
        counting = false;
    }
}

static void cpu_start(unsigned number)
{
    cpu *c = &cpus[number];
    c->random = number + 1;
    c->clock = number * 0.1;
    c->stack = malloc(STACK);
    getcontext(&c->context);
    c->context.uc_stack.ss_sp = c->stack;
    c->context.uc_stack.ss_size = STACK;
    makecontext(&c->context, live, 0);
    queue[number] = number;
    many_cpu = number;
    give(take()); /* so that it has magazines: who only ever frees gets none */
}

static double clock_mean(void)
{
    double sum = 0;
    for (unsigned i = 0; i < many_cpus; i++)
        sum += cpus[i].clock;
    return sum / many_cpus;
}

/* Nanoseconds a pair on each CPU. */
static double simulate(bool (*of)(cpu *), unsigned count, uint64_t each)
{
    const size_t size = (size_t)16 << 30;
    void *range = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    many_cpus = count;
    many_cpu = 0;
    life = of;
    if (range == MAP_FAILED || !ka_heap_init(&heap, &(ka_heap_options){ .base = range, .size = size, .zeroed = true,
                                                                         .segment_shift = 34 }))
        ka_port_panic("no memory for the heap", __FILE__, __LINE__);
    cpus = calloc(count, sizeof *cpus);
    rings = calloc(count / 2 + 1, sizeof *rings);
    places = calloc((size_t)PLACES * count, sizeof *places);
    for (unsigned i = 0; i < count; i++)
        cpu_start(i);
    turns(each * count, false);    /* first fills */
    turns(each * count / 4, true); /* until every CPU has the lines that it uses */
    memset(far_accesses, 0, sizeof far_accesses);
    double before = clock_mean();
    turns(each * count, true);
    double ns = (clock_mean() - before) / ((double)each / 2);
    for (uint32_t i = 0; i < LINES; i++)
        free(lines[i].seen);
    memset(lines, 0, sizeof lines);
    for (unsigned i = 0; i < count; i++)
        free(cpus[i].stack);
    free(cpus);
    free(rings);
    free(places);
    munmap(range, size);
    return ns;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        bool (*life)(cpu *);
        unsigned first;
    } workloads[] = { { "steady", steady, 1 }, { "batch", batch, 1 }, { "pipe", pipe, 2 }, { "mix", mix, 1 } };
    static const unsigned counts[] = { 1, 2, 16, 64, 256, 1024 };
    const char *only = argc > 3 ? argv[3] : NULL;
    unsigned most = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : KA_PORT_MAX_CPUS;
    uint64_t calls = 4000;
    if (argc > 1)
        block_size = strtoul(argv[1], NULL, 10);
    if (argc > 2)
        calls = strtoul(argv[2], NULL, 10);
    printf("| workload | CPUs |");
    for (unsigned k = 0; k < KINDS; k++)
        printf(" %s |", kind_names[k]);
    printf(" ns a pair | to %s |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n", "one CPU");
    for (unsigned w = 0; w < sizeof workloads / sizeof *workloads; w++) {
        double alone = 0;
        for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
            if (counts[i] < workloads[w].first || counts[i] > most ||
                (only != NULL && strcmp(only, workloads[w].name) != 0))
                continue;
            double ns = simulate(workloads[w].life, counts[i], calls);
            if (alone == 0)
                alone = ns;
            printf("| %s | %u |", workloads[w].name, counts[i]);
            for (unsigned k = 0; k < KINDS; k++)
                printf(" %.2f |", (double)far_accesses[k] * 1000 / ((double)calls * counts[i] / 2));
            printf(" %.1f | %.1f |\n", ns, ns / alone);
            fflush(stdout);
        }
    }
    return 0;
}
