/* The collection suite on the host. See over_host.h. */
#include "suite/over_host.h"

int main(void)
{
    return suite_main(&collection_suite, 1000);
}
