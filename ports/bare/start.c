/* start.c: see start.h. */
#include "ports/bare/start.h"

#include <ka/handler.h>
#include <ka_port.h>

#include "ports/bare/boot.h"
#include "ports/bare/cpus.h"
#include "ports/bare/frames.h"
#include "ports/bare/heap.h"
#include "ports/bare/paging.h"
#include "ports/bare/physical.h"
#include "ports/bare/region.h"

#define DEFAULT_HEAP_MAX ((size_t)1 << 20)

/* Memory below 1 MiB is left to the firmware and to what starts other CPUs. */
#define LOW_MEMORY_END ((uint64_t)1 << 20)

static void start_frames(void)
{
    for (size_t i = 0; i < bare_boot.memory.count; i++)
        bare_frames_add(bare_boot.memory.at[i].base, bare_boot.memory.at[i].size);
    for (size_t i = 0; i < bare_boot.nodes.count; i++)
        bare_frames_set_node(bare_boot.nodes.at[i].base, bare_boot.nodes.at[i].size, bare_boot.node_of[i]);
    bare_frames_reserve(0, LOW_MEMORY_END);
    for (size_t i = 0; i < bare_boot.kept.count; i++)
        bare_frames_reserve(bare_boot.kept.at[i].base, bare_boot.kept.at[i].size);
    bare_frames_reserve(bare_boot.image.base, bare_boot.image.size);
    for (size_t i = 0; i < bare_boot.modules.count; i++)
        bare_frames_reserve(bare_boot.modules.at[i].base, bare_boot.modules.at[i].size);
    bare_frames_start();
    bare_physical_start();
}

void bare_start(void)
{
    size_t heap_max = DEFAULT_HEAP_MAX;
    start_frames();
    bare_paging_protect_image();
    if (!bare_option_size("heap_max", &heap_max))
        ka_port_panic("heap_max= on the command line is not a size such as 512K or 4M", __FILE__, __LINE__);
    bare_map_result result = bare_region_start(heap_max);
    if (result != BARE_MAP_OK)
        ka_port_panic(bare_map_result_name(result), __FILE__, __LINE__);
    if (!bare_heap_start())
        ka_port_panic("no memory for the kernel's heap", __FILE__, __LINE__);
    bare_cpus_start();
    ka_arch_exit((unsigned)kernel_main());
}
