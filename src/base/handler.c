/* base/handler.c: the three handlers and their defaults. See ka/handler.h. */
#include <ka/handler.h>

#include "format.h"

static struct {
    ka_misuse_handler *misuse;
    void *misuse_context;
    ka_alloc_error_handler *alloc_error;
    void *alloc_error_context;
    ka_log_handler *log;
    void *log_context;
} handlers;

const char *ka_misuse_name(ka_misuse kind)
{
    switch (kind) {
    case KA_MISUSE_DOUBLE_FREE:
        return "double free";
    case KA_MISUSE_FOREIGN:
        return "foreign pointer";
    case KA_MISUSE_INTERIOR:
        return "interior pointer";
    case KA_MISUSE_WRONG_SIZE:
        return "wrong size";
    case KA_MISUSE_DAMAGE:
        return "damaged free block";
    case KA_MISUSE_LEAK:
        return "leak";
    case KA_MISUSE_CONTEXT:
        return "wrong context";
    case KA_MISUSE_OVERRUN:
        return "overrun";
    }
    return "unknown misuse";
}

void ka_set_misuse_handler(ka_misuse_handler *handler, void *context)
{
    handlers.misuse = handler;
    handlers.misuse_context = context;
}

void ka_set_alloc_error_handler(ka_alloc_error_handler *handler, void *context)
{
    handlers.alloc_error = handler;
    handlers.alloc_error_context = context;
}

void ka_set_log_handler(ka_log_handler *handler, void *context)
{
    handlers.log = handler;
    handlers.log_context = context;
}

void ka_report_misuse(ka_misuse kind, ka_allocator *allocator, const void *block, size_t size, const void *site)
{
    if (handlers.misuse != NULL)
        handlers.misuse(handlers.misuse_context, kind, allocator, block, size, site);
    else
        ka_log("%s: %s: block %p, %zu bytes, called from %p", allocator->ops->name, ka_misuse_name(kind), block, size,
               site);
}

void ka_alloc_error(size_t size, size_t align)
{
    if (handlers.alloc_error != NULL)
        handlers.alloc_error(handlers.alloc_error_context, size, align);
    char text[96];
    ka_format(text, sizeof text, "allocation error: layout { size: %zu, align: %zu }", size, align);
    ka_port_panic(text, __FILE__, __LINE__);
}

/* Apart from ka_log: some machines keep 200 bytes of a variadic function's frame for its arguments. */
static KA_NOINLINE KA_PRINTF(1, 0) void log_line(const char *format, va_list list)
{
    char line[160];
    size_t length = ka_format_list(line, sizeof line, format, list);
    if (length >= sizeof line)
        length = sizeof line - 1;
    if (handlers.log != NULL)
        handlers.log(handlers.log_context, line, length);
    else
        ka_port_log(line, length);
}

void ka_log(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    log_line(format, list);
    va_end(list);
}
