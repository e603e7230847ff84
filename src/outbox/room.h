/* Whether there is room for one more event: asked by append.c for every event,
 * inside its write transaction. What is asked for costs the same however much
 * the log holds, and nothing but one comparison when no limit is set. */
#ifndef OUTBOX_ROOM_H
#define OUTBOX_ROOM_H

#include "outbox/store.h"

/* What a row takes beside its body. */
#define ROOM_ROW_BYTES 24

struct room {
    struct outbox *box;
    int64_t last;   /* the last id given out */
    int64_t events; /* in the log */
    int64_t bytes;  /* of pages in use; 0 unless they are limited */
    bool limited;   /* false: no event needs to be looked at */
    bool hopeless[OUTBOX_CLASSES]; /* nothing gives way to this class */
    struct shed_notes shed;        /* what gave way, and is in no line yet */
    bool swaps; /* an event gave way for the next one: see room_make */
};

/* Reads where the log stands, and the limits if somebody changed them.
 * SPOOL_FULL when the disk has no room for any event. */
enum spool_status room_open(struct db *db, struct outbox *box, struct room *r,
                            struct spool_error *err);

/* The limit that an event of this class and size would go beyond, its class's
 * share being *ceiling; LIMIT_CAUSES when there is room. */
enum limit_cause room_missing(const struct room *r, int class, size_t len,
                              int64_t *ceiling);

/* Tries to make some where cause stands in front of an event of this class:
 * what is kept after its delivery gives way, then what may be shed. *made: look
 * again. Where other classes fill far more than this one's share, one event
 * gives way for one, which swaps says: the whole limit is asked then. A call
 * that made none is not worth another one in the transaction. */
enum spool_status room_make(struct db *db, struct room *r, int class,
                            enum limit_cause cause, bool *made,
                            struct spool_error *err);

/* Whether more than half of a limit is used up. */
enum spool_status room_is_half_used(struct db *db, struct outbox *box,
                                    bool *half, struct spool_error *err);

/* Accounts for one that was written. */
static inline void room_use(struct room *r, size_t len)
{
    r->events++;
    r->bytes += (int64_t)len + ROOM_ROW_BYTES;
}

#endif
