/* <stdarg.h> for the library's sources inside Linux. */
#ifndef KA_LINUX_STDARG_H
#define KA_LINUX_STDARG_H
#include <linux/stdarg.h>
#endif
