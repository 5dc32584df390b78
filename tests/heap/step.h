/* step.h: a handler at every instruction: the processor's trap flag makes a signal of each one that runs between
 * step_begin and step_end. STEP_WORKS is 1 on x86-64, but not under ThreadSanitizer, which puts signals off. */
#ifndef STEP_H
#define STEP_H

#include <signal.h>

#if defined(__SANITIZE_THREAD__)
#define STEP_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STEP_TSAN 1
#endif
#endif

#if defined(__x86_64__) && !defined(STEP_TSAN)
#define STEP_WORKS 1

/* Under the red zone of the caller's frame. */
static inline void step_begin(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}

static inline void step_end(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}

#else
#define STEP_WORKS 0
static inline void step_begin(void) {}
static inline void step_end(void) {}
#endif

/* The flag is off inside of the handler, and on again behind it. */
static inline void step_install(void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };
    sigaction(SIGTRAP, &action, NULL);
}

#endif
