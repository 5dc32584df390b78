/* ports/user/pages.c: memory from mmap. */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ka/user.h>

#include "base/math.h"

static void *reserve(void *context, size_t size, size_t align)
{
    (void)context;
    if (size > (size_t)PTRDIFF_MAX - align)
        return NULL;
    char *base = mmap(NULL, size + align, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    char *start = (char *)ka_round_up((uintptr_t)base, align);
    size_t before = (size_t)(start - base);
    if (before != 0)
        (void)munmap(base, before);
    if (before != align)
        (void)munmap(start + size, align - before);
    return start;
}

static void unreserve(void *context, void *base, size_t size)
{
    (void)context;
    (void)munmap(base, size);
}

/* The kernel gives a zeroed page at the first touch. */
static bool commit(void *context, void *base, size_t size, bool *zeroed)
{
    (void)context, (void)base, (void)size;
    *zeroed = true;
    return true;
}

/* Pages that are touched come from the node as long as it has some: the kernel falls back by itself. */
static bool commit_on(void *context, void *base, size_t size, unsigned node, bool *zeroed)
{
    enum { PREFERRED = 1 }; /* MPOL_PREFERRED */
    unsigned long mask = 1ul << node;
    (void)context;
    (void)syscall(SYS_mbind, base, size, PREFERRED, &mask, sizeof mask * 8 + 1, 0u);
    *zeroed = true;
    return true;
}

static bool decommit(void *context, void *base, size_t size)
{
    (void)context;
    return madvise(base, size, MADV_DONTNEED) == 0;
}

const ka_page_source ka_user_pages = {
    .contexts = KA_NOWAIT | KA_ATOMIC,
    .reserve = reserve,
    .unreserve = unreserve,
    .commit = commit,
    .decommit = decommit,
    .commit_on = commit_on,
};
