/* frames.h: the source of physical page frames: one bit for each, set if it is free.
 *
 * A simple source behind the calls that a better one will keep. Covers memory below KA_ARCH_DIRECT_END; every frame can
 * be reached at its own address. Thread-safe: a spin lock, interrupts off for the length of a call; not for NMIs.
 */
#ifndef BARE_FRAMES_H
#define BARE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A frame's number: its physical address in pages. 0 is no frame. */
typedef struct bare_frame {
    uint64_t number;
} bare_frame;

/* Adds usable memory, bytes; only whole frames of it count. What lies above KA_ARCH_DIRECT_END is left out. */
void bare_frames_add(uint64_t base, uint64_t size);

/* Takes memory out again, bytes; every frame that it touches. For start-up, before frames are taken. */
void bare_frames_reserve(uint64_t base, uint64_t size);

/* Takes a frame, contents undefined. Returns number 0 if none is free. cost  linear at worst, a few words mostly. */
bare_frame bare_frame_take(void);

/* Takes `count` frames in a row and returns the first; number 0 if there is no such run. cost  linear. */
bare_frame bare_frames_take(size_t count);

/* Gives frames in a row back. Panics if one of them is free already or none of ours. cost  linear in count. */
void bare_frames_give(bare_frame first, size_t count);

/* Frames that are free, and frames that there are. */
size_t bare_frames_free(void);
size_t bare_frames_total(void);

/* The memory of a frame. */
void *bare_frame_memory(bare_frame frame);

#endif
