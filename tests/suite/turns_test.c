/* The suite of allocations that fail in turn, on the host. See over_host.h. */
#include "suite/over_host.h"

int main(void)
{
    return suite_main(&turns_suite, 1000);
}
