/* ports/user/port.c: the cold half of the user-space port. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include <ka/handler.h>
#include <ka/hash.h>
#include <ka/user.h>

#include "ports/contract.h"

/* Those that the process may use: one system call, where the C library would read directories. */
unsigned ka_port_cpu_count(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_CONF);
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

bool ka_port_entropy(void *context, void *out, size_t size)
{
    (void)context;
    return size <= 256 && getrandom(out, size, GRND_NONBLOCK) == (ssize_t)size;
}

/* ---- nodes ---- */

static ka_user_node *simulated;

void ka_user_simulate_nodes(ka_user_node *node)
{
    simulated = node;
}

unsigned ka_port_node(void)
{
    unsigned cpu, node;
    if (simulated != NULL)
        return simulated();
    return getcpu(&cpu, &node) == 0 ? node : 0;
}

/* The last number of "0-3", or of "0,2-3". */
unsigned ka_user_node_count(void)
{
    char text[64];
    int file = open("/sys/devices/system/node/possible", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, text, sizeof text);
    unsigned last = 0;
    if (file >= 0)
        (void)close(file);
    for (ssize_t i = 0; i < length && text[i] != '\n'; i++)
        last = text[i] < '0' || text[i] > '9' ? 0 : last * 10 + (unsigned)(text[i] - '0');
    return last < KA_HEAP_NODES ? last + 1 : KA_HEAP_NODES;
}
