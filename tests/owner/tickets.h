/* tickets.h: an element whose drops are counted: every ticket that was made must be dropped once, and once only.
 * A cleared ticket owns nothing: its drop counts for nothing. */
#ifndef TICKETS_H
#define TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TICKETS_MAX 4096

typedef struct ticket {
    uint32_t id;    /* 1 to TICKETS_MAX - 1; 0: none */
    uint32_t check; /* ~id: found wrong in moved or freed bytes */
} ticket;

static struct {
    uint32_t made;
    uint32_t dropped;
    uint32_t damaged;
    unsigned char drops[TICKETS_MAX];
} tickets;

static inline void tickets_reset(void)
{
    tickets.made = 0;
    tickets.dropped = 0;
    tickets.damaged = 0;
    for (size_t i = 0; i < TICKETS_MAX; i++)
        tickets.drops[i] = 0;
}

static inline ticket ticket_make(void)
{
    ticket made = { ++tickets.made, ~tickets.made };
    return made;
}

static inline void ticket_drop(ticket *self)
{
    if (self->id == 0 && self->check == 0)
        return;
    if (self->check != ~self->id || self->id > tickets.made) {
        tickets.damaged++;
        return;
    }
    tickets.dropped++;
    tickets.drops[self->id]++;
    self->check = 0; /* a second drop through the same bytes is found */
}

/* Every ticket that was made has been dropped exactly once. */
static inline bool tickets_all_dropped(void)
{
    for (uint32_t id = 1; id <= tickets.made; id++)
        if (tickets.drops[id] != 1)
            return false;
    return tickets.damaged == 0 && tickets.dropped == tickets.made;
}

/* `paper`: a ticket that has memory, which a clone must get too, so that a clone of one can fail. `more`: further
 * members; `pages_type`: an owner of the test, cloned in its `heap`. */
#define TICKETS_PAPER(more, pages_type)                               \
    typedef struct paper {                                            \
        more                                                          \
        ticket ticket;                                                \
        pages_type pages;                                             \
    } paper;                                                          \
                                                                      \
    static void paper_drop(paper *self)                               \
    {                                                                 \
        pages_type##_drop(&self->pages);                              \
        ticket_drop(&self->ticket);                                   \
    }                                                                 \
                                                                      \
    static bool paper_clone(paper *out, paper const *from)            \
    {                                                                 \
        if (!pages_type##_clone(&out->pages, &from->pages, heap))     \
            return false;                                             \
        out->ticket = ticket_make();                                  \
        return true;                                                  \
    }

#endif
