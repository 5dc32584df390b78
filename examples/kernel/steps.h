/* steps.h: the parts of the demo. */
#ifndef STEPS_H
#define STEPS_H

#include <stdbool.h>

#include "ports/bare/boot.h"

/* The steps of "Writing an OS in Rust: Heap Allocation". Returns whether everything went as it should. */
bool steps_of_the_book(void);

/* Replays a file of allocations that the loader has put into memory. Returns false, after a line that says why, if the
 * file is damaged or the heap did not serve it. */
bool replay_trace(bare_range file);

#endif
