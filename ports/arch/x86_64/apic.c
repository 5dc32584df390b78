/* apic.c: the local APIC of each CPU: its timer, and messages between CPUs (start, call, NMI).
 *
 * Flushing pages everywhere. A CPU that takes a page out of the tables must know that no other CPU still remembers it
 * before the frame is used again. It writes down the range, marks every other CPU as asked, sends each an NMI and waits
 * until all marks are gone. An NMI and not an interrupt: it comes through where interrupts are off, so the asking CPU
 * may wait whatever the others hold or wait for, and no order of locks has to be thought of. Two NMIs may come as one;
 * so the mark, not the message, says what is to be done.
 */
#include <ka_arch.h>

#include <ka/handler.h>
#include <ka_port.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cpu.h"
#include "io.h"
#include "ports/bare/cpus.h"

enum { TRAMPOLINE = 0x8000, MORE_THAN_WORTH_A_LOOP = 64 };
enum {
    APIC_ID = 0x20,
    APIC_TASK_PRIORITY = 0x80,
    APIC_END = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_COMMAND = 0x300,
    APIC_DESTINATION = 0x310,
    APIC_TIMER = 0x320,
    APIC_TIMER_COUNT = 0x380,
    APIC_TIMER_DIVIDE = 0x3e0
};
enum { APIC_ENABLE = 0x100, DIVIDE_BY_1 = 0xb, COMMAND_PENDING = 0x1000 };
enum { COMMAND_FIXED = 0x4000, COMMAND_NMI = 0x4400, COMMAND_INIT = 0x4500, COMMAND_START = 0x4600 };

extern const char ka_trampoline[], ka_trampoline_end[];
extern void *ka_cpu_stack;
extern uint32_t ka_cpu_number;
void *ka_cpu_stack;     /* of the CPU that is being started */
uint32_t ka_cpu_number; /* which it is */

__attribute__((noreturn)) void ka_arch_cpu_run(unsigned number);

static uint8_t apic_ids[KA_ARCH_MAX_CPUS]; /* by CPU number */
static unsigned cpu_count;

static struct {
    ka_port_lock lock; /* one flush at a time */
    uintptr_t base;
    size_t pages;
    uint32_t asked[KA_ARCH_MAX_CPUS];
} flush;

static volatile uint32_t *apic(unsigned at)
{
    return (volatile uint32_t *)(UINT64_C(0xfee00000) + at);
}

static void apic_enable(void)
{
    *apic(APIC_TASK_PRIORITY) = 0;
    *apic(APIC_SPURIOUS) = APIC_ENABLE | KA_VECTOR_SPURIOUS;
    *apic(APIC_TIMER_DIVIDE) = DIVIDE_BY_1;
    *apic(APIC_TIMER) = KA_VECTOR_TIMER; /* once, not again and again */
}

void ka_apic_start(uint64_t rsdp)
{
    uint8_t found[KA_ARCH_MAX_CPUS];
    apic_ids[0] = (uint8_t)(*apic(APIC_ID) >> 24);
    cpu_count = 1;
    size_t count = ka_acpi_cpus(rsdp, found, KA_ARCH_MAX_CPUS);
    for (size_t i = 0; i < count; i++)
        if (found[i] != apic_ids[0] && cpu_count < KA_ARCH_MAX_CPUS)
            apic_ids[cpu_count++] = found[i];
    apic_enable();
}

unsigned ka_apic_cpu_of(uint8_t id)
{
    unsigned number = 0;
    while (number < cpu_count && apic_ids[number] != id)
        number++;
    return number < cpu_count ? number : KA_ARCH_MAX_CPUS;
}

void ka_apic_end(void)
{
    *apic(APIC_END) = 0;
}

unsigned ka_arch_cpu_count(void)
{
    return cpu_count;
}

/* ---- messages ---- */

/* The two registers of a message belong together: no handler on this CPU may come in between. */
static void apic_send(unsigned number, uint32_t command)
{
    uintptr_t flags = ka_arch_interrupts_save();
    while ((*apic(APIC_COMMAND) & COMMAND_PENDING) != 0)
        ka_arch_relax();
    *apic(APIC_DESTINATION) = (uint32_t)apic_ids[number] << 24;
    *apic(APIC_COMMAND) = command;
    ka_arch_interrupts_restore(flags);
}

void ka_arch_call_send(unsigned number)
{
    apic_send(number, COMMAND_FIXED | KA_VECTOR_CALL);
}

bool ka_arch_nmi_send(unsigned number)
{
    apic_send(number, COMMAND_NMI);
    return true;
}

void ka_arch_timer_arm(uint32_t ticks)
{
    *apic(APIC_TIMER_COUNT) = ticks;
}

/* ---- start ---- */

/* A write to the port of the firmware's progress codes takes about a microsecond and does nothing. */
static void wait_microseconds(unsigned count)
{
    while (count-- > 0)
        io_out_8(0x80, 0);
}

void ka_arch_cpu_start(unsigned number, void *stack_end)
{
    KA_ASSERT(number > 0 && number < cpu_count);
    ka_copy((void *)(uintptr_t)TRAMPOLINE, ka_trampoline, (size_t)(ka_trampoline_end - ka_trampoline));
    ka_cpu_stack = stack_end;
    ka_cpu_number = number;
    ka_fence();
    apic_send(number, COMMAND_INIT);
    wait_microseconds(10000);
    for (unsigned i = 0; i < 2; i++) { /* the second is for CPUs that miss the first; others do not care */
        apic_send(number, COMMAND_START | TRAMPOLINE >> 12);
        wait_microseconds(200);
    }
}

/* Called on the new CPU's own stack. */
void ka_arch_cpu_run(unsigned number)
{
    ka_cpu_begin(number);
    apic_enable();
    bare_cpu_main(number);
}

/* ---- pages ---- */

static void flush_here(uintptr_t base, size_t pages)
{
    if (pages > MORE_THAN_WORTH_A_LOOP) {
        uint64_t root = (uintptr_t)ka_arch_root();
        __asm__ volatile("movq %0, %%cr3" : : "r"(root) : "memory");
        return;
    }
    for (size_t i = 0; i < pages; i++)
        ka_arch_flush_page(base + (i << KA_ARCH_PAGE_SHIFT));
}

void ka_apic_flush_serve(void)
{
    uint32_t *asked = &flush.asked[ka_arch_cpu()];
    if (ka_load_acquire_32(asked) == 0)
        return;
    flush_here(flush.base, flush.pages);
    ka_store_release_32(asked, 0);
}

void ka_arch_flush_everywhere(uintptr_t base, size_t pages)
{
    ka_port_lock_state state = ka_port_lock_take(&flush.lock);
    flush.base = base;
    flush.pages = pages;
    for (unsigned i = 0; i < cpu_count; i++)
        if (i != ka_arch_cpu() && bare_cpu_is_online(i)) {
            ka_store_release_32(&flush.asked[i], 1);
            (void)ka_arch_nmi_send(i);
        }
    flush_here(base, pages);
    for (unsigned i = 0; i < cpu_count; i++)
        while (ka_load_acquire_32(&flush.asked[i]) != 0)
            ka_arch_relax();
    ka_port_lock_give(&flush.lock, state);
}
