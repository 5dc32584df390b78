/* kit_host.c: kit's lines go to standard output, at once. */
#include <stdio.h>

#include "kit.h"

static void write_stdout(const char *line)
{
    puts(line);
    fflush(stdout);
}

__attribute__((constructor)) static void use_stdout(void)
{
    kit_set_output(write_stdout);
}
