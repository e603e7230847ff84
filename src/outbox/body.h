/* A request body, put together from rows of the log. */
#ifndef OUTBOX_BODY_H
#define OUTBOX_BODY_H

#include "outbox/turn.h"

/* What reading a range of the log came to. */
struct found {
    int64_t hi;      /* the last id looked at and used */
    int64_t passed;  /* of the lane, not taken */
    int64_t foreign; /* of other lanes */
    int64_t oldest;  /* accepted at, of the first event */
    int64_t damaged; /* id of a row that is not whole, 0 when none; reading
                        ended before it */
    int64_t held;    /* id of an event that is held, 0 when none; likewise */
    int64_t next_held;
    bool full;   /* a limit was reached: there may be more */
    size_t room; /* for events in the batch */
};

/* Fills an empty *b with the lane's events behind an id and up to hi. With
 * limited, ends at the destination's limits and at j->take->most_events; a
 * batch that was sent before is read without, since it must be the same again.
 * On failure the caller finishes *b. */
enum spool_status body_read(struct db *db, struct turn_job *j, int64_t behind,
                            int64_t hi, bool limited, struct batch *b,
                            struct found *f, struct spool_error *err);

/* One event more. False without memory. */
bool body_add(struct turn_job *j, struct batch *b, const struct row *row);

/* Events in a batch at most, by now. */
size_t body_limit(const struct turn_job *j);

/* Adds what stands behind the last event. */
enum spool_status body_close(struct turn_job *j, struct batch *b,
                             struct spool_error *err);

#endif
