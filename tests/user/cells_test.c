/* cells_test.c: the word that each thread has for each heap: heaps come and go while threads stay, threads come and go
 * while heaps stay, and there are more heaps than words.
 */
#include <pthread.h>
#include <sched.h>

#include <ka/user.h>

#include "base/atomic.h"
#include "heap/core.h"
#include "heap/fast.h"
#include "kit.h"

#define MANY (KA_PORT_CELLS + 5)

static ka_heap heaps[MANY];

/* Not registered: who ends leaves the heap alone. */
static bool heap_open(ka_heap *heap)
{
    return ka_heap_init(heap, &(ka_heap_options){ .source = &ka_user_pages, .size = (size_t)64 << 20 });
}

static bool has_cell(const ka_heap *heap)
{
    return heap->cell != ka_port_cell_none();
}

static uintptr_t in_cell(const ka_heap *heap)
{
    const uintptr_t *cell = ka_port_cell_of(heap->cell, ka_port_slot());
    return cell == NULL ? 0 : *cell;
}

/* A pair by the magazines: the second block is the first one again. */
static bool pair_works(ka_heap *heap)
{
    void *first = ka_heap_alloc(heap, 64, 16, 0);
    if (first == NULL || ka_heap_usable(heap, first) != 64)
        return false;
    ka_heap_free(heap, first, 64, 16);
    void *second = ka_heap_alloc(heap, 64, 16, 0);
    ka_heap_free(heap, second, 64, 16);
    return second == first;
}

/* ---- a heap ends, and the next one has its cell, while another thread goes on ---- */

static uint32_t turn, failures;

static void turn_wait(uint32_t wanted)
{
    while (ka_load_acquire_32(&turn) != wanted)
        (void)sched_yield();
}

enum { LIVES = 20 };

static void *stays(void *argument)
{
    for (uint32_t life = 0; life < LIVES; life++) {
        turn_wait(2 * life + 1);
        failures += !pair_works(&heaps[0]);
        failures += in_cell(&heaps[0]) != (uintptr_t)ka_heap_magazines(&heaps[0]);
        ka_store_release_32(&turn, 2 * life + 2);
    }
    return argument;
}

static void heaps_come_and_go(void)
{
    pthread_t thread;
    turn = failures = 0;
    KIT_CHECK(pthread_create(&thread, NULL, stays, NULL) == 0);
    uintptr_t cell = 0;
    for (uint32_t life = 0; life < LIVES; life++) {
        KIT_CHECK(heap_open(&heaps[0]) && has_cell(&heaps[0]));
        KIT_EXPECT(life == 0 || heaps[0].cell == cell);
        cell = heaps[0].cell;
        KIT_EXPECT(pair_works(&heaps[0]));
        ka_store_release_32(&turn, 2 * life + 1);
        turn_wait(2 * life + 2);
        KIT_CHECK_SOUND(ka_heap_check(&heaps[0]));
        KIT_EXPECT(ka_heap_fini(&heaps[0]) == 0);
        KIT_EXPECT(in_cell(&heaps[0]) == 0);
    }
    KIT_CHECK(pthread_join(thread, NULL) == 0);
    KIT_EXPECT(failures == 0);
}

/* ---- more heaps than cells ---- */

static void more_heaps_than_cells(void)
{
    unsigned with = 0;
    for (unsigned i = 0; i < MANY; i++) {
        KIT_CHECK(heap_open(&heaps[i]));
        with += has_cell(&heaps[i]);
    }
    KIT_EXPECT(with == KA_PORT_CELLS);
    for (unsigned i = 0; i < MANY; i++) {
        KIT_EXPECT(pair_works(&heaps[i]));
        KIT_EXPECT(in_cell(&heaps[i]) == (has_cell(&heaps[i]) ? (uintptr_t)ka_heap_magazines(&heaps[i]) : 0));
        KIT_EXPECT(ka_heap_magazines(&heaps[i]) != &ka_no_magazines);
    }
    for (unsigned i = 0; i < MANY; i++) {
        KIT_CHECK_SOUND(ka_heap_check(&heaps[i]));
        KIT_EXPECT(ka_heap_fini(&heaps[i]) == 0);
    }
    KIT_CHECK(heap_open(&heaps[0]));
    KIT_EXPECT(has_cell(&heaps[0]) && ka_heap_fini(&heaps[0]) == 0);
}

/* ---- a thread ends, and the next one has its slot and goes on with its magazines ---- */

static const ka_magazines *used_by_thread;
static unsigned slot_of_thread;

static void *short_life(void *argument)
{
    failures += !pair_works(&heaps[0]);
    used_by_thread = ka_heap_magazines(&heaps[0]);
    slot_of_thread = ka_port_slot();
    failures += in_cell(&heaps[0]) != (uintptr_t)used_by_thread;
    return argument;
}

static void live(void)
{
    pthread_t thread;
    KIT_CHECK(pthread_create(&thread, NULL, short_life, NULL) == 0);
    KIT_CHECK(pthread_join(thread, NULL) == 0);
}

static void threads_come_and_go(void)
{
    failures = 0;
    KIT_CHECK(heap_open(&heaps[0]));
    KIT_EXPECT(pair_works(&heaps[0])); /* this thread has its slot */
    live();
    const ka_magazines *first = used_by_thread;
    unsigned slot = slot_of_thread;
    KIT_EXPECT(slot != ka_port_slot() && first != &ka_no_magazines);
    KIT_EXPECT(ka_port_cell_of(heaps[0].cell, slot) == NULL && first->busy == 0);
    unsigned number = ka_magazine_of_class(ka_class_of(64));
    KIT_EXPECT(ka_magazine_length(first, number) != 0);
    live();
    KIT_EXPECT(slot_of_thread == slot && used_by_thread == first);
    KIT_EXPECT(ka_heap_flush_slot(&heaps[0], slot) && ka_magazine_length(first, number) == 0);
    KIT_CHECK_SOUND(ka_heap_check(&heaps[0]));
    KIT_EXPECT(failures == 0 && ka_heap_fini(&heaps[0]) == 0);
}

static const kit_case cases[] = {
    { "heaps come and go while a thread stays", heaps_come_and_go },
    { "more heaps than cells", more_heaps_than_cells },
    { "threads come and go while a heap stays", threads_come_and_go },
};

int main(void)
{
    return kit_main("cells", cases, KIT_COUNT(cases));
}
