/* ports/user/port.c: the cold half of the user-space port. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <ka/handler.h>

#include "ports/contract.h"

unsigned ka_port_cpu_count(void)
{
    long count = sysconf(_SC_NPROCESSORS_CONF);
    return count < 1 ? 1 : (unsigned)count;
}

/* One write, without stdio: safe in a signal handler, and whole lines between threads. */
void ka_port_log(const char *line, size_t length)
{
    char text[256];
    if (length > sizeof text - 1)
        length = sizeof text - 1;
    for (size_t i = 0; i < length; i++)
        text[i] = line[i];
    text[length] = '\n';
    ssize_t written = write(STDERR_FILENO, text, length + 1);
    (void)written;
}

void ka_port_panic(const char *message, const char *file, unsigned line)
{
    fprintf(stderr, "panic: %s (%s:%u)\n", message, file, line);
    abort();
}
