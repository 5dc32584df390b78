/* deque.c: what a deque must refuse. See misuse_test.sh. */
#include <ka/deque.h>

struct job {
    int number;
};
struct other {
    int number;
};

void job_drop(struct job *job);
bool job_clone(struct job *out, struct job const *from);

KA_DEQUE(job_deque, struct job, job_drop)
KA_DEQUE_CLONE(job_deque, struct job, job_clone)
KA_DEQUE(other_deque, struct other, KA_NO_DROP)

#if MISUSE == 1 /* a drop for another type | its drop must be KA_NO_DROP or void job_drop\(struct other \*\) */
KA_DEQUE(bad_deque, struct other, job_drop)
#elif MISUSE == 2 /* the drop of the deque for the drop of an item | its drop must be */
KA_DEQUE(bad_deque, struct job, job_deque_drop)
#elif MISUSE == 3 /* a clone for another type | its clone must be KA_CLONE_BYTES or bool job_clone */
KA_DEQUE_CLONE(other_deque, struct other, job_clone)
#endif

bool use(job_deque *jobs, other_deque *others, ka_allocator *a);
bool use(job_deque *jobs, other_deque *others, ka_allocator *a)
{
    struct job job = { 1 };
    struct other other = { 1 };
    *jobs = job_deque_in(a);
    *others = other_deque_in(a);
    if (!job_deque_push_back(jobs, job) || !other_deque_push_front(others, other))
        return false;
#if MISUSE == 4 /* an item of another type | incompatible type */
    return job_deque_push_back(jobs, other);
#elif MISUSE == 5  /* the result of push_back ignored | warn_unused_result */
    job_deque_push_back(jobs, job);
#elif MISUSE == 6  /* the result of push_front ignored | warn_unused_result */
    job_deque_push_front(jobs, job);
#elif MISUSE == 7  /* the result of pop_front ignored | warn_unused_result */
    job_deque_pop_front(jobs, &job);
#elif MISUSE == 8  /* the result of remove ignored | warn_unused_result */
    job_deque_remove(jobs, 0);
#elif MISUSE == 9  /* the result of take ignored | warn_unused_result */
    job_deque_take(jobs);
#elif MISUSE == 10 /* the result of insert ignored | warn_unused_result */
    job_deque_insert(jobs, 0, job);
#elif MISUSE == 11 /* items of another type | incompatible pointer type */
    return job_deque_extend(jobs, &other, 1);
#elif MISUSE == 12 /* popped into another type | incompatible pointer type */
    return job_deque_pop_back(jobs, &other);
#elif MISUSE == 13 /* one deque type assigned to another | incompatible type */
    *others = *jobs;
#elif MISUSE == 14 /* a clone into another type | incompatible pointer type */
    return job_deque_clone(others, jobs, a);
#elif MISUSE == 15 /* a loop over items of another type | incompatible pointer type */
    KA_DEQUE_EACH(job_deque, struct other, item, jobs)
    item->number = 1;
#elif MISUSE == 16 /* a deque passed for another | incompatible pointer type */
    job_deque_drop(others);
#endif
    return true;
}
