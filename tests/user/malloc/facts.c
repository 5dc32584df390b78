/* facts.c: what the C library's names promise, one fact a line. Run with the library preloaded; says what is broken. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int broken;

#define FACT(fact) ((fact) ? (void)0 : (void)(broken++, printf("facts.c:%d: %s\n", __LINE__, #fact)))

static volatile size_t huge = SIZE_MAX / 2, zero; /* volatile: or the compiler knows the answers */

static void stamp(void *block, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)block)[i] = (unsigned char)(seed + i * 7);
}

static int stamped(const void *block, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)block)[i] != (unsigned char)(seed + i * 7))
            return 0;
    return 1;
}

static void basics(void)
{
    char *a = malloc(zero), *b = malloc(zero);
    FACT(a != NULL && b != NULL && a != b && malloc_usable_size(a) >= 1);
    free(a);
    free(b);
    for (size_t size = 1; size < 300000; size = size * 9 / 8 + 1) {
        void *block = malloc(size);
        FACT(block != NULL && (uintptr_t)block % 16 == 0 && malloc_usable_size(block) >= size);
        memset(block, 0xee, malloc_usable_size(block));
        free(block);
        unsigned char *clean = calloc(size, 1), any = 0;
        for (size_t i = 0; i < size; i++)
            any |= clean[i];
        FACT(any == 0);
        free(clean);
    }
    FACT(malloc_usable_size(NULL) == 0);
}

static void errors(void)
{
    errno = 0;
    FACT(malloc(huge) == NULL && errno == ENOMEM);
    errno = 0;
    FACT(malloc(SIZE_MAX - zero) == NULL && errno == ENOMEM);
    errno = 0;
    FACT(calloc(huge, 4) == NULL && errno == ENOMEM);
    errno = 0;
    FACT(calloc((size_t)1 << 32, ((size_t)1 << 32) + zero) == NULL && errno == ENOMEM);
    errno = 0;
    FACT(calloc(huge, 1) == NULL && errno == ENOMEM);
    void *empty = calloc(zero, huge), *other = calloc(huge, zero);
    FACT(empty != NULL && other != NULL);
    free(empty);
    free(other);
    errno = 0;
    FACT(realloc(NULL, huge) == NULL && errno == ENOMEM);
    errno = 0;
    FACT(reallocarray(NULL, huge, 8) == NULL && errno == ENOMEM);
    errno = 0;
    FACT(aligned_alloc(4096, huge) == NULL && errno == ENOMEM);
    errno = 0;
    FACT(aligned_alloc(48, 480) == NULL && errno == EINVAL);
    errno = 0;
    FACT(valloc(huge) == NULL && errno == ENOMEM && pvalloc(SIZE_MAX - zero) == NULL);
    errno = 1234;
    free(malloc(100));
    free(malloc(1000000));
    free(NULL);
    FACT(errno == 1234);
}

static void reallocs(void)
{
    char *block = realloc(NULL, 100);
    FACT(block != NULL);
    size_t size = 100;
    unsigned seed = 1;
    static const size_t sizes[] = { 101, 5000, 50, 17, 16, 1, 40000, 1000000, 300000, 36864, 32768, 20, 200000, 4096 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++, seed++) {
        stamp(block, size, seed);
        char *moved = realloc(block, sizes[i]);
        FACT(moved != NULL && stamped(moved, size < sizes[i] ? size : sizes[i], seed));
        FACT(malloc_usable_size(moved) >= sizes[i]);
        block = moved;
        size = sizes[i];
    }
    stamp(block, size, 99);
    errno = 0;
    FACT(realloc(block, huge) == NULL && errno == ENOMEM && stamped(block, size, 99));
    FACT(reallocarray(block, huge, 3) == NULL && stamped(block, size, 99));
    FACT((block = reallocarray(block, 100, 70)) != NULL && stamped(block, 4096, 99));
    block = realloc(block, zero);
    FACT(block != NULL);
    free(block);
}

/* Blocks that grow by little again and again, several at a time and in each other's way, and then shrink. */
static void gradual(void)
{
    enum { COUNT = 4 };
    static const size_t steps[COUNT] = { 24, 1000, 0, 4096 }; /* 0: by a quarter */
    char *blocks[COUNT] = { NULL }, *between = NULL;
    size_t sizes[COUNT] = { 0 };
    for (unsigned round = 0; round < 150; round++)
        for (unsigned i = 0; i < COUNT; i++) {
            size_t size = sizes[i] + (steps[i] != 0 ? steps[i] : sizes[i] / 4 + 8);
            if (size > 60000)
                continue;
            char *moved = realloc(blocks[i], size);
            FACT(moved != NULL && stamped(moved, sizes[i], i) && malloc_usable_size(moved) >= size);
            stamp(moved, size, i);
            blocks[i] = moved;
            sizes[i] = size;
            free(between);
            between = malloc(size / 2);
            memset(between, 0xdd, size / 2);
        }
    for (unsigned i = 0; i < COUNT; i++) {
        for (; sizes[i] > 1; sizes[i] = sizes[i] * 2 / 3) {
            FACT((blocks[i] = realloc(blocks[i], sizes[i])) != NULL && stamped(blocks[i], sizes[i], i));
            FACT(malloc_usable_size(blocks[i]) < 8 * sizes[i] + 4096);
        }
        free(blocks[i]);
    }
    free(between);
}

/* Blocks that were aligned to more than a page, and small, are page runs: every way to give them back. */
static void aligned(void)
{
    for (size_t align = 1; align <= (size_t)1 << 21; align *= 2)
        for (size_t size = 1; size <= 100000; size = size * 17 + 3) {
            void *out = (void *)1;
            int error = posix_memalign(&out, align, size);
            FACT(error == (align < sizeof(void *) ? EINVAL : 0));
            if (error != 0) {
                FACT(out == (void *)1);
                continue;
            }
            FACT((uintptr_t)out % align == 0 && malloc_usable_size(out) >= size);
            stamp(out, size, 3);
            out = realloc(out, size * 3); /* keeps bytes, not alignment */
            FACT(out != NULL && stamped(out, size, 3));
            void *more[40];
            for (int i = 0; i < 40; i++)
                stamp(more[i] = malloc(size * 3), size * 3, 50);
            FACT(stamped(out, size, 3));
            for (int i = 0; i < 40; i++)
                free(more[i]);
            free(out);
            void *a = aligned_alloc(align, size), *m = memalign(align, size);
            FACT((uintptr_t)a % align == 0 && (uintptr_t)m % align == 0 && a != m);
            stamp(a, size, 4);
            a = realloc(a, size / 4 + 1);
            FACT(a != NULL && stamped(a, size / 4 + 1, 4));
            free(a);
            free(m);
        }
    void *out = (void *)1;
    errno = 77;
    FACT(posix_memalign(&out, 24, 8) == EINVAL && posix_memalign(&out, 0, 8) == EINVAL && out == (void *)1);
    FACT(posix_memalign(&out, 64, huge) == ENOMEM && out == (void *)1);
    FACT(errno == 77);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *v = valloc(1), *p = pvalloc(1);
    FACT((uintptr_t)v % page == 0 && (uintptr_t)p % page == 0 && malloc_usable_size(p) >= page);
    free(v);
    free(p);
}

static void *thread(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    void *blocks[64] = { NULL };
    size_t sizes[64] = { 0 };
    int *wrong = calloc(1, sizeof *wrong);
    for (unsigned i = 0; i < 30000; i++) {
        seed = seed * 1664525 + 1013904223;
        unsigned at = (seed >> 8) % 64;
        if (blocks[at] != NULL)
            *wrong += !stamped(blocks[at], sizes[at], at);
        size_t size = (seed >> 16) % 700;
        blocks[at] = realloc(blocks[at], size);
        sizes[at] = size;
        stamp(blocks[at], size, at);
    }
    for (unsigned at = 0; at < 64; at++)
        free(blocks[at]);
    return wrong;
}

static void threads(void)
{
    for (unsigned round = 0; round < 20; round++) {
        pthread_t ids[4];
        for (unsigned t = 0; t < 4; t++)
            FACT(pthread_create(&ids[t], NULL, thread, (void *)(uintptr_t)(round * 4 + t)) == 0);
        for (unsigned t = 0; t < 4; t++) {
            void *wrong = NULL;
            pthread_join(ids[t], &wrong);
            FACT(wrong != NULL && *(int *)wrong == 0);
            free(wrong);
        }
    }
}

/* That the program runs on the heap under test at all: the C library's own blocks have 24 usable bytes here. */
static void preloaded(void)
{
    void *block = malloc(10);
    FACT(malloc_usable_size(block) == 16);
    free(block);
}

int main(void)
{
    preloaded();
    basics();
    errors();
    reallocs();
    gradual();
    aligned();
    threads();
    return broken != 0;
}
