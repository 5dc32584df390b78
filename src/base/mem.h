/* base/mem.h: copying and clearing, without <string.h>. The four functions behind it come from the C library or, where
 * there is none, from the port: compilers emit calls to them even in freestanding code. */
#ifndef KA_BASE_MEM_H
#define KA_BASE_MEM_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

static inline void ka_copy(void *to, const void *from, size_t size) { (void)memcpy(to, from, size); }
static inline void ka_move(void *to, const void *from, size_t size) { (void)memmove(to, from, size); }
static inline void ka_clear(void *to, size_t size) { (void)memset(to, 0, size); }
static inline void ka_fill(void *to, unsigned char byte, size_t size) { (void)memset(to, byte, size); }

#endif
