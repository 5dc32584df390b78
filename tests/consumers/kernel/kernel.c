/* kernel.c: a part of a kernel that uses the library; compiled, not linked. */
#include <ka.h>

KA_BOX(page_box, unsigned char, KA_NO_DROP)

bool kernel_has_memory(void);
bool kernel_has_memory(void)
{
    page_box box = { 0 };
    bool has = page_box_new(&box, ka_kernel) != NULL;
    page_box_drop(&box);
    return has;
}
