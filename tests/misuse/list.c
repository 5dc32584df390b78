/* list.c: what a list must refuse. See misuse_test.sh. */
#include <ka/list.h>

struct job {
    ka_list_node link;
    int number;
};
struct other {
    ka_list_node link;
};

void job_drop(struct job *job);
bool job_clone(struct job *out, struct job const *from);

KA_LIST(job_list, struct job, link, job_drop)
KA_LIST_CLONE(job_list, struct job, link, job_clone)
KA_LIST(other_list, struct other, link, KA_NO_DROP)

#if MISUSE == 1 /* a drop for another type | its drop must be KA_NO_DROP or void job_drop\(struct other \*\) */
KA_LIST(bad_list, struct other, link, job_drop)
#elif MISUSE == 2 /* a member that is no node | incompatible pointer type|member reference base type */
KA_LIST(bad_list, struct job, number, KA_NO_DROP)
#elif MISUSE == 3 /* a member that is not there | no member named */
KA_LIST(bad_list, struct job, chain, KA_NO_DROP)
#elif MISUSE == 4 /* a clone for another type | its clone must be KA_CLONE_BYTES or bool job_clone */
KA_LIST_CLONE(other_list, struct other, link, job_clone)
#endif

bool use(job_list *jobs, other_list *others, struct job *job, struct other *other, ka_allocator *a);
bool use(job_list *jobs, other_list *others, struct job *job, struct other *other, ka_allocator *a)
{
    *jobs = job_list_in(a);
    *others = other_list_in(a);
    job_list_push_back(jobs, job);
    other_list_push_front(others, other);
#if MISUSE == 5 /* an item of another type | incompatible pointer type */
    job_list_push_back(jobs, other);
#elif MISUSE == 6  /* a place of another type | incompatible pointer type */
    job_list_insert_before(jobs, other, job);
#elif MISUSE == 7  /* the result of pop_front ignored | warn_unused_result */
    job_list_pop_front(jobs);
#elif MISUSE == 8  /* the result of take ignored | warn_unused_result */
    job_list_take(jobs);
#elif MISUSE == 9  /* the result of push_back_new ignored | warn_unused_result */
    job_list_push_back_new(jobs);
#elif MISUSE == 10 /* one list type assigned to another | incompatible type */
    *others = *jobs;
#elif MISUSE == 11 /* a list of another type spliced | incompatible pointer type */
    job_list_splice(jobs, job, others);
#elif MISUSE == 12 /* a loop over items of another type | incompatible pointer type */
    KA_LIST_EACH(job_list, struct other, item, jobs)
    (void)item;
#elif MISUSE == 13 /* removed from a list of another type | incompatible pointer type */
    other_list_remove(others, job);
#elif MISUSE == 14 /* a clone into another type | incompatible pointer type */
    return job_list_clone(others, jobs, a);
#endif
    return true;
}
