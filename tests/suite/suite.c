/* suite.c: see suite.h. */
#include "suite.h"

suite_env suite;
ka_formatter *suite_formatter;
