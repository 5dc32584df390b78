/* priority_queue.c: what a priority queue must refuse. See misuse_test.sh. */
#include <ka/priority_queue.h>
#include <ka/vec.h>

struct timer {
    unsigned due;
};
struct other {
    int number;
};

void timer_drop(struct timer *timer);
int timer_compare(struct timer const *a, struct timer const *b);
int other_compare(struct other const *a, struct other const *b);
bool timer_clone(struct timer *out, struct timer const *from);

KA_PRIORITY_QUEUE(timer_queue, struct timer, timer_compare, timer_drop)
KA_PRIORITY_QUEUE_CLONE(timer_queue, struct timer, timer_clone)
KA_PRIORITY_QUEUE(other_queue, struct other, other_compare, KA_NO_DROP)
KA_VEC(other_vec, struct other, KA_NO_DROP)

#if MISUSE == 1 /* a drop for another type | its drop must be KA_NO_DROP or void timer_drop\(struct other \*\) */
KA_PRIORITY_QUEUE(bad_queue, struct other, other_compare, timer_drop)
#elif MISUSE == 2 /* a compare for another type | its compare must be KA_COMPARE_NUMBERS or int timer_compare */
KA_PRIORITY_QUEUE(bad_queue, struct other, timer_compare, KA_NO_DROP)
#elif MISUSE == 3 /* a clone for another type | its clone must be KA_CLONE_BYTES or bool timer_clone */
KA_PRIORITY_QUEUE_CLONE(other_queue, struct other, timer_clone)
#elif MISUSE == 4 /* a vec of other items | incompatible pointer type */
KA_PRIORITY_QUEUE_VEC(timer_queue, other_vec)
#endif

bool use(timer_queue *timers, other_queue *others, ka_allocator *a);
bool use(timer_queue *timers, other_queue *others, ka_allocator *a)
{
    struct timer timer = { 1 };
    struct other other = { 1 };
    timer_queue_handle handle;
    other_queue_handle other_handle;
    *timers = timer_queue_in(a);
    *others = other_queue_in(a);
    if (!timer_queue_push_handle(timers, timer, &handle) || !other_queue_push_handle(others, other, &other_handle))
        return false;
#if MISUSE == 5 /* an item of another type | incompatible type */
    return timer_queue_push(timers, other);
#elif MISUSE == 6  /* the handle of another queue | incompatible type */
    return timer_queue_update(timers, other_handle);
#elif MISUSE == 7  /* the result of push ignored | warn_unused_result */
    timer_queue_push(timers, timer);
#elif MISUSE == 8  /* the result of pop ignored | warn_unused_result */
    timer_queue_pop(timers, &timer);
#elif MISUSE == 9  /* the result of remove ignored | warn_unused_result */
    timer_queue_remove(timers, handle, &timer);
#elif MISUSE == 10 /* the result of take ignored | warn_unused_result */
    timer_queue_take(timers);
#elif MISUSE == 11 /* popped into another type | incompatible pointer type */
    return timer_queue_pop(timers, &other);
#elif MISUSE == 12 /* one queue type assigned to another | incompatible type */
    *others = *timers;
#elif MISUSE == 13 /* a clone into another type | incompatible pointer type */
    return timer_queue_clone(others, timers, a);
#elif MISUSE == 14 /* the result of replace ignored | warn_unused_result */
    timer_queue_replace(timers, handle, timer);
#endif
    return true;
}
