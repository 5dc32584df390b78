/* none.c: the build has no stb_sprintf.h: strings are formatted by the library's own formatter alone. */
#include "kernel/kernel_suites.h"

ka_formatter *const kernel_formatter = NULL;
