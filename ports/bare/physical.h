/* physical.h: start of ka_physical (<ka/physical.h>). */
#ifndef BARE_PHYSICAL_H
#define BARE_PHYSICAL_H

#include <ka/physical.h>

/* After bare_frames_start. */
void bare_physical_start(void);

#endif
