/* heaps.c: a program with heaps of known contents, for gdb to look at. */
#include <ka.h>
#include <ka/user.h>

ka_heap heap, hardened;
ka_heap never_made;
static ka_region region;
static ka_locked locked;
static ka_failing failing;
static ka_guard layers;
static ka_tag_group tags;
static ka_tagged network, disk;
static ka_cache sessions;
static ka_reserve pages;
static _Alignas(8) char pages_memory[KA_RESERVE_SIZE(4)];
static _Alignas(16) char memory[16384];

/* What is asked about. */
void *live[10], *freed, *large, *session, *returned, *put_by, *small, *gap, *in_hardened;

void look_here(void);
KA_NOINLINE void look_here(void)
{
    __asm__ volatile("" : : "r"(live) : "memory");
}

static bool fill_heap(void)
{
    for (int i = 0; i < 10; i++)
        if ((live[i] = ka_heap_alloc(&heap, 64, 16, 0)) == NULL)
            return false;
    freed = ka_heap_alloc(&heap, 64, 16, 0);
    large = ka_heap_alloc(&heap, 100000, 16, 0);
    if (freed == NULL || large == NULL)
        return false;
    ka_tagged_init(&network, &heap.allocator, "network", &tags);
    ka_tagged_init(&disk, &heap.allocator, "disk", &tags);
    return ka_alloc(&network.allocator, 1500, 16, 0) != NULL;
}

static bool fill_cache_and_reserve(void)
{
    ka_cache_options of_sessions = { .name = "sessions", .size = 200, .inner = &heap.allocator };
    ka_reserve_options of_pages = { .inner = &heap.allocator, .size = 4096, .align = 4096, .count = 2, .slots = 4,
                                    .memory = pages_memory };
    if (!ka_cache_init(&sessions, &of_sessions) || !ka_reserve_init(&pages, &of_pages))
        return false;
    session = ka_cache_alloc(&sessions, 0);
    returned = ka_cache_alloc(&sessions, 0);
    void *page = ka_reserve_alloc(&pages, 0);
    put_by = ka_reserve_alloc(&pages, 0);
    if (session == NULL || returned == NULL || page == NULL || put_by == NULL)
        return false;
    ka_cache_free(&sessions, returned);
    ka_reserve_free(&pages, put_by);
    return true;
}

static bool fill_region(void)
{
    ka_region_init(&region);
    if (!ka_region_claim(&region, memory, sizeof memory))
        return false;
    ka_locked_init(&locked, &region.allocator, NULL, NULL);
    ka_failing_init(&failing, &locked.allocator);
    ka_guard_init(&layers, &failing.allocator, 0);
    small = ka_alloc(&locked.allocator, 48, 16, 0);
    gap = ka_alloc(&locked.allocator, 1024, 16, 0);
    void *last = ka_alloc(&locked.allocator, 512, 16, 0);
    if (small == NULL || gap == NULL || last == NULL)
        return false;
    ka_free(&locked.allocator, gap, 1024, 16);
    return true;
}

static bool fill_hardened(void)
{
    in_hardened = ka_heap_alloc(&hardened, 32, 16, 0);
    if (in_hardened == NULL)
        return false;
    ka_heap_free(&hardened, in_hardened, 32, 16);
    return true;
}

int main(void)
{
    ka_heap_options options = {
        .name = "hardened", .source = &ka_user_pages, .size = (size_t)1 << 24, .hardened = true
    };
    if (!ka_user_heap_init(&heap, "looked at", (size_t)1 << 26) || !ka_heap_init(&hardened, &options) || !fill_heap() ||
        !fill_cache_and_reserve() || !fill_region() || !fill_hardened())
        return 1;
    ka_heap_free(&heap, freed, 64, 16); /* stays in the magazine, as nothing is committed any more */
    look_here();
    return 0;
}
