/* taken.h: frames that a test takes away, chained through their own memory. */
#ifndef TAKEN_H
#define TAKEN_H

#include "ports/bare/frames.h"

typedef struct taken {
    struct taken *next;
    bare_frame frame;
} taken;

/* All that are free but `left`. */
static inline taken *take_all_but(size_t left)
{
    taken *head = NULL;
    while (bare_frames_free() > left) {
        bare_frame frame = bare_frame_take();
        taken *t = bare_frame_memory(frame);
        *t = (taken){ head, frame };
        head = t;
    }
    return head;
}

static inline void give_back(taken *head)
{
    while (head != NULL) {
        taken *next = head->next;
        bare_frames_give(head->frame, 1);
        head = next;
    }
}

#endif
