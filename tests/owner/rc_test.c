/* rc_test.c: see counted_cases.h; and what only rc has. */
#include <ka/rc.h>

#define OWN      KA_RC
#define OWN_TYPE KA_RC_TYPE
#define OWN_CODE KA_RC_CODE
#include "owner/counted_cases.h"

static void written_while_shared(void)
{
    start();
    int_own first = { 0 };
    int *value = int_own_make(&first, heap, 7);
    int_own second = int_own_share(&first), none = { 0 };
    KIT_CHECK(value != NULL && int_own_get_mut(&second) == NULL && int_own_get_mut_unchecked(&second) == value);
    KIT_CHECK(int_own_get_mut_unchecked(&none) == NULL);
    int_own_drop(&first);
    int_own_drop(&second);
    KIT_CHECK(kit_malloc_clean(&memory));
}

static const kit_case cases[] = { { "written while it is shared", written_while_shared } };

int main(void)
{
    kit_begin();
    kit_run("rc", counted_cases, KIT_COUNT(counted_cases));
    kit_run("rc", cases, KIT_COUNT(cases));
    return kit_end();
}
