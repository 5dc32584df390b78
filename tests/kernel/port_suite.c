/* port_suite.c: locks, interrupts, exceptions, and the four mem functions. */
#include "kernel_suites.h"

#include <ka/handler.h>
#include <ka/hash.h>
#include <ka_port.h>

#include "base/mem.h"

/* What a loop of bytes says, for every small size, offset and overlap. */
static void mem_functions(void)
{
    enum { N = 40, ROOM = 96 };
    static unsigned char a[ROOM], b[ROOM];
    for (size_t size = 0; size < N; size++)
        for (size_t from = 0; from < 16; from++)
            for (size_t to = 0; to < 16; to++) {
                kit_stamp(a, ROOM, size);
                for (size_t i = 0; i < ROOM; i++)
                    b[i] = i - to < size ? a[from + i - to] : a[i];
                KIT_CHECK(memmove(a + to, a + from, size) == a + to);
                KIT_CHECK(memcmp(a, b, ROOM) == 0);
                KIT_CHECK(memcpy(b + to + N + 1, a + from, size) == b + to + N + 1);
                for (size_t i = 0; i < size; i++)
                    KIT_CHECK(b[to + N + 1 + i] == a[from + i]);
            }
}

static void mem_set_and_compare(void)
{
    static unsigned char a[64], b[64];
    for (size_t from = 0; from < 16; from++)
        for (size_t size = 0; size < 48; size++) {
            for (size_t i = 0; i < sizeof a; i++) {
                a[i] = (unsigned char)i;
                b[i] = i - from < size ? 0xa5 : (unsigned char)i;
            }
            KIT_CHECK(memset(a + from, 0x1a5, size) == a + from);
            KIT_CHECK(memcmp(a, b, sizeof a) == 0);
        }
    KIT_EXPECT(memcmp("ab\x80", "ab\x01", 3) > 0 && memcmp("aa", "ab", 2) < 0 && memcmp("aa", "ab", 1) == 0);
}

static void lock_turns_interrupts_off(void)
{
    ka_port_lock outer = { 0 }, inner = { 0 };
    KIT_CHECK(!ka_arch_interrupts_on());
    ka_arch_interrupts_enable();
    KIT_EXPECT(ka_arch_interrupts_on());
    ka_port_lock_state first = ka_port_lock_take(&outer);
    KIT_EXPECT(!ka_arch_interrupts_on());
    ka_port_lock_state second = ka_port_lock_take(&inner);
    ka_port_lock_give(&inner, second);
    KIT_EXPECT(!ka_arch_interrupts_on());
    ka_port_lock_give(&outer, first);
    KIT_EXPECT(ka_arch_interrupts_on() && outer.taken == 0 && inner.taken == 0);
    ka_arch_interrupts_disable();
}

static void pin_and_slot(void)
{
    ka_port_pin_state outer = ka_port_pin(), inner = ka_port_pin();
    KIT_EXPECT(ka_port_slot() >= 1 && ka_port_slot() <= ka_port_cpu_count() && ka_port_cpu_count() <= KA_PORT_MAX_CPUS);
    KIT_EXPECT(ka_port_slot_enter() == ka_port_slot() && ka_port_self() != 0);
    ka_port_unpin(inner);
    ka_port_unpin(outer);
}

/* Two words of a source that works are never the same. */
static void entropy(void)
{
    uint64_t words[2] = { 0, 0 };
    if (!ka_port_entropy(NULL, words, sizeof words))
        kit_skip("this machine has no entropy");
    else
        KIT_EXPECT(words[0] != words[1] && words[0] != 0 && words[1] != 0);
    KIT_EXPECT(ka_port_node() < 64);
}

static void busy_mark(void)
{
    uint32_t busy = 0;
    KIT_EXPECT(ka_port_busy_take(&busy) && !ka_port_busy_take(&busy));
    ka_port_busy_give(&busy);
    KIT_EXPECT(ka_port_busy_take(&busy));
}

static void faults_are_caught_by_probes(void)
{
    static char data = 5;
    KIT_EXPECT(ka_arch_can_read(&data) && ka_arch_can_write(&data) && data == 5);
    KIT_EXPECT(!ka_arch_can_read(NULL) && !ka_arch_can_write(NULL));
    KIT_EXPECT(!ka_arch_can_read((void *)UINT64_C(0x800000000000))); /* no address at all */
}

/* Text and constants cannot be written, and the page below the stack is not there. */
static void image_has_its_rights(void)
{
    extern char ka_stack_guard[];
    char *text = (char *)(uintptr_t)&image_has_its_rights, *constant = (char *)(uintptr_t)&port_suite;
    KIT_EXPECT(ka_arch_can_read(text) && !ka_arch_can_write(text));
    KIT_EXPECT(ka_arch_can_read(constant) && !ka_arch_can_write(constant));
    KIT_EXPECT(!ka_arch_can_read(ka_stack_guard) && !ka_arch_can_read(ka_stack_guard + 4095));
    KIT_EXPECT(ka_arch_can_write(ka_stack_guard + 4096));
}

static ka_arch_mark mark;

static void jump_away(void *context, size_t size, size_t align)
{
    *(size_t *)context = size * 1000 + align;
    ka_arch_jump(&mark);
}

/* An allocation error handler may jump away from the one place that gives up. */
static void alloc_error_handler_may_jump(void)
{
    static size_t seen;
    ka_set_alloc_error_handler(jump_away, &seen);
    if (ka_arch_mark_set(&mark) == 0)
        ka_alloc_error(48, 16);
    ka_set_alloc_error_handler(NULL, NULL);
    KIT_EXPECT(seen == 48016);
}

static const kit_case cases[] = {
    { "memcpy and memmove", mem_functions },
    { "memset and memcmp", mem_set_and_compare },
    { "a lock turns interrupts off", lock_turns_interrupts_off },
    { "pin and slot", pin_and_slot },
    { "entropy and node", entropy },
    { "busy mark", busy_mark },
    { "faults are caught by probes", faults_are_caught_by_probes },
    { "the image has its rights", image_has_its_rights },
    { "an allocation error handler may jump away", alloc_error_handler_may_jump },
};

const kit_suite port_suite = { "port", cases, KIT_COUNT(cases) };
