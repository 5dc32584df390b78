/* nt_end_suite.c: every allocation fails in turn; each misuse ends in the bug check that ka/windows.h documents. */
#include <ka/box.h>
#include <ka/kernel.h>
#include <ka/locked.h>
#include <ka/region.h>
#include <ka/vec.h>
#include <ka/windows.h>

#include "base/assert.h"
#include "nt_suite.h"

#define PAGE ((size_t)4096)
#define MIB  ((size_t)1 << 20)
#define TAG  KA_TAG('e', 'n', 'd', ' ')

/* ---- the n-th failure: the crate's README example and more, which must all go back ---- */

typedef struct vmx {
    void *region, *bitmap;
} vmx;

static void vmx_drop(vmx *v)
{
    ka_free(ka_physical, v->region, PAGE, PAGE);
    ka_free(ka_physical, v->bitmap, PAGE, PAGE);
    *v = (vmx){ 0 };
}

KA_BOX(vmx_box, vmx, vmx_drop)
KA_VEC(word_vec, uint64_t, KA_NO_DROP)

typedef struct machine {
    vmx_box vmx;
    word_vec stack;
    ka_nt_heap heap;
    ka_nt_lookaside list;
    ka_nt_pool pool;
    bool has_heap, has_list;
} machine;

static void machine_close(machine *m, void *object, void *block)
{
    if (m->has_list) {
        ka_free(&m->list.allocator, object, 40, 8);
        KIT_EXPECT(ka_nt_lookaside_fini(&m->list) == 0);
    }
    if (m->has_heap) {
        ka_heap_free(&m->heap.heap, block, 50000, 64);
        KIT_EXPECT(ka_nt_heap_fini(&m->heap) == 0);
    }
    word_vec_drop(&m->stack);
    vmx_box_drop(&m->vmx);
}

/* Returns whether all was had. */
static bool machine_lives(void)
{
    static machine m;
    void *object = NULL, *block = NULL;
    bool done = false;
    m = (machine){ 0 };
    bool valid = ka_nt_pool_init(&m.pool, &(ka_nt_pool_options){ .tag = TAG });
    KIT_EXPECT(valid);
    vmx *v = vmx_box_new(&m.vmx, &m.pool.allocator);
    if (v == NULL)
        goto out;
    v->region = ka_zalloc(ka_physical, PAGE, PAGE, 0);
    if (v->region == NULL)
        goto out;
    v->bitmap = ka_zalloc(ka_physical, PAGE, PAGE, 0);
    if (v->bitmap == NULL)
        goto out;
    m.stack = word_vec_in(&m.pool.allocator);
    for (uint64_t i = 0; i < 3000; i++)
        if (!word_vec_push(&m.stack, i))
            goto out;
    m.has_heap = ka_nt_heap_init(&m.heap, "machine", 16 * MIB, &(ka_nt_pool_options){ .tag = TAG });
    if (!m.has_heap)
        goto out;
    block = ka_heap_alloc(&m.heap.heap, 50000, 64, KA_ZERO);
    m.has_list = ka_nt_lookaside_init(&m.list, &m.pool, 40);
    if (block == NULL || !m.has_list)
        goto out;
    object = ka_alloc(&m.list.allocator, 40, 8, 0);
    done = object != NULL;
out:
    machine_close(&m, object, block);
    return done;
}

static void nth_failure(void)
{
    NT_NEEDS_HOOKS();
    for (int version = NT_WINDOWS_7; version <= NT_2004; version++) {
        nt_become((nt_version)version);
        long n = 0;
        for (bool done = false; !done; n++) {
            KIT_CHECK(n < 100);
            nt.hooks->fail_after(n);
            done = machine_lives();
            nt.hooks->fail_after(-1);
            KIT_CHECK(nt.hooks->live() == 0 && nt.hooks->live_pages() == 0);
        }
        KIT_EXPECT(n > 10);
    }
}

static void start_and_stop(void)
{
    NT_NEEDS_HOOKS();
    nt_become(NT_2004);
    void *block = ka_alloc(ka_physical, 100, 16, 0);
    KIT_CHECK(block != NULL);
    nt_misuse_begin();
    KIT_EXPECT(ka_nt_stop() == 1 && nt_reported.count == 1 && nt_reported.kind == KA_MISUSE_LEAK);
    nt_misuse_end();
    ka_free(ka_physical, block, 100, 16);
    KIT_EXPECT(ka_nt_stop() == 0 && nt.hooks->live_pages() == 0);
    KIT_CHECK(ka_nt_start(KA_TAG('o', 'w', 'n', ' ')));
    block = ka_alloc(ka_kernel, 100, 16, 0);
    nt_pool_call call;
    nt.hooks->pool(&call);
    KIT_EXPECT(block != NULL && call.tag == KA_TAG('o', 'w', 'n', ' '));
    ka_free(ka_kernel, block, 100, 16);
    nt_become(NT_2004);
}

/* ---- ends ---- */

static uintptr_t end[5];

static bool dies(void (*call)(void *), void *argument)
{
    for (unsigned i = 0; i < KIT_COUNT(end); i++)
        end[i] = 0;
    return nt.hooks->dies(call, argument, end);
}

static void do_panic(void *argument)
{
    int answer = *(int *)argument;
    KA_ASSERT(answer == 42);
}

static void do_no_memory(void *argument)
{
    (void)argument;
    nt.hooks->fail_after(0);
    void *block = ka_alloc_must(ka_kernel, 300, 64, 0);
    (void)block;
}

static void panic(void)
{
    NT_NEEDS_HOOKS();
    int answer = 42;
    KIT_EXPECT(!dies(do_panic, &answer));
    answer = 41;
    KIT_CHECK(dies(do_panic, &answer));
    KIT_EXPECT(end[0] == KA_NT_BUGCHECK && end[1] == KA_NT_BUGCHECK_PANIC && end[4] > 100);
    KIT_EXPECT(nt_same((const char *)end[2], "assertion failed: answer == 42"));
    const char *file = (const char *)end[3];
    KIT_EXPECT(file != NULL && file[0] != '\0');
    bool died = dies(do_no_memory, NULL);
    nt.hooks->fail_after(-1);
    KIT_EXPECT(died && end[0] == KA_NT_BUGCHECK && end[1] == KA_NT_BUGCHECK_PANIC); /* without a handler */
    ka_set_alloc_error_handler(ka_nt_stop_on_alloc_error, NULL);
    died = dies(do_no_memory, NULL);
    nt.hooks->fail_after(-1);
    ka_set_alloc_error_handler(NULL, NULL);
    KIT_CHECK(died);
    KIT_EXPECT(end[0] == KA_NT_BUGCHECK && end[1] == KA_NT_BUGCHECK_NO_MEMORY && end[2] == 300 && end[3] == 64);
}

/* One misuse of each kind, on the allocator that can tell it. */
static ka_nt_heap heap;
static ka_nt_pool pool;
static unsigned char *big, *small, *over;
static uint8_t before_level;

static void do_double_free(void *argument)
{
    (void)argument;
    ka_heap_free(&heap.heap, small, 100, 16);
    ka_heap_free(&heap.heap, small, 100, 16);
}

static void do_foreign(void *argument)
{
    ka_heap_free(&heap.heap, argument, 100000, 16);
}

static void do_interior(void *argument)
{
    (void)argument;
    ka_heap_free(&heap.heap, big + PAGE, 100000, 16);
}

static void do_wrong_size(void *argument)
{
    (void)argument;
    ka_heap_free(&heap.heap, big, 200000, 16);
}

static void do_damage(void *argument)
{
    (void)argument;
    over[-8] ^= 1;
    ka_free(&pool.allocator, over, 100, 64);
}

static void do_context(void *argument)
{
    (void)argument;
    before_level = nt.hooks->set_irql(2);
    void *block = ka_alloc(&pool.allocator, 64, 16, KA_PAGEABLE);
    (void)block;
}

static void do_leak(void *argument)
{
    (void)argument;
    (void)ka_nt_heap_fini(&heap);
}

static bool died_of(void (*call)(void *), void *argument, ka_misuse kind, ka_allocator *allocator, const void *block,
                    size_t size)
{
    return dies(call, argument) && end[0] == KA_NT_BUGCHECK && end[1] == KA_NT_BUGCHECK_MISUSE + (uintptr_t)kind &&
           end[2] == (uintptr_t)allocator && end[3] == (uintptr_t)block && end[4] == size;
}

static void misuse(void)
{
    static uint64_t elsewhere[2048];
    NT_NEEDS_HOOKS();
    nt_become(NT_2004);
    KIT_CHECK(ka_nt_heap_init(&heap, "misused", 16 * MIB, &(ka_nt_pool_options){ .tag = TAG }));
    KIT_CHECK(ka_nt_pool_init(&pool, &(ka_nt_pool_options){ .tag = TAG }));
    small = ka_heap_alloc(&heap.heap, 100, 16, 0);
    big = ka_heap_alloc(&heap.heap, 100000, 16, 0);
    over = ka_alloc(&pool.allocator, 100, 64, 0);
    KIT_CHECK(small != NULL && big != NULL && over != NULL);
    void *foreign = (void *)(((uintptr_t)elsewhere + PAGE - 1) & ~(PAGE - 1));
    ka_allocator *h = &heap.heap.allocator, *p = &pool.allocator;
    ka_set_misuse_handler(ka_nt_stop_on_misuse, NULL);
    KIT_EXPECT(died_of(do_foreign, foreign, KA_MISUSE_FOREIGN, h, foreign, 100000));
    KIT_EXPECT(died_of(do_interior, NULL, KA_MISUSE_INTERIOR, h, big + PAGE, 100000));
    KIT_EXPECT(died_of(do_wrong_size, NULL, KA_MISUSE_WRONG_SIZE, h, big, 200000));
    KIT_EXPECT(died_of(do_damage, NULL, KA_MISUSE_DAMAGE, p, over, 100));
    over[-8] ^= 1;
    KIT_EXPECT(died_of(do_context, NULL, KA_MISUSE_CONTEXT, p, NULL, 64));
    (void)nt.hooks->set_irql(before_level);
    KIT_EXPECT(dies(do_double_free, NULL) && end[1] == KA_NT_BUGCHECK_MISUSE + KA_MISUSE_DOUBLE_FREE &&
               end[2] == (uintptr_t)h && end[3] == (uintptr_t)small);
    KIT_EXPECT(dies(do_leak, NULL) && end[1] == KA_NT_BUGCHECK_MISUSE + KA_MISUSE_LEAK && end[3] == (uintptr_t)big);
    ka_set_misuse_handler(NULL, NULL);
    ka_free(p, over, 100, 64);
    ka_heap_free(&heap.heap, big, 100000, 16); /* none of these deaths has changed anything */
    KIT_CHECK_SOUND(ka_heap_check(&heap.heap));
    KIT_EXPECT(ka_nt_heap_fini(&heap) == 0 && nt.hooks->live() == 0);
}

static void do_wrong_tag(void *argument)
{
    ka_nt_pool other;
    bool made = ka_nt_pool_init(&other, &(ka_nt_pool_options){ .tag = KA_TAG('e', 'l', 's', 'e') });
    KIT_EXPECT(made);
    ka_free(&other.allocator, argument, 100, 16);
}

/* A request to this allocator, or a free, at a level that is for interrupts of devices. */
static void do_above_dispatch(void *argument)
{
    before_level = nt.hooks->set_irql(5);
    void *block = ka_alloc(argument, 5000, 16, KA_ATOMIC);
    (void)block;
}

static void do_free_above_dispatch(void *argument)
{
    before_level = nt.hooks->set_irql(5);
    ka_free(&pool.allocator, argument, 100, 16);
}

/* By us, in a build that asserts it, or by the system. */
static bool stopped_for_level(void)
{
    (void)nt.hooks->set_irql(before_level);
    return KA_CFG_DEBUG ? end[0] == KA_NT_BUGCHECK && end[1] == KA_NT_BUGCHECK_PANIC : end[0] != KA_NT_BUGCHECK;
}

/* The crate's untagged free takes anybody's block. BAD_POOL_CALLER: the system's own end, not ours. */
static void the_system_stops(void)
{
    NT_NEEDS_HOOKS();
    nt_become(NT_2004);
    KIT_CHECK(ka_nt_pool_init(&pool, &(ka_nt_pool_options){ .tag = TAG }));
    void *block = ka_alloc(&pool.allocator, 100, 16, 0);
    KIT_EXPECT(dies(do_wrong_tag, block) && end[0] == 0xC2 && end[1] == 0xA);
    KIT_EXPECT(dies(do_above_dispatch, &pool.allocator) && stopped_for_level());
    KIT_EXPECT(dies(do_above_dispatch, ka_physical) && stopped_for_level());
    KIT_EXPECT(dies(do_free_above_dispatch, block) && stopped_for_level());
    ka_free(&pool.allocator, block, 100, 16);
    KIT_EXPECT(nt.hooks->live() == 0);
}

static const kit_case cases[] = {
    { "the n-th allocation fails, for every n", nth_failure },
    { "start, stop, and what is left", start_and_stop },
    { "panic, and no memory", panic },
    { "each kind of misuse stops the machine, if asked to", misuse },
    { "the system stops at a wrong tag and a wrong IRQL", the_system_stops },
};
const kit_suite nt_end_suite = { "failures and ends", cases, KIT_COUNT(cases) };
