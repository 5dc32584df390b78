/* engine/frames_fast.h: a CPU's own free frames, without a call. See frames_cpu.c. */
#ifndef KA_ENGINE_FRAMES_FAST_H
#define KA_ENGINE_FRAMES_FAST_H

#include <ka/frames.h>

#include "base/bits.h"

KA_NOINLINE ka_frame ka_frames_cpu_get_slow_(ka_frames *frames, ka_frame_cpu *cpu);
KA_NOINLINE bool ka_frames_cpu_put_slow_(ka_frames *frames, ka_frame_cpu *cpu, ka_frame frame);

static inline ka_frame ka_frames_cpu_get(ka_frames *frames, ka_frame_cpu *cpu)
{
    uint64_t *word = cpu->word, bits = *word;
    if (KA_UNLIKELY(bits == 0))
        return ka_frames_cpu_get_slow_(frames, cpu);
    *word = bits & (bits - 1);
    return ka_frame_of(cpu->word_first + ka_lowest_bit(bits));
}

/* A frame of the home comes back to where it was. One that is there already, or may be part of a block, goes the other
 * way, which looks closely. */
static inline bool ka_frames_cpu_put(ka_frames *frames, ka_frame_cpu *cpu, ka_frame frame)
{
    uint64_t offset = frame.number - cpu->put_first;
    if (KA_UNLIKELY(offset >= KA_FRAME_AREA))
        return ka_frames_cpu_put_slow_(frames, cpu, frame);
    uint64_t *word = &cpu->words[offset / 64], bit = UINT64_C(1) << offset % 64;
    uint64_t blocked = (*word & bit) | (cpu->joined[offset / 64] & (bit | bit >> 1)) | (cpu->careful & bit);
    if (KA_UNLIKELY(blocked != 0))
        return ka_frames_cpu_put_slow_(frames, cpu, frame);
    *word |= bit;
    cpu->word = word;
    cpu->word_first = frame.number & ~UINT64_C(63);
    return true;
}

#endif
