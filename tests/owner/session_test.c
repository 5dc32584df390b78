/* session_test.c: the owners as a driver would use them: a session that owns a peer and a queue. The code between the
 * lines of dashes is the example of the documentation, to the letter (and one prototype). */
#include <ka/box.h>
#include <ka/vec.h>

#include <ka/failing.h>

#include "kit.h"
#include "kit_malloc.h"

KA_VEC(ka_string, char, KA_NO_DROP) /* stands in for a string */

struct peer {
    ka_string name;
};
struct packet {
    unsigned length;
};
KA_VEC(packet_vec, struct packet, KA_NO_DROP)

/* -------- */

/* clang-format off */
static void peer_drop(struct peer *peer) { ka_string_drop(&peer->name); }
KA_BOX(peer_box, struct peer, peer_drop)

struct session { peer_box peer; packet_vec queue; };          /* all zero: owns nothing */
static void session_drop(struct session *session)
{
    packet_vec_drop(&session->queue);
    peer_box_drop(&session->peer);
}
KA_BOX(session_box, struct session, session_drop)

bool session_open(session_box *out, ka_allocator *allocator);
bool session_open(session_box *out, ka_allocator *allocator)
{
    session_box box = { 0 };
    struct session *session = session_box_new(&box, allocator);   /* zeroed, or NULL */
    if (!session || !peer_box_new(&session->peer, allocator))
        goto fail;
    session->queue = packet_vec_in(allocator);
    *out = session_box_take(&box);
    return true;
fail:
    session_box_drop(&box);
    return false;
}
/* clang-format on */

/* -------- */

static void opens_and_drops(void)
{
    kit_malloc memory;
    kit_malloc_init(&memory);
    session_box box = { 0 };
    KIT_CHECK(session_open(&box, &memory.allocator));
    struct session *session = session_box_get(&box);
    session->peer.value->name = ka_string_in(&memory.allocator);
    KIT_CHECK(ka_string_extend(&session->peer.value->name, "peer", 4));
    for (unsigned i = 0; i < 10; i++)
        KIT_CHECK(packet_vec_push(&session->queue, (struct packet){ i }));
    KIT_CHECK(packet_vec_at(&session->queue, 9)->length == 9 && memory.live_blocks == 4);
    session_box_drop(&box);
    session_box_drop(&box);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static void fails_without_a_trace(void)
{
    for (unsigned n = 1; n <= 3; n++) {
        kit_malloc memory;
        kit_malloc_init(&memory);
        ka_failing failing;
        ka_failing_init(&failing, &memory.allocator);
        ka_failing_set(&failing, n);
        session_box box = { 0 };
        KIT_CHECK(session_open(&box, &failing.allocator) == (n == 3)); /* it needs two blocks */
        KIT_CHECK((session_box_get(&box) != NULL) == (n == 3));
        session_box_drop(&box);
        KIT_CHECK(kit_malloc_clean(&memory));
    }
}

static const kit_case cases[] = {
    { "opens_and_drops", opens_and_drops },
    { "fails_without_a_trace", fails_without_a_trace },
};

int main(void)
{
    return kit_main("session", cases, KIT_COUNT(cases));
}
