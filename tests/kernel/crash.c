/* crash.c: crimes that end the machine, one for each run; tests/kernel/crash_test.sh reads what it says. */
#include "kernel_suites.h"

#include <ka/dummy.h>
#include <ka/handler.h>

#include "base/assert.h"
#include "ports/bare/boot.h"
#include "ports/bare/frames.h"

static volatile unsigned zero;

static void crash_divide(void)
{
    zero = 1000 / zero;
}

static void crash_null(void)
{
    *(volatile char *)(uintptr_t)zero = 1;
}

static void crash_constant(void)
{
    *(volatile char *)(uintptr_t)&region_suite = 1;
}

static void crash_data(void)
{
    static unsigned char code[16] = { 0xc3 };
    ((void (*)(void))(uintptr_t)code)();
}

static void execute_frame(bare_frame frame)
{
    unsigned char *code = bare_frame_memory(frame);
    *code = 0xc3;
    ((void (*)(void))(uintptr_t)code)();
}

static void crash_frame(void)
{
    execute_frame(bare_frame_take());
}

/* Above the image's small pages. */
static void crash_high_frame(void)
{
    enum { RUN = 4096 };
    execute_frame((bare_frame){ bare_frames_take(RUN).number + RUN - 1 });
}

/* Frames smaller than the guard page: none can step over it. */
static KA_NOINLINE unsigned stack_eat(unsigned depth)
{
    volatile unsigned char eaten[256];
    eaten[depth % 256] = 1;
    return zero == depth + 1 ? 0 : stack_eat(depth + 1) + eaten[depth % 256];
}

static void crash_stack(void)
{
    zero = stack_eat(0);
}

static void crash_alloc_error(void)
{
    ka_alloc_error(4, 4);
}

static void crash_dummy_free(void)
{
    ka_free(ka_dummy, &suite, 8, 8);
}

static void crash_assert(void)
{
    KA_ASSERT(zero == 1);
}

static void crash_double_give(void)
{
    bare_frame frame = bare_frame_take();
    bare_frames_give(frame, 1);
    bare_frames_give(frame, 1);
}

static const struct {
    const char *name;
    void (*run)(void);
} crashes[] = {
    { "divide", crash_divide },
    { "null", crash_null },
    { "constant", crash_constant },
    { "data", crash_data },
    { "frame", crash_frame },
    { "high_frame", crash_high_frame },
    { "stack", crash_stack },
    { "alloc_error", crash_alloc_error },
    { "dummy_free", crash_dummy_free },
    { "assert", crash_assert },
    { "double_give", crash_double_give },
};

void kernel_crash(void)
{
    for (size_t i = 0; i < KIT_COUNT(crashes); i++)
        if (bare_option_is("crash", crashes[i].name))
            crashes[i].run();
}
