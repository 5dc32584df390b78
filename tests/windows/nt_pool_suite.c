/* nt_pool_suite.c: ka_nt_pool. The defects of the Rust crates that it must not have stand at the cases. */
#include <ka/kernel.h>
#include <ka/vec.h>
#include <ka/windows.h>

#include "nt_suite.h"

nt_env nt;
nt_misuse nt_reported;

#define PAGE      ((size_t)4096)
#define APC       ((uint8_t)1)
#define DISPATCH  ((uint8_t)2)
#define TAG       KA_TAG('t', 'e', 's', 't')
#define OTHER_TAG KA_TAG('o', 'T', 'H', ' ')
#define NON_PAGED 0x40u
#define EXECUTE   0x80u
#define PAGED     0x100u
#define DIRTY     0x2u
#define NX_TYPE   512u

static ka_nt_pool pool;

/* ---- shared by the suites ---- */

bool nt_same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b)
        a++, b++;
    return *a == *b;
}

void nt_become(nt_version version)
{
    (void)ka_nt_stop();
    nt.hooks->play(version);
    nt.hooks->hide_contiguous(false, false);
    bool started = ka_nt_start(0);
    KIT_EXPECT(started);
}

static void count_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                         const void *site)
{
    (void)context, (void)site;
    nt_reported = (nt_misuse){ nt_reported.count + 1, kind, allocator, block, size };
}

void nt_misuse_begin(void)
{
    nt_reported = (nt_misuse){ 0 };
    ka_set_misuse_handler(count_misuse, NULL);
}

void nt_misuse_end(void)
{
    ka_set_misuse_handler(NULL, NULL);
}

static void open_pool(void)
{
    bool made = ka_nt_pool_init(&pool, &(ka_nt_pool_options){ .tag = TAG });
    KIT_EXPECT(made);
}

static bool filled(const void *block, size_t size, unsigned char byte)
{
    const unsigned char *at = block;
    for (size_t i = 0; i < size; i++)
        if (at[i] != byte)
            return false;
    return true;
}

/* ---- layouts ---- */

static void layouts_of(ka_allocator *a, ka_flags flags)
{
    size_t largest = nt.aligns_pages ? 5 * PAGE : PAGE / 2, most = nt.aligns_pages ? 16 * PAGE : PAGE / 4;
    for (size_t size = 1; size < largest; size = size * 7 / 4 + 1)
        for (size_t align = 1; align <= most; align *= 2) {
            unsigned char *block = ka_alloc(a, size, align, flags | KA_ZERO);
            KIT_CHECK(block != NULL && (uintptr_t)block % align == 0 && (uintptr_t)block % 16 == 0);
            KIT_CHECK(filled(block, size, 0));
            kit_stamp(block, size, size ^ align);
            KIT_CHECK(kit_stamped(block, size, size ^ align));
            ka_free(a, block, size, align);
        }
}

/* The crate and wdk-alloc never look at the alignment: a 64-byte object aligned to 64 comes by luck. */
static void every_layout(void)
{
    nt_misuse_begin();
    for (int version = nt.hooks != NULL ? NT_WINDOWS_7 : NT_2004; version <= NT_2004; version++) {
        if (nt.hooks != NULL)
            nt_become((nt_version)version);
        open_pool();
        layouts_of(&pool.allocator, 0);
        layouts_of(&pool.allocator, KA_PAGEABLE);
        layouts_of(ka_kernel, KA_ATOMIC);
        if (nt.hooks != NULL)
            KIT_EXPECT(nt.hooks->live() == 0);
    }
    KIT_EXPECT(nt_reported.count == 0);
    nt_misuse_end();
}

/* What the requests cost: 16 and less none, a page is a page, else `align` more. */
static void what_alignment_costs(void)
{
    static const struct {
        size_t size, align, asked;
    } rows[] = {
        { 1, 1, 1 },          { 64, 16, 64 },     { 4095, 16, 4095 },    { 4096, 4096, 4096 }, /* a vmxon region */
        { 5000, 4096, 5000 }, { 5000, 64, 5000 }, { 64, 64, 128 },       { 1, 4096, 4096 },
        { 3000, 64, 3064 },   { 4090, 64, 4096 }, { 4096, 8192, 12288 }, { 10, 8192, 8202 },
    };
    NT_NEEDS_HOOKS();
    nt_become(NT_2004);
    open_pool();
    for (size_t i = 0; i < KIT_COUNT(rows); i++) {
        nt_pool_call call;
        void *block = ka_alloc(&pool.allocator, rows[i].size, rows[i].align, 0);
        KIT_CHECK(block != NULL && (uintptr_t)block % rows[i].align == 0);
        nt.hooks->pool(&call);
        KIT_EXPECT(call.size == rows[i].asked && call.tag == TAG);
        ka_free(&pool.allocator, block, rows[i].size, rows[i].align);
    }
    KIT_EXPECT(nt.hooks->live() == 0);
}

/* The crate hands size 0 to the pool, which may not be asked for it. */
static void nothing_for_size_zero(void)
{
    open_pool();
    long before = nt.hooks != NULL ? nt.hooks->pool_calls() : 0;
    void *block = ka_alloc(&pool.allocator, 0, 64, KA_ZERO);
    KIT_EXPECT(block != NULL && (uintptr_t)block % 64 == 0);
    ka_free(&pool.allocator, block, 0, 64);
    ka_free(&pool.allocator, NULL, 16, 16);
    KIT_EXPECT(ka_alloc(&pool.allocator, (size_t)PTRDIFF_MAX, 16, 0) == NULL);
    KIT_EXPECT(ka_alloc(&pool.allocator, (size_t)PTRDIFF_MAX - 64, 64, 0) == NULL);
    KIT_EXPECT(ka_alloc(&pool.allocator, SIZE_MAX, 8192, 0) == NULL && ka_alloc(&pool.allocator, 64, 48, 0) == NULL);
    if (nt.hooks != NULL)
        KIT_EXPECT(nt.hooks->pool_calls() <= before + 2);
}

static void resize_keeps(void)
{
    static const size_t sizes[] = { 1, 100, 3000, 4096, 9000, 40, 1 }, aligns[] = { 16, 64, 1, 256, 128 };
    open_pool();
    size_t size = 24, align = 8;
    unsigned char *block = ka_alloc(&pool.allocator, size, align, 0);
    KIT_CHECK(block != NULL);
    kit_stamp(block, size, 1);
    for (size_t i = 0; i < KIT_COUNT(sizes) * KIT_COUNT(aligns); i++) {
        size_t new_size = sizes[i % KIT_COUNT(sizes)], new_align = aligns[i % KIT_COUNT(aligns)];
        if (!nt.aligns_pages && new_size + new_align > PAGE / 2)
            continue;
        unsigned char first = block[0];
        unsigned char *moved =
            ka_resize(&pool.allocator, block, size, align, new_size, new_align, i % 2 == 0 ? KA_ZERO : 0);
        KIT_CHECK(moved != NULL && (uintptr_t)moved % new_align == 0 && moved[0] == first);
        if (i % 2 == 0 && new_size > size)
            KIT_EXPECT(filled(moved + size, new_size - size, 0));
        block = moved;
        size = new_size;
        align = new_align;
    }
    ka_free(&pool.allocator, block, size, align);
    if (nt.hooks != NULL)
        KIT_EXPECT(nt.hooks->live() == 0);
}

/* ---- what the system is asked for ---- */

/* One tag for all (wdk-alloc), none at all by one of its doors (the crate). */
static void tags(void)
{
    static const uint32_t bad[] = { 0, KA_TAG('a', 'b', 'c', ' ') - (1u << 24), KA_TAG('~', 'b', 'c', 'd') + 1, 'a',
                                    TAG | 0x80 };
    ka_nt_pool other;
    KIT_EXPECT(TAG == ('t' | 'e' << 8 | 's' << 16 | (uint32_t)'t' << 24)); /* as 'tset' of Microsoft's compilers */
    for (size_t i = 0; i < KIT_COUNT(bad); i++)
        KIT_EXPECT(!ka_nt_pool_init(&other, &(ka_nt_pool_options){ .tag = bad[i] }));
    KIT_EXPECT(!ka_nt_start(bad[1]));
    NT_NEEDS_HOOKS();
    nt_pool_call call;
    for (int version = NT_WINDOWS_7; version <= NT_2004; version++) {
        nt_become((nt_version)version);
        open_pool();
        KIT_CHECK(ka_nt_pool_init(&other, &(ka_nt_pool_options){ .tag = OTHER_TAG, .priority = KA_NT_HIGH }));
        ka_allocator *of[] = { &pool.allocator, &other.allocator, ka_kernel };
        const uint32_t expected[] = { TAG, OTHER_TAG, KA_NT_TAG };
        for (size_t i = 0; i < KIT_COUNT(of); i++)
            for (size_t align = 8; align <= 2 * PAGE; align *= 4) {
                void *block = ka_alloc(of[i], 40, align, align == 8 ? KA_PAGEABLE : 0);
                nt.hooks->pool(&call);
                KIT_EXPECT(call.tag == expected[i]);
                KIT_CHECK(block != NULL);
                block = ka_resize(of[i], block, 40, align, 80, align, 0);
                nt.hooks->pool(&call);
                KIT_EXPECT(block != NULL && call.tag == expected[i]);
                ka_free(of[i], block, 80, align);
            }
    }
    KIT_EXPECT(nt.hooks->live() == 0);
}

/* The crate's pool is executable, and its routines are deprecated; wdk-alloc does not load before Windows 10 2004. */
static void which_routine(void)
{
    static const struct {
        nt_version version;
        const char *routine;
        uint64_t flags;
        uint32_t type;
    } rows[] = {
        { NT_WINDOWS_7, "ExAllocatePoolWithTag", 0, 0 }, /* there is no other there */
        { NT_WINDOWS_8, "ExAllocatePoolWithTag", 0, NX_TYPE },
        { NT_1909, "ExAllocatePoolWithTag", 0, NX_TYPE },
        { NT_2004, "ExAllocatePool2", NON_PAGED | DIRTY, 0 },
    };
    NT_NEEDS_HOOKS();
    nt_pool_call call;
    for (size_t i = 0; i < KIT_COUNT(rows); i++) {
        nt_become(rows[i].version);
        open_pool();
        for (unsigned how = 0; how < 3; how++) {
            bool is_new = rows[i].flags != 0;
            void *block = ka_alloc(&pool.allocator, 100, 16, how == 0 ? 0 : how == 1 ? KA_ZERO : KA_PAGEABLE);
            nt.hooks->pool(&call);
            KIT_EXPECT(block != NULL && nt_same(call.routine, rows[i].routine));
            KIT_EXPECT(call.type == (is_new ? 0 : how == 2 ? 1u : rows[i].type));
            KIT_EXPECT(call.flags == (!is_new ? 0 : how == 0 ? rows[i].flags : how == 1 ? NON_PAGED : PAGED | DIRTY));
            ka_free(&pool.allocator, block, 100, 16);
        }
    }
}

/* wdk-alloc clears what the pool has cleared. Below 2004 nobody else clears, and some of Microsoft's wrappers do
 * not. */
static void cleared_once(void)
{
    NT_NEEDS_HOOKS();
    for (int version = NT_WINDOWS_7; version <= NT_2004; version++) {
        nt_become((nt_version)version);
        open_pool();
        nt.hooks->zero_byte(0x5a); /* what the system clears */
        for (size_t align = 8; align <= 2 * PAGE; align *= 2) {
            unsigned char *block = ka_alloc(&pool.allocator, 100, align, KA_ZERO);
            KIT_EXPECT(block != NULL && filled(block, 100, version == NT_2004 ? 0x5a : 0));
            ka_free(&pool.allocator, block, 100, align);
            block = ka_alloc(&pool.allocator, 100, align, 0);
            KIT_EXPECT(block != NULL && filled(block, 100, 0xa5)); /* nor what was not asked to be clear */
            ka_free(&pool.allocator, block, 100, align);
        }
        nt.hooks->zero_byte(0);
    }
}

static void options(void)
{
    ka_nt_pool p;
    const ka_nt_pool_options bad[] = {
        { .tag = TAG, .pageable = true, .executable = true },
        { .tag = TAG, .pageable = true, .on_node = true },
        { .tag = TAG, .exact = true },
        { .tag = TAG, .on_node = true, .node = UINT32_MAX },
        { .tag = TAG, .priority = (ka_nt_priority)3 },
    };
    for (size_t i = 0; i < KIT_COUNT(bad); i++)
        KIT_EXPECT(!ka_nt_pool_init(&p, &bad[i]));
    NT_NEEDS_HOOKS();
    nt_pool_call call;
    for (int version = NT_WINDOWS_7; version <= NT_2004; version++) {
        bool is_new = version == NT_2004;
        nt_become((nt_version)version);
        KIT_CHECK(ka_nt_pool_init(
            &p, &(ka_nt_pool_options){ .tag = TAG, .on_node = true, .node = 1, .priority = KA_NT_LOW }));
        void *block = ka_zalloc(&p.allocator, 100, 16, 0);
        nt.hooks->pool(&call);
        KIT_EXPECT(nt_same(call.routine, is_new ? "ExAllocatePool3" : "ExAllocatePoolWithTagPriority"));
        KIT_EXPECT(block != NULL && filled(block, 100, 0) && call.priority == 0);
        KIT_EXPECT(call.node == (is_new ? (long)0x80000001u : -1)); /* a preference */
        ka_free(&p.allocator, block, 100, 16);

        KIT_CHECK(ka_nt_pool_init(&p, &(ka_nt_pool_options){ .tag = TAG, .on_node = true, .node = 1, .exact = true }));
        block = ka_alloc(&p.allocator, 100, 16, 0);
        KIT_EXPECT((block != NULL) == is_new); /* refused where nobody can promise it */
        nt.hooks->pool(&call);
        KIT_EXPECT(!is_new || (call.node == 1 && call.priority == -1));
        ka_free(&p.allocator, block, 100, 16);
        KIT_EXPECT(ka_alloc(&p.allocator, 100, 16, KA_PAGEABLE) == NULL);

        KIT_CHECK(ka_nt_pool_init(&p, &(ka_nt_pool_options){ .tag = TAG, .executable = true }));
        block = ka_alloc(&p.allocator, 100, 16, 0);
        nt.hooks->pool(&call);
        KIT_EXPECT(block != NULL && (is_new ? call.flags == (EXECUTE | DIRTY) : call.type == 0));
        ka_free(&p.allocator, block, 100, 16);

        KIT_CHECK(ka_nt_pool_init(&p, &(ka_nt_pool_options){ .tag = TAG, .pageable = true, .priority = KA_NT_HIGH }));
        block = ka_alloc(&p.allocator, 100, 16, 0);
        nt.hooks->pool(&call);
        KIT_EXPECT(block != NULL && (is_new ? call.flags == (PAGED | DIRTY) : call.type == 1) && call.priority == 32);
        ka_free(&p.allocator, block, 100, 16);
    }
    KIT_EXPECT(nt.hooks->live() == 0);
}

/* ---- contexts ---- */

static void irql(void)
{
    open_pool();
    KIT_EXPECT(ka_alloc(&pool.allocator, 64, 16, KA_ANY_CONTEXT) == NULL);
    KIT_EXPECT(ka_alloc(&pool.allocator, 64, 128, KA_ANY_CONTEXT) == NULL);
    NT_NEEDS_HOOKS();
    ka_nt_pool paged;
    KIT_CHECK(ka_nt_pool_init(&paged, &(ka_nt_pool_options){ .tag = TAG, .pageable = true }));
    nt_misuse_begin();
    uint8_t old = nt.hooks->set_irql(APC);
    void *block = ka_alloc(&pool.allocator, 64, 16, KA_PAGEABLE);
    KIT_EXPECT(block != NULL && nt_reported.count == 0);
    ka_free(&pool.allocator, block, 64, 16);
    (void)nt.hooks->set_irql(DISPATCH);
    block = ka_alloc(&pool.allocator, 64, 16, KA_ATOMIC);
    KIT_EXPECT(block != NULL && nt_reported.count == 0);
    ka_free(&pool.allocator, block, 64, 16);
    long calls = nt.hooks->pool_calls();
    KIT_EXPECT(ka_alloc(&pool.allocator, 64, 16, KA_PAGEABLE) == NULL);
    KIT_EXPECT(nt_reported.count == 1 && nt_reported.kind == KA_MISUSE_CONTEXT);
    KIT_EXPECT(ka_alloc(&paged.allocator, 64, 256, KA_ATOMIC) == NULL && nt_reported.count == 2);
    KIT_EXPECT(nt.hooks->pool_calls() == calls); /* the pool was not asked */
    (void)nt.hooks->set_irql(old);
    nt_misuse_end();
    KIT_EXPECT(nt.hooks->live() == 0);
}

/* ---- no memory ---- */

KA_VEC(number_vec, uint64_t, KA_NO_DROP)

/* The crate's GlobalAlloc ends in handle_alloc_error, so that try_reserve cannot fail. */
static void refusal_is_a_result(void)
{
    NT_NEEDS_HOOKS();
    for (int version = NT_WINDOWS_7; version <= NT_2004; version++) {
        nt_become((nt_version)version);
        open_pool();
        number_vec numbers = number_vec_in(&pool.allocator);
        KIT_CHECK(number_vec_push(&numbers, 7));
        nt.hooks->fail_after(0);
        for (size_t align = 8; align <= 2 * PAGE; align *= 2) {
            KIT_EXPECT(ka_alloc(&pool.allocator, 100, align, KA_ZERO) == NULL);
            KIT_EXPECT(ka_alloc(&pool.allocator, 100, align, KA_PAGEABLE) == NULL);
        }
        KIT_EXPECT(!number_vec_reserve(&numbers, 1000));
        KIT_EXPECT(number_vec_len(&numbers) == 1 && *number_vec_at(&numbers, 0) == 7);
        nt.hooks->fail_after(-1);
        KIT_EXPECT(number_vec_reserve(&numbers, 1000) && *number_vec_at(&numbers, 0) == 7);
        number_vec_drop(&numbers);
        KIT_EXPECT(nt.hooks->live() == 0);
    }
}

/* Words in front of an over-aligned block are looked at before they are believed. */
static void wrong_frees(void)
{
    open_pool();
    nt_misuse_begin();
    unsigned char *block = ka_alloc(&pool.allocator, 200, 64, KA_ZERO);
    KIT_CHECK(block != NULL);
    ka_free(&pool.allocator, block + 64, 100, 64);
    KIT_EXPECT(nt_reported.count == 1 && nt_reported.kind == KA_MISUSE_DAMAGE && nt_reported.block == block + 64);
    ka_free(&pool.allocator, block + 16, 100, 64);
    KIT_EXPECT(nt_reported.count == 2 && nt_reported.kind == KA_MISUSE_INTERIOR);
    unsigned char kept = block[-8];
    block[-8] ^= 1; /* an underflow */
    ka_free(&pool.allocator, block, 200, 64);
    KIT_EXPECT(nt_reported.count == 3 && nt_reported.kind == KA_MISUSE_DAMAGE && nt_reported.size == 200);
    block[-8] = kept;
    ka_free(&pool.allocator, block, 200, 64);
    KIT_EXPECT(nt_reported.count == 3);
    nt_misuse_end();
    if (nt.hooks != NULL)
        KIT_EXPECT(nt.hooks->live() == 0);
}

static const kit_case cases[] = {
    { "every size and alignment", every_layout },
    { "what alignment costs", what_alignment_costs },
    { "size 0, and sizes that cannot be, do not reach the pool", nothing_for_size_zero },
    { "resize keeps bytes and alignment", resize_keeps },
    { "tags", tags },
    { "which routine, which pool", which_routine },
    { "cleared once, by one", cleared_once },
    { "node, priority, executable, pageable", options },
    { "IRQL", irql },
    { "no memory is a result", refusal_is_a_result },
    { "wrong frees of over-aligned blocks", wrong_frees },
};
const kit_suite nt_pool_suite = { "ka_nt_pool", cases, KIT_COUNT(cases) };
