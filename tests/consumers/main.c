/* main.c: a small program that takes the library in: a heap in user space, a region, owners. */
#include <stdio.h>

#include <ka.h>
#include <ka/user.h>

KA_VEC(number_vec, int, KA_NO_DROP)

static _Alignas(16) char memory[16 * 1024];
static ka_heap heap;
static ka_region region;

static bool sum_in(ka_allocator *a)
{
    number_vec numbers = number_vec_in(a);
    long sum = 0;
    for (int i = 0; i < 1000; i++)
        if (!number_vec_push(&numbers, i))
            return false;
    for (size_t i = 0; i < number_vec_len(&numbers); i++)
        sum += *number_vec_at(&numbers, i);
    number_vec_drop(&numbers);
    return sum == 499500 && ka_check(a) == NULL;
}

int main(void)
{
    if (!ka_user_heap_init(&heap, "consumer", (size_t)1 << 26))
        return 1;
    ka_region_init(&region);
    if (!ka_region_claim(&region, memory, sizeof memory))
        return 1;
    bool good = sum_in(&heap.allocator) && sum_in(&region.allocator) && ka_user_heap_fini(&heap) == 0;
    puts(good ? "it works" : "it does not work");
    return !good;
}
