/* The last events that were kept, for whoever wants to look at them: a bounded
 * memory, filled without asking for more. */
#ifndef SANDBOX_SHELF_H
#define SANDBOX_SHELF_H

#include <stdint.h>

#include "base/buffer.h"
#include "text.h"

#define SHELF_EVENTS 1000
#define SHELF_BYTES  ((size_t)4 * 1024 * 1024)

struct shelf_event {
    uint64_t number; /* of the event, from 1, since the last clearing */
    uint64_t request;
    int64_t at_ms;
    size_t offset;
    size_t len;
};

/* Zeroed is empty. */
struct shelf {
    struct shelf_event events[SHELF_EVENTS]; /* a ring; oldest at first */
    size_t first;
    size_t count;
    uint64_t last; /* the number given last */
    char *bytes;   /* another ring: SHELF_BYTES of them, or NULL */
    size_t at;
};

/* Keeps a copy of an event; the oldest make room. One that is larger than the
 * whole shelf is only numbered. */
void shelf_add(struct shelf *s, struct text event, uint64_t request,
               int64_t at_ms);

/* Numbers n events without keeping them. */
static inline void shelf_skip(struct shelf *s, uint64_t n)
{
    s->last += n;
}

/* A JSON object with the events numbered beyond after, oldest first. */
void shelf_print(const struct shelf *s, uint64_t after, struct buffer *out);

void shelf_clear(struct shelf *s);

#endif
