/* windows.c: pool tags that the system could not show. */
#include <ka/windows.h>

uint32_t tag(void);
uint32_t tag(void)
{
#if MISUSE == 1 /* a letter below the space | negative */
    return KA_TAG('a', 'b', 'c', '\n');
#elif MISUSE == 2 /* a letter above the tilde | negative */
    return KA_TAG('\x7f', 'b', 'c', 'd');
#elif MISUSE == 3 /* no letter | negative */
    return KA_TAG('a', 'b', 'c', 0);
#elif MISUSE == 4 /* three letters | argument */
    return KA_TAG('a', 'b', 'c');
#else
    return KA_TAG('a', ' ', '~', 'd');
#endif
}
