/* boot.h: what the boot loader told, copied to memory of the kernel's own. Filled in by ports/arch/<cpu>. */
#ifndef BARE_BOOT_H
#define BARE_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of physical memory. */
typedef struct bare_range {
    uint64_t base, size;
} bare_range;

#define BARE_RANGES_MAX       64
#define BARE_NODES_MAX        64
#define BARE_COMMAND_LINE_MAX 512

typedef struct bare_ranges {
    bare_range at[BARE_RANGES_MAX];
    size_t count;
} bare_ranges;

typedef struct bare_boot_info {
    bare_range image;                  /* the kernel itself, its stack and first page tables included */
    bare_ranges memory;                /* usable memory; image and modules lie within it */
    bare_ranges kept;                  /* of that, what stays the loader's or the firmware's */
    bare_ranges modules;               /* files that the loader put into memory */
    bare_ranges nodes;                 /* which memory is which node's; node 0 has what is not named */
    unsigned node_of[BARE_RANGES_MAX]; /* of each of `nodes`, 0 to BARE_NODES_MAX - 1 */
    char command_line[BARE_COMMAND_LINE_MAX];
} bare_boot_info;

extern bare_boot_info bare_boot;

/* Appends a range. Empty ones and, after a line in the log, those above BARE_RANGES_MAX are left out. */
void bare_boot_add(bare_ranges *ranges, uint64_t base, uint64_t size);

/* Appends a range of a node's memory. */
void bare_boot_add_node(uint64_t base, uint64_t size, unsigned node);

/* Copies the command line; cuts it at BARE_COMMAND_LINE_MAX - 1 bytes, after a line in the log. */
void bare_boot_set_command_line(const char *text);

/* Finds the word "name=value" of the command line.
 *
 * returns  where the value begins; NULL if there is no such word
 * length   of the value, bytes
 */
const char *bare_option(const char *name, size_t *length);

/* A size on the command line: digits, then nothing, K, M or G (powers of 1024).
 *
 * out      left as it was if there is no such word
 * returns  false if the value is not a size, or is too large
 */
bool bare_option_size(const char *name, size_t *out);

/* Whether an option has exactly this value. */
bool bare_option_is(const char *name, const char *value);

#endif
