/* mem.c: the four functions that compilers call even in freestanding code. Words of 8 bytes where both addresses allow
 * it, bytes at the ends. The barrier in each loop keeps a compiler from finding the loop to be a memcpy or memset and
 * making it call itself. */
#include <stdint.h>

#include "base/mem.h"

typedef uint64_t __attribute__((may_alias)) word;

static inline void keep_loop(void)
{
    __asm__ volatile("" : : : "memory");
}

/* Whether words can be moved: the same offset within a word, and enough of them. */
static inline int words_fit(const void *a, const void *b, size_t size)
{
    return size >= 16 && (((uintptr_t)a ^ (uintptr_t)b) & 7) == 0;
}

static void copy_up(unsigned char *to, const unsigned char *from, size_t size)
{
    if (words_fit(to, from, size)) {
        for (; ((uintptr_t)to & 7) != 0; size--, keep_loop())
            *to++ = *from++;
        for (; size >= 8; size -= 8, to += 8, from += 8, keep_loop())
            *(word *)(void *)to = *(const word *)(const void *)from;
    }
    for (; size > 0; size--, keep_loop())
        *to++ = *from++;
}

static void copy_down(unsigned char *to, const unsigned char *from, size_t size)
{
    if (words_fit(to, from, size)) {
        for (; ((uintptr_t)(to + size) & 7) != 0; keep_loop()) {
            size--;
            to[size] = from[size];
        }
        for (; size >= 8; keep_loop()) {
            size -= 8;
            *(word *)(void *)(to + size) = *(const word *)(const void *)(from + size);
        }
    }
    for (; size > 0; keep_loop()) {
        size--;
        to[size] = from[size];
    }
}

void *memcpy(void *to, const void *from, size_t size)
{
    copy_up(to, from, size);
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        copy_up(to, from, size);
    else
        copy_down(to, from, size);
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    unsigned char *at = to, value = (unsigned char)byte;
    if (size >= 16) {
        for (; ((uintptr_t)at & 7) != 0; size--, keep_loop())
            *at++ = value;
        for (; size >= 8; size -= 8, at += 8, keep_loop())
            *(word *)(void *)at = value * UINT64_C(0x0101010101010101);
    }
    for (; size > 0; size--, keep_loop())
        *at++ = value;
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a, *right = b;
    for (; size > 0; size--, left++, right++)
        if (*left != *right)
            return *left < *right ? -1 : 1;
    return 0;
}
