/* <stddef.h> for the library's sources inside Linux. */
#ifndef KA_LINUX_STDDEF_H
#define KA_LINUX_STDDEF_H
#include <linux/stddef.h>
#include <linux/types.h>
#endif
