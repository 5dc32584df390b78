/* cleanup_suite.c: owners under the kernel's own scope help, <linux/cleanup.h>: __free, CLASS and guard beside
 * KA_AUTO. */
#include <linux/cleanup.h>
#include <linux/mutex.h>

#include <ka/box.h>
#include <ka/region.h>
#include <ka/vec.h>

#include "linux_suites.h"

struct packet {
    uint64_t id;
    unsigned char data[120];
};

static unsigned drops;

static void packet_drop(struct packet *packet)
{
    (void)packet;
    drops++;
}

KA_BOX(packet_box, struct packet, packet_drop)
KA_VEC(packet_vec, packet_box, packet_box_drop)

/* One line makes an owner known to __free; one more makes it a class. */
DEFINE_FREE(packet_box, packet_box, packet_box_drop(&_T))
DEFINE_FREE(packet_vec, packet_vec, packet_vec_drop(&_T))
DEFINE_CLASS(packet_vec, packet_vec, packet_vec_drop(&_T), packet_vec_in(a), ka_allocator *a)

/* A plain pointer into an allocator, for no_free_ptr. */
static ka_region heap;
DEFINE_FREE(raw_packet, struct packet *, ka_free_type(&heap.allocator, struct packet, _T))

#ifdef DEFINE_GUARD
static DEFINE_MUTEX(lock);
#define WITH_LOCK guard(mutex)(&lock)
#define LOCKED    mutex_is_locked(&lock)
#else
#define WITH_LOCK (void)0
#define LOCKED    false
#endif

static char range[16 << 10] __aligned(16);

static bool nothing_live(void)
{
    return ka_get_stats(&heap.allocator).live_blocks == 0 && !LOCKED;
}

/* Fills a queue and hands it over, or leaves at the step `fail`: whatever was made goes with its scope. */
static bool queue_make(packet_vec *out, unsigned fail)
{
    WITH_LOCK;
    packet_vec queue __free(packet_vec) = packet_vec_in(&heap.allocator);
    for (unsigned i = 0; i < 4; i++) {
        packet_box box __free(packet_box) = { 0 };
        if (packet_box_new(&box, &heap.allocator) == NULL || i == fail)
            return false;
        if (!packet_vec_push(&queue, box))
            return false;
        box = (packet_box){ 0 }; /* the queue's now */
    }
    KA_AUTO(packet_box) extra = { 0 };
    if (packet_box_new(&extra, &heap.allocator) == NULL || fail == 4)
        return false;
    *out = packet_vec_take(&queue);
    return true;
}

static void free_and_guard(void)
{
    for (unsigned fail = 0; fail < 6; fail++) {
        packet_vec queue = { 0 };
        drops = 0;
        bool made = queue_make(&queue, fail);
        KIT_CHECK(made == (fail == 5) && queue.len == (made ? 4 : 0) && !LOCKED);
        KIT_CHECK(drops == (made ? 1 : fail + 1)); /* `extra` goes, too */
        packet_vec_drop(&queue);
        KIT_CHECK(drops == 5 - (made ? 0 : 4 - fail) && nothing_live());
    }
}

static struct packet *raw_make(bool keep)
{
    struct packet *packet __free(raw_packet) = ka_zalloc_type(&heap.allocator, struct packet);
    if (packet == NULL || !keep)
        return NULL;
    return_ptr(packet);
}

static void pointers(void)
{
    KIT_CHECK(raw_make(false) == NULL && nothing_live());
    struct packet *packet = raw_make(true);
    KIT_CHECK(packet != NULL);
    drops = 0;
    {
        packet_box box __free(packet_box) = packet_box_from_raw(packet, &heap.allocator);
        KIT_CHECK(packet_box_get(&box) == packet);
    }
    KIT_CHECK(drops == 1 && nothing_live());
}

static void classes(void)
{
    drops = 0;
    {
        CLASS(packet_vec, queue)(&heap.allocator);
        packet_box *last = packet_vec_push_new(&queue);
        KIT_CHECK(last != NULL && packet_box_new(last, &heap.allocator) != NULL);
    }
    KIT_CHECK(drops == 1 && nothing_live());
}

static void start(void)
{
    ka_region_init(&heap);
    KIT_CHECK(ka_region_claim(&heap, range, sizeof range));
}

static const kit_case cases[] = {
    { "start", start },
    { "free_and_guard", free_and_guard },
    { "pointers", pointers },
    { "classes", classes },
};

const kit_suite cleanup_suite = { "cleanup", cases, KIT_COUNT(cases) };
