/* owners.c: a program with something in each owner and collection, for gdb to look at. */
#include <ka.h>
#include <ka/user.h>

struct point {
    int x, y;
};

KA_BOX(point_box, struct point, KA_NO_DROP)
KA_RC(point_rc, struct point, KA_NO_DROP)
KA_ARC(point_arc, struct point, KA_NO_DROP)
KA_VEC(number_vec, int, KA_NO_DROP)
KA_SLICE(number_slice, int, KA_NO_DROP)
KA_DEQUE(number_deque, int, KA_NO_DROP)
struct job {
    int id;
    ka_list_node link;
};
KA_LIST(job_list, struct job, link, KA_NO_DROP)
KA_MAP(number_map, int, int, KA_COMPARE_NUMBERS, KA_NO_DROP, KA_NO_DROP)
KA_HASH_MAP(number_table, int, int, KA_HASH_NUMBERS, KA_EQUAL_NUMBERS, KA_NO_DROP, KA_NO_DROP)

ka_heap heap;

struct everything {
    point_box box, empty_box;
    point_rc shared, other;
    point_rc_weak weak;
    point_arc atomic;
    number_vec numbers;
    number_slice fixed;
    number_deque ring;
    job_list jobs;
    ka_string name;
    number_map squares;
    number_table cubes;
} all;

void look_here(struct everything *at);
void look_here(struct everything *at)
{
    __asm__ volatile("" : : "r"(at) : "memory");
}

static bool fill(ka_allocator *a)
{
    struct point *shared = point_rc_new(&all.shared, a);
    if (shared == NULL || point_box_make(&all.box, a, (struct point){ 3, 4 }) == NULL)
        return false;
    *shared = (struct point){ 5, 6 };
    all.other = point_rc_share(&all.shared);
    all.weak = point_rc_downgrade(&all.shared);
    if (point_arc_make(&all.atomic, a, (struct point){ 7, 8 }) == NULL)
        return false;
    all.numbers = number_vec_in(a);
    all.ring = number_deque_in(a);
    all.name = ka_string_in(a);
    all.squares = number_map_in(a);
    all.cubes = number_table_in(a);
    for (int i = 0; i < 100; i++)
        if (!number_map_insert(&all.squares, i, i * i) || (i < 5 && !number_vec_push(&all.numbers, i * 10)) ||
            (i < 3 && !number_table_insert(&all.cubes, i, i * i * i)))
            return false;
    if (number_slice_make(&all.fixed, a, (const int[]){ 7, 8, 9 }, 3) == NULL)
        return false;
    all.jobs = job_list_in(a);
    for (int i = 0; i < 3; i++) {
        struct job *job = job_list_push_back_new(&all.jobs);
        if (job == NULL)
            return false;
        job->id = i + 10;
    }
    for (int i = 0; i < 3; i++) /* 2 1 0 0 1 2: around the end of the ring */
        if (!number_deque_push_front(&all.ring, i) || !number_deque_push_back(&all.ring, i))
            return false;
    return ka_string_append_text(&all.name, "grüße");
}

int main(void)
{
    if (!ka_user_heap_init(&heap, "looked at", (size_t)1 << 26) || !fill(&heap.allocator))
        return 1;
    look_here(&all);
    return 0;
}
