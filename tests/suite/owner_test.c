/* The owner suite on the host. See over_host.h. */
#include "suite/over_host.h"

int main(void)
{
    return suite_main(&owner_suite, OVER_MALLOC);
}
