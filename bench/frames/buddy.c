/* buddy.c: a model of per-CPU lists over a buddy allocator, as Linux's page allocator has them: 64 bytes for each
 * frame, with links through them; a lock for the buddy; lists of order 0 for each CPU, refilled and emptied by a
 * batch. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

enum { ORDERS = 11, BATCH = 63, HIGH = 6 * BATCH };

/* As much as a struct page. */
typedef struct page {
    struct page *next, *previous;
    uint32_t order; /* 1 + the order of the free block that begins here; 0: none */
    uint32_t rest[11];
} page;

static page *pages;
static uint64_t page_count;
static page heads[ORDERS];
static pthread_spinlock_t lock;
static struct {
    _Alignas(64) page *first;
    uint32_t count;
} lists[8];

static void link_page(page *head, page *p)
{
    p->next = head->next;
    p->previous = head;
    head->next->previous = p;
    head->next = p;
}

static void unlink_page(page *p)
{
    p->next->previous = p->previous;
    p->previous->next = p->next;
}

static void block_free(uint64_t at, unsigned order)
{
    for (; order < ORDERS - 1; order++) {
        uint64_t other = at ^ UINT64_C(1) << order;
        if (other >= page_count || pages[other].order != order + 1)
            break;
        unlink_page(&pages[other]);
        pages[other].order = 0;
        at &= other;
    }
    pages[at].order = order + 1;
    link_page(&heads[order], &pages[at]);
}

static page *block_take(unsigned order)
{
    unsigned from = order;
    while (from < ORDERS && heads[from].next == &heads[from])
        from++;
    if (from == ORDERS)
        return NULL;
    page *p = heads[from].next;
    unlink_page(p);
    p->order = 0;
    while (from-- > order) {
        page *half = p + (UINT64_C(1) << from);
        half->order = from + 1;
        link_page(&heads[from], half);
    }
    return p;
}

static void peer_start(uint64_t count, unsigned threads)
{
    (void)threads;
    page_count = count;
    pages = aligned_alloc(4096, count * sizeof *pages);
    if (pages == NULL)
        abort();
    __builtin_memset(pages, 0, count * sizeof *pages);
    for (unsigned i = 0; i < ORDERS; i++)
        heads[i].next = heads[i].previous = &heads[i];
    pthread_spin_init(&lock, 0);
    for (uint64_t at = 0; at < count; at += 1u << (ORDERS - 1))
        block_free(at, ORDERS - 1);
}

static void peer_thread(unsigned thread) { (void)thread; }

static __attribute__((noinline)) void list_fill(unsigned thread)
{
    pthread_spin_lock(&lock);
    for (unsigned i = 0; i < BATCH; i++) {
        page *p = block_take(0);
        if (p == NULL)
            break;
        p->next = lists[thread].first;
        lists[thread].first = p;
        lists[thread].count++;
    }
    pthread_spin_unlock(&lock);
}

static __attribute__((noinline)) void list_empty(unsigned thread, unsigned count)
{
    pthread_spin_lock(&lock);
    for (; count > 0 && lists[thread].first != NULL; count--) {
        page *p = lists[thread].first;
        lists[thread].first = p->next;
        lists[thread].count--;
        block_free((uint64_t)(p - pages), 0);
    }
    pthread_spin_unlock(&lock);
}

static inline uint64_t peer_get(unsigned thread, unsigned order)
{
    if (order == 0) {
        if (lists[thread].first == NULL)
            list_fill(thread);
        page *p = lists[thread].first;
        if (p == NULL)
            return UINT64_MAX;
        lists[thread].first = p->next;
        lists[thread].count--;
        return (uint64_t)(p - pages);
    }
    pthread_spin_lock(&lock);
    page *p = block_take(order);
    pthread_spin_unlock(&lock);
    return p == NULL ? UINT64_MAX : (uint64_t)(p - pages);
}

static inline void peer_put(unsigned thread, uint64_t frame, unsigned order)
{
    if (order == 0) {
        page *p = &pages[frame];
        p->next = lists[thread].first;
        lists[thread].first = p;
        if (++lists[thread].count >= HIGH)
            list_empty(thread, BATCH);
        return;
    }
    pthread_spin_lock(&lock);
    block_free(frame, order);
    pthread_spin_unlock(&lock);
}

static void peer_drain(unsigned thread) { list_empty(thread, lists[thread].count); }

static size_t peer_metadata(void) { return page_count * sizeof *pages; }

#include "measure.h"
