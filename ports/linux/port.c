/* ports/linux/port.c: the cold half of the Linux port, and the module kernel_alloc.ko. */
#include <linux/bug.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/random.h>
#include <linux/topology.h>

#include <ka/handler.h>
#include <ka/hash.h>

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

static int __init start(void)
{
    ka_linux_physical_start();
    return ka_linux_heaps_start();
}

static void __exit end(void)
{
    ka_linux_heaps_end();
    ka_linux_physical_end();
}

module_init(start);
module_exit(end);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_AUTHOR("The kernel-alloc authors");
MODULE_DESCRIPTION("One allocator interface, a heap for any context, and owners");
MODULE_VERSION("0.1.0");
