/* main.c of the demo kernel: the book's steps, then, if the loader brought a file, a replay of it. */
#include <ka/global.h>

#include "ports/bare/console.h"
#include "ports/bare/frames.h"
#include "ports/bare/region.h"
#include "ports/bare/start.h"
#include "show.h"
#include "steps.h"

KA_GLOBAL_ALLOCATOR(bare_region);

static void print_machine(void)
{
    bare_region_info info = bare_region_get_info();
    show_heading("kernel-alloc on bare metal");
    bare_print("  memory   %zu frames of 4 KiB, %zu of them free\n", bare_frames_total(), bare_frames_free());
    bare_print("  heap     %zu KiB at 0x%llx, growing on demand to %zu KiB\n", info.mapped >> 10,
               (unsigned long long)BARE_REGION_BASE, info.limit >> 10);
}

int kernel_main(void)
{
    print_machine();
    if (!steps_of_the_book()) {
        bare_print("\nThe demo has failed.\n");
        return 1;
    }
    if (bare_boot.modules.count > 0 && !replay_trace(bare_boot.modules.at[0])) {
        bare_print("\nThe replay has failed.\n");
        return 1;
    }
    bare_print("\n");
    return 0;
}
