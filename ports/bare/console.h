/* console.h: text to the serial console. Any context but an NMI; lines of several CPUs do not mix. */
#ifndef BARE_CONSOLE_H
#define BARE_CONSOLE_H

#include <stddef.h>

#include <ka/types.h>

/* Writes bytes as they are; a line end is "\n". */
void bare_console_write(const char *text, size_t length);

/* Formats as ka_format does, at most 191 characters. */
void bare_print(const char *format, ...) KA_PRINTF(1, 2);

#endif
