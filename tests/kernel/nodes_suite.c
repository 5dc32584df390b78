/* nodes_suite.c: a machine of two nodes with two CPUs and half of the memory each: tests/kernel/nodes_test.sh. */
#include "kernel_suites.h"

#include <ka/kernel.h>
#include <ka/physical.h>
#include <ka_port.h>

#include "base/atomic.h"
#include "ports/bare/boot.h"
#include "ports/bare/cpus.h"
#include "ports/bare/frames.h"

#define PAGE ((size_t)1 << KA_PORT_PAGE_SHIFT)

enum { NODES = 2, CPUS = 4, FRAMES = 300 };

/* As the firmware says, not as the engine does. */
static unsigned node_of(uint64_t frame)
{
    for (size_t i = 0; i < bare_boot.nodes.count; i++)
        if (frame * PAGE - bare_boot.nodes.at[i].base < bare_boot.nodes.at[i].size)
            return bare_boot.node_of[i];
    return 0;
}

static void firmware(void)
{
    KIT_CHECK(bare_cpu_count() == CPUS && bare_boot.nodes.count >= NODES);
    for (unsigned i = 0; i < CPUS; i++)
        KIT_EXPECT(bare_cpu_node(i) == i / (CPUS / NODES));
    uint64_t frames[NODES] = { 0 };
    for (unsigned i = 0; i < bare_frame_engine.zone_count; i++) {
        const ka_frame_zone *zone = &bare_frame_engine.zones[i];
        KIT_CHECK(zone->node < NODES);
        KIT_EXPECT(zone->node == node_of(zone->first) && zone->node == node_of(zone->end - 1));
        frames[zone->node] += zone->end - zone->first;
    }
    kit_note("%llu frames on node 0, %llu on node 1", (unsigned long long)frames[0], (unsigned long long)frames[1]);
    KIT_EXPECT(frames[0] > 10000 && frames[1] > 10000);
}

/* Of each CPU: how many of its frames were of another node. */
static uint32_t strangers[CPUS];

static void take_near(void *context)
{
    (void)context;
    unsigned self = ka_port_slot() - 1;
    bare_frame taken[FRAMES];
    for (unsigned i = 0; i < FRAMES; i++) {
        taken[i] = bare_frame_take();
        strangers[self] += taken[i].number == 0 || node_of(taken[i].number) != bare_cpu_node(self);
    }
    for (unsigned i = 0; i < FRAMES; i++)
        bare_frames_give(taken[i], 1);
    bare_frames_flush();
}

static void each_cpu_takes_of_its_node(void)
{
    bare_cpus_run(take_near, NULL);
    for (unsigned i = 0; i < CPUS; i++)
        KIT_EXPECT(strangers[i] == 0);
}

/* Takes pages of an instance until it refuses, chained; gives them back. How many were of its node. */
static size_t drain(ka_physical_allocator *p, unsigned node, size_t *of_node)
{
    void *list = NULL, *page;
    size_t count = 0;
    for (*of_node = 0; (page = ka_alloc(&p->allocator, PAGE, PAGE, 0)) != NULL; count++) {
        *of_node += node_of((uintptr_t)page / PAGE) == node;
        *(void **)page = list;
        list = page;
    }
    KIT_EXPECT(ka_physical_last_error(&p->allocator) == KA_PHYSICAL_NO_MEMORY);
    for (; list != NULL; list = page) {
        page = *(void **)list;
        ka_free(&p->allocator, list, PAGE, PAGE);
    }
    return count;
}

/* Exact: to the node's last frame and no other. Else: the node's first, and then the others'. */
static void a_full_node(void)
{
    size_t before = bare_frames_free();
    for (unsigned node = 0; node < NODES; node++) {
        ka_physical_allocator exact, near;
        KIT_CHECK(ka_physical_init(&exact, &(ka_physical_limits){ .node = node, .exact = true }) == KA_PHYSICAL_OK);
        KIT_CHECK(ka_physical_init(&near, &(ka_physical_limits){ .node = node }) == KA_PHYSICAL_OK);
        size_t of_node, of_node_then, count = drain(&exact, node, &of_node), all = drain(&near, node, &of_node_then);
        KIT_EXPECT(count == of_node && count > 9000 && of_node_then == of_node && all > count + 9000);
        KIT_EXPECT(ka_physical_fini(&exact) == 0 && ka_physical_fini(&near) == 0);
    }
    KIT_EXPECT(bare_frames_free() == before);
}

static const kit_case cases[] = {
    { "what the firmware says", firmware },
    { "each CPU takes frames of its node", each_cpu_takes_of_its_node },
    { "a full node", a_full_node },
};

const kit_suite nodes_suite = { "nodes", cases, KIT_COUNT(cases) };
