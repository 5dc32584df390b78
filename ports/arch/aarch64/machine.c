/* machine.c: QEMU's machine "virt": the serial port (PL011), the interrupt controller (GICv2), the timer, other CPUs by
 * the firmware's PSCI. */
#include <ka_arch.h>

#include <ka/handler.h>
#include <ka_port.h>

#include "base/assert.h"
#include "cpu.h"
#include "ports/arch/virt/virt.h"
#include "ports/bare/cpus.h"

#define UART              UINT64_C(0x09000000)
#define GIC_DISTRIBUTOR   UINT64_C(0x08000000)
#define GIC_CPU           UINT64_C(0x08010000)
#define PSCI_CPU_ON       UINT64_C(0xc4000003)
#define PSCI_AFFINITY     UINT64_C(0xc4000004)
#define FLUSH_ALL_FROM    64 /* pages: from here on one instruction that forgets all is cheaper */
#define NANOSECONDS_SHIFT 4  /* the counter runs at 62.5 MHz: 16 ns */

enum { UART_DATA = 0, UART_FLAGS = 0x18, UART_FULL = 0x20 };
enum { DISTRIBUTOR_CONTROL = 0, DISTRIBUTOR_ENABLE = 0x100, DISTRIBUTOR_SEND = 0xf00 };
enum { CPU_CONTROL = 0, CPU_PRIORITY = 4, CPU_TAKE = 0xc, CPU_END = 0x10 };
enum { INTERRUPT_CALL = 1, INTERRUPT_TIMER = 27, INTERRUPT_NONE = 1020 };

extern const char ka_cpu_entry[];

static unsigned cpu_count = 1;

static volatile uint32_t *device(uint64_t base, unsigned at)
{
    return (volatile uint32_t *)(uintptr_t)(base + at);
}

/* ---- serial port ---- */

void ka_arch_console_start(void)
{
    /* QEMU's is ready. */
}

void ka_arch_console_put(char byte)
{
    while ((*device(UART, UART_FLAGS) & UART_FULL) != 0)
        ka_arch_relax();
    *device(UART, UART_DATA) = (uint8_t)byte;
}

/* ---- interrupts ---- */

void ka_cpu_begin(unsigned number)
{
    uintptr_t value = number;
    __asm__ volatile("msr tpidr_el1, %0" : : "r"(value));
    ka_exceptions_load();
    *device(GIC_DISTRIBUTOR, DISTRIBUTOR_CONTROL) = 1;
    *device(GIC_DISTRIBUTOR, DISTRIBUTOR_ENABLE) = 1u << INTERRUPT_TIMER | 1u << INTERRUPT_CALL;
    *device(GIC_CPU, CPU_PRIORITY) = 0xff;
    *device(GIC_CPU, CPU_CONTROL) = 1;
}

void ka_interrupt(void)
{
    uint32_t taken = *device(GIC_CPU, CPU_TAKE), number = taken & 1023;
    if (number >= INTERRUPT_NONE)
        return;
    if (number == INTERRUPT_TIMER)
        ka_arch_timer_arm(0); /* it stays raised until then */
    *device(GIC_CPU, CPU_END) = taken;
    if (number == INTERRUPT_TIMER)
        bare_on_timer();
    else if (number == INTERRUPT_CALL)
        bare_on_call();
}

void ka_arch_call_send(unsigned number)
{
    ka_fence();
    *device(GIC_DISTRIBUTOR, DISTRIBUTOR_SEND) = 1u << (16 + number) | INTERRUPT_CALL;
}

bool ka_arch_nmi_send(unsigned number)
{
    (void)number;
    return false;
}

void ka_arch_timer_arm(uint32_t ticks)
{
    uint64_t count = ticks >> NANOSECONDS_SHIFT, on = ticks != 0;
    __asm__ volatile("msr cntv_tval_el0, %0\n\tmsr cntv_ctl_el0, %1\n\tisb" : : "r"(count), "r"(on) : "memory");
}

/* ---- CPUs ---- */

/* CPU n has affinity n here; the firmware knows which there are. */
void ka_cpus_find(uintptr_t id)
{
    (void)id;
    while (cpu_count < KA_ARCH_MAX_CPUS && ka_firmware(PSCI_AFFINITY, cpu_count, 0, 0) >= 0)
        cpu_count++;
}

unsigned ka_arch_cpu_count(void)
{
    return cpu_count;
}

void ka_arch_cpu_start(unsigned number, void *stack_end)
{
    ka_cpu_stack = (uintptr_t)stack_end;
    ka_cpu_number = number;
    ka_fence();
    int64_t result = ka_firmware(PSCI_CPU_ON, number, (uintptr_t)ka_cpu_entry, (uintptr_t)ka_arch_root());
    KA_ASSERT(result == 0);
}

void ka_arch_cpu_run(unsigned number)
{
    ka_cpu_begin(number);
    bare_cpu_main(number);
}

/* ---- pages: the instructions reach all CPUs ---- */

void ka_arch_flush_everywhere(uintptr_t base, size_t pages)
{
    if (pages >= FLUSH_ALL_FROM) {
        __asm__ volatile("dsb ishst\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" : : : "memory");
        return;
    }
    for (size_t i = 0; i < pages; i++)
        ka_arch_flush_page(base + (i << KA_ARCH_PAGE_SHIFT));
}

/* FEAT_RNG. */
bool ka_arch_entropy(uint64_t *out)
{
    uint64_t features, ok;
    __asm__("mrs %0, id_aa64isar0_el1" : "=r"(features));
    if (features >> 60 == 0)
        return false;
    __asm__ volatile("mrs %0, s3_3_c2_c4_0\n\tcset %1, ne" : "=r"(*out), "=r"(ok) : : "cc"); /* RNDR */
    return ok != 0;
}
