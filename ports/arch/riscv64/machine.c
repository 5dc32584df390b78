/* machine.c: QEMU's machine "virt": the serial port (a 16550 in memory); timer, calls, other CPUs and the flushing of
 * pages on all of them by the firmware's SBI, which answers also where interrupts of the supervisor are off. */
#include <ka_arch.h>

#include <ka/handler.h>
#include <ka_port.h>

#include "base/assert.h"
#include "cpu.h"
#include "ports/arch/virt/virt.h"
#include "ports/bare/cpus.h"

#define UART       UINT64_C(0x10000000)
#define SBI_TIME   UINT64_C(0x54494d45)
#define SBI_IPI    UINT64_C(0x735049)
#define SBI_FENCE  UINT64_C(0x52464e43)
#define SBI_HART   UINT64_C(0x48534d)
#define NEVER      UINT64_MAX
#define ALL_HARTS  UINT64_MAX
#define TICK_NANOS 100u /* the clock runs at 10 MHz */

enum { HART_START = 0, HART_STATUS = 2, FENCE_PAGES = 1 };
enum { UART_LINE = 5, UART_ROOM = 0x20 };
enum { INTERRUPT_CALL = 1, INTERRUPT_TIMER = 5 };

extern const char ka_cpu_entry[], ka_trap[];

static uint64_t harts[KA_ARCH_MAX_CPUS]; /* the firmware's numbers, by CPU number */
static unsigned cpu_count = 1;

static volatile uint8_t *uart(unsigned at)
{
    return (volatile uint8_t *)(uintptr_t)(UART + at);
}

/* ---- serial port ---- */

void ka_arch_console_start(void)
{
    /* The firmware has used it already. */
}

void ka_arch_console_put(char byte)
{
    while ((*uart(UART_LINE) & UART_ROOM) == 0)
        ka_arch_relax();
    *uart(0) = (uint8_t)byte;
}

/* ---- interrupts ---- */

void ka_cpu_begin(unsigned number)
{
    uintptr_t value = number;
    ka_arch_timer_arm(0);
    __asm__ volatile("mv tp, %0\n\tcsrw stvec, %1\n\tcsrw sie, %2"
                     :
                     : "r"(value), "r"(ka_trap), "r"(UINT64_C(1) << INTERRUPT_CALL | UINT64_C(1) << INTERRUPT_TIMER)
                     : "memory");
}

void ka_interrupt(uint64_t cause)
{
    if (cause == INTERRUPT_TIMER) {
        ka_arch_timer_arm(0);
        bare_on_timer();
    } else if (cause == INTERRUPT_CALL) {
        __asm__ volatile("csrci sip, 2" : : : "memory");
        bare_on_call();
    }
}

void ka_arch_call_send(unsigned number)
{
    ka_fence();
    (void)ka_firmware(SBI_IPI, 0, 1, harts[number], 0, 0);
}

bool ka_arch_nmi_send(unsigned number)
{
    (void)number;
    return false;
}

void ka_arch_timer_arm(uint32_t ticks)
{
    uint64_t now;
    __asm__ volatile("rdtime %0" : "=r"(now));
    (void)ka_firmware(SBI_TIME, 0, ticks == 0 ? NEVER : now + ticks / TICK_NANOS, 0, 0, 0);
}

/* ---- CPUs ---- */

/* The firmware starts the kernel on any of them. */
void ka_cpus_find(uintptr_t id)
{
    harts[0] = id;
    for (uint64_t hart = 0; cpu_count < KA_ARCH_MAX_CPUS; hart++) {
        if (hart == id)
            continue;
        if (ka_firmware(SBI_HART, HART_STATUS, hart, 0, 0, 0).error != 0)
            return;
        harts[cpu_count++] = hart;
    }
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
    ka_firmware_result result =
        ka_firmware(SBI_HART, HART_START, harts[number], (uintptr_t)ka_cpu_entry, (uintptr_t)ka_arch_root(), 0);
    KA_ASSERT(result.error == 0);
}

void ka_arch_cpu_run(unsigned number)
{
    ka_cpu_begin(number);
    bare_cpu_main(number);
}

/* ---- pages ---- */

void ka_arch_flush_everywhere(uintptr_t base, size_t pages)
{
    bool all = pages >= SIZE_MAX >> KA_ARCH_PAGE_SHIFT;
    ka_fence();
    ka_firmware_result result = ka_firmware(SBI_FENCE, FENCE_PAGES, 0, ALL_HARTS, all ? 0 : base,
                                            all ? UINT64_MAX : pages << KA_ARCH_PAGE_SHIFT);
    KA_ASSERT(result.error == 0);
}

/* The one of Zkr is the firmware's to allow, and QEMU's does not. */
bool ka_arch_entropy(uint64_t *out)
{
    (void)out;
    return false;
}
