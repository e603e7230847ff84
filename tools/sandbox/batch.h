/* A request's body taken apart into its events. */
#ifndef SANDBOX_BATCH_H
#define SANDBOX_BATCH_H

#include "text.h"

enum batch_state {
    BATCH_GOOD,
    BATCH_MALFORMED, /* no JSON array of objects, and no single object */
    BATCH_EMPTY,
    BATCH_NO_USER, /* an event lacks its userId, or has null or "" for it */
    BATCH_NO_SESSION
};

/* Zeroed is ready; used again and again, so that no memory is asked for once
 * it has grown. */
struct batch {
    enum batch_state state;
    struct text *events; /* each event's exact bytes, inside the body */
    size_t count;        /* 0 when malformed */
    size_t room;
};

/* Splits the body and says in b->state what is wrong with it. */
void batch_split(struct batch *b, struct text body);

void batch_finish(struct batch *b);

#endif
