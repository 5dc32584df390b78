/* book.c: box, vec and rc on the kernel heap, and what happens without memory. After "Writing an OS in Rust". */
#include "steps.h"

#include <ka/box.h>
#include <ka/dummy.h>
#include <ka/global.h>
#include <ka/handler.h>
#include <ka/rc.h>
#include <ka/vec.h>

#include "ports/bare/console.h"
#include "ports/bare/region.h"
#include "show.h"

#include <ka_arch.h>

enum { NUMBERS = 500, PACKETS = 144 };

struct packet {
    unsigned number;
    char bytes[508];
};

struct triple {
    int values[3];
};

static void packet_drop(struct packet *packet);

KA_BOX(int_box, int, KA_NO_DROP)
KA_VEC(int_vec, int, KA_NO_DROP)
KA_RC(triple_rc, struct triple, KA_NO_DROP)
KA_BOX(packet_box, struct packet, packet_drop)
KA_VEC(packet_vec, packet_box, packet_box_drop)

/* What the demo owns: all zero owns nothing. */
typedef struct belongings {
    int_box value;
    int_vec numbers;
    triple_rc shared, clone;
    packet_vec packets;
} belongings;

static unsigned packets_dropped;

static void packet_drop(struct packet *packet)
{
    packets_dropped += packet->number != 0;
    packet->number = 0;
}

static bool show_box(belongings *own)
{
    if (int_box_make(&own->value, ka_global(), 41) == NULL)
        return false;
    bare_print("  heap_value at %p is %d\n", (void *)int_box_get(&own->value), *int_box_get(&own->value));
    return true;
}

static bool show_vec(belongings *own)
{
    int sum = 0;
    own->numbers = int_vec_in(ka_global());
    for (int i = 0; i < NUMBERS; i++)
        if (!int_vec_push(&own->numbers, i))
            return false;
    for (size_t i = 0; i < int_vec_len(&own->numbers); i++)
        sum += *int_vec_at(&own->numbers, i);
    bare_print("  vec at %p, %zu numbers, sum %d\n", (void *)own->numbers.items, own->numbers.len, sum);
    return sum == NUMBERS * (NUMBERS - 1) / 2;
}

static bool show_rc(belongings *own)
{
    struct triple *made = triple_rc_new(&own->shared, ka_global());
    if (made == NULL)
        return false;
    *made = (struct triple){ { 1, 2, 3 } };
    own->clone = triple_rc_share(&own->shared);
    bare_print("  current reference count is %zu\n", triple_rc_strong_count(&own->clone));
    bool two = triple_rc_strong_count(&own->clone) == 2;
    triple_rc_drop(&own->shared);
    bare_print("  reference count is %zu now\n", triple_rc_strong_count(&own->clone));
    return two && triple_rc_strong_count(&own->clone) == 1 && triple_rc_get(&own->clone)->values[2] == 3;
}

/* A row of boxes, every fourth of them dropped again. */
static bool show_packets(belongings *own)
{
    own->packets = packet_vec_in(ka_global());
    for (unsigned i = 1; i <= PACKETS; i++) {
        packet_box box = { 0 };
        struct packet *packet = packet_box_new(&box, ka_global());
        if (packet == NULL)
            return false;
        packet->number = i;
        if (!packet_vec_push(&own->packets, box)) {
            packet_box_drop(&box);
            return false;
        }
    }
    for (size_t i = 0; i < PACKETS; i += 4)
        packet_box_drop(packet_vec_at(&own->packets, i));
    bare_print("  %d boxes of %zu bytes in a vec, %u of them dropped\n", PACKETS, sizeof(struct packet),
               packets_dropped);
    return packets_dropped == PACKETS / 4;
}

static void drop_all(belongings *own)
{
    packet_vec_drop(&own->packets);
    triple_rc_drop(&own->clone);
    triple_rc_drop(&own->shared);
    int_vec_drop(&own->numbers);
    int_box_drop(&own->value);
}

static char book_mark(void *context, const void *block, size_t size)
{
    const belongings *own = context;
    if (block == own->numbers.items || block == own->packets.items)
        return 'v';
    return size == sizeof(struct packet) ? 'b' : 'r';
}

/* ---- no memory ---- */

static ka_arch_mark after_error;

static void print_and_come_back(void *context, size_t size, size_t align)
{
    (void)context;
    bare_print("  allocation error: layout { size: %zu, align: %zu }\n", size, align);
    ka_arch_jump(&after_error);
}

static bool show_failure(void)
{
    int_box box = { 0 };
    if (int_box_make(&box, ka_dummy, 41) != NULL)
        return false;
    bare_print("  a box in the dummy allocator: NULL, and nothing has changed\n");
    bare_print("  code that cannot go on without it would end with:\n  ");
    ka_set_alloc_error_handler(print_and_come_back, NULL);
    if (ka_arch_mark_set(&after_error) == 0)
        ka_alloc_error(sizeof(int), _Alignof(int));
    ka_set_alloc_error_handler(NULL, NULL);
    return true;
}

bool steps_of_the_book(void)
{
    static belongings own;
    show_heading("A box, a vec, a counted value");
    bool good = show_box(&own) && show_vec(&own) && show_rc(&own) && show_packets(&own);
    show_heading("Without memory");
    good = good && show_failure();
    show_heading("The heap as it is now, and when all is dropped");
    show_heap("now");
    show_picture(book_mark, &own);
    show_legend("v vecs   b packets in boxes   r the counted value   . free or too small to be seen");
    drop_all(&own);
    show_heap("when all is dropped");
    show_picture(book_mark, &own);
    show_legend(". free");
    if (!good || packets_dropped != PACKETS || ka_get_stats(bare_region).live != 0 || ka_check(bare_region) != NULL)
        return false;
    bare_print("  It did not crash! Nothing is live.\n");
    return true;
}
