/* fail.c: failure of a chosen allocation, in kernels without failslab too. See ka_linux_fail. */
#include <linux/preempt.h>
#include <linux/sched.h>

#include "kernel_allocators.h"

DEFINE_STATIC_KEY_FALSE(ka_linux_failing);

/* The task whose call fails, and how many it has left until then. */
static const struct task_struct *task;
static uint64_t left;
static bool failed;

bool ka_linux_fails_now(void)
{
    if (current != READ_ONCE(task) || !in_task() || left == 0 || --left != 0)
        return false;
    failed = true;
    return true;
}

bool ka_linux_fail(uint64_t n)
{
    bool before = failed;
    WRITE_ONCE(task, NULL);
    failed = false;
    left = n;
    if (n == 0) {
        static_branch_disable(&ka_linux_failing);
        return before;
    }
    WRITE_ONCE(task, current);
    static_branch_enable(&ka_linux_failing);
    return before;
}
