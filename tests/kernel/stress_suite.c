/* stress_suite.c: all CPUs allocate and free at once, and so do timer interrupts and NMIs on each of them.
 *
 * On a CPU there are three actors: the code that runs, the timer's interrupt and the NMI, which may land inside of each
 * other at any instruction. Each takes blocks, stamps them, keeps them for a while, and then frees them or lays them on
 * a board in exchange for somebody else's, which it frees. A block that two got would lose a stamp; one that got lost
 * is missing in the counts at the end.
 *
 * The interesting moment is an interrupt inside the few instructions where a CPU's magazines are busy. It is counted,
 * and a run that never met it fails. QEMU takes interrupts between translated blocks only, so it must be told to make
 * them one instruction long.
 *
 * Words of the command line: steps=N, of each CPU's first actor (20K).
 */
#include "kernel_suites.h"

#include <ka_port.h>

#include "heap/fast.h"
#include "ports/bare/boot.h"
#include "ports/bare/cpus.h"
#include "ports/bare/heap.h"

enum { HELD = 48, BOARD = 64, STRIDE = 512, TICKS = 20000, NMI_EVERY = 32 };

/* At the start of a block; `mark` stands also at each STRIDE, and at its end. */
typedef struct stamp {
    uint64_t owner, size, mark;
} stamp;

typedef struct actor {
    kit_random random;
    ka_flags flags;
    unsigned number;
    stamp *held[HELD];
    uint64_t allocs, frees, refusals, damaged;
} actor;

typedef struct stress_cpu {
    actor task, timer, nmi;
    uint64_t timers, nmis, timers_in_busy, nmis_in_busy, sent;
} stress_cpu;

static stress_cpu cpus[KA_ARCH_MAX_CPUS];
static uintptr_t board[BOARD];
static size_t steps = 20 << 10;
static uint32_t stopped;

/* ---- stamps ---- */

static uint64_t mark_of(const stamp *block)
{
    return (uintptr_t)block * UINT64_C(0x9e3779b97f4a7c15) ^ block->owner << 40 ^ block->size;
}

static uint64_t *mark_at(stamp *block, size_t offset)
{
    return (uint64_t *)(void *)((char *)block + offset);
}

static void stamp_set(stamp *block, size_t size, unsigned owner)
{
    block->owner = owner;
    block->size = size;
    block->mark = mark_of(block);
    for (size_t at = STRIDE; at + 8 <= size; at += STRIDE)
        *mark_at(block, at) = block->mark;
    *mark_at(block, size - 8) = block->mark;
}

static bool stamp_good(stamp *block)
{
    bool good = block->mark == mark_of(block) && *mark_at(block, block->size - 8) == block->mark;
    for (size_t at = STRIDE; good && at + 8 <= block->size; at += STRIDE)
        good = *mark_at(block, at) == block->mark;
    return good;
}

/* ---- an actor ---- */

/* Multiples of 16 from 32 on; runs of pages now and then. */
static size_t random_size(kit_random *random)
{
    switch (kit_below(random, 128)) {
    case 0:
        return ((size_t)kit_below(random, 24) + 9) << KA_PORT_PAGE_SHIFT;
    case 1:
    case 2:
        return ((size_t)kit_below(random, 500) + 2) * 16;
    default:
        return ((size_t)kit_below(random, 16) + 2) * 16;
    }
}

static void actor_free(actor *a, stamp *block)
{
    if (block == NULL)
        return;
    if (!stamp_good(block)) {
        a->damaged++;
        return;
    }
    size_t size = block->size;
    block->mark = 0;
    a->frees++;
    ka_free(ka_kernel, block, size, 16);
}

static stamp *actor_alloc(actor *a)
{
    size_t size = random_size(&a->random);
    stamp *block = ka_alloc(ka_kernel, size, 16, a->flags);
    if (block == NULL) {
        a->refusals++;
        return NULL;
    }
    a->allocs++;
    stamp_set(block, size, a->number);
    return block;
}

static void actor_step(actor *a)
{
    stamp **held = &a->held[kit_below(&a->random, HELD)];
    if (*held == NULL) {
        *held = actor_alloc(a);
    } else if (kit_below(&a->random, 4) == 0) {
        if (!stamp_good(*held))
            a->damaged++;
        uintptr_t *place = &board[kit_below(&a->random, BOARD)];
        actor_free(a, (stamp *)ka_exchange_ptr(place, (uintptr_t)*held));
        *held = NULL;
    } else {
        actor_free(a, *held);
        *held = NULL;
    }
}

/* ---- the three on a CPU ---- */

static bool magazines_are_busy(void)
{
    const ka_magazines *m = ka_heap_magazines(&bare_heap);
    return m != &ka_no_magazines && ka_load_relaxed_32(&m->busy) != 0;
}

static void on_timer(void)
{
    stress_cpu *cpu = &cpus[ka_arch_cpu()];
    if (ka_load_relaxed_32(&stopped) != 0)
        return;
    cpu->timers++;
    cpu->timers_in_busy += magazines_are_busy();
    actor_step(&cpu->timer);
    actor_step(&cpu->timer);
    ka_arch_timer_arm(TICKS / 2 + (uint32_t)kit_below(&cpu->timer.random, TICKS)); /* last: the task must get on */
}

static void on_nmi(void)
{
    stress_cpu *cpu = &cpus[ka_arch_cpu()];
    if (ka_load_relaxed_32(&stopped) != 0)
        return;
    cpu->nmis++;
    cpu->nmis_in_busy += magazines_are_busy();
    actor_step(&cpu->nmi);
    actor_step(&cpu->nmi);
}

static void live(void *context)
{
    (void)context;
    stress_cpu *cpu = &cpus[ka_arch_cpu()];
    ka_arch_interrupts_enable();
    ka_arch_timer_arm(TICKS);
    for (size_t i = 0; i < steps; i++) {
        actor_step(&cpu->task);
        if (i % NMI_EVERY == 0)
            cpu->sent += ka_arch_nmi_send((unsigned)kit_below(&cpu->task.random, bare_cpu_count()));
        if (i % 4096 == 4095)
            (void)ka_heap_trim(&bare_heap, (size_t)256 << 10);
    }
    ka_arch_timer_arm(0);
    ka_arch_interrupts_disable();
}

static void actor_end(actor *a)
{
    for (unsigned i = 0; i < HELD; i++) {
        actor_free(a, a->held[i]);
        a->held[i] = NULL;
    }
}

static void die(void *context)
{
    (void)context;
    stress_cpu *cpu = &cpus[ka_arch_cpu()];
    actor_end(&cpu->task);
    actor_end(&cpu->timer);
    actor_end(&cpu->nmi);
    for (unsigned i = ka_arch_cpu(); i < BOARD; i += bare_cpu_count())
        actor_free(&cpu->task, (stamp *)ka_exchange_ptr(&board[i], 0));
    ka_heap_flush(&bare_heap);
}

/* ---- the whole ---- */

static void actor_begin(actor *a, unsigned number, ka_flags flags)
{
    *a = (actor){ .random = { number + 1 }, .flags = flags, .number = number };
}

static void begin(void)
{
    for (unsigned i = 0; i < bare_cpu_count(); i++) {
        cpus[i] = (stress_cpu){ 0 };
        actor_begin(&cpus[i].task, i * 3, 0);
        actor_begin(&cpus[i].timer, i * 3 + 1, KA_ATOMIC);
        actor_begin(&cpus[i].nmi, i * 3 + 2, KA_ANY_CONTEXT);
    }
    bare_timer_handler = on_timer;
    bare_nmi_handler = on_nmi;
}

static void actor_sum(actor *sum, const actor *a)
{
    sum->allocs += a->allocs;
    sum->frees += a->frees;
    sum->refusals += a->refusals;
    sum->damaged += a->damaged;
}

static void sum_up(actor *sum, stress_cpu *interrupts)
{
    for (unsigned i = 0; i < bare_cpu_count(); i++) {
        const stress_cpu *cpu = &cpus[i];
        actor_sum(&sum[0], &cpu->task);
        actor_sum(&sum[1], &cpu->timer);
        actor_sum(&sum[2], &cpu->nmi);
        interrupts->timers += cpu->timers;
        interrupts->timers_in_busy += cpu->timers_in_busy;
        interrupts->nmis += cpu->nmis;
        interrupts->nmis_in_busy += cpu->nmis_in_busy;
        interrupts->sent += cpu->sent;
    }
}

static void note_actor(const char *name, const actor *a)
{
    kit_note("%-10s %llu allocs, %llu frees, %llu refused, %llu damaged", name, (unsigned long long)a->allocs,
             (unsigned long long)a->frees, (unsigned long long)a->refusals, (unsigned long long)a->damaged);
}

static void stress(void)
{
    static actor sum[3];
    static stress_cpu interrupts;
    KIT_CHECK(bare_option_size("steps", &steps));
    size_t live_before = ka_get_stats(ka_kernel).live;
    begin();
    bare_cpus_run(live, NULL);
    ka_store_release_32(&stopped, 1);
    bare_cpus_run(die, NULL);
    bare_timer_handler = bare_nmi_handler = NULL;
    sum_up(sum, &interrupts);
    note_actor("tasks", &sum[0]);
    note_actor("timers", &sum[1]);
    note_actor("NMIs", &sum[2]);
    kit_note("%u CPUs; %llu timer interrupts, %llu inside the busy window; %llu NMIs of %llu sent, %llu inside",
             bare_cpu_count(), (unsigned long long)interrupts.timers, (unsigned long long)interrupts.timers_in_busy,
             (unsigned long long)interrupts.nmis, (unsigned long long)interrupts.sent,
             (unsigned long long)interrupts.nmis_in_busy);
    KIT_EXPECT(sum[0].damaged + sum[1].damaged + sum[2].damaged == 0);
    KIT_EXPECT(sum[0].allocs + sum[1].allocs + sum[2].allocs == sum[0].frees + sum[1].frees + sum[2].frees);
    KIT_EXPECT(sum[0].allocs > 0 && sum[1].allocs > 0 && (interrupts.sent == 0 || sum[2].allocs > 0));
    KIT_EXPECT(interrupts.timers_in_busy > 0 && (interrupts.sent == 0 || interrupts.nmis_in_busy > 0));
    KIT_EXPECT(ka_get_stats(ka_kernel).live == live_before);
    KIT_CHECK_SOUND(ka_check(ka_kernel));
}

static const kit_case cases[] = { { "tasks, timer interrupts and NMIs on all CPUs", stress } };

const kit_suite stress_suite = { "stress", cases, KIT_COUNT(cases) };
