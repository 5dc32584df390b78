/* <stdbool.h> for the library's sources inside Linux. */
#ifndef KA_LINUX_STDBOOL_H
#define KA_LINUX_STDBOOL_H
#include <linux/stddef.h>
#include <linux/types.h>
#endif
