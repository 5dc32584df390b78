// owners.cc: the typed owners and collections of C, made and used in C++. Compiled, not run.
#include <ka.h>
struct job { uint64_t id; ka_list_node link; };
static void job_drop(struct job *j) { (void)j; }
static int job_compare(job const *a, job const *b) { return (a->id > b->id) - (a->id < b->id); }
static bool job_clone(job *out, job const *from) { *out = *from; return true; }
KA_BOX(job_box, struct job, job_drop)
KA_BOX_CLONE(job_box, struct job, job_clone)
KA_VEC(job_vec, struct job, job_drop)
KA_VEC_ORDER(job_vec, struct job, job_compare)
KA_VEC_CLONE(job_vec, struct job, job_clone)
KA_SLICE(job_slice, struct job, job_drop)
KA_SLICE_VEC(job_slice, job_vec)
KA_SLICE_CLONE(job_slice, struct job, job_clone)
KA_DEQUE(job_deque, struct job, job_drop)
KA_DEQUE_CLONE(job_deque, struct job, job_clone)
KA_LIST(job_list, struct job, link, job_drop)
KA_LIST_CLONE(job_list, struct job, link, job_clone)
KA_PRIORITY_QUEUE(job_queue, struct job, job_compare, job_drop)
KA_PRIORITY_QUEUE_VEC(job_queue, job_vec)
KA_PRIORITY_QUEUE_CLONE(job_queue, struct job, job_clone)
struct chain;
KA_BOX_TYPE(chain_box, struct chain)
struct chain { chain_box next; };
KA_BOX_CHAIN_CODE(chain_box, struct chain, next, KA_NO_DROP)
KA_VEC(int_vec, int, KA_NO_DROP)
KA_VEC_ORDER(int_vec, int, KA_COMPARE_NUMBERS)
// The names of loop variables are the caller's: none of them is that of a field.
uint64_t use(job_vec *v, job_deque *d, job_list *l, job_queue *q, job_slice *s);
uint64_t use(job_vec *v, job_deque *d, job_list *l, job_queue *q, job_slice *s)
{
    uint64_t n = 0;
    KA_VEC_EACH(struct job, a, v)
        n += a->id;
    KA_VEC_EACH(const struct job, a, v)
        n += a->id;
    KA_DEQUE_EACH(job_deque, struct job, a, d)
        n += a->id;
    KA_LIST_EACH(job_list, struct job, a, l)
        n += a->id;
    KA_LIST_EACH_BACK(job_list, struct job, a, l)
        n += a->id;
    KA_PRIORITY_QUEUE_EACH(job_queue, struct job, a, q)
        n += a->id;
    KA_SLICE_EACH(struct job, a, s)
        n += a->id;
    KA_VEC_RETAIN(job_vec, struct job, a, v, a->id != 3);
    KA_AUTO(int_vec) x = int_vec_in(NULL);
    int_vec_sort(&x);
    return n;
}
