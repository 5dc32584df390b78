/* tagged_test.c: the tag layer: what it counts, from one thread and from several, the report, and leaks. */
#include <pthread.h>

#include <ka/handler.h>
#include <ka/locked.h>
#include <ka/tagged.h>

#include "kit.h"
#include "pool.h"

static pool inner;
static ka_tagged tagged;
static ka_allocator *const a = &tagged.allocator;

/* ---- what was said ---- */

static char said[512];

static void say(void *context, const char *text, size_t length)
{
    KIT_EXPECT(strlen(text) == length);
    strncat((char *)context, text, sizeof said - strlen(context) - 2);
    strcat((char *)context, "\n");
}

static struct {
    unsigned calls;
    ka_misuse kind;
    ka_allocator *allocator;
    const void *block, *site;
    size_t size;
} misuse;

static void note_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                        const void *site)
{
    (void)context;
    misuse.calls++;
    misuse.kind = kind;
    misuse.allocator = allocator;
    misuse.block = block;
    misuse.size = size;
    misuse.site = site;
}

static void setup(size_t blocks, ka_tag_group *group)
{
    memset(&misuse, 0, sizeof misuse);
    said[0] = 0;
    ka_set_misuse_handler(note_misuse, NULL);
    ka_set_log_handler(say, said);
    pool_init(&inner, blocks);
    ka_tagged_init(&tagged, &inner.allocator, "network", group);
}

static bool counts(size_t live, size_t peak, size_t blocks)
{
    ka_stats stats = ka_get_stats(a);
    return stats.live == live && stats.peak == peak && stats.live_blocks == blocks;
}

/* ---- cases ---- */

static void counts_bytes_and_blocks(void)
{
    setup(4, NULL);
    KIT_EXPECT(counts(0, 0, 0));
    void *first = ka_alloc(a, 10, 8, KA_ATOMIC);
    KIT_EXPECT(first != NULL && inner.flags == KA_ATOMIC && counts(10, 10, 1));
    void *second = ka_alloc(a, 33, 8, 0);
    KIT_EXPECT(second != NULL && counts(43, 43, 2));
    KIT_EXPECT(ka_alloc(a, 65, 8, 0) == NULL && counts(43, 43, 2));
    ka_free(a, first, 10, 8);
    KIT_EXPECT(counts(33, 43, 1));
    ka_free(a, ka_alloc(a, 0, 8, 0), 0, 8); /* no memory, no count */
    ka_free(a, second, 33, 8);
    KIT_EXPECT(counts(0, 43, 0) && pool_live(&inner) == 0);
    KIT_EXPECT(tagged.allocs == 2 && tagged.refused == 1);
    KIT_EXPECT(ka_check(a) == NULL && misuse.calls == 0);
}

static void counts_resizes(void)
{
    setup(2, NULL);
    void *block = ka_alloc(a, 10, 8, 0);
    block = ka_resize(a, block, 10, 8, 30, 8, 0);
    KIT_EXPECT(block != NULL && counts(30, 30, 1));
    block = ka_resize(a, block, 30, 8, 5, 8, 0);
    KIT_EXPECT(block != NULL && counts(5, 30, 1));
    KIT_EXPECT(ka_resize(a, block, 5, 8, 65, 8, 0) == NULL && counts(5, 30, 1));
    KIT_EXPECT(tagged.refused == 1 && tagged.allocs == 1);
    block = ka_resize(a, block, 5, 8, 0, 8, 0);
    KIT_EXPECT(block != NULL && counts(0, 30, 0) && pool_live(&inner) == 0);
    block = ka_resize(a, NULL, 0, 1, 7, 8, 0);
    KIT_EXPECT(counts(7, 30, 1));
    ka_free(a, block, 7, 8);
}

/* Any size from the requested to the usable one fits a free: here that is one size, so that counts cannot drift. */
static void usable_is_what_was_asked(void)
{
    setup(1, NULL);
    void *block = ka_alloc(a, 10, 8, 0);
    KIT_EXPECT(ka_usable(a, block, 10, 8) == 10);
    ka_free(a, block, ka_usable(a, block, 10, 8), 8);
    KIT_EXPECT(counts(0, 10, 0));
}

static void refuses_to_free_more_than_is_live(void)
{
    setup(2, NULL);
    void *block = ka_alloc(a, 10, 8, 0);
    ka_free(a, block, 11, 8);
    KIT_EXPECT(misuse.calls == 1 && misuse.kind == KA_MISUSE_WRONG_SIZE && misuse.allocator == a);
    KIT_EXPECT(misuse.block == block && misuse.size == 11 && misuse.site != NULL);
    KIT_EXPECT(counts(10, 10, 1) && pool_live(&inner) == 1);
    KIT_EXPECT(ka_resize(a, block, 11, 8, 20, 8, 0) == NULL && misuse.calls == 2);
    KIT_EXPECT(ka_resize(a, block, 11, 8, 2, 8, 0) == NULL && misuse.calls == 3);
    KIT_EXPECT(counts(10, 10, 1) && pool_live(&inner) == 1);
    ka_free(a, block, 10, 8);
    KIT_EXPECT(misuse.calls == 3);
}

static void check_sees_broken_counts(void)
{
    setup(2, NULL);
    void *block = ka_alloc(a, 10, 8, 0);
    KIT_EXPECT(ka_check(a) == NULL);
    tagged.peak = 9;
    KIT_EXPECT(ka_check(a) != NULL);
    tagged.peak = 10;
    tagged.live_blocks = 2;
    KIT_EXPECT(ka_check(a) != NULL);
    tagged.live_blocks = 0;
    KIT_EXPECT(ka_check(a) != NULL);
    tagged.live_blocks = tagged.allocs = 11;
    KIT_EXPECT(ka_check(a) != NULL);
    tagged.live_blocks = tagged.allocs = 1;
    KIT_EXPECT(ka_check(a) == NULL);
    inner.broken = "broken";
    KIT_EXPECT(ka_check(a) == inner.broken);
    ka_free(a, block, 10, 8);
}

static void reports_a_leak(void)
{
    setup(2, NULL);
    void *block = ka_alloc(a, 10, 8, 0), *other = ka_alloc(a, 20, 8, 0);
    KIT_EXPECT(block != NULL && other != NULL);
    ka_tagged_fini(&tagged);
    KIT_EXPECT(misuse.calls == 1 && misuse.kind == KA_MISUSE_LEAK && misuse.size == 30 && misuse.allocator == a);
    KIT_EXPECT(misuse.block == NULL && misuse.site != NULL);
    KIT_EXPECT(strcmp(said, "tag network: 30 bytes are still live in 2 blocks\n") == 0);
    setup(2, NULL);
    ka_tagged_fini(&tagged);
    KIT_EXPECT(misuse.calls == 0 && said[0] == 0);
}

static void reports_the_group(void)
{
    static ka_tag_group group;
    static ka_tagged disk, third;
    setup(4, &group);
    ka_tagged_init(&disk, &inner.allocator, "disk and other slow devices", &group);
    ka_tagged_init(&third, &inner.allocator, "third", &group);
    void *first = ka_alloc(a, 64, 8, 0), *second = ka_alloc(a, 36, 8, 0);
    ka_free(a, second, 36, 8);
    KIT_EXPECT(ka_alloc(&disk.allocator, 100, 8, 0) == NULL);

    char text[sizeof said] = "";
    ka_tag_group_report(&group, say, text);
    KIT_EXPECT(strcmp(text, "tag                      live         peak     blocks     allocs    refused\n"
                            "network                    64          100          1          2          0\n"
                            "disk and other s            0            0          0          0          1\n"
                            "third                       0            0          0          0          0\n") == 0);
    ka_tagged_fini(&disk); /* out of the middle */
    text[0] = 0;
    ka_tag_group_report(&group, say, text);
    KIT_EXPECT(strstr(text, "network") != NULL && strstr(text, "disk") == NULL && strstr(text, "third") != NULL);
    ka_free(a, first, 64, 8);
    ka_tagged_fini(&tagged);
    ka_tagged_fini(&third);
    KIT_EXPECT(group.first == NULL && misuse.calls == 0);
    KIT_EXPECT(strcmp(ka_tagged_name(&tagged), "network") == 0);
}

/* ---- threads ---- */

#define STEPS 200000

static ka_tagged shared;
static uint32_t refused;

static void *churn_main(void *seed)
{
    kit_random random = { *(uint64_t *)seed };
    ka_allocator *s = &shared.allocator;
    void *block[16] = { 0 };
    size_t size[16] = { 0 };
    for (int i = 0; i < STEPS; i++) {
        size_t at = kit_below(&random, 16), want = 1 + kit_below(&random, POOL_BLOCK);
        if (block[at] == NULL) {
            block[at] = ka_alloc(s, want, 8, 0);
            if (block[at] == NULL)
                (void)ka_fetch_add_32(&refused, 1);
            size[at] = want;
        } else if (want % 4 == 0) {
            void *moved = ka_resize(s, block[at], size[at], 8, want, 8, 0);
            if (moved == NULL)
                (void)ka_fetch_add_32(&refused, 1);
            else
                block[at] = moved, size[at] = want;
        } else {
            ka_free(s, block[at], size[at], 8);
            block[at] = NULL;
        }
    }
    for (size_t i = 0; i < 16; i++)
        ka_free(s, block[i], size[i], 8);
    return NULL;
}

static void counts_from_threads(void)
{
    static ka_locked locked;
    pthread_t thread[2];
    uint64_t seeds[2] = { 1, 2 };
    setup(12, NULL); /* scarce, so that refusals are counted too */
    ka_locked_init(&locked, &inner.allocator, NULL, NULL);
    ka_tagged_init(&shared, &locked.allocator, "shared", NULL);
    for (int i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, churn_main, &seeds[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    ka_stats stats = ka_get_stats(&shared.allocator);
    KIT_EXPECT(stats.live == 0 && stats.live_blocks == 0 && misuse.calls == 0);
    KIT_EXPECT(stats.peak > 0 && stats.peak <= 12 * POOL_BLOCK);
    KIT_EXPECT(shared.refused == refused && refused > 0);
    KIT_EXPECT(ka_check(&shared.allocator) == NULL);
    kit_note("%d steps, %zu blocks, %u refusals, peak %zu bytes", 2 * STEPS, (size_t)shared.allocs, refused,
             stats.peak);
}

static const kit_case cases[] = {
    { "counts bytes and blocks", counts_bytes_and_blocks },
    { "counts resizes", counts_resizes },
    { "usable is what was asked", usable_is_what_was_asked },
    { "refuses to free more than is live", refuses_to_free_more_than_is_live },
    { "check sees broken counts", check_sees_broken_counts },
    { "reports a leak", reports_a_leak },
    { "reports the group", reports_the_group },
    { "counts from threads", counts_from_threads },
};

int main(void)
{
    return kit_main("tagged", cases, KIT_COUNT(cases));
}
