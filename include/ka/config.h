/* ka/config.h: what a build may choose.
 *
 * A choice that changes a public structure is part of the name of the functions that initialise it, so that a program
 * and a library built differently do not link (the linker names both choices).
 */
#ifndef KA_CONFIG_H
#define KA_CONFIG_H

/* How many disjoint ranges one region can hold; a power of two, 1 to 1024. */
#ifndef KA_CFG_REGION_RANGES
#define KA_CFG_REGION_RANGES 8
#endif

/* 1: developer's assertions (KA_DEBUG) are evaluated. */
#ifndef KA_CFG_DEBUG
#define KA_CFG_DEBUG 0
#endif

/* 1: assertions that cost O(n) (KA_SLOW) are evaluated. */
#ifndef KA_CFG_SLOW
#define KA_CFG_SLOW 0
#endif

#define KA_PASTE_(a, b, c, d) a##__ranges##b##_debug##c##_slow##d
#define KA_PASTE(a, b, c, d)  KA_PASTE_(a, b, c, d)

/* The linker's name of a function that depends on the choices above. */
#define KA_CONFIGURED(name) KA_PASTE(name, KA_CFG_REGION_RANGES, KA_CFG_DEBUG, KA_CFG_SLOW)

#endif
