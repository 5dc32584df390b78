/* alloc.c: what the interface must refuse. See misuse_test.sh. */
#include <ka/alloc.h>

struct packet {
    int number;
};
struct other {
    int number;
};

void use(ka_allocator *a);
void use(ka_allocator *a)
{
    struct packet *packet = ka_alloc_type(a, struct packet);
    struct other *other = ka_zalloc_type(a, struct other);
    struct packet *packets = ka_alloc_array(a, struct packet, 3);
    struct packet *more = ka_resize_array(a, struct packet, packets, 3, 6);
    void *bytes = ka_alloc(a, 1, 1, 0);
    ka_free(a, bytes, 1, 1);
#if MISUSE == 1 /* the block ignored | warn_unused_result */
    ka_alloc(a, 1, 1, 0);
#elif MISUSE == 2 /* the moved block ignored | warn_unused_result */
    ka_resize(a, bytes, 1, 1, 2, 1, 0);
#elif MISUSE == 3 /* a block for another type | incompatible pointer type */
    other = ka_alloc_type(a, struct packet);
#elif MISUSE == 4 /* freed as another type | pointer type mismatch */
    ka_free_type(a, struct packet, other);
#elif MISUSE == 5 /* an array of another type resized | pointer type mismatch */
    more = ka_resize_array(a, struct packet, other, 1, 2);
#elif MISUSE == 6 /* an array freed as another type | pointer type mismatch */
    ka_free_array(a, struct other, packets, 3);
#elif MISUSE == 7 /* a layout's overflow ignored | warn_unused_result */
    ka_layout layout = KA_LAYOUT_OF(struct packet);
    ka_layout_array(&layout, layout, 3);
#endif
    ka_free_array(a, struct packet, more, 6);
    ka_free_type(a, struct other, other);
    ka_free_type(a, struct packet, packet);
}
