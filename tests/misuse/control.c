/* control.c: proves that misuse_test.sh can fail: what this file calls misuse is none, or none of the named kind. */
#include <ka/box.h>

KA_BOX(int_box, int, KA_NO_DROP)

void use(int_box *box, ka_allocator *a);
void use(int_box *box, ka_allocator *a)
{
#if MISUSE == 1 /* right code | . */
    if (int_box_new(box, a) == NULL)
        return;
#elif MISUSE == 2 /* wrong in another way than it says | warn_unused_result */
    *box = a;
#endif
    (void)a;
    int_box_drop(box);
}
