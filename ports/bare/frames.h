/* frames.h: the machine's page frames, in the frame engine, with a store of its own for each CPU.
 *
 * Covers memory below KA_ARCH_DIRECT_END; every frame can be reached at its own address. From bare_frames_start on:
 * any CPU, any context. A block is given back as it was taken, not in parts.
 */
#ifndef BARE_FRAMES_H
#define BARE_FRAMES_H

#include <ka/frames.h>

typedef ka_frame bare_frame;

/* The engine behind it: constraints, orders, ranges. */
extern ka_frames bare_frame_engine;

/* Adds usable memory, bytes; only whole frames of it count. What lies above KA_ARCH_DIRECT_END is left out. */
void bare_frames_add(uint64_t base, uint64_t size);

/* Takes memory out again, bytes; every frame that it touches. */
void bare_frames_reserve(uint64_t base, uint64_t size);

/* Says whose memory it is, bytes; node 0 has what is not named. After it was added. */
void bare_frames_set_node(uint64_t base, uint64_t size, unsigned node);

/* Starts the engine on what was added and not reserved; a part of it, 0.03 %, holds the engine's own data. Once, before
 * any of the calls below; panics if there is no memory for it. */
void bare_frames_start(void);

/* Takes a frame, contents undefined. Returns number 0 if none is free. */
bare_frame bare_frame_take(void);

/* Takes `count` frames in a row and returns the first; number 0 if there is no such run. cost  linear in the memory. */
bare_frame bare_frames_take(size_t count);

/* Gives frames in a row back that were taken together. Panics if they were not, or are free already; a single frame's
 * fault may be found later, and is then reported as misuse. */
void bare_frames_give(bare_frame first, size_t count);

/* Puts back into the engine what this CPU has in store, so that others can have it. */
void bare_frames_flush(void);

/* Frames that are free, those that CPUs have in store included, and frames that there are. Exact when quiet.
 * cost  linear in the memory */
size_t bare_frames_free(void);
size_t bare_frames_total(void);

/* The memory of a frame. */
void *bare_frame_memory(bare_frame frame);

#endif
