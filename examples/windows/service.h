/* service.h: loads and unloads a driver through the service control manager. User mode, administrator. */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdbool.h>

/* Registers the driver under the name and starts it. Says on standard error what went wrong.
 *
 * path  of the .sys, from the root of a drive
 */
bool service_start(const char *name, const char *path);

/* Stops it, which calls its unload routine, and takes it from the register. */
bool service_stop(const char *name);

#endif
