/* ports/linux/port.c: the cold half of the Linux port, and the module kernel_alloc.ko. */
#include <linux/bug.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/panic.h>
#include <linux/printk.h>
#include <linux/random.h>
#include <linux/topology.h>

#include <ka/handler.h>
#include <ka/hash.h>

#include "ka_trace.h"
#include "kernel_allocators.h"
#include "ports/contract.h"

void ka_port_log(const char *line, size_t length)
{
    pr_warn("kernel_alloc: %.*s\n", (int)length, line);
}

void ka_port_panic(const char *message, const char *file, unsigned line)
{
    pr_emerg("kernel_alloc: panic: %s (%s:%u)\n", message, file, line);
    BUG();
}

bool ka_port_entropy(void *context, void *out, size_t size)
{
    (void)context;
    get_random_bytes(out, size);
    return true;
}

/* The nearest node with memory. */
unsigned ka_port_node(void)
{
    return (unsigned)cpu_to_mem(raw_smp_processor_id());
}

struct ka_linux_parameters ka_linux_parameters = { .leak_reports = 1 };

module_param_named(hardened, ka_linux_parameters.hardened, bool, 0644);
MODULE_PARM_DESC(hardened, "heaps made from now on report every misuse at once, clear and delay what is freed (N)");
module_param_named(panic_on_misuse, ka_linux_parameters.panic_on_misuse, bool, 0644);
MODULE_PARM_DESC(panic_on_misuse, "panic at the first misuse that is not a leak (N)");
module_param_named(leak_reports, ka_linux_parameters.leak_reports, uint, 0644);
MODULE_PARM_DESC(leak_reports, "what is said of leaks: 0 nothing, 1 their sum, 2 each block (1)");
module_param_named(heap_limit_mib, ka_linux_parameters.heap_limit_mib, ulong, 0644);
MODULE_PARM_DESC(heap_limit_mib, "no heap made from now on has more, MiB; 0: as its owner says (0)");
module_param_named(keep_kib, ka_linux_parameters.keep_kib, ulong, 0644);
MODULE_PARM_DESC(keep_kib, "free memory that each heap keeps under memory pressure, KiB (0)");

void ka_linux_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                     const void *site)
{
    (void)context;
    trace_ka_misuse(ka_misuse_name(kind), allocator->ops->name, block, size, site);
    if (kind == KA_MISUSE_LEAK && READ_ONCE(ka_linux_parameters.leak_reports) < (block == NULL ? 1 : 2))
        return;
    pr_warn("kernel_alloc: %s: %s: block %p, %zu bytes, called from %pS\n", allocator->ops->name, ka_misuse_name(kind),
            block, size, site);
    if (kind != KA_MISUSE_LEAK && READ_ONCE(ka_linux_parameters.panic_on_misuse))
        panic("kernel_alloc: misuse, and the parameter panic_on_misuse is set");
}

static int __init start(void)
{
    ka_set_misuse_handler(ka_linux_misuse, NULL);
    ka_linux_physical_start();
    ka_linux_debug_start();
    int error = ka_linux_heaps_start();
    if (error != 0)
        ka_linux_debug_end();
    return error;
}

static void __exit end(void)
{
    ka_linux_heaps_end();
    ka_linux_debug_end();
    ka_linux_physical_end();
}

module_init(start);
module_exit(end);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_AUTHOR("The kernel-alloc authors");
MODULE_DESCRIPTION("One allocator interface, a heap for any context, and owners");
MODULE_VERSION("0.1.0");
