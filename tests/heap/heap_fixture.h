/* heap_fixture.h: what the heap's tests stand on: a page source that is real (a
 * page without memory cannot be touched), counts, refuses on request, and knows
 * who may call it; and a recorder of misuse reports. Host only, one per
 * program.
 */
#ifndef HEAP_FIXTURE_H
#define HEAP_FIXTURE_H

#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include <ka/handler.h>
#include <ka/heap.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "kit.h"

#define FIXTURE_PAGE      ((size_t)4096)
#define FIXTURE_MAX_PAGES 65536u

/* ---- the page source ---- */

static struct {
    char *base; /* the address space that was reserved; FIXTURE_PAGE-aligned */
    size_t size;
    uint64_t bits[FIXTURE_MAX_PAGES / 64]; /* which pages have memory */
    size_t committed;                      /* pages */
    unsigned long commits, decommits, reserves, unreserves, refusals;
    unsigned long faults;  /* calls that break the contract */
    unsigned long fail_at; /* the commit with this number (from 1) fails, and all
                            after it with fail_on; 0: none */
    bool fail_on;
    bool dirty;  /* new memory holds 0xa5, and is not said to be zero */
    bool closed; /* nobody may call */
    uint32_t lock;
} fixture;

static inline bool fixture_range(void *base, size_t size, bool have)
{
    size_t first = (size_t)((char *)base - fixture.base) / FIXTURE_PAGE, count = size / FIXTURE_PAGE;
    bool right = !fixture.closed && (char *)base >= fixture.base && (uintptr_t)base % FIXTURE_PAGE == 0 &&
                 size % FIXTURE_PAGE == 0 && size != 0 && first + count <= fixture.size / FIXTURE_PAGE;
    for (size_t i = first; right && i < first + count; i++)
        right = ka_bit_get(fixture.bits, i) == have;
    fixture.faults += !right;
    return right;
}

static inline void fixture_mark(void *base, size_t size, bool have)
{
    size_t first = (size_t)((char *)base - fixture.base) / FIXTURE_PAGE, count = size / FIXTURE_PAGE;
    for (size_t i = first; i < first + count; i++)
        have ? ka_bit_set(fixture.bits, i) : ka_bit_clear(fixture.bits, i);
    fixture.committed = have ? fixture.committed + count : fixture.committed - count;
}

/* The heap's threads may commit at the same time. */
static inline void fixture_lock(void)
{
    while (ka_exchange_32(&fixture.lock, 1) != 0)
        (void)sched_yield();
}

static inline void fixture_unlock(void)
{
    ka_store_release_32(&fixture.lock, 0);
}

static inline bool fixture_commit_alone(void *base, size_t size, bool *zeroed)
{
    fixture.commits++;
    if (!fixture_range(base, size, false) || *zeroed)
        return false;
    if (fixture.fail_at != 0 &&
        (fixture.commits == fixture.fail_at || (fixture.fail_on && fixture.commits > fixture.fail_at))) {
        fixture.refusals++;
        return false;
    }
    if (mprotect(base, size, PROT_READ | PROT_WRITE) != 0)
        return false;
    fixture_mark(base, size, true);
    if (fixture.dirty)
        memset(base, 0xa5, size);
    *zeroed = !fixture.dirty;
    return true;
}

static inline bool fixture_commit(void *context, void *base, size_t size, bool *zeroed)
{
    (void)context;
    fixture_lock();
    bool done = fixture_commit_alone(base, size, zeroed);
    fixture_unlock();
    return done;
}

static inline bool fixture_decommit_alone(void *base, size_t size)
{
    fixture.decommits++;
    if (!fixture_range(base, size, true))
        return false;
    if (madvise(base, size, MADV_DONTNEED) != 0 || mprotect(base, size, PROT_NONE) != 0)
        fixture.faults++;
    fixture_mark(base, size, false);
    return true;
}

static inline bool fixture_decommit(void *context, void *base, size_t size)
{
    (void)context;
    fixture_lock();
    bool done = fixture_decommit_alone(base, size);
    fixture_unlock();
    return done;
}

static inline void *fixture_map(size_t size, size_t align, int protection)
{
    char *raw = mmap(NULL, size + align, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED)
        return NULL;
    char *base = (char *)(((uintptr_t)raw + align - 1) & ~(uintptr_t)(align - 1));
    if (base != raw)
        munmap(raw, (size_t)(base - raw));
    if (raw + align != base)
        munmap(base + size, (size_t)(raw + align - base));
    return base;
}

static inline void *fixture_reserve(void *context, size_t size, size_t align)
{
    (void)context;
    fixture.reserves++;
    if (fixture.base != NULL || size / FIXTURE_PAGE > FIXTURE_MAX_PAGES) {
        fixture.faults++;
        return NULL;
    }
    fixture.base = fixture_map(size, align, PROT_NONE);
    fixture.size = size;
    return fixture.base;
}

static inline void fixture_unreserve(void *context, void *base, size_t size)
{
    (void)context;
    fixture.unreserves++;
    fixture.faults += base != fixture.base || size != fixture.size;
    munmap(base, size);
    memset(fixture.bits, 0, sizeof fixture.bits);
    fixture.committed = 0;
    fixture.base = NULL;
}

static const ka_page_source fixture_source = {
    .contexts = KA_NOWAIT, /* not KA_ATOMIC */
    .reserve = fixture_reserve,
    .unreserve = fixture_unreserve,
    .commit = fixture_commit,
    .decommit = fixture_decommit,
};

/* A fresh source: no reservation, nothing counted. */
static inline void fixture_open(void)
{
    if (fixture.base != NULL)
        munmap(fixture.base, fixture.size);
    memset(&fixture, 0, sizeof fixture);
}

/* The commit that comes `after` others from now on fails; 0: the next one. */
static inline void fixture_fail(unsigned long after, bool on)
{
    fixture.fail_at = fixture.commits + after + 1;
    fixture.fail_on = on;
}

static inline void fixture_heal(void)
{
    fixture.fail_at = 0;
}

/* ---- reports ---- */

static struct {
    unsigned long count, of[KA_MISUSE_CONTEXT + 1];
    ka_misuse kind;
    const ka_allocator *allocator;
    const void *block, *site;
    size_t size;
} reports;

static inline void reports_add(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                               const void *site)
{
    (void)context;
    reports.count++;
    reports.of[kind]++;
    reports.kind = kind;
    reports.allocator = allocator;
    reports.block = block;
    reports.size = size;
    reports.site = site;
}

static inline void reports_clear(void)
{
    memset(&reports, 0, sizeof reports);
    ka_set_misuse_handler(reports_add, NULL);
}

/* Exactly one report since the last look, of this kind and block. */
static inline bool reported(ka_misuse kind, const void *block)
{
    bool one = reports.count == 1 && reports.kind == kind && reports.block == block;
    if (!one)
        kit_note("%lu reports, the last: %s of %p", reports.count,
                 reports.count == 0 ? "none" : ka_misuse_name(reports.kind), reports.block);
    reports_clear();
    return one;
}

#endif
