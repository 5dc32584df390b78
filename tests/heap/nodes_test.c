/* nodes_test.c: a machine of four nodes, simulated: the port says on which one a thread runs, and a page source gives
 * so many pages of each node and knows whose they are.
 */
#include "heap_fixture.h"

#include <pthread.h>

#include <ka/user.h>

#include "base/math.h"
#include "heap_inside.h"
#include "heap_model.h"

#define MIB       ((size_t)1 << 20)
#define NODES     4u
#define SEGMENT   21u
#define MANY      2000u
#define NO_MEMORY UINT8_MAX

static ka_heap heap;

/* ---- the machine ---- */

static __thread unsigned here;

static unsigned node_here(void)
{
    return here;
}

static struct {
    char *base;
    uint8_t node[FIXTURE_MAX_PAGES]; /* of each page; NO_MEMORY: it has none */
    size_t left[NODES];              /* pages */
    size_t size, next;               /* of the range; where the next scattered segment begins */
    unsigned long faults;
    uint32_t lock;
} machine;

static void machine_lock(void)
{
    while (ka_exchange_32(&machine.lock, 1) != 0)
        (void)sched_yield();
}

static void machine_unlock(void)
{
    ka_store_release_32(&machine.lock, 0);
}

static bool pages_give(void *base, size_t size, unsigned node)
{
    size_t first = (size_t)((char *)base - machine.base) / FIXTURE_PAGE, count = size / FIXTURE_PAGE;
    if (node >= NODES || machine.left[node] < count)
        return false;
    for (size_t i = first; i < first + count; i++) {
        machine.faults += machine.node[i] != NO_MEMORY;
        machine.node[i] = (uint8_t)node;
    }
    machine.left[node] -= count;
    return true;
}

static bool machine_commit_on(void *context, void *base, size_t size, unsigned node, bool *zeroed)
{
    (void)context, (void)zeroed;
    machine_lock();
    bool done = pages_give(base, size, node);
    machine_unlock();
    return done;
}

static bool machine_commit(void *context, void *base, size_t size, bool *zeroed)
{
    (void)context, (void)zeroed;
    bool done = false;
    machine_lock();
    for (unsigned node = 0; node < NODES && !done; node++)
        done = pages_give(base, size, node);
    machine_unlock();
    return done;
}

static bool machine_decommit(void *context, void *base, size_t size)
{
    (void)context;
    size_t first = (size_t)((char *)base - machine.base) / FIXTURE_PAGE;
    machine_lock();
    for (size_t i = first; i < first + size / FIXTURE_PAGE; i++) {
        machine.faults += machine.node[i] == NO_MEMORY;
        machine.left[machine.node[i] % NODES]++;
        machine.node[i] = NO_MEMORY;
    }
    machine_unlock();
    memset(base, 0xa5, size);
    return true;
}

static void *machine_reserve(void *context, size_t size, size_t align)
{
    (void)context;
    machine_lock();
    size_t at = ka_round_up(machine.next, align);
    machine.next = at + size;
    machine_unlock();
    return at + size <= machine.size ? machine.base + at : NULL;
}

/* Memory at once. */
static void *machine_reserve_on(void *context, size_t size, size_t align, unsigned node)
{
    if (machine.left[node] < size / FIXTURE_PAGE)
        return NULL;
    char *base = machine_reserve(context, size, align);
    return base != NULL && machine_commit_on(context, base, size, node, &(bool){ false }) ? base : NULL;
}

static const ka_page_source machine_source = {
    .contexts = KA_NOWAIT,
    .reserve = machine_reserve,
    .commit = machine_commit,
    .commit_on = machine_commit_on,
    .decommit = machine_decommit,
};

static bool machine_open(size_t size, size_t each)
{
    reports_clear();
    memset(&machine, 0, sizeof machine);
    memset(machine.node, NO_MEMORY, sizeof machine.node);
    machine.size = size;
    machine.base = fixture_map(size, (size_t)1 << 22, PROT_READ | PROT_WRITE);
    for (unsigned node = 0; node < NODES; node++)
        machine.left[node] = each / FIXTURE_PAGE;
    here = 0;
    ka_user_simulate_nodes(node_here);
    return machine.base != NULL;
}

static bool open_heap(size_t size, size_t each)
{
    ka_heap_options options = { .source = &machine_source, .size = size, .segment_shift = SEGMENT, .nodes = NODES };
    return machine_open(size, each) && ka_heap_init(&heap, &options);
}

static void close_heap(void)
{
    KIT_CHECK_SOUND(ka_heap_check(&heap));
    KIT_EXPECT(reports.count == 0 && ka_heap_fini(&heap) == 0 && reports.count == 0 && machine.faults == 0);
    ka_user_simulate_nodes(NULL);
    munmap(machine.base, machine.size);
}

/* What the source gave behind the whole block. NODES: of several. */
static unsigned memory_of(const void *block, size_t size)
{
    size_t first = (size_t)((const char *)block - machine.base) / FIXTURE_PAGE;
    size_t last = (size_t)((const char *)block + size - 1 - machine.base) / FIXTURE_PAGE;
    for (size_t i = first; i <= last; i++)
        if (machine.node[i] != machine.node[first])
            return NODES;
    return machine.node[first];
}

static bool lies_on(const void *block, size_t size, unsigned node)
{
    return block != NULL && ka_heap_node_of(&heap, block) == node && memory_of(block, size) == node;
}

static size_t live_on(unsigned node)
{
    ka_heap_node stats;
    ka_heap_node_stats(&heap, node, &stats);
    return stats.live;
}

/* ---- cases ---- */

/* Sizes of blocks and runs. */
static size_t some_size(unsigned i)
{
    return i % 50 == 0 ? 20000 + i * 20 : 16 + i * 37 % 4000;
}

static void near_memory_first(void)
{
    static void *blocks[NODES][MANY];
    KIT_CHECK(open_heap(128 * MIB, 32 * MIB));
    for (unsigned i = 0; i < MANY; i++)
        for (here = 0; here < NODES; here++) {
            ka_heap_flush(&heap); /* a thread that changes its node takes its magazines along */
            blocks[here][i] = ka_heap_alloc(&heap, some_size(i), 16, 0);
            KIT_CHECK(lies_on(blocks[here][i], some_size(i), here));
        }
    KIT_EXPECT(ka_heap_node_of(&heap, &heap) == KA_NO_NODE);
    ka_stats all = ka_get_stats(&heap.allocator);
    size_t total = 0, live = 0;
    for (unsigned node = 0; node <= NODES; node++) {
        ka_heap_node stats;
        ka_heap_node_stats(&heap, node, &stats);
        total += stats.total;
        live += stats.live;
        KIT_EXPECT(stats.away == 0 && stats.live + stats.free == stats.total);
        KIT_EXPECT(node == NODES ? stats.total == 0 : stats.home > MANY / 2 && stats.live > MANY * 1000);
    }
    KIT_EXPECT(total == all.total && live >= all.live && live - all.live < MIB); /* magazines, and what is in them */
    for (unsigned i = 0; i < MANY; i++)
        for (here = 0; here < NODES; here++)
            ka_heap_free(&heap, blocks[(here + 1) % NODES][i], some_size(i), 16);
    ka_heap_flush(&heap);
    size_t rest = 0;
    for (unsigned node = 0; node < NODES; node++)
        rest += live_on(node);
    KIT_EXPECT(rest == inside_bytes(&heap)); /* all is home */
    close_heap();
}

/* A node that is full does not mean NULL, and NULL means that all are. */
static void full_nodes(void)
{
    static void *blocks[4096];
    enum { SIZE = 5000 };
    unsigned on[NODES] = { 0 }, count = 0;
    KIT_CHECK(open_heap(64 * MIB, 3 * MIB));
    here = 2;
    while (count < KIT_COUNT(blocks) && (blocks[count] = ka_heap_alloc(&heap, SIZE, 16, KA_NOWAIT)) != NULL) {
        unsigned node = ka_heap_node_of(&heap, blocks[count]);
        KIT_CHECK(node < NODES);
        KIT_CHECK(node == 2 || machine.left[2] < 16); /* no slab fits there any more */
        on[node]++;
        count++;
    }
    size_t left = 0;
    for (unsigned node = 0; node < NODES; node++) {
        left += machine.left[node];
        KIT_EXPECT(on[node] > 3 * MIB / SIZE * 3 / 4);
    }
    ka_heap_node stats;
    ka_heap_node_stats(&heap, 2, &stats);
    kit_note("%u blocks: %u, %u, %u, %u; %zu pages left; %u refills at home, %u away", count, on[0], on[1], on[2],
             on[3], left, (unsigned)stats.home, (unsigned)stats.away);
    KIT_EXPECT(count < KIT_COUNT(blocks) && left < 16 && stats.home > 0 && stats.away > 0);
    ka_heap_free_many(&heap, SIZE, 16, count, blocks);
    close_heap();
}

/* One segment is one node's; but the heap is as large as it was said to be. */
static void any_memory_at_last(void)
{
    static void *blocks[4096];
    unsigned count = 0, strange = 0;
    ka_heap_options options = {
        .source = &machine_source, .size = 8 * MIB, .segment_shift = 23, .nodes = NODES, .node = 3
    };
    KIT_CHECK(machine_open(8 * MIB, 3 * MIB) && ka_heap_init(&heap, &options));
    while (count < KIT_COUNT(blocks) && (blocks[count] = ka_heap_alloc(&heap, 4990, 16, KA_NOWAIT)) != NULL) {
        KIT_CHECK(ka_heap_node_of(&heap, blocks[count]) == 3);
        strange += memory_of(blocks[count], 4990) != 3;
        KIT_CHECK(strange == 0 || machine.left[3] < 16);
        count++;
    }
    KIT_EXPECT(count * 4990 > 7 * MIB && strange > count / 2);
    ka_heap_free_many(&heap, 4990, 16, count, blocks);
    close_heap();
}

/* A magazine that is full gives the blocks of other nodes back first; their runs are not kept at all. */
static void strangers_go_home(void)
{
    enum { SIZE = 200, COUNT = 16 };
    void *mine[COUNT], *others[COUNT], *run;
    KIT_CHECK(open_heap(128 * MIB, 32 * MIB));
    here = 1;
    KIT_CHECK(ka_heap_alloc_many(&heap, SIZE, 16, 0, COUNT, others) == COUNT);
    KIT_CHECK((run = ka_heap_alloc(&heap, 50000, 16, 0)) != NULL);
    ka_heap_flush(&heap);
    here = 0;
    KIT_CHECK(ka_heap_alloc_many(&heap, SIZE, 16, 0, COUNT, mine) == COUNT);
    ka_heap_flush(&heap);
    ka_magazines *m = inside_magazines(&heap);
    inside in = inside_of(&heap, SIZE);
    KIT_CHECK(inside_length(in) == 0 && inside_capacity(in) >= 2 * COUNT);
    size_t before = live_on(1);
    for (unsigned i = 0; i < COUNT; i++) {
        ka_heap_free(&heap, mine[i], SIZE, 16);
        if (i % 4 != 0)
            ka_heap_free(&heap, others[i], SIZE, 16);
    }
    size_t kept = inside_length(in), strangers = COUNT - COUNT / 4;
    KIT_EXPECT(kept == COUNT + strangers && live_on(1) == before);
    ka_heap_magazine_flush_half(&heap, m, ka_magazine_of_class(ka_class_of(SIZE)), NULL);
    KIT_EXPECT(inside_length(in) <= kept / 2 && inside_length(in) != 0); /* a half, and what shares a word with it */
    KIT_EXPECT(live_on(1) == before - strangers * 208);
    for (void **at = in.bottom; at < *in.top; at++)
        KIT_EXPECT(ka_heap_node_of(&heap, *at) == 0);
    ka_heap_free(&heap, run, 50000, 16);
    KIT_EXPECT(m->parked_pages == 0);
    KIT_CHECK((run = ka_heap_alloc(&heap, 50000, 16, 0)) != NULL && lies_on(run, 50000, 0));
    ka_heap_free(&heap, run, 50000, 16);
    KIT_EXPECT(m->parked_pages != 0);
    for (unsigned i = 0; i < COUNT; i += 4)
        ka_heap_free(&heap, others[i], SIZE, 16);
    close_heap();
}

/* Segments that come one by one come from the node that wants one; claimed ranges are whose they are said to be. */
static void scattered_segments(void)
{
    ka_page_source source = { .reserve = machine_reserve, .reserve_on = machine_reserve_on };
    ka_heap_options options = { .source = &source,
                                .size = 64 * MIB,
                                .segment_shift = SEGMENT,
                                .nodes = NODES,
                                .node = 1,
                                .scattered = true };
    static void *blocks[NODES][8];
    KIT_CHECK(machine_open(128 * MIB, 8 * MIB) && ka_heap_init(&heap, &options));
    for (unsigned i = 0; i < 8; i++)
        for (here = 0; here < NODES; here++) {
            blocks[here][i] = ka_heap_alloc(&heap, 600000, 16, 0);
            KIT_CHECK(lies_on(blocks[here][i], 600000, here)); /* three in each segment */
        }
    here = 3;
    void *more[8];
    size_t got = ka_heap_alloc_many(&heap, 600000, 16, 0, 8, more);
    KIT_EXPECT(got == 8 && lies_on(more[0], 600000, 3) && !lies_on(more[7], 600000, 3));
    ka_heap_free_many(&heap, 600000, 16, got, more);
    for (here = 0; here < NODES; here++)
        ka_heap_free_many(&heap, 600000, 16, 8, blocks[here]);
    close_heap();
}

static void claimed_ranges(void)
{
    KIT_CHECK(machine_open(32 * MIB, 0));
    ka_heap_options options = { .base = machine.base, .size = 4 * MIB, .nodes = 2 };
    KIT_CHECK(ka_heap_init(&heap, &options));
    KIT_EXPECT(!ka_heap_claim_on(&heap, machine.base + 8 * MIB, 4 * MIB, 2));
    KIT_CHECK(ka_heap_claim_on(&heap, machine.base + 8 * MIB, 4 * MIB, 1));
    KIT_CHECK(ka_heap_claim(&heap, machine.base + 16 * MIB, 4 * MIB));
    for (here = 0; here < 2; here++) {
        void *block = ka_heap_alloc(&heap, 3 * MIB, 16, 0);
        KIT_EXPECT(block != NULL && ka_heap_node_of(&heap, block) == here);
        ka_heap_free(&heap, block, 3 * MIB, 16);
    }
    here = 7; /* a node that the heap was not told of */
    void *block = ka_heap_alloc(&heap, 100, 16, 0);
    KIT_EXPECT(block != NULL && ka_heap_node_of(&heap, block) == 0);
    ka_heap_free(&heap, block, 100, 16);
    close_heap();
}

static void bad_options(void)
{
    KIT_CHECK(machine_open(8 * MIB, 8 * MIB));
    ka_heap_options options = { .source = &machine_source, .size = 8 * MIB, .nodes = KA_HEAP_NODES + 1 };
    KIT_EXPECT(!ka_heap_init(&heap, &options));
    options.nodes = 2;
    options.node = 2;
    KIT_EXPECT(!ka_heap_init(&heap, &options));
    options.nodes = 0;
    options.node = 1;
    KIT_EXPECT(!ka_heap_init(&heap, &options));
    munmap(machine.base, machine.size);
    ka_user_simulate_nodes(NULL);
}

/* A thread that wanders between the nodes, without magazines, beside the model: each block is where the thread was,
 * unless that node has no slab's worth of pages left. */
static model m;

static void wanderer(void)
{
    kit_random random = { 5 };
    unsigned strange = 0;
    KIT_CHECK(open_heap(32 * MIB, 3 * MIB / 2));
    model_init(&m, &heap, 200);
    m.scarce = true;
    for (unsigned step = 0; step < 60000; step++) {
        if (step % 64 == 0)
            here = (unsigned)kit_below(&random, NODES);
        size_t at = kit_below(&random, m.count + 1);
        unsigned more = step / 10000 % 2 == 0 ? 56 : 44;
        if (at == m.count || kit_below(&random, 100) < more) {
            size_t count = m.count, size = 1 + kit_below(&random, 8000);
            KIT_CHECK_SOUND(model_alloc(&m, size, 16, KA_NOWAIT, step));
            if (m.count == count)
                continue;
            unsigned node = ka_heap_node_of(&heap, m.blocks[count].address);
            strange += node != here;
            KIT_CHECK(node == here || machine.left[here] < 16);
        } else {
            KIT_CHECK_SOUND(model_free(&m, at, step));
        }
    }
    kit_note("%zu steps, %zu refused, %u blocks of other nodes", m.steps, m.refused, strange);
    KIT_EXPECT(strange > 0);
    KIT_CHECK_SOUND(model_close(&m));
    close_heap();
}

/* Four threads, each on its node, all on the blocks of all: nobody ever refills from elsewhere while there is
 * memory. */
#define POOL 512u
static uintptr_t pool[POOL];
static uint32_t wrong;

static void *resident(void *argument)
{
    here = (unsigned)(uintptr_t)argument;
    kit_random random = { here + 1 };
    for (unsigned step = 0; step < 40000; step++) {
        size_t size = 16 + kit_below(&random, step % 64 == 0 ? 60000 : 1000);
        uint64_t *block = ka_heap_alloc(&heap, size, 16, 0);
        if (block == NULL) {
            ka_fetch_add_32(&wrong, 1);
            continue;
        }
        block[0] = size;
        block[1] = size ^ here;
        uint64_t *old = (uint64_t *)ka_exchange_ptr(&pool[kit_below(&random, POOL)], (uintptr_t)block);
        if (old == NULL)
            continue;
        if ((old[0] ^ old[1]) >= NODES)
            ka_fetch_add_32(&wrong, 1);
        ka_heap_free(&heap, old, old[0], 16);
    }
    ka_heap_flush(&heap);
    return NULL;
}

static void threads_on_nodes(void)
{
    pthread_t threads[NODES];
    wrong = 0;
    KIT_CHECK(open_heap(256 * MIB, 64 * MIB));
    for (uintptr_t node = 0; node < NODES; node++)
        KIT_CHECK(pthread_create(&threads[node], NULL, resident, (void *)node) == 0);
    for (unsigned node = 0; node < NODES; node++)
        pthread_join(threads[node], NULL);
    for (unsigned i = 0; i < POOL; i++) {
        uint64_t *old = (uint64_t *)ka_exchange_ptr(&pool[i], 0);
        if (old != NULL)
            ka_heap_free(&heap, old, old[0], 16);
    }
    for (unsigned slot = 1; slot <= KA_PORT_MAX_CPUS; slot++)
        ka_heap_retire_slot(&heap, slot);
    KIT_EXPECT(wrong == 0);
    for (unsigned node = 0; node < NODES; node++) {
        ka_heap_node stats;
        ka_heap_node_stats(&heap, node, &stats);
        kit_note("node %u: %u refills at home, %u away", node, (unsigned)stats.home, (unsigned)stats.away);
        KIT_EXPECT(stats.live == 0 && stats.away == 0 && stats.home > 0);
    }
    close_heap();
}

int main(void)
{
    static const kit_case cases[] = {
        { "a CPU gets memory of its node", near_memory_first },
        { "a node that is full", full_nodes },
        { "any memory at last", any_memory_at_last },
        { "what is not of this node goes home first", strangers_go_home },
        { "scattered segments", scattered_segments },
        { "claimed ranges", claimed_ranges },
        { "options out of bounds", bad_options },
        { "a thread that wanders, beside the model", wanderer },
        { "threads on nodes", threads_on_nodes },
    };
    return kit_main("nodes", cases, KIT_COUNT(cases));
}
